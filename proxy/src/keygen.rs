//! `pgveil keygen`

use std::io::Write;

use crate::failure::Failure;

/// Prints a new Fernet key: the one command whose output is a secret.
pub fn run() -> Result<(), Failure> {
    let key = pgveil_seal::keygen();
    writeln!(std::io::stdout(), "{}", key.as_str()).map_err(Failure::io("cannot print the key"))
}
