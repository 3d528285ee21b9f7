//! What would have to change in a database, and everything that stands in the way.

mod changes;
mod columns;
mod folds;
mod profile;
mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use pgveil_seal::{CaseMap, Fold, Keyring};
use pgveil_sql::physical::fold::add_fold_column;
use pgveil_sql::physical::own::{OWN_FUNCTIONS, create_own, drop_former};
use pgveil_sql::physical::{quote_name, schema};
use pgveil_sql::protection::{Declaration, TableProtection};
use tokio_postgres::Client;

use crate::error::LifecycleError;
use crate::facts::{Facts, Relation};
use crate::fill::{Fill, Phase};
use crate::finding::{Finding, Severity};
use crate::sealed::log_finding;
pub(crate) use changes::{UNRECORDED, computes, log_problem, wanted_log};
pub(crate) use profile::wanted_triggers;

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
    /// What it does to the rows of one of the plan's fills.
    pub(crate) rows: Option<(usize, Phase)>,
}

/// The changes that bring a database in line with a declaration. Prints itself with [`fmt::Display`].
pub struct MigrationPlan {
    steps: Vec<Step>,
    warnings: Vec<Finding>,
    /// Tables locked first, in the order of their names.
    pub(crate) locks: BTreeMap<String, &'static str>,
    /// Tables whose rows are sealed.
    pub(crate) fills: Vec<Fill>,
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

/// Reads the database and plans. Nothing is changed; tables whose rows are to be sealed are scanned
/// once, to count. The connection must not be in a transaction.
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
        fills: Vec::new(),
        locks: BTreeMap::new(),
        pins: HashMap::new(),
        case_maps: HashMap::new(),
    };
    planner.server();
    planner.declared_once();
    planner.pins();
    planner.folds();
    let columns = planner.columns_to_seal();
    for (table, facts) in declaration.tables.iter().zip(&facts.tables) {
        planner.profile_findings(table, facts);
        planner.collation_findings(table, facts);
    }
    let counts = planner.measure(client, &columns).await?;
    let mut judgement = facts.dependants.judge(declaration, &facts.default_grantees, &|t, c| {
        columns.iter().any(|s| std::ptr::eq(s.table, t) && std::ptr::eq(s.column, c))
    });
    planner.findings.extend(judgement.findings);
    if planner.findings.iter().any(|f| f.severity == Severity::Error) {
        planner.findings.retain(|f| f.severity == Severity::Error);
        return Err(LifecycleError::Refused(planner.findings));
    }
    judgement.recreations.extend(planner.foreign_keys(&columns));
    planner.schema_steps();
    planner.seal_steps(&columns, &judgement.recreations, &counts)?;
    planner.repair_steps();
    planner.profile_steps();
    planner.changes_steps();
    planner.statistics_steps();
    let Planner { findings, steps, locks, fills, .. } = planner;
    let declaration = declaration.clone();
    Ok(MigrationPlan { steps, warnings: findings, locks, fills, facts, declaration })
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

struct Planner<'a> {
    facts: &'a Facts,
    declaration: &'a Declaration,
    keyrings: &'a HashMap<String, Arc<Keyring>>,
    findings: Vec<Finding>,
    steps: Vec<Step>,
    fills: Vec<Fill>,
    locks: BTreeMap<String, &'static str>,
    /// The key id of a deterministic domain, by keyring and domain.
    pins: HashMap<(&'a str, &'a str), String>,
    /// How declared columns fold.
    case_maps: HashMap<Fold, Arc<CaseMap>>,
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

impl Planner<'_> {
    fn refuse(&mut self, object: impl Into<String>, what: impl Into<String>, todo: &str) {
        self.findings.push(Finding::error(object, what, todo));
    }

    fn step(&mut self, sql: String, why: impl Into<String>, lock: &'static str) {
        self.steps.push(Step { sql, why: why.into(), lock, rows: None });
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

    fn owned(&mut self, relation: &Relation) {
        let server = &self.facts.server;
        if !server.superuser && server.user != relation.owner {
            let what = format!("belongs to role {}, not to {}", relation.owner, server.user);
            self.refuse(relation.path(), what, "run as its owner or as a superuser");
        }
    }

    fn schema_steps(&mut self) {
        let found = &self.facts.schema;
        if !found.exists {
            for sql in schema::create_schema() {
                self.step(sql, "the schema of what pgveil keeps in this database", NONE);
            }
        }
        self.case_map_steps();
        if !found.columns {
            for sql in schema::create_columns() {
                self.step(sql, "the record of sealed columns, which every proxy reads", NONE);
            }
        }
        if found.columns && !found.fold_column {
            self.step(add_fold_column(), "columns may fold case", NONE);
        }
        if found.columns && !found.collation_column {
            let why = "which collations columns had";
            self.step(schema::add_collation_column(), why, NONE);
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
        let domain = match &found.token {
            None => schema::create_token_domain(),
            Some(token) if token.sound || !(token.owned_by_us || self.facts.server.superuser) => {
                Vec::new()
            }
            Some(token) => schema::repair_token_domain(&token.constraints),
        };
        for sql in domain {
            self.step(sql, "what has the shape of a token, for the guards", NONE);
        }
        for wanted in &OWN_FUNCTIONS {
            let found = self.facts.function(wanted.name);
            let may = found.is_none_or(|f| f.owned_by_us || self.facts.server.superuser);
            if may && !self.facts.has_own(wanted) {
                for sql in drop_former(wanted).into_iter().filter(|_| found.is_some()) {
                    self.step(sql, "it has other arguments now", NONE);
                }
                for sql in create_own(wanted) {
                    self.step(sql, "completes the DDL of clients, in their transaction", NONE);
                }
            }
        }
        self.log_steps();
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
}
