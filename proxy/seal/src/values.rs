//! PostgreSQL's rules for values of the character types, applied before a value is sealed and after
//! it is opened.
//!
//! The server stores tokens in `text` and cannot apply them: what it calls equal has to be one
//! value before it is sealed, what it would refuse has to be refused here, and what it would show
//! has to be shown (PostgreSQL, *Character Types*; `src/backend/utils/adt/varchar.c`). Lengths are
//! counted in characters, and a *blank* is the character 0x20 alone.

use std::borrow::Cow;
use std::fmt::Write;

use crate::types::LogicalType;

impl LogicalType {
    /// The value as a column of this type takes it, in the form that is sealed.
    ///
    /// Characters beyond the length are cut off where all of them are blanks, and are an error
    /// otherwise. The trailing blanks of `character(n)` mean nothing; they are not sealed, and
    /// [`present`](Self::present) puts them back.
    pub fn assign(self, value: &str) -> Result<Cow<'_, str>, ValueError> {
        match self {
            Self::Varchar(Some(n)) | Self::Char(Some(n)) => {
                let (kept, excess) = value.split_at(end_of_characters(value, n));
                if excess.bytes().all(|byte| byte == b' ') {
                    Ok(Cow::Borrowed(self.canonical(kept)))
                } else {
                    Err(ValueError::TooLong { logical: self })
                }
            }
            // Shown as they were written but ignored by comparisons: no single token does both.
            Self::Char(None) if value.ends_with(' ') => Err(ValueError::TrailingBlanks),
            Self::Text | Self::Varchar(None) | Self::Char(None) => Ok(Cow::Borrowed(value)),
        }
    }

    /// The value after an explicit cast to this type, which cuts it to the length without an
    /// error, in the form that is sealed or compared.
    pub fn cast(self, value: &str) -> Cow<'_, str> {
        let kept = match self {
            Self::Text | Self::Varchar(None) | Self::Char(None) => value,
            Self::Varchar(Some(n)) | Self::Char(Some(n)) => &value[..end_of_characters(value, n)],
        };
        Cow::Borrowed(self.canonical(kept))
    }

    /// The form in which an operand of this type is compared: two values are equal where their
    /// forms are.
    pub fn compare(self, value: &str) -> Cow<'_, str> {
        Cow::Borrowed(self.canonical(value))
    }

    /// The opened value as the client is shown it: `character(n)` padded with blanks to n
    /// characters, everything else as it is.
    pub fn present(self, value: &str) -> Cow<'_, str> {
        let Self::Char(Some(n)) = self else { return Cow::Borrowed(value) };
        let missing = (n as usize).saturating_sub(value.chars().count());
        if missing == 0 {
            return Cow::Borrowed(value);
        }
        let mut padded = String::with_capacity(value.len() + missing);
        padded.push_str(value);
        padded.extend(std::iter::repeat_n(' ', missing));
        Cow::Owned(padded)
    }

    fn canonical(self, value: &str) -> &str {
        match self {
            Self::Char(_) => value.trim_end_matches(' '),
            Self::Text | Self::Varchar(_) => value,
        }
    }
}

/// The length in bytes of the first `n` characters.
fn end_of_characters(value: &str, n: u32) -> usize {
    let n = n as usize;
    // A character has at least one byte, so most values need no counting.
    if value.len() <= n {
        return value.len();
    }
    value.char_indices().nth(n).map_or(value.len(), |(index, _)| index)
}

/// The bytes as text, after the checks that a server with encoding UTF8 makes on its input: valid
/// UTF-8 without the byte 0x00.
pub fn check_text(bytes: &[u8]) -> Result<&str, ValueError> {
    let invalid_from = match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => return Ok(text),
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    let valid = &bytes[..invalid_from];
    let at = valid.iter().position(|byte| *byte == 0).unwrap_or(invalid_from);
    // The server prints as many bytes as the first one announces, if they are there.
    let announced = match bytes[at] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let mut shown = [0; 4];
    let length = announced.min(bytes.len() - at);
    shown[..length].copy_from_slice(&bytes[at..at + length]);
    Err(ValueError::InvalidEncoding { bytes: shown, length })
}

/// Why a value cannot be sealed. The text of the error is the server's own, so that a client
/// cannot tell the difference. It is for the client that sent the value: that of
/// [`InvalidEncoding`](Self::InvalidEncoding) has up to four bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// More characters than the column takes.
    #[error("value too long for type {logical}")]
    TooLong {
        /// The column's type.
        logical: LogicalType,
    },
    /// Bytes that are no text in the server's encoding.
    #[error("invalid byte sequence for encoding \"UTF8\": {}", hex(&bytes[..*length]))]
    InvalidEncoding {
        /// The offending bytes.
        bytes: [u8; 4],
        /// How many of them there are.
        length: usize,
    },
    /// A value of type `bpchar` without a length that ends in blanks.
    #[error("trailing blanks cannot be sealed in type bpchar without a length")]
    TrailingBlanks,
}

impl ValueError {
    /// The SQLSTATE, as the server would give it.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "22001",
            Self::InvalidEncoding { .. } => "22021",
            Self::TrailingBlanks => "0A000",
        }
    }

    /// What to do about it, where it is not the server's own error.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLong { .. } | Self::InvalidEncoding { .. } => None,
            Self::TrailingBlanks => Some(
                "They would be shown but not compared. Give the column a length or the type text, \
                 or trim the value.",
            ),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
        let separator = if index == 0 { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}0x{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogicalType::{Char, Text, Varchar};

    #[test]
    fn assignment_cuts_blanks_only() {
        let long = "x".repeat(1000);
        assert_eq!(Text.assign(&long).unwrap(), long);
        assert_eq!(Varchar(None).assign(&long).unwrap(), long);
        assert_eq!(Char(None).assign(&long).unwrap(), long);

        let v3 = Varchar(Some(3));
        assert_eq!(v3.assign("").unwrap(), "");
        assert_eq!(v3.assign("abc").unwrap(), "abc");
        assert_eq!(v3.assign("ab  ").unwrap(), "ab ");
        assert_eq!(v3.assign("äöü").unwrap(), "äöü");
        assert_eq!(v3.assign("äöü   ").unwrap(), "äöü");
        assert_eq!(v3.assign("äöüx").unwrap_err().sqlstate(), "22001");
        assert_eq!(v3.assign("abc x").unwrap_err().sqlstate(), "22001");
        assert_eq!(v3.assign("abc\t").unwrap_err().sqlstate(), "22001");
        assert_eq!(v3.assign("abc\u{a0}").unwrap_err().sqlstate(), "22001");

        let c3 = Char(Some(3));
        assert_eq!(c3.assign("a  ").unwrap(), "a");
        assert_eq!(c3.assign("a      ").unwrap(), "a");
        assert_eq!(c3.assign("    ").unwrap(), "");
        assert_eq!(c3.assign(" a ").unwrap(), " a");
        assert_eq!(c3.assign("a\t ").unwrap(), "a\t");
        assert_eq!(c3.assign("abcd").unwrap_err().sqlstate(), "22001");
    }

    #[test]
    fn messages_are_those_of_the_server() {
        let message = |logical: LogicalType| logical.assign("too long").unwrap_err().to_string();
        assert_eq!(message(Varchar(Some(5))), "value too long for type character varying(5)");
        assert_eq!(message(Char(Some(5))), "value too long for type character(5)");
    }

    #[test]
    fn a_bpchar_without_length_keeps_no_blanks() {
        let error = Char(None).assign("a ").unwrap_err();
        assert_eq!((error.sqlstate(), error.hint().is_some()), ("0A000", true));
        assert_eq!(Char(None).compare("a  "), "a");
    }

    #[test]
    fn a_cast_cuts_anything() {
        assert_eq!(Varchar(Some(3)).cast("äöüx"), "äöü");
        assert_eq!(Varchar(Some(3)).cast("ab  "), "ab ");
        assert_eq!(Varchar(None).cast("ab  "), "ab  ");
        assert_eq!(Char(Some(3)).cast("a xyz"), "a x");
        assert_eq!(Char(Some(3)).cast("a  xyz"), "a");
        assert_eq!(Char(None).cast("a  "), "a");
        assert_eq!(Text.cast("a  "), "a  ");
    }

    #[test]
    fn only_character_is_padded_and_compared_without_blanks() {
        assert_eq!(Char(Some(3)).present("ä"), "ä  ");
        assert_eq!(Char(Some(3)).present("abc"), "abc");
        assert_eq!(Char(None).present("a"), "a");
        assert_eq!(Varchar(Some(3)).present("a"), "a");
        assert_eq!(Char(Some(3)).compare("a "), "a");
        assert_eq!(Varchar(Some(3)).compare("a "), "a ");
        assert_eq!(Text.compare("a "), "a ");
    }

    #[test]
    fn text_is_checked_as_the_server_does() {
        assert_eq!(check_text("äöü€😀".as_bytes()), Ok("äöü€😀"));
        assert_eq!(check_text(b""), Ok(""));
        let cases: [(&[u8], &str); 9] = [
            (b"a\0b", "0x00"),
            (b"\xc3\x28", "0xc3 0x28"),
            (b"a\xff", "0xff"),
            (b"\x80abc", "0x80"),
            (b"ab\xe2\x82", "0xe2 0x82"),
            (b"\xed\xa0\x80", "0xed 0xa0 0x80"),
            (b"\xf4\x90\x80\x80", "0xf4 0x90 0x80 0x80"),
            (b"a\0\xff", "0x00"),
            (b"\xff\0", "0xff"),
        ];
        for (bytes, shown) in cases {
            let error = check_text(bytes).unwrap_err();
            assert_eq!(error.sqlstate(), "22021");
            assert_eq!(
                error.to_string(),
                format!("invalid byte sequence for encoding \"UTF8\": {shown}")
            );
        }
    }
}
