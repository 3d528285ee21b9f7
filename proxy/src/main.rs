//! `pgveil`: see `pgveil --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgveil::cli::main()
}
