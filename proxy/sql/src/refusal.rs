//! Why a statement does not run: what ends as a PostgreSQL `ErrorResponse`.

use std::fmt;

/// A refusal: SQLSTATE, message, detail, hint and position, as PostgreSQL's own errors have them
/// (PostgreSQL, "Error and Notice Message Fields").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Five characters, e.g. `0A000`.
    pub code: &'static str,
    /// One line; never holds a protected value.
    pub message: String,
    /// What lies behind it.
    pub detail: Option<String>,
    /// What to do instead.
    pub hint: Option<String>,
    /// Byte offset in the client's text that the error points at.
    pub position: Option<usize>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl std::error::Error for Refusal {}
