//! Kinds of expressions, and the forest in which free ones wait for a decision.
//!
//! Inference works as for types: a literal or parameter starts out free and takes the kind of
//! what it meets, through any number of VALUES lists, CTEs and set operations in between. Free
//! kinds that meet become one (a disjoint-set forest); when one of them meets a sealed column,
//! every leaf behind it is sealed as that column's tokens are. What happens where two kinds meet
//! is in [`super::meet`].

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use pgveil_seal::{Fold, LogicalType};

use super::scope::Col;
use crate::catalog::ColumnId;
use crate::plan::{Purpose, Slot};

/// What an expression holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// An ordinary value.
    Plain,
    /// The literal NULL, or DEFAULT: fits everywhere. With the type of a cast around it.
    Null(Option<LogicalType>),
    /// Literals and parameters that have not met anything yet.
    Free(Var),
    /// A token.
    Sealed(Sealed),
    /// An array of one dimension whose elements are tokens, or free.
    Array(Array),
    /// A row of which a field is not plain.
    Row(RowId),
}

/// A sealed expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Whose tokens.
    pub(crate) column: ColumnId,
    /// The type that PostgreSQL would give the expression on the logical schema.
    pub(crate) logical: LogicalType,
    /// The type of the columns that its values come from: none is longer.
    pub(crate) values: LogicalType,
    /// See [`crate::plan::Output::Sealed`].
    pub(crate) detached: bool,
    /// Not a token but its fold handle: `lower(column)` or `upper(column)`.
    pub(crate) folded: Option<Folded>,
    /// It is what the column of a table holds, and nothing that the statement has put beside it.
    pub(crate) stored: bool,
}

impl Sealed {
    /// The same, as part of something larger.
    pub(crate) fn without_call(self) -> Self {
        Self { folded: self.folded.map(|_| Folded { call: None }), stored: false, ..self }
    }
}

/// An expression of fold handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folded {
    /// The call that it is and nothing more: an index into what [`super::fold`] notes.
    pub(crate) call: Option<usize>,
}

/// An array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Array {
    pub(crate) element: Element,
    /// The type of its elements, without a length, once something has decided it: a bare literal
    /// or parameter takes that of the array it meets.
    pub(crate) typed: Option<LogicalType>,
    /// The type of its elements for the server: what a cast in the text says, else `text`.
    pub(crate) physical: LogicalType,
    /// Its elements stand in the order of their values (`array_agg(DISTINCT ...)`), which that of
    /// their tokens is not: it can be searched and counted, but not shown.
    pub(crate) by_value: bool,
}

/// The elements of an array.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Element {
    Free(Var),
    Sealed(Sealed),
}

impl From<Element> for Kind {
    fn from(element: Element) -> Self {
        match element {
            Element::Free(var) => Self::Free(var),
            Element::Sealed(sealed) => Self::Sealed(sealed),
        }
    }
}

/// A node of the forest of free kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Var(usize);

/// Index into [`Kinds::rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowId(usize);

/// The state of a free kind's tree.
#[derive(Debug)]
enum State {
    /// Joined to another.
    Link(Var),
    /// Another expression over the same leaves.
    View(Var, View),
    /// Undecided, with the leaves (indices into [`Kinds::leaves`]) that wait for a decision.
    Free(Vec<usize>),
    /// Decided.
    Plain,
    /// Decided, with the leaves that became tokens.
    Sealed(Sealed, Vec<usize>),
}

/// An expression over leaves that is more than they are.
#[derive(Debug, Clone, Copy)]
struct View {
    /// Its type.
    logical: LogicalType,
    /// It may hold values of columns as well, which are of this type.
    columns: Option<LogicalType>,
}

/// A literal or a parameter in the text.
#[expect(clippy::struct_excessive_bools, reason = "facts that hold in nearly all combinations")]
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
    /// `lower` or `upper` around it and its casts.
    pub(crate) fold: Option<Fold>,
    /// It has become `text` before it meets anything: in COALESCE, CASE, VALUES.
    pub(crate) is_text: bool,
    /// The type that the client declares for the parameter; of an array, its elements'.
    pub(crate) declared: Option<LogicalType>,
    /// It stands in a VALUES list of several rows, or behind a condition: which of the values is
    /// stored is known row by row.
    pub(crate) in_rows: bool,
    /// It is what a call over values alone gives, which the planner evaluates before any row.
    pub(crate) constant: bool,
    /// It is compared with something.
    pub(crate) compared: bool,
    /// It is grouped by.
    pub(crate) grouped: bool,
    /// It is tested for NULL.
    pub(crate) tested: bool,
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
    /// The type that PostgreSQL would give a parameter here; of an array's elements, where the
    /// parameter is an array.
    pub(crate) described: LogicalType,
}

impl Meet {
    /// `column = $1`: PostgreSQL finds `text = text` for `varchar`
    /// ("Operators": type resolution prefers the preferred type of the category).
    pub(crate) fn operator(logical: LogicalType) -> Self {
        let described = match logical {
            LogicalType::Text | LogicalType::Varchar(_) => LogicalType::Text,
            LogicalType::Char(_) => logical,
        };
        Self { assign: false, described }
    }

    /// IN lists, COALESCE, CASE, set operations: the common type is the column's.
    pub(crate) fn common(logical: LogicalType) -> Self {
        Self { assign: false, described: logical }
    }

    /// INSERT and UPDATE.
    pub(crate) fn assignment(logical: LogicalType) -> Self {
        Self { assign: true, described: logical }
    }
}

/// All kinds of a statement that are more than a word.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    states: Vec<State>,
    /// In the order in which they were found.
    pub(crate) leaves: Vec<Leaf>,
    rows: Vec<Rc<[Col]>>,
    /// The first leaf of each parameter.
    params: HashMap<usize, usize>,
    /// VALUES of an INSERT: no row of it is left out.
    pub(crate) all_stored: bool,
    /// The server gives types to parameters in the order of the leaves, assignments included.
    pub(crate) types_in_order: bool,
}

impl Kinds {
    /// A new free kind for a leaf.
    pub(crate) fn leaf(&mut self, leaf: Leaf) -> Kind {
        if let LeafValue::Param(index) = leaf.value {
            self.params.entry(index).or_insert(self.leaves.len());
        }
        self.leaves.push(leaf);
        self.states.push(State::Free(vec![self.leaves.len() - 1]));
        Kind::Free(Var(self.states.len() - 1))
    }

    /// A leaf in front of this one is the same parameter.
    pub(crate) fn is_known_before(&self, param: usize, leaf: usize) -> bool {
        self.params.get(&param).is_some_and(|first| *first < leaf)
    }

    /// The kind of a row with these fields.
    pub(crate) fn row(&mut self, fields: Vec<Col>) -> Kind {
        if fields.iter().all(|field| matches!(field.kind, Kind::Plain | Kind::Null(_))) {
            return Kind::Plain;
        }
        self.rows.push(fields.into());
        Kind::Row(RowId(self.rows.len() - 1))
    }

    /// The fields of a row.
    pub(crate) fn fields(&self, row: RowId) -> Rc<[Col]> {
        Rc::clone(&self.rows[row.0])
    }

    fn root(&self, mut var: Var) -> Var {
        while let State::Link(next) | State::View(next, _) = self.states[var.0] {
            var = next;
        }
        var
    }

    /// An expression over the leaves of `of`, of a type of its own; `columns` are the values of
    /// columns that it may hold as well.
    pub(crate) fn view(
        &mut self,
        of: Var,
        logical: LogicalType,
        columns: Option<LogicalType>,
    ) -> Kind {
        self.states.push(State::View(of, View { logical, columns }));
        Kind::Free(Var(self.states.len() - 1))
    }

    /// The outermost view on the way to the root, and where it is.
    fn outermost(&self, mut var: Var) -> Option<(Var, View)> {
        loop {
            match self.states[var.0] {
                State::Link(next) => var = next,
                State::View(_, view) => return Some((var, view)),
                State::Free(_) | State::Plain | State::Sealed(..) => return None,
            }
        }
    }

    /// The type that a cast has given an expression over leaves.
    pub(crate) fn view_type(&self, var: Var) -> Option<LogicalType> {
        self.outermost(var).map(|(_, view)| view.logical)
    }

    /// The type of the columns whose values an expression over leaves may hold as well.
    pub(crate) fn columns(&self, kind: Kind) -> Option<LogicalType> {
        let Kind::Free(mut var) = kind else { return None };
        loop {
            match self.states[var.0] {
                State::Link(next) | State::View(next, View { columns: None, .. }) => var = next,
                State::View(_, View { columns, .. }) => return columns,
                State::Free(_) | State::Plain | State::Sealed(..) => return None,
            }
        }
    }

    /// The kind as decided so far.
    pub(crate) fn resolve(&self, kind: Kind) -> Kind {
        match kind {
            Kind::Free(var) => {
                let root = self.root(var);
                let view = self.outermost(var);
                match self.states[root.0] {
                    State::Plain => Kind::Plain,
                    State::Sealed(sealed, _) => Kind::Sealed(match view {
                        Some((_, View { logical, .. })) => {
                            Sealed { logical, values: logical, ..sealed }
                        }
                        None => sealed,
                    }),
                    State::Free(_) | State::Link(_) | State::View(..) => {
                        Kind::Free(view.map_or(root, |(at, _)| at))
                    }
                }
            }
            Kind::Array(array) => match self.resolve(array.element.into()) {
                Kind::Sealed(sealed) => {
                    // The array's own type, not that of what it met.
                    let logical = array.typed.unwrap_or(sealed.logical);
                    let logical = match array.element {
                        Element::Free(_) => logical,
                        Element::Sealed(_) => sealed.logical,
                    };
                    let element = Element::Sealed(Sealed { logical, ..sealed });
                    Kind::Array(Array { element, ..array })
                }
                Kind::Free(var) => Kind::Array(Array { element: Element::Free(var), ..array }),
                _ => Kind::Plain,
            },
            Kind::Plain | Kind::Null(_) | Kind::Sealed(_) | Kind::Row(_) => kind,
        }
    }

    /// A sealed column whose tokens the expression holds, alone or among other things.
    pub(crate) fn sealed_in(&self, kind: Kind) -> Option<ColumnId> {
        match self.resolve(kind) {
            Kind::Plain
            | Kind::Null(_)
            | Kind::Free(_)
            | Kind::Array(Array { element: Element::Free(_), .. }) => None,
            Kind::Sealed(sealed) | Kind::Array(Array { element: Element::Sealed(sealed), .. }) => {
                Some(sealed.column)
            }
            Kind::Row(row) => self.rows[row.0].iter().find_map(|field| self.sealed_in(field.kind)),
        }
    }

    /// Decides that a free kind is plain.
    pub(crate) fn make_plain(&mut self, var: Var) {
        let root = self.root(var);
        if matches!(self.states[root.0], State::Free(_)) {
            self.states[root.0] = State::Plain;
        }
    }

    /// The leaves that wait for a decision.
    fn free_leaves(&self, var: Var) -> Vec<usize> {
        match &self.states[self.root(var).0] {
            State::Free(leaves) => leaves.clone(),
            State::Link(_) | State::View(..) | State::Plain | State::Sealed(..) => Vec::new(),
        }
    }

    /// Several undecided literals make `text` of each other ("UNION, CASE, and Related
    /// Constructs"), and so does the select list of a sub-query.
    pub(crate) fn make_text(&mut self, var: Var) {
        for index in self.free_leaves(var) {
            let leaf = &mut self.leaves[index];
            leaf.is_text |= leaf.own().is_none();
        }
    }

    /// The type that a free kind has by itself. What meets in one expression has one type.
    pub(crate) fn own_type(&self, var: Var) -> Option<LogicalType> {
        self.view_type(var).or_else(|| self.type_of(&self.free_leaves(var)))
    }

    fn type_of(&self, leaves: &[usize]) -> Option<LogicalType> {
        let mut types = leaves.iter().filter_map(|index| self.leaves[*index].own());
        let first = types.next()?;
        Some(if types.all(|next| next == first) { first } else { first.unbounded() })
    }

    /// A free kind's leaves become values of a type. No client could tell a cast that changes
    /// nothing from none.
    pub(crate) fn coerce(&mut self, var: Var, logical: LogicalType) {
        for index in self.free_leaves(var) {
            let leaf = &mut self.leaves[index];
            let own = leaf.own();
            if own == Some(logical) || leaf.array {
                continue;
            }
            // The first cast tells a parameter's type.
            leaf.casts.extend(own.filter(|_| leaf.casts.is_empty()));
            leaf.casts.push(logical);
        }
    }

    /// Blanks at the end are not in the token though they count in the expression's own type:
    /// `varchar = bpchar` compares as `bpchar`.
    pub(crate) fn lost_blanks(&self, kind: Kind) -> bool {
        self.sealed_leaves(kind).iter().any(|index| {
            let leaf = &self.leaves[*index];
            let compared = leaf.sealed.as_ref().map(|(slot, _)| slot.purpose);
            matches!(compared, Some(Purpose::Compare(LogicalType::Char(_))))
                && matches!(leaf.own(), Some(LogicalType::Varchar(_)))
        })
    }

    /// See [`Leaf::in_rows`].
    pub(crate) fn make_rows(&mut self, var: Var) {
        for index in self.free_leaves(var) {
            self.leaves[index].in_rows = true;
        }
    }

    /// [`Kinds::make_rows`] of a kind, if it is free.
    pub(crate) fn note_rows(&mut self, kind: Kind) {
        if let Kind::Free(var) = kind {
            self.make_rows(var);
        }
    }

    /// The leaves behind a kind, decided or not, are compared with something.
    pub(crate) fn note_compared(&mut self, kind: Kind) {
        for index in self.leaves_of(kind) {
            self.leaves[index].compared = true;
        }
    }

    /// `NULLIF(first, ...)`, among values alone or not: the leaf that it may give.
    pub(crate) fn note_constant(&mut self, first: Kind, constant: bool) {
        let leaves = self.leaves_of(first);
        for index in &leaves {
            let known = &mut self.leaves[*index].constant;
            *known = constant && !self.all_stored && (*known || leaves.len() == 1);
        }
    }

    /// They are grouped by.
    pub(crate) fn note_grouped(&mut self, kind: Kind) {
        for index in self.leaves_of(kind) {
            self.leaves[index].grouped = true;
        }
    }

    /// The leaves behind a kind, decided or not.
    pub(crate) fn leaves_of(&self, kind: Kind) -> Vec<usize> {
        let (Kind::Free(var) | Kind::Array(Array { element: Element::Free(var), .. })) = kind
        else {
            return Vec::new();
        };
        match &self.states[self.root(var).0] {
            State::Free(leaves) | State::Sealed(_, leaves) => leaves.clone(),
            State::Link(_) | State::View(..) | State::Plain => Vec::new(),
        }
    }

    /// A cast to a type with a length is carried out on leaves, which are all that it is about.
    pub(crate) fn cast(&mut self, leaves: &[usize], cast: LogicalType) {
        for index in leaves {
            let leaf = &mut self.leaves[*index];
            let first = leaf.own().filter(|_| leaf.casts.is_empty());
            if let Some((slot, _)) = &mut leaf.sealed {
                slot.casts.extend(first);
                slot.casts.push(cast);
            }
            leaf.casts.extend(first);
            leaf.casts.push(cast);
        }
    }

    /// Decides that a free kind's leaves are arrays. False: one of them cannot be.
    pub(crate) fn make_arrays(&mut self, var: Var) -> bool {
        let mut all = true;
        for index in self.free_leaves(var) {
            let leaf = &mut self.leaves[index];
            all &= leaf.array || leaf.own().is_none();
            leaf.array = true;
        }
        all
    }

    /// Leaves that are free so far are tested for NULL.
    pub(crate) fn note_test(&mut self, kind: Kind) {
        let Kind::Free(var) = kind else { return };
        for index in self.free_leaves(var) {
            self.leaves[index].tested = true;
        }
    }

    /// `$1 IS NULL OR email = $1`: what is tested for NULL and is sealed elsewhere goes up sealed
    /// in both places, since a token is NULL where its value is. A literal is taken for one that
    /// is sealed elsewhere if any is: values decide nothing.
    pub(crate) fn seal_tested(&mut self) {
        for index in 0..self.leaves.len() {
            let leaf = &self.leaves[index];
            if !leaf.tested || leaf.sealed.is_some() || leaf.array {
                continue;
            }
            let fits = |other: &&Leaf| match (&leaf.value, &other.value) {
                (LeafValue::Param(one), LeafValue::Param(two)) => one == two && !other.array,
                (LeafValue::Literal(_), LeafValue::Literal(_)) => true,
                _ => false,
            };
            let mut others = self.leaves.iter().filter(|other| other.sealed.is_some());
            let Some((slot, described)) = others.find(fits).and_then(|o| o.sealed.clone()) else {
                continue;
            };
            let slot = match leaf.value {
                LeafValue::Param(_) => slot,
                LeafValue::Literal(_) => Slot {
                    column: slot.column,
                    purpose: Purpose::Compare(LogicalType::Text),
                    casts: Vec::new(),
                    fold: None,
                    handle: false,
                },
            };
            self.leaves[index].sealed = Some((slot, described));
        }
    }

    /// Joins two free kinds.
    pub(crate) fn join(&mut self, left: Var, right: Var) {
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
    pub(crate) fn make_sealed(&mut self, var: Var, sealed: Sealed, meet: Meet) {
        let root = self.root(var);
        let State::Free(leaves) = &mut self.states[root.0] else { return };
        let leaves = std::mem::take(leaves);
        let own = self.type_of(&leaves);
        for index in &leaves {
            let leaf = &mut self.leaves[*index];
            let purpose = if meet.assign {
                leaf.stored_in(sealed.logical, leaf.compared_as(sealed.logical))
            } else {
                Purpose::Compare(leaf.compared_as(sealed.logical))
            };
            let slot = Slot {
                column: sealed.column,
                purpose,
                casts: leaf.casts.clone(),
                fold: leaf.fold,
                handle: sealed.folded.is_some(),
            };
            let described = if leaf.is_text { LogicalType::Text } else { meet.described };
            let described = if leaf.array { described.array_oid() } else { described.oid() };
            leaf.sealed = Some((slot, described));
        }
        let logical = own.unwrap_or(sealed.logical);
        let sealed = Sealed { logical, values: logical, ..sealed }.without_call();
        self.states[root.0] = State::Sealed(sealed, leaves);
    }

    /// The leaves behind a kind that was free and is sealed now.
    fn sealed_leaves(&self, kind: Kind) -> &[usize] {
        let Kind::Free(var) = kind else { return &[] };
        match &self.states[self.root(var).0] {
            State::Sealed(_, leaves) => leaves,
            State::Free(_) | State::Link(_) | State::View(..) | State::Plain => &[],
        }
    }

    /// Both were free, and have been sealed apart from each other.
    pub(crate) fn are_leaves(&self, left: Kind, right: Kind) -> bool {
        match (left, right) {
            (Kind::Free(left), Kind::Free(right)) => {
                let mixed = |kind| self.columns(Kind::Free(kind)).is_some();
                self.root(left) != self.root(right) && !mixed(left) && !mixed(right)
            }
            _ => false,
        }
    }

    /// Leaves that were stored are compared as well, with a column of this type.
    pub(crate) fn also_compared(&mut self, kind: Kind, logical: LogicalType) {
        for index in self.sealed_leaves(kind).to_vec() {
            let leaf = &mut self.leaves[index];
            let compared = leaf.compared_as(logical);
            let Some((slot, _)) = &mut leaf.sealed else { continue };
            slot.purpose = match slot.purpose {
                // What is stored is known by the sealed kind.
                Purpose::Assign(_) => continue,
                Purpose::Row { compared: None, stored, constant } => {
                    Purpose::Row { compared: Some(compared), stored, constant }
                }
                kept @ (Purpose::Compare(_) | Purpose::Row { compared: Some(_), .. }) => kept,
            };
        }
    }

    /// The type of the column in which leaves of a kind are stored.
    pub(crate) fn stored_type(&self, kind: Kind) -> Option<LogicalType> {
        let mut slots = self.leaves_of(kind).into_iter().filter_map(|index| {
            let (slot, _) = self.leaves[index].sealed.as_ref()?;
            Some(slot.purpose)
        });
        slots.find_map(|purpose| match purpose {
            Purpose::Assign(stored) | Purpose::Row { stored, .. } => Some(stored),
            Purpose::Compare(_) => None,
        })
    }

    /// Leaves that were compared are stored as well, in a column of this type. False: they are
    /// stored already, in another, or this is no kind of leaves alone.
    pub(crate) fn also_stored(&mut self, kind: Kind, stored: LogicalType) -> bool {
        let leaves = self.sealed_leaves(kind).to_vec();
        let mut all = !leaves.is_empty();
        for index in leaves {
            let Some((slot, _)) = &self.leaves[index].sealed else { continue };
            let purpose = match slot.purpose {
                Purpose::Compare(compared) => self.leaves[index].stored_in(stored, compared),
                kept @ (Purpose::Row { .. } | Purpose::Assign(_)) => {
                    all &= matches!(kept, Purpose::Row { stored: known, .. } if known == stored);
                    kept
                }
            };
            if let Some((slot, _)) = &mut self.leaves[index].sealed {
                slot.purpose = purpose;
            }
        }
        all
    }
}

impl Leaf {
    /// The type that it has before it meets anything; an array's elements'.
    pub(crate) fn own(&self) -> Option<LogicalType> {
        let cast = self.casts.last().copied();
        let own = if self.array { self.array_cast } else { cast };
        own.or(self.declared).or(self.is_text.then_some(LogicalType::Text))
    }

    /// What it is for where it is stored, and compared as a value of another type if at all.
    fn stored_in(&self, stored: LogicalType, compared: LogicalType) -> Purpose {
        match (self.in_rows, self.compared) {
            (false, false) => Purpose::Assign(stored),
            (in_rows, is_compared) => Purpose::Row {
                compared: is_compared.then_some(compared),
                stored,
                constant: self.constant && !in_rows,
            },
        }
    }

    /// As which type it is compared: `char(10) = 'abc  '` compares `bpchar` and ignores trailing
    /// blanks, `char(10) = 'abc  '::text` compares `text` and does not.
    fn compared_as(&self, column: LogicalType) -> LogicalType {
        match (column, self.own()) {
            (LogicalType::Char(_), Some(LogicalType::Text)) => LogicalType::Text,
            _ => column.unbounded(),
        }
    }
}
