//! A protected column: the change of its type, its default, and its guard.
//!
//! What `ALTER TABLE ... ALTER COLUMN ... TYPE text` does by itself (tried on PostgreSQL 15): it
//! rebuilds the column's indexes, constraints and statistics objects, keeping their names,
//! comments, `varchar_pattern_ops` (an operator class over `text`, so nothing is to be done about
//! a `..._like` index), collations written in an index, NOT NULL, column privileges, and foreign
//! keys in both directions. It refuses while a view, a rule, a generated column, a policy, a
//! trigger with `UPDATE OF` or WHEN, an SQL-standard function body or a publication's column list
//! or filter uses the column; whoever plans the change drops and makes these again. It casts a
//! default and would leave a plain value there: defaults are sealed here.

use pgveil_seal::{Fold, LogicalType, Mode};

use crate::protection::{ColumnProtection, TableProtection};

use super::SCHEMA;
use super::quote::{quote_ident, quote_literal, quote_name, short_name};
use super::schema::TOKEN_DOMAIN;

/// The name of a column's guard.
pub fn guard_name(column: &str) -> String {
    short_name(&format!("pgveil_guard_{column}"))
}

/// The guard's condition: the cast to the domain `pgveil.token`, which raises for what is no token.
///
/// The value's test is the domain's ([`super::schema::create_token_domain`]), because the server
/// reads and plans a CHECK anew for every statement that writes, and a domain's once a session [CPU
/// of the backend for a prepared INSERT, two guards: 54 µs with the test in the CHECK, 45 with the
/// cast, 32 without guards; a column whose type is the domain takes 38, and gives arrays, rows and
/// recursive queries over it a type that is not `text`]. The test on top keeps the cast: its value
/// is never NULL, so the constraint itself never fails, and nothing about the row is reported.
pub fn guard_condition(column: &str) -> String {
    format!("({}::{} IS NULL) IS NOT NULL", quote_ident(column), quote_name(SCHEMA, TOKEN_DOMAIN))
}

/// Whether a guard's definition, as `pg_get_constraintdef` prints it, with those of the domain that
/// it casts to, is what [`guard_condition`] makes of a sound domain.
pub fn guards(definition: &str) -> bool {
    definition.contains("token IS NULL) IS NOT NULL") && definition.contains("refuse()")
}

/// Adds the guard. With rows in the table it scans them.
pub fn add_guard(table: &TableProtection, column: &str) -> String {
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({})",
        quote_name(&table.schema, &table.table),
        quote_ident(&guard_name(column)),
        guard_condition(column)
    )
}

/// A column's default, read with [`constant_default`].
#[derive(Clone, PartialEq, Eq)]
pub enum Default {
    /// None, or the constant NULL.
    Null,
    /// A constant. Plaintext of a protected column: never logged.
    Constant(String),
}

impl std::fmt::Debug for Default {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Constant(_) => "Constant(..)",
        })
    }
}

/// Reads a default as `pg_get_expr` prints it (with `standard_conforming_strings` on). [`None`]:
/// it is not a constant, and sealing one value of it would change what it means.
pub fn constant_default(expression: &str) -> Option<Default> {
    if let Some(rest) = expression.strip_prefix("NULL") {
        return is_cast_or_nothing(rest).then_some(Default::Null);
    }
    let rest = expression.strip_prefix('\'')?;
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            value.push(c);
        } else if rest[at + 1..].starts_with('\'') {
            value.push(c);
            chars.next();
        } else {
            return is_cast_or_nothing(&rest[at + 1..]).then_some(Default::Constant(value));
        }
    }
    None
}

/// True for nothing and for `::character varying(10)` and its like.
fn is_cast_or_nothing(rest: &str) -> bool {
    let Some(name) = rest.strip_prefix("::") else { return rest.is_empty() };
    let name = name.split_once('(').map_or(name, |(name, typmod)| {
        let digits = typmod.strip_suffix(')').unwrap_or(typmod);
        if digits.bytes().all(|b| b.is_ascii_digit()) { name } else { "" }
    });
    matches!(name, "character varying" | "text" | "bpchar" | "character" | "varchar")
}

/// Takes a plain default away before the column's type changes; [`None`] where there is none.
pub fn drop_default(
    table: &TableProtection,
    column: &ColumnProtection,
    default: &Default,
) -> Option<String> {
    matches!(default, Default::Constant(_)).then(|| {
        format!(
            "ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT",
            quote_name(&table.schema, &table.table),
            quote_ident(&column.column)
        )
    })
}

/// Makes columns hold tokens, in one pass over the table. Each comes with the expression that
/// gives a row's token; without one the table has no rows.
pub fn change_type(table: &TableProtection, columns: &[(&str, Option<String>)]) -> String {
    let changes: Vec<String> = columns
        .iter()
        .map(|(column, using)| {
            let using = using.as_ref().map_or(String::new(), |token| format!(" USING {token}"));
            format!("ALTER COLUMN {} TYPE text COLLATE \"C\"{using}", quote_ident(column))
        })
        .collect();
    format!("ALTER TABLE {} {}", quote_name(&table.schema, &table.table), changes.join(", "))
}

/// Sets a default again, as the token of what it was.
pub fn set_default(table: &TableProtection, column: &ColumnProtection, token: &str) -> String {
    format!(
        "ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}",
        quote_name(&table.schema, &table.table),
        quote_ident(&column.column),
        quote_literal(token)
    )
}

/// Records the column in `pgveil.columns`, in place of what an earlier stage recorded.
pub fn record(
    table: &TableProtection,
    column: &ColumnProtection,
    key_id: &str,
    key_check: &str,
    logical: LogicalType,
    collation: Option<&str>,
) -> String {
    let domain = match column.mode {
        Mode::Deterministic => column.domain.as_str(),
        Mode::Randomized => "",
    };
    format!(
        "INSERT INTO pgveil.columns (relation, column_name, policy, mode, domain, keyring, key_id, \
         key_check, type_oid, typmod, stage, fold, \"collation\") VALUES ({}::pg_catalog.regclass, {}, {}, \
         {}, {}, {}, {}, {}, {}, {}, 'sealed', {}, {}) ON CONFLICT (relation, column_name) DO UPDATE SET \
         policy = EXCLUDED.policy, mode = EXCLUDED.mode, domain = EXCLUDED.domain, \
         keyring = EXCLUDED.keyring, key_id = EXCLUDED.key_id, key_check = EXCLUDED.key_check, \
         type_oid = EXCLUDED.type_oid, typmod = EXCLUDED.typmod, stage = EXCLUDED.stage, \
         fold = EXCLUDED.fold, \"collation\" = EXCLUDED.\"collation\"",
        quote_literal(&quote_name(&table.schema, &table.table)),
        quote_literal(&column.column),
        quote_literal(&table.policy),
        quote_literal(column.mode.as_str()),
        quote_literal(domain),
        quote_literal(&column.keyring),
        quote_literal(key_id),
        quote_literal(key_check),
        logical.oid(),
        logical.typmod(),
        fold_argument(column.fold),
        collation_argument(collation),
    )
}

/// A recorded collation as SQL.
pub fn collation_argument(collation: Option<&str>) -> String {
    collation.map_or_else(|| "NULL".to_owned(), quote_literal)
}

/// A fold as SQL.
pub fn fold_argument(fold: Option<Fold>) -> String {
    fold.map_or_else(|| "NULL".to_owned(), |fold| quote_literal(fold.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_as_the_server_prints_them() {
        let constant = |text: &str| Some(Default::Constant(text.to_owned()));
        assert_eq!(constant_default("''::character varying"), constant(""));
        assert_eq!(constant_default("'a\\b''c'::character varying(10)"), constant("a\\b'c"));
        assert_eq!(constant_default("'ab'::bpchar"), constant("ab"));
        assert_eq!(constant_default("'ä'::text"), constant("ä"));
        assert_eq!(constant_default("NULL::character varying"), Some(Default::Null));
        for computed in [
            "CURRENT_USER",
            "('a'::text || 'b'::text)",
            "'a'::text || 'b'::text",
            "'now'::timestamp without time zone",
            "upper('x'::text)",
            "NULLIF('a'::text, 'b'::text)",
            "nextval('s'::regclass)",
            "'x'::character varying(f(1))",
            "'unterminated",
        ] {
            assert_eq!(constant_default(computed), None, "{computed}");
        }
    }

    #[test]
    fn guard_names_fit() {
        assert_eq!(guard_name("email"), "pgveil_guard_email");
        let (a, b) = (guard_name(&"ü".repeat(31)), guard_name(&format!("{}a", "ü".repeat(30))));
        assert!(a.len() <= 63 && b.len() <= 63);
        assert_ne!(a, b);
    }
}
