//! Order and case mapping: what a collation decides.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ffi::{CStr, CString};
use std::sync::Arc;

use crate::EvalError;
use crate::locale::{self, Locale};

/// Who implements a collation: `pg_collation.collprovider`, or `pg_database.datlocprovider` for
/// the one called `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Provider {
    /// `c`: the C library, by the names of `LC_COLLATE` and `LC_CTYPE`.
    Libc {
        /// `collcollate`, `datcollate`
        collate: String,
        /// `collctype`, `datctype`
        ctype: String,
    },
    /// `b`: the server itself, since PostgreSQL 17 (`C`, `C.UTF-8`, `PG_UNICODE_FAST`).
    Builtin {
        /// `colllocale`, `datlocale`
        locale: String,
    },
    /// `i`
    Icu,
}

/// A collation as the catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Definition {
    /// Who implements it.
    pub provider: Provider,
    /// `collisdeterministic`: strings are equal only where their bytes are.
    pub deterministic: bool,
}

/// A collation that is known here. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Collation {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    definition: Definition,
    order: Order,
    case: Case,
}

/// Two collations are the same where the catalog describes them alike.
impl PartialEq for Collation {
    fn eq(&self, other: &Self) -> bool {
        self.parts.definition == other.parts.definition
    }
}

impl Eq for Collation {}

#[derive(Debug)]
enum Order {
    /// Of the bytes, which for UTF-8 is that of the code points.
    Bytes,
    Libc(Locale),
}

#[derive(Debug)]
enum Case {
    /// Only a to z have two forms.
    Ascii,
    Libc {
        locale: Locale,
        /// It maps ASCII as ASCII is mapped: true outside Turkish and its relatives.
        plain_ascii: bool,
    },
    /// Known to the server alone.
    Unknown,
}

impl Collation {
    /// `C` and `POSIX`.
    pub fn c() -> Self {
        let name = "C".to_owned();
        let provider = Provider::Libc { collate: name.clone(), ctype: name };
        let definition = Definition { provider, deterministic: true };
        Self { parts: Arc::new(Parts { definition, order: Order::Bytes, case: Case::Ascii }) }
    }

    /// A collation of the catalog; refused where the answers would not be the server's, or where
    /// this machine does not have the locale.
    pub fn new(definition: &Definition) -> Result<Self, EvalError> {
        if !definition.deterministic {
            return Err(EvalError::Unsupported("a collation that is not deterministic"));
        }
        let (order, case) = match &definition.provider {
            Provider::Icu => return Err(EvalError::Unsupported("an ICU collation")),
            Provider::Builtin { locale } => {
                (Order::Bytes, if is_c(locale) { Case::Ascii } else { Case::Unknown })
            }
            Provider::Libc { collate, ctype } => {
                let missing = EvalError::Unsupported("a locale that this machine does not have");
                let order = if is_c(collate) {
                    Order::Bytes
                } else {
                    Order::Libc(Locale::collate(collate).ok_or_else(|| missing.clone())?)
                };
                let case = if is_c(ctype) {
                    Case::Ascii
                } else {
                    let locale = Locale::ctype(ctype).ok_or(missing)?;
                    let plain_ascii = ('\0'..='\x7f').all(|c| {
                        locale.upper(c) == c.to_ascii_uppercase()
                            && locale.lower(c) == c.to_ascii_lowercase()
                    });
                    Case::Libc { locale, plain_ascii }
                };
                (order, case)
            }
        };
        Ok(Self { parts: Arc::new(Parts { definition: definition.clone(), order, case }) })
    }

    /// The version of the C library, to be compared with `pg_collation_actual_version()`.
    /// `None` where it has none.
    pub fn version() -> Option<String> {
        locale::version()
    }

    /// The order of two values. `Equal` is for equal bytes only.
    pub fn compare(&self, left: &str, right: &str) -> Ordering {
        match &self.parts.order {
            Order::Bytes => left.cmp(right),
            Order::Libc(_) if left == right => Ordering::Equal,
            Order::Libc(locale) => with_c_str(left, |c_left| {
                with_c_str(right, |c_right| locale.compare(c_left, c_right))
            })
            // What the locale calls equal is ordered by its bytes.
            .then_with(|| left.cmp(right)),
        }
    }

    /// Sorts as `ORDER BY` does; equal values keep their order.
    pub fn sort<T>(&self, items: &mut [T], value: impl Fn(&T) -> &str) {
        match &self.parts.order {
            Order::Bytes => items.sort_by(|a, b| value(a).cmp(value(b))),
            Order::Libc(locale) => {
                // Each is made a C string once, not at every comparison.
                let c_strings: Vec<CString> = items.iter().map(|i| c_string(value(i))).collect();
                let mut order: Vec<usize> = (0..items.len()).collect();
                order.sort_by(|&a, &b| {
                    locale
                        .compare(&c_strings[a], &c_strings[b])
                        .then_with(|| value(&items[a]).cmp(value(&items[b])))
                });
                permute(items, order);
            }
        }
    }

    /// `upper()`
    pub fn upper<'v>(&self, value: &'v str) -> Result<Cow<'v, str>, EvalError> {
        self.map(value, u8::is_ascii_lowercase, str::to_ascii_uppercase, Locale::upper)
    }

    /// `lower()`
    pub fn lower<'v>(&self, value: &'v str) -> Result<Cow<'v, str>, EvalError> {
        self.map(value, u8::is_ascii_uppercase, str::to_ascii_lowercase, Locale::lower)
    }

    /// Hands a value over in lower case, without an allocation if it is short and plain.
    pub(crate) fn with_lower<T>(
        &self,
        value: &str,
        work: impl FnOnce(&str) -> T,
    ) -> Result<T, EvalError> {
        let mut buffer = [0; SHORT];
        if self.is_ascii_alone(value)?
            && let Some(lower) = buffer.get_mut(..value.len())
        {
            lower.copy_from_slice(value.as_bytes());
            lower.make_ascii_lowercase();
            if let Ok(lower) = std::str::from_utf8(lower) {
                return Ok(work(lower));
            }
        }
        Ok(work(&self.lower(value)?))
    }

    /// Only ASCII letters of the value have another case.
    fn is_ascii_alone(&self, value: &str) -> Result<bool, EvalError> {
        match &self.parts.case {
            Case::Ascii => Ok(true),
            Case::Libc { plain_ascii, .. } => Ok(*plain_ascii && value.is_ascii()),
            Case::Unknown => Err(EvalError::Unsupported("case in a builtin collation")),
        }
    }

    fn map<'v>(
        &self,
        value: &'v str,
        changes: impl Fn(&u8) -> bool,
        ascii: impl Fn(&str) -> String,
        map: impl Fn(&Locale, char) -> char,
    ) -> Result<Cow<'v, str>, EvalError> {
        let ascii_alone = self.is_ascii_alone(value)?;
        Ok(match &self.parts.case {
            _ if ascii_alone => {
                if value.bytes().any(|byte| changes(&byte)) {
                    Cow::Owned(ascii(value))
                } else {
                    Cow::Borrowed(value)
                }
            }
            Case::Libc { locale, .. } => {
                Cow::Owned(value.chars().map(|character| map(locale, character)).collect())
            }
            Case::Ascii | Case::Unknown => Cow::Borrowed(value),
        })
    }

    /// `initcap()`: the first letter of each word in upper case, the others in lower case; words
    /// are runs of letters and digits.
    pub fn initcap(&self, value: &str) -> Result<String, EvalError> {
        let mut inside = false;
        let mut result = String::with_capacity(value.len());
        for character in value.chars() {
            let mapped = match &self.parts.case {
                Case::Ascii if inside => character.to_ascii_lowercase(),
                Case::Ascii => character.to_ascii_uppercase(),
                Case::Libc { locale, .. } if inside => locale.lower(character),
                Case::Libc { locale, .. } => locale.upper(character),
                Case::Unknown => return Err(EvalError::Unsupported("case in a builtin collation")),
            };
            inside = match &self.parts.case {
                Case::Libc { locale, .. } => locale.is_alphanumeric(mapped),
                Case::Ascii | Case::Unknown => mapped.is_ascii_alphanumeric(),
            };
            result.push(mapped);
        }
        Ok(result)
    }
}

/// Values up to this many bytes are copied to the stack: most names and addresses.
const SHORT: usize = 256;

fn is_c(name: &str) -> bool {
    matches!(name, "C" | "POSIX")
}

/// A value has no zero byte in it, as the server accepts none; the rest would not be compared.
fn c_string(value: &str) -> CString {
    let end = memchr::memchr(0, value.as_bytes()).unwrap_or(value.len());
    CString::new(&value[..end]).unwrap_or_default()
}

/// Hands a value over as a C string, without an allocation if it is short.
fn with_c_str<T>(value: &str, work: impl FnOnce(&CStr) -> T) -> T {
    let mut buffer = [0; SHORT];
    if value.len() < buffer.len() {
        buffer[..value.len()].copy_from_slice(value.as_bytes());
        if let Ok(c_str) = CStr::from_bytes_until_nul(&buffer) {
            return work(c_str);
        }
    }
    work(&c_string(value))
}

/// Brings items into an order given by their old places.
fn permute<T>(items: &mut [T], mut order: Vec<usize>) {
    for place in 0..items.len() {
        let mut from = order[place];
        // What stood there may have been swapped away already.
        while from < place {
            from = order[from];
        }
        items.swap(place, from);
        order[place] = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permuted_items_are_in_the_order_given() {
        for order in [vec![2, 0, 1, 3], vec![3, 2, 1, 0], vec![1, 2, 3, 0], vec![0, 1, 2, 3]] {
            let mut items: Vec<usize> = (0..4).collect();
            permute(&mut items, order.clone());
            assert_eq!(items, order);
        }
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        let new = |provider, deterministic| Collation::new(&Definition { provider, deterministic });
        let builtin = Provider::Builtin { locale: "C.UTF-8".to_owned() };
        assert!(new(Provider::Icu, true).is_err());
        assert!(new(builtin.clone(), false).is_err());
        let libc = |name: &str| Provider::Libc { collate: name.to_owned(), ctype: name.to_owned() };
        assert!(new(libc("xx_XX.UTF-8"), true).is_err());
        assert!(new(libc("C"), true).is_ok());
        let builtin = new(builtin, true).unwrap();
        assert_eq!(builtin.compare("a", "B"), Ordering::Greater);
        assert_eq!(builtin.upper("a").unwrap_err().sqlstate(), "0A000");
    }
}
