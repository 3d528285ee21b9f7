//! The log of new tokens, `pgveil.changes`, which keeps what a proxy knows of a column's values
//! complete: made where some column is declared computed.
//!
//! A trigger on the declared table, and the server's clones of it on partitions, log every token
//! that a row gets, whoever writes: COPY, replication (ENABLE ALWAYS), an account past the proxy.
//! What is logged under is the root of the partitions, by oid and column number. It compares OLD
//! with NEW; `UPDATE OF` would miss what a BEFORE trigger changes.
//!
//! What it costs a writer [CPU of the backend for an INSERT and its commit: 45 µs without, 73 with
//! one column logged, 85 with two].
//!
//! # Whose rights
//!
//! The trigger's function belongs to the owner of the log, and nobody else writes there. PUBLIC may
//! execute it, so that whoever makes a declared table through the proxy can attach it: it logs
//! under the table that it fires for, so attached elsewhere it tells nothing of a declared one.
//! Readers see the log of a column that they may read, in a table whose rows are all theirs: row
//! security would otherwise be passed by.
//!
//! # Reading it
//!
//! [`DELTA`] tells in a NOTICE what has come since a proxy's knowledge, in the snapshot of the
//! statement that calls it: it is STABLE, and so are all that it reads. Rows that come past the
//! trigger (it is disabled, a partition is attached, a type changed with USING) change
//! [`FINGERPRINT`]. A snapshot that is older than the knowledge may see values that were gone by
//! then, and says so. On a standby a snapshot does not list what was under way when it was taken,
//! so there it counts as older unless everything that the knowledge may have seen was over.

use std::fmt::Write as _;

use super::own::OwnFunction;
use super::quote::{quote_ident, quote_literal, quote_name, short_name};
use super::trigger::{ExpectedTrigger, tgtype};
use super::{SCHEMA, profile};
use crate::protection::TableProtection;

/// The log.
pub const CHANGES_TABLE: &str = "changes";
/// The trigger: AFTER INSERT OR UPDATE, each row.
pub const CHANGES_TRIGGER: &str = "pgveil_changes";
/// The row-security policy of the log.
pub const CHANGES_POLICY: &str = "readable";

/// Tells what has been logged since.
pub const DELTA: &str = "delta";
/// Changes when rows can have come past the log.
pub const FINGERPRINT: &str = "fingerprint";

/// `pg_proc.proconfig::text` of [`READING_FUNCTIONS`].
pub const READING_CONFIG: &str = "{\"search_path=pg_catalog, pg_temp\",client_min_messages=notice,\
     row_security=on,enable_seqscan=off,plan_cache_mode=force_generic_plan}";

/// What reads the log, with the caller's rights. (`row_security`: where the caller has turned it
/// off, the log's own policy would be an error. The last two: how much is new is not known when the
/// plan is made, and the server's guess, a third of the log, would have it read all of it, or plan
/// anew each time [CPU of a call at 1,300,000 rows: 0.16 ms, of which the fingerprint takes 0.06;
/// 0.25 when it plans].)
pub const READING_FUNCTIONS: [OwnFunction; 2] = [
    OwnFunction {
        name: FINGERPRINT,
        arguments: "of_relation oid",
        result: "text",
        definer: false,
        former: &[],
        // The catalog's rows in the statement's snapshot, and the partitions as they are now: the
        // rows of one that was attached since are seen as well.
        body: "
DECLARE
  state text;
BEGIN
  WITH RECURSIVE tree (relation, link) AS (
    SELECT of_relation, NULL::xid
    UNION ALL
    SELECT i.inhrelid, i.xmin FROM tree JOIN pg_inherits i ON i.inhparent = tree.relation)
  SELECT concat_ws(' ',
    (SELECT string_agg(concat(tree.relation, ':', tree.link), ',' ORDER BY tree.relation)
      FROM tree),
    (SELECT string_agg(concat(t.oid, ':', t.xmin, ':', t.tgenabled, ':', p.xmin), ',' ORDER BY t.oid)
      FROM tree JOIN pg_trigger t ON t.tgrelid = tree.relation AND t.tgname = 'pgveil_changes'
      JOIN pg_proc p ON p.oid = t.tgfoid),
    (SELECT string_agg(concat(a.attnum, ':', a.xmin), ',' ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = of_relation AND a.attnum > 0),
    (SELECT string_agg(n.relid::oid::text, ',' ORDER BY n.relid)
      FROM pg_partition_tree(of_relation) n))
  INTO state;
  RETURN encode(sha256(convert_to(state, 'UTF8')), 'hex');
END
",
    },
    OwnFunction {
        name: DELTA,
        arguments: "of_relation oid, of_column int2, known text[]",
        result: "boolean",
        definer: false,
        former: &[],
        body: "
DECLARE
  seen CONSTANT pg_snapshot := pg_current_snapshot();
  first_seen CONSTANT pg_snapshot := known[1];
  since CONSTANT xid8 := known[2];
  unsettled CONSTANT xid8[] := known[3];
  state text := 'complete';
  tokens text;
BEGIN
  IF row_security_active(of_relation) THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
      MESSAGE = 'computing over protected columns is not supported under row security',
      HINT = 'Use a role that is not subject to it, or conditions that the server decides on tokens: =, IN, IS NULL.';
  END IF;
  IF has_column_privilege(of_relation, of_column, 'SELECT') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
      MESSAGE = 'computing over protected columns is not supported without the privilege SELECT on them',
      HINT = 'Grant it: the right to read a view of the table is not enough.';
  END IF;
  IF pgveil.fingerprint(of_relation) IS DISTINCT FROM known[4] THEN
    state := 'changed';
  ELSIF pg_snapshot_xmax(seen) < pg_snapshot_xmax(first_seen)
    OR EXISTS (SELECT FROM pg_snapshot_xip(seen) x WHERE pg_visible_in_snapshot(x, first_seen))
    OR pg_is_in_recovery() AND pg_snapshot_xmin(seen) < pg_snapshot_xmax(first_seen)
      AND seen::text <> first_seen::text
  THEN
    state := 'older';
  ELSE
    SELECT string_agg(DISTINCT c.token, ',') INTO tokens FROM pgveil.changes c
    WHERE c.relation = of_relation AND c.number = of_column
      AND (c.xid >= since OR c.xid = ANY (unsettled));
  END IF;
  RAISE NOTICE USING MESSAGE = 'pgveil.delta',
    DETAIL = concat(of_relation, ';', of_column, ';', state, ';', tokens);
  RETURN false;
END
",
    },
];

/// Makes or replaces one of [`READING_FUNCTIONS`].
pub fn create_reading(function: &OwnFunction) -> Vec<String> {
    let OwnFunction { name, arguments, result, body, .. } = function;
    let name = quote_name(SCHEMA, name);
    vec![
        format!(
            "CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {result} LANGUAGE plpgsql STABLE \
             PARALLEL RESTRICTED SECURITY INVOKER SET search_path = pg_catalog, pg_temp \
             SET client_min_messages = notice SET row_security = on SET enable_seqscan = off \
             SET plan_cache_mode = force_generic_plan AS {}",
            quote_literal(body)
        ),
        format!("GRANT EXECUTE ON FUNCTION {name} TO PUBLIC"),
    ]
}

/// `pgveil.changes` with its index, and who may read what.
pub fn create_changes() -> Vec<String> {
    let table = quote_name(SCHEMA, CHANGES_TABLE);
    let mut statements = vec![
        format!(
            "CREATE TABLE {table} (
  relation oid NOT NULL,
  number int2 NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  token text COLLATE \"C\" NOT NULL
)"
        ),
        format!("CREATE INDEX changes_xid_relation ON {table} (xid, relation)"),
    ];
    statements.extend(secure_changes(false));
    statements
}

/// The row security of the log. `again`: in place of a policy that is there.
pub fn secure_changes(again: bool) -> Vec<String> {
    let table = quote_name(SCHEMA, CHANGES_TABLE);
    let drop = again.then(|| format!("DROP POLICY IF EXISTS {CHANGES_POLICY} ON {table}"));
    let secure = [
        format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"),
        format!(
            "CREATE POLICY {CHANGES_POLICY} ON {table} FOR SELECT USING \
             (pg_catalog.has_column_privilege(relation, number, 'SELECT') \
             AND NOT pg_catalog.row_security_active(relation))"
        ),
        format!("REVOKE ALL ON {table} FROM PUBLIC"),
        format!("GRANT SELECT ON {table} TO PUBLIC"),
    ];
    drop.into_iter().chain(secure).collect()
}

/// The columns of a table whose tokens are logged, in the order of the trigger's arguments.
pub fn computed(table: &TableProtection) -> Vec<&str> {
    let columns = table.columns.iter().filter(|column| column.computed);
    columns.map(|column| column.column.as_str()).collect()
}

/// Name of the function that a declared table's trigger runs.
pub fn function_name(table: &TableProtection) -> String {
    let mut name = format!("{CHANGES_TRIGGER}:{}.{}", table.schema, table.table);
    if table.schema.contains('.') || table.table.contains('.') {
        let _ = write!(name, ":{}", table.schema.len());
    }
    short_name(&name)
}

/// The trigger of a declared table; [`None`] where nothing is computed. `number` knows the columns
/// that are there and sealed. A column that is not is passed over by its argument, for the function
/// is made before the table.
pub fn expected_changes(
    table: &TableProtection,
    number: impl Fn(&str) -> Option<i16>,
) -> Option<ExpectedTrigger> {
    let computed = computed(table);
    if computed.is_empty() {
        return None;
    }
    let argument = |column: &&str| number(column).map_or(String::new(), |n| n.to_string());
    Some(ExpectedTrigger {
        schema: table.schema.clone(),
        table: table.table.clone(),
        name: CHANGES_TRIGGER.to_owned(),
        function_schema: SCHEMA.to_owned(),
        function_name: function_name(table),
        tgtype: tgtype::ROW | tgtype::INSERT | tgtype::UPDATE,
        arguments: computed.iter().map(argument).collect(),
        body: body(&computed),
        comment: format!("pgveil changes of {}", quote_name(&table.schema, &table.table)),
    })
}

/// The trigger's function. In an INSERT all of OLD is NULL.
fn body(columns: &[&str]) -> String {
    let mut body = "
DECLARE
  of_relation CONSTANT oid := COALESCE(pg_partition_root(TG_RELID), TG_RELID);
BEGIN
"
    .to_owned();
    for (place, column) in columns.iter().enumerate() {
        let column = quote_ident(column);
        let _ = write!(
            body,
            "  IF TG_ARGV[{place}] <> '' THEN
    IF NEW.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column} THEN
      INSERT INTO pgveil.changes (relation, number, token)
      VALUES (of_relation, TG_ARGV[{place}]::int2, NEW.{column});
    END IF;
  END IF;
"
        );
    }
    body.push_str("  RETURN NULL;\nEND\n");
    body
}

/// The trigger's function, which the owner of the log owns.
pub fn create_function(trigger: &ExpectedTrigger, owner: &str) -> Vec<String> {
    let name = quote_name(&trigger.function_schema, &trigger.function_name);
    let mut statements = profile::create_function(trigger, Some(owner));
    statements.push(format!("GRANT EXECUTE ON FUNCTION {name}() TO PUBLIC"));
    statements
}

/// The arguments, in SQL, of [`super::own::LOG_CHANGES`] behind the table.
pub fn log_arguments(table: &TableProtection) -> [String; 2] {
    let columns: Vec<String> = computed(table).into_iter().map(quote_literal).collect();
    [
        quote_literal(&function_name(table)),
        format!("ARRAY[{}]::pg_catalog.name[]", columns.join(", ")),
    ]
}
