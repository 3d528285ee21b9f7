//! One client connection: the state machine that joins frames, analysis, policy and sealing.
//!
//! A session is one task that owns both sockets. What the client sends is read statement by
//! statement: a text that names nothing in scope passes as the bytes that came in; any other is
//! analysed (`pgveil-sql`), reviewed (`pgveil-policy`), and goes upstream with its values replaced
//! by tokens (`pgveil-seal`). What the server answers is matched, in order, to what was asked
//! ([`expectation`]), and its rows, descriptions and errors are put right on their way back.
//!
//! | module | owns |
//! | --- | --- |
//! | [`proxy`] | accepting, admission, shutdown |
//! | [`startup`], [`cancel`] | the packets before a session, authentication passed through |
//! | [`relay`] | a session with nothing to protect |
//! | [`session`] | the loop, and what is known of the server's side |
//! | [`simple`], [`extended`], [`params`] | the client's messages |
//! | [`responses`], [`output`], [`errors`] | the server's |
//! | [`referred`] | names that SQL gives: PREPARE, DECLARE |
//! | [`copying`] | the data of COPY |
//! | [`resolving`], [`dictionary`] | predicates that are decided on values |
//! | [`own_step`], [`refresh`], [`catalog_cache`] | queries of ours, and the catalog they read |
//! | [`review`], [`sealing`], [`own_command`] | policy, keys, `SHOW pgveil...` |
//!
//! # Refusals
//!
//! An error of ours must neither overtake answers under way nor leave the transaction in another
//! state than the client believes. So the server raises it: in the statement's place goes one that
//! parses and cannot be analysed, or a Bind to a statement that does not exist, and the error that
//! comes back is replaced by ours.

#![forbid(unsafe_code)]

mod address;
mod cancel;
mod catalog_cache;
mod copying;
mod dictionary;
mod errors;
mod expectation;
mod extended;
mod failures;
mod fold_details;
#[doc(hidden)]
pub mod measured;
mod names;
mod options;
mod output;
mod own_command;
mod own_step;
mod params;
mod peer;
mod prepared;
mod proxy;
mod referred;
mod refresh;
mod relay;
mod resolving;
mod responses;
mod review;
mod sealing;
mod session;
mod simple;
mod startup;
mod stream;

pub use address::{Address, AddressError};
pub use options::Options;
pub use proxy::{Listener, Proxy, ProxyError};
