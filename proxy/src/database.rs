//! A client connection for the commands that look at a database, and the server's errors as
//! people read them.

use std::error::Error as _;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::failure::Failure;

/// A connection; dropping the client ends it.
pub(crate) struct Database {
    pub(crate) client: Client,
    /// Moves the bytes.
    connection: JoinHandle<()>,
}

impl Database {
    /// Connects, without TLS.
    pub(crate) async fn connect(dsn: &str) -> Result<Self, Failure> {
        let mut config: tokio_postgres::Config = dsn.parse().map_err(|error| {
            // The client library's message never quotes the DSN, which may have a password in it.
            server_error("the DSN cannot be read", &error)
                .hint("write it like postgresql://user@host:5432/database")
                .usage()
        })?;
        if config.get_application_name().is_none() {
            config.application_name("pgveil");
        }
        let (client, connection) = config
            .connect(NoTls)
            .await
            .map_err(|error| server_error("cannot connect to the database", &error))?;
        let connection = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("the connection to the database ended: {error}");
            }
        });
        Ok(Self { client, connection })
    }

    /// Ends the connection and waits for its end.
    pub(crate) async fn close(self) {
        drop(self.client);
        // The task only ends early when it panicked, which has been printed.
        let _ = self.connection.await;
    }
}

/// What was being done and the server's message, detail and hint. The `Display` of the client
/// library says "db error" only.
pub(crate) fn server_error(doing: &str, error: &tokio_postgres::Error) -> Failure {
    let Some(server) = error.as_db_error() else {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        return Failure::new(format!("{doing}: {cause}"));
    };
    let (message, code) = (server.message(), server.code().code());
    let failure = Failure::new(format!("{doing}: {message} (SQLSTATE {code})"));
    Failure {
        detail: server.detail().map(str::to_owned),
        hint: server.hint().map(str::to_owned),
        ..failure
    }
}

/// Runs the one asynchronous part of a command on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?
        .block_on(future)
}
