//! What happens where two kinds meet: in a comparison, in one expression, in an assignment.

use pgveil_seal::{LogicalType, Mode};

use super::kind::{Array, Element, Kind, Meet, RowId, Sealed, Var};
use super::scope::Col;
use super::{Analysis, View};
use crate::catalog::{Catalog, ColumnId, SealedColumn};
use crate::plan::Uses;
use crate::refusal::{Reason, Refusal};

/// The type of a literal that is compared with a column.
fn literal_type(column: LogicalType) -> LogicalType {
    match column {
        LogicalType::Text | LogicalType::Varchar(_) => LogicalType::Text,
        LogicalType::Char(_) => column.unbounded(),
    }
}

/// Two sealed columns have comparable tokens.
fn comparable(left: &SealedColumn, right: &SealedColumn) -> bool {
    let of =
        |c: &SealedColumn| (c.mode, c.domain.clone(), c.keyring.clone(), c.key_id.clone(), c.fold);
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
            Kind::Plain | Kind::Null(_) => Ok(()),
            Kind::Free(var) | Kind::Array(Array { element: Element::Free(var), .. }) => {
                self.kinds.make_plain(var);
                Ok(())
            }
            Kind::Sealed(sealed) | Kind::Array(Array { element: Element::Sealed(sealed), .. }) => {
                if sealed.folded.is_some() {
                    return Err(self.only_compared(sealed));
                }
                Err(self.refuse(Reason::Compute {
                    what: what.to_owned(),
                    column: path(self.catalog, sealed.column),
                }))
            }
            row @ Kind::Row(id) => {
                if let Some(column) = self.kinds.sealed_in(row) {
                    let table = self.catalog.column(column).table.clone();
                    return Err(self.refuse(Reason::WholeRow(table)));
                }
                for field in self.kinds.fields(id).iter() {
                    self.plain(field.kind, what)?;
                }
                Ok(())
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
        self.keeps_blanks(left)?;
        self.keeps_blanks(right)?;
        self.kinds.note_compared(left);
        self.kinds.note_compared(right);
        match (self.kinds.resolve(left), self.kinds.resolve(right)) {
            // Values that are too long for their columns are equal only where the columns are.
            (Kind::Sealed(a), Kind::Sealed(_)) if self.kinds.are_leaves(left, right) => {
                Err(self.plain_meets(a.column, what))
            }
            (Kind::Sealed(a), Kind::Sealed(b)) => {
                let put_off = self.puts_off(a, b)?;
                self.deterministic(a, what)?;
                self.deterministic(b, what)?;
                if !put_off {
                    self.comparable(a, b)?;
                }
                self.kinds.also_compared(left, b.logical);
                self.kinds.also_compared(right, a.logical);
                self.uses(a.column, |uses| uses.compared = true);
                self.uses(b.column, |uses| uses.compared = true);
                Ok(())
            }
            (Kind::Sealed(sealed), Kind::Free(var)) | (Kind::Free(var), Kind::Sealed(sealed)) => {
                self.deterministic(sealed, what)?;
                // A cast has made it another type than that of its leaves.
                if let (LogicalType::Char(_), Some(LogicalType::Varchar(_))) =
                    (sealed.logical, self.kinds.view_type(var))
                {
                    return Err(self.plain_meets(sealed.column, what));
                }
                self.uses(sealed.column, |uses| uses.compared = true);
                // Compared, a literal keeps its own type: it may be longer than the column's.
                let literal = Sealed { logical: literal_type(sealed.logical), ..sealed };
                self.kinds.make_sealed(var, literal, meet(sealed.logical));
                // What is too long for a column is equal to itself.
                for kind in [left, right] {
                    self.kinds.also_compared(kind, sealed.logical);
                    if let Some(stored) = self.kinds.stored_type(kind) {
                        self.kinds.also_stored(Kind::Free(var), stored);
                    }
                }
                Ok(())
            }
            (Kind::Sealed(sealed), Kind::Null(_)) | (Kind::Null(_), Kind::Sealed(sealed)) => {
                self.uses(sealed.column, |uses| uses.compared = true);
                Ok(())
            }
            (Kind::Sealed(sealed), Kind::Plain) | (Kind::Plain, Kind::Sealed(sealed)) => {
                self.deterministic(sealed, what)?;
                Err(self.plain_meets(sealed.column, what))
            }
            (Kind::Free(left), Kind::Free(right)) => {
                // One without a type takes that of the other.
                match (self.kinds.own_type(left), self.kinds.own_type(right)) {
                    (Some(typed), None) => self.kinds.coerce(right, literal_type(typed)),
                    (None, Some(typed)) => self.kinds.coerce(left, literal_type(typed)),
                    _ => {}
                }
                self.kinds.join(left, right);
                Ok(())
            }
            (Kind::Array(a), Kind::Array(b)) => {
                let oid = |array: Array| array.typed.map(LogicalType::array_oid);
                let alike = oid(a).is_none_or(|a| oid(b).is_none_or(|b| a == b))
                    && a.physical.oid() == b.physical.oid();
                if !alike {
                    // There is no such operator, for us or for the server.
                    return self.plain(left, what).and_then(|()| self.plain(right, what));
                }
                let meet = Meet::common(a.typed.or(b.typed).unwrap_or(LogicalType::Text));
                self.compare_elements(a.element.into(), b.element.into(), what, meet)
            }
            (Kind::Array(array), Kind::Free(var)) | (Kind::Free(var), Kind::Array(array)) => {
                if !self.kinds.make_arrays(var) {
                    self.kinds.make_plain(var);
                }
                let meet = Meet::common(array.typed.unwrap_or(LogicalType::Text));
                self.compare_elements(array.element.into(), Kind::Free(var), what, meet)
            }
            (Kind::Row(a), Kind::Row(b)) => self.compare_rows(a, b, what),
            (row @ Kind::Row(_), Kind::Null(_)) | (Kind::Null(_), row @ Kind::Row(_)) => {
                self.test(row, what)
            }
            (left, right) => {
                self.plain(left, what)?;
                self.plain(right, what)
            }
        }
    }

    /// The elements of two arrays of one type.
    fn compare_elements(
        &mut self,
        left: Kind,
        right: Kind,
        what: &str,
        meet: Meet,
    ) -> Result<(), Refusal> {
        match (self.kinds.resolve(left), self.kinds.resolve(right)) {
            (Kind::Sealed(sealed), Kind::Free(var)) | (Kind::Free(var), Kind::Sealed(sealed)) => {
                self.deterministic(sealed, what)?;
                self.uses(sealed.column, |uses| uses.compared = true);
                let literal = Sealed { logical: literal_type(sealed.logical), ..sealed };
                self.kinds.make_sealed(var, literal, meet);
                Ok(())
            }
            _ => self.compare(left, right, what, Meet::operator),
        }
    }

    /// Rows as values are compared field by field, of one type each.
    fn compare_rows(&mut self, left: RowId, right: RowId, what: &str) -> Result<(), Refusal> {
        let (left, right) = (self.kinds.fields(left), self.kinds.fields(right));
        if left.len() != right.len() {
            return Err(self.unparsed("rows of different lengths in a comparison"));
        }
        for (left, right) in left.iter().zip(right.iter()) {
            match (self.kinds.resolve(left.kind), self.kinds.resolve(right.kind)) {
                (Kind::Sealed(a), Kind::Sealed(b)) if a.logical.oid() != b.logical.oid() => {
                    return Err(self.incomparable(a.column, b.column));
                }
                (Kind::Sealed(_), Kind::Sealed(_)) | (Kind::Row(_), Kind::Row(_)) => {
                    self.compare(left.kind, right.kind, what, Meet::operator)?;
                }
                // A field keeps its type: a literal's is not that of a column.
                (a, b) => {
                    self.plain(a, what)?;
                    self.plain(b, what)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn comparable(&mut self, left: Sealed, right: Sealed) -> Result<(), Refusal> {
        let (a, b) = (self.catalog.column(left.column), self.catalog.column(right.column));
        if comparable(a, b) && same_blanks(left.logical, right.logical) {
            return Ok(());
        }
        Err(self.incomparable(left.column, right.column))
    }

    fn incomparable(&self, left: ColumnId, right: ColumnId) -> Refusal {
        let (left, right) = (path(self.catalog, left), path(self.catalog, right));
        self.refuse(Reason::Incomparable { left, right })
    }

    pub(crate) fn plain_meets(&self, column: ColumnId, what: &str) -> Refusal {
        let column = path(self.catalog, column);
        self.refuse(Reason::PlainMeetsSealed { what: what.to_owned(), column })
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

    /// An expression whose token was made without blanks that count in it serves only for the
    /// comparison that it was made for.
    pub(crate) fn keeps_blanks(&self, kind: Kind) -> Result<(), Refusal> {
        match self.kinds.resolve(kind) {
            Kind::Sealed(sealed) if self.kinds.lost_blanks(kind) => {
                Err(self.plain_meets(sealed.column, "blanks at the end"))
            }
            _ => Ok(()),
        }
    }

    /// The type that an expression has, where it may be sealed and is known.
    pub(crate) fn type_of(&self, kind: Kind) -> Option<LogicalType> {
        match self.kinds.resolve(kind) {
            Kind::Null(typed) => typed,
            Kind::Free(var) => self.kinds.own_type(var),
            Kind::Sealed(sealed) => Some(sealed.logical),
            Kind::Plain | Kind::Array(_) | Kind::Row(_) => None,
        }
    }

    /// De-duplicated or grouped by.
    pub(crate) fn group(&mut self, kind: Kind, what: &str) -> Result<(), Refusal> {
        self.keeps_blanks(kind)?;
        match self.kinds.resolve(kind) {
            Kind::Sealed(sealed) | Kind::Array(Array { element: Element::Sealed(sealed), .. }) => {
                self.deterministic(sealed, what)?;
                self.kinds.note_grouped(kind);
                self.uses(sealed.column, |uses| uses.grouped = true);
                Ok(())
            }
            Kind::Row(row) => {
                for field in self.kinds.fields(row).iter() {
                    self.group(field.kind, what)?;
                }
                Ok(())
            }
            Kind::Plain | Kind::Null(_) | Kind::Free(_) | Kind::Array(_) => {
                self.kinds.note_grouped(kind);
                Ok(())
            }
        }
    }

    /// Only counted, or tested for NULL.
    pub(crate) fn test(&mut self, kind: Kind, what: &str) -> Result<(), Refusal> {
        match self.kinds.resolve(kind) {
            Kind::Sealed(sealed) | Kind::Array(Array { element: Element::Sealed(sealed), .. }) => {
                self.uses(sealed.column, |uses| uses.tested = true);
                Ok(())
            }
            Kind::Row(row) => {
                for field in self.kinds.fields(row).iter() {
                    self.test(field.kind, what)?;
                }
                Ok(())
            }
            other => self.plain(other, what),
        }
    }

    /// Several expressions become one: COALESCE, CASE, VALUES, set operations.
    pub(crate) fn carry(&mut self, kinds: &[Kind], what: &str) -> Result<Kind, Refusal> {
        let resolved: Vec<Kind> = kinds.iter().map(|kind| self.kinds.resolve(*kind)).collect();
        if resolved.iter().any(|kind| matches!(kind, Kind::Array(_))) {
            return self.carry_arrays(&resolved, what);
        }
        if resolved.iter().any(|kind| matches!(kind, Kind::Row(_))) {
            return self.carry_rows(&resolved, what);
        }
        // The first type that is known is everyone's: all of them become each other
        // (`select_common_type` in `parse_coerce.c`). The length stays where it is the same.
        let types: Vec<Option<LogicalType>> =
            resolved.iter().map(|kind| self.type_of(*kind)).collect();
        let common = types.iter().flatten().next().map(|first| {
            if types.iter().all(|next| *next == Some(*first)) { *first } else { first.unbounded() }
        });
        let beside = resolved.iter().any(|kind| matches!(kind, Kind::Sealed(_)));
        if let Some(Kind::Sealed(sealed)) = resolved.iter().find(|k| matches!(k, Kind::Sealed(_)))
            && self.view == View::Made
            && resolved.iter().any(|kind| matches!(kind, Kind::Null(Some(LogicalType::Text))))
        {
            return Err(self.refuse(Reason::Compute {
                what: "NULL::text beside it, in a view,".into(),
                column: path(self.catalog, sealed.column),
            }));
        }
        let mut sealed: Option<Sealed> = None;
        let mut plain = false;
        let mut free: Option<Var> = None;
        for (kind, resolved) in kinds.iter().zip(resolved) {
            self.keeps_blanks(*kind)?;
            match resolved {
                Kind::Plain | Kind::Array(_) | Kind::Row(_) => plain = true,
                Kind::Null(_) => {}
                Kind::Free(var) => {
                    // Beside a column one without a type takes the column's, below.
                    if let Some(common) = common
                        && !(beside && self.kinds.own_type(var).is_none())
                    {
                        self.kinds.coerce(var, common);
                    }
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
            (Some(sealed), true, _) => Err(self.plain_meets(sealed.column, what)),
            // A literal is not padded as the column's values are.
            (Some(Sealed { logical: LogicalType::Char(_), column, .. }), false, Some(_)) => {
                Err(self.plain_meets(column, what))
            }
            (Some(mut sealed), false, free) => {
                let columns = sealed.values;
                let logical = common.unwrap_or(sealed.logical);
                if !same_blanks(logical, sealed.logical) {
                    return Err(self.plain_meets(sealed.column, what));
                }
                sealed.logical = logical;
                if let Some(var) = free {
                    self.kinds.make_sealed(var, sealed, Meet::common(logical));
                }
                Ok(match free {
                    Some(var) => self.kinds.view(var, sealed.logical, Some(columns)),
                    None => Kind::Sealed(sealed.without_call()),
                })
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
            (None, false, None) => Ok(Kind::Null(common.or(Some(LogicalType::Text)))),
        }
    }

    /// Arrays become one. The first that has a type of its own gives it to all: `text[]` and
    /// `character varying[]` become each other, and no array type is a preferred one.
    fn carry_arrays(&mut self, kinds: &[Kind], what: &str) -> Result<Kind, Refusal> {
        let mut elements = Vec::with_capacity(kinds.len());
        let mut typed = None;
        let mut physical = None;
        let mut by_value = false;
        for kind in kinds {
            match self.kinds.resolve(*kind) {
                Kind::Array(array) => {
                    typed = typed.or(array.typed);
                    physical = physical.or(Some(array.physical));
                    by_value |= array.by_value;
                    elements.push(array.element.into());
                }
                Kind::Free(var) if self.kinds.make_arrays(var) => elements.push(Kind::Free(var)),
                null @ Kind::Null(_) => elements.push(null),
                _ => elements.push(Kind::Plain),
            }
        }
        let element = self.carry(&elements, what)?;
        let element = match self.kinds.resolve(element) {
            Kind::Sealed(mut sealed) => {
                if let Some(typed) = typed.filter(|typed| typed.oid() != sealed.logical.oid()) {
                    sealed.logical = typed;
                }
                Element::Sealed(sealed)
            }
            Kind::Free(var) => Element::Free(var),
            _ => return Ok(Kind::Plain),
        };
        let physical = physical.unwrap_or(LogicalType::Text);
        Ok(Kind::Array(Array { element, typed, physical, by_value }))
    }

    /// Rows become one, field by field. No field takes another type there.
    fn carry_rows(&mut self, kinds: &[Kind], what: &str) -> Result<Kind, Refusal> {
        let mut rows = Vec::new();
        for kind in kinds {
            match kind {
                Kind::Row(row) => rows.push(self.kinds.fields(*row)),
                Kind::Null(_) => {}
                _ => {
                    for kind in kinds {
                        self.plain(*kind, what)?;
                    }
                    return Ok(Kind::Plain);
                }
            }
        }
        let Some(first) = rows.first().filter(|first| rows.iter().all(|r| r.len() == first.len()))
        else {
            return Err(self.unparsed("rows of different lengths in one expression"));
        };
        let mut fields = Vec::with_capacity(first.len());
        for (index, field) in first.iter().enumerate() {
            let column: Vec<Kind> = rows.iter().map(|row| row[index].kind).collect();
            let types = column.iter().map(|kind| match self.kinds.resolve(*kind) {
                Kind::Sealed(sealed) => Some(sealed.logical.oid()),
                _ => None,
            });
            let types: Vec<Option<u32>> = types.collect();
            let kind = if types.iter().all(|oid| *oid == types[0]) {
                self.carry(&column, what)?
            } else {
                for kind in column {
                    self.plain(kind, what)?;
                }
                Kind::Plain
            };
            fields.push(Col { name: field.name.clone(), kind });
        }
        Ok(self.kinds.row(fields))
    }

    /// Two sealed expressions become one: their tokens must mean the same, and the policy must
    /// decide alike on both.
    fn common(&mut self, first: Sealed, next: Sealed, what: &str) -> Result<Sealed, Refusal> {
        let put_off = self.puts_off(first, next)?;
        if first.column != next.column {
            let (a, b) = (self.catalog.column(first.column), self.catalog.column(next.column));
            // Any token of the keyring opens; nothing compares them here.
            let carried =
                a.mode == Mode::Randomized && b.mode == Mode::Randomized && a.keyring == b.keyring;
            if !carried {
                self.deterministic(first, what)?;
                self.comparable(first, next)?;
            }
            // Nothing in a token says to which length its value is padded.
            if let (LogicalType::Char(_), LogicalType::Char(_)) = (a.logical, b.logical)
                && a.logical != b.logical
            {
                return Err(self.incomparable(first.column, next.column));
            }
            self.mixed.push((first.column, next.column));
        }
        let logical = match (first.logical, next.logical) {
            (a, b) if a == b => a,
            (a, b) if a.unbounded() == b.unbounded() => a.unbounded(),
            // They become each other: the first one's type is everyone's.
            (
                a @ (LogicalType::Text | LogicalType::Varchar(_)),
                LogicalType::Text | LogicalType::Varchar(_),
            ) => a.unbounded(),
            _ => return Err(self.incomparable(first.column, next.column)),
        };
        let folded = first.folded.filter(|_| !put_off);
        let values = match (first.values, next.values) {
            (a, b) if a == b => a,
            (LogicalType::Varchar(Some(a)), LogicalType::Varchar(Some(b))) => {
                LogicalType::Varchar(Some(a.max(b)))
            }
            _ => logical.unbounded(),
        };
        let detached = first.detached && next.detached;
        Ok(Sealed { column: first.column, logical, values, detached, folded, stored: false })
    }

    /// An expression is stored in a column.
    pub(crate) fn assign(
        &mut self,
        kind: Kind,
        target: Option<Sealed>,
        name: &str,
    ) -> Result<(), Refusal> {
        if let (Kind::Sealed(source), Some(target)) = (self.kinds.resolve(kind), target)
            && self.puts_off(source, target)?
        {
            self.uses(target.column, |uses| uses.written = true);
            return Ok(());
        }
        let Some(target) = target else {
            return match self.kinds.resolve(kind) {
                Kind::Sealed(sealed) if sealed.folded.is_some() => Err(self.only_compared(sealed)),
                Kind::Sealed(sealed)
                | Kind::Array(Array { element: Element::Sealed(sealed), .. }) => {
                    Err(self.refuse(Reason::SealedIntoPlain {
                        column: path(self.catalog, sealed.column),
                        target: name.to_owned(),
                    }))
                }
                other => self.plain(other, "assignment"),
            };
        };
        self.uses(target.column, |uses| uses.written = true);
        match self.kinds.resolve(kind) {
            Kind::Null(_) => Ok(()),
            Kind::Free(var) => {
                self.kinds.make_sealed(var, target, Meet::assignment(target.logical));
                Ok(())
            }
            Kind::Sealed(source)
                if (self.sealed_alike(source, target)
                    && self
                        .kinds
                        .columns(kind)
                        .is_none_or(|own| self.fits(Sealed { values: own, ..source }, target))
                    && self.kinds.also_stored(kind, target.logical))
                    || self.fits(source, target) =>
            {
                self.uses(source.column, |uses| uses.output = true);
                Ok(())
            }
            Kind::Sealed(source) => Err(self.refuse(Reason::SealedOtherwise {
                column: path(self.catalog, source.column),
                target: path(self.catalog, target.column),
            })),
            Kind::Plain => Err(self.plain_meets(target.column, "assignment")),
            other @ (Kind::Row(_) | Kind::Array(_)) => self.plain(other, "assignment"),
        }
    }

    /// The source's tokens are what the target would hold for the same values.
    fn sealed_alike(&self, source: Sealed, target: Sealed) -> bool {
        let (a, b) = (self.catalog.column(source.column), self.catalog.column(target.column));
        comparable(a, b)
            || (a.mode == Mode::Randomized && b.mode == Mode::Randomized && a.keyring == b.keyring)
    }

    /// They are sealed alike, and every value of the source is a value of the target.
    fn fits(&self, source: Sealed, target: Sealed) -> bool {
        let same_values = match (source.values, target.logical) {
            (
                LogicalType::Text | LogicalType::Varchar(_),
                LogicalType::Text | LogicalType::Varchar(None),
            )
            | (LogicalType::Char(_), LogicalType::Char(None)) => true,
            (LogicalType::Varchar(Some(n)), LogicalType::Varchar(Some(m)))
            | (LogicalType::Char(Some(n)), LogicalType::Char(Some(m))) => n <= m,
            _ => false,
        };
        self.sealed_alike(source, target) && same_values
    }
}
