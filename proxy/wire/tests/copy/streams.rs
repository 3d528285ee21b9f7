//! Streams that a server would not write: line ends, end markers, headers, mistakes.

use pgveil_wire::copy::{
    CopyError, CopyFault, CopyFormat, CopyKind, CopyTransform, Direction, FormatError, Header,
    Replaced,
};

use crate::{Outcome, keep, transform};

fn text() -> CopyFormat {
    CopyFormat::new(CopyKind::Text, 15)
}

fn csv() -> CopyFormat {
    CopyFormat::new(CopyKind::Csv, 15)
}

/// The stream in which the first of two columns became `<value>`; the same however it is cut.
fn sealed(format: &CopyFormat, stream: &[u8]) -> Outcome {
    let mut mark = |_: usize, value: &[u8]| Ok(Some([b"<", value, b">"].concat()));
    let whole = transform(format, Direction::In, &[true, false], &[usize::MAX], stream, &mut mark);
    for cut in 1..stream.len() {
        let cuts = [cut, 1];
        let cut = transform(format, Direction::In, &[true, false], &cuts, stream, &mut mark);
        assert_eq!(cut, whole, "cut {cuts:?}");
    }
    whole
}

#[track_caller]
fn becomes(format: &CopyFormat, stream: &[u8], expected: &[u8]) {
    let out = sealed(format, stream).unwrap();
    assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[track_caller]
fn fails(format: &CopyFormat, stream: &[u8], line: u64, message: &str) {
    match sealed(format, stream) {
        Err(CopyError::Data { line: found, fault }) => {
            assert_eq!((found, fault.to_string().as_str()), (line, message));
            assert_eq!(fault.sqlstate(), "22P04");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn untouched_fields_keep_their_spelling() {
    becomes(&text(), b"a\\x41\t\\101\\q\n\\N\t\\N\n", b"<aA>\t\\101\\q\n\\N\t\\N\n");
    becomes(&csv(), b"\"a\"b,\"c\"\n,x\n\"\",x\n", b"<ab>,\"c\"\n,x\n<>,x\n");
}

#[test]
fn all_line_ends_are_read_and_kept() {
    for end in ["\n", "\r", "\r\n"] {
        let lines = |first: &str, second: &str| format!("{first}\tx{end}{second}\ty{end}");
        becomes(&text(), lines("a", "b").as_bytes(), lines("<a>", "<b>").as_bytes());
        let lines = |first: &str, second: &str| format!("{first},\"x\r\n\"{end}{second},y");
        becomes(&csv(), lines("a", "b").as_bytes(), lines("<a>", "<b>").as_bytes());
    }
    fails(&text(), b"a\tx\nb\ty\r", 2, "literal carriage return found in data");
    fails(&text(), b"a\tx\r\nb\ty\n", 2, "literal newline found in data");
    fails(&csv(), b"a,x\r\nb,y\rz", 2, "unquoted carriage return found in data");
    fails(&csv(), b"a,x\rb,y\n", 2, "unquoted newline found in data");
}

#[test]
fn an_escaped_line_end_is_data() {
    becomes(&text(), b"a\\\nb\tx\\\ny\n", b"<a\\nb>\tx\\\ny\n");
}

/// The server does not read on behind the marker; values there would pass in the clear.
#[test]
fn nothing_behind_an_end_marker_passes() {
    becomes(&text(), b"a\tx\n\\.\nsecret\ty\n", b"<a>\tx\n\\.\n");
    becomes(&text(), b"a\tx\r\n\\.\r\nsecret", b"<a>\tx\r\n\\.\r\n");
    becomes(&text(), b"a\tx\\.\nsecret\ty\n", b"<a>\tx\\.\n");
    becomes(&csv(), b"a,x\n\\.\nsecret,y\n", b"<a>,x\n\\.\n");
    becomes(&csv(), b"\\.a,x\n", b"<\\.a>,x\n");
    fails(&text(), b"a\tx\n\\.b\ty\n", 2, "end-of-copy marker corrupt");
    fails(&text(), b"a\tx\n\\.", 2, "end-of-copy marker corrupt");
    fails(&csv(), b"a,x\n\\.\r", 2, "end-of-copy marker does not match previous newline style");
    fails(&text(), b"a\tx\r\n\\.\n", 2, "end-of-copy marker does not match previous newline style");

    let text = CopyFormat::new(CopyKind::Text, 18);
    becomes(&text, b"a\tx\n\\.\nsecret\ty\n", b"<a>\tx\n\\.\n");
    fails(&text, b"a\tx\\.\n", 1, "end-of-copy marker is not alone on its line");
    fails(&CopyFormat::new(CopyKind::Csv, 18), b"\\.\n", 1, "missing data for column \"b\"");
}

/// The line is skipped by the server, whatever it is: for a file without a header, a row.
#[test]
fn a_header_that_nobody_reads_does_not_pass() {
    let format = CopyFormat { header: Header::Present, ..csv() };
    becomes(&format, b"\"secret\r\n\",x\r\na,y\r\n", b"\r\n<a>,y\r\n");
    let names = CopyFormat { header: Header::Match, ..csv() };
    becomes(&names, b"a,\"b\"\na,y\n", b"a,\"b\"\n<a>,y\n");
    fails(
        &names,
        b"a,secret\na,y\n",
        1,
        "column name mismatch in header line field 2: expected \"b\"",
    );
    fails(&names, b"a\n", 1, "wrong number of fields in header line: got 1, expected 2");
    let out = transform(&format, Direction::Out, &[true], &[3], b"email\na\n", &mut keep);
    assert_eq!(out, Ok(b"email\na\n".to_vec()));
}

#[test]
fn rows_have_as_many_fields_as_columns() {
    fails(&text(), b"a\tx\nb\n", 2, "missing data for column \"b\"");
    fails(&text(), b"a\tx\ty\n", 1, "extra data after last expected column");
    fails(&csv(), b"a,\"x\n\ny", 1, "unterminated CSV quoted field");
    fails(&csv(), b"a,x\n\"b\n\",\"y\n\"\nc\n", 5, "missing data for column \"b\"");
}

/// A last line without a line end is a row only if something is on it: an empty replacement made
/// the row of a single column disappear.
#[test]
fn an_empty_last_row_does_not_disappear() {
    let last = |format: &CopyFormat, stream: &[u8], new: Option<&str>| {
        let mut replace = |_: usize, _: &[u8]| Ok(new.map(|new| new.as_bytes().to_vec()));
        transform(format, Direction::In, &[true], &[1], stream, &mut replace).unwrap()
    };
    assert_eq!(last(&text(), b"a\r\nb", Some("")), b"\r\n\r\n");
    assert_eq!(last(&text(), b"b\\.\n", Some("")), b"\n\\.\n");
    assert_eq!(last(&csv(), b"a", None), b"\n");
}

#[test]
fn a_value_that_looks_like_null_or_the_end_is_written_as_a_value() {
    let written = |format: &CopyFormat, columns: usize, new: &str| {
        let mut touched = vec![false; columns];
        touched[0] = true;
        let stream = ["v", "v,v"][columns - 1].as_bytes();
        let mut replace = |_: usize, _: &[u8]| Ok(Some(new.as_bytes().to_vec()));
        transform(format, Direction::In, &touched, &[9], stream, &mut replace)
    };
    assert_eq!(written(&csv(), 1, ""), Ok(b"\"\"".to_vec()));
    assert_eq!(written(&csv(), 1, "\\."), Ok(b"\"\\.\"".to_vec()));
    assert_eq!(written(&csv(), 2, "\\."), Ok(b"\\.,v".to_vec()));
    assert_eq!(written(&text(), 1, "\\."), Ok(b"\\\\.".to_vec()));
    let default = CopyFormat { default: Some(b"D".to_vec()), ..csv() };
    assert_eq!(written(&default, 1, "D"), Ok(b"\"D\"".to_vec()));
    let empty = CopyFormat { null: Vec::new(), ..text() };
    let error = written(&empty, 1, "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "a value of column \"a\" cannot be written with these COPY options"
    );
}

/// The server compares what is before it with the marker.
#[test]
fn a_backslash_at_the_very_end_is_nothing() {
    let format = CopyFormat { null: b"a".to_vec(), ..text() };
    let out = transform(&format, Direction::In, &[true], &[1], b"b\\", &mut keep);
    assert_eq!(out, Ok(b"b".to_vec()));
    let out = transform(&format, Direction::In, &[true], &[1], b"a\\", &mut keep);
    assert_eq!(out, Ok(b"a\\".to_vec()), "NULL");
}

#[test]
fn default_markers_pass() {
    let format =
        CopyFormat { default: Some(b"\\D".to_vec()), ..CopyFormat::new(CopyKind::Text, 16) };
    becomes(&format, b"\\D\tx\n\\\\D\ty\n", b"\\D\tx\n<\\\\D>\ty\n");
}

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

#[test]
fn binary_streams_are_checked_as_the_server_does() {
    let format = CopyFormat::new(CopyKind::Binary, 15);
    let with = |rest: &[u8]| [HEADER, rest].concat();
    let row = b"\0\x02\0\0\0\x01a\xff\xff\xff\xff";
    let sealed_row = b"\0\x02\0\0\0\x03<a>\xff\xff\xff\xff";
    becomes(&format, &with(row), &with(sealed_row));
    becomes(
        &format,
        b"PGCOPY\n\xff\r\n\0\0\0\0\x01\0\0\0\x02xx\xff\xff",
        b"PGCOPY\n\xff\r\n\0\0\0\0\x01\0\0\0\x02xx\xff\xff",
    );
    fails(&format, b"PGCOPY\n\xff\r\r", 0, "COPY file signature not recognized");
    fails(&format, &HEADER[..12], 0, "invalid COPY file header (missing flags)");
    fails(
        &format,
        b"PGCOPY\n\xff\r\n\0\0\x01\0\0\0\0\0\0",
        0,
        "invalid COPY file header (WITH OIDS)",
    );
    fails(
        &format,
        b"PGCOPY\n\xff\r\n\0\0\x02\0\0\0\0\0\0",
        0,
        "unrecognized critical flags in COPY file header",
    );
    fails(
        &format,
        b"PGCOPY\n\xff\r\n\0\0\0\0\0\xff\0\0\0",
        0,
        "invalid COPY file header (missing length)",
    );
    fails(
        &format,
        b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02x",
        0,
        "invalid COPY file header (wrong length)",
    );
    fails(&format, &with(b"\0\x03"), 1, "row field count is 3, expected 2");
    fails(&format, &with(b"\0\x02\xff\xff\xff\xfe"), 1, "invalid field size");
    fails(&format, &with(&row[..8]), 1, "unexpected EOF in COPY data");
    fails(&format, &with(b"\xff\xff\0"), 1, "received copy data after EOF marker");
}

#[test]
fn a_row_may_be_as_long_as_the_limit_and_no_longer() {
    let run = |format: CopyFormat, stream: &[u8], limit: usize, step: usize| {
        let mut transform =
            CopyTransform::new(format, Direction::In, vec![true]).unwrap().max_row(limit);
        let mut longest = 0;
        let mut out = Vec::new();
        let mut keep = |_: usize, value: &[u8], new: &mut Vec<u8>| {
            longest = longest.max(value.len());
            new.extend_from_slice(value);
            Ok::<_, String>(Replaced::Value)
        };
        stream
            .chunks(step)
            .try_for_each(|part| transform.feed(part, &mut out, &mut keep))
            .and_then(|()| transform.finish(&mut out, &mut keep))
            .map(|()| longest)
    };
    let binary = [HEADER, b"\0\x01\0\0\0\x28", &[b'a'; 40], b"\xff\xff"].concat();
    let streams = [
        (text(), b"aaaaa\r\naaaaaaaaaa\r\naaaaaaaaaa".to_vec(), 10),
        (text(), b"aaaaaaaaaa\r\n\\.\r\n".to_vec(), 10),
        (csv(), b"\"a\n\r\naaaa\"\n".to_vec(), 10),
        (CopyFormat::new(CopyKind::Binary, 15), binary, 46),
    ];
    for (format, stream, longest) in streams {
        for step in 1..stream.len() {
            assert!(run(format.clone(), &stream, longest, step).is_ok(), "{step}");
            let error = run(format.clone(), &stream, longest - 1, step).unwrap_err();
            let CopyError::Data { fault, .. } = error else { panic!("{error:?}") };
            assert_eq!(fault, CopyFault::RowTooLong { limit: longest - 1 });
            assert_eq!(fault.sqlstate(), "54000");
        }
    }
}

#[test]
fn an_error_leaves_whole_rows_and_ends_the_stream() {
    let mut transform = CopyTransform::new(text(), Direction::In, vec![true, true]).unwrap();
    let mut out = Vec::new();
    let mut refuse = |column: usize, value: &[u8], new: &mut Vec<u8>| {
        new.extend_from_slice(value);
        if column == 1 && value == b"bad" { Err("no".to_owned()) } else { Ok(Replaced::Value) }
    };
    let error = transform.feed(b"a\tb\nc\tbad\nd\te\n", &mut out, &mut refuse).unwrap_err();
    assert_eq!(error, CopyError::Value { line: 2, column: 1, error: "no".to_owned() });
    assert_eq!(out, b"a\tb\n");
    let again = transform.feed(b"f\tg\n", &mut out, &mut refuse).unwrap_err();
    assert_eq!(again.to_string(), "COPY data after an error");
    assert!(transform.finish(&mut out, &mut refuse).is_err());
    assert_eq!(out, b"a\tb\n");
}

#[test]
fn neither_errors_nor_debug_show_data() {
    let mut transform = CopyTransform::new(text(), Direction::In, vec![true, true]).unwrap();
    let mut out = Vec::new();
    let mut keep = |_: usize, _: &[u8], _: &mut Vec<u8>| Ok::<_, String>(Replaced::Null);
    transform.feed(b"secret", &mut out, &mut keep).unwrap();
    assert!(!format!("{transform:?}").contains("secret"), "{transform:?}");
    let error = transform.feed(b"\n", &mut out, &mut keep).unwrap_err();
    assert_eq!(error.to_string(), "missing data for column 2");
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn options_are_checked() {
    let format = CopyFormat { quote: b',', ..csv() };
    let error = CopyTransform::new(format, Direction::In, vec![true]).unwrap_err();
    assert_eq!(error, FormatError::DelimiterIsQuote);
}
