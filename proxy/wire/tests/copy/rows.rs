//! Random rows, written as PostgreSQL writes them by a writer of the test's own, and read back by
//! a reader of its own.

use pgveil_wire::copy::{Columns, CopyFormat, CopyKind, Direction};
use proptest::prelude::*;

use crate::{keep, transform};

type Rows = Vec<Vec<Option<String>>>;

/// Values that formats have trouble with.
fn value() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        4 => prop::sample::select(vec![
            "", "\\N", "\\.", "\\", "\\\\N", "N", "\n", "\r", "\r\n", "\t", ",", "\"", "\"\"", "'",
            "x,y", "a\"b", "\x08\x0b\x0c", " lead", "trail ", "NULL", "é", "日本語", "|", "\\\"",
        ])
        .prop_map(|value| Some(value.to_owned())),
        3 => "[a-z\\\\\",|\t\r\n.Né ]{0,12}".prop_map(Some),
    ]
}

fn rows() -> impl Strategy<Value = Rows> {
    (1..5usize).prop_flat_map(|columns| {
        prop::collection::vec(prop::collection::vec(value(), columns), 1..8)
    })
}

fn format() -> impl Strategy<Value = CopyFormat> {
    let kind = prop::sample::select(vec![CopyKind::Text, CopyKind::Csv, CopyKind::Binary]);
    let quotes = prop::sample::select(vec![(b'"', b'"'), (b'"', b'\\'), (b'\'', b'x')]);
    let force =
        prop::sample::select(vec![Columns::None, Columns::All, Columns::Named(vec![false, true])]);
    (kind, quotes, force, any::<bool>(), prop::sample::select(vec![15, 18])).prop_map(
        |(kind, (quote, escape), force_quote, plain, version)| {
            let format =
                CopyFormat { quote, escape, force_quote, ..CopyFormat::new(kind, version) };
            if plain {
                return format;
            }
            CopyFormat { delimiter: b'|', null: b"NULL".to_vec(), ..format }
        },
    )
}

/// COPY TO.
fn write(rows: &Rows, format: &CopyFormat) -> Vec<u8> {
    let mut out = Vec::new();
    if format.kind == CopyKind::Binary {
        out.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for row in rows {
            out.extend_from_slice(&i16::try_from(row.len()).unwrap().to_be_bytes());
            for value in row {
                let length = value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap());
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(value.as_deref().unwrap_or_default().as_bytes());
            }
        }
        out.extend_from_slice(&(-1i16).to_be_bytes());
        return out;
    }
    for row in rows {
        for (column, value) in row.iter().enumerate() {
            if column > 0 {
                out.push(format.delimiter);
            }
            match value {
                None => out.extend_from_slice(&format.null),
                Some(value) if format.kind == CopyKind::Csv => {
                    let force = format.force_quote.has(column);
                    write_csv(value, row.len() == 1, force, format, &mut out);
                }
                Some(value) => write_text(value, format, &mut out),
            }
        }
        out.push(b'\n');
    }
    out
}

fn write_text(value: &str, format: &CopyFormat, out: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            11 => out.extend_from_slice(b"\\v"),
            12 => out.extend_from_slice(b"\\f"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            other if other == format.delimiter => out.extend_from_slice(&[b'\\', other]),
            other => out.push(other),
        }
    }
}

fn write_csv(value: &str, single: bool, force: bool, format: &CopyFormat, out: &mut Vec<u8>) {
    let special = |byte: u8| [format.delimiter, format.quote, b'\n', b'\r'].contains(&byte);
    if !(force
        || value.as_bytes() == format.null
        || (single && value == "\\.")
        || value.bytes().any(special))
    {
        return out.extend_from_slice(value.as_bytes());
    }
    out.push(format.quote);
    for byte in value.bytes() {
        if byte == format.quote || byte == format.escape {
            out.push(format.escape);
        }
        out.push(byte);
    }
    out.push(format.quote);
}

/// Reads what [`write`] writes, a byte at a time.
fn read(stream: &[u8], format: &CopyFormat) -> Rows {
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if format.kind == CopyKind::Binary {
        let mut rest = &stream[19..];
        let mut take = |count: usize| {
            let (taken, behind) = rest.split_at(count);
            rest = behind;
            taken
        };
        let mut rows = Vec::new();
        loop {
            let count = i16::from_be_bytes(take(2).try_into().unwrap());
            if count < 0 {
                return rows;
            }
            rows.push(
                (0..count)
                    .map(|_| match i32::from_be_bytes(take(4).try_into().unwrap()) {
                        -1 => None,
                        length => Some(string(take(usize::try_from(length).unwrap()))),
                    })
                    .collect(),
            );
        }
    }
    let csv = format.kind == CopyKind::Csv;
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    let (mut raw, mut value) = (Vec::new(), Vec::new());
    let (mut quoted, mut any_quote) = (false, false);
    let mut bytes = stream.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if !quoted && (byte == format.delimiter || byte == b'\n') {
            let null = !any_quote && raw == format.null;
            row.push((!null).then(|| string(&value)));
            (raw, value, any_quote) = (Vec::new(), Vec::new(), false);
            if byte == b'\n' {
                rows.push(std::mem::take(&mut row));
            }
            continue;
        }
        raw.push(byte);
        if csv {
            let next = bytes.peek().copied();
            let escapes = next == Some(format.quote) || next == Some(format.escape);
            if quoted && byte == format.escape && escapes {
                value.push(bytes.next().unwrap());
            } else if byte == format.quote {
                quoted = !quoted;
                any_quote = true;
            } else {
                value.push(byte);
            }
        } else if byte == b'\\' {
            let escaped = bytes.next().unwrap();
            raw.push(escaped);
            let letters: [(u8, u8); 6] =
                [(b'b', 8), (b't', 9), (b'n', 10), (b'v', 11), (b'f', 12), (b'r', 13)];
            let control = letters.iter().find(|(letter, _)| *letter == escaped);
            value.push(control.map_or(escaped, |(_, control)| *control));
        } else {
            value.push(byte);
        }
    }
    rows
}

/// Text cannot tell a value that is spelled like the NULL string from NULL, unless the string has
/// a backslash; PostgreSQL writes both alike.
fn as_written(rows: &Rows, format: &CopyFormat) -> Rows {
    let alike = |value: &String| {
        format.kind == CopyKind::Text && format.null != b"\\N" && value.as_bytes() == format.null
    };
    let row = |row: &Vec<Option<String>>| {
        row.iter().cloned().map(|value| value.filter(|v| !alike(v))).collect()
    };
    rows.iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_writer_and_the_reader_of_this_test_agree(rows in rows(), format in format()) {
        prop_assert_eq!(read(&write(&rows, &format), &format), as_written(&rows, &format));
    }

    #[test]
    fn values_that_stay_leave_the_servers_bytes(
        rows in rows(),
        format in format(),
        cuts in prop::collection::vec(1..20usize, 1..6),
    ) {
        let stream = write(&rows, &format);
        let touched = vec![true; rows[0].len()];
        let out = transform(&format, Direction::Out, &touched, &cuts, &stream, &mut keep);
        prop_assert_eq!(out, Ok(stream));
    }

    #[test]
    fn replacements_are_read_and_the_rest_stays(
        rows in rows(),
        format in format(),
        touched in prop::collection::vec(any::<bool>(), 4),
        incoming in any::<bool>(),
        cuts in prop::collection::vec(1..20usize, 1..6),
        spelled in value(),
    ) {
        let stream = write(&rows, &format);
        let rows = as_written(&rows, &format);
        let touched = &touched[..rows[0].len()];
        let direction = if incoming { Direction::In } else { Direction::Out };
        // Empty values are withheld, short ones become another hard value, others upper case.
        let replaced = |value: &str| match value.len() {
            0 => None,
            1 => spelled.clone(),
            _ => Some(value.to_uppercase()),
        };
        let expected: Rows = rows.iter().map(|row| {
            let cells = row.iter().zip(touched);
            cells.map(|(value, touched)| match value {
                Some(value) if *touched => replaced(value),
                other => other.clone(),
            }).collect()
        }).collect();
        let out = transform(&format, direction, touched, &cuts, &stream, &mut |_, value| {
            Ok(replaced(std::str::from_utf8(value).unwrap()).map(String::into_bytes))
        });
        let out = out.unwrap();
        // To a client a value is written as the server writes it.
        if direction == Direction::Out {
            prop_assert_eq!(read(&out, &format), as_written(&expected, &format));
        } else if format.kind != CopyKind::Text || as_written(&expected, &format) == expected {
            prop_assert_eq!(read(&out, &format), expected);
        }
        if !touched.contains(&true) {
            prop_assert_eq!(out, stream);
        }
    }
}
