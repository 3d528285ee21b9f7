//! The two words about a protected column that everybody above this crate needs: its mode and its
//! logical type.

use std::fmt;

/// How the tokens of equal values relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Equal values have equal tokens: the server can compare, join, group and index them.
    Deterministic,
    /// Every token is different: shows nothing but length and creation time.
    Randomized,
}

impl Mode {
    /// The word stored in `pgveil.columns` and written in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deterministic => "deterministic",
            Self::Randomized => "randomized",
        }
    }

    /// Reads what [`Mode::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "deterministic" => Some(Self::Deterministic),
            "randomized" => Some(Self::Randomized),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The type that the client sees on a protected column; the physical type is always
/// `text COLLATE "C"`. Lengths count characters, as PostgreSQL's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// `text`
    Text,
    /// `character varying` or `character varying(n)`
    Varchar(Option<u32>),
    /// `character(n)`; `bpchar` without a length is [`None`]
    Char(Option<u32>),
}

/// `sizeof(int32)`: a character type's typmod is its length plus this
/// (PostgreSQL, `src/backend/utils/adt/varchar.c`).
const VARHDRSZ: i32 = 4;

impl LogicalType {
    /// From `pg_attribute.atttypid` and `atttypmod`; `None` for a type that cannot be sealed yet.
    pub fn from_pg(type_oid: u32, typmod: i32) -> Option<Self> {
        let length = u32::try_from(typmod - VARHDRSZ).ok().filter(|n| *n > 0);
        match type_oid {
            25 => Some(Self::Text),
            1043 => Some(Self::Varchar(length)),
            1042 => Some(Self::Char(length)),
            _ => None,
        }
    }

    /// `pg_type.oid` of the type.
    pub fn oid(self) -> u32 {
        match self {
            Self::Text => 25,
            Self::Varchar(_) => 1043,
            Self::Char(_) => 1042,
        }
    }

    /// `pg_type.oid` of the type's array.
    pub fn array_oid(self) -> u32 {
        match self {
            Self::Text => 1009,
            Self::Varchar(_) => 1015,
            Self::Char(_) => 1014,
        }
    }

    /// The typmod as `RowDescription` carries it; -1 without a length.
    pub fn typmod(self) -> i32 {
        match self {
            Self::Varchar(Some(n)) | Self::Char(Some(n)) => {
                i32::try_from(n).map_or(-1, |n| n + VARHDRSZ)
            }
            Self::Text | Self::Varchar(None) | Self::Char(None) => -1,
        }
    }

    /// The same type without its length, as an operand has it.
    #[must_use]
    pub fn unbounded(self) -> Self {
        match self {
            Self::Text => Self::Text,
            Self::Varchar(_) => Self::Varchar(None),
            Self::Char(_) => Self::Char(None),
        }
    }
}

impl fmt::Display for LogicalType {
    /// As `format_type` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Varchar(None) => f.write_str("character varying"),
            Self::Varchar(Some(n)) => write!(f, "character varying({n})"),
            Self::Char(None) => f.write_str("bpchar"),
            Self::Char(Some(n)) => write!(f, "character({n})"),
        }
    }
}
