//! The log of new tokens follows what DDL through the proxy makes of its table. Where it is in place
//! a pattern is answered, and else refused.

use pgveil_tests::{Client, Site, servers};
use serde_json::{Value, json};

use crate::renamed::reload;
use crate::sample::CANARIES;

fn computed(name: &str, domain: &str) -> Value {
    json!({ "column": name, "mode": "deterministic", "domain": domain, "computed": true })
}

fn table(name: &str, columns: &[Value]) -> Value {
    json!({ "table": name, "columns": columns })
}

fn ok(client: &mut Client, statement: &str) {
    let reply = client.run(statement);
    assert!(reply.error().is_none(), "{statement}: {:?}", reply.error());
}

/// A table's trigger: its function, and the columns that it logs.
fn trigger(site: &Site, table: &str) -> String {
    let query = format!(
        "SELECT string_agg(concat(p.proname, ' ', t.tgenabled, ' ', encode(t.tgargs, 'escape')), ' ')
         FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE t.tgrelid = '{table}'::regclass AND t.tgname = 'pgveil_changes'"
    );
    site.database.value(&query).unwrap_or_default()
}

/// How many tokens are logged of a table.
fn logged(site: &Site, table: &str) -> String {
    let query = format!(
        "SELECT count(*) FROM pgveil.changes c JOIN {table} t ON c.token IN (t.email, t.name)
         WHERE c.relation = '{table}'::regclass"
    );
    site.database.value(&query).unwrap_or_default()
}

#[test]
fn a_table_is_made_changed_and_renamed() {
    for server in servers() {
        let columns = [computed("email", "email"), computed("name", "name")];
        let renamed = [computed("mail", "email"), computed("name", "name")];
        let config = |columns: &[Value]| {
            json!({ "tables": [table("person", columns), table("people", columns),
                table("copy", columns)] })
        };
        let mut site = Site::new(server, "logged", "", &config(&columns)).guarding(&CANARIES);
        let mut client = site.connect();
        let like = "SELECT count(*) FROM person WHERE email LIKE '%@canary%'";
        ok(
            &mut client,
            "CREATE TABLE person (id serial PRIMARY KEY, email varchar(254) COLLATE \"C\", note text)",
        );
        assert_eq!(trigger(&site, "person"), "pgveil_changes:public.person A 2\\000\\000");
        assert_eq!(
            site.database.value("SELECT \"collation\" FROM pgveil.columns").as_deref(),
            Some("pg_catalog.\"C\"")
        );
        ok(&mut client, "INSERT INTO person (email) VALUES ('a@canary.example')");
        assert_eq!(client.run(like).value(), "1");
        for extended in [false, true] {
            let add = "ALTER TABLE person ADD COLUMN name text";
            ok(&mut client, "BEGIN");
            if extended {
                assert_eq!(client.execute(add, &[]).tags(), "ALTER TABLE");
            } else {
                ok(&mut client, add);
            }
            assert_eq!(client.run(like).value(), "1");
            ok(&mut client, "ROLLBACK");
        }
        ok(&mut client, "ALTER TABLE person ADD COLUMN name text, DROP COLUMN note");
        assert_eq!(trigger(&site, "person"), "pgveil_changes:public.person A 2\\0004\\000");
        ok(
            &mut client,
            "INSERT INTO person (email, name) VALUES ('b@canary.example', 'Canaryson')",
        );
        assert_eq!(logged(&site, "person"), "3");
        assert_eq!(client.run(like).value(), "2");
        assert_eq!(client.run("SELECT id FROM person WHERE name > 'C'").value(), "2");

        ok(&mut client, "CREATE TABLE copy (LIKE person INCLUDING ALL)");
        assert_eq!(trigger(&site, "copy"), "pgveil_changes:public.copy A 2\\0003\\000");
        assert_eq!(
            site.database
                .value(
                    "SELECT string_agg(\"collation\", ' ' ORDER BY column_name) FROM pgveil.columns
                     WHERE relation = 'copy'::regclass"
                )
                .as_deref(),
            Some("pg_catalog.\"C\" default")
        );

        ok(&mut client, "ALTER TABLE person RENAME TO people");
        assert_eq!(trigger(&site, "people"), "pgveil_changes:public.people A 2\\0004\\000");
        ok(&mut client, "INSERT INTO people (email) VALUES ('c@canary.example')");
        assert_eq!(client.run(&like.replace("person", "people")).value(), "3");

        let mut both = columns.to_vec();
        both.push(computed("mail", "email"));
        reload(&mut site, &config(&both));
        let mut client = site.connect();
        // What runs meanwhile keeps running.
        ok(&mut client, "INSERT INTO people (email) VALUES ('d@canary.example')");
        ok(&mut client, "ALTER TABLE people RENAME COLUMN email TO mail");
        assert_eq!(trigger(&site, "people"), "pgveil_changes:public.people A \\0004\\0002\\000");
        ok(&mut client, "INSERT INTO people (mail) VALUES ('e@canary.example')");
        let like = "SELECT count(*) FROM people WHERE mail LIKE '%@canary%'";
        assert_eq!(client.run(like).value(), "5");
        // A type without a collation has the default one.
        ok(&mut client, "ALTER TABLE people ALTER COLUMN mail TYPE text");
        assert_eq!(
            site.database
                .value(
                    "SELECT \"collation\" FROM pgveil.columns
                     WHERE relation = 'people'::regclass AND column_name = 'mail'"
                )
                .as_deref(),
            Some("default")
        );
        reload(&mut site, &config(&renamed));
        let mut client = site.connect();
        ok(&mut client, "ALTER TABLE people DROP COLUMN mail");
        assert_eq!(trigger(&site, "people"), "pgveil_changes:public.people A \\0004\\000");
        ok(&mut client, "ALTER TABLE people DROP COLUMN name");
        assert_eq!(trigger(&site, "people"), "");
        ok(&mut client, "INSERT INTO people DEFAULT VALUES");
        ok(&mut client, "DROP TABLE copy, people");
        site.assert_clean();
    }
}

#[test]
fn partitions_come_and_go() {
    for server in servers() {
        let columns = [computed("email", "email"), computed("name", "name")];
        let config = json!({ "tables": [table("event", &columns), table("event_2", &columns)] });
        let site = Site::new(server, "logged partitions", "", &config).guarding(&CANARIES);
        let mut client = site.connect();
        ok(
            &mut client,
            "CREATE TABLE event (id int, email varchar(254), name text) PARTITION BY LIST (id)",
        );
        ok(&mut client, "CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1)");
        assert_eq!(trigger(&site, "event_1"), "pgveil_changes:public.event A 2\\0003\\000");
        let like = "SELECT count(*) FROM event WHERE email LIKE '%@canary%'";
        ok(&mut client, "INSERT INTO event VALUES (1, 'a@canary.example')");
        assert_eq!(client.run(like).value(), "1");

        ok(&mut client, "CREATE TABLE event_2 (id int, email varchar(254), name text)");
        assert_eq!(trigger(&site, "event_2"), "pgveil_changes:public.event_2 A 2\\0003\\000");
        ok(&mut client, "INSERT INTO event_2 VALUES (2, 'b@canary.example')");
        ok(&mut client, "ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES IN (2)");
        assert_eq!(trigger(&site, "event_2"), "pgveil_changes:public.event A 2\\0003\\000");
        assert_eq!(client.run(like).value(), "2");
        ok(&mut client, "INSERT INTO event VALUES (2, 'c@canary.example')");
        assert_eq!(client.run(like).value(), "3");
        ok(&mut client, "ALTER TABLE event DETACH PARTITION event_2");
        assert_eq!(trigger(&site, "event_2"), "pgveil_changes:public.event_2 A 2\\0003\\000");
        assert_eq!(client.run(like).value(), "1");
        assert_eq!(client.run(&like.replace("event", "event_2")).value(), "2");
        site.assert_clean();
    }
}

/// Writes go on where the log is not in place; what cannot be known then is refused.
#[test]
fn without_the_log_nothing_is_computed() {
    for server in servers() {
        let config = json!({ "tables": [table("person", &[computed("email", "email")])] });
        let schema = "CREATE TABLE person (id int, email varchar(254), name text)";
        let site = Site::new(server, "not logged", schema, &config).guarding(&CANARIES);
        let mut direct = site.direct();
        ok(&mut direct, "ALTER TABLE person DISABLE TRIGGER pgveil_changes");
        let mut client = site.connect();
        ok(&mut client, "INSERT INTO person VALUES (1, 'a@canary.example')");
        let like = "SELECT count(*) FROM person WHERE email LIKE '%@canary%'";
        client.run(like).failed("0A000");
        assert_eq!(
            client.run("SELECT id FROM person WHERE email = 'a@canary.example'").value(),
            "1"
        );
        ok(&mut direct, "ALTER TABLE person ENABLE ALWAYS TRIGGER pgveil_changes");
        // When what is known of the catalog is looked at again.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        assert_eq!(client.run(like).value(), "1");
        site.assert_clean();
    }
}
