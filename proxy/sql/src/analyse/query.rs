//! Queries: WITH, set operations, SELECT and VALUES.

use std::rc::Rc;

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    AccessExpr, Cte, Distinct, Expr, GroupByExpr, Ident, LimitClause, NamedWindowExpr, OrderBy,
    Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
    SetQuantifier, Spanned, Statement, TableAlias, Values,
};

use super::Analysis;
use super::kind::Kind;
use super::scope::{Col, Ctes, Scope, Source, fold, parts};
use super::write::is_param;
use crate::refusal::Refusal;

impl Analysis<'_> {
    /// A query's output columns.
    pub(super) fn query(
        &mut self,
        query: &Query,
        outer: Option<&Scope<'_>>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks: _,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty()
        {
            return Err(self.unparsed("a clause that is not PostgreSQL's"));
        }
        let mut entries: Vec<(String, Rc<[Col]>)> = Vec::new();
        if let Some(with) = with {
            for cte in &with.cte_tables {
                let columns = self.cte(cte, with.recursive, outer, &entries, ctes)?;
                entries.push((fold(&cte.alias.name), columns));
            }
        }
        let inner = Ctes { entries: &entries, outer: Some(ctes) };
        let nothing = Scope::inside(outer);
        let columns = match &**body {
            SetExpr::Select(select) => self.select(select, order_by.as_ref(), outer, &inner)?,
            other => {
                let columns = self.set_expr(other, outer, &inner)?;
                if let Some(order_by) = order_by {
                    let mut output = nothing.clone();
                    output.push(Source {
                        alias: String::new(),
                        schema: None,
                        columns: columns.clone(),
                        open: false,
                        hidden: None,
                    });
                    if matches!(other, SetExpr::SetOperation { .. }) {
                        self.output_names_alone(order_by, &columns, &output, &inner)?;
                    }
                    self.order_by(order_by, &columns, None, &output, &inner)?;
                }
                columns
            }
        };
        match limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                for expr in limit.iter().chain(offset.iter().map(|o| &o.value)).chain(limit_by) {
                    self.plain_expr(expr, &nothing, &inner, "LIMIT")?;
                }
            }
            Some(LimitClause::OffsetCommaLimit { .. }) => {
                return Err(self.unparsed("LIMIT with a comma"));
            }
        }
        if let Some(quantity) = fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()) {
            self.plain_expr(quantity, &nothing, &inner, "FETCH")?;
        }
        Ok(columns)
    }

    /// A query inside another: what nothing has decided in its select list is text ("SELECT
    /// Output Columns").
    pub(super) fn subquery(
        &mut self,
        query: &Query,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let mut columns = self.query(query, Some(scope), ctes)?;
        self.make_text(&mut columns);
        Ok(columns)
    }

    /// See [`Analysis::subquery`].
    pub(super) fn make_text(&mut self, columns: &mut [Col]) {
        for column in columns {
            match column.kind {
                Kind::Free(var) => self.kinds.make_text(var),
                Kind::Null(None) => column.kind = Kind::Null(Some(LogicalType::Text)),
                _ => {}
            }
        }
    }

    fn cte(
        &mut self,
        cte: &Cte,
        recursive: bool,
        outer: Option<&Scope<'_>>,
        entries: &[(String, Rc<[Col]>)],
        ctes: &Ctes<'_>,
    ) -> Result<Rc<[Col]>, Refusal> {
        if cte.from.is_some() {
            return Err(self.unparsed("a CTE with FROM"));
        }
        let name = fold(&cte.alias.name);
        let so_far = Ctes { entries, outer: Some(ctes) };
        if !recursive {
            let mut columns = self.query(&cte.query, outer, &so_far)?;
            self.make_text(&mut columns);
            return Ok(self.rename(columns, &cte.alias)?.into());
        }
        // WITH RECURSIVE: the first term decides the kinds, and the second sees them.
        let Query { body, order_by: None, limit_clause: None, fetch: None, with: None, .. } =
            &*cte.query
        else {
            return self.recursive_simple(cte, outer, entries, ctes);
        };
        let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } = &**body
        else {
            return self.recursive_simple(cte, outer, entries, ctes);
        };
        let first = self.set_expr(left, outer, &so_far)?;
        let first = self.rename(first, &cte.alias)?;
        let mut with_self = entries.to_vec();
        with_self.push((name, first.clone().into()));
        let inside = Ctes { entries: &with_self, outer: Some(ctes) };
        let second = self.set_expr(right, outer, &inside)?;
        let all = *set_quantifier == SetQuantifier::All;
        Ok(self.set_operation(first, &second, all, "UNION", first_output(right))?.into())
    }

    /// A CTE under WITH RECURSIVE that does not refer to itself.
    fn recursive_simple(
        &mut self,
        cte: &Cte,
        outer: Option<&Scope<'_>>,
        entries: &[(String, Rc<[Col]>)],
        ctes: &Ctes<'_>,
    ) -> Result<Rc<[Col]>, Refusal> {
        let columns = self.query(&cte.query, outer, &Ctes { entries, outer: Some(ctes) })?;
        Ok(self.rename(columns, &cte.alias)?.into())
    }

    /// Applies `alias (a, b)`, which may name fewer columns than there are.
    pub(super) fn rename(
        &self,
        mut columns: Vec<Col>,
        alias: &TableAlias,
    ) -> Result<Vec<Col>, Refusal> {
        if alias.at.is_some() || alias.columns.len() > columns.len() {
            return Err(self.unparsed("an alias with more columns than there are"));
        }
        for (column, renamed) in columns.iter_mut().zip(&alias.columns) {
            column.name = Rc::from(fold(&renamed.name));
        }
        Ok(columns)
    }

    fn set_expr(
        &mut self,
        body: &SetExpr,
        outer: Option<&Scope<'_>>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        match body {
            SetExpr::Select(select) => self.select(select, None, outer, ctes),
            SetExpr::Query(query) => self.query(query, outer, ctes),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                // A chain of unions leans to the left, as deep as it is long.
                let mut chain = vec![(op, set_quantifier, &**right)];
                let mut first = &**left;
                while let SetExpr::SetOperation { left, op, set_quantifier, right } = first {
                    chain.push((op, set_quantifier, right));
                    first = left;
                }
                let mut columns = self.set_expr(first, outer, ctes)?;
                while let Some((op, quantifier, right)) = chain.pop() {
                    let what = match op {
                        SetOperator::Union => "UNION",
                        SetOperator::Except => "EXCEPT",
                        SetOperator::Intersect => "INTERSECT",
                        SetOperator::Minus => return Err(self.unparsed("MINUS")),
                    };
                    let all = match quantifier {
                        SetQuantifier::All => *op == SetOperator::Union,
                        SetQuantifier::None | SetQuantifier::Distinct => false,
                        SetQuantifier::ByName
                        | SetQuantifier::AllByName
                        | SetQuantifier::DistinctByName => return Err(self.unparsed("BY NAME")),
                    };
                    let next = self.set_expr(right, outer, ctes)?;
                    columns = self.set_operation(columns, &next, all, what, first_output(right))?;
                }
                Ok(columns)
            }
            SetExpr::Values(values) => self.values(values, outer, ctes),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.write_in_query(statement, ctes),
            SetExpr::Table(table) => {
                let idents: Vec<Ident> =
                    table.schema_name.iter().chain(&table.table_name).cloned().collect();
                self.named_table(&idents.into(), ctes).map(|(columns, _)| columns)
            }
        }
    }

    fn write_in_query(
        &mut self,
        statement: &Statement,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        match statement {
            Statement::Insert(insert) => self.insert(insert, ctes),
            Statement::Update(update) => self.update(update, ctes),
            Statement::Delete(delete) => self.delete(delete, ctes),
            _ => Err(self.unparsed("this statement inside a query")),
        }
    }

    fn set_operation(
        &mut self,
        left: Vec<Col>,
        right: &[Col],
        all: bool,
        what: &str,
        at: Option<usize>,
    ) -> Result<Vec<Col>, Refusal> {
        if left.len() != right.len() {
            let message = format!("each {what} query must have the same number of columns");
            return Err(syntax_error(message, at));
        }
        let mut columns = Vec::with_capacity(left.len());
        for (left, right) in left.into_iter().zip(right) {
            for kind in [left.kind, right.kind] {
                self.kinds.note_rows(kind);
            }
            let kind = self.carry(&[left.kind, right.kind], what)?;
            if !all {
                self.group(kind, what)?;
            }
            columns.push(Col { name: left.name, kind });
        }
        Ok(columns)
    }

    fn values(
        &mut self,
        values: &Values,
        outer: Option<&Scope<'_>>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let nothing = Scope::inside(outer);
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let mut cells: Vec<Vec<Kind>> = vec![Vec::with_capacity(values.rows.len()); width];
        let first_leaf = self.kinds.leaves.len();
        let mut params = Vec::new();
        for row in &values.rows {
            if row.content.len() != width {
                let at = row.content.first().and_then(|e| crate::parse::start_of(e.span()));
                return Err(syntax_error("VALUES lists must all be the same length".into(), at));
            }
            for (index, (column, expr)) in cells.iter_mut().zip(&row.content).enumerate() {
                params.extend(is_param(expr).then_some((self.kinds.leaves.len(), index)));
                column.push(self.infer(expr, &nothing, ctes)?);
            }
        }
        let mut columns = Vec::with_capacity(width);
        for (index, kinds) in cells.iter().enumerate() {
            let kind = self.carry(kinds, "VALUES")?;
            if let (Kind::Free(var), 2..) = (kind, kinds.len()) {
                self.kinds.make_rows(var);
            }
            columns.push(Col { name: format!("column{}", index + 1).into(), kind });
        }
        let types: Vec<_> = columns.iter().map(|column| self.type_of(column.kind)).collect();
        let oid_of = |(at, column): (usize, usize)| Some((at, types[column]?.oid()));
        let bare: Vec<(usize, u32)> = params.into_iter().filter_map(oid_of).collect();
        self.one_type_each(first_leaf, &bare)?;
        Ok(columns)
    }

    fn select(
        &mut self,
        select: &Select,
        order_by: Option<&OrderBy>,
        outer: Option<&Scope<'_>>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor: _,
        } = select;
        if select_modifiers.is_some()
            || top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
        {
            return Err(self.unparsed("a clause that is not PostgreSQL's"));
        }
        let scope = self.from(from, outer, ctes)?;
        // The server takes the select list first, and finds the types of parameters so
        // (`transformSelectStmt`).
        let columns = self.projection(projection, &scope, ctes)?;
        if let Some(condition) = selection {
            self.plain_expr(condition, &scope, ctes, "WHERE")?;
        }
        self.group_by(group_by, &columns, &scope, ctes)?;
        if let Some(condition) = having {
            self.plain_expr(condition, &scope, ctes, "HAVING")?;
        }
        for window in named_window {
            match &window.1 {
                NamedWindowExpr::NamedWindow(_) => {}
                NamedWindowExpr::WindowSpec(spec) => self.window(spec, &scope, ctes)?,
            }
        }
        match distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => {
                for column in &columns {
                    self.group(column.kind, "DISTINCT")?;
                }
            }
            Some(Distinct::On(exprs)) => {
                for expr in exprs {
                    // It must be what the rows are ordered by: equal values have equal ranks.
                    if order_by.is_some() && self.ranks_output(expr, &columns, projection, &scope) {
                        continue;
                    }
                    let kind = self.output_reference(expr, &columns, &scope, ctes)?;
                    self.group(kind, "DISTINCT ON")?;
                }
            }
        }
        if let Some(order_by) = order_by {
            // The server wants to find what DISTINCT rows are ordered by among their columns.
            let ranked = !matches!(distinct, Some(Distinct::Distinct));
            let shown = ranked.then_some(projection.as_slice());
            self.order_by(order_by, &columns, shown, &scope, ctes)?;
        }
        if let Some(into) = into {
            self.no_declared_table(&into.targets, into.temporary)?;
            for column in &columns {
                self.assign(column.kind, None, "the new table")?;
            }
            self.effects.catalog = true;
        }
        Ok(columns)
    }

    fn group_by(
        &mut self,
        group_by: &GroupByExpr,
        columns: &[Col],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else {
            return Err(self.unparsed("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(self.unparsed("a GROUP BY modifier"));
        }
        for expr in exprs {
            self.group_item(expr, columns, scope, ctes)?;
        }
        Ok(())
    }

    fn group_item(
        &mut self,
        expr: &Expr,
        columns: &[Col],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        if let Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) = expr {
            for expr in sets.iter().flatten() {
                self.group_item(expr, columns, scope, ctes)?;
            }
            return Ok(());
        }
        if let Expr::Tuple(items) = expr {
            for expr in items {
                self.group_item(expr, columns, scope, ctes)?;
            }
            return Ok(());
        }
        // GROUP BY looks for input columns first, then for output names and positions.
        let kind = if let Some(column) = position(expr, columns) {
            column.kind
        } else if let Expr::Identifier(ident) = expr {
            match self.column(ident, scope) {
                Ok(kind) => kind,
                Err(refusal) => match named(ident, columns) {
                    Some(column) => column.kind,
                    None => return Err(refusal),
                },
            }
        } else {
            self.infer(expr, scope, ctes)?
        };
        self.group(kind, "GROUP BY")
    }

    /// A select list, or RETURNING.
    pub(super) fn projection(
        &mut self,
        items: &[SelectItem],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            match item {
                SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { root, access_chain })
                    if matches!(access_chain.as_slice(),
                        [AccessExpr::Dot(Expr::Identifier(name))]
                            if crate::parse::is_all_fields(name)) =>
                {
                    let kind = self.infer(root, scope, ctes)?;
                    let Kind::Row(row) = self.kinds.resolve(kind) else {
                        return Err(self.unparsed("the columns of an expression"));
                    };
                    columns.extend(self.kinds.fields(row).iter().cloned());
                }
                SelectItem::UnnamedExpr(expr) => {
                    let kind = self.infer(expr, scope, ctes)?;
                    let name = output_name(expr);
                    self.keep_name(expr, kind, &name)?;
                    columns.push(Col { name: name.into(), kind });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let kind = self.infer(expr, scope, ctes)?;
                    columns.push(Col { name: fold(alias).into(), kind });
                }
                SelectItem::ExprWithAliases { .. } => {
                    return Err(self.unparsed("several aliases for one column"));
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    self.no_wildcard_options(options)?;
                    let qualifier =
                        parts(name).ok_or_else(|| self.unparsed("a name with a function"))?;
                    let at = name.0.first().and_then(|p| p.as_ident());
                    let at = at.and_then(|i| crate::parse::start_of(i.span));
                    let source = scope.item(&qualifier, at)?.clone();
                    self.open_star(&source);
                    columns.extend(source.columns);
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => {
                    return Err(self.unparsed("the columns of an expression"));
                }
                SelectItem::Wildcard(options) => {
                    self.no_wildcard_options(options)?;
                    for source in &scope.sources {
                        self.open_star(source);
                    }
                    columns.extend(scope.star.iter().map(|star| star.column.clone()));
                }
            }
        }
        Ok(columns)
    }

    /// `*` over columns that are not known: positions behind it are not known, either.
    fn open_star(&mut self, source: &Source) {
        if source.open && self.open_star.is_none() {
            self.open_star = Some(source.alias.clone());
        }
    }

    fn no_wildcard_options(
        &self,
        options: &sqlparser::ast::WildcardAdditionalOptions,
    ) -> Result<(), Refusal> {
        let sqlparser::ast::WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike: None,
            opt_exclude: None,
            opt_except: None,
            opt_replace: None,
            opt_rename: None,
            opt_alias: None,
        } = options
        else {
            return Err(self.unparsed("an option of * that is not PostgreSQL's"));
        };
        Ok(())
    }
}

/// Where the first output column of a query begins.
fn first_output(query: &SetExpr) -> Option<usize> {
    let start = |expr: &Expr| crate::parse::start_of(expr.span());
    match query {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => start(expr),
            SelectItem::Wildcard(options) => crate::parse::start_of(options.wildcard_token.0.span),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                name.0.first()?.as_ident().and_then(|ident| crate::parse::start_of(ident.span))
            }
            SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => None,
        },
        SetExpr::Query(query) => first_output(&query.body),
        SetExpr::SetOperation { left, .. } => first_output(left),
        SetExpr::Values(values) => start(values.rows.first()?.content.first()?),
        SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_)
        | SetExpr::Table(_) => None,
    }
}

/// An error of the server's, which would not see it, as nothing of the statement reaches it.
fn syntax_error(message: String, position: Option<usize>) -> Refusal {
    Refusal { code: "42601", message, detail: None, hint: None, position }
}

/// `ORDER BY 2`
pub(super) fn position<'c>(expr: &Expr, columns: &'c [Col]) -> Option<&'c Col> {
    let Expr::Value(value) = expr else { return None };
    let sqlparser::ast::Value::Number(digits, _) = &value.value else { return None };
    columns.get(digits.parse::<usize>().ok()?.checked_sub(1)?)
}

pub(super) fn named<'c>(ident: &Ident, columns: &'c [Col]) -> Option<&'c Col> {
    let name = fold(ident);
    columns.iter().find(|column| *column.name == *name)
}

/// The name that the server gives an output column (`FigureColname` in `parse_target.c`), for
/// references to it from outside.
fn output_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(ident) => fold(ident),
        Expr::CompoundIdentifier(idents) => idents.last().map(fold).unwrap_or_default(),
        Expr::Nested(inner) => output_name(inner),
        Expr::Function(function) => {
            parts(&function.name).and_then(|mut p| p.pop()).unwrap_or_default()
        }
        Expr::Cast { expr, data_type, .. } => {
            let inner = output_name(expr);
            if inner == "?column?" { data_type.to_string().to_ascii_lowercase() } else { inner }
        }
        Expr::Case { else_result: Some(otherwise), .. } => match output_name(otherwise) {
            name if name == "?column?" => "case".into(),
            name => name,
        },
        Expr::Case { .. } => "case".into(),
        Expr::Exists { .. } => "exists".into(),
        Expr::Array(_) => "array".into(),
        Expr::Subquery(query) => match &*query.body {
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr)) => output_name(expr),
                Some(SelectItem::ExprWithAlias { alias, .. }) => fold(alias),
                _ => "?column?".into(),
            },
            _ => "?column?".into(),
        },
        _ => "?column?".into(),
    }
}
