//! Sets `tracing` up: what is logged, and how a line looks.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};
use crate::failure::Failure;

/// Overrides `[log] filter`.
pub const FILTER_ENV: &str = "PGVEIL_LOG";

/// Starts logging to standard error.
///
/// Only `tracing` is listened to, not the `log` crate: `tokio-postgres` writes the text of
/// statements there, at level debug, with values in it.
pub fn start(config: &LogConfig) -> Result<(), Failure> {
    let filter = match std::env::var(FILTER_ENV) {
        Ok(directives) if !directives.is_empty() => {
            EnvFilter::try_new(&directives).map_err(|error| {
                Failure::new(format!("{FILTER_ENV} is not a list of log directives: {error}"))
                    .hint("it must be like \"info\" or \"info,pgveil_session=debug\"")
                    .usage()
            })?
        }
        _ => EnvFilter::try_new(&config.filter)
            .map_err(|error| Failure::new(format!("[log] filter: {error}")).usage())?,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let set = match config.format {
        LogFormat::Human => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    set.map_err(|error| Failure::new(format!("cannot start logging: {error}")))
}
