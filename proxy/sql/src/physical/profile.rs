//! Profiles: a one-to-one table with encrypted copies (`encrypted_email`, ...), written in the
//! transaction that writes the base row, by triggers.
//!
//! # State, not events
//!
//! The trigger on the base table takes only the *key* from its event and then brings the profile
//! row of this key in line with the base row *as it is now*. Copying `NEW` looks simpler and is
//! wrong in three ways: another AFTER trigger that updates the row again fires ours first for the
//! newer and then for the older version; `UPDATE t SET id = id + 1` deletes the copy that the row
//! before has just moved to; and a row that moves between partitions is a DELETE and an INSERT.
//! The writer holds the base row's lock at that moment, so two sessions cannot interleave here,
//! and a profile row is never locked without its base row's lock.
//!
//! An UPDATE that changes neither the key nor a copied column stops at once.
//!
//! # Whose rights
//!
//! The functions are SECURITY DEFINER, so neither row security nor missing privileges of the
//! writer matter; everything in them is qualified, under a fixed search_path. They must belong to
//! the role that owns the tables and not to whoever migrates: a superuser's function that writes
//! into somebody's table runs that somebody's triggers as superuser. EXECUTE is taken from PUBLIC,
//! else any role could attach one to a table of its own and have tokens copied into it.
//!
//! # The application's own profile
//!
//! A BEFORE trigger there overwrites the copy columns, whatever the application writes into them,
//! from the base row read FOR SHARE; the base row's trigger updates them when the base row
//! changes, and also when it appears after its profile (deferred foreign keys). The application's
//! own triggers fire for these updates, and a transaction that locks profile then base row can
//! dead-lock with one that goes the other way.
//!
//! # Limits
//!
//! Row triggers reach every partition, present and future; the statement trigger for TRUNCATE is
//! made on each partition that exists, so a partition added later needs `migrate apply` before it
//! is truncated by its own name. ATTACH and DETACH PARTITION move rows without any trigger.

use std::fmt::Write as _;

use crate::protection::{Profile, ProfileOwner, TableProtection};

use super::quote::{quote_ident, quote_literal, quote_name, short_name};
use super::trigger::ExpectedTrigger;

/// On the base table, AFTER INSERT OR UPDATE OR DELETE, each row.
pub const ROW_TRIGGER: &str = "pgveil_profile";
/// On the base table and its partitions, AFTER TRUNCATE.
pub const TRUNCATE_TRIGGER: &str = "pgveil_profile_truncate";
/// On an application's own profile table, BEFORE INSERT OR UPDATE, each row. Triggers of one kind
/// fire in the order of their names; this one must see what the others made of the row.
pub const COPIES_TRIGGER: &str = "zz_pgveil_copies";

const EQUALS: &str = "OPERATOR(pg_catalog.=)";

/// The name of the function that one of our triggers on behalf of a base table calls. Names are unique: a `.` between quoted parts of a table's
/// name is ambiguous only for names that hold dots themselves, so the schema's length is part of
/// it then.
pub fn function_name(trigger: &str, table: &TableProtection) -> String {
    let schema = &table.schema;
    let mut name = format!("{trigger}:{schema}.{}", table.table);
    if schema.contains('.') || table.table.contains('.') {
        let _ = write!(name, ":{}", schema.len());
    }
    short_name(&name)
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

struct Names {
    base: String,
    key: String,
    profile: String,
    link: String,
    /// Base columns, `b.`-qualified.
    sources: String,
    /// Profile columns.
    copies: String,
}

impl Names {
    fn new(table: &TableProtection, profile: &Profile) -> Self {
        Self {
            base: quote_name(&table.schema, &table.table),
            key: quote_ident(&profile.key),
            profile: quote_name(&profile.schema, &profile.table),
            link: quote_ident(&profile.link),
            sources: list(profile.copies.iter().map(|(c, _)| format!("b.{}", quote_ident(c)))),
            copies: list(profile.copies.iter().map(|(_, c)| quote_ident(c))),
        }
    }
}

/// Brings the profile row of one key (`OLD` or `NEW`) in line with the base row.
fn sync(names: &Names, profile: &Profile, record: &str) -> String {
    let Names { base, key, profile: table, link, sources, copies } = names;
    match profile.owner {
        ProfileOwner::Pgveil => {
            let set = list(profile.copies.iter().map(|(_, c)| {
                let c = quote_ident(c);
                format!("{c} = EXCLUDED.{c}")
            }));
            format!(
                "    INSERT INTO {table} AS p ({link}, {copies})
      SELECT b.{key}, {sources} FROM {base} AS b WHERE b.{key} {EQUALS} {record}.{key}
      ON CONFLICT ({link}) DO UPDATE SET {set};
    IF NOT FOUND THEN
      DELETE FROM {table} AS p WHERE p.{link} {EQUALS} {record}.{key};
    END IF;
"
            )
        }
        ProfileOwner::Application => format!(
            "    UPDATE {table} AS p SET ({copies}) =
      (SELECT {sources} FROM {base} AS b WHERE b.{key} {EQUALS} p.{link})
      WHERE p.{link} {EQUALS} {record}.{key};
"
        ),
    }
}

/// Body of the row trigger on the base table.
pub(super) fn row_body(table: &TableProtection, profile: &Profile) -> String {
    let names = Names::new(table, profile);
    let key = &names.key;
    let same = std::iter::once(&profile.key)
        .chain(profile.copies.iter().map(|(column, _)| column))
        .map(|c| format!("OLD.{0} IS NOT DISTINCT FROM NEW.{0}", quote_ident(c)))
        .collect::<Vec<_>>()
        .join("\n      AND ");
    let (old, new) = (sync(&names, profile, "OLD"), sync(&names, profile, "NEW"));
    format!(
        "
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF {same} THEN
      RETURN NULL;
    END IF;
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.{key} IS DISTINCT FROM NEW.{key} THEN
{old}  END IF;
  IF TG_OP <> 'DELETE' THEN
{new}  END IF;
  RETURN NULL;
END
"
    )
}

/// Body of the TRUNCATE trigger on the base table and its partitions. It does not truncate the
/// profile: that may be truncated by the same command, and is in use then.
pub(super) fn truncate_body(table: &TableProtection, profile: &Profile) -> String {
    format!("\nBEGIN\n  {};\n  RETURN NULL;\nEND\n", sweep(table, profile))
}

/// Body of the trigger on an application's own profile table.
pub(super) fn copies_body(table: &TableProtection, profile: &Profile) -> String {
    let Names { base, key, link, sources, .. } = Names::new(table, profile);
    let into = list(profile.copies.iter().map(|(_, c)| format!("NEW.{}", quote_ident(c))));
    format!(
        "
BEGIN
  SELECT {sources} INTO {into}
    FROM {base} AS b WHERE b.{key} {EQUALS} NEW.{link} FOR SHARE;
  RETURN NEW;
END
"
    )
}

/// Takes away the copies of rows that are gone without a trigger.
pub fn sweep(table: &TableProtection, profile: &Profile) -> String {
    let Names { base, key, profile: profile_table, link, copies, .. } = Names::new(table, profile);
    let gone = format!("NOT EXISTS (SELECT FROM {base} AS b WHERE b.{key} {EQUALS} p.{link})");
    match profile.owner {
        ProfileOwner::Pgveil => format!("DELETE FROM {profile_table} AS p WHERE {gone}"),
        ProfileOwner::Application => {
            let nulls = list(profile.copies.iter().map(|_| "NULL".to_owned()));
            let filled = profile
                .copies
                .iter()
                .map(|(_, c)| format!("p.{} IS NOT NULL", quote_ident(c)))
                .collect::<Vec<_>>()
                .join(" OR ");
            format!(
                "UPDATE {profile_table} AS p SET ({copies}) = ROW({nulls}) WHERE ({filled}) AND {gone}"
            )
        }
    }
}

/// The same as a statement of a PL/pgSQL block in which base and profile may have been dropped.
pub fn sweep_if_there(table: &TableProtection, profile: &Profile) -> String {
    let there = |schema: &str, name: &str| {
        let name = quote_literal(&quote_name(schema, name));
        format!("pg_catalog.to_regclass({name}) IS NOT NULL")
    };
    format!(
        "IF {} AND {} THEN {}; END IF",
        there(&table.schema, &table.table),
        there(&profile.schema, &profile.table),
        sweep(table, profile)
    )
}

/// What the comment on a profile table of ours says; it is how `migrate` knows that a table is
/// ours to change.
pub fn comment(table: &TableProtection) -> String {
    format!("pgveil profile of {}.{}", table.schema, table.table)
}

/// A profile table of ours. `key_type` is the base key as `format_type` prints it, qualified;
/// `owner` becomes the owner. No foreign key: it would change what the base table's statements
/// lock and in which order they fail.
pub fn create_table(
    table: &TableProtection,
    profile: &Profile,
    key_type: &str,
    owner: &str,
) -> Vec<String> {
    let name = quote_name(&profile.schema, &profile.table);
    let mut columns = format!("{} {key_type} PRIMARY KEY", quote_ident(&profile.link));
    for (_, copy) in &profile.copies {
        let _ = write!(columns, ", {} text COLLATE \"C\"", quote_ident(copy));
    }
    vec![
        format!("CREATE TABLE {name} ({columns})"),
        format!("COMMENT ON TABLE {name} IS {}", quote_literal(&comment(table))),
        format!("ALTER TABLE {name} OWNER TO {}", quote_ident(owner)),
    ]
}

/// The statements of a PL/pgSQL block that make the profile of a base table which the same block
/// has made, with the rights of whoever makes that. What an earlier table of the name has left
/// goes first.
pub fn create_inside(table: &TableProtection, profile: &Profile) -> Vec<String> {
    let name = quote_name(&profile.schema, &profile.table);
    let key_type = format!(
        "{}({}::pg_catalog.regclass, {})",
        quote_name(super::SCHEMA, super::own::KEY_TYPE),
        quote_literal(&quote_name(&table.schema, &table.table)),
        quote_literal(&profile.key)
    );
    let mut columns = String::new();
    for (_, copy) in &profile.copies {
        let _ = write!(columns, ", {} text COLLATE \"C\"", quote_ident(copy));
    }
    vec![
        drop_own(table, profile, ""),
        format!(
            "EXECUTE pg_catalog.concat({}, {key_type}, {})",
            quote_literal(&format!("CREATE TABLE {name} ({} ", quote_ident(&profile.link))),
            quote_literal(&format!(" PRIMARY KEY{columns})")),
        ),
        format!("COMMENT ON TABLE {name} IS {}", quote_literal(&comment(table))),
    ]
}

/// The statement of a PL/pgSQL block that drops a profile of ours once its base table is gone.
pub fn drop_with_base(table: &TableProtection, profile: &Profile) -> String {
    let base = quote_literal(&quote_name(&table.schema, &table.table));
    drop_own(table, profile, &format!("pg_catalog.to_regclass({base}) IS NULL AND "))
}

/// The statement of a PL/pgSQL block that drops those of some triggers that a table has.
pub fn drop_triggers(on: (&str, &str), names: &[&str]) -> String {
    let table = quote_name(on.0, on.1);
    let drops = names.iter().map(|name| {
        format!(
            "IF EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid \
             OPERATOR(pg_catalog.=) pg_catalog.to_regclass({})::pg_catalog.oid AND t.tgname \
             OPERATOR(pg_catalog.=) {}::pg_catalog.name) THEN DROP TRIGGER {} ON {table}; END IF",
            quote_literal(&table),
            quote_literal(name),
            quote_ident(name)
        )
    });
    drops.collect::<Vec<_>>().join("; ")
}

/// The same once another table, which they read or write, is gone.
pub fn drop_triggers_without(gone: (&str, &str), on: (&str, &str), names: &[&str]) -> String {
    format!(
        "IF pg_catalog.to_regclass({}) IS NULL THEN {}; END IF",
        quote_literal(&quote_name(gone.0, gone.1)),
        drop_triggers(on, names)
    )
}

/// The statements of a PL/pgSQL block after which an application's own profile table can hold
/// tokens: they come from the base row alone, and so may be missing.
pub fn hold_tokens(profile: &Profile) -> Vec<String> {
    let table = quote_name(&profile.schema, &profile.table);
    let changes = profile.copies.iter().map(|(_, copy)| {
        let copy = quote_ident(copy);
        format!(
            "ALTER COLUMN {copy} DROP NOT NULL, ALTER COLUMN {copy} DROP DEFAULT, \
             ALTER COLUMN {copy} TYPE text COLLATE \"C\""
        )
    });
    vec![format!("ALTER TABLE {table} {}", changes.collect::<Vec<_>>().join(", "))]
}

fn drop_own(table: &TableProtection, profile: &Profile, condition: &str) -> String {
    let name = quote_name(&profile.schema, &profile.table);
    format!(
        "IF {condition}pg_catalog.obj_description(pg_catalog.to_regclass({}), 'pg_class') \
         OPERATOR(pg_catalog.=) {} THEN DROP TABLE {name}; END IF",
        quote_literal(&name),
        quote_literal(&comment(table))
    )
}

/// A copy column that is missing.
pub fn add_copy(profile: &Profile, copy: &str) -> String {
    format!(
        "ALTER TABLE {} ADD COLUMN {} text COLLATE \"C\"",
        quote_name(&profile.schema, &profile.table),
        quote_ident(copy)
    )
}

/// The trigger's function (created or replaced) with its rights, and its owner if there is one
/// yet.
pub fn create_function(trigger: &ExpectedTrigger, owner: Option<&str>) -> Vec<String> {
    let name = quote_name(&trigger.function_schema, &trigger.function_name);
    let body = dollar_quote(&trigger.body);
    let mut statements = vec![
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp SET row_security = off AS {body}"
        ),
        format!("REVOKE ALL ON FUNCTION {name}() FROM PUBLIC"),
        comment_on_function(trigger),
    ];
    if let Some(owner) = owner {
        statements.push(format!("ALTER FUNCTION {name}() OWNER TO {}", quote_ident(owner)));
    }
    statements
}

/// The comment by which [`super::own::ADOPT`] finds the trigger's function.
pub fn comment_on_function(trigger: &ExpectedTrigger) -> String {
    let name = quote_name(&trigger.function_schema, &trigger.function_name);
    format!("COMMENT ON FUNCTION {name}() IS {}", quote_literal(&trigger.comment))
}

/// The trigger itself, firing ALWAYS: rows that arrive by logical replication are copied too.
/// Made by the migrating role after the function changed hands, so that role needs EXECUTE: it is
/// the owner or a superuser.
pub fn create_trigger(trigger: &ExpectedTrigger) -> Vec<String> {
    use super::trigger::tgtype::{BEFORE, DELETE, INSERT, ROW, TRUNCATE, UPDATE};
    let has = |bit| trigger.tgtype & bit != 0;
    let events = [(INSERT, "INSERT"), (UPDATE, "UPDATE"), (DELETE, "DELETE")];
    let events = events.iter().chain(&[(TRUNCATE, "TRUNCATE")]);
    let events =
        events.filter(|(bit, _)| has(*bit)).map(|(_, word)| *word).collect::<Vec<_>>().join(" OR ");
    let table = quote_name(&trigger.schema, &trigger.table);
    vec![
        format!(
            "CREATE TRIGGER {} {} {events} ON {table} FOR EACH {} EXECUTE FUNCTION {}()",
            quote_ident(&trigger.name),
            if has(BEFORE) { "BEFORE" } else { "AFTER" },
            if has(ROW) { "ROW" } else { "STATEMENT" },
            quote_name(&trigger.function_schema, &trigger.function_name),
        ),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}", quote_ident(&trigger.name)),
    ]
}

/// Fills the copies of the rows that are there, from the base rows' own tokens. Run after the
/// triggers are in place, under a lock that keeps writers out.
pub fn fill(table: &TableProtection, profile: &Profile) -> String {
    let Names { base, key, profile: profile_table, link, sources, copies } =
        Names::new(table, profile);
    match profile.owner {
        ProfileOwner::Pgveil => {
            let set = list(profile.copies.iter().map(|(_, c)| {
                let c = quote_ident(c);
                format!("{c} = EXCLUDED.{c}")
            }));
            format!(
                "INSERT INTO {profile_table} ({link}, {copies}) SELECT b.{key}, {sources} FROM \
                 {base} AS b ON CONFLICT ({link}) DO UPDATE SET {set}"
            )
        }
        ProfileOwner::Application => format!(
            "UPDATE {profile_table} AS p SET ({copies}) = (SELECT {sources} FROM {base} AS b \
             WHERE b.{key} {EQUALS} p.{link})"
        ),
    }
}

/// One row: how many base rows have no profile row, or copies that differ. For an application's
/// table a base row without a profile row is no fault.
pub fn count_differences(table: &TableProtection, profile: &Profile) -> String {
    let Names { base, key, profile: profile_table, link, .. } = Names::new(table, profile);
    let differ = profile
        .copies
        .iter()
        .map(|(column, copy)| {
            format!("p.{} IS DISTINCT FROM b.{}", quote_ident(copy), quote_ident(column))
        })
        .collect::<Vec<_>>()
        .join(" OR ");
    let join = match profile.owner {
        ProfileOwner::Pgveil => "FULL",
        ProfileOwner::Application => "RIGHT",
    };
    format!(
        "SELECT pg_catalog.count(*) FROM {base} AS b {join} JOIN {profile_table} AS p \
         ON p.{link} {EQUALS} b.{key} WHERE p.{link} IS NULL OR b.{key} IS NULL AND {} OR {differ}",
        match profile.owner {
            ProfileOwner::Pgveil => "true",
            ProfileOwner::Application => "false",
        }
    )
}

/// A dollar-quoted string whose tag does not occur in the text.
fn dollar_quote(text: &str) -> String {
    let mut tag = "$pgveil$".to_owned();
    let mut n = 0;
    while text.contains(&tag) {
        n += 1;
        tag = format!("$pgveil{n}$");
    }
    format!("{tag}{text}{tag}")
}
