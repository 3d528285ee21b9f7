//! Reading the rows, and writing their tokens into the side table.

use std::hash::RandomState;
use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use pgveil_seal::Mode;
use pgveil_sql::physical::quote_ident;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow, Transaction};

use super::{BTREE_LIMIT, Fill, FillColumn, Filled, Phase, Progress, Report};
use crate::error::LifecycleError;

/// Rows that are read at once, at most.
const BATCH_ROWS: u64 = 1_000;

/// Bytes of values that are read at once, at most, unless one row has more.
const BATCH_BYTES: u64 = 4 << 20;

/// Settings under which values and keys are read as text and written again without a change, for
/// as long as it takes.
pub(crate) const FILLING: &str = "SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex';
    SET LOCAL client_encoding = 'UTF8'";

/// How many rows are read at once when the longest has so many bytes.
fn batch_rows(longest: u64) -> u64 {
    (BATCH_BYTES / longest.max(1)).clamp(1, BATCH_ROWS)
}

impl Fill {
    /// Seals every row into the side table.
    pub(crate) async fn seal_rows(
        &self,
        transaction: &Transaction<'_>,
        report: Report<'_>,
    ) -> Result<Filled, LifecycleError> {
        let mut filled = Filled::new(RandomState::new());
        let path = self.path();
        let mut rows = Rows::open(self, transaction, &path, Phase::Seal).await?;
        let copy = self.side().copy();
        let mut line = Line::default();
        while let Some(batch) = rows.next(report).await? {
            for row in &batch {
                self.seal_row(row, &mut line, &mut filled)?;
            }
            let failed = |source| LifecycleError::Database { doing: "write tokens", source };
            let mut sink = pin!(transaction.copy_in::<_, Bytes>(&copy).await.map_err(failed)?);
            let data = Bytes::from(std::mem::take(&mut line.data));
            sink.send(data).await.map_err(failed)?;
            sink.finish().await.map_err(failed)?;
        }
        Ok(filled)
    }

    fn seal_row(
        &self,
        row: &SimpleQueryRow,
        line: &mut Line,
        filled: &mut Filled,
    ) -> Result<(), LifecycleError> {
        let mut read = Vec::with_capacity(self.key.len() + self.columns.len());
        for (i, part) in self.key.iter().enumerate() {
            let value = row.get(i);
            line.field(value);
            let value = match (self.sealed_part(part), value) {
                // After the rewrite it is read back as the form that was sealed.
                (Some(column), Some(value)) => Some(self.assigned(row, column, value)?),
                (_, value) => value.map(str::to_owned),
            };
            read.push(value);
        }
        for (i, column) in (self.key.len()..).zip(&self.columns) {
            let Some(value) = row.get(i) else {
                line.field(None);
                read.push(None);
                continue;
            };
            let value = self.assigned(row, column, value)?;
            let token = self.seal(row, column, &value)?;
            line.field(Some(&token));
            read.push(Some(value));
        }
        line.end();
        filled.add(&read);
        Ok(())
    }

    /// The value in the form that is sealed.
    fn assigned(
        &self,
        row: &SimpleQueryRow,
        column: &FillColumn,
        value: &str,
    ) -> Result<String, LifecycleError> {
        if column.opener.is_own_token(value.as_bytes()) {
            let reason = "it is a token of the column's keyring already; sealed again, the value \
                          would be hidden behind two seals. Write the value itself there (pgveil \
                          decrypt opens tokens)";
            return Err(self.failed(row, column, reason.to_owned()));
        }
        let value = column
            .logical
            .assign(value)
            .map_err(|error| self.failed(row, column, error.to_string()))?;
        if column.sealer.mode() == Mode::Deterministic && value.len() > BTREE_LIMIT {
            let reason =
                format!("it is longer than {BTREE_LIMIT} bytes, and no index holds its token");
            return Err(self.failed(row, column, reason));
        }
        Ok(value.into_owned())
    }

    /// The token, which is opened again at once.
    fn seal(
        &self,
        row: &SimpleQueryRow,
        column: &FillColumn,
        value: &str,
    ) -> Result<String, LifecycleError> {
        let mut token = Vec::new();
        column
            .sealer
            .seal_into(value.as_bytes(), &mut token)
            .map_err(|error| self.failed(row, column, error.to_string()))?;
        let mut opened = Vec::new();
        let opens = column.opener.open_into(&token, &mut opened).is_ok();
        if !opens || opened != value.as_bytes() {
            return Err(self.failed(row, column, "its token does not open to it".to_owned()));
        }
        String::from_utf8(token).map_err(|error| self.failed(row, column, error.to_string()))
    }

    fn failed(&self, row: &SimpleQueryRow, column: &FillColumn, reason: String) -> LifecycleError {
        LifecycleError::Row {
            column: format!("{}.{}", self.path(), column.name),
            key: self.shown_key(row),
            reason,
        }
    }

    /// The row's key as a condition. What is declared as protected is not shown.
    pub(super) fn shown_key(&self, row: &SimpleQueryRow) -> String {
        let parts = self.key.iter().enumerate().map(|(i, part)| {
            let protected = self.table.columns.iter().any(|column| column.column == part.name);
            let value =
                if protected { "a value that is not shown" } else { row.get(i).unwrap_or("") };
            format!("{} = {value}", quote_ident(&part.name))
        });
        parts.collect::<Vec<_>>().join(" and ")
    }
}

/// The rows of a table, a batch at a time.
pub(super) struct Rows<'a> {
    transaction: &'a Transaction<'a>,
    fetch: String,
    progress: Progress<'a>,
    ended: bool,
}

impl<'a> Rows<'a> {
    /// Counts the rows and opens a cursor over them.
    pub(super) async fn open(
        fill: &Fill,
        transaction: &'a Transaction<'_>,
        path: &'a str,
        phase: Phase,
    ) -> Result<Self, LifecycleError> {
        let failed = |source| LifecycleError::Database { doing: "read the rows", source };
        let lengths: Vec<_> = fill
            .columns
            .iter()
            .map(|c| format!("COALESCE(octet_length({}::text), 0)", quote_ident(&c.name)))
            .collect();
        let sql = format!(
            "SELECT count(*), COALESCE(max({}), 0)::bigint FROM {}",
            lengths.join(" + "),
            fill.base()
        );
        let row = transaction.query_one(&sql, &[]).await.map_err(failed)?;
        let [total, longest] = [0, 1].map(|i| u64::try_from(row.get::<_, i64>(i)).unwrap_or(0));
        let declare = format!("DECLARE pgveil_rows NO SCROLL CURSOR FOR {}", fill.query());
        transaction.batch_execute(&declare).await.map_err(failed)?;
        Ok(Self {
            transaction,
            fetch: format!("FETCH {} FROM pgveil_rows", batch_rows(longest)),
            progress: Progress { table: path, phase, done: 0, total },
            ended: false,
        })
    }

    /// The next batch, as text; [`None`] when there are no more. Reports those before it as done.
    pub(super) async fn next(
        &mut self,
        report: &mut (dyn FnMut(&Progress<'_>) + Send),
    ) -> Result<Option<Vec<SimpleQueryRow>>, LifecycleError> {
        report(&self.progress);
        if self.ended {
            return Ok(None);
        }
        let failed = |source| LifecycleError::Database { doing: "read the rows", source };
        let messages = self.transaction.simple_query(&self.fetch).await.map_err(failed)?;
        let rows: Vec<_> = messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            })
            .collect();
        self.progress.done += rows.len() as u64;
        if rows.is_empty() {
            self.ended = true;
            // A table that a cursor is open on cannot be altered.
            self.transaction.batch_execute("CLOSE pgveil_rows").await.map_err(failed)?;
            return Ok(None);
        }
        Ok(Some(rows))
    }
}

/// Lines in COPY's text format.
#[derive(Default)]
struct Line {
    data: Vec<u8>,
    inside: bool,
}

impl Line {
    fn field(&mut self, value: Option<&str>) {
        if std::mem::replace(&mut self.inside, true) {
            self.data.push(b'\t');
        }
        let Some(value) = value else {
            self.data.extend_from_slice(b"\\N");
            return;
        };
        for byte in value.bytes() {
            let escaped = match byte {
                b'\\' => b'\\',
                b'\t' => b't',
                b'\n' => b'n',
                b'\r' => b'r',
                _ => {
                    self.data.push(byte);
                    continue;
                }
            };
            self.data.extend_from_slice(&[b'\\', escaped]);
        }
    }

    fn end(&mut self) {
        self.data.push(b'\n');
        self.inside = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_in_rows_and_bytes() {
        assert_eq!(batch_rows(0), 1_000);
        assert_eq!(batch_rows(100), 1_000);
        assert_eq!(batch_rows(1 << 20), 4);
        assert_eq!(batch_rows(1 << 30), 1);
    }

    #[test]
    fn lines_are_escaped() {
        let mut line = Line::default();
        line.field(Some("a\\b\t\n\r'"));
        line.field(None);
        line.field(Some(""));
        line.end();
        line.field(Some("\\N"));
        line.end();
        assert_eq!(line.data, b"a\\\\b\\t\\n\\r'\t\\N\t\n\\\\N\n");
    }
}
