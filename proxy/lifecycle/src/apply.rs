//! Carrying a plan out.

use tokio_postgres::{Client, Transaction};

use crate::error::LifecycleError;
use crate::facts::Facts;
use crate::plan::{MigrationPlan, READING};

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
    for (number, step) in (1..).zip(plan.steps()) {
        transaction.batch_execute(&step.sql).await.map_err(|source| LifecycleError::Step {
            number,
            sql: step.sql.clone(),
            source,
        })?;
    }
    transaction.commit().await.map_err(failed("commit"))?;
    Ok(Applied { steps: plan.steps().len() })
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
