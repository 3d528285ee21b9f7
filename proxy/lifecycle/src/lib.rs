//! Schema changes that turn plain columns into sealed ones, and the check of a database against
//! what the policies declare.
//!
//! * [`plan`] reads the database and says what would have to change, or everything that stands in
//!   the way, at once.
//! * [`apply`] carries a plan out in one transaction.
//! * [`check`] compares a database with the declaration and the keys.
//!
//! The crate knows SQL over an ordinary client connection, not the wire. The texts of the DDL come
//! from [`pgveil_sql::physical`]; here is what must be known of a database before they may run.
//!
//! # One transaction, or nothing
//!
//! A column whose type has changed and whose guard is missing would take plain values; a record in
//! `pgveil.columns` without the guard would make proxies believe it. So everything is one
//! transaction under ACCESS EXCLUSIVE locks, taken in one order with a `lock_timeout` (a queue
//! behind a waiting ACCESS EXCLUSIVE lock stops the application). Under the locks the database is
//! read *again* and must be what the plan was made from: rows, columns, dependants, keys.
//!
//! # Rows
//!
//! The rows of a table are sealed under its lock, in the same transaction: nobody uses the table
//! for as long as that takes. [`Progress`] tells how far it is.
//!
//! # Dependants
//!
//! PostgreSQL refuses to change a column's type while views, triggers, policies and others use it,
//! and silently keeps what it can rebuild (`lower(email)` in an index, `CHECK (email <> '')`), which
//! would then compute on tokens and answer wrongly. So every dependant is read from `pg_depend`
//! with its parsed expression (`pg_node_tree`), and what only passes the value on or tests it for
//! NULL follows, what compares equal with equal follows where equal values have equal tokens, and
//! anything else is refused by name. Nothing is judged by searching SQL text, except the bodies of
//! functions, which PostgreSQL itself keeps as text: they are warned about.

mod apply;
mod check;
mod defaults;
mod dependants;
mod error;
mod facts;
mod fill;
mod finding;
mod node_tree;
mod plan;
mod sealed;
mod view;

pub use apply::{Applied, apply, apply_reporting};
pub use check::{Report, check};
pub use error::LifecycleError;
pub use fill::{Phase, Progress};
pub use finding::{Finding, Severity};
pub use plan::{MigrationPlan, Step, plan};
