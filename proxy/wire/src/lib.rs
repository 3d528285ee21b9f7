//! PostgreSQL's frontend/backend protocol 3 as slices and values: no I/O, no SQL, no keys.
//!
//! Three layers, none of which copies what it only looks at:
//!
//! - [`frame`]: where one message ends and the next begins. Only headers are read, so a run of
//!   frames that nobody has business with can be forwarded as one slice.
//! - [`startup`]: the packets before authentication, which have no type byte.
//! - [`frontend`] and [`backend`]: borrowing decoders of the messages that a proxy changes, and
//!   writers that append to a reusable `Vec`.
//!
//! Text stays bytes. A statement, a name or a parameter is in the client's encoding, which need
//! not be UTF-8; decoding it lossily would corrupt what is only passed on.
//!
//! Source: PostgreSQL documentation, "Frontend/Backend Protocol", chapters "Message Flow" and
//! "Message Formats".

#![forbid(unsafe_code)]

pub mod backend;
pub mod copy;
mod decode;
pub mod frame;
pub mod frontend;
#[doc(hidden)]
pub mod fuzz;
pub mod row;
pub mod startup;
pub mod write;

pub use decode::DecodeError;
