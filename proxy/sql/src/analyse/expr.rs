//! Expressions. Every node of the parser's tree is named: one that is not known to be harmless
//! over sealed operands needs plain ones.

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, InTarget, Query, Spanned, Subscript, Value,
};

use super::Analysis;
use super::compute::is_candidate;
use super::kind::{Array, Kind, Meet, Sealed};
use super::scope::{Col, Ctes, Scope};
use crate::refusal::Refusal;
use crate::rules::{Treats, operator_rule};

/// How a column of a type meets what stands beside it.
type Meets = fn(LogicalType) -> Meet;

impl Analysis<'_> {
    /// An expression that must be plain.
    pub(super) fn plain_expr(
        &mut self,
        expr: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
        what: &str,
    ) -> Result<(), Refusal> {
        let kind = self.infer(expr, scope, ctes)?;
        self.plain(kind, what).map_err(|refusal| self.pointing_at(refusal, expr))
    }

    /// The same refusal, pointing at an expression instead of the statement's beginning.
    fn pointing_at(&self, refusal: Refusal, expr: &Expr) -> Refusal {
        let start = self.tokens.first().map(|token| token.range.start);
        if refusal.position != start {
            return refusal;
        }
        let at = crate::parse::start_of(expr.span()).or(start);
        Refusal { position: at, ..refusal }
    }

    /// Several of them.
    fn plain_all<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
        what: &str,
    ) -> Result<Kind, Refusal> {
        for expr in exprs {
            self.plain_expr(expr, scope, ctes, what)?;
        }
        Ok(Kind::Plain)
    }

    /// The kind of an expression.
    pub(super) fn infer(
        &mut self,
        expr: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        if let Some(kind) = self.leaf(expr)? {
            return Ok(kind);
        }
        if self.computes(expr, scope) {
            return Ok(Kind::Plain);
        }
        match expr {
            Expr::Identifier(ident) => {
                if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default") {
                    return Ok(Kind::Null(None));
                }
                self.mark(crate::parse::start_of(ident.span));
                if ident.quote_style.is_none() && is_keyword_value(&ident.value) {
                    return Ok(Kind::Plain);
                }
                self.column(ident, scope)
            }
            Expr::CompoundIdentifier(idents) => scope.qualified_column(idents),
            Expr::Value(value) => {
                if value.value == Value::Null {
                    return Ok(Kind::Null(None));
                }
                if let Some(token) = self.token_at(value.span) {
                    self.seen.insert(token);
                }
                Ok(Kind::Plain)
            }
            Expr::TypedString(typed) => {
                if let Some(token) = self.token_at(typed.value.span) {
                    self.seen.insert(token);
                }
                self.data_type(&typed.data_type)?;
                Ok(Kind::Plain)
            }
            Expr::Nested(inner) => self.infer(inner, scope, ctes),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, scope, ctes),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                let kind = self.infer(inner, scope, ctes)?;
                self.kinds.note_test(kind);
                self.test(kind, "IS NULL")?;
                Ok(Kind::Plain)
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.compare_exprs(left, right, "IS DISTINCT FROM", Meet::operator, scope, ctes)
            }
            Expr::In { expr, target, negated: _, global: false } => {
                self.in_target(expr, target, scope, ctes)
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ }
            | Expr::AllOp { left, compare_op, right } => {
                self.quantified(left, compare_op, right, scope, ctes)
            }
            Expr::Between { expr, negated: _, low, high } => {
                self.plain_all([&**expr, low, high], scope, ctes, "BETWEEN")
            }
            Expr::Like { negated: _, any: false, expr, pattern, escape_char } => self.plain_all(
                [&**expr, pattern].into_iter().chain(escape_char.as_deref()),
                scope,
                ctes,
                "LIKE",
            ),
            Expr::ILike { negated: _, any: false, expr, pattern, escape_char } => self.plain_all(
                [&**expr, pattern].into_iter().chain(escape_char.as_deref()),
                scope,
                ctes,
                "ILIKE",
            ),
            Expr::SimilarTo { negated: _, expr, pattern, escape_char } => self.plain_all(
                [&**expr, pattern].into_iter().chain(escape_char.as_deref()),
                scope,
                ctes,
                "SIMILAR TO",
            ),
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => self.plain_all([&**inner], scope, ctes, "a truth test"),
            Expr::IsNormalized { expr, .. } => {
                self.plain_all([&**expr], scope, ctes, "IS NORMALIZED")
            }
            Expr::IsJson { expr, .. } => self.plain_all([&**expr], scope, ctes, "IS JSON"),
            Expr::UnaryOp { op, expr } => {
                self.plain_all([&**expr], scope, ctes, &format!("the operator {op}"))
            }
            Expr::Cast { kind: _, expr, data_type, format } => {
                if format.is_some() {
                    return Err(self.unparsed("a cast with a format"));
                }
                self.cast(expr, data_type, scope, ctes)
            }
            Expr::Collate { expr, collation: _ } => {
                self.plain_all([&**expr], scope, ctes, "COLLATE")
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                self.plain_all([&**timestamp, time_zone], scope, ctes, "AT TIME ZONE")
            }
            Expr::Extract { expr, .. } => self.plain_all([&**expr], scope, ctes, "EXTRACT"),
            Expr::Ceil { expr, .. } => self.plain_all([&**expr], scope, ctes, "ceil"),
            Expr::Floor { expr, .. } => self.plain_all([&**expr], scope, ctes, "floor"),
            Expr::Position { expr, r#in } => {
                self.plain_all([&**expr, r#in], scope, ctes, "position")
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => self.plain_all(
                std::iter::once(&**expr)
                    .chain(substring_from.as_deref())
                    .chain(substring_for.as_deref()),
                scope,
                ctes,
                "substring",
            ),
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => self.plain_all(
                std::iter::once(&**expr)
                    .chain(trim_what.as_deref())
                    .chain(trim_characters.iter().flatten()),
                scope,
                ctes,
                "trim",
            ),
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => self.plain_all(
                [&**expr, overlay_what, overlay_from].into_iter().chain(overlay_for.as_deref()),
                scope,
                ctes,
                "overlay",
            ),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                let operand = operand.as_deref();
                self.case(operand, conditions, else_result.as_deref(), scope, ctes)
            }
            Expr::Exists { subquery, negated: _ } => {
                self.query(subquery, Some(scope), ctes)?;
                Ok(Kind::Plain)
            }
            Expr::Subquery(query) => {
                let columns = self.subquery(query, scope, ctes)?;
                if let [single] = columns.as_slice() {
                    return Ok(single.kind);
                }
                // A row: compared as a whole, which is found elsewhere; plain otherwise.
                for column in columns {
                    self.plain(column.kind, "a row of a subquery")?;
                }
                Ok(Kind::Plain)
            }
            Expr::Tuple(items) => self.tuple(items, scope, ctes),
            Expr::Array(array) => self.array(&array.elem, scope, ctes),
            Expr::Interval(interval) => self.plain_all([&*interval.value], scope, ctes, "INTERVAL"),
            Expr::Function(function) => self.call(function, scope, ctes),
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.access(root, access_chain, scope, ctes)
            }
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
                Err(self.unparsed("grouping sets outside GROUP BY"))
            }
            Expr::In { global: true, .. }
            | Expr::Like { any: true, .. }
            | Expr::ILike { any: true, .. }
            | Expr::JsonAccess { .. }
            | Expr::RLike { .. }
            | Expr::Convert { .. }
            | Expr::Prefixed { .. }
            | Expr::Struct { .. }
            | Expr::Named { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst { .. }
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..)
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_)
            | Expr::MemberOf(_) => Err(self.unparsed("an expression that is not PostgreSQL's")),
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        else_result: Option<&Expr>,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let operand = match operand {
            Some(operand) => Some(self.infer(operand, scope, ctes)?),
            None => None,
        };
        // It is text before it is compared.
        if let Some(Kind::Free(var)) = operand {
            self.kinds.make_text(var);
        }
        let mut results = Vec::with_capacity(conditions.len() + 1);
        // Where the planner knows which result it is, it looks at its length before any
        // row.
        let mut known = operand.is_none();
        let first_leaf = self.kinds.leaves.len();
        let mut params = Vec::new();
        for when in conditions {
            let condition = self.infer(&when.condition, scope, ctes)?;
            match operand {
                Some(operand) => {
                    self.compare(operand, condition, "CASE", Meet::operator)?;
                }
                None => self.plain(condition, "CASE WHEN")?,
            }
            known &= is_constant(&when.condition);
            if super::write::is_param(&when.result) {
                params.push(self.kinds.leaves.len());
            }
            let result = self.infer(&when.result, scope, ctes)?;
            if !known {
                self.kinds.note_rows(result);
            }
            results.push(result);
        }
        if else_result.is_some_and(super::write::is_param) {
            params.push(self.kinds.leaves.len());
        }
        let otherwise = match else_result {
            Some(otherwise) => self.infer(otherwise, scope, ctes)?,
            None => Kind::Null(None),
        };
        if !known {
            self.kinds.note_rows(otherwise);
        }
        // The server looks at it first for the common type.
        results.insert(0, otherwise);
        let kind = self.carry(&results, "CASE")?;
        self.common_type_each(first_leaf, &params, self.type_of(kind))?;
        Ok(kind)
    }

    fn tuple(
        &mut self,
        items: &[Expr],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let kinds = self.infer_all(items, scope, ctes)?;
        Ok(self.anonymous_row(kinds))
    }

    /// `ARRAY[...]`
    fn array(
        &mut self,
        elements: &[Expr],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let kinds = self.infer_all(elements, scope, ctes)?;
        if kinds.is_empty() {
            return Ok(Kind::Null(None));
        }
        // Casts of NULL stay in the text.
        let mut physical = None;
        for kind in &kinds {
            match self.kinds.resolve(*kind) {
                Kind::Null(typed) => physical = physical.or(typed),
                Kind::Free(_) => {}
                _ => {
                    physical = physical.or(Some(LogicalType::Text));
                }
            }
        }
        let kind = self.carry(&kinds, "ARRAY")?;
        Ok(match (self.array_of(kind, "ARRAY")?, physical) {
            (Kind::Array(array), Some(physical)) => {
                Kind::Array(Array { physical: physical.unbounded(), ..array })
            }
            (other, _) => other,
        })
    }

    /// Fields and subscripts behind an expression.
    fn access(
        &mut self,
        root: &Expr,
        access_chain: &[AccessExpr],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let mut kind = self.infer(root, scope, ctes)?;
        for access in access_chain {
            kind = self.kinds.resolve(kind);
            match access {
                AccessExpr::Dot(Expr::Identifier(field)) => {
                    kind = self.field(kind, field)?;
                }
                AccessExpr::Dot(expr) => {
                    self.plain(kind, "a field")?;
                    self.plain_expr(expr, scope, ctes, "a field")?;
                    kind = Kind::Plain;
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    self.plain_expr(index, scope, ctes, "a subscript")?;
                    kind = match kind {
                        Kind::Array(Array { by_value: false, element, .. }) => element.into(),
                        other => {
                            self.plain(other, "a subscript")?;
                            Kind::Plain
                        }
                    };
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    let bounds = lower_bound.iter().chain(upper_bound).chain(stride);
                    self.plain_all(bounds, scope, ctes, "a slice")?;
                    if !matches!(kind, Kind::Array(Array { by_value: false, .. })) {
                        self.plain(kind, "a slice")?;
                        kind = Kind::Plain;
                    }
                }
            }
        }
        Ok(kind)
    }

    /// `(row).field`
    fn field(&mut self, kind: Kind, name: &sqlparser::ast::Ident) -> Result<Kind, Refusal> {
        let Kind::Row(row) = kind else {
            self.plain(kind, "a field")?;
            return Ok(Kind::Plain);
        };
        let wanted = super::scope::fold(name);
        let fields = self.kinds.fields(row);
        let mut found = fields.iter().filter(|field| *field.name == *wanted);
        if let (Some(field), None) = (found.next(), found.next()) {
            return Ok(field.kind);
        }
        self.plain(kind, "a field")?;
        Ok(Kind::Plain)
    }

    fn binary(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        match operator_rule(symbol(op)) {
            Some(Treats::Compares) => {
                return self.compare_exprs(left, right, symbol(op), Meet::operator, scope, ctes);
            }
            Some(Treats::ComparesElements) => {
                return self.compare_arrays(left, op, right, scope, ctes);
            }
            Some(Treats::Concatenates) if is_short(left) => {
                let kinds = (self.infer(left, scope, ctes)?, self.infer(right, scope, ctes)?);
                let name = operator_name(op);
                let on_right = self.kinds.sealed_in(kinds.0).is_none();
                return self.concatenate(kinds.0, kinds.1, None, &name).map_err(|refusal| {
                    self.pointing_at(refusal, if on_right { right } else { left })
                });
            }
            _ => {}
        }
        // Long chains lean to the left: walk them down instead of recursing. Every operator that
        // has no rule needs plain operands, whatever it computes.
        let mut operands = vec![(op, right)];
        let mut first = left;
        while let Expr::BinaryOp { left, op, right } = first {
            let has_rule =
                operator_rule(symbol(op)).is_some_and(|treats| treats != Treats::Concatenates);
            if has_rule || is_candidate(first) {
                break;
            }
            operands.push((op, right));
            first = left;
        }
        let mut name = operator_name(operands.last().map_or(op, |(op, _)| op));
        self.plain_expr(first, scope, ctes, &name)?;
        while let Some((op, operand)) = operands.pop() {
            name = operator_name(op);
            self.plain_expr(operand, scope, ctes, &name)?;
        }
        Ok(Kind::Plain)
    }

    /// `@>` and its like, which are about equal elements where they are about arrays.
    fn compare_arrays(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let kinds = (self.infer(left, scope, ctes)?, self.infer(right, scope, ctes)?);
        let name = operator_name(op);
        match (self.kinds.resolve(kinds.0), self.kinds.resolve(kinds.1)) {
            (Kind::Array(_), _) | (_, Kind::Array(_)) => {
                self.compare(kinds.0, kinds.1, &name, Meet::common)?;
            }
            (a, b) => {
                self.plain(a, &name).map_err(|refusal| self.pointing_at(refusal, left))?;
                self.plain(b, &name).map_err(|refusal| self.pointing_at(refusal, right))?;
            }
        }
        Ok(Kind::Plain)
    }

    /// `=`-like comparison of two expressions, rows included.
    fn compare_exprs(
        &mut self,
        left: &Expr,
        right: &Expr,
        what: &str,
        meet: fn(LogicalType) -> Meet,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        if let Some(items) = row_items(left) {
            let kinds = self.infer_all(items, scope, ctes)?;
            self.compare_row(&kinds, right, what, meet, scope, ctes)?;
            return Ok(Kind::Plain);
        }
        let (left_kind, right_kind) =
            (self.infer(left, scope, ctes)?, self.infer(right, scope, ctes)?);
        self.compare(left_kind, right_kind, what, meet)
            .map_err(|refusal| self.pointing_at(refusal, left))?;
        Ok(Kind::Plain)
    }

    fn infer_all<'e>(
        &mut self,
        items: impl IntoIterator<Item = &'e Expr>,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Kind>, Refusal> {
        items.into_iter().map(|item| self.infer(item, scope, ctes)).collect()
    }

    /// `(a, b) = (x, y)` or `(a, b) = (SELECT ...)`: field by field.
    fn compare_row(
        &mut self,
        left: &[Kind],
        right: &Expr,
        what: &str,
        meet: fn(LogicalType) -> Meet,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let right = if let Some(items) = row_items(right) {
            self.infer_all(items, scope, ctes)?
        } else if let Expr::Subquery(query) = right {
            self.subquery(query, scope, ctes)?.iter().map(|column| column.kind).collect()
        } else {
            let kind = self.infer(right, scope, ctes)?;
            match self.kinds.resolve(kind) {
                Kind::Row(row) => self.kinds.fields(row).iter().map(|f| f.kind).collect(),
                _ => vec![kind],
            }
        };
        self.compare_fields(left, &right, what, meet)
    }

    fn compare_fields(
        &mut self,
        left: &[Kind],
        right: &[Kind],
        what: &str,
        meet: fn(LogicalType) -> Meet,
    ) -> Result<(), Refusal> {
        if left.len() != right.len() {
            return Err(self.unparsed("rows of different lengths in a comparison"));
        }
        for (left, right) in left.iter().zip(right) {
            self.compare(*left, *right, what, meet)?;
        }
        Ok(())
    }

    fn in_target(
        &mut self,
        expr: &Expr,
        target: &InTarget,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let left = match row_items(expr) {
            Some(items) => self.infer_all(items, scope, ctes)?,
            None => vec![self.infer(expr, scope, ctes)?],
        };
        match target {
            InTarget::Subquery(query) => self.in_query(&left, query, "IN", scope, ctes)?,
            InTarget::List(list) => {
                let single = left.len() == 1 && row_items(expr).is_none();
                if !single {
                    for item in list {
                        self.compare_row(&left, item, "IN", Meet::operator, scope, ctes)?;
                    }
                    return Ok(Kind::Plain);
                }
                let mut items = Vec::with_capacity(list.len());
                let first_leaf = self.kinds.leaves.len();
                let mut params = Vec::new();
                for item in list {
                    if super::write::is_param(item) {
                        params.push(self.kinds.leaves.len());
                    }
                    let (kind, referred) = scope.watch(|| self.infer(item, scope, ctes));
                    items.push((kind?, !referred));
                }
                let (meet, common) = self.common_in(left[0], &items)?;
                self.common_type_each(first_leaf, &params, common)?;
                for (right, _) in items {
                    self.compare(left[0], right, "IN", meet)?;
                }
            }
            InTarget::Unnest(_) | InTarget::Table { .. } => {
                return Err(self.unparsed("IN without a list"));
            }
        }
        Ok(Kind::Plain)
    }

    /// Several items without columns of this query level, which `items` says of each, make an
    /// array of a common type, to which the left side counts first; a single one, and those with
    /// columns, are compared like `=` (`transformAExprIn` in `parse_expr.c`).
    fn common_in(
        &mut self,
        left: Kind,
        items: &[(Kind, bool)],
    ) -> Result<(Meets, Option<LogicalType>), Refusal> {
        let constants = items.iter().filter(|(_, constant)| *constant).map(|(kind, _)| *kind);
        let constants: Vec<Kind> =
            std::iter::once(left).chain(constants).map(|kind| self.kinds.resolve(kind)).collect();
        if constants.len() <= 2 {
            return Ok((Meet::operator, None));
        }
        let typed = constants.iter().find_map(|kind| self.type_of(*kind));
        let untyped = self.type_of(constants[0]).is_none();
        let beside = matches!(constants[0], Kind::Sealed(_));
        for kind in &constants {
            match (kind, typed) {
                (Kind::Free(var), None) => self.kinds.make_text(*var),
                // Beside a column one without a type takes the column's.
                (Kind::Free(var), Some(_)) if beside && self.kinds.own_type(*var).is_none() => {}
                (Kind::Free(var), Some(typed)) => self.kinds.coerce(*var, typed.unbounded()),
                _ => {}
            }
        }
        // Beside those with columns the left side would be of another type.
        if untyped && constants.len() <= items.len() {
            for (kind, _) in items {
                if let Kind::Sealed(Sealed { logical: LogicalType::Char(_), column, .. }) =
                    self.kinds.resolve(*kind)
                {
                    return Err(self.plain_meets(column, "IN"));
                }
            }
        }
        let known = constants.iter().all(|kind| !matches!(kind, Kind::Plain));
        Ok((Meet::common, known.then(|| typed.unwrap_or(LogicalType::Text))))
    }

    fn in_query(
        &mut self,
        left: &[Kind],
        query: &Query,
        what: &str,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let columns: Vec<Col> = self.subquery(query, scope, ctes)?;
        let right: Vec<Kind> = columns.iter().map(|column| column.kind).collect();
        self.compare_fields(left, &right, what, Meet::operator)
    }

    /// `left op ANY (right)`, `left op ALL (right)`.
    fn quantified(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let equality = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
        let what = if *op == BinaryOperator::Eq { "= ANY" } else { "<> ALL" };
        let fields = match row_items(left) {
            Some(items) => self.infer_all(items, scope, ctes)?,
            None => vec![self.infer(left, scope, ctes)?],
        };
        let mut array = right;
        while let Expr::Nested(inner) = array {
            array = inner;
        }
        if let Expr::Subquery(query) = array {
            if equality {
                self.in_query(&fields, query, what, scope, ctes)?;
                return Ok(Kind::Plain);
            }
            for column in self.subquery(query, scope, ctes)? {
                self.plain(column.kind, &operator_name(op))?;
            }
        } else if equality && fields.len() == 1 {
            let elements = self.elements_of(right, scope, ctes)?;
            self.compare(fields[0], elements, what, Meet::operator)?;
            return Ok(Kind::Plain);
        } else {
            self.plain_expr(right, scope, ctes, &operator_name(op))?;
        }
        for field in fields {
            self.plain(field, &operator_name(op))?;
        }
        Ok(Kind::Plain)
    }
}

/// Identifiers that are values: the parser has no node for them.
fn is_keyword_value(word: &str) -> bool {
    const WORDS: [&str; 11] = [
        "current_user",
        "session_user",
        "user",
        "current_role",
        "current_catalog",
        "current_schema",
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// A literal or parameter, with what needs no row around it.
pub(super) fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner) => is_constant(inner),
        Expr::BinaryOp { left, op: _, right } => is_constant(left) && is_constant(right),
        Expr::Function(Function {
            name, args: FunctionArguments::List(list), over: None, ..
        }) => {
            let name = super::scope::parts(name).unwrap_or_default();
            let folds = matches!(name.as_slice(), [name] if name == "nullif" || name == "coalesce");
            folds && list.args.iter().all(|arg| super::call::bare(arg).is_some_and(is_constant))
        }
        _ => false,
    }
}

/// The fields of `(a, b)` and `ROW(a, b)`.
pub(super) fn row_items(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Tuple(items) => Some(items.iter().collect()),
        Expr::Nested(inner) => row_items(inner),
        Expr::Function(function) => {
            let name = super::scope::parts(&function.name)?;
            let FunctionArguments::List(list) = &function.args else { return None };
            if name != ["row"] || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return None;
            }
            list.args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

/// No chain of `||` that is long enough to be a string.
fn is_short(expr: &Expr) -> bool {
    let mut expr = expr;
    for _ in 0..8 {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right: _ } => expr = left,
            _ => return true,
        }
    }
    false
}

/// An operator as the rules name it, if there may be one about it.
fn symbol(op: &BinaryOperator) -> &'static str {
    match op {
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::AtArrow => "@>",
        BinaryOperator::ArrowAt => "<@",
        BinaryOperator::PGOverlap => "&&",
        BinaryOperator::StringConcat => "||",
        _ => "",
    }
}

/// An operator as messages name it.
fn operator_name(op: &BinaryOperator) -> String {
    match op {
        BinaryOperator::And | BinaryOperator::Or => format!("{op}"),
        other => format!("the operator {other}"),
    }
}
