//! What can be wrong with the data of COPY.

use std::fmt;

use thiserror::Error;

/// Why a COPY stream cannot be passed on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CopyError<E> {
    /// The stream is not what its format says, or exceeds a limit.
    #[error("{fault}")]
    Data {
        /// The line, as PostgreSQL counts them in `CONTEXT: COPY t, line 3`; in binary, the row.
        line: u64,
        /// What is wrong.
        fault: CopyFault,
    },
    /// The owner of the values refused one.
    #[error("{error}")]
    Value {
        /// As in [`CopyError::Data`].
        line: u64,
        /// Index of the column in the stream, from 0.
        column: usize,
        /// Its reason.
        error: E,
    },
}

/// What is wrong with a stream. Messages are PostgreSQL's where it has one; none shows data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CopyFault {
    /// Text: a bare CR where lines end otherwise.
    #[error("literal carriage return found in data")]
    LiteralCarriageReturn,
    /// Text: a bare LF where lines end otherwise.
    #[error("literal newline found in data")]
    LiteralNewline,
    /// CSV: a bare CR where lines end otherwise.
    #[error("unquoted carriage return found in data")]
    UnquotedCarriageReturn,
    /// CSV: a bare LF where lines end otherwise.
    #[error("unquoted newline found in data")]
    UnquotedNewline,
    /// `\.` is followed by something else than a line end. Servers before 18.
    #[error("end-of-copy marker corrupt")]
    EndMarkerCorrupt,
    /// `\.` shares its line with data. Servers from 18 on.
    #[error("end-of-copy marker is not alone on its line")]
    EndMarkerNotAlone,
    /// `\.` is followed by another line end than the lines before.
    #[error("end-of-copy marker does not match previous newline style")]
    EndMarkerNewline,
    /// A row has too few fields.
    #[error("missing data for column {0}")]
    MissingData(ColumnName),
    /// A row has too many fields.
    #[error("extra data after last expected column")]
    ExtraData,
    /// The stream ends inside quotes.
    #[error("unterminated CSV quoted field")]
    UnterminatedQuote,
    /// `HEADER match`: another number of names.
    #[error("wrong number of fields in header line: got {got}, expected {expected}")]
    HeaderCount {
        /// How many the line has.
        got: usize,
        /// How many columns are copied.
        expected: usize,
    },
    /// `HEADER match`: another name. What the line has instead may be data, so it is not shown.
    #[error("column name mismatch in header line field {field}: expected {expected}")]
    HeaderName {
        /// Number of the field, from 1.
        field: usize,
        /// The column's name.
        expected: ColumnName,
    },
    /// Binary: another file.
    #[error("COPY file signature not recognized")]
    Signature,
    /// Binary: the stream ends in the header.
    #[error("invalid COPY file header (missing flags)")]
    MissingFlags,
    /// Binary: a file of PostgreSQL 11 or older with OIDs.
    #[error("invalid COPY file header (WITH OIDS)")]
    WithOids,
    /// Binary: flags that a reader must know.
    #[error("unrecognized critical flags in COPY file header")]
    CriticalFlags,
    /// Binary: the header's extension has no length, or a negative one.
    #[error("invalid COPY file header (missing length)")]
    MissingLength,
    /// Binary: the stream ends in the header's extension.
    #[error("invalid COPY file header (wrong length)")]
    WrongLength,
    /// Binary: a row has another number of fields.
    #[error("row field count is {got}, expected {expected}")]
    FieldCount {
        /// How many the row says it has.
        got: i16,
        /// How many columns are copied.
        expected: usize,
    },
    /// Binary: a negative length that is not NULL's.
    #[error("invalid field size")]
    FieldSize,
    /// Binary: the stream ends inside a row.
    #[error("unexpected EOF in COPY data")]
    UnexpectedEnd,
    /// Binary: something follows the trailer.
    #[error("received copy data after EOF marker")]
    AfterTrailer,
    /// A row, a header line or a header extension is longer than allowed.
    #[error("COPY row is longer than {limit} bytes")]
    RowTooLong {
        /// The limit, in bytes of the stream.
        limit: usize,
    },
    /// The format has no way to write a replacement: it would be read as NULL, as DEFAULT or, for
    /// a NULL, as a value.
    #[error("a value of column {0} cannot be written with these COPY options")]
    Unwritable(ColumnName),
    /// The stream has failed before.
    #[error("COPY data after an error")]
    Failed,
}

impl CopyFault {
    /// The SQLSTATE.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            // program_limit_exceeded, which the server raises for rows over a gigabyte
            Self::RowTooLong { .. } => "54000",
            // feature_not_supported
            Self::Unwritable(_) => "0A000",
            // bad_copy_file_format
            _ => "22P04",
        }
    }

    /// What to do about it, if there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::LiteralCarriageReturn => "Use \"\\r\" to represent carriage return.",
            Self::LiteralNewline => "Use \"\\n\" to represent newline.",
            Self::UnquotedCarriageReturn => "Use quoted CSV field to represent carriage return.",
            Self::UnquotedNewline => "Use quoted CSV field to represent newline.",
            Self::RowTooLong { .. } => "Copy the row with an INSERT, or raise the proxy's limit.",
            Self::Unwritable(_) => {
                "Choose NULL and DEFAULT strings that are no values of the column, and leave \
                 FORCE_NULL and FORCE_NOT_NULL out for it."
            }
            _ => return None,
        })
    }
}

/// A column in a message: its name in quotes, or its number, from 1, where names are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnName {
    /// As in the catalog.
    Name(String),
    /// Position in the stream, from 1.
    Number(usize),
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "\"{name}\""),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}
