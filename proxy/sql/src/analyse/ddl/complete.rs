//! What completes a statement, in the same statement.
//!
//! The client's text becomes the argument of an EXECUTE in a DO block, between what must hold
//! before it and what has to be done after it. One statement stays one statement: in whatever
//! protocol it comes, alone, in a string of several or in a transaction, it happens with its
//! record and its triggers or not at all, and a ROLLBACK takes all of it back. The session puts
//! the command tag, the errors' positions and their context right. Nothing runs with other rights
//! than the client's, except the functions of [`own`].
//!
//! What differs: `log_statement = ddl` does not log what a DO block executes.

use pgveil_seal::LogicalType;
use sqlparser::ast::ObjectName;

use super::super::Analysis;
use crate::catalog::{Relation, SealedColumn};
use crate::physical::column::{collation_argument, fold_argument};
use crate::physical::{
    ExpectedTrigger, SCHEMA, changes, expected_on_partition, expected_triggers, own, profile,
    quote_literal, quote_name,
};
use crate::plan::{Edit, Planned, Replacement};
use crate::protection::{ProfileOwner, TableProtection};
use crate::refusal::{Reason, Refusal};

/// What surrounds a statement, in PL/pgSQL.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
    /// Edits of the client's own text.
    pub(crate) edits: Vec<Edit>,
    /// See [`crate::plan::Planned::wrapped`].
    pub(crate) wrapped: Option<&'static str>,
    /// The statement is an UPDATE: see [`Analysis::defers`].
    pub(crate) defers: bool,
    /// Names mean the same for the statements behind it in the same string.
    pub(crate) keeps_names: bool,
}

impl Completion {
    /// Nothing is to be done, or changed.
    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty() && self.edits.is_empty()
    }
}

impl<'c> Analysis<'c> {
    pub(super) fn put(&mut self, range: std::ops::Range<usize>, text: String) {
        self.completion.edits.push(Edit { range, with: Replacement::Text(text) });
    }

    /// Puts the block around the statement, if there is anything to complete.
    pub(super) fn wrap(&mut self, tag: &'static str) {
        let Completion { before, after, .. } = &self.completion;
        let (Some(first), Some(last)) = (self.tokens.first(), self.tokens.last()) else { return };
        if before.is_empty() && after.is_empty() {
            return;
        }
        let client = &self.text[first.range.start..last.range.end];
        let mut number = 0;
        while client.contains(&format!("$pgveil{number}")) {
            number += 1;
        }
        let (block, inner) = (format!("$pgveil{number}$"), format!("$pgveil{number}_$"));
        let joined = |steps: &[String]| {
            steps.iter().map(|step| format!("{step}; ")).collect::<Vec<_>>().concat()
        };
        let open = format!("DO LANGUAGE plpgsql {block}BEGIN {}EXECUTE {inner}", joined(before));
        let close = format!("{inner}; {}END{block}", joined(after));
        let (start, end) = (first.range.start, last.range.end);
        self.put(start..start, open);
        self.put(end..end, close);
        self.completion.wrapped = Some(tag);
    }

    /// Moves what is to be done to the plan, whose other edits are known.
    pub(crate) fn complete(&mut self, planned: &mut Planned) {
        let Completion { edits, wrapped, .. } = std::mem::take(&mut self.completion);
        planned.edits.extend(edits);
        planned.edits.extend(self.fold_edits());
        planned.edits.sort_by_key(|edit| edit.range.start);
        planned.wrapped = wrapped;
    }

    /// The database has the functions of ours that a completion calls.
    pub(super) fn prepared(&self, relation: &str) -> Result<(), Refusal> {
        let missing = own::OWN_FUNCTIONS.iter().find(|function| {
            self.catalog.own_functions.get(function.name).map(String::as_str) != Some(function.body)
        });
        match missing {
            None => Ok(()),
            Some(_) => Err(self.refuse(Reason::NotPrepared(relation.to_owned()))),
        }
    }

    /// Records a column that the statement makes. `collation`: the one that it would have, as it is
    /// recorded.
    pub(super) fn record(
        &mut self,
        column: &SealedColumn,
        logical: LogicalType,
        collation: Option<&str>,
    ) -> Result<(), Refusal> {
        self.prepared(&format!("{}.{}", column.schema, column.table))?;
        if column.key_id.is_empty() {
            return Err(self.refuse(Reason::NoKey {
                column: format!("{}.{}", column.table, column.column),
                keyring: column.keyring.clone(),
            }));
        }
        if column.fold.is_some_and(|fold| !self.catalog.case_maps.contains_key(&fold)) {
            let path = format!("{}.{}", column.schema, column.table);
            return Err(self.refuse(Reason::NotPrepared(path)));
        }
        let mut arguments: Vec<String> = [
            &column.column,
            &column.policy,
            column.mode.as_str(),
            &column.domain,
            &column.keyring,
            &column.key_id,
            &column.key_check,
        ]
        .map(quote_literal)
        .into();
        arguments.extend(type_arguments(logical));
        arguments.push(fold_argument(column.fold));
        arguments.push(collation_argument(collation));
        let step = own::perform(own::PROTECT, &column.schema, &column.table, &arguments);
        self.completion.after.push(step);
        Ok(())
    }

    /// Changes the type that clients see; a narrower one only where there are no values.
    pub(super) fn retype(
        &mut self,
        column: &SealedColumn,
        logical: LogicalType,
        narrower: bool,
    ) -> Result<(), Refusal> {
        self.prepared(&format!("{}.{}", column.schema, column.table))?;
        let name = quote_literal(&column.column);
        let call = |function, arguments: &[String]| {
            own::perform(function, &column.schema, &column.table, arguments)
        };
        if narrower {
            self.completion.before.push(call(own::REQUIRE_EMPTY, std::slice::from_ref(&name)));
        }
        let arguments: Vec<String> = std::iter::once(name).chain(type_arguments(logical)).collect();
        self.completion.after.push(call(own::RETYPE, &arguments));
        Ok(())
    }

    /// Removes the records of what the statement drops.
    pub(super) fn forget(&mut self) {
        let step = own::perform_forget();
        if !self.completion.after.contains(&step) {
            self.completion.after.push(step);
        }
    }

    /// Records go with their table, and so does a profile of ours; triggers on what stays go with
    /// what they read.
    pub(super) fn drop_table(&mut self, relations: &[&'c Relation]) {
        if !self.catalog.own_functions.contains_key(own::FORGET) {
            return;
        }
        let catalog = self.catalog;
        for relation in relations {
            if relation.protected.is_some() {
                self.forget();
            }
            let declared = catalog.declared(&relation.schema, &relation.name);
            let base = declared.filter(|_| relation.protected.is_some());
            if let Some((table, profile)) =
                base.and_then(|table| Some((table, table.profile.as_ref()?)))
            {
                let step = match profile.owner {
                    ProfileOwner::Pgveil => profile::drop_with_base(table, profile),
                    ProfileOwner::Application => profile::drop_triggers_without(
                        (&table.schema, &table.table),
                        (&profile.schema, &profile.table),
                        &[profile::COPIES_TRIGGER],
                    ),
                };
                self.completion.after.push(step);
            }
            if let Some(root) = self.kept_in_step(relation).filter(|_| base.is_none())
                && let Some(declared) = &root.profile
            {
                self.completion.after.push(profile::sweep_if_there(root, declared));
            }
            for (table, profile) in catalog.profile_of(&relation.schema, &relation.name) {
                if profile.owner == ProfileOwner::Application {
                    self.completion.after.push(profile::drop_triggers_without(
                        (&profile.schema, &profile.table),
                        (&table.schema, &table.table),
                        &[profile::ROW_TRIGGER, profile::TRUNCATE_TRIGGER],
                    ));
                }
            }
        }
        self.wrap("DROP TABLE");
    }

    /// Makes the profile of a table whose declared copies all have their source now, where the
    /// application's own profile table is there as well. `base`: the table, where it is there
    /// already. `again`: the profile is there, and its generated code names what is renamed.
    pub(super) fn make_profile(
        &mut self,
        table: &TableProtection,
        base: Option<&Relation>,
        again: bool,
        has: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        let Some(declared) = &table.profile else { return Ok(()) };
        let found = self.catalog.relation(&declared.schema, &declared.table);
        let copies = |name: &str| found.is_some_and(|p| p.columns.iter().any(|c| c.name == *name));
        self.make_either(table, base, again, has, copies)
    }

    /// The same when the statement makes the application's profile table, or a column in it, of
    /// which `copies` knows.
    pub(super) fn make_copies(
        &mut self,
        table: &TableProtection,
        copies: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        let base = self.catalog.relation(&table.schema, &table.table);
        let has =
            |name: &str| base.is_some_and(|base| base.columns.iter().any(|c| c.name == *name));
        self.make_either(table, base, false, has, copies)
    }

    fn make_either(
        &mut self,
        table: &TableProtection,
        base: Option<&Relation>,
        again: bool,
        has: impl Fn(&str) -> bool,
        copies: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        let Some(declared) = &table.profile else { return Ok(()) };
        let is_own = declared.owner == ProfileOwner::Pgveil;
        let there = |name: &String| copies(name);
        let complete = declared.copies.iter().all(|(source, _)| has(source))
            && (is_own
                || has(&declared.key)
                    && there(&declared.link)
                    && declared.copies.iter().all(|(_, copy)| there(copy)));
        if !complete {
            return Ok(());
        }
        let path = format!("{}.{}", table.schema, table.table);
        if (is_own && declared.schema == SCHEMA) || !has(&declared.key) {
            return Err(self.refuse(Reason::ProfileLater(path)));
        }
        self.prepared(&path)?;
        let triggers = expected_triggers(table);
        let known = |name: &str| self.catalog.own_functions.get(name);
        let ready = |trigger: &ExpectedTrigger| match known(&trigger.function_name) {
            Some(body) => again || *body == trigger.body,
            None => false,
        };
        if !triggers.iter().all(ready) {
            return Err(self.refuse(Reason::NotPrepared(path)));
        }
        let below = base.map(|base| self.catalog.descendants(base.oid)).unwrap_or_default();
        let steps = &mut self.completion.after;
        if again {
            for partition in &below {
                let on = (partition.schema.as_str(), partition.name.as_str());
                steps.push(profile::drop_triggers(on, &[profile::TRUNCATE_TRIGGER]));
            }
            for trigger in &triggers {
                let on = (trigger.schema.as_str(), trigger.table.as_str());
                steps.push(profile::drop_triggers(on, &[&trigger.name]));
                let arguments =
                    [quote_literal(&trigger.function_name), quote_literal(&trigger.body)];
                steps.push(own::perform(own::REGENERATE, &table.schema, &table.table, &arguments));
            }
        }
        steps.extend(if is_own {
            profile::create_inside(table, declared)
        } else {
            profile::hold_tokens(declared)
        });
        steps.push(own::perform(own::ADOPT, &table.schema, &table.table, &[]));
        for trigger in &triggers {
            steps.extend(profile::create_trigger(trigger));
        }
        if base.is_some() || !is_own {
            steps.push(profile::fill(table, declared));
        }
        self.partition_triggers(table, &below);
        Ok(())
    }

    /// Logs the new tokens of a table, of those of its computed columns that are there when the
    /// statement has run.
    pub(super) fn log(&mut self, table: &TableProtection) -> Result<(), Refusal> {
        let Some(expected) = changes::expected_changes(table, |_| None) else { return Ok(()) };
        let path = format!("{}.{}", table.schema, table.table);
        self.prepared(&path)?;
        if self.catalog.own_functions.get(&expected.function_name) != Some(&expected.body) {
            return Err(self.refuse(Reason::NotPrepared(path)));
        }
        let arguments = changes::log_arguments(table);
        let step = own::perform(own::LOG_CHANGES, &table.schema, &table.table, &arguments);
        self.completion.after.push(step);
        Ok(())
    }

    /// The triggers that a table's partitions need beside the clones of its own.
    pub(super) fn partition_triggers(&mut self, table: &TableProtection, below: &[&Relation]) {
        for partition in below {
            let trigger = expected_on_partition(table, &partition.schema, &partition.name);
            let steps = trigger.iter().flat_map(profile::create_trigger);
            self.completion.after.extend(steps);
        }
    }
}

impl Analysis<'_> {
    /// Data migrations fold the case of what is there (`SET email = LOWER(email)`), which is
    /// nothing where the migrations begin with an empty database. In an UPDATE such a call becomes
    /// one that raises the refusal once a row has a value for it.
    pub(crate) fn defers(&mut self, function: Option<&str>, name: &ObjectName) -> bool {
        let folds = matches!(function, Some("lower" | "upper"));
        if !(folds && self.can_defer()) {
            return false;
        }
        let first = name.0.first().and_then(|part| part.as_ident());
        let Some(start) = first.and_then(|ident| self.token_at(ident.span)) else { return false };
        let (_, end) = self.name_at(start);
        self.put(self.bytes(start, end), quote_name(SCHEMA, own::UNCOMPUTED));
        true
    }

    /// The statement is an UPDATE, in a database that has the function.
    pub(crate) fn can_defer(&self) -> bool {
        self.completion.defers && self.catalog.own_functions.contains_key(own::UNCOMPUTED)
    }
}

fn type_arguments(logical: LogicalType) -> [String; 2] {
    [logical.oid().to_string(), logical.typmod().to_string()]
}
