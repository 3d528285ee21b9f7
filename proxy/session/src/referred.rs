//! Names that SQL gives and uses: PREPARE and EXECUTE, DECLARE and FETCH.
//!
//! They are the names that the protocol knows, too, so both ways lead to one entry: a statement
//! prepared by either can be run by either.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pgveil_sql::plan::{Edit, Name, Planned, Referred, Rendered, Verb};
use pgveil_sql::refusal::Refusal;

use crate::extended::changed;
use crate::names::{Lookup, Meaning};
use crate::prepared::{Access, Analysed, Portal, Prepared};
use crate::session::{Halt, Session};

/// What a statement needs that runs another one by its name.
#[derive(Debug)]
pub(crate) struct Referent {
    /// Of the statement that runs another: its arguments sealed.
    pub(crate) edits: Vec<Edit>,
    /// What is run, if it is any business of ours.
    pub(crate) run: Option<Run>,
}

/// A statement that is run by its name.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) access: Arc<Access>,
}

/// A name that a statement gives when it succeeds.
#[derive(Debug)]
pub(crate) enum Given {
    Statement(Box<[u8]>, Meaning<Prepared>),
    Cursor(Box<[u8]>, Meaning<Portal>),
}

impl Session {
    /// What the name stands for that a statement refers to. `earlier` are names that statements
    /// before it in the same string give.
    pub(crate) async fn referent(
        &mut self,
        text: &str,
        planned: &Planned,
        earlier: &[(usize, Given)],
    ) -> Result<Option<Referent>, Halt> {
        match &planned.refers {
            None => Ok(None),
            Some(Referred::Statement { name, at: _ }) => {
                self.referred_statement(text, planned, name, earlier).await.map(Some)
            }
            Some(Referred::Portal(name)) => {
                let run = self.referred_cursor(name, earlier)?;
                if run.is_some() && planned.follows_change {
                    return Err(Refusal::follows_change(planned.range.start).into());
                }
                Ok(Some(Referent { edits: Vec::new(), run }))
            }
        }
    }

    async fn referred_statement(
        &mut self,
        text: &str,
        planned: &Planned,
        name: &str,
        earlier: &[(usize, Given)],
    ) -> Result<Referent, Halt> {
        let given = earlier.iter().rev().find_map(|(_, given)| match given {
            Given::Statement(given, meaning) if **given == *name.as_bytes() => Some(meaning),
            _ => None,
        });
        let found = match given {
            Some(Meaning::Known(prepared)) => Lookup::Known(Arc::clone(prepared)),
            Some(_) => Lookup::Other,
            None => self.statements.lookup(name.as_bytes(), self.batch),
        };
        let edits = |params| pgveil_sql::execute_edits(text, planned, params, &self.settings);
        let prepared = match found {
            Lookup::Unsettled => return Err(Halt::Wait),
            // A PREPARE may be under way.
            Lookup::Unknown if !self.queue.is_empty() => return Err(Halt::Wait),
            // The values may be those of one that was refused: they stay here.
            Lookup::Unknown => return Ok(Referent { edits: edits(None)?, run: None }),
            Lookup::Other => return Ok(Referent { edits: Vec::new(), run: None }),
            Lookup::Stale => return Err(changed().into()),
            Lookup::Known(prepared) => prepared,
        };
        if planned.follows_change {
            return Err(Refusal::follows_change(planned.range.start).into());
        }
        let prepared = match given {
            Some(_) => prepared,
            None => self.current(name.as_bytes(), &prepared).await?,
        };
        let Some(plan) = prepared.planned() else {
            return Ok(Referent { edits: Vec::new(), run: None });
        };
        if planned.verb == Verb::Ddl && !plan.is_untouched() {
            return Err(stored(name, planned).into());
        }
        let edits = pgveil_sql::execute_edits(text, planned, Some(&plan.params), &self.settings)?;
        let access = self.access(plan)?;
        // The rows of EXPLAIN are not the statement's.
        if plan.is_untouched() || planned.verb == Verb::Explain {
            return Ok(Referent { edits, run: None });
        }
        Ok(Referent { edits, run: Some(Run { prepared, access }) })
    }

    /// The cursor that a name stands for.
    pub(crate) fn referred_cursor(
        &self,
        name: &str,
        earlier: &[(usize, Given)],
    ) -> Result<Option<Run>, Halt> {
        let given = earlier.iter().rev().find_map(|(_, given)| match given {
            Given::Cursor(given, meaning) if **given == *name.as_bytes() => Some(meaning),
            _ => None,
        });
        let found = match given {
            Some(Meaning::Known(portal)) => Lookup::Known(Arc::clone(portal)),
            Some(_) => Lookup::Other,
            None => self.portals.lookup(name.as_bytes(), self.batch),
        };
        match found {
            Lookup::Unsettled => Err(Halt::Wait),
            // A DECLARE may be under way.
            Lookup::Unknown if !self.queue.is_empty() => Err(Halt::Wait),
            Lookup::Unknown | Lookup::Other | Lookup::Stale => Ok(None),
            Lookup::Known(portal) if portal.resolved.is_some() => Err(resolved_cursor(name).into()),
            Lookup::Known(portal) => Ok(Some(Run {
                prepared: Arc::clone(&portal.prepared),
                access: Arc::clone(&portal.access),
            })),
        }
    }

    /// The names that the statements of a string give when they succeed.
    pub(crate) fn gives(&mut self, analysed: &Arc<Analysed>) -> Result<Vec<(usize, Given)>, Halt> {
        let mut given = Vec::new();
        let statements = &analysed.script.statements;
        for (index, planned) in statements.iter().enumerate() {
            if planned.defines.is_none() || planned.refusal.is_some() {
                continue;
            }
            let own = if statements.len() == 1 {
                Arc::clone(analysed)
            } else {
                let text = analysed.text.get(planned.range.clone()).unwrap_or_default();
                Analysed::get(&self.loaded, &self.settings, text, &[])?
            };
            let named = own.defined().map(|defined| self.named(defined));
            given.extend(self.given(planned, named)?.map(|given| (index, given)));
        }
        Ok(given)
    }

    /// The name that a portal's statement gives, which has succeeded. Where it is a cursor, the
    /// portal was bound with what the policy lets be seen of the cursor.
    pub(crate) fn given_by(&mut self, portal: &Portal) -> Option<Given> {
        let planned = portal.prepared.planned()?;
        planned.defines.as_ref()?;
        let named = portal.prepared.analysed.defined().map(|defined| self.named(defined));
        // The policies were asked at Bind: they said yes.
        self.given(planned, named).ok().flatten()
    }

    fn given(
        &mut self,
        planned: &Planned,
        named: Option<Arc<Prepared>>,
    ) -> Result<Option<Given>, Refusal> {
        let Some(defined) = &planned.defines else { return Ok(None) };
        Ok(Some(match (&defined.name, named) {
            (Name::Statement(name), None) => {
                Given::Statement(name.as_bytes().into(), Meaning::Other)
            }
            (Name::Statement(name), Some(prepared)) => {
                Given::Statement(name.as_bytes().into(), Meaning::Known(prepared))
            }
            (Name::Cursor { name, .. }, None) => {
                Given::Cursor(name.as_bytes().into(), Meaning::Nothing)
            }
            (Name::Cursor { name, hold }, Some(prepared)) => {
                let Some(plan) = prepared.planned() else { return Ok(None) };
                let access = self.access(plan)?;
                let portal = Arc::new(Portal {
                    prepared,
                    access,
                    hold: *hold,
                    folded: Box::default(),
                    resolved: None,
                    ran: AtomicBool::new(false),
                });
                Given::Cursor(name.as_bytes().into(), Meaning::Known(portal))
            }
        }))
    }

    fn named(&self, defined: Analysed) -> Arc<Prepared> {
        // The server's errors point into its own text, which nobody keeps: they stay as they are.
        let rendered = Rendered { text: String::new(), moved: Vec::new() };
        Arc::new(Prepared {
            analysed: Arc::new(defined),
            rendered: Arc::new(rendered),
            types: Box::default(),
            loaded: Arc::clone(&self.loaded),
            settings: Arc::clone(&self.settings),
            by_sql: true,
            rows_of: None,
        })
    }

    /// A statement that gives a name has succeeded.
    pub(crate) fn give(&mut self, given: Given) {
        match given {
            Given::Statement(name, meaning) => self.statements.give(&name, meaning),
            Given::Cursor(name, meaning) => self.portals.give(&name, meaning),
        }
    }
}

fn stored(name: &str, planned: &Planned) -> Refusal {
    Refusal {
        code: "0A000",
        message: format!("prepared statement \"{name}\" reads a protected relation"),
        detail: Some("CREATE TABLE AS would store its tokens in a plain table.".to_owned()),
        hint: Some("Select the plain columns only, or run it from a client.".to_owned()),
        position: Some(planned.range.start),
    }
}

/// What its rows are is known when they come, and nothing holds them back here.
fn resolved_cursor(name: &str) -> Refusal {
    Refusal {
        code: "0A000",
        message: format!("pgveil cannot read the portal \"{name}\" with FETCH"),
        detail: Some("Its statement has predicates that are decided on values.".to_owned()),
        hint: Some("Send Execute in the extended protocol.".to_owned()),
        position: None,
    }
}
