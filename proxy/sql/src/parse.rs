//! From a statement's tokens to the parser's tree, with spans that are byte offsets.

use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span, Token as Theirs, TokenWithSpan, Tokenizer};

use crate::lex::{Token, TokenKind};
use crate::refusal::{Reason, Refusal};

/// How deep expressions and subqueries may be nested; deeper ones are refused, not parsed.
const MAX_DEPTH: usize = 200;

/// Parses one statement, whose tokens are given with ranges in the whole text.
///
/// Two lexers read the same bytes: every identifier, literal and parameter must begin at the same
/// byte for both, else the tree may say something about other tokens than those that are edited.
pub(crate) fn parse(text: &str, tokens: &[Token]) -> Result<Statement, Refusal> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Err(Reason::Unparsed("it is empty".into()).at(None));
    };
    let base = first.range.start;
    let piece = &text[base..last.range.end];
    let dialect = PostgreSqlDialect {};
    let mut theirs = Tokenizer::new(&dialect, piece)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| Reason::Unparsed(without_text(&error.message)).at(Some(base)))?;
    relocate(piece, base, &mut theirs);
    continue_strings(tokens, &mut theirs);
    same_leaves(tokens, &theirs)?;
    let theirs = spell_out(theirs);
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(theirs);
    let unparsed = |parser: &Parser<'_>, what: &str| {
        let at = start_of(parser.peek_token().span).unwrap_or(last.range.end);
        Reason::Unparsed(what.to_owned()).at(Some(at))
    };
    let is_table = text[first.range.clone()].eq_ignore_ascii_case("table");
    let parsed = if is_table {
        parser.parse_query().map(Statement::Query)
    } else {
        parser.parse_statement()
    };
    let statement = match parsed {
        Ok(statement) => statement,
        Err(sqlparser::parser::ParserError::RecursionLimitExceeded) => {
            return Err(unparsed(&parser, "it is nested too deeply"));
        }
        Err(_) => return Err(unparsed(&parser, "syntax not understood near the marked position")),
    };
    if parser.peek_token().token != Theirs::EOF {
        return Err(unparsed(&parser, "syntax not understood near the marked position"));
    }
    Ok(statement)
}

/// Error texts may quote the statement; ours may not.
fn without_text(message: &str) -> String {
    message.split([':', '\'', '"', '`']).next().unwrap_or_default().trim().to_owned()
}

/// The byte where a leaf begins. Spans hold `byte + 1` as their line; see [`relocate`].
pub(crate) fn start_of(span: Span) -> Option<usize> {
    usize::try_from(span.start.line).ok()?.checked_sub(1)
}

/// Replaces line and column, which count characters, by byte offsets into the whole text.
fn relocate(piece: &str, base: usize, tokens: &mut [TokenWithSpan]) {
    let mut position = (1u64, 1u64);
    let mut bytes = piece.char_indices();
    let mut at = 0;
    let mut seek = |to: Location| {
        while position < (to.line, to.column) {
            let Some((index, character)) = bytes.next() else { break };
            at = index + character.len_utf8();
            position =
                if character == '\n' { (position.0 + 1, 1) } else { (position.0, position.1 + 1) };
        }
        Location { line: (base + at) as u64 + 1, column: 1 }
    };
    for token in tokens {
        token.span = Span { start: seek(token.span.start), end: seek(token.span.end) };
    }
}

/// A string may go on in another quoted piece on the next line: one token for the server and for
/// us, several for the parser. Its value is read from the text, so the first piece stands for all.
fn continue_strings(ours: &[Token], theirs: &mut Vec<TokenWithSpan>) {
    let mut strings = ours.iter().filter(|token| token.kind.is_string()).peekable();
    theirs.retain(|token| {
        let Some(start) = start_of(token.span) else { return true };
        while strings.next_if(|string| string.range.end <= start).is_some() {}
        strings.peek().is_none_or(|string| start <= string.range.start)
    });
}

/// Spells out what the parser does not know and what has a longer form of the same meaning for
/// analysis: `ISNULL` and `NOTNULL`, and the row locks between `FOR UPDATE` and `FOR SHARE`.
fn spell_out(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let word = |token: &TokenWithSpan| match &token.token {
        Theirs::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_lowercase()),
        _ => None,
    };
    let mut tokens = tokens;
    all_fields(&mut tokens);
    current_of(&mut tokens);
    folded_targets(&mut tokens);
    without_escape_clauses(&mut tokens);
    let has = tokens.iter().filter_map(word).any(|w| matches!(&*w, "isnull" | "notnull" | "key"));
    if !has {
        return tokens;
    }
    let mut spelled: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 2);
    let mut words: Vec<String> = Vec::new();
    for token in tokens {
        let span = token.span;
        let keyword = |text: &str| TokenWithSpan { token: Theirs::make_keyword(text), span };
        let Some(found) = word(&token) else {
            if !matches!(token.token, Theirs::Whitespace(_)) {
                words.clear();
            }
            spelled.push(token);
            continue;
        };
        match &*found {
            "isnull" => spelled.extend(["IS", "NULL"].map(keyword)),
            "notnull" => spelled.extend(["IS", "NOT", "NULL"].map(keyword)),
            "update" if ends_with(&words, &["for", "no", "key"]) => {
                cut_words(&mut spelled, 2);
                spelled.push(token);
            }
            "share" if ends_with(&words, &["for", "key"]) => {
                cut_words(&mut spelled, 1);
                spelled.push(token);
            }
            _ => spelled.push(token),
        }
        words.push(found);
    }
    spelled
}

/// Takes `UESCAPE '!'` away, which the parser does not know: the literal's value is read from the
/// text.
fn without_escape_clauses(tokens: &mut Vec<TokenWithSpan>) {
    let mut state = 0;
    tokens.retain(|token| {
        state = match (&token.token, state) {
            (Theirs::Whitespace(_), state) => state,
            (Theirs::UnicodeStringLiteral(_), _) => 1,
            (Theirs::Word(word), 1)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("uescape") =>
            {
                2
            }
            (Theirs::SingleQuotedString(_), 2) => {
                state = 0;
                return false;
            }
            _ => 0,
        };
        state != 2
    });
}

/// The quote of the name that stands for `*` in `(row).*`: no name in a text has it.
const STAR_QUOTE: char = '*';

/// Makes a field of the `*` in `(row).*`, which the parser does not know.
fn all_fields(tokens: &mut [TokenWithSpan]) {
    let mut before: [Option<&Theirs>; 2] = [None, None];
    let mut stars = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Theirs::Whitespace(_) => continue,
            Theirs::Mul if before == [Some(&Theirs::RParen), Some(&Theirs::Period)] => {
                stars.push(index);
            }
            _ => {}
        }
        before = [before[1], Some(&token.token)];
    }
    for index in stars {
        tokens[index].token = Theirs::make_word("*", Some(STAR_QUOTE));
    }
}

/// Makes a condition of `WHERE CURRENT OF cursor`, which the parser does not know and which has no
/// value in it.
fn current_of(tokens: &mut Vec<TokenWithSpan>) {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut found = None;
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Theirs::Whitespace(_) => {}
            Theirs::Word(word) => {
                let after = words.len().checked_sub(3).map(|from| &words[from..]);
                if let Some([(_, r#where), (current, second), (_, third)]) = after
                    && (r#where.as_str(), second.as_str(), third.as_str())
                        == ("where", "current", "of")
                {
                    found = Some(*current..index + 1);
                    break;
                }
                let folded = match word.quote_style {
                    None => word.value.to_ascii_lowercase(),
                    Some(_) => String::new(),
                };
                words.push((index, folded));
            }
            _ => words.clear(),
        }
    }
    if let Some(range) = found {
        let span = tokens[range.start].span;
        tokens.splice(range, [TokenWithSpan { token: Theirs::make_keyword("TRUE"), span }]);
    }
}

/// True for what [`all_fields`] made.
pub(crate) fn is_all_fields(name: &sqlparser::ast::Ident) -> bool {
    name.quote_style == Some(STAR_QUOTE)
}

/// The quote of the name that stands for `lower(column)` in `ON CONFLICT (lower(column))`.
const CALL_QUOTE: char = '(';

/// Makes a name, that of the function, of each `lower(column)` and `upper(column)` among the
/// columns of ON CONFLICT, where the parser knows names only.
fn folded_targets(tokens: &mut Vec<TokenWithSpan>) {
    let solid: Vec<usize> = (0..tokens.len())
        .filter(|index| !matches!(tokens[*index].token, Theirs::Whitespace(_)))
        .collect();
    let word = |at: usize| match solid.get(at).map(|index| &tokens[*index].token) {
        Some(Theirs::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
        Some(Theirs::Word(word)) => word.value.clone(),
        _ => String::new(),
    };
    let is = |at: usize, wanted: &Theirs| {
        solid.get(at).is_some_and(|index| tokens[*index].token == *wanted)
    };
    let mut calls = Vec::new();
    for conflict in 1..solid.len() {
        if word(conflict) != "conflict" || word(conflict - 1) != "on" {
            continue;
        }
        let mut at = conflict + 1;
        while is(at, &Theirs::LParen) || is(at, &Theirs::Comma) {
            // `((lower(email)))` needs no parentheses.
            at += 1;
            let name =
                if word(at) == "pg_catalog" && is(at + 1, &Theirs::Period) { at + 2 } else { at };
            let function = word(name);
            let argument =
                (name + 2..solid.len()).find(|at| !is(*at, &Theirs::LParen)).unwrap_or(name);
            let is_call = matches!(&*function, "lower" | "upper")
                && is(name + 1, &Theirs::LParen)
                && !matches!(&*word(argument), "" | "cast");
            if !is_call {
                at += 1;
                continue;
            }
            let mut depth = 1;
            let mut end = name + 2;
            while depth > 0 && end < solid.len() {
                match &tokens[solid[end]].token {
                    Theirs::LParen => depth += 1,
                    Theirs::RParen => depth -= 1,
                    Theirs::Word(_) | Theirs::DoubleColon | Theirs::Period => {}
                    _ => break,
                }
                end += 1;
            }
            if depth == 0 {
                calls.push((solid[at], solid[end - 1], function));
            }
            at = end;
        }
    }
    for (start, end, function) in calls.into_iter().rev() {
        tokens[start].token = Theirs::make_word(&function, Some(CALL_QUOTE));
        tokens.drain(start + 1..=end);
    }
}

/// True for what [`folded_targets`] made.
pub(crate) fn is_folded_target(name: &sqlparser::ast::Ident) -> bool {
    name.quote_style == Some(CALL_QUOTE)
}

fn ends_with(words: &[String], end: &[&str]) -> bool {
    words.len() >= end.len() && words[words.len() - end.len()..].iter().eq(end.iter())
}

/// Takes the last words away, and the white space behind them.
fn cut_words(tokens: &mut Vec<TokenWithSpan>, mut count: usize) {
    while count > 0
        && let Some(token) = tokens.pop()
    {
        if matches!(token.token, Theirs::Word(_)) {
            count -= 1;
        }
    }
}

fn same_leaves(ours: &[Token], theirs: &[TokenWithSpan]) -> Result<(), Refusal> {
    let disagree = |at: usize| Reason::Unparsed("a token is not understood".into()).at(Some(at));
    let mut ours = ours
        .iter()
        .filter(|token| !matches!(token.kind, TokenKind::Punctuation | TokenKind::Operator));
    for token in theirs {
        let kind_fits = |kind: TokenKind| match &token.token {
            Theirs::Word(word) if word.quote_style.is_some() => kind == TokenKind::QuotedWord,
            Theirs::Word(_) => kind == TokenKind::Word,
            Theirs::Number(..) => kind == TokenKind::Number,
            Theirs::Placeholder(_) => kind == TokenKind::Param,
            Theirs::SingleQuotedString(_) => kind == TokenKind::String,
            Theirs::EscapedStringLiteral(_) => kind == TokenKind::EscapeString,
            Theirs::UnicodeStringLiteral(_) => kind == TokenKind::UnicodeString,
            Theirs::NationalStringLiteral(_) => kind == TokenKind::NationalString,
            Theirs::DollarQuotedString(_) => kind == TokenKind::DollarString,
            Theirs::SingleQuotedByteStringLiteral(_) | Theirs::HexStringLiteral(_) => {
                kind == TokenKind::BitString
            }
            _ => false,
        };
        let is_leaf = matches!(
            token.token,
            Theirs::Word(_)
                | Theirs::Number(..)
                | Theirs::Placeholder(_)
                | Theirs::SingleQuotedString(_)
                | Theirs::EscapedStringLiteral(_)
                | Theirs::UnicodeStringLiteral(_)
                | Theirs::NationalStringLiteral(_)
                | Theirs::DollarQuotedString(_)
                | Theirs::SingleQuotedByteStringLiteral(_)
                | Theirs::HexStringLiteral(_)
        );
        if !is_leaf {
            continue;
        }
        let start = start_of(token.span).unwrap_or(0);
        match ours.next() {
            Some(own) if own.range.start == start && kind_fits(own.kind) => {}
            _ => return Err(disagree(start)),
        }
    }
    match ours.next() {
        None => Ok(()),
        Some(token) => Err(disagree(token.range.start)),
    }
}
