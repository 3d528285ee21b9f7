//! The types `character(n)` and `character varying(n)` (PostgreSQL, "Character Types";
//! `src/backend/utils/adt/varchar.c`).
//!
//! A value of type `character(n)` has n characters, the last of them blanks where it was shorter;
//! they mean nothing in comparisons and in `length()`, and are lost on the way to `text`.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::{Collation, EvalError};

/// An explicit cast to `varchar(n)`: what is too long is cut.
pub fn cast_varchar(value: &str, n: u32) -> &str {
    &value[..end_of(value, n)]
}

/// A value stored in a `varchar(n)`: only blanks may be cut.
pub fn assign_varchar(value: &str, n: u32) -> Result<&str, EvalError> {
    cut_blanks(value, n).ok_or_else(|| EvalError::TooLong(format!("character varying({n})")))
}

/// An explicit cast to `character(n)`: what is too long is cut, what is too short is padded.
pub fn cast_bpchar(value: &str, n: u32) -> Cow<'_, str> {
    padded(cast_varchar(value, n), n)
}

/// A value stored in a `character(n)`: only blanks may be cut; what is too short is padded.
pub fn assign_bpchar(value: &str, n: u32) -> Result<Cow<'_, str>, EvalError> {
    match cut_blanks(value, n) {
        Some(kept) => Ok(padded(kept, n)),
        None => Err(EvalError::TooLong(format!("character({n})"))),
    }
}

/// A value of type `character` as `text`.
pub fn to_text(value: &str) -> &str {
    value.trim_end_matches(' ')
}

/// The order of two values of type `character`.
pub fn compare(left: &str, right: &str, collation: &Collation) -> Ordering {
    collation.compare(to_text(left), to_text(right))
}

fn cut_blanks(value: &str, n: u32) -> Option<&str> {
    let (kept, excess) = value.split_at(end_of(value, n));
    excess.bytes().all(|byte| byte == b' ').then_some(kept)
}

fn padded(value: &str, n: u32) -> Cow<'_, str> {
    let missing = (n as usize).saturating_sub(value.chars().count());
    if missing == 0 {
        return Cow::Borrowed(value);
    }
    let mut padded = String::with_capacity(value.len() + missing);
    padded.push_str(value);
    padded.extend(std::iter::repeat_n(' ', missing));
    Cow::Owned(padded)
}

/// The length in bytes of the first n characters.
fn end_of(value: &str, n: u32) -> usize {
    value.char_indices().nth(n as usize).map_or(value.len(), |(at, _)| at)
}
