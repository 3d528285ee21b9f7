//! The fields of a row as one value (`SELECT u FROM users u`): sealed ones are opened one by one.
//!
//! The text form is that of `record_out`, the binary form that of `record_send`
//! (`src/backend/utils/adt/rowtypes.c`; *Composite Types*, *Composite Type Input and Output
//! Syntax*). Dropped columns are in neither.

/// What becomes of a field that is not NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The bytes that came.
    Same,
    /// NULL instead.
    Null,
    /// Other bytes.
    Value(Vec<u8>),
}

/// What is wrong with a row's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed row")]
pub struct RowShape;

/// Appends a row with its fields that are not NULL passed through `f`, which gets each field's
/// number and value. `types` has an entry a field: the oid of its type, where the binary form
/// shall show another than it does.
///
/// The form is recognised by its first byte: a parenthesis in text, and the upper byte of a
/// number of fields otherwise.
pub fn map_row<E: From<RowShape>>(
    input: &[u8],
    types: &[Option<u32>],
    out: &mut Vec<u8>,
    f: impl FnMut(usize, &[u8]) -> Result<Field, E>,
) -> Result<(), E> {
    match input.first() {
        Some(b'(') => map_text(input, types.len(), out, f),
        Some(0) => map_binary(input, types, out, f),
        _ => Err(RowShape.into()),
    }
}

fn map_text<E: From<RowShape>>(
    input: &[u8],
    fields: usize,
    out: &mut Vec<u8>,
    mut f: impl FnMut(usize, &[u8]) -> Result<Field, E>,
) -> Result<(), E> {
    let mut rest = input.strip_prefix(b"(").ok_or(RowShape)?;
    out.push(b'(');
    let mut value = Vec::new();
    for index in 0..fields {
        if index > 0 {
            rest = rest.strip_prefix(b",").ok_or(RowShape)?;
            out.push(b',');
        }
        value.clear();
        let after = read_field(rest, &mut value)?;
        let raw = &rest[..rest.len() - after.len()];
        rest = after;
        // An empty string has quotes.
        if raw.is_empty() {
            continue;
        }
        match f(index, &value)? {
            Field::Same => out.extend_from_slice(raw),
            Field::Null => {}
            Field::Value(value) => push_field(out, &value),
        }
    }
    out.push(b')');
    if rest == b")" { Ok(()) } else { Err(RowShape.into()) }
}

/// Reads one field to `value`; what is left begins with the comma or parenthesis behind it.
fn read_field<'a>(mut rest: &'a [u8], value: &mut Vec<u8>) -> Result<&'a [u8], RowShape> {
    let mut quoted = false;
    loop {
        let (byte, after) = rest.split_first().ok_or(RowShape)?;
        match byte {
            b',' | b')' if !quoted => return Ok(rest),
            b'"' if quoted && after.first() == Some(&b'"') => {
                value.push(b'"');
                rest = &after[1..];
                continue;
            }
            b'"' => quoted = !quoted,
            b'\\' => {
                let (escaped, after) = after.split_first().ok_or(RowShape)?;
                value.push(*escaped);
                rest = after;
                continue;
            }
            byte => value.push(*byte),
        }
        rest = after;
    }
}

/// Prints a field as `record_out` does: in quotes where it has to be.
fn push_field(out: &mut Vec<u8>, value: &[u8]) {
    let special = |byte: &u8| {
        matches!(
            byte,
            b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c
        )
    };
    if !value.is_empty() && !value.iter().any(special) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(*byte);
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn map_binary<E: From<RowShape>>(
    input: &[u8],
    types: &[Option<u32>],
    out: &mut Vec<u8>,
    mut f: impl FnMut(usize, &[u8]) -> Result<Field, E>,
) -> Result<(), E> {
    let mut rest = input;
    let count = read_u32(&mut rest)?;
    if usize::try_from(count) != Ok(types.len()) {
        return Err(RowShape.into());
    }
    out.extend_from_slice(&count.to_be_bytes());
    for (index, shown) in types.iter().enumerate() {
        let oid = read_u32(&mut rest)?;
        out.extend_from_slice(&shown.unwrap_or(oid).to_be_bytes());
        let length = read_u32(&mut rest)?;
        if length == NULL {
            out.extend_from_slice(&NULL.to_be_bytes());
            continue;
        }
        let length = usize::try_from(length).map_err(|_| RowShape)?;
        let (value, after) = rest.split_at_checked(length).ok_or(RowShape)?;
        rest = after;
        match f(index, value)? {
            Field::Same => push_binary(out, value)?,
            Field::Null => out.extend_from_slice(&NULL.to_be_bytes()),
            Field::Value(value) => push_binary(out, &value)?,
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(RowShape.into()) }
}

/// The length of a NULL.
const NULL: u32 = u32::MAX;

fn push_binary(out: &mut Vec<u8>, value: &[u8]) -> Result<(), RowShape> {
    let length = u32::try_from(value.len()).map_err(|_| RowShape)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

fn read_u32(rest: &mut &[u8]) -> Result<u32, RowShape> {
    let (bytes, after) = rest.split_first_chunk().ok_or(RowShape)?;
    *rest = after;
    Ok(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1 becomes `value`; the others stay.
    fn mapped(input: &[u8], fields: usize, value: &Field) -> Result<Vec<u8>, RowShape> {
        let mut out = b"before".to_vec();
        let mut types = vec![None; fields];
        if let Some(second) = types.get_mut(1) {
            *second = Some(1043);
        }
        map_row(input, &types, &mut out, |index, _| {
            Ok::<_, RowShape>(if index == 1 { value.clone() } else { Field::Same })
        })?;
        Ok(out.split_off("before".len()))
    }

    fn text(input: &str, fields: usize, value: &str) -> String {
        let value = Field::Value(value.as_bytes().to_vec());
        String::from_utf8(mapped(input.as_bytes(), fields, &value).unwrap()).unwrap()
    }

    #[test]
    fn text_is_printed_as_the_server_does() {
        for (value, printed) in [
            ("ann", "ann"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a,b", "\"a,b\""),
            ("(a)", "\"(a)\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
            ("a\\b", "\"a\\\\b\""),
            ("\u{a0}\u{e9}", "\u{a0}\u{e9}"),
        ] {
            let row = text("(1,token,\"x \"\"y\"\"\",)", 4, value);
            assert_eq!(row, format!("(1,{printed},\"x \"\"y\"\"\",)"));
        }
        assert_eq!(text("(1,)", 2, "not for NULL"), "(1,)");
        assert_eq!(mapped(b"(1,token)", 2, &Field::Null).unwrap(), b"(1,)");
    }

    #[test]
    fn fields_are_read_as_they_were_meant() {
        let mut seen = Vec::new();
        let input = b"(a,\"\",,\"b \"\"c\"\" \\\\ (d,e)\",\"f\"\"\")";
        map_row(input, &[None; 5], &mut Vec::new(), |index, value| {
            seen.push((index, String::from_utf8(value.to_vec()).unwrap()));
            Ok::<_, RowShape>(Field::Same)
        })
        .unwrap();
        let expected = [(0, "a"), (1, ""), (3, "b \"c\" \\ (d,e)"), (4, "f\"")];
        assert_eq!(seen, expected.map(|(index, value)| (index, value.to_owned())));
    }

    #[test]
    fn binary_fields_show_their_type() {
        let row = |second_oid: u32, second: Option<&[u8]>| {
            let mut bytes = [2u32, 23, 4, 7].map(u32::to_be_bytes).concat();
            bytes.extend_from_slice(&second_oid.to_be_bytes());
            let length = second.map_or(NULL, |value| u32::try_from(value.len()).unwrap());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(second.unwrap_or_default());
            bytes
        };
        let value = Field::Value(b"ann".to_vec());
        let token = row(25, Some(b"token"));
        assert_eq!(mapped(&token, 2, &value).unwrap(), row(1043, Some(b"ann")));
        assert_eq!(mapped(&row(25, None), 2, &value).unwrap(), row(1043, None));
        assert_eq!(mapped(&token, 2, &Field::Null).unwrap(), row(1043, None));
        for length in 0..token.len() {
            assert_eq!(mapped(&token[..length], 2, &value), Err(RowShape));
        }
        assert_eq!(mapped(&token, 3, &value), Err(RowShape));
    }

    #[test]
    fn broken_text_is_an_error() {
        for input in ["(", "(a", "(a,b", "(a,\"b)", "(a,b\\", "(a,b)c", "(a)", "(a,b,c)", "a,b"] {
            assert_eq!(mapped(input.as_bytes(), 2, &Field::Same), Err(RowShape), "{input}");
        }
    }
}
