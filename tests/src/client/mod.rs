//! A client that hides nothing: every field of every message, as the server sent it.

mod message;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

pub use message::{Batch, Column, Fields, Format, Message, cancel_request, startup};

pub(crate) use message::Reader;

/// How long an answer may take. Long enough for a machine under load; a test that hits it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A connection that has been authenticated (by trust).
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Every byte sent since the start, for byte-exact comparisons.
    pub sent: Vec<u8>,
    /// Every byte received since the start.
    pub received: Vec<u8>,
    /// How much of `received` has been read as frames.
    read: usize,
    /// Backend process id.
    pub pid: u32,
    /// Key for cancel requests.
    pub secret: Vec<u8>,
    /// Parameters that the server has reported.
    pub parameters: BTreeMap<String, String>,
    /// Transaction status of the last ReadyForQuery: `I`, `T` or `E`.
    pub status: char,
}

/// What one statement, or one round to Sync, was answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// In order.
    pub results: Vec<Outcome>,
    /// ParameterDescription, if a statement was described.
    pub parameters: Option<Vec<u32>>,
    /// Notices in order.
    pub notices: Vec<Fields>,
    /// Parameters that changed.
    pub settings: Vec<(String, String)>,
    /// Transaction status at the end; `-` when the connection ended.
    pub status: char,
}

/// What became of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran.
    Done {
        /// Empty when it returns no rows.
        columns: Vec<Column>,
        /// The rows.
        rows: Vec<Vec<Option<Vec<u8>>>>,
        /// Command tag; empty for an empty query.
        tag: String,
    },
    /// It failed.
    Failed(Fields),
    /// It was described, not run.
    Described(Vec<Column>),
}

impl Reply {
    /// The error, if there was one.
    pub fn error(&self) -> Option<&Fields> {
        self.results.iter().find_map(|outcome| match outcome {
            Outcome::Failed(fields) => Some(fields),
            _ => None,
        })
    }

    /// Rows of the last result, as text; NULL as `∅`. Panics on an error.
    pub fn rows(&self) -> Vec<Vec<String>> {
        assert!(self.error().is_none(), "a result was expected: {:?}", self.error());
        let last = self.results.iter().rev().find_map(|outcome| match outcome {
            Outcome::Done { rows, .. } => Some(rows),
            _ => None,
        });
        let show = |value: &Option<Vec<u8>>| match value {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "∅".to_owned(),
        };
        last.map_or_else(Vec::new, |rows| {
            rows.iter().map(|row| row.iter().map(show).collect()).collect()
        })
    }

    /// The single value of the single row. Panics when there is another number of them.
    pub fn value(&self) -> String {
        let rows = self.rows();
        assert!(rows.len() == 1 && rows[0].len() == 1, "one value was expected: {rows:?}");
        rows[0][0].clone()
    }

    /// Command tags, joined by `; `. Panics on an error.
    pub fn tags(&self) -> String {
        assert!(self.error().is_none(), "a result was expected: {:?}", self.error());
        let tags = self.results.iter().filter_map(|outcome| match outcome {
            Outcome::Done { tag, .. } => Some(tag.as_str()),
            _ => None,
        });
        tags.collect::<Vec<_>>().join("; ")
    }

    /// The error, which must be there and have this SQLSTATE.
    pub fn failed(&self, code: &str) -> &Fields {
        let error = self.error().unwrap_or_else(|| panic!("{code} was expected: {self:?}"));
        assert_eq!(error.code(), code, "{error:?}");
        error
    }
}

impl Client {
    /// Connects, and waits until the server is ready. An error is what the server refused with.
    pub fn connect(address: SocketAddr, user: &str, database: &str) -> Result<Self, Fields> {
        Self::connect_with(address, &[("user", user), ("database", database)])
    }

    /// The same, with any startup parameters.
    pub fn connect_with(address: SocketAddr, parameters: &[(&str, &str)]) -> Result<Self, Fields> {
        let mut client = Self::open(address);
        client.send_bytes(&startup(parameters));
        match client.reply().error() {
            None => Ok(client),
            Some(error) => Err(error.clone()),
        }
    }

    /// Opens a socket and sends nothing.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_read_timeout(Some(TIMEOUT)).expect("a socket has timeouts");
        stream.set_nodelay(true).expect("a socket has TCP_NODELAY");
        Self {
            stream,
            sent: Vec::new(),
            received: Vec::new(),
            read: 0,
            pid: 0,
            secret: Vec::new(),
            parameters: BTreeMap::new(),
            status: '-',
        }
    }

    /// Sends bytes as they are. A peer that has gone is not an error here: reading will tell.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        let _ = self.stream.write_all(bytes);
    }

    /// Sends frames in one write.
    pub fn send(&mut self, batch: &Batch) {
        self.send_bytes(&batch.0);
    }

    /// The next frame; [`None`] when the server has closed the connection.
    pub fn message(&mut self) -> Option<Message> {
        loop {
            if let Some((head, rest)) = self.received[self.read..].split_first_chunk::<5>() {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                assert!(length >= 4, "a frame of length {length}");
                if rest.len() >= length - 4 {
                    let (tag, body) = (head[0], rest[..length - 4].to_vec());
                    self.read += length + 1;
                    return Some(Message { tag, body });
                }
            }
            let mut chunk = vec![0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.received.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return None,
                Err(error) => panic!("no answer from the server: {error}"),
            }
        }
    }

    /// Reads what there is, at least a byte, without making frames of it; 0 at the end.
    pub fn read_some(&mut self) -> usize {
        let mut chunk = vec![0; 4096];
        let read = self.stream.read(&mut chunk).unwrap_or(0);
        self.received.extend_from_slice(&chunk[..read]);
        read
    }

    /// Reads up to ReadyForQuery, the end of the connection, or a request for COPY data.
    pub fn reply(&mut self) -> Reply {
        self.reply_until(|_| false)
    }

    /// The same, but also stops behind the first message that `last` recognises.
    pub fn reply_until(&mut self, last: impl Fn(u8) -> bool) -> Reply {
        let mut reply = Reply { status: '-', ..Reply::default() };
        let mut columns = Vec::new();
        let mut rows = Vec::new();
        let mut described = false;
        while let Some(message) = self.message() {
            match message.tag {
                b'T' => {
                    if described {
                        reply.results.push(Outcome::Described(std::mem::take(&mut columns)));
                    }
                    columns = message.columns();
                    described = true;
                }
                b'D' => rows.push(message.values()),
                b'C' | b'I' | b's' => {
                    let tag = match message.tag {
                        b'C' => message.command_tag(),
                        b's' => "(suspended)".to_owned(),
                        _ => String::new(),
                    };
                    let (columns, rows) = (std::mem::take(&mut columns), std::mem::take(&mut rows));
                    reply.results.push(Outcome::Done { columns, rows, tag });
                    described = false;
                }
                b'E' => {
                    if described {
                        reply.results.push(Outcome::Described(std::mem::take(&mut columns)));
                        described = false;
                    }
                    rows.clear();
                    reply.results.push(Outcome::Failed(message.fields()));
                }
                b'N' => reply.notices.push(message.fields()),
                b'S' => {
                    let (name, value) = message.setting();
                    self.parameters.insert(name.clone(), value.clone());
                    reply.settings.push((name, value));
                }
                b't' => reply.parameters = Some(message.types()),
                b'K' => {
                    let mut reader = Reader(&message.body);
                    self.pid = reader.u32();
                    self.secret = reader.0.to_vec();
                }
                b'd' => rows.push(vec![Some(message.body.clone())]),
                b'Z' => {
                    self.status = char::from(message.body[0]);
                    reply.status = self.status;
                }
                _ => {}
            }
            if matches!(message.tag, b'Z' | b'G' | b'W') || last(message.tag) {
                break;
            }
        }
        if described {
            reply.results.push(Outcome::Described(columns));
        }
        reply
    }

    /// Runs a statement string in the simple protocol.
    pub fn run(&mut self, sql: &str) -> Reply {
        self.send(&Batch::new().query(sql));
        self.reply()
    }

    /// Runs one statement in the extended protocol, unnamed, parameters and results as text.
    pub fn execute(&mut self, sql: &str, params: &[Option<&str>]) -> Reply {
        let params: Vec<_> =
            params.iter().map(|param| param.map(|text| text.as_bytes().to_vec())).collect();
        self.send(
            &Batch::new()
                .parse("", sql, &[])
                .bind("", "", &[Format::Text], &params, Format::Text)
                .describe_portal("")
                .execute("", 0)
                .sync(),
        );
        self.reply()
    }

    /// Closes the sending half; the server sees the end of what the client has to say.
    pub fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Breaks the connection off.
    pub fn hang_up(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
    )
}
