//! The log of new tokens, where some column is declared computed.

use pgveil_sql::physical::changes::{
    CHANGES_TRIGGER, READING_FUNCTIONS, create_changes, create_function, create_reading,
    expected_changes, function_name, log_arguments, secure_changes,
};
use pgveil_sql::physical::own::LOG_CHANGES;
use pgveil_sql::physical::{
    ExpectedTrigger, SCHEMA, TRIGGER_CONFIG, compare, quote_ident, quote_literal, quote_name,
};
use pgveil_sql::protection::{Declaration, TableProtection};

use super::{EXCLUSIVE, NONE, Planner, WRITERS, base_name, path, table_path};
use crate::facts::{Facts, OwnTrigger, Relation, TableFacts};

/// Some column is declared computed.
pub(crate) fn computes(declaration: &Declaration) -> bool {
    declaration.tables.iter().any(|table| table.columns.iter().any(|column| column.computed))
}

/// The trigger of a table whose declared columns are all sealed, as far as they are there.
pub(crate) fn wanted_log(table: &TableProtection, base: &Relation) -> Option<ExpectedTrigger> {
    expected_changes(table, |name| base.column(name).map(|column| column.number))
}

/// What is wrong with the trigger, or with one of the server's clones on partitions.
pub(crate) fn log_problem(
    facts: &Facts,
    wanted: &ExpectedTrigger,
    base: &Relation,
) -> Option<String> {
    let of = |oid: u32| {
        let is_it = |t: &&OwnTrigger| {
            t.relation == oid && t.name == wanted.name && t.function == wanted.function_name
        };
        facts.triggers.iter().find(is_it).map(|trigger| &trigger.found)
    };
    std::iter::once(base.oid)
        .chain(base.partitions.iter().map(|partition| partition.oid))
        .find_map(|oid| compare(wanted, of(oid)).err())
}

impl Planner<'_> {
    /// A column that was sealed before collations were recorded cannot be computed over.
    pub(super) fn collation_findings(&mut self, table: &TableProtection, facts: &TableFacts) {
        let Some(base) = &facts.base else { return };
        for column in table.columns.iter().filter(|column| column.computed) {
            let record = self.facts.record(base.oid, &column.column);
            if record.is_some_and(|record| record.sealed && record.collation.is_none()) {
                self.refuse(
                    path(table, &column.column),
                    "is declared computed, and which collation it had is not recorded",
                    UNRECORDED,
                );
            }
        }
    }

    /// What is logged, and what reads it.
    pub(super) fn log_steps(&mut self) {
        if !computes(self.declaration) {
            return;
        }
        let log = match &self.facts.schema.changes {
            None => create_changes(),
            Some(changes) if !changes.secure => secure_changes(true),
            Some(_) => Vec::new(),
        };
        for sql in log {
            self.step(sql, "the log of new tokens, for columns that are computed", NONE);
        }
        for wanted in &READING_FUNCTIONS {
            let found = self.facts.function(wanted.name);
            let may = found.is_none_or(|f| f.owned_by_us || self.facts.server.superuser);
            if may && !self.facts.has_reading(wanted) {
                for sql in create_reading(wanted) {
                    self.step(sql, "reads the log of new tokens", NONE);
                }
            }
        }
    }

    /// The triggers. Their functions are made for tables that are not there yet as well.
    pub(super) fn changes_steps(&mut self) {
        let server = &self.facts.server;
        let owner = self.facts.schema.changes.as_ref().map_or(&server.user, |log| &log.owner);
        for (table, facts) in self.declaration.tables.iter().zip(&self.facts.tables) {
            let base = facts.base.as_ref();
            let wanted = match base {
                Some(base) => wanted_log(table, base),
                None => expected_changes(table, |_| None),
            };
            let Some(wanted) = wanted else {
                self.drop_log(table);
                continue;
            };
            let found = self.facts.function(&wanted.function_name);
            let right = found.is_some_and(|found| {
                found.body == wanted.body
                    && found.security_definer
                    && found.config.as_deref() == Some(TRIGGER_CONFIG)
                    && found.comment.as_deref() == Some(&wanted.comment)
                    && found.owner == *owner
            });
            if !right {
                for sql in create_function(&wanted, owner) {
                    self.step(sql, format!("logs new tokens of {}", table_path(table)), NONE);
                }
            }
            let Some(base) = base else { continue };
            let Some(problem) = log_problem(self.facts, &wanted, base) else { continue };
            if wanted.arguments.iter().all(String::is_empty) {
                continue;
            }
            let [function, columns] = log_arguments(table);
            let there = self.facts.triggers.iter().any(|t| {
                (&t.schema, &t.table, &t.name) == (&wanted.schema, &wanted.table, &wanted.name)
            });
            let lock = if there { EXCLUSIVE } else { WRITERS };
            self.lock(base_name(table), lock);
            self.step(
                format!(
                    "SELECT {}({}::pg_catalog.regclass, {function}, {columns})",
                    quote_name(SCHEMA, LOG_CHANGES),
                    quote_literal(&base_name(table))
                ),
                format!("new tokens of {} are logged: {problem}", table_path(table)),
                lock,
            );
        }
    }

    /// What an earlier declaration of the table has made.
    fn drop_log(&mut self, table: &TableProtection) {
        let function = function_name(table);
        let facts = self.facts;
        for trigger in facts.triggers.iter().filter(|t| t.function == function && !t.clone) {
            let on = quote_name(&trigger.schema, &trigger.table);
            self.lock(on.clone(), EXCLUSIVE);
            self.step(
                format!("DROP TRIGGER {} ON {on}", quote_ident(CHANGES_TRIGGER)),
                format!("nothing of {} is declared computed", table_path(table)),
                EXCLUSIVE,
            );
        }
        if facts.function(&function).is_some() {
            self.step(
                format!("DROP FUNCTION {}()", quote_name(SCHEMA, &function)),
                "no trigger calls it any more",
                NONE,
            );
        }
    }
}

/// What helps where the collation of a computed column is not recorded.
pub(crate) const UNRECORDED: &str = "UPDATE pgveil.columns SET \"collation\" = 'default', or its qualified name, or leave computed out";
