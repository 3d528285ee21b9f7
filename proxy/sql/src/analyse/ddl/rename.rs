//! New names of columns and tables.
//!
//! What is sealed keeps its tokens, so the new name must be declared as the old one is: mode,
//! domain, keyring. A deterministic column without a domain has one that is derived from its
//! names; the tokens stay in it, so it must be written out for the new name. The policy declares
//! both names while the change is under way.
//!
//! Guards, indexes, views and foreign keys follow by themselves. The guard's name, the record and
//! what is generated for a profile hold names, and are made anew in the same statement. A profile
//! of pgveil's own is filled again, and loses privileges that were granted on it.

use sqlparser::ast::{Ident, ObjectName};

use super::super::Analysis;
use super::super::kind::Kind;
use super::super::scope::{fold, parts};
use super::definition::Target;
use crate::catalog::Relation;
use crate::physical::column::guard_name;
use crate::physical::{changes, own, profile, quote_ident, quote_literal, quote_name};
use crate::protection::{ColumnProtection, Profile, ProfileOwner, TableProtection};
use crate::refusal::{Reason, Refusal};

impl<'c> Analysis<'c> {
    pub(super) fn rename_column(
        &mut self,
        old: &Ident,
        new: &Ident,
        target: &Target,
        relation: &'c Relation,
    ) -> Result<(), Refusal> {
        let (old, new) = (fold(old), fold(new));
        let catalog = self.catalog;
        let path = |column: &str| format!("{}.{column}", relation.name);
        for (base, profile) in catalog.profile_of(&relation.schema, &relation.name) {
            if names_of_profile(profile).any(|name| *name == old) {
                let wanted = format!(
                    "let the profile of {} name {new} in place of {old}, and change the column in \
                     the database directly, with pgveil migrate apply behind it",
                    base.table
                );
                let (name, new) = (path(&old), path(&new));
                return Err(self.refuse(Reason::NotAlike { name, new, wanted }));
            }
        }
        let declared = catalog.declared(&relation.schema, &relation.name);
        let profile = declared.and_then(|declared| declared.profile.as_ref());
        if profile.is_some_and(|profile| names_of_base(profile).any(|name| *name == old)) {
            let wanted = format!("let the profile name {new} in place of {old}");
            let (name, new) = (path(&old), path(&new));
            return Err(self.refuse(Reason::NotAlike { name, new, wanted }));
        }
        let becomes = self.declared_column(&relation.schema, &relation.name, &new).is_some();
        match (target.kind(&old), becomes) {
            (Kind::Sealed(_), _) => self.rename_sealed(relation, declared, &old, &new)?,
            (_, true) => {
                let (name, new) = (path(&old), path(&new));
                return Err(self.refuse(Reason::Becomes { name, new }));
            }
            _ => {}
        }
        if let (Some(declared), Some(profile)) = (declared, profile)
            && names_of_base(profile).any(|name| *name == new)
        {
            let has = |name: &str| {
                name == new || (name != old && target.columns.iter().any(|c| *c.name == *name))
            };
            self.make_profile(declared, Some(relation), true, has)?;
        }
        Ok(())
    }

    fn rename_sealed(
        &mut self,
        relation: &Relation,
        declared: Option<&TableProtection>,
        old: &str,
        new: &str,
    ) -> Result<(), Refusal> {
        let column = |name: &str| {
            declared.and_then(|table| table.columns.iter().find(|c| c.column == *name))
        };
        // The column of a partition is renamed with its parent's: the server says so.
        let Some(was) = column(old) else {
            return Err(
                self.unsupported("RENAME COLUMN of what is declared elsewhere", &[relation])
            );
        };
        if !column(new).is_some_and(|next| alike(was, next)) {
            return Err(self.refuse(Reason::NotAlike {
                name: format!("{}.{old}", relation.name),
                new: format!("{}.{new}", relation.name),
                wanted: format!("declare {}.{new} as well, {}", relation.name, sealed_as(was)),
            }));
        }
        if self.declared_below(relation) {
            return Err(
                self.unsupported("RENAME COLUMN with a partition that is declared", &[relation])
            );
        }
        self.prepared(&format!("{}.{}", relation.schema, relation.name))?;
        let arguments = [quote_literal(old), quote_literal(new)];
        self.completion.after.extend([
            format!(
                "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
                quote_name(&relation.schema, &relation.name),
                quote_ident(&guard_name(old)),
                quote_ident(&guard_name(new))
            ),
            own::perform(own::RENAMED, &relation.schema, &relation.name, &arguments),
        ]);
        Ok(())
    }

    pub(super) fn rename_table(
        &mut self,
        name: &ObjectName,
        relation: &'c Relation,
    ) -> Result<(), Refusal> {
        let new = parts(name).and_then(|parts| parts.last().cloned()).unwrap_or_default();
        self.move_table(relation, (&relation.schema, &new), "ALTER TABLE ... RENAME")
    }

    /// ALTER TABLE ... SET SCHEMA, decided by its tokens: `at` is the word SCHEMA.
    pub(super) fn set_schema(&mut self, name: &[String], at: usize) -> Result<(), Refusal> {
        // Where it is not there the server says so.
        let Some(relation) = self.existing(name) else { return Ok(()) };
        let schema = self.words().at(at + 1);
        self.move_table(relation, (&schema, &relation.name), "ALTER TABLE ... SET SCHEMA")?;
        self.wrap("ALTER TABLE");
        Ok(())
    }

    /// ALTER VIEW, and of a materialised one, whose name begins at a token: names, owner, options.
    pub(super) fn alter_view(
        &mut self,
        mut at: usize,
        relations: &[&Relation],
    ) -> Result<bool, Refusal> {
        let words = self.words();
        if words.is(at, "if") {
            at += 2;
        }
        let (name, at) = self.name_at(at);
        let known = self.existing(&name);
        if words.is(at, "rename") && words.is(at + 1, "to") {
            if let Some(view) = known {
                self.move_table(view, (&view.schema, &words.at(at + 2)), "ALTER VIEW ... RENAME")?;
            }
        } else if words.is(at, "set") && words.is(at + 1, "schema") {
            if let Some(view) = known {
                self.move_table(
                    view,
                    (&words.at(at + 2), &view.name),
                    "ALTER VIEW ... SET SCHEMA",
                )?;
            }
        } else {
            let options = (words.is(at, "set") || words.is(at, "reset")) && words.is(at + 1, "(");
            if !(options || words.is(at, "rename") || words.is(at, "owner")) {
                return Err(self.unsupported("this form of ALTER VIEW", relations));
            }
        }
        Ok(true)
    }

    /// A table gets another name, or schema.
    fn move_table(
        &mut self,
        relation: &'c Relation,
        to: (&str, &str),
        what: &str,
    ) -> Result<(), Refusal> {
        if (relation.schema.as_str(), relation.name.as_str()) == to {
            return Ok(());
        }
        let catalog = self.catalog;
        let (name, new) =
            (format!("{}.{}", relation.schema, relation.name), format!("{}.{}", to.0, to.1));
        let was = catalog.declared(&relation.schema, &relation.name);
        let next = catalog.declared(to.0, to.1);
        let is_profile = catalog.profile_of(&relation.schema, &relation.name).next().is_some()
            || catalog.profile_of(to.0, to.1).next().is_some();
        match (was.filter(|_| relation.protected.is_some()), next) {
            _ if is_profile => {
                Err(self.unsupported(&format!("{what} of or to the profile"), &[relation]))
            }
            (None, Some(_)) => Err(self.refuse(Reason::Becomes { name, new })),
            (None, None) => {
                // Views and partitions are what they read, and what they are part of.
                let follows = matches!(relation.kind, 'v' | 'm') || relation.protected.is_some();
                if relation.in_scope && !follows {
                    return Err(self.unsupported(what, &[relation]));
                }
                Ok(())
            }
            (Some(was), Some(next)) if declares_alike(relation, was, next) => {
                self.prepared(&name)?;
                self.move_log(was, next)?;
                self.move_profile(relation, was, next)
            }
            (Some(was), _) => {
                let wanted =
                    format!("declare {new} as well, with {}", sealed_columns(relation, was));
                Err(self.refuse(Reason::NotAlike { name, new, wanted }))
            }
        }
    }

    /// The trigger's function has the table's name.
    fn move_log(&mut self, was: &TableProtection, next: &TableProtection) -> Result<(), Refusal> {
        if !changes::computed(was).is_empty() {
            let on = (next.schema.as_str(), next.table.as_str());
            let step = profile::drop_triggers(on, &[changes::CHANGES_TRIGGER]);
            self.completion.after.push(step);
        }
        self.log(next)
    }

    /// The triggers and the profile of a table that has another name now.
    fn move_profile(
        &mut self,
        relation: &Relation,
        was: &TableProtection,
        next: &TableProtection,
    ) -> Result<(), Refusal> {
        if was.profile.is_none() && next.profile.is_none() {
            return Ok(());
        }
        let below = self.catalog.descendants(relation.oid);
        let mut on = vec![(next.schema.as_str(), next.table.as_str())];
        on.extend(below.iter().map(|child| (child.schema.as_str(), child.name.as_str())));
        let steps = &mut self.completion.after;
        steps.push(profile::drop_triggers(on[0], &[profile::ROW_TRIGGER]));
        for table in &on {
            steps.push(profile::drop_triggers(*table, &[profile::TRUNCATE_TRIGGER]));
        }
        // Another declaration may have made it: its comment says whose it is.
        for of in [&was.profile, &next.profile].into_iter().flatten() {
            match of.owner {
                ProfileOwner::Pgveil => steps.push(profile::drop_with_base(was, of)),
                ProfileOwner::Application => steps.push(profile::drop_triggers(
                    (&of.schema, &of.table),
                    &[profile::COPIES_TRIGGER],
                )),
            }
        }
        let has = |name: &str| relation.columns.iter().any(|c| c.name == *name);
        self.make_profile(next, Some(relation), false, has)
    }

    fn declared_below(&self, relation: &Relation) -> bool {
        let below = self.catalog.descendants(relation.oid);
        below.iter().any(|child| self.catalog.declared(&child.schema, &child.name).is_some())
    }
}

/// What is declared of a relation's sealed columns, in words.
pub(super) fn sealed_columns(relation: &Relation, declared: &TableProtection) -> String {
    let sealed = declared.columns.iter().filter(|c| is_sealed(relation, &c.column));
    let columns: Vec<String> = sealed.map(|c| format!("{} {}", c.column, sealed_as(c))).collect();
    columns.join("; ")
}

fn is_sealed(relation: &Relation, column: &str) -> bool {
    relation.columns.iter().any(|c| c.sealed.is_some() && c.name == *column)
}

/// Every sealed column is declared alike under the table's new name, and no other is declared.
fn declares_alike(relation: &Relation, was: &TableProtection, next: &TableProtection) -> bool {
    was.policy == next.policy
        && relation.columns.iter().all(|column| {
            let was = was.columns.iter().find(|c| c.column == column.name);
            let next = next.columns.iter().find(|c| c.column == column.name);
            match (column.sealed, was, next) {
                (Some(_), Some(was), Some(next)) => alike(was, next),
                (Some(_), ..) | (None, _, Some(_)) => false,
                (None, _, None) => true,
            }
        })
}

/// Tokens of one are tokens of the other.
pub(super) fn alike(left: &ColumnProtection, right: &ColumnProtection) -> bool {
    let ColumnProtection { column, computed, .. } = right.clone();
    ColumnProtection { column, computed, ..left.clone() } == *right
}

/// What a declaration says, in words.
fn sealed_as(column: &ColumnProtection) -> String {
    let ColumnProtection { column: _, mode, domain, keyring, fold, computed: _ } = column;
    let folds = fold.map_or(String::new(), |fold| format!(", fold \"{fold}\""));
    let of_domain =
        if domain.is_empty() { String::new() } else { format!(", domain \"{domain}\"") };
    format!("{mode}{of_domain}, keyring \"{keyring}\"{folds}")
}

/// The columns of the base table that a profile names.
fn names_of_base(profile: &Profile) -> impl Iterator<Item = &String> {
    std::iter::once(&profile.key).chain(profile.copies.iter().map(|(source, _)| source))
}

/// The columns of the profile table that a profile names.
fn names_of_profile(profile: &Profile) -> impl Iterator<Item = &String> {
    std::iter::once(&profile.link).chain(profile.copies.iter().map(|(_, copy)| copy))
}
