//! What was found about an object of the database.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The way it should be.
    Info,
    /// Works, and somebody should know.
    Warning,
    /// Wrong: statements are refused, or a migration is.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing found. Names objects, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The object, as `schema.table.column` or as PostgreSQL describes it (`view report`).
    pub object: String,
    /// What was found.
    pub what: String,
    /// What to do about it; empty when there is nothing to do.
    pub todo: String,
}

impl Finding {
    pub(crate) fn error(
        object: impl Into<String>,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, object, what, todo)
    }

    pub(crate) fn warning(
        object: impl Into<String>,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, object, what, todo)
    }

    pub(crate) fn info(object: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Severity::Info, object, what, "")
    }

    fn new(
        severity: Severity,
        object: impl Into<String>,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { severity, object: object.into(), what: what.into(), todo: todo.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)?;
        if !self.todo.is_empty() {
            write!(f, " ({})", self.todo)?;
        }
        Ok(())
    }
}
