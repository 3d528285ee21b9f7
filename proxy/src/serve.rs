//! `pgveil serve`

use std::sync::Arc;

use pgveil_session::{Options, Proxy};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::config::{Config, Limits};
use crate::failure::Failure;
use crate::wiring::{self, Wiring};
use crate::{listen, log};

/// Serves until SIGINT or SIGTERM.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    log::start(&config.log)?;
    let wiring = wiring::wire(&config)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?
        .block_on(serve(&config, wiring))
}

async fn serve(config: &Config, wiring: Wiring) -> Result<(), Failure> {
    // Before anything listens, so that no signal is missed.
    let mut stop = Stop::new()?;
    let listening = listen::bind(&config.listen, config.unix_socket_permissions).await?;
    let proxy = proxy(wiring, &config.limits)?;
    tracing::info!(
        listen = %listening.addresses.join(", "),
        server = %config.server.value,
        policies = config.policies.len(),
        "serving"
    );
    let ended = proxy.run(listening.listeners, async move { stop.wait().await }).await;
    drop(listening.sockets);
    tracing::info!("ended");
    ended.map_err(Failure::io("cannot accept connections any more"))
}

/// The proxy of a configuration.
pub(crate) fn proxy(wiring: Wiring, limits: &Limits) -> Result<Arc<Proxy>, Failure> {
    let mut options = Options::new(wiring.server);
    options.policies = wiring.policies;
    options.keyrings = wiring.keyrings;
    options.lease = limits.catalog_lease;
    options.connect_timeout = limits.connect_timeout;
    options.startup_timeout = limits.startup_timeout;
    options.shutdown_timeout = limits.shutdown_timeout;
    options.max_connections = limits.max_connections;
    options.dictionary_memory = limits.dictionary_memory;
    Proxy::new(options).map_err(|error| Failure::from_error(&error))
}

/// The signals that end a proxy.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::io("cannot listen for signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Returns when one of them has come.
    pub(crate) async fn wait(&mut self) {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = name, "ending");
    }
}
