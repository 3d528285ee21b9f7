//! Values.

use std::borrow::Cow;

/// What an expression is for one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'v> {
    /// NULL
    Null,
    /// A string; of type `character` with its blanks.
    Text(Cow<'v, str>),
    /// `integer`
    Integer(i32),
    /// `boolean`
    Boolean(bool),
}

impl<'v> Value<'v> {
    /// As the server prints it; `None` for NULL.
    pub fn output(self) -> Option<Cow<'v, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) => text,
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Boolean(truth) => Cow::Borrowed(if truth { "t" } else { "f" }),
        })
    }

    pub(crate) fn truth(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::Boolean)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'v> From<Cow<'v, str>> for Value<'v> {
    fn from(text: Cow<'v, str>) -> Self {
        Self::Text(text)
    }
}
