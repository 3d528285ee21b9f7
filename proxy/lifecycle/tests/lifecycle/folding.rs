//! Columns that fold: what the server does is recorded, and indexes follow.

use pgveil_lifecycle::{Severity, check};
use pgveil_seal::{Fold, Mode};
use pgveil_sql::protection::Declaration;

use crate::declared::{keyrings, migrate, only, planned, refused, table};
use crate::server::{connect, database, fails, rows, run};

const TABLE: &str =
    "CREATE TABLE person (id int PRIMARY KEY, email varchar(254), code char(9), n int)";

fn folding() -> Declaration {
    let mut person =
        table("person", &[("email", Mode::Deterministic), ("code", Mode::Deterministic)]);
    person.columns[0].fold = Some(Fold::Lower);
    person.columns[1].fold = Some(Fold::Upper);
    only(person)
}

#[tokio::test]
async fn indexes_over_folded_values_follow() {
    let mut client = database("folding").await;
    run(&client, TABLE).await;
    run(
        &client,
        "CREATE UNIQUE INDEX by_email ON person (lower(email)) WHERE n > 0;
         COMMENT ON INDEX by_email IS 'kept';
         CREATE INDEX by_code ON person USING btree (n, upper(code) text_pattern_ops DESC) INCLUDE (id);
         INSERT INTO person VALUES (1, 'Ann@example.org', 'aé', 1), (2, 'ANN@example.org', 'AÉ', 0),
           (3, 'bob@example.org', NULL, 1), (4, NULL, 'ß', 1)",
    )
    .await;
    migrate(&mut client, &folding()).await;
    assert_eq!(planned(&client, &folding()).await.steps(), []);
    let report = check(&client, &folding(), &keyrings()).await.expect("a report");
    assert!(report.worst() <= Severity::Warning, "{report}");
    assert_eq!(
        rows(
            &client,
            "SELECT pg_get_indexdef('by_email'::regclass), obj_description('by_email'::regclass)"
        )
        .await,
        "CREATE UNIQUE INDEX by_email ON public.person USING btree (substr(email, 13, 12)) \
         WHERE (n > 0)|kept"
    );
    assert_eq!(
        rows(&client, "SELECT pg_get_indexdef('by_code'::regclass)").await,
        "CREATE INDEX by_code ON public.person USING btree (n, substr(code, 13, 12) \
         text_pattern_ops DESC) INCLUDE (id)"
    );
    // Rows that are there have fold handles, equal up to case.
    let same = "SELECT count(*), count(DISTINCT email), count(DISTINCT substr(email, 13, 12)),
                       count(DISTINCT code), count(DISTINCT substr(code, 13, 12)) FROM person";
    assert_eq!(rows(&client, same).await, "4|3|2|3|2");
    assert_eq!(fails(&client, "UPDATE person SET n = 2 WHERE id = 2").await.code(), "23505");
    let recorded = "SELECT m.fold, translate('ÄK', from_chars, to_chars), translate('äſ', from_chars, to_chars)
                    FROM pgveil.case_maps m JOIN pgveil.columns c USING (fold) ORDER BY 1";
    assert_eq!(rows(&client, recorded).await, "lower|äk|äſ upper|ÄK|ÄS");
}

#[tokio::test]
async fn without_the_fold_the_index_is_refused_and_the_hint_names_it() {
    let client = database("not_folding").await;
    run(&client, TABLE).await;
    run(&client, "CREATE UNIQUE INDEX i ON person (lower(email))").await;
    let plain = only(table("person", &[("email", Mode::Deterministic)]));
    let todo = |findings: Vec<pgveil_lifecycle::Finding>| findings[0].to_string();
    assert!(todo(refused(&client, &plain).await).contains("fold = \"lower\""));
    // The other fold does not help.
    let mut upper = plain;
    upper.tables[0].columns[0].fold = Some(Fold::Upper);
    assert!(todo(refused(&client, &upper).await).contains("drop the index"));
}

#[tokio::test]
async fn a_column_that_folds_otherwise_than_the_database_is_refused() {
    let client = database("folding_otherwise").await;
    run(
        &client,
        "CREATE TABLE person (id int PRIMARY KEY, email text COLLATE \"C\", code char(9))",
    )
    .await;
    let findings = refused(&client, &folding()).await;
    assert!(findings[0].to_string().contains("another function"), "{}", findings[0]);
}

#[tokio::test]
async fn a_database_that_folds_words_is_refused() {
    let maker = database("folding_maker").await;
    let has_icu = "SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')";
    if rows(&maker, has_icu).await != "t" {
        // A server without ICU folds characters.
        return;
    }
    run(
        &maker,
        "CREATE DATABASE folding_words TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
    )
    .await;
    let client = connect("folding_words").await;
    run(&client, TABLE).await;
    let findings = refused(&client, &folding()).await;
    assert!(findings[0].to_string().contains("folds words"), "{}", findings[0]);
}

#[tokio::test]
async fn a_fold_that_is_not_the_one_it_was_sealed_with_is_refused() {
    let mut client = database("refolding").await;
    run(&client, TABLE).await;
    migrate(&mut client, &folding()).await;
    let mut other = folding();
    other.tables[0].columns[0].fold = None;
    let findings = refused(&client, &other).await;
    assert!(findings.iter().any(|f| f.to_string().contains("fold")), "{findings:?}");
}
