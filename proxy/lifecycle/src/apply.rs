//! Carrying a plan out.

use tokio_postgres::{Client, Transaction};

use crate::error::LifecycleError;
use crate::facts::Facts;
use crate::fill::{FILLING, Filled, Phase, Progress, Report};
use crate::plan::{MigrationPlan, READING, Step};

/// What a plan did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// How many statements ran.
    pub steps: usize,
}

/// Carries a plan out: all of it in one transaction, or nothing.
///
/// Tables are locked first, in the order of their names; a lock that is not granted within five
/// seconds fails the whole (55P03), because everybody who wants the table queues behind it.
pub async fn apply(client: &mut Client, plan: &MigrationPlan) -> Result<Applied, LifecycleError> {
    apply_reporting(client, plan, &mut |_| {}).await
}

/// The same; `report` is told how far it is with the rows of each table.
pub async fn apply_reporting(
    client: &mut Client,
    plan: &MigrationPlan,
    report: &mut (dyn FnMut(&Progress<'_>) + Send),
) -> Result<Applied, LifecycleError> {
    if plan.steps().is_empty() {
        return Ok(Applied { steps: 0 });
    }
    let failed = |doing| move |source| LifecycleError::Database { doing, source };
    let transaction = client.transaction().await.map_err(failed("begin"))?;
    transaction.batch_execute(READING).await.map_err(failed("begin"))?;
    for (name, mode) in &plan.locks {
        transaction
            .batch_execute(&format!("LOCK TABLE {name} IN {mode} MODE"))
            .await
            .map_err(failed("lock the tables"))?;
    }
    unchanged(&transaction, plan).await?;
    if !plan.fills.is_empty() {
        transaction.batch_execute(FILLING).await.map_err(failed("begin"))?;
    }
    let mut filled = plan.fills.iter().map(|_| None).collect::<Vec<_>>();
    for (number, step) in (1..).zip(plan.steps()) {
        if !rows(&transaction, plan, step, &mut filled, report).await? {
            transaction.batch_execute(&step.sql).await.map_err(|source| LifecycleError::Step {
                number,
                sql: step.sql.clone(),
                source,
            })?;
        }
    }
    transaction.commit().await.map_err(failed("commit"))?;
    Ok(Applied { steps: plan.steps().len() })
}

/// Does what a step does to rows here; false where the server does it.
async fn rows(
    transaction: &Transaction<'_>,
    plan: &MigrationPlan,
    step: &Step,
    filled: &mut [Option<Filled>],
    report: Report<'_>,
) -> Result<bool, LifecycleError> {
    let Some((index, phase)) = step.rows else { return Ok(false) };
    let (fill, filled) = (&plan.fills[index], &mut filled[index]);
    match (phase, filled) {
        (Phase::Seal, filled) => *filled = Some(fill.seal_rows(transaction, report).await?),
        (Phase::Verify, Some(filled)) => fill.verify(transaction, filled, report).await?,
        (Phase::Verify, None) => {
            let what = "nothing was read from it".to_owned();
            return Err(LifecycleError::Verification { table: fill.path(), what });
        }
        (Phase::Rewrite, filled) => {
            let total = filled.as_ref().map_or(0, Filled::rows);
            report(&Progress { table: &fill.path(), phase, done: 0, total });
            return Ok(false);
        }
    }
    Ok(true)
}

/// Under the locks: what the plan was made from still holds.
async fn unchanged(
    transaction: &Transaction<'_>,
    plan: &MigrationPlan,
) -> Result<(), LifecycleError> {
    let now = Facts::read(transaction, &plan.declaration).await?;
    match plan.facts.difference(&now, &plan.declaration) {
        None => Ok(()),
        Some(what) => Err(LifecycleError::Changed(what)),
    }
}
