//! A private PostgreSQL server for the demo, the tests and the evaluator.
//!
//! [`Binaries`] finds the programs, or fetches them; a [`Cluster`] is one running server with a
//! data directory of its own. Everything is synchronous and needs nothing but `std` and a POSIX
//! shell.
//!
//! ```no_run
//! # fn main() -> Result<(), pgveil_sandbox::SandboxError> {
//! let cluster = pgveil_sandbox::Cluster::builder().setting("fsync", "off").start()?;
//! cluster.create_database("shop")?;
//! println!("psql '{}'", cluster.dsn("shop"));
//! # Ok(())
//! # }
//! ```
//!
//! # A server that cannot outlive its owner
//!
//! The server runs under a shell of ours (`supervise.sh`) that holds one end of a pipe. When the
//! owner drops the [`Cluster`], exits without dropping it (a `static` in a test binary) or is
//! killed, the pipe closes; the shell then stops the server at once and removes its directory.
//! `PR_SET_PDEATHSIG` was the alternative: it is Linux only, bound to the *thread* that spawned the
//! server, needs unsafe code between `fork` and `exec`, and leaves the directory behind.
//! Shell and server are in a process group of their own, so that a Ctrl-C in a terminal reaches
//! the owner, which decides.
//!
//! # Root
//!
//! PostgreSQL refuses to run as root. Started by root, the server runs as `postgres`, else
//! `nobody`, when that user can reach the programs and the directory, else inside a user namespace
//! in which root has another number; see [`Binaries`] for where the choice can be read.

mod account;
mod binaries;
mod client;
mod cluster;
mod error;
mod template;
mod wheel;

pub use binaries::{Binaries, Source};
pub use client::{Connection, Row};
pub use cluster::{Auth, Cluster, ClusterBuilder};
pub use error::{SandboxError, ServerError};
