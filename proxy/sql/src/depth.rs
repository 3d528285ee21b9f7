//! How much stack a statement may need, from its tokens alone.
//!
//! The parser bounds how deep it recurses, but what it reads in a loop becomes a tree as deep as
//! the loop was long: `x::t::t`, `x IS NULL IS NULL`, `a || b || c`. Analysing such a tree
//! recurses, and so does dropping it; a client could end the process with a few kilobytes. So the
//! depth is estimated before anything is parsed, never too low; the stack is grown to fit, and
//! what would need too much is refused.

use crate::lex::{Token, TokenKind};
use crate::refusal::{Reason, Refusal};

/// What a statement needs without any nesting. This and the following are bytes, measured without
/// optimisation and rounded up; with it they are a fraction.
const BASE: usize = 256 * 1024;
/// A level of parentheses, brackets or CASE: the parser's recursion through a subquery.
const NESTED: usize = 44 * 1024;
/// The parser refuses more levels than this ([`crate::parse`]).
const MAX_NESTED: usize = 200;
/// A level that analysis recurses into, or a prefix operator, which the parser recurses into.
const RECURSED: usize = 16 * 1024;
/// More of them in a row are refused: 16 MB.
const MAX_RECURSED: usize = 1000;
/// A level that only dropping the tree recurses into.
const DROPPED: usize = 256;
/// More stack than this is refused: two million operators in one expression.
const MAX_STACK: usize = 512 * 1024 * 1024;

/// Runs `work`, which parses and analyses the statement, on a stack that is large enough.
pub(crate) fn with_stack<T>(
    text: &str,
    tokens: &[Token],
    work: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    match needed(text, tokens) {
        Some(stack) => stacker::maybe_grow(stack, stack + BASE, work),
        None => Err(Reason::Unparsed("it is nested too deeply".into())
            .at(tokens.first().map(|token| token.range.start))),
    }
}

/// What has been counted since a bracket was opened.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Opened by CASE.
    case: bool,
    /// Operators that analysis recurses into, one behind the other.
    recursed: usize,
    /// Operators that may be prefix operators, one behind the other.
    prefixes: usize,
    /// BETWEEN that has not met its AND.
    between: usize,
    /// Everything that may deepen the tree.
    dropped: usize,
    /// Set operations, over whole lists.
    sets: usize,
}

/// Bytes of stack; `None` is too much.
fn needed(text: &str, tokens: &[Token]) -> Option<usize> {
    let mut levels = vec![Level::default()];
    // Of the levels below the innermost.
    let mut outer = Level::default();
    let mut most = 0;
    // The token before was an operand's last.
    let mut behind_operand = false;
    // Words one behind the other: `INTERVAL INTERVAL`.
    let mut words = 0;
    for token in tokens {
        let word = &text[token.range.clone()];
        words = if token.kind == TokenKind::Word { words + 1 } else { 0 };
        let was_behind_operand = std::mem::replace(&mut behind_operand, true);
        // There is always the outermost.
        let level = levels.last_mut()?;
        match token.kind {
            TokenKind::Punctuation => {
                behind_operand = matches!(word, ")" | "]");
                match word {
                    "(" | "[" => {
                        level.recursed += usize::from(word == "[");
                        open(&mut levels, &mut outer, false);
                    }
                    ")" | "]" => close(&mut levels, &mut outer),
                    "," => {
                        *level = Level { case: level.case, sets: level.sets, ..Level::default() };
                    }
                    "::" => level.recursed += 1,
                    _ => level.dropped += 1,
                }
            }
            TokenKind::Operator => {
                behind_operand = false;
                level.dropped += 1;
                if matches!(word, "=" | "<>" | "!=" | "@>" | "<@" | "&&") {
                    level.recursed += 1;
                } else {
                    level.prefixes += 1;
                }
            }
            TokenKind::Word => {
                let folded = Folded::of(word);
                level.dropped += 1;
                match folded.as_str() {
                    "case" => {
                        behind_operand = false;
                        open(&mut levels, &mut outer, true);
                    }
                    "end" if was_behind_operand && level.case => close(&mut levels, &mut outer),
                    "and" if level.between > 0 => {
                        behind_operand = false;
                        level.between -= 1;
                    }
                    "and" | "or" | "when" | "then" | "else" | "union" | "intersect" | "except" => {
                        behind_operand = false;
                        level.sets += 1;
                        if was_behind_operand {
                            (level.recursed, level.prefixes) = (0, 0);
                        }
                    }
                    "not" | "explain" | "prepare" | "analyze" | "verbose" => {
                        behind_operand = false;
                        level.prefixes += 1;
                    }
                    "between" => {
                        behind_operand = false;
                        level.between += 1;
                        level.recursed += 1;
                    }
                    "is" | "in" | "like" | "ilike" | "similar" | "collate" | "at" | "escape" => {
                        behind_operand = false;
                        level.recursed += 1;
                    }
                    // Each in one of the operators above.
                    "isnull" | "notnull" => level.recursed += 1,
                    "distinct" | "from" | "to" | "zone" | "any" | "some" | "all" | "symmetric" => {
                        behind_operand = false;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        let level = levels.last()?;
        let recursed = outer.recursed + level.recursed;
        if recursed > MAX_RECURSED {
            return None;
        }
        let prefixes = (outer.prefixes + level.prefixes + words).min(MAX_NESTED);
        let dropped = outer.dropped + level.dropped + outer.sets + level.sets;
        let stack = BASE
            + levels.len().min(MAX_NESTED) * NESTED
            + (recursed + prefixes) * RECURSED
            + dropped * DROPPED;
        most = most.max(stack);
    }
    (most <= MAX_STACK).then_some(most)
}

fn open(levels: &mut Vec<Level>, outer: &mut Level, case: bool) {
    if let Some(level) = levels.last() {
        outer.recursed += level.recursed;
        outer.prefixes += level.prefixes;
        outer.dropped += level.dropped;
        outer.sets += level.sets;
    }
    levels.push(Level { case, ..Level::default() });
}

/// Closes the innermost level; the outermost stays, whatever the text has closed too often.
fn close(levels: &mut Vec<Level>, outer: &mut Level) {
    if levels.len() == 1 {
        return;
    }
    levels.pop();
    if let Some(level) = levels.last() {
        outer.recursed -= level.recursed;
        outer.prefixes -= level.prefixes;
        outer.dropped -= level.dropped;
        outer.sets -= level.sets;
    }
}

/// A word in lower case, if it is short enough to be one of those that matter.
struct Folded {
    bytes: [u8; 9],
    length: usize,
}

impl Folded {
    fn of(word: &str) -> Self {
        let mut bytes = [0; 9];
        let length = if word.len() <= bytes.len() && word.is_ascii() { word.len() } else { 0 };
        bytes[..length].copy_from_slice(&word.as_bytes()[..length]);
        bytes.make_ascii_lowercase();
        Self { bytes, length }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex::lex;

    fn levels(text: &str) -> Option<usize> {
        Some((needed(text, &lex(text).unwrap())? - BASE) / RECURSED)
    }

    #[test]
    fn ordinary_statements_need_little() {
        let text = "SELECT u.id, u.email FROM users u JOIN orders o ON o.user_id = u.id \
                    WHERE u.email = $1 AND (o.total > 5 OR u.id IN (1, 2)) ORDER BY u.id";
        assert!(needed(text, &lex(text).unwrap()).unwrap() < 768 * 1024);
        let rows = vec!["($1::text, -1, CASE WHEN a = 1 THEN b END)"; 10_000].join(", ");
        assert!(levels(&format!("INSERT INTO t VALUES {rows}")).unwrap() < 40);
        let chain = vec!["email = 'a' AND id IN (1)"; 500].join(" OR ");
        assert!(levels(&format!("SELECT FROM t WHERE {chain}")).unwrap() < 200);
    }

    /// Words that the parser would take for names do not hide a chain.
    #[test]
    fn chains_are_seen() {
        for link in [
            "::t",
            "= or",
            "= end",
            " IS NULL",
            " IS DISTINCT FROM or",
            " LIKE and",
            " BETWEEN 1 AND 2",
            "[1]",
            " COLLATE a",
            " AT TIME ZONE or",
            " IN (1)",
            "= case = end",
            " NOTNULL",
            " BETWEEN or AND or",
        ] {
            let text = format!("SELECT x{}", link.repeat(MAX_RECURSED + 1));
            assert_eq!(levels(&text), None, "{link}");
        }
    }
}
