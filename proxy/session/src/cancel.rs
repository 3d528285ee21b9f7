//! Cancel requests: on a connection of their own, as the protocol has them.

use std::time::Duration;

use pgveil_wire::startup;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::options::Options;

/// Sends a CancelRequest to the server as it came, and waits until the server has seen it: it
/// closes the connection without an answer.
pub(crate) async fn forward(options: &Options, packet: &[u8]) {
    let send = async {
        let mut stream = options.server.connect().await?;
        stream.write_all(packet).await?;
        stream.shutdown().await?;
        let mut end = [0; 1];
        stream.read(&mut end).await
    };
    match tokio::time::timeout(options.connect_timeout, send).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a cancel request was not delivered"),
        Err(_) => tracing::debug!("a cancel request was not delivered in time"),
    }
}

/// Cancels what a session of ours runs for a client that has gone. Not waited for.
pub(crate) fn abandon(options: &Options, process: u32, key: &[u8]) {
    let packet = startup::cancel_request(process, key);
    let mut options = Options::new(options.server.clone());
    options.connect_timeout = Duration::from_secs(5);
    tokio::spawn(async move { forward(&options, &packet).await });
}
