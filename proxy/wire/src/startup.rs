//! The packets before authentication: a length, then a code, no type byte.

use thiserror::Error;

use crate::decode::Reader;

/// The largest startup packet that PostgreSQL accepts (`MAX_STARTUP_PACKET_LENGTH`).
pub const LIMIT: usize = 10_000;

const SSL_REQUEST: u32 = 0x04d2_162f;
const GSSENC_REQUEST: u32 = 0x04d2_1630;
const CANCEL_REQUEST: u32 = 0x04d2_162e;

/// Bytes that are not a startup packet. The words are the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StartupError {
    /// Shorter than a code, or longer than [`LIMIT`].
    #[error("invalid length of startup packet")]
    Length,
    /// A protocol that nobody speaks.
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0")]
    Protocol {
        /// The code's upper half.
        major: u16,
        /// The code's lower half.
        minor: u16,
    },
    /// Parameters without a terminator.
    #[error("invalid startup packet layout: expected terminator as last byte")]
    Layout,
    /// There is no `user` among the parameters.
    #[error("no PostgreSQL user name specified in startup packet")]
    NoUser,
}

impl StartupError {
    /// The SQLSTATE that the server gives it.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Length | Self::Layout => "08P01",
            Self::Protocol { .. } => "0A000",
            Self::NoUser => "28000",
        }
    }
}

/// A packet before authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Asks for TLS.
    SslRequest,
    /// Asks for GSSAPI encryption.
    GssEncRequest,
    /// Asks that a statement of another connection be cancelled. The bytes are the whole packet.
    CancelRequest(&'a [u8]),
    /// Begins a session.
    Startup(Startup<'a>),
}

/// A StartupMessage of protocol 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Startup<'a> {
    /// The minor protocol version; the server negotiates it down where it must.
    pub minor: u16,
    /// The whole packet.
    pub bytes: &'a [u8],
}

/// Bytes of the packet at the front of `buffer`; `None`: its length has not come yet.
pub fn size(buffer: &[u8]) -> Result<Option<usize>, StartupError> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    match usize::try_from(u32::from_be_bytes(*length)) {
        Ok(size) if (8..=LIMIT).contains(&size) => Ok(Some(size)),
        _ => Err(StartupError::Length),
    }
}

/// Decodes one whole packet.
pub fn decode(packet: &[u8]) -> Result<Packet<'_>, StartupError> {
    let code = packet.get(4..8).and_then(|code| code.first_chunk::<4>().copied());
    match u32::from_be_bytes(code.ok_or(StartupError::Length)?) {
        SSL_REQUEST => Ok(Packet::SslRequest),
        GSSENC_REQUEST => Ok(Packet::GssEncRequest),
        CANCEL_REQUEST => Ok(Packet::CancelRequest(packet)),
        code => {
            let [a, b, c, d] = code.to_be_bytes();
            let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            if major != 3 {
                return Err(StartupError::Protocol { major, minor });
            }
            let startup = Startup { minor, bytes: packet };
            startup.check()?;
            Ok(Packet::Startup(startup))
        }
    }
}

impl<'a> Startup<'a> {
    /// Names and values in order.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.bytes.get(8..).unwrap_or_default());
        std::iter::from_fn(move || {
            let name = reader.string().ok().filter(|name| !name.is_empty())?;
            Some((name, reader.string().ok()?))
        })
    }

    /// The last value given for `name`, which is the one the server takes.
    pub fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        self.parameters().filter(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value).last()
    }

    fn check(&self) -> Result<(), StartupError> {
        let mut reader = Reader::new(self.bytes.get(8..).unwrap_or_default());
        loop {
            let name = reader.string().map_err(|_| StartupError::Layout)?;
            if name.is_empty() {
                break;
            }
            reader.string().map_err(|_| StartupError::Layout)?;
        }
        reader.finish().map_err(|_| StartupError::Layout)?;
        match self.parameter("user") {
            Some(user) if !user.is_empty() => Ok(()),
            _ => Err(StartupError::NoUser),
        }
    }
}

/// Writes a CancelRequest for the process and secret key of a BackendKeyData (the key is longer
/// than four bytes in protocol 3.2).
pub fn cancel_request(process: u32, key: &[u8]) -> Vec<u8> {
    let length = u32::try_from(12 + key.len()).unwrap_or(u32::MAX);
    let mut packet = length.to_be_bytes().to_vec();
    packet.extend(CANCEL_REQUEST.to_be_bytes());
    packet.extend(process.to_be_bytes());
    packet.extend(key);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
        let mut packet = u32::try_from(8 + rest.len()).unwrap().to_be_bytes().to_vec();
        packet.extend(code.to_be_bytes());
        packet.extend(rest);
        packet
    }

    #[test]
    fn requests() {
        assert_eq!(decode(&packet(80_877_103, b"")), Ok(Packet::SslRequest));
        assert_eq!(decode(&packet(80_877_104, b"")), Ok(Packet::GssEncRequest));
        let cancel = cancel_request(7, &[1, 2, 3, 4]);
        assert_eq!(cancel, packet(80_877_102, &[0, 0, 0, 7, 1, 2, 3, 4]));
        assert_eq!(decode(&cancel), Ok(Packet::CancelRequest(&cancel)));
    }

    #[test]
    fn parameters_are_bytes_and_the_last_one_counts() {
        let bytes = packet(0x0003_0000, b"user\0a\xff\0database\0d\0user\0b\0\0");
        let Ok(Packet::Startup(startup)) = decode(&bytes) else { panic!("not a startup") };
        assert_eq!(startup.minor, 0);
        assert_eq!(startup.parameters().next(), Some((&b"user"[..], &b"a\xff"[..])));
        assert_eq!(startup.parameter("user"), Some(&b"b"[..]));
        assert_eq!(startup.parameter("database"), Some(&b"d"[..]));
        assert_eq!(startup.parameter("options"), None);
    }

    #[test]
    fn malformed() {
        assert_eq!(size(&[0, 0]), Ok(None));
        assert_eq!(size(&[0, 0, 0, 7]), Err(StartupError::Length));
        assert_eq!(size(&[0, 0, 0x27, 0x11]), Err(StartupError::Length));
        assert_eq!(size(b"GET /"), Err(StartupError::Length));
        let protocol = Err(StartupError::Protocol { major: 2, minor: 0 });
        assert_eq!(decode(&packet(0x0002_0000, b"")), protocol);
        for (rest, error) in [
            (&b"user\0a\0"[..], StartupError::Layout),
            (b"user\0a", StartupError::Layout),
            (b"user\0a\0\0x", StartupError::Layout),
            (b"", StartupError::Layout),
            (b"\0", StartupError::NoUser),
            (b"user\0\0\0", StartupError::NoUser),
        ] {
            assert_eq!(decode(&packet(0x0003_0000, rest)), Err(error), "{rest:?}");
        }
    }
}
