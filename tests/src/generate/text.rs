//! Names, literals, parameters, blanks: how a statement is spelt.

use super::schema::{SHORT, Sort};
use super::{Choices, Protocol, Statement};

/// Surrounds the number of a literal in a text that is not finished: what is in a literal is no
/// place for blanks and comments.
const MARK: char = '\u{1}';

/// Writes one program.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) choices: Choices,
    pub(super) protocol: Protocol,
    /// What the marks in the text stand for.
    literals: Vec<String>,
    /// Their sorts; an array has none.
    params: Vec<(Option<Sort>, Option<String>)>,
    names: usize,
    pub(super) writes: Vec<&'static str>,
    /// How many sub-queries are around.
    pub(super) depth: usize,
}

impl Writer {
    pub(super) fn new(choices: Choices, protocol: Protocol) -> Self {
        Self {
            choices,
            protocol,
            literals: Vec::new(),
            params: Vec::new(),
            names: 0,
            writes: Vec::new(),
            depth: 0,
        }
    }

    /// Puts the literals in their places, and begins the next statement.
    pub(super) fn finish(&mut self, draft: &str, ordered: bool) -> Statement {
        let messy = self.choices.chance(15);
        let mut sql = String::new();
        let mut quoted = false;
        let mut used: Vec<usize> = Vec::new();
        let mut parts = draft.split(MARK);
        while let Some(part) = parts.next() {
            for c in part.chars() {
                quoted ^= c == '"';
                match c {
                    ' ' if messy && !quoted => sql.push_str(self.blank()),
                    _ => sql.push(c),
                }
            }
            let Some(mark) = parts.next() else { continue };
            let index = |digits: &str| digits.parse::<usize>().expect("a mark is a number");
            match mark.strip_prefix('$') {
                None => sql.push_str(&self.literals[index(mark)]),
                // Numbered as they come: one may have been made and not used.
                Some(param) => {
                    let param = index(param);
                    let number = used.iter().position(|known| *known == param);
                    let number = number.unwrap_or_else(|| {
                        used.push(param);
                        used.len() - 1
                    });
                    sql.push_str(&format!("${}", number + 1));
                }
            }
        }
        if self.choices.chance(3) {
            sql.push_str(self.choices.pick(&[" ", "\n", " -- the end\n", " /* the end */", ";"]));
        }
        self.literals.clear();
        self.names = 0;
        let params = used.iter().map(|index| self.params[*index].1.clone()).collect();
        self.params.clear();
        Statement {
            sql,
            params,
            ordered,
            writes: std::mem::take(&mut self.writes),
            parts: Vec::new(),
        }
    }

    fn blank(&mut self) -> &'static str {
        let blanks =
            [" ", "  ", "\n", "\t", " /* it's */ ", " -- it's\n", " /* a /* b */ \" */ ", "\r\n"];
        blanks[self.choices.weighted(&[12, 2, 2, 1, 1, 1, 1, 1])]
    }

    /// A name that is not in use yet, as it is written.
    pub(super) fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        let number = self.names;
        match self.choices.weighted(&[18, 1, 1, 1]) {
            0 => format!("{stem}{number}"),
            1 => format!("\"{stem} {number}\""),
            2 => format!("\"{}\"\"{number}\"", stem.to_uppercase()),
            _ => format!("\"from{number}\""),
        }
    }

    /// A known name, spelt in one of the ways that mean the same.
    pub(super) fn spell(&mut self, name: &str) -> String {
        if name.starts_with('"') {
            return name.to_owned();
        }
        match self.choices.weighted(&[16, 2, 1, 1]) {
            0 => name.to_owned(),
            1 => format!("\"{name}\""),
            2 => name.to_uppercase(),
            _ => {
                let (first, rest) = name.split_at(1);
                format!("{}{rest}", first.to_uppercase())
            }
        }
    }

    /// A value of a sort: a literal, in the extended protocol often a parameter. `met`: it meets a
    /// protected column for certain, so that it may be one of those that are searched for.
    pub(super) fn literal(&mut self, sort: Sort, met: bool) -> String {
        let value = self.any_value(sort, met);
        self.literal_of(sort, value)
    }

    /// The same with this value.
    pub(super) fn literal_of(&mut self, sort: Sort, value: Option<String>) -> String {
        if self.protocol != Protocol::Simple && self.choices.chance(50) {
            return self.param(sort, value);
        }
        let Some(value) = value else {
            let cast = self.choices.chance(10);
            let cast = cast.then(|| self.choices.pick(sort.casts()));
            return cast.map_or("NULL".to_owned(), |cast| format!("NULL::{cast}"));
        };
        let text = match sort {
            Sort::Int | Sort::Bool => return value,
            Sort::Date => return format!("DATE '{value}'"),
            _ => self.string(&value),
        };
        let cast = self.choices.pick(sort.casts());
        let (mark, end) = (self.choices.weighted(&[24, 3, 2, 1, 1]), cast.ends_with(')'));
        let text = match mark {
            1 => format!("{text}::{cast}"),
            2 => format!("CAST({text} AS {cast})"),
            3 => format!("({text})"),
            // A length is not allowed there.
            4 if !end && !cast.contains(' ') => format!("{cast} {text}"),
            _ => text,
        };
        self.mark(text)
    }

    /// A value: NULL now and then, a short one, or one of the sort's own if it may be.
    pub(super) fn any_value(&mut self, sort: Sort, met: bool) -> Option<String> {
        if self.choices.chance(6) {
            return None;
        }
        let own = !sort.is_protected() || (met && !self.choices.chance(20));
        // The first ones are those that are in the tables.
        let values = if own { sort.values() } else { &SHORT };
        let first = values.len().min(4);
        Some(if self.choices.chance(50) {
            self.choices.pick(values).to_owned()
        } else {
            self.choices.pick(&values[..first]).to_owned()
        })
    }

    /// An array in text form, as a literal or a parameter.
    pub(super) fn array(&mut self, text: &str, cast: &str) -> String {
        let cast = if self.choices.chance(40) { format!("::{cast}") } else { String::new() };
        if self.protocol != Protocol::Simple && self.choices.chance(60) {
            self.params.push((None, Some(text.to_owned())));
            return format!("{MARK}${}{MARK}{cast}", self.params.len() - 1);
        }
        let literal = self.string(text);
        self.mark(format!("{literal}{cast}"))
    }

    fn mark(&mut self, text: String) -> String {
        self.literals.push(text);
        format!("{MARK}{}{MARK}", self.literals.len() - 1)
    }

    /// A string literal.
    pub(super) fn string(&mut self, value: &str) -> String {
        let plain = format!("'{}'", value.replace('\'', "''"));
        match self.choices.weighted(&[20, 2, 2, 1, 1]) {
            1 => {
                let quote = self.choices.pick(&["\\'", "''", "\\x27", "\\047", "\\u0027"]);
                let escaped = value.replace('\\', "\\\\").replace('\'', quote);
                format!("E'{}'", escaped.replace('\n', "\\n").replace('\t', "\\t"))
            }
            2 => {
                let tag = self.choices.pick(&["$$", "$q$", "$a1$", "$ö$"]);
                // A dollar sign at the end would join the closing one.
                let inside = value.contains(tag) || value.ends_with('$');
                if inside { plain } else { format!("{tag}{value}{tag}") }
            }
            // Two literals with a line's end between them are one.
            3 if value.is_ascii() && value.len() > 2 && !value[..2].contains('\'') => {
                let (head, rest) = value.split_at(2);
                format!("'{head}'\n  '{}'", rest.replace('\'', "''"))
            }
            4 => format!("U&'{}'", value.replace('\\', "\\\\").replace('\'', "''")),
            _ => plain,
        }
    }

    /// A parameter, one that is there already now and then.
    fn param(&mut self, sort: Sort, value: Option<String>) -> String {
        let again = self.params.iter().position(|(own, _)| *own == Some(sort));
        let number = match again {
            Some(index) if self.choices.chance(10) => index,
            _ => {
                self.params.push((Some(sort), value));
                self.params.len() - 1
            }
        };
        let param = format!("{MARK}${number}{MARK}");
        // The type of what is not protected does not always follow from what it meets.
        let often = matches!(sort, Sort::Int | Sort::Bool | Sort::Date);
        if self.choices.chance(if often { 70 } else { 15 }) {
            let cast = self.choices.pick(sort.casts());
            return if self.choices.chance(10) {
                format!("CAST({param} AS {cast})")
            } else {
                format!("{param}::{cast}")
            };
        }
        param
    }
}
