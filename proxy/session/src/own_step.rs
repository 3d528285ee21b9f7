//! Own steps: queries of ours on the client's connection, which it does not see.
//!
//! They are extended protocol, under a name of ours, so that the client's unnamed statement and
//! portal live on. While anything of the client is open since its last Sync they end in Flush: a
//! Sync would commit what it has done. Names in them are qualified, whatever the search path is.

use std::ops::Range;

use bytes::BytesMut;
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::{ErrorFields, tag};
use pgveil_wire::frontend::{tag as client_tag, write_bare};
use pgveil_wire::row::Cells;
use pgwire::messages::Message as _;
use pgwire::messages::extendedquery::{Bind, Close, Execute, Parse};
use std::time::Instant;

use crate::expectation::{Expected, Owner};
use crate::peer::HIGH_WATER;
use crate::session::{End, Halt, Session};

/// Name of the prepared statement and the portal of own steps.
const NAME: &str = "pgveil_step";

/// Bytes of rows that an own step may bring: a catalog of several hundred thousand columns.
const LIMIT: usize = 256 << 20;

/// The rows of one query.
#[derive(Debug, Default)]
pub(crate) struct StepRows {
    bytes: Vec<u8>,
    rows: Vec<Range<usize>>,
}

impl StepRows {
    fn push(&mut self, body: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.rows.push(start..self.bytes.len());
    }

    /// Hands every row's cells over as text. Cells that are not UTF-8 end it with an error.
    pub(crate) fn each<E: From<NotText>>(
        &self,
        mut take: impl FnMut(&[Option<&str>]) -> Result<(), E>,
    ) -> Result<(), E> {
        for row in &self.rows {
            let mut cells = Cells::decode(&self.bytes[row.clone()]).map_err(|_| NotText)?;
            let mut texts = Vec::with_capacity(cells.left());
            for _ in 0..cells.left() {
                let cell = cells.next_cell().map_err(|_| NotText)?;
                texts.push(cell.map(str::from_utf8).transpose().map_err(|_| NotText)?);
            }
            take(&texts)?;
        }
        Ok(())
    }

    /// The text of the first row's first cell.
    pub(crate) fn single(&self) -> Option<String> {
        let mut found = None;
        let read = self.each::<NotText>(|cells| {
            if found.is_none() {
                found = cells.first().copied().flatten().map(str::to_owned);
            }
            Ok(())
        });
        read.ok().and(found)
    }
}

/// A cell is not text in UTF-8.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotText;

/// An own step under way.
#[derive(Debug, Default)]
pub(crate) struct Step {
    results: Vec<StepRows>,
    /// The query whose rows come.
    current: usize,
    size: usize,
    /// The server refused it: SQLSTATE and message.
    error: Option<(String, String)>,
    /// An earlier message of the client's failed: the server skipped it.
    pub(crate) skipped: bool,
    /// Everything was answered.
    pub(crate) done: bool,
}

impl Session {
    /// Runs queries in order and returns their rows, as text. The client's messages wait.
    pub(crate) async fn own_step(&mut self, queries: &[&str]) -> Result<Vec<StepRows>, Halt> {
        if self.skipping {
            return Err(Halt::Skipped);
        }
        self.send_step(queries);
        self.step = Some(Step {
            results: queries.iter().map(|_| StepRows::default()).collect(),
            ..Step::default()
        });
        loop {
            self.serve_server()?;
            if self.step.as_ref().is_none_or(|step| step.done) {
                break;
            }
            if self.link.server.eof && self.link.client.output.len() < HIGH_WATER {
                return Err(Halt::Ended(if self.server_ended {
                    End::Over
                } else {
                    End::ServerGone
                }));
            }
            let hear_server = self.link.client.output.len() < HIGH_WATER;
            self.link.turn(false, hear_server).await.map_err(End::from)?;
        }
        let step = self.step.take().unwrap_or_default();
        if step.skipped {
            return Err(Halt::Skipped);
        }
        match step.error {
            Some((code, message)) => Err(Halt::Refused(step_refusal(&code, message))),
            None => Ok(step.results),
        }
    }

    fn send_step(&mut self, queries: &[&str]) {
        let mut flight = BytesMut::new();
        let name = || Some(NAME.to_owned());
        for query in queries {
            // What an own step that failed has left is closed first. None of these messages is
            // longer than the protocol allows, so encoding them does not fail.
            let encoded = Close::new(b'S', name())
                .encode(&mut flight)
                .and_then(|()| Parse::new(name(), (*query).to_owned(), vec![]).encode(&mut flight))
                .and_then(|()| {
                    Bind::new(name(), name(), vec![], vec![], vec![]).encode(&mut flight)
                })
                .and_then(|()| Execute::new(name(), 0).encode(&mut flight))
                .and_then(|()| Close::new(b'P', name()).encode(&mut flight))
                .and_then(|()| Close::new(b'S', name()).encode(&mut flight));
            if let Err(error) = encoded {
                tracing::error!(%error, "an own step could not be encoded");
            }
            self.expect(Owner::Own, Expected::Close, None);
            self.expect(Owner::Own, Expected::Parse { prepared: None, refusal: None }, None);
            self.expect(Owner::Own, Expected::Bind { portal: None, refusal: None }, None);
            let started = Instant::now();
            self.expect(Owner::Own, Expected::Execute { portal: None, started }, None);
            self.expect(Owner::Own, Expected::Close, None);
            self.expect(Owner::Own, Expected::Close, None);
        }
        let out = self.link.server.output.tail();
        out.extend_from_slice(&flight);
        if self.batch_open {
            write_bare(out, client_tag::FLUSH);
        } else {
            write_bare(out, client_tag::SYNC);
            self.expect(Owner::Own, Expected::Sync, None);
            self.batch += 1;
        }
        self.unflushed = false;
    }

    /// A response to a message of ours other than errors and ReadyForQuery.
    pub(crate) fn step_response(&mut self, response: u8, body: &[u8]) -> Result<(), End> {
        let unexpected = End::BadServer("an own step was answered with something else");
        let Some(entry) = self.queue.front() else { return Err(unexpected) };
        match (&entry.expected, response) {
            (Expected::Parse { .. }, tag::PARSE_COMPLETE)
            | (Expected::Bind { .. }, tag::BIND_COMPLETE)
            | (Expected::Close, tag::CLOSE_COMPLETE) => self.pop_own(),
            (Expected::Execute { .. }, tag::DATA_ROW) => {
                let Some(step) = &mut self.step else { return Err(unexpected) };
                step.size += body.len();
                if step.size > LIMIT {
                    return Err(End::Refused(crate::errors::fatal(
                        "54000",
                        "the database's catalog is too large for pgveil",
                        "",
                    )));
                }
                if let Some(rows) = step.results.get_mut(step.current) {
                    rows.push(body);
                }
            }
            (Expected::Execute { .. }, tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE) => {
                if let Some(step) = &mut self.step {
                    step.current += 1;
                }
                self.pop_own();
            }
            _ => return Err(unexpected),
        }
        Ok(())
    }

    fn pop_own(&mut self) {
        self.queue.pop();
        self.settle_step();
    }

    /// Ends the own step once nothing of it is owed any more.
    pub(crate) fn settle_step(&mut self) {
        if !self.queue.ends_own()
            && let Some(step) = &mut self.step
        {
            step.done = true;
        }
    }

    /// The server refused a message of ours.
    pub(crate) fn step_error(&mut self, fields: &ErrorFields<'_>) {
        let text = |kind| fields.get(kind).map(|t| String::from_utf8_lossy(t).into_owned());
        let (_, synced) = self.queue.fail();
        self.skipping |= !synced;
        if let Some(step) = &mut self.step {
            let code = text(b'C').unwrap_or_default();
            step.error = Some((code, text(b'M').unwrap_or_default()));
        }
        self.settle_step();
    }
}

/// The refusal of a statement whose own step the server refused.
fn step_refusal(code: &str, message: String) -> Refusal {
    // These mean to the client what they mean to us; PostgreSQL, "PostgreSQL Error Codes".
    const PASSED: [&str; 6] = ["25P02", "57014", "57P01", "55P03", "40001", "53200"];
    match PASSED.iter().find(|passed| **passed == code) {
        Some(code) => Refusal { code, message, detail: None, hint: None, position: None },
        None => Refusal {
            code: "58000",
            message: "pgveil cannot read the database's catalog".to_owned(),
            detail: Some(format!("The server says: {message} (SQLSTATE {code}).")),
            hint: Some(
                "The role must be able to read pg_catalog and pgveil.columns: see `pgveil check`."
                    .to_owned(),
            ),
            position: None,
        },
    }
}
