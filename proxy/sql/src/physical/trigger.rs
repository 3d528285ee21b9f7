//! Which triggers a declaration asks for, and whether those in the database are these.
//!
//! A trigger is only as good as its text, its function's settings and its firing mode: one that
//! was disabled, or whose function was replaced, lets copies go stale without a sound. So the
//! catalog is compared with what the generator would write now, field by field, and whoever loads
//! it refuses writes on a difference.

use std::fmt::Write as _;

use crate::protection::{ProfileOwner, TableProtection};

use super::own::function_comment;
use super::profile;

/// Bits of `pg_trigger.tgtype` (PostgreSQL, `src/include/catalog/pg_trigger.h`).
pub(super) mod tgtype {
    pub(crate) const ROW: i16 = 1;
    pub(crate) const BEFORE: i16 = 2;
    pub(crate) const INSERT: i16 = 4;
    pub(crate) const DELETE: i16 = 8;
    pub(crate) const UPDATE: i16 = 16;
    pub(crate) const TRUNCATE: i16 = 32;
}

/// `pg_proc.proconfig::text` of every trigger function of ours. `row_security = off` turns a
/// policy that would hide the base row into an error (42501), where it would otherwise read as a
/// row that is gone.
pub const TRIGGER_CONFIG: &str = "{\"search_path=pg_catalog, pg_temp\",row_security=off}";

/// A trigger as the generator writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTrigger {
    /// Schema of the table that the trigger is on.
    pub schema: String,
    /// That table.
    pub table: String,
    /// `pg_trigger.tgname`
    pub name: String,
    /// Schema of its function; always `pgveil`.
    pub function_schema: String,
    /// `pg_proc.proname` of its function.
    pub function_name: String,
    /// `pg_trigger.tgtype`
    pub tgtype: i16,
    /// What it gives its function.
    pub arguments: Vec<String>,
    /// `pg_proc.prosrc` of its function.
    pub body: String,
    /// The comment on its function.
    pub comment: String,
}

impl ExpectedTrigger {
    /// It fires for each row: partitions have clones of it.
    pub fn is_for_rows(&self) -> bool {
        self.tgtype & tgtype::ROW != 0
    }
}

/// A trigger as `pg_trigger` and `pg_proc` have it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // One field a catalog column.
pub struct FoundTrigger {
    /// `tgenabled`
    pub enabled: char,
    /// `tgtype`
    pub tgtype: i16,
    /// `encode(tgargs, 'escape')`
    pub arguments: String,
    /// `prosrc`
    pub body: String,
    /// `prosecdef`
    pub security_definer: bool,
    /// `proconfig::text`
    pub config: Option<String>,
    /// `tgqual IS NOT NULL`: it has a WHEN condition.
    pub condition: bool,
    /// `tgattr` is not empty: it fires on UPDATE OF some columns only.
    pub columns: bool,
}

/// The triggers that the declaration of one table asks for, in the order in which they are made.
/// Empty without a profile.
pub fn expected_triggers(table: &TableProtection) -> Vec<ExpectedTrigger> {
    let Some(profile) = &table.profile else { return Vec::new() };
    let on_base = |name: &str, tgtype, body| {
        expected(table, (&table.schema, &table.table), name, tgtype, body)
    };
    let row = tgtype::ROW | tgtype::INSERT | tgtype::UPDATE | tgtype::DELETE;
    let mut triggers = vec![
        on_base(profile::ROW_TRIGGER, row, profile::row_body(table, profile)),
        on_base(
            profile::TRUNCATE_TRIGGER,
            tgtype::TRUNCATE,
            profile::truncate_body(table, profile),
        ),
    ];
    if profile.owner == ProfileOwner::Application {
        triggers.push(expected(
            table,
            (&profile.schema, &profile.table),
            profile::COPIES_TRIGGER,
            tgtype::ROW | tgtype::BEFORE | tgtype::INSERT | tgtype::UPDATE,
            profile::copies_body(table, profile),
        ));
    }
    triggers
}

/// The statement trigger that a partition needs beside those of [`expected_triggers`]: row
/// triggers of a partitioned table are cloned to its partitions by the server, statement triggers
/// are not, and `TRUNCATE` of a partition fires only the partition's own.
pub fn expected_on_partition(
    table: &TableProtection,
    schema: &str,
    partition: &str,
) -> Option<ExpectedTrigger> {
    let profile = table.profile.as_ref()?;
    Some(expected(
        table,
        (schema, partition),
        profile::TRUNCATE_TRIGGER,
        tgtype::TRUNCATE,
        profile::truncate_body(table, profile),
    ))
}

fn expected(
    table: &TableProtection,
    on: (&str, &str),
    name: &str,
    tgtype: i16,
    body: String,
) -> ExpectedTrigger {
    ExpectedTrigger {
        schema: on.0.to_owned(),
        table: on.1.to_owned(),
        name: name.to_owned(),
        function_schema: super::SCHEMA.to_owned(),
        function_name: profile::function_name(name, table),
        tgtype,
        arguments: Vec::new(),
        body,
        comment: function_comment(table),
    }
}

/// Compares one trigger of the database with what the declaration asks for. `Err` says in one
/// line what is wrong; it names objects, never a value.
pub fn compare(expected: &ExpectedTrigger, found: Option<&FoundTrigger>) -> Result<(), String> {
    let mut wrong = String::new();
    let mut add = |what: &str| {
        let _ = write!(wrong, "{}{what}", if wrong.is_empty() { "" } else { ", " });
    };
    match found {
        None => add("is missing"),
        Some(found) => {
            match found.enabled {
                'A' => {}
                'D' => add("is disabled"),
                _ => add("does not fire on replicated changes (ENABLE ALWAYS)"),
            }
            if found.tgtype != expected.tgtype {
                add("fires at other events than declared");
            }
            // Each argument ends in a zero byte.
            let arguments = expected.arguments.iter().map(|a| format!("{a}\\000"));
            if found.arguments != arguments.collect::<String>() {
                add("has other arguments");
            }
            if found.condition {
                add("has a WHEN condition");
            }
            if found.columns {
                add("fires for some columns only");
            }
            if found.body != expected.body {
                add("runs a function that differs from the declaration");
            }
            if !found.security_definer {
                add("runs a function that is not SECURITY DEFINER");
            }
            if found.config.as_deref() != Some(TRIGGER_CONFIG) {
                add("runs a function without its fixed settings");
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("trigger {} on {}.{} {wrong}", expected.name, expected.schema, expected.table))
}
