//! Partitions of protected tables.
//!
//! A partition holds its parent's tokens and is protected with it: it has the parent's guards (the
//! server gives it the parent's CHECK constraints, or refuses to attach a table without them), and
//! no record of its own. So the policy declares the partitioned table alone. What comes or goes
//! alone is declared while it does: a table that is attached must be sealed alike before, and one
//! that is detached is afterwards. Rows that come or go so fire no trigger; the profile follows in
//! the same statement.
//!
//! Plain inheritance is refused, here and when a table is migrated: row triggers do not follow it.

use sqlparser::ast::{CreateTable, ObjectName};

use super::super::Analysis;
use super::rename::{alike, sealed_columns};
use crate::catalog::{Relation, SealedRef};
use crate::physical::{changes, own, profile};
use crate::protection::{ProfileOwner, TableProtection};
use crate::refusal::{Reason, Refusal};

impl<'c> Analysis<'c> {
    /// CREATE TABLE ... PARTITION OF.
    pub(super) fn create_partition(
        &mut self,
        table: &CreateTable,
        parent: &ObjectName,
        made: Option<(String, String)>,
    ) -> Result<(), Refusal> {
        let what = "CREATE TABLE ... PARTITION OF";
        let Some(parent) = self.existing_by_name(parent) else {
            return Err(self.refuse(Reason::UndefinedTable(parent.to_string())));
        };
        let Some((schema, name)) = made else { return Err(self.unsupported(what, &[parent])) };
        if let Some(problem) = parent.problems.first() {
            return Err(problem.refusal.clone());
        }
        if self.catalog.declared(&schema, &name).is_some() {
            return Err(self.refuse(Reason::Partition(format!("{schema}.{name}"))));
        }
        let is_profile = !self.application_profiles(&schema, &name).is_empty();
        if parent.protected.is_none()
            || is_profile
            || !(table.columns.is_empty() && table.constraints.is_empty())
        {
            return Err(self.unsupported(what, &[parent]));
        }
        self.touched = true;
        // Bounds; what the partition key is made of is not sealed.
        self.pass_over_literals(0, self.tokens.len());
        if self.catalog.relation(&schema, &name).is_some() {
            return Ok(());
        }
        let partition = Relation {
            oid: 0,
            schema,
            name,
            kind: if table.partition_by.is_some() { 'p' } else { 'r' },
            ..parent.clone()
        };
        if let Some(root) = self.kept_in_step(parent) {
            self.partition_triggers(root, &[&partition]);
        }
        self.makes = Some(Box::new(partition));
        self.wrap("CREATE TABLE");
        Ok(())
    }

    /// ALTER TABLE ... ATTACH PARTITION.
    pub(super) fn attach(
        &mut self,
        partition: &ObjectName,
        parent: &'c Relation,
    ) -> Result<(), Refusal> {
        let Some(partition) = self.existing_by_name(partition) else {
            return Err(self.refuse(Reason::UndefinedTable(partition.to_string())));
        };
        let name = format!("{}.{}", partition.schema, partition.name);
        let new = format!("a partition of {}.{}", parent.schema, parent.name);
        match (&parent.protected, &partition.protected) {
            (None, None) if !(parent.in_scope || partition.in_scope) => return Ok(()),
            (Some(_), None) => return Err(self.refuse(Reason::Becomes { name, new })),
            (Some(_), Some(_)) => {}
            (None, _) => {
                return Err(
                    self.unsupported("ATTACH PARTITION to a table without it", &[partition])
                );
            }
        }
        let declared = self.catalog.declared(&partition.schema, &partition.name);
        let has_profile = declared.is_none_or(|declared| declared.profile.is_some());
        let below = self.catalog.descendants(partition.oid);
        if has_profile || !below.is_empty() {
            return Err(self.unsupported(
                "ATTACH PARTITION of a table with a profile or partitions of its own",
                &[partition],
            ));
        }
        for column in &parent.columns {
            let other = partition.columns.iter().find(|c| c.name == column.name);
            if !self.same_tokens(column.sealed, other.and_then(|other| other.sealed)) {
                let wanted = format!("declare {name}.{} as {}.{0}", column.name, parent.name);
                return Err(self.refuse(Reason::NotAlike { name, new, wanted }));
            }
        }
        self.prepared(&name)?;
        // The server gives it a clone of its parent's, under the same name.
        if declared.is_some_and(|declared| !changes::computed(declared).is_empty()) {
            let on = (partition.schema.as_str(), partition.name.as_str());
            let step = profile::drop_triggers(on, &[changes::CHANGES_TRIGGER]);
            self.completion.before.push(step);
        }
        let step = own::perform(own::ATTACHED, &partition.schema, &partition.name, &[]);
        self.completion.after.push(step);
        if let Some(root) = self.kept_in_step(parent) {
            self.partition_triggers(root, &[partition]);
            let fill = root.profile.as_ref().map(|declared| profile::fill(root, declared));
            self.completion.after.extend(fill);
        }
        Ok(())
    }

    /// ALTER TABLE ... DETACH PARTITION.
    pub(super) fn detach(
        &mut self,
        partition: &ObjectName,
        parent: &'c Relation,
        waits: bool,
    ) -> Result<(), Refusal> {
        if parent.protected.is_none() && !parent.in_scope {
            return Ok(());
        }
        let Some(partition) = self.existing_by_name(partition) else {
            return Err(self.refuse(Reason::UndefinedTable(partition.to_string())));
        };
        let name = format!("{}.{}", partition.schema, partition.name);
        let Some(root) = self.catalog.root(partition).filter(|_| !waits) else {
            return Err(self.unsupported("this form of DETACH PARTITION", &[parent]));
        };
        let Some(next) = self.catalog.declared(&partition.schema, &partition.name) else {
            let wanted =
                format!("declare {name} as well, with {}", sealed_columns(partition, root));
            let new = "a table of its own".to_owned();
            return Err(self.refuse(Reason::NotAlike { name, new, wanted }));
        };
        for column in &partition.columns {
            let was = root.columns.iter().find(|c| c.column == column.name);
            let next = next.columns.iter().find(|c| c.column == column.name);
            let fits = match (column.sealed, was, next) {
                (Some(_), Some(was), Some(next)) => alike(was, next),
                (sealed, _, next) => sealed.is_none() && next.is_none(),
            };
            if !fits {
                let wanted =
                    format!("declare {name} as well, with {}", sealed_columns(partition, root));
                let new = "a table of its own".to_owned();
                return Err(self.refuse(Reason::NotAlike { name, new, wanted }));
            }
        }
        let kept = self.kept_in_step(parent);
        if kept.is_some() && !self.catalog.descendants(partition.oid).is_empty() {
            return Err(self.unsupported("DETACH PARTITION of one with partitions", &[partition]));
        }
        for column in &partition.columns {
            let declared = self.declared_column(&next.schema, &next.table, &column.name);
            if let (Some(sealed), Some(declared)) = (column.sealed, declared) {
                let collation = &self.catalog.column(sealed.column).collation;
                self.record(declared, sealed.logical, collation.as_deref())?;
            }
        }
        self.log(next)?;
        if let Some((root, declared)) = kept.and_then(|root| Some((root, root.profile.as_ref()?))) {
            let on = (partition.schema.as_str(), partition.name.as_str());
            let steps = &mut self.completion.after;
            steps.push(profile::drop_triggers(on, &[profile::TRUNCATE_TRIGGER]));
            steps.push(profile::sweep(root, declared));
        }
        let has = |name: &str| partition.columns.iter().any(|c| c.name == *name);
        self.make_profile(next, Some(partition), false, has)
    }

    /// The root of a table's partitions, where a profile of it is kept in step now.
    pub(super) fn kept_in_step(&self, relation: &Relation) -> Option<&'c TableProtection> {
        let root = self.catalog.root(relation)?;
        let declared = root.profile.as_ref()?;
        let base = self.catalog.relation(&root.schema, &root.table)?;
        let found = self.catalog.relation(&declared.schema, &declared.table)?;
        let has = |relation: &Relation, name: &String| {
            relation.columns.iter().any(|column| column.name == *name)
        };
        let complete = declared.copies.iter().all(|(source, copy)| {
            has(base, source) && (declared.owner == ProfileOwner::Pgveil || has(found, copy))
        });
        complete.then_some(root)
    }

    /// Tokens of one are tokens of the other, and clients see one type.
    fn same_tokens(&self, left: Option<SealedRef>, right: Option<SealedRef>) -> bool {
        match (left, right) {
            (None, None) => true,
            (Some(left), Some(right)) => {
                let of = |sealed: SealedRef| {
                    let column = self.catalog.column(sealed.column);
                    let key = (&column.keyring, &column.key_id);
                    (column.mode, &column.domain, key, column.fold, sealed.logical)
                };
                of(left) == of(right)
            }
            _ => false,
        }
    }
}
