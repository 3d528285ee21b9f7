//! One client's session: both sockets, the queue of what the server owes, and everything that is
//! known about the server's side of it.
//!
//! The loop alternates between what the server has sent ([`crate::responses`], which never waits)
//! and what the client has sent ([`crate::simple`], [`crate::extended`], which may wait for own
//! steps, [`crate::own_step`]). While it waits, the client's next bytes stay in its socket.

use std::sync::Arc;
use std::time::Instant;

use pgveil_policy::{Reviewer, SessionFacts};
use pgveil_sql::catalog::{Catalog, Settings};
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::{self, TransactionStatus, tag as server_tag};
use pgveil_wire::frame::{self, Frame, SMALL_LIMIT};
use pgveil_wire::frontend::tag;
use tokio::sync::watch;

use crate::cancel;
use crate::catalog_cache::Loaded;
use crate::copying::Copying;
use crate::errors::{self, Context, Severity, fatal};
use crate::expectation::{BOUND, Change, Expectation, Expected, Owner, Queue};
use crate::names::Names;
use crate::output::Scratch;
use crate::own_step::Step;
use crate::peer::{Buffer, ClientGone, HIGH_WATER, Link};
use crate::prepared::{Access, Portal, Prepared};
use crate::proxy::Proxy;
use crate::resolving::Judging;
use crate::sealing::Sealing;
use crate::startup::{Authenticated, Identity};

/// How a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// All has been said.
    Over,
    /// The client can neither be read nor written.
    ClientGone,
    /// The server closed the connection without a word.
    ServerGone,
    /// The server sent what is not an answer to what was asked.
    BadServer(&'static str),
    /// The client gets this, and the session ends.
    Refused(Refusal),
}

impl From<ClientGone> for End {
    fn from(ClientGone(error): ClientGone) -> Self {
        tracing::debug!(%error, "the client is gone");
        Self::ClientGone
    }
}

/// Why a client's message is not carried out as it came.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It is refused, in its place among the answers.
    Refused(Refusal),
    /// An earlier message failed: the server skips everything up to the next Sync.
    Skipped,
    /// It must wait until the server has answered what was sent before.
    Wait,
    /// The session is over.
    Ended(End),
}

impl From<End> for Halt {
    fn from(end: End) -> Self {
        Self::Ended(end)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What must be read again before the next statement in scope.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stale {
    pub(crate) catalog: bool,
    pub(crate) settings: bool,
}

/// A session whose client the server let in.
#[expect(clippy::struct_excessive_bools, reason = "facts that hold in nearly all combinations")]
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) link: Link,
    pub(crate) identity: Identity,
    /// Process id and secret key, for cancel requests.
    backend_key: Option<(u32, Box<[u8]>)>,

    pub(crate) queue: Queue,
    next_seq: u64,
    pub(crate) statements: Names<Prepared>,
    pub(crate) portals: Names<Portal>,
    /// Syncs sent so far.
    pub(crate) batch: u64,
    /// The client has sent something since its last Sync that a Sync of ours would commit.
    pub(crate) batch_open: bool,
    /// Something was executed since the last Sync that may write.
    pub(crate) batch_writes: bool,
    /// Something was sent that the server need not answer before a Flush or Sync.
    pub(crate) unflushed: bool,
    /// The server skips everything up to the next Sync, and so do we.
    pub(crate) skipping: bool,
    /// The client was given an error that the server does not know of, and its Sync has not been
    /// sent: the transaction must fail before it.
    pub(crate) poisoned: bool,
    /// The client was given an error of ours: what the server answers up to the next
    /// ReadyForQuery is not for it.
    pub(crate) silenced: bool,
    /// The server reads copy data, and the client has not ended it.
    pub(crate) copying: bool,
    /// The COPY under way, if its data needs work.
    pub(crate) copy: Option<Box<Copying>>,
    /// So many bytes of the client's copy data belong to a message whose header was taken.
    copy_left: usize,
    /// What ended a COPY FROM: it stands for the error that the server will raise.
    pub(crate) copy_error: Option<Box<(Refusal, Context)>>,
    /// The client's next message waits for the queue.
    waiting: bool,
    /// The client said goodbye.
    terminated: bool,
    /// The server said FATAL.
    pub(crate) server_ended: bool,
    /// As of the last ReadyForQuery.
    pub(crate) status: TransactionStatus,

    pub(crate) loaded: Arc<Loaded>,
    /// The catalog was read inside a transaction, or has temporary tables: it is not shared.
    pub(crate) private: bool,
    /// When the catalog was last known to be right.
    pub(crate) checked: Instant,
    pub(crate) settings: Arc<Settings>,
    /// The server's major version.
    pub(crate) server_version: u32,
    /// The server says when the search path changes (PostgreSQL 18 does).
    pub(crate) reports_search_path: bool,
    pub(crate) stale: Stale,
    /// Settings or the catalog were changed in the transaction under way: its end may take that
    /// back.
    pub(crate) touched: Stale,
    /// `pgveil.reveal`, as of the last answer.
    pub(crate) reveal: bool,
    /// `session_user` and `application_name`, as last read.
    pub(crate) facts: SessionFacts,
    pub(crate) reviewer: Reviewer,
    pub(crate) plain: Arc<Access>,
    /// What the last statement in scope may show: for errors that come with the commit.
    pub(crate) last_access: Option<Arc<Access>>,
    /// The last statement in scope as it went upstream.
    pub(crate) last_rewrite: Option<Arc<pgveil_sql::plan::Rendered>>,

    /// The statement whose rows wait to be known as right.
    pub(crate) judging: Option<Box<Judging>>,
    /// The one that has to run again.
    pub(crate) again: Option<Box<Judging>>,
    /// What runs is a statement's run of this number, in a snapshot that may be older than what
    /// is known.
    pub(crate) resolving_again: Option<(u32, bool)>,
    /// The own step under way.
    pub(crate) step: Option<Step>,
    pub(crate) scratch: Scratch,
}

impl Session {
    /// Serves the session to its end.
    pub(crate) async fn run(
        proxy: Arc<Proxy>,
        authenticated: Authenticated,
        deadline: tokio::time::Instant,
        stopped: watch::Receiver<bool>,
    ) {
        let mut session = Self::new(proxy, authenticated);
        let end = match tokio::time::timeout_at(deadline, session.begin()).await {
            Ok(Ok(())) => session.serve(stopped).await,
            Ok(Err(end)) => end,
            Err(_) => End::Refused(fatal("57014", "the session was not ready in time", "")),
        };
        session.finish(end).await;
    }

    fn new(proxy: Arc<Proxy>, authenticated: Authenticated) -> Self {
        let Authenticated { link, identity } = authenticated;
        let catalog = Catalog::default();
        let sealing = Sealing::new(&catalog, &proxy.keys);
        let reviewer = Reviewer::new(Arc::clone(&proxy.policies));
        Self {
            link,
            backend_key: None,
            queue: Queue::default(),
            next_seq: 0,
            statements: Names::default(),
            portals: Names::default(),
            batch: 0,
            batch_open: false,
            batch_writes: false,
            unflushed: false,
            skipping: false,
            poisoned: false,
            silenced: false,
            copying: false,
            copy: None,
            copy_left: 0,
            copy_error: None,
            waiting: false,
            terminated: false,
            server_ended: false,
            status: TransactionStatus::Idle,
            loaded: Arc::new(Loaded::new(catalog, sealing)),
            private: false,
            checked: Instant::now(),
            // Read before the first statement: see `begin`.
            settings: Arc::new(Settings {
                search_path: Vec::new(),
                role: identity.user.clone(),
                standard_conforming_strings: true,
                client_encoding: String::new(),
                server_encoding: String::new(),
            }),
            server_version: 0,
            reports_search_path: false,
            stale: Stale { catalog: true, settings: true },
            touched: Stale::default(),
            reveal: true,
            facts: SessionFacts {
                user: identity.user.clone(),
                role: identity.user.clone(),
                database: identity.database.clone(),
                application_name: identity.application_name.clone(),
                client_address: identity.address.clone().unwrap_or_default(),
            },
            reviewer,
            plain: Arc::new(Access::plain()),
            last_access: None,
            last_rewrite: None,
            judging: None,
            again: None,
            resolving_again: None,
            step: None,
            scratch: Scratch::default(),
            proxy,
            identity,
        }
    }

    /// From AuthenticationOk to the first ReadyForQuery: passes the server's greeting on, and
    /// reads the catalog before the client may speak.
    async fn begin(&mut self) -> Result<(), End> {
        let ready = self.greeting().await?;
        match self.first_read().await {
            Ok(()) => {}
            Err(Halt::Ended(end)) => return Err(end),
            Err(Halt::Refused(refusal)) => return Err(End::Refused(refusal)),
            Err(Halt::Skipped | Halt::Wait) => {
                return Err(End::BadServer("the first own step was not answered"));
            }
        }
        self.link.client.output.tail().extend_from_slice(&ready);
        Ok(())
    }

    /// Passes on what comes up to ReadyForQuery, and returns that.
    async fn greeting(&mut self) -> Result<Vec<u8>, End> {
        loop {
            let found = frame::first(self.link.server.input.data(), self.proxy.options.max_frame);
            match found {
                Err(_) => return Err(End::BadServer("not a message")),
                Ok(None) if self.link.server.eof => return Err(End::ServerGone),
                Ok(None) => self.link.turn(false, true).await?,
                Ok(Some(Frame { tag, bytes })) => {
                    let size = bytes.len();
                    let body = &bytes[frame::HEADER..];
                    match tag {
                        server_tag::READY_FOR_QUERY => {
                            let ready = bytes.to_vec();
                            self.link.server.input.consume(size);
                            return Ok(ready);
                        }
                        server_tag::BACKEND_KEY_DATA => {
                            if let Ok((process, key)) = backend::backend_key_data(body) {
                                self.backend_key = Some((process, key.into()));
                                tracing::Span::current().record("id", process);
                            }
                        }
                        server_tag::PARAMETER_STATUS => match backend::parameter_status(body) {
                            Ok((b"search_path", _)) => self.reports_search_path = true,
                            Ok((b"server_version", version)) => {
                                self.server_version = major(version);
                            }
                            _ => {}
                        },
                        server_tag::ERROR_RESPONSE => self.server_ended = true,
                        _ => {}
                    }
                    self.link.client.output.tail().extend_from_slice(bytes);
                    self.link.server.input.consume(size);
                    if self.server_ended {
                        return Err(End::Over);
                    }
                }
            }
        }
    }

    async fn serve(&mut self, mut stopped: watch::Receiver<bool>) -> End {
        loop {
            match self.advance().await {
                Ok(()) => {}
                Err(end) => return end,
            }
            if *stopped.borrow() && self.is_at_rest() {
                let message = "terminating connection due to administrator command";
                return End::Refused(fatal("57P01", message, ""));
            }
            let hear_client = !self.waiting && self.may_send();
            let hear_server = self.link.client.output.len() < HIGH_WATER;
            tokio::select! {
                turned = self.link.turn(hear_client, hear_server) => {
                    if let Err(gone) = turned {
                        return gone.into();
                    }
                }
                Ok(()) = stopped.changed() => {}
            }
        }
    }

    /// Takes what both sides have sent as far as it goes.
    async fn advance(&mut self) -> Result<(), End> {
        self.serve_server()?;
        self.serve_client().await?;
        if self.link.client.eof && !self.waiting && self.may_send() {
            // Half closed, or gone: the server finishes what was sent, and ends.
            self.link.server.finish_writing();
        }
        if self.link.server.eof && self.link.client.output.len() < HIGH_WATER {
            let expected = self.terminated || self.server_ended || self.link.client.eof;
            return Err(if expected { End::Over } else { End::ServerGone });
        }
        Ok(())
    }

    /// Nothing is under way: the session could end between two transactions.
    fn is_at_rest(&self) -> bool {
        self.queue.is_empty()
            && !self.batch_open
            && self.status == TransactionStatus::Idle
            && self.link.client.input.is_empty()
    }

    /// True when more may be sent to the server.
    fn may_send(&self) -> bool {
        self.link.server.output.len() < HIGH_WATER && self.queue.len() < BOUND
    }

    async fn serve_client(&mut self) -> Result<(), End> {
        self.waiting = false;
        let Link { client, server } = &mut self.link;
        client.pass_on(server);
        if client.passing > 0 {
            return Ok(());
        }
        if let Some(again) = self.again.take() {
            match self.run_again(again).await {
                Ok(()) | Err(Halt::Skipped | Halt::Wait) => {}
                Err(Halt::Refused(refusal)) => return Err(End::Refused(refusal)),
                Err(Halt::Ended(end)) => return Err(end),
            }
        }
        if self.judging.is_some() {
            self.waiting = true;
            self.push_through();
            return Ok(());
        }
        // Taken out, so that a message can be read while the session changes. Own steps do not
        // listen to the client, so nothing is added meanwhile.
        let mut input = std::mem::take(&mut self.link.client.input);
        let result = self.take_client(&mut input).await;
        self.link.client.input = input;
        result
    }

    async fn take_client(&mut self, input: &mut Buffer) -> Result<(), End> {
        let limit = self.proxy.options.max_frame;
        while !self.terminated {
            if self.judging.is_some() {
                self.waiting = true;
                self.push_through();
                return Ok(());
            }
            if !self.may_send() {
                self.push_through();
                return Ok(());
            }
            if self.copy_left > 0 {
                let there = input.len().min(self.copy_left);
                if there == 0 {
                    return Ok(());
                }
                self.copy_from_client(&input.data()[..there]);
                input.consume(there);
                self.copy_left -= there;
                continue;
            }
            let malformed = |error: frame::FrameError| {
                End::Refused(fatal("08P01", error.to_string(), "The connection cannot go on."))
            };
            let Some(header) = frame::header(input.data(), limit).map_err(malformed)? else {
                return Ok(());
            };
            if is_small(header.tag) && header.size > SMALL_LIMIT {
                let message = format!("invalid message length in message of type {}", header.tag);
                return Err(End::Refused(fatal("08P01", message, "")));
            }
            if header.tag == tag::COPY_DATA && self.copying && self.copy.is_some() {
                input.consume(frame::HEADER);
                self.copy_left = header.size - frame::HEADER;
                continue;
            }
            if input.len() < header.size {
                if header.tag == tag::COPY_DATA && self.copying {
                    let there = input.len();
                    self.link.server.output.tail().extend_from_slice(input.data());
                    input.consume(there);
                    self.link.client.passing = header.size - there;
                } else if header.tag == tag::COPY_DATA && !self.queue.is_empty() {
                    self.waiting = true;
                    self.push_through();
                }
                return Ok(());
            }
            let frame = Frame { tag: header.tag, bytes: &input.data()[..header.size] };
            match self.client_frame(frame).await {
                Ok(()) | Err(Halt::Skipped) => input.consume(header.size),
                Err(Halt::Wait) => {
                    self.waiting = true;
                    self.push_through();
                    return Ok(());
                }
                Err(Halt::Refused(refusal)) => {
                    // Whoever can be refused in place was; the rest cannot go on.
                    return Err(End::Refused(refusal));
                }
                Err(Halt::Ended(end)) => return Err(end),
            }
        }
        Ok(())
    }

    /// Makes the server answer what it has: somebody waits for it.
    pub(crate) fn push_through(&mut self) {
        if self.unflushed && !self.copying {
            pgveil_wire::frontend::write_bare(self.link.server.output.tail(), tag::FLUSH);
            self.unflushed = false;
        }
    }

    async fn client_frame(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        if self.copying
            && !matches!(
                frame.tag,
                tag::COPY_DATA
                    | tag::COPY_DONE
                    | tag::COPY_FAIL
                    | tag::SYNC
                    | tag::FLUSH
                    | tag::TERMINATE
            )
        {
            let message =
                format!("unexpected message type 0x{:02X} during COPY from stdin", frame.tag);
            return Err(fatal("08P01", message, "").into());
        }
        match frame.tag {
            tag::SYNC => self.sync(frame),
            tag::TERMINATE => {
                self.forward(frame);
                self.terminated = true;
                self.link.server.finish_writing();
                Ok(())
            }
            _ if self.skipping => Ok(()),
            tag::QUERY => self.query(frame).await,
            tag::PARSE => self.parse(frame).await,
            tag::BIND => self.bind(frame).await,
            tag::DESCRIBE => self.describe(frame),
            tag::EXECUTE => self.execute(frame),
            tag::CLOSE => {
                self.close(frame);
                Ok(())
            }
            tag::FUNCTION_CALL => {
                self.function_call(frame);
                Ok(())
            }
            tag::FLUSH => {
                self.forward(frame);
                self.unflushed = false;
                Ok(())
            }
            tag::COPY_DONE if self.copying && self.copy.is_some() => {
                if self.copy_done_by_client() {
                    self.forward(frame);
                    self.copying = false;
                }
                Ok(())
            }
            tag::COPY_FAIL if self.copying && self.copy.is_some() => {
                self.copy_failed_by_client(frame.body());
                Ok(())
            }
            tag::COPY_DATA | tag::COPY_DONE | tag::COPY_FAIL if self.copying => {
                self.forward(frame);
                self.copying = frame.tag == tag::COPY_DATA;
                Ok(())
            }
            // Sent ahead of the server's word that it reads them: a COPY that is refused must not
            // send its data on. When there is no COPY the server ignores them.
            tag::COPY_DATA | tag::COPY_DONE | tag::COPY_FAIL if !self.queue.is_empty() => {
                Err(Halt::Wait)
            }
            tag::COPY_DATA | tag::COPY_DONE | tag::COPY_FAIL => Ok(()),
            other => {
                let message = format!("invalid frontend message type {other}");
                Err(fatal("08P01", message, "").into())
            }
        }
    }

    fn sync(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        if self.copying {
            // The server ignores it.
            self.forward(frame);
            return Ok(());
        }
        // Rows are opened before a Sync may commit what stands beside them: if one does not
        // open, the client is told that all of it failed.
        let reveals = |entry: &Expectation| match &entry.expected {
            Expected::Execute { portal: Some(portal), .. } => portal.access.work().is_some(),
            _ => false,
        };
        if self.batch_writes && !self.skipping && self.queue.since_sync(reveals) {
            return Err(Halt::Wait);
        }
        if self.poisoned {
            self.poisoned = false;
            self.poison();
        }
        self.forward(frame);
        self.expect(Owner::Client, Expected::Sync, None);
        self.batch += 1;
        self.batch_open = false;
        self.batch_writes = false;
        self.unflushed = false;
        self.skipping = false;
        Ok(())
    }

    fn function_call(&mut self, frame: Frame<'_>) {
        // Functions of the server's own catalog have oids below 16384 (FirstNormalObjectId).
        let harmless = pgveil_wire::frontend::function_call(frame.body())
            .is_ok_and(|oid| oid < 16384 && !self.loaded.catalog.filter.names(frame.body()));
        if harmless {
            self.forward(frame);
            self.expect(Owner::Client, Expected::FunctionCall, None);
        } else {
            let refusal = Refusal {
                code: "0A000",
                message: "pgveil does not serve function calls in the fast-path protocol".into(),
                detail: Some("Their arguments cannot be told from protected values.".into()),
                hint: Some("Call the function in a statement: SELECT function(...).".into()),
                position: None,
            };
            self.refuse_query(refusal, "");
        }
    }

    /// Sends a client's frame on as it came.
    pub(crate) fn forward(&mut self, frame: Frame<'_>) {
        self.link.server.output.tail().extend_from_slice(frame.bytes);
    }

    /// The number of the next expectation.
    pub(crate) fn upcoming(&self) -> u64 {
        self.next_seq
    }

    /// Notes what the server owes for a message that is being sent.
    pub(crate) fn expect(&mut self, owner: Owner, expected: Expected, change: Option<Change>) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.queue.push(Expectation { seq, owner, expected, change });
    }

    /// Says what there is to say, and closes both sides.
    async fn finish(mut self, end: End) {
        let refusal = match end {
            End::Over => None,
            End::ClientGone => {
                if !self.queue.is_empty()
                    && let Some((process, key)) = &self.backend_key
                {
                    cancel::abandon(&self.proxy.options, *process, key);
                }
                return;
            }
            End::ServerGone => Some(fatal(
                "08006",
                "the database server closed the connection unexpectedly",
                "The server may have ended abnormally: see its log.",
            )),
            End::BadServer(what) => {
                tracing::error!(what, "the server's answer does not fit what was asked");
                Some(fatal("08P01", "the database server sent an unexpected message", ""))
            }
            End::Refused(refusal) => {
                tracing::info!(code = refusal.code, message = %refusal.message, "session refused");
                Some(refusal)
            }
        };
        if let Some(refusal) = refusal
            && self.link.server.passing == 0
        {
            errors::write(self.link.client.output.tail(), Severity::Fatal, &refusal, None);
        }
        self.link.flush_client().await;
        if !self.link.server.eof {
            // The server ends its session when it reads this.
            let mut goodbye = Vec::new();
            pgveil_wire::frontend::write_bare(&mut goodbye, tag::TERMINATE);
            if self.link.client.passing == 0 && self.link.server.output.is_empty() {
                use tokio::io::AsyncWriteExt as _;
                let _ = self.link.server.stream.write_all(&goodbye).await;
            }
        }
    }
}

/// The major version in `server_version`, such as `15.18 (Debian 15.18-0+deb12u1)`.
fn major(version: &[u8]) -> u32 {
    let digits = version.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
    str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Messages that PostgreSQL never takes long.
fn is_small(tag: u8) -> bool {
    matches!(
        tag,
        tag::CLOSE
            | tag::COPY_DONE
            | tag::DESCRIBE
            | tag::EXECUTE
            | tag::FLUSH
            | tag::SYNC
            | tag::TERMINATE
    )
}
