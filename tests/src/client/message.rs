//! Frames to send, as bytes; frames received, as they came.
//!
//! Written without the proxy's own wire crate on purpose: a mistake there must not hide itself.
//! (PostgreSQL, "Message Formats".)

use std::fmt;

/// Value format of parameters and results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 0
    Text,
    /// 1
    Binary,
}

impl Format {
    fn code(self) -> [u8; 2] {
        [0, u8::from(self == Self::Binary)]
    }
}

/// Collects frames to send in one write.
#[derive(Debug, Default, Clone)]
pub struct Batch(pub Vec<u8>);

impl Batch {
    /// No frames yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Any frame.
    #[must_use]
    pub fn frame(mut self, tag: u8, body: &[u8]) -> Self {
        self.0.push(tag);
        self.0.extend_from_slice(&length(body.len() + 4));
        self.0.extend_from_slice(body);
        self
    }

    /// Query: a simple query.
    #[must_use]
    pub fn query(self, sql: &str) -> Self {
        self.frame(b'Q', &[sql.as_bytes(), b"\0"].concat())
    }

    /// Parse, with the parameter types that the client wants to fix.
    #[must_use]
    pub fn parse(self, name: &str, sql: &str, types: &[u32]) -> Self {
        let mut body = [name.as_bytes(), b"\0", sql.as_bytes(), b"\0"].concat();
        body.extend_from_slice(&count(types.len()));
        for oid in types {
            body.extend_from_slice(&oid.to_be_bytes());
        }
        self.frame(b'P', &body)
    }

    /// Bind. `formats` has one entry for all parameters, or one for each; the results all have
    /// one format.
    #[must_use]
    pub fn bind(
        self,
        portal: &str,
        statement: &str,
        formats: &[Format],
        params: &[Option<Vec<u8>>],
        results: Format,
    ) -> Self {
        let mut body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0"].concat();
        body.extend_from_slice(&count(formats.len()));
        for format in formats {
            body.extend_from_slice(&format.code());
        }
        body.extend_from_slice(&count(params.len()));
        for param in params {
            match param {
                Some(value) => {
                    body.extend_from_slice(&length(value.len()));
                    body.extend_from_slice(value);
                }
                None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
        body.extend_from_slice(&[0, 1]);
        body.extend_from_slice(&results.code());
        self.frame(b'B', &body)
    }

    /// Describe of a statement.
    #[must_use]
    pub fn describe_statement(self, name: &str) -> Self {
        self.frame(b'D', &[b"S", name.as_bytes(), b"\0"].concat())
    }

    /// Describe of a portal.
    #[must_use]
    pub fn describe_portal(self, name: &str) -> Self {
        self.frame(b'D', &[b"P", name.as_bytes(), b"\0"].concat())
    }

    /// Execute; 0 rows means all.
    #[must_use]
    pub fn execute(self, portal: &str, rows: u32) -> Self {
        let body = [portal.as_bytes(), b"\0", &rows.to_be_bytes()].concat();
        self.frame(b'E', &body)
    }

    /// Close of a statement.
    #[must_use]
    pub fn close_statement(self, name: &str) -> Self {
        self.frame(b'C', &[b"S", name.as_bytes(), b"\0"].concat())
    }

    /// Close of a portal.
    #[must_use]
    pub fn close_portal(self, name: &str) -> Self {
        self.frame(b'C', &[b"P", name.as_bytes(), b"\0"].concat())
    }

    /// Sync.
    #[must_use]
    pub fn sync(self) -> Self {
        self.frame(b'S', &[])
    }

    /// Flush.
    #[must_use]
    pub fn flush(self) -> Self {
        self.frame(b'H', &[])
    }

    /// CopyData.
    #[must_use]
    pub fn copy_data(self, data: &[u8]) -> Self {
        self.frame(b'd', data)
    }

    /// CopyDone.
    #[must_use]
    pub fn copy_done(self) -> Self {
        self.frame(b'c', &[])
    }

    /// CopyFail.
    #[must_use]
    pub fn copy_fail(self, why: &str) -> Self {
        self.frame(b'f', &[why.as_bytes(), b"\0"].concat())
    }

    /// Terminate.
    #[must_use]
    pub fn terminate(self) -> Self {
        self.frame(b'X', &[])
    }
}

/// A startup packet: protocol 3.0 and its parameters.
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = (3_u32 << 16).to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(&[name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    untagged(&body)
}

/// A CancelRequest.
pub fn cancel_request(pid: u32, secret: &[u8]) -> Vec<u8> {
    let mut body = 80_877_102_u32.to_be_bytes().to_vec();
    body.extend_from_slice(&pid.to_be_bytes());
    body.extend_from_slice(secret);
    untagged(&body)
}

fn untagged(body: &[u8]) -> Vec<u8> {
    [&length(body.len() + 4)[..], body].concat()
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("a test sends less than 4 GiB").to_be_bytes()
}

fn count(items: usize) -> [u8; 2] {
    u16::try_from(items).expect("a test sends less than 65,536 items").to_be_bytes()
}

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub tag: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

/// A column of a RowDescription, with everything that it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name, byte for byte.
    pub name: String,
    /// Oid of the table that it comes from, or 0.
    pub table: u32,
    /// Its number there, or 0.
    pub number: i16,
    /// Oid of its type.
    pub type_oid: u32,
    /// `pg_type.typlen`
    pub type_length: i16,
    /// Type modifier.
    pub typmod: i32,
    /// Format code of its values.
    pub format: i16,
}

/// The fields of an ErrorResponse or NoticeResponse.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fields(pub Vec<(char, String)>);

impl Fields {
    /// A field by its letter.
    pub fn get(&self, letter: char) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == letter).map(|(_, value)| value.as_str())
    }

    /// SQLSTATE.
    pub fn code(&self) -> &str {
        self.get('C').unwrap_or_default()
    }

    /// The message.
    pub fn message(&self) -> &str {
        self.get('M').unwrap_or_default()
    }

    /// The hint.
    pub fn hint(&self) -> &str {
        self.get('H').unwrap_or_default()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (letter, value)) in self.0.iter().enumerate() {
            write!(f, "{}{letter}={value:?}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Reads a message's body from front to back. Panics when it is cut short: a test wants to know.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk::<N>().expect("a message is cut short");
        self.0 = rest;
        *head
    }

    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub(crate) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at_checked(length).expect("a message is cut short");
        self.0 = rest;
        head
    }

    pub(crate) fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).expect("a string has no end");
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        text
    }
}

impl Message {
    fn reader(&self) -> Reader<'_> {
        Reader(&self.body)
    }

    /// Of a RowDescription.
    pub fn columns(&self) -> Vec<Column> {
        let mut reader = self.reader();
        let columns = reader.i16();
        (0..columns)
            .map(|_| Column {
                name: reader.text(),
                table: reader.u32(),
                number: reader.i16(),
                type_oid: reader.u32(),
                type_length: reader.i16(),
                typmod: reader.i32(),
                format: reader.i16(),
            })
            .collect()
    }

    /// Of a DataRow.
    pub fn values(&self) -> Vec<Option<Vec<u8>>> {
        let mut reader = self.reader();
        let values = reader.i16();
        (0..values)
            .map(|_| {
                let length = reader.i32();
                usize::try_from(length).ok().map(|length| reader.bytes(length).to_vec())
            })
            .collect()
    }

    /// Of a ParameterDescription.
    pub fn types(&self) -> Vec<u32> {
        let mut reader = self.reader();
        let types = reader.i16();
        (0..types).map(|_| reader.u32()).collect()
    }

    /// Of an ErrorResponse or NoticeResponse.
    pub fn fields(&self) -> Fields {
        let mut reader = self.reader();
        let mut fields = Vec::new();
        loop {
            match reader.take::<1>() {
                [0] => return Fields(fields),
                [letter] => fields.push((char::from(letter), reader.text())),
            }
        }
    }

    /// Of a CommandComplete.
    pub fn command_tag(&self) -> String {
        self.reader().text()
    }

    /// Of a ParameterStatus.
    pub fn setting(&self) -> (String, String) {
        let mut reader = self.reader();
        (reader.text(), reader.text())
    }
}
