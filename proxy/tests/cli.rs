//! The command line, run as people run it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use pgveil_sandbox::Cluster;

const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

/// Runs pgveil with the key in its environment.
fn pgveil(arguments: &[&str]) -> Output {
    pgveil_with(arguments, Some(KEY), "")
}

fn pgveil_with(arguments: &[&str], key: Option<&str>, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgveil"));
    command.args(arguments).env_remove("MESSAGE_ENCRYPTION_KEY").env_remove("PGVEIL_LOG");
    if let Some(key) = key {
        command.env("MESSAGE_ENCRYPTION_KEY", key);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgveil starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("writes");
    child.wait_with_output().expect("pgveil ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", out(output), err(output));
    out(output)
}

/// Fails with this status, and tells no secret.
#[track_caller]
fn fails(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{}\n{}", out(output), err(output));
    assert!(!err(output).contains(&KEY[..10]), "{}", err(output));
    err(output)
}

fn token(value: &str) -> String {
    fernet::Fernet::new(KEY).expect("a key").encrypt(value.as_bytes())
}

#[test]
fn a_generated_key_opens_what_it_sealed() {
    let key = succeeds(&pgveil(&["keygen"]));
    let token = fernet::Fernet::new(key.trim()).expect("a key").encrypt("Zoë".as_bytes());
    assert_eq!(succeeds(&pgveil_with(&["decrypt", &token], Some(key.trim()), "")), "Zoë\n");
    // Several keys are a keyring.
    let keyring = format!("{KEY},{}", key.trim());
    assert_eq!(succeeds(&pgveil_with(&["decrypt", &token], Some(&keyring), "")), "Zoë\n");
    let message = fails(&pgveil(&["decrypt", &token]), 1);
    assert!(message.contains("no key of the keyring opens this token"), "{message}");
}

#[test]
fn tokens_come_from_standard_input_too() {
    let input = format!("{}\n\n{}\n", token("one"), token("two"));
    assert_eq!(succeeds(&pgveil_with(&["decrypt"], Some(KEY), &input)), "one\ntwo\n");
    let message = fails(&pgveil_with(&["decrypt"], Some(KEY), "hello\n"), 1);
    assert!(message.contains("line 1: not a Fernet token"), "{message}");
    let message = fails(&pgveil_with(&["decrypt"], None, &input), 2);
    assert!(message.contains("MESSAGE_ENCRYPTION_KEY is not set"), "{message}");
}

#[test]
fn a_csv_column_is_opened_and_the_rest_is_left() {
    let value = "a \"quoted\", value";
    let csv = format!("id,email,other\r\n1,{},{}\r\n2,,x\r\n", token(value), token("no"));
    let output = pgveil_with(&["decrypt", "--csv", "-", "--column", "email"], Some(KEY), &csv);
    let opened = succeeds(&output);
    let lines: Vec<&str> = opened.split("\r\n").collect();
    assert_eq!(lines[0], "id,email,other");
    assert!(lines[1].starts_with("1,\"a \"\"quoted\"\", value\",gAAAAA"), "{opened}");
    assert_eq!(lines[2], "2,,x");
    let output = pgveil_with(&["decrypt", "--csv", "-", "--column", "mail"], Some(KEY), &csv);
    assert!(fails(&output, 1).contains("does not name a column \"mail\""));
}

#[test]
fn a_dump_is_opened() {
    let dump = format!(
        "COPY public.t (id, email) FROM stdin;\n1\t{}\n\\.\nINSERT INTO t VALUES (2, '{}');\n",
        token("a\tb"),
        token("O'Brien")
    );
    let output = pgveil_with(&["decrypt", "--dump", "-"], Some(KEY), &dump);
    assert_eq!(
        succeeds(&output),
        "COPY public.t (id, email) FROM stdin;\n1\ta\\tb\n\\.\nINSERT INTO t VALUES (2, 'O''Brien');\n"
    );
    let other = fernet::Fernet::new(&fernet::Fernet::generate_key()).expect("a key").encrypt(b"x");
    let dump = format!("INSERT INTO t VALUES ('{other}');\n");
    let output = pgveil_with(&["decrypt", "--dump", "-"], Some(KEY), &dump);
    let message = fails(&output, 1);
    assert!(message.contains("1 that no key of the keyring opens, first in line 1"), "{message}");
    assert_eq!(out(&output), dump);
}

fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/pgveil.toml").display().to_string()
}

#[test]
fn the_example_configuration_has_no_mistakes() {
    let text = succeeds(&pgveil(&["check", "--config", &example()]));
    assert!(text.contains("no mistakes"), "{text}");
    assert!(text.contains("email: deterministic, domain email, keyring default"), "{text}");
    assert!(text.contains("profile public.web_profile: email into encrypted_email"), "{text}");
    let message = fails(&pgveil_with(&["check", "--config", &example()], None, ""), 2);
    assert!(message.contains("pgveil.toml:29:"), "{message}");
    assert!(message.contains("MESSAGE_ENCRYPTION_KEY is not set"), "{message}");
}

#[test]
fn mistakes_of_every_kind_are_reported_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("pgveil.toml");
    fs::write(directory.path().join("bad.wasm"), "not a component").expect("writes");
    fs::write(directory.path().join("bad.key"), &KEY[1..]).expect("writes");
    fs::write(
        &config,
        r#"listen = "127.0.0.1:0"
[server]
address = "nowhere"
[keys.default]
file = "bad.key"
[[policy]]
name = "missing"
component = "missing.wasm"
[[policy]]
name = "bad"
component = "bad.wasm"
[[policy]]
name = "people"
builtin = "user-profile"
[[policy.config.tables]]
table = "auth_user"
columns = [
    { column = "email", mode = "determinstic" },
    { column = "name", mode = "randomized", keyring = "other" },
]
"#,
    )
    .expect("writes");
    let message = fails(&pgveil(&["check", "--config", &config.display().to_string()]), 2);
    for (line, words) in [
        (3, "not the address of a server"),
        (5, "keyring \"default\": key 1 of the keyring"),
        (8, "cannot read"),
        (11, "policy \"bad\" cannot be loaded"),
        (18, "policy \"people\": tables[0].columns[0].mode"),
    ] {
        let place = format!("pgveil.toml:{line}:");
        let found = message.lines().find(|shown| shown.contains(&place));
        assert!(found.is_some_and(|shown| shown.contains(words)), "{place} {words}\n{message}");
    }
}

#[test]
fn a_keyring_that_is_not_configured_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("pgveil.toml");
    let text = fs::read_to_string(example()).expect("reads");
    let text = text.replace("mode = \"randomized\" }", "mode = \"randomized\", keyring = \"x\" }");
    fs::write(&config, text).expect("writes");
    let message = fails(&pgveil(&["check", "--config", &config.display().to_string()]), 2);
    assert!(message.contains("keyring \"x\", which is not configured"), "{message}");
    assert!(message.contains("[keys.x]"), "{message}");
}

/// Database, configuration and table of the database commands.
struct Site {
    cluster: Cluster,
    config: String,
    dsn: String,
    _directory: tempfile::TempDir,
}

fn site() -> Site {
    let cluster = Cluster::builder().volatile().start().unwrap_or_else(|e| panic!("{e}"));
    cluster.create_database("site").expect("creates");
    cluster.query("site", include_str!("../src/demo/schema.sql")).expect("creates");
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("pgveil.toml");
    let text = fs::read_to_string(example()).expect("reads");
    let server = format!("{}:{}", cluster.host(), cluster.port());
    fs::write(&config, text.replace("127.0.0.1:5432", &server)).expect("writes");
    let dsn = cluster.dsn("site");
    Site { cluster, config: config.display().to_string(), dsn, _directory: directory }
}

#[test]
fn rows_are_sealed_and_progress_is_told() {
    let site = site();
    site.cluster
        .query(
            "site",
            "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email,
                                    is_staff, is_active, date_joined)
             SELECT '!', false, 'reader' || n, 'Reader', n, 'reader' || n || '@example.com', false,
                    true, now() FROM generate_series(1, 2500) n",
        )
        .expect("inserts");
    let on = ["--config", site.config.as_str(), "--dsn", site.dsn.as_str()];
    let output = pgveil(&[&["migrate", "apply", "--yes"], &on[..]].concat());
    let plan = succeeds(&output);
    assert!(plan.contains("2500 rows are sealed while the table is locked"), "{plan}");
    let told = err(&output);
    for line in [
        "sealing the rows of public.auth_user: 0 of 2500 rows",
        "sealing the rows of public.auth_user: 2500 of 2500 rows",
        "rewriting public.auth_user: 2500 rows",
        "opening every token of public.auth_user: 2500 of 2500 rows",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(!told.contains("example.com") && !plan.contains("example.com"));
    succeeds(&pgveil(&[&["check"], &on[..]].concat()));
}

#[test]
fn a_database_is_checked_migrated_and_explained() {
    let site = site();
    let on = ["--config", site.config.as_str(), "--dsn", site.dsn.as_str()];
    let run = |first: &[&str]| pgveil(&[first, &on[..]].concat());

    // Nothing is sealed yet, and nothing is changed without a yes.
    fails(&run(&["check"]), 1);
    let plan = succeeds(&run(&["migrate", "plan"]));
    assert!(plan.contains("ALTER TABLE"), "{plan}");
    let message = fails(&run(&["migrate", "apply"]), 2);
    assert!(message.contains("--yes"), "{message}");
    let column = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute \
                  WHERE attrelid = 'auth_user'::regclass AND attname = 'email'";
    let kind = || site.cluster.query("site", column).expect("reads")[0][0].clone();
    assert_eq!(kind().as_deref(), Some("character varying(254)"));
    let applied = succeeds(&run(&["migrate", "apply", "--yes"]));
    assert!(applied.contains("ALTER TABLE"), "prints what it does: {applied}");
    assert_eq!(kind().as_deref(), Some("text"));
    succeeds(&run(&["check"]));
    assert!(succeeds(&run(&["migrate", "plan"])).contains("nothing to do"));

    let explain = |sql: &str| succeeds(&run(&["explain", sql]));
    let insert = explain(
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, \
         is_staff, is_active, date_joined) VALUES ('secret', false, 'zoe', 'Zoë', 'Doe', \
         'zoe@example.com', false, true, now())",
    );
    for words in [
        "relation public.auth_user (policy people)",
        "email: written; deterministic, domain email",
        "first_name: written; randomized",
        "profile write: public.web_profile: email into encrypted_email",
        "verdict: allowed",
        "token of auth_user.email",
    ] {
        assert!(insert.contains(words), "{words}\n{insert}");
    }
    for value in ["Zoë", "Doe", "zoe@example.com", "secret"] {
        assert!(!insert.contains(value), "{value}\n{insert}");
    }
    let select = explain("SELECT email FROM auth_user WHERE email = $1; SELECT 1");
    assert!(select.contains("statement 1: select"), "{select}");
    assert!(select.contains("parameter: $1 becomes a token of auth_user.email"), "{select}");
    assert!(select.contains("email: reaches the client, compared"), "{select}");
    assert!(select.contains("statement 2: select\n  names nothing that is protected"), "{select}");
    let refused = explain("SELECT id\nFROM auth_user\nWHERE first_name LIKE 'Z%'");
    assert!(refused.contains("SQLSTATE 0A000"), "{refused}");
    assert!(refused.contains("hint:"), "{refused}");

    // The keys are checked against the database.
    let other = fernet::Fernet::generate_key();
    let checked = pgveil_with(&[&["check"], &on[..]].concat(), Some(&other), "");
    assert_eq!(checked.status.code(), Some(1), "{}{}", out(&checked), err(&checked));
}

#[test]
fn the_proxy_serves_on_tcp_and_a_unix_socket_until_it_is_told_to_end() {
    let site = site();
    let socket = Path::new(&site.config).with_file_name("veil.sock");
    let text = fs::read_to_string(&site.config).expect("reads");
    let text = text
        .replace("\"127.0.0.1:6432\"", "\"127.0.0.1:0\", \"./veil.sock\"")
        .replace("format = \"human\"", "format = \"json\"");
    fs::write(&site.config, text).expect("writes");
    let child = Command::new(env!("CARGO_BIN_EXE_pgveil"))
        .args(["serve", "--config", &site.config])
        .env("MESSAGE_ENCRYPTION_KEY", KEY)
        .env_remove("PGVEIL_LOG")
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("pgveil starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    let serving = log.next().expect("a line").expect("reads");
    let line: serde_json::Value =
        serde_json::from_str(&serving).unwrap_or_else(|_| panic!("{serving}"));
    assert_eq!(line["fields"]["message"], "serving", "{serving}");
    let addresses = line["fields"]["listen"].as_str().expect("text").to_owned();
    let (tcp, unix) = addresses.split_once(", ").expect("two addresses");
    assert_eq!(unix, socket.display().to_string());
    // Startup as somebody; whatever the answer is, it is the server's.
    let startup = b"\0\0\0\0\0\x03\0\0user\0nobody\0\0";
    let mut startup = startup.to_vec();
    startup[3] = u8::try_from(startup.len()).expect("short");
    let ask = |stream: &mut dyn ReadWrite| {
        stream.write_all(&startup).expect("writes");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("reads");
        assert!(String::from_utf8_lossy(&answer).contains("\"nobody\" does not exist"));
    };
    ask(&mut TcpStream::connect(tcp).expect("connects"));
    ask(&mut UnixStream::connect(&socket).expect("connects"));

    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kills").success());
    assert!(child.wait().expect("ends").success());
    assert!(!socket.exists());
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[test]
fn a_database_that_is_not_there_is_a_clear_error() {
    let site = site();
    let dsn = format!("{}x", site.dsn);
    let message = fails(&pgveil(&["check", "--config", &site.config, "--dsn", &dsn]), 1);
    assert!(message.contains("database \"sitex\" does not exist"), "{message}");
    let dsn = "postgresql://me:secret@127.0.0.1:notaport/x";
    let message = fails(&pgveil(&["check", "--config", &site.config, "--dsn", dsn]), 2);
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn the_demo_proves_what_it_shows() {
    let text = succeeds(&pgveil(&["demo", "--once", "--people", "60"]));
    for words in ["loaded 60 people", "the application sees", "web_profile", "all of it is true"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("FALSE"), "{text}");
}
