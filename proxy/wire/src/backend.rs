//! Messages that a server sends: borrowing decoders, and changes in place.

use crate::DecodeError;
use crate::decode::Reader;
use crate::frontend::{Oids, oids};
use crate::write;

/// Type bytes of backend messages.
#[allow(missing_docs)]
pub mod tag {
    pub const AUTHENTICATION: u8 = b'R';
    pub const BACKEND_KEY_DATA: u8 = b'K';
    pub const BIND_COMPLETE: u8 = b'2';
    pub const CLOSE_COMPLETE: u8 = b'3';
    pub const COMMAND_COMPLETE: u8 = b'C';
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_IN_RESPONSE: u8 = b'G';
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    pub const DATA_ROW: u8 = b'D';
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    pub const ERROR_RESPONSE: u8 = b'E';
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub const NO_DATA: u8 = b'n';
    pub const NOTICE_RESPONSE: u8 = b'N';
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    pub const PARAMETER_STATUS: u8 = b'S';
    pub const PARSE_COMPLETE: u8 = b'1';
    pub const PORTAL_SUSPENDED: u8 = b's';
    pub const READY_FOR_QUERY: u8 = b'Z';
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// What an Authentication message asks of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// The client is in.
    Ok,
    /// The client must answer with a message of type `p`.
    Answer,
    /// Nothing to answer (the last word of a SASL exchange).
    Inform,
}

/// Decodes an Authentication message.
pub fn authentication(body: &[u8]) -> Result<Authentication, DecodeError> {
    // Codes: "Message Formats", AuthenticationOk to AuthenticationSASLFinal. Anything newer
    // expects an answer: so does every code so far but these two.
    Ok(match Reader::new(body).u32()? {
        0 => Authentication::Ok,
        12 => Authentication::Inform,
        _ => Authentication::Answer,
    })
}

/// Process id and secret key of a BackendKeyData.
pub fn backend_key_data(body: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    let mut reader = Reader::new(body);
    Ok((reader.u32()?, reader.rest()))
}

/// Name and value of a ParameterStatus.
pub fn parameter_status(body: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let mut reader = Reader::new(body);
    let status = (reader.string()?, reader.string()?);
    reader.finish()?;
    Ok(status)
}

/// Where the server's session stands between statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not in a transaction block.
    Idle,
    /// In a transaction block.
    Block,
    /// In a transaction block that failed: everything is refused until it ends.
    Failed,
}

/// Decodes a ReadyForQuery.
pub fn ready_for_query(body: &[u8]) -> Result<TransactionStatus, DecodeError> {
    match body {
        b"I" => Ok(TransactionStatus::Idle),
        b"T" => Ok(TransactionStatus::Block),
        b"E" => Ok(TransactionStatus::Failed),
        _ => Err(DecodeError::Trailing),
    }
}

/// The tag of a CommandComplete.
pub fn command_complete(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(body);
    let tag = reader.string()?;
    reader.finish()?;
    Ok(tag)
}

/// Writes a CommandComplete.
pub fn write_command_complete(out: &mut Vec<u8>, command_tag: &[u8]) {
    let frame = write::open(out, tag::COMMAND_COMPLETE);
    write::string(out, command_tag);
    frame.close(out);
}

/// The types of a ParameterDescription.
pub fn parameter_description(body: &[u8]) -> Result<Oids<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let types = oids(&mut reader)?;
    reader.finish()?;
    Ok(types)
}

/// Writes a ParameterDescription.
pub fn write_parameter_description(out: &mut Vec<u8>, types: impl ExactSizeIterator<Item = u32>) {
    let frame = write::open(out, tag::PARAMETER_DESCRIPTION);
    write::count(out, types.len());
    for oid in types {
        out.extend_from_slice(&oid.to_be_bytes());
    }
    frame.close(out);
}

/// One column of a RowDescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The column's name.
    pub name: &'a [u8],
    /// Oid of the table it comes from, or 0.
    pub table: u32,
    /// Attribute number there, or 0.
    pub number: i16,
    /// Oid of its type.
    pub type_oid: u32,
    /// `pg_type.typlen`
    pub length: i16,
    /// Its typmod, or -1.
    pub typmod: i32,
    /// 0 text, 1 binary.
    pub format: i16,
    /// Where the type stands in the body: see [`patch_type`].
    type_at: usize,
}

/// The columns of a RowDescription.
pub fn row_description(
    body: &[u8],
) -> Result<(usize, impl Iterator<Item = Result<Field<'_>, DecodeError>>), DecodeError> {
    let mut reader = Reader::new(body);
    let count = reader.count()?;
    let fields = (0..count).map(move |index| {
        let name = reader.string()?;
        let (table, number) = (reader.u32()?, reader.i16()?);
        let type_at = body.len() - reader.rest().len();
        let (type_oid, length, typmod) = (reader.u32()?, reader.i16()?, reader.i32()?);
        let format = reader.i16()?;
        if index + 1 == count {
            reader.finish()?;
        }
        Ok(Field { name, table, number, type_oid, length, typmod, format, type_at })
    });
    Ok((count, fields))
}

/// A type to put into a RowDescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldType {
    /// Oid of the type.
    pub oid: u32,
    /// `pg_type.typlen`; -1 for everything of variable length.
    pub length: i16,
    /// The typmod, or -1.
    pub typmod: i32,
    /// The column is no table's: table oid and attribute number become 0.
    pub detached: bool,
}

/// Changes the types of a RowDescription in place: `types` has one entry a column, `None` leaves
/// it. `Err(Count)`: there are not as many columns as entries; the body is then unchanged.
pub fn patch_types(
    body: &mut [u8],
    mut types: impl ExactSizeIterator<Item = Option<FieldType>>,
) -> Result<(), DecodeError> {
    let (count, fields) = row_description(body)?;
    if count != types.len() {
        return Err(DecodeError::Count);
    }
    let places = fields.map(|field| field.map(|f| f.type_at)).collect::<Result<Vec<_>, _>>()?;
    for (at, new) in places.into_iter().zip(&mut types) {
        let Some(new) = new else { continue };
        if new.detached {
            // Table oid and attribute number stand in front.
            body[at - 6..at].fill(0);
        }
        body[at..at + 4].copy_from_slice(&new.oid.to_be_bytes());
        body[at + 4..at + 6].copy_from_slice(&new.length.to_be_bytes());
        body[at + 6..at + 10].copy_from_slice(&new.typmod.to_be_bytes());
    }
    Ok(())
}

/// The fields of an ErrorResponse or NoticeResponse: type byte and text, in order.
#[derive(Debug, Clone)]
pub struct ErrorFields<'a> {
    reader: Reader<'a>,
}

impl<'a> ErrorFields<'a> {
    /// From the message's body. Every field is checked here.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let fields = Self { reader: Reader::new(body) };
        let mut reader = fields.reader;
        while reader.u8()? != 0 {
            reader.string()?;
        }
        reader.finish()?;
        Ok(fields)
    }

    /// The first field of this type.
    pub fn get(&self, field: u8) -> Option<&'a [u8]> {
        self.clone().find(|(kind, _)| *kind == field).map(|(_, text)| text)
    }
}

impl<'a> Iterator for ErrorFields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.reader.u8().ok().filter(|kind| *kind != 0)?;
        Some((kind, self.reader.string().ok()?))
    }
}

/// An ErrorResponse or NoticeResponse under construction at the end of a buffer.
#[derive(Debug)]
#[must_use]
pub struct ErrorBuilder {
    frame: write::Open,
}

impl ErrorBuilder {
    /// Begins a message of this type.
    pub fn begin(out: &mut Vec<u8>, tag: u8) -> Self {
        Self { frame: write::open(out, tag) }
    }

    /// Appends a field; `text` holds no zero byte.
    pub fn field(&mut self, out: &mut Vec<u8>, kind: u8, text: &[u8]) {
        out.push(kind);
        write::string(out, text);
    }

    /// Ends the message.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.push(0);
        self.frame.close(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::HEADER;
    use proptest::prelude::*;

    fn description(names: &[Vec<u8>]) -> Vec<u8> {
        let mut body = Vec::new();
        write::count(&mut body, names.len());
        for (index, name) in names.iter().enumerate() {
            write::string(&mut body, name);
            body.extend(7u32.to_be_bytes());
            body.extend(i16::try_from(index).unwrap().to_be_bytes());
            body.extend(25u32.to_be_bytes());
            body.extend((-1i16).to_be_bytes());
            body.extend((-1i32).to_be_bytes());
            body.extend(1i16.to_be_bytes());
        }
        body
    }

    fn names() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(1..=255u8, 0..20), 0..12)
    }

    proptest! {
        #[test]
        fn only_the_patched_types_change(names in names(), which in any::<u16>()) {
            let mut body = description(&names);
            let types = (0..names.len()).map(|index| {
                let new = FieldType { oid: 1043, length: -1, typmod: 258, detached: false };
                (which >> index & 1 == 1).then_some(new)
            });
            patch_types(&mut body, types).unwrap();
            let (count, fields) = row_description(&body).unwrap();
            prop_assert_eq!(count, names.len());
            for (index, field) in fields.enumerate() {
                let field = field.unwrap();
                prop_assert_eq!(field.name, &names[index][..]);
                prop_assert_eq!((field.table, field.format), (7, 1));
                prop_assert_eq!(usize::try_from(field.number).unwrap(), index);
                let patched = which >> index & 1 == 1;
                let expected = if patched { (1043, 258) } else { (25, -1) };
                prop_assert_eq!((field.type_oid, field.typmod), expected);
            }
        }

        #[test]
        fn error_fields_come_back(fields in prop::collection::vec((1..=255u8, prop::collection::vec(1..=255u8, 0..20)), 0..8)) {
            let mut out = Vec::new();
            let mut error = ErrorBuilder::begin(&mut out, tag::ERROR_RESPONSE);
            for (kind, text) in &fields {
                error.field(&mut out, *kind, text);
            }
            error.finish(&mut out);
            let read = ErrorFields::decode(&out[HEADER..]).unwrap();
            let read = read.map(|(kind, text)| (kind, text.to_vec())).collect::<Vec<_>>();
            prop_assert_eq!(read, fields);
        }
    }

    #[test]
    fn another_number_of_columns_changes_nothing() {
        let mut body = description(&[b"a".to_vec(), b"b".to_vec()]);
        let before = body.clone();
        let new = Some(FieldType { oid: 1043, length: -1, typmod: -1, detached: false });
        assert_eq!(patch_types(&mut body, [new].into_iter()), Err(DecodeError::Count));
        assert_eq!(body, before);
    }

    #[test]
    fn malformed_bodies_are_errors() {
        assert!(ErrorFields::decode(b"SERROR\0").is_err());
        assert!(ErrorFields::decode(b"SERROR").is_err());
        assert!(ErrorFields::decode(b"\0x").is_err());
        assert!(ready_for_query(b"X").is_err());
        assert!(authentication(b"\0\0").is_err());
        assert!(parameter_description(b"\0\x01\0\0").is_err());
        let body = description(&[b"a".to_vec()]);
        for end in 2..body.len() {
            let (_, mut fields) = row_description(&body[..end]).unwrap();
            assert!(fields.next().unwrap().is_err());
        }
    }
}
