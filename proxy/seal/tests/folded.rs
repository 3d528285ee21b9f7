//! Tokens with fold handles.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fernet::Fernet;
use hmac::{Hmac, KeyInit, Mac};
use pgveil_seal::{
    CaseMap, FOLD_HANDLE_AT, FOLD_HANDLE_LEN, FernetKey, Fold, Keyring, Mode, Opener, Sealer,
    fold_handle, handle, looks_like_token, token_len,
};
use proptest::prelude::*;
use sha2::Sha256;

/// Bytes 0 to 31.
const COUNTING: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const UPPER_CASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÉİ\u{212a}\u{10400}";
const LOWER_CASE: &str = "abcdefghijklmnopqrstuvwxyzäöéik\u{10428}";

fn lower() -> Arc<CaseMap> {
    Arc::new(CaseMap::new(Fold::Lower, UPPER_CASE, LOWER_CASE).unwrap())
}

fn seal(sealer: &Sealer, value: &[u8]) -> String {
    let mut out = Vec::new();
    sealer.seal_into(value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn compared(sealer: &Sealer, text: &str) -> String {
    let mut out = Vec::new();
    assert!(sealer.fold_handle_into(text, &mut out));
    String::from_utf8(out).unwrap()
}

/// Texts that are often the same but for case.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[aAéÉkK\u{212a}]{0,4}", "[aAbB]{1,3}@[eE]x[ .]?", ".{0,40}"]
}

proptest! {
    #[test]
    fn equal_where_the_values_and_their_folds_are(
        bytes in any::<[u8; 32]>(), one in text(), two in text(),
    ) {
        let encoded = URL_SAFE.encode(bytes);
        let key = FernetKey::parse(&encoded).unwrap();
        let map = lower();
        let sealer = Sealer::folded(&key, "email", Arc::clone(&map));
        let (a, b) = (seal(&sealer, one.as_bytes()), seal(&sealer, two.as_bytes()));
        prop_assert_eq!(a == b, one == two);
        let same = map.apply(&one) == map.apply(&two);
        prop_assert_eq!(fold_handle(&a) == fold_handle(&b), same);
        // And so are they compared with values that are not stored.
        let with_folded = compared(&sealer, &map.apply(&two));
        prop_assert_eq!(fold_handle(&a).unwrap() == with_folded, same);
        prop_assert_eq!(fold_handle(&a).unwrap() == compared(&sealer, &two), map.apply(&one) == two);
        prop_assert_eq!(compared(&sealer, &one) == compared(&sealer, &two), one == two);

        // An ordinary token all the same.
        prop_assert!(looks_like_token(a.as_bytes()));
        prop_assert_eq!(a.len(), token_len(one.len()));
        prop_assert!(a.starts_with("gAAAAAAAAAAA"));
        prop_assert_eq!(&Fernet::new(&encoded).unwrap().decrypt(&a).unwrap(), one.as_bytes());
        let mut opened = Vec::new();
        let opener = Opener::new(&Keyring::parse(&encoded).unwrap());
        opener.open_into(a.as_bytes(), &mut opened).unwrap();
        prop_assert_eq!(opened, one.as_bytes());
    }

    #[test]
    fn unrelated_in_other_domains_folds_and_modes(value in ".{0,40}") {
        let key = FernetKey::parse(COUNTING).unwrap();
        let upper = Arc::new(CaseMap::new(Fold::Upper, LOWER_CASE, UPPER_CASE).unwrap());
        let tokens = [
            seal(&Sealer::folded(&key, "email", lower()), value.as_bytes()),
            seal(&Sealer::folded(&key, "phone", lower()), value.as_bytes()),
            seal(&Sealer::folded(&key, "email", upper), value.as_bytes()),
            seal(&Sealer::deterministic(&key, "email"), value.as_bytes()),
        ];
        for (index, token) in tokens.iter().enumerate() {
            for other in &tokens[index + 1..] {
                prop_assert_ne!(fold_handle(token), fold_handle(other));
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_sealed_as_they_are(
        value in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let key = FernetKey::parse(COUNTING).unwrap();
        let token = seal(&Sealer::folded(&key, "d", lower()), &value);
        prop_assert_eq!(Fernet::new(COUNTING).unwrap().decrypt(&token).unwrap(), value);
    }
}

/// What is stored in databases must never change.
#[test]
fn tokens_are_stable() {
    let key = FernetKey::parse(COUNTING).unwrap();
    let sealer = Sealer::folded(&key, "email", lower());
    assert_eq!(
        (sealer.mode(), sealer.case_map().unwrap().fold()),
        (Mode::Deterministic, Fold::Lower)
    );
    let (ann, shouted) = (seal(&sealer, b"ann@example.org"), seal(&sealer, b"ANN@Example.org"));
    assert_eq!(
        ann,
        "gAAAAAAAAAAAWB7mznewqIpFPc1of2PBkjaSb1TSLJHs69l6Jo7jM9lIy-c9CIid_OpiwltHjebsDf5p8qCEaxvdvnfp7Sf_iQ=="
    );
    assert_eq!(compared(&sealer, "ann@example.org"), ann[12..24]);
    assert_eq!(shouted[12..24], ann[12..24]);
    assert_ne!(handle(&shouted), handle(&ann));
    assert!(compared(&sealer, "ANN@example.org").starts_with('!'));
    assert_eq!((FOLD_HANDLE_AT, FOLD_HANDLE_LEN), (13, 12));
}

/// The IV as the documentation has it, from the primitives.
#[test]
fn the_iv_is_what_is_documented() {
    let key = URL_SAFE.decode(COUNTING).unwrap();
    let derived = |info: &[u8]| {
        let mut out = [0; 32];
        hkdf::Hkdf::<Sha256>::new(None, &key).expand(info, &mut out).unwrap();
        out
    };
    let mac = |key: &[u8], value: &str| {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(value).finalize().into_bytes()
    };
    let fold = mac(&derived(b"pgveil fold handle\0lower\0email"), "ann É".to_lowercase().as_str());
    let value = mac(&derived(b"pgveil deterministic iv\0email"), "Ann É");
    let sealer = Sealer::folded(&FernetKey::parse(COUNTING).unwrap(), "email", lower());
    let token = URL_SAFE.decode(seal(&sealer, "Ann É".as_bytes())).unwrap();
    assert_eq!(token[9..18], fold[..9]);
    assert_eq!(token[18..25], value[..7]);
}

#[test]
fn other_sealers_have_no_fold_handles() {
    let key = FernetKey::parse(COUNTING).unwrap();
    let mut out = Vec::new();
    for sealer in [Sealer::deterministic(&key, "d"), Sealer::randomized(&key)] {
        assert!(!sealer.fold_handle_into("x", &mut out) && sealer.case_map().is_none());
    }
    assert!(out.is_empty());
}
