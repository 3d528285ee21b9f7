//! A column's constant default as a token.

use pgveil_seal::{FernetKey, LogicalType, Mode, Sealer};
use pgveil_sql::protection::ColumnProtection;

use crate::error::LifecycleError;

/// What seals a column's values.
pub(crate) fn sealer(column: &ColumnProtection, key: &FernetKey) -> Sealer {
    match column.mode {
        Mode::Deterministic => Sealer::deterministic(key, &column.domain),
        Mode::Randomized => Sealer::randomized(key),
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
    value: &str,
) -> Result<String, LifecycleError> {
    let failed = |reason: String| LifecycleError::Seal { column: column.column.clone(), reason };
    let value = logical.assign(value).map_err(|error| failed(error.to_string()))?;
    let mut token = Vec::new();
    sealer(column, key)
        .seal_into(value.as_bytes(), &mut token)
        .map_err(|error| failed(error.to_string()))?;
    String::from_utf8(token).map_err(|error| failed(error.to_string()))
}
