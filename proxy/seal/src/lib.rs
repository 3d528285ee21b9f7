//! Keyrings, Fernet tokens and the logical types that are sealed.

#![forbid(unsafe_code)]

mod arrays;
mod keyring;
mod opener;
mod sealer;
mod token;
mod types;
mod values;

pub use arrays::{ArrayError, MapError, map_binary_array, map_text_array};
pub use keyring::{FernetKey, KeyError, KeyId, KeyIdError, Keyring, KeyringError, keygen};
pub use opener::{OpenError, Opener};
pub use sealer::{SealError, Sealer};
pub use token::{MIN_TOKEN_LEN, TOKEN_PREFIX, handle, looks_like_token, token_len};
pub use types::{LogicalType, Mode};
pub use values::{ValueError, check_text};
