//! What all sessions share, and the loop that accepts them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pgveil_policy::{Policies, PolicyError};
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::catalog_cache::Catalogs;
use crate::dictionary::Dictionaries;
use crate::errors::{self, Severity};
use crate::options::Options;
use crate::peer::Peer;
use crate::sealing::{Keyrings, Keys};
use crate::startup;
use crate::stream::Stream;

/// Where clients come in.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// The next client, and its IP address if it has one.
    async fn accept(&self) -> io::Result<(Stream, Option<String>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::tcp(stream), Some(address.ip().to_string())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), None))
            }
        }
    }
}

/// Options that cannot be served.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The policies contradict each other.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// A policy names a keyring that is not configured.
    #[error("policy \"{policy}\" names keyring \"{keyring}\", which is not configured")]
    NoKeyring {
        /// The policy.
        policy: String,
        /// The keyring.
        keyring: String,
    },
}

/// A proxy in front of one PostgreSQL server.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) options: Options,
    pub(crate) policies: Arc<Policies>,
    pub(crate) keys: Keyrings,
    pub(crate) catalogs: Catalogs,
    pub(crate) dictionaries: Dictionaries,
    admission: Arc<Semaphore>,
}

impl Proxy {
    /// Joins what the policies declare with the keyrings.
    pub fn new(options: Options) -> Result<Arc<Self>, ProxyError> {
        let policies = Arc::new(Policies::new(options.policies.clone())?);
        for table in &policies.declaration().tables {
            let missing = table.columns.iter().find(|c| !options.keyrings.contains_key(&c.keyring));
            if let Some(column) = missing {
                return Err(ProxyError::NoKeyring {
                    policy: table.policy.clone(),
                    keyring: column.keyring.clone(),
                });
            }
        }
        let keys = options
            .keyrings
            .iter()
            .map(|(name, keyring)| (name.clone(), Keys::new(Arc::clone(keyring))))
            .collect();
        let keys = Keyrings(keys);
        // A semaphore has room for fewer permits than a usize has numbers.
        let connections = options.max_connections.min(Semaphore::MAX_PERMITS);
        let admission = Arc::new(Semaphore::new(connections));
        let (catalogs, dictionaries) =
            (Catalogs::default(), Dictionaries::new(options.dictionary_memory));
        Ok(Arc::new(Self { options, policies, keys, catalogs, dictionaries, admission }))
    }

    /// True when there is nothing to protect.
    pub(crate) fn is_relay(&self) -> bool {
        self.policies.declaration().tables.is_empty()
    }

    /// Serves until `shutdown` is ready: then no new clients are taken, sessions end with 57P01
    /// where they stand between transactions, and the rest ends after the shutdown timeout.
    pub async fn run(
        self: &Arc<Self>,
        listeners: Vec<Listener>,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(Arc::clone(self).accept(listener, stopped.clone()));
        }
        drop(stopped);
        tokio::pin!(shutdown);
        let result = tokio::select! {
            () = &mut shutdown => Ok(()),
            Some(ended) = accepting.join_next() => match ended {
                Ok(result) => result,
                Err(error) => Err(io::Error::other(error)),
            },
        };
        let _ = stop.send(true);
        accepting.abort_all();
        // Every session holds a receiver: when the last one is gone, all have ended.
        let _ = tokio::time::timeout(self.options.shutdown_timeout, stop.closed()).await;
        result
    }

    async fn accept(
        self: Arc<Self>,
        listener: Listener,
        stopped: watch::Receiver<bool>,
    ) -> io::Result<()> {
        loop {
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    // Out of file descriptors: others must end first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let proxy = Arc::clone(&self);
            let stopped = stopped.clone();
            // A task of its own: what one session does, a panic included, harms no other.
            tokio::spawn(async move { proxy.serve(stream, address, stopped).await });
        }
    }

    async fn serve(
        self: Arc<Self>,
        stream: Stream,
        address: Option<String>,
        stopped: watch::Receiver<bool>,
    ) {
        let client = Peer::new(stream);
        let span = tracing::info_span!(
            "connection",
            peer = address.as_deref().unwrap_or("local"),
            id = tracing::field::Empty,
            database = tracing::field::Empty,
            user = tracing::field::Empty,
        );
        let permit = Arc::clone(&self.admission).try_acquire_owned().ok();
        let admitted = permit.is_some();
        startup::serve(self, client, address, admitted, stopped).instrument(span).await;
        drop(permit);
    }

    /// The message for a client that is one too many.
    pub(crate) fn too_many(&self, out: &mut Vec<u8>) {
        let refusal = errors::fatal(
            "53300",
            "sorry, too many clients already",
            &format!(
                "pgveil serves at most {} connections: raise max_connections in its configuration.",
                self.options.max_connections
            ),
        );
        errors::write(out, Severity::Fatal, &refusal, None);
    }
}

/// An accept that failed for this connection, or for want of something that comes back.
fn is_passing(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no kind of their own.
    matches!(error.raw_os_error(), Some(23 | 24))
        || matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::Interrupted
                | io::ErrorKind::OutOfMemory
        )
}
