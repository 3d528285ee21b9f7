//! What would have to change in a database, and everything that stands in the way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use pgveil_seal::{FernetKey, Keyring, LogicalType, Mode};
use pgveil_sql::physical::column::{self, Default as ColumnDefault};
use pgveil_sql::physical::{
    ExpectedTrigger, compare, expected_on_partition, expected_triggers, guard_name, profile,
    quote_ident, quote_literal, quote_name, schema,
};
use pgveil_sql::protection::{
    ColumnProtection, Declaration, Profile, ProfileOwner, TableProtection,
};
use tokio_postgres::Client;

use crate::defaults;
use crate::dependants::Recreation;
use crate::error::LifecycleError;
use crate::facts::{Column, Facts, Record, Relation, TableFacts};
use crate::finding::{Finding, Severity};

/// One statement of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What runs.
    pub sql: String,
    /// Why.
    pub why: String,
    /// The table lock that it holds to the end, as PostgreSQL names it; `none` on nothing that an
    /// application uses.
    pub lock: &'static str,
}

/// The changes that bring a database in line with a declaration. Prints itself with [`fmt::Display`].
pub struct MigrationPlan {
    steps: Vec<Step>,
    warnings: Vec<Finding>,
    /// Tables locked first, in the order of their names.
    pub(crate) locks: BTreeMap<String, &'static str>,
    pub(crate) facts: Facts,
    pub(crate) declaration: Declaration,
}

const EXCLUSIVE: &str = "ACCESS EXCLUSIVE";
const WRITERS: &str = "SHARE ROW EXCLUSIVE";
const NONE: &str = "none";

/// The oldest major version that is planned for.
const OLDEST: i32 = 140_000;

impl MigrationPlan {
    /// The statements, in order. Empty when there is nothing to do.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What works and somebody should know before the plan is carried out.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

impl fmt::Display for MigrationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = &self.facts.server.database;
        if self.steps.is_empty() {
            writeln!(f, "Database {database} is as declared; there is nothing to do.")?;
        } else {
            writeln!(
                f,
                "{} statements in one transaction on database {database}:",
                self.steps.len()
            )?;
        }
        for (number, step) in (1..).zip(&self.steps) {
            write!(f, "\n-- {number}. {}", step.why)?;
            if step.lock != NONE {
                write!(f, " [{} lock]", step.lock)?;
            }
            writeln!(f, "\n{};", step.sql)?;
        }
        for warning in &self.warnings {
            writeln!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

/// Reads the database and plans. Nothing is changed; the connection must not be in a transaction.
///
/// `keyrings` are the configured ones by name. What stands in the way comes back as one
/// [`LifecycleError::Refused`] that names everything.
#[allow(clippy::implicit_hasher)] // One configuration, one kind of map.
pub async fn plan(
    client: &Client,
    declaration: &Declaration,
    keyrings: &HashMap<String, Arc<Keyring>>,
) -> Result<MigrationPlan, LifecycleError> {
    let facts = read(client, declaration).await?;
    let mut planner = Planner {
        facts: &facts,
        declaration,
        keyrings,
        findings: Vec::new(),
        steps: Vec::new(),
        locks: BTreeMap::new(),
        pins: HashMap::new(),
    };
    planner.server();
    planner.declared_once();
    planner.pins();
    let columns = planner.columns_to_seal();
    for (table, facts) in declaration.tables.iter().zip(&facts.tables) {
        planner.profile_findings(table, facts);
    }
    let judgement = facts.dependants.judge(declaration, &facts.default_grantees, &|t, c| {
        columns.iter().any(|s| std::ptr::eq(s.table, t) && std::ptr::eq(s.column, c))
    });
    planner.findings.extend(judgement.findings);
    if planner.findings.iter().any(|f| f.severity == Severity::Error) {
        planner.findings.retain(|f| f.severity == Severity::Error);
        return Err(LifecycleError::Refused(planner.findings));
    }
    planner.schema_steps();
    planner.seal_steps(&columns, &judgement.recreations)?;
    planner.repair_steps();
    planner.profile_steps();
    let Planner { findings, steps, locks, .. } = planner;
    Ok(MigrationPlan { steps, warnings: findings, locks, facts, declaration: declaration.clone() })
}

/// Settings under which a catalog is read: names print qualified, literals read one way, and row
/// security is an error where it would hide rows.
pub(crate) const READING: &str = "SET LOCAL search_path = pg_catalog;
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL row_security = off;
    SET LOCAL lock_timeout = '5s'";

/// Reads the facts in one snapshot.
pub(crate) async fn read(
    client: &Client,
    declaration: &Declaration,
) -> Result<Facts, LifecycleError> {
    client
        .batch_execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {READING}"))
        .await
        .map_err(LifecycleError::reading)?;
    let facts = Facts::read(client, declaration).await;
    client.batch_execute("ROLLBACK").await.map_err(LifecycleError::reading)?;
    facts
}

/// A column that is to be sealed.
struct ToSeal<'a> {
    table: &'a TableProtection,
    base: &'a Relation,
    column: &'a ColumnProtection,
    logical: LogicalType,
    default: ColumnDefault,
    key: &'a FernetKey,
}

struct Planner<'a> {
    facts: &'a Facts,
    declaration: &'a Declaration,
    keyrings: &'a HashMap<String, Arc<Keyring>>,
    findings: Vec<Finding>,
    steps: Vec<Step>,
    locks: BTreeMap<String, &'static str>,
    /// The key id of a deterministic domain, by keyring and domain.
    pins: HashMap<(&'a str, &'a str), String>,
}

fn path(table: &TableProtection, column: &str) -> String {
    format!("{}.{}.{column}", table.schema, table.table)
}

fn table_path(table: &TableProtection) -> String {
    format!("{}.{}", table.schema, table.table)
}

/// The table's own name in a `LOCK`.
fn base_name(table: &TableProtection) -> String {
    quote_name(&table.schema, &table.table)
}

impl<'a> Planner<'a> {
    fn refuse(&mut self, object: impl Into<String>, what: impl Into<String>, todo: &str) {
        self.findings.push(Finding::error(object, what, todo));
    }

    fn step(&mut self, sql: String, why: impl Into<String>, lock: &'static str) {
        self.steps.push(Step { sql, why: why.into(), lock });
    }

    fn lock(&mut self, name: String, mode: &'static str) {
        let held = self.locks.entry(name).or_insert(mode);
        if mode == EXCLUSIVE {
            *held = mode;
        }
    }

    fn server(&mut self) {
        let (server, schema) = (&self.facts.server, &self.facts.schema);
        let database = format!("database {}", server.database);
        if server.encoding == "SQL_ASCII" {
            self.refuse(
                &database,
                "its encoding is SQL_ASCII, so bytes have no characters that could be sealed",
                "convert it to UTF8",
            );
        }
        if server.version < OLDEST {
            self.refuse("server", "is older than PostgreSQL 14", "upgrade it");
        }
        if !server.plpgsql {
            self.refuse(&database, "has no language plpgsql", "CREATE EXTENSION plpgsql");
        }
        if !schema.exists && !server.may_create_schema {
            self.refuse(
                &database,
                format!("role {} may not create the schema pgveil in it", server.user),
                "run as its owner or as a superuser, or GRANT CREATE ON DATABASE",
            );
        }
        if schema.exists && !(schema.may_create && schema.may_record) {
            self.refuse(
                "schema pgveil",
                format!("role {} may not change it", server.user),
                "run as the role that made it, or as a superuser",
            );
        }
        let warning = log_finding(self.facts);
        self.findings.extend(warning);
    }

    /// A table is declared once, and so is every column and profile table.
    fn declared_once(&mut self) {
        let mut tables = HashSet::new();
        let mut profiles = HashSet::new();
        for table in &self.declaration.tables {
            if !tables.insert((&table.schema, &table.table)) {
                self.refuse(table_path(table), "is declared twice", "declare it in one policy");
            }
            let mut columns = HashSet::new();
            for column in &table.columns {
                if !columns.insert(&column.column) {
                    self.refuse(path(table, &column.column), "is declared twice", "");
                }
            }
            if let Some(profile) = &table.profile
                && !profiles.insert((&profile.schema, &profile.table))
            {
                self.refuse(
                    format!("{}.{}", profile.schema, profile.table),
                    "is declared as the profile of two tables",
                    "give each table a profile of its own",
                );
            }
        }
    }

    /// The keys that deterministic domains are pinned to by columns that are sealed already.
    fn pins(&mut self) {
        for record in &self.facts.records {
            if record.sealed && record.mode == Mode::Deterministic.as_str() {
                self.pins.insert((&record.keyring, &record.domain), record.key_id.clone());
            }
        }
    }

    /// Checks every declared column and picks those that are to be sealed.
    fn columns_to_seal(&mut self) -> Vec<ToSeal<'a>> {
        let mut columns = Vec::new();
        for (table, facts) in self.declaration.tables.iter().zip(&self.facts.tables) {
            let Some(base) = &facts.base else {
                self.refuse(
                    table_path(table),
                    "does not exist",
                    "make it first, or correct the policy",
                );
                continue;
            };
            if !self.is_ordinary(base) {
                continue;
            }
            let mut unsealed = false;
            for column in &table.columns {
                let Some(found) = base.column(&column.column) else {
                    self.refuse(
                        path(table, &column.column),
                        "does not exist",
                        "make it first, or correct the policy",
                    );
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
                self.refuse(
                    table_path(table),
                    "has rows with plain values",
                    "sealing the rows of a running table comes with a later version; this one \
                     seals tables that are empty",
                );
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

    fn owned(&mut self, relation: &Relation) {
        let server = &self.facts.server;
        if !server.superuser && server.user != relation.owner {
            let what = format!("belongs to role {}, not to {}", relation.owner, server.user);
            self.refuse(relation.path(), what, "run as its owner or as a superuser");
        }
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
        if self.findings.len() > before {
            return None;
        }
        Some(ToSeal { table, base, column, logical: logical?, default: default?, key: key? })
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

    fn profile_findings(&mut self, table: &TableProtection, facts: &TableFacts) {
        let (Some(declared), Some(base)) = (&table.profile, &facts.base) else { return };
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
            if !facts.profile_schema && declared.schema != pgveil_sql::physical::SCHEMA {
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
            self.refuse(object, "does not exist", "make it first, or let pgveil own the profile");
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

    fn schema_steps(&mut self) {
        let found = &self.facts.schema;
        if !found.exists {
            for sql in schema::create_schema() {
                self.step(sql, "the schema of what pgveil keeps in this database", NONE);
            }
        }
        if !found.columns {
            for sql in schema::create_columns() {
                self.step(sql, "the record of sealed columns, which every proxy reads", NONE);
            }
        }
        let silent = self.facts.server.may_silence;
        let keep = found.refuse.as_ref().is_some_and(|refuse| {
            let silenced = refuse.config.as_deref() == Some(schema::REFUSE_CONFIG_SILENT);
            let right = refuse.body == schema::REFUSE_BODY
                && refuse.security_definer
                && refuse.volatile
                && if silenced {
                    refuse.owner_may_silence
                } else {
                    !silent && refuse.config.as_deref() == Some(schema::REFUSE_CONFIG)
                };
            right || !(refuse.owned_by_us || self.facts.server.superuser)
        });
        if !keep {
            for sql in schema::create_refuse(silent) {
                self.step(sql, "refuses values that are not tokens, without logging them", NONE);
            }
        }
        if self.facts.records.iter().any(|r| r.relation_name.bytes().all(|b| b.is_ascii_digit())) {
            self.step(
                "DELETE FROM pgveil.columns AS r WHERE NOT EXISTS (SELECT FROM \
                 pg_catalog.pg_class AS c WHERE c.oid = r.relation)"
                    .to_owned(),
                "records of tables that were dropped, whose numbers may come again",
                NONE,
            );
        }
    }

    fn seal_steps(
        &mut self,
        columns: &[ToSeal<'_>],
        recreations: &[Recreation],
    ) -> Result<(), LifecycleError> {
        for recreation in recreations {
            let why = format!("{} uses a column whose type changes", recreation.object);
            self.step(recreation.drop.clone(), why, EXCLUSIVE);
            self.lock_recreated(recreation);
        }
        for seal in columns {
            let object = path(seal.table, &seal.column.column);
            self.lock(base_name(seal.table), EXCLUSIVE);
            let steps = column::seal_column(
                seal.table,
                seal.column,
                &seal.default,
                &mut |column, value| defaults::seal(column, seal.logical, seal.key, value),
            )?;
            for (sql, why) in steps {
                self.step(sql, format!("{object}: {why}"), EXCLUSIVE);
            }
            let sql = column::record(
                seal.table,
                seal.column,
                &seal.key.id().to_string(),
                &seal.key.check_value(),
                seal.logical,
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

    fn lock_recreated(&mut self, recreation: &Recreation) {
        // Views are locked by being dropped; LOCK on a view would lock all that it reads.
        if recreation.drop.starts_with("DROP TRIGGER") {
            self.lock(recreation.relation.clone(), EXCLUSIVE);
        }
    }

    /// Columns that are sealed and have lost their guard, or changed policy.
    fn repair_steps(&mut self) {
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

    fn profile_steps(&mut self) {
        for (table, facts) in self.declaration.tables.iter().zip(&self.facts.tables) {
            let Some(base) = &facts.base else { continue };
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
                format!("DROP FUNCTION {}()", quote_name("pgveil", &function)),
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
                continue;
            }
            let why = problem.unwrap_or_else(|| "its function belongs to another role".to_owned());
            if functions.insert(wanted.function_name.clone()) {
                for sql in profile::create_function(&wanted, &base.owner) {
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

/// The triggers that the declaration asks for, on partitions too.
pub(crate) fn wanted_triggers(table: &TableProtection, base: &Relation) -> Vec<ExpectedTrigger> {
    let mut wanted = expected_triggers(table);
    for partition in &base.partitions {
        wanted.extend(expected_on_partition(table, &partition.schema, &partition.name));
    }
    wanted
}

/// What `pgveil.refuse` cannot keep out of the log, if anything.
pub(crate) fn log_finding(facts: &Facts) -> Option<Finding> {
    let silent = match &facts.schema.refuse {
        Some(refuse) if !refuse.owned_by_us && !facts.server.superuser => {
            refuse.config.as_deref() == Some(schema::REFUSE_CONFIG_SILENT) && refuse.owner_may_silence
        }
        _ => facts.server.may_silence,
    };
    (!silent).then(|| {
        Finding::warning(
            "pgveil.refuse",
            format!(
                "role {} may not set what the server logs: a plain value that the guard refuses \
                 may appear in the server's log, with the statement (log_min_error_statement)",
                facts.schema.refuse.as_ref().map_or(&facts.server.user, |r| &r.owner)
            ),
            "run migrate apply as a superuser, or GRANT SET ON PARAMETER \
             log_min_error_statement, log_error_verbosity",
        )
    })
}

/// What is wrong about a column that is recorded as sealed.
pub(crate) fn sealed_findings(
    table: &TableProtection,
    column: &ColumnProtection,
    found: &Column,
    record: &Record,
    keyrings: &HashMap<String, Arc<Keyring>>,
) -> Vec<Finding> {
    let object = path(table, &column.column);
    let mut findings = Vec::new();
    let domain = if column.mode == Mode::Deterministic { column.domain.as_str() } else { "" };
    for (what, sealed, declared) in [
        ("mode", record.mode.as_str(), column.mode.as_str()),
        ("domain", record.domain.as_str(), domain),
        ("keyring", record.keyring.as_str(), column.keyring.as_str()),
    ] {
        if sealed != declared {
            findings.push(Finding::error(
                &object,
                format!("is sealed with {what} {sealed:?}, declared is {declared:?}"),
                "declare it as it is sealed; changing it comes with a later version",
            ));
        }
    }
    if found.type_oid != LogicalType::Text.oid() || !found.c_collation {
        findings.push(Finding::error(
            &object,
            format!("is recorded as sealed, and has type {}", found.type_name),
            "it was altered directly: ALTER TABLE ... ALTER COLUMN ... TYPE text COLLATE \"C\"",
        ));
    }
    if let Some(default) = &found.default {
        let token = match column::constant_default(default) {
            Some(ColumnDefault::Constant(value)) => pgveil_seal::looks_like_token(value.as_bytes()),
            Some(ColumnDefault::Null) => true,
            None => false,
        };
        if !token {
            findings.push(Finding::error(
                &object,
                "has a default that is not a token, which its guard will refuse",
                "drop the default, or set it through pgveil",
            ));
        }
    }
    findings.extend(key_finding(&object, record, keyrings));
    findings
}

fn key_finding(
    object: &str,
    record: &Record,
    keyrings: &HashMap<String, Arc<Keyring>>,
) -> Option<Finding> {
    let Record { keyring: name, key_id, .. } = record;
    let Some(keyring) = keyrings.get(name) else {
        return Some(Finding::error(
            object,
            format!("is sealed with keyring {name}, which is not configured"),
            "configure it",
        ));
    };
    match key_id.parse().ok().and_then(|id| keyring.get(&id)) {
        None => Some(Finding::error(
            object,
            format!("is sealed with key {key_id}, which keyring {name} does not have"),
            "add the key to the keyring",
        )),
        Some(key) if key.check_value() != record.key_check => Some(Finding::error(
            object,
            format!(
                "is sealed with another key {key_id} than keyring {name} has: check values differ"
            ),
            "use the key it was sealed with",
        )),
        Some(_) => None,
    }
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
