//! End-to-end tests: one binary, so that one server serves them all.

// Panicking is how a test fails, in its helpers as well.
#![allow(clippy::unwrap_used)]

mod harness;
mod twins;
