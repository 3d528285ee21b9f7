//! Reading the files of the twin test.

use std::fmt;

/// How the columns of the twin schema are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// All deterministic: e-mail addresses in one domain, names in another.
    Deterministic,
    /// All randomized.
    Randomized,
    /// E-mail addresses deterministic, names randomized: what most people will configure.
    Mixed,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deterministic => "deterministic",
            Self::Randomized => "randomized",
            Self::Mixed => "mixed",
        })
    }
}

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Simple protocol; parameters become literals.
    Simple,
    /// Extended, unnamed, everything as text, in one batch as most drivers do.
    Text,
    /// Extended, named, described before it is bound, parameters and results in binary.
    Binary,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple => "simple",
            Self::Text => "extended text",
            Self::Binary => "extended binary",
        })
    }
}

/// Modes and ways; an empty list means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Where {
    modes: Vec<Mode>,
    ways: Vec<Way>,
}

impl Where {
    /// True when the combination is meant.
    pub fn holds(&self, mode: Mode, way: Way) -> bool {
        (self.modes.is_empty() || self.modes.contains(&mode))
            && (self.ways.is_empty() || self.ways.contains(&way))
    }

    /// Takes a word, if it is one.
    fn take(&mut self, word: &str) -> bool {
        match word {
            "deterministic" => self.modes.push(Mode::Deterministic),
            "randomized" => self.modes.push(Mode::Randomized),
            "mixed" => self.modes.push(Mode::Mixed),
            "simple" => self.ways.push(Way::Simple),
            "extended" => self.ways.extend([Way::Text, Way::Binary]),
            "text" => self.ways.push(Way::Text),
            "binary" => self.ways.push(Way::Binary),
            _ => return false,
        }
        true
    }
}

/// A parameter as written behind `-- params:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// `null`
    Null,
    /// `'text'`
    Quoted(String),
    /// `5`, `true`
    Bare(String),
}

impl Param {
    /// The value in text format.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Null => None,
            Self::Quoted(text) | Self::Bare(text) => Some(text),
        }
    }

    fn literal(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Quoted(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Bare(text) => text.clone(),
        }
    }
}

/// An expectation that holds in some combinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// SQLSTATE.
    pub code: String,
    /// In which combinations.
    pub applies: Where,
}

/// A statement and what is said about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Case {
    /// Line of the file it begins on.
    pub line: usize,
    /// Its text, without the last semicolon.
    pub sql: String,
    /// Which of the client's sessions runs it.
    pub session: String,
    /// In which combinations it runs.
    pub runs: Where,
    /// pgveil refuses it.
    pub refused: Vec<Expected>,
    /// It fails on the plain database, and so it does through pgveil.
    pub error: Vec<Expected>,
    /// Parameters.
    pub params: Vec<Param>,
    /// Types that the client fixes in Parse.
    pub types: Vec<u32>,
    /// Letters of error and notice fields that may differ, with the reason in the file.
    pub except: Vec<char>,
    /// pgveil may raise its error at Parse, the server raises it later.
    pub early: bool,
    /// It waits for a lock; its result is compared when its session is used again.
    pub waits: bool,
}

impl Case {
    /// The expectation for a combination.
    pub fn expected(list: &[Expected], mode: Mode, way: Way) -> Option<&str> {
        list.iter().find(|one| one.applies.holds(mode, way)).map(|one| one.code.as_str())
    }

    /// The statement with literals in the parameters' places.
    pub fn inlined(&self) -> String {
        if self.params.is_empty() {
            return self.sql.clone();
        }
        let mut text = String::new();
        let mut quote = None;
        let mut chars = self.sql.chars().peekable();
        while let Some(c) = chars.next() {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '\'' || c == '"' => quote = Some(c),
                None if c == '$' && chars.peek().is_some_and(char::is_ascii_digit) => {
                    let mut digits = String::new();
                    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    }
                    let index = digits.parse::<usize>().expect("digits are a number");
                    let param = self.params.get(index - 1);
                    text += &param.unwrap_or_else(|| panic!("${index} has no value")).literal();
                    continue;
                }
                _ => {}
            }
            text.push(c);
        }
        text
    }

    /// True when the rows come in an order that the statement asks for.
    pub fn is_ordered(&self) -> bool {
        let mut depth = 0;
        let mut quote = None;
        let mut outside = String::new();
        for c in self.sql.chars() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None => match c {
                    '\'' | '"' => quote = Some(c),
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ if depth == 0 => outside.push(if c.is_whitespace() { ' ' } else { c }),
                    _ => {}
                },
            }
        }
        let words: Vec<&str> = outside.split(' ').filter(|word| !word.is_empty()).collect();
        words
            .windows(2)
            .any(|pair| pair[0].eq_ignore_ascii_case("order") && pair[1].eq_ignore_ascii_case("by"))
    }
}

/// Reads a file. Statements end with a semicolon at the end of a line, so that one line can hold
/// a string of several. Comments between statements may be directives:
///
/// | directive | about | meaning |
/// | --- | --- | --- |
/// | `mode: deterministic` | the rest of the file | modes (or `both`, `all`) in which statements run |
/// | `session: b` | the rest of the file | which connection runs the statements; `a` at first |
/// | `only: simple` | the next statement | combinations in which it runs |
/// | `refused: 0A000 randomized` | the next statement | pgveil refuses it (0A000 unless said; everywhere unless said) |
/// | `error: 23505` | the next statement | it fails on the plain database, and equally through pgveil |
/// | `params: 'a', 5, null` | the next statement | its parameters; literals in the simple protocol |
/// | `types: 25, 0` | the next statement | parameter types in Parse |
/// | `except: D, H: reason` | the next statement | fields of its error that may differ |
/// | `early: reason` | the next statement | pgveil may raise its error at Parse, the server raises it later |
/// | `waits` | the next statement | it waits for a lock of another session |
///
/// Other comments are prose. Panics with the line's number at what it cannot read.
pub fn read(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut modes = Where { modes: vec![Mode::Deterministic, Mode::Randomized], ways: Vec::new() };
    let mut session = "a".to_owned();
    let mut next = Case::default();
    let mut sql = String::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        if sql.is_empty() {
            if trimmed.is_empty() {
                continue;
            }
            if let Some(comment) = trimmed.strip_prefix("--") {
                directive(comment.trim(), &mut modes, &mut session, &mut next)
                    .unwrap_or_else(|error| panic!("line {number}: {error}"));
                continue;
            }
            next.line = number;
        } else {
            sql.push('\n');
        }
        sql.push_str(line);
        if let Some(statement) = sql.trim_end().strip_suffix(';') {
            let mut case = std::mem::take(&mut next);
            statement.clone_into(&mut case.sql);
            session.clone_into(&mut case.session);
            if case.runs.modes.is_empty() {
                case.runs.modes.clone_from(&modes.modes);
            }
            cases.push(case);
            sql.clear();
        }
    }
    assert!(sql.is_empty(), "the last statement has no semicolon: {sql}");
    cases
}

fn directive(
    comment: &str,
    modes: &mut Where,
    session: &mut String,
    next: &mut Case,
) -> Result<(), String> {
    let (name, rest) = comment.split_once(':').unwrap_or((comment, ""));
    let rest = rest.trim();
    match name.trim() {
        "mode" => {
            *modes = Where::default();
            match rest {
                "both" => modes.modes = vec![Mode::Deterministic, Mode::Randomized],
                "all" => modes.modes = vec![Mode::Deterministic, Mode::Randomized, Mode::Mixed],
                _ => words(rest, |word| modes.take(word))?,
            }
        }
        "session" => rest.clone_into(session),
        "only" => words(rest, |word| next.runs.take(word))?,
        "refused" => next.refused.push(expected(rest, Some("0A000"))?),
        "error" => next.error.push(expected(rest, None)?),
        "params" => next.params = params(rest)?,
        "types" => {
            let oids = rest.split(',').map(|oid| oid.trim().parse());
            next.types = oids.collect::<Result<_, _>>().map_err(|_| "types are oids")?;
        }
        "except" => {
            let (fields, reason) = rest.split_once(':').ok_or("except needs a reason")?;
            if reason.trim().is_empty() {
                return Err("except needs a reason".to_owned());
            }
            next.except = fields.chars().filter(char::is_ascii_alphabetic).collect();
        }
        "early" if rest.is_empty() => return Err("early needs a reason".to_owned()),
        "early" => next.early = true,
        "waits" => next.waits = true,
        _ => {} // prose
    }
    Ok(())
}

fn words(rest: &str, mut take: impl FnMut(&str) -> bool) -> Result<(), String> {
    for word in rest.split([' ', ',']).filter(|word| !word.is_empty()) {
        if !take(word) {
            return Err(format!("unknown word {word:?}"));
        }
    }
    Ok(())
}

fn expected(rest: &str, default: Option<&str>) -> Result<Expected, String> {
    let mut code = default.map(ToOwned::to_owned);
    let mut applies = Where::default();
    words(rest, |word| {
        let is_code =
            word.len() == 5 && word.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
        if is_code {
            code = Some(word.to_owned());
        }
        is_code || applies.take(word)
    })?;
    Ok(Expected { code: code.ok_or("an error needs its SQLSTATE")?, applies })
}

fn params(rest: &str) -> Result<Vec<Param>, String> {
    let mut params = Vec::new();
    let mut chars = rest.chars().peekable();
    loop {
        while chars.next_if(|c| *c == ' ').is_some() {}
        if chars.next_if_eq(&'\'').is_some() {
            let mut text = String::new();
            loop {
                match chars.next() {
                    Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                    Some('\'') => break,
                    Some(c) => text.push(c),
                    None => return Err("a parameter's quote is not closed".to_owned()),
                }
            }
            params.push(Param::Quoted(text));
        } else {
            let mut text = String::new();
            while let Some(c) = chars.next_if(|c| *c != ',') {
                text.push(c);
            }
            params.push(match text.trim() {
                "" => return Err("a parameter is missing".to_owned()),
                "null" => Param::Null,
                bare => Param::Bare(bare.to_owned()),
            });
        }
        while chars.next_if(|c| *c == ' ').is_some() {}
        match chars.next() {
            None => return Ok(params),
            Some(',') => {}
            Some(c) => return Err(format!("{c:?} behind a parameter")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let cases = read(
            "-- Prose: not a directive.\n\
             SELECT 1;\n\
             -- refused: 42P17 randomized\n\
             -- error: 23505 deterministic\n\
             -- params: 'it''s', 5, null\n\
             SELECT $1,\n  '$2' || $2, $3;\n\
             -- session: b\n\
             -- only: simple\n\
             BEGIN; SELECT 2;\n",
        );
        assert_eq!(cases.len(), 3);
        assert_eq!(cases[0].sql, "SELECT 1");
        assert_eq!(cases[1].inlined(), "SELECT 'it''s',\n  '$2' || 5, NULL");
        let refused = |mode| Case::expected(&cases[1].refused, mode, Way::Text);
        assert_eq!(refused(Mode::Randomized), Some("42P17"));
        assert_eq!(refused(Mode::Deterministic), None);
        assert_eq!(
            Case::expected(&cases[1].error, Mode::Deterministic, Way::Simple),
            Some("23505")
        );
        assert_eq!((cases[2].sql.as_str(), cases[2].session.as_str()), ("BEGIN; SELECT 2", "b"));
        assert!(cases[2].runs.holds(Mode::Randomized, Way::Simple));
        assert!(!cases[2].runs.holds(Mode::Randomized, Way::Binary));
        assert!(!cases[0].runs.holds(Mode::Mixed, Way::Binary));
    }

    #[test]
    fn only_the_outermost_order_counts() {
        let ordered = |sql: &str| Case { sql: sql.to_owned(), ..Case::default() }.is_ordered();
        assert!(ordered("SELECT id FROM t\nORDER  BY id LIMIT 1"));
        assert!(!ordered("SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM t ORDER BY id) t"));
        assert!(!ordered("SELECT ' order by ' AS \"order by\""));
    }

    #[test]
    #[should_panic(expected = "line 2: unknown word \"sideways\"")]
    fn a_mistake_in_a_directive_is_told() {
        read("SELECT 1;\n-- only: sideways\nSELECT 2;\n");
    }
}
