//! What rows are ordered by.
//!
//! Tokens have no order that means anything. Where a sort key is an expression over one protected
//! column whose values may be known, its text becomes the *rank* of the row's value among all
//! values of the column, in the order of the column's collation: an integer, equal for equal
//! values. It is NULL where the expression is, so that DESC and NULLS FIRST keep their meaning.
//!
//! An output column's name or position stands for that column's own expression, which is an
//! expression over the input columns as well. Not where the server looks for the key itself among
//! the output columns: under DISTINCT, behind a set operation, in an aggregate with DISTINCT.
//! And not where the key is a value that is returned: `percentile_disc(0.5) WITHIN GROUP (ORDER BY
//! email)`.

use sqlparser::ast::{
    Expr, OrderBy, OrderByExpr, OrderByKind, OrderBySort, SelectItem,
    SelectItemQualifiedWildcardKind, Spanned, Value,
};

use super::Analysis;
use super::compute::Computed;
use super::kind::Kind;
use super::query::{named, position};
use super::scope::{Col, Ctes, Scope, Source, fold, parts};
use crate::lex::{identifier, lex};
use crate::physical::quote_ident;
use crate::refusal::Refusal;

/// What an output column shows.
enum Shown<'e> {
    Expr(&'e Expr),
    /// A column of `*`, as it can be referred to, if it can.
    Column(Kind, Option<String>),
}

impl Analysis<'_> {
    /// The last clause of a query. `shown`: its select list, where what its columns show may stand
    /// in their place.
    pub(super) fn order_by(
        &mut self,
        order_by: &OrderBy,
        columns: &[Col],
        shown: Option<&[SelectItem]>,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let OrderBy { kind: OrderByKind::Expressions(exprs), interpolate: None } = order_by else {
            return Err(self.unparsed("ORDER BY ALL"));
        };
        for OrderByExpr { expr, options, with_fill } in exprs {
            if with_fill.is_some() {
                return Err(self.unparsed("WITH FILL"));
            }
            if let Some(shown) = shown.filter(|_| is_plain_sort(options.sort.as_ref()))
                && self.ranks_output(expr, columns, shown, scope)
            {
                continue;
            }
            let kind = self.output_reference(expr, columns, scope, ctes)?;
            self.plain(kind, "ORDER BY")?;
        }
        Ok(())
    }

    /// ORDER BY inside a window or an aggregate: input expressions only. `ranked`: a rank may take
    /// a value's place.
    pub(super) fn order_inside(
        &mut self,
        exprs: &[OrderByExpr],
        ranked: bool,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        for item in exprs {
            if ranked
                && is_plain_sort(item.options.sort.as_ref())
                && let Some(computed) = self.rank(&item.expr, scope)
            {
                self.note(computed);
                continue;
            }
            self.plain_expr(&item.expr, scope, ctes, "ORDER BY")?;
        }
        Ok(())
    }

    /// Puts the rank in place of an ORDER BY or DISTINCT ON item. False: it is left to the rules.
    pub(super) fn ranks_output(
        &mut self,
        expr: &Expr,
        columns: &[Col],
        shown: &[SelectItem],
        scope: &Scope<'_>,
    ) -> bool {
        if !self.may_compute {
            return false;
        }
        let bare = bare(expr);
        let (at, meant) = match bare {
            Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                let place = columns.iter().position(|column| {
                    position(bare, columns).is_some_and(|meant| std::ptr::eq(meant, column))
                });
                (self.token_at(value.span), place.into_iter().collect())
            }
            Expr::Identifier(ident) => {
                let name = fold(ident);
                let same =
                    |(place, column): (usize, &Col)| (*column.name == *name).then_some(place);
                let meant: Vec<usize> = columns.iter().enumerate().filter_map(same).collect();
                (self.token_at(ident.span), meant)
            }
            _ => (None, Vec::new()),
        };
        if meant.is_empty() {
            let Some(computed) = self.rank(expr, scope) else { return false };
            self.note(computed);
            return true;
        }
        let sealed =
            |place: &usize| matches!(self.kinds.resolve(columns[*place].kind), Kind::Sealed(_));
        let (Some(at), true) = (at, meant.iter().all(sealed)) else { return false };
        let Some(all) = shown_columns(shown, scope) else { return false };
        if all.len() != columns.len() {
            return false;
        }
        let mut found: Option<Computed> = None;
        for place in meant {
            let computed = match &all[place] {
                Shown::Expr(expr) => self.rank(expr, scope),
                Shown::Column(kind, reference) => {
                    reference.clone().and_then(|reference| self.rank_column(*kind, reference))
                }
            };
            let Some(computed) = computed else { return false };
            // Several of one name: the server wants them to be the same.
            let same = |known: &Computed| {
                known.resolve == computed.resolve
                    && is_same_name(&known.reference, &computed.reference)
            };
            if found.as_ref().is_some_and(|known| !same(known)) {
                return false;
            }
            found = Some(computed);
        }
        let Some(computed) = found else { return false };
        self.note(Computed { extent: at..at + 1, ..computed });
        true
    }

    /// An ORDER BY or DISTINCT ON item: an output column's name or position before anything else.
    pub(super) fn output_reference(
        &mut self,
        expr: &Expr,
        columns: &[Col],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        // Parentheses mean nothing to the server here.
        let bare = bare(expr);
        if let Some(column) = position(bare, columns) {
            return Ok(column.kind);
        }
        if let Expr::Identifier(ident) = bare
            && let Some(column) = named(ident, columns)
        {
            return Ok(column.kind);
        }
        self.infer(expr, scope, ctes)
    }

    /// A set operation is ordered by names and positions of its output columns.
    pub(super) fn output_names_alone(
        &mut self,
        order_by: &OrderBy,
        columns: &[Col],
        output: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let OrderByKind::Expressions(exprs) = &order_by.kind else { return Ok(()) };
        for OrderByExpr { expr, .. } in exprs {
            let is_name = |expr: &Expr| match expr {
                Expr::Identifier(ident) => named(ident, columns).is_some(),
                Expr::Value(_) => true,
                _ => false,
            };
            if is_name(bare(expr)) {
                continue;
            }
            match self.infer(expr, output, ctes) {
                Err(refusal) if refusal.is_unknown_name() => return Err(refusal),
                _ => {}
            }
            return Err(Refusal {
                code: "0A000",
                message: "invalid UNION/INTERSECT/EXCEPT ORDER BY clause".into(),
                detail: Some(
                    "Only result column names can be used, not expressions or functions.".into(),
                ),
                hint: Some(
                    "Add the expression/function to every SELECT, or move the UNION into a FROM \
                     clause."
                        .into(),
                ),
                position: crate::parse::start_of(expr.span()),
            });
        }
        Ok(())
    }
}

/// What each output column of a select list shows. `None`: that is not known.
fn shown_columns<'e>(items: &'e [SelectItem], scope: &Scope<'_>) -> Option<Vec<Shown<'e>>> {
    let mut shown = Vec::with_capacity(items.len());
    for item in items {
        match item {
            SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { .. })
            | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _)
            | SelectItem::ExprWithAliases { .. } => return None,
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                shown.push(Shown::Expr(expr));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let source = scope.item(&parts(name)?, None).ok()?;
                let columns = source.columns.iter();
                shown.extend(columns.map(|column| column_of(column, source, scope)));
            }
            SelectItem::Wildcard(_) => {
                shown.extend(scope.star.iter().map(|star| match star.source {
                    Some(index) => column_of(&star.column, &scope.sources[index], scope),
                    None => Shown::Column(star.column.kind, None),
                }));
            }
        }
    }
    Some(shown)
}

/// ASC, DESC, or neither; USING names an operator.
fn is_plain_sort(sort: Option<&OrderBySort>) -> bool {
    !matches!(sort, Some(OrderBySort::Using(_)))
}

/// A column of a FROM item, as the text can name it.
fn column_of<'e>(column: &Col, source: &Source, scope: &Scope<'_>) -> Shown<'e> {
    let name = &*column.name;
    let alone = source.columns.iter().filter(|other| *other.name == *name).count() == 1;
    let found = !source.alias.is_empty()
        && scope
            .item(std::slice::from_ref(&source.alias), None)
            .is_ok_and(|found| std::ptr::eq(found, source));
    let reference = || format!("{}.{}", quote_ident(&source.alias), quote_ident(name));
    Shown::Column(column.kind, (alone && found).then(reference))
}

/// Two references are the same but for quotes, case and white space.
fn is_same_name(one: &str, other: &str) -> bool {
    let names = |text: &str| -> Option<Vec<String>> {
        let tokens = lex(text).ok()?;
        Some(tokens.iter().filter_map(|token| identifier(text, token)).collect())
    };
    names(one).is_some_and(|one| names(other) == Some(one))
}

/// Without its parentheses.
fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
