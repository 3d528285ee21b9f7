//! The options of a COPY that say how its data is written.

use thiserror::Error;

/// The format, with the options that matter to a reader or a writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFormat {
    /// FORMAT
    pub kind: CopyKind,
    /// DELIMITER
    pub delimiter: u8,
    /// NULL, in the encoding of the stream.
    pub null: Vec<u8>,
    /// QUOTE
    pub quote: u8,
    /// ESCAPE. Where a statement gives QUOTE alone, it is the same.
    pub escape: u8,
    /// HEADER
    pub header: Header,
    /// FORCE_QUOTE
    pub force_quote: Columns,
    /// FORCE_NULL
    pub force_null: Columns,
    /// FORCE_NOT_NULL
    pub force_not_null: Columns,
    /// DEFAULT (PostgreSQL 16), in the encoding of the stream.
    pub default: Option<Vec<u8>>,
    /// Major version of the server. Before 18, `\.` alone on a line ends CSV data too, and in text
    /// it ends the line that it is on.
    pub server_version: u32,
}

/// FORMAT
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyKind {
    /// Fields with backslash escapes.
    Text,
    /// Fields in quotes where they need them.
    Csv,
    /// Fields with lengths.
    Binary,
}

/// HEADER
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Header {
    /// The first line is a row.
    #[default]
    None,
    /// The first line has the names of the columns; nobody reads it.
    Present,
    /// The first line has the names of the columns, and the server compares them.
    Match,
}

/// The columns that an option of COPY names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Columns {
    /// The option is not given.
    #[default]
    None,
    /// `*`
    All,
    /// One for each column of the stream; those behind the end are not named.
    Named(Vec<bool>),
}

impl Columns {
    /// Whether it names the column with this index.
    pub fn has(&self, column: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(columns) => columns.get(column).copied().unwrap_or(false),
        }
    }
}

/// Which way the data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// COPY FROM STDIN: client to server.
    In,
    /// COPY TO STDOUT: server to client.
    Out,
}

/// Options with which a stream cannot be read reliably. SQLSTATE 0A000: most are refused by the
/// server first, the others nobody uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Its meaning would depend on the encoding, or it is a line end.
    #[error("COPY {0} must be an ASCII character other than a line end")]
    Character(&'static str),
    /// Two of them have to differ.
    #[error("COPY delimiter and quote must be different")]
    DelimiterIsQuote,
    /// Fields would be cut inside an escape.
    #[error("COPY delimiter cannot be \"{}\"", char::from(*.0))]
    TextDelimiter(u8),
    /// A marker would be cut.
    #[error("COPY {0} string must not contain the delimiter, the quote or a line end")]
    Marker(&'static str),
}

impl CopyFormat {
    /// PostgreSQL's defaults for a format.
    pub fn new(kind: CopyKind, server_version: u32) -> Self {
        let text = kind == CopyKind::Text;
        Self {
            kind,
            delimiter: if text { b'\t' } else { b',' },
            null: if text { b"\\N".to_vec() } else { Vec::new() },
            quote: b'"',
            escape: b'"',
            header: Header::None,
            force_quote: Columns::None,
            force_null: Columns::None,
            force_not_null: Columns::None,
            default: None,
            server_version,
        }
    }

    /// Checks what the readers rely on.
    pub(super) fn check(&self) -> Result<(), FormatError> {
        let character = |byte: u8| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0);
        let csv = self.kind == CopyKind::Csv;
        if self.kind == CopyKind::Binary {
            return Ok(());
        }
        if !character(self.delimiter) {
            return Err(FormatError::Character("delimiter"));
        }
        if csv {
            if !character(self.quote) {
                return Err(FormatError::Character("quote"));
            }
            if !character(self.escape) {
                return Err(FormatError::Character("escape"));
            }
            if self.quote == self.delimiter {
                return Err(FormatError::DelimiterIsQuote);
            }
        } else if b"\\abcdefghijklmnopqrstuvwxyz0123456789.".contains(&self.delimiter) {
            return Err(FormatError::TextDelimiter(self.delimiter));
        }
        let cut = |marker: &[u8]| {
            marker.iter().any(|byte| {
                matches!(byte, b'\n' | b'\r')
                    || *byte == self.delimiter
                    || (csv && *byte == self.quote)
            })
        };
        if cut(&self.null) {
            return Err(FormatError::Marker("NULL"));
        }
        if self.default.as_deref().is_some_and(cut) {
            return Err(FormatError::Marker("DEFAULT"));
        }
        Ok(())
    }

    /// Whether a raw field is the DEFAULT marker, which only COPY FROM has.
    pub(super) fn is_default(&self, direction: Direction, raw: &[u8]) -> bool {
        direction == Direction::In && self.default.as_deref() == Some(raw)
    }
}

/// Whether bytes below 0x80 can be parts of characters in an encoding, by any name that PostgreSQL
/// knows it by ("Character Set Support"). They are clients' encodings only.
pub fn embeds_ascii(encoding: &str) -> bool {
    let name: String = encoding
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect();
    matches!(
        name.as_str(),
        "sjis"
            | "mskanji"
            | "shiftjis"
            | "win932"
            | "windows932"
            | "shiftjis2004"
            | "big5"
            | "win950"
            | "windows950"
            | "gbk"
            | "win936"
            | "windows936"
            | "uhc"
            | "win949"
            | "windows949"
            | "johab"
            | "gb18030"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_be_read_are_refused() {
        let text = CopyFormat::new(CopyKind::Text, 15);
        let csv = CopyFormat::new(CopyKind::Csv, 15);
        assert_eq!(text.check(), Ok(()));
        assert_eq!(csv.check(), Ok(()));
        let refused = [
            CopyFormat { delimiter: b'\\', ..text.clone() },
            CopyFormat { delimiter: b'.', ..text.clone() },
            CopyFormat { delimiter: 0xe9, ..text.clone() },
            CopyFormat { null: b"a\tb".to_vec(), ..text.clone() },
            CopyFormat { default: Some(b"\n".to_vec()), ..text },
            CopyFormat { quote: b',', ..csv.clone() },
            CopyFormat { quote: b'\r', ..csv.clone() },
            CopyFormat { escape: b'\n', ..csv.clone() },
            CopyFormat { null: b"\"\"".to_vec(), ..csv },
        ];
        for format in refused {
            assert!(format.check().is_err(), "{format:?}");
        }
    }

    #[test]
    fn encodings_are_known_by_all_their_names() {
        for name in ["SJIS", "Shift_JIS", "shift_jis_2004", "WINDOWS-936", "GB18030", "BIG5"] {
            assert!(embeds_ascii(name), "{name}");
        }
        for name in ["UTF8", "LATIN1", "EUC_JP", "SQL_ASCII", "WIN1252"] {
            assert!(!embeds_ascii(name), "{name}");
        }
    }
}
