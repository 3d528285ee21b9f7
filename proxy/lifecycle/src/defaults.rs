//! A column's constant default as a token.

use std::sync::Arc;

use pgveil_seal::{CaseMap, FernetKey, LogicalType, Mode, Sealer};
use pgveil_sql::protection::ColumnProtection;

use crate::error::LifecycleError;

/// What seals a column's values. `map` is there where the column folds.
pub(crate) fn sealer(
    column: &ColumnProtection,
    key: &FernetKey,
    map: Option<&Arc<CaseMap>>,
) -> Sealer {
    match (column.mode, map) {
        (Mode::Deterministic, None) => Sealer::deterministic(key, &column.domain),
        (Mode::Deterministic, Some(map)) => Sealer::folded(key, &column.domain, Arc::clone(map)),
        (Mode::Randomized, _) => Sealer::randomized(key),
    }
}

/// Seals a constant default as the proxy would seal the same value in an INSERT: normalised to the
/// logical type first. A default that is longer than its column would make every INSERT fail on a
/// plain database, and is an error here.
///
/// All rows that take the default of a randomized column have the same token, and show that they
/// did.
pub(crate) fn seal(
    column: &ColumnProtection,
    logical: LogicalType,
    key: &FernetKey,
    map: Option<&Arc<CaseMap>>,
    value: &str,
) -> Result<String, LifecycleError> {
    let failed = |reason: String| LifecycleError::Seal { column: column.column.clone(), reason };
    let value = logical.assign(value).map_err(|error| failed(error.to_string()))?;
    let mut token = Vec::new();
    sealer(column, key, map)
        .seal_into(value.as_bytes(), &mut token)
        .map_err(|error| failed(error.to_string()))?;
    String::from_utf8(token).map_err(|error| failed(error.to_string()))
}
