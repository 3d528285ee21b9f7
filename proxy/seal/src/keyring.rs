//! Fernet keys: reading, naming and keeping them.
//!
//! A key is 32 random bytes in base64url: 16 that sign, 16 that encrypt. Everything that has to be
//! known *about* a key without knowing it is derived by HKDF-SHA256 (RFC 5869, no salt) from those
//! 32 bytes with an `info` of its own, so that it tells nothing about the key or about anything
//! else derived from it:
//!
//! | derived | `info` | bytes |
//! | --- | --- | --- |
//! | [`KeyId`] | `pgveil key id` | 4 |
//! | [`FernetKey::check_value`] | `pgveil key check value` | 16 |
//! | IV key of a deterministic domain | `pgveil deterministic iv`, a zero byte, the domain | 32 |
//! | fold key of a deterministic domain | `pgveil fold handle`, a zero byte, the fold, a zero byte, the domain | 32 |

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::fold::Fold;

const KEY_BYTES: usize = 32;

/// A key file has a handful of keys of 44 characters; whatever is longer is some other file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Padding and unused last bits are ignored as other implementations do, so that a key which they
/// accept is accepted here.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The short public name of a Fernet key: eight hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        // `from_str_radix` would also take a sign.
        if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(KeyIdError);
        }
        u32::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| KeyIdError)
    }
}

/// The text is not the id of a Fernet key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a Fernet key is eight hexadecimal digits")]
pub struct KeyIdError;

/// Why a text is not a Fernet key. No variant carries any of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing but white space.
    #[error("the Fernet key is empty")]
    Empty,
    /// `+` or `/` in it.
    #[error("the Fernet key is in standard base64, not in base64url")]
    StandardBase64,
    /// Anything else that does not decode.
    #[error("the Fernet key is not base64url")]
    NotBase64,
    /// Decodes to something else than 32 bytes.
    #[error("the Fernet key has {bytes} bytes instead of {KEY_BYTES}")]
    Length {
        /// Bytes after decoding.
        bytes: usize,
    },
}

impl KeyError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::StandardBase64 => {
                "Write \"-\" for \"+\" and \"_\" for \"/\": it is the same key."
            }
            Self::Empty | Self::NotBase64 | Self::Length { .. } => {
                "A Fernet key is 32 random bytes in base64url, 44 characters; \
                 \"pgveil keygen\" prints a new one."
            }
        }
    }
}

/// One Fernet key. Its bytes stay in one place on the heap, are erased when it is dropped, and are
/// seen by this crate alone: the type prints its id only, and can be neither copied nor written.
///
/// ```compile_fail,E0599
/// let key = pgveil_seal::FernetKey::generate();
/// let copy = key.clone();
/// ```
pub struct FernetKey {
    bytes: Box<Zeroizing<[u8; KEY_BYTES]>>,
    id: KeyId,
}

impl FernetKey {
    /// A new random key. Use [`keygen`] for one that is to be kept.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes.
    pub fn generate() -> Self {
        // Cannot fail: `keygen` writes 32 bytes in the form that `parse` reads.
        Self::parse(&keygen()).expect("a generated Fernet key")
    }

    /// Reads a key from base64url, with or without padding, ignoring white space around it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
        let length = KEY_BASE64.decode_slice(text, decoded.as_mut_slice()).map_err(|_| {
            let standard = text.contains(['+', '/']);
            if standard { KeyError::StandardBase64 } else { KeyError::NotBase64 }
        })?;
        if length != KEY_BYTES {
            return Err(KeyError::Length { bytes: length });
        }
        let mut bytes = Box::new(Zeroizing::new([0; KEY_BYTES]));
        bytes.copy_from_slice(&decoded[..KEY_BYTES]);
        let mut id = [0; 4];
        derive(&bytes, &[b"pgveil key id"], &mut id);
        Ok(Self { bytes, id: KeyId(id) })
    }

    /// The public name of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key check value: 32 hexadecimal digits that only this key has. Stored beside the id of
    /// the key that a column is pinned to, it tells a key of the same id from the same key.
    pub fn check_value(&self) -> String {
        let mut check = [0; 16];
        derive(&self.bytes, &[b"pgveil key check value"], &mut check);
        format!("{:032x}", u128::from_be_bytes(check))
    }

    /// The key that makes the IVs of one deterministic domain.
    pub(crate) fn iv_key(&self, domain: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        derive(&self.bytes, &[b"pgveil deterministic iv\0", domain.as_bytes()], &mut *key);
        key
    }

    /// The key that makes the fold handles of one deterministic domain.
    pub(crate) fn fold_key(&self, fold: Fold, domain: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let fold = fold.as_str().as_bytes();
        let info: [&[u8]; 4] = [b"pgveil fold handle\0", fold, b"\0", domain.as_bytes()];
        derive(&self.bytes, &info, &mut *key);
        key
    }

    pub(crate) fn signing_key(&self) -> &[u8; 16] {
        &self.bytes.as_chunks().0[0]
    }

    pub(crate) fn encryption_key(&self) -> &[u8; 16] {
        &self.bytes.as_chunks().0[1]
    }
}

impl fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FernetKey({})", self.id)
    }
}

/// HKDF-SHA256 without a salt; `info` is given in pieces.
fn derive(key: &[u8; KEY_BYTES], info: &[&[u8]], out: &mut [u8]) {
    Hkdf::<Sha256>::new(None, key)
        .expand_multi_info(info, out)
        // Cannot fail: the limit is 255 times 32 bytes, and the callers in this file ask for
        // 32 at the most.
        .expect("a length that HKDF can give");
}

/// A new Fernet key as text, to be printed once and kept by its owner.
///
/// # Panics
///
/// If the operating system has no random bytes.
pub fn keygen() -> Zeroizing<String> {
    Zeroizing::new(fernet::Fernet::generate_key())
}

/// The Fernet keys of a proxy: the first one seals, all of them open.
pub struct Keyring {
    /// At least one; no two of the same id.
    keys: Vec<FernetKey>,
}

impl Keyring {
    /// Reads keys separated by commas; white space and line ends around each are ignored.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        if text.trim().is_empty() {
            return Err(KeyringError::Empty);
        }
        let mut keys: Vec<FernetKey> = Vec::new();
        for (index, item) in text.split(',').enumerate() {
            let position = index + 1;
            let key =
                FernetKey::parse(item).map_err(|source| KeyringError::Key { position, source })?;
            if let Some(first) = keys.iter().position(|other| other.id == key.id) {
                return Err(KeyringError::Duplicate { first: first + 1, position, id: key.id });
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// Reads the keyring from an environment variable.
    pub fn from_env(variable: &str) -> Result<Self, KeyringError> {
        let named = || variable.to_owned();
        let value = std::env::var_os(variable)
            .ok_or_else(|| KeyringError::NoVariable { variable: named() })?;
        let text = value
            .into_string()
            .map(Zeroizing::new)
            .map_err(|_| KeyringError::VariableNotText { variable: named() })?;
        Self::parse(&text)
    }

    /// Reads the keyring from a file.
    pub fn from_file(path: &Path) -> Result<Self, KeyringError> {
        let failed = |source| KeyringError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        // Room for all of it from the start: a buffer that grew would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(1 + 64 * 1024));
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(KeyringError::FileTooLong { path: path.to_owned() });
        }
        Self::parse(&text)
    }

    /// The key that seals randomized columns, and deterministic ones when they are new.
    pub fn primary(&self) -> &FernetKey {
        &self.keys[0]
    }

    /// The key of this id.
    pub fn get(&self, id: &KeyId) -> Option<&FernetKey> {
        self.keys.iter().find(|key| key.id == *id)
    }

    /// The ids of all keys, the primary first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().map(FernetKey::id)
    }

    pub(crate) fn keys(&self) -> &[FernetKey] {
        &self.keys
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")?;
        f.debug_list().entries(self.ids().map(|id| format_args!("{id}").to_string())).finish()
    }
}

/// Why there is no keyring. No variant carries any of the keys' text.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Nothing but white space.
    #[error("there is no Fernet key in the keyring")]
    Empty,
    /// One of the keys cannot be read.
    #[error("key {position} of the keyring: {source}")]
    Key {
        /// Counts from 1.
        position: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The same key twice, or two keys that happen to have one id.
    #[error("keys {first} and {position} of the keyring have the same id {id}")]
    Duplicate {
        /// The earlier one, counted from 1.
        first: usize,
        /// The later one, counted from 1.
        position: usize,
        /// What both are called.
        id: KeyId,
    },
    /// The environment variable is not set.
    #[error("the environment variable {variable} is not set")]
    NoVariable {
        /// Its name.
        variable: String,
    },
    /// The environment variable has bytes that are not UTF-8.
    #[error("the environment variable {variable} is not text")]
    VariableNotText {
        /// Its name.
        variable: String,
    },
    /// The file cannot be read, or is not text.
    #[error("the key file {} cannot be read: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is longer than any keyring.
    #[error("{} is longer than {MAX_FILE_BYTES} bytes: not a key file", path.display())]
    FileTooLong {
        /// Its path.
        path: PathBuf,
    },
}

impl KeyringError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Key { source, .. } => source.hint(),
            Self::Duplicate { .. } => "List every key once, the one that seals first.",
            Self::Empty | Self::NoVariable { .. } => {
                "Give one or more Fernet keys separated by commas, the one that seals first; \
                 \"pgveil keygen\" prints a new one."
            }
            Self::VariableNotText { .. } | Self::File { .. } | Self::FileTooLong { .. } => {
                "A keyring is text: Fernet keys in base64url separated by commas."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0 to 31.
    const COUNTING: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    #[test]
    fn reads_a_key_with_and_without_padding_and_space() {
        let id = FernetKey::parse(COUNTING).unwrap().id();
        for text in [COUNTING.trim_end_matches('='), &format!(" \r\n{COUNTING}\n")] {
            assert_eq!(FernetKey::parse(text).unwrap().id(), id);
        }
        assert_ne!(FernetKey::parse(OTHER).unwrap().id(), id);
    }

    #[test]
    fn says_what_is_wrong_with_a_key_without_showing_it() {
        let standard = OTHER.replace('_', "/").replace('-', "+");
        let cases = [
            ("", KeyError::Empty),
            (" \n", KeyError::Empty),
            (standard.as_str(), KeyError::StandardBase64),
            ("secret secret", KeyError::NotBase64),
            ("c2VjcmV0", KeyError::Length { bytes: 6 }),
            (&COUNTING[..42], KeyError::Length { bytes: 31 }),
            (&COUNTING[..41], KeyError::NotBase64),
        ];
        for (text, error) in cases {
            let got = FernetKey::parse(text).unwrap_err();
            assert_eq!(got, error, "{text}");
            assert!(!got.hint().is_empty());
            assert!(text.trim().is_empty() || !format!("{got:?} {got}").contains(text));
        }
    }

    /// The derivations are part of what is stored in databases: they must never change.
    #[test]
    fn ids_and_check_values_are_stable() {
        let key = FernetKey::parse(COUNTING).unwrap();
        assert_eq!(key.id().to_string(), "0030dd93");
        assert_eq!(key.check_value(), "f268368311290768fc978a637ae1fc0d");
        assert_eq!(
            *key.iv_key("email"),
            hex32("f84a920959e8f3c5ec5c353785f71b046e87314bd813cb230dd3a155efb49a46")
        );
    }

    fn hex32(hex: &str) -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    #[test]
    fn a_key_id_reads_what_it_prints() {
        let id = FernetKey::generate().id();
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "1234567", "123456789", "+1234567", "1234567g", "١٢٣٤"] {
            assert_eq!(wrong.parse::<KeyId>(), Err(KeyIdError), "{wrong}");
        }
    }

    #[test]
    fn the_first_key_of_a_keyring_is_the_primary() {
        let ring = Keyring::parse(&format!(" {OTHER},\n{COUNTING}\n")).unwrap();
        let other = FernetKey::parse(OTHER).unwrap();
        let counting = FernetKey::parse(COUNTING).unwrap();
        assert_eq!(ring.primary().id(), other.id());
        assert_eq!(ring.ids().collect::<Vec<_>>(), [other.id(), counting.id()]);
        assert_eq!(ring.get(&counting.id()).unwrap().check_value(), counting.check_value());
        assert!(ring.get(&FernetKey::generate().id()).is_none());
    }

    #[test]
    fn a_keyring_names_the_key_that_is_wrong() {
        let message = |text: &str| Keyring::parse(text).unwrap_err().to_string();
        assert_eq!(message(" \n"), "there is no Fernet key in the keyring");
        assert_eq!(message(&format!("{OTHER},")), "key 2 of the keyring: the Fernet key is empty");
        assert_eq!(
            message(&format!("{OTHER},c2VjcmV0")),
            "key 2 of the keyring: the Fernet key has 6 bytes instead of 32"
        );
        let id = FernetKey::parse(OTHER).unwrap().id();
        assert_eq!(
            message(&format!("{OTHER},{COUNTING},{OTHER}")),
            format!("keys 1 and 3 of the keyring have the same id {id}")
        );
    }

    #[test]
    fn a_keyring_from_a_file_or_the_environment() {
        let path = std::env::temp_dir().join(format!("pgveil-keyring-{}", std::process::id()));
        std::fs::write(&path, format!("{OTHER},{COUNTING}\n")).unwrap();
        let read = Keyring::from_file(&path).map(|ring| ring.ids().count());
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        let long = Keyring::from_file(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read.unwrap(), 2);
        assert!(matches!(long, Err(KeyringError::FileTooLong { .. })));
        assert!(matches!(Keyring::from_file(&path), Err(KeyringError::File { .. })));

        let unset = Keyring::from_env("PGVEIL_NO_SUCH_VARIABLE").unwrap_err();
        assert!(unset.to_string().contains("PGVEIL_NO_SUCH_VARIABLE"));
    }
}
