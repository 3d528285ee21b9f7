//! Making tokens.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aes::Aes128Enc;
use aes::cipher::{Array, BlockModeEncrypt, InnerIvInit, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::fold::CaseMap;
use crate::keyring::{FernetKey, KeyId};
use crate::token::{
    BLOCK, CIPHERTEXT, FOLD_BYTES, FOLD_HANDLE_LEN, IV, MAC, TIMESTAMP, VERSION, token_len,
};
use crate::types::Mode;

/// Seals values under one Fernet key, in one mode. It keeps the prepared AES key schedule and HMAC
/// states, is shared between threads as it is, and allocates nothing but the growth of the output.
pub struct Sealer {
    key_id: KeyId,
    // Boxed so that moving the sealer leaves no copy of it behind; erased on drop by the
    // `zeroize` features of the crates that own the types.
    prepared: Box<Prepared>,
}

struct Prepared {
    signing: Hmac<Sha256>,
    encryption: Aes128Enc,
    iv: IvSource,
}

enum IvSource {
    /// HMAC under the IV key of the domain.
    Synthetic(Hmac<Sha256>),
    /// The same, behind the first bytes of that of the folded value.
    Folded {
        fold: Hmac<Sha256>,
        value: Hmac<Sha256>,
        map: Arc<CaseMap>,
    },
    Random,
}

/// Stands in front of what is compared with fold handles and is no value's fold. No token has it.
const UNFOLDED: u8 = b'!';

impl Sealer {
    /// A sealer whose tokens are equal where the values are, within one key and domain.
    pub fn deterministic(key: &FernetKey, domain: &str) -> Self {
        let iv_key = key.iv_key(domain);
        Self::new(key, IvSource::Synthetic(hmac(iv_key.as_slice())))
    }

    /// A deterministic sealer whose tokens also show, in the characters that are the *fold
    /// handle*, whether two values are the same but for case.
    pub fn folded(key: &FernetKey, domain: &str, map: Arc<CaseMap>) -> Self {
        let (fold, value) = (key.fold_key(map.fold(), domain), key.iv_key(domain));
        let (fold, value) = (hmac(fold.as_slice()), hmac(value.as_slice()));
        Self::new(key, IvSource::Folded { fold, value, map })
    }

    /// A sealer whose tokens are all different.
    pub fn randomized(key: &FernetKey) -> Self {
        Self::new(key, IvSource::Random)
    }

    fn new(key: &FernetKey, iv: IvSource) -> Self {
        Self {
            key_id: key.id(),
            prepared: Box::new(Prepared {
                signing: hmac(key.signing_key()),
                encryption: Aes128Enc::new(key.encryption_key().into()),
                iv,
            }),
        }
    }

    /// The key that it seals under.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Whether equal values have equal tokens.
    pub fn mode(&self) -> Mode {
        match self.prepared.iv {
            IvSource::Synthetic(_) | IvSource::Folded { .. } => Mode::Deterministic,
            IvSource::Random => Mode::Randomized,
        }
    }

    /// How it folds, if its tokens have fold handles.
    pub fn case_map(&self) -> Option<&CaseMap> {
        match &self.prepared.iv {
            IvSource::Folded { map, .. } => Some(map),
            IvSource::Synthetic(_) | IvSource::Random => None,
        }
    }

    /// Appends what stands for `text` where it is compared with fold handles: the handle that the
    /// tokens have of which it is the folded value, and for a text that is no value's fold
    /// something that no token has, and that no other text has. False, and nothing appended: the
    /// tokens have no fold handles.
    #[expect(clippy::missing_panics_doc, reason = "the room for the text is made above it")]
    pub fn fold_handle_into(&self, text: &str, out: &mut Vec<u8>) -> bool {
        let IvSource::Folded { fold, map, .. } = &self.prepared.iv else { return false };
        if matches!(map.apply(text), std::borrow::Cow::Owned(_)) {
            out.push(UNFOLDED);
        }
        let tag = fold.clone().chain_update(text).finalize().into_bytes();
        let start = out.len();
        out.resize(start + FOLD_HANDLE_LEN, 0);
        // Cannot fail: nine bytes are twelve characters.
        URL_SAFE
            .encode_slice(&tag[..FOLD_BYTES], &mut out[start..])
            .expect("room for the text of the handle");
        true
    }

    /// Appends the token of `value` to `out`. Only a randomized sealer can fail, and then `out` is
    /// as it was.
    ///
    /// The token is built in the spare room behind its own text, so `out` grows for a moment to
    /// about 1.75 times the token. No plaintext is left there.
    #[expect(clippy::missing_panics_doc, reason = "the room for the text is computed above it")]
    pub fn seal_into(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let (timestamp, iv) = match &self.prepared.iv {
            IvSource::Synthetic(iv_key) => {
                let tag = iv_key.clone().chain_update(value).finalize().into_bytes();
                (0, std::array::from_fn(|i| tag[i]))
            }
            IvSource::Folded { fold, value: iv_key, map } => {
                (0, folded_iv(fold.clone(), iv_key.clone(), map, value))
            }
            IvSource::Random => (now(), random_iv()?),
        };
        let padding = BLOCK - value.len() % BLOCK;
        let padded = CIPHERTEXT + value.len() + padding;
        let text_len = token_len(value.len());

        let start = out.len();
        out.resize(start + text_len + padded + MAC, 0);
        let (text, token) = out[start..].split_at_mut(text_len);
        token[0] = VERSION;
        token[TIMESTAMP].copy_from_slice(&u64::to_be_bytes(timestamp));
        token[IV].copy_from_slice(&iv);
        token[CIPHERTEXT..padded - padding].copy_from_slice(value);
        // PKCS #7: every byte of the padding is its length, 1 to 16.
        token[padded - padding..padded].fill(padding.to_le_bytes()[0]);
        let (blocks, _) = Array::slice_as_chunks_mut(&mut token[CIPHERTEXT..padded]);
        cbc::Encryptor::<&Aes128Enc>::inner_iv_init(&self.prepared.encryption, &iv.into())
            .encrypt_blocks(blocks);
        let (signed, mac) = token.split_at_mut(padded);
        let tag = self.prepared.signing.clone().chain_update(signed).finalize().into_bytes();
        mac.copy_from_slice(&tag);
        // Cannot fail: `token_len` is the length of this encoding, padding included.
        URL_SAFE.encode_slice(&*token, text).expect("room for the text of the token");
        out.truncate(start + text_len);
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({}, key {})", self.mode(), self.key_id)
    }
}

/// Why a value could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No token can be made without a random IV.
    #[error("the operating system gives no random bytes: {0}")]
    Randomness(getrandom::Error),
}

/// The HMAC state under a key.
pub(crate) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // Cannot fail: HMAC takes keys of any length.
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("an HMAC key")
}

/// The IV of a folded column's token. What is no text is its own fold.
fn folded_iv(
    mut fold: Hmac<Sha256>,
    iv_key: Hmac<Sha256>,
    map: &CaseMap,
    value: &[u8],
) -> [u8; BLOCK] {
    match std::str::from_utf8(value) {
        Ok(text) => {
            map.pieces(text, |piece| fold.update(piece));
        }
        Err(_) => fold.update(value),
    }
    let shared = fold.finalize().into_bytes();
    let own = iv_key.chain_update(value).finalize().into_bytes();
    std::array::from_fn(|i| if i < FOLD_BYTES { shared[i] } else { own[i - FOLD_BYTES] })
}

/// Seconds since 1970; a clock before that counts as 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Random bytes of the operating system, fetched 64 IVs at a time: one IV a system call costs more
/// than the whole rest of a token. They are public as soon as they are used.
struct RandomIvs {
    bytes: [u8; 64 * BLOCK],
    /// Where the unused ones begin; all are used at the end.
    next: usize,
}

thread_local! {
    static RANDOM_IVS: RefCell<RandomIvs> =
        const { RefCell::new(RandomIvs { bytes: [0; 64 * BLOCK], next: 64 * BLOCK }) };
}

fn random_iv() -> Result<[u8; BLOCK], SealError> {
    RANDOM_IVS.with_borrow_mut(|ivs| {
        if ivs.next == ivs.bytes.len() {
            getrandom::fill(&mut ivs.bytes).map_err(SealError::Randomness)?;
            ivs.next = 0;
        }
        let iv = std::array::from_fn(|i| ivs.bytes[ivs.next + i]);
        ivs.next += BLOCK;
        Ok(iv)
    })
}
