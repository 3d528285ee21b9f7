//! Whether a profile can be as declared, and the statements that make it so.

use std::collections::HashSet;

use pgveil_seal::LogicalType;
use pgveil_sql::physical::{
    ExpectedTrigger, SCHEMA, TRIGGER_CONFIG, compare, expected_on_partition, expected_triggers,
    profile, quote_ident, quote_name,
};
use pgveil_sql::protection::{Profile, ProfileOwner, TableProtection};

use super::{EXCLUSIVE, NONE, Planner, WRITERS, base_name, path, table_path};
use crate::facts::{Relation, TableFacts};
use crate::finding::Finding;

impl Planner<'_> {
    pub(super) fn profile_findings(&mut self, table: &TableProtection, facts: &TableFacts) {
        let base = facts.base.as_ref().filter(|base| is_complete(table, base));
        let (Some(declared), Some(base)) = (&table.profile, base) else { return };
        let object = format!("{}.{}", declared.schema, declared.table);
        let declared_columns: HashSet<&str> =
            table.columns.iter().map(|c| c.column.as_str()).collect();
        let mut copies = HashSet::from([declared.link.as_str()]);
        if declared.copies.is_empty() {
            self.refuse(&object, "is a profile without copies", "declare some, or no profile");
        }
        for (source, copy) in &declared.copies {
            if !declared_columns.contains(source.as_str()) {
                self.refuse(
                    path(table, source),
                    format!("is copied to {object} and is not protected"),
                    "protect it, or do not copy it",
                );
            }
            if !copies.insert(copy) {
                self.refuse(format!("{object}.{copy}"), "is declared twice", "");
            }
        }
        if (&declared.schema, &declared.table) == (&table.schema, &table.table) {
            self.refuse(&object, "is the profile of itself", "declare another table");
            return;
        }
        match base.column(&declared.key) {
            None => {
                self.refuse(
                    path(table, &declared.key),
                    "does not exist",
                    "correct the profile's key",
                );
            }
            Some(key) => {
                if !(key.unique && key.not_null) {
                    self.refuse(
                        path(table, &declared.key),
                        "is the key of a profile, and not unique or not NOT NULL",
                        "declare the primary key",
                    );
                }
                if !key.builtin_type || declared_columns.contains(declared.key.as_str()) {
                    self.refuse(
                        path(table, &declared.key),
                        "is the key of a profile, and protected or not of a type of PostgreSQL's own",
                        "declare another key",
                    );
                }
            }
        }
        if base.owner_restricted {
            self.refuse(
                base.path(),
                "forces row security on its owner, whose functions write the profile",
                "ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, or give the owner BYPASSRLS",
            );
        }
        match declared.owner {
            ProfileOwner::Pgveil => self.own_profile_findings(table, declared, base, facts),
            ProfileOwner::Application => self.foreign_profile_findings(declared, base, facts),
        }
    }

    fn own_profile_findings(
        &mut self,
        table: &TableProtection,
        declared: &Profile,
        base: &Relation,
        facts: &TableFacts,
    ) {
        let object = format!("{}.{}", declared.schema, declared.table);
        let Some(found) = &facts.profile else {
            if !facts.profile_schema && declared.schema != SCHEMA {
                self.refuse(
                    format!("schema {}", declared.schema),
                    "does not exist",
                    "make it first, or declare another schema for the profile",
                );
            }
            return;
        };
        if found.kind != "r" || found.comment.as_deref() != Some(&profile::comment(table)) {
            self.refuse(
                &object,
                format!("exists and was not made by pgveil as the profile of {}", base.path()),
                "declare another table, or the owner \"application\"",
            );
            return;
        }
        self.owned(found);
        let key = base.column(&declared.key).map(|c| c.type_oid);
        match found.column(&declared.link) {
            Some(link) if Some(link.type_oid) == key && link.unique => {}
            _ => self.refuse(
                format!("{object}.{}", declared.link),
                "is not the profile's key as declared",
                "drop the profile table; migrate makes it again from the base rows",
            ),
        }
    }

    fn foreign_profile_findings(
        &mut self,
        declared: &Profile,
        base: &Relation,
        facts: &TableFacts,
    ) {
        let object = format!("{}.{}", declared.schema, declared.table);
        let Some(found) = &facts.profile else {
            let what =
                "does not exist; the statement that makes it through pgveil makes its triggers";
            self.findings.push(Finding::info(object, what));
            return;
        };
        if found.kind != "r" || found.temporary || found.is_partition || found.inherits {
            self.refuse(&object, "is not an ordinary table", "declare another one");
            return;
        }
        if found.owner != base.owner {
            self.refuse(
                &object,
                format!(
                    "belongs to role {} and {} to {}: a function that reads one and writes the \
                     other must belong to both",
                    found.owner,
                    base.path(),
                    base.owner
                ),
                "ALTER TABLE ... OWNER TO",
            );
        }
        if found.owner_restricted {
            self.refuse(
                &object,
                "forces row security on its owner, whose functions write the copies",
                "ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, or give the owner BYPASSRLS",
            );
        }
        let key = base.column(&declared.key);
        match (found.column(&declared.link), key) {
            (None, _) => {
                self.refuse(format!("{object}.{}", declared.link), "does not exist", "");
            }
            (Some(link), _) if !link.unique => self.refuse(
                format!("{object}.{}", declared.link),
                "links a profile to its base row, and is not unique",
                "make it UNIQUE",
            ),
            (Some(link), Some(key)) if !comparable(link.type_oid, key.type_oid) => self.refuse(
                format!("{object}.{}", declared.link),
                format!("has type {}, the base key {}", link.type_name, key.type_name),
                "give it the base key's type",
            ),
            _ => {}
        }
        for (_, copy) in &declared.copies {
            let Some(column) = found.column(copy) else { continue };
            if LogicalType::from_pg(column.type_oid, column.typmod).is_none()
                || column.generated
                || column.identity
            {
                self.refuse(
                    format!("{object}.{copy}"),
                    format!("has type {} and cannot hold tokens", column.type_name),
                    "make it text, or declare another column",
                );
            }
        }
    }

    pub(super) fn profile_steps(&mut self) {
        for (table, facts) in self.declaration.tables.iter().zip(&self.facts.tables) {
            let complete = facts.base.as_ref().filter(|base| is_complete(table, base));
            let there = |p: &Profile| p.owner == ProfileOwner::Pgveil || facts.profile.is_some();
            let complete = complete.filter(|_| table.profile.as_ref().is_none_or(there));
            let Some(base) = complete else {
                self.trigger_functions(table, facts.base.as_ref());
                continue;
            };
            let before = self.steps.len();
            self.drop_strays(table, base);
            let Some(declared) = &table.profile else { continue };
            self.profile_table(table, declared, base, facts.profile.as_ref());
            self.profile_triggers(table, base);
            if self.steps.len() > before {
                self.lock(base_name(table), WRITERS);
                if facts.profile.is_some() {
                    self.lock(quote_name(&declared.schema, &declared.table), WRITERS);
                }
                if base.has_rows {
                    self.step(
                        profile::fill(table, declared),
                        "the copies of the rows that are there, from their own tokens",
                        WRITERS,
                    );
                }
            }
        }
    }

    /// The table, or the last column that is copied, does not exist yet: what its triggers will run
    /// does, and passes to the table's owner with the triggers. What runs now keeps its text: a
    /// column is about to be renamed.
    fn trigger_functions(&mut self, table: &TableProtection, base: Option<&Relation>) {
        for wanted in expected_triggers(table) {
            if self.facts.triggers.iter().any(|t| t.function == wanted.function_name) {
                continue;
            }
            let found = self.facts.function(&wanted.function_name);
            let right = found.is_some_and(|found| {
                found.body == wanted.body
                    && found.security_definer
                    && found.config.as_deref() == Some(TRIGGER_CONFIG)
                    && found.comment.as_deref() == Some(&wanted.comment)
            });
            if right {
                continue;
            }
            let owner = base.map(|base| base.owner.as_str());
            for sql in profile::create_function(&wanted, owner) {
                let why = format!("for the profile of {}, once it exists", table_path(table));
                self.step(sql, why, NONE);
            }
        }
    }

    /// Triggers that an earlier declaration of this table made and that this one does not have.
    fn drop_strays(&mut self, table: &TableProtection, base: &Relation) {
        let wanted = wanted_triggers(table, base);
        let names = [profile::ROW_TRIGGER, profile::TRUNCATE_TRIGGER, profile::COPIES_TRIGGER];
        let functions = names.map(|name| profile::function_name(name, table));
        let mut unused: Vec<String> = functions.to_vec();
        for trigger in &self.facts.triggers {
            if trigger.clone || !functions.contains(&trigger.function) {
                continue;
            }
            let is_wanted = wanted.iter().any(|w| {
                (&w.schema, &w.table, &w.name) == (&trigger.schema, &trigger.table, &trigger.name)
            });
            if is_wanted {
                continue;
            }
            let on = quote_name(&trigger.schema, &trigger.table);
            self.lock(on.clone(), EXCLUSIVE);
            self.step(
                format!("DROP TRIGGER {} ON {on}", quote_ident(&trigger.name)),
                format!("the profile of {} is declared otherwise now", table_path(table)),
                EXCLUSIVE,
            );
        }
        unused.retain(|function| {
            self.facts.triggers.iter().any(|t| t.function == *function)
                && !wanted.iter().any(|w| w.function_name == *function)
        });
        for function in unused {
            self.step(
                format!("DROP FUNCTION {}()", quote_name(SCHEMA, &function)),
                "no trigger calls it any more",
                NONE,
            );
        }
    }

    fn profile_table(
        &mut self,
        table: &TableProtection,
        declared: &Profile,
        base: &Relation,
        found: Option<&Relation>,
    ) {
        let name = quote_name(&declared.schema, &declared.table);
        let Some(found) = found else {
            let key_type = base.column(&declared.key).map_or("", |c| c.type_name.as_str());
            for sql in profile::create_table(table, declared, key_type, &base.owner) {
                self.step(sql, format!("the profile of {}", base.path()), NONE);
            }
            return;
        };
        for (source, copy) in &declared.copies {
            let c = quote_ident(copy);
            let why = format!("the copy of {}", path(table, source));
            let alter = |change: &str| format!("ALTER TABLE {name} ALTER COLUMN {c} {change}");
            match found.column(copy) {
                None => self.step(profile::add_copy(declared, copy), why, EXCLUSIVE),
                Some(column) => {
                    if column.type_oid != LogicalType::Text.oid() || !column.c_collation {
                        self.step(
                            alter("TYPE text COLLATE \"C\""),
                            format!("{why} holds tokens"),
                            EXCLUSIVE,
                        );
                    }
                    if column.not_null {
                        self.step(
                            alter("DROP NOT NULL"),
                            format!("{why} is NULL where the value is, or where it comes later"),
                            EXCLUSIVE,
                        );
                    }
                    if column.default.is_some() {
                        self.step(
                            alter("DROP DEFAULT"),
                            format!("{why} comes from the base row alone"),
                            EXCLUSIVE,
                        );
                    }
                }
            }
        }
        if declared.owner == ProfileOwner::Pgveil {
            for column in &found.columns {
                if column.name != declared.link
                    && !declared.copies.iter().any(|(_, copy)| *copy == column.name)
                {
                    self.step(
                        format!("ALTER TABLE {name} DROP COLUMN {}", quote_ident(&column.name)),
                        "a copy that is no longer declared and would go stale",
                        EXCLUSIVE,
                    );
                }
            }
        }
        if self.steps.iter().any(|step| step.sql.starts_with(&format!("ALTER TABLE {name} "))) {
            self.lock(name, EXCLUSIVE);
        }
    }

    fn profile_triggers(&mut self, table: &TableProtection, base: &Relation) {
        let mut functions = HashSet::new();
        for wanted in wanted_triggers(table, base) {
            let found = self.facts.triggers.iter().filter(|t| t.name == wanted.name);
            let root =
                found.clone().find(|t| (&t.schema, &t.table) == (&wanted.schema, &wanted.table));
            let problem = compare(&wanted, root.map(|t| &t.found)).err().or_else(|| {
                root.filter(|t| t.function != wanted.function_name)
                    .map(|_| format!("trigger {} calls another function", wanted.name))
            });
            // The server's clones on partitions can be disabled one by one.
            let problem = problem.or_else(|| {
                found
                    .filter(|t| t.clone && base.partitions.iter().any(|p| p.oid == t.relation))
                    .find_map(|t| compare(&wanted, Some(&t.found)).err())
            });
            let owned = root.is_some_and(|t| t.function_owner == base.owner);
            if problem.is_none() && owned {
                let found = self.facts.function(&wanted.function_name);
                if found.is_none_or(|found| found.comment.as_deref() != Some(&wanted.comment)) {
                    let why = "how pgveil finds it when the table is made again";
                    self.step(profile::comment_on_function(&wanted), why, NONE);
                }
                continue;
            }
            let why = problem.unwrap_or_else(|| "its function belongs to another role".to_owned());
            if functions.insert(wanted.function_name.clone()) {
                for sql in profile::create_function(&wanted, Some(&base.owner)) {
                    self.step(sql, format!("keeps the profile in step: {why}"), NONE);
                }
            }
            let on = quote_name(&wanted.schema, &wanted.table);
            if root.is_some() {
                self.lock(on.clone(), EXCLUSIVE);
                self.step(
                    format!("DROP TRIGGER {} ON {on}", quote_ident(&wanted.name)),
                    why.clone(),
                    EXCLUSIVE,
                );
            }
            for sql in profile::create_trigger(&wanted) {
                self.step(sql, why.clone(), WRITERS);
            }
        }
    }
}

/// Every column that the profile has a copy of exists.
fn is_complete(table: &TableProtection, base: &Relation) -> bool {
    let copies = table.profile.iter().flat_map(|profile| &profile.copies);
    copies.clone().all(|(source, _)| base.column(source).is_some())
}

/// The triggers that the declaration asks for, on partitions too.
pub(crate) fn wanted_triggers(table: &TableProtection, base: &Relation) -> Vec<ExpectedTrigger> {
    let mut wanted = expected_triggers(table);
    for partition in &base.partitions {
        wanted.extend(expected_on_partition(table, &partition.schema, &partition.name));
    }
    wanted
}

/// Types that PostgreSQL's own operators compare for equality.
fn comparable(a: u32, b: u32) -> bool {
    /// `int2`, `int4`, `int8`
    const INTEGERS: [u32; 3] = [21, 23, 20];
    const TEXTS: [u32; 2] = [25, 1043];
    a == b
        || INTEGERS.contains(&a) && INTEGERS.contains(&b)
        || TEXTS.contains(&a) && TEXTS.contains(&b)
}
