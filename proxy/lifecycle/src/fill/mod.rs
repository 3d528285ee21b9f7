//! Rows that are there: their values become tokens.
//!
//! A side table keyed by the table's own key receives the tokens, made here, by COPY; one ALTER
//! TABLE then takes them into the columns ([`pgveil_sql::physical::fill`] has the statements and
//! the reasons). Rows are read through a cursor and never more than a batch of them is kept.
//!
//! Nothing is believed: each token is opened as soon as it is made, and after the rewrite the table
//! is read again and every token in it opened. What was read before and what is read then must
//! have the same number of rows and the same sum of keyed hashes over key, column and value, so a
//! token in another row or column than its value's is found as well as one that is lost.
//!
//! All of it happens under the table's lock. Nothing here but [`Fill::seal_rows`] depends on that:
//! a side table that was filled earlier would be taken over in the same way.

mod rows;
mod verify;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use pgveil_seal::{LogicalType, Mode, Opener, Sealer};
use pgveil_sql::physical::fill::{KeyColumn, SideTable};
use pgveil_sql::physical::{quote_ident, quote_name};
use pgveil_sql::protection::TableProtection;
use tokio_postgres::GenericClient;

pub(crate) use rows::FILLING;

use crate::error::LifecycleError;
use crate::finding::Finding;

/// The longest value, in bytes, whose token an index entry of a btree still holds: an entry has at
/// most 2,704 bytes, and a token four for three.
pub(crate) const BTREE_LIMIT: usize = 1_950;

/// Deterministic values beyond [`BTREE_LIMIT`].
pub(crate) fn too_long(object: &str, count: i64) -> Finding {
    Finding::error(
        object,
        format!("{count} values are longer than {BTREE_LIMIT} bytes: no index holds their token"),
        "shorten them, or declare the column randomized",
    )
}

/// What is being done to the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Values are read, and tokens made.
    Seal,
    /// The server writes the table anew.
    Rewrite,
    /// Tokens are read and opened.
    Verify,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The table, as `schema.table`.
    pub table: &'a str,
    /// What is being done.
    pub phase: Phase,
    /// Rows that are through.
    pub done: u64,
    /// Rows in all.
    pub total: u64,
}

/// Told how far it is.
pub(crate) type Report<'a> = &'a mut (dyn FnMut(&Progress<'_>) + Send);

/// A table whose rows are to be sealed.
pub(crate) struct Fill {
    pub(crate) table: TableProtection,
    pub(crate) key: Vec<KeyColumn>,
    pub(crate) columns: Vec<FillColumn>,
}

/// A column of it.
pub(crate) struct FillColumn {
    pub(crate) name: String,
    pub(crate) logical: LogicalType,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Arc<Opener>,
}

/// What was found in the rows, without keeping them.
pub(crate) struct Filled {
    rows: u64,
    sum: u64,
    hasher: RandomState,
}

impl Filled {
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn new(hasher: RandomState) -> Self {
        Self { rows: 0, sum: 0, hasher }
    }

    /// Adds a row: its key and its values, opened. Rows come in any order.
    fn add(&mut self, row: &[Option<String>]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(self.hasher.hash_one(row));
    }
}

impl Fill {
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.table.schema, self.table.table)
    }

    pub(crate) fn side(&self) -> SideTable<'_> {
        SideTable { table: &self.table, key: &self.key, tokens: self.columns.len() }
    }

    fn base(&self) -> String {
        quote_name(&self.table.schema, &self.table.table)
    }

    /// The key, then the columns.
    pub(crate) fn query(&self) -> String {
        let names = self.key.iter().map(|key| &key.name);
        let names = names.chain(self.columns.iter().map(|column| &column.name));
        let names: Vec<_> = names.map(|name| quote_ident(name)).collect();
        format!("SELECT {} FROM {}", names.join(", "), self.base())
    }

    /// The column that a part of the key is sealed as, if it is.
    fn sealed_part(&self, part: &KeyColumn) -> Option<&FillColumn> {
        self.columns.iter().find(|column| column.name == part.name)
    }
}

/// How many rows a table has, and how many values of each of its columns are too long.
pub(crate) struct Measure {
    pub(crate) rows: i64,
    pub(crate) too_long: Vec<i64>,
}

/// Counts; scans the table once.
pub(crate) async fn measure(
    client: &impl GenericClient,
    table: &TableProtection,
    columns: &[(&str, Mode)],
) -> Result<Measure, LifecycleError> {
    let mut counts = vec!["count(*)".to_owned()];
    for (column, mode) in columns {
        counts.push(match mode {
            Mode::Deterministic => format!(
                "count(*) FILTER (WHERE octet_length({}::text) > {BTREE_LIMIT})",
                quote_ident(column)
            ),
            Mode::Randomized => "0::bigint".to_owned(),
        });
    }
    let sql =
        format!("SELECT {} FROM {}", counts.join(", "), quote_name(&table.schema, &table.table));
    let row = client.query_one(&sql, &[]).await.map_err(LifecycleError::reading)?;
    Ok(Measure { rows: row.get(0), too_long: (1..=columns.len()).map(|i| row.get(i)).collect() })
}
