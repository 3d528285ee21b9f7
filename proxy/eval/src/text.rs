//! Functions of one or several strings (PostgreSQL, "String Functions and Operators";
//! `src/backend/utils/adt/varlena.c` and `oracle_compat.c`). None of them depends on a collation
//! that is deterministic.

use std::borrow::Cow;

use md5::{Digest, Md5};
use memchr::memmem;

use crate::EvalError;

/// `length()`, `char_length()`: characters.
pub fn length(value: &str) -> i32 {
    number(value.chars().count())
}

/// `octet_length()`: bytes.
pub fn octet_length(value: &str) -> i32 {
    number(value.len())
}

/// `substr(value, start)` and `substr(value, start, length)`: characters count from 1, and what
/// lies in front of the value counts for the length.
pub fn substr(value: &str, start: i32, length: Option<i32>) -> Result<&str, EvalError> {
    if length.is_some_and(|length| length < 0) {
        return Err(EvalError::NegativeLength);
    }
    let first = i64::from(start).max(1);
    let from = byte_of(value, first - 1);
    // An end that no integer holds is behind every value.
    let Some(end) = length.and_then(|length| start.checked_add(length)) else {
        return Ok(&value[from..]);
    };
    let to = byte_of(&value[from..], (i64::from(end) - first).max(0));
    Ok(&value[from..from + to])
}

/// `left()`: the first characters; below zero, all but the last ones.
pub fn left(value: &str, count: i32) -> &str {
    let count = i64::from(count);
    let count = if count < 0 { characters(value) + count } else { count };
    &value[..byte_of(value, count)]
}

/// `right()`: the last characters; below zero, all but the first ones.
pub fn right(value: &str, count: i32) -> &str {
    let skipped = if count < 0 {
        // The server's integer has no counterpart of its least value either.
        i64::from(count.wrapping_neg())
    } else {
        characters(value) - i64::from(count)
    };
    &value[byte_of(value, skipped)..]
}

/// `ltrim()`: without the characters of a set at the beginning.
pub fn ltrim<'v>(value: &'v str, set: &str) -> &'v str {
    value.trim_start_matches(|character| set.contains(character))
}

/// `rtrim()`: without the characters of a set at the end.
pub fn rtrim<'v>(value: &'v str, set: &str) -> &'v str {
    value.trim_end_matches(|character| set.contains(character))
}

/// `btrim()`: without the characters of a set at both ends.
pub fn btrim<'v>(value: &'v str, set: &str) -> &'v str {
    rtrim(ltrim(value, set), set)
}

/// `strpos()`, `position()`: at which character another string begins; 0 where it does not occur.
pub fn position(value: &str, wanted: &str) -> i32 {
    match memmem::find(value.as_bytes(), wanted.as_bytes()) {
        Some(at) => number(value[..at].chars().count() + 1),
        None => 0,
    }
}

/// `replace()`
pub fn replace<'v>(value: &'v str, from: &str, to: &str) -> Cow<'v, str> {
    if from.is_empty() || memmem::find(value.as_bytes(), from.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace(from, to))
}

/// `reverse()`
pub fn reverse(value: &str) -> String {
    value.chars().rev().collect()
}

/// `split_part()`: a field of a list, counted from 1, or from the end with numbers below zero.
pub fn split_part<'v>(value: &'v str, delimiter: &str, field: i32) -> Result<&'v str, EvalError> {
    if field == 0 {
        return Err(EvalError::FieldZero);
    }
    let index = field.unsigned_abs() as usize - 1;
    if delimiter.is_empty() {
        return Ok(if index == 0 { value } else { "" });
    }
    if field > 0 {
        return Ok(value.split(delimiter).nth(index).unwrap_or_default());
    }
    // Delimiters are found from the left, also where they could overlap.
    let fields = value.split(delimiter).count();
    let from_left = fields.checked_sub(index + 1);
    Ok(from_left.and_then(|index| value.split(delimiter).nth(index)).unwrap_or_default())
}

/// `starts_with()`, `^@`
pub fn starts_with(value: &str, prefix: &str) -> bool {
    value.starts_with(prefix)
}

/// `md5()`: in hexadecimal.
pub fn md5(value: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(32);
    for byte in Md5::digest(value.as_bytes()) {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from(DIGITS[usize::from(nibble)]));
        }
    }
    hex
}

/// Where a character begins, by its index; the value's end if it has fewer, its beginning below
/// zero.
fn byte_of(value: &str, index: i64) -> usize {
    let Ok(index) = usize::try_from(index) else {
        return if index < 0 { 0 } else { value.len() };
    };
    // A character has at least one byte.
    if index >= value.len() {
        return value.len();
    }
    value.char_indices().nth(index).map_or(value.len(), |(at, _)| at)
}

fn characters(value: &str) -> i64 {
    i64::try_from(value.chars().count()).unwrap_or(i64::MAX)
}

/// A value of the server's has at most a gigabyte.
fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
