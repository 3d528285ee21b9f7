//! `pgveil check`

use std::fmt::Write as _;

use pgveil_lifecycle::{Finding, Severity};
use pgveil_seal::Mode;

use crate::cli::CheckArgs;
use crate::config::{Config, KeySource};
use crate::database::{Database, block_on};
use crate::failure::Failure;
use crate::wiring::{self, Wiring};

/// Checks the configuration and everything it names and, with a DSN, the database.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    let wiring = wiring::wire(&config)?;
    let mut text = format!("{}: no mistakes\n", args.config.display());
    describe(&mut text, &config, &wiring);
    print(&text)?;
    let Some(dsn) = &args.dsn else { return Ok(()) };
    let report = block_on(async {
        let database = Database::connect(dsn).await?;
        let report =
            pgveil_lifecycle::check(&database.client, &wiring.declaration, &wiring.keyrings)
                .await
                .map_err(|error| Failure::new(error.to_string()));
        database.close().await;
        report
    })?;
    print(&findings(&report.findings))?;
    let errors = report.findings.iter().filter(|f| f.severity == Severity::Error).count();
    if errors == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("the database has {errors} {}", plural(errors, "error"))))
}

/// What the configuration comes to.
fn describe(text: &mut String, config: &Config, wiring: &Wiring) {
    for (name, source) in &config.keyrings {
        let from = match &source.value {
            KeySource::Env(variable) => format!("${variable}"),
            KeySource::File(path) => path.display().to_string(),
        };
        let ids = wiring
            .keyrings
            .get(name)
            .map(|keys| keys.ids().map(|id| id.to_string()).collect::<Vec<_>>().join(", "));
        let _ = writeln!(text, "keyring {name} ({from}): {}", ids.unwrap_or_default());
    }
    for policy in &wiring.policies {
        let _ = writeln!(text, "policy {} ({}):", policy.name(), policy.digest());
        for table in &policy.declaration().tables {
            let _ = writeln!(text, "  {}.{}", table.schema, table.table);
            for column in &table.columns {
                let domain = match column.mode {
                    Mode::Deterministic => format!(", domain {}", column.domain),
                    Mode::Randomized => String::new(),
                };
                let fold = column.fold.map_or(String::new(), |fold| format!(", fold {fold}"));
                let _ = writeln!(
                    text,
                    "    {}: {}{domain}{fold}, keyring {}",
                    column.column, column.mode, column.keyring
                );
            }
            if let Some(profile) = &table.profile {
                let copies: Vec<String> = profile
                    .copies
                    .iter()
                    .map(|(from, into)| format!("{from} into {into}"))
                    .collect();
                let _ = writeln!(
                    text,
                    "    profile {}.{}: {}",
                    profile.schema,
                    profile.table,
                    copies.join(", ")
                );
            }
        }
    }
    if wiring.policies.is_empty() {
        text.push_str("no policy: pgveil passes everything on as it is\n");
    }
}

/// Findings, the bad ones first.
pub(crate) fn findings(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut text = String::new();
    for finding in sorted {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<8} {finding}", finding.severity);
    }
    text
}

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())
        .map_err(Failure::io("cannot print"))
}

pub(crate) fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
