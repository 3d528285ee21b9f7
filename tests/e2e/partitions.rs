//! Partitions of protected tables, and tables that are made like them.

use pgveil_tests::{Client, Site, servers};
use serde_json::{Value, json};

use crate::renamed::{deterministic, randomized, reload};
use crate::sample::CANARIES;

const EVENTS: &str = "CREATE TABLE event (id int PRIMARY KEY, email varchar(254), name text)
    PARTITION BY RANGE (id)";

fn columns() -> Vec<Value> {
    vec![deterministic("email", "email"), randomized("name")]
}

fn config(more: &[Value]) -> Value {
    let mut tables = vec![json!({ "table": "event", "columns": columns(),
        "profile": { "table": "event_profile", "link": "event_id", "key": "id",
            "copies": { "email": "encrypted_email" } } })];
    tables.extend(more.iter().cloned());
    json!({ "tables": tables })
}

fn ok(client: &mut Client, statement: &str) {
    let reply = client.run(statement);
    assert!(reply.error().is_none(), "{statement}: {:?}", reply.error());
}

/// Every row has its copy, and no copy is left without its row.
fn in_step(site: &Site) -> bool {
    let query =
        "SELECT bool_and(e.email IS NOT DISTINCT FROM p.encrypted_email AND e.id = p.event_id)
        FROM event e FULL JOIN event_profile p ON p.event_id = e.id";
    site.database.value(query).is_none_or(|value| value == "t")
}

#[test]
fn partitions_are_as_protected_as_their_parent() {
    for server in servers() {
        let mut site = Site::new(server, "partitions", "", &config(&[])).guarding(&CANARIES);
        let mut client = site.connect();
        client
            .run("CREATE TABLE event (id int, email text, name text) PARTITION BY LIST (email)")
            .failed("0A000");
        ok(&mut client, EVENTS);
        ok(&mut client, "CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10)");
        assert_eq!(
            client
                .execute(
                    "CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20)",
                    &[]
                )
                .tags(),
            "CREATE TABLE"
        );
        ok(&mut client, "CREATE TABLE event_3 PARTITION OF event DEFAULT PARTITION BY RANGE (id)");
        ok(&mut client, "CREATE TABLE event_3_1 PARTITION OF event_3 FOR VALUES FROM (20) TO (30)");
        ok(
            &mut client,
            "CREATE TABLE event_4 PARTITION OF event FOR VALUES FROM (30) TO (40);
             INSERT INTO event_4 VALUES (35, 'f@canary.example', 'Canaryson');
             SELECT email FROM event_4",
        );
        for (table, id) in [("event", 1), ("event_2", 11), ("event_3", 21), ("event_3_1", 22)] {
            ok(
                &mut client,
                &format!("INSERT INTO {table} VALUES ({id}, '{id}@canary.example', 'Canaryson')"),
            );
            let found = client
                .run(&format!("SELECT name FROM {table} WHERE email = '{id}@canary.example'"))
                .value();
            assert_eq!(found, "Canaryson");
        }
        assert!(in_step(&site));
        // The row moves.
        ok(&mut client, "UPDATE event SET id = 12 WHERE email = '1@canary.example'");
        assert!(in_step(&site));
        ok(&mut client, "TRUNCATE event_2");
        assert_eq!(client.run("SELECT count(*) FROM event_profile").value(), "3");
        site.direct().run("INSERT INTO event_3_1 VALUES (23, 'x', 'y')").failed("23514");

        // A partition that goes is declared by itself.
        let detach = "ALTER TABLE event DETACH PARTITION event_4";
        let hint = client.run(detach).failed("0A000").hint().to_owned();
        assert!(
            hint.contains("declare public.event_4 as well, with email deterministic"),
            "{hint}"
        );
        let own = json!({ "table": "event_4", "columns": columns() });
        let mut options_only = config(&[own]);
        serve(&mut site, &options_only);
        let mut client = site.connect();
        ok(&mut client, "BEGIN");
        ok(&mut client, detach);
        assert_eq!(client.run("SELECT email FROM event_4").value(), "f@canary.example");
        ok(&mut client, "ROLLBACK");
        assert!(in_step(&site));
        ok(&mut client, detach);
        assert!(in_step(&site));
        let found = "SELECT name FROM event_4 WHERE email = 'f@canary.example'";
        assert_eq!(client.run(found).value(), "Canaryson");
        ok(&mut client, "INSERT INTO event_4 VALUES (36, 'g@canary.example', NULL)");
        client.run("ALTER TABLE event DETACH PARTITION event_2 CONCURRENTLY").failed("0A000");
        // And comes back.
        let attach = "ALTER TABLE event ATTACH PARTITION event_4 FOR VALUES FROM (30) TO (40)";
        assert_eq!(client.execute(attach, &[]).tags(), "ALTER TABLE");
        assert!(in_step(&site));
        assert_eq!(client.run("SELECT count(*) FROM event_profile").value(), "4");
        assert_eq!(client.run(found).value(), "Canaryson");
        options_only = config(&[]);
        reload(&mut site, &options_only);
        let mut client = site.connect();
        assert_eq!(client.run(found).value(), "Canaryson");
        ok(&mut client, "DROP TABLE event_4");
        assert!(in_step(&site));
        // What is not sealed does not become a partition, and a sealed one not that of another.
        ok(&mut client, "CREATE TABLE log (id int PRIMARY KEY, email varchar(254), name text)");
        client
            .run("ALTER TABLE event ATTACH PARTITION log FOR VALUES FROM (50) TO (60)")
            .failed("0A000");
        ok(
            &mut client,
            "CREATE TABLE other (id int, email text, name text) PARTITION BY LIST (id)",
        );
        client.run("ALTER TABLE other ATTACH PARTITION event_2 DEFAULT").failed("0A000");
        client.run("CREATE TABLE child () INHERITS (event_2)").failed("0A000");
        ok(&mut client, "ALTER TABLE event_3 RENAME TO event_rest");
        ok(&mut client, "ALTER TABLE event ALTER email TYPE varchar(300)");
        assert_eq!(
            client.run("SELECT name FROM event_rest WHERE email = '21@canary.example'").value(),
            "Canaryson"
        );
    }
}

/// The proxy starts again with another policy; the database is as it is.
fn serve(site: &mut Site, config: &Value) {
    let policy = pgveil_tests::site::policy(config);
    let mut options =
        pgveil_session::Options::new(pgveil_tests::site::address(site.relay.address()));
    options.keyrings = pgveil_tests::site::keyrings(pgveil_tests::site::KEY);
    options.policies = vec![policy];
    site.veil = pgveil_tests::site::Veil::start(options);
}

#[test]
fn a_table_is_made_like_another() {
    let table = |name: &str| json!({ "table": name, "columns": columns() });
    let mut archive = table("archive");
    archive["profile"] = json!({ "table": "archive_profile", "link": "archive_id", "key": "id",
        "copies": { "email": "encrypted_email" } });
    let other = json!({ "table": "other", "columns": [deterministic("email", "another"), randomized("name")] });
    let less = json!({ "table": "less", "columns": [deterministic("email", "email")] });
    let more = json!({ "table": "more",
        "columns": [deterministic("email", "email"), randomized("name"), randomized("note")] });
    let config = json!({ "tables": [table("person"), table("copy"), archive, other, less, more] });
    for server in servers() {
        let site = Site::new(server, "like", "", &config).guarding(&CANARIES);
        let mut client = site.connect();
        ok(
            &mut client,
            "CREATE TABLE person (id int PRIMARY KEY, email varchar(254) DEFAULT 'd@canary.example',
                name text, note text)",
        );
        for (statement, columns) in [
            ("CREATE TABLE copy (LIKE person INCLUDING ALL)", "copy"),
            (
                "CREATE TABLE IF NOT EXISTS archive (LIKE public.person INCLUDING DEFAULTS)",
                "archive",
            ),
        ] {
            ok(&mut client, "BEGIN");
            assert_eq!(client.execute(statement, &[]).tags(), "CREATE TABLE");
            ok(&mut client, "ROLLBACK");
            assert_eq!(client.run(statement).tags(), "CREATE TABLE");
            ok(&mut client, &format!("INSERT INTO {columns} (id, name) VALUES (1, 'Canaryson')"));
            assert_eq!(
                client
                    .run(&format!("SELECT name FROM {columns} WHERE email = 'd@canary.example'"))
                    .value(),
                "Canaryson"
            );
            client
                .run(&format!(
                    "INSERT INTO {columns} (id, email) VALUES (2, '{}')",
                    "x".repeat(255)
                ))
                .failed("22001");
            site.direct()
                .run(&format!("INSERT INTO {columns} (id, email) VALUES (3, 'x')"))
                .failed("23514");
        }
        assert_eq!(
            site.database.value("SELECT count(*) FROM archive_profile").as_deref(),
            Some("1")
        );
        for refused in [
            "CREATE TABLE other (LIKE person)",
            "CREATE TABLE less (LIKE person)",
            "CREATE TABLE more (LIKE person)",
            "CREATE TABLE undeclared (LIKE person INCLUDING ALL)",
            "CREATE TEMP TABLE copy2 (LIKE person)",
            "CREATE TABLE more (LIKE person, age int)",
            "CREATE TABLE more AS SELECT id, email, name FROM person",
            "SELECT id, email, name INTO more FROM person",
            "SELECT id, email INTO undeclared FROM person",
            "CREATE TABLE undeclared AS SELECT id, email FROM person",
        ] {
            let reply = client.run(refused);
            assert!(!reply.failed("0A000").hint().is_empty(), "{refused}");
        }
        assert_eq!(
            client.run("CREATE TABLE undeclared AS SELECT id FROM person").tags(),
            "SELECT 0"
        );
    }
}
