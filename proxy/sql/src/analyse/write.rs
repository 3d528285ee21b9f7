//! INSERT, UPDATE, DELETE and MERGE: what is stored where, and RETURNING.

use std::collections::{HashMap, HashSet};

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Insert, Merge,
    MergeAction, MergeClauseKind, MergeInsertKind, MergeUpdateKind, ObjectName, OnConflict,
    OnConflictAction, OnInsert, Query, SetExpr, Spanned, TableFactor, TableObject, TableWithJoins,
    Update, UpdateTableFromKind, Value, Values,
};

use super::Analysis;
use super::kind::{Kind, LeafValue, Sealed};
use super::scope::{Col, Ctes, Scope, Source, fold, parts, relation_columns};
use crate::catalog::{Column, Relation};
use crate::refusal::{Reason, Refusal};

impl<'c> Analysis<'c> {
    /// INSERT; the columns of RETURNING.
    pub(super) fn insert(&mut self, insert: &Insert, ctes: &Ctes<'_>) -> Result<Vec<Col>, Refusal> {
        let Insert {
            insert_token: _,
            optimizer_hints: _,
            or: None,
            ignore: false,
            into: _,
            table: TableObject::TableName(name),
            table_alias,
            columns,
            by_name: false,
            overwrite: false,
            source,
            assignments,
            partitioned: None,
            after_columns,
            overriding: _,
            has_table_keyword: false,
            on,
            returning,
            output: None,
            replace_into: false,
            priority: None,
            insert_alias: None,
            settings: None,
            format_clause: None,
            multi_table_insert_type: None,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause: None,
        } = insert
        else {
            return Err(self.unparsed("an INSERT that is not PostgreSQL's"));
        };
        if !assignments.is_empty()
            || !after_columns.is_empty()
            || !multi_table_into_clauses.is_empty()
            || !multi_table_when_clauses.is_empty()
        {
            return Err(self.unparsed("an INSERT that is not PostgreSQL's"));
        }
        let relation = self.target(name)?;
        let targets = self.targets(relation, columns)?;
        if let Some(source) = source {
            self.insert_source(relation, &targets, source, ctes)?;
        }
        let alias =
            table_alias.as_ref().map_or_else(|| relation.name.clone(), |alias| fold(&alias.alias));
        let mut scope = Scope::default();
        scope.push(target_source(relation, alias, table_alias.is_none()));
        if let Some(on) = on {
            // The enum may grow; only this variant is PostgreSQL's.
            let OnInsert::OnConflict(conflict) = on else {
                return Err(self.unparsed("ON DUPLICATE KEY"));
            };
            self.on_conflict(relation, conflict, &scope, ctes)?;
        }
        self.returning(returning.as_deref(), &scope, ctes)
    }

    /// ON CONFLICT; unqualified names are ambiguous between the target and `excluded`.
    fn on_conflict(
        &mut self,
        relation: &'c Relation,
        conflict: &OnConflict,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        match &conflict.conflict_target {
            None | Some(ConflictTarget::OnConstraint(_)) => {}
            Some(ConflictTarget::Columns { columns, predicate }) => {
                for column in columns {
                    if crate::parse::is_folded_target(column) {
                        self.folded_target(column, scope)?;
                        continue;
                    }
                    let kind = self.column(column, scope)?;
                    self.group(kind, "ON CONFLICT")?;
                }
                if let Some(predicate) = predicate {
                    self.plain_expr(predicate, scope, ctes, "ON CONFLICT")?;
                }
            }
        }
        match &conflict.action {
            OnConflictAction::DoNothing => Ok(()),
            OnConflictAction::DoUpdate(update) => {
                let mut sees = scope.clone();
                sees.push(target_source(relation, "excluded".into(), false));
                self.assignments(relation, &update.assignments, &sees, ctes)?;
                match &update.selection {
                    None => Ok(()),
                    Some(condition) => self.plain_expr(condition, &sees, ctes, "WHERE"),
                }
            }
        }
    }

    /// The relation that is written.
    fn target(&mut self, name: &ObjectName) -> Result<&'c Relation, Refusal> {
        let catalog = self.catalog;
        let oid = self.relation(name)?.oid;
        // Found a moment ago.
        let Some(relation) = catalog.relations.get(&oid) else {
            return Err(Reason::UndefinedTable(name.to_string()).at(None));
        };
        self.touch(relation, true)?;
        self.writes = true;
        Ok(relation)
    }

    /// The columns that an INSERT stores into.
    fn targets(
        &self,
        relation: &'c Relation,
        columns: &[ObjectName],
    ) -> Result<Vec<&'c Column>, Refusal> {
        if columns.is_empty() {
            return Ok(relation.columns.iter().collect());
        }
        columns.iter().map(|name| self.target_column(relation, name)).collect()
    }

    fn target_column<'r>(
        &self,
        relation: &'r Relation,
        name: &ObjectName,
    ) -> Result<&'r Column, Refusal> {
        let parts = parts(name).unwrap_or_default();
        let at =
            name.0.first().and_then(|p| p.as_ident()).and_then(|i| crate::parse::start_of(i.span));
        let [column] = parts.as_slice() else {
            return Err(self.unparsed("a field or subscript of a target column"));
        };
        relation.columns.iter().find(|c| c.name == *column).ok_or_else(|| Refusal {
            message: format!(
                "column \"{column}\" of relation \"{}\" does not exist",
                relation.name
            ),
            ..Reason::UndefinedColumn { name: column.clone(), relation: None }.at(at)
        })
    }

    fn insert_source(
        &mut self,
        relation: &Relation,
        targets: &[&Column],
        source: &Query,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        // VALUES directly under INSERT takes DEFAULT and each row by itself.
        if let Query { with: None, body, order_by: None, limit_clause: None, .. } = source
            && let SetExpr::Values(values) = &**body
        {
            self.kinds.all_stored = true;
            self.insert_rows(relation, targets, values, &Scope::default(), ctes)?;
            self.kinds.all_stored = false;
            return Ok(());
        }
        let columns = self.query(source, None, ctes)?;
        if let Some(open) = self.open_star.take() {
            return Err(self.refuse(Reason::UnknownColumns(open)));
        }
        if columns.len() > targets.len() {
            return Err(more_values(None));
        }
        for (target, column) in targets.iter().zip(columns) {
            self.store(relation, target, column.kind, false)?;
        }
        Ok(())
    }

    /// VALUES directly under INSERT, or in MERGE.
    fn insert_rows(
        &mut self,
        relation: &Relation,
        targets: &[&Column],
        values: &Values,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        self.kinds.types_in_order = true;
        for row in &values.rows {
            if let Some(first) = row.content.get(targets.len()) {
                return Err(more_values(crate::parse::start_of(first.span())));
            }
            let before = self.kinds.leaves.len();
            let mut bare = Vec::new();
            for (target, expr) in targets.iter().zip(&row.content) {
                bare.extend(is_param(expr).then(|| (self.kinds.leaves.len(), type_of(target))));
                let kind = self.infer(expr, scope, ctes)?;
                self.store(relation, target, kind, is_default(expr))?;
            }
            self.one_type_each(before, &bare)?;
        }
        Ok(())
    }

    /// [`Analysis::one_type_each`] where all take the same type.
    pub(super) fn common_type_each(
        &self,
        before: usize,
        bare: &[usize],
        common: Option<LogicalType>,
    ) -> Result<(), Refusal> {
        let Some(common) = common else { return Ok(()) };
        let bare: Vec<(usize, u32)> = bare.iter().map(|at| (*at, common.oid())).collect();
        self.one_type_each(before, &bare)
    }

    /// Among operands, whose leaves are those from `before` on, a parameter that stands for itself
    /// takes a type when all of them are known (`transformInsertRow`, `coerce_to_common_type`). The
    /// server refuses one that has none yet when it finds it, and another one by then. `bare` are
    /// the leaves that are such parameters, and their types.
    pub(super) fn one_type_each(
        &self,
        before: usize,
        bare: &[(usize, u32)],
    ) -> Result<(), Refusal> {
        if bare.is_empty() {
            return Ok(());
        }
        let wanted: HashMap<usize, u32> = bare.iter().copied().collect();
        let mut known: HashMap<usize, u32> = HashMap::new();
        let mut found = HashSet::new();
        let mut open = Vec::new();
        for (at, leaf) in self.kinds.leaves.iter().enumerate().skip(before) {
            let LeafValue::Param(index) = leaf.value else { continue };
            let declared = self.types.get(index).is_some_and(|oid| *oid != 0);
            if declared || self.kinds.is_known_before(index, before) || found.contains(&index) {
                continue;
            }
            if let Some(wanted) = wanted.get(&at) {
                open.push((index, at, *wanted));
            } else {
                found.insert(index);
                known.extend(super::finish::type_here(leaf).map(|oid| (index, oid)));
            }
        }
        for (index, at, wanted) in open {
            let known = *known.entry(index).or_insert(wanted);
            if known != wanted {
                let position = self.tokens[self.kinds.leaves[at].token].range.start;
                return Err(two_types(index, known, wanted, position));
            }
        }
        Ok(())
    }

    fn store(
        &mut self,
        relation: &Relation,
        target: &Column,
        kind: Kind,
        default: bool,
    ) -> Result<(), Refusal> {
        let name = format!("{}.{}", relation.name, target.name);
        if target.copy && !default {
            return Err(self.refuse(Reason::ProfileCopy(name)));
        }
        let sealed = target.sealed.map(|s| Sealed {
            column: s.column,
            logical: s.logical,
            values: s.logical,
            detached: false,
            folded: None,
            stored: false,
        });
        self.assign(kind, sealed, &name)
    }

    fn assignments(
        &mut self,
        relation: &Relation,
        assignments: &[Assignment],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let before = self.kinds.leaves.len();
        let mut bare = Vec::new();
        for Assignment { target, value } in assignments {
            match target {
                AssignmentTarget::ColumnName(name) => {
                    let column = self.target_column(relation, name)?;
                    bare.extend(
                        is_param(value).then(|| (self.kinds.leaves.len(), type_of(column))),
                    );
                    let kind = self.infer(value, scope, ctes)?;
                    self.store(relation, column, kind, is_default(value))?;
                }
                AssignmentTarget::Tuple(names) => {
                    let columns: Vec<&Column> = names
                        .iter()
                        .map(|name| self.target_column(relation, name))
                        .collect::<Result<_, _>>()?;
                    let values: Vec<(Kind, bool)> = match value {
                        row if super::expr::row_items(row).is_some() => {
                            let items = super::expr::row_items(row).unwrap_or_default();
                            let mut values = Vec::with_capacity(items.len());
                            for (index, item) in items.into_iter().enumerate() {
                                let at = self.kinds.leaves.len();
                                let column = columns.get(index).filter(|_| is_param(item));
                                bare.extend(column.map(|column| (at, type_of(column))));
                                values.push((self.infer(item, scope, ctes)?, is_default(item)));
                            }
                            values
                        }
                        Expr::Subquery(query) => self
                            .query(query, Some(scope), ctes)?
                            .into_iter()
                            .map(|column| (column.kind, false))
                            .collect(),
                        single if columns.len() == 1 => {
                            vec![(self.infer(single, scope, ctes)?, is_default(single))]
                        }
                        _ => return Err(self.unparsed("a row assignment")),
                    };
                    if values.len() != columns.len() {
                        return Err(self.unparsed("a row assignment of another length"));
                    }
                    for (column, (kind, default)) in columns.into_iter().zip(values) {
                        self.store(relation, column, kind, default)?;
                    }
                }
            }
        }
        self.one_type_each(before, &bare)
    }

    /// UPDATE; the columns of RETURNING.
    pub(super) fn update(&mut self, update: &Update, ctes: &Ctes<'_>) -> Result<Vec<Col>, Refusal> {
        let Update {
            update_token: _,
            optimizer_hints: _,
            table,
            on_cluster: None,
            assignments,
            from,
            selection,
            returning,
            output: None,
            or: None,
            order_by,
            limit: None,
            settings: None,
        } = update
        else {
            return Err(self.unparsed("an UPDATE that is not PostgreSQL's"));
        };
        let from = match from {
            None => &[][..],
            Some(UpdateTableFromKind::AfterSet(from)) => from,
            Some(UpdateTableFromKind::BeforeSet(_)) => {
                return Err(self.unparsed("an UPDATE that is not PostgreSQL's"));
            }
        };
        if !order_by.is_empty() {
            return Err(self.unparsed("UPDATE with ORDER BY"));
        }
        let (relation, scope) = self.written(table, from, ctes)?;
        // In this order the server finds the types of parameters (`transformUpdateStmt`).
        self.kinds.types_in_order = true;
        if let Some(condition) = selection {
            self.plain_expr(condition, &scope, ctes, "WHERE")?;
        }
        let columns = self.returning(returning.as_deref(), &scope, ctes)?;
        self.assignments(relation, assignments, &scope, ctes)?;
        Ok(columns)
    }

    /// DELETE; the columns of RETURNING.
    pub(super) fn delete(&mut self, delete: &Delete, ctes: &Ctes<'_>) -> Result<Vec<Col>, Refusal> {
        let Delete {
            delete_token: _,
            optimizer_hints: _,
            tables,
            from: FromTable::WithFromKeyword(from),
            on_cluster: None,
            using,
            selection,
            returning,
            output: None,
            order_by,
            limit: None,
            settings: None,
        } = delete
        else {
            return Err(self.unparsed("a DELETE that is not PostgreSQL's"));
        };
        let ([table], true, true) = (from.as_slice(), tables.is_empty(), order_by.is_empty())
        else {
            return Err(self.unparsed("a DELETE that is not PostgreSQL's"));
        };
        let (_, scope) = self.written(table, using.as_deref().unwrap_or_default(), ctes)?;
        if let Some(condition) = selection {
            self.plain_expr(condition, &scope, ctes, "WHERE")?;
        }
        self.returning(returning.as_deref(), &scope, ctes)
    }

    /// MERGE; the columns of RETURNING are not supported.
    pub(super) fn merge(&mut self, merge: &Merge, ctes: &Ctes<'_>) -> Result<(), Refusal> {
        let Merge {
            merge_token: _,
            optimizer_hints: _,
            into: _,
            table,
            source,
            on,
            clauses,
            output: None,
        } = merge
        else {
            return Err(self.unparsed("MERGE with RETURNING"));
        };
        let from = |relation: &TableFactor| TableWithJoins {
            relation: relation.clone(),
            joins: Vec::new(),
        };
        let (relation, scope) = self.written(&from(table), &[from(source)], ctes)?;
        self.kinds.types_in_order = true;
        self.plain_expr(on, &scope, ctes, "ON")?;
        for clause in clauses {
            let scope = match clause.clause_kind {
                MergeClauseKind::Matched => scope.clone(),
                // There is no row of the one side, so it cannot be named.
                MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                    scope.hiding(|index| index == 0)
                }
                MergeClauseKind::NotMatchedBySource => scope.hiding(|index| index != 0),
            };
            if let Some(condition) = &clause.predicate {
                self.plain_expr(condition, &scope, ctes, "WHEN")?;
            }
            match &clause.action {
                MergeAction::Delete { .. } | MergeAction::DoNothing { .. } => {}
                MergeAction::Update(update) => {
                    let (MergeUpdateKind::Set(assignments), None, None) =
                        (&update.kind, &update.update_predicate, &update.delete_predicate)
                    else {
                        return Err(self.unparsed("a MERGE that is not PostgreSQL's"));
                    };
                    self.assignments(relation, assignments, &scope, ctes)?;
                }
                MergeAction::Insert(insert) => {
                    let (MergeInsertKind::Values(values), None) =
                        (&insert.kind, &insert.insert_predicate)
                    else {
                        return Err(self.unparsed("a MERGE that is not PostgreSQL's"));
                    };
                    let targets = self.targets(relation, &insert.columns)?;
                    self.insert_rows(relation, &targets, values, &scope, ctes)?;
                }
            }
        }
        Ok(())
    }

    /// The written relation, and the scope of its statement: the target, then FROM or USING.
    fn written(
        &mut self,
        table: &TableWithJoins,
        from: &[TableWithJoins],
        ctes: &Ctes<'_>,
    ) -> Result<(&'c Relation, Scope<'static>), Refusal> {
        let TableFactor::Table { name, alias, args: None, .. } = &table.relation else {
            return Err(self.unparsed("a target that is not a table"));
        };
        if !table.joins.is_empty() || alias.as_ref().is_some_and(|a| !a.columns.is_empty()) {
            return Err(self.unparsed("a target that is not a table"));
        }
        let relation = self.target(name)?;
        let shown = alias.as_ref().map_or_else(|| relation.name.clone(), |alias| fold(&alias.name));
        let mut scope = Scope::default();
        scope.push(target_source(relation, shown, alias.is_none()));
        for tree in from {
            let joined = self.joined(tree, &scope.clone(), None, ctes)?;
            super::from::merge(&mut scope, joined);
            scope.no_conflict()?;
        }
        Ok((relation, scope))
    }

    fn returning(
        &mut self,
        items: Option<&[sqlparser::ast::SelectItem]>,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        match items {
            None => Ok(Vec::new()),
            Some(items) => self.projection(items, scope, ctes),
        }
    }
}

fn target_source(relation: &Relation, alias: String, named: bool) -> Source {
    Source {
        alias,
        schema: named.then(|| relation.schema.clone()),
        columns: relation_columns(relation),
        open: false,
        hidden: (!named).then(|| relation.name.clone()),
    }
}

/// The keyword DEFAULT, which the parser reads as an identifier.
fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

fn more_values(position: Option<usize>) -> Refusal {
    Refusal {
        code: "42601",
        message: "INSERT has more expressions than target columns".into(),
        detail: None,
        hint: None,
        position,
    }
}

/// The type of a column as clients know it.
fn type_of(column: &Column) -> u32 {
    column.sealed.map_or(column.type_oid, |sealed| sealed.logical.oid())
}

/// A parameter and nothing more.
pub(super) fn is_param(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
        Expr::Nested(inner) => is_param(inner),
        _ => false,
    }
}

/// The server's error for a parameter that would be of two types.
fn two_types(index: usize, known: u32, wanted: u32, position: usize) -> Refusal {
    let detail = match (type_name(known), type_name(wanted)) {
        (Some(known), Some(wanted)) => Some(format!("{known} versus {wanted}")),
        _ => None,
    };
    Refusal {
        code: "42P08",
        message: format!("inconsistent types deduced for parameter ${}", index + 1),
        detail,
        hint: None,
        position: Some(position),
    }
}

/// Names of common types, as `format_type` prints them.
fn type_name(oid: u32) -> Option<&'static str> {
    Some(match oid {
        16 => "boolean",
        20 => "bigint",
        21 => "smallint",
        23 => "integer",
        25 => "text",
        1042 => "character",
        1043 => "character varying",
        1082 => "date",
        1114 => "timestamp without time zone",
        1184 => "timestamp with time zone",
        1700 => "numeric",
        2950 => "uuid",
        _ => return None,
    })
}
