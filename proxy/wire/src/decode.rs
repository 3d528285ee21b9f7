//! Reading fields off a message body.

use thiserror::Error;

/// A message whose body does not have the form that its type says. SQLSTATE 08P01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The body ends inside a field.
    #[error("insufficient data left in message")]
    Truncated,
    /// A string has no terminating zero byte.
    #[error("invalid string in message")]
    Unterminated,
    /// Bytes are left over behind the last field.
    #[error("invalid message format")]
    Trailing,
    /// A count or a length is negative or otherwise impossible.
    #[error("invalid count or length in message")]
    Count,
}

/// Takes fields off the front of a message body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// What has not been read yet.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// An unsigned 16-bit count: PostgreSQL reads it so (up to 65,535 parameters).
    pub(crate) fn count(&mut self) -> Result<usize, DecodeError> {
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// A zero-terminated string, without the zero.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let end = memchr::memchr(0, self.rest).ok_or(DecodeError::Unterminated)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// A value: its length, -1 for NULL, and its bytes.
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| DecodeError::Count)?;
                self.bytes(length).map(Some)
            }
        }
    }

    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}
