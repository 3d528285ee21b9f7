//! Literals and parameters in the token stream, with the parentheses and casts around them.
//!
//! A cast on a value that gets sealed is carried out on the value and must vanish from the text:
//! `$1::varchar(50)` over a token would cut it. The parser's spans of composite expressions miss
//! closing parentheses and keywords, so the extent is found here, token by token; where the
//! tokens are not what the tree says, there is no leaf, and the expression counts as plain.

use std::ops::Range;
use std::sync::Arc;

use pgveil_seal::{Fold, LogicalType};
use sqlparser::ast::{
    ArrayElemTypeDef, CastKind, CharacterLength, DataType, Expr, ObjectName, TypeModifier, Value,
};
use sqlparser::tokenizer::Span;

use super::Analysis;
use super::kind::{Array, Element, Kind, Leaf, LeafValue};
use crate::lex::{Token, TokenKind, identifier, string_value, unicode_value};
use crate::parse::start_of;
use crate::refusal::{Reason, Refusal};

/// What is found so far on the way outwards.
pub(super) struct Found {
    pub(super) value: LeafValue,
    pub(super) token: usize,
    pub(super) extent: Range<usize>,
    pub(super) casts: Vec<LogicalType>,
    /// `lower` or `upper` around all that.
    pub(super) fold: Option<Fold>,
    /// The outermost cast is to an array of this type.
    pub(super) array: Option<LogicalType>,
}

/// A string literal with what stands around it.
pub(super) struct Constant {
    pub(super) value: Arc<str>,
    /// Its tokens, parentheses and casts included.
    pub(super) extent: Range<usize>,
    /// Innermost first.
    pub(super) casts: Vec<LogicalType>,
}

impl Analysis<'_> {
    /// The leaf that an expression is, seen through parentheses and casts to character types.
    pub(super) fn leaf(&mut self, expr: &Expr) -> Result<Option<Kind>, Refusal> {
        let Some(found) = self.find_leaf(expr)? else { return Ok(None) };
        let typed = found.array.map(LogicalType::unbounded);
        let is_array = found.array.is_some();
        let leaf = self.leaf_of(found, is_array);
        Ok(Some(match (self.kinds.leaf(leaf), typed) {
            (Kind::Free(var), Some(_)) => {
                let physical = LogicalType::Text;
                Kind::Array(Array { element: Element::Free(var), typed, physical, by_value: false })
            }
            (kind, _) => kind,
        }))
    }

    /// The elements of an array parameter or literal where an array is wanted: in `= ANY (...)`
    /// and `unnest(...)`.
    pub(super) fn array_leaf(&mut self, expr: &Expr) -> Result<Option<Kind>, Refusal> {
        let Some(found) = self.find_leaf(expr)? else { return Ok(None) };
        if found.array.is_none() && (!found.casts.is_empty() || found.fold.is_some()) {
            return Ok(None);
        }
        let leaf = self.leaf_of(found, true);
        Ok(Some(self.kinds.leaf(leaf)))
    }

    /// The string literal that an expression is, seen through parentheses and casts.
    pub(super) fn literal(&mut self, expr: &Expr) -> Result<Option<Constant>, Refusal> {
        Ok(match self.find_leaf(expr)? {
            Some(Found {
                value: LeafValue::Literal(value),
                extent,
                casts,
                fold: None,
                array: None,
                ..
            }) => Some(Constant { value, extent, casts }),
            _ => None,
        })
    }

    fn leaf_of(&self, found: Found, array: bool) -> Leaf {
        let oid = match found.value {
            LeafValue::Param(index) => self.types.get(index).copied().unwrap_or(0),
            LeafValue::Literal(_) => 0,
        };
        let types = [LogicalType::Text, LogicalType::Varchar(None), LogicalType::Char(None)];
        let declares = |t: &LogicalType| oid == if array { t.array_oid() } else { t.oid() };
        Leaf {
            value: found.value,
            extent: found.extent,
            token: found.token,
            casts: found.casts,
            array,
            array_cast: found.array,
            // Whatever goes into them, `lower` and `upper` give text.
            is_text: found.fold.is_some(),
            declared: types.into_iter().find(declares).filter(|_| found.fold.is_none()),
            fold: found.fold,
            in_rows: false,
            constant: false,
            compared: false,
            grouped: false,
            tested: false,
            sealed: None,
        }
    }

    pub(super) fn find_leaf(&mut self, expr: &Expr) -> Result<Option<Found>, Refusal> {
        Ok(match expr {
            Expr::Value(value) => {
                let Some(token) = self.token_at(value.span) else { return Ok(None) };
                // `N'...'` is a typed literal: `nchar '...'`.
                let national = self.tokens[token].kind == TokenKind::NationalString;
                let end = token + if self.escape_clause(token).is_some() { 3 } else { 1 };
                self.value_leaf(&value.value, token)?.map(|value| Found {
                    value,
                    token,
                    extent: token..end,
                    casts: if national { vec![LogicalType::Char(None)] } else { Vec::new() },
                    fold: None,
                    array: None,
                })
            }
            Expr::TypedString(typed) => {
                let Some(token) = self.token_at(typed.value.span) else { return Ok(None) };
                let Some(cast) = character_type(&typed.data_type) else { return Ok(None) };
                // In front of a literal, character without a length has none (PostgreSQL,
                // `gram.y`, ConstCharacter).
                let cast = match typed.data_type {
                    DataType::Character(None) | DataType::Char(None) => LogicalType::Char(None),
                    _ => cast,
                };
                let Some(start) = type_start(self.text, self.tokens, token) else {
                    return Ok(None);
                };
                if self.tokens[token].kind == TokenKind::NationalString {
                    return Ok(None);
                }
                self.value_leaf(&typed.value.value, token)?.map(|value| Found {
                    value,
                    token,
                    extent: start..token + 1,
                    casts: vec![cast],
                    fold: None,
                    array: None,
                })
            }
            Expr::Nested(inner) => {
                let Some(found) = self.find_leaf(inner)? else { return Ok(None) };
                self.inside(found, 1, &["("], &[")"])
            }
            Expr::Cast { kind, expr, data_type, format: None } => {
                let (cast, array) = match data_type {
                    DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)) => {
                        match character_type(element) {
                            // A length cuts each element, as a cast of a single value does.
                            Some(cast) => ((!unbounded(cast)).then_some(cast), Some(cast)),
                            None => return Ok(None),
                        }
                    }
                    other => match character_type(other) {
                        Some(cast) => (Some(cast), None),
                        None => return Ok(None),
                    },
                };
                let Some(found) = self.find_leaf(expr)? else { return Ok(None) };
                // What is folded is text already.
                if found.fold.is_some() && cast != Some(LogicalType::Text) {
                    return Ok(None);
                }
                let cast = cast.filter(|_| found.fold.is_none());
                // An array may be cast to another array type, and nothing else to or from one.
                let from_array = found.array.is_some();
                if from_array != array.is_some() && (from_array || !found.casts.is_empty()) {
                    return Ok(None);
                }
                let found = match kind {
                    CastKind::DoubleColon => {
                        let at = found.extent.end;
                        self.is(at, "::")
                            .then(|| type_end(self.text, self.tokens, at + 1))
                            .flatten()
                            .map(|end| Found { extent: found.extent.start..end, ..found })
                    }
                    CastKind::Cast => {
                        let at = found.extent.end;
                        let end = self
                            .is(at, "as")
                            .then(|| type_end(self.text, self.tokens, at + 1))
                            .flatten();
                        let start = found.extent.start;
                        end.filter(|end| {
                            start >= 2
                                && self.is(start - 2, "cast")
                                && self.is(start - 1, "(")
                                && self.is(*end, ")")
                        })
                        .map(|end| Found { extent: start - 2..end + 1, ..found })
                    }
                    CastKind::TryCast | CastKind::SafeCast => None,
                };
                found.map(|mut found| {
                    found.casts.extend(cast);
                    found.array = found.array.or(array);
                    found
                })
            }
            Expr::Function(function) => {
                let Some((fold, argument)) = self.fold_call(function) else { return Ok(None) };
                let Some(found) = self.find_leaf(argument)? else { return Ok(None) };
                // Of a value of type character the function does not see the trailing blanks.
                let blank = |cast: &LogicalType| matches!(cast, LogicalType::Char(_));
                if found.fold.is_some() || found.array.is_some() || found.casts.iter().any(blank) {
                    return Ok(None);
                }
                let words = function.name.0.len() * 2;
                self.inside(found, words, &CALL[CALL.len() - words..], &[")"])
                    .map(|found| Found { fold: Some(fold), ..found })
            }
            _ => None,
        })
    }

    /// Widens the extent by tokens that must stand around it.
    fn inside(&self, found: Found, by: usize, before: &[&str], after: &[&str]) -> Option<Found> {
        let start = found.extent.start.checked_sub(by)?;
        let around = (0..by).all(|i| before[i].is_empty() || self.is(start + i, before[i]))
            && after.iter().enumerate().all(|(i, word)| self.is(found.extent.end + i, word));
        around.then(|| Found { extent: start..found.extent.end + after.len(), ..found })
    }

    /// The token that begins where a leaf's span does.
    pub(super) fn token_at(&self, span: Span) -> Option<usize> {
        let start = start_of(span)?;
        self.tokens.binary_search_by_key(&start, |token| token.range.start).ok()
    }

    /// The token at an index is this keyword or punctuation.
    pub(super) fn is(&self, index: usize, word: &str) -> bool {
        self.tokens
            .get(index)
            .is_some_and(|t| self.text[t.range.clone()].eq_ignore_ascii_case(word))
    }

    fn value_leaf(&mut self, value: &Value, token: usize) -> Result<Option<LeafValue>, Refusal> {
        let kind = self.tokens[token].kind;
        if let Value::Placeholder(_) = value {
            self.seen.insert(token);
            let number = &self.text[self.tokens[token].range.clone()][1..];
            let index = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            return Ok(index.filter(|n| *n < MAX_PARAMS).map(LeafValue::Param));
        }
        if !kind.is_string() {
            return Ok(None);
        }
        self.seen.insert(token);
        let range = &self.tokens[token].range;
        if !self.settings.standard_conforming_strings
            && kind == TokenKind::String
            && self.text[range.clone()].contains('\\')
        {
            return Err(Reason::Backslash.at(Some(range.start)));
        }
        if kind == TokenKind::UnicodeString {
            let escape = match self.escape_clause(token) {
                Some(escape) => {
                    self.seen.insert(token + 2);
                    escape
                }
                None => '\\',
            };
            let value = self
                .settings
                .standard_conforming_strings
                .then(|| unicode_value(self.text, &self.tokens[token], escape))
                .flatten();
            return match value {
                Some(value) => Ok(Some(LeafValue::Literal(Arc::from(value)))),
                None => Err(Reason::InvalidLiteral.at(Some(range.start))),
            };
        }
        match string_value(self.text, &self.tokens[token]) {
            Some(value) => Ok(Some(LeafValue::Literal(Arc::from(value)))),
            None => Err(Reason::InvalidLiteral.at(Some(range.start))),
        }
    }

    /// The character in `UESCAPE '!'` behind a literal.
    fn escape_clause(&self, token: usize) -> Option<char> {
        let is_unicode = self.tokens[token].kind == TokenKind::UnicodeString;
        if !is_unicode || !self.is(token + 1, "uescape") {
            return None;
        }
        let clause = self.tokens.get(token + 2).filter(|t| t.kind == TokenKind::String)?;
        let value = string_value(self.text, clause)?;
        let mut characters = value.chars();
        match (characters.next(), characters.next()) {
            (Some(escape), None) => Some(escape),
            // No character that escapes anything: the literal is not valid.
            _ => Some('\''),
        }
    }
}

/// What stands in front of the argument of a call by a name with a schema, or without one. The
/// names are known.
const CALL: [&str; 4] = ["", ".", "", "("];

/// The protocol counts parameters in 16 bits.
const MAX_PARAMS: usize = 65535;

fn unbounded(logical: LogicalType) -> bool {
    matches!(logical, LogicalType::Text | LogicalType::Varchar(None))
}

/// A character type as the parser read it. `None` for every other type.
pub(super) fn character_type(data_type: &DataType) -> Option<LogicalType> {
    let length = |length: &Option<CharacterLength>| match length {
        None => Some(None),
        Some(CharacterLength::IntegerLength { length, unit: None }) => {
            Some(Some(u32::try_from(*length).ok()?))
        }
        Some(_) => None,
    };
    match data_type {
        DataType::Text => Some(LogicalType::Text),
        DataType::Varchar(n) | DataType::CharacterVarying(n) | DataType::CharVarying(n) => {
            Some(LogicalType::Varchar(length(n)?))
        }
        // Without a length, character is character(1).
        DataType::Character(n) | DataType::Char(n) => {
            Some(LogicalType::Char(Some(length(n)?.unwrap_or(1))))
        }
        DataType::Custom(name, modifiers) => custom(name, modifiers),
        _ => None,
    }
}

/// The type of the elements of an array of a character type.
pub(super) fn array_type(data_type: &DataType) -> Option<LogicalType> {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)) => character_type(element),
        _ => None,
    }
}

/// `bpchar`, and the types by their names in `pg_catalog`.
fn custom(name: &ObjectName, modifiers: &[TypeModifier]) -> Option<LogicalType> {
    let parts: Vec<String> =
        name.0.iter().map(|part| part.as_ident().map(super::scope::fold)).collect::<Option<_>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let length = match modifiers {
        [] => None,
        [length] => Some(length.to_string().parse().ok()?),
        _ => return None,
    };
    match parts.as_slice() {
        ["pg_catalog", "text"] if length.is_none() => Some(LogicalType::Text),
        ["pg_catalog", "varchar"] => Some(LogicalType::Varchar(length)),
        ["bpchar"] | ["pg_catalog", "bpchar"] => Some(LogicalType::Char(length)),
        _ => None,
    }
}

/// Where the character type begins that ends in front of `end`.
fn type_start(text: &str, tokens: &[Token], end: usize) -> Option<usize> {
    let is = |index: Option<usize>, wanted: &str| {
        index
            .and_then(|index| tokens.get(index))
            .is_some_and(|token| text[token.range.clone()].eq_ignore_ascii_case(wanted))
    };
    let mut start = end;
    if is(start.checked_sub(1), ")") && is(start.checked_sub(3), "(") {
        start -= 3;
    }
    start = start.checked_sub(1)?;
    if is(Some(start), "varying") {
        start = start.checked_sub(1)?;
    }
    while is(start.checked_sub(1), ".") {
        start = start.checked_sub(2)?;
    }
    (type_end(text, tokens, start) == Some(end)).then_some(start)
}

/// The index behind a type's tokens, which begin at `index`.
pub(super) fn type_end(text: &str, tokens: &[Token], mut index: usize) -> Option<usize> {
    let word = |index: usize| tokens.get(index).and_then(|token| identifier(text, token));
    let is = |index: usize, wanted: &str| {
        tokens.get(index).is_some_and(|t| &text[t.range.clone()] == wanted)
    };
    let mut last = word(index)?;
    index += 1;
    while is(index, ".") {
        last = word(index + 1)?;
        index += 2;
    }
    if matches!(last.as_str(), "character" | "char" | "national")
        && word(index).as_deref() == Some("varying")
    {
        index += 1;
    }
    if is(index, "(") {
        // The parser lets `bpchar()` pass.
        (!is(index + 1, ")")).then_some(())?;
        while !is(index, ")") {
            index += 1;
            tokens.get(index)?;
        }
        index += 1;
    }
    while is(index, "[") {
        index += 1;
        if tokens.get(index)?.kind == TokenKind::Number {
            index += 1;
        }
        is(index, "]").then_some(())?;
        index += 1;
    }
    Some(index)
}
