//! Everything that is not SELECT, INSERT, UPDATE, DELETE or MERGE: which utility statements may name
//! a protected relation.

use std::collections::BTreeSet;

use sqlparser::ast::{CreateIndex, Expr, Statement};

use super::Analysis;
use super::classify::{Words, bodies, mentioned};
use super::kind::{Kind, path};
use super::scope::{Col, Ctes, Scope, Source, relation_columns};
use crate::catalog::Relation;
use crate::lex::{Token, identifier};
use crate::plan::{Planned, Verb};
use crate::refusal::{Reason, Refusal};

/// Utility statements on a protected relation that touch no value of it.
const HARMLESS: [&str; 9] =
    ["lock", "vacuum", "analyze", "analyse", "reindex", "cluster", "comment", "grant", "revoke"];

impl<'c> Analysis<'c> {
    fn words(&self) -> Words<'c> {
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
    fn named_columns(&self, relations: &[&Relation]) -> Option<String> {
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

    fn unsupported(&self, what: &str, relations: &[&Relation]) -> Refusal {
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

    fn ddl(&mut self, relations: &[&'c Relation], own_schema: bool) -> Result<bool, Refusal> {
        let words = self.words();
        let first = words.at(0);
        let shown = |upto: usize| {
            (0..upto)
                .map(|index| words.at(index).to_ascii_uppercase())
                .collect::<Vec<_>>()
                .join(" ")
        };
        if own_schema || relations.iter().any(|r| r.schema == "pgveil") {
            return Err(Refusal {
                code: "42501",
                message: "the schema \"pgveil\" cannot be changed through pgveil".into(),
                detail: None,
                hint: Some(
                    "Use the commands of pgveil; they connect to the database directly.".into(),
                ),
                position: None,
            });
        }
        match first.as_str() {
            "comment" | "grant" | "revoke" | "refresh" => return Ok(true),
            "drop" => {
                // Triggers of ours go with their table, and not by themselves.
                let ours = |t: &Token| {
                    identifier(self.text, t).is_some_and(|name| name.starts_with("pgveil"))
                };
                if self.tokens.iter().any(ours) {
                    return Err(self.unsupported("DROP of what pgveil made", relations));
                }
                return Ok(true);
            }
            "alter" if words.is(1, "table") => {
                let operation = self.after_relation();
                let column = self.named_columns(relations);
                let allowed = matches!(
                    operation.as_str(),
                    "add"
                        | "drop"
                        | "alter"
                        | "owner"
                        | "set"
                        | "reset"
                        | "validate"
                        | "cluster"
                        | "replica"
                ) && !self
                    .tokens
                    .iter()
                    .any(|t| self.text[t.range.clone()].eq_ignore_ascii_case("schema"))
                    && !self
                        .tokens
                        .iter()
                        .any(|t| self.text[t.range.clone()].eq_ignore_ascii_case("trigger"));
                return match column {
                    None if allowed => Ok(true),
                    None => Err(self.unsupported(
                        &format!("ALTER TABLE ... {}", operation.to_ascii_uppercase()),
                        relations,
                    )),
                    Some(column) => Err(self.unsupported(
                        &format!("ALTER TABLE over the protected column {column}"),
                        relations,
                    )),
                };
            }
            "alter" if words.is(1, "index") || words.is(1, "sequence") => return Ok(true),
            "create" => {}
            _ => return Err(self.unsupported(&shown(2), relations)),
        }
        let mut at = 1;
        while words.is(at, "or") || words.is(at, "replace") || words.is(at, "unlogged") {
            at += 1;
        }
        let mut temporary = false;
        while ["temp", "temporary", "local", "global"].iter().any(|w| words.is(at, w)) {
            temporary = true;
            at += 1;
        }
        if words.is(at, "table") {
            return self.create_table(relations, temporary);
        }
        let with_tree = words.is(at, "unique")
            || words.is(at, "index")
            || words.is(at, "view")
            || words.is(at, "materialized");
        if with_tree && !temporary {
            return Ok(false);
        }
        if words.is(at, "function") || words.is(at, "procedure") {
            let relation =
                bodies(self.text, self.tokens).find_map(|body| mentioned(&body, self.catalog));
            return Err(match relation {
                Some(relation) => {
                    self.refuse(Reason::Body { what: "the body of a routine", relation })
                }
                None => self.unsupported("CREATE FUNCTION", relations),
            });
        }
        if words.is(at, "trigger") && self.named_columns(relations).is_none() {
            return Ok(true);
        }
        Err(self.unsupported(&shown(at + 1), relations))
    }

    /// The word behind the table's name in ALTER TABLE.
    fn after_relation(&self) -> String {
        let words = self.words();
        let mut index = 2;
        while ["if", "exists", "only"].iter().any(|w| words.is(index, w)) {
            index += 1;
        }
        index += 1;
        while words.is(index, ".") {
            index += 2;
        }
        if words.is(index, "*") {
            index += 1;
        }
        words.at(index)
    }

    /// A new table may refer to a protected one by foreign keys to its plain columns.
    fn create_table(
        &mut self,
        relations: &[&'c Relation],
        temporary: bool,
    ) -> Result<bool, Refusal> {
        let words = self.words();
        for (index, token) in self.tokens.iter().enumerate() {
            let Some(name) = identifier(self.text, token) else { continue };
            let Some(relation) = relations.iter().find(|r| r.name == name) else { continue };
            let before = |by: usize| index.checked_sub(by).map(|i| words.at(i)).unwrap_or_default();
            let behind_schema = before(1) == ".";
            let introduced = if behind_schema { before(3) } else { before(1) };
            let refers = introduced == "references";
            // The table's own name, where it exists already: IF NOT EXISTS.
            let own = index < 8 && matches!(introduced.as_str(), "table" | "exists");
            if own && temporary {
                return Err(self.unsupported("a temporary table of the same name", &[relation]));
            }
            let column = !refers
                && !own
                && !words.is(index + 1, ".")
                && !behind_schema
                && matches!(introduced.as_str(), "(" | "," | "constraint" | "key");
            if refers && words.is(index + 1, "(") {
                let mut inside = index + 2;
                while inside < self.tokens.len() && !words.is(inside, ")") {
                    let referred = words.at(inside);
                    if relation.columns.iter().any(|c| c.sealed.is_some() && c.name == referred) {
                        return Err(self.unsupported(
                            &format!("a foreign key to the protected column {referred}"),
                            &[relation],
                        ));
                    }
                    inside += 1;
                }
            } else if !(refers || own || column) {
                // LIKE, INHERITS, PARTITION OF, AS SELECT: the tree tells.
                return Ok(false);
            }
        }
        Ok(true)
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
                let columns = self.query(&view.query, None, &ctes)?;
                self.no_rows(&columns)?;
                if let Some(open) = self.open_star.take() {
                    return Err(self.refuse(Reason::UnknownColumns(open)));
                }
                self.no_sealed_literal("a literal in a view")?;
                Ok((Verb::Ddl, Vec::new()))
            }
            Statement::CreateTable(table) => {
                let (Some(query), None, None, None) =
                    (&table.query, &table.like, &table.inherits, &table.partition_of)
                else {
                    return Err(
                        self.unsupported_write("CREATE TABLE ... LIKE, INHERITS or PARTITION OF")
                    );
                };
                for column in self.query(query, None, &ctes)? {
                    self.assign(column.kind, None, "the new table")?;
                }
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

    /// An index over tokens: equality on deterministic columns, without an operator class that
    /// would make something else of them.
    fn create_index(&mut self, index: &CreateIndex) -> Result<(), Refusal> {
        let relation = self.relation(&index.table_name)?;
        let mut scope = Scope::default();
        scope.push(Source {
            alias: relation.name.clone(),
            schema: Some(relation.schema.clone()),
            columns: relation_columns(relation),
            open: false,
        });
        let ctes = Ctes::default();
        for column in &index.columns {
            match &column.column.expr {
                Expr::Identifier(ident) => {
                    let kind = scope.column(ident)?;
                    self.group(kind, "an index")?;
                    let sealed = matches!(self.kinds.resolve(kind), Kind::Sealed(_));
                    // pattern_ops classes order by bytes, as text under "C" does anyway.
                    let harmless = column.operator_class.as_ref().is_none_or(|class| {
                        class.to_string().to_ascii_lowercase().ends_with("_pattern_ops")
                    });
                    let btree = index.using.as_ref().is_none_or(|using| {
                        matches!(
                            using,
                            sqlparser::ast::IndexType::BTree | sqlparser::ast::IndexType::Hash
                        )
                    });
                    if sealed && !(harmless && btree) {
                        return Err(
                            self.unsupported_write("an index with this operator class or method")
                        );
                    }
                }
                expr => self.plain_expr(expr, &scope, &ctes, "an index expression")?,
            }
        }
        for included in &index.include {
            scope.column(included)?;
        }
        if let Some(predicate) = &index.predicate {
            self.plain_expr(predicate, &scope, &ctes, "an index predicate")?;
        }
        self.no_sealed_literal("a literal in an index predicate")
    }
}
