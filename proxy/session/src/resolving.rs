//! Statements with predicates and orders that are decided on values.
//!
//! Before the statement runs, each predicate is evaluated over its column's [`Dictionary`], and the
//! handles of the values that satisfy it go up in its place; for what rows are ordered by, all
//! handles and the ranks of their values do. Whether the dictionary has all values
//! of the statement's own snapshot is known when the statement runs: `pgveil.delta` reports, before
//! the first row that depends on it, what has been written since. What is new is evaluated then;
//! where none of it satisfies the predicate the rows are right, and where nothing is new their
//! order is, else the statement runs again, and
//! the client sees the second run alone. Rows wait for that report, and so does the client's next
//! message.

use std::sync::Arc;

use pgveil_eval::{EvalError, Expr, Program, Type};
use pgveil_sql::catalog::ColumnId;
use pgveil_sql::physical::{quote_ident, quote_literal, quote_name};
use pgveil_sql::plan::{Finds, Planned, Replacement, Resolve};
use pgveil_sql::refusal::Refusal;
use pgveil_sql::{Found, Resolved};
use pgveil_wire::backend::ErrorFields;
use pgveil_wire::frame::Frame;
use pgveil_wire::frontend::tag;

use crate::catalog_cache::Loaded;
use crate::dictionary::{Dictionary, Handle, Key, Known, Ranked, handle_of};
use crate::own_step::{NotText, StepRows};
use crate::prepared::Analysed;
use crate::session::{Halt, Session};

/// The message of the notice that `pgveil.delta` raises.
const DELTA: &[u8] = b"pgveil.delta";

/// Runs of one statement: new values that change the answer come in between.
const RUNS: u32 = 8;

/// Bytes of rows that wait for the report.
const HELD: usize = 64 << 20;

/// New values in a report above which the next statement brings the dictionary up to date.
const MANY: usize = 200;

/// One predicate or order of one run.
#[derive(Debug)]
struct Part {
    column: ColumnId,
    relation: u32,
    number: i16,
    key: Key,
    dictionary: Arc<Dictionary>,
    program: Arc<Program>,
    /// It was evaluated for so many values.
    of: usize,
    decides: Decides,
    known: String,
}

/// What goes up, in PostgreSQL's text form.
#[derive(Debug)]
enum Decides {
    Truth { matched: String, unknown: String },
    Rank(Arc<Ranked>),
}

/// The predicates and orders of one run.
#[derive(Debug)]
pub(crate) struct Resolution {
    parts: Vec<Part>,
    /// How many tests there are in the statement's text: each has its report.
    tests: usize,
}

impl Resolution {
    /// What the server gets, one by one: three arrays in PostgreSQL's text form.
    pub(crate) fn values(&self) -> impl Iterator<Item = [&str; 3]> {
        self.parts.iter().map(|part| match &part.decides {
            Decides::Truth { matched, unknown } => [&**matched, unknown, &part.known],
            Decides::Rank(ranked) => [&*ranked.handles, &ranked.ranks, &part.known],
        })
    }

    /// The same as literals.
    pub(crate) fn literals(&self, resolve: usize) -> Option<Resolved> {
        let part = self.parts.get(resolve)?;
        let array = |text: &str, of: &str| format!("{}::pg_catalog.{of}[]", quote_literal(text));
        Some(Resolved {
            relation: part.relation,
            number: part.number,
            found: match &part.decides {
                Decides::Truth { matched, unknown } => Found::Truth {
                    matched: array(matched, "text"),
                    unknown: array(unknown, "text"),
                },
                Decides::Rank(ranked) => Found::Rank {
                    handles: array(&ranked.handles, "name"),
                    ranks: array(&ranked.ranks, "int4"),
                },
            },
            known: array(&part.known, "text"),
        })
    }
}

/// What has to be sent again.
#[derive(Debug, Clone)]
pub(crate) enum Rerun {
    /// A Query.
    Script(Arc<Analysed>),
    /// A Bind and its Execute, as the client sent them.
    Portal { bind: Arc<[u8]>, execute: Arc<[u8]> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Reports are awaited.
    Open,
    /// The rows are right.
    Right,
    /// They are not, or may not be.
    Wrong,
}

/// A statement whose rows wait for what `pgveil.delta` reports.
#[derive(Debug)]
pub(crate) struct Judging {
    resolution: Arc<Resolution>,
    loaded: Arc<Loaded>,
    pub(crate) rerun: Rerun,
    /// Its number in the queue.
    pub(crate) seq: u64,
    reports: usize,
    state: State,
    held: Vec<u8>,
    runs: u32,
    /// The snapshot is older than the dictionary: it is read anew, for this statement.
    older: bool,
    /// It must not run twice.
    once: bool,
}

impl Judging {
    pub(crate) fn new(
        resolution: Arc<Resolution>,
        loaded: Arc<Loaded>,
        rerun: Rerun,
        seq: u64,
        once: bool,
    ) -> Self {
        Self {
            resolution,
            loaded,
            rerun,
            seq,
            reports: 0,
            state: State::Open,
            held: Vec::new(),
            runs: 1,
            older: false,
            once,
        }
    }

    /// The rows are right, and none of them waits.
    fn is_settled(&self) -> bool {
        self.state == State::Right && self.held.is_empty()
    }
}

impl Session {
    /// Evaluates a statement's predicates and orders. `value` gives the client's parameters.
    pub(crate) async fn resolve(
        &mut self,
        planned: &Planned,
        value: &(dyn Fn(usize) -> Result<Option<String>, Refusal> + Sync),
        older: bool,
    ) -> Result<Arc<Resolution>, Halt> {
        let mut parts = Vec::with_capacity(planned.resolves.len());
        for resolve in &planned.resolves {
            let params: Vec<Option<String>> =
                resolve.params.iter().map(|index| value(*index)).collect::<Result<_, _>>()?;
            let constant = |index: usize| {
                let param = params.get(index.checked_sub(1)?)?;
                Some(param.clone().map_or(Expr::Null, Expr::Text))
            };
            let expr = resolve.expr.with_columns(&constant);
            let program = Program::new(&expr, &[Type::Text])
                .map_err(|error| not_evaluated(&error.to_string()))?;
            let (key, dictionary) = self.dictionary(resolve.column, older).await?;
            let program = Arc::new(program);
            // Read before: what is evaluated may be more.
            let known = dictionary.known();
            let (decides, of) = decide(resolve, expr, &dictionary, &program).await?;
            let Known { first, since, open, fingerprint } = known;
            let known = format!(
                "{{{},{},{},{}}}",
                quoted(&first),
                since,
                quoted(&open),
                quoted(&fingerprint)
            );
            parts.push(Part {
                column: resolve.column,
                relation: key.relation,
                number: key.number,
                key,
                dictionary,
                program,
                of,
                decides,
                known,
            });
        }
        let tests = planned
            .edits
            .iter()
            .filter(|edit| matches!(edit.with, Replacement::Resolved { .. }))
            .count();
        Ok(Arc::new(Resolution { parts, tests }))
    }

    /// A column's dictionary, read where nobody has.
    async fn dictionary(
        &mut self,
        id: ColumnId,
        older: bool,
    ) -> Result<(Key, Arc<Dictionary>), Halt> {
        let column = self.loaded.catalog.column(id);
        let key = Key {
            database: self.identity.database.clone(),
            relation: column.relation,
            number: column.number,
            keyring: column.keyring.clone(),
        };
        let known = self.proxy.dictionaries.get(&key).filter(|_| !older);
        let (relation, number) = (column.relation, column.number);
        if let Some(dictionary) = known {
            if dictionary.is_behind() {
                let Known { since, open, .. } = dictionary.known();
                let newer = format!(
                    "SELECT c.token FROM pgveil.changes c \
                     WHERE c.relation OPERATOR(pg_catalog.=) '{relation}'::pg_catalog.oid \
                       AND c.number OPERATOR(pg_catalog.=) '{number}'::pg_catalog.int2 \
                       AND (c.xid OPERATOR(pg_catalog.>=) '{since}'::pg_catalog.xid8 \
                         OR c.xid OPERATOR(pg_catalog.=) ANY ({}::pg_catalog.xid8[]))",
                    quote_literal(&open)
                );
                let rows = self.own_step(&[&load_query(relation, number, &newer)]).await?;
                let head = self.fill(id, &dictionary, rows).await?;
                if let Some(head) =
                    head.filter(|head| head.fingerprint == dictionary.known().fingerprint)
                {
                    dictionary.advance(head.since, head.open);
                }
            }
            return Ok((key, dictionary));
        }
        let all = format!(
            "SELECT DISTINCT c.{0} FROM {1} c WHERE c.{0} IS NOT NULL",
            quote_ident(&column.column),
            quote_name(&column.schema, &column.table)
        );
        let rows = self.own_step(&[&load_query(relation, number, &all)]).await?;
        let dictionary = Arc::new(Dictionary::new(Known {
            first: String::new(),
            since: 0,
            open: "{}".to_owned(),
            fingerprint: String::new(),
        }));
        let Some(head) = self.fill(id, &dictionary, rows).await? else {
            return Err(secured().into());
        };
        dictionary.set(head);
        if !older && !self.proxy.dictionaries.put(&key, &dictionary) {
            return Err(too_large().into());
        }
        Ok((key, dictionary))
    }

    /// Takes the rows of [`load_query`]. `None`: this session may not see everything.
    async fn fill(
        &self,
        column: ColumnId,
        dictionary: &Arc<Dictionary>,
        rows: Vec<StepRows>,
    ) -> Result<Option<Known>, Halt> {
        let (loaded, into) = (Arc::clone(&self.loaded), Arc::clone(dictionary));
        let filled = tokio::task::spawn_blocking(move || take(&loaded, column, &into, &rows));
        Ok(filled.await.map_err(|_| not_evaluated("the values could not be read"))??)
    }

    /// Whether a notice is a report of `pgveil.delta`, which it then takes.
    pub(crate) fn takes_report(&mut self, fields: &ErrorFields<'_>) -> bool {
        if fields.get(b'M') != Some(DELTA) {
            return false;
        }
        let Some(mut judging) = self.judging.take() else { return true };
        if judging.state == State::Open {
            let detail = fields.get(b'D').and_then(|detail| str::from_utf8(detail).ok());
            judging.state = self.judge(&mut judging, detail.unwrap_or_default());
        }
        self.judging = Some(judging);
        true
    }

    fn judge(&self, judging: &mut Judging, report: &str) -> State {
        let mut fields = report.splitn(4, ';');
        let mut next = || fields.next().unwrap_or_default();
        let (relation, number, state, tokens) = (next(), next(), next(), next());
        let of = |part: &&Part| {
            part.relation.to_string() == relation && part.number.to_string() == number
        };
        match state {
            "complete" => {}
            "older" => {
                judging.older = true;
                return State::Wrong;
            }
            _ => {
                for part in judging.resolution.parts.iter().filter(of) {
                    self.proxy.dictionaries.forget(&part.key, &part.dictionary);
                }
                return State::Wrong;
            }
        }
        let mut wrong = false;
        let mut value = Vec::new();
        let mut count = 0;
        for token in tokens.split(',').filter(|token| !token.is_empty()) {
            count += 1;
            let Some(handle) = handle_of(token) else { continue };
            for part in judging.resolution.parts.iter().filter(of) {
                if part.dictionary.place(&handle).is_some_and(|place| place < part.of) {
                    continue;
                }
                value.clear();
                let opened =
                    judging.loaded.sealing.open_into(part.column, token.as_bytes(), &mut value);
                let Ok(text) =
                    opened.map_err(|_| ()).and_then(|()| str::from_utf8(&value).map_err(|_| ()))
                else {
                    wrong = true;
                    continue;
                };
                wrong |= match part.decides {
                    Decides::Truth { .. } => part.program.test(&[Some(text)]) != Ok(Some(false)),
                    // It has no rank, wherever it belongs.
                    Decides::Rank(_) => true,
                };
                part.dictionary.insert(handle, text);
            }
        }
        if count > MANY {
            judging
                .resolution
                .parts
                .iter()
                .filter(of)
                .for_each(|part| part.dictionary.fall_behind());
        }
        judging.reports += 1;
        if wrong {
            State::Wrong
        } else if judging.reports >= judging.resolution.tests {
            State::Right
        } else {
            State::Open
        }
    }

    /// Moves what a response added to the client's output behind `start` to what waits, or sends
    /// what has waited.
    pub(crate) fn hold(&mut self, start: usize) {
        let Some(judging) = &mut self.judging else { return };
        let out = self.link.client.output.tail();
        match judging.state {
            State::Open => {
                judging.held.extend(out.drain(start..));
                if judging.held.len() > HELD {
                    judging.held.clear();
                    judging.state = State::Right;
                    self.break_off(&too_many_rows());
                }
            }
            State::Wrong => {
                out.truncate(start);
                judging.held.clear();
            }
            State::Right => {
                if !judging.held.is_empty() {
                    let after = out.split_off(start);
                    out.append(&mut judging.held);
                    out.extend(after);
                }
            }
        }
    }

    /// The response that comes belongs to the statement whose rows wait.
    pub(crate) fn judges_front(&mut self) -> bool {
        self.judging.as_ref().is_some_and(|judging| !judging.is_settled())
            && self.judges_front_at_all()
    }

    /// The same, be it known by now that they are right.
    pub(crate) fn judges_front_at_all(&mut self) -> bool {
        match (&self.judging, self.queue.front()) {
            (Some(judging), Some(entry)) => judging.seq == entry.seq,
            _ => false,
        }
    }

    /// The statement failed: the rows before the error are right.
    pub(crate) fn drop_judging(&mut self) {
        if let Some(mut judging) = self.judging.take()
            && judging.state != State::Wrong
        {
            self.link.client.output.tail().append(&mut judging.held);
        }
    }

    /// The statement came to its end. True: it runs again, and the client gets nothing of this
    /// run.
    pub(crate) fn ends_judging(&mut self) -> bool {
        let Some(mut judging) = self.judging.take() else { return false };
        if judging.state == State::Wrong && !self.silenced {
            self.again = Some(judging);
            return true;
        }
        self.link.client.output.tail().append(&mut judging.held);
        false
    }

    /// Runs a statement again whose rows were not right.
    pub(crate) async fn run_again(&mut self, judging: Box<Judging>) -> Result<(), Halt> {
        let Judging { runs, older, once, rerun, .. } = *judging;
        let refusal = (runs >= RUNS || once).then(changed_meanwhile);
        self.resolving_again = Some((runs + 1, older));
        match (rerun, refusal) {
            (Rerun::Script(analysed), None) => {
                // Its text is never the client's own, so there is nothing to forward.
                let frame = Frame { tag: tag::QUERY, bytes: &[] };
                self.send_script(frame, &analysed).await
            }
            (Rerun::Script(analysed), Some(refusal)) => {
                self.refuse_query(refusal, &analysed.text);
                Ok(())
            }
            (Rerun::Portal { bind, execute }, refusal) => {
                self.bind_again(&bind, &execute, refusal).await
            }
        }
    }

    /// Waits for the reports on a statement that was sent.
    pub(crate) fn judge_next(&mut self, resolution: Arc<Resolution>, rerun: Rerun, once: bool) {
        let (loaded, seq) = (Arc::clone(&self.loaded), self.upcoming());
        let mut judging = Judging::new(resolution, loaded, rerun, seq, once);
        if let Some((runs, older)) = self.resolving_again.take() {
            judging.runs = runs;
            judging.older = older;
        }
        self.judging = Some(Box::new(judging));
    }
}

/// What a dictionary's values say of an expression, and how many values that are.
async fn decide(
    resolve: &Resolve,
    expr: Expr,
    dictionary: &Arc<Dictionary>,
    program: &Arc<Program>,
) -> Result<(Decides, usize), Refusal> {
    // Over many values it takes a while, and others wait for this thread.
    let (shared, evaluated) = (Arc::clone(dictionary), Arc::clone(program));
    let broken_off = |_| not_evaluated("the evaluation was broken off");
    if let Finds::Rank(collation) = &resolve.finds {
        let collation = collation.clone();
        // What depends on a parameter is hardly asked again.
        let kept = resolve.params.is_empty();
        let ranked =
            tokio::task::spawn_blocking(move || shared.rank(&evaluated, expr, &collation, kept));
        let ranked = ranked.await.map_err(broken_off)?.map_err(|error| failed(&error))?;
        let of = ranked.of;
        return Ok((Decides::Rank(ranked), of));
    }
    let found = tokio::task::spawn_blocking(move || shared.partition(&evaluated));
    let found = found.await.map_err(broken_off)?;
    if let Some(error) = found.failed {
        return Err(failed(&error));
    }
    let (mut matched, mut unknown) = (array(&found.matched), array(&found.unknown));
    match program.test(&[None]).map_err(|error| failed(&error))? {
        Some(true) => push(&mut matched, "\"\""),
        Some(false) => {}
        None => push(&mut unknown, "\"\""),
    }
    matched.push('}');
    unknown.push('}');
    Ok((Decides::Truth { matched, unknown }, found.of))
}

/// One row about the snapshot, and tokens, in one statement and so in one snapshot.
fn load_query(relation: u32, number: i16, tokens: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text, \
           CASE WHEN pg_catalog.pg_is_in_recovery() \
             THEN pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) \
             ELSE pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()) END::pg_catalog.text, \
           (CASE WHEN pg_catalog.pg_is_in_recovery() THEN '{{}}'::pg_catalog.xid8[] \
             ELSE pg_catalog.array_remove(pg_catalog.array_append( \
               ARRAY(SELECT pg_catalog.pg_snapshot_xip(pg_catalog.pg_current_snapshot())), \
               pg_catalog.pg_current_xact_id_if_assigned()), NULL) END)::pg_catalog.text, \
           pgveil.fingerprint('{relation}'::pg_catalog.oid), \
           (pg_catalog.row_security_active('{relation}'::pg_catalog.oid) OR NOT \
             pg_catalog.has_column_privilege('{relation}'::pg_catalog.oid, \
               '{number}'::pg_catalog.int2, 'SELECT'))::pg_catalog.text, NULL \
         UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, t.token FROM ({tokens}) AS t(token)"
    )
}

/// The rows cannot be used.
struct Unreadable;

impl From<NotText> for Unreadable {
    fn from(NotText: NotText) -> Self {
        Self
    }
}

/// Puts tokens into a dictionary; what it is complete up to.
fn take(
    loaded: &Loaded,
    column: ColumnId,
    dictionary: &Dictionary,
    rows: &[StepRows],
) -> Result<Option<Known>, Refusal> {
    let mut known = None;
    let mut value = Vec::new();
    for rows in rows {
        let read = rows.each::<Unreadable>(|cells| match cells {
            [_, _, _, _, _, Some(token)] => {
                value.clear();
                let opened = loaded.sealing.open_into(column, token.as_bytes(), &mut value);
                let text = opened
                    .map_err(|_| Unreadable)
                    .and_then(|()| str::from_utf8(&value).map_err(|_| Unreadable))?;
                dictionary.insert(handle_of(token).ok_or(Unreadable)?, text);
                Ok(())
            }
            [Some(first), Some(since), Some(open), Some(fingerprint), Some(secured), None] => {
                if *secured == "false" {
                    known = Some(Known {
                        first: (*first).to_owned(),
                        since: since.parse().map_err(|_| Unreadable)?,
                        open: (*open).to_owned(),
                        fingerprint: (*fingerprint).to_owned(),
                    });
                }
                Ok(())
            }
            _ => Err(Unreadable),
        });
        if read.is_err() {
            let column = loaded.catalog.column(column);
            return Err(Refusal {
                code: "58000",
                message: format!(
                    "a token in column \"{}\" of relation \"{}\" cannot be opened",
                    column.column, column.table
                ),
                detail: None,
                hint: Some("Run `pgveil check`.".to_owned()),
                position: None,
            });
        }
    }
    Ok(known)
}

/// `{handle,handle`, in PostgreSQL's text form: handles need no quotes.
fn array(handles: &[Handle]) -> String {
    let mut array = String::with_capacity(1 + handles.len() * 21);
    array.push('{');
    for handle in handles {
        push(&mut array, str::from_utf8(handle).unwrap_or_default());
    }
    array
}

fn push(array: &mut String, element: &str) {
    if array.len() > 1 {
        array.push(',');
    }
    array.push_str(element);
}

/// An element of an array in PostgreSQL's text form.
fn quoted(element: &str) -> String {
    format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The server raises such an error where a row that it reaches has the value, and nowhere else.
fn failed(error: &EvalError) -> Refusal {
    match error {
        EvalError::Unsupported(what) => not_evaluated(what),
        error => not_evaluated(&format!("It fails for some value of the column: {error}.")),
    }
}

fn not_evaluated(why: &str) -> Refusal {
    Refusal {
        code: "0A000",
        message: "pgveil cannot evaluate this expression over a protected column".to_owned(),
        detail: Some(why.to_owned()),
        hint: Some("Compare with =, or evaluate it in the application.".to_owned()),
        position: None,
    }
}

fn secured() -> Refusal {
    Refusal {
        code: "0A000",
        message: "expressions over protected columns are not evaluated under row security"
            .to_owned(),
        detail: Some("This role does not see every value of the column.".to_owned()),
        hint: Some("Compare with =, or ask as a role that row security does not restrict.".into()),
        position: None,
    }
}

fn too_large() -> Refusal {
    Refusal {
        code: "54000",
        message: "a protected column has more values than may be kept for evaluation".to_owned(),
        detail: None,
        hint: Some("Raise `limits.dictionary_memory` in pgveil's configuration.".to_owned()),
        position: None,
    }
}

fn too_many_rows() -> Refusal {
    Refusal {
        code: "54000",
        message: "too many rows come before it is known whether they are right".to_owned(),
        detail: None,
        hint: Some("Put the predicate over the protected column first, or use LIMIT.".to_owned()),
        position: None,
    }
}

fn changed_meanwhile() -> Refusal {
    Refusal {
        code: "40001",
        message: "could not serialize access due to concurrent update".to_owned(),
        detail: Some(
            "Values that a predicate matches, or that rows are ordered by, were written meanwhile."
                .to_owned(),
        ),
        hint: Some("The transaction might succeed if retried.".to_owned()),
        position: None,
    }
}
