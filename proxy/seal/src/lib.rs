//! Keyrings, Fernet tokens, and the logical types that are sealed.
//!
//! This is the one crate that sees the bytes of a key. It knows nothing of SQL or of the wire.
//!
//! # Tokens
//!
//! Every protected value is stored as a token of the Fernet specification, version 0x80: AES-128 in
//! CBC mode under one half of the key, HMAC-SHA256 over everything under the other half. Nothing is
//! added to the format, so whoever has the key can read the database with any implementation of
//! Fernet, and without this program. What the format lacks is lacking here too: a token says neither
//! which key made it nor which row it belongs to (moved to another row it still opens), and its
//! length shows that of the value in steps of 16 bytes.
//!
//! # Two modes
//!
//! A **randomized** token ([`Sealer::randomized`]) is an ordinary one: a random IV and the time of
//! its creation. It shows length and time, and no two are equal.
//!
//! A **deterministic** token ([`Sealer::deterministic`]) is a function of key, domain and value, so
//! that the server can compare, join, group and index what it cannot read:
//!
//! ```text
//! IV key    = HKDF-SHA256(Fernet key, no salt, info = "pgveil deterministic iv" 0x00 domain)
//! IV        = first 16 bytes of HMAC-SHA256(IV key, value)
//! timestamp = 0
//! ```
//!
//! This is the idea of SIV (RFC 5297) carried over to Fernet's own fields: the IV is a keyed digest
//! of the value, so it repeats exactly where the value does, and to everybody without the key it is
//! as good as random otherwise. Why this, and not AES-SIV or a digest in a second column: the format
//! stays one that everybody can open; there is one value to keep, not two that can disagree; and
//! equality of tokens *is* equality of values, up to two values that collide in 128 bits of HMAC. The IV
//! key is derived (RFC 5869) for each domain, so the same value in two domains has unrelated
//! tokens, and neither half of the Fernet key is used for anything but what the specification
//! uses it for.
//!
//! It shows which rows share a value, and so how often each value occurs, and its length in steps
//! of 16 bytes; not when it was written. It is meant for values that are mostly different, such as
//! addresses; where there are few different ones, how often each occurs may be enough to guess it.
//!
//! **`ttl` and deterministic tokens.** Their timestamp is 1 January 1970: an implementation that is
//! asked for a maximum age (`decrypt(token, ttl=...)`) refuses them as expired. They have to be
//! opened without one.
//!
//! # Fold handles
//!
//! Applications look addresses up by `lower(email) = lower($1)` and keep them unique by
//! `lower(email)`. A deterministic column may be declared with a [`Fold`] for that
//! ([`Sealer::folded`]); its tokens are made with another IV:
//!
//! ```text
//! fold key  = HKDF-SHA256(Fernet key, no salt,
//!                         info = "pgveil fold handle" 0x00 "lower" or "upper" 0x00 domain)
//! IV        = first 9 bytes of HMAC-SHA256(fold key, folded value)
//!             then first 7 bytes of HMAC-SHA256(IV key, value)
//! ```
//!
//! They are ordinary deterministic tokens, equal where the values are. Besides, the first 9 bytes
//! of the IV, which are exactly the characters 13 to 24 of the text, are equal where the *folded*
//! values are: the server compares, indexes, joins and groups `substr(email, 13, 12)` in place of
//! `lower(email)` ([`fold_handle`]; [`Sealer::fold_handle_into`] makes what it is compared with).
//!
//! How sure that is: two different folded values share the 72 bits with a chance of 2⁻⁷², so among
//! n of them some two do with a chance of about n² / 2⁷³: 10⁻¹⁰ for a million, 10⁻⁴ for a thousand
//! million. A unique index would then refuse the second one; a look-up would find both. Tokens
//! themselves cannot be mistaken, whatever the IV: they hold the value. The other 56 bits only
//! distinguish values that are the same but for case, of which there are few: a repeated IV among
//! them (chance m² / 2⁵⁷ for m of them) would show that they begin with the same blocks of 16
//! bytes.
//!
//! What it shows beyond other deterministic tokens: which rows share a value up to case, and so
//! that `Ann@example.org` and `ann@example.org` belong together. Sealing costs one more HMAC.
//!
//! # Keys
//!
//! A [`Keyring`] is a list of keys of which the first seals and all open. A [`KeyId`] names a key
//! in public, [`FernetKey::check_value`] proves that a key is the one that was meant. Key bytes lie
//! on the heap in one place each, and are erased on drop together with everything that is prepared
//! from them: AES key schedules, HMAC states. What a function held on its stack for a moment, and
//! the text in the environment of the process, are out of reach. No type prints, copies or
//! serialises a key, and no error carries any of a key's text or of a value (but see
//! [`ValueError`]).
//!
//! # Cost
//!
//! [`Sealer`] and [`Opener`] keep prepared keys and work in the caller's buffer. For a value of 30
//! bytes, in parts of the time that the `fernet` crate takes for the same with the same primitives
//! (`cargo bench -p pgveil-seal`; processor with AES and SHA instructions):
//!
//! | | part of the crate's time |
//! | --- | --- |
//! | seal, deterministic | 0.4 to 0.5 |
//! | seal, randomized | 0.4 |
//! | open, under the primary key | 0.45 |
//! | open, for each further key that has to be tried | 0.3 more |
//! | find that an ordinary value is no token of ours | 0.01 |
//!
//! Six tenths of opening are the three SHA-256 compressions of the HMAC. Erasing the HMAC states
//! that a call copies is a few hundredths of it.
//!
//! Sources: the Fernet specification (<https://github.com/fernet/spec>), RFC 5869 (HKDF), RFC 5297
//! (SIV), RFC 2104 (HMAC), RFC 4648 section 5 (base64url).

#![forbid(unsafe_code)]

mod arrays;
mod dump;
mod fold;
mod keyring;
mod opener;
mod rows;
mod sealer;
mod token;
mod types;
mod values;

pub use arrays::{ArrayError, MapError, map_binary_array, map_text_array};
pub use dump::{Context, Summary, Tally, open_text};
pub use fold::{CaseMap, CaseMapError, Fold};
pub use keyring::{FernetKey, KeyError, KeyId, KeyIdError, Keyring, KeyringError, keygen};
pub use opener::{OpenError, Opener};
pub use rows::{Field, RowShape, map_row};
pub use sealer::{SealError, Sealer};
pub use token::{
    FOLD_HANDLE_AT, FOLD_HANDLE_LEN, MIN_TOKEN_LEN, TOKEN_PREFIX, fold_handle, handle,
    looks_like_token, token_len,
};
pub use types::{LogicalType, Mode};
pub use values::{ValueError, check_text};
