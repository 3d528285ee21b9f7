//! End-to-end tests: one binary, so that one server serves them all.

// Panicking is how a test fails, in its helpers as well.
#![allow(clippy::unwrap_used)]

mod auth;
mod bad_input;
mod bad_policy;
#[path = "../clients/main.rs"]
mod clients;
mod computing;
mod copying;
mod ddl;
mod existing;
mod generated;
mod harness;
mod introspection;
mod logged;
mod meanings;
mod partitions;
mod passing;
mod profile;
mod protocol;
mod psql;
mod renamed;
mod sample;
mod twins;
