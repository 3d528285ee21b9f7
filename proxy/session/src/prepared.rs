//! Statement strings analysed, and what prepared statements and portals keep of them.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use pgveil_sql::catalog::Settings;
use pgveil_sql::plan::{Planned, Rendered, Replacement, Script, Slot};
use pgveil_sql::refusal::Refusal;
use pgveil_sql::shape::{Shape, Template};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::catalog_cache::Loaded;
use crate::output::Cell;
use crate::resolving::Resolution;

/// A statement string and its plan.
#[derive(Debug)]
pub(crate) struct Analysed {
    pub(crate) text: Arc<str>,
    pub(crate) script: Script,
    /// The text sent upstream, if nothing in it depends on a value or a verdict.
    rendered: OnceLock<Arc<Rendered>>,
}

impl Analysed {
    /// Analyses a text, or finds it analysed. An error refuses the whole text.
    pub(crate) fn get(
        loaded: &Loaded,
        settings: &Arc<Settings>,
        text: &str,
        types: &[u32],
    ) -> Result<Arc<Self>, Refusal> {
        if let Some(known) = loaded.scripts.cache.get(&KeyRef(text, types, settings)) {
            return Ok(known);
        }
        let shape = Shape::of(text, settings);
        if let Some(shape) = shape.as_ref().filter(|shape| shape.is_abstract) {
            let known = loaded.scripts.templates.get(&KeyRef(&shape.key, types, settings));
            if let Some(script) = known.and_then(|template| template.apply(text, shape)) {
                debug_assert_eq!(
                    pgveil_sql::analyse(text, &loaded.catalog, settings, types).as_ref(),
                    Ok(&script),
                    "a plan that is shared is the plan of each"
                );
                let fixed = script.statements.iter().all(holds_no_value);
                let analysed = Self { text: text.into(), script, rendered: OnceLock::new() };
                let analysed = Arc::new(analysed);
                // Literals that never change, such as a LIMIT: the text itself is what comes again.
                if fixed && loaded.scripts.met(text) {
                    loaded.scripts.keep(&analysed, types, settings);
                }
                return Ok(analysed);
            }
        }
        let script = pgveil_sql::analyse(text, &loaded.catalog, settings, types)?;
        let mut keep = text.len() <= CACHED_TEXT && script.statements.iter().all(holds_no_value);
        if let Some(shape) = shape
            && let Some(template) = Template::new(&script, &shape)
        {
            // The next text of the shape differs from this one.
            keep = false;
            let key =
                Key { text: shape.key.into(), types: types.into(), settings: Arc::clone(settings) };
            loaded.scripts.templates.insert(key, Arc::new(template));
        }
        let analysed = Arc::new(Self { text: text.into(), script, rendered: OnceLock::new() });
        if keep {
            loaded.scripts.keep(&analysed, types, settings);
        }
        Ok(analysed)
    }

    /// What a PREPARE or DECLARE gives a name to, if it is any business of ours.
    pub(crate) fn defined(&self) -> Option<Self> {
        let planned = self.script.statements.first()?.defined()?;
        let script = Script { statements: vec![planned] };
        let defined = Self { text: Arc::clone(&self.text), script, rendered: OnceLock::new() };
        // One whose names may mean something else by the time it runs is looked at again then.
        let ambiguous = defined.script.statements.iter().any(|planned| planned.ambiguous);
        (ambiguous || !defined.script.is_untouched()).then_some(defined)
    }

    /// The text as it goes upstream when no statement is refused and no literal is sealed.
    pub(crate) fn rendered(&self) -> &Arc<Rendered> {
        self.rendered.get_or_init(|| {
            let mut no_literal = |_: &Slot, value: &str| Ok(value.to_owned());
            let (rendered, _) = pgveil_sql::render(
                &self.text,
                &self.script,
                &|_, _| false,
                &mut no_literal,
                &mut unresolved,
            );
            Arc::new(rendered)
        })
    }

    /// True when [`Analysed::rendered`] is the text that goes upstream.
    pub(crate) fn is_fixed(&self) -> bool {
        self.script.statements.iter().all(holds_no_value)
    }
}

/// Where no predicate is decided on values.
pub(crate) fn unresolved(_: &Planned, _: usize) -> Result<pgveil_sql::Resolved, Refusal> {
    Err(Refusal {
        code: "0A000",
        message: "pgveil does not evaluate predicates here".to_owned(),
        detail: None,
        hint: None,
        position: None,
    })
}

/// A statement that runs and has no literal to be sealed: its text holds no protected value.
fn holds_no_value(planned: &Planned) -> bool {
    planned.refusal.is_none()
        && planned.edits.iter().all(|edit| matches!(edit.with, Replacement::Text(_)))
}

/// Longer texts are analysed every time.
const CACHED_TEXT: usize = 16 * 1024;

/// Statement strings kept for one catalog.
const CACHED_SCRIPTS: usize = 2000;

/// The analysed statement strings of one catalog that hold no protected value.
#[derive(Debug)]
pub(crate) struct Scripts {
    cache: Cache<Key, Arc<Analysed>>,
    /// By their shape: texts that differ in literals share a plan.
    templates: Cache<Key, Arc<Template>>,
    /// Hashes of texts that came lately, each in a place that its hash names: a text of a shared
    /// plan is kept by itself when it comes again, and most never do.
    met: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// Places in [`Scripts::met`].
const MET: usize = 4096;

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            cache: Cache::new(CACHED_SCRIPTS),
            templates: Cache::new(CACHED_SCRIPTS),
            met: (0..MET).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Whether a text came before; notes that it came.
    fn met(&self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        let place = usize::try_from(hash % MET as u64).unwrap_or(0);
        self.met[place].swap(hash, Ordering::Relaxed) == hash
    }

    fn keep(&self, analysed: &Arc<Analysed>, types: &[u32], settings: &Arc<Settings>) {
        let text = Arc::clone(&analysed.text);
        let key = Key { text, types: types.into(), settings: Arc::clone(settings) };
        self.cache.insert(key, Arc::clone(analysed));
    }
}

/// What the meaning of a text depends on besides the catalog.
#[derive(Debug, Clone)]
struct Key {
    text: Arc<str>,
    types: Box<[u32]>,
    settings: Arc<Settings>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        KeyRef(&self.text, &self.types, &self.settings).equivalent(other)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_key(&self.text, &self.types, state);
    }
}

/// Settings differ between few sessions: comparing them is enough.
fn hash_key<H: Hasher>(text: &str, types: &[u32], state: &mut H) {
    text.hash(state);
    types.hash(state);
}

/// A key made of references.
struct KeyRef<'k>(&'k str, &'k [u32], &'k Settings);

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_key(self.0, self.1, state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.0 == *key.text && *self.1 == *key.types && *self.2 == *key.settings
    }
}

/// The verdict on a statement that no policy was asked about.
pub(crate) const PLAIN: &str = "plain";

/// What the policy lets a session see of one statement.
#[derive(Debug)]
pub(crate) struct Access {
    /// One entry an output column; empty: every cell passes.
    pub(crate) cells: Box<[Cell]>,
    /// Tokens in errors about the statement are opened.
    pub(crate) opens_errors: bool,
    /// The verdict in one word, for the log.
    pub(crate) verdict: &'static str,
}

impl Access {
    /// Of a statement that no policy has business with.
    pub(crate) fn plain() -> Self {
        Self { cells: Box::default(), opens_errors: false, verdict: PLAIN }
    }

    /// The cells, where rows need work.
    pub(crate) fn work(&self) -> Option<&[Cell]> {
        (!crate::output::passes(&self.cells)).then_some(&*self.cells)
    }
}

/// A prepared statement of the client's.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Exactly one statement, or none (an empty string).
    pub(crate) analysed: Arc<Analysed>,
    /// The text that the server got.
    pub(crate) rendered: Arc<Rendered>,
    /// The parameter types of the client's Parse.
    pub(crate) types: Box<[u32]>,
    /// What it was analysed with.
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) settings: Arc<Settings>,
    /// The text is that of a PREPARE or DECLARE which gave it its name.
    pub(crate) by_sql: bool,
    /// The statement runs another one by its name, and its rows are those.
    pub(crate) rows_of: Option<Arc<Self>>,
}

impl Prepared {
    /// The statement's plan; `None`: the empty statement.
    pub(crate) fn planned(&self) -> Option<&Planned> {
        self.analysed.script.statements.first()
    }

    /// What its rows are rows of: itself, or the statement that it runs by its name.
    pub(crate) fn rows(&self) -> &Self {
        self.rows_of.as_deref().unwrap_or(self)
    }

    /// True when the same text, analysed again, means the same to the server and to us.
    pub(crate) fn same_as(&self, now: &Analysed, loaded: &Loaded) -> bool {
        match (self.planned(), now.script.statements.first()) {
            (None, None) => true,
            (Some(then), Some(now)) => {
                let columns = then.facts.relations.iter().flat_map(|relation| &relation.columns);
                then.edits == now.edits
                    && then.params == now.params
                    && then.output == now.output
                    && then.defines == now.defines
                    && then.copy == now.copy
                    && then.facts == now.facts
                    && now.refusal.is_none()
                    // Ids count within one catalog: the same id must still be the same column.
                    && columns.map(|column| column.id).all(|id| {
                        let now = loaded.catalog.columns.get(id.0 as usize);
                        now == Some(self.loaded.catalog.column(id))
                    })
            }
            _ => false,
        }
    }
}

/// A portal of the client's.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) access: Arc<Access>,
    /// A cursor that outlives its transaction.
    pub(crate) hold: bool,
    /// The Bind that was sent, if it stores values of columns that fold and is not long: see
    /// [`crate::fold_details`].
    pub(crate) folded: Box<[u8]>,
    /// Its predicates as they were decided, and its Bind as the client sent it.
    pub(crate) resolved: Option<(Arc<Resolution>, Arc<[u8]>)>,
    /// Some of its rows were asked for.
    pub(crate) ran: AtomicBool,
}
