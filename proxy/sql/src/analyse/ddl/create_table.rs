//! CREATE TABLE.

use std::collections::HashSet;

use sqlparser::ast::{ColumnOption, CreateTable, Expr};

use super::super::Analysis;
use super::super::kind::Kind;
use super::super::meet::path;
use super::super::scope::{Ctes, fold, parts};
use super::definition::Target;
use crate::catalog::{Column, Protected, Relation, SealedRef};
use crate::lex::identifier;
use crate::protection::{Profile, TableProtection};
use crate::refusal::{Reason, Refusal};

impl<'c> Analysis<'c> {
    /// `at` is the word TABLE.
    pub(super) fn create_by_tokens(
        &mut self,
        at: usize,
        relations: &[&'c Relation],
        temporary: bool,
    ) -> Result<bool, Refusal> {
        let words = self.words();
        let exists = words.is(at + 1, "if");
        let (name, behind) = self.name_at(if exists { at + 4 } else { at + 1 });
        let made = self.made(&name).filter(|_| !temporary);
        if self.create_like(behind, made.as_ref())? {
            return Ok(true);
        }
        if let Some((schema, table)) = made {
            let found = self.catalog.relation(&schema, &table);
            if self.catalog.declared(&schema, &table).is_some() {
                // With plain values in it, or none of the declared columns: migrate seals it.
                return Ok(found.is_some_and(|relation| relation.protected.is_none()));
            }
            if found.is_none() && !self.application_profiles(&schema, &table).is_empty() {
                return Ok(false);
            }
        }
        self.create_tokens(relations)
    }

    /// A new table may refer to a protected one by foreign keys to its plain columns.
    fn create_tokens(&mut self, relations: &[&'c Relation]) -> Result<bool, Refusal> {
        let words = self.words();
        if (0..self.tokens.len()).any(|index| words.is(index, "inherits")) {
            return Ok(false);
        }
        for (index, token) in self.tokens.iter().enumerate() {
            let Some(name) = identifier(self.text, token) else { continue };
            let Some(relation) = relations.iter().find(|r| r.name == name) else { continue };
            let before = |by: usize| index.checked_sub(by).map(|i| words.at(i)).unwrap_or_default();
            let behind_schema = before(1) == ".";
            let introduced = if behind_schema { before(3) } else { before(1) };
            let refers = introduced == "references";
            // The table's own name, where it exists already: IF NOT EXISTS.
            let own = index < 8 && matches!(introduced.as_str(), "table" | "exists");
            let column = !refers
                && !own
                && !words.is(index + 1, ".")
                && !behind_schema
                && matches!(introduced.as_str(), "(" | "," | "constraint" | "key");
            if refers && words.is(index + 1, "(") {
                let mut inside = index + 2;
                while inside < self.tokens.len() && !words.is(inside, ")") {
                    let referred = words.at(inside);
                    if relation.columns.iter().any(|c| c.sealed.is_some() && c.name == referred) {
                        return Err(self.unsupported(
                            &format!("a foreign key to the protected column {referred}"),
                            &[relation],
                        ));
                    }
                    inside += 1;
                }
            } else if !(refers || own || column) {
                // LIKE, INHERITS, PARTITION OF, AS SELECT: the tree tells.
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A table whose definition must be understood: one that a policy declares, or one that takes
    /// columns from a protected one.
    pub(in super::super) fn create_table(&mut self, table: &CreateTable) -> Result<(), Refusal> {
        let made = parts(&table.name).and_then(|name| self.made(&name));
        let made = made.filter(|_| !table.temporary);
        if let Some(parent) = &table.partition_of {
            return self.create_partition(table, parent, made);
        }
        let declared = made.as_ref().and_then(|(schema, name)| self.catalog.declared(schema, name));
        let profiles = made
            .as_ref()
            .map_or_else(Vec::new, |(schema, name)| self.application_profiles(schema, name));
        let copied = table.like.is_some() || table.inherits.is_some() || table.clone.is_some();
        let known = made.filter(|_| declared.is_some() || !profiles.is_empty());
        let Some((schema, name)) = known else {
            let Some(query) = table.query.as_ref().filter(|_| !copied) else {
                return Err(self.unsupported_write("CREATE TABLE ... INHERITS, or LIKE and more,"));
            };
            for column in self.query(query, None, &Ctes::default())? {
                self.assign(column.kind, None, "the new table")?;
            }
            return Ok(());
        };
        self.touched = true;
        let relation = format!("{schema}.{name}");
        if copied {
            let what = "CREATE TABLE ... INHERITS, or LIKE and more,".into();
            return Err(self.refuse(Reason::Statement { what, relation }));
        }
        if table.query.is_some() {
            return Err(self.refuse(Reason::CreateAs(relation)));
        }
        let mut target = Target { schema, table: name, columns: Vec::new(), texts: HashSet::new() };
        for definition in &table.columns {
            self.add_column(&mut target, definition)?;
        }
        for definition in &table.columns {
            self.definition(definition, &target)?;
        }
        for constraint in &table.constraints {
            self.constraint(constraint, &target)?;
        }
        self.no_sealed_partition_key(&target)?;
        self.pass_over_literals(0, self.tokens.len());
        let has = |name: &str| target.columns.iter().any(|column| *column.name == *name);
        // IF NOT EXISTS: what is there has its profile.
        if self.catalog.relation(&target.schema, &target.table).is_none() {
            if let Some(declared) = declared.filter(|_| !self.completion.is_empty()) {
                self.log(declared)?;
                self.make_profile(declared, None, false, has)?;
            }
            for (base, _) in &profiles {
                self.make_copies(base, has)?;
            }
            self.makes = Some(Box::new(made_relation(declared, &profiles, table, &target)));
        }
        self.wrap("CREATE TABLE");
        Ok(())
    }
}

impl Analysis<'_> {
    /// SELECT INTO makes no declared table.
    pub(in super::super) fn no_declared_table(
        &self,
        targets: &[Expr],
        temporary: bool,
    ) -> Result<(), Refusal> {
        let name: Vec<String> = match targets {
            [Expr::Identifier(name)] => vec![fold(name)],
            [Expr::CompoundIdentifier(names)] => names.iter().map(fold).collect(),
            _ => return Err(self.unparsed("SELECT INTO something else than a table")),
        };
        let made = self.made(&name).filter(|_| !temporary);
        let Some((schema, name)) = made else { return Ok(()) };
        let declared = self.catalog.declared(&schema, &name).is_some()
            || !self.application_profiles(&schema, &name).is_empty();
        if declared {
            return Err(self.refuse(Reason::CreateAs(format!("{schema}.{name}"))));
        }
        Ok(())
    }

    /// The bounds of partitions are values.
    fn no_sealed_partition_key(&self, target: &Target) -> Result<(), Refusal> {
        let words = self.words();
        let start = (1..self.tokens.len())
            .find(|index| words.is(index - 1, "partition") && words.is(*index, "by"));
        for index in start.unwrap_or(self.tokens.len())..self.tokens.len() {
            if let Kind::Sealed(sealed) = target.kind(&words.at(index)) {
                return Err(self.refuse(Reason::Unsealable {
                    what: "a place in the partition key".into(),
                    column: path(self.catalog, sealed.column),
                }));
            }
        }
        Ok(())
    }
}

/// The table as the catalog will have it.
fn made_relation(
    declared: Option<&TableProtection>,
    profiles: &[(&TableProtection, &Profile)],
    table: &CreateTable,
    target: &Target,
) -> Relation {
    let columns = table.columns.iter().zip(1..).map(|(definition, number)| {
        let name = fold(&definition.name);
        let generated = definition.options.iter().any(|option| {
            matches!(option.option, ColumnOption::Generated { generation_expr: Some(_), .. })
        });
        let sealed = match target.kind(&name) {
            Kind::Sealed(sealed) => {
                Some(SealedRef { column: sealed.column, logical: sealed.logical })
            }
            _ => None,
        };
        let copy = profiles
            .iter()
            .any(|(_, profile)| profile.copies.iter().any(|(_, copy)| *copy == name));
        // Only sealed columns' types are asked for.
        Column { number, name, type_oid: 0, typmod: -1, generated, copy, sealed }
    });
    let columns: Vec<Column> = columns.collect();
    let sealed = columns.iter().any(|column| column.sealed.is_some());
    Relation {
        oid: 0,
        schema: target.schema.clone(),
        name: target.table.clone(),
        kind: if table.partition_by.is_some() { 'p' } else { 'r' },
        columns,
        protected: declared.filter(|_| sealed).map(|declared| Protected {
            policy: declared.policy.clone(),
            profile: declared.profile.clone(),
        }),
        problems: Vec::new(),
        in_scope: sealed || !profiles.is_empty(),
    }
}
