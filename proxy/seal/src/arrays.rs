//! The elements of array values: what is sealed one by one in `= ANY($1)`, and opened one by one
//! in an `array_agg`.
//!
//! One dimension, lower bound 1, as every driver sends a list: anything else is refused. The text
//! form is PostgreSQL's (*Arrays*, *Array Input and Output Syntax*), the binary form that of
//! `array_recv` and `array_send`.

/// Passes every element of an array in text form through `f`, and prints the array as the server
/// does. NULLs stay NULL.
pub fn map_text_array<E>(
    input: &str,
    mut f: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, MapError<E>> {
    let mut rest = input.trim_start_matches(is_space);
    if rest.starts_with('[') {
        return Err(ArrayError::Bounds.into());
    }
    rest = rest.strip_prefix('{').ok_or(ArrayError::NoBrace)?;
    let mut out = String::with_capacity(input.len());
    out.push('{');
    let mut element = String::new();
    let mut first = true;
    loop {
        rest = rest.trim_start_matches(is_space);
        if first && let Some(after) = rest.strip_prefix('}') {
            rest = after;
            break;
        }
        element.clear();
        let (is_null, after) = read_element(rest, &mut element)?;
        if !first {
            out.push(',');
        }
        if is_null {
            out.push_str("NULL");
        } else {
            push_element(&mut out, &f(&element).map_err(MapError::Element)?);
        }
        first = false;
        // `read_element` stops at one of the two.
        let more = after.starts_with(',');
        rest = &after[1..];
        if !more {
            break;
        }
    }
    if !rest.trim_start_matches(is_space).is_empty() {
        return Err(ArrayError::Junk.into());
    }
    out.push('}');
    Ok(out)
}

/// Reads one element to `element` and says whether it is NULL. What is left begins with the comma
/// or the brace behind it.
fn read_element<'a>(rest: &'a str, element: &mut String) -> Result<(bool, &'a str), ArrayError> {
    if rest.starts_with('{') {
        return Err(ArrayError::Dimensions);
    }
    let quoted = rest.strip_prefix('"');
    let mut chars = quoted.unwrap_or(rest).chars();
    let mut escaped = false;
    // Blanks behind an unquoted element are not part of it, unless they are escaped.
    let mut significant = 0;
    let mut closed = false;
    loop {
        let before = chars.as_str();
        let c = chars.next().ok_or(ArrayError::End)?;
        match c {
            ',' | '}' if quoted.is_none() || closed => {
                if quoted.is_some() {
                    return Ok((false, before));
                }
                element.truncate(significant);
                if element.is_empty() {
                    return Err(ArrayError::Unexpected(c));
                }
                return Ok((!escaped && element.eq_ignore_ascii_case("null"), before));
            }
            c if closed && is_space(c) => {}
            _ if closed => return Err(ArrayError::Element),
            '"' if quoted.is_some() => closed = true,
            '"' => return Err(ArrayError::Element),
            '{' if quoted.is_none() => return Err(ArrayError::Unexpected(c)),
            '\\' => {
                element.push(chars.next().ok_or(ArrayError::End)?);
                escaped = true;
                significant = element.len();
            }
            c => {
                element.push(c);
                if !is_space(c) {
                    significant = element.len();
                }
            }
        }
    }
}

/// Prints an element as `array_out` does: quoted where it has to be.
fn push_element(out: &mut String, element: &str) {
    let special = |c| matches!(c, '"' | '\\' | '{' | '}' | ',') || is_space(c);
    let quote =
        element.is_empty() || element.eq_ignore_ascii_case("null") || element.contains(special);
    if !quote {
        out.push_str(element);
        return;
    }
    out.push('"');
    for c in element.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// White space to `array_in`.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Passes every element of an array in binary form through `f`, which appends the new element to
/// the output. `element_oid` is the type of the output's elements. NULLs stay NULL.
pub fn map_binary_array<E>(
    input: &[u8],
    element_oid: u32,
    mut f: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), E>,
) -> Result<Vec<u8>, MapError<E>> {
    let mut rest = input;
    let dimensions = read_i32(&mut rest)?;
    let has_null = read_i32(&mut rest)?;
    let _input_oid = read_i32(&mut rest)?;
    if !matches!(has_null, 0 | 1) {
        return Err(ArrayError::Binary.into());
    }
    let mut out = Vec::with_capacity(input.len());
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&has_null.to_be_bytes());
    out.extend_from_slice(&element_oid.to_be_bytes());
    match dimensions {
        0 => {}
        1 => {
            let size = read_i32(&mut rest)?;
            let lower_bound = read_i32(&mut rest)?;
            if lower_bound != 1 {
                return Err(ArrayError::Bounds.into());
            }
            if size < 0 {
                return Err(ArrayError::Binary.into());
            }
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(&lower_bound.to_be_bytes());
            for _ in 0..size {
                map_binary_element(&mut rest, &mut out, &mut f)?;
            }
        }
        2.. => return Err(ArrayError::Dimensions.into()),
        _ => return Err(ArrayError::Binary.into()),
    }
    if rest.is_empty() { Ok(out) } else { Err(ArrayError::Binary.into()) }
}

fn map_binary_element<E>(
    rest: &mut &[u8],
    out: &mut Vec<u8>,
    f: &mut impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), E>,
) -> Result<(), MapError<E>> {
    let length = read_i32(rest)?;
    if length == -1 {
        out.extend_from_slice(&length.to_be_bytes());
        return Ok(());
    }
    let length = usize::try_from(length).map_err(|_| ArrayError::Binary)?;
    let (element, after) = rest.split_at_checked(length).ok_or(ArrayError::Binary)?;
    *rest = after;
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    f(element, out).map_err(MapError::Element)?;
    let written = i32::try_from(out.len() - at - 4).map_err(|_| ArrayError::TooLarge)?;
    out[at..at + 4].copy_from_slice(&written.to_be_bytes());
    Ok(())
}

fn read_i32(rest: &mut &[u8]) -> Result<i32, ArrayError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(ArrayError::Binary)?;
    *rest = after;
    Ok(i32::from_be_bytes(*bytes))
}

/// Why an array could not be mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError<E> {
    /// The array itself.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// One of its elements: what the function said.
    #[error("an element of the array: {0}")]
    Element(E),
}

/// What is wrong with an array. No variant carries more than one character of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// More than one dimension.
    #[error("an array of more than one dimension cannot be sealed")]
    Dimensions,
    /// `[2:3]={...}`, or a lower bound that is not 1.
    #[error("an array with explicit bounds cannot be sealed")]
    Bounds,
    /// Does not begin with a brace.
    #[error("malformed array literal")]
    NoBrace,
    /// Ends too early.
    #[error("malformed array literal")]
    End,
    /// Goes on after the last brace.
    #[error("malformed array literal")]
    Junk,
    /// A brace or comma where an element should be.
    #[error("malformed array literal")]
    Unexpected(char),
    /// A quoted element with something before or behind it.
    #[error("malformed array literal")]
    Element,
    /// Not an array in binary form.
    #[error("malformed array in binary format")]
    Binary,
    /// An element of more than 2 GiB.
    #[error("array element too large")]
    TooLarge,
}

impl ArrayError {
    /// The SQLSTATE, the server's own where the server would refuse the value too.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Dimensions | Self::Bounds => "0A000",
            Self::NoBrace | Self::End | Self::Junk | Self::Unexpected(_) | Self::Element => "22P02",
            Self::Binary => "22P03",
            Self::TooLarge => "54000",
        }
    }

    /// The message as the server words it, for the client that sent `input`. Unlike the `Display`
    /// form it contains the value, so it must not be logged.
    pub fn client_message(&self, input: &str) -> String {
        match self.sqlstate() {
            "22P02" => format!("malformed array literal: \"{input}\""),
            _ => self.to_string(),
        }
    }

    /// The detail as the server words it.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::NoBrace => {
                Some("Array value must start with \"{\" or dimension information.".to_owned())
            }
            Self::End => Some("Unexpected end of input.".to_owned()),
            Self::Junk => Some("Junk after closing right brace.".to_owned()),
            Self::Unexpected(c) => Some(format!("Unexpected \"{c}\" character.")),
            Self::Element => Some("Unexpected array element.".to_owned()),
            Self::Dimensions | Self::Bounds | Self::Binary | Self::TooLarge => None,
        }
    }

    /// What to do about it, where the server would have taken the value.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::Dimensions | Self::Bounds)
            .then_some("Send a one-dimensional array whose first element is number 1.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn elements(input: &str) -> Result<Vec<String>, ArrayError> {
        let mut seen = Vec::new();
        let mapped = map_text_array(input, |element| {
            seen.push(element.to_owned());
            Ok::<_, Infallible>(element.to_owned())
        });
        match mapped {
            Ok(_) => Ok(seen),
            Err(MapError::Array(error)) => Err(error),
            Err(MapError::Element(never)) => match never {},
        }
    }

    fn printed(input: &str) -> String {
        map_text_array(input, |element| Ok::<_, Infallible>(element.to_owned())).unwrap()
    }

    #[test]
    fn reads_what_the_server_reads() {
        let cases: [(&str, &[&str]); 10] = [
            ("{}", &[]),
            (" { } ", &[]),
            ("{a,b}", &["a", "b"]),
            ("{ a b , c\t}", &["a b", "c"]),
            (r#"{"a,b","{}"," x ",""}"#, &["a,b", "{}", " x ", ""]),
            (r#"{"a\"b\\c" , d\,e\ }"#, &["a\"b\\c", "d,e "]),
            (r#"{NULL,"NULL",null,\null}"#, &["NULL", "null"]),
            ("{äöü,€}", &["äöü", "€"]),
            ("\n{\u{a0}}", &["\u{a0}"]),
            (r"{\ }", &[" "]),
        ];
        for (input, expected) in cases {
            assert_eq!(elements(input).unwrap(), expected, "{input}");
        }
    }

    #[test]
    fn refuses_what_the_server_refuses_and_what_has_more_dimensions() {
        let cases = [
            ("", ArrayError::NoBrace),
            ("a", ArrayError::NoBrace),
            ("{", ArrayError::End),
            ("{a", ArrayError::End),
            ("{\"a", ArrayError::End),
            ("{a\\", ArrayError::End),
            ("{a,}", ArrayError::Unexpected('}')),
            ("{,a}", ArrayError::Unexpected(',')),
            ("{a,,b}", ArrayError::Unexpected(',')),
            ("{a{}", ArrayError::Unexpected('{')),
            ("{a}b", ArrayError::Junk),
            ("{}}", ArrayError::Junk),
            ("{a\"b\"}", ArrayError::Element),
            ("{\"a\"b}", ArrayError::Element),
            ("{{a},{b}}", ArrayError::Dimensions),
            ("{{}}", ArrayError::Dimensions),
            ("[2:3]={a,b}", ArrayError::Bounds),
        ];
        for (input, expected) in cases {
            assert_eq!(elements(input), Err(expected), "{input}");
        }
    }

    #[test]
    fn prints_what_the_server_prints() {
        assert_eq!(printed(r#"{ a , "b" ,"c d",NuLl,"null",""}"#), r#"{a,b,"c d",NULL,"null",""}"#);
        assert_eq!(printed(r#"{"a\"b\\","{","x,y"}"#), r#"{"a\"b\\","{","x,y"}"#);
        assert_eq!(printed("{}"), "{}");
    }

    #[test]
    fn an_error_of_the_function_comes_through() {
        let error = map_text_array("{a,NULL}", |_| Err::<String, _>("no")).unwrap_err();
        assert_eq!(error, MapError::Element("no"));
        let error = map_binary_array(&binary(&[Some(b"a")]), 25, |_, _| Err::<(), _>("no"));
        assert_eq!(error.unwrap_err(), MapError::Element("no"));
    }

    #[test]
    fn only_the_client_sees_the_value() {
        let error = ArrayError::End;
        assert!(!error.to_string().contains("secret"));
        assert_eq!(error.client_message("{secret"), "malformed array literal: \"{secret\"");
        assert_eq!(error.detail().unwrap(), "Unexpected end of input.");
    }

    fn binary(elements: &[Option<&[u8]>]) -> Vec<u8> {
        let has_null = i32::from(elements.contains(&None));
        let size = i32::try_from(elements.len()).unwrap();
        let mut out: Vec<u8> =
            [1, has_null, 1043, size, 1].iter().flat_map(|n| n.to_be_bytes()).collect();
        for element in elements {
            let length = element.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(element.unwrap_or_default());
        }
        out
    }

    #[expect(clippy::unnecessary_wraps, reason = "the signature that is asked for")]
    fn double(element: &[u8], out: &mut Vec<u8>) -> Result<(), Infallible> {
        out.extend_from_slice(element);
        out.extend_from_slice(element);
        Ok(())
    }

    #[test]
    fn maps_binary_elements_and_their_type() {
        let mut expected = binary(&[Some(b"abab"), None, Some(b"")]);
        expected[8..12].copy_from_slice(&25_u32.to_be_bytes());
        assert_eq!(
            map_binary_array(&binary(&[Some(b"ab"), None, Some(b"")]), 25, double).unwrap(),
            expected
        );
        let empty: Vec<u8> = [0, 0, 25].iter().flat_map(|n: &i32| n.to_be_bytes()).collect();
        assert_eq!(map_binary_array(&empty, 25, double).unwrap(), empty);
    }

    #[test]
    fn refuses_broken_binary_arrays() {
        let good = binary(&[Some(b"ab"), None]);
        for length in 0..good.len() {
            assert_eq!(
                map_binary_array(&good[..length], 25, double),
                Err(ArrayError::Binary.into()),
                "{length} bytes"
            );
        }
        let with = |at: usize, value: i32| {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
            map_binary_array(&bytes, 25, double).unwrap_err()
        };
        assert_eq!(with(0, 2), ArrayError::Dimensions.into());
        assert_eq!(with(0, -1), ArrayError::Binary.into());
        assert_eq!(with(4, 2), ArrayError::Binary.into());
        assert_eq!(with(12, i32::MAX), ArrayError::Binary.into());
        assert_eq!(with(12, 1), ArrayError::Binary.into());
        assert_eq!(with(12, -1), ArrayError::Binary.into());
        assert_eq!(with(16, 0), ArrayError::Bounds.into());
        assert_eq!(with(20, -2), ArrayError::Binary.into());
    }
}
