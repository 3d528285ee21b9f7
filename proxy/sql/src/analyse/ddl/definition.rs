//! Columns and constraints in CREATE TABLE and ALTER TABLE.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use pgveil_seal::Mode;
use sqlparser::ast::{
    ColumnDef, ColumnOption, Expr, ForeignKeyConstraint, Ident, IndexColumn, ObjectName,
    TableConstraint, Value,
};

use super::super::Analysis;
use super::super::kind::{Kind, Sealed};
use super::super::leaf::{Constant, character_type, type_end};
use super::super::scope::{Col, Ctes, Scope, Source, fold, parts, relation_columns};
use crate::catalog::SealedColumn;
use crate::physical::column::{guard_condition, guard_name};
use crate::physical::quote_ident;
use crate::plan::{Edit, Purpose, Replacement, Slot};
use crate::refusal::{Reason, Refusal};

/// The table that a definition belongs to.
pub(super) struct Target {
    pub(super) schema: String,
    pub(super) table: String,
    /// Its columns, those included that the statement makes.
    pub(super) columns: Vec<Col>,
    /// Those of a character type that are not sealed.
    pub(super) texts: HashSet<String>,
}

impl Target {
    pub(super) fn scope(&self) -> Scope<'static> {
        let mut scope = Scope::default();
        scope.push(Source {
            alias: self.table.clone(),
            schema: Some(self.schema.clone()),
            columns: self.columns.clone(),
            open: false,
            hidden: None,
        });
        scope
    }

    pub(super) fn kind(&self, column: &str) -> Kind {
        let found = self.columns.iter().find(|c| *c.name == *column);
        found.map_or(Kind::Plain, |c| c.kind)
    }
}

impl<'c> Analysis<'c> {
    /// The declared column that a definition makes, or would make if it were not there.
    pub(super) fn declared_column(
        &self,
        schema: &str,
        table: &str,
        column: &str,
    ) -> Option<&'c SealedColumn> {
        let sealed = self
            .catalog
            .columns
            .iter()
            .find(|c| c.schema == schema && c.table == table && c.column == column);
        sealed.or_else(|| self.catalog.pending(schema, table, column))
    }

    /// Adds a column that is defined to its table.
    pub(super) fn add_column(
        &self,
        target: &mut Target,
        definition: &ColumnDef,
    ) -> Result<(), Refusal> {
        let name = fold(&definition.name);
        let kind = match self.declared_column(&target.schema, &target.table, &name) {
            None => {
                if character_type(&definition.data_type).is_some() {
                    target.texts.insert(name.clone());
                }
                Kind::Plain
            }
            Some(column) => match character_type(&definition.data_type) {
                Some(logical) => Kind::Sealed(Sealed {
                    column: column.id,
                    logical,
                    values: logical,
                    detached: false,
                    folded: None,
                    stored: false,
                }),
                None => return Err(unsealable(column, "its type", &definition.name)),
            },
        };
        target.columns.retain(|column| *column.name != *name);
        target.columns.push(Col { name: Rc::from(name.as_str()), kind });
        Ok(())
    }

    /// A column definition: of a declared column it becomes that of a sealed one.
    pub(super) fn definition(
        &mut self,
        definition: &ColumnDef,
        target: &Target,
    ) -> Result<(), Refusal> {
        let Some(name) = self.token_at(definition.name.span) else {
            return Err(self.unparsed("a column"));
        };
        let end = self.item_end(name);
        let column = fold(&definition.name);
        if let Kind::Sealed(sealed) = target.kind(&column) {
            self.sealed_definition(definition, sealed, name, end)?;
        }
        for option in &definition.options {
            match &option.option {
                ColumnOption::Check(check) => {
                    self.check_constraint(&check.expr, target)?;
                }
                ColumnOption::Generated { generation_expr: Some(expr), .. } => {
                    self.plain_expr(expr, &target.scope(), &Ctes::default(), "a generated column")?;
                }
                ColumnOption::ForeignKey(key) => {
                    self.foreign_key(key, std::slice::from_ref(&definition.name), target)?;
                }
                // The server says what is wrong with what is not PostgreSQL's.
                _ => {}
            }
        }
        self.pass_over_literals(name, end);
        Ok(())
    }

    fn sealed_definition(
        &mut self,
        definition: &ColumnDef,
        sealed: Sealed,
        name: usize,
        end: usize,
    ) -> Result<(), Refusal> {
        let column = self.catalog.column(sealed.column);
        let Some(type_end) = type_end(self.text, self.tokens, name + 1) else {
            return Err(unsealable(column, "its type", &definition.name));
        };
        let guard = format!(
            "text COLLATE \"C\" CONSTRAINT {} CHECK ({})",
            quote_ident(&guard_name(&column.column)),
            guard_condition(&column.column)
        );
        self.put(self.bytes(name + 1, type_end), guard);
        let mut collated = "default".to_owned();
        for option in &definition.options {
            match &option.option {
                ColumnOption::Null
                | ColumnOption::NotNull
                | ColumnOption::Check(_)
                | ColumnOption::ForeignKey(_) => {}
                ColumnOption::Unique(_) | ColumnOption::PrimaryKey(_) => {
                    self.keyed(Kind::Sealed(sealed), "a unique constraint")?;
                }
                ColumnOption::Default(expr) => {
                    self.sealed_default(expr, sealed, &definition.name)?;
                }
                ColumnOption::Collation(collation) => {
                    let at = &definition.name;
                    collated = self.drop_collation(collation, column, at, type_end, end)?;
                }
                _ => {
                    return Err(unsealable(column, "a clause in its definition", &definition.name));
                }
            }
        }
        self.record(column, sealed.logical, Some(&collated))?;
        Ok(())
    }

    /// Tokens are compared by their bytes. What the application's collation says is equality,
    /// where it is deterministic. Returns what is recorded of it.
    fn drop_collation(
        &mut self,
        collation: &ObjectName,
        column: &SealedColumn,
        at: &Ident,
        from: usize,
        end: usize,
    ) -> Result<String, Refusal> {
        let parts = parts(collation).unwrap_or_default();
        let recorded = match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["default"] | ["pg_catalog", "default"] => Some("default".to_owned()),
            [name] | ["pg_catalog", name] if matches!(*name, "C" | "POSIX" | "ucs_basic") => {
                Some(format!("pg_catalog.{}", as_shown(name)))
            }
            _ => None,
        };
        let clause = (from..end).find(|index| self.is(*index, "collate"));
        let (Some(clause), Some(recorded)) = (clause, recorded) else {
            return Err(unsealable(column, "its collation", at));
        };
        let (_, behind) = self.name_at(clause + 1);
        self.put(self.bytes(clause, behind), String::new());
        Ok(recorded)
    }

    /// A default of a sealed column: a constant, which becomes its token.
    pub(super) fn sealed_default(
        &mut self,
        expr: &Expr,
        sealed: Sealed,
        at: &Ident,
    ) -> Result<(), Refusal> {
        if is_null(expr) {
            return Ok(());
        }
        let column = self.catalog.column(sealed.column);
        let Some(Constant { value, extent, casts }) = self.literal(expr)? else {
            return Err(unsealable(column, "a default that is not a constant", at));
        };
        let encoding = self.settings.client_encoding.as_str();
        if encoding != "UTF8" && !value.is_ascii() {
            return Err(Reason::Encoding(encoding.to_owned()).at(None));
        }
        let range = self.bytes(extent.start, extent.end);
        let purpose = Purpose::Assign(sealed.logical);
        let slot = Slot { column: sealed.column, purpose, casts, fold: None, handle: false };
        let with = Replacement::Seal { value: Arc::clone(&value), slot };
        self.completion.edits.push(Edit { range, with });
        self.uses(sealed.column, |uses| uses.written = true);
        Ok(())
    }

    /// A constraint of the table.
    pub(super) fn constraint(
        &mut self,
        constraint: &TableConstraint,
        target: &Target,
    ) -> Result<(), Refusal> {
        let columns = |columns: &[IndexColumn]| -> Vec<Kind> {
            columns
                .iter()
                .map(|column| match &column.column.expr {
                    Expr::Identifier(name) => target.kind(&fold(name)),
                    _ => Kind::Plain,
                })
                .collect()
        };
        match constraint {
            TableConstraint::Unique(unique) => {
                for kind in columns(&unique.columns) {
                    self.keyed(kind, "a unique constraint")?;
                }
            }
            TableConstraint::PrimaryKey(primary) => {
                for kind in columns(&primary.columns) {
                    self.keyed(kind, "a primary key")?;
                }
            }
            TableConstraint::ForeignKey(key) => self.foreign_key(key, &key.columns, target)?,
            TableConstraint::Check(check) => self.check_constraint(&check.expr, target)?,
            // The index was looked at when it was made.
            TableConstraint::PrimaryKeyUsingIndex(_) | TableConstraint::UniqueUsingIndex(_) => {}
            TableConstraint::Index(_)
            | TableConstraint::FulltextOrSpatial(_)
            | TableConstraint::Exclude(_) => {
                return Err(self.unparsed("this kind of constraint"));
            }
        }
        Ok(())
    }

    /// Part of a unique or primary key.
    fn keyed(&mut self, kind: Kind, what: &str) -> Result<(), Refusal> {
        match kind {
            Kind::Sealed(sealed) => self.deterministic(sealed, what),
            _ => Ok(()),
        }
    }

    fn check_constraint(&mut self, expr: &Expr, target: &Target) -> Result<(), Refusal> {
        self.plain_expr(expr, &target.scope(), &Ctes::default(), "a CHECK constraint")?;
        self.no_sealed_literal("a literal in a CHECK constraint")
    }

    /// Both sides of a foreign key are sealed alike, or neither is sealed.
    fn foreign_key(
        &mut self,
        key: &ForeignKeyConstraint,
        key_columns: &[Ident],
        target: &Target,
    ) -> Result<(), Refusal> {
        let Some(names) = parts(&key.foreign_table) else {
            return Err(self.unparsed("a foreign key"));
        };
        let itself = match names.as_slice() {
            [table] => *table == target.table,
            [schema, table] | [_, schema, table] => {
                *table == target.table && *schema == target.schema
            }
            _ => false,
        };
        let columns = if itself {
            target.columns.clone()
        } else {
            // Where it is not there the server says so.
            self.existing(&names).map(relation_columns).unwrap_or_default()
        };
        let own: Vec<(Kind, String)> = key_columns
            .iter()
            .map(|name| (target.kind(&fold(name)), format!("{}.{}", target.table, fold(name))))
            .collect();
        if key.referred_columns.is_empty() {
            // Which columns the primary key has is not known here.
            let any = |kind: &Kind| matches!(kind, Kind::Sealed(_));
            let unclear = own.iter().any(|(kind, _)| any(kind))
                || columns.iter().any(|column| match column.kind {
                    Kind::Sealed(sealed) => {
                        self.catalog.column(sealed.column).mode == Mode::Deterministic
                            && key_columns.iter().any(|c| target.texts.contains(&fold(c)))
                    }
                    _ => false,
                });
            return if unclear {
                Err(self
                    .refuse(Reason::ForeignKey { left: own[0].1.clone(), right: names.join(".") }))
            } else {
                Ok(())
            };
        }
        for ((own, own_path), referred) in own.iter().zip(&key.referred_columns) {
            let referred_name = fold(referred);
            let other =
                columns.iter().find(|c| *c.name == *referred_name).map_or(Kind::Plain, |c| c.kind);
            match (*own, other) {
                (Kind::Sealed(left), Kind::Sealed(right)) => self.comparable(left, right)?,
                (Kind::Sealed(_), _) | (_, Kind::Sealed(_)) => {
                    return Err(self.refuse(Reason::ForeignKey {
                        left: own_path.clone(),
                        right: format!("{}.{referred_name}", names.join(".")),
                    }));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A name as the server's `quote_ident` shows it.
fn as_shown(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { name.to_owned() } else { quote_ident(name) }
}

/// The constant NULL, with whatever cast.
fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Null),
        Expr::Nested(inner) => is_null(inner),
        Expr::Cast { expr, data_type, .. } => character_type(data_type).is_some() && is_null(expr),
        _ => false,
    }
}

/// A definition that cannot be that of a sealed column.
pub(super) fn unsealable(column: &SealedColumn, what: &str, at: &Ident) -> Refusal {
    Reason::Unsealable {
        what: what.to_owned(),
        column: format!("{}.{}", column.table, column.column),
    }
    .at(crate::parse::start_of(at.span))
}
