//! What somebody with `psql` sees.

use std::net::SocketAddr;
use std::process::Command;

use pgveil_tests::{ROLE, Site, server};

use crate::sample::{insert, site};

fn psql(address: SocketAddr, database: &str, commands: &[&str]) -> String {
    let program = server().cluster.binaries().program("psql").expect("the installation has psql");
    let mut psql = Command::new(program);
    psql.args(["--no-psqlrc", "-h", &address.ip().to_string(), "-p", &address.port().to_string()])
        .args(["-U", ROLE, "-d", database])
        .env("LC_ALL", "C.UTF-8")
        .env("PGCONNECT_TIMEOUT", "20");
    for command in commands {
        psql.args(["-c", command]);
    }
    let output = psql.output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

fn both(site: &Site, commands: &[&str]) -> (String, String) {
    let name = &site.database.name;
    (psql(site.veil.address, name, commands), psql(server().address(), name, commands))
}

/// `\d` and its like read the catalog, which shows the physical types: through the proxy as
/// directly.
#[test]
fn backslash_commands_are_the_servers() {
    let site = site();
    for command in [
        "\\d",
        "\\d auth_user",
        "\\d+ contact",
        "\\dt",
        "\\dv",
        "\\di",
        "\\dn",
        "\\du",
        // One database: others come and go with other tests.
        "\\l postgres",
        "\\df",
        "\\sv active_user",
        "\\dp auth_user",
    ] {
        let (through, direct) = both(&site, &[command]);
        assert_eq!(through, direct, "{command}");
        assert!(!through.contains("ERROR"), "{command}: {through}");
    }
    let (through, _) = both(&site, &["\\d auth_user"]);
    assert!(
        through.contains("email") && through.contains("web_profile") || through.contains("Trigger"),
        "{through}"
    );
}

/// What tab completion asks.
#[test]
fn completion_queries_pass() {
    let site = site();
    let query = "SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c WHERE \
        c.relkind IN ('r', 'v') AND substring(pg_catalog.quote_ident(c.relname),1,5)='auth_' \
        AND pg_catalog.pg_table_is_visible(c.oid) LIMIT 1000";
    let (through, direct) = both(&site, &[query]);
    assert_eq!(through, direct);
    assert!(through.contains("auth_user"));
}

#[test]
fn select_insert_and_an_error() {
    let site = site();
    let name = &site.database.name;
    let run = |command: &str| psql(site.veil.address, name, &[command]);
    assert_eq!(run(&insert("ada")), "INSERT 0 1\n");
    let shown = run("SELECT id, email FROM auth_user");
    assert!(shown.contains(" 1 | ada@canary.example"), "{shown}");
    let error = run(&insert("ada"));
    assert!(error.contains("duplicate key value violates unique constraint"), "{error}");
    let error = run("SELECT lower(email) FROM auth_user");
    assert!(error.contains("ERROR:") && error.contains("HINT:"), "{error}");
    assert!(error.contains("LINE 1: SELECT lower(email)"), "the position is shown: {error}");
}

#[test]
fn pgveils_own_statements() {
    let site = site();
    let mut client = site.connect();
    client.run(&insert("ada"));
    let status = client.run("SHOW pgveil.status").rows();
    assert!(status.iter().any(|row| row[0] == "version"), "{status:?}");
    let policies = client.run("SHOW pgveil.policies").rows();
    assert_eq!(policies.len(), 8, "one row for each protected column: {policies:?}");
    client.run("SELECT id FROM auth_user WHERE email = 'ada@canary.example'");
    let rewrite = client.run("SHOW pgveil.rewrite").value();
    assert!(rewrite.contains("FROM auth_user WHERE email ="), "{rewrite}");
    assert!(!rewrite.contains("canary") && !rewrite.contains("gAAAAA"), "not redacted: {rewrite}");
    // Names as people write them, and in the extended protocol.
    assert_eq!(client.run("show PGVEIL.STATUS").rows(), client.run("SHOW pgveil.status;").rows());
    assert_eq!(
        client.execute("SHOW pgveil.status", &[]).rows(),
        client.run("SHOW pgveil.status").rows()
    );
    let reply = client.run("SHOW pgveil.nonsense");
    assert!(reply.error().is_some());
}

#[test]
fn reveal_can_only_be_taken_away() {
    let site = site();
    let mut client = site.connect();
    client.run(&insert("ada"));
    let shown =
        |client: &mut pgveil_tests::Client| client.run("SELECT email FROM auth_user").value();
    let plain = "ada@canary.example";
    assert_eq!(client.run("SET pgveil.reveal = off").tags(), "SET");
    assert!(shown(&mut client).starts_with("gAAAAA"));
    // Look-ups and writes go on.
    assert_eq!(
        client.run("SELECT id FROM auth_user WHERE email = 'ada@canary.example'").value(),
        "1"
    );
    assert_eq!(client.run(&insert("bob")).tags(), "INSERT 0 1");
    client.run("DELETE FROM auth_user WHERE username = 'bob'");
    for back in ["SET pgveil.reveal = on", "RESET pgveil.reveal", "RESET ALL", "DISCARD ALL"] {
        client.run("SET pgveil.reveal TO off");
        assert!(shown(&mut client).starts_with("gAAAAA"), "{back}");
        client.run(back);
        assert_eq!(shown(&mut client), plain, "{back}");
    }
    // It is a setting of the transaction it is made in.
    client.run("BEGIN; SET LOCAL pgveil.reveal = off");
    assert!(shown(&mut client).starts_with("gAAAAA"));
    client.run("COMMIT");
    assert_eq!(shown(&mut client), plain);
    client.run("BEGIN; SET pgveil.reveal = off; ROLLBACK");
    assert_eq!(shown(&mut client), plain);
    // It is the session's, not the proxy's.
    client.run("SET pgveil.reveal = off");
    assert_eq!(shown(&mut site.connect()), plain);
}
