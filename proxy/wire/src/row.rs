//! `DataRow`: reading its cells, and writing a row cell by cell behind other frames without an
//! allocation of its own.

use crate::DecodeError;
use crate::decode::Reader;
use crate::write::{self, Open};

/// The cells of a `DataRow`.
#[derive(Debug, Clone)]
pub struct Cells<'a> {
    reader: Reader<'a>,
    /// Cells not read yet.
    left: usize,
}

impl<'a> Cells<'a> {
    /// From the message's body.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let left = reader.count()?;
        Ok(Self { reader, left })
    }

    /// How many cells have not been read yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next cell (`None` inside: NULL). Call it [`Cells::left`] times, then
    /// [`Cells::finish`].
    #[inline]
    pub fn next_cell(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        self.left = self.left.checked_sub(1).ok_or(DecodeError::Count)?;
        self.reader.value()
    }

    /// Checks that nothing is left over.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.left == 0 { self.reader.finish() } else { Err(DecodeError::Count) }
    }
}

/// A `DataRow` under construction at the end of a buffer.
#[derive(Debug)]
#[must_use]
pub struct RowBuilder {
    open: Open,
    /// Where the row begins in the buffer.
    start: usize,
}

impl RowBuilder {
    /// Begins a row of `cells` cells.
    pub fn begin(out: &mut Vec<u8>, cells: usize) -> Self {
        let start = out.len();
        let open = write::open(out, crate::backend::tag::DATA_ROW);
        write::count(out, cells);
        Self { open, start }
    }

    /// Appends a cell made in place: `fill` appends its bytes to the buffer. When it fails the
    /// buffer holds a half row: end with [`RowBuilder::abandon`].
    #[inline]
    pub fn cell_with<E>(
        &mut self,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        fill(out)?;
        let length = u32::try_from(out.len() - length_at - 4).unwrap_or(u32::MAX);
        out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Appends a cell as it is.
    #[inline]
    pub fn cell(&mut self, out: &mut Vec<u8>, cell: Option<&[u8]>) {
        write::value(out, cell);
    }

    /// Ends the row.
    pub fn finish(self, out: &mut [u8]) {
        self.open.close(out);
    }

    /// Takes the half row back out of the buffer.
    pub fn abandon(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_back(cells in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..50)), 0..20)) {
            let mut out = b"before".to_vec();
            let mut row = RowBuilder::begin(&mut out, cells.len());
            for cell in &cells {
                match cell {
                    Some(bytes) if bytes.len() % 2 == 0 => row
                        .cell_with::<()>(&mut out, |out| { out.extend_from_slice(bytes); Ok(()) })
                        .unwrap(),
                    cell => row.cell(&mut out, cell.as_deref()),
                }
            }
            row.finish(&mut out);
            let frame = crate::frame::first(&out[6..], 1 << 20).unwrap().unwrap();
            prop_assert_eq!(frame.bytes.len(), out.len() - 6);
            let mut read = Cells::decode(frame.body()).unwrap();
            prop_assert_eq!(read.left(), cells.len());
            for cell in &cells {
                prop_assert_eq!(read.next_cell().unwrap(), cell.as_deref());
            }
            prop_assert_eq!(read.finish(), Ok(()));
        }
    }

    #[test]
    fn a_cell_longer_than_the_row() {
        let mut cells = Cells::decode(&[0, 1, 0, 0, 0, 9, b'x']).unwrap();
        assert_eq!(cells.next_cell(), Err(DecodeError::Truncated));
        let mut cells = Cells::decode(&[0, 1, 0xff, 0xff, 0xff, 0xfe]).unwrap();
        assert_eq!(cells.next_cell(), Err(DecodeError::Count));
        assert_eq!(cells.next_cell(), Err(DecodeError::Count));
    }

    #[test]
    fn an_abandoned_row_leaves_nothing() {
        let mut out = b"before".to_vec();
        let mut row = RowBuilder::begin(&mut out, 2);
        row.cell(&mut out, Some(b"x"));
        assert_eq!(row.cell_with(&mut out, |_| Err("no")), Err("no"));
        row.abandon(&mut out);
        assert_eq!(out, b"before");
    }
}
