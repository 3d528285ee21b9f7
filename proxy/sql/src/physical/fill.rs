//! The side table that receives the tokens of a table's rows, and the way from it into the columns.
//!
//! The side table has the key of each row, as it is, and a column for each token. It is in schema
//! `pgveil`, is not logged, and lives in the transaction that seals the table. `ALTER COLUMN ...
//! TYPE text USING f(key)` then looks up each row's tokens while it rewrites the table, which keeps
//! the order of the columns, rebuilds indexes and constraints, and leaves no dead rows with plain
//! values, as an UPDATE would. USING takes no sub-query, hence functions; they raise where a row has
//! no entry, so that none can lose its value.

use crate::protection::TableProtection;

use super::SCHEMA;
use super::profile::function_name;
use super::quote::{quote_ident, quote_name};

/// A column of the key by which the side table's rows are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name in the table.
    pub name: String,
    /// As `format_type` prints it, qualified.
    pub type_name: String,
    /// The operator of the type's equality: `OPERATOR(pg_catalog.=)`.
    pub equality: String,
    /// Qualified and quoted; [`None`] for a type without collations.
    pub collation: Option<String>,
}

/// The side table of one table.
#[derive(Debug, Clone, Copy)]
pub struct SideTable<'a> {
    /// Whose rows it has.
    pub table: &'a TableProtection,
    /// By which it finds them.
    pub key: &'a [KeyColumn],
    /// How many columns have tokens in it.
    pub tokens: usize,
}

impl SideTable<'_> {
    /// Its qualified name.
    pub fn name(&self) -> String {
        quote_name(SCHEMA, &function_name("fill", self.table))
    }

    /// Makes it, without rows. Its keys have the types and collations of the table's.
    pub fn create(&self) -> String {
        let keys = self.key.iter().enumerate().map(|(i, key)| {
            let name = quote_ident(&key.name);
            format!("b.{name} AS k{i}")
        });
        let tokens = (0..self.tokens).map(|i| format!("NULL::text COLLATE \"C\" AS t{i}"));
        format!(
            "CREATE UNLOGGED TABLE {} AS SELECT {} FROM {} AS b WITH NO DATA",
            self.name(),
            list(keys.chain(tokens)),
            quote_name(&self.table.schema, &self.table.table)
        )
    }

    /// Takes rows in COPY's text format: the key, then the tokens.
    pub fn copy(&self) -> String {
        let columns = self.key_names().chain((0..self.tokens).map(|i| format!("t{i}")));
        format!("COPY {} ({}) FROM STDIN", self.name(), list(columns))
    }

    /// Its primary key, made when the rows are there.
    pub fn index(&self) -> String {
        format!("ALTER TABLE {} ADD PRIMARY KEY ({})", self.name(), list(self.key_names()))
    }

    /// The function that looks up one token. Not in SQL, where every call would plan anew.
    pub fn create_lookup(&self, token: usize) -> String {
        let types = self.key.iter().map(|key| key.type_name.clone());
        let matches = self.key.iter().enumerate().map(|(i, key)| {
            let collation =
                key.collation.as_ref().map_or(String::new(), |name| format!(" COLLATE {name}"));
            format!("s.k{i} {} ${}{collation}", key.equality, i + 1)
        });
        format!(
            "CREATE FUNCTION {}({}) RETURNS text LANGUAGE plpgsql STABLE AS $pgveil$
DECLARE
  token text;
BEGIN
  SELECT s.t{token} INTO STRICT token FROM {} AS s WHERE {};
  RETURN token;
END
$pgveil$",
            self.lookup_name(token),
            list(types),
            self.name(),
            matches.collect::<Vec<_>>().join(" AND ")
        )
    }

    /// A call of that function for the row at hand.
    pub fn lookup(&self, token: usize) -> String {
        let keys = self.key.iter().map(|key| quote_ident(&key.name));
        format!("{}({})", self.lookup_name(token), list(keys))
    }

    /// Drops one of the functions.
    pub fn drop_lookup(&self, token: usize) -> String {
        let types = self.key.iter().map(|key| key.type_name.clone());
        format!("DROP FUNCTION {}({})", self.lookup_name(token), list(types))
    }

    /// Drops the table.
    pub fn drop(&self) -> String {
        format!("DROP TABLE {}", self.name())
    }

    fn key_names(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.key.len()).map(|i| format!("k{i}"))
    }

    fn lookup_name(&self, token: usize) -> String {
        quote_name(SCHEMA, &function_name(&format!("token{token}"), self.table))
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
