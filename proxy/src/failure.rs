//! What went wrong, as the command line tells it: message, detail, hint, as PostgreSQL does.

use std::fmt;

/// Exit status of a command that could not do what it was asked to, or found it untrue.
pub const FAILED: u8 = 1;
/// Exit status of wrong usage, `clap`'s, and of a configuration with mistakes.
pub const USAGE: u8 = 2;

/// Why a command ends without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong. Never a secret, nor a protected value.
    pub message: String,
    /// What lies behind it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The exit status.
    pub status: u8,
}

impl Failure {
    /// A failure with [`FAILED`].
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None, hint: None, status: FAILED }
    }

    /// Says what lies behind it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ends with [`USAGE`].
    #[must_use]
    pub fn usage(mut self) -> Self {
        self.status = USAGE;
        self
    }

    /// An error with everything that caused it as detail.
    pub fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(source) = cause {
            causes.push(source.to_string());
            cause = source.source();
        }
        let failure = Self::new(error.to_string());
        // Errors that print their cause themselves need not be told twice.
        causes.retain(|cause| !failure.message.contains(cause.as_str()));
        if causes.is_empty() { failure } else { failure.detail(causes.join(": ")) }
    }

    /// Something that the operating system refused.
    pub fn io(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\ndetail: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        let hint = match &error {
            crate::config::ConfigError::Read { .. } => {
                Some("give the file with --config; config/pgveil.toml is an example")
            }
            crate::config::ConfigError::Mistakes(_) => None,
        };
        let mut failure = Self::from_error(&error).usage();
        failure.hint = hint.map(str::to_owned);
        failure
    }
}

impl From<crate::config::Mistakes> for Failure {
    fn from(mistakes: crate::config::Mistakes) -> Self {
        crate::config::ConfigError::from(mistakes).into()
    }
}
