//! The physical side of a declaration, as text: the DDL that makes a protected column, its guard,
//! the `pgveil` schema and a profile, and the comparison of what is there with what should be.
//! Pure: whoever has a connection runs the statements.
//!
//! # Sealed in place
//!
//! A protected column holds the token itself, as `text COLLATE "C"`. There is no helper column
//! and no second row, so a statement keeps its structure and only values change: `*`, whole rows,
//! COPY, RETURNING, foreign keys, row security, locks and dumps work as they did. (A design with
//! the token in a second table was tried first: a two-session upsert lost half a row, `GROUP BY`
//! over the primary key failed, and locking two rows dead-locked where one table does not.)
//! `text`, because 150 characters need 300 of token; `"C"`, because bytes are all that tokens can
//! be compared by, and because the server then needs no locale for it.
//!
//! The parts: [`schema`] (the `pgveil` schema and `refuse`), [`column`] (a protected column and
//! its guard), [`fold`] (how the server folds case), [`fill`] (the side table through which rows get their tokens), [`profile`] (encrypted copies), [`changes`] (the log of new tokens), [`trigger`] (what is expected, and comparing),
//! [`own`] (the functions through which a client's DDL is completed).

pub mod changes;
pub mod column;
pub mod fill;
pub mod fold;
pub mod own;
pub mod profile;
pub mod quote;
pub mod schema;
pub mod trigger;

pub use column::guard_name;
pub use quote::{quote_ident, quote_literal, quote_name, short_name};
pub use trigger::{
    ExpectedTrigger, FoundTrigger, TRIGGER_CONFIG, compare, expected_on_partition,
    expected_triggers,
};

/// The schema of ours in the application's database.
pub const SCHEMA: &str = "pgveil";
