//! The twin test over the files in `twin/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use pgveil_tests::twin::{self, Case, Failure, Mode, Side, Way};
use pgveil_tests::{Canaries, Database, Server, Site, servers};

use crate::sample::{self, CANARIES};

const DATA: &str = include_str!("twin/data.sql");

const WAYS: [Way; 3] = [Way::Simple, Way::Text, Way::Binary];
const MODES: [Mode; 3] = [Mode::Deterministic, Mode::Randomized, Mode::Mixed];

/// A pair of databases, kept for the next file: making one takes longer than running a file.
struct Pair {
    version: u32,
    mode: Mode,
    computing: bool,
    plain: Database,
    veiled: Site,
    relations: [String; 2],
}

static PAIRS: Mutex<Vec<Pair>> = Mutex::new(Vec::new());

impl Pair {
    fn take(server: &'static Server, mode: Mode, computing: bool) -> Self {
        let version = server.cluster.binaries().version;
        let mut pairs = PAIRS.lock().unwrap();
        let fits = |pair: &Self| {
            pair.version == version && pair.mode == mode && pair.computing == computing
        };
        let kept = pairs.iter().position(fits);
        if let Some(kept) = kept {
            return pairs.swap_remove(kept);
        }
        drop(pairs);
        let plain = sample::plain(server, mode);
        let veiled = if computing {
            sample::site_computing(server, mode)
        } else {
            sample::site_on(server, mode)
        };
        let relations = [plain.relations(), veiled.database.relations()];
        Self { version, mode, computing, plain, veiled, relations }
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

/// Runs a file in all combinations on all versions, and reports every failure once.
fn run(name: &str, text: &str) {
    let computing = name.starts_with("computed");
    let own = twin::read(text);
    let cases: Vec<Case> = twin::read(DATA).into_iter().chain(own.iter().cloned()).collect();
    let mut failures: BTreeMap<(usize, String), (String, Vec<String>)> = BTreeMap::new();
    for server in servers() {
        for mode in MODES {
            for way in WAYS {
                if !own.iter().any(|case| case.runs.holds(mode, way)) {
                    continue;
                }
                let mut pair = Pair::take(server, mode, computing);
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
    ($($name:ident),* $(,)?) => {
        /// The texts of all files that run on their own.
        const FILES: &[&str] = &[$(include_str!(concat!("twin/", stringify!($name), ".sql"))),*];
        $(
        #[test]
        fn $name() {
            let name = concat!(stringify!($name), ".sql");
            run(name, include_str!(concat!("twin/", stringify!($name), ".sql")));
        }
    )*};
}

/// What is said elsewhere about how much is compared has to hold: statements of all files, and how
/// often they run in a mode and a way on one version of the server.
#[test]
fn statements_are_counted() {
    let cases: Vec<Case> = FILES.iter().chain([&DATA]).flat_map(|text| twin::read(text)).collect();
    let ways = |mode| WAYS.map(|way| (mode, way));
    let runs = MODES.into_iter().flat_map(ways).map(|(mode, way)| {
        let runs = cases.iter().filter(|case| case.runs.holds(mode, way)).count();
        println!("{mode}, {way}: {runs}");
        runs
    });
    let runs: usize = runs.sum();
    println!("{} statements in {} files, {runs} runs", cases.len(), FILES.len() + 1);
    assert!(cases.len() >= 1500, "only {} statements", cases.len());
}

files!(
    applications,
    arrays,
    branches,
    computed,
    computed_order,
    conflict,
    constraints,
    ctes,
    definitions,
    django,
    equality,
    errors,
    folding,
    group,
    insert,
    joins,
    lessons,
    lists,
    mixed,
    more,
    named,
    names,
    nulls,
    operands,
    orms,
    refused,
    returning,
    rows,
    select,
    sessions,
    sets,
    strings,
    transactions,
    types,
    unprotected,
    update_delete,
    writes,
);
