//! A client that speaks as much of the protocol as COPY needs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pgveil_sandbox::Cluster;
use pgveil_wire::backend::{self, ErrorFields};
use pgveil_wire::frame::{self, LARGE_LIMIT};
use pgveil_wire::row::Cells;
use pgveil_wire::{frontend, write};

pub(crate) type Row = Vec<Option<String>>;

/// What a statement brought.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// Payloads of CopyData.
    pub(crate) copied: Vec<Vec<u8>>,
}

/// An ErrorResponse.
#[derive(Debug)]
pub(crate) struct ServerError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The line of a COPY that CONTEXT names.
    pub(crate) line: Option<u64>,
}

pub(crate) struct Client {
    stream: UnixStream,
    input: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(cluster: &Cluster) -> Self {
        let socket = cluster.socket_dir().join(format!(".s.PGSQL.{}", cluster.port()));
        let mut client = Self { stream: UnixStream::connect(socket).unwrap(), input: Vec::new() };
        let mut packet = vec![0, 0, 0, 0, 0, 3, 0, 0];
        for word in ["user", cluster.superuser(), "database", "postgres", ""] {
            write::string(&mut packet, word.as_bytes());
        }
        let size = u32::try_from(packet.len()).unwrap().to_be_bytes();
        packet[..4].copy_from_slice(&size);
        client.stream.write_all(&packet).unwrap();
        client.answer(None).unwrap();
        client
    }

    /// Runs a statement string that must succeed.
    pub(crate) fn run(&mut self, sql: &str) -> Vec<Row> {
        self.ask(sql, None).unwrap_or_else(|error| panic!("{sql}: {error:?}")).rows
    }

    /// COPY TO STDOUT; the payloads as they came.
    pub(crate) fn copy_out(&mut self, table: &str, options: &str) -> Vec<Vec<u8>> {
        let sql = format!("COPY {table} TO STDOUT WITH ({options})");
        self.ask(&sql, None).unwrap_or_else(|error| panic!("{sql}: {error:?}")).copied
    }

    /// COPY FROM STDIN, in place of what the table held.
    pub(crate) fn copy_in(
        &mut self,
        table: &str,
        columns: &str,
        options: &str,
        data: &[u8],
    ) -> Result<(), ServerError> {
        let sql =
            format!("DELETE FROM {table}; COPY {table} {columns} FROM STDIN WITH ({options})");
        self.ask(&sql, Some(data)).map(drop)
    }

    fn ask(&mut self, sql: &str, data: Option<&[u8]>) -> Result<Answer, ServerError> {
        let mut out = Vec::new();
        frontend::write_query(&mut out, sql.as_bytes());
        self.stream.write_all(&out).unwrap();
        self.answer(data)
    }

    /// Reads up to ReadyForQuery; sends the data when the server asks for it.
    fn answer(&mut self, data: Option<&[u8]>) -> Result<Answer, ServerError> {
        let mut answer = Answer::default();
        let mut failed = None;
        loop {
            let Some(frame) = frame::first(&self.input, LARGE_LIMIT).unwrap() else {
                let mut part = [0; 8192];
                let count = self.stream.read(&mut part).unwrap();
                assert!(count > 0, "the server closed the connection");
                self.input.extend_from_slice(&part[..count]);
                continue;
            };
            let (tag, body) = (frame.tag, frame.body().to_vec());
            self.input.drain(..body.len() + frame::HEADER);
            match tag {
                backend::tag::DATA_ROW => answer.rows.push(row(&body)),
                backend::tag::COPY_DATA => answer.copied.push(body),
                backend::tag::ERROR_RESPONSE => failed = Some(server_error(&body)),
                backend::tag::READY_FOR_QUERY => return failed.map_or(Ok(answer), Err),
                backend::tag::COPY_IN_RESPONSE => {
                    let mut out = Vec::new();
                    for part in data.unwrap().chunks(8192) {
                        write::frame(&mut out, frontend::tag::COPY_DATA, part);
                    }
                    frontend::write_bare(&mut out, frontend::tag::COPY_DONE);
                    self.stream.write_all(&out).unwrap();
                }
                _ => {}
            }
        }
    }
}

fn row(body: &[u8]) -> Row {
    let mut cells = Cells::decode(body).unwrap();
    let text = |cell: &[u8]| String::from_utf8(cell.to_vec()).unwrap();
    (0..cells.left()).map(|_| cells.next_cell().unwrap().map(text)).collect()
}

fn server_error(body: &[u8]) -> ServerError {
    let fields = ErrorFields::decode(body).unwrap();
    let text = |kind| String::from_utf8_lossy(fields.get(kind).unwrap_or_default()).into_owned();
    let context = text(b'W');
    let line = context.split_once(", line ").and_then(|(_, behind)| {
        behind.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
    });
    ServerError { code: text(b'C'), message: text(b'M'), line }
}
