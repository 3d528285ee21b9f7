//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::failure::Failure;
use crate::{check, decrypt, demo, explain, keygen, migrate, serve};

/// A PostgreSQL proxy that seals personal data.
///
/// Applications connect to pgveil instead of the database. Personal columns, chosen by a policy,
/// hold Fernet tokens in the database; the application goes on reading and writing plain values.
#[derive(Debug, Parser)]
#[command(
    name = "pgveil",
    version,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done; 1 failed, or what was checked is not so; 2 wrong usage or a \
                  mistake in the configuration.\n\
                  Start with `pgveil demo`."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy until SIGINT or SIGTERM
    Serve(ServeArgs),
    /// Check the configuration, keys and policies and, with a DSN, the database against them
    Check(CheckArgs),
    /// Print a new Fernet key
    ///
    /// Keep it where the proxy finds it: in the environment variable or the file that the
    /// configuration names. Without it nobody can read what is sealed under it.
    Keygen,
    /// Open tokens without a database: one, a CSV column, or a plain SQL dump
    Decrypt(DecryptArgs),
    /// Prepare a database for sealed columns, and seal the rows that are there
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Show what becomes of a statement: relations, columns, verdict, text sent upstream
    Explain(ExplainArgs),
    /// Try pgveil on a private database with a thousand generated people
    Demo(DemoArgs),
}

/// `pgveil serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `pgveil check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config/pgveil.toml")]
    pub config: PathBuf,
    /// A database to check as well: directly, not through the proxy
    #[arg(long, value_name = "DSN")]
    pub dsn: Option<String>,
}

/// `pgveil decrypt`
#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// Tokens to open; without any, and without --csv or --dump, standard input is read, one a
    /// line
    #[arg(value_name = "TOKEN")]
    pub tokens: Vec<String>,
    /// A CSV file whose column is opened; `-` is standard input. The result goes to standard
    /// output, all else as it was
    #[arg(long, value_name = "FILE", requires = "column", conflicts_with_all = ["tokens", "dump"])]
    pub csv: Option<PathBuf>,
    /// The column of the CSV file, by its name in the first line; may be given several times
    #[arg(long, value_name = "NAME", requires = "csv")]
    pub column: Vec<String>,
    /// A plain SQL dump (`pg_dump`) in which every token is opened; `-` is standard input. The
    /// result goes to standard output
    #[arg(long, value_name = "FILE", conflicts_with = "tokens")]
    pub dump: Option<PathBuf>,
    /// Take the keys from this configuration file; otherwise from MESSAGE_ENCRYPTION_KEY
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only this keyring of the configuration; otherwise all are tried
    #[arg(long, value_name = "NAME", requires = "config")]
    pub keyring: Option<String>,
}

#[derive(Debug, Subcommand)]
enum MigrateCommand {
    /// Print what `apply` would do, and change nothing
    Plan(MigrateArgs),
    /// Print what it will do, ask, and do it in one transaction
    Apply(ApplyArgs),
}

/// `pgveil migrate plan`
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The database, directly, as a role that owns the tables
    #[arg(long, value_name = "DSN")]
    pub dsn: String,
}

/// `pgveil migrate apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Where and with what.
    #[command(flatten)]
    pub migrate: MigrateArgs,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `pgveil explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The statements, as a client would send them
    #[arg(value_name = "SQL")]
    pub sql: String,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The database whose catalog is read; the statements are not run
    #[arg(long, value_name = "DSN")]
    pub dsn: String,
    /// What the policy is told of the session's user; otherwise the user of the DSN
    #[arg(long, value_name = "ROLE")]
    pub user: Option<String>,
    /// What the policy is told of the session's application_name
    #[arg(long, value_name = "NAME", default_value = "")]
    pub application_name: String,
}

/// `pgveil demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Show, verify what was shown, and end: exit status 0 only if all of it is true
    #[arg(long)]
    pub once: bool,
    /// How many people to generate
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub people: u32,
    /// Port of the proxy; otherwise 6432 or, where that is taken, a free one
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Keygen => keygen::run(),
        Command::Decrypt(args) => decrypt::run(&args),
        Command::Migrate(MigrateCommand::Plan(args)) => migrate::plan(&args),
        Command::Migrate(MigrateCommand::Apply(args)) => migrate::apply(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Demo(args) => demo::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    eprintln!("pgveil: {failure}");
    ExitCode::from(failure.status)
}
