//! COPY with protected columns: the same data on a plain database directly, and through pgveil on
//! a protected one.

use std::process::{Command, Stdio};

use pgveil_tests::twin::Mode;
use pgveil_tests::{Batch, Client, Database, Format, ROLE, Reply, Site, servers};

use crate::sample;

/// Both databases of one server, and a client of each.
struct Twins {
    plain: Client,
    veiled: Client,
    database: Database,
    site: Site,
}

fn twins(version: usize, mode: Mode) -> Option<Twins> {
    let server = *servers().get(version)?;
    let database = sample::plain(server, mode);
    let site = sample::site_on(server, mode);
    let plain = Client::connect(server.address(), ROLE, &database.name).unwrap();
    let veiled = site.connect();
    Some(Twins { plain, veiled, database, site })
}

impl Twins {
    /// Runs a statement on both sides, which must answer alike.
    fn run(&mut self, sql: &str) -> Reply {
        let (plain, veiled) = (self.plain.run(sql), self.veiled.run(sql));
        assert_alike(sql, &plain, &veiled);
        veiled
    }

    /// COPY FROM STDIN with this data, in pieces of `cut` bytes.
    fn copy(&mut self, sql: &str, data: &[u8], cut: usize) -> Reply {
        let [plain, veiled] = [&mut self.plain, &mut self.veiled].map(|client| {
            client.send(&Batch::new().query(sql));
            let begun = client.reply();
            if begun.status != '-' {
                return begun;
            }
            let pieces = data.chunks(cut).fold(Batch::new(), Batch::copy_data);
            client.send(&pieces.copy_done());
            client.reply()
        });
        assert_alike(sql, &plain, &veiled);
        veiled
    }

    /// Both sides hold the same, whatever way it is read.
    fn compare(&mut self) {
        for table in ["auth_user", "contact", "newsletter_subscriber", "tag"] {
            self.run(&format!("SELECT * FROM {table} ORDER BY 1"));
        }
        for sql in OUT {
            let [plain, veiled] = [&mut self.plain, &mut self.veiled].map(|client| {
                client.send(&Batch::new().query(sql));
                let mut reply = client.reply();
                while reply.status == '-' {
                    reply = client.reply();
                }
                reply
            });
            assert_alike(sql, &plain, &veiled);
        }
    }
}

fn assert_alike(sql: &str, plain: &Reply, veiled: &Reply) {
    match (plain.error(), veiled.error()) {
        (None, None) => {
            assert_eq!(plain.tags(), veiled.tags(), "{sql}");
            let contents = |reply: &Reply| format!("{:?}", reply.results);
            let without_tables = |reply: &Reply| {
                // Oids of tables differ between databases.
                let text = contents(reply);
                text.split("table: ")
                    .map(|p| p.trim_start_matches(char::is_numeric))
                    .collect::<String>()
            };
            assert_eq!(without_tables(plain), without_tables(veiled), "{sql}");
        }
        (Some(plain), Some(veiled)) => {
            for field in ['C', 'M', 'H'] {
                assert_eq!(
                    plain.get(field),
                    veiled.get(field),
                    "{sql}: {field} {plain:?} {veiled:?}"
                );
            }
        }
        _ => panic!("{sql}: {plain:?}\n{veiled:?}"),
    }
    assert_eq!(plain.status, veiled.status, "{sql}");
}

const OUT: [&str; 18] = [
    "COPY contact TO STDOUT",
    "COPY public.contact (email, id, nick) TO STDOUT",
    "COPY contact TO STDOUT WITH (FORMAT csv, HEADER)",
    "COPY contact TO STDOUT WITH (FORMAT csv, FORCE_QUOTE *, NULL 'none')",
    "COPY contact (email, code) TO STDOUT (FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\')",
    "COPY contact TO STDOUT WITH (FORMAT binary)",
    "COPY contact TO STDOUT CSV HEADER FORCE QUOTE email",
    "COPY contact TO STDOUT WITH DELIMITER AS '|' NULL AS ''",
    "COPY BINARY auth_user TO STDOUT",
    "COPY auth_user TO STDOUT",
    "COPY (SELECT u.email, c.phone, c.id FROM auth_user u LEFT JOIN contact c ON c.user_id = u.id ORDER BY u.id, c.id) TO STDOUT",
    "COPY (SELECT email FROM auth_user ORDER BY id LIMIT 2) TO STDOUT (FORMAT 'csv', ENCODING 'UTF8')",
    "COPY (SELECT id FROM auth_user ORDER BY id) TO STDOUT",
    "COPY (VALUES (1, 'x')) TO STDOUT",
    "COPY (SELECT c, id FROM contact c ORDER BY id) TO STDOUT",
    "COPY (SELECT c, (c).email FROM contact c ORDER BY id) TO STDOUT (FORMAT csv)",
    "COPY (SELECT array_agg(email ORDER BY id), array_agg(nick ORDER BY id) FROM contact) TO STDOUT",
    "COPY (SELECT ARRAY[phone, NULL] FROM contact ORDER BY id) TO STDOUT (FORMAT binary)",
];

const TEXT: &[u8] =
    b"1\t\\N\twork\tada@canary.example\ttel Canaryson 1\tKanary01\ta\\tb Canaryson\n\
2\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n\
3\t\\N\tx\tback\\\\slash@canary.example\t\tKan\tCanaryson \"q\" 'x' ;|,\n\
4\t\\N\ty\t\xc3\xbcn\xc3\xaf@canary.example\ttel Canaryson 2\tKan\tnew\\nline Canaryson\n";

const CSV: &[u8] = b"id,user_id,label,email,phone,code,nick\n\
11,,work,ada@canary.example,tel Canaryson 1,Kanary01,\"a \"\"q\"\" Canaryson, b\"\n\
12,,,,,,\n13,,x,\"\",\"\",\"\",\"two\nlines Canaryson\"\n";

/// Every format in, in pieces of many sizes, and every format out.
#[test]
fn data_goes_in_and_comes_out_as_on_a_plain_database() {
    for (version, mode) in [(0, Mode::Mixed), (0, Mode::Deterministic), (1, Mode::Mixed)] {
        let Some(mut twins) = twins(version, mode) else { continue };
        for (index, cut) in [1, 7, 4096].into_iter().enumerate() {
            let text = String::from_utf8(TEXT.to_vec()).unwrap();
            let number = (index + 1).to_string();
            let shifted: String = text.lines().flat_map(|line| [&*number, line, "\n"]).collect();
            let reply = twins.copy("COPY contact FROM STDIN", shifted.as_bytes(), cut);
            assert_eq!(reply.tags(), "COPY 4");
        }
        twins.copy("COPY contact FROM STDIN WITH (FORMAT csv, HEADER true)", CSV, 5);
        let listed = b"1|canary.example|Canaryson\n2||\n";
        twins.copy(
            "COPY newsletter_subscriber (id, email) FROM STDIN (DELIMITER '|')",
            b"1|n1@canary.example\n2|n2@canary.example\n",
            3,
        );
        twins.copy(
            "COPY contact (id, email, nick) FROM STDIN DELIMITERS '|' WITH NULL AS ''",
            listed,
            9,
        );
        twins.compare();
        // Out of one and into the other, in binary.
        let [plain, veiled] = [&mut twins.plain, &mut twins.veiled].map(|client| {
            client.send(&Batch::new().query("COPY contact TO STDOUT (FORMAT binary)"));
            let reply = client.reply();
            let reply = if reply.status == '-' { client.reply() } else { reply };
            let mut data = Vec::new();
            for outcome in &reply.results {
                if let pgveil_tests::Outcome::Done { rows, .. } = outcome {
                    data.extend(rows.iter().flatten().flatten().flatten());
                }
            }
            data
        });
        assert_eq!(plain, veiled);
        twins.run("DELETE FROM contact");
        twins.copy("COPY contact FROM STDIN (FORMAT binary)", &plain, 11);
        twins.compare();
        let stored = twins.site.database.query("SELECT email, phone FROM contact");
        assert!(stored.len() > 4);
        assert!(stored.iter().flatten().flatten().all(|value| value.starts_with("gAAAAA")));
        drop(twins.database);
        twins.site.assert_clean();
    }
}

#[test]
fn what_does_not_become_a_row_ends_the_copy() {
    for version in 0..servers().len() {
        let mut twins = twins(version, Mode::Mixed).unwrap();
        let long = format!("1\t{}@canary.example\n", "l".repeat(260));
        let bad: [(&str, &[u8], &str); 9] = [
            ("COPY contact (id, email) FROM STDIN", long.as_bytes(), "22001"),
            ("COPY contact (id, email) FROM STDIN", b"1\n", "22P04"),
            ("COPY contact (id, email) FROM STDIN", b"1\ta@canary.example\tx\n", "22P04"),
            ("COPY contact (id, email) FROM STDIN", b"x\ta@canary.example\n", "22P02"),
            ("COPY contact (id, email) FROM STDIN", b"1\ta\\0b@canary.example\n", "22021"),
            (
                "COPY contact (id, email) FROM STDIN (FORMAT csv)",
                b"1,\"a@canary.example\n",
                "22P04",
            ),
            (
                "COPY contact (id, email) FROM STDIN (FORMAT binary)",
                b"1,\"a@canary.example\n",
                "22P04",
            ),
            ("COPY contact (id, mail) FROM STDIN", b"", "42703"),
            ("COPY newsletter_subscriber (id, email) FROM STDIN", b"1\t\\N\n", "23502"),
        ];
        for (sql, data, code) in bad {
            for cut in [3, 4096] {
                twins.copy(sql, data, cut).failed(code);
                twins.run("BEGIN");
                assert_eq!(twins.copy(sql, data, cut).status, 'E');
                twins.run("ROLLBACK");
            }
        }
        // What came before it is gone as well.
        twins
            .copy("COPY contact (id, email) FROM STDIN", b"1\ta@canary.example\n2\n", 4)
            .failed("22P04");
        let fails = |client: &mut Client| {
            client.send(&Batch::new().query("COPY contact (id, email) FROM STDIN"));
            client.reply();
            client
                .send(&Batch::new().copy_data(b"1\ta@canary.example\n").copy_fail("no Canaryson"));
            client.reply()
        };
        let (plain, veiled) = (fails(&mut twins.plain), fails(&mut twins.veiled));
        assert_alike("CopyFail", &plain, &veiled);
        twins.compare();
        twins.site.assert_clean();
    }
}

/// As libpq does it: a Sync behind the Execute, and another one behind the data.
#[test]
fn copy_in_the_extended_protocol() {
    let mut twins = twins(0, Mode::Mixed).unwrap();
    let none: [Option<Vec<u8>>; 0] = [];
    for (data, code) in [(&b"5\te5@canary.example\n"[..], None), (b"6\n", Some("22P04"))] {
        let [plain, veiled] = [&mut twins.plain, &mut twins.veiled].map(|client| {
            let sql = "COPY contact (id, email) FROM STDIN";
            let start = Batch::new()
                .parse("", sql, &[])
                .bind("", "", &[], &none, Format::Text)
                .describe_portal("")
                .execute("", 0)
                .sync();
            client.send(&start);
            client.reply();
            client.send(&Batch::new().copy_data(data).copy_done().sync());
            client.reply()
        });
        assert_alike("COPY", &plain, &veiled);
        assert_eq!(veiled.error().map(|error| error.code().to_owned()).as_deref(), code);
    }
    let sql = "COPY (SELECT email FROM contact WHERE id = 5) TO STDOUT";
    let [plain, veiled] = [&mut twins.plain, &mut twins.veiled].map(|client| {
        let run = Batch::new()
            .parse("", sql, &[])
            .bind("", "", &[], &none, Format::Text)
            .execute("", 0)
            .sync();
        client.send(&run);
        let reply = client.reply();
        if reply.status == '-' { client.reply() } else { reply }
    });
    assert_alike(sql, &plain, &veiled);
    assert_eq!(veiled.rows().concat().concat(), "e5@canary.example\n");
    twins.site.assert_clean();
}

/// Several in one string, with a look at what was stored between them.
#[test]
fn several_copies_in_one_string() {
    let mut twins = twins(0, Mode::Mixed).unwrap();
    let sql = "COPY contact (id, email) FROM STDIN; COPY tag FROM STDIN; \
               COPY newsletter_subscriber (id, email) FROM STDIN; SELECT email FROM contact";
    for client in [&mut twins.plain, &mut twins.veiled] {
        client.send(&Batch::new().query(sql));
        for data in [&b"1\ta@canary.example\n"[..], b"x\t1\n", b"1\tb@canary.example\n"] {
            client.reply();
            client.send(&Batch::new().copy_data(data).copy_done());
        }
        let reply = client.reply();
        assert_eq!(reply.rows(), [["a@canary.example"]]);
    }
    twins.compare();
    twins.site.assert_clean();
}

/// Tokens are seen, and go back in nowhere.
#[test]
fn tokens_are_copied_where_nothing_is_revealed() {
    let mut twins = twins(0, Mode::Mixed).unwrap();
    twins.copy("COPY contact (id, email) FROM STDIN", b"1\ta@canary.example\n", 99);
    let client = &mut twins.veiled;
    client.run("SET pgveil.reveal = off");
    client.send(&Batch::new().query("COPY contact (email) TO STDOUT"));
    let reply = client.reply();
    let reply = if reply.status == '-' { client.reply() } else { reply };
    let token = reply.rows().concat().concat();
    assert!(token.starts_with("gAAAAA"), "{token}");
    client.run("SET pgveil.reveal = on");
    client.send(&Batch::new().query("COPY contact (id, email) FROM STDIN"));
    client.reply();
    client.send(&Batch::new().copy_data(format!("2\t{token}").as_bytes()).copy_done());
    client.reply().failed("22000");
    for refused in [
        "COPY contact FROM '/tmp/x'",
        "COPY contact TO PROGRAM 'cat'",
        "COPY contact FROM STDIN WHERE email = 'x'",
        "COPY contact TO STDOUT (FORMAT new)",
        "COPY (SELECT lower(email) FROM contact) TO STDOUT",
    ] {
        let reply = twins.veiled.run(refused);
        assert!(!reply.failed("0A000").message().is_empty(), "{refused}");
    }
    twins.site.assert_clean();
}

/// The dump of a plain database restored through pgveil, and dumped again through it.
#[test]
fn dump_and_restore() {
    let mut twins = twins(0, Mode::Mixed).unwrap();
    twins.run(&sample::insert("ada"));
    twins.run(&sample::insert("bob"));
    twins.copy("COPY contact FROM STDIN", TEXT, 4096);
    let program = |name: &str| servers()[0].cluster.binaries().program(name).unwrap();
    let dump = |address: std::net::SocketAddr, database: &str| {
        let output = Command::new(program("pg_dump"))
            .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
            .args(["-U", ROLE, "-d", database, "--data-only", "--schema=public"])
            .args(["-t", "auth_user", "-t", "contact"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // PostgreSQL gives each dump a random key.
        text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
    };
    let plain = dump(servers()[0].address(), &twins.database.name);
    let veiled = dump(twins.site.veil.address, &twins.site.database.name);
    assert!(plain.contains("ada@canary.example"));
    assert_eq!(plain, veiled);
    twins.run("TRUNCATE auth_user, contact, orders");
    let mut psql = Command::new(program("psql"))
        .args(["--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1"])
        .args(["-h", &twins.site.veil.address.ip().to_string()])
        .args(["-p", &twins.site.veil.address.port().to_string()])
        .args(["-U", ROLE, "-d", &twins.site.database.name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = psql.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, (plain.clone() + "\n").as_bytes()).unwrap();
    drop(stdin);
    assert!(psql.wait().unwrap().success());
    assert_eq!(dump(twins.site.veil.address, &twins.site.database.name), plain);
    let copies = "SELECT count(*) FROM web_profile WHERE starts_with(encrypted_email, 'gAAAAA')";
    assert_eq!(twins.site.database.value(copies).as_deref(), Some("2"));
    twins.site.assert_clean();
}

/// A COPY that ends before the client hears of it: its Sync, which the server ignored, is answered.
#[test]
fn a_sync_behind_a_copy_that_cannot_begin_is_answered() {
    let site = sample::site();
    let mut client = site.connect();
    let copy = "COPY newsletter_subscriber (email) FROM STDIN (ENCODING 'SJIS')";
    let batch = Batch::new()
        .parse("", copy, &[])
        .bind("", "", &[], &[], Format::Text)
        .execute("", 0)
        .sync();
    client.send(&batch);
    client.reply().failed("0A000");
    assert_eq!(client.run("SELECT 1").value(), "1");
}
