//! The functions in schema `pgveil` through which DDL of a session becomes physical: what creates
//! or changes a protected column runs with the client's own rights, and only its record needs
//! more.
//!
//! They are SECURITY DEFINER, so a client that talks to the database directly can call them, too.
//! So they only ever add: a record is made of a column that looks sealed (type, collation, guard)
//! in a table that the caller owns, never changed in mode, domain or key, and removed only when
//! its column is gone. Whose call it is says `session_user`: inside, `current_user` is the owner.
//!
//! The trigger functions of a profile must belong to the table's owner, and schema `pgveil` to
//! nobody but the role that migrates: so that role makes them before the table exists, their text
//! is never a client's, and [`ADOPT`] hands them over once the table has an owner.

use super::SCHEMA;
use super::quote::{quote_ident, quote_literal, quote_name};
use crate::protection::TableProtection;

/// A function that `migrate apply` makes.
#[derive(Debug)]
pub struct OwnFunction {
    /// `pg_proc.proname`
    pub name: &'static str,
    /// As in CREATE FUNCTION.
    pub(super) arguments: &'static str,
    pub(super) result: &'static str,
    /// `pg_proc.prosecdef`
    pub definer: bool,
    /// The types of arguments that it has had: replacing it would leave those there.
    pub(super) former: &'static [&'static str],
    /// `pg_proc.prosrc`
    pub body: &'static str,
}

/// `pg_proc.proconfig::text` of all of them.
pub const OWN_CONFIG: &str = "{\"search_path=pg_catalog, pg_temp\",row_security=off}";

/// Records a column that has just been made.
pub const PROTECT: &str = "protect";
/// Changes the type that clients see.
pub const RETYPE: &str = "retype";
/// Raises where a column has values, or a default.
pub const REQUIRE_EMPTY: &str = "require_empty";
/// Removes the records of what was dropped.
pub const FORGET: &str = "forget";
/// Hands a profile's trigger functions to the table's owner.
pub const ADOPT: &str = "adopt";
/// Lets the record follow a column that was renamed.
pub const RENAMED: &str = "renamed";
/// Removes the records of a table that is a partition now, of a table that is sealed alike.
pub const ATTACHED: &str = "attached";
/// Gives a profile's trigger function, which is there, another text.
pub const REGENERATE: &str = "regenerate";
/// The type of a profile's key.
pub const KEY_TYPE: &str = "key_type";

/// Makes the trigger that logs new tokens anew, for the columns that are sealed now.
pub const LOG_CHANGES: &str = "log_changes";

/// Stands for a function that the server cannot compute on tokens: raises, except for NULL.
pub const UNCOMPUTED: &str = "uncomputed";

/// All of them.
pub const OWN_FUNCTIONS: [OwnFunction; 11] = [
    OwnFunction {
        name: UNCOMPUTED,
        arguments: "token text",
        result: "text",
        definer: false,
        former: &[],
        body: "
BEGIN
  IF token IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
      MESSAGE = 'a function over a protected column is not supported where a row has a value in it',
      HINT = 'Compute the value in the application, and write it as a parameter.';
  END IF;
  RETURN NULL;
END
",
    },
    OwnFunction {
        name: PROTECT,
        arguments: "new_relation regclass, new_column name, new_policy text, new_mode text, \
                    new_domain text, new_keyring text, new_key_id text, new_key_check text, \
                    new_type_oid oid, new_typmod integer, new_fold text, new_collation text",
        result: "void",
        definer: true,
        former: &[
            "regclass, name, text, text, text, text, text, text, oid, integer",
            "regclass, name, text, text, text, text, text, text, oid, integer, text",
        ],
        body: "
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_class c WHERE c.oid = new_relation AND c.relkind IN ('r', 'p')
      AND c.relpersistence <> 't' AND pg_has_role(session_user, c.relowner, 'MEMBER')) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('must be owner of table %s', new_relation);
  END IF;
  IF NOT EXISTS (
    SELECT FROM pg_attribute a
    JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'c' AND k.convalidated
      AND NOT k.connoinherit AND k.conkey = ARRAY[a.attnum]
      AND starts_with(k.conname::text, 'pgveil_guard_')
      AND position('::pgveil.token IS NULL) IS NOT NULL' IN pg_get_constraintdef(k.oid)) > 0
    WHERE a.attrelid = new_relation AND a.attname = new_column AND NOT a.attisdropped
      AND a.atttypid = 'text'::regtype AND a.attgenerated = '' AND a.attidentity = ''
      AND a.attcollation = (SELECT l.oid FROM pg_collation l
        WHERE l.collname = 'C' AND l.collnamespace = 'pg_catalog'::regnamespace LIMIT 1)) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('column %s.%I is not sealed', new_relation, new_column),
      DETAIL = 'It exists already, as a column with plain values.',
      HINT = 'pgveil migrate apply seals the columns of tables that are there.';
  END IF;
  LOCK TABLE pgveil.columns IN SHARE ROW EXCLUSIVE MODE;
  IF new_mode = 'deterministic' AND EXISTS (
    SELECT FROM pgveil.columns c WHERE c.stage = 'sealed' AND c.mode = new_mode
      AND c.keyring = new_keyring AND c.domain = new_domain AND c.key_id <> new_key_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('domain %s of keyring %s is sealed with another key', new_domain, new_keyring),
      HINT = 'Try again. If it stays, the proxies are configured with different keyrings.';
  END IF;
  IF new_mode = 'deterministic' AND EXISTS (
    SELECT FROM pgveil.columns c WHERE c.stage = 'sealed' AND c.mode = new_mode
      AND c.keyring = new_keyring AND c.domain = new_domain AND c.fold IS DISTINCT FROM new_fold)
  THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('domain %s of keyring %s is sealed with another fold', new_domain, new_keyring),
      HINT = 'All columns of a domain fold alike: correct the policy.';
  END IF;
  INSERT INTO pgveil.columns (relation, column_name, policy, mode, domain, keyring, key_id,
    key_check, type_oid, typmod, stage, fold, \"collation\")
  VALUES (new_relation, new_column, new_policy, new_mode, new_domain, new_keyring, new_key_id,
    new_key_check, new_type_oid, new_typmod, 'sealed', new_fold, new_collation)
  ON CONFLICT (relation, column_name) DO NOTHING;
  IF NOT FOUND AND NOT EXISTS (
    SELECT FROM pgveil.columns c WHERE c.relation = new_relation AND c.column_name = new_column
      AND (c.mode, c.domain, c.keyring, c.key_id, c.key_check, c.stage)
        = (new_mode, new_domain, new_keyring, new_key_id, new_key_check, 'sealed')
      AND c.fold IS NOT DISTINCT FROM new_fold) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('column %s.%I is recorded as sealed otherwise', new_relation, new_column),
      HINT = 'pgveil check says how.';
  END IF;
END
",
    },
    OwnFunction {
        name: RETYPE,
        arguments: "of_relation regclass, of_column name, new_type_oid oid, new_typmod integer",
        result: "void",
        definer: true,
        former: &[],
        body: "
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_class c WHERE c.oid = of_relation
      AND pg_has_role(session_user, c.relowner, 'MEMBER')) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('must be owner of table %s', of_relation);
  END IF;
  UPDATE pgveil.columns SET type_oid = new_type_oid, typmod = new_typmod, \"collation\" = 'default'
  WHERE relation = of_relation AND column_name = of_column
    AND new_type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype);
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('column %s.%I is not recorded as sealed', of_relation, of_column),
      HINT = 'pgveil check says what is missing.';
  END IF;
END
",
    },
    OwnFunction {
        name: REQUIRE_EMPTY,
        arguments: "of_relation regclass, of_column name",
        result: "void",
        definer: false,
        former: &[],
        body: "
DECLARE
  filled boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I IS NOT NULL)', of_relation, of_column)
    INTO filled;
  IF filled OR EXISTS (
    SELECT FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE a.attrelid = of_relation AND a.attname = of_column) THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
      MESSAGE = format('the type of the protected column %s.%I cannot be made narrower', of_relation, of_column),
      DETAIL = 'It has values, or a default, of which the server does not know whether they fit.',
      HINT = 'Read the column and write back what is too long, then widen the type instead; or do it while the column is empty.';
  END IF;
END
",
    },
    OwnFunction {
        name: FORGET,
        arguments: "",
        result: "void",
        definer: true,
        former: &[],
        // A column that was renamed behind our back has kept its guard: its record is what tells
        // the key of its tokens.
        body: "
BEGIN
  DELETE FROM pgveil.columns r
  WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.relation)
    OR NOT EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = r.relation AND a.attname = r.column_name
        AND NOT a.attisdropped)
    AND NOT EXISTS (
      SELECT FROM pg_constraint k JOIN pg_attribute a
        ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
      WHERE k.conrelid = r.relation AND k.contype = 'c'
        AND starts_with(k.conname::text, 'pgveil_guard_')
        AND NOT EXISTS (
          SELECT FROM pgveil.columns o
          WHERE o.relation = r.relation AND o.column_name = a.attname));
END
",
    },
    OwnFunction {
        name: ADOPT,
        arguments: "of_relation regclass",
        result: "void",
        definer: true,
        former: &[],
        body: "
DECLARE
  new_owner oid;
  wanted text;
  found record;
BEGIN
  SELECT c.relowner, format('pgveil profile of \"%s\".\"%s\"',
      replace(n.nspname, '\"', '\"\"'), replace(c.relname, '\"', '\"\"'))
  INTO new_owner, wanted
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = of_relation AND c.relkind IN ('r', 'p')
    AND pg_has_role(session_user, c.relowner, 'MEMBER');
  IF new_owner IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('must be owner of table %s', of_relation);
  END IF;
  FOR found IN
    SELECT p.oid::regprocedure AS name, p.proowner AS owner FROM pg_proc p
    WHERE p.pronamespace = 'pgveil'::regnamespace AND p.proowner <> new_owner
      AND obj_description(p.oid, 'pg_proc') = wanted
  LOOP
    -- Whoever owned it since may have changed it.
    IF NOT pg_has_role(current_user, new_owner, 'MEMBER')
      OR found.owner <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user) THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('the function %s cannot be given to role %s', found.name, new_owner::regrole),
        HINT = 'Run pgveil migrate apply as a superuser, or as the role that owns the table.';
    END IF;
    EXECUTE format('ALTER FUNCTION %s OWNER TO %s', found.name, new_owner::regrole);
  END LOOP;
END
",
    },
    OwnFunction {
        name: RENAMED,
        arguments: "of_relation regclass, of_column name, new_column name",
        result: "void",
        definer: true,
        former: &[],
        // The guard, whose expression follows its column, tells that it is the same one.
        body: "
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_class c WHERE c.oid = of_relation
      AND pg_has_role(session_user, c.relowner, 'MEMBER')) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('must be owner of table %s', of_relation);
  END IF;
  UPDATE pgveil.columns r SET column_name = new_column
  WHERE r.relation = of_relation AND r.column_name = of_column
    AND NOT EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = of_relation AND a.attname = of_column
        AND NOT a.attisdropped)
    AND EXISTS (
      SELECT FROM pg_attribute a
      JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'c' AND k.convalidated
        AND k.conkey = ARRAY[a.attnum] AND starts_with(k.conname::text, 'pgveil_guard_')
        AND position('::pgveil.token IS NULL) IS NOT NULL' IN pg_get_constraintdef(k.oid)) > 0
      WHERE a.attrelid = of_relation AND a.attname = new_column AND NOT a.attisdropped);
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('column %s.%I is not recorded as sealed', of_relation, of_column),
      HINT = 'pgveil check says what is missing.';
  END IF;
END
",
    },
    OwnFunction {
        name: ATTACHED,
        arguments: "of_relation regclass",
        result: "void",
        definer: true,
        former: &[],
        body: "
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_class c WHERE c.oid = of_relation
      AND pg_has_role(session_user, c.relowner, 'MEMBER')) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('must be owner of table %s', of_relation);
  END IF;
  DELETE FROM pgveil.columns r
  WHERE r.relation = of_relation AND EXISTS (
    SELECT FROM pg_partition_ancestors(of_relation) p
    JOIN pgveil.columns above ON above.relation = p.relid AND above.relation <> of_relation
    WHERE (above.column_name, above.mode, above.domain, above.keyring, above.type_oid, above.typmod,
        above.stage)
      = (r.column_name, r.mode, r.domain, r.keyring, r.type_oid, r.typmod, r.stage)
      AND above.fold IS NOT DISTINCT FROM r.fold
      AND (r.mode = 'randomized' OR above.key_id = r.key_id));
END
",
    },
    OwnFunction {
        name: REGENERATE,
        arguments: "of_relation regclass, function_name name, new_body text",
        result: "void",
        definer: true,
        former: &[],
        // Whoever may call it may do as the table's owner, with whose rights the function runs.
        body: "
DECLARE
  new_owner oid;
  old_owner oid;
  wanted text;
BEGIN
  SELECT c.relowner, format('pgveil profile of \"%s\".\"%s\"',
      replace(n.nspname, '\"', '\"\"'), replace(c.relname, '\"', '\"\"'))
  INTO new_owner, wanted
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = of_relation AND c.relkind IN ('r', 'p')
    AND pg_has_role(session_user, c.relowner, 'MEMBER');
  IF new_owner IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('must be owner of table %s', of_relation);
  END IF;
  SELECT p.proowner INTO old_owner FROM pg_proc p
  WHERE p.pronamespace = 'pgveil'::regnamespace AND p.proname = function_name AND p.pronargs = 0
    AND p.prorettype = 'trigger'::regtype AND obj_description(p.oid, 'pg_proc') = wanted;
  IF old_owner IS NULL OR NOT pg_has_role(current_user, new_owner, 'MEMBER')
    OR NOT pg_has_role(current_user, old_owner, 'MEMBER') THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('the function pgveil.%I is not one of table %s that can be changed', function_name, of_relation),
      HINT = 'Run pgveil migrate apply as a superuser, or as the role that owns the table.';
  END IF;
  EXECUTE format('CREATE OR REPLACE FUNCTION pgveil.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS %L', function_name, new_body);
  EXECUTE format('ALTER FUNCTION pgveil.%I() OWNER TO %s', function_name, new_owner::regrole);
END
",
    },
    OwnFunction {
        name: LOG_CHANGES,
        arguments: "of_relation regclass, function_name name, columns name[]",
        result: "void",
        definer: false,
        former: &[],
        body: "
DECLARE
  numbers text;
  found_any boolean;
BEGIN
  IF EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgrelid = of_relation AND t.tgname = 'pgveil_changes') THEN
    EXECUTE format('DROP TRIGGER pgveil_changes ON %s', of_relation);
  END IF;
  SELECT string_agg(quote_literal(COALESCE(a.attnum::text, '')), ', ' ORDER BY c.place),
    count(a.attnum) > 0
  INTO numbers, found_any
  FROM unnest(columns) WITH ORDINALITY AS c (name, place)
  LEFT JOIN (pg_attribute a JOIN pgveil.columns r
      ON r.relation = a.attrelid AND r.column_name = a.attname AND r.stage = 'sealed')
    ON a.attrelid = of_relation AND a.attname = c.name AND NOT a.attisdropped;
  IF found_any THEN
    EXECUTE format('CREATE TRIGGER pgveil_changes AFTER INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION pgveil.%I(%s)', of_relation, function_name, numbers);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pgveil_changes', of_relation);
  END IF;
END
",
    },
    OwnFunction {
        name: KEY_TYPE,
        arguments: "of_relation regclass, of_column name",
        result: "text",
        definer: false,
        former: &[],
        body: "
DECLARE
  found text;
BEGIN
  SELECT format_type(a.atttypid, a.atttypmod) INTO found
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = of_relation AND a.attname = of_column AND NOT a.attisdropped
    AND t.typnamespace = 'pg_catalog'::regnamespace;
  IF found IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('column %s.%I cannot be the key of a profile', of_relation, of_column),
      DETAIL = 'It does not exist, or its type is not one of PostgreSQL''s own.',
      HINT = 'Correct the profile''s key in the policy.';
  END IF;
  RETURN found;
END
",
    },
];

/// What its name meant before, with other arguments.
pub fn drop_former(function: &OwnFunction) -> Vec<String> {
    let name = quote_name(SCHEMA, function.name);
    let drop = |arguments: &&str| format!("DROP FUNCTION IF EXISTS {name}({arguments})");
    function.former.iter().map(drop).collect()
}

/// Makes or replaces one of them.
pub fn create_own(function: &OwnFunction) -> Vec<String> {
    let OwnFunction { name, arguments, result, definer, body, former: _ } = function;
    let name = quote_name(SCHEMA, name);
    let security = if *definer { "SECURITY DEFINER" } else { "SECURITY INVOKER" };
    vec![
        format!(
            "CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {result} LANGUAGE plpgsql \
             VOLATILE {security} SET search_path = pg_catalog, pg_temp SET row_security = off AS {}",
            quote_literal(body)
        ),
        format!("GRANT EXECUTE ON FUNCTION {name} TO PUBLIC"),
    ]
}

/// What the comment on a profile's trigger function says: how [`ADOPT`] finds it.
pub fn function_comment(table: &TableProtection) -> String {
    format!("pgveil profile of {}", quote_name(&table.schema, &table.table))
}

/// `PERFORM pgveil.name(...)` about a table, with more arguments as SQL.
pub fn perform(function: &str, schema: &str, table: &str, arguments: &[String]) -> String {
    let mut call = format!(
        "PERFORM {}({}::pg_catalog.regclass",
        quote_name(SCHEMA, function),
        quote_literal(&quote_name(schema, table))
    );
    for argument in arguments {
        call.push_str(", ");
        call.push_str(argument);
    }
    call.push(')');
    call
}

/// `PERFORM pgveil.forget()`
pub fn perform_forget() -> String {
    format!("PERFORM {}.{FORGET}()", quote_ident(SCHEMA))
}
