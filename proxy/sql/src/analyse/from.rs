//! The FROM clause: relations, sub-queries, functions, and joins between them.

use std::rc::Rc;

use sqlparser::ast::{
    Ident, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins,
};

use super::Analysis;
use super::kind::{Kind, Meet};
use super::scope::{Col, Ctes, Scope, Source, Star, fold, parts, relation_columns};
use crate::refusal::Refusal;

/// A side of a join.
#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
    Neither,
}

impl Analysis<'_> {
    /// A FROM clause.
    pub(super) fn from<'o>(
        &mut self,
        from: &[TableWithJoins],
        outer: Option<&'o Scope<'o>>,
        ctes: &Ctes<'_>,
    ) -> Result<Scope<'o>, Refusal> {
        let mut scope = Scope::inside(outer);
        for tree in from {
            let joined = self.joined(tree, &scope, outer, ctes)?;
            merge(&mut scope, joined);
            scope.no_conflict()?;
        }
        Ok(scope)
    }

    /// One FROM item with its joins. `before` are the items to its left, for LATERAL.
    pub(super) fn joined<'o>(
        &mut self,
        tree: &TableWithJoins,
        before: &Scope<'_>,
        outer: Option<&'o Scope<'o>>,
        ctes: &Ctes<'_>,
    ) -> Result<Scope<'o>, Refusal> {
        let mut scope = self.factor(&tree.relation, before, outer, ctes)?;
        for Join { relation, global, join_operator } in &tree.joins {
            if *global {
                return Err(self.unparsed("GLOBAL JOIN"));
            }
            let right = {
                let mut sees = before.clone();
                merge(&mut sees, scope.clone());
                self.factor(relation, &sees, outer, ctes)?
            };
            scope.no_conflict_with(&right)?;
            // Which side's column a merged one of USING is; FULL JOIN makes a new one.
            let merged = match join_operator {
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Side::Right,
                JoinOperator::FullOuter(_) => Side::Neither,
                _ => Side::Left,
            };
            let constraint = match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => constraint,
                JoinOperator::Semi(_)
                | JoinOperator::LeftSemi(_)
                | JoinOperator::RightSemi(_)
                | JoinOperator::Anti(_)
                | JoinOperator::LeftAnti(_)
                | JoinOperator::RightAnti(_)
                | JoinOperator::CrossApply
                | JoinOperator::OuterApply
                | JoinOperator::AsOf { .. }
                | JoinOperator::StraightJoin(_)
                | JoinOperator::ArrayJoin
                | JoinOperator::LeftArrayJoin
                | JoinOperator::InnerArrayJoin => {
                    return Err(self.unparsed("a join that is not PostgreSQL's"));
                }
            };
            match constraint {
                JoinConstraint::None => merge(&mut scope, right),
                JoinConstraint::On(condition) => {
                    merge(&mut scope, right);
                    let mut sees = before.clone();
                    merge(&mut sees, scope.clone());
                    sees.outer = outer;
                    self.plain_expr(condition, &sees, ctes, "JOIN")?;
                }
                JoinConstraint::Using(names) => {
                    let names = names
                        .iter()
                        .map(|name| parts(name).filter(|p| p.len() == 1).map(|mut p| p.remove(0)))
                        .collect::<Option<Vec<String>>>()
                        .ok_or_else(|| self.unparsed("a qualified name in USING"))?;
                    self.using(&mut scope, right, &names, merged)?;
                }
                JoinConstraint::Natural => {
                    if scope.sources.iter().chain(&right.sources).any(|s| s.open) {
                        return Err(self.unparsed("NATURAL JOIN over columns that are not known"));
                    }
                    let names: Vec<String> = scope
                        .star
                        .iter()
                        .filter(|l| right.star.iter().any(|r| r.column.name == l.column.name))
                        .map(|l| l.column.name.to_string())
                        .collect();
                    self.using(&mut scope, right, &names, merged)?;
                }
                JoinConstraint::UsingAlias(..) => {
                    return Err(self.unparsed("an alias of USING"));
                }
            }
        }
        Ok(scope)
    }

    /// USING: the named columns stand once, in front ("Joined Tables").
    fn using<'o>(
        &mut self,
        left: &mut Scope<'o>,
        mut right: Scope<'o>,
        names: &[String],
        side: Side,
    ) -> Result<(), Refusal> {
        let mut merged = Vec::with_capacity(names.len());
        for name in names {
            let take = |star: &mut Vec<Star>| {
                let index = star.iter().position(|s| *s.column.name == **name)?;
                Some(star.remove(index).column)
            };
            let (Some(a), Some(b)) = (take(&mut left.star), take(&mut right.star)) else {
                return Err(self.unparsed("a column in USING that is not in both tables"));
            };
            self.compare(a.kind, b.kind, "JOIN ... USING", Meet::operator)?;
            let mut kind = self.carry(&[a.kind, b.kind], "JOIN ... USING")?;
            let own = match side {
                Side::Left => Some(a.kind),
                Side::Right => Some(b.kind),
                Side::Neither => None,
            };
            // Of another type or length than its side's, it is an expression.
            if let (Kind::Sealed(sealed), Some(Kind::Sealed(own))) = (&mut kind, own) {
                sealed.detached = own.detached || own.logical != sealed.logical;
            }
            merged.push(Star { column: Col { name: a.name, kind }, source: None });
        }
        let rest = std::mem::take(&mut left.star);
        left.star = merged;
        left.star.extend(rest);
        merge(left, right);
        Ok(())
    }

    fn factor<'o>(
        &mut self,
        factor: &TableFactor,
        before: &Scope<'_>,
        outer: Option<&'o Scope<'o>>,
        ctes: &Ctes<'_>,
    ) -> Result<Scope<'o>, Refusal> {
        let mut scope = Scope::inside(outer);
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample,
                index_directives,
                inheritance: _,
            } if with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty() => {
                if sample.is_some() {
                    return Err(self.unparsed("TABLESAMPLE"));
                }
                let (columns, schema) = self.named_table(name, ctes)?;
                let last = parts(name).and_then(|mut p| p.pop()).unwrap_or_default();
                scope.push(self.source(alias.as_ref(), last, schema, columns, false)?);
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                if args.settings.is_some() {
                    return Err(self.unparsed("SETTINGS"));
                }
                let sees = lateral(before, outer);
                let columns = self.table_function(name, &args.args, &sees, ctes)?;
                scope.push(self.function_source(
                    name,
                    columns,
                    *with_ordinality,
                    alias.as_ref(),
                )?);
            }
            TableFactor::Table { .. } => {
                return Err(self.unparsed("a table with options that are not PostgreSQL's"));
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                let sees = lateral(before, outer);
                let columns = self.table_function(name, args, &sees, ctes)?;
                scope.push(self.function_source(
                    name,
                    columns,
                    *with_ordinality,
                    alias.as_ref(),
                )?);
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality,
            } => {
                let sees = lateral(before, outer);
                let columns = self.unnest(array_exprs, &sees, ctes)?;
                let name = Ident::new("unnest");
                scope.push(self.function_source(
                    &vec![name].into(),
                    Some(columns),
                    *with_ordinality,
                    alias.as_ref(),
                )?);
            }
            TableFactor::Derived { lateral: is_lateral, subquery, alias, sample: None } => {
                let mut columns = if *is_lateral {
                    let sees = lateral(before, outer);
                    self.query(subquery, Some(&sees), ctes)?
                } else {
                    self.query(subquery, outer, ctes)?
                };
                self.make_text(&mut columns);
                scope.push(self.source(alias.as_ref(), String::new(), None, columns, false)?);
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                scope = self.joined(table_with_joins, before, outer, ctes)?;
                if let Some(alias) = alias {
                    let columns = scope.star.into_iter().map(|star| star.column).collect();
                    scope.star = Vec::new();
                    scope.sources = Vec::new();
                    scope.push(self.source(Some(alias), String::new(), None, columns, false)?);
                }
            }
            TableFactor::Derived { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => {
                return Err(self.unparsed("a kind of FROM item"));
            }
        }
        Ok(scope)
    }

    /// A CTE or a relation, by name; with its schema when it is a relation.
    pub(super) fn named_table(
        &mut self,
        name: &sqlparser::ast::ObjectName,
        ctes: &Ctes<'_>,
    ) -> Result<(Vec<Col>, Option<String>), Refusal> {
        if let Some([single]) = parts(name).as_deref()
            && let Some(columns) = ctes.find(single)
        {
            return Ok((columns.to_vec(), None));
        }
        let relation = self.relation(name)?;
        Ok((relation_columns(relation), Some(relation.schema.clone())))
    }

    fn source(
        &self,
        alias: Option<&TableAlias>,
        name: String,
        schema: Option<String>,
        columns: Vec<Col>,
        open: bool,
    ) -> Result<Source, Refusal> {
        Ok(match alias {
            None => Source { alias: name, schema, columns, open, hidden: None },
            Some(alias) if open => {
                let (alias, columns) = (fold(&alias.name), Vec::new());
                Source { alias, schema: None, columns, open, hidden: None }
            }
            Some(alias) => Source {
                alias: fold(&alias.name),
                schema: None,
                columns: self.rename(columns, alias)?,
                open,
                hidden: Some(name).filter(|name| !name.is_empty() && *name != fold(&alias.name)),
            },
        })
    }

    /// A function's result as a FROM item. Its single column goes by the item's name ("Table
    /// Functions").
    fn function_source(
        &self,
        name: &sqlparser::ast::ObjectName,
        columns: Option<Vec<Col>>,
        with_ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Result<Source, Refusal> {
        let last = parts(name).and_then(|mut p| p.pop()).unwrap_or_default();
        let Some(mut columns) = columns else {
            return self.source(alias, last, None, Vec::new(), true);
        };
        if let ([single], Some(alias)) = (columns.as_mut_slice(), alias)
            && *single.name == *last
        {
            single.name = Rc::from(fold(&alias.name));
        }
        if with_ordinality {
            columns.push(Col { name: "ordinality".into(), kind: Kind::Plain });
        }
        self.source(alias, last, None, columns, false)
    }
}

/// What a LATERAL item sees: the items to its left, then the level around.
fn lateral<'o>(before: &Scope<'_>, outer: Option<&'o Scope<'o>>) -> Scope<'o> {
    Scope { sources: before.sources.clone(), star: before.star.clone(), ..Scope::inside(outer) }
}

/// Puts the items of one scope behind those of another.
pub(super) fn merge(scope: &mut Scope<'_>, more: Scope<'_>) {
    let base = scope.sources.len();
    scope.sources.extend(more.sources);
    scope.star.extend(
        more.star
            .into_iter()
            .map(|star| Star { source: star.source.map(|index| index + base), ..star }),
    );
}
