//! Reading a policy's configuration so that every mistake is reported at once, with its path and
//! what would be right.
//!
//! [`Section`] walks the JSON document. Every getter notes what is wrong in [`Errors`] and
//! returns what is left, so that reading goes on; [`Section::finish`] reports keys that nobody
//! asked for. Who prefers serde can use `serde_json::from_str(config)?`: its error becomes one
//! entry of [`ConfigErrors`].

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::ConfigError;

/// The mistakes in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// One mistake.
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![ConfigError { path: path.into(), message: message.into() }])
    }
}

impl From<serde_json::Error> for ConfigErrors {
    fn from(error: serde_json::Error) -> Self {
        Self::one("", error.to_string())
    }
}

/// Parses the configuration as JSON.
pub fn parse(config: &str) -> Result<Value, ConfigErrors> {
    Ok(serde_json::from_str(config)?)
}

/// Collects mistakes while a configuration is read.
#[derive(Debug, Default)]
pub struct Errors(RefCell<Vec<ConfigError>>);

impl Errors {
    /// Notes a mistake.
    pub fn push(&self, path: impl Into<String>, message: impl Into<String>) {
        self.0.borrow_mut().push(ConfigError { path: path.into(), message: message.into() });
    }

    /// `value` if no mistake was noted. [`None`] without a mistake is a mistake, too.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut errors = self.0.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            Some(_) => Err(ConfigErrors(errors)),
            None => {
                if errors.is_empty() {
                    errors.push(ConfigError {
                        path: String::new(),
                        message: "the configuration is not complete".to_owned(),
                    });
                }
                Err(ConfigErrors(errors))
            }
        }
    }
}

/// A table of the configuration.
#[derive(Debug)]
pub struct Section<'a> {
    /// [`None`] where something else stood, which has been noted: every key is then absent, and
    /// nothing more is noted.
    map: Option<&'a Map<String, Value>>,
    /// Path of the table; empty for the document.
    path: String,
    /// Keys that were asked for.
    known: RefCell<Vec<&'static str>>,
    errors: &'a Errors,
}

impl<'a> Section<'a> {
    /// The document.
    pub fn root(document: &'a Value, errors: &'a Errors) -> Self {
        Self::new(document, String::new(), errors)
    }

    fn new(value: &'a Value, path: String, errors: &'a Errors) -> Self {
        let map = value.as_object();
        if map.is_none() {
            errors.push(path.clone(), format!("a table is expected here, not {}", kind(value)));
        }
        Self { map, path, known: RefCell::default(), errors }
    }

    /// Path of a key in this table.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a mistake at a key.
    pub fn error(&self, key: &str, message: impl Into<String>) {
        self.errors.push(self.path(key), message);
    }

    /// True when the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.map.is_some_and(|map| map.contains_key(key))
    }

    /// True when the key is absent or an empty list.
    pub fn is_empty_list(&self, key: &str) -> bool {
        let Some(map) = self.map else { return false };
        map.get(key).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty))
    }

    fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key);
        self.map?.get(key)
    }

    /// Notes that a key is missing, unless the whole table is.
    fn missing(&self, key: &'static str, what: &str) {
        if self.map.is_some() {
            self.error(key, format!("is missing: {what}"));
        }
    }

    /// A text that is not empty.
    pub fn string(&self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        match value.as_str() {
            Some("") => self.error(key, "must not be empty"),
            Some(text) => return Some(text.to_owned()),
            None => self.error(key, format!("a text is expected, not {}", kind(value))),
        }
        None
    }

    /// A text that must be there; `what` says what it is for.
    pub fn required_string(&self, key: &'static str, what: &str) -> Option<String> {
        if !self.has(key) {
            self.missing(key, what);
        }
        self.string(key)
    }

    /// A text that may be empty.
    pub fn text(&self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        if value.as_str().is_none() {
            self.error(key, format!("a text is expected, not {}", kind(value)));
        }
        value.as_str().map(str::to_owned)
    }

    /// A whole number from 0.
    pub fn number(&self, key: &'static str) -> Option<u32> {
        let value = self.get(key)?;
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
        if number.is_none() {
            self.error(key, format!("a whole number from 0 is expected, not {value}"));
        }
        number
    }

    /// `true` or `false`.
    pub fn truth(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let truth = value.as_bool();
        if truth.is_none() {
            self.error(key, format!("true or false is expected, not {value}"));
        }
        truth
    }

    /// One of several words.
    pub fn word<T: Clone>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let value = self.get(key)?;
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            self.error(key, format!("must be {}, not {value}", list(words.iter().map(|w| w.0))));
        }
        found.map(|(_, meaning)| meaning.clone())
    }

    /// One of several words that must be there.
    pub fn required_word<T: Clone>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        if !self.has(key) {
            self.missing(key, &list(words.iter().map(|w| w.0)));
        }
        self.word(key, words)
    }

    /// One text, or a list of texts, none of them empty.
    pub fn strings(&self, key: &'static str) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        if items.is_empty() {
            self.error(key, "must not be empty; leave it out instead");
        }
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().filter(|text| !text.is_empty()) {
                Some(text) => texts.push(text.to_owned()),
                None => self.error(
                    &if value.is_array() { format!("{key}[{index}]") } else { key.to_owned() },
                    format!("a text is expected, not {}", kind(item)),
                ),
            }
        }
        Some(texts)
    }

    /// A table inside this one.
    pub fn section(&self, key: &'static str) -> Option<Section<'a>> {
        let value = self.get(key)?;
        Some(Self::new(value, self.path(key), self.errors))
    }

    /// A list of tables; empty when the key is absent.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(items) = value.as_array() else {
            self.error(key, format!("a list of tables is expected, not {}", kind(value)));
            return Vec::new();
        };
        let section = |(i, item)| Self::new(item, self.path(&format!("{key}[{i}]")), self.errors);
        items.iter().enumerate().map(section).collect()
    }

    /// All keys of this table with their texts, for a table whose keys are names.
    pub fn texts(self) -> Vec<(String, String)> {
        let mut entries = Vec::new();
        for (name, value) in self.map.into_iter().flatten() {
            match value.as_str().filter(|text| !text.is_empty()) {
                Some(text) => entries.push((name.clone(), text.to_owned())),
                None => self.error(name, format!("a text is expected, not {}", kind(value))),
            }
        }
        entries
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        let known = self.known.borrow();
        for key in self.map.into_iter().flat_map(Map::keys) {
            if !known.contains(&key.as_str()) {
                self.error(
                    key,
                    format!("is not known here; known are {}", list(known.iter().copied())),
                );
            }
        }
    }
}

/// A JSON value's type, as a person would say it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// `"a", "b" or "c"`
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    match words.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_mistake_is_reported_with_its_path() {
        let document = json!({
            "name": 7,
            "mode": "fast",
            "size": -1,
            "inner": [{"a": "x", "b": "y"}, 3],
            "who": ["root", ""],
            "wrong": true,
        });
        let errors = Errors::default();
        let root = Section::root(&document, &errors);
        assert_eq!(root.string("name"), None);
        assert_eq!(root.required_string("title", "what it is called"), None);
        assert_eq!(root.word("mode", &[("slow", 1), ("steady", 2)]), None);
        assert_eq!(root.number("size"), None);
        for section in root.sections("inner") {
            section.string("a");
            section.required_word("c", &[("yes", true)]);
            section.finish();
        }
        assert_eq!(root.strings("who"), Some(vec!["root".to_owned()]));
        root.finish();
        let errors = errors.into_result(Some(())).unwrap_err().0;
        let lines: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
        assert_eq!(
            lines,
            [
                "name: a text is expected, not a number",
                "title: is missing: what it is called",
                "mode: must be \"slow\" or \"steady\", not \"fast\"",
                "size: a whole number from 0 is expected, not -1",
                "inner[1]: a table is expected here, not a number",
                "inner[0].c: is missing: \"yes\"",
                "inner[0].b: is not known here; known are \"a\" or \"c\"",
                "who[1]: a text is expected, not an empty text",
                "wrong: is not known here; known are \"name\", \"title\", \"mode\", \"size\", \
                 \"inner\" or \"who\"",
            ]
        );
    }

    #[test]
    fn a_complete_configuration_is_read() {
        let document = json!({"who": "root", "copies": {"email": "encrypted_email"}});
        let errors = Errors::default();
        let root = Section::root(&document, &errors);
        assert_eq!(root.strings("who"), Some(vec!["root".to_owned()]));
        let copies = root.section("copies").map(Section::texts);
        root.finish();
        assert_eq!(
            errors.into_result(copies).unwrap(),
            [("email".to_owned(), "encrypted_email".to_owned())]
        );
    }

    #[test]
    fn nothing_without_a_mistake_is_a_mistake() {
        assert!(Errors::default().into_result(None::<()>).is_err());
        assert!(parse("{").is_err());
    }
}
