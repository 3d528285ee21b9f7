//! `pgveil decrypt`: opens tokens offline, given the keys.

mod csv;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use pgveil_seal::{Context, OpenError, Opener, Tally, looks_like_token, open_text};

use crate::cli::DecryptArgs;
use crate::config::{Config, DEFAULT_KEY_ENV, KeySource};
use crate::failure::Failure;
use crate::wiring;

/// Why a token stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OpenFailure(OpenError);

/// The keys at hand: those of one keyring or several.
pub(crate) struct Openers(Vec<Opener>);

impl Openers {
    /// Opens a token under whichever keyring has its key.
    pub(crate) fn open(&self, token: &[u8]) -> Result<Vec<u8>, OpenFailure> {
        let mut value = Vec::new();
        let mut failure = OpenError::NotAToken;
        for opener in &self.0 {
            match opener.open_into(token, &mut value) {
                Ok(_) => return Ok(value),
                Err(error) => failure = error,
            }
        }
        Err(OpenFailure(failure))
    }

    /// Opens what has the shape of a token; everything else is no token of ours.
    fn open_if_token(&self, text: &[u8]) -> Result<Option<Vec<u8>>, OpenFailure> {
        if looks_like_token(text) { self.open(text).map(Some) } else { Ok(None) }
    }
}

/// Opens what the command line names.
pub fn run(args: &DecryptArgs) -> Result<(), Failure> {
    let openers = Openers(keyrings(args)?);
    let stdout = BufWriter::new(io::stdout().lock());
    if let Some(path) = &args.csv {
        let mut open = |cell: &[u8]| openers.open_if_token(cell);
        return csv::copy(input(path)?, stdout, &args.column, &mut open)
            .map_err(|error| unopened(path, &error));
    }
    if let Some(path) = &args.dump {
        return dump(path, &openers, stdout);
    }
    tokens(args, &openers, stdout)
}

/// A plain SQL dump. Tokens that stay closed are left in place and make the command fail at the
/// end, when the rest has been opened.
fn dump(path: &Path, openers: &Openers, out: impl Write) -> Result<(), Failure> {
    let [opener] = openers.0.as_slice() else {
        return Err(Failure::new("a dump is opened with one keyring at a time")
            .hint("choose it with --keyring; the output of one run can be the input of the next")
            .usage());
    };
    let summary = open_text(input(path)?, opener, Context::SqlDump, out)
        .map_err(Failure::io(format!("cannot open the tokens of \"{}\"", path.display())))?;
    eprintln!("pgveil: {} tokens opened", summary.opened);
    let left = |tally: Tally, why: &str| {
        (tally.count > 0).then(|| {
            let line =
                tally.first_line.map_or(String::new(), |line| format!(", first in line {line}"));
            format!("{} {why}{line}", tally.count)
        })
    };
    let left: Vec<String> = [
        left(summary.unopened, "that no key of the keyring opens"),
        left(
            summary.misplaced,
            "where no value can be written safely (a comment, a function body)",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::new("some tokens were left as they are").detail(left.join("; ")))
}

/// Tokens of the command line, or of standard input; one value a line.
fn tokens(args: &DecryptArgs, openers: &Openers, mut out: impl Write) -> Result<(), Failure> {
    let mut print = |token: &str, place: &str| {
        let value = openers.open(token.trim().as_bytes()).map_err(|failure| {
            Failure::new(format!("{place}: {failure}")).hint(
                "a token begins with \"gAAAAA\", and its key must be in the keyring that is used",
            )
        })?;
        out.write_all(&value)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(Failure::io("cannot print the value"))
    };
    for (index, token) in args.tokens.iter().enumerate() {
        print(token, &format!("token {}", index + 1))?;
    }
    if args.tokens.is_empty() {
        for (index, line) in io::stdin().lock().lines().enumerate() {
            let line = line.map_err(Failure::io("cannot read standard input"))?;
            if !line.trim().is_empty() {
                print(&line, &format!("line {}", index + 1))?;
            }
        }
    }
    out.flush().map_err(Failure::io("cannot print the value"))
}

fn unopened(path: &Path, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
        .hint("what was printed before this is complete; nothing after it was")
}

fn keyrings(args: &DecryptArgs) -> Result<Vec<Opener>, Failure> {
    let Some(path) = &args.config else {
        let source = KeySource::Env(DEFAULT_KEY_ENV.to_owned());
        let keyring = wiring::keyring(&source).map_err(|error| {
            Failure::new(error.to_string())
                .hint(format!("{} Or name a configuration with --config.", error.hint()))
                .usage()
        })?;
        return Ok(vec![Opener::new(&keyring)]);
    };
    let config = Config::read(path)?;
    let mut keyrings = wiring::keyrings(&config)?;
    if let Some(name) = &args.keyring {
        let names = keyrings.keys().cloned().collect::<Vec<_>>().join(", ");
        let Some(keyring) = keyrings.remove(name) else {
            return Err(Failure::new(format!("the configuration has no keyring \"{name}\""))
                .hint(format!("it has: {names}"))
                .usage());
        };
        return Ok(vec![Opener::new(&keyring)]);
    }
    Ok(keyrings.values().map(|keyring| Opener::new(keyring)).collect())
}

fn input(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path)
        .map_err(Failure::io(format!("cannot read \"{}\"", path.display())))
        .map_err(Failure::usage)?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}
