//! Where a server is.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;
use tokio::net::{TcpStream, UnixStream};

use crate::stream::Stream;

/// Where something listens: TCP, or the path of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `host:port`, `[::1]:port`
    Tcp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The socket file itself, e.g. `/run/postgresql/.s.PGSQL.5432`.
    Unix(PathBuf),
}

/// Text that is not an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not an address: write host:port, [ipv6]:port or the path of a Unix socket")]
pub struct AddressError(pub String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || AddressError(text.to_owned());
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port = port.parse().map_err(|_| error())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(bare) => bare,
            None if host.contains([':', '[', ']']) => return Err(error()),
            None => host,
        };
        if host.is_empty() {
            return Err(error());
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Address {
    /// Connects to it.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp { host, port } => {
                Stream::tcp(TcpStream::connect((host.as_str(), *port)).await?)
            }
            Self::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back() {
        for text in ["127.0.0.1:5432", "db.example:6000", "[::1]:5432", "/tmp/.s.PGSQL.5432"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn not_addresses() {
        for text in ["", "localhost", ":5432", "::1:5432", "host:", "host:70000", "[::1:5432"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
