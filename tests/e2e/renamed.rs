//! New names of protected columns and tables, and what is generated with names in it.

use pgveil_session::Options;
use pgveil_tests::site::{KEY, Veil, address, keyrings, migrate, policy};
use pgveil_tests::{Server, Site, servers};
use serde_json::{Value, json};

use crate::sample::CANARIES;

/// The proxy starts again with another policy, for which the database is prepared.
pub(crate) fn reload(site: &mut Site, config: &Value) {
    let policy = policy(config);
    let server: &'static Server = site.database.server;
    migrate(server, &site.database.name, policy.declaration());
    let mut options = Options::new(address(site.relay.address()));
    options.keyrings = keyrings(KEY);
    options.policies = vec![policy];
    site.veil = Veil::start(options);
}

pub(crate) fn randomized(name: &str) -> Value {
    json!({ "column": name, "mode": "randomized" })
}

pub(crate) fn deterministic(name: &str, domain: &str) -> Value {
    json!({ "column": name, "mode": "deterministic", "domain": domain })
}

const PERSON: &str = "
    CREATE TABLE person (id serial PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, name text,
        note text);
    CREATE VIEW mailing AS SELECT id, email FROM person";

/// What a table's guards, records and triggers are.
fn physical(site: &Site, table: &str) -> Vec<String> {
    let query = format!(
        "SELECT 'guard', conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE conrelid = '{table}'::regclass AND contype = 'c'
         UNION ALL SELECT 'record', column_name, concat_ws(' ', mode, domain, type_oid, typmod)
         FROM pgveil.columns WHERE relation = '{table}'::regclass
         UNION ALL SELECT 'trigger', tgname, md5(prosrc)
         FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid
         WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal ORDER BY 1, 2"
    );
    let rows = site.database.query(&query).into_iter();
    rows.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join("|")).collect()
}

#[test]
fn a_column_gets_another_name() {
    for server in servers() {
        let own = json!({ "column": "email", "mode": "deterministic" });
        let before = json!({ "tables": [{
            "table": "person",
            "columns": [own, randomized("name")],
            "profile": { "table": "person_profile", "link": "person_id", "key": "id",
                "copies": { "email": "encrypted_email", "name": "encrypted_name" } },
        }] });
        let mut site = Site::new(server, "rename column", PERSON, &before).guarding(&CANARIES);
        let mut client = site.connect();
        client.run("INSERT INTO person (email, name) VALUES ('a@canary.example', 'Canaryson')");
        for (statement, wanted) in [
            ("ALTER TABLE person RENAME email TO mail", "let the profile name mail"),
            ("ALTER TABLE person RENAME COLUMN id TO number", "let the profile name number"),
            ("ALTER TABLE person_profile RENAME encrypted_email TO e", "the profile of person"),
        ] {
            let reply = client.run(statement);
            assert!(reply.failed("0A000").hint().contains(wanted), "{statement}: {reply:?}");
        }
        let reply = client.run("ALTER TABLE person RENAME note TO name");
        assert!(reply.failed("0A000").hint().contains("migrate apply"), "{reply:?}");

        // Declared without a domain it would have another one.
        let declared = |mail: Value| {
            json!({ "tables": [{
                "table": "person",
                "columns": [own, mail, randomized("name")],
                "profile": { "table": "person_profile", "link": "person_id", "key": "id",
                    "copies": { "mail": "encrypted_mail", "name": "encrypted_name" } },
            }] })
        };
        reload(&mut site, &declared(json!({ "column": "mail", "mode": "deterministic" })));
        let mut client = site.connect();
        let reply = client.run("ALTER TABLE person RENAME email TO mail");
        let hint = reply.failed("0A000").hint().to_owned();
        assert!(hint.contains("domain \"public.person.email\""), "{hint}");

        reload(&mut site, &declared(deterministic("mail", "public.person.email")));
        let mut client = site.connect();
        // What runs meanwhile keeps running.
        client.run("INSERT INTO person (email, name) VALUES ('b@canary.example', 'Canaryson')");
        let copies = "SELECT count(*) FROM person p JOIN person_profile c ON c.person_id = p.id
            AND c.encrypted_email = p.email AND c.encrypted_name = p.name";
        assert_eq!(site.database.value(copies).as_deref(), Some("2"));
        let was = physical(&site, "person");
        for extended in [false, true] {
            let mut run =
                |sql: &str| if extended { client.execute(sql, &[]) } else { client.run(sql) };
            assert_eq!(run("BEGIN").tags(), "BEGIN");
            assert_eq!(run("ALTER TABLE person RENAME email TO mail").tags(), "ALTER TABLE");
            assert_eq!(
                run("SELECT mail FROM person WHERE mail = 'a@canary.example'").value(),
                "a@canary.example"
            );
            assert_eq!(run("ROLLBACK").tags(), "ROLLBACK");
            assert_eq!(physical(&site, "person"), was);
            assert_eq!(
                run("SELECT email FROM person WHERE email = 'a@canary.example'").value(),
                "a@canary.example"
            );
        }
        assert_eq!(client.run("ALTER TABLE person RENAME email TO mail").tags(), "ALTER TABLE");
        client
            .run("INSERT INTO person (mail, name) VALUES ('a@canary.example', 'x')")
            .failed("23505");
        client.run("INSERT INTO person (mail, name) VALUES ('c@canary.example', 'Canaryson')");
        client.run("UPDATE person SET mail = 'd@canary.example' WHERE mail = 'b@canary.example'");
        assert_eq!(
            client.run("SELECT email FROM mailing ORDER BY id").rows().concat(),
            ["a@canary.example", "d@canary.example", "c@canary.example"]
        );
        let copies = copies.replace("email", "mail");
        assert_eq!(site.database.value(&copies).as_deref(), Some("3"));
        let guards = physical(&site, "person").concat();
        assert!(
            guards.contains("pgveil_guard_mail") && !guards.contains("guard_email"),
            "{guards}"
        );
        // With the old name gone from the policy nothing is left to be done.
        let after = json!({ "tables": [{
            "table": "person",
            "columns": [deterministic("mail", "public.person.email"), randomized("name")],
            "profile": { "table": "person_profile", "link": "person_id", "key": "id",
                "copies": { "mail": "encrypted_mail", "name": "encrypted_name" } },
        }] });
        let was = physical(&site, "person");
        reload(&mut site, &after);
        assert_eq!(physical(&site, "person"), was);
        assert_eq!(
            site.connect().run("SELECT mail FROM person WHERE mail = 'd@canary.example'").value(),
            "d@canary.example"
        );
    }
}

#[test]
fn a_table_gets_another_name_or_schema() {
    for server in servers() {
        let columns = [deterministic("email", "email"), randomized("name")];
        let table = |schema: &str, table: &str| {
            json!({ "schema": schema, "table": table, "columns": columns,
                "profile": { "schema": schema, "table": format!("{table}_profile"),
                    "link": "person_id", "key": "id",
                    "copies": { "email": "encrypted_email", "name": "encrypted_name" } } })
        };
        let schema =
            format!("{PERSON}; CREATE SCHEMA crm; CREATE TABLE member (id int, email text)");
        let only = json!({ "tables": [table("public", "person")] });
        let mut site = Site::new(server, "rename table", &schema, &only).guarding(&CANARIES);
        let mut client = site.connect();
        client.run("INSERT INTO person (email, name) VALUES ('a@canary.example', 'Canaryson')");
        for statement in
            ["ALTER TABLE person RENAME TO people", "ALTER TABLE person SET SCHEMA crm"]
        {
            let reply = client.run(statement);
            let hint = reply.failed("0A000").hint().to_owned();
            assert!(hint.contains("email deterministic, domain \"email\""), "{hint}");
        }
        // What is not sealed does not take the name of what is.
        client.run("ALTER TABLE person_profile RENAME TO p").failed("0A000");

        let both = json!({ "tables": [
            table("public", "person"), table("public", "people"), table("crm", "people"),
            table("public", "guest"), table("crm", "member"),
        ] });
        reload(&mut site, &both);
        let mut client = site.connect();
        client.run("ALTER TABLE member RENAME TO guest").failed("0A000");
        client.run("ALTER TABLE public.member SET SCHEMA crm").failed("0A000");
        client.run("BEGIN");
        assert_eq!(client.run("ALTER TABLE person RENAME TO people").tags(), "ALTER TABLE");
        client.run("ROLLBACK");
        assert_eq!(client.run("SELECT count(*) FROM person_profile").value(), "1");
        let insert = |table: &str, user: &str| {
            format!(
                "INSERT INTO {table} (email, name) VALUES ('{user}@canary.example', 'Canaryson')"
            )
        };
        for (change, table) in [
            ("ALTER TABLE person RENAME TO people", "people"),
            ("ALTER TABLE IF EXISTS people SET SCHEMA crm", "crm.people"),
        ] {
            for extended in [true, false] {
                let change =
                    if extended { "ALTER TABLE IF EXISTS nowhere SET SCHEMA crm" } else { change };
                let reply = if extended { client.execute(change, &[]) } else { client.run(change) };
                assert_eq!(reply.tags(), "ALTER TABLE", "{change}");
            }
            client.run(&insert(table, &table.replace('.', "")));
            let copies = format!(
                "SELECT count(*) = (SELECT count(*) FROM {table}) FROM {table} p
                 JOIN {table}_profile c ON c.person_id = p.id AND c.encrypted_email = p.email"
            );
            assert_eq!(site.database.value(&copies).as_deref(), Some("t"), "{table}");
            assert_eq!(
                client
                    .run(&format!("SELECT name FROM {table} WHERE email = 'a@canary.example'"))
                    .value(),
                "Canaryson"
            );
        }
        assert_eq!(site.database.value("SELECT to_regclass('person_profile')"), None);
        assert_eq!(site.database.value("SELECT to_regclass('people_profile')"), None);
        // The old name can be had again.
        assert_eq!(
            client.run("CREATE TABLE person (id serial PRIMARY KEY, email text, name text)").tags(),
            "CREATE TABLE"
        );
        client.run(&insert("person", "z"));
        assert_eq!(client.run("SELECT count(*) FROM person_profile").value(), "1");
        assert_eq!(client.run("SELECT count(*) FROM mailing").value(), "3");
        client.run("ALTER VIEW mailing RENAME TO guest").failed("0A000");
        assert_eq!(client.run("ALTER VIEW mailing RENAME TO letters").tags(), "ALTER VIEW");
        assert_eq!(client.run("ALTER TABLE letters RENAME TO post").tags(), "ALTER TABLE");
        assert_eq!(client.run("SELECT id FROM post WHERE email = 'a@canary.example'").value(), "1");
    }
}

/// A second way to the same: the application's own profile table, whichever comes first.
#[test]
fn an_applications_profile_is_completed() {
    const USERS: &str = "CREATE TABLE member (id serial PRIMARY KEY, email varchar(254) NOT NULL)";
    const PROFILE: &str = "CREATE TABLE member_card (id serial PRIMARY KEY,
        member_id int NOT NULL UNIQUE, city text, encrypted_email varchar(500) NOT NULL DEFAULT '')";
    let config = json!({ "tables": [{
        "table": "member",
        "columns": [deterministic("email", "email")],
        "profile": { "owner": "application", "table": "member_card", "link": "member_id",
            "key": "id", "copies": { "email": "encrypted_email" } },
    }] });
    let late = PROFILE.replace(", encrypted_email varchar(500) NOT NULL DEFAULT ''", "");
    let add = "ALTER TABLE member_card ADD encrypted_email text NOT NULL DEFAULT ''";
    let in_step = "SELECT count(*) FROM member m JOIN member_card c ON c.member_id = m.id
        WHERE c.encrypted_email = m.email";
    for server in servers() {
        for order in
            [[USERS, PROFILE, ""], [PROFILE, USERS, ""], [USERS, &late, add], [&late, USERS, add]]
        {
            let site = Site::new(server, "application profile", "", &config).guarding(&CANARIES);
            let mut client = site.connect();
            for statement in order.iter().filter(|statement| !statement.is_empty()) {
                let reply = client.run(statement);
                assert!(reply.error().is_none(), "{statement}: {:?}", reply.error());
                if *statement == late {
                    client.run("INSERT INTO member_card (member_id, city) VALUES (7, 'Bern')");
                }
            }
            client.run("INSERT INTO member (email) VALUES ('a@canary.example')");
            client.run("INSERT INTO member_card (member_id, city) VALUES (1, 'Basel')");
            assert_eq!(site.database.value(in_step).as_deref(), Some("1"), "{order:?}");
            client.run("UPDATE member SET email = 'b@canary.example'");
            assert_eq!(site.database.value(in_step).as_deref(), Some("1"), "{order:?}");
            let expected = "pgveil_profile,pgveil_profile_truncate,zz_pgveil_copies";
            let triggers = "SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger
                WHERE NOT tgisinternal";
            assert_eq!(site.database.value(triggers).as_deref(), Some(expected));
            for refused in [
                "ALTER TABLE member_card ALTER encrypted_email SET NOT NULL",
                "ALTER TABLE member_card DROP encrypted_email",
                "ALTER TABLE member_card RENAME member_id TO m",
            ] {
                assert!(!client.run(refused).failed("0A000").hint().is_empty());
            }
            // Backwards, in either order, and again.
            for table in ["member_card", "member"] {
                client.run("BEGIN");
                assert_eq!(client.run(&format!("DROP TABLE {table}")).tags(), "DROP TABLE");
                let other = if table == "member" {
                    "INSERT INTO member_card (member_id) VALUES (99)"
                } else {
                    "INSERT INTO member (email) VALUES ('c@canary.example')"
                };
                assert_eq!(client.run(other).tags(), "INSERT 0 1");
                client.run("ROLLBACK");
            }
            client.run("DROP TABLE member");
            assert_eq!(client.run(USERS).tags(), "CREATE TABLE");
            client.run("INSERT INTO member (email) VALUES ('e@canary.example')");
            assert_eq!(site.database.value(in_step).as_deref(), Some("1"), "{order:?}");
        }
    }
}
