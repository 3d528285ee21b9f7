//! Messages that a client sends: borrowing decoders of a body, and writers of whole frames.

use crate::DecodeError;
use crate::decode::Reader;
use crate::write;

/// Type bytes of frontend messages.
#[allow(missing_docs)]
pub mod tag {
    pub const BIND: u8 = b'B';
    pub const CLOSE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_FAIL: u8 = b'f';
    pub const DESCRIBE: u8 = b'D';
    pub const EXECUTE: u8 = b'E';
    pub const FLUSH: u8 = b'H';
    pub const FUNCTION_CALL: u8 = b'F';
    pub const PARSE: u8 = b'P';
    /// PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse.
    pub const PASSWORD: u8 = b'p';
    pub const QUERY: u8 = b'Q';
    pub const SYNC: u8 = b'S';
    pub const TERMINATE: u8 = b'X';
}

/// A Query's text.
pub fn query(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(body);
    let text = reader.string()?;
    reader.finish()?;
    Ok(text)
}

/// Writes a Query. `text` holds no zero byte.
pub fn write_query(out: &mut Vec<u8>, text: &[u8]) {
    let frame = write::open(out, tag::QUERY);
    write::string(out, text);
    frame.close(out);
}

/// Parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The prepared statement's name; empty: the unnamed one.
    pub name: &'a [u8],
    /// The statement.
    pub text: &'a [u8],
    /// The parameter types that the client gives.
    pub types: Oids<'a>,
}

/// A list of oids as it stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oids<'a> {
    /// Four bytes each.
    bytes: &'a [u8],
}

impl Oids<'_> {
    /// The oids in order; 0 in a Parse: not given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> {
        self.bytes.chunks_exact(4).map(|oid| u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]))
    }
}

pub(crate) fn oids<'a>(reader: &mut Reader<'a>) -> Result<Oids<'a>, DecodeError> {
    let count = reader.count()?;
    Ok(Oids { bytes: reader.bytes(count * 4)? })
}

impl<'a> Parse<'a> {
    /// From the message's body.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let (name, text) = (reader.string()?, reader.string()?);
        let types = oids(&mut reader)?;
        reader.finish()?;
        Ok(Self { name, text, types })
    }
}

/// Writes a Parse. `name` and `text` hold no zero byte; at most 65,535 `types`.
pub fn write_parse(
    out: &mut Vec<u8>,
    name: &[u8],
    text: &[u8],
    types: impl ExactSizeIterator<Item = u32>,
) {
    let frame = write::open(out, tag::PARSE);
    write::string(out, name);
    write::string(out, text);
    write::count(out, types.len());
    for oid in types {
        out.extend_from_slice(&oid.to_be_bytes());
    }
    frame.close(out);
}

/// Writes a Close of a statement (`S`) or portal (`P`). `name` holds no zero byte.
pub fn write_close(out: &mut Vec<u8>, what: u8, name: &[u8]) {
    let frame = write::open(out, tag::CLOSE);
    out.push(what);
    write::string(out, name);
    frame.close(out);
}

/// How values of a message are represented: no code (all text), one for all, or one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats<'a> {
    /// Two bytes each.
    bytes: &'a [u8],
}

impl<'a> Formats<'a> {
    /// How many codes there are.
    pub fn count(&self) -> usize {
        self.bytes.len() / 2
    }

    /// The code of value `index`: 0 text, 1 binary.
    pub fn of(&self, index: usize) -> i16 {
        let index = if self.count() == 1 { 0 } else { index };
        match self.bytes.get(index * 2..index * 2 + 2) {
            Some(code) => i16::from_be_bytes([code[0], code[1]]),
            None => 0,
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.count()?;
        Ok(Self { bytes: reader.bytes(count * 2)? })
    }
}

/// Bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty: the unnamed one.
    pub portal: &'a [u8],
    /// The prepared statement's name.
    pub statement: &'a [u8],
    /// Representation of the values.
    pub formats: Formats<'a>,
    /// How many values follow.
    pub count: usize,
    /// The values, as they stand in the message.
    values: &'a [u8],
    /// Representation of the results.
    pub results: Formats<'a>,
    /// The result formats as they stand in the message, count included.
    pub results_bytes: &'a [u8],
}

impl<'a> Bind<'a> {
    /// From the message's body.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let (portal, statement) = (reader.string()?, reader.string()?);
        let formats = Formats::decode(&mut reader)?;
        let count = reader.count()?;
        let values = reader.rest();
        for _ in 0..count {
            reader.value()?;
        }
        let results_bytes = reader.rest();
        let values = &values[..values.len() - results_bytes.len()];
        let results = Formats::decode(&mut reader)?;
        reader.finish()?;
        Ok(Self { portal, statement, formats, count, values, results, results_bytes })
    }

    /// The values in order; `None`: NULL.
    pub fn values(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut reader = Reader::new(self.values);
        // Every value was read once in `decode`, so none fails here.
        (0..self.count).map_while(move |_| reader.value().ok())
    }
}

/// A Bind under construction at the end of a buffer.
#[derive(Debug)]
#[must_use]
pub struct BindBuilder {
    frame: write::Open,
}

impl BindBuilder {
    /// Begins a Bind with these formats of its values; `values` of them follow by
    /// [`write::value`].
    pub fn begin(
        out: &mut Vec<u8>,
        portal: &[u8],
        statement: &[u8],
        formats: impl ExactSizeIterator<Item = i16>,
        values: usize,
    ) -> Self {
        let frame = write::open(out, tag::BIND);
        write::string(out, portal);
        write::string(out, statement);
        write::count(out, formats.len());
        for code in formats {
            out.extend_from_slice(&code.to_be_bytes());
        }
        write::count(out, values);
        Self { frame }
    }

    /// Ends it with the result formats, count included, as [`Bind::results_bytes`] has them.
    pub fn finish(self, out: &mut Vec<u8>, results: &[u8]) {
        out.extend_from_slice(results);
        self.frame.close(out);
    }
}

/// What a Describe or Close is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The prepared statement of this name.
    Statement(&'a [u8]),
    /// The portal of this name.
    Portal(&'a [u8]),
}

impl<'a> Target<'a> {
    /// From the body of a Describe or Close. `None`: neither `S` nor `P`, which the server
    /// answers with an error of its own.
    pub fn decode(body: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let mut reader = Reader::new(body);
        let kind = reader.u8()?;
        let name = reader.string()?;
        reader.finish()?;
        Ok(match kind {
            b'S' => Some(Self::Statement(name)),
            b'P' => Some(Self::Portal(name)),
            _ => None,
        })
    }
}

/// The portal's name of an Execute.
pub fn execute(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(body);
    let portal = reader.string()?;
    reader.i32()?;
    reader.finish()?;
    Ok(portal)
}

/// The function's oid of a FunctionCall.
pub fn function_call(body: &[u8]) -> Result<u32, DecodeError> {
    Reader::new(body).u32()
}

/// Writes a message without a body: Sync, Flush, Terminate.
pub fn write_bare(out: &mut Vec<u8>, tag: u8) {
    write::open(out, tag).close(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, HEADER};
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(1..=255u8, 0..30)
    }

    proptest! {
        #[test]
        fn parse_comes_back(name in text(), sql in text(), types in prop::collection::vec(any::<u32>(), 0..10)) {
            let mut out = Vec::new();
            write_parse(&mut out, &name, &sql, types.iter().copied());
            let frame = frame::first(&out, 1 << 20).unwrap().unwrap();
            prop_assert_eq!(frame.bytes.len(), out.len());
            let parse = Parse::decode(frame.body()).unwrap();
            prop_assert_eq!((parse.name, parse.text), (&name[..], &sql[..]));
            prop_assert_eq!(parse.types.iter().collect::<Vec<_>>(), types);
        }

        #[test]
        fn bind_comes_back(
            portal in text(),
            statement in text(),
            formats in prop::collection::vec(0..2i16, 0..4),
            values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..10),
            results in prop::collection::vec(0..2i16, 0..4),
        ) {
            let mut out = Vec::new();
            let bind = BindBuilder::begin(&mut out, &portal, &statement, formats.iter().copied(), values.len());
            for value in &values {
                write::value(&mut out, value.as_deref());
            }
            let mut tail = Vec::new();
            write::count(&mut tail, results.len());
            tail.extend(results.iter().flat_map(|code| code.to_be_bytes()));
            bind.finish(&mut out, &tail);

            let bind = Bind::decode(&out[HEADER..]).unwrap();
            prop_assert_eq!((bind.portal, bind.statement), (&portal[..], &statement[..]));
            prop_assert_eq!(bind.formats.count(), formats.len());
            for index in 0..values.len() {
                let expected = match formats.as_slice() { [one] => *one, all => all.get(index).copied().unwrap_or(0) };
                prop_assert_eq!(bind.formats.of(index), expected);
            }
            prop_assert_eq!(bind.values().collect::<Vec<_>>(), values.iter().map(Option::as_deref).collect::<Vec<_>>());
            prop_assert_eq!(bind.results_bytes, &tail[..]);
        }
    }

    #[test]
    fn malformed_bodies_are_errors() {
        assert_eq!(query(b"SELECT 1"), Err(DecodeError::Unterminated));
        assert_eq!(query(b"SELECT 1\0x"), Err(DecodeError::Trailing));
        assert_eq!(Parse::decode(b"a\0b\0\0\x02\0\0\0\x19"), Err(DecodeError::Truncated));
        // A value that claims more than the message holds.
        let bind = b"\0\0\0\0\0\x01\0\0\0\x09x";
        assert_eq!(Bind::decode(bind), Err(DecodeError::Truncated));
        let bind = b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0";
        assert_eq!(Bind::decode(bind), Err(DecodeError::Count));
        assert_eq!(Target::decode(b"Xa\0"), Ok(None));
        assert_eq!(Target::decode(b""), Err(DecodeError::Truncated));
        assert_eq!(execute(b"a\0\0\0"), Err(DecodeError::Truncated));
        assert_eq!(function_call(b"\0\0\x10"), Err(DecodeError::Truncated));
    }

    /// The same bytes as an independent implementation makes.
    #[test]
    fn as_pgwire_has_it() {
        use bytes::BytesMut;
        use pgwire::messages::{Message as _, extendedquery};
        let mut theirs = BytesMut::new();
        extendedquery::Parse::new(Some("s".into()), "SELECT $1".into(), vec![25, 0])
            .encode(&mut theirs)
            .unwrap();
        let mut ours = Vec::new();
        write_parse(&mut ours, b"s", b"SELECT $1", [25, 0].into_iter());
        assert_eq!(ours, theirs);

        let mut theirs = BytesMut::new();
        let values = vec![Some("x".into()), None];
        extendedquery::Bind::new(Some("p".into()), Some("s".into()), vec![1], values, vec![0, 1])
            .encode(&mut theirs)
            .unwrap();
        let mut ours = Vec::new();
        let bind = BindBuilder::begin(&mut ours, b"p", b"s", [1].into_iter(), 2);
        write::value(&mut ours, Some(b"x"));
        write::value(&mut ours, None);
        bind.finish(&mut ours, &[0, 2, 0, 0, 0, 1]);
        assert_eq!(ours, theirs);
    }
}
