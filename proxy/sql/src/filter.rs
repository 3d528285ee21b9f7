//! The fast filter in front of all parsing: most statements name nothing in scope.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Finds names in scope in a statement's bytes.
///
/// Never misses: identifiers fold by ASCII case, and forms that hide a name (`U&"..."`) or that
/// change what names mean are hits of their own. May hit for nothing (a name inside a literal);
/// analysis then finds out.
#[derive(Debug, Default)]
pub struct ScopeFilter {
    /// `None`: nothing is in scope.
    names: Option<AhoCorasick>,
}

/// Words anywhere in the text that make it worth a look: they may change settings, or hide names.
const ALWAYS: [&str; 3] = ["u&\"", "set_config", "pgveil"];

/// First words of statements that neither change settings, nor the catalog, nor run a statement
/// by its name: without a name in scope in the text they pass.
const HARMLESS: [&[u8]; 15] = [
    b"select",
    b"insert",
    b"update",
    b"delete",
    b"with",
    b"values",
    b"table",
    b"begin",
    b"commit",
    b"end",
    b"start",
    b"savepoint",
    b"release",
    b"show",
    b"copy",
];

impl ScopeFilter {
    /// A filter for these names, as the catalog has them.
    pub fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        // A name with a quote in it is doubled in the text, and a `"` splits nothing else.
        let mut patterns: Vec<String> =
            names.map(|name| name.to_ascii_lowercase().replace('"', "\"\"")).collect();
        patterns.extend(ALWAYS.map(str::to_owned));
        patterns.sort();
        patterns.dedup();
        let names = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&patterns)
            .or_else(|_| AhoCorasick::builder().ascii_case_insensitive(true).build(&patterns))
            .ok();
        Self { names }
    }

    /// False when the text can be forwarded without looking any further. True means: analyse.
    pub fn hit(&self, text: &[u8]) -> bool {
        !is_harmless(text) || self.names(text)
    }

    /// A name in scope may stand in the text. Names longer than an identifier are cut by the
    /// server; the automaton finds those, too, as prefixes.
    pub fn names(&self, text: &[u8]) -> bool {
        self.names.as_ref().is_none_or(|names| names.is_match(text))
    }
}

/// One statement that begins with a harmless word.
fn is_harmless(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b";").unwrap_or(text);
    let end = text.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
    let word = &text[..end];
    HARMLESS.iter().any(|harmless| word.eq_ignore_ascii_case(harmless))
        && memchr::memchr(b';', text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_names_settings_and_disguises() {
        let filter = ScopeFilter::new(["auth_user", "Odd\"Name"].into_iter());
        for text in [
            "SELECT * FROM AUTH_User",
            "select 1; drop table x",
            "SET search_path = x",
            "select set_config('a', 'b', true)",
            "select * from U&\"\\0061uth_user\"",
            "EXECUTE x",
            "  /* c */ select 1",
            "select * from \"Odd\"\"Name\"",
            "rollback",
        ] {
            assert!(filter.hit(text.as_bytes()), "{text}");
        }
        for text in ["SELECT 1", " select * from orders where id = 'auth-user';", "COMMIT"] {
            assert!(!filter.hit(text.as_bytes()), "{text}");
        }
    }
}
