//! The transformer: buffers what is incomplete, and rewrites rows.

use std::fmt;

use super::binary::{self, Tuples};
use super::lines::Lines;
use super::{
    ColumnName, CopyError, CopyFault, CopyFormat, CopyKind, Direction, Field, FormatError, Header,
    Piece, PieceKind, csv, text,
};

/// How long a row may be, in bytes, unless [`CopyTransform::max_row`] says otherwise.
pub const DEFAULT_MAX_ROW: usize = 64 << 20;

/// How many bytes behind a line can be needed to know that it ends (CR, or `\.` and a line end).
const LOOKAHEAD: usize = 4;

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It is replaced by what was appended to the buffer.
    Value,
    /// It is replaced by NULL.
    Null,
}

/// Replaces the values of single columns in the data of one COPY. See the module's description.
pub struct CopyTransform {
    format: CopyFormat,
    direction: Direction,
    /// Which columns' values are handed over; one for each column of the stream.
    touched: Vec<bool>,
    /// Their names; empty when not known.
    names: Vec<String>,
    max_row: usize,
    scanner: Scanner,
    state: State,
    /// The beginning of a row that is not complete; at most `max_row + LOOKAHEAD`
    /// bytes.
    pending: Vec<u8>,
    scratch: Scratch,
}

/// Buffers that rows reuse. Nothing in them outlives a row.
#[derive(Default)]
struct Scratch {
    fields: Vec<Field>,
    value: Vec<u8>,
    replacement: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// The stream's own end has been seen.
    Ended,
    Failed,
}

#[derive(Debug)]
enum Scanner {
    Lines(Lines),
    Tuples(Tuples),
}

impl Scanner {
    fn next(&mut self, buffer: &[u8], end: bool) -> Result<Option<Piece>, CopyFault> {
        match self {
            Self::Lines(lines) => lines.next(buffer, end),
            Self::Tuples(tuples) => tuples.next(buffer, end),
        }
    }

    fn line(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.line(),
            Self::Tuples(tuples) => tuples.row(),
        }
    }
}

/// An error inside a row, whose line the caller knows.
enum RowError<E> {
    Fault(CopyFault),
    Value(usize, E),
}

impl<E> From<CopyFault> for RowError<E> {
    fn from(fault: CopyFault) -> Self {
        Self::Fault(fault)
    }
}

impl CopyTransform {
    /// For a stream of `touched.len()` columns in this format. Where none is touched, the stream
    /// passes unread.
    pub fn new(
        format: CopyFormat,
        direction: Direction,
        touched: Vec<bool>,
    ) -> Result<Self, FormatError> {
        format.check()?;
        let scanner = match format.kind {
            CopyKind::Binary => Scanner::Tuples(Tuples::new(touched.len())),
            CopyKind::Text | CopyKind::Csv => Scanner::Lines(Lines::new(&format, direction)),
        };
        Ok(Self {
            format,
            direction,
            touched,
            names: Vec::new(),
            max_row: DEFAULT_MAX_ROW,
            scanner,
            state: State::Running,
            pending: Vec::new(),
            scratch: Scratch::default(),
        })
    }

    /// How long a row may be, in bytes of the stream ([`DEFAULT_MAX_ROW`] otherwise). Memory is a
    /// small multiple of the longest row.
    #[must_use]
    pub fn max_row(mut self, bytes: usize) -> Self {
        self.max_row = bytes;
        self
    }

    /// The names of the columns, in the encoding of the stream: messages use them, and a header
    /// line that the server would compare is compared here first, since the server's message
    /// would show what it found instead of a name.
    #[must_use]
    pub fn names(mut self, names: Vec<String>) -> Self {
        self.names = names;
        self
    }

    /// Takes the next bytes of the stream, and appends the rows that are complete to `out`.
    ///
    /// `value` gets the index of a touched column, a value of it, and an empty buffer for the
    /// replacement. NULLs and DEFAULT markers are not handed over.
    ///
    /// After an error `out` ends with the last row before it, and the stream cannot go on.
    pub fn feed<E>(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), CopyError<E>> {
        if self.passes() {
            out.extend_from_slice(input);
            return Ok(());
        }
        let done = self.advance(input, out, value);
        self.settle(done)
    }

    /// Takes the end of the stream (`CopyDone`), and appends what is left to `out`.
    pub fn finish<E>(
        &mut self,
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), CopyError<E>> {
        if self.passes() {
            return Ok(());
        }
        let done = self.end(out, value);
        self.settle(done)
    }

    fn passes(&self) -> bool {
        !self.touched.contains(&true)
    }

    /// Turns an error inside a row into one of the stream.
    fn settle<E>(&mut self, done: Result<(), RowError<E>>) -> Result<(), CopyError<E>> {
        done.map_err(|error| {
            self.state = State::Failed;
            self.pending = Vec::new();
            let line = self.scanner.line();
            match error {
                RowError::Fault(fault) => CopyError::Data { line, fault },
                RowError::Value(column, error) => CopyError::Value { line, column, error },
            }
        })
    }

    fn advance<E>(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), RowError<E>> {
        let mut rest = input;
        if self.state == State::Running && !self.pending.is_empty() {
            let before = self.pending.len();
            // Enough to find either the end of the row or that it is too long.
            let most = self.max_row.saturating_add(LOOKAHEAD + 1);
            let room = most.saturating_sub(before).min(rest.len());
            self.pending.extend_from_slice(&rest[..room]);
            let pending = std::mem::take(&mut self.pending);
            let piece = self.next(&pending, false)?;
            if let Some(piece) = piece {
                self.rewrite(&pending, piece, out, value)?;
                // The end was not found before, so it is at the earliest where the new bytes
                // begin: they showed that a CR at the end of the old ones was a line end.
                rest = &rest[piece.end.saturating_sub(before)..];
            }
            self.pending = pending;
            if piece.is_none() {
                return Ok(());
            }
            self.pending.clear();
        }
        while self.state == State::Running && !rest.is_empty() {
            let Some(piece) = self.next(rest, false)? else {
                self.pending.extend_from_slice(rest);
                return Ok(());
            };
            self.rewrite(rest, piece, out, value)?;
            rest = &rest[piece.end..];
        }
        match (self.state, self.format.kind) {
            (State::Failed, _) => Err(CopyFault::Failed.into()),
            (State::Ended, CopyKind::Binary) if !rest.is_empty() => {
                Err(CopyFault::AfterTrailer.into())
            }
            // The server does not read on behind an end marker; see the module's description.
            _ => Ok(()),
        }
    }

    fn end<E>(
        &mut self,
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), RowError<E>> {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        while self.state == State::Running {
            let Some(piece) = self.next(rest, true)? else { break };
            self.rewrite(rest, piece, out, value)?;
            rest = &rest[piece.end..];
        }
        if self.state == State::Failed { Err(CopyFault::Failed.into()) } else { Ok(()) }
    }

    /// The next piece; an error when it is too long, complete or not.
    fn next(&mut self, buffer: &[u8], end: bool) -> Result<Option<Piece>, CopyFault> {
        let piece = self.scanner.next(buffer, end)?;
        // Bytes that only decide about a line end are not counted.
        let length = piece.map_or(buffer.len().saturating_sub(LOOKAHEAD), |piece| piece.content);
        if length > self.max_row {
            return Err(CopyFault::RowTooLong { limit: self.max_row });
        }
        Ok(piece)
    }

    /// Appends a piece at the beginning of `buffer`, rewritten, or nothing when it fails.
    fn rewrite<E>(
        &mut self,
        buffer: &[u8],
        piece: Piece,
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), RowError<E>> {
        if piece.last {
            self.state = State::Ended;
        }
        let (content, tail) = (&buffer[..piece.content], &buffer[piece.content..piece.end]);
        let start = out.len();
        let done = match (piece.kind, self.format.kind) {
            (PieceKind::Header, CopyKind::Text | CopyKind::Csv) => {
                self.header(content, out).map_err(RowError::Fault)
            }
            (PieceKind::Header | PieceKind::Trailer, _) => {
                out.extend_from_slice(content);
                Ok(())
            }
            (PieceKind::Row, CopyKind::Binary) => self.rewrite_tuple(content, out, value),
            (PieceKind::Row, _) => self.rewrite_line(content, out, value),
        };
        if done.is_err() {
            out.truncate(start);
            return done;
        }
        if let (PieceKind::Row, true, true, Scanner::Lines(lines)) =
            (piece.kind, piece.last, out.len() == start, &self.scanner)
        {
            // A last line without a line end is a row only if there is something on it.
            out.extend_from_slice(lines.terminator());
        }
        out.extend_from_slice(tail);
        done
    }

    fn header(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), CopyFault> {
        match (self.direction, self.format.header) {
            (Direction::In, Header::Present) => return Ok(()),
            (Direction::In, Header::Match) if self.names.len() == self.touched.len() => {
                self.check_header(line)?;
            }
            _ => {}
        }
        out.extend_from_slice(line);
        Ok(())
    }

    fn check_header(&mut self, line: &[u8]) -> Result<(), CopyFault> {
        self.split(line)?;
        let Scratch { fields, value, .. } = &mut self.scratch;
        if fields.len() != self.names.len() {
            let (got, expected) = (fields.len(), self.names.len());
            return Err(CopyFault::HeaderCount { got, expected });
        }
        for (index, (field, name)) in fields.iter().zip(&self.names).enumerate() {
            let found = match raw_value(&self.format, line, *field) {
                Raw::Null => None,
                Raw::Default | Raw::Value => Some(decode(&self.format, line, *field, value)),
            };
            if found != Some(name.as_bytes()) {
                let expected = ColumnName::Name(name.clone());
                return Err(CopyFault::HeaderName { field: index + 1, expected });
            }
        }
        Ok(())
    }

    fn split(&mut self, line: &[u8]) -> Result<(), CopyFault> {
        let fields = &mut self.scratch.fields;
        if self.format.kind == CopyKind::Csv {
            csv::split(line, &self.format, fields)
        } else {
            text::split(line, &self.format, fields);
            Ok(())
        }
    }

    fn rewrite_line<E>(
        &mut self,
        line: &[u8],
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), RowError<E>> {
        self.split(line)?;
        let columns = self.touched.len();
        if self.scratch.fields.len() > columns {
            return Err(CopyFault::ExtraData.into());
        }
        if self.scratch.fields.len() < columns {
            let missing = self.name(self.scratch.fields.len());
            return Err(CopyFault::MissingData(missing).into());
        }
        let format = &self.format;
        let csv = format.kind == CopyKind::Csv;
        // FORCE_NULL and FORCE_NOT_NULL are for reading by the server.
        let forced = csv && self.direction == Direction::In;
        let Scratch { fields, value: decoded, replacement } = &mut self.scratch;
        let mut copied = 0;
        for (column, field) in fields.iter().enumerate() {
            if !self.touched[column] {
                continue;
            }
            let found = match raw_value(format, line, *field) {
                Raw::Default if self.direction == Direction::In => continue,
                Raw::Null if forced && format.force_not_null.has(column) => &format.null[..],
                Raw::Null => continue,
                Raw::Default | Raw::Value => {
                    let found = decode(format, line, *field, decoded);
                    if forced && format.force_null.has(column) && found == format.null {
                        continue;
                    }
                    found
                }
            };
            replacement.clear();
            let replaced = value(column, found, replacement)
                .map_err(|error| RowError::Value(column, error))?;
            out.extend_from_slice(&line[copied..field.start]);
            copied = field.end;
            let written = match (replaced, csv) {
                (Replaced::Value, false) => text::encode(replacement, format, self.direction, out),
                (Replaced::Value, true) => {
                    csv::encode(replacement, column, columns, format, self.direction, out)
                }
                (Replaced::Null, true) => csv::encode_null(column, format, self.direction, out),
                (Replaced::Null, false) => {
                    out.extend_from_slice(&format.null);
                    true
                }
            };
            if !written {
                return Err(CopyFault::Unwritable(self.name(column)).into());
            }
        }
        out.extend_from_slice(&line[copied..]);
        Ok(())
    }

    fn rewrite_tuple<E>(
        &mut self,
        tuple: &[u8],
        out: &mut Vec<u8>,
        value: &mut impl FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Replaced, E>,
    ) -> Result<(), RowError<E>> {
        let replacement = &mut self.scratch.replacement;
        let mut copied = 0;
        let mut at = 2;
        for (column, touched) in self.touched.iter().enumerate() {
            // The scanner has walked the lengths: the row is complete.
            let length = binary::field_length(tuple, at)?.ok_or(CopyFault::UnexpectedEnd)?;
            let start = at + 4;
            at = start + length.unwrap_or(0);
            if !touched || length.is_none() {
                continue;
            }
            replacement.clear();
            let replaced = value(column, &tuple[start..at], replacement)
                .map_err(|error| RowError::Value(column, error))?;
            out.extend_from_slice(&tuple[copied..start - 4]);
            copied = at;
            match replaced {
                Replaced::Null => out.extend_from_slice(&(-1i32).to_be_bytes()),
                Replaced::Value => {
                    let length = i32::try_from(replacement.len())
                        .map_err(|_| CopyFault::RowTooLong { limit: self.max_row })?;
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(replacement);
                }
            }
        }
        out.extend_from_slice(&tuple[copied..]);
        Ok(())
    }

    fn name(&self, column: usize) -> ColumnName {
        self.names
            .get(column)
            .map_or(ColumnName::Number(column + 1), |name| ColumnName::Name(name.clone()))
    }
}

/// What a field is before it is decoded.
enum Raw {
    Null,
    Default,
    Value,
}

fn raw_value(format: &CopyFormat, line: &[u8], field: Field) -> Raw {
    let raw = &line[field.start..field.marker_end];
    // A quoted field is neither: markers have no quotes.
    let quoted = format.kind == CopyKind::Csv && field.special;
    if !quoted && raw == format.null {
        Raw::Null
    } else if !quoted && format.default.as_deref() == Some(raw) {
        Raw::Default
    } else {
        Raw::Value
    }
}

/// The value of a field: itself, or decoded in `buffer`.
fn decode<'a>(
    format: &CopyFormat,
    line: &'a [u8],
    field: Field,
    buffer: &'a mut Vec<u8>,
) -> &'a [u8] {
    let raw = &line[field.start..field.end];
    if !field.special {
        return raw;
    }
    buffer.clear();
    if format.kind == CopyKind::Csv {
        csv::decode(raw, format, buffer);
    } else {
        text::decode(raw, buffer);
    }
    buffer
}

impl fmt::Debug for CopyTransform {
    /// Without what the buffers hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyTransform")
            .field("format", &self.format)
            .field("direction", &self.direction)
            .field("touched", &self.touched)
            .field("line", &self.scanner.line())
            .field("state", &self.state)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}
