//! Reading typed values out of a TOML document, collecting every mistake instead of stopping at
//! the first, which is what `serde` would do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, nearest};

/// Collects mistakes while a document is read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) mistakes: Vec<Mistake>,
}

impl Reader {
    /// Notes a mistake at a place.
    pub(super) fn mistake(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.mistakes.push(Mistake {
            span: Some(span),
            message: message.into(),
            help: Some(help.into()),
        });
    }
}

/// A table being read: what has been taken is known, and what remains at the end is not.
pub(super) struct Table<'a> {
    /// As a person would name it: `[server]`, or "the top level".
    name: String,
    span: Range<usize>,
    entries: BTreeMap<&'a str, Entry<'a>>,
    known: Vec<&'static str>,
}

/// A key with its value.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) key: Range<usize>,
    pub(super) value: Value<'a>,
}

/// A value with its name for messages.
#[derive(Clone)]
pub(super) struct Value<'a> {
    /// The key it was given under.
    pub(super) name: String,
    pub(super) span: Range<usize>,
    data: &'a DeValue<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn new(name: impl Into<String>, table: &'a DeTable<'a>, span: Range<usize>) -> Self {
        let entries = table
            .iter()
            .map(|(key, value)| {
                let name: &str = key.get_ref().as_ref();
                (name, Entry { key: key.span(), value: Value::new(name, value) })
            })
            .collect();
        Self { name: name.into(), span, entries, known: Vec::new() }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Takes an optional key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key);
        self.entries.remove(key).map(|entry| entry.value)
    }

    /// Takes a key that must be there; `example` is a line that would be right.
    pub(super) fn require(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        example: &str,
    ) -> Option<Value<'a>> {
        let value = self.take(key);
        if value.is_none() {
            // A misspelt key is reported once, as unknown, not twice.
            let misspelt = self.entries.keys().any(|other| nearest(other, [key]).is_some());
            if !misspelt {
                reader.mistake(
                    self.span(),
                    format!("{} needs \"{key}\"", self.name),
                    format!("for example: {example}"),
                );
            }
        }
        value
    }

    /// Takes a sub-table.
    pub(super) fn table(&mut self, reader: &mut Reader, key: &'static str) -> Option<Table<'a>> {
        let value = self.take(key)?;
        value.table(reader, format!("[{key}]"))
    }

    /// The entries under names that the file chooses.
    pub(super) fn rest(self) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
        self.entries.into_iter()
    }

    /// Reports what nobody took.
    pub(super) fn finish(self, reader: &mut Reader) {
        for (name, entry) in self.entries {
            let help = match nearest(name, self.known.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("{} takes: {}", self.name, self.known.join(", ")),
            };
            reader.mistake(entry.key, format!("unknown key \"{name}\" in {}", self.name), help);
        }
    }
}

impl<'a> Value<'a> {
    fn new(name: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { name: name.to_owned(), span: value.span(), data: value.get_ref() }
    }

    fn wrong<T>(&self, reader: &mut Reader, expected: &str) -> Option<T> {
        reader.mistake(
            self.span.clone(),
            format!("\"{}\" is {}", self.name, kind(self.data)),
            format!("it must be {expected}"),
        );
        None
    }

    pub(super) fn string(&self, reader: &mut Reader) -> Option<&'a str> {
        match self.data {
            DeValue::String(text) => Some(text.as_ref()),
            _ => self.wrong(reader, "a string in quotes"),
        }
    }

    /// One of the given words.
    pub(super) fn word<T: Copy>(&self, reader: &mut Reader, words: &[(&str, T)]) -> Option<T> {
        let given = self.string(reader)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == given) {
            return Some(*meant);
        }
        let list = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>();
        reader.mistake(
            self.span.clone(),
            format!("\"{}\" is not one of its words", self.name),
            format!("it must be {}", list.join(" or ")),
        );
        None
    }

    /// A whole number within bounds.
    pub(super) fn integer(
        &self,
        reader: &mut Reader,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let DeValue::Integer(number) = self.data else {
            return self.wrong(reader, &expected);
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if bounds.contains(&number) => Some(number),
            _ => {
                reader.mistake(
                    self.span.clone(),
                    format!("\"{}\" is out of range", self.name),
                    format!("it must be {expected}"),
                );
                None
            }
        }
    }

    /// A span of time as `"250ms"`, `"5s"`, `"1m 30s"`.
    pub(super) fn duration(
        &self,
        reader: &mut Reader,
        bounds: std::ops::RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let expected = "a span of time in quotes with its unit, such as \"250ms\", \"5s\", \"1m\"";
        let DeValue::String(text) = self.data else {
            return self.wrong(reader, expected);
        };
        match humantime::parse_duration(text) {
            Ok(duration) if bounds.contains(&duration) => Some(duration),
            Ok(_) => {
                reader.mistake(
                    self.span.clone(),
                    format!("\"{}\" is out of range", self.name),
                    format!(
                        "it must be from {} to {}",
                        humantime::format_duration(*bounds.start()),
                        humantime::format_duration(*bounds.end())
                    ),
                );
                None
            }
            Err(_) => {
                reader.mistake(
                    self.span.clone(),
                    format!("\"{}\" is not a span of time", self.name),
                    format!("it must be {expected}"),
                );
                None
            }
        }
    }

    pub(super) fn table(&self, reader: &mut Reader, name: String) -> Option<Table<'a>> {
        match self.data {
            DeValue::Table(table) => Some(Table::new(name, table, self.span.clone())),
            _ => self.wrong(reader, "a table"),
        }
    }

    /// The elements of an array; a single value counts as an array of one where `single`.
    pub(super) fn array(&self, reader: &mut Reader, single: bool) -> Option<Vec<Value<'a>>> {
        match self.data {
            DeValue::Array(items) => {
                Some(items.iter().map(|item| Value::new(&self.name, item)).collect())
            }
            _ if single => Some(vec![self.clone()]),
            _ => self.wrong(reader, "an array"),
        }
    }

    /// The value as JSON, and where each part of it stands: paths as `tables[0].columns`.
    pub(super) fn json(
        &self,
        reader: &mut Reader,
        path: &str,
        places: &mut BTreeMap<String, Range<usize>>,
    ) -> serde_json::Value {
        use serde_json::Value as Json;

        places.insert(path.to_owned(), self.span.clone());
        match self.data {
            DeValue::String(text) => Json::String(text.as_ref().to_owned()),
            DeValue::Boolean(yes) => Json::Bool(*yes),
            DeValue::Integer(number) => {
                if let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) {
                    Json::from(number)
                } else {
                    self.wrong::<()>(reader, "a whole number of at most 64 bits");
                    Json::Null
                }
            }
            DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Json::Null, Json::from),
            DeValue::Datetime(moment) => Json::String(moment.to_string()),
            DeValue::Array(items) => Json::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        let path = format!("{path}[{index}]");
                        Value::new(&self.name, item).json(reader, &path, places)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Json::Object(
                table
                    .iter()
                    .map(|(key, value)| {
                        let name: &str = key.get_ref().as_ref();
                        let path = if path.is_empty() {
                            name.to_owned()
                        } else {
                            format!("{path}.{name}")
                        };
                        let json = Value::new(name, value).json(reader, &path, places);
                        // A key's own place says more than that of a table far below it.
                        places.insert(path, key.span());
                        (name.to_owned(), json)
                    })
                    .collect(),
            ),
        }
    }
}

/// What a value is, as a person would say it.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
