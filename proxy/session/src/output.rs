//! Rows on their way to the client.

use std::iter;
use std::sync::Arc;

use pgveil_policy::Reveal;
use pgveil_seal::{
    Field, LogicalType, MapError, RowShape, map_binary_array, map_row, map_text_array,
};
use pgveil_sql::catalog::ColumnId;
use pgveil_sql::plan::Output;
use pgveil_sql::refusal::Refusal;
use pgveil_wire::DecodeError;
use pgveil_wire::backend::{self, FieldType};
use pgveil_wire::copy::Replaced;
use pgveil_wire::row::{Cells, RowBuilder};

use crate::catalog_cache::Loaded;
use crate::sealing::OpenFailure;

/// What becomes of one column's cells.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// It passes.
    Plain,
    /// It holds a token.
    Sealed {
        column: ColumnId,
        /// The type that the client sees; of the elements, if it is an array.
        logical: LogicalType,
        /// What the policy lets it see.
        reveal: Reveal,
        /// It is an array of tokens.
        array: bool,
    },
    /// It is a row, with an entry for each field.
    Row(Arc<[Cell]>),
}

/// Buffers that are used again for every row.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    value: Vec<u8>,
    text: String,
}

/// Why a row cannot be shown.
#[derive(Debug)]
pub(crate) enum RowError {
    /// The message is not what its type says, or not what the statement's plan says.
    Shape,
    /// A token does not become a value.
    Open(ColumnId, OpenFailure),
    /// The value is not text in the encoding that the column is sealed in.
    NotText(ColumnId),
    /// The value has characters that we cannot say in the client's encoding.
    Untranslatable(ColumnId),
}

impl From<RowShape> for RowError {
    fn from(_: RowShape) -> Self {
        Self::Shape
    }
}

impl From<MapError<RowError>> for RowError {
    fn from(error: MapError<RowError>) -> Self {
        match error {
            MapError::Element(error) => error,
            MapError::Array(_) => Self::Shape,
        }
    }
}

impl From<DecodeError> for RowError {
    fn from(_: DecodeError) -> Self {
        Self::Shape
    }
}

/// Appends the DataRow with this body, its sealed cells opened, masked or withheld. Binary and
/// text formats of the character types are the same bytes, and those of arrays and rows differ in
/// their first byte, so nobody needs to know which was asked for. When it fails `out` is as
/// before.
pub(crate) fn write_row(
    out: &mut Vec<u8>,
    body: &[u8],
    cells: &[Cell],
    loaded: &Loaded,
    utf8_client: bool,
    scratch: &mut Scratch,
) -> Result<(), RowError> {
    let mut values = Cells::decode(body)?;
    if values.left() != cells.len() {
        return Err(RowError::Shape);
    }
    let mut row = RowBuilder::begin(out, cells.len());
    for cell in cells {
        let result = match (values.next_cell(), cell) {
            (Err(error), _) => Err(error.into()),
            (Ok(value), Cell::Plain) => {
                row.cell(out, value);
                Ok(())
            }
            (Ok(None), _) | (Ok(Some(_)), Cell::Sealed { reveal: Reveal::Withhold, .. }) => {
                row.cell(out, None);
                Ok(())
            }
            (Ok(Some(token)), Cell::Sealed { column, logical, reveal, array: false }) => row
                .cell_with(out, |out| {
                    show_cell(out, token, *column, *logical, reveal, loaded, utf8_client, scratch)
                }),
            (Ok(Some(value)), cell) => {
                row.cell_with(out, |out| show_parts(out, value, cell, loaded, utf8_client, scratch))
            }
        };
        if let Err(error) = result {
            row.abandon(out);
            return Err(error);
        }
    }
    if values.finish().is_err() {
        row.abandon(out);
        return Err(RowError::Shape);
    }
    row.finish(out);
    Ok(())
}

/// Replaces one value of copy data.
pub(crate) fn replace_cell(
    out: &mut Vec<u8>,
    token: &[u8],
    cell: &Cell,
    loaded: &Loaded,
    utf8: bool,
    scratch: &mut Scratch,
) -> Result<Replaced, RowError> {
    match cell {
        Cell::Plain => out.extend_from_slice(token),
        Cell::Sealed { reveal: Reveal::Withhold, .. } => return Ok(Replaced::Null),
        Cell::Sealed { column, logical, reveal, array: false } => {
            show_cell(out, token, *column, *logical, reveal, loaded, utf8, scratch)?;
        }
        cell => show_parts(out, token, cell, loaded, utf8, scratch)?,
    }
    Ok(Replaced::Value)
}

/// Appends what the client sees of one token, if its encoding has it.
#[expect(clippy::too_many_arguments, reason = "the parts of a cell, and where it goes")]
fn show_cell(
    out: &mut Vec<u8>,
    token: &[u8],
    column: ColumnId,
    logical: LogicalType,
    reveal: &Reveal,
    loaded: &Loaded,
    utf8: bool,
    scratch: &mut Scratch,
) -> Result<(), RowError> {
    let start = out.len();
    open_cell(out, token, column, logical, reveal, loaded, scratch)?;
    if utf8 || out[start..].is_ascii() { Ok(()) } else { Err(RowError::Untranslatable(column)) }
}

/// Appends what the client sees of an array of tokens or of a row that holds some, if its encoding
/// has it.
fn show_parts(
    out: &mut Vec<u8>,
    value: &[u8],
    cell: &Cell,
    loaded: &Loaded,
    utf8: bool,
    scratch: &mut Scratch,
) -> Result<(), RowError> {
    let start = out.len();
    open_parts(out, value, cell, loaded, scratch)?;
    // Other encodings use the bytes of quotes and commas inside characters.
    if utf8 || (value.is_ascii() && out[start..].is_ascii()) {
        Ok(())
    } else {
        Err(cell.sealed().map_or(RowError::Shape, RowError::Untranslatable))
    }
}

/// Appends what the client sees of an array of tokens, or of a row that holds some.
fn open_parts(
    out: &mut Vec<u8>,
    value: &[u8],
    cell: &Cell,
    loaded: &Loaded,
    scratch: &mut Scratch,
) -> Result<(), RowError> {
    match cell {
        Cell::Plain => out.extend_from_slice(value),
        Cell::Sealed { column, logical, reveal, array: false } => {
            open_cell(out, value, *column, *logical, reveal, loaded, scratch)?;
        }
        Cell::Sealed { column, logical, reveal, array: true } => {
            let mut open = |token: &[u8], out: &mut Vec<u8>| {
                open_cell(out, token, *column, *logical, reveal, loaded, scratch)
            };
            if value.first() == Some(&0) {
                out.extend_from_slice(&map_binary_array(value, logical.oid(), open)?);
            } else {
                let text = str::from_utf8(value).map_err(|_| RowError::Shape)?;
                let shown = map_text_array(text, |token| {
                    let mut value = Vec::new();
                    open(token.as_bytes(), &mut value)?;
                    String::from_utf8(value).map_err(|_| RowError::NotText(*column))
                })?;
                out.extend_from_slice(shown.as_bytes());
            }
        }
        Cell::Row(fields) => {
            let types: Vec<Option<u32>> = fields.iter().map(Cell::type_oid).collect();
            map_row::<RowError>(value, &types, out, |index, value| match &fields[index] {
                Cell::Plain => Ok(Field::Same),
                Cell::Sealed { reveal: Reveal::Withhold, .. } => Ok(Field::Null),
                field => {
                    let mut shown = Vec::new();
                    open_parts(&mut shown, value, field, loaded, scratch)?;
                    Ok(Field::Value(shown))
                }
            })?;
        }
    }
    Ok(())
}

impl Cell {
    /// The type that its binary form shall show inside a row, if it is another than it shows.
    fn type_oid(&self) -> Option<u32> {
        match self {
            Self::Plain | Self::Row(_) => None,
            Self::Sealed { logical, array: false, .. } => Some(logical.oid()),
            Self::Sealed { logical, array: true, .. } => Some(logical.array_oid()),
        }
    }

    /// A sealed column in it.
    fn sealed(&self) -> Option<ColumnId> {
        match self {
            Self::Plain => None,
            Self::Sealed { column, .. } => Some(*column),
            Self::Row(fields) => fields.iter().find_map(Self::sealed),
        }
    }
}

/// Appends what the client sees of one token.
fn open_cell(
    out: &mut Vec<u8>,
    token: &[u8],
    column: ColumnId,
    logical: LogicalType,
    reveal: &Reveal,
    loaded: &Loaded,
    scratch: &mut Scratch,
) -> Result<(), RowError> {
    // What is stored has passed the column's own type. Only `character(n)`, which is padded, and
    // another type than the column's, which cuts, look at the value again.
    let own = loaded.catalog.column(column).logical;
    // An expression loses the length of `character(n)`, but its values keep their padding.
    let logical = match (logical, own) {
        (LogicalType::Char(None), LogicalType::Char(_)) => own,
        _ => logical,
    };
    let native = logical == own;
    let padded = matches!(logical, LogicalType::Char(Some(_)));
    if native && !padded && matches!(reveal, Reveal::Reveal) {
        return loaded
            .sealing
            .open_into(column, token, out)
            .map_err(|failure| RowError::Open(column, failure));
    }
    scratch.value.clear();
    loaded
        .sealing
        .open_into(column, token, &mut scratch.value)
        .map_err(|failure| RowError::Open(column, failure))?;
    let value = str::from_utf8(&scratch.value).map_err(|_| RowError::NotText(column))?;
    let cut = if native { value.into() } else { logical.cast(value) };
    let shown = logical.present(&cut);
    match reveal {
        Reveal::Mask(mask) => {
            scratch.text.clear();
            mask.apply(&shown, &mut scratch.text);
            out.extend_from_slice(scratch.text.as_bytes());
        }
        Reveal::Reveal => out.extend_from_slice(shown.as_bytes()),
        Reveal::Withhold => {}
    }
    Ok(())
}

/// Gives the sealed columns of a RowDescription their logical types. An error: the description
/// does not have as many columns as the plan.
pub(crate) fn patch_description(body: &mut [u8], output: &[Output]) -> Result<(), DecodeError> {
    backend::patch_types(
        body,
        output.iter().map(|output| match output {
            // Its row type shows its fields only in the catalog.
            Output::Plain | Output::Row(_) => None,
            Output::Sealed { column: _, logical, detached, array } => Some(FieldType {
                oid: if *array { logical.array_oid() } else { logical.oid() },
                length: -1,
                typmod: logical.typmod(),
                detached: *detached,
            }),
        }),
    )
}

/// The cells of an output of which the policy has decided.
pub(crate) fn cells(
    output: &[Output],
    mut decide: impl FnMut(ColumnId) -> Option<Reveal>,
) -> Result<Box<[Cell]>, Refusal> {
    output.iter().map(|output| cell(output, &mut decide)).collect()
}

fn cell(
    output: &Output,
    decide: &mut impl FnMut(ColumnId) -> Option<Reveal>,
) -> Result<Cell, Refusal> {
    match output {
        Output::Plain => Ok(Cell::Plain),
        Output::Sealed { column, logical, detached: _, array } => match decide(*column) {
            Some(reveal) => {
                Ok(Cell::Sealed { column: *column, logical: *logical, reveal, array: *array })
            }
            None => Err(Refusal {
                code: "55000",
                message: "the policy has not decided about a column of the result".to_owned(),
                detail: None,
                hint: None,
                position: None,
            }),
        },
        Output::Row(fields) => {
            let fields: Result<Arc<[Cell]>, Refusal> =
                fields.iter().map(|field| cell(field, decide)).collect();
            Ok(Cell::Row(fields?))
        }
    }
}

impl RowError {
    /// The error that the client gets in place of the rest of the rows.
    pub(crate) fn refusal(&self, loaded: &Loaded) -> Refusal {
        let (column, code, detail, hint) = match self {
            Self::Shape => {
                return Refusal {
                    code: "55000",
                    message: "the result does not have the columns that were planned".to_owned(),
                    detail: Some("A relation has changed since the statement was read.".to_owned()),
                    hint: Some("Run the statement again.".to_owned()),
                    position: None,
                };
            }
            Self::Open(column, OpenFailure::NoKeyring) => (
                column,
                "55000",
                "Its keyring is not configured.".to_owned(),
                "Configure the keyring that the policy names.",
            ),
            Self::Open(column, OpenFailure::Token(error)) => (
                column,
                "XX001",
                format!("The stored text does not open: {error}."),
                "The keyring lacks the key that sealed it, or the value was not written by pgveil.",
            ),
            Self::NotText(column) => (
                column,
                "22021",
                "The token holds bytes that are not UTF-8.".to_owned(),
                "The value was not written by pgveil.",
            ),
            Self::Untranslatable(column) => (
                column,
                "22P05",
                "The value has characters outside ASCII, and the client's encoding is not UTF8."
                    .to_owned(),
                "SET client_encoding TO 'UTF8'.",
            ),
        };
        let column = loaded.catalog.column(*column);
        Refusal {
            code,
            message: format!(
                "cannot open a value of column \"{}\" of relation \"{}\" (keyring \"{}\", key {})",
                column.column, column.table, column.keyring, column.key_id
            ),
            detail: Some(detail),
            hint: Some(hint.to_owned()),
            position: None,
        }
    }
}

/// True when every cell passes as it comes.
pub(crate) fn passes(cells: &[Cell]) -> bool {
    cells.iter().all(|cell| matches!(cell, Cell::Plain))
}

/// The types of a statement's parameters as the client sees them: its own where it gave one, the
/// logical ones of sealed parameters, else the server's.
pub(crate) fn described_types(
    params: &pgveil_sql::plan::ParamMap,
    declared: &[u32],
    server: &[u32],
) -> Vec<u32> {
    let seals = params.server.iter().map(Some).chain(iter::repeat(None));
    seals
        .take(params.client)
        .enumerate()
        .map(|(index, param)| match declared.get(index) {
            Some(oid) if *oid != 0 => *oid,
            _ => match param.and_then(|param| param.seal.as_ref()) {
                Some(seal) => seal.described,
                None => server.get(index).copied().unwrap_or(0),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealing::{Keys, Sealing};
    use pgveil_policy::Mask;
    use pgveil_seal::{Keyring, Mode, Sealer, keygen};
    use pgveil_sql::catalog::{Catalog, SealedColumn};
    use pgveil_sql::plan::{ParamMap, ParamSeal, Purpose, ServerParam, Slot};
    use pgveil_wire::frame;
    use std::collections::HashMap;

    const COLUMN: ColumnId = ColumnId(0);

    /// A catalog of one sealed column, and what makes its tokens.
    fn fixture(logical: LogicalType) -> (Loaded, Sealer) {
        let keyring = Arc::new(Keyring::parse(&keygen()).unwrap());
        let sealer = Sealer::deterministic(keyring.primary(), "d");
        let column = SealedColumn {
            id: COLUMN,
            relation: 1,
            number: 2,
            schema: "public".into(),
            table: "people".into(),
            column: "email".into(),
            policy: "p".into(),
            mode: Mode::Deterministic,
            domain: "d".into(),
            keyring: "main".into(),
            key_id: keyring.primary().id().to_string(),
            key_check: keyring.primary().check_value(),
            collation: None,
            fold: None,
            logical,
        };
        let catalog = Catalog { columns: vec![column], ..Catalog::default() };
        let keys = HashMap::from([("main".to_owned(), Keys::new(keyring))]);
        let sealing = Sealing::new(&catalog, &crate::sealing::Keyrings(keys));
        (Loaded::new(catalog, sealing), sealer)
    }

    fn row(cells: &[Option<&[u8]>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut row = RowBuilder::begin(&mut out, cells.len());
        for cell in cells {
            row.cell(&mut out, *cell);
        }
        row.finish(&mut out);
        out
    }

    fn show(
        loaded: &Loaded,
        cell: &Cell,
        value: Option<&[u8]>,
        utf8: bool,
    ) -> Result<Option<Vec<u8>>, RowError> {
        let body = row(&[Some(b"1"), value]);
        let mut out = b"before".to_vec();
        let cells = [Cell::Plain, cell.clone()];
        let body = &body[frame::HEADER..];
        let written = write_row(&mut out, body, &cells, loaded, utf8, &mut Scratch::default());
        if let Err(error) = written {
            assert_eq!(out, b"before", "a half row is left");
            return Err(error);
        }
        let mut cells = Cells::decode(&out["before".len() + frame::HEADER..]).unwrap();
        assert_eq!(cells.next_cell().unwrap(), Some(&b"1"[..]));
        let shown = cells.next_cell().unwrap().map(<[u8]>::to_vec);
        cells.finish().unwrap();
        Ok(shown)
    }

    fn token(sealer: &Sealer, value: &str) -> Vec<u8> {
        let mut token = Vec::new();
        sealer.seal_into(value.as_bytes(), &mut token).unwrap();
        token
    }

    #[test]
    fn cells_are_revealed_masked_withheld_and_padded() {
        let varchar = LogicalType::Varchar(Some(20));
        let (loaded, sealer) = fixture(varchar);
        let token = token(&sealer, "ada@example.org");
        let cell = |logical, reveal| Cell::Sealed { column: COLUMN, logical, reveal, array: false };
        let mask = Mask { keep_first: 1, keep_last: 3, with: "*".into() };
        for (cell, expected) in [
            (cell(varchar, Reveal::Reveal), Some("ada@example.org")),
            (cell(varchar, Reveal::Mask(mask)), Some("a*org")),
            (cell(varchar, Reveal::Withhold), None),
            (cell(LogicalType::Varchar(Some(3)), Reveal::Reveal), Some("ada")),
            (cell(LogicalType::Char(Some(17)), Reveal::Reveal), Some("ada@example.org  ")),
        ] {
            let shown = show(&loaded, &cell, Some(&token), true).unwrap();
            assert_eq!(shown.as_deref(), expected.map(str::as_bytes), "{cell:?}");
            assert_eq!(show(&loaded, &cell, None, true).unwrap(), None);
        }
    }

    #[test]
    fn what_does_not_open_is_an_error_that_names_column_and_key() {
        let (loaded, _) = fixture(LogicalType::Text);
        let (_, other) = fixture(LogicalType::Text);
        let cell = Cell::Sealed {
            column: COLUMN,
            logical: LogicalType::Text,
            reveal: Reveal::Reveal,
            array: false,
        };
        for stored in [token(&other, "x"), b"plain".to_vec(), Vec::new()] {
            let error = show(&loaded, &cell, Some(&stored), true).unwrap_err();
            let refusal = error.refusal(&loaded);
            assert_eq!(refusal.code, "XX001");
            assert!(refusal.message.contains("\"email\" of relation \"people\""));
            assert!(refusal.message.contains(&loaded.catalog.column(COLUMN).key_id));
        }
    }

    #[test]
    fn other_encodings_get_ascii_or_an_error() {
        let (loaded, sealer) = fixture(LogicalType::Text);
        let cell = Cell::Sealed {
            column: COLUMN,
            logical: LogicalType::Text,
            reveal: Reveal::Reveal,
            array: false,
        };
        let ascii = show(&loaded, &cell, Some(&token(&sealer, "abc")), false).unwrap();
        assert_eq!(ascii.as_deref(), Some(&b"abc"[..]));
        let error = show(&loaded, &cell, Some(&token(&sealer, "\u{e9}")), false).unwrap_err();
        assert_eq!(error.refusal(&loaded).code, "22P05");
    }

    #[test]
    fn a_row_of_another_width_is_not_shown() {
        let (loaded, _) = fixture(LogicalType::Text);
        let body = row(&[Some(b"1")]);
        let mut out = Vec::new();
        let cells = [Cell::Plain, Cell::Plain];
        let body = &body[frame::HEADER..];
        let written = write_row(&mut out, body, &cells, &loaded, true, &mut Scratch::default());
        assert!(matches!(written, Err(RowError::Shape)));
        assert!(out.is_empty());
    }

    #[test]
    fn parameters_are_described_as_the_client_knows_them() {
        let seal = ParamSeal {
            slot: Slot {
                column: COLUMN,
                purpose: Purpose::Assign(LogicalType::Text),
                casts: Vec::new(),
                fold: None,
                handle: false,
            },
            array: false,
            described: 1043,
        };
        let param = |client, seal| ServerParam { client, seal, withheld: false };
        let params = ParamMap {
            client: 3,
            server: vec![
                param(0, Some(seal.clone())),
                param(1, None),
                param(2, Some(seal.clone())),
                param(0, None),
            ],
            resolved: 0,
        };
        assert_eq!(described_types(&params, &[0, 0, 25], &[25, 23, 25, 20]), [1043, 23, 25]);
        assert_eq!(described_types(&params, &[], &[25, 23, 25, 20]), [1043, 23, 1043]);
    }
}
