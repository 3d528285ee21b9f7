//! A database against what the policies declare.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use pgveil_seal::{Keyring, LogicalType, Mode};
use pgveil_sql::physical::changes::READING_FUNCTIONS;
use pgveil_sql::physical::own::OWN_FUNCTIONS;
use pgveil_sql::physical::{compare, guard_name, profile, quote_ident, quote_name, schema};
use pgveil_sql::protection::{ColumnProtection, Declaration, ProfileOwner, TableProtection};
use tokio_postgres::{Client, GenericClient};

use crate::error::LifecycleError;
use crate::facts::{Column, Facts, Relation};
use crate::fill::{BTREE_LIMIT, too_long};
use crate::finding::{Finding, Severity};
use crate::plan::{READING, UNRECORDED, computes, log_problem, wanted_log, wanted_triggers};
use crate::sealed::{absent, log_finding, sealed_findings};

/// What [`check`] found. Prints itself as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order of the declaration.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst there is.
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|f| f.severity).max().unwrap_or(Severity::Info)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.findings.iter().map(|f| f.object.chars().count()).max().unwrap_or(0).min(48);
        for finding in &self.findings {
            writeln!(f, "{:8} {:width$}  {}", finding.severity, finding.object, finding.what)?;
            if !finding.todo.is_empty() {
                writeln!(f, "{:8} {:width$}  > {}", "", "", finding.todo)?;
            }
        }
        let count = |severity| self.findings.iter().filter(|f| f.severity == severity).count();
        writeln!(f, "{} errors, {} warnings", count(Severity::Error), count(Severity::Warning))
    }
}

/// Checks the database: every declared column's stage, key, type and guard, profiles and their
/// triggers, dependants, `pgveil.refuse`, lengths, and what is sealed and no longer declared.
///
/// Reads in one snapshot and changes nothing. It scans the declared tables (once for lengths, once
/// with their profile). The connection must not be in a transaction.
#[allow(clippy::implicit_hasher)] // One configuration, one kind of map.
pub async fn check(
    client: &Client,
    declaration: &Declaration,
    keyrings: &HashMap<String, Arc<Keyring>>,
) -> Result<Report, LifecycleError> {
    client
        .batch_execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {READING}"))
        .await
        .map_err(LifecycleError::reading)?;
    let findings = findings(client, declaration, keyrings).await;
    client.batch_execute("ROLLBACK").await.map_err(LifecycleError::reading)?;
    Ok(Report { findings: findings? })
}

async fn findings(
    client: &Client,
    declaration: &Declaration,
    keyrings: &HashMap<String, Arc<Keyring>>,
) -> Result<Vec<Finding>, LifecycleError> {
    let facts = Facts::read(client, declaration).await?;
    let mut findings = schema_findings(&facts);
    if computes(declaration) {
        findings.extend(reading_finding(&facts));
    }
    for (table, found) in declaration.tables.iter().zip(&facts.tables) {
        let object = format!("{}.{}", table.schema, table.table);
        let Some(base) = &found.base else {
            findings.push(absent(object));
            continue;
        };
        for column in &table.columns {
            column_findings(client, &facts, keyrings, table, base, column, &mut findings).await?;
        }
        log_findings(&facts, table, base, &mut findings);
        let sources = table.profile.iter().flat_map(|profile| &profile.copies);
        if table.profile.is_some() && sources.clone().all(|(s, _)| base.column(s).is_some()) {
            profile_findings(client, &facts, table, base, found.profile.as_ref(), &mut findings)
                .await?;
        }
    }
    let judgement = facts.dependants.judge(declaration, &facts.default_grantees, &|_, _| true);
    findings.extend(judgement.findings);
    undeclared(&facts, declaration, &mut findings);
    Ok(findings)
}

fn schema_findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.server.encoding == "SQL_ASCII" {
        findings.push(Finding::error(
            format!("database {}", facts.server.database),
            "its encoding is SQL_ASCII, so bytes have no characters that could be sealed",
            "convert it to UTF8",
        ));
    }
    if !facts.schema.exists || !facts.schema.columns {
        findings.push(Finding::error(
            "schema pgveil",
            "does not exist: nothing is sealed here yet",
            "migrate apply",
        ));
        return findings;
    }
    if !OWN_FUNCTIONS.iter().all(|wanted| facts.has_own(wanted)) {
        findings.push(Finding::warning(
            "schema pgveil",
            "lacks functions of this version: changes of protected tables through pgveil are refused",
            "migrate apply",
        ));
    }
    let Some(refuse) = &facts.schema.refuse else {
        findings.push(Finding::error(
            "pgveil.refuse",
            "is missing, so every guard fails",
            "migrate apply",
        ));
        return findings;
    };
    if !facts.schema.token.as_ref().is_some_and(|token| token.sound) {
        findings.push(Finding::error(
            "pgveil.token",
            "is not the domain that migrate apply makes, so guards refuse nothing",
            "migrate apply, as its owner or a superuser",
        ));
    }
    let config = refuse.config.as_deref();
    if refuse.body != schema::REFUSE_BODY || !refuse.security_definer || !refuse.volatile {
        findings.push(Finding::error(
            "pgveil.refuse",
            "is not the function that migrate apply makes",
            "migrate apply, as its owner or a superuser",
        ));
    } else if config == Some(schema::REFUSE_CONFIG_SILENT) && refuse.owner_may_silence {
        findings.push(Finding::info("pgveil.refuse", "keeps refused values out of the log"));
    } else {
        findings.extend(log_finding(facts).or_else(|| {
            Some(Finding::warning(
                "pgveil.refuse",
                "a plain value that the guard refuses may appear in the server's log",
                "migrate apply, as a superuser",
            ))
        }));
    }
    findings
}

async fn column_findings(
    client: &impl GenericClient,
    facts: &Facts,
    keyrings: &HashMap<String, Arc<Keyring>>,
    table: &TableProtection,
    base: &Relation,
    column: &ColumnProtection,
    findings: &mut Vec<Finding>,
) -> Result<(), LifecycleError> {
    let object = format!("{}.{}.{}", table.schema, table.table, column.column);
    let Some(found) = base.column(&column.column) else {
        findings.push(absent(object));
        return Ok(());
    };
    let Some(record) = facts.record(base.oid, &column.column).filter(|r| r.sealed) else {
        findings.push(Finding::error(
            &object,
            format!("is declared {} and still plain ({})", column.mode, found.type_name),
            "migrate plan says what it takes to seal it",
        ));
        if LogicalType::from_pg(found.type_oid, found.typmod).is_some() {
            length_finding(client, table, column, found, &object, findings).await?;
        }
        return Ok(());
    };
    let before = findings.len();
    findings.extend(sealed_findings(table, column, found, record, keyrings));
    if record.policy != table.policy {
        findings.push(Finding::warning(
            &object,
            format!("was sealed for policy {}, {} declares it now", record.policy, table.policy),
            "migrate apply",
        ));
    }
    let name = guard_name(&column.column);
    match base.guards.iter().find(|(found, _)| *found == name) {
        Some((_, true)) => {}
        Some((_, false)) => findings.push(Finding::error(
            &object,
            format!("its guard {name} is not validated: older rows may hold plain values"),
            "migrate apply",
        )),
        None => findings.push(Finding::error(
            &object,
            format!("has no guard {name}: the database takes plain values"),
            "migrate apply",
        )),
    }
    if findings.len() == before {
        let rights = if found.privileges { ", column privileges follow" } else { "" };
        findings.push(Finding::info(
            &object,
            format!("sealed, {}, key {}, guarded{rights}", record.mode, record.key_id),
        ));
    }
    Ok(())
}

async fn length_finding(
    client: &impl GenericClient,
    table: &TableProtection,
    column: &ColumnProtection,
    found: &Column,
    object: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), LifecycleError> {
    if column.mode != Mode::Deterministic {
        return Ok(());
    }
    let long: i64 = client
        .query_one(
            &format!(
                "SELECT count(*) FROM {} WHERE octet_length({}::text) > {BTREE_LIMIT}",
                quote_name(&table.schema, &table.table),
                quote_ident(&found.name)
            ),
            &[],
        )
        .await
        .map_err(LifecycleError::reading)?
        .get(0);
    if long > 0 {
        findings.push(too_long(object, long));
    }
    Ok(())
}

/// The log of new tokens, and what reads it.
fn reading_finding(facts: &Facts) -> Option<Finding> {
    let what = match &facts.schema.changes {
        None => "is missing: nothing is computed",
        Some(changes) if !changes.secure => {
            "has other privileges or row security than migrate apply gives it"
        }
        Some(_) if !READING_FUNCTIONS.iter().all(|wanted| facts.has_reading(wanted)) => {
            "cannot be read: pgveil.delta or pgveil.fingerprint is not what migrate apply makes"
        }
        Some(_) => return None,
    };
    Some(Finding::error("pgveil.changes", what, "migrate apply, as its owner or a superuser"))
}

/// What of a table is computed, and whether its new tokens are logged.
fn log_findings(
    facts: &Facts,
    table: &TableProtection,
    base: &Relation,
    findings: &mut Vec<Finding>,
) {
    for column in table.columns.iter().filter(|column| column.computed) {
        let record = facts.record(base.oid, &column.column);
        if record.is_some_and(|record| record.sealed && record.collation.is_none()) {
            findings.push(Finding::error(
                format!("{}.{}.{}", table.schema, table.table, column.column),
                "is declared computed, and which collation it had is not recorded",
                UNRECORDED,
            ));
        }
    }
    let Some(wanted) = wanted_log(table, base) else { return };
    if wanted.arguments.iter().all(String::is_empty) {
        return;
    }
    let object = format!("{}.{}", table.schema, table.table);
    findings.push(match log_problem(facts, &wanted, base) {
        Some(problem) => Finding::error(
            object,
            format!("{problem}: nothing is computed over its columns"),
            "migrate apply",
        ),
        None => Finding::info(object, "new tokens are logged, for columns that are computed"),
    });
}

async fn profile_findings(
    client: &impl GenericClient,
    facts: &Facts,
    table: &TableProtection,
    base: &Relation,
    found: Option<&Relation>,
    findings: &mut Vec<Finding>,
) -> Result<(), LifecycleError> {
    let Some(declared) = &table.profile else { return Ok(()) };
    let object = format!("{}.{}", declared.schema, declared.table);
    let Some(found) = found else {
        findings.push(Finding::error(object, "is declared and does not exist", "migrate apply"));
        return Ok(());
    };
    let before = findings.len();
    for wanted in wanted_triggers(table, base) {
        let of_name = || facts.triggers.iter().filter(|t| t.name == wanted.name);
        let root = of_name()
            .find(|t| (&t.schema, &t.table) == (&wanted.schema, &wanted.table))
            .map(|t| &t.found);
        let clones = of_name()
            .filter(|t| t.clone && base.partitions.iter().any(|p| p.oid == t.relation))
            .map(|t| Some(&t.found));
        if let Some(problem) =
            std::iter::once(root).chain(clones).find_map(|t| compare(&wanted, t).err())
        {
            findings.push(Finding::error(&object, problem, "migrate apply"));
        }
    }
    let missing: Vec<&str> = std::iter::once(declared.link.as_str())
        .chain(declared.copies.iter().map(|(_, copy)| copy.as_str()))
        .filter(|column| found.column(column).is_none())
        .collect();
    if !missing.is_empty() || base.column(&declared.key).is_none() {
        let what = format!("has no column {}", missing.join(", "));
        findings.push(Finding::error(&object, what, "migrate apply"));
        return Ok(());
    }
    if declared.copies.iter().any(|(source, _)| !facts.is_sealed(base.oid, source)) {
        return Ok(());
    }
    let different: i64 = client
        .query_one(&profile::count_differences(table, declared), &[])
        .await
        .map_err(LifecycleError::reading)?
        .get(0);
    if different > 0 {
        findings.push(Finding::error(
            &object,
            format!("{different} rows do not have the copies of their base row"),
            "migrate apply fills them when the triggers are as declared; else UPDATE the base rows",
        ));
    }
    if findings.len() == before {
        let owner = match declared.owner {
            ProfileOwner::Pgveil => "pgveil's own",
            ProfileOwner::Application => "the application's",
        };
        findings
            .push(Finding::info(&object, format!("profile ({owner}), in step, triggers intact")));
    }
    Ok(())
}

/// What is sealed and nobody declares: no proxy opens it.
fn undeclared(facts: &Facts, declaration: &Declaration, findings: &mut Vec<Finding>) {
    for record in facts.records.iter().filter(|r| r.sealed) {
        let declared = declaration.tables.iter().zip(&facts.tables).any(|(table, found)| {
            found.base.as_ref().is_some_and(|base| base.oid == record.relation)
                && table.columns.iter().any(|c| c.column == record.column)
        });
        if declared {
            continue;
        }
        if record.relation_name.bytes().all(|b| b.is_ascii_digit()) {
            findings.push(Finding::warning(
                format!("pgveil.columns, {}.{}", record.relation_name, record.column),
                "records a column of a table that was dropped",
                "migrate apply removes it",
            ));
            continue;
        }
        findings.push(Finding::error(
            format!("{}.{}", record.relation_name, record.column),
            format!("is sealed (policy {}), and no policy declares it", record.policy),
            "load the policy that does",
        ));
    }
}
