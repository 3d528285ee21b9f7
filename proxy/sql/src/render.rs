//! Carrying edits out on the client's text.

use std::fmt::Write as _;

use crate::lex::lex;
use crate::plan::{Planned, Rendered, Replacement, Script, Slot};
use crate::refusal::{Reason, Refusal};

/// What stands in a refused statement's place: it parses, and fails at analysis with 42703, so
/// that the error arrives in order and leaves the right transaction status, and nothing of the
/// client's text reaches the server or its log.
pub const REFUSED: &str = "SELECT pgveil_refused";

/// What decides an expression over a protected column: SQL expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// `oid` of the column's table.
    pub relation: u32,
    /// The column's number there.
    pub number: i16,
    /// What was found of the values; an empty handle stands for NULL.
    pub found: Found,
    /// The last argument of `pgveil.delta`: a `text[]`.
    pub known: String,
}

/// What was found of a column's values: SQL expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// See [`Finds::Truth`](crate::plan::Finds::Truth).
    Truth {
        /// Handles of the values of which a predicate is true: a `text[]`.
        matched: String,
        /// Those of which it is NULL: a `text[]`.
        unknown: String,
    },
    /// See [`Finds::Rank`](crate::plan::Finds::Rank).
    Rank {
        /// All handles, in the order of their bytes: a `name[]`.
        handles: String,
        /// The rank of each, from 1; 0 where the expression is NULL: an `int4[]`.
        ranks: String,
    },
}

impl Resolved {
    /// Writes what takes the place of an expression over a column. `pgveil.delta` says, once a
    /// statement and in its own snapshot, which values are there that the handles do not speak of.
    /// NOT NOT keeps a column of the select list without a name, as an operator does.
    ///
    /// `width_bucket` is the server's binary search in a sorted array, and jumps in it where the
    /// elements have a fixed size, as those of `name[]` have. [100,000 rows, LIMIT 20, beside 24 to
    /// 45 ms plain without an index: 90 to 140 ms; `jsonb ->` 150 to 175 ms; `array_position`
    /// would be linear.]
    fn write(&self, reference: &str, out: &mut String) {
        let Self { relation, number, found, known } = self;
        let handle =
            format!("COALESCE(pg_catalog.substr({reference}, {HANDLE_AT}, {HANDLE_LEN}), '')");
        let delta = format!(
            "CASE WHEN (SELECT pgveil.delta('{relation}'::pg_catalog.oid, \
             '{number}'::pg_catalog.int2, {known})) THEN NULL"
        );
        // Writing to a String cannot fail.
        let _ = match found {
            Found::Truth { matched, unknown } => write!(
                out,
                "(NOT NOT {delta} \
                 WHEN {handle} OPERATOR(pg_catalog.=) ANY ({matched}) THEN true \
                 WHEN {handle} OPERATOR(pg_catalog.=) ANY ({unknown}) THEN NULL \
                 ELSE false END)"
            ),
            Found::Rank { handles, ranks } => write!(
                out,
                "({delta} ELSE NULLIF(({ranks})[pg_catalog.width_bucket(\
                 {handle}::pg_catalog.name, {handles})], 0) END)"
            ),
        };
    }
}

/// Where a token's handle stands in it, for `substr`.
const HANDLE_AT: usize = 13;
const HANDLE_LEN: usize = 20;

/// Carries the edits of all statements out. `refused` says which statements must not run (the
/// plan's own refusal, or the policy's): each is replaced by [`REFUSED`]. `seal` makes the token
/// of a value, `resolve` says what decides a predicate of [`Planned::resolves`]; their errors
/// refuse the statement and are handed back with its index.
pub fn render(
    text: &str,
    script: &Script,
    refused: &dyn Fn(usize, &Planned) -> bool,
    seal: &mut dyn FnMut(&Slot, &str) -> Result<String, Refusal>,
    resolve: &mut dyn FnMut(&Planned, usize) -> Result<Resolved, Refusal>,
) -> (Rendered, Vec<(usize, Refusal)>) {
    let mut rendered = Rendered { text: String::with_capacity(text.len() * 2), moved: Vec::new() };
    let mut refusals = Vec::new();
    let mut done = 0;
    for (index, planned) in script.statements.iter().enumerate() {
        rendered.text.push_str(&text[done..planned.range.start]);
        done = planned.range.end;
        let so_far = (rendered.text.len(), rendered.moved.len());
        let result = if refused(index, planned) {
            Ok(false)
        } else {
            edit(text, planned, seal, resolve, &mut rendered)
        };
        if let Ok(true) = result {
            continue;
        }
        if let Err(mut refusal) = result {
            refusal.position = refusal.position.or(Some(planned.range.start));
            refusals.push((index, refusal));
        }
        rendered.text.truncate(so_far.0);
        rendered.moved.truncate(so_far.1);
        rendered.moved.push([so_far.0, REFUSED.len(), planned.range.start, planned.range.len()]);
        rendered.text.push_str(REFUSED);
    }
    rendered.text.push_str(&text[done..]);
    (rendered, refusals)
}

/// One statement with its edits; true when it may run.
fn edit(
    text: &str,
    planned: &Planned,
    seal: &mut dyn FnMut(&Slot, &str) -> Result<String, Refusal>,
    resolve: &mut dyn FnMut(&Planned, usize) -> Result<Resolved, Refusal>,
    rendered: &mut Rendered,
) -> Result<bool, Refusal> {
    let mut done = planned.range.start;
    for edit in &planned.edits {
        rendered.text.push_str(&text[done..edit.range.start]);
        let start = rendered.text.len();
        match &edit.with {
            Replacement::Text(with) => rendered.text.push_str(with),
            Replacement::Resolved { resolve: index, reference } => {
                resolve(planned, *index)?.write(reference, &mut rendered.text);
            }
            // Tokens are URL-safe base64: nothing in them needs escaping.
            Replacement::Seal { value, slot } => {
                rendered.text.push('\'');
                rendered.text.push_str(&seal(slot, value)?);
                rendered.text.push('\'');
            }
            Replacement::SealArray { value, slot } => {
                let array = pgveil_seal::map_text_array(value, |element| seal(slot, element))
                    .map_err(|error| match error {
                        pgveil_seal::MapError::Element(refusal) => refusal,
                        pgveil_seal::MapError::Array(error) => {
                            Reason::Unparsed(error.to_string()).at(Some(edit.range.start))
                        }
                    })?;
                rendered.text.push('\'');
                rendered.text.push_str(&array);
                // Where the literal is an argument of an overloaded function it needs its type.
                rendered.text.push_str("'::pg_catalog.text[]");
            }
        }
        rendered.moved.push([
            start,
            rendered.text.len() - start,
            edit.range.start,
            edit.range.len(),
        ]);
        done = edit.range.end;
    }
    rendered.text.push_str(&text[done..planned.range.end]);
    Ok(true)
}

/// A text for people and logs: every string literal is replaced, tokens by `<token>`, all other
/// values by `…`.
pub fn redact(text: &str) -> String {
    let Ok(tokens) = lex(text) else { return "<not readable>".to_owned() };
    let mut redacted = String::with_capacity(text.len());
    let mut done = 0;
    for token in tokens.iter().filter(|token| token.kind.is_string()) {
        redacted.push_str(&text[done..token.range.start]);
        done = token.range.end;
        let inner = text[token.range.clone()].trim_matches('\'');
        let shown = if pgveil_seal::looks_like_token(inner.as_bytes()) { "<token>" } else { "…" };
        // Writing to a String cannot fail.
        let _ = write!(redacted, "'{shown}'");
    }
    redacted.push_str(&text[done..]);
    without_comments(&redacted)
}

/// Comments may repeat values.
fn without_comments(text: &str) -> String {
    let Ok(tokens) = lex(text) else { return "<not readable>".to_owned() };
    let mut kept = String::with_capacity(text.len());
    let mut done = 0;
    for token in tokens {
        if token.range.start > done {
            let gap = &text[done..token.range.start];
            if gap.bytes().all(|byte| byte.is_ascii_whitespace()) {
                kept.push_str(gap);
            } else {
                kept.push(' ');
            }
        }
        kept.push_str(&text[token.range.clone()]);
        done = token.range.end;
    }
    kept
}
