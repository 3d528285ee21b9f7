//! Which columns are sealed, and why their relation may not be used all the same: keys, triggers,
//! guards, physical types.

use pgveil_seal::{Fold, LogicalType, Mode};

use super::load::{Guard, Keys, Record, TriggerRow};
use super::{Catalog, ColumnId, Problem, Protected, SealedColumn, SealedRef};
use crate::physical::{
    ExpectedTrigger, FoundTrigger, compare, expected_on_partition, expected_triggers,
};
use crate::protection::{ProfileOwner, TableProtection};
use crate::refusal::Refusal;

pub(super) fn own_schema() -> Refusal {
    Refusal {
        code: "42501",
        message: "the schema \"pgveil\" cannot be changed through pgveil".into(),
        detail: None,
        hint: Some("Use the commands of pgveil; they connect to the database directly.".into()),
        position: None,
    }
}

/// A refusal of everything that names a relation whose state is not what the policy declares.
pub(super) fn unusable(message: String, hint: &str) -> Refusal {
    Refusal { code: "55000", message, detail: None, hint: Some(hint.into()), position: None }
}

/// What has to be as it was, in words.
fn sealed_as(mode: Mode, domain: &str, keyring: &str, fold: Option<Fold>) -> String {
    let fold = fold.map_or(String::new(), |fold| format!(", fold \"{fold}\""));
    format!("{mode} (domain \"{domain}\", keyring \"{keyring}\"{fold})")
}

pub(super) fn seal_table(
    catalog: &mut Catalog,
    table: &TableProtection,
    records: &[Record],
    keys: &dyn Keys,
) {
    let path = format!("{}.{}", table.schema, table.table);
    let Some(&oid) = catalog.names.get(&(table.schema.clone(), table.table.clone())) else {
        for column in &table.columns {
            catalog
                .unsealed
                .push((format!("{path}.{}", column.column), "the table does not exist".into()));
        }
        return;
    };
    let Some(relation) = catalog.relations.get_mut(&oid) else { return };
    for declared in &table.columns {
        let full = format!("{path}.{}", declared.column);
        let Some(column) = relation.columns.iter_mut().find(|c| c.name == declared.column) else {
            catalog.unsealed.push((full, "the column does not exist".into()));
            continue;
        };
        let Some(record) =
            records.iter().find(|r| r.relation == oid && r.column == declared.column && r.sealed)
        else {
            catalog.unsealed.push((full, "not sealed yet: run pgveil migrate apply".into()));
            continue;
        };
        let mut problem = |message: String, hint: &str| {
            relation
                .problems
                .push(Problem { writes_only: false, refusal: unusable(message, hint) });
        };
        let as_record = sealed_as(record.mode, &record.domain, &record.keyring, record.fold);
        let as_declared =
            sealed_as(declared.mode, &declared.domain, &declared.keyring, declared.fold);
        if as_record != as_declared {
            problem(
                format!(
                    "column {full} is sealed as {as_record}, but the policy declares {as_declared}"
                ),
                "Restore the policy's configuration; changing mode, domain, keyring or fold of a \
                 sealed column is a migration.",
            );
        }
        if let Some(fold) = record.fold.filter(|fold| !catalog.case_maps.contains_key(fold)) {
            problem(
                format!("column {full} cannot be served: pgveil.case_maps has no record of {fold}"),
                "Restore pgveil.case_maps; pgveil check says what is missing.",
            );
        }
        if let Err(reason) = keys.check(&record.keyring, &record.key_id, &record.key_check) {
            problem(
                format!("column {full} cannot be served: {reason}"),
                "Give pgveil the keyring that the column was sealed with; pgveil check says which \
                 key is missing.",
            );
        }
        let id = ColumnId(u32::try_from(catalog.columns.len()).unwrap_or(u32::MAX));
        column.sealed = Some(SealedRef { column: id, logical: record.logical });
        catalog.columns.push(SealedColumn {
            id,
            relation: oid,
            number: column.number,
            schema: table.schema.clone(),
            table: table.table.clone(),
            column: declared.column.clone(),
            policy: table.policy.clone(),
            mode: record.mode,
            domain: record.domain.clone(),
            keyring: record.keyring.clone(),
            key_id: record.key_id.clone(),
            key_check: record.key_check.clone(),
            fold: record.fold,
            logical: record.logical,
            collation: record.collation.clone(),
        });
    }
    if relation.columns.iter().any(|c| c.sealed.is_some()) {
        relation.in_scope = true;
        relation.protected =
            Some(Protected { policy: table.policy.clone(), profile: table.profile.clone() });
    }
}

/// The declared columns that are not sealed, as they would be sealed now: a deterministic domain
/// stays with the key that it is pinned to.
pub(super) fn pending(catalog: &mut Catalog, records: &[Record], keys: &dyn Keys) {
    for table in &catalog.declared {
        for declared in &table.columns {
            let is_sealed = catalog.columns.iter().any(|c| {
                (&c.schema, &c.table, &c.column) == (&table.schema, &table.table, &declared.column)
            });
            if is_sealed {
                continue;
            }
            let pin = records.iter().find(|r| {
                declared.mode == Mode::Deterministic
                    && r.sealed
                    && (r.mode, &r.keyring, &r.domain)
                        == (declared.mode, &declared.keyring, &declared.domain)
            });
            let key = keys.choose(&declared.keyring, pin.map(|record| &*record.key_id));
            let (key_id, key_check) = key.unwrap_or_default();
            let index = catalog.columns.len() + catalog.pending.len();
            catalog.pending.push(SealedColumn {
                id: ColumnId(u32::try_from(index).unwrap_or(u32::MAX)),
                relation: 0,
                number: 0,
                schema: table.schema.clone(),
                table: table.table.clone(),
                column: declared.column.clone(),
                policy: table.policy.clone(),
                mode: declared.mode,
                domain: declared.domain.clone(),
                keyring: declared.keyring.clone(),
                key_id,
                key_check,
                fold: declared.fold,
                logical: LogicalType::Text,
                collation: None,
            });
        }
    }
}

/// The trigger of a relation that should be `expected`.
pub(super) fn found<'t>(
    triggers: &'t [TriggerRow],
    relation: u32,
    expected: &ExpectedTrigger,
) -> Option<&'t FoundTrigger> {
    let of = |t: &&TriggerRow| {
        t.relation == relation
            && t.name == expected.name
            && t.function.0 == expected.function_schema
            && t.function.1 == expected.function_name
    };
    triggers.iter().find(of).map(|trigger| &trigger.found)
}

/// A write whose profile copy would not be made, or not as declared, must not happen. Partitions
/// have clones of the root's row triggers, each of which can be disabled by itself, and a TRUNCATE
/// trigger of their own.
pub(super) fn check_triggers(
    catalog: &mut Catalog,
    table: &TableProtection,
    triggers: &[TriggerRow],
) {
    let Some(base) = catalog.relation(&table.schema, &table.table) else { return };
    if base.protected.is_none() {
        return;
    }
    // Before its last source column is there the profile cannot be made.
    let copies = table.profile.iter().flat_map(|profile| &profile.copies);
    if copies.clone().any(|(source, _)| base.columns.iter().all(|c| c.name != *source)) {
        return;
    }
    // Nor can an application's own before it is there with all that is declared.
    if let Some(profile) = table.profile.as_ref().filter(|p| p.owner == ProfileOwner::Application) {
        let found = catalog.relation(&profile.schema, &profile.table);
        let mut names = profile.copies.iter().map(|(_, copy)| copy).chain([&profile.link]);
        let there = |name: &String| {
            found.is_some_and(|profile| profile.columns.iter().any(|c| c.name == *name))
        };
        if !names.all(there) {
            return;
        }
    }
    let base = base.oid;
    let expected = expected_triggers(table);
    let mut wrong: Vec<(u32, String)> = Vec::new();
    let mut check = |oid: u32, expected: &ExpectedTrigger| {
        if let Err(reason) = compare(expected, found(triggers, oid, expected)) {
            wrong.push((oid, reason));
        }
    };
    for expected in &expected {
        if let Some(on) = catalog.relation(&expected.schema, &expected.table) {
            check(on.oid, expected);
        }
    }
    let partitions: Vec<u32> = catalog.descendants(base).iter().map(|below| below.oid).collect();
    for oid in partitions {
        let Some(partition) = catalog.relations.get(&oid) else { continue };
        let on_base = |e: &&ExpectedTrigger| {
            (&e.schema, &e.table) == (&table.schema, &table.table) && e.is_for_rows()
        };
        for expected in expected.iter().filter(on_base) {
            let clone = ExpectedTrigger {
                schema: partition.schema.clone(),
                table: partition.name.clone(),
                ..expected.clone()
            };
            check(oid, &clone);
        }
        if let Some(expected) = expected_on_partition(table, &partition.schema, &partition.name) {
            check(oid, &expected);
        }
    }
    for (oid, reason) in wrong {
        let problem = Problem {
            writes_only: true,
            refusal: unusable(
                format!(
                    "the profile of table {}.{} would not be kept in step: {reason}",
                    table.schema, table.table
                ),
                "Run pgveil migrate apply to restore the triggers that the policy declares.",
            ),
        };
        for oid in std::iter::once(base).chain((oid != base).then_some(oid)) {
            if let Some(relation) = catalog.relations.get_mut(&oid) {
                relation.problems.push(problem.clone());
            }
        }
    }
}

/// A column that is recorded as sealed, and that no policy declares, holds tokens that nobody may
/// read or write: its table is refused rather than served raw.
pub(super) fn undeclared(catalog: &mut Catalog, records: &[Record]) {
    for record in records.iter().filter(|r| r.sealed) {
        let Some(relation) = catalog.relations.get_mut(&record.relation) else { continue };
        let known = relation.columns.iter().any(|c| c.name == record.column && c.sealed.is_some());
        if !known {
            relation.in_scope = true;
            let message = format!(
                "column {}.{}.{} is sealed, but no loaded policy declares it",
                relation.schema, relation.name, record.column
            );
            relation.problems.push(Problem {
                writes_only: false,
                refusal: unusable(message, "Load the policy that protects the column."),
            });
        }
    }
}

/// A guard without a record: what it guards holds tokens, whose column nobody knows. (Partitions
/// have their parents' guards, and no records.)
pub(super) fn unrecorded(catalog: &mut Catalog, records: &[Record], guards: &[Guard]) {
    for Guard { relation: oid, name, .. } in guards {
        let Some(relation) = catalog.relations.get_mut(oid) else { continue };
        if !records.iter().any(|r| r.relation == *oid && r.sealed) && relation.protected.is_none() {
            relation.in_scope = true;
            let message = format!(
                "table {}.{} has the guard {name}, but pgveil.columns has no record of it",
                relation.schema, relation.name
            );
            relation.problems.push(Problem {
                writes_only: false,
                refusal: unusable(
                    message,
                    "Restore pgveil.columns; pgveil check says what is missing.",
                ),
            });
        }
    }
}

/// `pg_type.oid` of `text`.
const TEXT: u32 = 25;

/// What is recorded as sealed must look sealed: physical type `text`, guard in place.
pub(super) fn check_physical(catalog: &mut Catalog, guards: &[Guard]) {
    for relation in catalog.relations.values_mut() {
        let mut problems = Vec::new();
        for column in relation.columns.iter().filter(|c| c.sealed.is_some()) {
            let path = format!("{}.{}.{}", relation.schema, relation.name, column.name);
            if column.type_oid != TEXT {
                problems.push(unusable(
                    format!("column {path} is recorded as sealed, but its type is not text"),
                    "Run pgveil check; the column was altered behind pgveil's back.",
                ));
            }
            let expected = crate::physical::column::guard_name(&column.name);
            let guarded = guards.iter().any(|guard| {
                guard.relation == relation.oid
                    && guard.name == expected
                    && guard.validated
                    && crate::physical::column::guards(&guard.definition)
            });
            if !guarded {
                problems.push(unusable(
                    format!("column {path} has lost its guard {expected}"),
                    "Run pgveil migrate apply to restore it.",
                ));
            }
        }
        relation
            .problems
            .extend(problems.into_iter().map(|refusal| Problem { writes_only: false, refusal }));
    }
}
