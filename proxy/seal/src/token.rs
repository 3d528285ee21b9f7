//! The layout of a Fernet token, and what can be told of one without a key.
//!
//! ```text
//! offset  0  version, 0x80
//!         1  timestamp, seconds since 1970, 8 bytes, most significant first
//!         9  IV, 16 bytes
//!        25  AES-128-CBC ciphertext with PKCS #7 padding, a multiple of 16 bytes, at least one block
//!       end  HMAC-SHA256 over all of the above, 32 bytes
//! ```
//!
//! The whole is written in base64url with padding (Fernet specification, *Token Format*).

use std::ops::Range;

/// The only version there is.
pub(crate) const VERSION: u8 = 0x80;
/// Where the creation time stands.
pub(crate) const TIMESTAMP: Range<usize> = 1..9;
/// Where the initialisation vector stands.
pub(crate) const IV: Range<usize> = 9..25;
/// Where the ciphertext begins.
pub(crate) const CIPHERTEXT: usize = 25;
/// Length of an AES block and of an IV.
pub(crate) const BLOCK: usize = 16;
/// Length of an HMAC-SHA256.
pub(crate) const MAC: usize = 32;
/// Length of the shortest token, before base64: that of a value of 0 to 15 bytes.
pub(crate) const MIN_BYTES: usize = CIPHERTEXT + BLOCK + MAC;

/// What every token begins with until the year 4147: the version and the upper 28 bits of the
/// timestamp.
pub const TOKEN_PREFIX: &str = "gAAAAA";

/// Length in characters of the shortest token.
pub const MIN_TOKEN_LEN: usize = MIN_BYTES.div_ceil(3) * 4;

/// The length in characters of the token of a value of `bytes` bytes.
pub const fn token_len(bytes: usize) -> usize {
    let token = CIPHERTEXT + (bytes / BLOCK + 1) * BLOCK + MAC;
    token.div_ceil(3) * 4
}

/// Whether the text has the shape of a token: the same test that the guard constraint makes in the
/// database. No key is involved, so this tells a token from an ordinary value, not a true token
/// from a false one.
pub fn looks_like_token(text: &[u8]) -> bool {
    text.len() >= MIN_TOKEN_LEN
        && text.starts_with(TOKEN_PREFIX.as_bytes())
        && text.iter().all(|byte| is_token_byte(*byte) || *byte == b'=')
}

/// Whether the byte belongs to the base64url alphabet.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The handle of a token: its characters 13 to 32, which are the first 120 bits of its IV; `None`
/// if the text is too short to have one.
///
/// In a deterministic column equal handles mean equal values but for a chance of 2⁻¹²⁰ a pair; in
/// one with fold handles, 2⁻⁴⁸ where two values are the same but for case.
pub fn handle(token: &str) -> Option<&str> {
    token.get(12..32)
}

/// Bytes of the IV that the values share which are the same but for case, in a column with fold
/// handles.
pub(crate) const FOLD_BYTES: usize = 9;

/// Characters of a fold handle: those of nine bytes.
pub const FOLD_HANDLE_LEN: usize = FOLD_BYTES / 3 * 4;

/// Where the fold handle stands in a token's text, as SQL counts characters: nine bytes, which are
/// twelve characters, are in front of it.
pub const FOLD_HANDLE_AT: usize = IV.start / 3 * 4 + 1;

/// The fold handle of a token in a column that has them: its characters 13 to 24.
pub fn fold_handle(token: &str) -> Option<&str> {
    token.get(FOLD_HANDLE_AT - 1..FOLD_HANDLE_AT - 1 + FOLD_HANDLE_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_that_of_the_guard() {
        let shortest = format!("gAAAAA{}", "x".repeat(94));
        assert_eq!(shortest.len(), MIN_TOKEN_LEN);
        assert!(looks_like_token(shortest.as_bytes()));
        assert!(looks_like_token(format!("{shortest}_-9=").as_bytes()));
        assert!(!looks_like_token(&shortest.as_bytes()[..99]));
        assert!(!looks_like_token(format!("{shortest}\n").as_bytes()));
        assert!(!looks_like_token(format!("{shortest}+").as_bytes()));
        assert!(!looks_like_token(format!("{shortest}é").as_bytes()));
        assert!(!looks_like_token(shortest.replace("gAAAAA", "hAAAAA").as_bytes()));
        assert!(!looks_like_token(b""));
    }

    #[test]
    fn a_handle_is_twenty_characters() {
        let token = "gAAAAAAAAAAAabcdefghijklmnopqrst____";
        assert_eq!(handle(token), Some("abcdefghijklmnopqrst"));
        assert_eq!(handle(&token[..31]), None);
        assert_eq!(handle("gAAAAAAAAAAéabcdefghijklmnopqrst"), None);
    }

    #[test]
    fn lengths() {
        assert_eq!(token_len(0), 100);
        assert_eq!(token_len(15), 100);
        assert_eq!(token_len(16), 120);
        assert_eq!(token_len(127), 248);
        assert_eq!(token_len(128), 268);
    }
}
