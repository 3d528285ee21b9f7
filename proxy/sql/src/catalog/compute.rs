//! Which columns may be computed over.

use std::collections::HashMap;

use pgveil_eval::{Collation, Definition};
use pgveil_seal::LogicalType;

use super::load::{Record, TriggerRow};
use super::protect::found;
use super::{Catalog, Computing};
use crate::physical::changes::{READING_FUNCTIONS, expected_changes};
use crate::physical::compare;
use crate::protection::TableProtection;

/// The name under which the database's collation is recorded.
const DEFAULT: &str = "default";

/// Notes the columns of a table that may be computed over. What is missing refuses no writes: what
/// is not logged then is what nobody relies on.
pub(super) fn compute(
    catalog: &mut Catalog,
    table: &TableProtection,
    records: &[Record],
    triggers: &[TriggerRow],
    collations: &HashMap<String, Definition>,
) {
    let Some(base) = catalog.relation(&table.schema, &table.table) else { return };
    let number = |name: &str| {
        let column = base.columns.iter().find(|c| c.name == name && c.sealed.is_some());
        column.map(|column| column.number)
    };
    let Some(expected) = expected_changes(table, number) else { return };
    let below = catalog.descendants(base.oid);
    let logged = std::iter::once(base)
        .chain(below)
        .all(|on| compare(&expected, found(triggers, on.oid, &expected)).is_ok());
    let readable = READING_FUNCTIONS.iter().all(|function| {
        catalog.own_functions.get(function.name).map(String::as_str) == Some(function.body)
    });
    if !(logged && readable) {
        return;
    }
    let known = |name: &str| Collation::new(collations.get(name)?).ok();
    let Some(default) = known(DEFAULT) else { return };
    let mut computing = Vec::new();
    for declared in table.columns.iter().filter(|column| column.computed) {
        let column = base.columns.iter().find(|c| c.name == declared.column);
        let Some(sealed) = column.and_then(|column| column.sealed) else { continue };
        if !matches!(sealed.logical, LogicalType::Text | LogicalType::Varchar(_)) {
            continue;
        }
        let record = records.iter().find(|r| r.relation == base.oid && r.column == declared.column);
        let Some(name) = record.and_then(|record| record.collation.as_deref()) else { continue };
        let collation = if name == DEFAULT { Some(default.clone()) } else { known(name) };
        let Some(collation) = collation else { continue };
        computing.push((sealed.column, Computing { collation, default: default.clone() }));
    }
    catalog.computing.extend(computing);
}
