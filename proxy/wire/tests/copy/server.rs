//! A real server reads and writes the same.

use pgveil_sandbox::Cluster;
use pgveil_wire::copy::{
    Columns, CopyError, CopyFormat, CopyKind, CopyTransform, Direction, Header, Replaced,
};

use crate::client::{Client, Row};
use crate::{keep, transform};

/// Options of COPY, and the same as a format.
fn variants(version: u32) -> Vec<(String, CopyFormat)> {
    let text = CopyFormat::new(CopyKind::Text, version);
    let csv = CopyFormat::new(CopyKind::Csv, version);
    let mut variants = vec![
        ("FORMAT text".to_owned(), text.clone()),
        (
            "FORMAT text, DELIMITER '|', NULL 'a'".to_owned(),
            CopyFormat { delimiter: b'|', null: b"a".to_vec(), ..text.clone() },
        ),
        ("FORMAT csv".to_owned(), csv.clone()),
        (
            "FORMAT csv, ESCAPE '\\', NULL 'a'".to_owned(),
            CopyFormat { escape: b'\\', null: b"a".to_vec(), ..csv.clone() },
        ),
        (
            "FORMAT csv, QUOTE '''', DELIMITER '.'".to_owned(),
            CopyFormat { quote: b'\'', escape: b'\'', delimiter: b'.', ..csv.clone() },
        ),
        ("FORMAT csv, HEADER".to_owned(), CopyFormat { header: Header::Present, ..csv.clone() }),
    ];
    if version >= 15 {
        let header = CopyFormat { header: Header::Present, ..text.clone() };
        variants.push(("FORMAT text, HEADER".to_owned(), header));
    }
    variants
}

/// Options of COPY FROM alone.
fn variants_in(version: u32) -> Vec<(String, CopyFormat)> {
    let mut variants = variants(version);
    let csv = CopyFormat { null: b"N".to_vec(), ..CopyFormat::new(CopyKind::Csv, version) };
    let only_a = Columns::Named(vec![true]);
    variants.push((
        "FORMAT csv, NULL 'N', FORCE_NULL (a)".to_owned(),
        CopyFormat { force_null: only_a.clone(), ..csv.clone() },
    ));
    variants.push((
        "FORMAT csv, NULL 'N', FORCE_NOT_NULL (a)".to_owned(),
        CopyFormat { force_not_null: only_a.clone(), ..csv.clone() },
    ));
    variants.push((
        "FORMAT csv, NULL 'N', FORCE_NULL (a), FORCE_NOT_NULL (a)".to_owned(),
        CopyFormat { force_null: only_a.clone(), force_not_null: only_a, ..csv.clone() },
    ));
    if version >= 16 {
        variants.push((
            "FORMAT csv, NULL 'N', DEFAULT '1'".to_owned(),
            CopyFormat { default: Some(b"1".to_vec()), ..csv },
        ));
        variants.push((
            "FORMAT text, DEFAULT '\\N1'".to_owned(),
            CopyFormat {
                default: Some(b"\\N1".to_vec()),
                ..CopyFormat::new(CopyKind::Text, version)
            },
        ));
    }
    variants
}

/// A server and one connection to it. The connection goes first.
struct Server {
    client: Client,
    version: u32,
    _cluster: Cluster,
}

impl Server {
    fn start() -> Self {
        let cluster = Cluster::builder().volatile().start().unwrap();
        let version = cluster.binaries().version;
        Self { client: Client::connect(&cluster), version, _cluster: cluster }
    }
}

/// Values with every ASCII character, and those that formats have trouble with.
fn fill(client: &mut Client) {
    client.run(
        "CREATE TABLE hard (id int, a text, b varchar, c text COLLATE \"C\", d int);
         CREATE TABLE again (LIKE hard);
         INSERT INTO hard SELECT n, chr(n), 'x' || chr(n) || 'y', chr(n) || chr(n), n
             FROM generate_series(1, 160) n;
         INSERT INTO hard SELECT 1000 + row_number() OVER (), v, w, w || v, NULL
             FROM unnest(ARRAY['', NULL, '\\N', '\\.', '\\', 'N', 'a', '\"', '\"\"', '''', ',', '|',
                  E'\\n', E'\\r\\n', E'a\\tb', 'é', '日本語', ' x ', '\\x41', '\\101']) v,
                  unnest(ARRAY['', NULL, '\\N', '\\.', E'\\r', '\",\"', 'ü\"', '\\\\']) w;
         INSERT INTO hard VALUES (5000, repeat(E'long \\\\ \"\\n', 3000), 'x', NULL, 0)",
    );
}

/// Passes what a client gets through, a message at a time; asserts that nothing changes.
fn assert_stays(options: &str, format: &CopyFormat, columns: usize, messages: &[Vec<u8>]) {
    let mut transform =
        CopyTransform::new(format.clone(), Direction::Out, vec![true; columns]).unwrap();
    let mut keep = |_: usize, value: &[u8], new: &mut Vec<u8>| {
        new.extend_from_slice(value);
        Ok::<_, String>(Replaced::Value)
    };
    let mut out = Vec::new();
    for message in messages {
        out.clear();
        transform.feed(message, &mut out, &mut keep).unwrap();
        assert!(out == *message, "{options}: another message than the server's");
    }
    out.clear();
    transform.finish(&mut out, &mut keep).unwrap();
    assert!(out.is_empty(), "{options}: something was held back");
}

/// Whether NULL 'a' loses the difference of 'a' and NULL, in the format itself.
fn loses_a(format: &CopyFormat) -> bool {
    format.kind == CopyKind::Text && format.null == b"a"
}

#[test]
fn what_the_server_writes_stays_and_is_read_back() {
    let mut server = Server::start();
    fill(&mut server.client);
    let mut variants = variants(server.version);
    let csv = CopyFormat::new(CopyKind::Csv, server.version);
    let all = CopyFormat { force_quote: Columns::All, ..csv.clone() };
    let some = CopyFormat { force_quote: Columns::Named(vec![true, false, true]), ..csv };
    variants.push(("FORMAT binary".to_owned(), CopyFormat::new(CopyKind::Binary, server.version)));
    variants.push(("FORMAT csv, FORCE_QUOTE *".to_owned(), all));
    variants.push(("FORMAT csv, FORCE_QUOTE (id, b)".to_owned(), some));
    for (options, format) in variants {
        let messages = server.client.copy_out("hard", &options);
        assert_stays(&options, &format, 5, &messages);
        let stream = messages.concat();
        let mut sent = Vec::new();
        for cut in [1, 7, 4096] {
            sent =
                transform(&format, Direction::In, &[true; 5], &[cut], &stream, &mut keep).unwrap();
        }
        let options_in = options.split(", FORCE_QUOTE").next().unwrap();
        server.client.copy_in("again", "", options_in, &sent).unwrap();
        let hard = if loses_a(&format) {
            "SELECT id, NULLIF(a, 'a'), NULLIF(b, 'a'), NULLIF(c, 'a'), d FROM hard"
        } else {
            "TABLE hard"
        };
        let rows = server.client.run(&format!(
            "({hard} EXCEPT ALL TABLE again) UNION ALL (TABLE again EXCEPT ALL {hard})"
        ));
        assert!(rows.is_empty(), "{options}: {} rows differ", rows.len());
    }
}

/// Single columns: `\.` and an empty last line.
#[test]
fn a_single_column_stays_and_is_read_back() {
    let mut server = Server::start();
    fill(&mut server.client);
    server
        .client
        .run("CREATE TABLE single AS SELECT a FROM hard; CREATE TABLE again_single (LIKE single)");
    for (options, format) in variants(server.version) {
        if loses_a(&format) {
            continue;
        }
        let messages = server.client.copy_out("single", &options);
        assert_stays(&options, &format, 1, &messages);
        let stream = messages.concat();
        let sent = transform(&format, Direction::In, &[true], &[5], &stream, &mut keep).unwrap();
        server.client.copy_in("again_single", "", &options, &sent).unwrap();
        let rows = server.client.run(
            "(TABLE single EXCEPT ALL TABLE again_single) UNION ALL
             (TABLE again_single EXCEPT ALL TABLE single)",
        );
        assert!(rows.is_empty(), "{options}: {} rows differ", rows.len());
    }
}

/// A small generator, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// The heart of it: a field that we see elsewhere than the server does would go upstream as it
/// is. Random streams of bytes that mean something are given to both; either both refuse them,
/// with the same message, or the values that we hand over are those that the server stores, and
/// it stores the same from what we write.
#[test]
fn the_server_sees_the_same_values_in_random_bytes() {
    const PIECES: &[&str] = &[
        "\\", "\\", "\\.", "\n", "\n", "\r", "\r\n", "\"", "\"", ",", ",", "\t", "\t", "|", ".",
        "'", "N", "\\N", "a", "x4", "1", "07", "t", "é", " ", "\\.\n", "\n\\.\n", "\\\\", "\"\"",
        ",\"", "\",", "a,a\n", "a\ta\n", "a|a\n", "a.a\n",
    ];
    let Server { mut client, version, _cluster } = Server::start();
    client.run(
        "CREATE TABLE two (n serial, a text DEFAULT 'd', b text DEFAULT 'd');
         CREATE TABLE one (n serial, a text DEFAULT 'd')",
    );
    let variants = variants_in(version);
    let cases = std::env::var("PGVEIL_COPY_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or(2000);
    let mut accepted = 0;
    for seed in 0..cases {
        let mut random = Random(seed);
        random.below(2);
        let (options, format) = &variants[random.below(variants.len())];
        let columns = 1 + random.below(2);
        let pieces = random.below(12);
        let mut stream: String = (0..pieces).map(|_| PIECES[random.below(PIECES.len())]).collect();
        if random.below(4) == 0 {
            // A lone backslash at the end is read, but not compared with markers.
            stream.push_str(["a\\", "N\\"][random.below(2)]);
        }
        let cuts = [1 + random.below(5)];
        let (table, names, select) = if columns == 1 {
            ("one", "(a)", "SELECT a FROM one ORDER BY n")
        } else {
            ("two", "(a, b)", "SELECT a, b FROM two ORDER BY n")
        };
        let case = format!("seed {seed}, {options}, {columns} columns, {stream:?}");
        let (stream, touched) = (stream.as_bytes(), vec![true; columns]);

        let mut values = Vec::new();
        let mut note = |column: usize, value: &[u8]| {
            values.push(value.to_vec());
            keep(column, value)
        };
        let same = transform(format, Direction::In, &touched, &cuts, stream, &mut note);
        match client.copy_in(table, names, options, stream) {
            // Whether a value is valid in the server's encoding is for its owner to know.
            Err(error) if error.code == "22021" => continue,
            Err(error) => match same {
                Err(CopyError::Data { fault, line }) => {
                    assert_eq!(fault.to_string(), error.message, "{case}");
                    assert_eq!(fault.sqlstate(), error.code, "{case}");
                    assert_eq!(Some(line), error.line, "{case}");
                    continue;
                }
                other => panic!("{case}: {error:?}, but {other:?}"),
            },
            Ok(()) => accepted += 1,
        }
        let stored = client.run(select);
        // A DEFAULT marker is no value, and is stored as one.
        if format.default.is_none() {
            let expected: Vec<&[u8]> =
                stored.iter().flatten().flatten().map(String::as_bytes).collect();
            assert_eq!(values, expected, "{case}");
        }

        let same = same.unwrap_or_else(|error| panic!("{case}: {error}"));
        client
            .copy_in(table, names, options, &same)
            .unwrap_or_else(|error| panic!("{case}: {error:?} in {}", same.escape_ascii()));
        assert_eq!(client.run(select), stored, "{case}");

        // And with other values in the first column alone.
        let mut mark = |_: usize, value: &[u8]| Ok(Some([b"<", value, b",\n>"].concat()));
        let touched = &[true, false][..columns];
        let marked = transform(format, Direction::In, touched, &cuts, stream, &mut mark).unwrap();
        let expected: Vec<Row> = stored
            .into_iter()
            .map(|mut row| {
                // `d` is the default, which no value in this test is.
                row[0] = match row[0].take() {
                    Some(value) if format.default.is_some() && value == "d" => Some(value),
                    other => other.map(|value| format!("<{value},\n>")),
                };
                row
            })
            .collect();
        client
            .copy_in(table, names, options, &marked)
            .unwrap_or_else(|error| panic!("{case}: {error:?} in {}", marked.escape_ascii()));
        assert_eq!(client.run(select), expected, "{case}");
    }
    assert!(accepted > cases / 5, "only {accepted} streams were accepted");
}
