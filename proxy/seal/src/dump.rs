//! Opening the tokens in a text offline: a dump, a log, rows of COPY.
//!
//! A token is found by its first characters and believed by its HMAC, so nothing else can be
//! replaced. The text is read as bytes, one line at a time, and everything that is not a token is
//! copied as it is. A value is written so that it cannot break out of the place of its token:
//! restoring an opened dump must not run what somebody entered as a name.
//!
//! Only the place itself is minded. A token *inside* something that has a syntax of its own, such
//! as an element of an array or a string in a JSON document, is opened as well, and the value's
//! quotes, commas or backslashes mean there what they mean in that syntax.

mod place;

use std::io::{self, BufRead, Write};

use memchr::memmem::Finder;
use zeroize::Zeroizing;

use crate::opener::Opener;
use crate::token::{MIN_TOKEN_LEN, TOKEN_PREFIX, is_token_byte};
use place::{Escape, Scanner};

/// What the text is, which says how a value has to be written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Any text: values are written as they are.
    Plain,
    /// Rows as COPY writes them in text format: values are escaped as there.
    CopyText,
    /// A plain SQL dump: rows of `COPY ... FROM stdin` as above, string constants with their
    /// quotes doubled. A token elsewhere (a comment, a name, a dollar-quoted body) is left.
    SqlDump,
}

/// What was done with the tokens of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Tokens replaced by their values.
    pub opened: u64,
    /// Texts of the shape of a token that no key of the keyring opens.
    pub unopened: Tally,
    /// Tokens that open, left because no value can be written safely where they stand.
    pub misplaced: Tally,
}

/// How many there were and where the first one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The line of the first, counted from 1.
    pub first_line: Option<u64>,
}

impl Tally {
    fn add(&mut self, line: u64) {
        self.count += 1;
        self.first_line.get_or_insert(line);
    }
}

/// Copies `input` to `output` with the tokens replaced by their values. The longest line is held
/// in memory.
pub fn open_text(
    mut input: impl BufRead,
    opener: &Opener,
    context: Context,
    mut output: impl Write,
) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut places = Scanner::new(context);
    let finder = Finder::new(TOKEN_PREFIX);
    let mut line = Vec::new();
    let mut value = Zeroizing::new(Vec::new());
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        places.begin_line(&line);
        // Everything before has been written, and everything before `seen` looked at.
        let (mut written, mut seen) = (0, 0);
        while let Some(found) = finder.find(&line[seen..]) {
            let start = seen + found;
            let end = end_of_token(&line, start);
            places.advance(&line[seen..start]);
            // The prefix has no byte that means anything to the scanner; the token may have
            // ("--"), but not in a place where it is replaced.
            places.advance(&line[start..end]);
            seen = end;
            if end - start < MIN_TOKEN_LEN || !begins_a_word(&line, start) {
                continue;
            }
            value.clear();
            if opener.open_into(&line[start..end], &mut value).is_err() {
                summary.unopened.add(number);
                continue;
            }
            let Some(escape) = places.escape() else {
                summary.misplaced.add(number);
                continue;
            };
            output.write_all(&line[written..start])?;
            escape.write(&value, &mut output)?;
            written = end;
            summary.opened += 1;
        }
        places.advance(&line[seen..]);
        places.end_line(&line);
        output.write_all(&line[written..])?;
    }
    output.flush()?;
    Ok(summary)
}

/// Where the token that begins at `start` ends: behind its last base64url character and at most
/// two signs of padding.
fn end_of_token(line: &[u8], start: usize) -> usize {
    let run = |from: usize, limit: usize, wanted: fn(u8) -> bool| {
        line[from..].iter().take(limit).take_while(|byte| wanted(**byte)).count()
    };
    let word = start + run(start, usize::MAX, is_token_byte);
    word + run(word, 2, |byte| byte == b'=')
}

/// Whether a token can begin here: at the start of a word, or behind an escape such as `\n`, which
/// ends in a letter.
fn begins_a_word(line: &[u8], start: usize) -> bool {
    match line[..start] {
        [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't' | b'v'] | [] => true,
        [.., before] => !is_token_byte(before),
    }
}

impl Escape {
    fn write(self, value: &[u8], output: &mut impl Write) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, byte) in value.iter().enumerate() {
            if let Some(escaped) = self.of(*byte) {
                output.write_all(&value[plain_from..at])?;
                output.write_all(escaped)?;
                plain_from = at + 1;
            }
        }
        output.write_all(&value[plain_from..])
    }

    /// What is written for a byte that cannot stand for itself.
    fn of(self, byte: u8) -> Option<&'static [u8]> {
        match (self, byte) {
            (Self::Copy, b'\x08') => Some(b"\\b"),
            (Self::Copy, b'\x0c') => Some(b"\\f"),
            (Self::Copy, b'\n') => Some(b"\\n"),
            (Self::Copy, b'\r') => Some(b"\\r"),
            (Self::Copy, b'\t') => Some(b"\\t"),
            (Self::Copy, b'\x0b') => Some(b"\\v"),
            (Self::Copy | Self::EConstant, b'\\') => Some(b"\\\\"),
            (Self::Constant | Self::EConstant, b'\'') => Some(b"''"),
            (Self::None | Self::Copy | Self::Constant | Self::EConstant, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FernetKey, Keyring, Sealer, keygen};

    struct Desk {
        opener: Opener,
        sealer: Sealer,
    }

    impl Desk {
        fn new() -> Self {
            let text = keygen();
            let key = FernetKey::parse(&text).unwrap();
            Self {
                opener: Opener::new(&Keyring::parse(&text).unwrap()),
                sealer: Sealer::randomized(&key),
            }
        }

        fn token(&self, value: &str) -> String {
            let mut out = Vec::new();
            self.sealer.seal_into(value.as_bytes(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        }

        /// Replaces `<value>` by its token, and opens the text.
        fn open(&self, context: Context, template: &str) -> (String, Summary) {
            let mut text = String::new();
            for (index, piece) in template.split(['<', '>']).enumerate() {
                text.push_str(&if index % 2 == 1 { self.token(piece) } else { piece.to_owned() });
            }
            let mut out = Vec::new();
            let summary = open_text(text.as_bytes(), &self.opener, context, &mut out).unwrap();
            (String::from_utf8(out).unwrap(), summary)
        }
    }

    #[test]
    fn plain_text_keeps_everything_but_the_tokens() {
        let desk = Desk::new();
        let (text, summary) = desk.open(
            Context::Plain,
            "email=<anna@example.org>, \"<b\n'\\>\"\r\n\n{<x>,<0123456789abcdef>} (<>)\\n<y>",
        );
        assert_eq!(text, "email=anna@example.org, \"b\n'\\\"\r\n\n{x,0123456789abcdef} ()\\ny");
        assert_eq!(summary, Summary { opened: 6, ..Summary::default() });
    }

    #[test]
    fn copy_rows_are_escaped_as_the_server_does() {
        let desk = Desk::new();
        let (text, _) =
            desk.open(Context::CopyText, "1\t<a\tb\\c\nd\re\x08\x0b\x0c'ä>\t\\N\n2\t<\\N>\tx\n");
        assert_eq!(text, "1\ta\\tb\\\\c\\nd\\re\\b\\v\\f'ä\t\\N\n2\t\\\\N\tx\n");
    }

    #[test]
    fn what_does_not_open_is_left_and_counted() {
        let desk = Desk::new();
        let foreign = Desk::new().token("secret");
        let text = format!("ok\n\n{foreign}\t{foreign}\nx{foreign}\ngAAAAA short\n");
        let (opened, summary) = desk.open(Context::Plain, &text);
        assert_eq!(opened, text);
        assert_eq!(summary.unopened, Tally { count: 2, first_line: Some(3) });
        assert_eq!((summary.opened, summary.misplaced), (0, Tally::default()));
    }

    #[test]
    fn a_dump_mixes_rows_and_statements() {
        let desk = Desk::new();
        let (text, summary) = desk.open(
            Context::SqlDump,
            "-- Data for Name: o'brien\n\
             COPY public.auth_user (id, email) FROM stdin;\n\
             1\t<it's\\a\ttab>\n\
             \\.\n\
             INSERT INTO t VALUES ('<it's\\>', E'<it's\\>', 'don''t <O'Neill>');\n",
        );
        assert_eq!(
            text,
            "-- Data for Name: o'brien\n\
             COPY public.auth_user (id, email) FROM stdin;\n\
             1\tit's\\\\a\\ttab\n\
             \\.\n\
             INSERT INTO t VALUES ('it''s\\', E'it''s\\\\', 'don''t O''Neill');\n"
        );
        assert_eq!(summary, Summary { opened: 4, ..Summary::default() });
    }

    /// A row that says `COPY ... FROM stdin;` made the rest of a dump look like COPY rows, where a
    /// quote in a value is not doubled: restoring the opened dump would have run the value.
    #[test]
    fn a_value_cannot_pretend_that_rows_of_copy_follow() {
        let desk = Desk::new();
        let (text, _) = desk.open(
            Context::SqlDump,
            "INSERT INTO t VALUES ('\nCOPY t FROM stdin;\n', '<'); DROP TABLE t; -->');\n",
        );
        assert!(text.ends_with("', '''); DROP TABLE t; --');\n"), "{text}");
    }

    #[test]
    fn in_a_dump_nothing_is_written_outside_string_constants() {
        let desk = Desk::new();
        let template = "-- <a\nDROP TABLE t>\n/* <b> */ \"<c>\" $$<d>$$ <e> U&'<f>'\n'<g>'\n";
        let (text, summary) = desk.open(Context::SqlDump, template);
        assert!(text.ends_with("\n'g'\n"), "{text}");
        assert!(!text.contains("DROP"));
        assert_eq!(summary.opened, 1);
        assert_eq!(summary.misplaced, Tally { count: 6, first_line: Some(1) });
    }
}
