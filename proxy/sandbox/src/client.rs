//! The few words of the protocol that an owner needs to set a server up: start, one simple query.
//! (PostgreSQL, "Frontend/Backend Protocol"; trust authentication only.)

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::{SandboxError, ServerError};

/// Protocol 3.0.
const VERSION: u32 = 3 << 16;

/// A row; every value as text.
pub type Row = Vec<Option<String>>;

/// A connection over the server's Unix socket.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
}

impl Connection {
    /// Connects and waits until the server is ready for a query.
    pub(crate) fn open(socket: &Path, user: &str, database: &str) -> Result<Self, SandboxError> {
        let stream = UnixStream::connect(socket).map_err(SandboxError::at("connect to", socket))?;
        // Creating a database is the longest thing that is asked for.
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .map_err(SandboxError::io("cannot set a timeout"))?;
        let mut connection = Self { stream };
        let mut body = VERSION.to_be_bytes().to_vec();
        for word in ["user", user, "database", database, ""] {
            body.extend_from_slice(word.as_bytes());
            body.push(0);
        }
        connection.send(None, &body)?;
        connection.results()?;
        Ok(connection)
    }

    /// Runs a statement string; the rows of all its statements.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, SandboxError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.results()
    }

    fn send(&mut self, tag: Option<u8>, body: &[u8]) -> Result<(), SandboxError> {
        let length = u32::try_from(body.len() + 4)
            .map_err(|_| SandboxError::io("cannot send")(io::ErrorKind::InvalidInput.into()))?;
        let mut frame: Vec<u8> = tag.into_iter().collect();
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(body);
        self.stream.write_all(&frame).map_err(SandboxError::io("cannot send to the server"))
    }

    /// Reads up to ReadyForQuery, or to the end that follows a fatal error.
    fn results(&mut self) -> Result<Vec<Row>, SandboxError> {
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            let (tag, body) = match self.frame() {
                Ok(frame) => frame,
                Err(error) => {
                    let lost = SandboxError::io("the server closed the connection")(error);
                    return Err(failed.map_or(lost, SandboxError::Server));
                }
            };
            match tag {
                b'D' => rows.push(data_row(&body)),
                b'E' => failed = Some(server_error(&body)),
                b'Z' => return failed.map_or(Ok(rows), |error| Err(error.into())),
                b'R' if body.get(..4) != Some(&[0; 4]) => {
                    return Err(SandboxError::Server(ServerError {
                        code: "28000".to_owned(),
                        message: "the Unix socket must trust the superuser".to_owned(),
                        detail: None,
                    }));
                }
                _ => {}
            }
        }
    }

    fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length.saturating_sub(4)];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }
}

/// Reads a DataRow; what is cut short reads as NULL, for the server is our own.
fn data_row(body: &[u8]) -> Row {
    let mut row = Row::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let value = usize::try_from(i32::from_be_bytes(*length)).ok();
        let value = value.and_then(|length| after.split_at_checked(length));
        row.push(value.map(|(value, _)| String::from_utf8_lossy(value).into_owned()));
        rest = value.map_or(after, |(_, rest)| rest);
    }
    row
}

fn server_error(body: &[u8]) -> ServerError {
    let field = |wanted: u8| {
        body.split(|byte| *byte == 0)
            .find(|field| field.first() == Some(&wanted))
            .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
    };
    ServerError {
        code: field(b'C').unwrap_or_default(),
        message: field(b'M').unwrap_or_default(),
        detail: field(b'D'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_errors_are_read() {
        let row = [&[0, 3][..], &[0, 0, 0, 1, b'a'], &[255; 4], &[0; 4]].concat();
        assert_eq!(data_row(&row), [Some("a".to_owned()), None, Some(String::new())]);
        let error = server_error(b"SERROR\0C42P04\0Mdatabase \"x\" already exists\0\0");
        assert_eq!(error.to_string(), "database \"x\" already exists (SQLSTATE 42P04)");
    }
}
