//! Tables that have rows.

use std::path::Path;

use pgveil_lifecycle::{
    LifecycleError, Phase, Severity, apply, apply_reporting, check, plan as make_plan,
};
use pgveil_seal::{Mode, Opener};
use pgveil_sql::protection::{Declaration, ProfileOwner};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::declared::{
    AUTH_USER, keyrings, listed, migrate, only, people, planned, refused, table, token,
};
use crate::server::{cluster, connect, connect_as, database, fails, rows, run};

const D: Mode = Mode::Deterministic;
const R: Mode = Mode::Randomized;

/// The rows of a query with every token opened: NULL is [`None`].
async fn opened(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let opener = Opener::new(&keyrings()["main"]);
    let messages = client.simple_query(sql).await.expect(sql);
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| {
        (0..row.len())
            .map(|i| {
                let value = row.get(i)?;
                let mut plain = Vec::new();
                Some(match opener.open_into(value.as_bytes(), &mut plain) {
                    Ok(_) => String::from_utf8(plain).expect("text"),
                    Err(_) => value.to_owned(),
                })
            })
            .collect()
    })
    .collect()
}

async fn assert_in_order(client: &Client, declaration: &Declaration) {
    let report = check(client, declaration, &keyrings()).await.expect("a report");
    assert!(report.worst() <= Severity::Warning, "{report}");
    assert_eq!(planned(client, declaration).await.steps(), []);
    let left = "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'pgveil'::regnamespace
                          AND relname LIKE 'fill%')
                     + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgveil'::regnamespace
                          AND proname LIKE 'token%')";
    assert_eq!(rows(client, left).await, "0");
}

/// The values are strange, and all of them come back.
#[tokio::test]
async fn every_value_is_kept() {
    let mut client = database("values").await;
    run(
        &client,
        r"CREATE TABLE t (id int PRIMARY KEY, email varchar(80) DEFAULT 'nobody', name text,
                          code char(6) UNIQUE, other int);
          CREATE INDEX ON t (email) WHERE name IS NOT NULL;
          INSERT INTO t VALUES (1, NULL, NULL, NULL, 1), (2, '', '', '', 2),
            (3, 'it''s', 'a\b\n\N\.', 'ab', 3), (4, E'tab\tline\nreturn\r', '\N', ' c', 4),
            (5, 'łódź 🦀 ﬁ', 'e' || U&'\0301', 'üü', 5), (6, 'a ', 'x  ', 'x     ', 6),
            (7, 'same', repeat('long ', 30000), '7', 7), (8, 'same', 'gAAAAAnot a token', '8', 8);
          ALTER TABLE t DROP COLUMN other; ANALYZE t",
    )
    .await;
    let all = "SELECT id, email, name, code FROM t ORDER BY id";
    let mut before = opened(&client, all).await;
    for row in &mut before {
        // What is sealed of char(n) has no trailing blanks; they are shown again.
        row[3] = row[3].as_ref().map(|code| code.trim_end_matches(' ').to_owned());
    }
    let declaration = only(table("t", &[("email", D), ("name", R), ("code", D)]));
    let printed = planned(&client, &declaration).await.to_string();
    assert!(printed.contains("8 rows are sealed while the table is locked"), "{printed}");
    migrate(&mut client, &declaration).await;
    assert_eq!(opened(&client, all).await, before);
    assert_eq!(
        rows(&client, "SELECT count(*), count(DISTINCT email), count(DISTINCT name) FROM t").await,
        "8|6|7"
    );
    assert_eq!(
        rows(&client, "SELECT email, code FROM t WHERE id = 3").await,
        format!("{}|{}", token("email", "it's"), token("code", "ab"))
    );
    run(&client, "INSERT INTO t (id) VALUES (9)").await;
    assert_eq!(rows(&client, "SELECT email FROM t WHERE id = 9").await, token("email", "nobody"));
    let twice = format!("INSERT INTO t (id, code) VALUES (10, '{}')", token("code", "ab"));
    assert_eq!(fails(&client, &twice).await, SqlState::UNIQUE_VIOLATION);
    assert_eq!(
        rows(&client, "SELECT count(*) FROM pg_stats WHERE tablename = 't' AND attname = 'email'")
            .await,
        "1"
    );
    assert_in_order(&client, &declaration).await;
}

#[tokio::test]
async fn keys_of_every_kind() {
    let mut client = database("keys").await;
    run(
        &client,
        r#"CREATE TYPE mood AS ENUM ('sad', 'glad');
           CREATE DOMAIN tag AS varchar(9);
           CREATE TABLE words (word text COLLATE "POSIX", n numeric, email text,
                               PRIMARY KEY (word, n));
           CREATE TABLE times (at timestamptz, span interval, f float8, b bytea, m mood, g tag,
                               c char(4), a int[], email text,
                               PRIMARY KEY (at, span, f, b, m, g, c, a));
           CREATE TABLE nick ("the nick" varchar(30) NOT NULL UNIQUE, email text);
           CREATE TABLE self (email varchar(30) PRIMARY KEY, name text);
           INSERT INTO words VALUES (E'a\\b\t''', 1.50, 'w1'), ('\N', -1, 'w2'), ('', 0, 'w3');
           INSERT INTO times VALUES ('2024-01-01 10:00:00.123456+02', '-1 mon 2 days', 0.1::float8/3,
               '\x00ff5c', 'glad', 'x', 'ab', '{1,2}', 't1'),
             ('infinity', '0', 'NaN', '', 'sad', '', '', '{}', 't2');
           INSERT INTO nick VALUES ('a', 'n1'), ('b', NULL);
           INSERT INTO self VALUES ('ann', 'Ann'), ('bob', 'Bob')"#,
    )
    .await;
    let declaration = Declaration {
        tables: vec![
            table("words", &[("email", D)]),
            table("times", &[("email", R)]),
            table("nick", &[("email", R)]),
            table("self", &[("email", D), ("name", R)]),
        ],
        safe_functions: Vec::new(),
    };
    let queries = [
        "SELECT * FROM words ORDER BY n",
        "SELECT * FROM times ORDER BY at",
        "SELECT * FROM nick ORDER BY 1",
        "SELECT name, email FROM self ORDER BY 1",
    ];
    let mut before = Vec::new();
    for query in &queries[..3] {
        before.push(opened(&client, query).await);
    }
    run(&client, "SET DateStyle = 'SQL, DMY'; SET extra_float_digits = -10").await;
    migrate(&mut client, &declaration).await;
    run(&client, "RESET DateStyle; RESET extra_float_digits").await;
    for (query, before) in queries.iter().zip(before) {
        assert_eq!(opened(&client, query).await, before, "{query}");
    }
    let mut people = opened(&client, queries[3]).await;
    people.sort();
    let pair = |name: &str, email: &str| vec![Some(name.to_owned()), Some(email.to_owned())];
    assert_eq!(people, [pair("Ann", "ann"), pair("Bob", "bob")]);
    assert_in_order(&client, &declaration).await;
}

/// Two tables refer to each other, one to itself and one is partitioned; a view stands on top.
#[tokio::test]
async fn what_hangs_on_the_tables_follows() {
    let mut client = database("hanging").await;
    run(
        &client,
        "CREATE TABLE person (id int PRIMARY KEY, email varchar(50) NOT NULL UNIQUE,
                              boss varchar(50) REFERENCES person (email) DEFERRABLE);
         CREATE TABLE booking (id int, day date, email varchar(50)
             CONSTRAINT booker REFERENCES person (email) ON UPDATE CASCADE, PRIMARY KEY (id, day))
           PARTITION BY RANGE (day);
         COMMENT ON CONSTRAINT booker ON booking IS 'who';
         CREATE TABLE booking_a PARTITION OF booking FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         CREATE TABLE booking_b (email varchar(50), gone int, day date NOT NULL, id int NOT NULL);
         ALTER TABLE booking_b DROP COLUMN gone;
         ALTER TABLE booking ATTACH PARTITION booking_b
           FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
         CREATE INDEX ON booking (email);
         CREATE VIEW who AS SELECT p.id, p.email, b.day FROM person p JOIN booking b USING (email);
         INSERT INTO person VALUES (1, 'ann@x.org', NULL), (2, 'bob@x.org', 'ann@x.org'),
           (3, 'cy@x.org', 'cy@x.org');
         INSERT INTO booking VALUES (1, '2024-05-05', 'ann@x.org'), (2, '2025-05-05', 'bob@x.org'),
           (3, '2025-06-06', NULL)",
    )
    .await;
    let constraints = "SELECT conname, conrelid::regclass, confrelid::regclass, condeferrable,
        confupdtype, convalidated, obj_description(oid, 'pg_constraint') FROM pg_constraint
        WHERE contype IN ('f', 'u', 'p') AND connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3";
    let queries = [
        "SELECT * FROM person ORDER BY id",
        "SELECT * FROM booking ORDER BY id",
        "SELECT * FROM who ORDER BY id",
    ];
    let before = rows(&client, constraints).await;
    let mut answers = Vec::new();
    for query in queries {
        answers.push(opened(&client, query).await);
    }
    let mut person = table("person", &[("email", D), ("boss", D)]);
    let booking = table("booking", &[("email", D)]);
    person.columns[1].domain = "email".to_owned();
    let declaration = Declaration { tables: vec![person, booking], safe_functions: Vec::new() };
    migrate(&mut client, &declaration).await;
    assert_eq!(rows(&client, constraints).await, before);
    for (query, before) in queries.iter().zip(answers) {
        assert_eq!(opened(&client, query).await, before, "{query}");
    }
    let strange = format!(
        "INSERT INTO booking VALUES (9, '2024-01-02', '{}')",
        token("email", "nobody@x.org")
    );
    assert_eq!(fails(&client, &strange).await, SqlState::FOREIGN_KEY_VIOLATION);
    assert_in_order(&client, &declaration).await;
}

#[tokio::test]
async fn profiles_are_filled_with_the_rows_own_tokens() {
    for owner in [ProfileOwner::Pgveil, ProfileOwner::Application] {
        let name = format!("filled_profile_{}", owner == ProfileOwner::Pgveil);
        let mut client = database(&name).await;
        run(&client, AUTH_USER).await;
        run(
            &client,
            "INSERT INTO auth_user SELECT n, '!', NULL, false, 'user' || n, 'First', '',
               'u' || n || '@x.org', false, true, now() FROM generate_series(1, 20) n",
        )
        .await;
        if owner == ProfileOwner::Application {
            run(
                &client,
                "CREATE TABLE web_profile (id serial PRIMARY KEY, user_id int NOT NULL UNIQUE
                   REFERENCES auth_user (id), encrypted_email text, encrypted_first_name text);
                 INSERT INTO web_profile (user_id, encrypted_email)
                   SELECT id, 'old' FROM auth_user WHERE id < 15",
            )
            .await;
        }
        let declaration = people(owner, &["email", "first_name"]);
        migrate(&mut client, &declaration).await;
        let filled = if owner == ProfileOwner::Pgveil { "20" } else { "14" };
        assert_eq!(
            rows(
                &client,
                "SELECT count(*) FROM auth_user u JOIN web_profile p ON p.user_id = u.id
                 WHERE p.encrypted_email = u.email AND p.encrypted_first_name = u.first_name"
            )
            .await,
            filled
        );
        assert_in_order(&client, &declaration).await;
    }
}

#[tokio::test]
async fn what_cannot_be_sealed_is_named_and_nothing_changes() {
    let mut client = database("unsealable").await;
    run(
        &client,
        &format!(
            "CREATE TABLE t (id int, part text, email text, PRIMARY KEY (id, part));
             INSERT INTO t SELECT n, 'p', 'u' || n FROM generate_series(1, 3000) n;
             UPDATE t SET email = ' {}' WHERE id = 2500;
             CREATE TABLE keyless (email text); INSERT INTO keyless VALUES ('x');
             CREATE TABLE nullable (id int UNIQUE, email text); INSERT INTO nullable VALUES (1, 'x');
             CREATE TABLE long (id int PRIMARY KEY, email text, name text);
             INSERT INTO long SELECT n, repeat('x', 1949 + n), repeat('y', 5000)
               FROM generate_series(1, 3) n",
            token("email", "sealed already")
        ),
    )
    .await;
    let t = only(table("t", &[("email", D)]));
    let plan = planned(&client, &t).await;
    let error = apply(&mut client, &plan).await.unwrap_err().to_string();
    assert!(
        error.contains("public.t.email") && error.contains(r#""id" = 2500 and "part" = p"#),
        "{error}"
    );
    assert!(error.contains("token of the column's keyring already"), "{error}");
    assert!(!error.contains("gAAAA"), "{error}");
    assert_eq!(
        rows(
            &client,
            "SELECT count(*) FILTER (WHERE email = 'u' || id),
               (SELECT count(*) FROM pg_namespace WHERE nspname = 'pgveil') FROM t"
        )
        .await,
        "2999|0"
    );
    let others = Declaration {
        tables: vec![
            table("keyless", &[("email", D)]),
            table("nullable", &[("email", D)]),
            table("long", &[("email", D), ("name", R)]),
        ],
        safe_functions: Vec::new(),
    };
    let findings = listed(&refused(&client, &others).await);
    for part in [
        "public.keyless: has rows",
        "public.nullable: has rows",
        "PRIMARY KEY",
        "public.long.email: 2 values",
    ] {
        assert!(findings.contains(part), "{part} in {findings}");
    }
    assert_eq!(findings.lines().count(), 3, "{findings}");
    // One that has become too long since, and a key that is not shown.
    run(
        &client,
        "DELETE FROM long WHERE id > 1; UPDATE long SET name = 'secret';
         ALTER TABLE long DROP CONSTRAINT long_pkey, ADD UNIQUE (name), ALTER name SET NOT NULL",
    )
    .await;
    let long = only(table("long", &[("email", D), ("name", D)]));
    let plan = planned(&client, &long).await;
    run(&client, "UPDATE long SET email = repeat('z', 2000)").await;
    let error = apply(&mut client, &plan).await.unwrap_err();
    assert!(matches!(&error, LifecycleError::Row { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("1950 bytes") && !error.contains("secret"), "{error}");
}

/// The verification reads what is there, whatever made it so.
#[tokio::test]
async fn a_token_in_another_row_is_found() {
    let mut client = database("swapped").await;
    // What is altered is checked again; this check exchanges two tokens meanwhile.
    run(
        &client,
        "CREATE TABLE t (id int PRIMARY KEY, email text, name text);
         INSERT INTO t VALUES (1, 'ann', 'a'), (2, 'bob', 'b');
         CREATE FUNCTION swap() RETURNS event_trigger LANGUAGE plpgsql AS $$
         BEGIN
           IF pg_catalog.to_regclass('pgveil.\"fill:public.t\"') IS NOT NULL
              AND current_query() LIKE '%ADD PRIMARY KEY%' THEN
             UPDATE pgveil.\"fill:public.t\" s SET t0 = o.t0 FROM pgveil.\"fill:public.t\" o
               WHERE s.k0 <> o.k0;
           END IF;
         END $$;
         CREATE EVENT TRIGGER swap ON ddl_command_end EXECUTE FUNCTION swap()",
    )
    .await;
    let plan = planned(&client, &only(table("t", &[("email", D), ("name", R)]))).await;
    let error = apply(&mut client, &plan).await.unwrap_err();
    assert!(matches!(&error, LifecycleError::Verification { .. }), "{error}");
    assert_eq!(rows(&client, "SELECT email FROM t ORDER BY id").await, "ann bob");
}

#[tokio::test]
async fn the_owner_needs_no_more_rights() {
    let admin = database("owner_rows").await;
    run(
        &admin,
        "CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE owner_rows TO keeper;
         CREATE TABLE t (id int PRIMARY KEY, email text); INSERT INTO t VALUES (1, 'ann');
         ALTER TABLE t OWNER TO keeper; ALTER ROLE keeper SET statement_timeout = '3s'",
    )
    .await;
    let mut client = connect_as("owner_rows", "keeper").await;
    let plan = make_plan(&client, &only(table("t", &[("email", D)])), &keyrings()).await.unwrap();
    apply(&mut client, &plan).await.unwrap();
    assert_eq!(rows(&client, "SELECT email FROM t").await, token("email", "ann"));
}

/// Many rows, a batch at a time; afterwards no file of the database has a plain value. What is left
/// in the write-ahead log and in dead rows of `pg_statistic` is said in the README.
#[tokio::test]
async fn fifty_thousand_rows_leave_nothing_behind() {
    let mut client = database("many").await;
    run(
        &client,
        "CREATE TABLE t (id bigint PRIMARY KEY, email varchar(254) NOT NULL, name varchar(150));
         CREATE UNIQUE INDEX ON t (email);
         INSERT INTO t SELECT n, 'person' || n || '@canary.example', 'Canaryson ' || n
           FROM generate_series(1, 50000) n;
         ANALYZE t; CHECKPOINT",
    )
    .await;
    let oid = rows(&client, "SELECT oid FROM pg_database WHERE datname = 'many'").await;
    let files = cluster().data_dir().join("base").join(oid);
    assert!(has_canary(&files), "the search finds what is there");
    let plan = planned(&client, &only(table("t", &[("email", D), ("name", R)]))).await;
    let mut reported = Vec::new();
    let started = std::time::Instant::now();
    apply_reporting(&mut client, &plan, &mut |progress| {
        assert_eq!((progress.table, progress.total), ("public.t", 50_000));
        reported.push((progress.phase, progress.done));
    })
    .await
    .unwrap();
    println!("50,000 rows in {:?}", started.elapsed());
    for phase in [Phase::Seal, Phase::Verify] {
        let done: Vec<_> = reported.iter().filter(|r| r.0 == phase).map(|r| r.1).collect();
        assert!(done.windows(2).all(|pair| pair[1] - pair[0] <= 1_000), "{done:?}");
        assert_eq!((done[0], *done.last().unwrap()), (0, 50_000));
    }
    assert!(reported.contains(&(Phase::Rewrite, 0)));
    assert_eq!(
        rows(&client, "SELECT email FROM t WHERE id = 4711").await,
        token("email", "person4711@canary.example")
    );
    let other = connect("many").await;
    run(&other, "VACUUM FULL pg_statistic").await;
    run(&other, "CHECKPOINT").await;
    assert!(!has_canary(&files), "a plain value is left in {}", files.display());
}

fn has_canary(directory: &Path) -> bool {
    std::fs::read_dir(directory).expect("the database's directory").any(|file| {
        let bytes = std::fs::read(file.expect("a file").path()).unwrap_or_default();
        [&b"canary.example"[..], b"Canaryson"]
            .iter()
            .any(|canary| bytes.windows(canary.len()).any(|window| window == *canary))
    })
}
