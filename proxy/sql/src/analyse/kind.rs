//! Kinds of expressions, and what happens where two of them meet.
//!
//! Inference works as for types: a literal or parameter starts out free and takes the kind of
//! what it meets, through any number of VALUES lists, CTEs and set operations in between. Free
//! kinds that meet become one (a disjoint-set forest); when one of them meets a sealed column,
//! every leaf behind it is sealed as that column's tokens are.

use std::ops::Range;
use std::sync::Arc;

use pgveil_seal::{LogicalType, Mode};

use super::Analysis;
use crate::catalog::{Catalog, ColumnId, SealedColumn};
use crate::plan::{Purpose, Slot, Uses};
use crate::refusal::{Reason, Refusal};

/// What an expression holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// An ordinary value.
    Plain,
    /// The literal NULL, or DEFAULT: fits everywhere.
    Null,
    /// Literals and parameters that have not met anything yet.
    Free(Var),
    /// A token.
    Sealed(Sealed),
    /// A whole row with sealed columns, of which this is one.
    Row(ColumnId),
}

/// A sealed expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Whose tokens.
    pub(crate) column: ColumnId,
    /// The type that PostgreSQL would give the expression on the logical schema.
    pub(crate) logical: LogicalType,
    /// See [`crate::plan::Output::Sealed`].
    pub(crate) detached: bool,
}

/// A node of the forest of free kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Var(usize);

/// The state of a free kind's tree.
#[derive(Debug)]
enum State {
    /// Joined to another.
    Link(Var),
    /// Undecided, with the leaves (indices into [`Kinds::leaves`]) that wait for a decision.
    Free(Vec<usize>),
    /// Decided.
    Plain,
    /// Decided.
    Sealed(Sealed),
}

/// A literal or a parameter in the text.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The value, for a literal.
    pub(crate) value: LeafValue,
    /// Its tokens, with the parentheses and casts around it that an edit replaces.
    pub(crate) extent: Range<usize>,
    /// The literal's or parameter's own token.
    pub(crate) token: usize,
    /// Casts to character types around it, innermost first.
    pub(crate) casts: Vec<LogicalType>,
    /// It is an array whose elements meet the other side.
    pub(crate) array: bool,
    /// The array's element type as cast in the text.
    pub(crate) array_cast: Option<LogicalType>,
    /// It has become `text` before it meets anything: in COALESCE, CASE, VALUES.
    pub(crate) is_text: bool,
    /// Set when it is sealed; otherwise it passes as it stands.
    pub(crate) sealed: Option<(Slot, u32)>,
}

/// See [`Leaf::value`].
#[derive(Debug, Clone)]
pub(crate) enum LeafValue {
    /// A string literal's value.
    Literal(Arc<str>),
    /// `$n`, from 0.
    Param(usize),
}

/// Where a leaf meets a sealed kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meet {
    /// Stored, or compared.
    pub(crate) assign: bool,
    /// The type that PostgreSQL would give a parameter here.
    pub(crate) described: u32,
}

impl Meet {
    /// `column = $1`: PostgreSQL finds `text = text` for `varchar`
    /// ("Operators": type resolution prefers the preferred type of the category).
    pub(crate) fn operator(logical: LogicalType) -> Self {
        let described = match logical {
            LogicalType::Text | LogicalType::Varchar(_) => LogicalType::Text.oid(),
            LogicalType::Char(_) => logical.oid(),
        };
        Self { assign: false, described }
    }

    /// `column = ANY ($1)`.
    pub(crate) fn array_operator(logical: LogicalType) -> Self {
        let described = match logical {
            LogicalType::Text | LogicalType::Varchar(_) => LogicalType::Text.array_oid(),
            LogicalType::Char(_) => logical.array_oid(),
        };
        Self { assign: false, described }
    }

    /// IN lists, COALESCE, CASE, set operations: the common type is the column's.
    pub(crate) fn common(logical: LogicalType) -> Self {
        Self { assign: false, described: logical.oid() }
    }

    /// INSERT and UPDATE.
    pub(crate) fn assignment(logical: LogicalType) -> Self {
        Self { assign: true, described: logical.oid() }
    }
}

/// All free kinds of a statement.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    states: Vec<State>,
    /// In the order in which they were found.
    pub(crate) leaves: Vec<Leaf>,
}

impl Kinds {
    /// A new free kind for a leaf.
    pub(crate) fn leaf(&mut self, leaf: Leaf) -> Kind {
        self.leaves.push(leaf);
        self.states.push(State::Free(vec![self.leaves.len() - 1]));
        Kind::Free(Var(self.states.len() - 1))
    }

    fn root(&self, mut var: Var) -> Var {
        while let State::Link(next) = self.states[var.0] {
            var = next;
        }
        var
    }

    /// The kind as decided so far.
    pub(crate) fn resolve(&self, kind: Kind) -> Kind {
        let Kind::Free(var) = kind else { return kind };
        let root = self.root(var);
        match self.states[root.0] {
            State::Plain => Kind::Plain,
            State::Sealed(sealed) => Kind::Sealed(sealed),
            State::Free(_) | State::Link(_) => Kind::Free(root),
        }
    }

    /// Decides that a free kind is plain.
    pub(crate) fn make_plain(&mut self, var: Var) {
        let root = self.root(var);
        if matches!(self.states[root.0], State::Free(_)) {
            self.states[root.0] = State::Plain;
        }
    }

    /// Several undecided literals make `text` of each other ("UNION, CASE, and Related
    /// Constructs").
    fn make_text(&mut self, var: Var) {
        let root = self.root(var);
        if let State::Free(leaves) = &self.states[root.0] {
            for index in leaves {
                self.leaves[*index].is_text = true;
            }
        }
    }

    /// Joins two free kinds.
    fn join(&mut self, left: Var, right: Var) {
        let (left, right) = (self.root(left), self.root(right));
        if left == right {
            return;
        }
        let taken = std::mem::replace(&mut self.states[right.0], State::Link(left));
        if let (State::Free(more), State::Free(leaves)) = (taken, &mut self.states[left.0]) {
            leaves.extend(more);
        }
    }

    /// Decides that a free kind is sealed like `sealed`.
    fn make_sealed(&mut self, var: Var, sealed: Sealed, meet: Meet) {
        let root = self.root(var);
        let State::Free(leaves) =
            std::mem::replace(&mut self.states[root.0], State::Sealed(sealed))
        else {
            return;
        };
        for index in leaves {
            let leaf = &mut self.leaves[index];
            let purpose = if meet.assign {
                Purpose::Assign(sealed.logical)
            } else {
                Purpose::Compare(compared_as(leaf.casts.last().copied(), sealed.logical))
            };
            let slot = Slot { column: sealed.column, purpose, casts: leaf.casts.clone() };
            let described = if leaf.is_text { LogicalType::Text.oid() } else { meet.described };
            leaf.sealed = Some((slot, described));
        }
    }
}

/// As which type a leaf is compared: `char(10) = 'abc  '` compares `bpchar` and ignores trailing
/// blanks, `char(10) = 'abc  '::text` compares `text` and does not.
fn compared_as(cast: Option<LogicalType>, column: LogicalType) -> LogicalType {
    match (column, cast) {
        (LogicalType::Char(_), Some(LogicalType::Text)) => LogicalType::Text,
        _ => column.unbounded(),
    }
}

/// The type of a literal that is compared with a column.
fn literal_type(column: LogicalType) -> LogicalType {
    match column {
        LogicalType::Text | LogicalType::Varchar(_) => LogicalType::Text,
        LogicalType::Char(_) => column.unbounded(),
    }
}

/// Two sealed columns have comparable tokens.
fn comparable(left: &SealedColumn, right: &SealedColumn) -> bool {
    let of = |c: &SealedColumn| (c.mode, c.domain.clone(), c.keyring.clone(), c.key_id.clone());
    left.mode == Mode::Deterministic && of(left) == of(right)
}

/// `character` values are compared without trailing blanks, `text` and `varchar` with them.
fn same_blanks(left: LogicalType, right: LogicalType) -> bool {
    matches!(left, LogicalType::Char(_)) == matches!(right, LogicalType::Char(_))
}

/// The path of a sealed column in messages.
pub(crate) fn path(catalog: &Catalog, id: ColumnId) -> String {
    let column = catalog.column(id);
    format!("{}.{}", column.table, column.column)
}

impl Analysis<'_> {
    /// The expression must be plain, as everything that the server computes with.
    pub(crate) fn plain(&mut self, kind: Kind, what: &str) -> Result<(), Refusal> {
        match self.kinds.resolve(kind) {
            Kind::Plain | Kind::Null => Ok(()),
            Kind::Free(var) => {
                self.kinds.make_plain(var);
                Ok(())
            }
            Kind::Sealed(sealed) => Err(self.refuse(Reason::Compute {
                what: what.to_owned(),
                column: path(self.catalog, sealed.column),
            })),
            Kind::Row(column) => {
                let table = self.catalog.column(column).table.clone();
                Err(self.refuse(Reason::WholeRow(table)))
            }
        }
    }

    /// Marks a use of a sealed column for the policy.
    pub(crate) fn uses(&mut self, column: ColumnId, mark: impl FnOnce(&mut Uses)) {
        mark(self.uses.entry(column).or_default());
    }

    /// `=` and its like between two expressions.
    pub(crate) fn compare(
        &mut self,
        left: Kind,
        right: Kind,
        what: &str,
        meet: fn(LogicalType) -> Meet,
    ) -> Result<(), Refusal> {
        match (self.kinds.resolve(left), self.kinds.resolve(right)) {
            (Kind::Sealed(left), Kind::Sealed(right)) => {
                self.deterministic(left, what)?;
                self.deterministic(right, what)?;
                self.comparable(left, right)?;
                self.uses(left.column, |uses| uses.compared = true);
                self.uses(right.column, |uses| uses.compared = true);
                Ok(())
            }
            (Kind::Sealed(sealed), Kind::Free(var)) | (Kind::Free(var), Kind::Sealed(sealed)) => {
                self.deterministic(sealed, what)?;
                self.uses(sealed.column, |uses| uses.compared = true);
                // Compared, a literal keeps its own type: it may be longer than the column's.
                let literal = Sealed { logical: literal_type(sealed.logical), ..sealed };
                self.kinds.make_sealed(var, literal, meet(sealed.logical));
                Ok(())
            }
            (Kind::Sealed(sealed), Kind::Null) | (Kind::Null, Kind::Sealed(sealed)) => {
                self.uses(sealed.column, |uses| uses.compared = true);
                Ok(())
            }
            (Kind::Sealed(sealed), Kind::Plain) | (Kind::Plain, Kind::Sealed(sealed)) => {
                self.deterministic(sealed, what)?;
                Err(self.refuse(Reason::PlainMeetsSealed {
                    what: what.to_owned(),
                    column: path(self.catalog, sealed.column),
                }))
            }
            (Kind::Free(left), Kind::Free(right)) => {
                self.kinds.join(left, right);
                Ok(())
            }
            (left, right) => {
                self.plain(left, what)?;
                self.plain(right, what)
            }
        }
    }

    pub(crate) fn comparable(&mut self, left: Sealed, right: Sealed) -> Result<(), Refusal> {
        let (a, b) = (self.catalog.column(left.column), self.catalog.column(right.column));
        if comparable(a, b) && same_blanks(left.logical, right.logical) {
            return Ok(());
        }
        Err(self.refuse(Reason::Incomparable {
            left: path(self.catalog, left.column),
            right: path(self.catalog, right.column),
        }))
    }

    /// The column's mode must allow equality.
    pub(crate) fn deterministic(&self, sealed: Sealed, what: &str) -> Result<(), Refusal> {
        if self.catalog.column(sealed.column).mode == Mode::Deterministic {
            return Ok(());
        }
        Err(self.refuse(Reason::Randomized {
            what: what.to_owned(),
            column: path(self.catalog, sealed.column),
        }))
    }

    /// De-duplicated or grouped by.
    pub(crate) fn group(&mut self, kind: Kind, what: &str) -> Result<(), Refusal> {
        match self.kinds.resolve(kind) {
            Kind::Sealed(sealed) => {
                self.deterministic(sealed, what)?;
                self.uses(sealed.column, |uses| uses.grouped = true);
                Ok(())
            }
            Kind::Row(_) => self.plain(kind, what),
            Kind::Plain | Kind::Null | Kind::Free(_) => Ok(()),
        }
    }

    /// Only counted, or tested for NULL.
    pub(crate) fn test(&mut self, kind: Kind, what: &str) -> Result<(), Refusal> {
        match self.kinds.resolve(kind) {
            Kind::Sealed(sealed) => {
                self.uses(sealed.column, |uses| uses.tested = true);
                Ok(())
            }
            other => self.plain(other, what),
        }
    }

    /// Several expressions become one: COALESCE, CASE, VALUES, set operations.
    pub(crate) fn carry(&mut self, kinds: &[Kind], what: &str) -> Result<Kind, Refusal> {
        let mut sealed: Option<Sealed> = None;
        let mut bounded = true;
        let mut plain = false;
        let mut free: Option<Var> = None;
        for kind in kinds {
            match self.kinds.resolve(*kind) {
                Kind::Plain => plain = true,
                Kind::Null => bounded = false,
                row @ Kind::Row(_) => self.plain(row, what)?,
                Kind::Free(var) => {
                    bounded = false;
                    match free {
                        None => free = Some(var),
                        Some(first) => self.kinds.join(first, var),
                    }
                }
                Kind::Sealed(next) => {
                    sealed = Some(match sealed {
                        None => next,
                        Some(first) => self.common(first, next, what)?,
                    });
                }
            }
        }
        match (sealed, plain, free) {
            (Some(sealed), true, _) => Err(self.refuse(Reason::PlainMeetsSealed {
                what: what.to_owned(),
                column: path(self.catalog, sealed.column),
            })),
            (Some(mut sealed), false, free) => {
                if let Some(var) = free {
                    self.kinds.make_sealed(var, sealed, Meet::common(sealed.logical));
                }
                if !bounded {
                    sealed.logical = sealed.logical.unbounded();
                }
                Ok(Kind::Sealed(sealed))
            }
            (None, true, free) => {
                if let Some(var) = free {
                    self.kinds.make_plain(var);
                }
                Ok(Kind::Plain)
            }
            (None, false, Some(var)) => {
                self.kinds.make_text(var);
                Ok(Kind::Free(var))
            }
            (None, false, None) => Ok(Kind::Null),
        }
    }

    /// Two sealed expressions become one: their tokens must mean the same, and the policy must
    /// decide alike on both.
    fn common(&mut self, first: Sealed, next: Sealed, what: &str) -> Result<Sealed, Refusal> {
        if first.column != next.column {
            let (a, b) = (self.catalog.column(first.column), self.catalog.column(next.column));
            // Any token of the keyring opens; nothing compares them here.
            let carried =
                a.mode == Mode::Randomized && b.mode == Mode::Randomized && a.keyring == b.keyring;
            if !carried {
                self.deterministic(first, what)?;
                self.comparable(first, next)?;
            }
            self.mixed.push((first.column, next.column));
        }
        let logical = match (first.logical, next.logical) {
            (a, b) if a == b => a,
            (a, b) if a.unbounded() == b.unbounded() => a.unbounded(),
            // text is the preferred type of its category.
            (
                LogicalType::Text | LogicalType::Varchar(_),
                LogicalType::Text | LogicalType::Varchar(_),
            ) => LogicalType::Text,
            _ => {
                return Err(self.refuse(Reason::Incomparable {
                    left: path(self.catalog, first.column),
                    right: path(self.catalog, next.column),
                }));
            }
        };
        Ok(Sealed { column: first.column, logical, detached: first.detached && next.detached })
    }

    /// An expression is stored in a column.
    pub(crate) fn assign(
        &mut self,
        kind: Kind,
        target: Option<Sealed>,
        name: &str,
    ) -> Result<(), Refusal> {
        let kind = self.kinds.resolve(kind);
        let Some(target) = target else {
            return match kind {
                Kind::Sealed(sealed) => Err(self.refuse(Reason::SealedIntoPlain {
                    column: path(self.catalog, sealed.column),
                    target: name.to_owned(),
                })),
                other => self.plain(other, "assignment"),
            };
        };
        self.uses(target.column, |uses| uses.written = true);
        match kind {
            Kind::Null => Ok(()),
            Kind::Free(var) => {
                self.kinds.make_sealed(var, target, Meet::assignment(target.logical));
                Ok(())
            }
            Kind::Sealed(source) if self.fits(source, target) => {
                self.uses(source.column, |uses| uses.output = true);
                Ok(())
            }
            Kind::Sealed(source) => Err(self.refuse(Reason::SealedOtherwise {
                column: path(self.catalog, source.column),
                target: path(self.catalog, target.column),
            })),
            Kind::Plain => Err(self.refuse(Reason::PlainMeetsSealed {
                what: "assignment".into(),
                column: path(self.catalog, target.column),
            })),
            Kind::Row(_) => self.plain(kind, "assignment"),
        }
    }

    /// The source's tokens are what the target would hold for the same values, and every value of
    /// the source is a value of the target.
    fn fits(&self, source: Sealed, target: Sealed) -> bool {
        let (a, b) = (self.catalog.column(source.column), self.catalog.column(target.column));
        let sealed_alike = comparable(a, b)
            || (a.mode == Mode::Randomized && b.mode == Mode::Randomized && a.keyring == b.keyring);
        let same_values = match (source.logical, target.logical) {
            (
                LogicalType::Text | LogicalType::Varchar(_),
                LogicalType::Text | LogicalType::Varchar(None),
            )
            | (LogicalType::Char(_), LogicalType::Char(None)) => true,
            (LogicalType::Varchar(Some(n)), LogicalType::Varchar(Some(m)))
            | (LogicalType::Char(Some(n)), LogicalType::Char(Some(m))) => n <= m,
            _ => false,
        };
        sealed_alike && same_values
    }
}
