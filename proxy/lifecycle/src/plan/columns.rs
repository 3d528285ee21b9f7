//! Which columns are to be sealed, whether they can be, and the statements that do it.

use std::sync::Arc;

use pgveil_seal::{CaseMap, FernetKey, LogicalType, Mode};
use pgveil_sql::physical::column::{self, Default as ColumnDefault};
use pgveil_sql::physical::{guard_name, quote_ident, quote_literal};
use pgveil_sql::protection::{ColumnProtection, TableProtection};

use super::rows::Count;
use super::{EXCLUSIVE, NONE, Planner, base_name, path, table_path};
use crate::defaults;
use crate::dependants::Recreation;
use crate::error::LifecycleError;
use crate::facts::{Column, Relation};
use crate::finding::Finding;
use crate::sealed::{absent, sealed_findings};

/// A column that is to be sealed.
pub(super) struct ToSeal<'a> {
    pub(super) table: &'a TableProtection,
    pub(super) base: &'a Relation,
    pub(super) column: &'a ColumnProtection,
    pub(super) logical: LogicalType,
    /// The collation that it has.
    pub(super) collation: Option<String>,
    pub(super) default: ColumnDefault,
    pub(super) key: &'a FernetKey,
    /// How it folds, if it does.
    pub(super) map: Option<Arc<CaseMap>>,
}

impl<'a> Planner<'a> {
    /// The keys that deterministic domains are pinned to by columns that are sealed already.
    pub(super) fn pins(&mut self) {
        for record in &self.facts.records {
            if record.sealed && record.mode == Mode::Deterministic.as_str() {
                self.pins.insert((&record.keyring, &record.domain), record.key_id.clone());
            }
        }
    }

    /// Checks every declared column and picks those that are to be sealed.
    pub(super) fn columns_to_seal(&mut self) -> Vec<ToSeal<'a>> {
        let mut columns = Vec::new();
        for (table, facts) in self.declaration.tables.iter().zip(&self.facts.tables) {
            let Some(base) = &facts.base else {
                self.findings.push(absent(table_path(table)));
                continue;
            };
            if !self.is_ordinary(base) {
                continue;
            }
            let mut unsealed = false;
            for column in &table.columns {
                let Some(found) = base.column(&column.column) else {
                    self.findings.push(absent(path(table, &column.column)));
                    continue;
                };
                match self.facts.record(base.oid, &column.column) {
                    Some(record) if record.sealed => {
                        self.findings.extend(sealed_findings(
                            table,
                            column,
                            found,
                            record,
                            self.keyrings,
                        ));
                    }
                    _ => {
                        unsealed = true;
                        columns.extend(self.column_to_seal(table, base, column, found));
                    }
                }
            }
            if unsealed && base.has_rows {
                self.rows_findings(table, base);
            }
        }
        columns
    }

    fn is_ordinary(&mut self, base: &Relation) -> bool {
        let before = self.findings.len();
        let object = base.path();
        if !matches!(base.kind.as_str(), "r" | "p") {
            self.refuse(&object, "is not a table", "declare the table behind it");
            return false;
        }
        for (holds, what, todo) in [
            (base.temporary, "is a temporary table", "make it permanent"),
            (base.is_partition, "is a partition", "declare the partitioned table"),
            (
                base.inherits,
                "inherits from a table, or has tables that inherit from it",
                "use partitions, or separate the tables",
            ),
            (base.typed, "is a table of a composite type", "ALTER TABLE ... NOT OF"),
            (
                base.partitions.iter().any(|p| p.foreign),
                "has partitions on other servers",
                "detach them",
            ),
        ] {
            if holds {
                self.refuse(&object, what, todo);
            }
        }
        self.owned(base);
        self.findings.len() == before
    }

    fn column_to_seal(
        &mut self,
        table: &'a TableProtection,
        base: &'a Relation,
        column: &'a ColumnProtection,
        found: &Column,
    ) -> Option<ToSeal<'a>> {
        let before = self.findings.len();
        let object = path(table, &column.column);
        let logical = LogicalType::from_pg(found.type_oid, found.typmod);
        if logical.is_none() {
            let what = format!("has type {}, which cannot be sealed yet", found.type_name);
            self.refuse(&object, what, "text, character varying and character can be");
        }
        for (holds, what, todo) in [
            (
                !found.deterministic_collation,
                "has a collation under which different values are equal",
                "give it a deterministic collation",
            ),
            (found.generated, "is a generated column", "protect the columns it is computed from"),
            (found.identity, "is an identity column", ""),
            (found.partition_key, "is part of the partition key", "partition by another column"),
        ] {
            if holds {
                self.refuse(&object, what, todo);
            }
        }
        let default = match found.default.as_deref().map(column::constant_default) {
            None => Some(ColumnDefault::Null),
            Some(default) => {
                if default.is_none() {
                    self.refuse(
                        &object,
                        "has a default that is computed by the server, which cannot seal it",
                        "drop the default, or make it a constant",
                    );
                }
                default
            }
        };
        for partition in &base.partitions {
            let other = partition.columns.iter().find(|c| c.name == found.name);
            if other.is_some_and(|c| c.default != found.default) {
                self.refuse(
                    format!("{}.{}.{}", partition.schema, partition.name, found.name),
                    "has another default than the partitioned table",
                    "give it the same",
                );
            }
        }
        let key = self.key(column, &object);
        let map = self.case_map(column, found, &object);
        if self.findings.len() > before {
            return None;
        }
        let (logical, default, key) = (logical?, default?, key?);
        let collation = found.collation.clone();
        Some(ToSeal { table, base, column, logical, collation, default, key, map })
    }

    /// The key that seals a new column: the one that its domain is pinned to, else the keyring's
    /// first.
    fn key(&mut self, column: &'a ColumnProtection, object: &str) -> Option<&'a FernetKey> {
        let Some(keyring) = self.keyrings.get(&column.keyring) else {
            let what = format!("its keyring {} is not configured", column.keyring);
            self.refuse(object, what, "configure it, or name another one in the policy");
            return None;
        };
        if column.mode == Mode::Randomized {
            return Some(keyring.primary());
        }
        let pin = (column.keyring.as_str(), column.domain.as_str());
        let Some(id) = self.pins.get(&pin) else {
            let key = keyring.primary();
            self.pins.insert(pin, key.id().to_string());
            return Some(key);
        };
        let key = id.parse().ok().and_then(|id| keyring.get(&id));
        if key.is_none() {
            let what = format!(
                "its domain {} is sealed with key {id}, which keyring {} does not have",
                column.domain, column.keyring
            );
            self.refuse(object, what, "add the key to the keyring");
        }
        key
    }

    pub(super) fn seal_steps(
        &mut self,
        columns: &[ToSeal<'_>],
        recreations: &[Recreation],
        counts: &[Count],
    ) -> Result<(), LifecycleError> {
        for recreation in recreations {
            let why = format!("{} uses a column whose type changes", recreation.object);
            self.step(recreation.drop.clone(), why, EXCLUSIVE);
            self.lock_recreated(recreation);
        }
        for columns in columns.chunk_by(|a, b| std::ptr::eq(a.table, b.table)) {
            self.lock(base_name(columns[0].table), EXCLUSIVE);
            self.type_steps(columns, counts);
            for seal in columns {
                self.column_steps(seal)?;
            }
        }
        for recreation in recreations.iter().rev() {
            for sql in &recreation.create {
                self.step(
                    sql.clone(),
                    format!("{} again, as it was", recreation.object),
                    EXCLUSIVE,
                );
            }
        }
        Ok(())
    }

    /// One table's columns hold tokens from then on.
    fn type_steps(&mut self, columns: &[ToSeal<'_>], counts: &[Count]) {
        for seal in columns {
            if let Some(sql) = column::drop_default(seal.table, seal.column, &seal.default) {
                let object = path(seal.table, &seal.column.column);
                self.step(sql, format!("{object}: its default is a plain value"), EXCLUSIVE);
            }
        }
        if columns[0].base.has_rows {
            self.fill_steps(columns, counts);
            return;
        }
        for seal in columns {
            let name = seal.column.column.as_str();
            self.step(
                column::change_type(seal.table, &[(name, None)]),
                format!(
                    "{}: holds tokens from now on; its indexes and constraints are rebuilt by the \
                     server",
                    path(seal.table, name)
                ),
                EXCLUSIVE,
            );
        }
    }

    /// Default, guard and record of a column that holds tokens.
    fn column_steps(&mut self, seal: &ToSeal<'_>) -> Result<(), LifecycleError> {
        let object = path(seal.table, &seal.column.column);
        if let ColumnDefault::Constant(value) = &seal.default {
            let token =
                defaults::seal(seal.column, seal.logical, seal.key, seal.map.as_ref(), value)?;
            self.step(
                column::set_default(seal.table, seal.column, &token),
                format!("{object}: the default again, as a token"),
                EXCLUSIVE,
            );
        }
        self.step(
            column::add_guard(seal.table, &seal.column.column),
            format!("{object}: the database refuses what is not a token"),
            EXCLUSIVE,
        );
        let sql = column::record(
            seal.table,
            seal.column,
            &seal.key.id().to_string(),
            &seal.key.check_value(),
            seal.logical,
            seal.collation.as_deref(),
        );
        self.step(
            sql,
            format!("{object}: sealed, {}, the client sees {}", seal.column.mode, seal.logical),
            NONE,
        );
        if seal.default != ColumnDefault::Null && seal.column.mode == Mode::Randomized {
            self.findings.push(Finding::warning(
                &object,
                "has a default, so all rows that take it hold the same token and show it",
                "declare it deterministic, or drop the default",
            ));
        }
        if seal.base.partitions.iter().any(|p| !p.columns.is_empty()) {
            self.findings.push(Finding::info(&object, "its partitions follow"));
        }
        Ok(())
    }

    fn lock_recreated(&mut self, recreation: &Recreation) {
        // Views are locked by being dropped; LOCK on a view would lock all that it reads.
        if recreation.drop.starts_with("DROP TRIGGER") || recreation.drop.starts_with("ALTER TABLE")
        {
            self.lock(recreation.relation.clone(), EXCLUSIVE);
        }
    }

    /// Columns that are sealed and have lost their guard, or changed policy.
    pub(super) fn repair_steps(&mut self) {
        for (table, facts) in self.declaration.tables.iter().zip(&self.facts.tables) {
            let Some(base) = &facts.base else { continue };
            for column in &table.columns {
                let Some(record) = self.facts.record(base.oid, &column.column).filter(|r| r.sealed)
                else {
                    continue;
                };
                let object = path(table, &column.column);
                let name = guard_name(&column.column);
                match base.guards.iter().find(|(found, _)| *found == name) {
                    Some((_, true)) => {}
                    Some((_, false)) => {
                        self.step(
                            format!(
                                "ALTER TABLE {} VALIDATE CONSTRAINT {}",
                                base_name(table),
                                quote_ident(&name)
                            ),
                            format!("{object}: its guard was not validated"),
                            "SHARE UPDATE EXCLUSIVE",
                        );
                    }
                    None => {
                        self.lock(base_name(table), EXCLUSIVE);
                        self.step(
                            column::add_guard(table, &column.column),
                            format!("{object}: its guard is missing"),
                            EXCLUSIVE,
                        );
                    }
                }
                if record.policy != table.policy {
                    self.step(
                        format!(
                            "UPDATE pgveil.columns SET policy = {} WHERE relation = \
                             {}::pg_catalog.regclass AND column_name = {}",
                            quote_literal(&table.policy),
                            quote_literal(&base_name(table)),
                            quote_literal(&column.column)
                        ),
                        format!("{object}: another policy declares it now"),
                        NONE,
                    );
                }
            }
        }
    }
}
