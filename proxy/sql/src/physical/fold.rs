//! How the server folds case: what is recorded of it, once for a database.
//!
//! Tokens of a column that folds are made of `lower(value)` or `upper(value)`, so the function must
//! not change while they are there; that of the server does, with its operating system's locale
//! data. So what the server does *now* is written down in `pgveil.case_maps`, for every character
//! that there is, and is what such columns fold by from then on: columns that come later as well,
//! which can be compared with earlier ones for that.
//!
//! A record of single characters is exact where the server folds character by character. The
//! providers `libc` and `builtin` (but for `PG_UNICODE_FAST`) do; ICU folds words ("ß" to "SS", the
//! final sigma), and cannot be recorded. The query tries the record on words that tell.
//!
//! It reads 1,112,063 characters: 1.4 s on PostgreSQL 15 with `C.UTF-8`, once.

use pgveil_seal::{FOLD_HANDLE_AT, FOLD_HANDLE_LEN, Fold};

use super::SCHEMA;
use super::quote::{quote_ident, quote_literal};

/// The record of how the server folds.
pub const CASE_MAPS_TABLE: &str = "case_maps";

/// `pgveil.case_maps`: the characters that a function changes, and what they become, at the same
/// places.
pub fn create_case_maps() -> Vec<String> {
    let schema = quote_ident(SCHEMA);
    vec![
        format!(
            "CREATE TABLE {schema}.{CASE_MAPS_TABLE} (
  fold text PRIMARY KEY CHECK (fold IN ('lower', 'upper')),
  locale text NOT NULL,
  from_chars text NOT NULL,
  to_chars text NOT NULL
)"
        ),
        grant(),
    ]
}

fn grant() -> String {
    format!("GRANT SELECT ON {}.{CASE_MAPS_TABLE} TO PUBLIC", quote_ident(SCHEMA))
}

/// Adds the column that a record of sealed columns has for it.
pub fn add_fold_column() -> String {
    format!(
        "ALTER TABLE {schema}.columns ADD COLUMN fold text REFERENCES {schema}.{CASE_MAPS_TABLE}",
        schema = quote_ident(SCHEMA)
    )
}

/// Records what [`measure`] found. Proxies see by the table's catalog row that there is more: so
/// it is granted again.
pub fn record_case_map(fold: Fold, locale: &str, from: &str, to: &str) -> Vec<String> {
    vec![
        format!(
            "INSERT INTO {}.{CASE_MAPS_TABLE} (fold, locale, from_chars, to_chars) VALUES ({}, {}, \
             {}, {})",
            quote_ident(SCHEMA),
            quote_literal(fold.as_str()),
            quote_literal(locale),
            quote_literal(from),
            quote_literal(to)
        ),
        grant(),
    ]
}

/// Words on which folding by characters and folding by words differ.
const WORDS: [&str; 12] = [
    "ΟΔΥΣΣΕΥΣ ΑΣ. Σ",
    "οδυσσευς ας. ς",
    "Straße STRASSE ẞ",
    "ﬁ ﬂ ﬃ ﬅ",
    "ŉ ǰ ΐ ΰ և ẖ ẗ ẘ ẙ ẚ",
    "İi Iı I\u{307} i\u{307}",
    "Ǆǅǆ Ǉǈǉ Ǳǲǳ",
    "ᾳ ᾼ ῳ ῼ ᾀ ᾈ",
    "Å \u{212b} K \u{212a} Ω \u{2126} ſ",
    "J\u{303} Į\u{301} Ì",
    "𐐀𐐨 Ꭰꭰ Აა",
    "ANN-Zoë.O'Brien+test@Example.ORG",
];

/// Asks how a collation folds: the characters that change, what they become, and whether that is
/// all there is to it. `collation` is a name as SQL has it.
pub fn measure(fold: Fold, collation: &str) -> String {
    let folded = |text: &str| {
        format!("pg_catalog.{fold}({text} COLLATE {collation}) COLLATE pg_catalog.\"C\"")
    };
    let (character, word) = (folded("pg_catalog.chr(g)"), folded("w"));
    let words: Vec<String> = WORDS.iter().map(|word| quote_literal(word)).collect();
    format!(
        "WITH pairs AS MATERIALIZED (
  SELECT g, pg_catalog.chr(g) AS f, {character} AS t
  FROM pg_catalog.generate_series(1, 1114111) AS g
  WHERE g NOT BETWEEN 55296 AND 57343
    AND {character} OPERATOR(pg_catalog.<>) pg_catalog.chr(g)
), map AS (
  SELECT COALESCE(pg_catalog.string_agg(f, '' ORDER BY g), '') AS f,
         COALESCE(pg_catalog.string_agg(t, '' ORDER BY g), '') AS t FROM pairs
)
SELECT f, t, pg_catalog.char_length(f) OPERATOR(pg_catalog.=) pg_catalog.char_length(t)
    AND {again} OPERATOR(pg_catalog.=) t
    AND (SELECT pg_catalog.bool_and({word} OPERATOR(pg_catalog.=) pg_catalog.translate(w, f, t))
         FROM pg_catalog.unnest(ARRAY[{words}]::pg_catalog.text[]) AS w)
FROM map",
        again = folded("t"),
        words = words.join(", "),
    )
}

/// A column's fold handle as the server shows it among the keys of an index, and the column's name
/// in it.
pub fn handle_as_shown(column: &str) -> (String, String) {
    let quoted = quote_ident(column);
    // What needs no quotes is shown without them. (Key words would not be; who names a column so
    // gets the server's word for it.)
    let plain = column.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !column.starts_with(|c: char| c.is_ascii_digit());
    let name = if plain { column.to_owned() } else { quoted };
    (format!("substr({name}, {FOLD_HANDLE_AT}, {FOLD_HANDLE_LEN})"), name)
}

/// The SQL of a column's fold handle.
pub fn fold_handle(column: &str) -> String {
    format!("pg_catalog.substr({}, {FOLD_HANDLE_AT}, {FOLD_HANDLE_LEN})", quote_ident(column))
}
