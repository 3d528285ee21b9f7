//! The values of string literals.

use std::borrow::Cow;

use super::{Lexer, Token, TokenKind};

/// The value of a string literal as the server reads it with `standard_conforming_strings = on`.
/// `None` when it is not valid, or has Unicode escapes: see [`unicode_value`].
pub fn string_value<'t>(text: &'t str, token: &Token) -> Option<Cow<'t, str>> {
    let raw = &text[token.range.clone()];
    match token.kind {
        TokenKind::DollarString => {
            let tag = raw[1..].find('$')? + 2;
            Some(Cow::Borrowed(&raw[tag..raw.len() - tag]))
        }
        TokenKind::String => plain_value(raw),
        TokenKind::NationalString => plain_value(&raw[1..]),
        TokenKind::UnicodeString if !raw.contains('\\') => plain_value(&raw[2..]),
        TokenKind::EscapeString => escape_value(&raw[1..]).map(Cow::Owned),
        _ => None,
    }
}

/// The value of a `U&'...'` literal with this escape character, the backslash or what `UESCAPE`
/// says (PostgreSQL, *String Constants with Unicode Escapes*; `str_udeescape` in `parser.c`).
/// `None` when it is not valid.
pub fn unicode_value(text: &str, token: &Token, escape: char) -> Option<String> {
    let is_quote = |c: char| matches!(c, '\'' | '"' | '+') || c.is_ascii_hexdigit();
    if !escape.is_ascii() || is_quote(escape) || escape.is_ascii_whitespace() {
        return None;
    }
    let raw = pieces(text[token.range.clone()].get(2..)?, false)?;
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw.as_str();
    // The first half of a surrogate pair.
    let mut high: Option<u32> = None;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        if character != escape || after.starts_with(escape) {
            if high.is_some() {
                return None;
            }
            value.push(character);
            rest = if character == escape { &after[1..] } else { after };
            continue;
        }
        let (digits, from) = if after.starts_with('+') { (6, 1) } else { (4, 0) };
        let number = after.get(from..from + digits)?;
        if !number.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        rest = &after[from + digits..];
        let code = u32::from_str_radix(number, 16).ok()?;
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(high), 0xdc00..=0xdfff) => {
                value.push(char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (code - 0xdc00))?);
            }
            (None, 1..) => value.push(char::from_u32(code)?),
            _ => return None,
        }
    }
    high.is_none().then_some(value)
}

fn plain_value(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    if inner.contains('\'') {
        // A quote inside is doubled, or ends a piece that a continuation follows.
        pieces(quoted, false).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn escape_value(quoted: &str) -> Option<String> {
    pieces(quoted, true)
}

/// Decodes `'...'` and its continuations.
fn pieces(quoted: &str, escapes: bool) -> Option<String> {
    let mut value = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.as_bytes();
    loop {
        bytes = bytes.strip_prefix(b"'")?;
        loop {
            let (&first, rest) = bytes.split_first()?;
            bytes = rest;
            match first {
                b'\'' if bytes.first() == Some(&b'\'') => {
                    value.push(b'\'');
                    bytes = &bytes[1..];
                }
                b'\'' => break,
                b'\\' if escapes => bytes = escape(bytes, &mut value)?,
                byte => value.push(byte),
            }
        }
        if bytes.is_empty() {
            return String::from_utf8(value).ok();
        }
        let mut lexer = Lexer { bytes, at: 0 };
        lexer.skip_space().ok()?;
        bytes = &bytes[lexer.at..];
    }
}

/// One escape behind the backslash (PostgreSQL, table "Backslash Escape Sequences").
fn escape<'b>(bytes: &'b [u8], value: &mut Vec<u8>) -> Option<&'b [u8]> {
    let (&first, rest) = bytes.split_first()?;
    let run = |radix: u32, most: usize, from: &[u8]| {
        from.iter().take(most).take_while(|b| (**b as char).is_digit(radix)).count()
    };
    let number =
        |digits: &[u8], radix| u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    match first {
        b'b' => value.push(8),
        b'f' => value.push(12),
        b'n' => value.push(b'\n'),
        b'r' => value.push(b'\r'),
        b't' => value.push(b'\t'),
        b'0'..=b'7' => {
            let length = run(8, 3, bytes);
            value.push(u8::try_from(number(&bytes[..length], 8)? & 0xff).ok()?);
            return Some(&bytes[length..]);
        }
        b'x' if run(16, 2, rest) > 0 => {
            let length = run(16, 2, rest);
            value.push(u8::try_from(number(&rest[..length], 16)?).ok()?);
            return Some(&rest[length..]);
        }
        b'u' | b'U' => {
            let length = if first == b'u' { 4 } else { 8 };
            if run(16, length, rest) < length {
                return None;
            }
            // Surrogate pairs are rare enough to be refused.
            let character = char::from_u32(number(&rest[..length], 16)?)?;
            value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(&rest[length..]);
        }
        byte => value.push(byte),
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex::lex;

    #[test]
    fn string_values_are_the_servers() {
        for (text, value) in [
            ("'a\\b''''cd'", "a\\b''cd"),
            ("E'ab\\'cd\\n\\x41\\101\\u00e9'", "ab'cd\nAAé"),
            ("'a'\n  'b'", "ab"),
            ("'a' -- c\n 'b'", "ab"),
            ("$x$a$y$b'$x$", "a$y$b'"),
            ("$$it's$$", "it's"),
            ("N'n'", "n"),
            ("U&'plain'", "plain"),
        ] {
            let tokens = lex(text).unwrap();
            assert_eq!(tokens.len(), 1, "{text}");
            assert_eq!(string_value(text, &tokens[0]).as_deref(), Some(value), "{text}");
        }
        for text in ["'a' 'b'", "'a'\n /* c */ 'b'"] {
            assert_eq!(lex(text).unwrap().len(), 2, "{text}");
        }
        assert!(lex("'a'\x0b\n'b'").is_err());
    }

    #[test]
    fn unicode_escapes_are_the_servers() {
        for (text, escape, value) in [
            ("U&'d\\0061t\\+000061'", '\\', Some("data")),
            ("U&'d!0061t!!\\'", '!', Some("dat!\\")),
            ("U&'it''s \\\\'", '\\', Some("it's \\")),
            ("U&'\\d83d\\dE00'", '\\', Some("\u{1f600}")),
            ("U&'a'\n'\\0062'", '\\', Some("ab")),
            ("U&'\\00'", '\\', None),
            ("U&'\\0000'", '\\', None),
            ("U&'\\d83dx'", '\\', None),
            ("U&'\\d83d'", '\\', None),
            ("U&'\\dE00'", '\\', None),
            ("U&'\\+00006g'", '\\', None),
            ("U&'\\+0000\u{e9}'", '\\', None),
            ("U&'a'", '+', None),
        ] {
            let tokens = lex(text).unwrap();
            assert_eq!(unicode_value(text, &tokens[0], escape).as_deref(), value, "{text}");
        }
    }
}
