//! Analysis of a statement string: which expressions are sealed, and what follows.
//!
//! The parts: [`kind`] and [`meet`] (kinds, and what happens where they meet), [`leaf`] (literals and parameters in the
//! text), [`scope`] (names), [`query`], [`order`], [`from`], [`expr`], [`cast`], [`call`] and [`write`]
//! (the nodes of the tree), [`copy`] and [`define`] (COPY, PREPARE, DECLARE), [`ddl`], [`classify`] (what a
//! statement is by its words), [`string`] (several in one), [`utility`] (everything else), [`fold`] (`lower` and `upper`), [`finish`] (edits, parameters,
//! output).
//!
//! Fails closed: every node of the parser's tree is matched by name and taken apart field by
//! field, and at the end every string literal and parameter of the statement must have been met.

mod call;
mod cast;
mod classify;
mod compute;
mod copy;
mod ddl;
mod define;
mod expr;
mod finish;
mod fold;
mod from;
mod kind;
mod leaf;
mod meet;
mod order;
mod query;
mod scope;
mod string;
mod utility;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlparser::ast::Statement;

use crate::catalog::{Catalog, ColumnId, Relation, SealedRef, Settings};
use crate::depth::with_stack;
use crate::lex::{LexError, Token, TokenKind, identifier, lex};
use crate::parse::parse;
use crate::plan::{Effects, Planned, Script, Uses, Verb};
use crate::refusal::{Reason, Refusal};
pub(crate) use classify::runs_text;
use ddl::Completion;
pub(crate) use define::execute_edits;
use kind::{Kind, Kinds};
use scope::Ctes;
use string::Earlier;

/// One statement under analysis.
#[expect(clippy::struct_excessive_bools, reason = "facts that hold in nearly all combinations")]
pub(crate) struct Analysis<'c> {
    text: &'c str,
    /// The statement's own tokens.
    tokens: &'c [Token],
    catalog: &'c Catalog,
    settings: &'c Settings,
    /// The parameter types of the client's Parse.
    types: Cow<'c, [u32]>,
    kinds: Kinds,
    /// Casts that change tokens, where tokens are what they are around.
    lengths: Vec<cast::Length>,
    /// Indices of tokens that have been met as values.
    seen: HashSet<usize>,
    uses: BTreeMap<ColumnId, Uses>,
    /// Oids of protected relations.
    relations: BTreeSet<u32>,
    /// See [`Planned::mixed`].
    mixed: Vec<(ColumnId, ColumnId)>,
    /// A relation or function in scope was met.
    touched: bool,
    /// Something is written.
    writes: bool,
    /// A `*` over columns that are not known, by its item's name.
    open_star: Option<String>,
    effects: Effects,
    /// The relation that the statement makes.
    makes: Option<Box<Relation>>,
    /// What becomes of a statement that changes the catalog.
    completion: Completion,
    /// The statement is one whose predicates may be decided on values.
    may_compute: bool,
    /// Predicates and orders that are decided on values.
    computed: Vec<compute::Computed>,
    /// A window's frame counts in values of what it is ordered by.
    range_offset: bool,
    /// See [`Planned::once`].
    once: bool,
    /// Calls that become fold handles.
    fold_calls: Vec<fold::Call>,
    /// What the statement is to a view.
    view: View,
}

/// What a statement is to a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// Nothing.
    None,
    /// Its definition, as the server keeps it: problems of its base are reported when it is used.
    Shown,
    /// It makes one. The server keeps the definition over the physical types, so casts between
    /// character types that are none there are lost.
    Made,
}

impl<'c> Analysis<'c> {
    fn new(
        text: &'c str,
        tokens: &'c [Token],
        catalog: &'c Catalog,
        settings: &'c Settings,
    ) -> Self {
        Self {
            text,
            tokens,
            catalog,
            settings,
            types: Cow::Borrowed(&[]),
            kinds: Kinds::default(),
            lengths: Vec::new(),
            seen: HashSet::new(),
            uses: BTreeMap::new(),
            relations: BTreeSet::new(),
            mixed: Vec::new(),
            touched: false,
            writes: false,
            open_star: None,
            effects: Effects::default(),
            makes: None,
            completion: Completion::default(),
            may_compute: false,
            computed: Vec::new(),
            range_offset: false,
            once: false,
            fold_calls: Vec::new(),
            view: View::None,
        }
    }

    /// A refusal without a position of its own: the statement's beginning.
    fn refuse(&self, reason: Reason) -> Refusal {
        reason.at(self.tokens.first().map(|token| token.range.start))
    }

    fn unparsed(&self, what: &str) -> Refusal {
        self.refuse(Reason::Unparsed(what.to_owned()))
    }

    /// Notes that the token at a byte has been met.
    fn mark(&mut self, start: Option<usize>) {
        if let Some(start) = start
            && let Ok(index) = self.tokens.binary_search_by_key(&start, |t| t.range.start)
        {
            self.seen.insert(index);
        }
    }

    /// `=` over tokens must be that of `pg_catalog`, whatever schemas have operators.
    fn operators_are_the_servers(&self) -> Result<(), Refusal> {
        let mut path = self.settings.search_path.iter();
        let first = path.find(|schema| !schema.starts_with("pg_temp"));
        if !self.uses.is_empty() && first.is_none_or(|first| first != "pg_catalog") {
            return Err(self.refuse(Reason::SearchPath));
        }
        Ok(())
    }

    /// A statement whose tree is known.
    fn statement(&mut self, statement: &Statement) -> Result<(Verb, Vec<scope::Col>), Refusal> {
        let ctes = Ctes::default();
        Ok(match statement {
            Statement::Query(query) => {
                let columns = self.query(query, None, &ctes)?;
                (Verb::Select, columns)
            }
            Statement::Insert(insert) => (Verb::Insert, self.insert(insert, &ctes)?),
            Statement::Update(update) => {
                self.completion.defers = true;
                (Verb::Update, self.update(update, &ctes)?)
            }
            Statement::Delete(delete) => (Verb::Delete, self.delete(delete, &ctes)?),
            Statement::Merge(merge) => {
                self.merge(merge, &ctes)?;
                (Verb::Merge, Vec::new())
            }
            _ => return self.other_statement(statement),
        })
    }
}

/// What a view's definition shows.
pub(crate) struct ViewColumns {
    /// A sealed column for each output column that holds tokens.
    pub(crate) sealed: Vec<Option<SealedRef>>,
    /// It reads something in scope.
    pub(crate) touches: bool,
}

impl ViewColumns {
    pub(crate) fn len(&self) -> usize {
        self.sealed.len()
    }
}

/// Analyses a view's definition, as the server deparses it.
pub(crate) fn view_columns(
    definition: &str,
    catalog: &Catalog,
    settings: &Settings,
) -> Result<ViewColumns, Refusal> {
    let tokens = lex(definition).map_err(lex_refusal)?;
    let statement = statements(definition, &tokens)
        .next()
        .ok_or_else(|| Reason::Unparsed("an empty view".into()).at(None))?;
    with_stack(definition, statement, || shown_by(definition, statement, catalog, settings))
}

fn shown_by(
    definition: &str,
    statement: &[Token],
    catalog: &Catalog,
    settings: &Settings,
) -> Result<ViewColumns, Refusal> {
    let tree = parse(definition, statement)?;
    let mut analysis = Analysis::new(definition, statement, catalog, settings);
    analysis.view = View::Shown;
    let (_, columns) = analysis.statement(&tree)?;
    analysis.no_sealed_literal("a literal in a view")?;
    let mut sealed = Vec::with_capacity(columns.len());
    for column in columns {
        sealed.push(match analysis.kinds.resolve(column.kind) {
            Kind::Sealed(s) if s.folded.is_none() => {
                Some(SealedRef { column: s.column, logical: s.logical })
            }
            other => {
                analysis.plain(other, "a view's column that is not one of a table's")?;
                None
            }
        });
    }
    if let Some(open) = analysis.open_star {
        return Err(Reason::UnknownColumns(open).at(None));
    }
    Ok(ViewColumns { sealed, touches: analysis.touched })
}

fn lex_refusal(error: LexError) -> Refusal {
    Reason::Syntax(error.what).at(Some(error.at))
}

/// The statements of a string: separated by semicolons outside parentheses, and outside the body
/// of an SQL-standard routine (`BEGIN ATOMIC ... END`). Empty ones are left out.
fn statements<'t>(text: &'t str, tokens: &'t [Token]) -> impl Iterator<Item = &'t [Token]> {
    let mut rest = tokens;
    std::iter::from_fn(move || {
        while let [first, after @ ..] = rest
            && &text[first.range.clone()] == ";"
        {
            rest = after;
        }
        if rest.is_empty() {
            return None;
        }
        let mut depth = 0i32;
        let mut atomic = 0i32;
        let mut previous = "";
        let mut end = rest.len();
        for (index, token) in rest.iter().enumerate() {
            let word = &text[token.range.clone()];
            match token.kind {
                TokenKind::Punctuation => match word {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    ";" if depth <= 0 && atomic == 0 => {
                        end = index;
                        break;
                    }
                    _ => {}
                },
                TokenKind::Word
                    if word.eq_ignore_ascii_case("atomic")
                        && previous.eq_ignore_ascii_case("begin") =>
                {
                    atomic = 1;
                }
                TokenKind::Word if atomic > 0 && word.eq_ignore_ascii_case("case") => atomic += 1,
                TokenKind::Word if atomic > 0 && word.eq_ignore_ascii_case("end") => atomic -= 1,
                _ => {}
            }
            previous = word;
        }
        let (statement, after) = rest.split_at(end);
        rest = after;
        Some(statement)
    })
}

/// See [`crate::analyse`].
pub(crate) fn analyse(
    text: &str,
    catalog: &Catalog,
    settings: &Settings,
    types: &[u32],
) -> Result<Script, Refusal> {
    let mut script = Script { statements: Vec::new() };
    let tokens = match lex(text) {
        Ok(tokens) => tokens,
        Err(error) if catalog.filter.names(text.as_bytes()) => return Err(lex_refusal(error)),
        // The server says what is wrong with it.
        Err(_) => return Ok(script),
    };
    // An earlier statement of the string changes what names mean.
    let mut changed = false;
    // An earlier one ends a transaction, or goes back to a savepoint: of several relations of a name
    // another may be meant.
    let mut uncovered = false;
    let mut earlier = Earlier::default();
    // What an earlier statement of the string makes is there for those behind it.
    let mut overlay: Option<Box<Catalog>> = None;
    for statement in statements(text, &tokens) {
        let now = overlay.as_deref().unwrap_or(catalog);
        let (mut planned, after) = one_statement(text, statement, now, settings, types);
        let concerns = planned.wrapped.is_some() || !planned.facts.relations.is_empty();
        // Copy data is sealed with the catalog that the server has read.
        let copies = overlay.is_some() && planned.copy.is_some();
        let follows = ((changed || copies) && concerns)
            || ((changed || uncovered) && planned.ambiguous)
            || earlier.moved_in(text, statement)
            || (concerns && earlier.reshaped_in(text, statement, &planned, now, settings));
        if follows && planned.refusal.is_none() {
            planned.refusal = Some(Reason::AfterDdl.at(Some(planned.range.start)));
        }
        planned.follows_change = changed || uncovered || earlier.moves();
        match after {
            After::Same if planned.verb == Verb::Ddl => {
                earlier.add(text, statement, now, settings);
            }
            After::Same => {}
            After::Makes(relation) => {
                let mut next = Box::new(now.clone());
                next.make(*relation);
                overlay = Some(next);
            }
            After::Changed => changed = true,
        }
        // A ROLLBACK takes back what came before it in the string.
        changed |= overlay.is_some() && is_rollback(&planned, statement, text);
        uncovered |= planned.verb == Verb::Transaction && ends(statement, text);
        script.statements.push(planned);
    }
    if let [planned] = script.statements.as_mut_slice() {
        // Only then can there be parameters.
        planned.params.client = planned.params.client.max(types.len());
    }
    Ok(script)
}

/// What a statement means for those behind it in the same string.
enum After {
    /// Names mean what they meant.
    Same,
    /// There is one more relation.
    Makes(Box<Relation>),
    /// Names may mean something else.
    Changed,
}

/// What a statement leaves behind that was not looked into.
fn after_unread(text: &str, tokens: &[Token], planned: &Planned) -> After {
    let quiet = match planned.verb {
        // What came before it in the string counts already.
        Verb::Transaction => !planned.effects.catalog,
        Verb::Ddl => classify::keeps_names(text, tokens),
        _ => {
            // In whatever it stands, it may set the search path.
            !(planned.effects.catalog
                || planned.effects.settings
                || classify::sets_what_is_read(text, tokens))
        }
    };
    if quiet { After::Same } else { After::Changed }
}

/// A statement of transaction control after which a temporary table may be gone.
fn ends(tokens: &[Token], text: &str) -> bool {
    tokens.first().is_some_and(|token| {
        let word = &text[token.range.clone()];
        ["rollback", "abort", "commit", "end", "prepare"]
            .iter()
            .any(|end| word.eq_ignore_ascii_case(end))
    })
}

fn is_rollback(planned: &Planned, tokens: &[Token], text: &str) -> bool {
    planned.verb == Verb::Transaction
        && tokens.first().is_some_and(|token| {
            let word = &text[token.range.clone()];
            ["rollback", "abort"].iter().any(|rollback| word.eq_ignore_ascii_case(rollback))
        })
}

fn one_statement(
    text: &str,
    tokens: &[Token],
    catalog: &Catalog,
    settings: &Settings,
    types: &[u32],
) -> (Planned, After) {
    let mut planned = classify::classify(text, tokens);
    let mention = mentions(text, tokens, catalog);
    let quiet = matches!(planned.verb, Verb::Pgveil(_) | Verb::Setting | Verb::Transaction);
    let Some(mention) = mention.filter(|_| !quiet) else {
        let after = after_unread(text, tokens, &planned);
        return (planned, after);
    };
    planned.ambiguous = !catalog.ambiguous.is_empty()
        && tokens.iter().enumerate().any(|(index, token)| {
            let qualified = index > 0 && &text[tokens[index - 1].range.clone()] == ".";
            !qualified
                && identifier(text, token).is_some_and(|name| catalog.ambiguous.contains(&name))
        });
    let result = match mention {
        Mention::Disguised => Err(Reason::UnicodeIdentifier.at(None)),
        Mention::Name => with_stack(text, tokens, || {
            in_scope(text, tokens, catalog, settings, types, &mut planned)
        }),
    };
    let after = match result {
        Ok(after) => after,
        Err(mut refusal) => {
            // The server does not say where a name stands twice.
            if refusal.code != "42712" {
                refusal.position = refusal.position.or(Some(planned.range.start));
            }
            planned.refusal = Some(refusal);
            After::Same
        }
    };
    (planned, after)
}

/// How a statement names something in scope.
enum Mention {
    /// In clear.
    Name,
    /// It may, in a form that is not decoded.
    Disguised,
}

fn mentions(text: &str, tokens: &[Token], catalog: &Catalog) -> Option<Mention> {
    let is = |index: Option<usize>, wanted: &str| {
        index.and_then(|i| tokens.get(i)).is_some_and(|t| &text[t.range.clone()] == wanted)
    };
    let mut found = None;
    for (index, token) in tokens.iter().enumerate() {
        if token.kind == TokenKind::UnicodeWord {
            return Some(Mention::Disguised);
        }
        if !matches!(token.kind, TokenKind::Word | TokenKind::QuotedWord) {
            continue;
        }
        let Some(name) = identifier(text, token) else { continue };
        if name == "pgveil" {
            found = Some(Mention::Name);
            continue;
        }
        let Some(schemas) = catalog.scoped.get(&name) else { continue };
        // Behind a dot it is a relation only if a schema in which it is stands in front.
        let qualifier = is(index.checked_sub(1), ".")
            .then(|| index.checked_sub(2).and_then(|i| tokens.get(i)))
            .flatten()
            .and_then(|token| identifier(text, token));
        let moves = || {
            let last = tokens.last().and_then(|token| identifier(text, token));
            tokens.len() > 2
                && text[tokens[tokens.len() - 2].range.clone()].eq_ignore_ascii_case("schema")
                && last.is_some_and(|schema| schemas.contains(&schema))
        };
        if qualifier.is_none_or(|schema| schemas.contains(&schema)) || moves() {
            found = Some(Mention::Name);
        }
    }
    found.or_else(|| classify::body_mention(text, tokens, catalog).then_some(Mention::Name))
}

/// A statement that names something in scope.
fn in_scope(
    text: &str,
    tokens: &[Token],
    catalog: &Catalog,
    settings: &Settings,
    types: &[u32],
    planned: &mut Planned,
) -> Result<After, Refusal> {
    if let Some(token) = tokens.iter().find(|token| &text[token.range.clone()] == "\"\"") {
        return Err(Refusal {
            code: "42601",
            message: "zero-length delimited identifier at or near \"\"\"\"".into(),
            detail: None,
            hint: None,
            position: Some(token.range.start),
        });
    }
    let mut analysis = Analysis::new(text, tokens, catalog, settings);
    analysis.types = Cow::Borrowed(types);
    if analysis.by_tokens(planned)? {
        analysis.facts(planned);
        let keeps = planned.verb == Verb::Ddl && analysis.keeps_names();
        analysis.complete(planned);
        return Ok(if keeps { After::Same } else { after_read(planned, None) });
    }
    let tree = parse(text, ddl::parsed(text, tokens))?;
    analysis.may_compute = !catalog.computing.is_empty()
        && matches!(tree, Statement::Query(_))
        && planned.defines.is_none();
    let (verb, columns) = analysis.statement(&tree)?;
    planned.verb = verb;
    if !analysis.touched {
        // The name meant something else: nothing of ours is in it.
        planned.effects.merge(analysis.effects);
        return Ok(after_read(planned, None));
    }
    analysis.operators_are_the_servers()?;
    let keeps = analysis.completion.keeps_names;
    analysis.finish(planned, &columns)?;
    let makes = analysis.makes.take();
    Ok(if keeps { After::Same } else { after_read(planned, makes) })
}

/// What a statement in scope leaves behind.
fn after_read(planned: &Planned, makes: Option<Box<Relation>>) -> After {
    match makes {
        Some(relation) => After::Makes(relation),
        None if planned.effects.catalog || planned.effects.settings => After::Changed,
        None => After::Same,
    }
}
