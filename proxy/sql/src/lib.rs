//! Which expressions of a statement are sealed, and the edits that follow. Pure: no I/O, no
//! async; knows neither the wire nor keys.

pub mod catalog;
pub mod filter;
pub mod plan;
pub mod protection;
pub mod refusal;

use catalog::{Catalog, Settings};
use plan::{Planned, Purpose, Rendered, Script, Slot};
use refusal::Refusal;

/// Analyses a statement string. `types` are the parameter types of the client's `Parse` (0:
/// not given). An error refuses the whole string (it could not be parsed and may name a relation
/// in scope); a single statement's refusal is in its [`Planned`].
pub fn analyse(
    text: &str,
    catalog: &Catalog,
    settings: &Settings,
    types: &[u32],
) -> Result<Script, Refusal> {
    let _ = (text, catalog, settings, types);
    todo!()
}

/// Carries the edits of all statements out. `refused` says which statements must not run (the
/// plan's own refusal, or the policy's): each is replaced by one that parses and cannot be
/// analysed ([`REFUSED`]). `seal` makes the token of a literal; its error refuses the statement
/// and is handed back with the statement's index.
pub fn render(
    text: &str,
    script: &Script,
    refused: &dyn Fn(usize, &Planned) -> bool,
    seal: &mut dyn FnMut(&Slot, &str) -> Result<String, Refusal>,
) -> (Rendered, Vec<(usize, Refusal)>) {
    let _ = (text, script, refused, seal, Purpose::Assign);
    todo!()
}

/// What stands in a refused statement's place: it parses, and fails at analysis with 42703, so
/// that the error arrives in order and leaves the right transaction status.
pub const REFUSED: &str = "SELECT pgveil_refused";
