//! CREATE INDEX.
//!
//! An index is of the tokens, and one over `lower(email)` or `upper(email)` of a column that folds
//! so is of their fold handles. Of a column that does not, an index that is not unique decides
//! nothing but speed, so it is made where that is all: `lower(email)` becomes `email`, which is
//! what finds a value once its tokens are known, and the index is there under its name for whoever
//! drops it.

use sqlparser::ast::{
    CreateIndex, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, IndexColumn,
    IndexType,
};

use super::super::Analysis;
use super::super::fold::as_text;
use super::super::kind::Kind;
use super::super::leaf::character_type;
use super::super::scope::{Ctes, Scope, Source, parts, relation_columns};
use crate::refusal::Refusal;

impl Analysis<'_> {
    pub(in super::super) fn create_index(&mut self, index: &CreateIndex) -> Result<(), Refusal> {
        let relation = self.relation(&index.table_name)?;
        let mut scope = Scope::default();
        scope.push(Source {
            alias: relation.name.clone(),
            schema: Some(relation.schema.clone()),
            columns: relation_columns(relation),
            open: false,
            hidden: None,
        });
        let ctes = Ctes::default();
        for column in &index.columns {
            let expr = &column.column.expr;
            if self.is_folded(expr, &scope) {
                let kind = self.infer(expr, &scope, &ctes)?;
                self.group(kind, "an index")?;
                self.access_method(index, column)?;
                continue;
            }
            let ident = match expr {
                Expr::Identifier(ident) => Some(ident),
                _ if index.unique => None,
                other => folded(other),
            };
            let kind = ident.map(|ident| self.column(ident, &scope)).transpose()?;
            match (ident, kind) {
                (Some(ident), Some(kind @ Kind::Sealed(_))) => {
                    if index.unique {
                        self.group(kind, "a unique index")?;
                    }
                    self.access_method(index, column)?;
                    if !matches!(expr, Expr::Identifier(_)) {
                        self.column_instead(expr, &ident.value, ident.quote_style)?;
                    }
                }
                (Some(_), Some(_)) if matches!(expr, Expr::Identifier(_)) => {}
                _ => self.plain_expr(expr, &scope, &ctes, "an index expression")?,
            }
        }
        for included in &index.include {
            self.column(included, &scope)?;
        }
        if let Some(predicate) = &index.predicate {
            self.plain_expr(predicate, &scope, &ctes, "an index predicate")?;
        }
        self.completion.keeps_names = true;
        self.no_sealed_literal("a literal in an index predicate")
    }

    /// `lower(column)` or `upper(column)` of a column that folds so.
    fn is_folded(&mut self, expr: &Expr, scope: &Scope<'_>) -> bool {
        let mut expr = expr;
        while let Expr::Nested(inner) = expr {
            expr = inner;
        }
        let Expr::Function(function) = expr else { return false };
        let Some((fold, argument)) = self.fold_call(function) else { return false };
        let Expr::Identifier(ident) = as_text(argument) else { return false };
        match self.column(ident, scope) {
            Ok(Kind::Sealed(sealed)) => self.catalog.column(sealed.column).fold == Some(fold),
            _ => false,
        }
    }

    /// Operator classes that compare tokens as bytes: the default one, and `varchar_pattern_ops`,
    /// which is a class over `text`.
    fn access_method(&self, index: &CreateIndex, column: &IndexColumn) -> Result<(), Refusal> {
        let class = column.operator_class.as_ref().and_then(parts);
        let class = class.as_ref().and_then(|parts| parts.last());
        let harmless = column.operator_class.is_none()
            || class.is_some_and(|name| {
                matches!(
                    name.as_str(),
                    "text_pattern_ops" | "varchar_pattern_ops" | "text_ops" | "varchar_ops"
                )
            });
        let method = index
            .using
            .as_ref()
            .is_none_or(|using| matches!(using, IndexType::BTree | IndexType::Hash));
        if harmless && method {
            return Ok(());
        }
        Err(self.unsupported_write("an index with this operator class or method"))
    }

    /// Puts the column in an expression's place: a call, whose extent is found in the tokens.
    fn column_instead(
        &mut self,
        expr: &Expr,
        name: &str,
        quote: Option<char>,
    ) -> Result<(), Refusal> {
        let mut inner = expr;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        let start = match inner {
            Expr::Function(call) => call
                .name
                .0
                .first()
                .and_then(|part| part.as_ident())
                .and_then(|ident| self.token_at(ident.span)),
            _ => None,
        };
        let open = start.map(|start| self.name_at(start).1).filter(|open| self.is(*open, "("));
        let behind = open.and_then(|open| self.behind_parentheses(open));
        let (Some(start), Some(behind)) = (start, behind) else {
            return Err(self.unparsed("an index expression"));
        };
        let text = quote.map_or_else(|| name.to_owned(), |quote| format!("{quote}{name}{quote}"));
        self.put(self.bytes(start, behind), text);
        Ok(())
    }
}

/// The column in `lower(column)` and `upper(column)`, perhaps with a cast that is none.
fn folded(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Nested(inner) => folded(inner),
        Expr::Function(call) => {
            let name = parts(&call.name)?;
            let name: Vec<&str> = name.iter().map(String::as_str).collect();
            let (["lower" | "upper"] | ["pg_catalog", "lower" | "upper"]) = name.as_slice() else {
                return None;
            };
            let FunctionArguments::List(list) = &call.args else { return None };
            let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice()
            else {
                return None;
            };
            bare(argument)
        }
        _ => None,
    }
}

fn bare(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::Nested(inner) => bare(inner),
        Expr::Cast { expr, data_type, .. } => {
            character_type(data_type).filter(|t| *t == t.unbounded())?;
            bare(expr)
        }
        _ => None,
    }
}
