//! What a proxy is configured with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pgveil_policy::Policy;
use pgveil_seal::Keyring;

use crate::address::Address;

/// What a [`Proxy`](crate::Proxy) serves, and its limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The PostgreSQL server.
    pub server: Address,
    /// The policies. Without one the proxy is a plain relay.
    pub policies: Vec<Arc<Policy>>,
    /// The keyrings that the policies name.
    pub keyrings: HashMap<String, Arc<Keyring>>,
    /// How long a catalog is taken to be right without asking.
    pub lease: Duration,
    /// How long connecting to the server may take.
    pub connect_timeout: Duration,
    /// Within what time a client must have authenticated, and the session be ready.
    pub startup_timeout: Duration,
    /// Connections served at the same time; the next one gets 53300.
    pub max_connections: usize,
    /// The largest message in bytes, in both directions. The server's own limit is 1 GiB.
    pub max_frame: usize,
    /// Bytes that the values of protected columns may take in memory, for predicates that the
    /// server cannot decide on tokens.
    pub dictionary_memory: usize,
    /// Let `replication` connections through. What they carry is not looked at.
    pub allow_replication: bool,
    /// How long open sessions may go on after the shutdown began.
    pub shutdown_timeout: Duration,
}

impl Options {
    /// A plain relay to `server` with the default limits.
    pub fn new(server: Address) -> Self {
        Self {
            server,
            policies: Vec::new(),
            keyrings: HashMap::new(),
            lease: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            startup_timeout: Duration::from_mins(1),
            max_connections: 1000,
            max_frame: pgveil_wire::frame::LARGE_LIMIT,
            dictionary_memory: 512 << 20,
            allow_replication: false,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}
