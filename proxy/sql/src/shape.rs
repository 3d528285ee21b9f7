//! Statements that differ in literals only share their analysis.
//!
//! Half of all applications send literals in the simple protocol, so that every text is new. What
//! a literal's *value* is decides nothing in an analysis: only where it stands. So the shape of a
//! statement, its tokens without the values of literals, is what a plan is kept by, and the plan
//! is put on another text of the same shape by token numbers.
//!
//! Numbers are part of the shape where they may mean something else than a value: `ORDER BY 2`,
//! `varchar(5)`.

use std::sync::Arc;

use crate::catalog::Settings;
use crate::lex::{Token, TokenKind, identifier, lex, string_value};
use crate::plan::{Replacement, Script};

/// A text's tokens, and the shape that they make.
#[derive(Debug)]
pub struct Shape {
    /// Equal for texts that are analysed alike, under the same settings, types and catalog.
    pub key: String,
    /// A literal's value is left out of the key.
    pub is_abstract: bool,
    tokens: Vec<Token>,
}

/// Longer texts are analysed by themselves.
const MAX_TEXT: usize = 16 * 1024;

/// First words of statements whose analysis does not look into literals.
const WORDS: [&str; 6] = ["select", "insert", "update", "delete", "merge", "with"];

impl Shape {
    /// The shape of a text; `None` where literals may decide more than a value.
    pub fn of(text: &str, settings: &Settings) -> Option<Self> {
        if text.len() > MAX_TEXT
            || !settings.standard_conforming_strings
            || (settings.client_encoding != "UTF8" && !text.is_ascii())
        {
            return None;
        }
        let tokens = lex(text).ok()?;
        let first = &text[tokens.first()?.range.clone()];
        if !WORDS.iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return None;
        }
        let mut key = String::with_capacity(text.len());
        let mut is_abstract = false;
        let mut lists = Lists::default();
        for (index, token) in tokens.iter().enumerate() {
            let word = &text[token.range.clone()];
            let before = index.checked_sub(1).map(|i| &tokens[i]);
            match token.kind {
                // Several statements, and forms that are refused by their value.
                TokenKind::Punctuation if word == ";" && index + 1 < tokens.len() => return None,
                TokenKind::UnicodeWord | TokenKind::UnicodeString | TokenKind::BitString => {
                    return None;
                }
                TokenKind::Word | TokenKind::QuotedWord
                    if identifier(text, token)
                        .is_none_or(|name| crate::analyse::runs_text(&name)) =>
                {
                    return None;
                }
                // A comment that touches an operator: the parser may read more of it as one.
                TokenKind::Operator
                    if ["/*", "--"].iter().any(|c| text[token.range.end..].starts_with(c)) =>
                {
                    return None;
                }
                // It has a type.
                TokenKind::NationalString => {
                    is_abstract = true;
                    key.push('\u{3}');
                }
                TokenKind::String | TokenKind::EscapeString | TokenKind::DollarString => {
                    is_abstract = true;
                    key.push('\u{1}');
                }
                TokenKind::Number if lists.is_value(text, before) => {
                    is_abstract = true;
                    key.push('\u{2}');
                }
                TokenKind::Word
                | TokenKind::QuotedWord
                | TokenKind::Param
                | TokenKind::Number
                | TokenKind::Punctuation
                | TokenKind::Operator => key.push_str(word),
            }
            key.push('\0');
            lists.see(text, token, before);
        }
        Some(Self { key, is_abstract, tokens })
    }
}

/// Which parentheses hold values: those behind VALUES and IN.
#[derive(Debug, Default)]
struct Lists {
    open: Vec<bool>,
    /// VALUES was seen, and nothing but rows since.
    rows: bool,
}

impl Lists {
    fn see(&mut self, text: &str, token: &Token, before: Option<&Token>) {
        let word = &text[token.range.clone()];
        let behind = |wanted: &str| {
            before.is_some_and(|t| text[t.range.clone()].eq_ignore_ascii_case(wanted))
        };
        match word {
            "(" => {
                let row = self.rows && self.open.is_empty() && (behind("values") || behind(","));
                self.open.push(row || behind("in"));
            }
            ")" => {
                self.open.pop();
            }
            _ if self.open.is_empty() && word.eq_ignore_ascii_case("values") => self.rows = true,
            _ if self.open.is_empty() && word != "," => self.rows = false,
            _ => {}
        }
    }

    /// A number here is a value and nothing else.
    fn is_value(&self, text: &str, before: Option<&Token>) -> bool {
        let Some(before) = before else { return false };
        let word = &text[before.range.clone()];
        let in_list = self.open.last() == Some(&true) && matches!(word, "(" | ",");
        in_list
            || before.kind == TokenKind::Operator
            || word.eq_ignore_ascii_case("limit")
            || word.eq_ignore_ascii_case("offset")
    }
}

/// An analysis that can be put on other texts of its shape.
#[derive(Debug)]
pub struct Template {
    script: Script,
    /// Token behind the statement's last one.
    end: usize,
    /// For each edit: its first token, the one behind its last, and that of its literal.
    edits: Vec<(usize, usize, Option<usize>)>,
}

impl Template {
    /// From the analysis of a text of this shape. `None` where nothing is gained, or something in
    /// the plan belongs to this text alone.
    pub fn new(script: &Script, shape: &Shape) -> Option<Self> {
        let [planned] = script.statements.as_slice() else { return None };
        if !shape.is_abstract || planned.refusal.is_some() || !planned.resolves.is_empty() {
            return None;
        }
        let tokens = &shape.tokens;
        let from = |start: usize| tokens.binary_search_by_key(&start, |t| t.range.start).ok();
        let until = |end: usize| Some(tokens.binary_search_by_key(&end, |t| t.range.end).ok()? + 1);
        let mut edits = Vec::with_capacity(planned.edits.len());
        for edit in &planned.edits {
            let (first, end) = (from(edit.range.start)?, until(edit.range.end)?);
            let literal = match edit.with {
                Replacement::Text(_) | Replacement::Resolved { .. } => None,
                Replacement::Seal { .. } | Replacement::SealArray { .. } => {
                    let mut strings = (first..end).filter(|i| tokens[*i].kind.is_string());
                    let literal = strings.next()?;
                    strings.next().is_none().then_some(())?;
                    Some(literal)
                }
            };
            edits.push((first, end, literal));
        }
        let end = until(planned.range.end)?;
        let mut script = script.clone();
        for edit in script.statements.iter_mut().flat_map(|planned| &mut planned.edits) {
            // Values of this text are not kept.
            if let Replacement::Seal { value, .. } | Replacement::SealArray { value, .. } =
                &mut edit.with
            {
                *value = Arc::from("");
            }
        }
        Some(Self { script, end, edits })
    }

    /// The analysis of another text of the same shape.
    pub fn apply(&self, text: &str, shape: &Shape) -> Option<Script> {
        let mut script = self.script.clone();
        let planned = script.statements.first_mut()?;
        let tokens = &shape.tokens;
        planned.range = tokens.first()?.range.start..tokens.get(self.end - 1)?.range.end;
        for (edit, (first, end, literal)) in planned.edits.iter_mut().zip(&self.edits) {
            edit.range = tokens.get(*first)?.range.start..tokens.get(end - 1)?.range.end;
            if let Replacement::Seal { value, .. } | Replacement::SealArray { value, .. } =
                &mut edit.with
            {
                *value = Arc::from(string_value(text, tokens.get((*literal)?)?)?);
            }
        }
        Some(script)
    }
}
