//! What is wrong about what is sealed already: for a plan and for a check alike.

use std::collections::HashMap;
use std::sync::Arc;

use pgveil_seal::{Fold, Keyring, LogicalType, Mode};
use pgveil_sql::physical::column::{self, Default as ColumnDefault};
use pgveil_sql::physical::schema;
use pgveil_sql::protection::{ColumnProtection, TableProtection};

use crate::facts::{Column, Facts, Record};
use crate::finding::Finding;

/// A declared table or column that is not there.
pub(crate) fn absent(object: String) -> Finding {
    Finding::warning(
        object,
        "is declared and does not exist yet: it is sealed when it is created through pgveil",
        "create it through pgveil, or correct the policy",
    )
}

/// What `pgveil.refuse` cannot keep out of the log, if anything.
pub(crate) fn log_finding(facts: &Facts) -> Option<Finding> {
    let silent = match &facts.schema.refuse {
        Some(refuse) if !refuse.owned_by_us && !facts.server.superuser => {
            refuse.config.as_deref() == Some(schema::REFUSE_CONFIG_SILENT)
                && refuse.owner_may_silence
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
    let object = format!("{}.{}.{}", table.schema, table.table, column.column);
    let mut findings = Vec::new();
    let domain = if column.mode == Mode::Deterministic { column.domain.as_str() } else { "" };
    let declared_fold = column.fold.map_or("", Fold::as_str);
    for (what, sealed, declared) in [
        ("mode", record.mode.as_str(), column.mode.as_str()),
        ("domain", record.domain.as_str(), domain),
        ("keyring", record.keyring.as_str(), column.keyring.as_str()),
        ("fold", record.fold.as_deref().unwrap_or_default(), declared_fold),
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
