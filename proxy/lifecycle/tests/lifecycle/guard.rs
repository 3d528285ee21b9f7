//! The guard refuses what is not a token, and nothing of it is in the server's log.

use pgveil_seal::Mode;
use tokio_postgres::error::SqlState;

use crate::declared::{migrate, only, table, token};
use crate::server::{cluster, connect_as, database, fails, rows, run};

const CANARY: &str = "ada.lovelace@canary.example";

#[tokio::test]
async fn plain_values_are_refused_and_not_logged() {
    let mut client = database("guard").await;
    run(&client, "CREATE TABLE person (id int PRIMARY KEY, email varchar(254))").await;
    run(&client, "CREATE ROLE guard_app LOGIN; GRANT ALL ON person TO guard_app").await;
    migrate(&mut client, &only(table("person", &[("email", Mode::Deterministic)]))).await;

    let app = connect_as("guard", "guard_app").await;
    let good = token("email", CANARY);
    run(&app, &format!("INSERT INTO person VALUES (1, '{good}'), (2, NULL)")).await;
    for (what, sql) in [
        ("literal", format!("INSERT INTO person VALUES (3, '{CANARY}')")),
        ("update", format!("UPDATE person SET email = '{CANARY}' WHERE id = 2")),
        ("token and blank", format!("INSERT INTO person VALUES (3, '{good} {CANARY}')")),
        ("short", "INSERT INTO person VALUES (3, 'gAAAAABcanary')".to_owned()),
        ("empty", "INSERT INTO person VALUES (3, '')".to_owned()),
        ("in a function", format!("DO $$ BEGIN UPDATE person SET email = '{CANARY}'; END $$")),
    ] {
        assert_eq!(fails(&app, &sql).await, SqlState::CHECK_VIOLATION, "{what}");
    }
    let error = app
        .execute("INSERT INTO person VALUES (3, $1)", &[&CANARY])
        .await
        .expect_err("a parameter is refused too");
    let error = error.as_db_error().expect("an error of the server");
    assert_eq!(error.message(), "value for a protected column is not a token");
    assert!(error.hint().is_some_and(|hint| hint.contains("pgveil")));

    // The shell joins what must not stand in the statement.
    let copy = r#"COPY person FROM PROGRAM 'printf "3\tada@cana""ry.example\n"'"#;
    assert_eq!(fails(&client, copy).await, SqlState::CHECK_VIOLATION, "COPY");

    assert_eq!(
        rows(&client, "SELECT id, email FROM person ORDER BY id").await,
        format!("1|{good} 2|-")
    );
    let log = std::fs::read_to_string(cluster().log_path()).expect("the log");
    assert!(log.contains("value for a protected column is not a token"), "the refusal is logged");
    assert!(
        !log.contains("canary"),
        "{}",
        log.lines().filter(|l| l.contains("canary")).collect::<String>()
    );
}
