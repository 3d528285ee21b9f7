//! PREPARE and DECLARE: statements that give another one a name.

use std::borrow::Cow;
use std::ops::Range;

use pgveil_seal::LogicalType;

use super::Analysis;
use super::classify::Words;
use crate::catalog::Settings;
use crate::lex::{TokenKind, identifier, lex, string_value};
use crate::parse::parse;
use crate::plan::{Defined, Edit, Name, ParamMap, ParamSeal, Planned, Referred, Replacement, Verb};
use crate::refusal::{Reason, Refusal};

impl Analysis<'_> {
    /// PREPARE or DECLARE of a statement over something in scope.
    pub(super) fn define(&mut self, planned: &mut Planned) -> Result<(), Refusal> {
        let words = Words { text: self.text, tokens: self.tokens };
        let Some(name) = planned.defines.take().map(|defined| defined.name) else {
            return Err(self.unparsed("a statement without a name"));
        };
        let prepares = matches!(name, Name::Statement(_));
        let body = if prepares {
            let types = self.parameter_types();
            let body = after_types(&words);
            self.types = Cow::Owned(types);
            words.is(body, "as").then_some(body + 1)
        } else {
            (2..self.tokens.len()).find(|index| words.is(*index, "for")).map(|at| at + 1)
        };
        let Some(body) = body.filter(|body| *body < self.tokens.len()) else {
            return Err(self.unparsed("a statement without a body"));
        };
        let tree = parse(self.text, &self.tokens[body..])?;
        let (verb, columns) = self.statement(&tree)?;
        if !self.touched {
            planned.effects.merge(std::mem::take(&mut self.effects));
            let (params, output) = (ParamMap::default(), Vec::new());
            planned.defines = Some(Defined { name, verb, params, output });
            return Ok(());
        }
        let runs =
            matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge);
        if !runs || (!prepares && verb != Verb::Select) {
            return Err(self.unparsed("a statement that cannot be given a name"));
        }
        self.operators_are_the_servers()?;
        self.finish(planned, &columns)?;
        planned.facts.verb = verb.as_str();
        let params = if prepares {
            let declared = self.types.len();
            let mut params = std::mem::take(&mut planned.params);
            params.client = params.client.max(declared);
            params
        } else {
            // Those of a cursor were given when it was declared.
            ParamMap::default()
        };
        let output = std::mem::take(&mut planned.output);
        planned.defines = Some(Defined { name, verb, params, output });
        Ok(())
    }

    /// The types in `PREPARE name (type, ...)`. The server drops lengths.
    fn parameter_types(&self) -> Vec<u32> {
        let words = Words { text: self.text, tokens: self.tokens };
        let end = after_types(&words);
        if end == 2 {
            return Vec::new();
        }
        let types = arguments(&words, 3..end - 1);
        types.into_iter().map(|tokens| self.type_oid(tokens)).collect()
    }

    /// The oid of a character type; of any other type, one that is none of those.
    fn type_oid(&self, tokens: Range<usize>) -> u32 {
        const OTHER: u32 = u32::MAX;
        let mut names = Vec::new();
        let mut array = false;
        let mut depth = 0;
        for token in &self.tokens[tokens] {
            match &self.text[token.range.clone()] {
                "(" => depth += 1,
                ")" => depth -= 1,
                "[" => array = true,
                "." if names.last().is_some_and(|name| name == "pg_catalog") => names.clear(),
                _ if depth > 0 => {}
                _ => names.extend(identifier(self.text, token)),
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (element, of_array) = match names.as_slice() {
            ["text"] => (25, 1009),
            ["varchar"]
            | ["character" | "char" | "nchar", "varying"]
            | ["national", "character" | "char", "varying"] => (1043, 1015),
            ["bpchar" | "character" | "char" | "nchar"] | ["national", "character" | "char"] => {
                (1042, 1014)
            }
            ["unknown"] => (705, OTHER),
            _ => (OTHER, OTHER),
        };
        if array { of_array } else { element }
    }
}

/// Index of the token behind `PREPARE name [(types)]`.
fn after_types(words: &Words<'_>) -> usize {
    if words.is(2, "(") { closing(words, 2) + 1 } else { 2 }
}

/// The arguments between parentheses: token ranges between commas that are in no others.
fn arguments(words: &Words<'_>, inside: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = inside.start;
    let mut depth = 0;
    for index in inside.clone() {
        match &words.text[words.tokens[index].range.clone()] {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "," if depth == 0 => {
                found.push(start..index);
                start = index + 1;
            }
            _ => {}
        }
    }
    if !inside.is_empty() {
        found.push(start..inside.end);
    }
    found
}

/// See [`crate::execute_edits`].
pub(crate) fn execute_edits(
    text: &str,
    planned: &Planned,
    params: Option<&ParamMap>,
    settings: &Settings,
) -> Result<Vec<Edit>, Refusal> {
    let tokens = lex(text).map_err(super::lex_refusal)?;
    let words = Words { text, tokens: &tokens };
    let Some(Referred::Statement { name, at }) = &planned.refers else { return Ok(Vec::new()) };
    let execute = tokens.partition_point(|token| token.range.start < *at);
    let open = execute + 2;
    let list = words.is(open, "(").then(|| closing(&words, open)).map(|close| open..close);
    let Some(params) = params else {
        let Some(list) = list else { return Ok(Vec::new()) };
        let range = tokens[list.start].range.start..tokens[list.end].range.end;
        return Ok(vec![Edit { range, with: Replacement::Text(String::new()) }]);
    };
    if params.is_identity() {
        return Ok(Vec::new());
    }
    if params.resolved > 0 {
        let what = format!("EXECUTE of \"{name}\", which pgveil resolves when it is bound");
        return Err(Reason::Unparsed(what).at(Some(*at)));
    }
    let given = list.clone().map(|list| arguments(&words, list.start + 1..list.end));
    let given = given.unwrap_or_default();
    if let Some(empty) = given.iter().find(|argument| argument.is_empty()) {
        let at = tokens.get(empty.start).map(|token| token.range.start);
        return Err(Reason::Unparsed("an argument that is empty".into()).at(at));
    }
    if given.len() != params.client {
        if params.server.len() > params.client {
            return Err(wrong_number(name, params.client, given.len()));
        }
        // The server counts alike, and says so when the statement runs.
        let null = |argument: Range<usize>| Edit {
            range: tokens[argument.start].range.start..tokens[argument.end - 1].range.end,
            with: Replacement::Text("NULL".to_owned()),
        };
        return Ok(given.into_iter().map(null).collect());
    }
    let close = list.map_or(planned.range.end, |list| tokens[list.end].range.start);
    let mut edits = Vec::new();
    // Behind the client's own parameters stand those that repeat one of them.
    let mut repeated = String::new();
    for (index, param) in params.server.iter().enumerate() {
        let argument = given[param.client].clone();
        let range = tokens[argument.start].range.start..tokens[argument.end - 1].range.end;
        let with = match &param.seal {
            None => None,
            Some(seal) => Some(sealed_argument(&words, argument, seal, settings, name)?),
        };
        if index < params.client {
            edits.extend(with.map(|with| Edit { range, with }));
            continue;
        }
        repeated.push_str(", ");
        let text_before = std::mem::take(&mut repeated);
        edits.push(Edit { range: close..close, with: Replacement::Text(text_before) });
        let with = with.unwrap_or_else(|| Replacement::Text(text[range].to_owned()));
        edits.push(Edit { range: close..close, with });
    }
    Ok(edits)
}

/// Index of the parenthesis that closes the one at `open`; the last token if none does.
fn closing(words: &Words<'_>, open: usize) -> usize {
    let mut depth = 0;
    for index in open..words.tokens.len() {
        if words.is(index, "(") {
            depth += 1;
        } else if words.is(index, ")") {
            depth -= 1;
            if depth == 0 {
                return index;
            }
        }
    }
    words.tokens.len() - 1
}

/// What an argument that meets a sealed column becomes.
fn sealed_argument(
    words: &Words<'_>,
    argument: Range<usize>,
    seal: &ParamSeal,
    settings: &Settings,
    name: &str,
) -> Result<Replacement, Refusal> {
    let first = &words.tokens[argument.start];
    let Some((at, casts)) = cast_value(words, argument) else {
        return Err(Reason::Argument(name.to_owned()).at(Some(first.range.start)));
    };
    let token = &words.tokens[at];
    let raw = &words.text[token.range.clone()];
    if words.is(at, "null") {
        return Ok(Replacement::Text("NULL".to_owned()));
    }
    if !settings.standard_conforming_strings
        && token.kind == TokenKind::String
        && raw.contains('\\')
    {
        return Err(Reason::Backslash.at(Some(token.range.start)));
    }
    let Some(value) = string_value(words.text, token).filter(|_| casts.is_empty() || !seal.array)
    else {
        return Err(Reason::Argument(name.to_owned()).at(Some(first.range.start)));
    };
    let (value, mut slot) = (value.as_ref().into(), seal.slot.clone());
    slot.casts.splice(0..0, casts);
    Ok(if seal.array {
        Replacement::SealArray { value, slot }
    } else {
        Replacement::Seal { value, slot }
    })
}

/// The only token of a value, inside parentheses and casts to character types, innermost first.
fn cast_value(words: &Words<'_>, range: Range<usize>) -> Option<(usize, Vec<LogicalType>)> {
    let Range { start, end } = range;
    if start + 1 == end {
        return Some((start, Vec::new()));
    }
    let last = end.checked_sub(1)?;
    let outermost = |open: usize| words.is(open, "(") && closing(words, open) == last;
    if outermost(start) {
        return cast_value(words, start + 1..last);
    }
    let (value, cast) = if words.is(start, "cast") && outermost(start + 1) {
        let at = (start + 2..last).rfind(|index| words.is(*index, "as"))?;
        (start + 2..at, cast_type(words, at + 1..last)?)
    } else if let Some(at) = (start..end).rfind(|index| words.is(*index, "::")) {
        (start..at, cast_type(words, at + 1..end)?)
    } else {
        let cast = match cast_type(words, start..last)? {
            // In front of a literal, character without a length has none.
            LogicalType::Char(Some(1)) if !words.is(last - 1, ")") => LogicalType::Char(None),
            cast => cast,
        };
        (last..end, cast)
    };
    let (token, mut casts) = cast_value(words, value)?;
    casts.push(cast);
    Some((token, casts))
}

/// A character type by its words.
fn cast_type(words: &Words<'_>, range: Range<usize>) -> Option<LogicalType> {
    let mut end = range.end;
    let mut length = None;
    if end >= range.start + 4 && words.is(end - 1, ")") && words.is(end - 3, "(") {
        length = Some(words.at(end - 2).parse().ok()?);
        end -= 3;
    }
    let names: Vec<String> = (range.start..end).map(|index| words.at(index)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["text"] | ["pg_catalog", ".", "text"] if length.is_none() => Some(LogicalType::Text),
        ["varchar"] | ["pg_catalog", ".", "varchar"] | ["character" | "char", "varying"] => {
            Some(LogicalType::Varchar(length))
        }
        ["character" | "char"] => Some(LogicalType::Char(length.or(Some(1)))),
        ["bpchar"] | ["pg_catalog", ".", "bpchar"] => Some(LogicalType::Char(length)),
        _ => None,
    }
}

fn wrong_number(name: &str, expected: usize, got: usize) -> Refusal {
    Refusal {
        code: "42601",
        message: format!("wrong number of parameters for prepared statement \"{name}\""),
        detail: Some(format!("Expected {expected} parameters but got {got}.")),
        hint: None,
        position: None,
    }
}
