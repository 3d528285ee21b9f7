//! The harness itself: it finds what it is there to find.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use pgveil_tests::twin::{self, Mode, Side, Way};
use pgveil_tests::{Canaries, Client, Database, ROLE, Relay, server, servers};

const VALUE: &str = "Élodie.Deliberate-Leak@example.org";

/// A database, a relay in front of it, and a client that leaks.
fn leak(statement: &str) -> (Database, Relay) {
    let database = server().empty_database();
    let relay = Relay::start(server().address());
    let mut client = Client::connect(relay.address(), ROLE, &database.name).unwrap();
    client.run(statement);
    (database, relay)
}

/// The proof that the end-to-end tests would notice: a leak in every form that counts.
#[test]
fn a_deliberate_leak_is_found_in_every_form() {
    let hex = VALUE.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let leaks = [
        VALUE.to_owned(),
        VALUE.to_lowercase(),
        VALUE.to_uppercase(),
        hex.to_uppercase(),
        format!("\\x{hex}"),
        STANDARD.encode(VALUE),
        STANDARD.encode(format!("x{VALUE}")),
        URL_SAFE.encode(format!("xy{VALUE}?")),
    ];
    for leaked in leaks {
        let (_database, relay) = leak(&format!("SELECT '{leaked}'"));
        let canaries = Canaries::new().with(&[VALUE]);
        let leaks = relay.leaks(&canaries);
        assert_eq!(leaks.len(), 1, "{leaked} was not noticed");
        let report = &leaks[0];
        assert!(report.contains("what went to the database on connection 1"), "{report}");
        assert!(report.contains("SELECT '"), "the report shows where: {report}");
        assert!(!report.contains("Deliberate"), "the report must not repeat it: {report}");
    }
}

#[test]
fn a_leak_as_utf16_is_found() {
    let units: Vec<u16> = VALUE.encode_utf16().collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    for leaked in [big, little] {
        let database = server().empty_database();
        let relay = Relay::start(server().address());
        let mut client = Client::connect(relay.address(), ROLE, &database.name).unwrap();
        client.send(&pgveil_tests::Batch::new().frame(b'Q', &[&leaked[..], b"\0"].concat()));
        client.reply();
        let canaries = Canaries::new().with(&[VALUE]);
        assert_eq!(relay.leaks(&canaries).len(), 1);
    }
}

#[test]
fn a_leak_into_the_log_or_the_files_is_found() {
    let canaries = Canaries::new().with(&[VALUE]);
    let (database, _relay) = leak(&format!("SELECT '{VALUE}'"));
    let leaks = database.leaks(&canaries);
    assert!(leaks.len() == 1 && leaks[0].contains("the server's log"), "{leaks:?}");

    let database = server().empty_database().unlogged();
    database.query(&format!("CREATE TABLE t AS SELECT '{VALUE}' AS email"));
    let leaks = database.leaks(&canaries);
    assert!(leaks.len() == 1 && leaks[0].contains("the database's file"), "{leaks:?}");
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let (database, relay) = leak("SELECT 'harmless'");
    let canaries = Canaries::new().with(&[VALUE]);
    assert_eq!(relay.leaks(&canaries), [""; 0]);
    assert_eq!(database.leaks(&canaries), [""; 0]);
    assert!(String::from_utf8(relay.upstream()).unwrap().contains("SELECT 'harmless'"));
}

fn pair() -> (Database, Database) {
    let make = || {
        server().database("harness", |template| {
            server().query(template, "CREATE TABLE t (id int PRIMARY KEY, name varchar(20))");
            server().query(template, &format!("GRANT ALL ON t TO {ROLE}"));
        })
    };
    (make(), make())
}

fn first(failures: &[twin::Failure]) -> String {
    failures[0].to_string()
}

fn compare(text: &str, way: Way, veiled_first: &str) -> Result<twin::Count, String> {
    let (plain, veiled) = pair();
    veiled.query(veiled_first);
    let relay = Relay::start(server().address());
    let plain = Side { address: server().address(), database: &plain };
    let veiled = Side { address: relay.address(), database: &veiled };
    twin::run(&twin::read(text), Mode::Deterministic, way, &plain, &veiled)
        .map_err(|failures| first(&failures))
}

const WAYS: [Way; 3] = [Way::Simple, Way::Text, Way::Binary];

#[test]
fn twins_that_are_alike_pass() {
    let text = "
        INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, '');
        -- params: 1, '{a,b}'
        SELECT id, name FROM t WHERE id = $1 OR name = ANY($2);
        -- error: 23505
        INSERT INTO t VALUES (1, 'again');
        BEGIN;
        SELECT name FROM t WHERE id = 1 FOR UPDATE;
        -- session: b
        -- waits
        UPDATE t SET name = 'b' WHERE id = 1;
        -- session: a
        COMMIT;
        -- session: b
        SELECT name FROM t ORDER BY id;
    ";
    for way in WAYS {
        let count = compare(text, way, "SELECT 1").unwrap();
        assert_eq!(count.alike, 8);
    }
}

/// Every kind of difference is one that the comparison must see.
#[test]
fn twins_that_differ_fail() {
    let select = "SELECT id, name FROM t ORDER BY id;";
    let cases = [
        ("INSERT INTO t VALUES (9, 'x')", select, "rows"),
        ("ALTER TABLE t ALTER name TYPE varchar(21)", select, "type modifier of column 2"),
        ("ALTER TABLE t ALTER name TYPE text", select, "type of column 2"),
        ("ALTER TABLE t ADD extra int", "SELECT * FROM t;", "number of columns"),
        (
            "ALTER TABLE t DROP name; ALTER TABLE t ADD name varchar(20)",
            select,
            "attribute number of column 2",
        ),
        (
            "ALTER TABLE t ADD CHECK (id < 5)",
            "INSERT INTO t VALUES (7, 'x');",
            "number of results|kind of answer",
        ),
        ("DROP TABLE t", "SELECT 1 FROM t;", "kind of answer|number of results"),
        ("INSERT INTO t VALUES (4, 'x')", "DELETE FROM t;", "command tag: DELETE 0 and DELETE 1"),
    ];
    for (change, statement, expected) in cases {
        for way in WAYS {
            let report = compare(statement, way, change).unwrap_err();
            let named = expected.split('|').any(|expected| report.contains(expected));
            assert!(named, "{expected} is not in: {report}");
            assert!(report.contains("line 1") && report.contains("plain:"), "{report}");
        }
    }
}

#[test]
fn an_order_that_was_asked_for_counts_and_no_other() {
    let run = |select: &str| {
        let (plain, veiled) = pair();
        plain.query("INSERT INTO t VALUES (1, 'a'), (2, 'a')");
        veiled.query("INSERT INTO t VALUES (2, 'a'), (1, 'a')");
        let side = |database| Side { address: server().address(), database };
        let cases = twin::read(select);
        let mode = Mode::Deterministic;
        twin::run(&cases, mode, Way::Simple, &side(&plain), &side(&veiled))
            .map_err(|failures| first(&failures))
    };
    assert!(run("SELECT id FROM t;").is_ok());
    let report = run("SELECT id FROM t ORDER BY name;").unwrap_err();
    assert!(report.contains("order of rows"), "{report}");
}

#[test]
fn a_refusal_must_be_expected_and_an_expected_one_must_come() {
    let report = compare("-- refused\nSELECT 1;", Way::Simple, "SELECT 1").unwrap_err();
    assert!(report.contains("an answer where 0A000 was expected"), "{report}");
    let report = compare("SELECT nothing;", Way::Text, "SELECT 1").unwrap_err();
    assert!(report.contains("the plain side gave 42703"), "{report}");
    // A hint is part of a refusal.
    let report =
        compare("-- refused: 42703\nSELECT nothing;", Way::Binary, "SELECT 1").unwrap_err();
    assert!(report.contains("needs a message and a hint"), "{report}");
}

#[test]
fn every_version_at_hand_is_tested() {
    let versions: Vec<u32> =
        servers().iter().map(|server| server.cluster.binaries().version).collect();
    assert!(versions.iter().all(|version| *version >= 15), "{versions:?}");
    for server in servers() {
        let database = server.empty_database();
        let mut client = Client::connect(server.address(), ROLE, &database.name).unwrap();
        assert!(
            client
                .run("SHOW server_version")
                .value()
                .starts_with(&database.server.cluster.binaries().version.to_string())
        );
    }
}
