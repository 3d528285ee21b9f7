//! Opening tokens.

use std::fmt;

use aes::Aes128Dec;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, InnerIvInit, KeyInit};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::keyring::{FernetKey, KeyId, Keyring};
use crate::sealer::hmac;
use crate::token::{BLOCK, CIPHERTEXT, IV, MAC, MIN_BYTES, VERSION};

/// Tokens are written with padding; one that lost it is the same token. The unused bits of the last
/// character must be zero, so that no character can be changed.
const TOKEN_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Opens tokens that were sealed under any key of a keyring. It keeps prepared keys, is shared
/// between threads as it is, and allocates nothing but the growth of the output.
pub struct Opener {
    /// The primary first: it sealed most of what is to be opened. Boxed, as in the sealer.
    keys: Box<[Prepared]>,
}

struct Prepared {
    id: KeyId,
    signing: Hmac<Sha256>,
    encryption: Aes128Dec,
}

impl Opener {
    /// An opener for all keys of the keyring.
    pub fn new(keyring: &Keyring) -> Self {
        let prepare = |key: &FernetKey| Prepared {
            id: key.id(),
            signing: hmac(key.signing_key()),
            encryption: Aes128Dec::new(key.encryption_key().into()),
        };
        Self { keys: keyring.keys().iter().map(prepare).collect() }
    }

    /// Appends the value in `token` to `out` and says which key opened it. On an error `out` is as
    /// it was.
    ///
    /// The token is decoded and decrypted in the spare room of `out`, and decrypted only when its
    /// HMAC has been found right, which is compared in constant time. Its age does not matter, nor
    /// does a creation time in the future: a value that was sealed on a machine whose clock is
    /// ahead must not become unreadable.
    pub fn open_into(&self, token: &[u8], out: &mut Vec<u8>) -> Result<KeyId, OpenError> {
        let start = out.len();
        match self.open_in_place(token, out, start) {
            Ok((id, length)) => {
                out.copy_within(start + CIPHERTEXT..start + CIPHERTEXT + length, start);
                out.truncate(start + length);
                Ok(id)
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Whether the value is itself a token of this keyring: one that somebody read without opening
    /// it and now writes back. Sealing it again would hide the true value behind two seals, so the
    /// caller refuses it.
    pub fn is_own_token(&self, value: &[u8]) -> bool {
        // A copied token often comes with white space.
        let value = value.trim_ascii();
        // An ordinary value is told by its first byte, nothing is allocated for it.
        let mut scratch = Vec::new();
        decode(value, &mut scratch, 0).is_ok() && self.key_of(&scratch).is_some()
    }

    /// Leaves the value behind the header at `start`, and gives its length.
    fn open_in_place(
        &self,
        token: &[u8],
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<(KeyId, usize), OpenError> {
        decode(token, out, start)?;
        let token = &mut out[start..];
        let key = self.key_of(token).ok_or(OpenError::UnknownKey)?;
        let iv: [u8; BLOCK] = std::array::from_fn(|i| token[IV.start + i]);
        let end = token.len() - MAC;
        let ciphertext = &mut token[CIPHERTEXT..end];
        let opened = cbc::Decryptor::<&Aes128Dec>::inner_iv_init(&key.encryption, &iv.into())
            .decrypt_padded::<Pkcs7>(ciphertext)
            .map(<[u8]>::len);
        opened.map(|length| (key.id, length)).map_err(|_| {
            ciphertext.zeroize();
            OpenError::Padding { key: key.id }
        })
    }

    /// The key under which the decoded token is signed.
    fn key_of(&self, token: &[u8]) -> Option<&Prepared> {
        let (signed, mac) = token.split_last_chunk::<MAC>()?;
        self.keys
            .iter()
            .find(|key| key.signing.clone().chain_update(signed).verify_slice(mac).is_ok())
    }
}

/// Decodes the text of a token to `out` from `start` on, and checks what needs no key.
fn decode(text: &[u8], out: &mut Vec<u8>, start: usize) -> Result<(), OpenError> {
    // The version's upper six bits: tells most other texts before anything is done with them.
    if text.first() != Some(&b'g') {
        return Err(OpenError::NotAToken);
    }
    out.resize(start + base64::decoded_len_estimate(text.len()), 0);
    let length =
        TOKEN_BASE64.decode_slice(text, &mut out[start..]).map_err(|_| OpenError::NotAToken)?;
    out.truncate(start + length);
    let whole_blocks = length >= MIN_BYTES && (length - CIPHERTEXT - MAC).is_multiple_of(BLOCK);
    if !whole_blocks || out[start] != VERSION {
        return Err(OpenError::NotAToken);
    }
    Ok(())
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")?;
        f.debug_list().entries(self.keys.iter().map(|key| key.id.to_string())).finish()
    }
}

/// Why a token does not open. No variant carries anything of the token or its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not base64url, not version 0x80, or not a length that a token has.
    #[error("not a Fernet token")]
    NotAToken,
    /// Signed under no key of the keyring. A key that is missing and a token that was altered
    /// cannot be told apart.
    #[error("no key of the keyring opens this token: it was sealed under another key, or altered")]
    UnknownKey,
    /// Rightly signed, but made by something that does not pad as the specification says.
    #[error("the token is signed under key {key} but its padding is malformed")]
    Padding {
        /// The key that signed it.
        key: KeyId,
    },
}
