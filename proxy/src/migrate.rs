//! `pgveil migrate`

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pgveil_lifecycle::{MigrationPlan, Phase, Progress};

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
        let mut shown = Shown::new();
        let report = &mut |progress: &Progress<'_>| shown.update(progress);
        let applied = pgveil_lifecycle::apply_reporting(&mut database.client, &plan, report).await;
        shown.clear();
        applied.map_err(|error| Failure::new(error.to_string()))?;
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

/// How far it is, on standard error: a bar on a terminal, a line for every tenth elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    last: Option<(String, Phase, u64)>,
}

impl Shown {
    fn new() -> Self {
        Self { bar: std::io::stderr().is_terminal().then(|| ProgressBar::new(0)), last: None }
    }

    fn update(&mut self, progress: &Progress<'_>) {
        let Progress { table, phase, done, total } = *progress;
        let doing = match phase {
            Phase::Seal => "sealing the rows of",
            Phase::Rewrite => "rewriting",
            Phase::Verify => "opening every token of",
        };
        let tenth = done.saturating_mul(10).checked_div(total).unwrap_or(10);
        let last = self.last.replace((table.to_owned(), phase, tenth));
        let begun = last.as_ref().is_some_and(|last| (last.0.as_str(), last.1) == (table, phase));
        let Some(bar) = &self.bar else {
            if phase == Phase::Rewrite {
                eprintln!("{doing} {table}: {total} rows");
            } else if !(begun && last.is_some_and(|last| last.2 == tenth)) {
                eprintln!("{doing} {table}: {done} of {total} rows");
            }
            return;
        };
        if !begun {
            let template = if phase == Phase::Rewrite {
                "{msg} {spinner} {elapsed}"
            } else {
                "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.reset();
            bar.set_length(total);
            bar.set_message(format!("{doing} {table}"));
            // The server says nothing until it is through.
            match phase {
                Phase::Rewrite => bar.enable_steady_tick(Duration::from_millis(200)),
                Phase::Seal | Phase::Verify => bar.disable_steady_tick(),
            }
        }
        bar.set_position(done);
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
