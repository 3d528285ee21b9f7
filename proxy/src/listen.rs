//! Opens the addresses that clients connect to.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use pgveil_session::Listener;

use crate::config::Listen;
use crate::failure::Failure;

/// Listeners, and the files to remove when they are closed.
#[derive(Debug, Default)]
pub struct Listening {
    /// In the order of the configuration.
    pub listeners: Vec<Listener>,
    /// Where they are, for people.
    pub addresses: Vec<String>,
    /// Kept until the proxy has ended.
    pub sockets: Vec<SocketFile>,
}

/// A Unix socket's file. Dropping it removes the file, unless another one has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Nothing depends on it: a file that stays is recognised as stale by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|data| (data.dev(), data.ino()))
}

/// Opens all addresses, or none.
pub async fn bind(listen: &[Listen], unix_permissions: u32) -> Result<Listening, Failure> {
    let mut listening = Listening::default();
    for address in listen {
        match address {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(|error| {
                    let failure = Failure::new(format!("cannot listen on {address}: {error}"));
                    if error.kind() == io::ErrorKind::AddrInUse {
                        failure.hint("another process listens there; end it or change \"listen\"")
                    } else {
                        failure
                    }
                })?;
                let bound = listener.local_addr().map_err(Failure::io("cannot read an address"))?;
                listening.addresses.push(bound.to_string());
                listening.listeners.push(Listener::Tcp(listener));
            }
            Listen::Unix(path) => {
                let (listener, file) = bind_unix(path, unix_permissions)?;
                listening.addresses.push(path.display().to_string());
                listening.listeners.push(Listener::Unix(listener));
                listening.sockets.push(file);
            }
        }
    }
    Ok(listening)
}

/// Opens a Unix socket. It is made in a directory that nobody else may enter, gets its
/// permissions there and is then moved to its place, so that at no moment anybody can connect
/// whom the permissions keep out.
fn bind_unix(path: &Path, permissions: u32) -> Result<(UnixListener, SocketFile), Failure> {
    let failed = |error: io::Error| {
        Failure::new(format!("cannot listen on \"{}\": {error}", path.display()))
    };
    remove_stale(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let private = tempfile::Builder::new()
        .prefix(".pgveil")
        .tempdir_in(directory.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let fresh = private.path().join("s");
    let listener = UnixListener::bind(&fresh).map_err(failed)?;
    fs::set_permissions(&fresh, Permissions::from_mode(permissions)).map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)?;
    let identity = identity(path).map_err(failed)?;
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

/// Removes a socket that a process left behind; refuses to touch one that is in use, or anything
/// that is not a socket.
fn remove_stale(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let data = match fs::symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(format!("cannot look at \"{shown}\": {error}"))),
    };
    if !data.file_type().is_socket() {
        return Err(Failure::new(format!("\"{shown}\" exists and is not a socket"))
            .hint("name the socket itself or a directory for it in \"listen\""));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Failure::new(format!("another process listens on \"{shown}\""))
            .hint("end it or change \"listen\"")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(socket = %shown, "removing a socket that nobody listens on any more");
            fs::remove_file(path)
                .map_err(Failure::io(format!("cannot remove the stale socket \"{shown}\"")))
        }
        Err(error) => {
            Err(Failure::new(format!("cannot tell whether \"{shown}\" is in use: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join(".s.PGSQL.6432");
        let listen = [Listen::Unix(path.clone())];
        let first = bind(&listen, 0o700).await.expect("binds");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let taken = bind(&listen, 0o700).await.expect_err("in use");
        assert!(taken.message.contains("another process"), "{taken}");
        // As after a crash: closed, the file left.
        let Listening { listeners, sockets, .. } = first;
        drop(listeners);
        sockets.into_iter().for_each(std::mem::forget);
        let second = bind(&listen, 0o770).await.expect("replaces");
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(dir.path()).expect("directory").count(), 0);
    }

    #[tokio::test]
    async fn a_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("file");
        fs::write(&path, "x").expect("writes");
        let error = bind(&[Listen::Unix(path.clone())], 0o700).await.expect_err("refused");
        assert!(error.message.contains("not a socket"), "{error}");
        assert_eq!(fs::read(&path).expect("reads"), b"x");
    }
}
