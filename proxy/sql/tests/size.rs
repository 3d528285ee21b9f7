//! Size and shape must not matter: no panic, no overflow of the stack, nothing worse than linear.
//!
//! The sizes are such that linear work takes a second or two unoptimised, and quadratic work
//! minutes: what the watchdog cuts off is not a slow machine.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pgveil_sql::plan::Planned;
use pgveil_sql::{analyse, redact, render};

use crate::fixture::{catalog, settings};

const WATCHDOG: Duration = Duration::from_secs(30);

/// What must become of a large statement: so many edits, or a refusal with this SQLSTATE.
#[derive(Debug, PartialEq)]
enum Outcome {
    Edits(usize),
    Refused(&'static str),
}
use Outcome::{Edits, Refused};

/// Analyses and renders on a thread with a small stack, as a server's may be.
fn outcome(what: &str, text: String) -> Outcome {
    let (sender, done) = mpsc::channel();
    let work = move || {
        let catalog = catalog();
        let result = analyse(&text, &catalog, &settings(), &[]).map(|script| {
            let refused = |_: usize, planned: &Planned| planned.refusal.is_some();
            let (rendered, _) = render(
                &text,
                &script,
                &refused,
                &mut |_, _| Ok("gAAAAA".into()),
                &mut |_, _| unreachable!(),
            );
            assert!(rendered.text.len() < text.len() * 8 + 100);
            redact(&text);
            let edits: usize = script.statements.iter().map(|planned| planned.edits.len()).sum();
            let refusal = script.statements.into_iter().find_map(|planned| planned.refusal);
            refusal.map_or(Edits(edits), |refusal| Refused(refusal.code))
        });
        let _ = sender.send(result.unwrap_or_else(|refusal| Refused(refusal.code)));
    };
    let thread = thread::Builder::new().stack_size(1024 * 1024).spawn(work).unwrap();
    match done.recv_timeout(WATCHDOG) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: more than linear time"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: {:?}", thread.join()),
    }
}

/// For each statement what it is about, and what must become of it.
fn check(statements: impl IntoIterator<Item = (&'static str, String, Outcome)>) {
    for (what, text, expected) in statements {
        assert_eq!(outcome(what, text), expected, "{what}");
    }
}

fn list(n: usize, separator: &str, item: impl Fn(usize) -> String) -> String {
    (1..=n).map(item).collect::<Vec<_>>().join(separator)
}

fn values(n: usize) -> String {
    list(n, ", ", |i| format!("'v{i}'"))
}

#[test]
fn long_lists_are_analysed_in_linear_time() {
    const N: usize = 100_000;
    let pairs = list(N, ", ", |i| format!("({i}, 'v{i}')"));
    let whens = list(N, " ", |i| format!("WHEN {i} THEN 'v{i}'"));
    check([
        ("IN", format!("SELECT id FROM users WHERE email IN ({})", values(N)), Edits(N)),
        ("rows", format!("SELECT 1 FROM users WHERE (id, email) IN ({pairs})"), Edits(N)),
        (
            "ARRAY",
            format!("SELECT 1 FROM users WHERE email = ANY (ARRAY[{}])", values(N)),
            Edits(N),
        ),
        (
            "array",
            format!(
                "SELECT 1 FROM users WHERE email = ANY ('{{{}}}')",
                list(N, ",", |i| i.to_string())
            ),
            Edits(1),
        ),
        (
            "VALUES",
            format!("SELECT 1 FROM users u JOIN (VALUES {pairs}) v (i, e) ON u.email = v.e"),
            Edits(N),
        ),
        ("CASE", format!("UPDATE users SET email = CASE id {whens} END"), Edits(N)),
        ("COALESCE", format!("SELECT COALESCE(email, {}) FROM users", values(N)), Edits(N)),
        (
            "columns",
            format!("SELECT {} FROM users", list(N, ", ", |i| format!("email AS e{i}"))),
            Edits(0),
        ),
    ]);
}

#[test]
fn large_inserts_are_analysed_in_linear_time() {
    const N: usize = 100_000;
    // The protocol's most.
    const PARAMS: usize = 65_535;
    let long = format!("({{}}, '{}', 'x', 'y')", "e".repeat(1000));
    let params = |n| list(n, ", ", |i| format!("${i}"));
    let numbered = list(PARAMS / 2, ", ", |i| format!("({i}, ${}, ${}, 'y')", 2 * i - 1, 2 * i));
    check([
        (
            "5 MB",
            format!(
                "INSERT INTO users VALUES {}",
                list(5000, ", ", |i| long.replace("{}", &i.to_string()))
            ),
            Edits(10_000),
        ),
        (
            "short rows",
            format!(
                "INSERT INTO users VALUES {}",
                list(N, ", ", |i| format!("({i}, 'a', 'x', 'y')"))
            ),
            Edits(2 * N),
        ),
        ("parameters", format!("INSERT INTO users VALUES {numbered}"), Edits(0)),
        ("compared", format!("SELECT id FROM users WHERE email IN ({})", params(PARAMS)), Edits(0)),
        (
            "twice",
            format!("UPDATE users SET note = concat({0}) WHERE email IN ({0})", params(PARAMS / 2)),
            Edits(PARAMS / 2),
        ),
    ]);
}

#[test]
fn long_texts_are_analysed_in_linear_time() {
    const N: usize = 100_000;
    let select = "SELECT id FROM users WHERE email";
    check([
        (
            "OR",
            format!(
                "SELECT 1 FROM users WHERE {}",
                list(N / 5, " OR ", |i| format!("email = 'v{i}'"))
            ),
            Edits(N / 5),
        ),
        (
            "UNION",
            list(5000, " UNION ALL ", |i| format!("SELECT email FROM users WHERE id = {i}")),
            Edits(0),
        ),
        (
            "joins",
            format!(
                "SELECT 1 FROM users u0 {}",
                list(200, " ", |i| format!("JOIN users u{i} ON u{i}.email = u0.email"))
            ),
            Edits(0),
        ),
        (
            "CTEs",
            format!(
                "WITH {} SELECT 1 FROM c1",
                list(1000, ", ", |i| format!("c{i} AS (SELECT email FROM users)"))
            ),
            Edits(0),
        ),
        (
            "statements",
            list(5000, "; ", |i| format!("UPDATE users SET email = 'v{i}' WHERE id = {i}")),
            Edits(5000),
        ),
        ("comments", format!("SELECT {} email FROM users", "/* ' */ -- \" \n".repeat(N)), Edits(0)),
        ("open comments", format!("SELECT email FROM users {}", "/*".repeat(N)), Refused("42601")),
        ("quotes", format!("{select} = '{}'", "''".repeat(10 * N)), Edits(1)),
        ("escapes", format!("{select} = E'{}'", "\\'\\u00e9".repeat(N)), Edits(1)),
        ("continued", format!("{select} = {}", list(N, "\n", |_| "'x'".to_owned())), Edits(1)),
        (
            "then comments",
            format!("{select} IN ({})", list(N, ", ", |_| "'x' -- c\n".to_owned())),
            Edits(N),
        ),
        (
            "open dollars",
            format!("{select} = {}", list(N, " ", |i| format!("$a{i}$"))),
            Refused("42601"),
        ),
    ]);
}

/// Whatever is nested is refused before the stack is short, wherever the limit is.
#[test]
fn deep_statements_are_refused() {
    let select = "SELECT id FROM users WHERE email = ";
    let nested = |n: usize, open: &str, inner: &str, close: &str| {
        format!("{select}{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    for (what, open, inner, close) in [
        ("parentheses", "(", "'x'", ")"),
        ("CAST", "CAST(", "'x'", " AS text)"),
        ("CASE", "CASE WHEN true THEN ", "'x'", " END"),
        ("COALESCE", "COALESCE(", "'x'", ")"),
        ("NOT", "NOT ", "true", ""),
        ("minus", "- ", "1", ""),
        ("subqueries", "(SELECT ", "'x'", ")"),
        ("tables", "(SELECT (SELECT email FROM users WHERE id = ", "1", "))"),
        ("EXISTS", "(SELECT 1 FROM users WHERE id IN (", "1", "))"),
        ("functions", "f(", "'x'", ")"),
        ("arrays", "ARRAY[", "'x'", "]"),
        ("rows", "ROW(", "'x'", ")"),
        ("intervals", "INTERVAL ", "'1'", ""),
        ("concatenation", "'a' || ", "'x'", ""),
        ("casts", "", "'x'", "::text"),
        ("other casts", "", "'x'", "::a"),
        ("subscripts", "", "note", "[1]"),
        ("fields", "", "(note)", ".a"),
        ("collations", "", "'x'", " COLLATE a"),
        ("NULL tests", "", "'x'", " IS NULL"),
        ("LIKE", "", "'x'", " LIKE 'x'"),
        ("RLIKE", "", "'x'", " RLIKE or"),
        ("IN", "", "'x'", " IN (1)"),
        ("BETWEEN", "", "1", " BETWEEN 1 AND 2"),
        ("DISTINCT", "", "1", " IS DISTINCT FROM 1"),
        ("zones", "", "now()", " AT TIME ZONE 'x'"),
        ("subtractions", "", "1", "-1"),
        ("equations", "", "1", " = 1"),
        ("names for operators", "", "'x'", " = or"),
    ] {
        for n in [20, 50, 100, 150, 190, 250, 500] {
            outcome(what, nested(n, open, inner, close));
        }
        check([(what, nested(10_000, open, inner, close), Refused("0A000"))]);
    }
}

#[test]
fn deep_statements_of_other_kinds_are_refused() {
    const N: usize = 10_000;
    let around = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(N), close.repeat(N))
    };
    let email = "SELECT email FROM users";
    for (what, text) in [
        ("FROM", around("SELECT * FROM (", email, ") t")),
        ("joins", format!("SELECT 1 FROM {}", around("(", "users", " CROSS JOIN users)"))),
        ("WITH", around("WITH a AS (", email, ") SELECT 1")),
        ("EXPLAIN", around("EXPLAIN ", email, "")),
        ("PREPARE", around("PREPARE p AS ", email, "")),
        ("unions", around("(", email, " UNION SELECT 1)")),
        ("types", format!("SELECT 1 FROM users WHERE email = 'x'::text{}", "[]".repeat(N))),
        ("open", format!("SELECT id FROM users WHERE {}", "(".repeat(N))),
        ("closed", format!("SELECT id FROM users WHERE {}", ")".repeat(N))),
    ] {
        check([(what, text, Refused("0A000"))]);
    }
}
