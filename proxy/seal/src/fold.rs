//! Case folding: PostgreSQL's `lower` or `upper` as one server does it, recorded as pairs of
//! characters.
//!
//! What `lower` does depends on the server's operating system, its version and the collation, and
//! a column that is sealed by it must go on being sealed by the same function: so the function is
//! not computed here, but recorded from the server once, and applied from the record.

use std::borrow::Cow;
use std::fmt;

/// Which of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fold {
    /// `lower`
    Lower,
    /// `upper`
    Upper,
}

impl Fold {
    /// The function's name, which is also the word stored in `pgveil.columns` and written in
    /// configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
        }
    }

    /// Reads what [`Fold::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "lower" => Some(Self::Lower),
            "upper" => Some(Self::Upper),
            _ => None,
        }
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a [`Fold`] does to each character.
#[derive(Clone, PartialEq, Eq)]
pub struct CaseMap {
    fold: Fold,
    /// By code point.
    ascii: [char; 128],
    /// The other characters that change, in order, each with what it becomes.
    pairs: Box<[(char, char)]>,
}

impl CaseMap {
    /// From the characters that change, in any order, and what they become, at the same places.
    pub fn new(fold: Fold, from: &str, to: &str) -> Result<Self, CaseMapError> {
        if from.chars().count() != to.chars().count() {
            return Err(CaseMapError::Lengths);
        }
        let mut ascii = std::array::from_fn(|code| char::from(code.to_le_bytes()[0]));
        let mut pairs = Vec::new();
        for (from, to) in from.chars().zip(to.chars()) {
            match ascii.get_mut(from as usize) {
                Some(place) => *place = to,
                None => pairs.push((from, to)),
            }
        }
        pairs.sort_unstable();
        if let Some(twice) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(CaseMapError::Twice(twice[0].0));
        }
        let map = Self { fold, ascii, pairs: pairs.into() };
        // So that a text is somebody's fold exactly if it is its own.
        match to.chars().find(|c| map.of(*c) != *c) {
            None => Ok(map),
            Some(again) => Err(CaseMapError::Twofold(again)),
        }
    }

    /// Whose record it is.
    pub fn fold(&self) -> Fold {
        self.fold
    }

    /// The text folded.
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some((at, _)) = text.char_indices().find(|(_, c)| self.of(*c) != *c) else {
            return Cow::Borrowed(text);
        };
        let mut folded = String::with_capacity(text.len());
        folded.push_str(&text[..at]);
        folded.extend(text[at..].chars().map(|c| self.of(c)));
        Cow::Owned(folded)
    }

    /// The text folded, in pieces, without a copy of it. True when it is its own fold.
    pub(crate) fn pieces(&self, text: &str, mut take: impl FnMut(&[u8])) -> bool {
        let mut from = 0;
        for (at, c) in text.char_indices() {
            let folded = self.of(c);
            if folded != c {
                take(&text.as_bytes()[from..at]);
                take(folded.encode_utf8(&mut [0; 4]).as_bytes());
                from = at + c.len_utf8();
            }
        }
        take(&text.as_bytes()[from..]);
        from == 0
    }

    fn of(&self, c: char) -> char {
        match self.ascii.get(c as usize) {
            Some(folded) => *folded,
            None => match self.pairs.binary_search_by_key(&c, |(from, _)| *from) {
                Ok(at) => self.pairs[at].1,
                Err(_) => c,
            },
        }
    }
}

impl fmt::Debug for CaseMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaseMap({}, {} pairs beyond ASCII)", self.fold, self.pairs.len())
    }
}

/// The record does not make a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaseMapError {
    /// Each character becomes one.
    #[error("a case map has not as many characters that change as characters that they become")]
    Lengths,
    /// Two answers for one question.
    #[error("a case map has the character U+{:04X} twice", u32::from(*.0))]
    Twice(char),
    /// What is folded changes when it is folded once more.
    #[error("a case map folds to the character U+{:04X}, which it folds again", u32::from(*.0))]
    Twofold(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_what_the_record_says_and_nothing_else() {
        let map = CaseMap::new(Fold::Lower, "BAÉK", "baék").unwrap();
        assert_eq!(map.apply("ABCÉ\u{212a}K ß"), "abCé\u{212a}k ß");
        assert!(matches!(map.apply("no change: C, ﬁ"), Cow::Borrowed(_)));
        assert_eq!(map.fold().to_string(), "lower");
    }

    #[test]
    fn pieces_are_what_apply_makes() {
        let map = CaseMap::new(Fold::Upper, "aéſ\u{10428}", "AÉS\u{10400}").unwrap();
        for text in ["", "a", "xax", "éa\u{10428}ſ", "none", "ends a", "ÉA"] {
            let mut joined = Vec::new();
            let same = map.pieces(text, |piece| joined.extend_from_slice(piece));
            assert_eq!(joined, map.apply(text).as_bytes(), "{text}");
            assert_eq!(same, matches!(map.apply(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn a_broken_record_is_no_map() {
        let broken = |from, to| CaseMap::new(Fold::Lower, from, to).unwrap_err();
        assert_eq!(broken("AB", "a"), CaseMapError::Lengths);
        assert_eq!(broken("ÉÉ", "éé"), CaseMapError::Twice('É'));
        assert_eq!(broken("AB", "Bb"), CaseMapError::Twofold('B'));
    }
}
