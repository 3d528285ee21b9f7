//! The log of new tokens, and what a reader is told of it.

use std::collections::HashSet;

use pgveil_lifecycle::{Severity, check};
use pgveil_seal::Mode;
use pgveil_sql::protection::{Declaration, ProfileOwner};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::declared::{
    AUTH_USER, column, insert_user, keyrings, listed, migrate, only, people, planned, refused,
    table, token,
};
use crate::server::{cluster, connect, database, fails, rows, run};

/// `person(id, email, name)`, of which both are computed.
const PERSON: &str =
    "CREATE TABLE person (id int PRIMARY KEY, email varchar(254), name text COLLATE \"C\")";

fn person() -> Declaration {
    let mut person = table("person", &[("email", Mode::Deterministic), ("name", Mode::Randomized)]);
    for column in &mut person.columns {
        column.computed = true;
    }
    only(person)
}

fn email(name: &str) -> String {
    token("email", name)
}

const LOGGED: &str =
    "SELECT relation::regclass, number, token FROM pgveil.changes ORDER BY number, token";

/// What `LOGGED` shows of these addresses.
fn logged(names: &[&str]) -> String {
    let mut tokens: Vec<String> =
        names.iter().map(|name| format!("person|2|{}", email(name))).collect();
    tokens.sort();
    tokens.join(" ")
}

/// What a reader knows, and a connection that hears notices.
struct Reader {
    client: Client,
    notices: UnboundedReceiver<(String, String)>,
    known: Vec<String>,
    values: HashSet<String>,
}

impl Reader {
    async fn new(database: &str, user: &str) -> Self {
        let (client, mut connection) = tokio_postgres::Config::new()
            .host(cluster().host())
            .port(cluster().port())
            .dbname(database)
            .user(user)
            .connect(NoTls)
            .await
            .expect("a connection");
        let (send, notices) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) =
                std::future::poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message {
                    let detail = notice.detail().unwrap_or_default().to_owned();
                    let _ = send.send((notice.message().to_owned(), detail));
                }
            }
        });
        Self { client, notices, known: Vec::new(), values: HashSet::new() }
    }

    /// Reads all values of `person.email`, in one snapshot.
    async fn load(&mut self) {
        run(&self.client, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
        self.load_here().await;
        run(&self.client, "COMMIT").await;
    }

    async fn load_here(&mut self) {
        let row = self
            .client
            .query_one(
                "SELECT pg_current_snapshot()::text, pg_snapshot_xmax(pg_current_snapshot())::text,
                        (ARRAY(SELECT pg_snapshot_xip(pg_current_snapshot()))
                          || pg_current_xact_id_if_assigned())::text,
                        pgveil.fingerprint('person'::regclass)",
                &[],
            )
            .await
            .expect("a snapshot");
        self.known = (0..4).map(|cell| row.get(cell)).collect();
        self.known[2] = self.known[2].replace(",NULL", "").replace("NULL", "");
        let values = self.client.query("SELECT email FROM person WHERE email IS NOT NULL", &[]);
        self.values = values.await.expect("values").iter().map(|row| row.get(0)).collect();
    }

    fn learn_from(&mut self, other: &Self) {
        self.known.clone_from(&other.known);
        self.values.clone_from(&other.values);
    }

    /// The state that a statement's delta tells; its tokens join the values. What the same
    /// statement sees in the table is among them if the state is `complete`.
    async fn delta(&mut self) -> String {
        let seen = self
            .client
            .query(
                "SELECT email, false FROM person WHERE email IS NOT NULL
                 UNION ALL SELECT NULL, pgveil.delta('person'::regclass, 2::int2, $1)",
                &[&self.known],
            )
            .await
            .expect("a delta");
        let (message, detail) = self.notices.recv().await.expect("a notice");
        assert_eq!(message, "pgveil.delta");
        assert!(self.notices.try_recv().is_err(), "one notice a call");
        let fields: Vec<&str> = detail.split(';').collect();
        let [_, "2", state, tokens] = fields.as_slice() else { panic!("{detail}") };
        self.values.extend(tokens.split(',').filter(|t| !t.is_empty()).map(str::to_owned));
        if *state == "complete" {
            for value in seen.iter().filter_map(|row| row.get::<_, Option<String>>(0)) {
                assert!(self.values.contains(&value), "{value} is missing");
            }
        }
        (*state).to_owned()
    }
}

#[tokio::test]
async fn every_new_token_is_logged_once() {
    let mut client = database("changes").await;
    run(&client, PERSON).await;
    migrate(&mut client, &person()).await;
    assert!(planned(&client, &person()).await.steps().is_empty());
    let report = check(&client, &person(), &keyrings()).await.expect("a report");
    assert_eq!(report.worst(), Severity::Info, "{report}");
    assert!(report.to_string().contains("new tokens are logged"), "{report}");
    assert_eq!(
        rows(&client, "SELECT column_name, \"collation\" FROM pgveil.columns ORDER BY 1").await,
        "email|default name|pg_catalog.\"C\""
    );
    // A writer who may not see the log, and a row that changes nothing.
    run(&client, "CREATE ROLE changes_writer LOGIN; GRANT INSERT, UPDATE, SELECT ON person TO changes_writer")
        .await;
    let insert =
        |id: i32, name: &str| format!("INSERT INTO person VALUES ({id}, '{}')", email(name));
    run(&client, &format!("SET ROLE changes_writer; {}; RESET ROLE", insert(1, "ada"))).await;
    run(&client, "INSERT INTO person VALUES (2, NULL)").await;
    run(&client, "UPDATE person SET id = id, email = email").await;
    assert_eq!(rows(&client, LOGGED).await, logged(&["ada"]));
    run(&client, &format!("UPDATE person SET email = '{}' WHERE id = 2", email("bob"))).await;
    run(&client, "UPDATE person SET email = NULL WHERE id = 2").await;
    // What is rolled back is not there, and replication is.
    run(&client, &format!("BEGIN; {}; ROLLBACK", insert(3, "carl"))).await;
    run(
        &client,
        &format!(
            "BEGIN; SAVEPOINT s; {}; ROLLBACK TO s; {}; COMMIT",
            insert(3, "carl"),
            insert(3, "dan")
        ),
    )
    .await;
    run(
        &client,
        &format!(
            "SET session_replication_role = replica; {}; RESET session_replication_role",
            insert(4, "eve")
        ),
    )
    .await;
    run(&client, &format!("COPY person (id, email) FROM PROGRAM 'echo 5,{}' CSV", email("fay")))
        .await;
    assert_eq!(rows(&client, LOGGED).await, logged(&["ada", "bob", "dan", "eve", "fay"]));
    // A BEFORE trigger that changes the column in an UPDATE of another one.
    run(
        &client,
        &format!(
            "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN NEW.email := '{}'; RETURN NEW; END $$;
             CREATE TRIGGER late BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION late()",
            email("gus")
        ),
    )
    .await;
    run(&client, "UPDATE person SET id = 9 WHERE id = 1").await;
    assert_eq!(rows(&client, LOGGED).await, logged(&["ada", "bob", "dan", "eve", "fay", "gus"]));
    assert_eq!(
        fails(
            &client,
            "SET ROLE changes_writer; INSERT INTO pgveil.changes VALUES (1, 1, '1', 'x')"
        )
        .await,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
}

/// The log has what one may read in the table, and nothing where row security decides.
#[tokio::test]
async fn who_reads_the_log() {
    let mut client = database("changes_readers").await;
    run(&client, PERSON).await;
    migrate(&mut client, &person()).await;
    run(
        &client,
        &format!(
            "INSERT INTO person VALUES (1, '{}', '{}');
             CREATE ROLE log_none LOGIN; CREATE ROLE log_id LOGIN; CREATE ROLE log_email LOGIN;
             GRANT SELECT (id) ON person TO log_id; GRANT SELECT (email) ON person TO log_email",
            email("ada"),
            token("x", "Ada")
        ),
    )
    .await;
    let count = "SELECT count(*) FROM pgveil.changes";
    for (role, expected) in [("log_none", "0"), ("log_id", "0"), ("log_email", "1")] {
        let reader = crate::server::connect_as("changes_readers", role).await;
        assert_eq!(rows(&reader, count).await, expected, "{role}");
    }
    let mut reader = Reader::new("changes_readers", "log_id").await;
    let delta =
        "SELECT pgveil.delta('public.person'::regclass, 2::int2, ARRAY['1:1:', '1', '{}', ''])";
    assert_eq!(fails(&reader.client, delta).await, SqlState::FEATURE_NOT_SUPPORTED);
    reader = Reader::new("changes_readers", "log_email").await;
    run(
        &reader.client,
        "SET row_security = off; SET client_min_messages = error; SET search_path = ''",
    )
    .await;
    run(&reader.client, delta).await;
    assert!(reader.notices.recv().await.expect("a notice").1.ends_with(";2;changed;"));
    run(&client, "ALTER TABLE person ENABLE ROW LEVEL SECURITY").await;
    assert_eq!(fails(&reader.client, delta).await, SqlState::FEATURE_NOT_SUPPORTED);
    let reader = crate::server::connect_as("changes_readers", "log_email").await;
    assert_eq!(rows(&reader, count).await, "0");
    // Its owner sees all, and what was dropped is nobody's.
    run(&client, "ALTER TABLE person DISABLE ROW LEVEL SECURITY").await;
    assert_eq!(rows(&reader, count).await, "1");
    run(&client, "DROP TABLE person").await;
    assert_eq!(rows(&reader, count).await, "0");
}

#[tokio::test]
async fn a_delta_is_of_its_statements_snapshot() {
    let mut client = database("changes_delta").await;
    run(&client, PERSON).await;
    migrate(&mut client, &person()).await;
    let insert =
        |id: i32, name: &str| format!("INSERT INTO person VALUES ({id}, '{}')", email(name));
    run(&client, &insert(1, "ada")).await;
    let user = cluster().superuser();
    let mut reader = Reader::new("changes_delta", user).await;

    // Under way when the reader loads, with a savepoint rolled back, and over afterwards.
    let early = connect("changes_delta").await;
    run(
        &early,
        &format!("BEGIN; SAVEPOINT s; {}; ROLLBACK TO s; {}", insert(2, "bob"), insert(2, "carl")),
    )
    .await;
    let later = connect("changes_delta").await;
    run(&later, "BEGIN; SELECT pg_current_xact_id()").await;
    reader.load().await;
    assert_eq!(reader.delta().await, "complete");
    assert_eq!(reader.values.len(), 1);
    run(&early, "COMMIT").await;
    assert_eq!(reader.delta().await, "complete");
    assert_eq!(reader.values, HashSet::from([email("ada"), email("carl")]));
    run(&later, &format!("{}; COMMIT", insert(3, "dan"))).await;
    run(&client, &insert(4, "eve")).await;
    assert_eq!(reader.delta().await, "complete");
    assert_eq!(reader.values.len(), 4);

    // Own writes, some of them taken back.
    run(&reader.client, "BEGIN").await;
    run(&reader.client, &insert(5, "fay")).await;
    run(&reader.client, &format!("SAVEPOINT s; {}; ROLLBACK TO s", insert(6, "gus"))).await;
    assert_eq!(reader.delta().await, "complete");
    assert!(reader.values.contains(&email("fay")) && !reader.values.contains(&email("gus")));
    // Loaded by a transaction that goes on to write.
    reader.load_here().await;
    run(&reader.client, &insert(7, "hal")).await;
    assert_eq!(reader.delta().await, "complete");
    assert!(reader.values.contains(&email("hal")));
    run(&reader.client, "COMMIT").await;

    // REPEATABLE READ: what came since is neither seen nor told.
    run(&reader.client, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    run(&client, &insert(8, "ian")).await;
    assert_eq!(reader.delta().await, "complete");
    assert!(!reader.values.contains(&email("ian")));
    run(&reader.client, "COMMIT").await;
    assert_eq!(reader.delta().await, "complete");
    assert!(reader.values.contains(&email("ian")));
}

/// In READ COMMITTED a function that is not STABLE would read what was committed while its statement
/// ran, in a snapshot newer than the statement's: here it waits before the delta.
#[tokio::test]
async fn a_delta_reads_nothing_newer_than_its_statement() {
    let mut client = database("changes_stable").await;
    run(&client, PERSON).await;
    migrate(&mut client, &person()).await;
    let mut reader = Reader::new("changes_stable", cluster().superuser()).await;
    reader.load().await;
    let holder = connect("changes_stable").await;
    run(&holder, "SELECT pg_advisory_lock(7)").await;
    let statement = format!(
        "SELECT pgveil.delta('person'::regclass, 2::int2, ARRAY['{}'])
         FROM (SELECT pg_advisory_lock(7) OFFSET 0) waits",
        reader.known.join("', '")
    );
    let waiting = reader.client.batch_execute(&statement);
    let during = async {
        while rows(
            &client,
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        )
        .await
            != "1"
        {}
        run(&client, &format!("INSERT INTO person VALUES (1, '{}')", email("ada"))).await;
        run(&holder, "SELECT pg_advisory_unlock(7)").await;
    };
    let (done, ()) = tokio::join!(waiting, during);
    done.expect("the statement");
    let detail = reader.notices.recv().await.expect("a notice").1;
    assert!(detail.ends_with(";2;complete;"), "{detail}");
    assert_eq!(reader.delta().await, "complete");
    assert!(reader.values.contains(&email("ada")));
}

/// A snapshot that is older than what the reader knows may see values that were gone by then.
#[tokio::test]
async fn an_older_snapshot_says_so() {
    let mut client = database("changes_older").await;
    run(&client, PERSON).await;
    migrate(&mut client, &person()).await;
    run(&client, &format!("INSERT INTO person VALUES (1, '{}')", email("ada"))).await;
    let mut old = Reader::new("changes_older", cluster().superuser()).await;
    run(&old.client, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    run(&client, "DELETE FROM person").await;
    let mut reader = Reader::new("changes_older", cluster().superuser()).await;
    reader.load().await;
    assert!(reader.values.is_empty());
    old.learn_from(&reader);
    assert_eq!(old.delta().await, "older");
    run(&old.client, "COMMIT").await;
    assert_eq!(old.delta().await, "complete");

    // The same end, and a transaction under way that was over when the values were read.
    let under_way = connect("changes_older").await;
    run(&under_way, &format!("BEGIN; INSERT INTO person VALUES (2, '{}')", email("bob"))).await;
    let last = connect("changes_older").await;
    run(&last, "BEGIN; SELECT pg_current_xact_id(); COMMIT").await;
    run(&old.client, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    run(&under_way, "COMMIT").await;
    reader.load().await;
    old.learn_from(&reader);
    assert_eq!(old.delta().await, "older");
    run(&old.client, "COMMIT").await;
    assert_eq!(old.delta().await, "complete");
}

#[tokio::test]
async fn rows_that_come_past_the_log_change_the_fingerprint() {
    let mut client = database("changes_past").await;
    run(
        &client,
        "CREATE TABLE person (id int, email varchar(254), name text COLLATE \"C\") PARTITION BY LIST (id);
         CREATE TABLE person_1 (note text, name text COLLATE \"C\", email varchar(254), id int);
         ALTER TABLE person_1 DROP COLUMN note;
         ALTER TABLE person ATTACH PARTITION person_1 FOR VALUES IN (1)",
    )
    .await;
    migrate(&mut client, &person()).await;
    run(&client, &format!("INSERT INTO person VALUES (1, '{}')", email("ada"))).await;
    // Under the root, and its number.
    assert_eq!(rows(&client, LOGGED).await, logged(&["ada"]));
    let mut reader = Reader::new("changes_past", cluster().superuser()).await;
    reader.load().await;
    assert_eq!(reader.delta().await, "complete");
    for past in [
        "ALTER TABLE person_1 DISABLE TRIGGER pgveil_changes",
        "ALTER TABLE person_1 ENABLE ALWAYS TRIGGER pgveil_changes",
        "CREATE TABLE person_2 PARTITION OF person FOR VALUES IN (2)",
        "ALTER TABLE person DETACH PARTITION person_2",
        "ALTER TABLE person ALTER COLUMN email TYPE text COLLATE \"C\" USING email || ''",
        "DROP TRIGGER pgveil_changes ON person",
    ] {
        run(&client, past).await;
        assert_eq!(reader.delta().await, "changed", "{past}");
        reader.load().await;
        assert_eq!(reader.delta().await, "complete", "{past}");
    }
    // What only takes away changes nothing.
    run(&client, "TRUNCATE person").await;
    run(&client, "VACUUM ANALYZE person").await;
    assert_eq!(reader.delta().await, "complete");

    // Rows of a partition that is attached are seen by a snapshot from before.
    run(&client, &format!("INSERT INTO person_2 VALUES (2, '{}')", email("bob"))).await;
    reader.load().await;
    run(&reader.client, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    run(&client, "ALTER TABLE person ATTACH PARTITION person_2 FOR VALUES IN (2)").await;
    assert_eq!(reader.delta().await, "changed");
    run(&reader.client, "COMMIT").await;
}

#[tokio::test]
async fn what_is_missing_is_found_and_made_again() {
    let mut client = database("changes_repair").await;
    run(&client, PERSON).await;
    migrate(&mut client, &person()).await;
    run(&client, "CREATE ROLE changes_reader").await;
    for (damage, found) in [
        ("ALTER TABLE person DISABLE TRIGGER pgveil_changes", "pgveil_changes on public.person is disabled"),
        ("ALTER TABLE person ENABLE TRIGGER pgveil_changes", "ENABLE ALWAYS"),
        ("DROP TRIGGER pgveil_changes ON person", "is missing"),
        (
            "DROP TRIGGER pgveil_changes ON person; CREATE TRIGGER pgveil_changes AFTER INSERT OR UPDATE
             ON person FOR EACH ROW EXECUTE FUNCTION pgveil.\"pgveil_changes:public.person\"('2', '1');
             ALTER TABLE person ENABLE ALWAYS TRIGGER pgveil_changes",
            "has other arguments",
        ),
        (
            "CREATE OR REPLACE FUNCTION pgveil.\"pgveil_changes:public.person\"() RETURNS trigger
             LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
             SET row_security = off AS 'BEGIN RETURN NULL; END'",
            "differs from the declaration",
        ),
        ("ALTER TABLE pgveil.changes DISABLE ROW LEVEL SECURITY", "other privileges or row security"),
        ("CREATE POLICY more ON pgveil.changes USING (true)", "other privileges or row security"),
        ("GRANT INSERT ON pgveil.changes TO PUBLIC", "other privileges or row security"),
        ("ALTER FUNCTION pgveil.delta RESET search_path", "cannot be read"),
        ("DROP FUNCTION pgveil.fingerprint", "cannot be read"),
        ("DROP TABLE pgveil.changes", "is missing: nothing is computed"),
    ] {
        run(&client, damage).await;
        let report = check(&client, &person(), &keyrings()).await.expect("a report");
        assert_eq!(report.worst(), Severity::Error, "{damage}");
        assert!(listed(&report.findings).contains(found), "{damage}\n{report}");
        if damage.starts_with("CREATE POLICY") {
            run(&client, "DROP POLICY more ON pgveil.changes").await;
        } else {
            migrate(&mut client, &person()).await;
        }
        let report = check(&client, &person(), &keyrings()).await.expect("a report");
        assert_eq!(report.worst(), Severity::Info, "{damage}\n{report}");
    }
    // No longer computed, one of the two, and then both.
    let mut fewer = person();
    fewer.tables[0].columns[1].computed = false;
    migrate(&mut client, &fewer).await;
    assert_eq!(rows(&client, TRIGGERS).await, "pgveil_changes|2\\000");
    fewer.tables[0].columns[0].computed = false;
    migrate(&mut client, &fewer).await;
    assert_eq!(rows(&client, TRIGGERS).await, "");
    assert!(planned(&client, &fewer).await.steps().is_empty());
    run(&client, &format!("INSERT INTO person VALUES (1, '{}')", email("ada"))).await;
}

const TRIGGERS: &str =
    "SELECT tgname, encode(tgargs, 'escape') FROM pg_trigger WHERE NOT tgisinternal";

/// Sealed by an earlier version, and declared computed now.
#[tokio::test]
async fn a_collation_that_is_not_recorded_is_not_guessed() {
    let mut client = database("changes_collation").await;
    run(&client, PERSON).await;
    let mut declaration = person();
    for column in &mut declaration.tables[0].columns {
        column.computed = false;
    }
    migrate(&mut client, &declaration).await;
    assert_eq!(rows(&client, "SELECT to_regclass('pgveil.changes')").await, "-");
    run(&client, "ALTER TABLE pgveil.columns DROP COLUMN \"collation\"").await;
    migrate(&mut client, &declaration).await;
    let findings = refused(&client, &person()).await;
    assert!(listed(&findings).contains("which collation it had is not recorded"));
    run(&client, "UPDATE pgveil.columns SET \"collation\" = 'default'").await;
    migrate(&mut client, &person()).await;
}

/// With rows, and a profile beside it; a column that comes later.
#[tokio::test]
async fn beside_a_profile_and_before_the_last_column() {
    let mut client = database("changes_profile").await;
    run(&client, AUTH_USER).await;
    let mut declaration = people(ProfileOwner::Pgveil, &["email"]);
    declaration.tables[0].columns[1].computed = true;
    let mut later = column("nickname", Mode::Randomized);
    later.computed = true;
    declaration.tables[0].columns.push(later);
    migrate(&mut client, &declaration).await;
    assert!(planned(&client, &declaration).await.steps().is_empty());
    assert_eq!(
        rows(&client, &format!("{TRIGGERS} AND tgname = 'pgveil_changes'")).await,
        "pgveil_changes|8\\000\\000"
    );
    run(&client, &insert_user(1, "ada")).await;
    assert_eq!(rows(&client, "SELECT number FROM pgveil.changes").await, "8");
}
