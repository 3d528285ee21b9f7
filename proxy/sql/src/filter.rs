//! The fast filter in front of all parsing: most statements name nothing in scope.

use aho_corasick::{AhoCorasick, packed};

/// Finds names in scope in a statement's bytes.
///
/// Never misses: identifiers fold by ASCII case, and forms that hide a name (`U&"..."`) or that
/// change what names mean are hits of their own. May hit for nothing (a name inside a literal);
/// analysis then finds out.
///
/// The text is folded piece by piece into a buffer on the stack and searched there by the packed
/// (SIMD) matcher: an automaton that ignores case by itself takes about four times as long.
#[derive(Debug, Default, Clone)]
pub struct ScopeFilter {
    names: Names,
}

/// How names are searched.
#[derive(Debug, Default, Clone)]
enum Names {
    /// Nothing is known yet: everything is a hit.
    #[default]
    Unknown,
    /// Few names: SIMD. The length of the longest one.
    Packed(packed::Searcher, usize),
    /// Many names.
    Automaton(AhoCorasick),
}

/// Bytes that are folded and searched at a time.
const PIECE: usize = 1024;

/// Words anywhere in the text that make it worth a look: they may change settings, or hide names.
const ALWAYS: [&str; 5] = ["u&\"", "set_config", "pgveil", "_to_xml", "ts_stat"];

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
        let longest = patterns.iter().map(String::len).max().unwrap_or(1);
        let packed = packed::Config::new().builder().extend(&patterns).build();
        let names = match packed {
            Some(searcher) if longest < PIECE / 2 => Names::Packed(searcher, longest),
            _ => AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(&patterns)
                .map_or(Names::Unknown, Names::Automaton),
        };
        Self { names }
    }

    /// False when the text can be forwarded without looking any further. True means: analyse.
    pub fn hit(&self, text: &[u8]) -> bool {
        !is_harmless(text) || self.names(text)
    }

    /// A name in scope may stand in the text. Names longer than an identifier are cut by the
    /// server; the automaton finds those, too, as prefixes.
    pub fn names(&self, text: &[u8]) -> bool {
        match &self.names {
            Names::Unknown => true,
            Names::Automaton(automaton) => automaton.is_match(text),
            Names::Packed(searcher, longest) => {
                let mut folded = [0; PIECE];
                let mut start = 0;
                loop {
                    let end = (start + PIECE).min(text.len());
                    let piece = &mut folded[..end - start];
                    piece.copy_from_slice(&text[start..end]);
                    piece.make_ascii_lowercase();
                    if searcher.find(&*piece).is_some() {
                        return true;
                    }
                    if end == text.len() {
                        return false;
                    }
                    // A name may lie across the cut.
                    start = end - (longest - 1);
                }
            }
        }
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
        let far = format!("SELECT '{}', 1 FROM Auth_User", "x".repeat(PIECE - 30));
        for cut in 0..40 {
            assert!(filter.hit(&far.as_bytes()[cut..]), "{cut}");
            let longer = format!("SELECT {} FROM auth_user", "y".repeat(PIECE - 30 + cut));
            assert!(filter.hit(longer.as_bytes()), "{cut}");
        }
        for text in ["SELECT 1", " select * from orders where id = 'auth-user';", "COMMIT"] {
            assert!(!filter.hit(text.as_bytes()), "{text}");
        }
    }
}
