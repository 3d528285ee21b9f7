//! Predicates and orders that are decided on values while others write: whatever runs beside it, a
//! statement finds exactly the values of its own snapshot.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pgveil_tests::twin::Mode;
use pgveil_tests::{Client, Site, server, servers};

use crate::sample;

/// How long the writers write: `PGVEIL_SOAK` in seconds.
fn duration() -> Duration {
    let seconds = std::env::var("PGVEIL_SOAK").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// Every address matches, so both counts of one statement are the same in every snapshot.
const ALL: &str = "SELECT count(*) FILTER (WHERE email LIKE '%@canary.example') || ' ' || count(*) \
                   FROM newsletter_subscriber";

/// One statement, its answer, and that it is right.
fn same(client: &mut Client, sql: &str) -> String {
    let answer = client.run(sql).value();
    let (matched, all) = answer.split_once(' ').unwrap();
    assert_eq!(matched, all, "{sql}");
    answer
}

/// The rows are in the order of their values; or new ones came faster than the statement ran, and
/// it says so.
fn ordered(client: &mut Client) -> bool {
    let reply = client.run("SELECT email FROM newsletter_subscriber ORDER BY email DESC");
    if let Some(error) = reply.error() {
        assert_eq!(error.get('C'), Some("40001"), "{error:?}");
        return false;
    }
    let rows = reply.rows();
    assert!(rows.is_sorted_by(|a, b| a >= b), "{rows:?}");
    true
}

fn writes(client: &mut Client, writer: usize, round: usize) {
    let address = |n: usize| format!("w{writer}-{round}-{n}@canary.example");
    let insert = |n| {
        format!(
            "INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('{}', true)",
            address(n)
        )
    };
    match round % 5 {
        0 => {
            client.run(&insert(0));
        }
        1 => {
            client.run("BEGIN");
            client.run(&insert(0));
            client.run("SAVEPOINT s");
            client.run(&insert(1));
            client.run("ROLLBACK TO s");
            client.run(&insert(2));
            client.run("COMMIT");
        }
        2 => {
            client.run("BEGIN");
            client.run(&insert(0));
            same(client, ALL);
            client.run("ROLLBACK");
        }
        3 => {
            client.run(&format!(
                "UPDATE newsletter_subscriber SET email = '{}' WHERE id = (SELECT max(id) FROM \
                 newsletter_subscriber)",
                address(3)
            ));
        }
        _ => {
            client.run(
                "DELETE FROM newsletter_subscriber WHERE id = (SELECT min(id) FROM \
                 newsletter_subscriber)",
            );
        }
    }
}

#[test]
fn statements_see_their_own_snapshot_while_others_write() {
    for server in servers() {
        let site = sample::site_computing(server, Mode::Mixed);
        let (stop, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (orders, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for writer in 0..3 {
                let (site, stop) = (&site, &stop);
                scope.spawn(move || {
                    let mut client = site.connect();
                    for round in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        writes(&mut client, writer, round);
                    }
                });
            }
            for reader in 0..2 {
                let (site, stop, reads, orders, late) = (&site, &stop, &reads, &orders, &late);
                scope.spawn(move || {
                    let mut client = site.connect();
                    while !stop.load(Ordering::Relaxed) {
                        same(&mut client, ALL);
                        let count = if ordered(&mut client) { orders } else { late };
                        count.fetch_add(1, Ordering::Relaxed);
                        if reader == 1 {
                            client.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
                            let first = same(&mut client, ALL);
                            assert_eq!(same(&mut client, ALL), first);
                            client.run("COMMIT");
                        }
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let end = Instant::now() + duration();
            while Instant::now() < end {
                thread::sleep(Duration::from_millis(50));
            }
            stop.store(true, Ordering::Relaxed);
        });
        println!("{orders:?} in order, {late:?} too late");
        assert!(reads.into_inner() > 0 && orders.into_inner() > 0);
        site.assert_clean();
    }
}

/// LIKE and ORDER BY would tell a masked value letter by letter.
#[test]
fn what_is_not_shown_is_not_computed() {
    for reveal in ["mask", "withhold"] {
        let mut config = sample::computing(Mode::Mixed);
        config["sessions"] = serde_json::json!([{ "columns": ["email"], "reveal": reveal }]);
        let (name, schema) = (format!("computing {reveal}"), sample::schema(Mode::Mixed));
        let site = Site::new(server(), &name, &schema, &config).guarding(&sample::CANARIES);
        let mut client = site.connect();
        client.run(&sample::insert("ada"));
        for sql in [
            "SELECT id FROM auth_user WHERE email LIKE 'a%'",
            "SELECT email LIKE 'a%' FROM auth_user",
            "SELECT id FROM auth_user ORDER BY email",
            "SELECT id FROM auth_user WHERE lower(email) < 'b'",
        ] {
            client.run(sql).failed("42501");
        }
        // Another column is shown.
        assert_eq!(
            client.run("SELECT count(*) FROM auth_user WHERE last_name LIKE 'Can%'").value(),
            "1"
        );
        site.assert_clean();
    }
}
