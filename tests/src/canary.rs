//! Canaries: values that must not get past the proxy, whatever they are dressed as.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values would be found by chance in tokens, which are random text.
const SHORTEST: usize = 8;

/// How much of the surroundings a finding shows.
const EXCERPT: usize = 80;

/// Values to search for, in every form that a value could leak in: other letter case, UTF-16,
/// Latin-1, hexadecimal (`bytea`'s `\x...` included), base64 with either alphabet at each of the
/// three alignments, doubled quotes or backslashes.
#[derive(Debug, Default, Clone)]
pub struct Canaries {
    values: Vec<String>,
    /// Form to what it is: the index of its value and a name.
    forms: BTreeMap<Vec<u8>, (usize, &'static str)>,
}

/// A canary that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The form it came in.
    pub form: &'static str,
    /// Where in the stream.
    pub offset: usize,
    /// The surroundings, the value itself blacked out but for its first two characters.
    pub excerpt: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a canary as {} at byte {}: {}", self.form, self.offset, self.excerpt)
    }
}

impl Canaries {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value. Panics when it is too short to be told from chance.
    pub fn add(&mut self, value: &str) {
        assert!(value.len() >= SHORTEST, "a canary needs {SHORTEST} bytes: {value:?}");
        let index = self.values.len();
        self.values.push(value.to_owned());
        // ASCII letters are matched in either case below; these two are for the other ones, and
        // for the encodings, in which case is no longer visible.
        for text in [value.to_owned(), value.to_lowercase(), value.to_uppercase()] {
            for (form, bytes) in forms(&text) {
                self.forms.entry(bytes).or_insert((index, form));
            }
        }
    }

    /// The same with several values.
    #[must_use]
    pub fn with(mut self, values: &[&str]) -> Self {
        for value in values {
            self.add(value);
        }
        self
    }

    /// Every canary in a stream of bytes, in order.
    pub fn search(&self, bytes: &[u8]) -> Vec<Finding> {
        let forms: Vec<(&Vec<u8>, &(usize, &'static str))> = self.forms.iter().collect();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(forms.iter().map(|(bytes, _)| bytes))
            .expect("a few dozen short patterns build");
        automaton
            .find_iter(bytes)
            .map(|found| {
                let (value, form) = *forms[found.pattern().as_usize()].1;
                Finding {
                    form,
                    offset: found.start(),
                    excerpt: excerpt(bytes, found.start(), found.end(), &self.values[value]),
                }
            })
            .collect()
    }

    /// What to say when a canary is in the stream; `what` names the stream.
    pub fn report(&self, what: &str, bytes: &[u8]) -> Option<String> {
        let findings = self.search(bytes);
        let mut report = format!("plaintext in {what}:");
        for finding in findings.iter().take(5) {
            let _ = write!(report, "\n  {finding}");
        }
        if findings.len() > 5 {
            let _ = write!(report, "\n  {} in all", findings.len());
        }
        (!findings.is_empty()).then_some(report)
    }
}

fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let mut forms = vec![
        ("text", bytes.to_vec()),
        ("text with doubled quotes", text.replace('\'', "''").into_bytes()),
        ("text with doubled backslashes", text.replace('\\', "\\\\").into_bytes()),
        ("UTF-16LE", utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("UTF-16BE", utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ("hexadecimal", hexadecimal(bytes)),
    ];
    // Latin-1 is one of the client encodings that differ from the server's.
    if let Ok(latin) = text.chars().map(|c| u8::try_from(u32::from(c))).collect() {
        forms.push(("Latin-1", latin));
    }
    for alignment in 0..3 {
        forms.push(("base64", base64_inside(bytes, alignment, &STANDARD_NO_PAD)));
        forms.push(("base64url", base64_inside(bytes, alignment, &URL_SAFE_NO_PAD)));
    }
    forms
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
        .into_bytes()
}

/// The characters of base64 that depend on the value alone when it stands `alignment` bytes after
/// a multiple of three.
fn base64_inside(
    bytes: &[u8],
    alignment: usize,
    engine: &base64::engine::GeneralPurpose,
) -> Vec<u8> {
    let padded = [&vec![0; alignment][..], bytes].concat();
    let encoded = engine.encode(&padded).into_bytes();
    // Each character carries six bits; those that also carry bits of a neighbour are left out.
    let first = (alignment * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    encoded[first..last].to_vec()
}

/// The surroundings as printable text; the value blacked out.
fn excerpt(bytes: &[u8], start: usize, end: usize, value: &str) -> String {
    let before = &bytes[start.saturating_sub(EXCERPT)..start];
    let after = &bytes[end..bytes.len().min(end + EXCERPT)];
    let head: String = value.chars().take(2).collect();
    format!("{}«{head}…»{}", printable(before), printable(after))
}

fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '·' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "Zoë.O'Brien\\canary@example.org";

    fn finds(bytes: &[u8]) -> bool {
        !Canaries::new().with(&[VALUE]).search(&[b"before ", bytes, b" after"].concat()).is_empty()
    }

    #[test]
    fn every_form_is_found() {
        assert!(finds(VALUE.as_bytes()));
        assert!(finds(VALUE.to_lowercase().as_bytes()));
        assert!(finds(VALUE.to_uppercase().as_bytes()));
        assert!(finds("zOë.o'bRIEN\\caNARY@exaMPLE.org".as_bytes()), "mixed case");
        assert!(finds(VALUE.replace('\'', "''").as_bytes()));
        assert!(finds(VALUE.replace('\\', "\\\\").as_bytes()));
        assert!(finds(&VALUE.chars().map(|c| c as u8).collect::<Vec<_>>()), "Latin-1");
        let units: Vec<u16> = VALUE.encode_utf16().collect();
        assert!(finds(&units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>()));
        assert!(finds(&units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>()));
        let hex = String::from_utf8(hexadecimal(VALUE.as_bytes())).unwrap();
        assert!(finds(hex.as_bytes()));
        assert!(finds(format!("'\\x{}'", hex.to_uppercase()).as_bytes()), "bytea");
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "x", "xy", "xyz"] {
                let whole = format!("{before}{VALUE}{after}");
                assert!(finds(STANDARD_NO_PAD.encode(&whole).as_bytes()), "{before:?} {after:?}");
                assert!(finds(URL_SAFE_NO_PAD.encode(&whole).as_bytes()), "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert!(!finds(b"canary@example.com and nothing else"));
        let tokens: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| {
                STANDARD_NO_PAD.encode(n.wrapping_mul(2_654_435_761).to_be_bytes()).into_bytes()
            })
            .collect();
        assert!(!finds(&tokens));
    }

    #[test]
    fn a_finding_does_not_print_the_value() {
        let stream = format!("INSERT INTO auth_user (email) VALUES ('{VALUE}')");
        let findings = Canaries::new().with(&[VALUE]).search(stream.as_bytes());
        assert_eq!(findings.len(), 1);
        let text = findings[0].to_string();
        assert!(text.contains("INSERT INTO auth_user (email) VALUES ('«Zo…»')"), "{text}");
        assert!(!text.contains("canary@"), "{text}");
    }

    #[test]
    fn a_report_names_the_stream() {
        let canaries = Canaries::new().with(&[VALUE]);
        let report = canaries.report("the relay", VALUE.as_bytes()).unwrap();
        assert!(report.starts_with("plaintext in the relay:\n"), "{report}");
        assert_eq!(canaries.report("the relay", b"nothing of it"), None);
    }
}
