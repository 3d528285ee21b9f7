//! Everything that is not SELECT, INSERT, UPDATE, DELETE or MERGE: which utility statements may name
//! a protected relation.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, Statement};

use super::classify::{Words, bodies, mentioned};
use super::kind::Kind;
use super::meet::path;
use super::scope::{Col, Ctes, Scope};
use super::{Analysis, View};
use crate::catalog::Relation;
use crate::lex::identifier;
use crate::plan::{Planned, Verb};
use crate::refusal::{Reason, Refusal};

/// Utility statements on a protected relation that touch no value of it.
const HARMLESS: [&str; 9] =
    ["lock", "vacuum", "analyze", "analyse", "reindex", "cluster", "comment", "grant", "revoke"];

impl<'c> Analysis<'c> {
    pub(super) fn words(&self) -> Words<'c> {
        Words { text: self.text, tokens: self.tokens }
    }

    /// The relations in scope whose names stand in the statement.
    fn named_relations(&self) -> Vec<&'c Relation> {
        let names: BTreeSet<String> =
            self.tokens.iter().filter_map(|token| identifier(self.text, token)).collect();
        let mut found: Vec<_> = self
            .catalog
            .relations
            .values()
            .filter(|r| r.in_scope && names.contains(&r.name))
            .collect();
        found.sort_by_key(|relation| relation.oid);
        found
    }

    /// Names of sealed columns, and of guards and triggers of ours, that stand in the statement.
    pub(super) fn named_columns(&self, relations: &[&Relation]) -> Option<String> {
        self.tokens.iter().filter_map(|token| identifier(self.text, token)).find(|name| {
            name.starts_with("pgveil")
                || relations
                    .iter()
                    .flat_map(|r| &r.columns)
                    .any(|c| (c.sealed.is_some() || c.copy) && c.name == *name)
        })
    }

    /// No function in scope is named in the statement.
    fn no_scoped_function(&self) -> Result<(), Refusal> {
        let names = self.tokens.iter().filter_map(|token| identifier(self.text, token));
        for name in names {
            if let Some(function) = self.catalog.functions.iter().find(|f| f.name == name) {
                let relation = function.relation.clone();
                return Err(self.refuse(Reason::Function { function: name, relation }));
            }
        }
        Ok(())
    }

    pub(super) fn unsupported(&self, what: &str, relations: &[&Relation]) -> Refusal {
        let relation = relations
            .first()
            .map_or_else(|| "pgveil".to_owned(), |r| format!("{}.{}", r.schema, r.name));
        self.refuse(Reason::Statement { what: what.to_owned(), relation })
    }

    /// A write that is not supported, in a query.
    pub(super) fn unsupported_write(&self, what: &str) -> Refusal {
        self.unsupported(what, &self.named_relations())
    }

    /// Decides statements that need no tree. False: look at the tree.
    pub(super) fn by_tokens(&mut self, planned: &mut Planned) -> Result<bool, Refusal> {
        if matches!(
            planned.verb,
            Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge | Verb::Explain
        ) {
            return Ok(false);
        }
        let words = self.words();
        let relations = self.named_relations();
        let own_schema =
            self.tokens.iter().any(|t| identifier(self.text, t).as_deref() == Some("pgveil"));
        match planned.verb {
            Verb::Select
            | Verb::Insert
            | Verb::Update
            | Verb::Delete
            | Verb::Explain
            | Verb::Merge
            | Verb::Setting
            | Verb::Transaction
            | Verb::Pgveil(_) => Ok(false),
            Verb::Copy => self.copy(planned).map(|()| true),
            Verb::Truncate => {
                for relation in relations {
                    self.touch(relation, true)?;
                }
                Ok(true)
            }
            Verb::Ddl => self.ddl(&relations, own_schema),
            Verb::Other => {
                let first = words.at(0);
                if HARMLESS.contains(&first.as_str()) {
                    return Ok(true);
                }
                if first == "do" {
                    let relation = bodies(self.text, self.tokens)
                        .find_map(|body| mentioned(&body, self.catalog));
                    return Err(self.refuse(Reason::Body {
                        what: "the body of DO",
                        relation: relation.unwrap_or_default(),
                    }));
                }
                if first == "call" {
                    return Ok(false);
                }
                if planned.defines.is_some() {
                    self.define(planned)?;
                    return Ok(true);
                }
                if first == "execute" {
                    // The arguments are expressions of the server's.
                    self.no_scoped_function()?;
                }
                if matches!(
                    first.as_str(),
                    "execute"
                        | "fetch"
                        | "move"
                        | "close"
                        | "deallocate"
                        | "listen"
                        | "unlisten"
                        | "notify"
                ) {
                    // The name is that of a statement, a cursor or a channel.
                    return Ok(true);
                }
                Err(self.unsupported(&first.to_ascii_uppercase(), &relations))
            }
        }
    }

    /// Statements whose tree is needed and that are not queries or writes.
    pub(super) fn other_statement(
        &mut self,
        statement: &Statement,
    ) -> Result<(Verb, Vec<Col>), Refusal> {
        let ctes = Ctes::default();
        match statement {
            Statement::Explain {
                statement, query_plan: false, estimate: false, options, ..
            } => {
                for option in options.iter().flatten() {
                    if let Some(Expr::Value(value)) = &option.arg
                        && let Some(token) = self.token_at(value.span)
                    {
                        self.seen.insert(token);
                    }
                }
                let (verb, columns) = self.statement(statement)?;
                if !matches!(
                    verb,
                    Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge
                ) {
                    return Err(self.unparsed("EXPLAIN of this statement"));
                }
                self.no_rows(&columns)?;
                self.no_fold_shown(&columns)?;
                Ok((Verb::Explain, Vec::new()))
            }
            Statement::Call(function) => {
                self.call(function, &Scope::default(), &ctes)?;
                Ok((Verb::Other, Vec::new()))
            }
            Statement::CreateIndex(index) => {
                self.create_index(index)?;
                Ok((Verb::Ddl, Vec::new()))
            }
            Statement::CreateView(view) => {
                self.view = View::Made;
                let columns = self.query(&view.query, None, &ctes)?;
                self.no_rows(&columns)?;
                for column in &columns {
                    if let array @ Kind::Array(_) = self.kinds.resolve(column.kind) {
                        self.plain(array, "a view's column")?;
                    }
                }
                if let Some(open) = self.open_star.take() {
                    return Err(self.refuse(Reason::UnknownColumns(open)));
                }
                self.no_sealed_literal("a literal in a view")?;
                self.no_fold_handle("lower or upper of a protected column in a view")?;
                Ok((Verb::Ddl, Vec::new()))
            }
            Statement::CreateTable(table) => {
                self.create_table(table)?;
                Ok((Verb::Ddl, Vec::new()))
            }
            Statement::AlterTable(table) => {
                self.alter_table(table)?;
                Ok((Verb::Ddl, Vec::new()))
            }
            // Everything else was decided by its tokens, or is not known.
            _ => Err(self.unparsed("this kind of statement")),
        }
    }

    /// No output column may be a whole row with sealed columns.
    fn no_rows(&mut self, columns: &[Col]) -> Result<(), Refusal> {
        for column in columns {
            if let Kind::Row(_) = column.kind {
                self.plain(column.kind, "a column")?;
            }
        }
        Ok(())
    }

    /// What stays in the catalog would not follow when the column's key is rotated.
    pub(super) fn no_sealed_literal(&self, what: &str) -> Result<(), Refusal> {
        let sealed = self.kinds.leaves.iter().find_map(|leaf| leaf.sealed.as_ref());
        match sealed {
            None => Ok(()),
            Some((slot, _)) => Err(self.refuse(Reason::Compute {
                what: what.to_owned(),
                column: path(self.catalog, slot.column),
            })),
        }
    }
}
