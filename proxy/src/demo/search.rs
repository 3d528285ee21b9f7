//! Searching a dump or a log for what must not be in it.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};

use super::people::Person;
use crate::failure::Failure;

/// Finds plain personal values in any text. E-mail addresses are found anywhere. Names are found
/// as whole words, so that five letters inside the random letters of a token are not taken for a
/// name: a token has no character in it that ends a word. Latin letters are found in either case.
pub(super) struct Search {
    finder: AhoCorasick,
    /// By pattern: whether it is a name.
    names: Vec<bool>,
    emails: usize,
}

impl Search {
    pub(super) fn new(people: &[Person]) -> Result<Self, Failure> {
        let emails: BTreeSet<&str> = people.iter().map(|person| person.email.as_str()).collect();
        let names: BTreeSet<&str> = people
            .iter()
            .flat_map(|person| [person.first_name.as_str(), person.last_name.as_str()])
            .collect();
        let spelt = |value: &str| -> BTreeSet<String> {
            // As COPY, string constants and the log's quotes write it.
            let slashed = value.replace('\\', "\\\\");
            [value.to_owned(), value.replace('\'', "''"), slashed.replace('\'', "''"), slashed]
                .into()
        };
        let mut patterns = Vec::new();
        let mut is_name = Vec::new();
        for (values, name) in [(&emails, false), (&names, true)] {
            for pattern in values.iter().flat_map(|value| spelt(value)) {
                patterns.push(pattern);
                is_name.push(name);
            }
        }
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(patterns)
            .map_err(|error| Failure::from_error(&error))?;
        Ok(Self { finder, names: is_name, emails: emails.len() })
    }

    /// How many addresses are searched for.
    pub(super) fn emails(&self) -> usize {
        self.emails
    }

    /// Places where a plain value stands: byte offsets.
    pub(super) fn find(&self, text: &[u8]) -> Vec<usize> {
        let word = |byte: Option<&u8>| {
            byte.is_some_and(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'=')
            })
        };
        self.finder
            .find_overlapping_iter(text)
            .filter(|found| {
                let before = found.start().checked_sub(1).and_then(|at| text.get(at));
                !self.names[found.pattern().as_usize()]
                    || !(word(before) || word(text.get(found.end())))
            })
            .map(|found| found.start())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::people;
    use super::*;

    #[test]
    fn every_value_is_found_however_it_is_written() {
        let people = people::generate(300);
        let search = Search::new(&people).expect("builds");
        for person in &people {
            for value in [&person.email, &person.first_name, &person.last_name] {
                for text in [
                    format!("1\t{value}\tx"),
                    format!("DETAIL:  parameters: $1 = '{}'", value.replace('\'', "''")),
                    format!("x\t{}\n", value.replace('\\', "\\\\")),
                    value.to_ascii_uppercase(),
                ] {
                    assert!(!search.find(text.as_bytes()).is_empty(), "{text}");
                }
            }
        }
    }

    #[test]
    fn letters_inside_a_token_are_not_a_name() {
        let person = Person {
            username: "member".into(),
            first_name: "Zofia".into(),
            last_name: "Kowalczyk".into(),
            email: "z@example.com".into(),
            subscribed: false,
        };
        let search = Search::new(&[person]).expect("builds");
        assert_eq!(search.find(b"gAAAAABmZofiaAx Kowalczyk_"), [] as [usize; 0]);
        assert_eq!(search.find(b"(Zofia,gAAAAA)"), [1]);
        assert_eq!(search.find(b"xz@example.comx"), [1]);
    }
}
