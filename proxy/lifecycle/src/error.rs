//! What can go wrong.

use std::error::Error as _;

use thiserror::Error;

use crate::finding::Finding;

/// Why a plan was not made or not carried out.
#[derive(Debug, Error)]
pub enum LifecycleError {
    /// The database is not in a state that can be migrated; all reasons at once.
    #[error("{}", refused(.0))]
    Refused(Vec<Finding>),
    /// The database changed between the plan and its execution. Nothing was changed by us.
    #[error(
        "the database has changed since the plan was made ({0}); nothing was done, make a new plan"
    )]
    Changed(String),
    /// A statement of a plan failed; the transaction was rolled back.
    #[error("step {number} failed and everything was rolled back: {}\n  {sql}", server(.source))]
    Step {
        /// From 1, as the plan is printed.
        number: usize,
        /// The statement.
        sql: String,
        /// The server's error.
        source: tokio_postgres::Error,
    },
    /// The database could not be read, or the connection failed.
    #[error("cannot {doing}: {}", server(.source))]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: tokio_postgres::Error,
    },
    /// A stored expression is not written as this version reads it.
    #[error("cannot read the stored expression of {object}: {reason}")]
    NodeTree {
        /// Whose expression.
        object: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A row's value could not be sealed; the transaction was rolled back.
    #[error("cannot seal {column} of the row with {key}, and everything was rolled back: {reason}")]
    Row {
        /// The column, qualified.
        column: String,
        /// The row's key; protected parts of it are not shown.
        key: String,
        /// Why.
        reason: String,
    },
    /// The rows did not hold what was read from them; the transaction was rolled back.
    #[error(
        "the rows of {table} do not hold what was read, and everything was rolled back: {what}"
    )]
    Verification {
        /// The table.
        table: String,
        /// What is wrong.
        what: String,
    },
    /// A value could not be sealed.
    #[error("cannot seal the default of column {column}: {reason}")]
    Seal {
        /// The column.
        column: String,
        /// Why.
        reason: String,
    },
}

impl LifecycleError {
    pub(crate) fn reading(source: tokio_postgres::Error) -> Self {
        Self::Database { doing: "read the database's catalog", source }
    }
}

/// The server's message with its detail, which for DDL names objects and is what helps; the
/// `Display` of the client library says "db error" only.
fn server(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        return match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
    };
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    for more in [db.detail(), db.hint()].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(more);
    }
    text
}

fn refused(findings: &[Finding]) -> String {
    let mut text = String::from("this database cannot be migrated as it is:");
    for finding in findings {
        text.push_str("\n  ");
        text.push_str(&finding.to_string());
    }
    text
}
