//! Keyrings, Fernet tokens and the logical types that are sealed.

mod types;

pub use types::{LogicalType, Mode};
