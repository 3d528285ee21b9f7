//! The detail of a duplicate among folded values: `Key (lower(email))=(ann@example.org) already
//! exists.`
//!
//! For the server it is one among fold handles, `Key (substr(email, 13, 12))=(qR4...) already
//! exists.`, and no value can be opened from a handle. But it is one that the statement itself
//! wrote: the tokens that were sent for it are looked through for the one that has it.

use pgveil_seal::{FOLD_HANDLE_AT, FOLD_HANDLE_LEN, Fold, LogicalType, MIN_TOKEN_LEN};
use pgveil_sql::catalog::{Catalog, Relation};
use pgveil_sql::physical::fold::handle_as_shown;
use pgveil_wire::backend::ErrorFields;

use crate::errors::{PREFIX, SEALED, View, is_token_byte};

/// What the details of a statement's errors are put right with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folds<'a> {
    pub(crate) catalog: &'a Catalog,
    /// What went upstream: the text, and the parameters that are kept.
    pub(crate) sent: [&'a [u8]; 2],
}

/// The detail of an error, if it is one about fold handles.
pub(crate) fn detail(fields: &ErrorFields<'_>, text: &[u8], view: View<'_>) -> Option<String> {
    let folds = view.folds?;
    let field = |kind| std::str::from_utf8(fields.get(kind)?).ok();
    let relation = folds.catalog.relation(field(b's')?, field(b't')?)?;
    let text = std::str::from_utf8(text).ok()?;
    let (keys, values) = text.split_once(")=(")?;
    let (keys, handles) = keys_as_written(keys, relation, folds.catalog)?;
    let end = values.rfind(") ")?;
    let (values, rest) = values.split_at(end);
    let values =
        if view.tokens { values.to_owned() } else { open_handles(values, &handles, view, folds) };
    Some(format!("{keys})=({values}{rest}"))
}

/// `Key (substr(email, 13, 12)` as it would be without pgveil, and how each handle in it folds;
/// [`None`] where there is none.
fn keys_as_written(
    keys: &str,
    relation: &Relation,
    catalog: &Catalog,
) -> Option<(String, Vec<Fold>)> {
    let mut written = keys.to_owned();
    let mut handles = Vec::new();
    for column in &relation.columns {
        let Some(sealed) = column.sealed else { continue };
        let Some(fold) = catalog.column(sealed.column).fold else { continue };
        let (shown, name) = handle_as_shown(&column.name);
        let cast = if sealed.logical == LogicalType::Text { "" } else { "::text" };
        let Some(at) = written.find(&shown) else { continue };
        written.replace_range(at..at + shown.len(), &format!("{fold}({name}{cast})"));
        handles.push(fold);
    }
    (!handles.is_empty()).then_some((written, handles))
}

/// The values with their handles opened. Where not all are found, nothing is shown: a value may
/// have a comma in it, so where the others are is not known.
fn open_handles(values: &str, handles: &[Fold], view: View<'_>, folds: Folds<'_>) -> String {
    let mut items: Vec<String> = values.split(", ").map(str::to_owned).collect();
    let mut left = handles.to_vec();
    for item in &mut items {
        if item.len() != FOLD_HANDLE_LEN || !item.bytes().all(is_token_byte) {
            continue;
        }
        let found = left
            .iter()
            .enumerate()
            .find_map(|(index, fold)| Some((index, folded_value(item, *fold, view, folds)?)));
        if let Some((index, value)) = found {
            left.remove(index);
            *item = if view.open { value } else { String::from_utf8_lossy(SEALED).into_owned() };
        }
    }
    if left.is_empty() {
        return items.join(", ");
    }
    String::from_utf8_lossy(SEALED).into_owned()
}

/// The folded value that has this handle, among the tokens that were sent.
fn folded_value(handle: &str, fold: Fold, view: View<'_>, folds: Folds<'_>) -> Option<String> {
    let map = folds.catalog.case_maps.get(&fold)?;
    for sent in folds.sent {
        for at in memchr::memmem::find_iter(sent, PREFIX) {
            let token = &sent[at..];
            let at = FOLD_HANDLE_AT - 1;
            if token.get(at..at + FOLD_HANDLE_LEN) != Some(handle.as_bytes()) {
                continue;
            }
            let length = token.iter().position(|byte| !is_token_byte(*byte));
            let token = &token[..length.unwrap_or(token.len())];
            let mut value = Vec::new();
            if token.len() >= MIN_TOKEN_LEN && view.sealing.open_any(token, &mut value) {
                return std::str::from_utf8(&value).ok().map(|value| map.apply(value).into_owned());
            }
        }
    }
    None
}
