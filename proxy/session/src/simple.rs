//! The simple query protocol: one string, any number of statements.

use std::sync::Arc;
use std::time::Instant;

use pgveil_sql::plan::{Edit, Planned, Rendered, Replacement, Script, Slot, Verb};
use pgveil_sql::refusal::Refusal;
use pgveil_sql::{REFUSED, render};
use pgveil_wire::frame::Frame;
use pgveil_wire::frontend;

use crate::catalog_cache::Loaded;
use crate::errors::{self, Severity};
use crate::expectation::{Change, Expected, Owner};
use crate::names::Meaning;
use crate::prepared::{Access, Analysed, Prepared, unresolved};
use crate::referred::Given;
use crate::resolving::{Rerun, Resolution};
use crate::session::{Halt, Session};

/// A statement string that runs.
#[derive(Debug)]
pub(crate) struct ScriptRun {
    pub(crate) text: Arc<str>,
    /// `None`: the whole string is refused.
    pub(crate) analysed: Option<Arc<Analysed>>,
    pub(crate) rendered: Arc<Rendered>,
    /// One entry a statement.
    pub(crate) accesses: Vec<Arc<Access>>,
    /// Statements that are refused, by index, ascending.
    pub(crate) refusals: Vec<(usize, Refusal)>,
    /// What statements run by its name, by index, ascending.
    pub(crate) runs: Vec<(usize, Arc<Prepared>)>,
    /// The names that statements give when they succeed, by index, ascending.
    pub(crate) given: Vec<(usize, Given)>,
    /// The statement whose results come.
    pub(crate) current: usize,
    pub(crate) loaded: Arc<Loaded>,
    /// When the current statement began.
    pub(crate) started: Instant,
}

impl ScriptRun {
    /// What the client may see of it.
    pub(crate) fn access(&self) -> Option<&Arc<Access>> {
        self.accesses.get(self.current)
    }

    /// The plan of the rows that come, and what it was made with.
    pub(crate) fn rows(&self) -> Option<(&Planned, &Arc<Loaded>)> {
        if let Some((_, prepared)) = self.runs.iter().find(|(index, _)| *index == self.current) {
            return Some((prepared.planned()?, &prepared.loaded));
        }
        let analysed = self.analysed.as_ref()?;
        Some((analysed.script.statements.get(self.current)?, &self.loaded))
    }

    /// The plan of the statement whose results come.
    pub(crate) fn planned(&self) -> Option<&Planned> {
        self.analysed.as_ref()?.script.statements.get(self.current)
    }

    /// The refusal of the statement whose results come.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        let found = self.refusals.iter().find(|(index, _)| *index == self.current);
        found.map(|(_, refusal)| refusal)
    }
}

impl Session {
    /// A Query.
    pub(crate) async fn query(&mut self, frame: Frame<'_>) -> Result<(), Halt> {
        let Ok(bytes) = frontend::query(frame.body()) else {
            self.refuse_query(malformed(), "");
            return Ok(());
        };
        match self.read(bytes, &[]).await {
            Ok(None) => {
                self.forward(frame);
                self.expect_query(None);
            }
            Ok(Some(analysed)) => self.send_script(frame, &analysed).await?,
            Err(Halt::Refused(refusal)) => {
                self.refuse_query(refusal, &String::from_utf8_lossy(bytes));
            }
            Err(halt) => return Err(halt),
        }
        Ok(())
    }

    /// Reads a statement string; `None`: it names nothing in scope, and passes. Where the lease is
    /// over the filter itself may be out of date.
    pub(crate) async fn read(
        &mut self,
        bytes: &[u8],
        types: &[u32],
    ) -> Result<Option<Arc<Analysed>>, Halt> {
        if !self.hits(bytes) {
            if opens_block(bytes) {
                // Analysed, it is known at its Bind as what must come first.
                if !self.stale.catalog {
                    return Ok(None);
                }
            } else {
                if !self.is_stale() {
                    return Ok(None);
                }
                self.refresh().await?;
                if !self.hits(bytes) {
                    return Ok(None);
                }
            }
        }
        self.analyse(bytes, types).await.map(Some)
    }

    fn hits(&self, text: &[u8]) -> bool {
        self.loaded.catalog.filter.hit(text) || self.is_foreign(text)
    }

    /// A text in an encoding that the filter's names are not in.
    fn is_foreign(&self, text: &[u8]) -> bool {
        !self.is_utf8_client()
            && !text.is_ascii()
            && self.loaded.catalog.columns.iter().any(|c| !c.table.is_ascii())
    }

    pub(crate) fn is_utf8_client(&self) -> bool {
        self.settings.client_encoding == "UTF8"
    }

    /// Analyses a text with a catalog and settings that are not out of date.
    async fn analyse(&mut self, bytes: &[u8], types: &[u32]) -> Result<Arc<Analysed>, Halt> {
        if self.stale.settings && self.statement_text(bytes).is_err() {
            // The client's encoding may have changed.
            self.refresh().await?;
        }
        let text = self.statement_text(bytes)?;
        let first = Analysed::get(&self.loaded, &self.settings, text, types);
        // BEGIN and SET must be the first of a transaction in some forms: nothing of ours before
        // them. They mean the same whatever the catalog says.
        let waits = |planned: &Planned| {
            matches!(planned.verb, Verb::Transaction | Verb::Setting) && planned.refusal.is_none()
        };
        if let Ok(analysed) = &first
            && analysed.script.statements.iter().all(waits)
        {
            return Ok(Arc::clone(analysed));
        }
        let unknown = match &first {
            Ok(analysed) => analysed
                .script
                .statements
                .iter()
                .filter_map(|planned| planned.refusal.as_ref())
                .any(Refusal::is_unknown_name),
            Err(refusal) => refusal.is_unknown_name(),
        };
        let ambiguous = |planned: &Planned| planned.ambiguous;
        let ambiguous = first.as_ref().is_ok_and(|a| a.script.statements.iter().any(ambiguous));
        if unknown || self.is_stale() {
            self.refresh().await?;
        } else if ambiguous && !self.reports_search_path {
            self.read_settings().await?;
        } else {
            return Ok(first?);
        }
        let text = self.statement_text(bytes)?;
        Ok(Analysed::get(&self.loaded, &self.settings, text, types)?)
    }

    /// A statement's text, if it can be read exactly.
    fn statement_text<'t>(&self, bytes: &'t [u8]) -> Result<&'t str, Refusal> {
        if !self.is_utf8_client() && !bytes.is_ascii() {
            return Err(foreign_encoding(&self.settings.client_encoding));
        }
        pgveil_seal::check_text(bytes).map_err(|error| Refusal {
            code: error.sqlstate(),
            message: error.to_string(),
            detail: None,
            hint: None,
            position: None,
        })
    }

    pub(crate) async fn send_script(
        &mut self,
        frame: Frame<'_>,
        analysed: &Arc<Analysed>,
    ) -> Result<(), Halt> {
        let statements = &analysed.script.statements;
        let mut accesses = Vec::with_capacity(statements.len());
        let mut refusals = Vec::new();
        let given = match self.gives(analysed) {
            Ok(given) => given,
            Err(Halt::Refused(refusal)) => {
                refusals.push((0, refusal));
                Vec::new()
            }
            Err(halt) => return Err(halt),
        };
        let mut runs = Vec::new();
        let mut script = own_script(self, analysed);
        for (index, planned) in statements.iter().enumerate() {
            let access = match &planned.refusal {
                Some(refusal) => Err(refusal.clone()),
                None => match self.referent(&analysed.text, planned, &given).await {
                    Ok(None) => self.access(planned),
                    Ok(Some(referent)) => {
                        if !referent.edits.is_empty() {
                            let script = script.get_or_insert_with(|| analysed.script.clone());
                            script.statements[index].edits = referent.edits;
                        }
                        let access = referent.run.as_ref().map(|run| Arc::clone(&run.access));
                        runs.extend(referent.run.map(|run| (index, run.prepared)));
                        Ok(access.unwrap_or_else(|| Arc::clone(&self.plain)))
                    }
                    Err(Halt::Refused(refusal)) => Err(refusal),
                    Err(halt) => return Err(halt),
                },
            };
            accesses.push(match access {
                Ok(access) => access,
                Err(refusal) => {
                    refusals.push((index, refusal));
                    Arc::clone(&self.plain)
                }
            });
        }
        let resolution = match self.resolve_script(analysed, refusals.is_empty()).await {
            Ok(resolution) => resolution,
            Err(Halt::Refused(refusal)) => {
                refusals.push((0, refusal));
                None
            }
            Err(halt) => return Err(halt),
        };
        refusals.sort_by_key(|(index, _)| *index);
        let rendered = if refusals.is_empty() && script.is_none() && analysed.is_fixed() {
            Arc::clone(analysed.rendered())
        } else {
            let refused = |index: usize, _: &Planned| refusals.iter().any(|(at, _)| *at == index);
            let loaded = &self.loaded;
            let mut seal = |slot: &Slot, value: &str| seal_literal(loaded, slot, value);
            let script = script.as_ref().unwrap_or(&analysed.script);
            let mut resolve = |planned: &Planned, index: usize| {
                let resolved = resolution.as_ref().and_then(|known| known.literals(index));
                resolved.map_or_else(|| unresolved(planned, index), Ok)
            };
            let (rendered, failed) =
                render(&analysed.text, script, &refused, &mut seal, &mut resolve);
            refusals.extend(failed.into_iter().map(without_position));
            refusals.sort_by_key(|(index, _)| *index);
            Arc::new(rendered)
        };
        for planned in statements {
            self.note_effects(planned);
        }
        for (_, prepared) in &runs {
            if let Some(planned) = prepared.planned() {
                self.note_effects(planned);
            }
        }
        if *rendered.text == *analysed.text {
            self.forward(frame);
        } else {
            let out = self.link.server.output.tail();
            frontend::write_query(out, rendered.text.as_bytes());
        }
        let in_scope =
            |planned: &Planned| planned.wrapped.is_some() || !planned.facts.relations.is_empty();
        if !runs.is_empty() || statements.iter().any(in_scope) {
            self.last_rewrite = Some(Arc::clone(&rendered));
        }
        if let Some(resolution) = resolution.filter(|_| refusals.is_empty()) {
            let once = statements.iter().any(|planned| planned.once);
            self.judge_next(resolution, Rerun::Script(Arc::clone(analysed)), once);
        }
        self.expect_query(Some(Box::new(ScriptRun {
            text: Arc::clone(&analysed.text),
            analysed: Some(Arc::clone(analysed)),
            rendered,
            accesses,
            refusals,
            runs,
            given,
            current: 0,
            loaded: Arc::clone(&self.loaded),
            started: Instant::now(),
        })));
        Ok(())
    }

    /// Decides the predicates of the one statement of a string.
    async fn resolve_script(
        &mut self,
        analysed: &Analysed,
        runs: bool,
    ) -> Result<Option<Arc<Resolution>>, Halt> {
        let statements = &analysed.script.statements;
        if !runs || statements.iter().all(|planned| planned.resolves.is_empty()) {
            return Ok(None);
        }
        let [planned] = statements.as_slice() else {
            return Err(Refusal {
                code: "0A000",
                message: "pgveil evaluates predicates over protected columns in statements that \
                          are sent by themselves"
                    .to_owned(),
                detail: None,
                hint: Some("Send the statements of this string one by one.".to_owned()),
                position: None,
            }
            .into());
        };
        let older = self.resolving_again.is_some_and(|(_, older)| older);
        let none = |_| Ok(None);
        self.resolve(planned, &none, older).await.map(Some)
    }

    /// Refuses a Query in its place: the server raises the error, and ours takes its place.
    pub(crate) fn refuse_query(&mut self, refusal: Refusal, text: &str) {
        if self.skipping {
            self.refuse_at_once(&refusal, text);
            return;
        }
        frontend::write_query(self.link.server.output.tail(), REFUSED.as_bytes());
        let rendered = Rendered { text: REFUSED.to_owned(), moved: Vec::new() };
        self.expect_query(Some(Box::new(ScriptRun {
            text: text.into(),
            analysed: None,
            rendered: Arc::new(rendered),
            accesses: Vec::new(),
            refusals: vec![(0, refusal)],
            runs: Vec::new(),
            given: Vec::new(),
            current: 0,
            loaded: Arc::clone(&self.loaded),
            started: Instant::now(),
        })));
    }

    /// The server skips what is sent until the next Sync, for an error that the client does not
    /// know of: this one tells it.
    pub(crate) fn refuse_at_once(&mut self, refusal: &Refusal, text: &str) {
        let out = self.link.client.output.tail();
        errors::write(out, Severity::Error, refusal, Some(text));
    }

    fn expect_query(&mut self, run: Option<Box<ScriptRun>>) {
        let seq = self.upcoming();
        let statement = self.statements.change(b"", seq, self.batch, Meaning::Nothing);
        let portal = self.portals.change(b"", seq, self.batch, Meaning::Nothing);
        let change = (statement || portal).then_some(Change::Unnamed);
        self.expect(Owner::Client, Expected::Query(run), change);
        self.unflushed = false;
    }

    /// Notes what a statement that is being sent may change.
    pub(crate) fn note_effects(&mut self, planned: &Planned) {
        let effects = &planned.effects;
        self.stale.settings |= effects.settings;
        self.stale.catalog |= effects.catalog;
        self.touched.settings |= effects.settings || effects.reveal.is_some();
        self.touched.catalog |= effects.catalog;
    }
}

/// The server's errors about values have no position.
pub(crate) fn without_position((index, mut refusal): (usize, Refusal)) -> (usize, Refusal) {
    if refusal.code.starts_with("22") {
        refusal.position = None;
    }
    (index, refusal)
}

/// The token of a literal.
pub(crate) fn seal_literal(loaded: &Loaded, slot: &Slot, value: &str) -> Result<String, Refusal> {
    let mut token = Vec::new();
    loaded.sealing.seal_into(&loaded.catalog, slot, value.as_bytes(), &mut token)?;
    // Tokens are ASCII.
    Ok(String::from_utf8_lossy(&token).into_owned())
}

/// The script with what answers our own statements in their places, if there are any.
pub(crate) fn own_script(session: &Session, analysed: &Analysed) -> Option<Script> {
    let is_own = |planned: &Planned| matches!(planned.verb, Verb::Pgveil(_));
    if !analysed.script.statements.iter().any(is_own) {
        return None;
    }
    let mut script = analysed.script.clone();
    for planned in &mut script.statements {
        if let Verb::Pgveil(command) = planned.verb {
            let text = session.own_command(command);
            let with = Replacement::Text(text);
            planned.edits = vec![Edit { range: planned.range.clone(), with }];
        }
    }
    Some(script)
}

/// True for what must be able to come first in a transaction block, or ends one.
fn opens_block(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] =
        [b"begin", b"start", b"commit", b"end", b"rollback", b"savepoint", b"release", b"set"];
    let text = text.trim_ascii_start();
    let end = text.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
    WORDS.iter().any(|word| text[..end].eq_ignore_ascii_case(word))
}

/// A message whose form is wrong.
pub(crate) fn malformed() -> Refusal {
    Refusal {
        code: "08P01",
        message: "invalid message format".to_owned(),
        detail: None,
        hint: None,
        position: None,
    }
}

pub(crate) fn foreign_encoding(encoding: &str) -> Refusal {
    Refusal {
        code: "0A000",
        message: format!("pgveil cannot read text outside ASCII in client encoding {encoding}"),
        detail: Some("The statement may concern a protected column.".to_owned()),
        hint: Some("SET client_encoding TO 'UTF8'.".to_owned()),
        position: None,
    }
}

#[cfg(test)]
mod tests {
    use super::opens_block;

    #[test]
    fn transaction_words() {
        for text in ["BEGIN", " commit ", "Set transaction isolation level serializable"] {
            assert!(opens_block(text.as_bytes()), "{text}");
        }
        for text in ["select 1", "settle", "", "  "] {
            assert!(!opens_block(text.as_bytes()), "{text}");
        }
    }
}
