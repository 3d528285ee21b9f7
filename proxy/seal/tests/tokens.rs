//! The hot path against the `fernet` crate, in both directions, and what must never happen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use fernet::Fernet;
use pgveil_seal::{
    FernetKey, Keyring, Mode, OpenError, Opener, Sealer, handle, keygen, looks_like_token,
    map_text_array, token_len,
};
use proptest::prelude::*;

fn key_text() -> impl Strategy<Value = String> {
    any::<[u8; 32]>().prop_map(|bytes| URL_SAFE.encode(bytes))
}

fn seal(sealer: &Sealer, value: &[u8]) -> String {
    let mut out = b"before".to_vec();
    sealer.seal_into(value, &mut out).unwrap();
    assert!(out.starts_with(b"before"));
    String::from_utf8(out.split_off(6)).unwrap()
}

fn open(opener: &Opener, token: &str) -> Result<Vec<u8>, OpenError> {
    let mut out = b"before".to_vec();
    let result = opener.open_into(token.as_bytes(), &mut out);
    assert!(out.starts_with(b"before"));
    let value = out.split_off(6);
    match result {
        Ok(_) => Ok(value),
        Err(error) => {
            assert!(value.is_empty(), "an error leaves nothing behind");
            Err(error)
        }
    }
}

fn opener_of(text: &str) -> Opener {
    Opener::new(&Keyring::parse(text).unwrap())
}

proptest! {
    #[test]
    fn the_fernet_crate_opens_ours(
        text in key_text(),
        value in prop::collection::vec(any::<u8>(), 0..300),
        domain in ".{0,20}",
    ) {
        let key = FernetKey::parse(&text).unwrap();
        let fernet = Fernet::new(&text).unwrap();
        for sealer in [Sealer::deterministic(&key, &domain), Sealer::randomized(&key)] {
            let token = seal(&sealer, &value);
            prop_assert_eq!(token.len(), token_len(value.len()));
            prop_assert!(looks_like_token(token.as_bytes()));
            prop_assert_eq!(fernet.decrypt(&token).unwrap(), value.clone());
        }
    }

    #[test]
    fn we_open_those_of_the_fernet_crate(
        text in key_text(),
        value in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let token = Fernet::new(&text).unwrap().encrypt(&value);
        prop_assert_eq!(open(&opener_of(&text), &token), Ok(value));
        let unpadded = token.trim_end_matches('=');
        prop_assert!(open(&opener_of(&text), unpadded).is_ok());
    }

    #[test]
    fn both_read_the_same_keys(text in "[A-Za-z0-9_=+/-]{40,45}") {
        // Ours ignores the unused bits of the last character as Python's does, the crate does not.
        if Fernet::new(&text).is_some() {
            prop_assert!(FernetKey::parse(&text).is_ok());
        }
    }

    #[test]
    fn equal_values_have_equal_tokens_within_key_and_domain_only(
        one in key_text(), two in key_text(),
        value in ".{0,40}", other in ".{0,40}",
        domain in "[a-z]{1,8}", elsewhere in "[A-Z]{1,8}",
    ) {
        prop_assume!(one != two && value != other);
        let (one, two) = (FernetKey::parse(&one).unwrap(), FernetKey::parse(&two).unwrap());
        let sealer = Sealer::deterministic(&one, &domain);
        let token = seal(&sealer, value.as_bytes());
        prop_assert!(token.starts_with("gAAAAAAAAAAA"));
        prop_assert_eq!(&seal(&Sealer::deterministic(&one, &domain), value.as_bytes()), &token);
        for different in [
            seal(&sealer, other.as_bytes()),
            seal(&Sealer::deterministic(&one, &elsewhere), value.as_bytes()),
            seal(&Sealer::deterministic(&two, &domain), value.as_bytes()),
        ] {
            prop_assert_ne!(handle(&different), handle(&token));
        }
    }

    #[test]
    fn anything_at_all_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let opener = opener_of(&keygen());
        prop_assert!(opener.open_into(&bytes, &mut Vec::new()).is_err());
        prop_assert!(!opener.is_own_token(&bytes));
    }

    #[test]
    fn arrays_round_trip(elements in prop::collection::vec(prop::option::of(any::<String>()), 0..8)) {
        let key = FernetKey::generate();
        let text = format!("{{{}}}", elements.iter().map(|element| match element {
            None => "null".to_owned(),
            Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        }).collect::<Vec<_>>().join(" , "));
        let sealer = Sealer::deterministic(&key, "array");
        let mut seen = Vec::new();
        let sealed = map_text_array(&text, |element| {
            seen.push(element.to_owned());
            Ok::<_, ()>(seal(&sealer, element.as_bytes()))
        }).unwrap();
        prop_assert_eq!(&seen, &elements.iter().flatten().cloned().collect::<Vec<_>>());
        let mut values = seen.iter();
        map_text_array(&sealed, |token| {
            assert_eq!(token, seal(&sealer, values.next().unwrap().as_bytes()));
            Ok::<_, ()>(String::new())
        }).unwrap();
        prop_assert_eq!(values.next(), None);
        // What is printed reads back as the same elements.
        let printed = map_text_array(&text, |element| Ok::<_, ()>(element.to_owned())).unwrap();
        prop_assert_eq!(&map_text_array(&printed, |e| Ok::<_, ()>(e.to_owned())).unwrap(), &printed);
    }
}

#[test]
fn every_size_around_the_padding() {
    let text = keygen();
    let key = FernetKey::parse(&text).unwrap();
    let (opener, fernet) = (opener_of(&text), Fernet::new(&text).unwrap());
    for size in 0..=64 {
        let value = vec![b' '; size];
        for sealer in [Sealer::deterministic(&key, "d"), Sealer::randomized(&key)] {
            let token = seal(&sealer, &value);
            assert_eq!(fernet.decrypt(&token).unwrap(), value);
            assert_eq!(open(&opener, &token), Ok(value.clone()));
        }
        assert_eq!(open(&opener, &fernet.encrypt(&value)), Ok(value));
    }
}

#[test]
fn a_token_altered_anywhere_does_not_open() {
    let text = keygen();
    let opener = opener_of(&text);
    let key = FernetKey::parse(&text).unwrap();
    for size in [15, 16, 32] {
        let token = seal(&Sealer::randomized(&key), &vec![b'x'; size]);
        for at in 0..token.len() {
            for replacement in [b'A', b'B', b'-', b'_', b'=', b' ', 0, 0xff] {
                let mut altered = token.clone().into_bytes();
                if altered[at] == replacement {
                    continue;
                }
                altered[at] = replacement;
                let result = opener.open_into(&altered, &mut Vec::new());
                assert!(result.is_err(), "byte {at} of {token} replaced by {replacement:#x}");
                assert!(!opener.is_own_token(&altered) || replacement == b' ');
            }
        }
        for bit in 0..8 * (URL_SAFE.decode(&token).unwrap().len()) {
            let mut bytes = URL_SAFE.decode(&token).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&opener, &URL_SAFE.encode(bytes)).is_err(), "bit {bit}");
        }
        for length in 0..token.trim_end_matches('=').len() {
            assert!(open(&opener, &token[..length]).is_err(), "cut to {length}");
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let opener = opener_of(&keygen());
    for text in ["", "anna@example.org", "gAAAAA", &"gAAAAA".repeat(20), &"g!".repeat(60)] {
        assert_eq!(open(&opener, text), Err(OpenError::NotAToken), "{text}");
    }
    let foreign = seal(&Sealer::randomized(&FernetKey::generate()), b"value");
    assert_eq!(open(&opener, &foreign), Err(OpenError::UnknownKey));
}

#[test]
fn every_key_of_the_ring_opens_and_is_named() {
    let (new, old) = (keygen(), keygen());
    let opener = opener_of(&format!("{},{}", *new, *old));
    for text in [&new, &old] {
        let key = FernetKey::parse(text).unwrap();
        let token = seal(&Sealer::deterministic(&key, "d"), b"value");
        let mut out = Vec::new();
        assert_eq!(opener.open_into(token.as_bytes(), &mut out), Ok(key.id()));
        assert_eq!(out, b"value");
    }
}

#[test]
fn a_token_of_ours_is_known_as_such() {
    let text = keygen();
    let opener = opener_of(&text);
    let token = seal(&Sealer::randomized(&FernetKey::parse(&text).unwrap()), b"value");
    assert!(opener.is_own_token(token.as_bytes()));
    assert!(opener.is_own_token(format!(" {token}\n").as_bytes()));
    assert!(opener.is_own_token(token.trim_end_matches('=').as_bytes()));
    let foreign = seal(&Sealer::randomized(&FernetKey::generate()), b"value");
    assert!(!opener.is_own_token(foreign.as_bytes()));
    assert!(!opener.is_own_token(b"anna@example.org"));
}

/// A token with a correct HMAC whose plaintext was never padded.
#[test]
fn a_signed_token_with_wrong_padding_is_an_error() {
    use hmac::{Hmac, KeyInit, Mac};
    let text = URL_SAFE.encode([7; 32]);
    let key = FernetKey::parse(&text).unwrap();
    let token = seal(&Sealer::randomized(&key), &[b'x'; 40]);
    let mut bytes = URL_SAFE.decode(token).unwrap();
    // Without its last block the plaintext ends in "x".
    bytes.truncate(25 + 32);
    let mac = Hmac::<sha2::Sha256>::new_from_slice(&[7; 16]).unwrap().chain_update(&bytes);
    bytes.extend_from_slice(&mac.finalize().into_bytes());
    let forged = URL_SAFE.encode(bytes);
    assert_eq!(open(&opener_of(&text), &forged), Err(OpenError::Padding { key: key.id() }));
}

#[test]
fn randomized_tokens_are_all_different_across_threads() {
    let sealer = Sealer::randomized(&FernetKey::generate());
    let tokens = || (0..500).map(|_| seal(&sealer, b"Anna")).collect::<Vec<_>>();
    let mut all = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(tokens));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    all.sort_unstable_by(|a, b| handle(a).cmp(&handle(b)));
    assert!(all.windows(2).all(|pair| handle(&pair[0]) != handle(&pair[1])));
}

#[test]
fn nothing_that_prints_shows_a_key() {
    let text = keygen();
    let bytes = URL_SAFE.decode(&*text).unwrap();
    let key = FernetKey::parse(&text).unwrap();
    let ring = Keyring::parse(&text).unwrap();
    let wrong = Keyring::parse(&format!("{}x", *text)).unwrap_err();
    let printed = [
        format!("{key:?} {key:#?} {} {}", key.id(), key.check_value()),
        format!("{ring:?} {ring:#?}"),
        format!("{:?}", Opener::new(&ring)),
        format!("{:?} {:?}", Sealer::randomized(&key), Sealer::deterministic(&key, "d")),
        format!("{wrong:?} {wrong} {}", wrong.hint()),
    ]
    .join("\n");
    assert!(printed.contains(&key.id().to_string()));
    assert_eq!(Sealer::randomized(&key).mode(), Mode::Randomized);
    assert_eq!(Sealer::deterministic(&key, "d").mode(), Mode::Deterministic);

    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    };
    let decimal = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    for part in [&bytes[..], &bytes[..16], &bytes[16..]] {
        let forms = [
            URL_SAFE.encode(part),
            URL_SAFE_NO_PAD.encode(part),
            STANDARD.encode(part),
            STANDARD_NO_PAD.encode(part),
            hex(part),
            hex(part).to_uppercase(),
            decimal(part),
        ];
        for form in forms {
            assert!(!printed.contains(&form));
        }
        // Nor any six bytes of it in a row.
        for piece in part.windows(6) {
            assert!(!printed.contains(&hex(piece)) && !printed.contains(&decimal(piece)));
        }
    }
    for piece in text.as_bytes().windows(8) {
        assert!(!printed.contains(std::str::from_utf8(piece).unwrap()));
    }
}

/// The example that is published with the Fernet specification (`generate.json`).
#[test]
fn the_token_of_the_specification_opens() {
    let opener = opener_of("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
    let token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7Jcb\
                 mrR64jVmpU4IwqDA==";
    assert_eq!(open(&opener, token), Ok(b"hello".to_vec()));
}
