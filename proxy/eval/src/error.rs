//! What can go wrong, in the server's words.

use crate::expr::Type;

/// Why an expression has no value. Message and SQLSTATE are the server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A pattern ends in the middle of an escape, and matching came that far.
    #[error("LIKE pattern must not end with escape character")]
    UnfinishedPattern,
    /// `ESCAPE` with more than one character.
    #[error("invalid escape string")]
    EscapeString,
    /// `substr` with a length below zero.
    #[error("negative substring length not allowed")]
    NegativeLength,
    /// `split_part` with the field number zero.
    #[error("field position must not be zero")]
    FieldZero,
    /// More characters than a column takes.
    #[error("value too long for type {0}")]
    TooLong(String),
    /// Something whose exact answer is not known here. Not the server's error: the statement has
    /// to be answered in another way or refused.
    #[error("{0} is not computed outside the server")]
    Unsupported(&'static str),
}

impl EvalError {
    /// Five characters, e.g. `22025`.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::UnfinishedPattern | Self::EscapeString => "22025",
            Self::NegativeLength => "22011",
            Self::FieldZero => "22023",
            Self::TooLong(_) => "22001",
            Self::Unsupported(_) => "0A000",
        }
    }

    /// The server's hint, where it gives one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::EscapeString => Some("Escape string must be empty or one character."),
            _ => None,
        }
    }
}

/// Why an expression is no [`Program`](crate::Program): whoever built it took it for something
/// that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// An operand's type is not what stands there.
    #[error("an operand has type {found:?}, not {expected:?}")]
    Operand {
        /// What it is.
        found: Type,
        /// What it has to be.
        expected: Type,
    },
    /// Two operands whose types must be one type.
    #[error("operands have types {0:?} and {1:?}")]
    Mixed(Type, Type),
    /// A function takes another number of arguments.
    #[error("{0} arguments are not what the function takes")]
    Arguments(usize),
    /// A column that the row does not have.
    #[error("there is no column {0}")]
    Column(usize),
    /// An alternative without alternatives.
    #[error("a list is empty")]
    Empty,
}
