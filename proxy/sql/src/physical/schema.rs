//! The `pgveil` schema: the record of sealed columns, and the function that refuses what is not
//! a token.
//!
//! Every role may read the record: proxies load it over the client's own connection, so that no
//! service account is needed, and what it holds (modes, domains, key ids) is no secret.

use super::SCHEMA;
use super::quote::{quote_ident, quote_literal, quote_name};

/// The record of sealed columns.
pub const COLUMNS_TABLE: &str = "columns";

/// The schema itself.
pub fn create_schema() -> Vec<String> {
    let schema = quote_ident(SCHEMA);
    vec![format!("CREATE SCHEMA {schema}"), format!("GRANT USAGE ON SCHEMA {schema} TO PUBLIC")]
}

/// `pgveil.columns`: one row a protected column of the database, as it was when it was sealed.
/// `type_oid` and `typmod` are the logical type, `key_id` and `key_check` the Fernet key; `fold`
/// refers to what [`super::fold`] has recorded; `collation` is the one that the column had before,
/// `default` or its qualified name.
pub fn create_columns() -> Vec<String> {
    let schema = quote_ident(SCHEMA);
    vec![
        format!(
            "CREATE TABLE {schema}.columns (
  relation regclass NOT NULL,
  column_name name NOT NULL,
  policy text NOT NULL,
  mode text NOT NULL CHECK (mode IN ('deterministic', 'randomized')),
  domain text NOT NULL,
  keyring text NOT NULL,
  key_id text NOT NULL,
  key_check text NOT NULL,
  type_oid oid NOT NULL,
  typmod integer NOT NULL,
  stage text NOT NULL CHECK (stage IN ('sealed', 'plain')),
  fold text REFERENCES {schema}.case_maps,
  \"collation\" text,
  PRIMARY KEY (relation, column_name)
)"
        ),
        format!("GRANT SELECT ON {schema}.columns TO PUBLIC"),
    ]
}

/// Adds the column for collations to a record that was made without it.
pub fn add_collation_column() -> String {
    format!("ALTER TABLE {}.columns ADD COLUMN \"collation\" text", quote_ident(SCHEMA))
}

/// The message of the error that `pgveil.refuse` raises.
pub const REFUSE_MESSAGE: &str = "value for a protected column is not a token";

/// Body of `pgveil.refuse`. It never has the value; which column it was is for the constraint's
/// name and the writer's own statement to say.
pub const REFUSE_BODY: &str = "
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = 'check_violation',
    MESSAGE = 'value for a protected column is not a token',
    DETAIL = 'The table has columns that hold encrypted values (SELECT relation, column_name FROM pgveil.columns); the database refuses anything else there.',
    HINT = 'Connect through pgveil, which encrypts values on their way in.';
END
";

/// `pg_proc.proconfig::text` of `pgveil.refuse` where its owner may set what the server logs.
pub const REFUSE_CONFIG_SILENT: &str =
    "{\"search_path=pg_catalog, pg_temp\",log_min_error_statement=panic,log_error_verbosity=terse}";
/// The same where it may not.
pub const REFUSE_CONFIG: &str = "{\"search_path=pg_catalog, pg_temp\"}";

/// `pgveil.refuse()`: raises 23514, and where the owner is a superuser (or may set both
/// parameters) keeps the refused value out of the server's log.
///
/// A CHECK by itself would log the failing row (DETAIL) and the statement (STATEMENT). The two
/// settings of the function hold at the moment at which the server writes its log, because an
/// error leaves the function without restoring them first: the statement and the context
/// (`COPY t, line 1: "..."`, parameters) stay out. They take effect for every writer only because
/// the function is SECURITY DEFINER: whether a setting may be made is asked of its owner.
///
/// VOLATILE, or the planner would evaluate the call while it plans a correct INSERT.
pub fn create_refuse(silent: bool) -> Vec<String> {
    let schema = quote_ident(SCHEMA);
    let settings = if silent {
        " SET log_min_error_statement = panic SET log_error_verbosity = terse"
    } else {
        ""
    };
    let mut statements = vec![
        format!(
            "CREATE OR REPLACE FUNCTION {schema}.refuse() \
             RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp{settings} AS {}",
            quote_literal(REFUSE_BODY)
        ),
        format!("GRANT EXECUTE ON FUNCTION {schema}.refuse() TO PUBLIC"),
    ];
    if silent {
        // Replacing a function keeps its owner, and with one who may not make the settings every
        // call would end in 42501.
        statements.push(format!("ALTER FUNCTION {schema}.refuse() OWNER TO CURRENT_USER"));
    }
    statements
}

/// The domain that a guard casts a value to: see [`super::column::guard_condition`].
pub const TOKEN_DOMAIN: &str = "token";

/// `pgveil.token`: text that has the shape of a token; anything else makes `pgveil.refuse` raise.
///
/// The shape is tested with the cheapest functions that catch every plain value: a prefix, a
/// length (a token has at least 100 characters) and one scan for a character that base64url does
/// not have [a regular expression that counts costs 18 µs]. NULL is let through first: a condition
/// that is NULL would go on to `refuse`. It does not prove that a token opens.
pub fn create_token_domain() -> Vec<String> {
    let domain = quote_name(SCHEMA, TOKEN_DOMAIN);
    vec![format!("CREATE DOMAIN {domain} AS text COLLATE \"C\""), add_token_condition()]
}

/// Gives the domain its condition in place of the constraints that it has.
pub fn repair_token_domain(constraints: &[String]) -> Vec<String> {
    let domain = quote_name(SCHEMA, TOKEN_DOMAIN);
    let drop =
        |name: &String| format!("ALTER DOMAIN {domain} DROP CONSTRAINT {}", quote_ident(name));
    constraints.iter().map(drop).chain([add_token_condition()]).collect()
}

fn add_token_condition() -> String {
    format!(
        "ALTER DOMAIN {} ADD CONSTRAINT token CHECK (VALUE IS NULL OR \
         (pg_catalog.starts_with(VALUE, 'gAAAAA') AND pg_catalog.octet_length(VALUE) \
         OPERATOR(pg_catalog.>=) 100 AND VALUE OPERATOR(pg_catalog.!~) '[^A-Za-z0-9_=-]') OR \
         {}.refuse())",
        quote_name(SCHEMA, TOKEN_DOMAIN),
        quote_ident(SCHEMA)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guards_message_is_the_one_that_is_looked_for() {
        assert!(REFUSE_BODY.contains(&format!("MESSAGE = '{REFUSE_MESSAGE}'")));
    }
}
