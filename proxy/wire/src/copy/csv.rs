//! Fields of the CSV format.

use memchr::{memchr, memchr2};

use super::{CopyFault, CopyFormat, Direction, Field};

/// Splits a line into fields.
pub(super) fn split(
    line: &[u8],
    format: &CopyFormat,
    fields: &mut Vec<Field>,
) -> Result<(), CopyFault> {
    fields.clear();
    let mut start = 0;
    loop {
        let mut at = start;
        let mut special = false;
        let end = loop {
            let Some(skip) = memchr2(format.delimiter, format.quote, &line[at..]) else {
                break line.len();
            };
            at += skip;
            if line[at] == format.delimiter {
                break at;
            }
            special = true;
            at = quoted_end(line, at + 1, format).ok_or(CopyFault::UnterminatedQuote)?;
        };
        fields.push(Field { start, end, marker_end: end, special });
        if end == line.len() {
            return Ok(());
        }
        start = end + 1;
    }
}

/// Where a quoted part that begins before `at` ends, behind its closing quote.
fn quoted_end(line: &[u8], mut at: usize, format: &CopyFormat) -> Option<usize> {
    loop {
        at += memchr2(format.quote, format.escape, &line[at..])?;
        if escapes(line, at, format) {
            at += 2;
        } else if line[at] == format.quote {
            return Some(at + 1);
        } else {
            at += 1;
        }
    }
}

/// Whether the byte at `at`, inside quotes, makes the next one literal.
fn escapes(line: &[u8], at: usize, format: &CopyFormat) -> bool {
    let escapable = |next: &u8| *next == format.escape || *next == format.quote;
    line[at] == format.escape && line.get(at + 1).is_some_and(escapable)
}

/// Appends the value of a field that has quotes. Quotes may open and close anywhere in it.
pub(super) fn decode(raw: &[u8], format: &CopyFormat, value: &mut Vec<u8>) {
    let mut at = 0;
    let mut quoted = false;
    while at < raw.len() {
        let rest = &raw[at..];
        let found = if quoted {
            memchr2(format.quote, format.escape, rest)
        } else {
            memchr(format.quote, rest)
        };
        let plain = found.unwrap_or(rest.len());
        value.extend_from_slice(&rest[..plain]);
        at += plain;
        if at == raw.len() {
            return;
        }
        if quoted && escapes(raw, at, format) {
            value.push(raw[at + 1]);
            at += 2;
            continue;
        }
        if raw[at] == format.quote {
            quoted = !quoted;
        } else {
            value.push(raw[at]);
        }
        at += 1;
    }
}

/// Appends a value as a field that is read as exactly it; `false` when there is no such field.
/// `columns` is how many the stream has.
pub(super) fn encode(
    value: &[u8],
    column: usize,
    columns: usize,
    format: &CopyFormat,
    direction: Direction,
    out: &mut Vec<u8>,
) -> bool {
    let null = value == format.null;
    if null && direction == Direction::In {
        if format.force_not_null.has(column) {
            // Not in quotes, where FORCE_NULL would take it.
            out.extend_from_slice(value);
            return true;
        }
        if format.force_null.has(column) {
            return false;
        }
    }
    let quoted = null
        || (direction == Direction::Out && format.force_quote.has(column))
        || format.is_default(direction, value)
        // Alone on its line it would end the data.
        || (columns == 1 && value == b"\\.")
        || value.iter().any(|&byte| {
            byte == format.delimiter || byte == format.quote || matches!(byte, b'\n' | b'\r')
        });
    if !quoted {
        out.extend_from_slice(value);
        return true;
    }
    out.push(format.quote);
    let mut rest = value;
    while let Some(plain) = memchr2(format.quote, format.escape, rest) {
        out.extend_from_slice(&rest[..plain]);
        out.extend_from_slice(&[format.escape, rest[plain]]);
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
    out.push(format.quote);
    true
}

/// Appends NULL; `false` when the column cannot be NULL in this stream.
pub(super) fn encode_null(
    column: usize,
    format: &CopyFormat,
    direction: Direction,
    out: &mut Vec<u8>,
) -> bool {
    if direction == Direction::Out || !format.force_not_null.has(column) {
        out.extend_from_slice(&format.null);
        return true;
    }
    // The bare marker is a value here; FORCE_NULL makes the quoted one NULL.
    if !format.force_null.has(column) {
        return false;
    }
    out.push(format.quote);
    for &byte in &format.null {
        if byte == format.escape {
            out.push(format.escape);
        }
        out.push(byte);
    }
    out.push(format.quote);
    true
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, CopyKind};
    use super::*;

    fn csv() -> CopyFormat {
        CopyFormat::new(CopyKind::Csv, 16)
    }

    #[test]
    fn quotes_open_and_close_anywhere() {
        let mut fields = Vec::new();
        let line = br#"a"b,"c,"d""e""#;
        split(line, &csv(), &mut fields).unwrap();
        let ends: Vec<usize> = fields.iter().map(|field| field.end).collect();
        assert_eq!(ends, [6, line.len()]);
        let mut value = Vec::new();
        decode(&line[..6], &csv(), &mut value);
        assert_eq!(value, b"ab,c");
        assert_eq!(split(b"a,\"b", &csv(), &mut fields), Err(CopyFault::UnterminatedQuote));
    }

    #[test]
    fn an_escape_that_is_not_the_quote_works_inside_quotes_only() {
        let format = CopyFormat { escape: b'\\', ..csv() };
        let mut value = Vec::new();
        decode(br#"\"\"\\\x""#, &format, &mut value);
        assert_eq!(value, br#"\"\\x"#);
    }

    #[test]
    fn force_options_decide_how_null_and_its_twin_are_written() {
        let written = |format: &CopyFormat| {
            let mut value = Vec::new();
            let value = encode(b"", 0, 2, format, Direction::In, &mut value).then_some(value);
            let mut null = Vec::new();
            let null = encode_null(0, format, Direction::In, &mut null).then_some(null);
            (value, null)
        };
        let quoted = Some(b"\"\"".to_vec());
        assert_eq!(written(&csv()), (quoted.clone(), Some(vec![])));
        let mut format = CopyFormat { force_null: Columns::All, ..csv() };
        assert_eq!(written(&format), (None, Some(vec![])));
        format.force_not_null = Columns::Named(vec![true]);
        assert_eq!(written(&format), (Some(vec![]), quoted.clone()));
        format.force_null = Columns::None;
        assert_eq!(written(&format), (Some(vec![]), None));
    }
}
