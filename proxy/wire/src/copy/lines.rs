//! Where the lines of text and CSV data end.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::{CopyFault, CopyFormat, CopyKind, Direction, Header, Piece, PieceKind};

/// How lines end. The first line decides; another line end later is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Unknown,
    Lf,
    Cr,
    CrLf,
}

/// Who takes `\.` for the end of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndMarker {
    /// Nobody: CSV from PostgreSQL 18 on, and CSV from a server.
    Data,
    /// CSV before PostgreSQL 18: alone on a line.
    CsvAlone,
    /// Text before PostgreSQL 18: anywhere, at the end of a line.
    TextAnywhere,
    /// Text from PostgreSQL 18 on: an error unless alone on a line.
    TextAlone,
}

/// Finds lines. A line that is not complete yet is not scanned again from its beginning.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // independent facts about one position
pub(super) struct Lines {
    /// The quote of CSV.
    quote: Option<u8>,
    /// The escape of CSV, unless it is the quote: then a quote simply opens and closes, since a
    /// doubled one does both.
    escape: Option<u8>,
    marker: EndMarker,
    line_end: LineEnd,
    /// The next line is a header.
    header: bool,
    /// Whether the line at the beginning of the buffer has been counted.
    begun: bool,
    /// Number of that line, or of the last one.
    line: u64,
    /// What is before it in the buffer has been scanned; at most the buffer's length.
    at: usize,
    /// Whether `at` is inside quotes.
    quoted: bool,
    /// Whether the byte before `at` is an escape inside quotes.
    escaped: bool,
}

/// What a `\.` turns out to be.
enum Marker {
    /// That depends on bytes to come.
    Open,
    /// Data.
    Data,
    /// The end; with its line end it ends here.
    End(usize),
}

impl Lines {
    pub(super) fn new(format: &CopyFormat, direction: Direction) -> Self {
        let csv = format.kind == CopyKind::Csv;
        let marker = match (csv, format.server_version < 18) {
            (true, true) if direction == Direction::In => EndMarker::CsvAlone,
            (true, _) => EndMarker::Data,
            (false, true) => EndMarker::TextAnywhere,
            (false, false) => EndMarker::TextAlone,
        };
        Self {
            quote: csv.then_some(format.quote),
            escape: (csv && format.escape != format.quote).then_some(format.escape),
            marker,
            line_end: LineEnd::Unknown,
            header: format.header != Header::None,
            begun: false,
            line: 0,
            at: 0,
            quoted: false,
            escaped: false,
        }
    }

    /// Number of the line, as PostgreSQL counts: line ends inside quotes count too.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How lines end.
    pub(super) fn terminator(&self) -> &'static [u8] {
        match self.line_end {
            LineEnd::Unknown | LineEnd::Lf => b"\n",
            LineEnd::Cr => b"\r",
            LineEnd::CrLf => b"\r\n",
        }
    }

    /// The line at the beginning of `buffer`; `None` when its end is not there yet. Called again
    /// with the same beginning and more behind it. `end`: no more will come; then a rest is a line.
    pub(super) fn next(&mut self, buffer: &[u8], end: bool) -> Result<Option<Piece>, CopyFault> {
        if !self.begun {
            self.begun = true;
            self.line += 1;
        }
        let found = match self.quote {
            None => self.scan_text(buffer, end)?,
            Some(quote) => self.scan_csv(buffer, end, quote)?,
        };
        let (content, end, last) = match found {
            Some(found) => found,
            None if end => (buffer.len(), buffer.len(), true),
            None => return Ok(None),
        };
        let header = std::mem::take(&mut self.header);
        let kind = if header {
            PieceKind::Header
        } else if last && content == 0 {
            PieceKind::Trailer
        } else {
            PieceKind::Row
        };
        self.begun = false;
        self.at = 0;
        self.quoted = false;
        self.escaped = false;
        Ok(Some(Piece { kind, content, end, last }))
    }

    /// End of content, end of line, last line.
    fn scan_text(
        &mut self,
        buffer: &[u8],
        end: bool,
    ) -> Result<Option<(usize, usize, bool)>, CopyFault> {
        while let Some(skip) = memchr3(b'\n', b'\r', b'\\', &buffer[self.at..]) {
            self.at += skip;
            if buffer[self.at] != b'\\' {
                let after = self.line_end(buffer, end)?;
                return Ok(after.map(|after| (self.at, after, false)));
            }
            match buffer.get(self.at + 1) {
                None if end => break, // a backslash before the end of the data is data
                None => return Ok(None),
                Some(b'.') => {
                    return Ok(match self.end_marker(buffer, end)? {
                        Marker::End(after) => Some((self.at, after, true)),
                        Marker::Open | Marker::Data => None,
                    });
                }
                // Whatever it is, a line end included, it is data.
                Some(_) => self.at += 2,
            }
        }
        if !end {
            self.at = buffer.len();
        }
        Ok(None)
    }

    fn scan_csv(
        &mut self,
        buffer: &[u8],
        end: bool,
        quote: u8,
    ) -> Result<Option<(usize, usize, bool)>, CopyFault> {
        if self.at == 0 && self.marker == EndMarker::CsvAlone && buffer.first() == Some(&b'\\') {
            match (buffer.get(1), end) {
                (None, false) => return Ok(None),
                (Some(b'.'), _) => match self.end_marker(buffer, end)? {
                    Marker::End(after) => return Ok(Some((0, after, true))),
                    Marker::Open => return Ok(None),
                    Marker::Data => {}
                },
                _ => {}
            }
        }
        while self.at < buffer.len() {
            if self.quoted {
                self.scan_quoted(buffer, quote);
                continue;
            }
            match memchr3(b'\n', b'\r', quote, &buffer[self.at..]) {
                None => self.at = buffer.len(),
                Some(skip) => {
                    self.at += skip;
                    if buffer[self.at] != quote {
                        let after = self.line_end(buffer, end)?;
                        return Ok(after.map(|after| (self.at, after, false)));
                    }
                    self.at += 1;
                    self.quoted = true;
                }
            }
        }
        Ok(None)
    }

    /// Goes on to the next byte inside quotes that could mean something, and takes it.
    fn scan_quoted(&mut self, buffer: &[u8], quote: u8) {
        let from = self.at;
        let rest = &buffer[from..];
        if self.escaped {
            self.escaped = false;
            self.at += 1;
        } else {
            let found = match self.escape {
                Some(escape) => memchr2(quote, escape, rest),
                None => memchr(quote, rest),
            };
            match found {
                None => self.at = buffer.len(),
                Some(skip) => {
                    self.at += skip + 1;
                    if rest[skip] == quote {
                        self.quoted = false;
                    } else {
                        self.escaped = true;
                    }
                }
            }
        }
        let counted = if self.line_end == LineEnd::Lf { b'\n' } else { b'\r' };
        self.line += memchr_iter(counted, &buffer[from..self.at]).count() as u64;
    }

    /// Where the line end at `at` ends; `None` when the next byte decides and is not there yet.
    fn line_end(&mut self, buffer: &[u8], end: bool) -> Result<Option<usize>, CopyFault> {
        let csv = self.quote.is_some();
        if buffer[self.at] == b'\n' {
            return match self.line_end {
                LineEnd::Unknown | LineEnd::Lf => {
                    self.line_end = LineEnd::Lf;
                    Ok(Some(self.at + 1))
                }
                _ if csv => Err(CopyFault::UnquotedNewline),
                _ => Err(CopyFault::LiteralNewline),
            };
        }
        let stray =
            if csv { CopyFault::UnquotedCarriageReturn } else { CopyFault::LiteralCarriageReturn };
        let next = buffer.get(self.at + 1);
        match self.line_end {
            LineEnd::Cr => Ok(Some(self.at + 1)),
            LineEnd::Lf => Err(stray),
            LineEnd::Unknown | LineEnd::CrLf => match next {
                None if !end => Ok(None),
                Some(b'\n') => {
                    self.line_end = LineEnd::CrLf;
                    Ok(Some(self.at + 2))
                }
                _ if self.line_end == LineEnd::CrLf => Err(stray),
                _ => {
                    self.line_end = LineEnd::Cr;
                    Ok(Some(self.at + 1))
                }
            },
        }
    }

    /// What the `\.` at `at` is.
    fn end_marker(&self, buffer: &[u8], end: bool) -> Result<Marker, CopyFault> {
        let data = match self.marker {
            EndMarker::Data | EndMarker::CsvAlone => None,
            EndMarker::TextAnywhere => Some(CopyFault::EndMarkerCorrupt),
            EndMarker::TextAlone => Some(CopyFault::EndMarkerNotAlone),
        };
        let otherwise = |fault: Option<CopyFault>| fault.map_or(Ok(Marker::Data), Err);
        let mut after = self.at + 2;
        if self.line_end == LineEnd::CrLf {
            match buffer.get(after) {
                None if !end => return Ok(Marker::Open),
                Some(b'\r') => after += 1,
                Some(b'\n') => return otherwise(data.map(|_| CopyFault::EndMarkerNewline)),
                _ => return otherwise(data),
            }
        }
        let fits = match (buffer.get(after), self.line_end) {
            (None, _) if !end => return Ok(Marker::Open),
            (Some(b'\n'), found) => found != LineEnd::Cr,
            (Some(b'\r'), found) => matches!(found, LineEnd::Unknown | LineEnd::Cr),
            _ => return otherwise(data),
        };
        if !fits {
            return Err(CopyFault::EndMarkerNewline);
        }
        if self.marker == EndMarker::TextAlone && self.at > 0 {
            return Err(CopyFault::EndMarkerNotAlone);
        }
        Ok(Marker::End(after + 1))
    }
}
