//! Fields of the text format.

use memchr::memchr2;

use super::{CopyFormat, Direction, Field};

/// Splits a line into fields.
pub(super) fn split(line: &[u8], format: &CopyFormat, fields: &mut Vec<Field>) {
    fields.clear();
    let mut start = 0;
    loop {
        let mut at = start;
        let mut special = false;
        let mut marker_end = None;
        let end = loop {
            let Some(skip) = memchr2(format.delimiter, b'\\', &line[at..]) else {
                break line.len();
            };
            at += skip;
            if line[at] != b'\\' {
                break at;
            }
            special = true;
            if at + 1 == line.len() {
                // Not even compared with the markers: the server stops before it.
                marker_end = Some(at);
                break line.len();
            }
            at += 2;
        };
        fields.push(Field { start, end, marker_end: marker_end.unwrap_or(end), special });
        if end == line.len() {
            return;
        }
        start = end + 1;
    }
}

/// Appends the value of a field that has backslashes.
pub(super) fn decode(raw: &[u8], value: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(plain) = memchr::memchr(b'\\', rest) {
        value.extend_from_slice(&rest[..plain]);
        let escape = &rest[plain + 1..];
        let Some((&first, behind)) = escape.split_first() else { return };
        let (byte, used) = match first {
            b'0'..=b'7' => number(escape, 3, 8),
            b'x' => match number(behind, 2, 16) {
                (_, 0) => (b'x', 1),
                (byte, digits) => (byte, digits + 1),
            },
            b'b' => (0x08, 1),
            b'f' => (0x0c, 1),
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b't' => (b'\t', 1),
            b'v' => (0x0b, 1),
            other => (other, 1),
        };
        value.push(byte);
        rest = &escape[used..];
    }
    value.extend_from_slice(rest);
}

/// The number that up to `most` digits make, and how many there were. Of more than 8 bits the
/// lower ones count (`\777` is `\377`).
fn number(digits: &[u8], most: usize, radix: u32) -> (u8, usize) {
    let mut number = 0;
    let mut used = 0;
    for &byte in digits.iter().take(most) {
        let Some(digit) = char::from(byte).to_digit(radix) else { break };
        number = number * radix + digit;
        used += 1;
    }
    (number.to_le_bytes()[0], used)
}

/// Appends a value as a field that is read as exactly it; `false`, and nothing of use appended,
/// when there is no such field.
///
/// What goes to a client is written as the server would have written it, which may be the NULL
/// marker: the client cannot tell, as it could not without us.
pub(super) fn encode(
    value: &[u8],
    format: &CopyFormat,
    direction: Direction,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    escape(value, format.delimiter, out);
    let is_marker = |raw: &[u8]| raw == format.null || format.is_default(direction, raw);
    if direction == Direction::Out || !is_marker(&out[start..]) {
        return true;
    }
    // Markers are compared before backslashes are read, so another way to write the first byte
    // makes the difference. Numbers are for ASCII only: they stand for bytes in the server's
    // encoding.
    let Some((&first, rest)) = value.split_first() else { return false };
    let others = if first.is_ascii() {
        [format!("\\{first:03o}").into_bytes(), format!("\\x{first:02x}").into_bytes()]
    } else {
        [vec![b'\\', first], vec![b'\\', first]]
    };
    others.iter().any(|other| {
        out.truncate(start);
        out.extend_from_slice(other);
        escape(rest, format.delimiter, out);
        !is_marker(&out[start..])
    })
}

/// Appends bytes with the escapes that COPY TO uses.
fn escape(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(plain) =
        rest.iter().position(|&byte| matches!(byte, 8..=13 | b'\\') || byte == delimiter)
    {
        let letter = match rest[plain] {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0b => b'v',
            0x0c => b'f',
            b'\r' => b'r',
            other => other,
        };
        out.extend_from_slice(&rest[..plain]);
        out.extend_from_slice(&[b'\\', letter]);
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::super::CopyKind;
    use super::*;

    fn decoded(raw: &[u8]) -> Vec<u8> {
        let mut value = Vec::new();
        decode(raw, &mut value);
        value
    }

    #[test]
    fn every_escape_is_read() {
        assert_eq!(decoded(br"\b\f\n\r\t\v"), b"\x08\x0c\n\r\t\x0b");
        assert_eq!(decoded(br"\1\12\1234\8\777"), b"\x01\x0aS48\xff");
        assert_eq!(decoded(br"\x4\x41\x414\xg\x"), b"\x04AA4xgx");
        assert_eq!(decoded(b"\\\\\\|\\N\\\n\\"), b"\\|N\n");
    }

    #[test]
    fn a_value_is_never_written_as_a_marker() {
        let format = CopyFormat {
            null: b"abc".to_vec(),
            default: Some(b"\\141bc".to_vec()),
            ..CopyFormat::new(CopyKind::Text, 16)
        };
        let mut out = Vec::new();
        assert!(encode(b"abc", &format, Direction::In, &mut out));
        assert_eq!(out, b"\\x61bc");
        out.clear();
        assert!(encode(b"abc", &format, Direction::Out, &mut out));
        assert_eq!(out, b"abc", "what the server writes");

        let empty = CopyFormat { null: Vec::new(), ..format.clone() };
        assert!(!encode(b"", &empty, Direction::In, &mut out));
        let accent = CopyFormat { null: "é".into(), ..format };
        out.clear();
        assert!(encode("é".as_bytes(), &accent, Direction::In, &mut out));
        assert_eq!(out, "\\é".as_bytes());
    }
}
