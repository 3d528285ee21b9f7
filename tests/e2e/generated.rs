//! Generated statements on twins: a few hundred each time, as many as `PGVEIL_GENERATE` says when
//! it is set, from `PGVEIL_SEED` on. The long run:
//!
//! ```sh
//! PGVEIL_GENERATE=100000 cargo test -p pgveil-tests --test e2e -- generated --nocapture
//! ```

use std::thread;

use pgveil_tests::servers;
use pgveil_tests::twin::generated::Twins;

/// So many programs take a few seconds.
const FEW: u64 = 400;

/// Differences of different kinds after which the rest of a run tells nothing new.
const ENOUGH: usize = 12;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

#[test]
fn generated_statements_are_answered_alike_or_refused() {
    let (seed, programs) = (number("PGVEIL_SEED", 1), number("PGVEIL_GENERATE", FEW));
    let reports = thread::scope(|scope| {
        let runs = servers().into_iter().map(|server| {
            let version = server.cluster.binaries().version;
            (version, scope.spawn(move || Twins::new(server).run(seed, programs, ENOUGH)))
        });
        let runs: Vec<_> = runs.collect();
        let wait = runs.into_iter().map(|(version, run)| (version, run.join().unwrap()));
        wait.collect::<Vec<_>>()
    });
    for (version, report) in &reports {
        println!("PostgreSQL {version}, seeds from {seed}, {programs} programs\n{report}");
    }
    for (version, report) in &reports {
        let failures = report.failures.join("\n\n");
        assert!(report.failures.is_empty(), "PostgreSQL {version}:\n\n{failures}\n");
        let native = report.native();
        if programs >= FEW {
            assert!(native.share() >= 95.0, "{:.1} % of native statements", native.share());
        }
    }
}
