//! Parameters in binary format.

use crate::client::Format;
use crate::twin::Param;

/// Encodes parameters for the types that the server has described; what has no binary encoding
/// here goes as text, as drivers do.
pub(crate) fn encode(params: &[Param], types: &[u32]) -> (Vec<Format>, Vec<Option<Vec<u8>>>) {
    let types = types.iter().copied().chain(std::iter::repeat(0));
    params
        .iter()
        .zip(types)
        .map(|(param, oid)| match param.text() {
            None => (Format::Binary, None),
            Some(text) => match binary(text, oid) {
                Some(bytes) => (Format::Binary, Some(bytes)),
                None => (Format::Text, Some(text.as_bytes().to_vec())),
            },
        })
        .unzip()
}

fn binary(text: &str, oid: u32) -> Option<Vec<u8>> {
    Some(match oid {
        16 => vec![u8::from(matches!(text, "true" | "t"))],
        20 => text.parse::<i64>().ok()?.to_be_bytes().to_vec(),
        21 => text.parse::<i16>().ok()?.to_be_bytes().to_vec(),
        23 => text.parse::<i32>().ok()?.to_be_bytes().to_vec(),
        19 | 25 | 1042 | 1043 => text.as_bytes().to_vec(),
        1007 => array(text, 23)?,
        1009 => array(text, 25)?,
        1014 => array(text, 1042)?,
        1015 => array(text, 1043)?,
        _ => return None,
    })
}

/// A one-dimensional array (PostgreSQL, `array_send`): dimensions, has-nulls, element type, then
/// length and lower bound, then the elements. `None` for what is not one, which goes as text.
fn array(text: &str, element: u32) -> Option<Vec<u8>> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    if inside.contains(['"', '\\', '{']) {
        return None;
    }
    let elements: Vec<&str> =
        if inside.is_empty() { Vec::new() } else { inside.split(',').collect() };
    let nulls = elements.iter().any(|element| element.eq_ignore_ascii_case("null"));
    let mut bytes = i32::from(!elements.is_empty()).to_be_bytes().to_vec();
    bytes.extend_from_slice(&i32::from(nulls).to_be_bytes());
    bytes.extend_from_slice(&element.to_be_bytes());
    if !elements.is_empty() {
        bytes.extend_from_slice(&i32::try_from(elements.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&1_i32.to_be_bytes());
    }
    for value in elements {
        if value.eq_ignore_ascii_case("null") {
            bytes.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        }
        let value = binary(value, element)?;
        bytes.extend_from_slice(&i32::try_from(value.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&value);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_for_their_types() {
        let params = [
            Param::Bare("7".to_owned()),
            Param::Quoted("a".to_owned()),
            Param::Null,
            Param::Quoted("{a,NULL}".to_owned()),
            Param::Quoted("1.5".to_owned()),
        ];
        let (formats, values) = encode(&params, &[23, 25, 25, 1009, 1700]);
        assert_eq!(formats[3], Format::Binary);
        assert_eq!(formats[4], Format::Text);
        assert_eq!(values[0].as_deref(), Some(&[0, 0, 0, 7][..]));
        assert_eq!(values[1].as_deref(), Some(&b"a"[..]));
        assert_eq!(values[2], None);
        let array = [
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, b'a', 255,
            255, 255, 255,
        ];
        assert_eq!(values[3].as_deref(), Some(&array[..]));
    }
}
