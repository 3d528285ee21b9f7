//! `pgveil migrate`

use std::io::{BufRead, IsTerminal, Write};

use pgveil_lifecycle::MigrationPlan;

use crate::check::print;
use crate::cli::{ApplyArgs, MigrateArgs};
use crate::config::Config;
use crate::database::{Database, block_on};
use crate::failure::Failure;
use crate::wiring::{self, Wiring};

/// Prints what would be done.
pub fn plan(args: &MigrateArgs) -> Result<(), Failure> {
    let wiring = wire(args)?;
    block_on(async {
        let database = Database::connect(&args.dsn).await?;
        let plan = make(&database, &wiring).await?;
        database.close().await;
        print(&plan.to_string())
    })
}

/// Prints what will be done, asks, and does it.
pub fn apply(args: &ApplyArgs) -> Result<(), Failure> {
    let wiring = wire(&args.migrate)?;
    block_on(async {
        let mut database = Database::connect(&args.migrate.dsn).await?;
        let plan = make(&database, &wiring).await?;
        print(&plan.to_string())?;
        if plan.steps().is_empty() {
            return Ok(());
        }
        if !args.yes {
            confirm()?;
        }
        pgveil_lifecycle::apply(&mut database.client, &plan)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        database.close().await;
        print("done\n")
    })
}

fn wire(args: &MigrateArgs) -> Result<Wiring, Failure> {
    let config = Config::read(&args.config)?;
    let wiring = wiring::wire(&config)?;
    if wiring.declaration.tables.is_empty() {
        return Err(Failure::new("no policy protects anything: there is nothing to migrate")
            .hint("add a [[policy]] to the configuration")
            .usage());
    }
    Ok(wiring)
}

async fn make(database: &Database, wiring: &Wiring) -> Result<MigrationPlan, Failure> {
    pgveil_lifecycle::plan(&database.client, &wiring.declaration, &wiring.keyrings)
        .await
        .map_err(|error| Failure::new(error.to_string()))
}

/// Asks on the terminal; without one nobody can say yes.
fn confirm() -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::new("not applied: there is no terminal to ask on")
            .hint("add --yes to apply without being asked")
            .usage());
    }
    print!("Apply it? [y/N] ");
    std::io::stdout().flush().map_err(Failure::io("cannot print"))?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(Failure::io("cannot read the answer"))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("not applied"))
    }
}
