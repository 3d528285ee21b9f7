//! PostgreSQL's lexical structure with exact byte ranges.
//!
//! The parser's own spans are exact for leaves only, so everything that is edited is located in
//! this token stream. The rules are those of PostgreSQL, "Lexical Structure" (chapter 4.1) and of
//! `src/backend/parser/scan.l`; what the two lexers read differently is refused by the caller.

mod literal;

use std::ops::Range;

pub use literal::{string_value, unicode_value};

/// A token; white space and comments are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes in the text.
    pub range: Range<usize>,
}

/// The kinds that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Unquoted identifier or keyword.
    Word,
    /// `"..."`
    QuotedWord,
    /// `U&"..."`
    UnicodeWord,
    /// `'...'`, continuation lines included.
    String,
    /// `E'...'`
    EscapeString,
    /// `U&'...'`
    UnicodeString,
    /// `N'...'`
    NationalString,
    /// `B'...'` or `X'...'`
    BitString,
    /// `$tag$...$tag$`
    DollarString,
    /// `$1`
    Param,
    /// A number.
    Number,
    /// `(`, `)`, `[`, `]`, `,`, `;`, `.`, `:` or `::`
    Punctuation,
    /// Anything of operator characters.
    Operator,
}

impl TokenKind {
    /// True for literals that hold text.
    pub fn is_string(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::EscapeString
                | Self::UnicodeString
                | Self::NationalString
                | Self::DollarString
        )
    }
}

/// Why a text has no tokens: the server would raise a syntax error, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexError {
    /// What is not closed, or not understood.
    pub what: &'static str,
    /// Byte offset where it begins.
    pub at: usize,
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|`?".contains(&byte)
}

/// `scan.l`: `space`, vertical tab included since PostgreSQL 16.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Splits a text into tokens.
///
/// # Errors
/// An unterminated literal, identifier or comment, or a byte that begins no token.
pub fn lex(text: &str) -> Result<Vec<Token>, LexError> {
    let mut lexer = Lexer { bytes: text.as_bytes(), at: 0 };
    let mut tokens = Vec::with_capacity(text.len() / 4);
    while let Some(token) = lexer.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'t> {
    bytes: &'t [u8],
    /// Start of the next token; always on a character boundary.
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next_token(&mut self) -> Result<Option<Token>, LexError> {
        self.skip_space()?;
        let start = self.at;
        let Some(&first) = self.bytes.get(start) else { return Ok(None) };
        let kind = match first {
            b'\'' => self.quoted(start, TokenKind::String)?,
            b'"' => {
                self.until_quote(start, b'"', "quoted identifier")?;
                TokenKind::QuotedWord
            }
            b'e' | b'E' if self.peek(1) == b'\'' => {
                self.at += 1;
                self.quoted(start, TokenKind::EscapeString)?
            }
            b'n' | b'N' if self.peek(1) == b'\'' => {
                self.at += 1;
                self.quoted(start, TokenKind::NationalString)?
            }
            b'b' | b'B' | b'x' | b'X' if self.peek(1) == b'\'' => {
                self.at += 1;
                self.quoted(start, TokenKind::BitString)?
            }
            b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'\'' => {
                self.at += 2;
                self.quoted(start, TokenKind::UnicodeString)?
            }
            b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'"' => {
                self.at += 2;
                self.until_quote(start, b'"', "quoted identifier")?;
                TokenKind::UnicodeWord
            }
            b'$' if self.peek(1).is_ascii_digit() => {
                self.at += 1;
                self.skip_while(|byte| byte.is_ascii_digit());
                TokenKind::Param
            }
            b'$' => self.dollar(start)?,
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' => {
                self.at += 1;
                TokenKind::Punctuation
            }
            b':' => {
                self.at += if matches!(self.peek(1), b':' | b'=') { 2 } else { 1 };
                TokenKind::Punctuation
            }
            byte if is_word_start(byte) => {
                self.skip_while(is_word_part);
                TokenKind::Word
            }
            byte if is_operator(byte) => {
                self.operator();
                TokenKind::Operator
            }
            _ => return Err(LexError { what: "unexpected character", at: start }),
        };
        Ok(Some(Token { kind, range: start..self.at }))
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| wanted(*byte)) {
            self.at += 1;
        }
    }

    /// White space and comments; block comments nest.
    fn skip_space(&mut self) -> Result<(), LexError> {
        loop {
            match self.bytes.get(self.at) {
                Some(&byte) if is_space(byte) => self.at += 1,
                Some(b'-') if self.peek(1) == b'-' => {
                    self.skip_while(|byte| byte != b'\n' && byte != b'\r');
                }
                Some(b'/') if self.peek(1) == b'*' => {
                    let start = self.at;
                    let mut depth = 0usize;
                    loop {
                        match (self.bytes.get(self.at), self.peek(1)) {
                            (Some(b'/'), b'*') => {
                                depth += 1;
                                self.at += 2;
                            }
                            (Some(b'*'), b'/') => {
                                depth -= 1;
                                self.at += 2;
                                if depth == 0 {
                                    break;
                                }
                            }
                            (Some(_), _) => self.at += 1,
                            (None, _) => {
                                return Err(LexError { what: "unterminated comment", at: start });
                            }
                        }
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// From the opening quote at `self.at` to behind the closing one, and on over continuations.
    fn quoted(&mut self, start: usize, kind: TokenKind) -> Result<TokenKind, LexError> {
        let escapes = kind == TokenKind::EscapeString;
        loop {
            self.one_string(start, escapes)?;
            if !self.string_continues()? {
                return Ok(kind);
            }
        }
    }

    /// A string goes on in another quoted piece behind white space with a line break, in which
    /// there may be comments up to the line's end, but no others.
    fn string_continues(&mut self) -> Result<bool, LexError> {
        let end = self.at;
        let (mut newline, mut vertical) = (false, false);
        loop {
            match self.peek(0) {
                b'\'' if newline && vertical => {
                    return Err(LexError { what: "vertical tab in a string", at: end });
                }
                b'\'' if newline => return Ok(true),
                b'-' if self.peek(1) == b'-' => {
                    self.skip_while(|byte| byte != b'\n' && byte != b'\r');
                }
                byte if is_space(byte) => {
                    newline |= byte == b'\n' || byte == b'\r';
                    // White space for some versions of the server only.
                    vertical |= byte == 0x0b;
                    self.at += 1;
                }
                _ => {
                    self.at = end;
                    return Ok(false);
                }
            }
        }
    }

    fn one_string(&mut self, start: usize, escapes: bool) -> Result<(), LexError> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(LexError { what: "unterminated quoted string", at: start }),
                Some(b'\\') if escapes => self.at += 2,
                Some(b'\'') if self.peek(1) == b'\'' => self.at += 2,
                Some(b'\'') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn until_quote(&mut self, start: usize, quote: u8, what: &'static str) -> Result<(), LexError> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(LexError { what, at: start }),
                Some(&byte) if byte == quote && self.peek(1) == quote => self.at += 2,
                Some(&byte) if byte == quote => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn dollar(&mut self, start: usize) -> Result<TokenKind, LexError> {
        let mut end = start + 1;
        if self.bytes.get(end).is_some_and(|byte| is_word_start(*byte)) {
            while self.bytes.get(end).is_some_and(|b| is_word_start(*b) || b.is_ascii_digit()) {
                end += 1;
            }
        }
        if self.bytes.get(end) != Some(&b'$') {
            return Err(LexError { what: "unexpected character", at: start });
        }
        let tag = &self.bytes[start..=end];
        let body = end + 1;
        let Some(close) = memchr::memmem::find(&self.bytes[body..], tag) else {
            return Err(LexError { what: "unterminated dollar-quoted string", at: start });
        };
        self.at = body + close + tag.len();
        Ok(TokenKind::DollarString)
    }

    fn number(&mut self) -> TokenKind {
        // Digits, fraction, exponent, and 0x / 0b / 0o with underscores: only the extent matters.
        // `1..2` is a number and two dots, as in array slices of PL/pgSQL.
        let mut seen_dot = false;
        while let Some(&byte) = self.bytes.get(self.at) {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && matches!(self.bytes.get(self.at.wrapping_sub(1)), Some(b'e' | b'E'));
            match byte {
                b'.' if !seen_dot && self.peek(1) != b'.' => seen_dot = true,
                _ if byte.is_ascii_alphanumeric() || byte == b'_' || exponent_sign => {}
                _ => break,
            }
            self.at += 1;
        }
        TokenKind::Number
    }

    /// The longest operator, cut before a comment, and without trailing `+` or `-` unless it has
    /// one of the characters that allow them (`scan.l`, rule `operator`).
    fn operator(&mut self) {
        let start = self.at;
        self.skip_while(is_operator);
        let mut length = self.at - start;
        for index in 1..length {
            let pair = &self.bytes[start + index..(start + index + 2).min(self.bytes.len())];
            if pair == b"--" || pair == b"/*" {
                length = index;
                break;
            }
        }
        let run = &self.bytes[start..start + length];
        if !run.iter().any(|byte| b"~!@#^&|`?%".contains(byte)) {
            while length > 1 && matches!(self.bytes[start + length - 1], b'+' | b'-') {
                length -= 1;
            }
        }
        self.at = start + length;
    }
}

/// `NAMEDATALEN - 1`: longer identifiers are cut by the server.
const MAX_IDENTIFIER: usize = 63;

/// An identifier as the server reads it: folded, unquoted, cut at 63 bytes.
/// `None` for `U&` identifiers with escapes, which the caller refuses.
pub fn identifier(text: &str, token: &Token) -> Option<String> {
    let raw = &text[token.range.clone()];
    let name = match token.kind {
        TokenKind::Word => raw.to_ascii_lowercase(),
        TokenKind::QuotedWord => raw[1..raw.len() - 1].replace("\"\"", "\""),
        TokenKind::UnicodeWord if !raw.contains('\\') => {
            raw[3..raw.len() - 1].replace("\"\"", "\"")
        }
        _ => return None,
    };
    Some(truncate(name))
}

/// Cuts an identifier as the server does, at a character boundary.
pub fn truncate(mut name: String) -> String {
    if name.len() > MAX_IDENTIFIER {
        let mut end = MAX_IDENTIFIER;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        lex(text).unwrap().into_iter().map(|t| (t.kind, &text[t.range])).collect()
    }

    #[test]
    fn operators_stop_before_comments_and_signs() {
        use TokenKind::{Number, Operator, Param, Word};
        assert_eq!(
            kinds("a<-1--x\n@-$2"),
            [
                (Word, "a"),
                (Operator, "<"),
                (Operator, "-"),
                (Number, "1"),
                (Operator, "@-"),
                (Param, "$2")
            ]
        );
    }

    #[test]
    fn unterminated_is_an_error() {
        for text in ["'abc", "\"abc", "/* /* */", "$a$ $b$", "E'\\'"] {
            assert!(lex(text).is_err(), "{text}");
        }
    }

    #[test]
    fn identifiers_fold_and_truncate() {
        let text = "AbC \"Ab\"\"C\" U&\"x\"";
        let names: Vec<_> =
            lex(text).unwrap().iter().map(|t| identifier(text, t).unwrap()).collect();
        assert_eq!(names, ["abc", "Ab\"C", "x"]);
        assert_eq!(truncate("é".repeat(40)).len(), 62);
    }
}
