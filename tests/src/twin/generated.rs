//! Generated programs on both twins.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Case, Param, Way, compare, receive, send};
use crate::client::{Batch, Client, Reply};
use crate::generate::{self, CANARIES, Class, Program, Protocol, Statement};
use crate::{Canaries, Database, ROLE, Server, Site};

/// The tables that are written, those first that others do not refer to.
const WRITTEN: [&str; 7] =
    ["letter", "account", "person", "subscriber", "\"Quoted\"", "visit", "place"];

/// How a difference in the length of a type begins.
const LENGTH: &str = "type modifier";

/// Trials to make a program that shows a difference smaller.
const TRIALS: usize = 600;

/// Programs between two searches for canaries; each has connections of its own.
const BATCH: u64 = 250;

/// A pair of databases with the generator's tables, and a connection to each.
#[derive(Debug)]
pub struct Twins {
    plain: Database,
    veiled: Site,
    clients: Option<[Client; 2]>,
    /// Statements so far: each has a name of its own.
    statements: usize,
}

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was answered alike.
    Answered,
    /// It failed on both sides in the same way.
    Failed,
    /// pgveil refused it, with this message.
    Refused(String),
    /// The differences, in words.
    Different(String),
}

/// Numbers of programs by outcome.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// See [`Outcome::Answered`].
    pub answered: usize,
    /// See [`Outcome::Failed`].
    pub failed: usize,
    /// See [`Outcome::Refused`].
    pub refused: usize,
    /// See [`Outcome::Different`].
    pub different: usize,
}

impl Tally {
    /// Share of what was not refused, in percent.
    pub fn share(&self) -> f64 {
        let all = self.answered + self.failed + self.refused + self.different;
        let answered = u32::try_from(all - self.refused).unwrap_or(u32::MAX);
        100.0 * f64::from(answered) / f64::from(u32::try_from(all.max(1)).unwrap_or(u32::MAX))
    }

    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Answered => self.answered += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Different(_) => self.different += 1,
        }
    }
}

/// What came of many programs.
#[derive(Debug, Default)]
pub struct Report {
    /// By class.
    pub classes: BTreeMap<Class, Tally>,
    /// How often each reason was given, and a statement, for the native classes.
    pub refusals: BTreeMap<String, (usize, String)>,
    /// Differences and leaks, each shrunk.
    pub failures: Vec<String>,
}

impl Report {
    /// The native classes together.
    pub fn native(&self) -> Tally {
        let mut all = Tally::default();
        for (_, tally) in self.classes.iter().filter(|(class, _)| class.is_native()) {
            all.answered += tally.answered;
            all.failed += tally.failed;
            all.refused += tally.refused;
            all.different += tally.different;
        }
        all
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = |name: &dyn std::fmt::Display, tally: &Tally| {
            format!(
                "{name:<16}{:>9}{:>9}{:>9}{:>11}{:>9.1} %\n",
                tally.answered,
                tally.failed,
                tally.refused,
                tally.different,
                tally.share()
            )
        };
        writeln!(f, "class            answered   failed  refused  different  not refused")?;
        for (class, tally) in &self.classes {
            f.write_str(&line(class, tally))?;
        }
        f.write_str(&line(&"native classes", &self.native()))?;
        let mut refusals: Vec<_> = self.refusals.iter().collect();
        refusals.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (reason, (count, sql)) in refusals.into_iter().take(15) {
            writeln!(f, "refused {count} times: {reason}\n    {}", sql.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

/// How the policy protects the generator's tables.
fn config() -> Value {
    let column = |name: &str, domain: &str| match domain {
        "" => json!({ "column": name, "mode": "randomized" }),
        _ => json!({ "column": name, "mode": "deterministic", "domain": domain }),
    };
    json!({ "tables": [
        { "table": "person", "columns": [
            column("email", "mail"), column("backup", "mail"), column("given", "given"),
            column("family", ""), column("code", "code"),
        ] },
        { "table": "account", "columns": [
            column("email", "mail"), column("alias", "mail"), column("nick", "nick"),
            column("secret", ""),
        ] },
        { "table": "subscriber", "columns": [column("email", "mail"), column("given", "given")] },
        { "table": "letter", "columns": [
            column("sender", "mail"), column("receiver", "mail"), column("code", "code"),
        ] },
        { "table": "Quoted", "columns": [column("E Mail", "mail"), column("select", "given")] },
        { "table": "visit", "columns": [column("email", "mail"), column("nick", "nick")] },
    ] })
}

impl Twins {
    /// Both databases, filled.
    pub fn new(server: &'static Server) -> Self {
        let plain = server.database("generated plain", |template| {
            server.query(template, &format!("SET ROLE {ROLE}; {}", generate::SCHEMA));
        });
        let veiled = Site::new(server, "generated", generate::SCHEMA, &config());
        let plain = plain.unlogged();
        // What is sent is in the relay's recording; errors are logged with their statements still.
        let setting = "SET log_statement = none";
        server.query("postgres", &format!("ALTER DATABASE {} {setting}", veiled.database.name));
        let mut twins =
            Self { plain, veiled: veiled.guarding(&CANARIES), clients: None, statements: 0 };
        let copies: String = WRITTEN.iter().fold(String::new(), |mut text, table| {
            let _ = write!(text, "CREATE TABLE saved.{table} AS TABLE public.{table};");
            text
        });
        for client in twins.connect() {
            let reply = client.run(generate::DATA);
            assert!(reply.error().is_none(), "{:?}", reply.error());
        }
        for database in [&twins.plain, &twins.veiled.database] {
            database.query(&format!("CREATE SCHEMA saved; {copies}"));
        }
        twins.clients = None;
        twins
    }

    /// The connections: to the plain database, and through pgveil.
    fn connect(&mut self) -> &mut [Client; 2] {
        let (plain, veiled) = (&self.plain, &self.veiled);
        self.clients.get_or_insert_with(|| {
            let direct = Client::connect(plain.server.address(), ROLE, &plain.name);
            [direct.unwrap_or_else(|error| panic!("cannot connect: {error:?}")), veiled.connect()]
        })
    }

    fn both(&mut self, sql: &str) -> [Reply; 2] {
        let clients = self.connect();
        for client in clients.iter_mut() {
            client.send(&Batch::new().query(sql));
        }
        clients.each_mut().map(Client::reply)
    }

    /// Runs a program on both sides, and leaves the rows as they were.
    pub fn play(&mut self, program: &Program) -> Outcome {
        let all = program.statements.iter().flat_map(|statement| &statement.writes);
        let mut writes: Vec<&str> = all.copied().collect();
        writes.sort_unstable();
        writes.dedup();
        let mut start = String::new();
        if !writes.is_empty() {
            start += "SELECT setval('key_seq', 1000);";
        }
        if !program.alone {
            start += "BEGIN;";
        }
        if !start.is_empty() {
            self.both(&start);
        }
        let mut outcome = Outcome::Answered;
        for statement in &program.statements {
            match self.step(statement, program.protocol) {
                Outcome::Answered => {}
                Outcome::Failed => outcome = Outcome::Failed,
                other => {
                    outcome = other;
                    break;
                }
            }
        }
        let status = self.connect()[0].status;
        if matches!(outcome, Outcome::Answered | Outcome::Failed) && status != 'E' {
            for table in &writes {
                let [plain, veiled] = self.both(&format!("SELECT * FROM {table}"));
                let found = compare::differences(&plain, &veiled, false, &[]);
                if !found.is_empty() {
                    let found = found.join("; ");
                    outcome = Outcome::Different(format!(
                        "afterwards, {table}: {found}\n    plain:  {}\n    pgveil: {}",
                        compare::show(&plain),
                        compare::show(&veiled)
                    ));
                }
            }
        }
        if self.connect().iter().any(|client| client.status != 'I') {
            self.both("ROLLBACK");
        }
        if program.class == Class::Named {
            self.both("DEALLOCATE ALL");
        }
        if program.alone && !writes.is_empty() {
            self.restore();
        }
        outcome
    }

    fn step(&mut self, statement: &Statement, protocol: Protocol) -> Outcome {
        let way = match protocol {
            Protocol::Simple => Way::Simple,
            Protocol::Text => Way::Text,
            Protocol::Binary => Way::Binary,
        };
        let params = statement.params.iter().map(|param| match param {
            None => Param::Null,
            Some(text) => Param::Quoted(text.clone()),
        });
        self.statements += 1;
        let case = Case {
            line: self.statements,
            sql: statement.sql.clone(),
            params: params.collect(),
            ..Case::default()
        };
        let clients = self.connect();
        let starts = clients.each_mut().map(|client| send(client, &case, way));
        let [plain_start, veiled_start] = starts;
        let [plain_client, veiled_client] = clients;
        let mut plain = receive(plain_client, plain_start);
        let mut veiled = receive(veiled_client, veiled_start);
        let code = |reply: &Reply| reply.error().map(|error| error.code().to_owned());
        if let Some(error) = veiled.error()
            && error.code() == "0A000"
            && !error.hint().is_empty()
            && code(&plain).as_deref() != Some("0A000")
        {
            return Outcome::Refused(error.message().to_owned());
        }
        // So is one in a statement that gets a name: plain, it fails when it is run.
        if code(&plain).is_none() && code(&veiled).as_deref() == Some("22001") {
            let words = ["PREPARE ", "DECLARE "];
            if words.iter().any(|word| statement.sql.starts_with(word)) {
                return Outcome::Refused("a value too long is found early".to_owned());
            }
        }
        // Of a row that failed the server shows the first 64 bytes of a value: a token is hidden.
        let hidden = veiled.error().and_then(|error| error.get('D')).is_some_and(|detail| {
            detail.starts_with("Failing row contains") && detail.contains("<sealed>")
        });
        // The context of an error has the parameters as they were sent to the database, where the
        // server is configured to show them.
        let mut except = vec!['W'];
        // Which of several rows fails first depends on the order that a join reaches them in.
        let key = |reply: &Reply| {
            let detail = reply.error()?.get('D')?;
            detail.split_once(")=(").map(|(names, _)| names.to_owned())
        };
        if hidden || (key(&plain).is_some() && key(&plain) == key(&veiled)) {
            except.push('D');
        }
        // Sub-queries that MERGE assigns in several actions are taken for each other by the server
        // (15); what it says about its own mistake names types as they are stored.
        if code(&plain).as_deref() == Some("42804")
            && plain.error().is_some_and(|error| error.message().starts_with("table row type and"))
        {
            except.push('D');
        }
        // A literal that is too long is found when the statement is prepared, not when it is run.
        if code(&plain).as_deref() == Some("22001") && code(&veiled) == code(&plain) {
            // Then it is the first, whatever parameters are too long.
            except.push('M');
            for reply in [&mut plain, &mut veiled] {
                reply.parameters = None;
                reply.results.retain(|result| matches!(result, crate::client::Outcome::Failed(_)));
            }
        }
        let mut found = compare::differences(&plain, &veiled, statement.ordered, &except);
        // What has failed in a transaction cannot be described once more.
        if found.iter().any(|difference| difference.starts_with(LENGTH))
            && (plain.error().is_some() || self.is_one_of_two_lengths(statement, &plain, &veiled))
        {
            found.retain(|difference| !difference.starts_with(LENGTH));
        }
        if !found.is_empty() {
            return Outcome::Different(format!(
                "{}\n    plain:  {}\n    pgveil: {}",
                found.join("; "),
                compare::show(&plain),
                compare::show(&veiled)
            ));
        }
        if plain.error().is_some() { Outcome::Failed } else { Outcome::Answered }
    }

    /// The server describes a statement by what was written and its rows by what the planner made
    /// of that: `CASE WHEN true THEN email END` is `email` then, and has its length. Of the two
    /// pgveil may tell either.
    fn is_one_of_two_lengths(
        &mut self,
        statement: &Statement,
        plain: &Reply,
        veiled: &Reply,
    ) -> bool {
        let lengths = |reply: &Reply| -> Vec<Vec<i32>> {
            let columns = reply.results.iter().filter_map(|result| match result {
                crate::client::Outcome::Done { columns, .. }
                | crate::client::Outcome::Described(columns) => Some(columns),
                crate::client::Outcome::Failed(_) => None,
            });
            columns.map(|columns| columns.iter().map(|c| c.typmod).collect()).collect()
        };
        let whole = std::slice::from_ref(&statement.sql);
        let parts = if statement.parts.is_empty() { whole } else { &statement.parts };
        let client = &mut self.connect()[0];
        let written: Vec<Vec<i32>> = parts
            .iter()
            .map(|sql| {
                client.send(&Batch::new().parse("", sql, &[]).describe_statement("").sync());
                lengths(&client.reply()).pop().unwrap_or_default()
            })
            .collect();
        let (planned, ours) = (lengths(plain), lengths(veiled));
        // One statement may be described more than once.
        let of = |result: usize| match written.as_slice() {
            [single] => planned.iter().chain([single]).collect::<Vec<_>>(),
            several => planned.get(result).into_iter().chain(several.get(result)).collect(),
        };
        ours.iter().enumerate().all(|(result, ours)| {
            let known = of(result);
            let told = |index| known.iter().filter_map(move |lengths| lengths.get(index));
            ours.iter().enumerate().all(|(index, length)| told(index).any(|known| known == length))
        })
    }

    /// Puts the rows back that a program has changed for good.
    fn restore(&self) {
        let mut sql = String::from("BEGIN;");
        for table in WRITTEN {
            let _ = write!(sql, "DELETE FROM public.{table};");
        }
        for table in WRITTEN.iter().rev() {
            let _ = write!(sql, "INSERT INTO public.{table} TABLE saved.{table};");
        }
        sql += "COMMIT";
        for database in [&self.plain, &self.veiled.database] {
            database.query(&sql);
        }
    }

    /// Plays so many programs from a seed on; the programs' own seeds follow each other. Ends
    /// early when there is enough to look into.
    pub fn run(&mut self, seed: u64, programs: u64, most_failures: usize) -> Report {
        let mut report = Report::default();
        let mut known: Vec<String> = Vec::new();
        let end = seed.saturating_add(programs);
        let mut first = seed;
        while first < end && report.failures.len() < most_failures {
            let last = end.min(first + BATCH);
            for seed in first..last {
                let program = Program::from_seed(seed);
                let outcome = self.play(&program);
                report.classes.entry(program.class).or_default().add(&outcome);
                match outcome {
                    Outcome::Refused(reason) if program.class.is_native() => {
                        let sql = || show(&program);
                        let entry = report.refusals.entry(without_names(&reason));
                        entry.or_insert_with(|| (0, sql())).0 += 1;
                    }
                    Outcome::Different(found) => {
                        // One of a kind is enough.
                        let kind = format!("{}: {}", program.class, without_names(&found));
                        let kind = kind.lines().next().unwrap_or_default().to_owned();
                        if !known.contains(&kind) {
                            known.push(kind);
                            report.failures.push(self.shrunk(seed, &program));
                        }
                    }
                    Outcome::Answered | Outcome::Failed | Outcome::Refused(_) => {}
                }
            }
            self.clients = None;
            if !self.veiled.leaks().is_empty() {
                report.failures.extend(self.leaking(first, last));
            }
            self.veiled.relay.forget();
            first = last;
        }
        // They are told in the report.
        self.veiled.canaries = Canaries::new();
        report
    }

    fn shrunk(&mut self, seed: u64, program: &Program) -> String {
        let choices = generate::shrink(program.choices.clone(), TRIALS, |choices| {
            matches!(self.play(&Program::from_choices(choices)), Outcome::Different(_))
        });
        let small = Program::from_choices(&choices);
        match self.play(&small) {
            Outcome::Different(found) => failure(seed, &small, &found),
            _ => failure(seed, program, "a difference that does not come again"),
        }
    }

    /// The programs of a batch that send a canary to the database.
    fn leaking(&mut self, first: u64, last: u64) -> Vec<String> {
        let mut found = Vec::new();
        for seed in first..last {
            self.veiled.relay.forget();
            self.clients = None;
            let program = Program::from_seed(seed);
            self.play(&program);
            let leaks = self.veiled.relay.leaks(&self.veiled.canaries);
            if !leaks.is_empty() {
                found.push(failure(seed, &program, &leaks.join("\n")));
            }
        }
        if found.is_empty() {
            found.push(format!("seeds {first} to {last}: {}", self.veiled.leaks().join("\n")));
        }
        found
    }
}

fn failure(seed: u64, program: &Program, found: &str) -> String {
    format!(
        "PGVEIL_SEED={seed} PGVEIL_GENERATE=1 ({}, {:?}{})\n    {}\n    {found}",
        program.class,
        program.protocol,
        if program.alone { ", alone" } else { "" },
        show(program).replace('\n', "\n    ")
    )
}

fn show(program: &Program) -> String {
    let mut text = String::new();
    for statement in &program.statements {
        let _ = write!(text, "{}", statement.sql);
        if !statement.params.is_empty() {
            let _ = write!(text, "\n-- params: {:?}", statement.params);
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// A message without what differs from statement to statement.
fn without_names(message: &str) -> String {
    let words = message.split(' ').map(|word| match word {
        _ if word.contains('.') || word.contains('"') => "…",
        _ => word,
    });
    let text: String = words.collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}
