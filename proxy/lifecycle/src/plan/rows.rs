//! Whether rows can be sealed, and the statements that do it.

use std::sync::Arc;

use pgveil_seal::Opener;
use pgveil_sql::physical::column;
use pgveil_sql::physical::fill::KeyColumn;
use pgveil_sql::protection::TableProtection;
use tokio_postgres::Client;

use super::columns::ToSeal;
use super::{EXCLUSIVE, NONE, Planner, READING, base_name, path, table_path};
use crate::defaults;
use crate::dependants::Recreation;
use crate::error::LifecycleError;
use crate::facts::Relation;
use crate::fill::{Fill, FillColumn, Measure, Phase, measure, too_long};
use crate::finding::Finding;

/// A table whose rows are to be sealed: its relation, and how many rows it has.
pub(super) struct Count {
    relation: u32,
    rows: i64,
}

impl Planner<'_> {
    pub(super) fn rows_findings(&mut self, table: &TableProtection, base: &Relation) {
        if self.facts.server.encoding != "UTF8" {
            self.refuse(
                table_path(table),
                format!("has rows in encoding {}", self.facts.server.encoding),
                "convert the database to UTF8",
            );
        }
        if key(table, base).is_none() {
            self.refuse(
                table_path(table),
                "has rows with plain values, and no key by which tokens could find them",
                "add a PRIMARY KEY, or UNIQUE over NOT NULL columns",
            );
        }
    }

    /// Counts the rows of the tables that have some, and the values that are too long.
    pub(super) async fn measure(
        &mut self,
        client: &Client,
        columns: &[ToSeal<'_>],
    ) -> Result<Vec<Count>, LifecycleError> {
        let mut counts = Vec::new();
        for columns in columns.chunk_by(|a, b| std::ptr::eq(a.table, b.table)) {
            let [ToSeal { table, base, .. }, ..] = columns else { continue };
            if !base.has_rows {
                continue;
            }
            let measured: Vec<_> =
                columns.iter().map(|c| (c.column.column.as_str(), c.column.mode)).collect();
            client
                .batch_execute(&format!("BEGIN READ ONLY; {READING}"))
                .await
                .map_err(LifecycleError::reading)?;
            let result = measure(client, table, &measured).await;
            client.batch_execute("ROLLBACK").await.map_err(LifecycleError::reading)?;
            let Measure { rows, too_long: long } = result?;
            for ((column, _), count) in measured.iter().zip(long).filter(|(_, count)| *count > 0) {
                self.findings.push(too_long(&path(table, column), count));
            }
            counts.push(Count { relation: base.oid, rows });
        }
        Ok(counts)
    }

    /// Foreign keys that must go before rows are rewritten, and come again when both of their
    /// sides have tokens.
    pub(super) fn foreign_keys(&self, columns: &[ToSeal<'_>]) -> Vec<Recreation> {
        self.facts.dependants.foreign_keys(&|carrier| {
            let table = &self.declaration.tables[carrier.table];
            let column = &table.columns[carrier.column];
            columns.iter().any(|seal| seal.base.has_rows && std::ptr::eq(seal.column, column))
        })
    }

    /// The steps that seal the rows of one table, in all its columns.
    pub(super) fn fill_steps(&mut self, columns: &[ToSeal<'_>], counts: &[Count]) {
        let [ToSeal { table, base, .. }, ..] = columns else { return };
        // Without a key the plan was refused.
        let Some(key) = key(table, base) else { return };
        let sealed = columns.iter().filter_map(|seal| {
            let keyring = self.keyrings.get(&seal.column.keyring)?;
            Some(FillColumn {
                name: seal.column.column.clone(),
                logical: seal.logical,
                sealer: defaults::sealer(seal.column, seal.key, seal.map.as_ref()),
                opener: Arc::new(Opener::new(keyring)),
            })
        });
        let fill = Fill { table: (*table).clone(), key: key.to_vec(), columns: sealed.collect() };
        let (path, side) = (fill.path(), fill.side());
        let rows = counts.iter().find(|c| c.relation == base.oid).map_or(0, |c| c.rows);
        let seconds = seconds(rows, columns.len());
        self.findings.push(Finding::warning(
            &path,
            format!(
                "{rows} rows are sealed while the table is locked: nobody reads or writes it for \
                 about {seconds} s"
            ),
            "choose a quiet time",
        ));
        let index = self.fills.len();
        self.step(side.create(), format!("{path}: where its tokens wait"), NONE);
        self.step(
            side.copy(),
            format!("{path}: tokens of the values of {rows} rows, made here"),
            EXCLUSIVE,
        );
        self.rows_step(index, Phase::Seal);
        self.step(side.index(), format!("{path}: by which each row finds its tokens"), NONE);
        for (token, seal) in columns.iter().enumerate() {
            self.step(
                side.create_lookup(token),
                format!("{path}: looks up the tokens of {}", seal.column.column),
                NONE,
            );
        }
        let changes: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(token, seal)| (seal.column.column.as_str(), Some(side.lookup(token))))
            .collect();
        self.step(
            column::change_type(table, &changes),
            format!(
                "{path}: holds tokens from now on; the server writes the table anew, with its \
                 indexes and constraints"
            ),
            EXCLUSIVE,
        );
        self.rows_step(index, Phase::Rewrite);
        self.step(
            fill.query(),
            format!("{path}: every token is opened, and compared with what was read"),
            EXCLUSIVE,
        );
        self.rows_step(index, Phase::Verify);
        for token in 0..columns.len() {
            self.step(side.drop_lookup(token), format!("{path}: not needed any more"), NONE);
        }
        self.step(side.drop(), format!("{path}: not needed any more"), NONE);
        self.fills.push(fill);
    }

    /// The last step does this to a fill's rows.
    fn rows_step(&mut self, fill: usize, phase: Phase) {
        if let Some(step) = self.steps.last_mut() {
            step.rows = Some((fill, phase));
        }
    }

    /// A rewrite loses the planner's statistics.
    pub(super) fn statistics_steps(&mut self) {
        let tables: Vec<_> =
            self.fills.iter().map(|fill| (base_name(&fill.table), fill.path())).collect();
        for (name, path) in tables {
            self.step(
                format!("ANALYZE {name}"),
                format!("{path}: the server forgot what it knew of the values"),
                NONE,
            );
        }
    }
}

/// The key by which rows are found: one without protected columns where there is one, so that it
/// can be shown.
fn key<'a>(table: &TableProtection, base: &'a Relation) -> Option<&'a [KeyColumn]> {
    let protected = |key: &&Vec<KeyColumn>| {
        key.iter().any(|part| table.columns.iter().any(|column| column.column == part.name))
    };
    base.keys.iter().find(|key| !protected(key)).or(base.keys.first()).map(Vec::as_slice)
}

/// Roughly how long it takes: 100,000 rows with two columns took 8 s, 4.5 of them for making
/// tokens and 1.5 for the server's rewrite (debug build, one of two busy cores, no `fsync`).
fn seconds(rows: i64, columns: usize) -> i64 {
    let columns = i64::try_from(columns).unwrap_or(i64::MAX);
    let micros = ROW_MICROS.saturating_add(COLUMN_MICROS.saturating_mul(columns));
    (rows.saturating_mul(micros) / 1_000_000).max(1)
}

/// For each row, and for each value in it.
const ROW_MICROS: i64 = 30;
const COLUMN_MICROS: i64 = 25;
