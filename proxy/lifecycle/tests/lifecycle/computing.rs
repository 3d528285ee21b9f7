//! What proxies read of columns that are declared computed.

use pgveil_eval::{Collation, Definition, Provider};
use pgveil_seal::Mode;
use pgveil_sql::catalog::{
    Catalog, CatalogLoad, Keys, QUERIES, SETTINGS_QUERY, Settings, VERSION_QUERY,
};
use pgveil_sql::protection::Declaration;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::declared::{migrate, only, table};
use crate::server::{connect, database, rows, run};

struct AnyKey;

impl Keys for AnyKey {
    fn check(&self, _: &str, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn choose(&self, _: &str, _: Option<&str>) -> Option<(String, String)> {
        None
    }
}

async fn each(client: &Client, sql: &str, mut take: impl FnMut(&[Option<&str>])) {
    for message in client.simple_query(sql).await.expect("rows") {
        if let SimpleQueryMessage::Row(row) = message {
            let cells: Vec<_> = (0..row.len()).map(|cell| row.get(cell)).collect();
            take(&cells);
        }
    }
}

async fn catalog(client: &Client, declaration: &Declaration) -> Catalog {
    let mut load = CatalogLoad::default();
    for (number, (_, sql)) in QUERIES.iter().enumerate() {
        each(client, sql, |cells| load.row(number, cells).expect("a catalog row")).await;
    }
    for (number, sql) in (QUERIES.len()..).zip(load.own_queries()) {
        each(client, sql, |cells| load.row(number, cells).expect("a row of ours")).await;
    }
    let mut settings = None;
    each(client, SETTINGS_QUERY, |cells| settings = Settings::from_row(cells).ok()).await;
    load.finish(declaration, &settings.expect("settings"), &AnyKey).expect("a catalog")
}

fn computed(columns: &[&str]) -> Declaration {
    let columns: Vec<(&str, Mode)> = columns.iter().map(|c| (*c, Mode::Randomized)).collect();
    let mut table = table("person", &columns);
    for column in &mut table.columns {
        column.computed = true;
    }
    only(table)
}

/// The columns that may be computed over, with their collation and the database's.
fn known(catalog: &Catalog) -> Vec<(String, Collation, Collation)> {
    let mut known: Vec<_> = catalog
        .computing
        .iter()
        .map(|(id, computing)| {
            let column = catalog.column(*id).column.clone();
            (column, computing.collation.clone(), computing.default.clone())
        })
        .collect();
    known.sort_by(|a, b| a.0.cmp(&b.0));
    known
}

fn libc(name: &str) -> Collation {
    let provider = Provider::Libc { collate: name.to_owned(), ctype: name.to_owned() };
    Collation::new(&Definition { provider, deterministic: true }).expect("a locale of this machine")
}

#[tokio::test]
async fn collations_are_those_that_columns_had() {
    let admin = database("computing_admin").await;
    run(
        &admin,
        "CREATE DATABASE computing_c TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
         ",
    )
    .await;
    run(
        &admin,
        "CREATE DATABASE computing_utf8 TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'",
    )
    .await;
    for (name, locale) in [("computing_c", "C"), ("computing_utf8", "C.UTF-8")] {
        let mut client = connect(name).await;
        run(
            &client,
            "CREATE SCHEMA \"My own\"; CREATE COLLATION \"My own\".\"like C\" (LOCALE = 'C.UTF-8');
             CREATE TABLE person (id int, usual varchar(20), bytes text COLLATE \"C\",
               named text COLLATE \"My own\".\"like C\", short char(5), plain text)",
        )
        .await;
        let declaration = computed(&["usual", "bytes", "named", "short"]);
        migrate(&mut client, &declaration).await;
        // Whatever the client has set.
        run(&client, "SET search_path = ''; SET bytea_output = 'escape'").await;
        let found = known(&catalog(&client, &declaration).await);
        assert_eq!(
            found,
            [
                ("bytes".to_owned(), libc("C"), libc(locale)),
                ("named".to_owned(), libc("C.UTF-8"), libc(locale)),
                ("usual".to_owned(), libc(locale), libc(locale)),
            ]
        );
        // The collation is gone: nobody knows what it was.
        run(&client, "DROP COLLATION \"My own\".\"like C\"").await;
        assert_eq!(known(&catalog(&client, &declaration).await).len(), 2);
    }
    // ICU orders in its own way, where it is there at all.
    if rows(&admin, "SELECT count(*) > 0 FROM pg_collation WHERE collname = 'und-x-icu'").await
        == "t"
    {
        run(
            &admin,
            "CREATE DATABASE computing_icu TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'
             LOCALE_PROVIDER icu ICU_LOCALE 'de'",
        )
        .await;
        let mut client = connect("computing_icu").await;
        run(&client, "CREATE TABLE person (id int, usual text, bytes text COLLATE \"C\")").await;
        let declaration = computed(&["usual", "bytes"]);
        migrate(&mut client, &declaration).await;
        assert!(known(&catalog(&client, &declaration).await).is_empty());
    }
}

#[tokio::test]
async fn nothing_is_computed_without_its_log() {
    let mut client = database("computing_log").await;
    run(
        &client,
        "CREATE TABLE person (id int, email text) PARTITION BY LIST (id);
        CREATE TABLE person_1 PARTITION OF person FOR VALUES IN (1)",
    )
    .await;
    let declaration = computed(&["email"]);
    migrate(&mut client, &declaration).await;
    let mut version = String::new();
    for (change, may) in [
        ("SELECT", true),
        ("ALTER TABLE person_1 DISABLE TRIGGER pgveil_changes", false),
        ("ALTER TABLE person_1 ENABLE ALWAYS TRIGGER pgveil_changes", true),
        ("ALTER FUNCTION pgveil.\"pgveil_changes:public.person\" SECURITY INVOKER", false),
        ("ALTER FUNCTION pgveil.\"pgveil_changes:public.person\" SECURITY DEFINER", true),
        (
            "CREATE OR REPLACE FUNCTION pgveil.delta(of_relation oid, of_column int2, known text[])
             RETURNS boolean LANGUAGE sql AS 'SELECT true'",
            false,
        ),
    ] {
        run(&client, change).await;
        let catalog = catalog(&client, &declaration).await;
        assert_eq!(!catalog.computing.is_empty(), may, "{change}");
        // Who has an older catalog notices, and writes go on.
        assert_ne!(catalog.version, version, "{change}");
        version = catalog.version;
        let problems = catalog.relations.values().filter(|r| r.name.starts_with("person"));
        assert!(problems.flat_map(|r| &r.problems).next().is_none(), "{change}");
    }
}

#[tokio::test]
async fn what_the_application_calls_like_the_server() {
    let mut client = database("computing_names").await;
    run(&client, "CREATE TABLE person (id int, email text)").await;
    let declaration = computed(&["email"]);
    migrate(&mut client, &declaration).await;
    let before = catalog(&client, &declaration).await;
    assert!(!before.own_names.contains("lower") && !before.own_operators);
    run(
        &client,
        "CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
         CREATE FUNCTION public.differs(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         CREATE FUNCTION public.differs(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = public.differs)",
    )
    .await;
    let names = catalog(&client, &declaration).await;
    assert!(names.own_names.contains("lower") && !names.own_operators);
    run(
        &client,
        "CREATE OPERATOR public.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = public.differs)",
    )
    .await;
    let after = catalog(&client, &declaration).await;
    assert!(after.own_operators);
    assert_ne!(rows(&client, VERSION_QUERY).await, names.version);
}
