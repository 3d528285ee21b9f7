//! The harness of the end-to-end tests.
//!
//! A test has a [`Database`] of its own on a [`Server`] that its test binary has started, a proxy,
//! and between the two a [`Relay`] that keeps every byte. [`Canaries`] are searched in all that
//! reached the database, its log and its files when the test ends; a test cannot forget it.
//!
//! A [`Site`] is all of these together, so that a test is about five lines:
//!
//! ```no_run
//! # use pgveil_tests::{Site, server};
//! # let (schema, config) = ("CREATE TABLE t (id int PRIMARY KEY, email text)", serde_json::json!({}));
//! let site = Site::new(server(), "name", schema, &config).guarding(&["ada@canary.example"]);
//! let mut client = site.connect();
//! client.run("INSERT INTO t VALUES (1, 'ada@canary.example')");
//! assert_eq!(client.run("SELECT email FROM t").value(), "ada@canary.example");
//! ```
//!
//! The [`twin`] test runs files of SQL statements on a plain database and through pgveil on a
//! protected one, and compares everything a client can see.
//!
//! [`Client`] shows every field of every message: nothing is hidden by a driver.

// Panicking is how a test fails.
#![allow(clippy::missing_panics_doc)]

mod canary;
mod client;
mod database;
pub mod generate;
mod relay;
pub mod site;
pub mod twin;

pub use canary::{Canaries, Finding};
pub use client::{
    Batch, Client, Column, Fields, Format, Message, Outcome, Reply, cancel_request, startup,
};
pub use database::{Database, ROLE, Server, server, servers};
pub use relay::{Relay, Tape};
pub use site::{Site, Veil};
