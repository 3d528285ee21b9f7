//! Reading the rows again, and opening their tokens.

use tokio_postgres::{SimpleQueryRow, Transaction};

use super::rows::Rows;
use super::{Fill, FillColumn, Filled, Phase, Report};
use crate::error::LifecycleError;

impl Fill {
    /// Opens every token in the table and compares with what was read from it.
    pub(crate) async fn verify(
        &self,
        transaction: &Transaction<'_>,
        before: &Filled,
        report: Report<'_>,
    ) -> Result<(), LifecycleError> {
        let mut now = Filled::new(before.hasher.clone());
        let path = self.path();
        let mut rows = Rows::open(self, transaction, &path, Phase::Verify).await?;
        while let Some(batch) = rows.next(report).await? {
            for row in &batch {
                now.add(&self.open_row(row)?);
            }
        }
        let what = if now.rows != before.rows {
            format!("{} rows were read, and {} are there", before.rows, now.rows)
        } else if now.sum != before.sum {
            "a token opens to another value than its row had".to_owned()
        } else {
            return Ok(());
        };
        Err(LifecycleError::Verification { table: path, what })
    }

    fn open_row(&self, row: &SimpleQueryRow) -> Result<Vec<Option<String>>, LifecycleError> {
        let parts = self.key.iter().map(|part| self.sealed_part(part));
        let columns = parts.chain(self.columns.iter().map(Some));
        columns
            .enumerate()
            .map(|(i, column)| match (column, row.get(i)) {
                (Some(column), Some(token)) => self.open(row, column, token).map(Some),
                (_, value) => Ok(value.map(str::to_owned)),
            })
            .collect()
    }

    fn open(
        &self,
        row: &SimpleQueryRow,
        column: &FillColumn,
        token: &str,
    ) -> Result<String, LifecycleError> {
        let failed = |reason: String| LifecycleError::Verification {
            table: self.path(),
            what: format!("{} of the row with {}: {reason}", column.name, self.shown_key(row)),
        };
        let mut value = Vec::new();
        column
            .opener
            .open_into(token.as_bytes(), &mut value)
            .map_err(|error| failed(error.to_string()))?;
        String::from_utf8(value)
            .map_err(|_| failed("its token opens to what is no text".to_owned()))
    }
}
