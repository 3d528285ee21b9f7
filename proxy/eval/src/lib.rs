//! PostgreSQL's semantics for text, on plain values: what the server would answer for an
//! expression over a value that it only holds a token of. Pure; knows no SQL text, no wire and no
//! keys.
//!
//! A database has encoding UTF8 here, so values are `&str`. Positions and lengths count
//! characters, which are code points.
//!
//! # Exact or refused
//!
//! Every function here gives what the server gives, or [`EvalError`] with the server's SQLSTATE,
//! or [`EvalError::Unsupported`]. Nothing is approximated: case mapping and order are not Rust's
//! but those of the C library that the server uses as well, one code point at a time
//! (`towupper_l`, `strcoll_l`), because Rust's full mappings differ at over a hundred code points
//! and no crate knows the order of a glibc locale. ICU, collations that are not deterministic and
//! the case mapping of the builtin provider are refused.
//!
//! The proxy's C library may be another than the server's. [`selftest`] compares the two by
//! answers, and [`Collation::version`] by number.
//!
//! # Parts
//!
//! - [`Collation`]: order and case mapping;
//! - [`like`], [`text`], [`character`]: patterns, functions, `character(n)` and `varchar(n)`;
//! - [`Expr`] and [`Program`]: expressions over the columns of a row.

pub mod character;
mod collation;
mod error;
mod expr;
pub mod like;
mod locale;
mod program;
pub mod selftest;
pub mod text;
mod value;

pub use collation::{Collation, Definition, Provider};
pub use error::{BuildError, EvalError};
pub use expr::{Cast, Comparison, Expr, Function, Type};
pub use program::{Partition, Program};
pub use value::Value;
