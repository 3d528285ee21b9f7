//! Which expressions of a statement are sealed, and the edits that follow. Pure: no I/O, no
//! async; knows neither the wire nor keys.
//!
//! # Words
//!
//! - A *protected column* holds *tokens* (Fernet tokens) in place of its values. It is
//!   *deterministic* (equal values have equal tokens) or *randomized*.
//! - A *domain* is the name under which a deterministic column's tokens are made: columns of one
//!   domain can be compared and joined.
//! - An expression is *sealed* when it holds a token, *plain* when it holds an ordinary value;
//!   that is its *kind*.
//! - A *plan* is the outcome of analysing one statement: edits of its text, a map of its
//!   parameters, a map of its output columns, and the facts that a policy reviews.
//!
//! # How a statement is read
//!
//! 1. [`filter::ScopeFilter`] looks for names in scope in the bytes. Most statements have none
//!    and go on untouched.
//! 2. [`lex`] splits the text into tokens with exact byte ranges, and into statements.
//! 3. A statement that names something in scope is parsed by `sqlparser`. Two lexers have then
//!    read it; where they disagree it is refused.
//! 4. [`analyse()`] infers the kind of every expression, as types are inferred: literals and
//!    parameters take the kind of what they meet. Equality on deterministic columns is the
//!    server's own, since equal values have equal tokens; what cannot be computed on tokens is
//!    refused.
//! 5. [`render`] edits the client's text in place. It is never printed from the tree: printing
//!    changes what literals with backslashes mean.

#[cfg(test)]
extern crate self as pgveil_sql;

mod analyse;
pub mod catalog;
pub mod copy;
mod depth;
pub mod filter;
#[cfg(test)]
#[path = "../tests/fixture.rs"]
mod fixture;
pub mod lex;
mod parse;
pub mod physical;
pub mod plan;
pub mod protection;
pub mod refusal;
mod render;
mod rules;
pub mod shape;

use catalog::{Catalog, Settings};
use plan::Script;
use refusal::Refusal;
pub use render::{Found, REFUSED, Resolved, redact, render};

/// Analyses a statement string. `types` are the parameter types of the client's `Parse` (0:
/// not given). An error refuses the whole string: it has no tokens and may name a relation in
/// scope. A single statement's refusal is in its [`plan::Planned`].
pub fn analyse(
    text: &str,
    catalog: &Catalog,
    settings: &Settings,
    types: &[u32],
) -> Result<Script, Refusal> {
    analyse::analyse(text, catalog, settings, types)
}

/// The edits of an EXECUTE, or of an EXPLAIN of one: its arguments become what the prepared
/// statement's parameters are. `params` is `None` where nothing is known of the name: the server
/// says that there is no such statement, and does not get the arguments.
///
/// # Errors
///
/// 42601 for another number of arguments than parameters; 0A000 for an argument that has to be
/// sealed and is not a literal.
pub fn execute_edits(
    text: &str,
    planned: &plan::Planned,
    params: Option<&plan::ParamMap>,
    settings: &Settings,
) -> Result<Vec<plan::Edit>, Refusal> {
    analyse::execute_edits(text, planned, params, settings)
}
