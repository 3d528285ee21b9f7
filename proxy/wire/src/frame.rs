//! Finding frames in a buffer: one type byte, four bytes of length (which count themselves and
//! the body), the body.

use thiserror::Error;

/// Bytes before the body.
pub const HEADER: usize = 5;

/// The largest length that PostgreSQL's server accepts for a statement, a parameter list or copy
/// data (`PQ_LARGE_MESSAGE_LIMIT`, `src/include/libpq/libpq.h`).
pub const LARGE_LIMIT: usize = 0x3fff_ffff - 1;

/// The largest length that PostgreSQL's server accepts for messages that are never long: Sync,
/// Execute, Describe and their like (`PQ_SMALL_MESSAGE_LIMIT`).
pub const SMALL_LIMIT: usize = 10_000;

/// The largest password, SASL or GSS response (`PG_MAX_AUTH_TOKEN_LENGTH`).
pub const AUTH_LIMIT: usize = 65_535;

/// Bytes that cannot be a frame. The stream is lost: nobody knows where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length does not even cover itself.
    #[error("invalid message length {length} in message of type {tag:#04x}")]
    TooShort {
        /// The message's type byte.
        tag: u8,
        /// What the header says.
        length: u32,
    },
    /// The length is above what is accepted here.
    #[error("message of type {tag:#04x} has length {length}, above the limit of {limit}")]
    TooLong {
        /// The message's type byte.
        tag: u8,
        /// What the header says.
        length: u32,
        /// The limit.
        limit: usize,
    },
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The message's type.
    pub tag: u8,
    /// Bytes of the whole frame, header included; at least [`HEADER`].
    pub size: usize,
}

/// Reads the header at the front of `buffer`. `None`: not all of it is there yet. `limit` is the
/// largest length (header's type byte not counted, as in the protocol) that is accepted.
#[inline]
pub fn header(buffer: &[u8], limit: usize) -> Result<Option<Header>, FrameError> {
    let Some(&[tag, a, b, c, d]) = buffer.first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    if length < 4 {
        return Err(FrameError::TooShort { tag, length });
    }
    match usize::try_from(length) {
        Ok(size) if size <= limit => Ok(Some(Header { tag, size: size + 1 })),
        _ => Err(FrameError::TooLong { tag, length, limit }),
    }
}

/// One complete frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message's type.
    pub tag: u8,
    /// All bytes, header included.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The bytes behind the header.
    #[inline]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
}

/// Takes the complete frame at the front of `buffer`; `None`: more bytes are needed.
#[inline]
pub fn first(buffer: &[u8], limit: usize) -> Result<Option<Frame<'_>>, FrameError> {
    Ok(header(buffer, limit)?.and_then(|header| {
        let bytes = buffer.get(..header.size)?;
        Some(Frame { tag: header.tag, bytes })
    }))
}

/// Bytes of the longest run of complete frames at the front of `buffer` that `belongs` accepts,
/// called once a frame and in order. A malformed header ends the run: it is reported when it
/// stands at the front.
#[inline]
pub fn run(buffer: &[u8], limit: usize, mut belongs: impl FnMut(u8) -> bool) -> usize {
    let mut end = 0;
    while let Ok(Some(header)) = header(&buffer[end..], limit) {
        if buffer.len() - end < header.size || !belongs(header.tag) {
            break;
        }
        end += header.size;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_that_cannot_be() {
        for length in 0..4u32 {
            let mut bytes = vec![b'Q'];
            bytes.extend(length.to_be_bytes());
            assert_eq!(first(&bytes, 100), Err(FrameError::TooShort { tag: b'Q', length }));
        }
        for length in [101, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut bytes = vec![b'Q'];
            bytes.extend(length.to_be_bytes());
            let error = FrameError::TooLong { tag: b'Q', length, limit: 100 };
            assert_eq!(header(&bytes, 100), Err(error));
        }
    }

    #[test]
    fn a_frame_in_parts_is_not_a_frame() {
        let whole = [b'Q', 0, 0, 0, 6, b'x', 0];
        for end in 0..whole.len() {
            assert_eq!(first(&whole[..end], 100), Ok(None));
        }
        assert_eq!(first(&whole, 100), Ok(Some(Frame { tag: b'Q', bytes: &whole })));
    }

    proptest! {
        #[test]
        fn a_run_is_all_complete_frames(
            bodies in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for (tag, body) in &bodies {
                bytes.push(*tag);
                bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
                bytes.extend(body);
                ends.push(bytes.len());
            }
            let cut = cut.index(bytes.len() + 1);
            let expected = ends.iter().copied().filter(|end| *end <= cut).max();
            prop_assert_eq!(Some(run(&bytes[..cut], 1000, |_| true)), expected);
        }
    }
}
