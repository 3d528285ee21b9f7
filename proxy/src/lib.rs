//! The `pgveil` binary as a library: command line, configuration and the wiring of the crates
//! that do the work. Nothing here knows how any of it is done.

pub mod check;
pub mod cli;
pub mod config;
mod database;
pub mod decrypt;
pub mod demo;
pub mod explain;
pub mod failure;
pub mod keygen;
pub mod listen;
pub mod log;
pub mod migrate;
pub mod serve;
pub mod wiring;
