//! Sealing empty tables, again and again, and what stands in the way.

use std::collections::HashMap;

use pgveil_lifecycle::{LifecycleError, Severity, apply, check, plan};
use pgveil_seal::Mode;
use pgveil_sql::protection::{Declaration, ProfileOwner};
use tokio_postgres::error::SqlState;

use crate::declared::{
    AUTH_USER, column, insert_user, keyrings, listed, migrate, only, people, planned, refused,
    table, token,
};
use crate::server::{connect, connect_as, database, fails, rows, run};

#[tokio::test]
async fn djangos_user_table() {
    let mut client = database("django").await;
    run(&client, AUTH_USER).await;
    let declaration = people(ProfileOwner::Pgveil, &["email", "first_name"]);
    let plan = planned(&client, &declaration).await;
    let printed = plan.to_string();
    for part in ["ACCESS EXCLUSIVE lock", "COLLATE \"C\"", "pgveil_guard_email", "web_profile"] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
    assert_eq!(plan.warnings(), []);
    migrate(&mut client, &declaration).await;

    assert_eq!(
        rows(
            &client,
            "SELECT attname, format_type(atttypid, atttypmod), collname FROM pg_attribute
             JOIN pg_collation l ON l.oid = attcollation
             WHERE attrelid = 'auth_user'::regclass AND attnum > 0 AND attname <> 'password'
             ORDER BY attnum"
        )
        .await,
        "username|text|C first_name|text|C last_name|character varying(150)|default email|text|C"
    );
    assert_eq!(
        rows(
            &client,
            "SELECT relation::text, column_name, policy, mode, domain, keyring, type_oid, typmod,
                    stage FROM pgveil.columns ORDER BY column_name"
        )
        .await,
        "auth_user|email|test|deterministic|email|main|1043|258|sealed \
         auth_user|first_name|test|randomized||main|1043|154|sealed \
         auth_user|username|test|deterministic|username|main|1043|154|sealed"
    );
    // Unique and pattern index are as Django knows them.
    assert_eq!(
        rows(&client, "SELECT indexname FROM pg_indexes WHERE tablename = 'auth_user' ORDER BY 1")
            .await,
        "auth_user_pkey auth_user_username_6821ab7c_like auth_user_username_key"
    );
    run(&client, &insert_user(1, "ada")).await;
    assert_eq!(fails(&client, &insert_user(2, "ada")).await, SqlState::UNIQUE_VIOLATION);

    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
    // Idempotent, with rows.
    assert_eq!(planned(&client, &declaration).await.steps(), []);
    assert_eq!(migrate(&mut client, &declaration).await, 0);
}

#[tokio::test]
async fn everything_in_the_way_is_named_at_once() {
    let client = database("refusals").await;
    // A server built without ICU has no collation under which different values are equal.
    let icu = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', \
               deterministic = false)";
    let icu = client.batch_execute(icu).await.is_ok();
    if !icu {
        run(&client, "CREATE COLLATION loose FROM \"C\"").await;
    }
    run(
        &client,
        "CREATE TABLE odd (id int, n int, j jsonb, loose text COLLATE loose, low text,
            made text GENERATED ALWAYS AS (low || 'x') STORED, who text DEFAULT current_user,
            good text);
         CREATE TABLE part (id int, region text, email text) PARTITION BY LIST (region);
         CREATE TABLE full_of_rows (email text); INSERT INTO full_of_rows VALUES ('x');
         CREATE VIEW not_a_table AS SELECT 1 AS email;
         CREATE TEMPORARY TABLE gone (email text)",
    )
    .await;
    let d = Mode::Deterministic;
    let mut strange = table("odd", &[("good", d)]);
    strange.columns[0].keyring = "unknown".to_owned();
    let declaration = Declaration {
        tables: vec![
            table("odd", &[("n", d), ("j", d), ("loose", d), ("low", d), ("made", d), ("who", d)]),
            table("part", &[("region", d), ("email", d)]),
            table("full_of_rows", &[("email", d)]),
            table("not_a_table", &[("email", d)]),
            strange,
        ],
        safe_functions: Vec::new(),
    };
    let findings = refused(&client, &declaration).await;
    let all = listed(&findings);
    for (object, what) in [
        ("public.odd.n", "type integer"),
        ("public.odd.j", "type jsonb"),
        ("public.odd.loose", "collation"),
        ("column made of table", "generated column"),
        ("public.odd.made", "generated"),
        ("public.odd.who", "default that is computed"),
        ("public.odd", "declared twice"),
        ("public.part.region", "partition key"),
        ("public.full_of_rows", "no key"),
        ("public.not_a_table", "not a table"),
        ("public.odd.good", "keyring unknown"),
    ] {
        assert!(
            (what == "collation" && !icu)
                || findings
                    .iter()
                    .any(|f| f.object.starts_with(object) && f.to_string().contains(what)),
            "{object}: {what} in\n{all}"
        );
    }
    assert_eq!(
        rows(&client, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgveil'").await,
        "0"
    );
}

#[tokio::test]
async fn sql_ascii_is_refused() {
    let client = database("ascii_admin").await;
    run(
        &client,
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    .await;
    let client = connect("ascii").await;
    run(&client, "CREATE TABLE t (email text)").await;
    let findings = refused(&client, &only(table("t", &[("email", Mode::Deterministic)]))).await;
    assert!(findings[0].what.contains("SQL_ASCII"), "{findings:?}");
}

#[tokio::test]
async fn rows_that_arrive_after_the_plan_stop_it() {
    let mut client = database("late_rows").await;
    run(&client, "CREATE TABLE t (email varchar(50))").await;
    let declaration = only(table("t", &[("email", Mode::Deterministic)]));
    let plan = planned(&client, &declaration).await;
    run(&client, "INSERT INTO t VALUES ('plain')").await;
    let error = apply(&mut client, &plan).await.unwrap_err();
    assert!(matches!(&error, LifecycleError::Changed(what) if what.contains("rows")), "{error}");
    assert_eq!(rows(&client, "SELECT email FROM t").await, "plain");

    // Another index does, too.
    run(&client, "DELETE FROM t").await;
    let plan = planned(&client, &declaration).await;
    run(&client, "CREATE INDEX ON t (lower(email))").await;
    assert!(matches!(apply(&mut client, &plan).await, Err(LifecycleError::Changed(_))));
}

#[tokio::test]
async fn a_lock_that_is_not_granted_ends_it() {
    let mut client = database("locked").await;
    run(&client, "CREATE TABLE t (email text)").await;
    let plan = planned(&client, &only(table("t", &[("email", Mode::Deterministic)]))).await;
    let other = connect("locked").await;
    run(&other, "BEGIN; LOCK TABLE t IN ACCESS SHARE MODE").await;
    let error = apply(&mut client, &plan).await.unwrap_err();
    assert!(error.to_string().contains("55P03"), "{error}");
}

#[tokio::test]
async fn constant_defaults_are_sealed() {
    let mut client = database("defaults").await;
    run(
        &client,
        "CREATE TABLE t (id int, email varchar(50) NOT NULL DEFAULT '', nick char(8) DEFAULT 'it''s',
                         note text DEFAULT NULL)",
    )
    .await;
    let d = Mode::Deterministic;
    migrate(&mut client, &only(table("t", &[("email", d), ("nick", d), ("note", d)]))).await;
    run(&client, "INSERT INTO t (id) VALUES (1)").await;
    assert_eq!(
        rows(&client, "SELECT email, nick, note FROM t").await,
        format!("{}|{}|-", token("email", ""), token("nick", "it's"))
    );
}

#[tokio::test]
async fn one_domain_has_one_key() {
    let mut client = database("pins").await;
    run(&client, "CREATE TABLE a (email text); CREATE TABLE b (email text)").await;
    let a = table("a", &[("email", Mode::Deterministic)]);
    let b = table("b", &[("email", Mode::Deterministic)]);
    migrate(&mut client, &only(a.clone())).await;
    // A new key in front changes nothing for columns that join the domain.
    let newer = pgveil_seal::keygen();
    let rotated = pgveil_seal::Keyring::parse(&format!("{},{}", *newer, crate::declared::KEY));
    let rotated = HashMap::from([("main".to_owned(), rotated.unwrap().into())]);
    let both = Declaration { tables: vec![a, b], safe_functions: Vec::new() };
    let made = plan(&client, &both, &rotated).await.unwrap();
    apply(&mut client, &made).await.unwrap();
    assert_eq!(
        rows(&client, "SELECT count(*), count(DISTINCT key_id) FROM pgveil.columns").await,
        "2|1"
    );
    // Without the old key there is nothing to be done.
    let lost = pgveil_seal::Keyring::parse(&newer).unwrap();
    let lost = HashMap::from([("main".to_owned(), lost.into())]);
    let error = plan(&client, &both, &lost).await.err().unwrap();
    assert!(error.to_string().contains("does not have"), "{error}");
    let report = check(&client, &both, &lost).await.unwrap();
    assert_eq!(report.worst(), Severity::Error);
}

#[tokio::test]
async fn check_finds_what_was_changed_directly() {
    let mut client = database("check").await;
    run(&client, AUTH_USER).await;
    let declaration = people(ProfileOwner::Pgveil, &["email"]);
    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert!(report.to_string().contains("still plain (character varying(254))"), "{report}");
    migrate(&mut client, &declaration).await;
    run(&client, &insert_user(1, "ada")).await;
    for (sql, found) in [
        ("ALTER TABLE auth_user DROP CONSTRAINT pgveil_guard_email", "has no guard"),
        ("ALTER TABLE auth_user DISABLE TRIGGER pgveil_profile", "is disabled"),
        ("ALTER TABLE auth_user ENABLE TRIGGER pgveil_profile", "ENABLE ALWAYS"),
        ("DROP TRIGGER pgveil_profile ON auth_user", "pgveil_profile on public.auth_user is missing"),
        (
            "CREATE OR REPLACE FUNCTION pgveil.\"pgveil_profile:public.auth_user\"() RETURNS trigger
             LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "differs from the declaration",
        ),
        ("UPDATE web_profile SET encrypted_email = NULL", "1 rows do not have the copies"),
        ("INSERT INTO web_profile VALUES (7)", "1 rows do not have the copies"),
        ("CREATE INDEX ON auth_user (lower(email))", "would be computed from tokens"),
        ("ALTER TABLE auth_user ALTER first_name SET DEFAULT ''", "default that is not a token"),
        ("UPDATE pgveil.columns SET key_check = 'x'", "check values differ"),
        (
            "CREATE OR REPLACE FUNCTION pgveil.refuse() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
            "is not the function",
        ),
        ("ALTER DOMAIN pgveil.token DROP CONSTRAINT token", "guards refuse nothing"),
        ("ALTER DOMAIN pgveil.token ADD CONSTRAINT twice CHECK (true)", "guards refuse nothing"),
    ] {
        run(&client, &format!("BEGIN; {sql}; COMMIT")).await;
        let report = check(&client, &declaration, &keyrings()).await.unwrap();
        assert!(report.to_string().contains(found), "{sql}\n{report}");
        let untouched = "CREATE OR REPLACE";
        if sql.contains("ENABLE") || sql.contains("GUARD") || sql.contains("DOMAIN") || sql.starts_with(untouched) {
            // These migrate repairs.
            migrate(&mut client, &declaration).await;
        }
        match sql {
            s if s.contains("lower(email)") => run(&client, "DROP INDEX auth_user_lower_idx").await,
            s if s.contains("SET DEFAULT") => {
                run(&client, "ALTER TABLE auth_user ALTER first_name DROP DEFAULT").await;
            }
            s if s.contains("key_check") => {
                let check = keyrings()["main"].primary().check_value();
                run(&client, &format!("UPDATE pgveil.columns SET key_check = '{check}'")).await;
            }
            s if s.contains("encrypted_email") => {
                let token = token("email", "ada@example.org");
                run(&client, &format!("UPDATE web_profile SET encrypted_email = '{token}'")).await;
            }
            s if s.contains("VALUES (7)") => {
                run(&client, "DELETE FROM web_profile WHERE user_id = 7").await;
            }
            _ => {
                migrate(&mut client, &declaration).await;
            }
        }
        let report = check(&client, &declaration, &keyrings()).await.unwrap();
        assert_eq!(report.worst(), Severity::Info, "after {sql}\n{report}");
    }
    // A column that nobody declares any more.
    let mut fewer = declaration.clone();
    fewer.tables[0].columns.remove(2);
    let report = check(&client, &fewer, &keyrings()).await.unwrap();
    assert!(report.to_string().contains("no policy declares it"), "{report}");
}

#[tokio::test]
async fn an_owner_without_superuser_migrates_and_is_told_about_the_log() {
    let admin = database("owner").await;
    run(&admin, "CREATE ROLE shop LOGIN; ALTER DATABASE owner OWNER TO shop").await;
    run(&admin, "ALTER SCHEMA public OWNER TO shop").await;
    let mut client = connect_as("owner", "shop").await;
    run(&client, AUTH_USER).await;
    let declaration = people(ProfileOwner::Pgveil, &["email"]);
    let plan = planned(&client, &declaration).await;
    assert!(plan.to_string().contains("may appear in the server's log"), "{plan}");
    apply(&mut client, &plan).await.unwrap();
    run(&client, &insert_user(1, "ada")).await;
    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert_eq!(report.worst(), Severity::Warning, "{report}");
    assert_eq!(planned(&client, &declaration).await.steps(), []);

    // A superuser makes it silent, and the owner's plan leaves it so.
    let mut admin = connect("owner").await;
    migrate(&mut admin, &declaration).await;
    let report = check(&admin, &declaration, &keyrings()).await.unwrap();
    assert!(report.to_string().contains("keeps refused values out"), "{report}");

    // Somebody else's table is not touched.
    run(&admin, "CREATE ROLE stranger LOGIN; CREATE TABLE theirs (email text)").await;
    let stranger = connect_as("owner", "stranger").await;
    run(&admin, "GRANT ALL ON theirs TO stranger").await;
    let findings = refused(&stranger, &only(table("theirs", &[("email", Mode::Randomized)]))).await;
    assert!(findings.iter().any(|f| f.what.contains("belongs to role")), "{findings:?}");
}

#[tokio::test]
async fn records_of_dropped_tables_go() {
    let mut client = database("dropped").await;
    run(&client, "CREATE TABLE t (email text)").await;
    let declaration = only(table("t", &[("email", Mode::Deterministic)]));
    migrate(&mut client, &declaration).await;
    run(&client, "DROP TABLE t; CREATE TABLE t (email varchar(9))").await;
    migrate(&mut client, &declaration).await;
    assert_eq!(rows(&client, "SELECT relation::text, typmod FROM pgveil.columns").await, "t|13");
}

#[tokio::test]
async fn a_changed_mode_is_refused() {
    let mut client = database("mode").await;
    run(&client, "CREATE TABLE t (email text)").await;
    migrate(&mut client, &only(table("t", &[("email", Mode::Deterministic)]))).await;
    let mut other = table("t", &[]);
    other.columns.push(column("email", Mode::Randomized));
    let findings = refused(&client, &only(other)).await;
    assert!(findings.iter().any(|f| f.what.contains("is sealed with mode")), "{findings:?}");
}

/// What is declared and not there yet is sealed by the statement that makes it; what that calls
/// is made now, once.
#[tokio::test]
async fn tables_that_do_not_exist_yet() {
    let mut client = database("absent").await;
    let declaration = people(ProfileOwner::Pgveil, &["email"]);
    let plan = planned(&client, &declaration).await;
    assert!(listed(plan.warnings()).contains("does not exist yet"), "{plan}");
    migrate(&mut client, &declaration).await;
    assert_eq!(
        rows(
            &client,
            "SELECT proname, proacl FROM pg_proc WHERE pronamespace = 'pgveil'::regnamespace
                AND prorettype = 'trigger'::regtype ORDER BY 1"
        )
        .await,
        "pgveil_profile:public.auth_user|{postgres=X/postgres} \
         pgveil_profile_truncate:public.auth_user|{postgres=X/postgres}"
    );
    assert_eq!(planned(&client, &declaration).await.steps(), []);
    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert_eq!(report.worst(), Severity::Warning, "{report}");
    // Made past pgveil, it is sealed as ever.
    run(&client, AUTH_USER).await;
    migrate(&mut client, &declaration).await;
    assert_eq!(planned(&client, &declaration).await.steps(), []);
    run(&client, &insert_user(1, "ada")).await;
    assert_eq!(rows(&client, "SELECT count(*) FROM web_profile").await, "1");
}
