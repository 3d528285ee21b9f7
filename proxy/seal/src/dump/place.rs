//! Where in a SQL dump the reader stands: in rows of COPY, in a string constant, or elsewhere
//! (PostgreSQL, *Lexical Structure*).

use super::Context;

/// How a value is written in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is.
    None,
    /// As in a row of COPY in text format.
    Copy,
    /// As in a string constant with `standard_conforming_strings` on, which pg_dump sets.
    Constant,
    /// As in a string constant with C-style escapes, `E'...'`.
    EConstant,
}

/// Follows a text, piece by piece and line by line.
pub(super) struct Scanner {
    context: Context,
    state: State,
    /// The byte before, as far as it can be part of what comes now; 0 where it cannot.
    before: u8,
    /// The one before that.
    before_that: u8,
    /// Whether the last byte that is no white space was plain code.
    in_code: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Code,
    Rows,
    /// `skip`: the next byte stands behind a backslash.
    String {
        kind: StringKind,
        skip: bool,
    },
    /// A string constant that has just been closed, unless a second quote follows.
    StringEnd(StringKind),
    Name,
    LineComment,
    /// Block comments nest.
    Comment {
        depth: usize,
    },
    /// Behind a `$` that may open a dollar-quoted string.
    DollarTag(Vec<u8>),
    /// In a dollar-quoted string; `matched` bytes of the closing tag have been seen.
    Dollar {
        tag: Vec<u8>,
        matched: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StringKind {
    Standard,
    Escape,
    /// `U&'...'`: the escape character is said behind it.
    Unicode,
}

impl Scanner {
    pub(super) fn new(context: Context) -> Self {
        Self { context, state: State::Code, before: 0, before_that: 0, in_code: false }
    }

    /// How a value is to be written here; `None` where it must not.
    pub(super) fn escape(&self) -> Option<Escape> {
        match (self.context, &self.state) {
            (Context::Plain, _) => Some(Escape::None),
            (Context::CopyText, _) | (Context::SqlDump, State::Rows) => Some(Escape::Copy),
            (Context::SqlDump, State::String { kind: StringKind::Standard, .. }) => {
                Some(Escape::Constant)
            }
            (Context::SqlDump, State::String { kind: StringKind::Escape, .. }) => {
                Some(Escape::EConstant)
            }
            (Context::SqlDump, _) => None,
        }
    }

    /// To be called before the bytes of a line are passed on.
    pub(super) fn begin_line(&mut self, line: &[u8]) {
        if self.state == State::Rows && line.trim_ascii_end() == b"\\." {
            self.state = State::LineComment;
        }
        self.in_code = false;
    }

    /// To be called when all bytes of a line have been passed on.
    pub(super) fn end_line(&mut self, line: &[u8]) {
        if self.in_code && line.trim_ascii_end().ends_with(b" FROM stdin;") {
            self.state = State::Rows;
        }
    }

    /// Passes over bytes of the current line.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        if self.context != Context::SqlDump || self.state == State::Rows {
            return;
        }
        for byte in bytes {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if !byte.is_ascii_whitespace() {
            self.in_code = self.state == State::Code;
        }
        let (before_that, before) = (self.before_that, self.before);
        (self.before_that, self.before) = (before, byte);
        match &mut self.state {
            State::Code => self.step_code(before_that, before, byte),
            State::StringEnd(kind) => {
                if byte == b'\'' {
                    self.state = State::String { kind: *kind, skip: false };
                } else {
                    self.state = State::Code;
                    self.step_code(0, 0, byte);
                }
            }
            State::String { skip: skip @ true, .. } => *skip = false,
            State::String { kind: StringKind::Escape, skip } if byte == b'\\' => *skip = true,
            State::String { kind, .. } if byte == b'\'' => self.state = State::StringEnd(*kind),
            State::Name if byte == b'"' => self.state = State::Code,
            State::LineComment if byte == b'\n' => self.state = State::Code,
            // Rows do not come here: they are passed over as a whole.
            State::Rows | State::String { .. } | State::Name | State::LineComment => {}
            State::Comment { depth } => match (before, byte) {
                (b'/', b'*') => {
                    *depth += 1;
                    self.before = 0;
                }
                (b'*', b'/') => {
                    *depth -= 1;
                    if *depth == 0 {
                        self.state = State::Code;
                    }
                    self.before = 0;
                }
                _ => {}
            },
            State::DollarTag(tag) => match byte {
                b'$' => {
                    let tag = std::mem::take(tag);
                    self.state = State::Dollar { tag, matched: 0 };
                }
                b'0'..=b'9' if !tag.is_empty() => tag.push(byte),
                b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80.. => tag.push(byte),
                _ => {
                    self.state = State::Code;
                    self.step_code(before_that, before, byte);
                }
            },
            State::Dollar { tag, matched } => {
                // The closing tag is "$", the tag, "$"; the tag itself has no "$".
                let expected =
                    if *matched == 0 { b'$' } else { *tag.get(*matched - 1).unwrap_or(&b'$') };
                if byte == expected {
                    *matched += 1;
                } else {
                    *matched = usize::from(byte == b'$');
                }
                if *matched == tag.len() + 2 {
                    self.state = State::Code;
                    self.before = 0;
                }
            }
        }
    }

    fn step_code(&mut self, before_that: u8, before: u8, byte: u8) {
        self.state = match byte {
            b'\'' => {
                let kind = match before {
                    b'E' | b'e' if !is_name_byte(before_that) => StringKind::Escape,
                    b'&' if matches!(before_that, b'U' | b'u') => StringKind::Unicode,
                    _ => StringKind::Standard,
                };
                State::String { kind, skip: false }
            }
            b'"' => State::Name,
            b'-' if before == b'-' => State::LineComment,
            b'*' if before == b'/' => {
                self.before = 0;
                State::Comment { depth: 1 }
            }
            b'$' if !is_name_byte(before) => State::DollarTag(Vec::new()),
            _ => return,
        };
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state behind the text.
    fn after(text: &str) -> State {
        let mut scanner = Scanner::new(Context::SqlDump);
        for line in text.split_inclusive('\n') {
            scanner.begin_line(line.as_bytes());
            for byte in line.bytes() {
                scanner.advance(&[byte]);
            }
            scanner.end_line(line.as_bytes());
        }
        scanner.state
    }

    fn string(kind: StringKind) -> State {
        State::String { kind, skip: false }
    }

    #[test]
    fn strings() {
        assert_eq!(after("SELECT 'a"), string(StringKind::Standard));
        assert_eq!(after("SELECT 'a' "), State::Code);
        assert_eq!(after("SELECT 'a''b"), string(StringKind::Standard));
        assert_eq!(after(r"SELECT 'a\' "), State::Code);
        assert_eq!(after(r"SELECT E'a\' "), string(StringKind::Escape));
        assert_eq!(after(r"SELECT E'a''\' "), string(StringKind::Escape));
        assert_eq!(after(r"SELECT E'a\\' "), State::Code);
        assert_eq!(after(r"type'a\' "), State::Code);
        assert_eq!(after("U&'a"), string(StringKind::Unicode));
    }

    #[test]
    fn what_is_no_string() {
        assert_eq!(after("-- don't\n"), State::Code);
        assert_eq!(after("/* don't /* nested */ ' */ "), State::Code);
        assert_eq!(after("/*/ "), State::Comment { depth: 1 });
        assert_eq!(after("\"don't\" "), State::Code);
        assert_eq!(after("$$ don't $$ "), State::Code);
        assert_eq!(after("$f$ don't $$ $g$ $f$ "), State::Code);
        assert_eq!(after("$f$ $$f$ "), State::Code);
        assert_eq!(after("$1 + 'a"), string(StringKind::Standard));
        assert_eq!(after("a$b$ 'a"), string(StringKind::Standard));
        assert_eq!(after("a - - 'b"), string(StringKind::Standard));
    }

    #[test]
    fn rows_of_copy() {
        assert_eq!(after("COPY t (a) FROM stdin;\nit's\n"), State::Rows);
        assert_eq!(after("COPY t (a) FROM stdin;\r\nit's\r\n"), State::Rows);
        assert_eq!(after("COPY \"a\nb\" (a) FROM stdin;\n"), State::Rows);
        assert_eq!(after("COPY t (a) FROM stdin;\nit's\n\\.\n"), State::Code);
        assert_eq!(after("-- COPY t FROM stdin;\n"), State::Code);
        assert_eq!(after("'\nCOPY t FROM stdin;\n"), string(StringKind::Standard));
        assert_eq!(after("$$\nCOPY t FROM stdin;\n$$;\n"), State::Code);
    }
}
