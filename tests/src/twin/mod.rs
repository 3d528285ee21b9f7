//! The twin test: the same statements on a plain database directly, and through pgveil on a
//! protected one. Every difference that a client could see is a failure, and so is an answer where
//! a refusal is expected or the other way round.

mod compare;
pub mod generated;
mod params;
mod script;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Batch, Client, Format, Outcome, Reply};
use crate::{Database, ROLE};

pub use script::{Case, Expected, Mode, Param, Way, Where, read};

/// In the refused statement's place the plain side runs this: it fails as well, so that both
/// sides are in the same transaction status afterwards.
const FAILS: &str = "SELECT pgveil_refused";

/// Failures after which the rest of a file tells nothing new.
const ENOUGH: usize = 100;

/// How long a statement that should wait for a lock may take to get there.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// One side of the test.
#[derive(Debug)]
pub struct Side<'a> {
    /// Where clients connect to.
    pub address: SocketAddr,
    /// The database behind it.
    pub database: &'a Database,
}

/// How many statements were compared, and how many were refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Answered alike.
    pub alike: usize,
    /// Refused as expected.
    pub refused: usize,
}

/// A statement that was not answered alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line of the file.
    pub line: usize,
    /// The differences, in words.
    pub found: String,
    /// The statement and both sides.
    pub sides: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}\n{}", self.line, self.found, self.sides)
    }
}

/// Runs statements in one combination.
pub fn run(
    cases: &[Case],
    mode: Mode,
    way: Way,
    plain: &Side<'_>,
    veiled: &Side<'_>,
) -> Result<Count, Vec<Failure>> {
    let mut twin = Twin {
        mode,
        way,
        plain,
        veiled,
        sessions: BTreeMap::new(),
        count: Count::default(),
        failures: Vec::new(),
    };
    for case in cases.iter().filter(|case| case.runs.holds(mode, way)) {
        twin.step(case);
        if twin.failures.len() >= ENOUGH {
            break;
        }
    }
    let waiting: Vec<String> = twin.sessions.keys().cloned().collect();
    for session in waiting {
        twin.collect(&session);
    }
    if twin.failures.is_empty() { Ok(twin.count) } else { Err(twin.failures) }
}

struct Twin<'a> {
    mode: Mode,
    way: Way,
    plain: &'a Side<'a>,
    veiled: &'a Side<'a>,
    sessions: BTreeMap<String, Session>,
    count: Count,
    failures: Vec<Failure>,
}

/// A pair of connections.
struct Session {
    plain: Client,
    veiled: Client,
    /// A statement that waits for a lock.
    pending: Option<Sent>,
}

/// A statement whose answers have not been read yet.
struct Sent {
    case: Case,
    plain: Start,
    veiled: Start,
}

/// What came back before the statement was executed: its description.
type Start = Reply;

impl Twin<'_> {
    fn step(&mut self, case: &Case) {
        let name = case.session.clone();
        if !self.sessions.contains_key(&name) {
            let open = |side: &Side<'_>| {
                Client::connect(side.address, ROLE, &side.database.name)
                    .unwrap_or_else(|error| panic!("cannot connect: {error:?}"))
            };
            let session =
                Session { plain: open(self.plain), veiled: open(self.veiled), pending: None };
            self.sessions.insert(name.clone(), session);
        }
        self.collect(&name);
        let Some(session) = self.sessions.get_mut(&name) else { return };

        let refused = Case::expected(&case.refused, self.mode, self.way).is_some();
        let on_plain = if refused {
            Case { sql: FAILS.to_owned(), params: Vec::new(), types: Vec::new(), ..case.clone() }
        } else {
            case.clone()
        };
        let sent = Sent {
            case: case.clone(),
            plain: send(&mut session.plain, &on_plain, self.way),
            veiled: send(&mut session.veiled, case, self.way),
        };
        session.pending = Some(sent);
        if !case.waits {
            self.collect(&name);
            return;
        }
        let pids = [(self.plain, session.plain.pid), (self.veiled, session.veiled.pid)];
        for (side, pid) in pids {
            if !waits_for_a_lock(side.database, pid) {
                self.failures.push(Failure {
                    line: case.line,
                    found: "should wait for a lock and does not".to_owned(),
                    sides: format!("    {}", case.sql),
                });
            }
        }
    }

    /// Reads and judges the answers that a session has not read yet.
    fn collect(&mut self, name: &str) {
        let Some(session) = self.sessions.get_mut(name) else { return };
        let Some(sent) = session.pending.take() else { return };
        let mut plain = receive(&mut session.plain, sent.plain);
        let veiled = receive(&mut session.veiled, sent.veiled);
        let case = &sent.case;
        let refused = Case::expected(&case.refused, self.mode, self.way);
        let found = if let Some(code) = refused {
            not_refused(code, &plain, &veiled)
        } else {
            if case.early && veiled.parameters.is_none() {
                plain.parameters = None;
                plain.results.retain(|outcome| !matches!(outcome, Outcome::Described(_)));
            }
            let mut found = unexpected(case, self.mode, self.way, &plain);
            found.extend(compare::differences(&plain, &veiled, case.is_ordered(), &case.except));
            found
        };
        if !found.is_empty() {
            let (plain, veiled) = (compare::show(&plain), compare::show(&veiled));
            self.failures.push(Failure {
                line: case.line,
                found: found.join("; "),
                sides: format!(
                    "    {}\n    plain:  {plain}\n    pgveil: {veiled}",
                    case.sql.replace('\n', "\n    ")
                ),
            });
        } else if refused.is_none() {
            self.count.alike += 1;
        } else {
            self.count.refused += 1;
        }
    }
}

/// Sends a statement up to the point where it runs.
fn send(client: &mut Client, case: &Case, way: Way) -> Start {
    if way == Way::Simple {
        client.send(&Batch::new().query(&case.inlined()));
        return Reply::default();
    }
    let text = |param: &Param| param.text().map(|text| text.as_bytes().to_vec());
    if way == Way::Text {
        let params: Vec<_> = case.params.iter().map(text).collect();
        client.send(
            &Batch::new()
                .parse("", &case.sql, &case.types)
                .bind("", "", &[Format::Text], &params, Format::Text)
                .describe_portal("")
                .execute("", 0)
                .sync(),
        );
        return Reply::default();
    }
    let name = format!("line {}", case.line);
    let prepare =
        Batch::new().parse(&name, &case.sql, &case.types).describe_statement(&name).flush();
    client.send(&prepare);
    // NoData or RowDescription ends the description; an error means that the rest is skipped.
    let start = client.reply_until(|tag| matches!(tag, b'n' | b'T' | b'E'));
    if start.error().is_some() {
        client.send(&Batch::new().close_statement(&name).sync());
        return start;
    }
    let types = start.parameters.clone().unwrap_or_default();
    let (formats, params) = params::encode(&case.params, &types);
    client.send(
        &Batch::new()
            .bind("", &name, &formats, &params, Format::Binary)
            .describe_portal("")
            .execute("", 0)
            .close_statement(&name)
            .sync(),
    );
    start
}

/// Reads the rest of the answer.
fn receive(client: &mut Client, start: Start) -> Reply {
    let mut reply = client.reply();
    reply.parameters = reply.parameters.or(start.parameters);
    reply.results.splice(0..0, start.results);
    reply.notices.splice(0..0, start.notices);
    reply.settings.splice(0..0, start.settings);
    reply
}

fn not_refused(code: &str, plain: &Reply, veiled: &Reply) -> Vec<String> {
    let Some(error) = veiled.error() else {
        return vec![format!("an answer where {code} was expected")];
    };
    // In an aborted transaction block both sides say that, whatever the statement is.
    let aborted = plain.error().is_some_and(|error| error.code() == "25P02");
    let code = if aborted { "25P02" } else { code };
    let mut found = Vec::new();
    if error.code() != code {
        found.push(format!("refused with {} instead of {code}", error.code()));
    }
    if error.message().is_empty() || (error.hint().is_empty() && !aborted) {
        found.push("a refusal needs a message and a hint".to_owned());
    }
    if plain.status != veiled.status {
        found.push(format!("transaction status: {} and {}", plain.status, veiled.status));
    }
    found
}

/// What the plain side did against what the file says. This finds mistakes in the file.
fn unexpected(case: &Case, mode: Mode, way: Way, plain: &Reply) -> Vec<String> {
    let expected = Case::expected(&case.error, mode, way);
    let got = plain.error().map(crate::Fields::code);
    if expected == got {
        return Vec::new();
    }
    let (expected, got) = (expected.unwrap_or("an answer"), got.unwrap_or("an answer"));
    vec![format!("the plain side gave {got}, the file expects {expected}")]
}

fn waits_for_a_lock(database: &Database, pid: u32) -> bool {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
    );
    let deadline = Instant::now() + LOCK_TIMEOUT;
    while Instant::now() < deadline {
        if database.value(&sql).as_deref() == Some("1") {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}
