//! The twin test over the files in `twin/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use pgveil_tests::twin::{self, Case, Failure, Mode, Side, Way};
use pgveil_tests::{Canaries, Database, ROLE, Server, Site, servers};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("twin/schema.sql");
const UNIQUE: &str = include_str!("twin/unique.sql");
const DATA: &str = include_str!("twin/data.sql");

/// What every personal value in the files holds.
const CANARIES: [&str; 7] =
    ["canary.example", "Canaryson", "Kanary01", "Kanary02", "Kanary03", "Kanary04", "Kanary07"];

const WAYS: [Way; 3] = [Way::Simple, Way::Text, Way::Binary];
const MODES: [Mode; 3] = [Mode::Deterministic, Mode::Randomized, Mode::Mixed];

/// A pair of databases, kept for the next file: making one takes longer than running a file.
struct Pair {
    version: u32,
    mode: Mode,
    plain: Database,
    veiled: Site,
    relations: [String; 2],
}

static PAIRS: Mutex<Vec<Pair>> = Mutex::new(Vec::new());

impl Pair {
    fn take(server: &'static Server, mode: Mode) -> Self {
        let version = server.cluster.binaries().version;
        let mut pairs = PAIRS.lock().unwrap();
        let kept = pairs.iter().position(|pair| pair.version == version && pair.mode == mode);
        if let Some(kept) = kept {
            return pairs.swap_remove(kept);
        }
        drop(pairs);
        let plain = plain(server, mode);
        let veiled = Site::new(server, &format!("twin {mode}"), &schema(mode), &config(mode))
            .guarding(&CANARIES);
        let relations = [plain.relations(), veiled.database.relations()];
        Self { version, mode, plain, veiled, relations }
    }

    /// Gives the pair back, emptied, unless more than rows has changed.
    fn keep(mut self) {
        self.veiled.canaries = Canaries::new().with(&CANARIES);
        self.veiled.relay.forget();
        let [plain, veiled] = &self.relations;
        if self.plain.reset(plain) && self.veiled.database.reset(veiled) {
            PAIRS.lock().unwrap().push(self);
        }
    }
}

fn schema(mode: Mode) -> String {
    let unique = if mode == Mode::Randomized { "" } else { UNIQUE };
    format!("{SCHEMA}\n{unique}")
}

/// The policy's configuration: every personal column, each as the mode has it.
fn config(mode: Mode) -> Value {
    let column = |name: &str, domain: &str| {
        let deterministic = match mode {
            Mode::Deterministic => true,
            Mode::Randomized => false,
            Mode::Mixed => domain == "email",
        };
        if deterministic {
            json!({ "column": name, "mode": "deterministic", "domain": domain })
        } else {
            json!({ "column": name, "mode": "randomized" })
        }
    };
    json!({ "tables": [
        {
            "table": "auth_user",
            "columns": [
                column("email", "email"),
                column("first_name", "name"),
                column("last_name", "name"),
            ],
            "profile": {
                "table": "web_profile",
                "link": "user_id",
                "key": "id",
                "copies": {
                    "email": "encrypted_email",
                    "first_name": "encrypted_first_name",
                    "last_name": "encrypted_last_name",
                },
            },
        },
        {
            "table": "contact",
            "columns": [
                column("email", "email"),
                column("phone", "phone"),
                column("code", "code"),
                column("nick", "nick"),
            ],
        },
        { "table": "newsletter_subscriber", "columns": [column("email", "email")] },
    ] })
}

/// A database with the sample schema, not protected.
fn plain(server: &'static Server, mode: Mode) -> Database {
    let unique = mode != Mode::Randomized;
    let name = if unique { "plain with unique addresses" } else { "plain" };
    server
        .database(name, |template| {
            server.query(template, &format!("SET ROLE {ROLE}; {}", schema(mode)));
        })
        .unlogged()
}

/// Runs a file in all combinations on all versions, and reports every failure once.
fn run(name: &str, text: &str) {
    let own = twin::read(text);
    let cases: Vec<Case> = twin::read(DATA).into_iter().chain(own.iter().cloned()).collect();
    let mut failures: BTreeMap<(usize, String), (String, Vec<String>)> = BTreeMap::new();
    for server in servers() {
        for mode in MODES {
            for way in WAYS {
                if !own.iter().any(|case| case.runs.holds(mode, way)) {
                    continue;
                }
                let mut pair = Pair::take(server, mode);
                let plain = Side { address: server.address(), database: &pair.plain };
                let veiled =
                    Side { address: pair.veiled.veil.address, database: &pair.veiled.database };
                let result = twin::run(&cases, mode, way, &plain, &veiled);
                let leaks = pair.veiled.leaks();
                // They are told below, not by a panic that hides the rest.
                pair.veiled.canaries = Canaries::new();
                let leaks = leaks.into_iter().map(|leak| {
                    let (what, where_) = leak.split_once('\n').unwrap_or((&leak, ""));
                    Failure { line: 0, found: what.to_owned(), sides: where_.to_owned() }
                });
                let found: Vec<Failure> = leaks.chain(result.err().into_iter().flatten()).collect();
                pair.keep();
                for failure in found {
                    let entry = failures.entry((failure.line, failure.found));
                    let (_, seen) = entry.or_insert((failure.sides, Vec::new()));
                    seen.push(format!("{mode} {way} {}", server.cluster.binaries().version));
                }
            }
        }
    }
    if failures.is_empty() {
        return;
    }
    let mut report = String::new();
    for ((line, found), (sides, seen)) in failures {
        let seen = seen.join(", ");
        let _ = write!(report, "\n{name}:{line} [{seen}]\n    {found}\n{sides}");
    }
    panic!("{report}");
}

macro_rules! files {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            let name = concat!(stringify!($name), ".sql");
            run(name, include_str!(concat!("twin/", stringify!($name), ".sql")));
        }
    )*};
}

files!(
    applications,
    conflict,
    equality,
    errors,
    group,
    insert,
    joins,
    lessons,
    mixed,
    refused,
    returning,
    select,
    transactions,
    unprotected,
    update_delete,
);
