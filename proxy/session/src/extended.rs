//! The extended query protocol: Parse, Bind, Describe, Execute, Close.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pgveil_sql::plan::{Finds, Planned, RESOLVED_PARAMS, Referred, ServerParam, Slot, Verb};
use pgveil_sql::refusal::Refusal;
use pgveil_sql::{Found, REFUSED, Resolved, render};
use pgveil_wire::frame::{Frame, HEADER};
use pgveil_wire::frontend::{self, Bind, BindBuilder, Parse, Target};

use crate::catalog_cache::Loaded;
use crate::expectation::{Change, Expected, Owner, Placed};
use crate::names::{Lookup, Meaning};
use crate::params;
use crate::prepared::{Access, Analysed, Portal, Prepared};
use crate::resolving::{Rerun, Resolution};
use crate::session::{Halt, Session};
use crate::simple::{malformed, own_script, seal_literal, without_position};

/// A prepared statement that no client has: binding to it is how the server raises an error at a
/// Bind.
const NO_STATEMENT: &[u8] = b"pgveil_refused";

/// Prepared statements that a session may have, and portals.
const MAX_NAMES: usize = 65_536;

/// Bytes of a Bind that are kept for the details of its errors.
const KEPT_BIND: usize = 16 * 1024;

impl Session {
    /// A Parse.
    pub(crate) async fn parse(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        let Ok(parse) = Parse::decode(frame.body()) else {
            self.refuse_parse(b"", malformed(), "");
            return Ok(());
        };
        let types: Vec<u32> = parse.types.iter().collect();
        let prepared = match self.read(parse.text, &types).await {
            Ok(None) if self.statements.len() < MAX_NAMES => {
                self.forward(frame);
                self.expect_parse(parse.name, Meaning::Other, None);
                return Ok(());
            }
            Ok(None) => Err(too_many("prepared statements").into()),
            Ok(Some(analysed)) => self.prepare(analysed, &types).await,
            Err(halt) => Err(halt),
        };
        match prepared {
            Ok(prepared) => self.send_parse(frame, &parse, prepared),
            Err(Halt::Refused(refusal)) => {
                self.refuse_parse(parse.name, refusal, &String::from_utf8_lossy(parse.text));
            }
            Err(halt) => return Err(halt),
        }
        Ok(())
    }

    /// Renders the statement of a Parse.
    async fn prepare(&mut self, analysed: Arc<Analysed>, types: &[u32]) -> Result<Prepared, Halt> {
        if self.statements.len() >= MAX_NAMES {
            return Err(too_many("prepared statements").into());
        }
        if analysed.script.statements.len() > 1 {
            return Err(Refusal {
                code: "42601",
                message: "cannot insert multiple commands into a prepared statement".to_owned(),
                detail: None,
                hint: None,
                position: None,
            }
            .into());
        }
        let planned = analysed.script.statements.first();
        if let Some(refusal) = planned.and_then(|planned| planned.refusal.clone()) {
            return Err(refusal.into());
        }
        let mut own = own_script(self, &analysed);
        let mut rows_of = None;
        if let Some(planned) = planned
            && let Some(referent) = self.referent(&analysed.text, planned, &[]).await?
        {
            if !referent.edits.is_empty() {
                let script = own.get_or_insert_with(|| analysed.script.clone());
                script.statements[0].edits = referent.edits;
            }
            rows_of = referent.run.map(|run| run.prepared);
        }
        let rendered = if own.is_none() && analysed.is_fixed() {
            Arc::clone(analysed.rendered())
        } else {
            let loaded = &self.loaded;
            let mut seal = |slot: &Slot, value: &str| seal_literal(loaded, slot, value);
            let script = own.as_ref().unwrap_or(&analysed.script);
            let mut resolve =
                |planned: &Planned, index: usize| Ok(bound_later(loaded, planned, index));
            let (rendered, failed) =
                render(&analysed.text, script, &|_, _| false, &mut seal, &mut resolve);
            if let Some((_, refusal)) = failed.into_iter().map(without_position).next() {
                return Err(refusal.into());
            }
            Arc::new(rendered)
        };
        Ok(Prepared {
            analysed,
            rendered,
            types: types.into(),
            loaded: Arc::clone(&self.loaded),
            settings: Arc::clone(&self.settings),
            by_sql: false,
            rows_of,
        })
    }

    fn send_parse(&mut self, frame: Frame<'_>, parse: &Parse<'_>, prepared: Prepared) {
        let params = prepared.planned().map(|planned| &planned.params);
        let server = params.map_or(&[][..], |params| &params.server);
        let resolved = prepared.planned().into_iter().flat_map(|planned| &planned.resolves);
        let resolved: Vec<u32> =
            resolved.flat_map(|resolve| resolved_types(&resolve.finds)).collect();
        if server.is_empty() && *prepared.rendered.text == *prepared.analysed.text {
            self.forward(frame);
        } else {
            let out = self.link.server.output.tail();
            let text = prepared.rendered.text.as_bytes();
            if server.is_empty() && resolved.is_empty() {
                frontend::write_parse(out, parse.name, text, prepared.types.iter().copied());
            } else {
                let types = server.iter().map(|param| server_type(param, &prepared.types));
                let types: Vec<u32> = types.chain(resolved).collect();
                frontend::write_parse(out, parse.name, text, types.into_iter());
            }
        }
        self.expect_parse(parse.name, Meaning::Known(Arc::new(prepared)), None);
    }

    fn expect_parse(
        &mut self,
        name: &[u8],
        meaning: Meaning<Prepared>,
        refusal: Option<Box<Placed>>,
    ) {
        let prepared = match &meaning {
            Meaning::Known(prepared) => Some(Arc::clone(prepared)),
            Meaning::Other | Meaning::Stale | Meaning::Nothing => None,
        };
        let seq = self.upcoming();
        let change = self
            .statements
            .change(name, seq, self.batch, meaning)
            .then(|| Change::Statement(name.into()));
        self.expect(Owner::Client, Expected::Parse { prepared, refusal }, change);
        self.sent_extended();
    }

    fn sent_extended(&mut self) {
        self.batch_open = true;
        self.unflushed = true;
    }

    /// Refuses a Parse in its place.
    fn refuse_parse(&mut self, name: &[u8], refusal: Refusal, text: &str) {
        if self.skipping {
            self.refuse_at_once(&refusal, text);
            return;
        }
        let out = self.link.server.output.tail();
        frontend::write_parse(out, name, REFUSED.as_bytes(), [].into_iter());
        let placed = Box::new(Placed { refusal, text: text.into() });
        self.expect_parse(name, Meaning::Nothing, Some(placed));
        // The server will skip what follows, and none of its values may reach it.
        self.skipping = true;
    }

    /// A Bind.
    pub(crate) async fn bind(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        let Ok(bind) = Bind::decode(frame.body()) else {
            self.refuse_bind(b"", malformed(), None);
            return Ok(());
        };
        // What passes may be in scope by now. Nothing of ours in the middle of a batch for the
        // lease alone: what is bound may be a BEGIN, which wants to come first.
        let stale = self.stale.catalog || (!self.batch_open && self.is_stale());
        let mut found = self.statements.lookup(bind.statement, self.batch);
        if stale && matches!(found, Lookup::Other) {
            match self.refresh().await {
                Ok(()) => found = self.statements.lookup(bind.statement, self.batch),
                Err(Halt::Refused(refusal)) => {
                    self.refuse_bind(bind.portal, refusal, None);
                    return Ok(());
                }
                Err(halt) => return Err(halt),
            }
        }
        let prepared = match found {
            Lookup::Unsettled => return Err(Halt::Wait),
            Lookup::Stale => {
                self.refuse_bind(bind.portal, changed(), None);
                return Ok(());
            }
            Lookup::Other => {
                self.forward(frame);
                self.expect_bind(bind.portal, None);
                return Ok(());
            }
            // A PREPARE may be under way.
            Lookup::Unknown if !self.queue.is_empty() => return Err(Halt::Wait),
            Lookup::Unknown => {
                // The server says that there is no such statement. The values may be those of
                // one that was refused: they stay here.
                self.send_failing_bind(bind.portal, bind.statement, Owner::Client, None);
                self.sent_extended();
                return Ok(());
            }
            Lookup::Known(prepared) => prepared,
        };
        match self.send_bind(frame, &bind, &prepared).await {
            Ok(()) => {}
            Err(Halt::Refused(refusal)) => {
                self.refuse_bind(bind.portal, refusal, Some(&prepared));
            }
            Err(halt) => return Err(halt),
        }
        Ok(())
    }

    async fn send_bind(
        &mut self,
        frame: Frame<'_>,
        bind: &Bind<'_>,
        known: &Arc<Prepared>,
    ) -> Result<(), Halt> {
        if self.portals.len() >= MAX_NAMES {
            return Err(too_many("portals").into());
        }
        let prepared = self.current(bind.statement, known).await?;
        let Some(planned) = prepared.planned() else {
            self.forward(frame);
            self.expect_bind(bind.portal, None);
            return Ok(());
        };
        let (prepared, access) = self.bound(&prepared, planned).await?;
        let Some(planned) = prepared.planned() else { return Ok(()) };
        let mut folded = Box::default();
        let mut resolved = None;
        if planned.params.is_identity() {
            self.forward(frame);
        } else {
            params::check_counts(bind, planned)?;
            let resolution = self.resolve_bind(bind, planned, false).await?;
            let start = self.link.server.output.tail().len();
            self.write_bind(bind, planned, resolution.as_deref())?;
            resolved = resolution.map(|resolution| (resolution, Arc::from(frame.bytes)));
            let out = self.link.server.output.tail();
            if out.len() - start <= KEPT_BIND && params::stores_folded(planned, &self.loaded) {
                folded = out[start..].into();
            }
        }
        if !planned.facts.relations.is_empty() || prepared.rows_of.is_some() {
            self.last_rewrite = Some(Arc::clone(&prepared.rendered));
        }
        let ran = AtomicBool::new(false);
        let portal = Portal { prepared, access, hold: false, folded, resolved, ran };
        self.expect_bind(bind.portal, Some(Arc::new(portal)));
        Ok(())
    }

    async fn resolve_bind(
        &mut self,
        bind: &Bind<'_>,
        planned: &Planned,
        older: bool,
    ) -> Result<Option<Arc<Resolution>>, Halt> {
        if planned.resolves.is_empty() {
            return Ok(None);
        }
        let settings = Arc::clone(&self.settings);
        let encoding = (!self.is_utf8_client()).then_some(&*settings.client_encoding);
        let value = |index| params::text(bind, index, encoding);
        self.resolve(planned, &value, older).await.map(Some)
    }

    fn write_bind(
        &mut self,
        bind: &Bind<'_>,
        planned: &Planned,
        resolution: Option<&Resolution>,
    ) -> Result<(), Refusal> {
        let encoding = (!self.is_utf8_client()).then_some(&*self.settings.client_encoding);
        let out = self.link.server.output.tail();
        let start = out.len();
        let written = params::write_bind(out, bind, planned, &self.loaded, encoding, resolution);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Runs a portal again whose rows were not right: the client has had the answer to its Bind.
    pub(crate) async fn bind_again(
        &mut self,
        bound: &Arc<[u8]>,
        execute: &Arc<[u8]>,
        refusal: Option<Refusal>,
    ) -> Result<(), Halt> {
        let older = self.resolving_again.is_some_and(|(_, older)| older);
        let Ok(bind) = Bind::decode(bound.get(HEADER..).unwrap_or_default()) else { return Ok(()) };
        let found = self.statements.lookup(bind.statement, self.batch);
        let Lookup::Known(prepared) = found else {
            self.refuse_bind(bind.portal, changed(), None);
            return Ok(());
        };
        let Some(planned) = prepared.planned() else { return Ok(()) };
        let resolved = match refusal {
            Some(refusal) => Err(Halt::Refused(refusal)),
            None => self.resolve_bind(&bind, planned, older).await,
        };
        let resolution = match resolved {
            Ok(Some(resolution)) => resolution,
            Ok(None) => return Ok(()),
            Err(Halt::Refused(refusal)) => {
                self.refuse_bind(bind.portal, refusal, Some(&prepared));
                return Ok(());
            }
            Err(halt) => return Err(halt),
        };
        if !bind.portal.is_empty() {
            frontend::write_close(self.link.server.output.tail(), b'P', bind.portal);
            self.expect(Owner::Client, Expected::Again, None);
        }
        if let Err(refusal) = self.write_bind(&bind, planned, Some(&resolution)) {
            self.refuse_bind(bind.portal, refusal, Some(&prepared));
            return Ok(());
        }
        self.expect(Owner::Client, Expected::Again, None);
        let portal = match self.portals.lookup(bind.portal, self.batch) {
            Lookup::Known(portal) => Some(portal),
            _ => None,
        };
        let rerun = Rerun::Portal { bind: Arc::clone(bound), execute: Arc::clone(execute) };
        self.judge_next(resolution, rerun, planned.once);
        self.link.server.output.tail().extend_from_slice(execute);
        let started = Instant::now();
        self.expect(Owner::Client, Expected::Execute { portal, started }, None);
        self.sent_extended();
        Ok(())
    }

    /// A prepared statement as it is bound: what it runs by a name is what the name stands for
    /// now.
    async fn bound(
        &mut self,
        prepared: &Arc<Prepared>,
        planned: &Planned,
    ) -> Result<(Arc<Prepared>, Arc<Access>), Halt> {
        let Some(referent) = self.referent(&prepared.analysed.text, planned, &[]).await? else {
            // What a cursor shows is decided when it is declared.
            let defined = planned.defines.as_ref().and_then(|_| planned.defined());
            let access = self.access(defined.as_ref().unwrap_or(planned))?;
            return Ok((Arc::clone(prepared), access));
        };
        let run = referent.run;
        let was = prepared.rows_of.as_deref().and_then(Prepared::planned);
        let is = run.as_ref().and_then(|run| run.prepared.planned());
        if was.map(|was| &was.params) != is.map(|is| &is.params) && !reads_cursor(planned) {
            // Its arguments were sealed for another.
            return Err(changed().into());
        }
        let access = run.as_ref().map_or(&self.plain, |run| &run.access);
        let access = Arc::clone(access);
        let rows_of = run.map(|run| run.prepared);
        Ok((Arc::new(Prepared { rows_of, ..(**prepared).clone() }), access))
    }

    /// The prepared statement as the catalog and settings of now read it. Where they read it
    /// differently it must be prepared again, as the server would say.
    pub(crate) async fn current(
        &mut self,
        name: &[u8],
        known: &Arc<Prepared>,
    ) -> Result<Arc<Prepared>, Halt> {
        let quiet = |planned: &Planned| matches!(planned.verb, Verb::Transaction | Verb::Setting);
        if known.planned().is_none_or(quiet) {
            return Ok(Arc::clone(known));
        }
        if self.is_stale() {
            self.refresh().await?;
        } else if known.planned().is_some_and(|planned| planned.ambiguous)
            && !self.reports_search_path
        {
            self.read_settings().await?;
        }
        if Arc::ptr_eq(&known.loaded, &self.loaded) && known.settings == self.settings {
            return Ok(Arc::clone(known));
        }
        let text = &known.analysed.text;
        let now = Analysed::get(&self.loaded, &self.settings, text, &known.types);
        let now = now
            .ok()
            .and_then(|now| if known.by_sql { now.defined().map(Arc::new) } else { Some(now) });
        let now = now.filter(|now| known.same_as(now, &self.loaded));
        let Some(analysed) = now else {
            return Err(changed().into());
        };
        let renewed = Arc::new(Prepared {
            analysed,
            rendered: Arc::clone(&known.rendered),
            types: known.types.clone(),
            loaded: Arc::clone(&self.loaded),
            settings: Arc::clone(&self.settings),
            by_sql: known.by_sql,
            rows_of: known.rows_of.clone(),
        });
        self.statements.renew(name, known, &renewed);
        Ok(renewed)
    }

    fn expect_bind(&mut self, name: &[u8], portal: Option<Arc<Portal>>) {
        let meaning = portal.clone().map_or(Meaning::Nothing, Meaning::Known);
        let seq = self.upcoming();
        let change = self
            .portals
            .change(name, seq, self.batch, meaning)
            .then(|| Change::Portal(name.into()));
        self.expect(Owner::Client, Expected::Bind { portal, refusal: None }, change);
        self.sent_extended();
    }

    /// Refuses a Bind in its place.
    fn refuse_bind(&mut self, portal: &[u8], refusal: Refusal, prepared: Option<&Prepared>) {
        let text =
            prepared.map_or_else(|| "".into(), |prepared| Arc::clone(&prepared.analysed.text));
        if self.skipping {
            self.refuse_at_once(&refusal, &text);
            return;
        }
        let placed = Box::new(Placed { refusal, text });
        self.send_failing_bind(portal, NO_STATEMENT, Owner::Client, Some(placed));
        self.sent_extended();
        // See `refuse_parse`.
        self.skipping = true;
    }

    /// Makes the transaction fail before the client's Sync.
    pub(crate) fn poison(&mut self) {
        self.send_failing_bind(b"", NO_STATEMENT, Owner::Own, None);
    }

    /// Sends a Bind without values to a statement that does not exist.
    fn send_failing_bind(
        &mut self,
        portal: &[u8],
        statement: &[u8],
        owner: Owner,
        refusal: Option<Box<Placed>>,
    ) {
        let out = self.link.server.output.tail();
        let bind = BindBuilder::begin(out, portal, statement, [].into_iter(), 0);
        bind.finish(out, &[0, 0]);
        self.expect(owner, Expected::Bind { portal: None, refusal }, None);
    }

    /// A Describe.
    pub(crate) fn describe(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        let expected = match Target::decode(frame.body()) {
            Ok(Some(Target::Statement(name))) => match self.statements.lookup(name, self.batch) {
                Lookup::Unsettled => return Err(Halt::Wait),
                Lookup::Unknown | Lookup::Other | Lookup::Stale => {
                    Expected::DescribeStatement(None)
                }
                Lookup::Known(prepared) => {
                    Expected::DescribeStatement(Some(self.with_rows(prepared)?))
                }
            },
            Ok(Some(Target::Portal(name))) => match self.portals.lookup(name, self.batch) {
                Lookup::Unsettled => return Err(Halt::Wait),
                Lookup::Unknown | Lookup::Other | Lookup::Stale => Expected::DescribePortal(None),
                Lookup::Known(portal) => Expected::DescribePortal(Some(portal)),
            },
            // The server answers with an error.
            Ok(None) | Err(_) => Expected::DescribePortal(None),
        };
        self.forward(frame);
        self.expect(Owner::Client, expected, None);
        self.sent_extended();
        Ok(())
    }

    /// A FETCH has the columns of the cursor that its name stands for now.
    fn with_rows(&self, prepared: Arc<Prepared>) -> Result<Arc<Prepared>, Halt> {
        match prepared.planned().and_then(|planned| planned.refers.as_ref()) {
            Some(Referred::Portal(name)) => {
                let run = self.referred_cursor(name, &[])?;
                let rows_of = run.map(|run| run.prepared);
                Ok(Arc::new(Prepared { rows_of, ..(*prepared).clone() }))
            }
            _ => Ok(prepared),
        }
    }

    /// An Execute.
    pub(crate) fn execute(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        // A malformed one is the server's to refuse.
        let name = frontend::execute(frame.body()).unwrap_or_default();
        let portal = match self.portals.lookup(name, self.batch) {
            Lookup::Unsettled => return Err(Halt::Wait),
            Lookup::Unknown | Lookup::Other | Lookup::Stale => None,
            Lookup::Known(portal) => Some(portal),
        };
        let planned = portal.as_ref().and_then(|portal| portal.prepared.rows().planned());
        let written = |planned: &Planned| {
            let mut columns = planned.facts.relations.iter().flat_map(|r| &r.columns);
            planned.verb != Verb::Select || columns.any(|column| column.uses.written)
        };
        self.batch_writes |= planned.is_none_or(written);
        if let Some(planned) = planned {
            self.note_effects(planned);
        }
        if let Some((portal, (resolution, bind))) =
            portal.as_ref().and_then(|portal| Some((portal, portal.resolved.as_ref()?)))
        {
            let rerun = Rerun::Portal { bind: Arc::clone(bind), execute: Arc::from(frame.bytes) };
            // Rows that were sent cannot be taken back.
            let ran = portal.ran.swap(true, Ordering::Relaxed);
            let once = ran || portal.prepared.planned().is_none_or(|planned| planned.once);
            self.judge_next(Arc::clone(resolution), rerun, once);
        }
        self.forward(frame);
        let started = Instant::now();
        self.expect(Owner::Client, Expected::Execute { portal, started }, None);
        self.sent_extended();
        Ok(())
    }

    /// A Close.
    pub(crate) fn close(&mut self, frame: Frame<'_>) {
        let seq = self.upcoming();
        let change = match Target::decode(frame.body()) {
            Ok(Some(Target::Statement(name))) => self
                .statements
                .change(name, seq, self.batch, Meaning::Nothing)
                .then(|| Change::Statement(name.into())),
            Ok(Some(Target::Portal(name))) => self
                .portals
                .change(name, seq, self.batch, Meaning::Nothing)
                .then(|| Change::Portal(name.into())),
            Ok(None) | Err(_) => None,
        };
        self.forward(frame);
        self.expect(Owner::Client, Expected::Close, change);
        self.sent_extended();
    }
}

/// Oids of `text`, `text[]`, `name[]` and `int4[]`.
const TEXT: u32 = 25;
const TEXT_ARRAY: u32 = 1009;
const NAME_ARRAY: u32 = 1003;
const INT4_ARRAY: u32 = 1007;

/// The types of what decides an expression.
fn resolved_types(finds: &Finds) -> [u32; RESOLVED_PARAMS] {
    match finds {
        Finds::Truth => [TEXT_ARRAY; RESOLVED_PARAMS],
        Finds::Rank(_) => [NAME_ARRAY, INT4_ARRAY, TEXT_ARRAY],
    }
}

/// An expression of a prepared statement: what decides it comes with the Bind.
fn bound_later(loaded: &Loaded, planned: &Planned, index: usize) -> Resolved {
    let column = planned.resolves.get(index).map(|resolve| loaded.catalog.column(resolve.column));
    let param = |place: usize, of: &str| {
        let number = planned.params.server.len() + index * RESOLVED_PARAMS + place;
        format!("${number}::pg_catalog.{of}[]")
    };
    let ranks = planned.resolves.get(index).is_some_and(|r| matches!(r.finds, Finds::Rank(_)));
    Resolved {
        relation: column.map_or(0, |column| column.relation),
        number: column.map_or(0, |column| column.number),
        found: if ranks {
            Found::Rank { handles: param(1, "name"), ranks: param(2, "int4") }
        } else {
            Found::Truth { matched: param(1, "text"), unknown: param(2, "text") }
        },
        known: param(3, "text"),
    }
}

/// The type of a server's parameter in our Parse: tokens are text whatever they stand for.
fn server_type(param: &ServerParam, declared: &[u32]) -> u32 {
    match &param.seal {
        Some(seal) if seal.array => TEXT_ARRAY,
        Some(_) => TEXT,
        None if param.withheld => TEXT,
        None => declared.get(param.client).copied().unwrap_or(0),
    }
}

/// FETCH and MOVE.
fn reads_cursor(planned: &Planned) -> bool {
    matches!(planned.refers, Some(Referred::Portal(_)))
}

/// The server's words for a prepared statement that must be prepared again; drivers know them.
pub(crate) fn changed() -> Refusal {
    Refusal {
        code: "0A000",
        message: "cached plan must not change result type".to_owned(),
        detail: Some(
            "A relation or a setting has changed since the statement was prepared.".to_owned(),
        ),
        hint: Some("Prepare the statement again.".to_owned()),
        position: None,
    }
}

fn too_many(what: &str) -> Refusal {
    Refusal {
        code: "53400",
        message: format!("too many {what}"),
        detail: Some(format!("pgveil keeps at most {MAX_NAMES} in a session.")),
        hint: Some("Close those that are not used any more.".to_owned()),
        position: None,
    }
}
