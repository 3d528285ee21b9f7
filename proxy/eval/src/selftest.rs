//! Whether this port and a server agree on a collation.
//!
//! The proxy's C library may have another version than the server's, or other locale data under
//! the same version. Whoever has a connection asks the server what it makes of [`HARD`] strings
//! and hands the answers over; a collation with one disagreement is not computed here.

use std::cmp::Ordering;

use crate::{Collation, Expr, Program, Type};

/// Strings whose case or order differ between libraries, versions and locales: letters with
/// several counterparts, digraphs, combining marks, characters beyond the first plane and those
/// that an order may ignore.
#[rustfmt::skip]
pub const HARD: &[&str] = &[
    "", " ", "a", "A", "b", "B", "i", "I", "ı", "İ", "iI", "z", "Z", "aa", "aA", "Aa", "AA", "ab",
    "a b", "a-b", "a_b", "a.b", "a@b", "A@B", "a'b", "a\"b", "a\tb", "a\nb", "-a", "_a", ".a",
    "0", "1", "10", "2", "9", "٣", "x1", "1x", "ä", "Ä", "ae", "Æ", "æ", "ö", "Ö", "ü", "Ü", "ß",
    "ẞ", "ss", "SS", "straße", "STRASSE", "é", "e\u{301}", "E\u{301}", "ñ", "Ñ", "ç", "Ç", "ø",
    "Ø", "å", "Å", "Å", "ł", "Ł", "č", "Č", "ch", "Ch", "CH", "ll", "Ll", "ǆ", "ǅ", "Ǆ", "ŉ", "ǰ",
    "ſ", "K", "k", "Ω", "ω", "σ", "ς", "Σ", "ΑΣ", "ας", "ΐ", "ᾳ", "ᾼ", "ﬀ", "ﬁ", "д", "Д", "ё",
    "Ё", "և", "Ա", "ა", "Ა", "Ꭰ", "ꭰ", "ⓐ", "Ⓐ", "ⅷ", "Ⅷ", "𐐀", "𐐨", "𝒜", "א", "ب", "क", "あ", "ア",
    "ｱ", "中", "한", "\u{200b}", "a\u{200b}b", "\u{ad}", "a\u{ad}b", "😀", "😀a", "\u{fffd}",
    "\u{10ffff}", "o'neil", "O'Neil", "de la cruz", "DE LA CRUZ", "McDonald", "x²y",
];

/// One answer of the server's.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What was asked, over one column of type `text`.
    pub expr: Expr,
    /// The column's value.
    pub input: Option<String>,
    /// The answer as text, or an SQLSTATE.
    pub expected: Result<Option<String>, String>,
}

/// An answer that differs from the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// Index of the sample.
    pub sample: usize,
    /// What was found here.
    pub found: Result<Option<String>, String>,
}

/// The first sample that is answered otherwise here.
pub fn disagreement(samples: &[Sample]) -> Option<Disagreement> {
    samples.iter().enumerate().find_map(|(index, sample)| {
        let found = match Program::new(&sample.expr, &[Type::Text]) {
            Ok(program) => program
                .value(&[sample.input.as_deref()])
                .map(|value| value.output().map(std::borrow::Cow::into_owned))
                .map_err(|error| error.sqlstate().to_owned()),
            // Not an expression: no server would have answered it.
            Err(_) => Err("XX000".to_owned()),
        };
        (found != sample.expected).then_some(Disagreement { sample: index, found })
    })
}

/// The first two neighbours of a list that the server sorted that are in another order here.
pub fn misplaced(collation: &Collation, sorted: &[String]) -> Option<usize> {
    sorted.windows(2).position(|pair| collation.compare(&pair[0], &pair[1]) == Ordering::Greater)
}
