//! What uses a protected column: what follows, and what is refused by name.

use pgveil_seal::Mode;
use pgveil_sql::protection::Declaration;

use crate::declared::{column, migrate, only, planned, refused, table, token};
use crate::server::{connect_as, database, rows, run};

const TABLE: &str =
    "CREATE TABLE person (id int PRIMARY KEY, email varchar(254), name text, n int)";

fn person() -> Declaration {
    only(table("person", &[("email", Mode::Deterministic), ("name", Mode::Randomized)]))
}

#[tokio::test]
async fn views_follow_with_their_rights_and_comments() {
    let mut client = database("views").await;
    run(&client, TABLE).await;
    run(
        &client,
        "CREATE ROLE reader LOGIN; CREATE ROLE boss;
         CREATE VIEW plain AS SELECT id, n FROM person;
         CREATE VIEW people WITH (security_barrier = true) AS
           SELECT p.id, p.email AS mail, p.name IS NULL AS nameless FROM person p;
         CREATE VIEW top AS SELECT mail, count(*) AS n FROM (SELECT * FROM people) x GROUP BY mail;
         CREATE VIEW joined AS SELECT a.id, b.email FROM person a JOIN person b USING (email);
         CREATE VIEW pair (mail, given) AS WITH RECURSIVE c (mail, name) AS (
             SELECT email, name FROM person UNION ALL SELECT mail, name FROM c WHERE false)
           SELECT mail, name FROM c UNION ALL SELECT email, name FROM person WHERE id > 1;
         CREATE VIEW once AS SELECT mail FROM people UNION SELECT email FROM person
           EXCEPT SELECT email FROM person WHERE id < 0;
         CREATE MATERIALIZED VIEW kept AS SELECT id, email FROM person WITH NO DATA;
         COMMENT ON MATERIALIZED VIEW kept IS 'kept'; GRANT SELECT ON kept TO reader;
         CREATE MATERIALIZED VIEW filled WITH (fillfactor = 80) AS SELECT mail FROM people;
         CREATE VIEW over_it AS SELECT mail FROM filled;
         CREATE VIEW only_id AS SELECT id FROM people WHERE id > 0 WITH LOCAL CHECK OPTION;
         COMMENT ON VIEW people IS 'the \\ people''s'; COMMENT ON COLUMN people.mail IS 'address';
         GRANT SELECT ON people TO reader; GRANT SELECT (mail) ON top TO reader WITH GRANT OPTION;
         ALTER VIEW top OWNER TO boss; GRANT SELECT ON people TO boss",
    )
    .await;
    // As pg_dump sees them.
    let catalog = "SELECT c.relname, pg_get_viewdef(c.oid), c.reloptions, r.rolname,
                          array(SELECT x::text FROM unnest(c.relacl) x ORDER BY 1),
                          obj_description(c.oid, 'pg_class'), col_description(c.oid, 2),
                          relispopulated,
                          array(SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid)
                   FROM pg_class c JOIN pg_roles r ON r.oid = relowner
                   WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace ORDER BY 1";
    let before = rows(&client, catalog).await;
    let plain = rows(&client, "SELECT 'plain'::regclass::oid").await;
    migrate(&mut client, &person()).await;
    assert_eq!(rows(&client, catalog).await, before);
    assert_eq!(rows(&client, "SELECT 'plain'::regclass::oid").await, plain, "is left alone");
    let mail = token("email", "ada@example.org");
    run(&client, &format!("INSERT INTO person VALUES (1, '{mail}', NULL, 2)")).await;
    let reader = connect_as("views", "reader").await;
    assert_eq!(rows(&reader, "SELECT mail, nameless FROM people").await, format!("{mail}|t"));
    assert_eq!(rows(&reader, "SELECT mail FROM top").await, mail);
    run(&client, "REFRESH MATERIALIZED VIEW kept").await;
    assert_eq!(rows(&reader, "SELECT email FROM kept").await, mail);
    assert_eq!(rows(&client, "SELECT mail FROM pair").await, mail);
}

#[tokio::test]
async fn what_can_follow_follows() {
    let mut client = database("followers").await;
    run(&client, TABLE).await;
    run(
        &client,
        "CREATE TABLE other (email varchar(254) UNIQUE REFERENCES person (email))"
            .replace("CREATE", "ALTER TABLE person ADD UNIQUE (email); CREATE")
            .as_str(),
    )
    .await;
    run(
        &client,
        "CREATE INDEX like_idx ON person (email varchar_pattern_ops);
         CREATE INDEX part_idx ON person (n) INCLUDE (name) WHERE email IS NOT NULL;
         ALTER TABLE person ADD CHECK (email IS NOT NULL OR name IS NOT NULL);
         CREATE STATISTICS st ON email, n FROM person;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER up BEFORE UPDATE OF email ON person FOR EACH ROW
           WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION f();
         COMMENT ON TRIGGER up ON person IS 'kept'; ALTER TABLE person DISABLE TRIGGER up;
         GRANT SELECT (email) ON person TO PUBLIC; COMMENT ON COLUMN person.email IS 'kept'",
    )
    .await;
    let catalog = "SELECT pg_get_triggerdef(t.oid), tgenabled, obj_description(t.oid, 'pg_trigger')
                   FROM pg_trigger t WHERE tgname = 'up'
                   UNION ALL SELECT indexdef, 'i', NULL FROM pg_indexes WHERE tablename = 'person'
                   UNION ALL SELECT pg_get_constraintdef(oid), 'c', NULL FROM pg_constraint
                     WHERE conrelid IN ('person'::regclass, 'other'::regclass)
                       AND conname !~ 'guard'
                   UNION ALL SELECT attacl::text, 'a', col_description(attrelid, attnum)
                     FROM pg_attribute WHERE attrelid = 'person'::regclass AND attname = 'email'
                   UNION ALL SELECT pg_get_statisticsobjdef(oid), 's', NULL FROM pg_statistic_ext
                   ORDER BY 1, 2";
    // The server relabels `varchar`, and has nothing to relabel afterwards.
    let before = rows(&client, catalog).await.replace(
        "((old.email)::text IS DISTINCT FROM (new.email)::text)",
        "(old.email IS DISTINCT FROM new.email)",
    );
    let mut declaration = person();
    declaration.tables.push(table("other", &[]));
    declaration.tables[1].columns.push(column("email", Mode::Deterministic));
    migrate(&mut client, &declaration).await;
    assert_eq!(rows(&client, catalog).await, before);
    let mail = token("email", "a");
    run(
        &client,
        &format!(
            "INSERT INTO person VALUES (1, '{mail}', NULL, 1); INSERT INTO other VALUES ('{mail}')"
        ),
    )
    .await;
}

#[tokio::test]
async fn what_would_compute_on_tokens_is_refused_by_name() {
    let client = database("computing").await;
    for (setup, object, what) in [
        ("CREATE VIEW v AS SELECT upper(email) FROM person", "view v", "computes"),
        ("CREATE VIEW v AS SELECT id FROM person WHERE email LIKE '%x'", "view v", "computes"),
        ("CREATE VIEW v AS SELECT id FROM person WHERE email = 'x'", "view v", "computes"),
        ("CREATE VIEW v AS SELECT email FROM person ORDER BY email", "view v", "sorts"),
        ("CREATE VIEW v AS SELECT DISTINCT name FROM person", "view v", "randomized"),
        ("CREATE VIEW v AS SELECT count(DISTINCT name) FROM person", "view v", "randomized"),
        ("CREATE VIEW v AS SELECT p FROM person p", "view v", "whole row"),
        ("CREATE VIEW v AS SELECT email::varchar(9) FROM person", "view v", "computes"),
        (
            "CREATE VIEW v AS WITH c AS (SELECT email FROM person) SELECT upper(email) FROM c",
            "view v",
            "computes",
        ),
        ("CREATE VIEW v AS SELECT email FROM person UNION SELECT ''", "view v", "UNION"),
        ("CREATE VIEW v AS SELECT 'x'::text UNION ALL SELECT name FROM person", "view v", "UNION"),
        (
            "CREATE VIEW v AS SELECT email FROM person UNION ALL SELECT name FROM person",
            "view v",
            "UNION",
        ),
        (
            "CREATE VIEW v AS SELECT name FROM person INTERSECT SELECT name FROM person",
            "view v",
            "randomized",
        ),
        ("CREATE VIEW v AS SELECT 1 WHERE 'x' IN (SELECT email FROM person)", "view v", ""),
        (
            "CREATE VIEW w AS SELECT email AS e FROM person; CREATE VIEW v AS SELECT lower(e) FROM w",
            "view v",
            "computes",
        ),
        (
            "CREATE VIEW v AS SELECT lower(e) FROM (SELECT p.email FROM person p
             JOIN person q ON p.id = q.id) x(e)",
            "view v",
            "computes",
        ),
        (
            "CREATE VIEW w AS SELECT email FROM person; CREATE RULE r AS ON INSERT TO w DO INSTEAD NOTHING",
            "view w",
            "would be lost",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT upper(email) FROM person",
            "materialized view m",
            "computes",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT email FROM person; CREATE INDEX i ON m (email)",
            "materialized view m",
            "index",
        ),
        (
            "CREATE VIEW w AS SELECT email FROM person;
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER t INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE FUNCTION f()",
            "view w",
            "trigger",
        ),
        ("CREATE INDEX i ON person (lower(email))", "index i", "index expression"),
        ("CREATE INDEX i ON person (id) WHERE email > 'a'", "index i", "predicate"),
        ("CREATE UNIQUE INDEX i ON person (n, name)", "index i", "cannot be unique"),
        ("CREATE INDEX i ON person (name)", "index i", "gains nothing"),
        ("CREATE INDEX i ON person USING brin (email)", "index i", "brin"),
        ("ALTER TABLE person ADD CONSTRAINT c CHECK (email <> '')", "constraint c", "computes"),
        ("ALTER TABLE person ADD CONSTRAINT c CHECK (person IS NOT NULL)", "constraint c", ""),
        (
            "ALTER TABLE person ADD CONSTRAINT x EXCLUDE USING btree (email WITH =)",
            "constraint x",
            "excludes",
        ),
        (
            "ALTER TABLE person ADD UNIQUE (email); CREATE TABLE o (e text,
             CONSTRAINT fk FOREIGN KEY (e) REFERENCES person (email))",
            "constraint fk",
            "not sealed alike",
        ),
        ("CREATE STATISTICS st ON (lower(email)), n FROM person", "statistics object st", ""),
        ("CREATE POLICY p ON person USING (email = current_user)", "policy p", ""),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER t BEFORE UPDATE ON person FOR EACH ROW
             WHEN (NEW.email LIKE '%x') EXECUTE FUNCTION f()",
            "trigger t",
            "WHEN",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER t BEFORE UPDATE ON person FOR EACH ROW
             WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION f()",
            "trigger t",
            "differ at every write",
        ),
        (
            "CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT email FROM person; END",
            "function f",
            "",
        ),
        ("CREATE PUBLICATION p FOR TABLE person (id, email)", "publication of table person", ""),
        ("CREATE RULE r AS ON DELETE TO person DO INSTEAD NOTHING", "rule r", ""),
        ("CREATE TABLE holder (p person)", "column p of table holder", "row type"),
    ] {
        run(&client, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        run(&client, "DROP PUBLICATION IF EXISTS p").await;
        run(&client, TABLE).await;
        run(&client, setup).await;
        let findings = refused(&client, &person()).await;
        assert!(
            findings
                .iter()
                .any(|f| f.object.replace("public.", "").starts_with(object)
                    && f.what.contains(what)),
            "{setup}\nexpected {object}: {what}\nfound {}",
            findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        );
    }
}

#[tokio::test]
async fn functions_that_name_the_table_are_warned_about() {
    let client = database("functions_named").await;
    run(&client, TABLE).await;
    run(&client, "CREATE FUNCTION f() RETURNS varchar LANGUAGE sql AS 'SELECT email FROM Person'")
        .await;
    let plan = planned(&client, &person()).await;
    assert!(plan.warnings().iter().any(|w| w.object.contains("function")), "{plan}");
}
