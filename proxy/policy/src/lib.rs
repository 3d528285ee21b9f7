//! The wasmtime host that asks policies what a session may see.
//!
//! A policy decides, the host acts. The host has no table, column or rule of its own: what is
//! protected comes from what policies *declare*, and before a statement that touches a protected
//! table runs, its policy *reviews* it. A policy gets names and how they are used (the verb, the
//! tables, the columns, whether a column is shown, compared, grouped, written or only tested). It
//! never gets a value, a token or a key; it names keyrings, and the host uses them.
//!
//! # The contract
//!
//! `plugins/wit/policy.wit`, package `pgveil:policy@0.1.0`. A policy exports `rules` (`declare`,
//! `review`) and may import `logging`; nothing else exists for it, not even a clock, so the same
//! configuration gives the same declaration and the same facts the same verdict. A file is
//! either a component or a core module with the contract in a custom section, which is what
//! `wit-bindgen` builds for `wasm32-unknown-unknown`; [`Engine::load`] makes a component of it.
//!
//! Transforming cells in the policy and allowing computation column by column are not part of
//! version 0.1.0.
//!
//! # What the host adds
//!
//! - **It checks declarations itself** ([`PolicyError::BadDeclaration`]): names that PostgreSQL
//!   cannot have, columns or tables declared twice, tables of `pg_catalog` or `pgveil`, a domain
//!   on a randomized column, a profile whose copies name columns that are not protected, that
//!   receives a copy in its link or in a protected column, or that two tables share. A
//!   deterministic column without a domain gets `schema.table.column`; name one where the table
//!   may be renamed or columns are compared.
//! - **A verdict is complete or it is an error** ([`PolicyError::BadAnswer`]): every column in
//!   the facts is decided once. A forgotten column could be withheld instead, but the client
//!   would then read NULL and nobody would learn of the mistake.
//! - **Text of a policy's is cleaned**: control characters become blanks, long texts are cut, so
//!   that none forges a line of the log or ends a field of the wire protocol.
//! - **Several policies** ([`Policies`]): a table belongs to one; each is asked about its own
//!   tables and does not see the others; one denial denies.
//! - **Verdicts are kept** by [`Reviewer`], for one session's facts; failures are not.
//!
//! # Limits
//!
//! | what | limit | beyond it |
//! | --- | --- | --- |
//! | linear memory of an instance | [`Limits::memory`], 16 MiB | [`PolicyError::OutOfMemory`] |
//! | starting and `declare` | [`Limits::declare`], 100 ms of CPU time | [`PolicyError::TimedOut`] |
//! | `review` | [`Limits::review`], 20 ms of CPU time | [`PolicyError::TimedOut`] |
//! | instances of all policies | [`Limits::instances`], 10,000 | [`PolicyError::Exhausted`] |
//! | bytes handed to the host in a call | 4 MiB | [`PolicyError::BadAnswer`] |
//! | stack | wasmtime's 512 KiB | [`PolicyError::Trapped`] |
//! | lines logged in a call | 32, of 1,000 characters | dropped |
//!
//! Deadlines are wasmtime's epochs with a tick of 2 ms, and CPU time is counted from the first
//! tick, so that a busy machine does not refuse statements; a loop ends within two ticks of its
//! limit. The thread that advances the epoch sleeps while nothing runs. [`Instance::review`]
//! blocks its thread for that long at worst.
//!
//! A failure refuses the statement that was reviewed and nothing else: the instance is thrown
//! away, the next call meets a fresh one, and other instances do not notice.
//!
//! # Figures
//!
//! `cargo bench -p pgveil-policy`, the committed `user-profile` (97 KB) with five columns and one
//! rule, release build, two shared cores:
//!
//! | what | time |
//! | --- | --- |
//! | load: compile, configure, check | 180 ms |
//! | fresh instance, configured | 47 µs |
//! | review of five columns | 3.3 µs |
//! | verdict that is kept | 0.15 µs |
//!
//! Four fifths of a fresh instance are `declare`: reading JSON in memory that is touched for the
//! first time. So [`Reviewer`] makes an instance when a connection first names a protected table,
//! and not before. Clearing the first 256 KiB of a memory instead of giving it back to the system
//! saves a quarter of that time.

mod bindings;
mod declaration;
mod engine;
mod error;
mod guest;
mod mask;
mod policy;
mod reviewer;
mod ticker;
mod verdict;

pub use declaration::merge;
pub use engine::{Engine, Limits};
pub use error::{Mistake, PolicyError};
pub use mask::Mask;
pub use policy::{Instance, Policy};
pub use reviewer::{Policies, Reviewer};
pub use verdict::{Reveal, SessionFacts, Verdict};
