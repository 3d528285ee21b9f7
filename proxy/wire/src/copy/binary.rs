//! Rows of the binary format.

use super::{CopyFault, Piece, PieceKind};

/// What a binary stream begins with.
pub(super) const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Signature, flags, length of the header's extension.
const HEADER: usize = SIGNATURE.len() + 8;

/// Flag of a stream with OIDs.
const OIDS: u32 = 1 << 16;

/// Finds the header, rows and the trailer. A row that is not complete yet is not walked again
/// from its beginning.
#[derive(Debug)]
pub(super) struct Tuples {
    columns: usize,
    header: bool,
    row: u64,
    /// Fields before this have been walked; 0 before the row's count has been read.
    at: usize,
    /// How many fields are to come in the row.
    left: usize,
}

impl Tuples {
    pub(super) fn new(columns: usize) -> Self {
        Self { columns, header: true, row: 0, at: 0, left: 0 }
    }

    /// Number of the row, from 1.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// See [`super::lines::Lines::next`].
    pub(super) fn next(&mut self, buffer: &[u8], end: bool) -> Result<Option<Piece>, CopyFault> {
        let piece = |kind, end, last| Ok(Some(Piece { kind, content: end, end, last }));
        if self.header {
            return match header(buffer, end)? {
                None => Ok(None),
                Some(length) => {
                    self.header = false;
                    piece(PieceKind::Header, length, false)
                }
            };
        }
        if self.at == 0 {
            let Some(&count) = buffer.first_chunk() else {
                // A single byte instead of a count is an end like any other for the server.
                return if end { piece(PieceKind::Trailer, buffer.len(), true) } else { Ok(None) };
            };
            self.row += 1;
            let got = i16::from_be_bytes(count);
            if got == -1 {
                return piece(PieceKind::Trailer, 2, true);
            }
            if usize::try_from(got) != Ok(self.columns) {
                return Err(CopyFault::FieldCount { got, expected: self.columns });
            }
            self.at = 2;
            self.left = self.columns;
        }
        while self.left > 0 {
            let Some(length) = field_length(buffer, self.at)? else { break };
            let after = self.at + 4 + length.unwrap_or(0);
            if after > buffer.len() {
                break;
            }
            self.at = after;
            self.left -= 1;
        }
        if self.left > 0 {
            return if end { Err(CopyFault::UnexpectedEnd) } else { Ok(None) };
        }
        piece(PieceKind::Row, std::mem::take(&mut self.at), false)
    }
}

/// The length of the field at `at`, `Some(None)` for NULL; `None` when it is not there yet.
#[allow(clippy::option_option)] // the outer one is "not yet", the inner one is the field's
pub(super) fn field_length(buffer: &[u8], at: usize) -> Result<Option<Option<usize>>, CopyFault> {
    let Some(&length) = buffer.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    match i32::from_be_bytes(length) {
        -1 => Ok(Some(None)),
        length => {
            usize::try_from(length).map(|length| Some(Some(length))).or(Err(CopyFault::FieldSize))
        }
    }
}

/// The length of the header; `None` when it is not complete.
fn header(buffer: &[u8], end: bool) -> Result<Option<usize>, CopyFault> {
    let known = buffer.len().min(SIGNATURE.len());
    if buffer[..known] != SIGNATURE[..known] || (end && known < SIGNATURE.len()) {
        return Err(CopyFault::Signature);
    }
    let word = |at: usize, missing: CopyFault| match buffer.get(at..).and_then(<[u8]>::first_chunk)
    {
        Some(&word) => Ok(Some(u32::from_be_bytes(word))),
        None if end => Err(missing),
        None => Ok(None),
    };
    let Some(flags) = word(SIGNATURE.len(), CopyFault::MissingFlags)? else { return Ok(None) };
    if flags & OIDS != 0 {
        return Err(CopyFault::WithOids);
    }
    if flags >> 16 != 0 {
        return Err(CopyFault::CriticalFlags);
    }
    let Some(extension) = word(SIGNATURE.len() + 4, CopyFault::MissingLength)? else {
        return Ok(None);
    };
    let extension = i32::try_from(extension)
        .ok()
        .and_then(|extension| usize::try_from(extension).ok())
        .ok_or(CopyFault::MissingLength)?;
    let length = HEADER + extension;
    if buffer.len() >= length {
        Ok(Some(length))
    } else if end {
        Err(CopyFault::WrongLength)
    } else {
        Ok(None)
    }
}
