//! The server and a connection to it.

use std::sync::OnceLock;

use pgveil_sandbox::Cluster;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::builder()
            .volatile()
            .setting("log_min_messages", "debug1")
            .setting("log_parameter_max_length_on_error", "-1")
            .start()
            .expect("a PostgreSQL server")
    })
}

/// A connection to a new database.
pub(crate) async fn database(name: &str) -> Client {
    cluster().create_database(name).expect("a new database");
    connect(name).await
}

pub(crate) async fn connect(name: &str) -> Client {
    connect_as(name, cluster().superuser()).await
}

pub(crate) async fn connect_as(name: &str, user: &str) -> Client {
    let (client, connection) = tokio_postgres::Config::new()
        .host(cluster().host())
        .port(cluster().port())
        .dbname(name)
        .user(user)
        .connect(NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    client
}

pub(crate) async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}\n{error}: {:?}", error.as_db_error());
    }
}

/// The SQLSTATE of a statement that must fail.
pub(crate) async fn fails(client: &Client, sql: &str) -> SqlState {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("did not fail: {sql}"),
        Err(error) => error.code().cloned().expect("an error of the server"),
    }
}

/// All rows of a query in one string: `a|b` a row, rows joined by a blank, NULL as `-`.
pub(crate) async fn rows(client: &Client, sql: &str) -> String {
    let messages = match client.simple_query(sql).await {
        Ok(messages) => messages,
        Err(error) => panic!("{sql}\n{error}: {:?}", error.as_db_error()),
    };
    let mut rows = Vec::new();
    for message in messages {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let cells: Vec<_> = (0..row.len()).map(|i| row.get(i).unwrap_or("-")).collect();
            rows.push(cells.join("|"));
        }
    }
    rows.join(" ")
}
