//! What the server sends: each response belongs to the entry at the front of the queue, which
//! says what becomes of it.
//!
//! Nothing here waits, so it may run while an own step is under way.

use std::sync::Arc;
use std::time::Instant;

use pgveil_sql::plan::{Deallocate, Output, Planned, Verb};
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::{self, ErrorFields, TransactionStatus, tag};
use pgveil_wire::frame::{self, HEADER};

use crate::errors::{self, Severity};
use crate::expectation::{Change, Expectation, Expected, Owner};
use crate::output::{self, RowError};
use crate::peer::{HIGH_WATER, Link};
use crate::prepared::{Access, PLAIN, Prepared};
use crate::session::{End, Session};

const UNASKED: End = End::BadServer("nothing was asked");
pub(crate) const UNFIT: End = End::BadServer("the response does not belong to the message");

/// What the server answers next, reduced to what responses need: copies of shared pointers, so
/// that the session can change meanwhile.
enum Head {
    Plain,
    Rows { access: Arc<Access>, loaded: Arc<crate::catalog_cache::Loaded> },
}

impl Session {
    /// Takes what the server has sent, as far as it is complete and the client can take it.
    pub(crate) fn serve_server(&mut self) -> Result<(), End> {
        let Link { client, server } = &mut self.link;
        server.pass_on(client);
        if server.passing > 0 {
            return Ok(());
        }
        // Taken out, so that a message can be read while the session changes.
        let mut input = std::mem::take(&mut self.link.server.input);
        let mut at = 0;
        let result = self.take_server(input.data(), &mut at);
        input.consume(at);
        self.link.server.input = input;
        result
    }

    fn take_server(&mut self, data: &[u8], at: &mut usize) -> Result<(), End> {
        let limit = self.proxy.options.max_frame;
        while self.link.client.output.len() < HIGH_WATER {
            let rest = &data[*at..];
            let passes = self.rows_pass();
            if passes {
                // Rows that need no work go on as one piece.
                let is_row = |tag| matches!(tag, tag::DATA_ROW | tag::COPY_DATA);
                let run = frame::run(rest, limit, is_row);
                if run > 0 {
                    self.link.client.output.tail().extend_from_slice(&rest[..run]);
                    *at += run;
                    continue;
                }
            }
            let not_a_message = |_| End::BadServer("not a message");
            let Some(header) = frame::header(rest, limit).map_err(not_a_message)? else { break };
            let Some(frame) = rest.get(..header.size) else {
                if passes && matches!(header.tag, tag::DATA_ROW | tag::COPY_DATA) {
                    self.link.client.output.tail().extend_from_slice(rest);
                    self.link.server.passing = header.size - rest.len();
                    *at = data.len();
                }
                break;
            };
            *at += header.size;
            let judged = self.judges_front();
            let start = self.link.client.output.tail().len();
            self.server_frame(header.tag, frame)?;
            if judged {
                self.hold(start);
            }
        }
        Ok(())
    }

    /// True when the rows that come are the client's and need no work.
    fn rows_pass(&mut self) -> bool {
        if self.silenced || self.copy.is_some() {
            return false;
        }
        let reveal = self.reveal;
        let holds = self.judges_front();
        let Some(entry) = self.queue.front() else { return false };
        if entry.owner == Owner::Own || holds {
            return false;
        }
        let works = |access: &Access| reveal && access.work().is_some();
        match &entry.expected {
            Expected::Query(None) | Expected::Execute { portal: None, .. } => true,
            Expected::Query(Some(run)) => run.access().is_none_or(|access| !works(access)),
            Expected::Execute { portal: Some(portal), .. } => !works(&portal.access),
            _ => false,
        }
    }

    fn server_frame(&mut self, kind: u8, frame: &[u8]) -> Result<(), End> {
        let body = &frame[HEADER..];
        match kind {
            tag::NOTICE_RESPONSE => self.notice(frame),
            tag::PARAMETER_STATUS => self.parameter_status(frame),
            tag::NOTIFICATION_RESPONSE => self.send(frame),
            tag::ERROR_RESPONSE => self.error(frame)?,
            tag::READY_FOR_QUERY => self.ready(frame)?,
            _ => match self.queue.front() {
                None => return Err(UNASKED),
                Some(entry) if entry.owner == Owner::Own => self.step_response(kind, body)?,
                Some(_) => self.response(kind, frame)?,
            },
        }
        Ok(())
    }

    /// Sends a frame of the server's on as it came.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.link.client.output.tail().extend_from_slice(frame);
    }

    /// Sends a response on, unless the client was given an error in its place.
    fn answer(&mut self, frame: &[u8]) {
        if !self.silenced {
            self.send(frame);
        }
    }

    fn parameter_status(&mut self, frame: &[u8]) {
        if let Ok((name, _)) = backend::parameter_status(&frame[HEADER..]) {
            let matters = matches!(
                name,
                b"client_encoding"
                    | b"search_path"
                    | b"session_authorization"
                    | b"standard_conforming_strings"
            );
            let own = self.step.is_some()
                && self.queue.front().is_some_and(|entry| entry.owner == Owner::Own);
            if own && name == b"client_encoding" {
                // An own step borrows it, and gives it back.
                return;
            }
            self.stale.settings |= matters;
        }
        self.send(frame);
    }

    fn notice(&mut self, frame: &[u8]) {
        if self.queue.front().is_some_and(|entry| entry.owner == Owner::Own) {
            return;
        }
        if self.judging.is_some()
            && let Ok(fields) = ErrorFields::decode(&frame[HEADER..])
            && self.takes_report(&fields)
        {
            return;
        }
        if (errors::may_hold_token(frame) || self.answers_wrapped())
            && let Ok(fields) = ErrorFields::decode(&frame[HEADER..])
        {
            self.rewrite(tag::NOTICE_RESPONSE, &fields);
        } else {
            self.send(frame);
        }
    }

    /// A response to a message of the client's other than errors and ReadyForQuery.
    fn response(&mut self, kind: u8, frame: &[u8]) -> Result<(), End> {
        let Some(entry) = self.queue.front() else { return Err(UNASKED) };
        match (&mut entry.expected, kind) {
            (Expected::Parse { .. }, tag::PARSE_COMPLETE)
            | (Expected::Bind { .. }, tag::BIND_COMPLETE)
            | (Expected::Close, tag::CLOSE_COMPLETE)
            | (Expected::DescribeStatement(_) | Expected::DescribePortal(_), tag::NO_DATA) => {
                self.answer(frame);
                self.pop_settled();
            }
            (Expected::Again, tag::BIND_COMPLETE | tag::CLOSE_COMPLETE) => self.pop_settled(),
            (Expected::DescribeStatement(prepared), tag::PARAMETER_DESCRIPTION) => {
                let prepared = prepared.clone();
                self.parameter_description(frame, prepared.as_deref())?;
            }
            (Expected::DescribeStatement(prepared), tag::ROW_DESCRIPTION) => {
                let prepared = prepared.clone();
                let rows = prepared.as_deref().map(Prepared::rows);
                self.row_description(frame, rows.and_then(Prepared::planned));
                self.pop_settled();
            }
            (Expected::DescribePortal(portal), tag::ROW_DESCRIPTION) => {
                let portal = portal.clone();
                let planned = portal.as_ref().and_then(|portal| portal.prepared.rows().planned());
                self.row_description(frame, planned);
                self.pop_settled();
            }
            (Expected::Query(run), tag::ROW_DESCRIPTION) => {
                let rows = run.as_ref().and_then(|run| run.rows());
                let output = rows.map(|(planned, _)| planned.output.clone());
                self.describe_rows(frame, output.as_deref().unwrap_or_default());
            }
            (Expected::Query(_) | Expected::Execute { .. }, tag::DATA_ROW) => self.row(frame),
            (Expected::Query(_), tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE) => {
                self.script_complete(kind, frame);
            }
            (
                Expected::Execute { .. },
                tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE | tag::PORTAL_SUSPENDED,
            ) => self.execute_complete(kind, frame),
            (Expected::Query(_) | Expected::Execute { .. }, tag::COPY_IN_RESPONSE) => {
                self.copy_in(frame);
            }
            (Expected::Query(_) | Expected::Execute { .. }, tag::COPY_OUT_RESPONSE) => {
                self.copy_out(frame);
            }
            (Expected::Query(_) | Expected::Execute { .. }, tag::COPY_DATA) => {
                self.copy_from_server(frame);
            }
            (Expected::Query(_) | Expected::Execute { .. }, tag::COPY_DONE) => {
                self.copy_done_by_server(frame);
            }
            (Expected::FunctionCall, tag::FUNCTION_CALL_RESPONSE) => self.answer(frame),
            _ => return Err(UNFIT),
        }
        Ok(())
    }

    fn parameter_description(
        &mut self,
        frame: &[u8],
        prepared: Option<&Prepared>,
    ) -> Result<(), End> {
        let params = prepared.and_then(Prepared::planned).map(|planned| &planned.params);
        let (Some(prepared), Some(params)) = (prepared, params.filter(|p| !p.is_identity())) else {
            self.answer(frame);
            return Ok(());
        };
        let types = backend::parameter_description(&frame[HEADER..]).map_err(|_| UNFIT)?;
        let types: Vec<u32> = types.iter().collect();
        let described = output::described_types(params, &prepared.types, &types);
        if !self.silenced {
            let out = self.link.client.output.tail();
            backend::write_parameter_description(out, described.into_iter());
        }
        Ok(())
    }

    fn row_description(&mut self, frame: &[u8], planned: Option<&Planned>) {
        self.describe_rows(frame, planned.map_or(&[][..], |planned| &planned.output));
    }

    fn describe_rows(&mut self, frame: &[u8], output: &[Output]) {
        if self.silenced || output.iter().all(Output::is_plain) {
            return self.answer(frame);
        }
        let out = self.link.client.output.tail();
        let start = out.len();
        out.extend_from_slice(frame);
        if output::patch_description(&mut out[start + HEADER..], output).is_err() {
            out.truncate(start);
            self.stale.catalog = true;
            let refusal = RowError::Shape.refusal(&self.loaded);
            self.break_off(&refusal);
        }
    }

    /// What the rows of the entry at the front need.
    fn head(&mut self) -> Head {
        let Some(entry) = self.queue.front() else { return Head::Plain };
        let (access, loaded) = match &entry.expected {
            Expected::Query(Some(run)) => match (run.access(), run.rows()) {
                (Some(access), Some((_, loaded))) => (access, loaded),
                _ => return Head::Plain,
            },
            Expected::Execute { portal: Some(portal), .. } => {
                (&portal.access, &portal.prepared.rows().loaded)
            }
            _ => return Head::Plain,
        };
        Head::Rows { access: Arc::clone(access), loaded: Arc::clone(loaded) }
    }

    fn row(&mut self, frame: &[u8]) {
        if self.silenced {
            return;
        }
        let Head::Rows { access, loaded } = self.head() else { return self.send(frame) };
        let Some(cells) = access.work().filter(|_| self.reveal) else { return self.send(frame) };
        let utf8 = self.is_utf8_client();
        let out = self.link.client.output.tail();
        let body = &frame[HEADER..];
        let written = output::write_row(out, body, cells, &loaded, utf8, &mut self.scratch);
        if let Err(error) = written {
            if matches!(error, RowError::Shape) {
                self.stale.catalog = true;
            }
            let refusal = error.refusal(&loaded);
            tracing::warn!(code = refusal.code, message = %refusal.message, "a row is not shown");
            self.break_off(&refusal);
        }
    }

    /// Ends what the client sees of the statement whose results come with an error of ours. The
    /// server goes on, unseen, to the next ReadyForQuery; where the client's Sync has not been
    /// sent yet, the transaction fails before it.
    pub(crate) fn break_off(&mut self, refusal: &Refusal) {
        let out = self.link.client.output.tail();
        errors::write(out, Severity::Error, refusal, None);
        self.silenced = true;
        let is_script =
            self.queue.front().is_some_and(|entry| matches!(entry.expected, Expected::Query(_)));
        if !is_script && !self.queue.has_sync() {
            self.skipping = true;
            self.poisoned = true;
        }
    }

    fn script_complete(&mut self, kind: u8, frame: &[u8]) {
        let Some(Expectation { expected: Expected::Query(run), .. }) = self.queue.front() else {
            return;
        };
        let Some(run) = run else { return self.answer(frame) };
        let analysed = run.analysed.clone();
        let (index, started) = (run.current, run.started);
        let access = run.access().cloned();
        run.current += 1;
        run.started = Instant::now();
        let given = match run.given.first() {
            Some((at, _)) if *at == index => Some(run.given.remove(0).1),
            _ => None,
        };
        let planned = analysed.as_ref().and_then(|a| a.script.statements.get(index));
        if let Some(given) = given {
            self.give(given);
        }
        self.complete(kind, frame, planned, access, started);
    }

    fn execute_complete(&mut self, kind: u8, frame: &[u8]) {
        if self.judges_front_at_all() && self.ends_judging() {
            self.pop_settled();
            return;
        }
        let Some(entry) = self.queue.front() else { return };
        let Expected::Execute { portal, started } = &entry.expected else { return };
        let (portal, started) = (portal.clone(), *started);
        let planned = portal.as_ref().and_then(|portal| portal.prepared.planned());
        let access = portal.as_ref().map(|portal| Arc::clone(&portal.access));
        if let Some(portal) = &portal
            && kind == tag::COMMAND_COMPLETE
            && let Some(given) = self.given_by(portal)
        {
            self.give(given);
        }
        self.complete(kind, frame, planned, access, started);
        self.pop_settled();
    }

    /// A statement came to its end, or a portal to a pause.
    fn complete(
        &mut self,
        kind: u8,
        frame: &[u8],
        planned: Option<&Planned>,
        access: Option<Arc<Access>>,
        started: Instant,
    ) {
        let Some(planned) = planned.filter(|_| kind == tag::COMMAND_COMPLETE) else {
            return self.answer(frame);
        };
        let command = backend::command_complete(&frame[HEADER..]).unwrap_or_default();
        let effects = &planned.effects;
        if let Some(change) = effects.reveal {
            self.reveal = change.on;
        }
        match &effects.deallocate {
            Some(Deallocate::Name(name)) => self.statements.forget(name.as_bytes()),
            Some(Deallocate::All) => self.statements.forget_all(),
            None => {}
        }
        match &effects.close {
            Some(Deallocate::Name(name)) => self.portals.forget(name.as_bytes()),
            Some(Deallocate::All) => self.portals.forget_all(),
            None => {}
        }
        if command == b"ROLLBACK" {
            // To a savepoint, perhaps: what was set since is taken back.
            self.stale.settings |= self.touched.settings;
            self.stale.catalog |= self.touched.catalog;
        }
        if let Some(access) = access {
            log(planned, &access, started, "done");
            if access.verdict != PLAIN {
                self.last_access = Some(access);
            }
        }
        if self.silenced {
            return;
        }
        if matches!(planned.verb, Verb::Pgveil(_)) {
            backend::write_command_complete(self.link.client.output.tail(), b"SHOW");
        } else if let Some(tag) = planned.wrapped {
            backend::write_command_complete(self.link.client.output.tail(), tag.as_bytes());
        } else {
            self.send(frame);
        }
    }

    /// Takes the entry at the front, which succeeded.
    fn pop_settled(&mut self) {
        let Some(entry) = self.queue.pop() else { return };
        match &entry.change {
            Some(Change::Statement(name)) => self.statements.settle(name, entry.seq),
            Some(Change::Portal(name)) => self.portals.settle(name, entry.seq),
            Some(Change::Unnamed) => {
                self.statements.settle(b"", entry.seq);
                self.portals.settle(b"", entry.seq);
            }
            None => {}
        }
    }

    /// Takes back what an entry that failed, or was skipped, would have changed.
    pub(crate) fn revert(&mut self, entry: &Expectation, failed: bool) {
        match &entry.change {
            Some(Change::Statement(name)) => {
                // A failed Parse ends the unnamed statement all the same.
                let parse = matches!(entry.expected, Expected::Parse { .. });
                let destroyed = failed && parse && name.is_empty();
                self.statements.revert(name, entry.seq, destroyed);
            }
            Some(Change::Portal(name)) => self.portals.revert(name, entry.seq, false),
            Some(Change::Unnamed) => {
                self.statements.revert(b"", entry.seq, false);
                self.portals.revert(b"", entry.seq, false);
            }
            None => {}
        }
    }

    fn ready(&mut self, frame: &[u8]) -> Result<(), End> {
        let status = backend::ready_for_query(&frame[HEADER..]).map_err(|_| UNFIT)?;
        let Some(entry) = self.queue.front() else { return Err(UNASKED) };
        if !matches!(entry.expected, Expected::Sync | Expected::Query(_) | Expected::FunctionCall) {
            return Err(UNFIT);
        }
        let owner = entry.owner;
        let again = self.judges_front_at_all() && self.ends_judging();
        self.pop_settled();
        self.status = status;
        if status == TransactionStatus::Idle {
            self.portals.forget_unless(|portal| portal.hold);
            self.stale.settings |= self.touched.settings;
            self.stale.catalog |= self.touched.catalog;
            if self.queue.is_empty() {
                self.touched = crate::session::Stale::default();
            }
        }
        match owner {
            Owner::Client if again => {}
            Owner::Client => {
                self.silenced = false;
                self.send(frame);
            }
            Owner::Own => self.settle_step(),
        }
        Ok(())
    }
}

/// A span for each statement in scope, closed with how long it took: what it did, and never a
/// value.
fn log(planned: &Planned, access: &Access, started: Instant, outcome: &'static str) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let relations: Vec<String> =
        planned.facts.relations.iter().map(|r| format!("{}.{}", r.schema, r.table)).collect();
    let span = tracing::debug_span!(
        "statement",
        verb = planned.facts.verb,
        relations = relations.join(","),
        verdict = access.verdict,
    );
    let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(microseconds, outcome, "answered"));
}
