//! ALTER TABLE.

use std::collections::HashSet;

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, DataType, Expr, Ident,
    RenameTableNameKind,
};

use super::super::Analysis;
use super::super::kind::{Kind, Sealed};
use super::super::leaf::character_type;
use super::super::scope::{Ctes, fold, relation_columns};
use super::definition::{Target, unsealable};
use crate::catalog::Relation;
use crate::lex::identifier;
use crate::physical::changes;
use crate::protection::Profile;
use crate::refusal::{Reason, Refusal};

impl<'c> Analysis<'c> {
    /// What names no protected column touches none. False: look at the tree.
    pub(super) fn alter_by_tokens(&mut self, relations: &[&'c Relation]) -> Result<bool, Refusal> {
        let has = |wanted: &str| {
            self.tokens.iter().any(|t| self.text[t.range.clone()].eq_ignore_ascii_case(wanted))
        };
        let operation = self.after_relation();
        let names_ours = self
            .tokens
            .iter()
            .filter_map(|token| identifier(self.text, token))
            .any(|name| name.starts_with("pgveil"));
        if names_ours || has("trigger") {
            return Err(
                self.unsupported("ALTER TABLE of what pgveil made, or of triggers", relations)
            );
        }
        let Some(rows) = self.rows_in_alter(relations) else {
            return Err(
                self.unsupported("ALTER TABLE with a row of a protected relation", relations)
            );
        };
        if operation == "set"
            && let (name, at) = self.altered()
            && self.words().is(at + 1, "schema")
        {
            self.set_schema(&name, at + 1)?;
            return Ok(true);
        }
        let allowed = !rows
            && matches!(
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
            )
            && !has("schema");
        let (altered, _) = self.altered();
        let declared =
            self.tokens.iter().filter_map(|token| identifier(self.text, token)).any(|name| {
                self.catalog.declared.iter().any(|table| {
                    let profile = table.profile.iter().filter(|p| altered.last() == Some(&p.table));
                    table.columns.iter().any(|column| column.column == name)
                        || profile.flat_map(names_in_profile).any(|named| *named == name)
                })
            });
        let named = self.named_columns(relations).is_some() || declared;
        Ok(allowed && !named)
    }

    /// True where a relation in scope is named that is neither what is altered nor what a key
    /// refers to, and may be a row of it: the tree tells. `None`: it is one, or its type.
    fn rows_in_alter(&self, relations: &[&'c Relation]) -> Option<bool> {
        const NAMED: [&str; 12] = [
            "add",
            "alter",
            "column",
            "constraint",
            "drop",
            "exists",
            "index",
            "key",
            "partition",
            "rename",
            "references",
            "to",
        ];
        let words = self.words();
        let mut index = 2;
        while ["if", "exists", "only"].iter().any(|w| words.is(index, w)) {
            index += 1;
        }
        let (_, behind) = self.name_at(index);
        let mut unclear = false;
        for index in behind..self.tokens.len() {
            let Some(name) = identifier(self.text, &self.tokens[index]) else { continue };
            let column = words.is(index + 1, ".") && !words.is(index + 2, "*");
            if column || !relations.iter().any(|relation| relation.name == name) {
                continue;
            }
            let start = if words.is(index - 1, ".") { index - 2 } else { index };
            let Some(before) = self.tokens.get(start - 1) else { continue };
            if NAMED.iter().any(|word| words.is(start - 1, word)) {
                continue;
            }
            if identifier(self.text, before).is_some() {
                return None;
            }
            unclear = true;
        }
        Some(unclear)
    }

    /// The table's name in ALTER TABLE, and the token behind it.
    fn altered(&self) -> (Vec<String>, usize) {
        let words = self.words();
        let mut index = 2;
        while ["if", "exists", "only"].iter().any(|w| words.is(index, w)) {
            index += 1;
        }
        let (name, behind) = self.name_at(index);
        (name, if words.is(behind, "*") { behind + 1 } else { behind })
    }

    /// The word behind the table's name in ALTER TABLE.
    fn after_relation(&self) -> String {
        self.words().at(self.altered().1)
    }

    pub(in super::super) fn alter_table(&mut self, alter: &AlterTable) -> Result<(), Refusal> {
        // Where it is not there the server says so.
        let relation = self.existing_by_name(&alter.name);
        let Some(relation) = relation else {
            let renames = |operation: &AlterTableOperation| {
                matches!(
                    operation,
                    AlterTableOperation::RenameColumn { .. }
                        | AlterTableOperation::RenameTable { .. }
                )
            };
            if alter.if_exists && alter.operations.iter().all(renames) {
                return Ok(());
            }
            return Err(self.refuse(Reason::UndefinedTable(alter.name.to_string())));
        };
        let mut target = Target {
            schema: relation.schema.clone(),
            table: relation.name.clone(),
            columns: relation_columns(relation),
            texts: texts(relation),
        };
        let declared = self.catalog.declared(&relation.schema, &relation.name);
        if declared.is_some() || relation.in_scope {
            self.touched = true;
        }
        let before: HashSet<String> = names(&target);
        for operation in &alter.operations {
            if let AlterTableOperation::AddColumn { column_def, .. } = operation {
                let exists = before.contains(&fold(&column_def.name));
                if !exists {
                    self.add_column(&mut target, column_def)?;
                }
            }
        }
        for operation in &alter.operations {
            self.operation(operation, &target, relation, &before)?;
        }
        self.pass_over_literals(0, self.tokens.len());
        let complete = names(&target);
        if let Some(declared) = declared {
            let is_computed =
                |name: &Ident| changes::computed(declared).contains(&fold(name).as_str());
            if alter.operations.iter().any(|operation| match operation {
                AlterTableOperation::AddColumn { column_def, .. } => {
                    is_computed(&column_def.name) && !before.contains(&fold(&column_def.name))
                }
                AlterTableOperation::DropColumn { column_names, .. } => {
                    column_names.iter().any(is_computed)
                }
                AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                    is_computed(old_column_name) || is_computed(new_column_name)
                }
                _ => false,
            }) {
                self.log(declared)?;
            }
            let copies = declared.profile.iter().flat_map(|profile| &profile.copies);
            let completes = copies.clone().any(|(source, _)| !before.contains(source));
            if completes {
                self.make_profile(declared, Some(relation), false, |name| complete.contains(name))?;
            }
        }
        for (base, profile) in self.application_profiles(&relation.schema, &relation.name) {
            if names_in_profile(profile)
                .any(|name| !before.contains(name) && complete.contains(name))
            {
                self.make_copies(base, |name| complete.contains(name))?;
            }
        }
        self.completion.keeps_names = alter.operations.iter().all(|operation| {
            matches!(
                operation,
                AlterTableOperation::AddConstraint { .. }
                    | AlterTableOperation::DropConstraint { .. }
                    | AlterTableOperation::ValidateConstraint { .. }
                    | AlterTableOperation::AlterColumn {
                        op: AlterColumnOperation::SetNotNull
                            | AlterColumnOperation::DropNotNull
                            | AlterColumnOperation::SetDefault { .. }
                            | AlterColumnOperation::DropDefault,
                        ..
                    }
            )
        });
        self.wrap("ALTER TABLE");
        Ok(())
    }

    fn operation(
        &mut self,
        operation: &AlterTableOperation,
        target: &Target,
        relation: &'c Relation,
        before: &HashSet<String>,
    ) -> Result<(), Refusal> {
        match operation {
            AlterTableOperation::AddColumn { column_def, .. } => {
                // What is there already stays as it is (IF NOT EXISTS), or is an error.
                if before.contains(&fold(&column_def.name)) {
                    return Ok(());
                }
                self.definition(column_def, target)
            }
            AlterTableOperation::AlterColumn { column_name, op } => {
                let keeps = matches!(
                    op,
                    AlterColumnOperation::DropNotNull | AlterColumnOperation::DropDefault
                );
                if !keeps {
                    self.not_in_profile(column_name, "ALTER COLUMN", relation)?;
                }
                self.alter_column(column_name, op, target)
            }
            AlterTableOperation::DropColumn { column_names, .. } => {
                for name in column_names {
                    self.not_in_profile(name, "DROP COLUMN", relation)?;
                    if let Kind::Sealed(_) = target.kind(&fold(name)) {
                        self.drop_column(name, relation)?;
                    }
                }
                Ok(())
            }
            AlterTableOperation::AddConstraint { constraint, .. } => {
                self.constraint(constraint, target)
            }
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                self.rename_column(old_column_name, new_column_name, target, relation)
            }
            AlterTableOperation::RenameTable { table_name } => {
                let (RenameTableNameKind::As(name) | RenameTableNameKind::To(name)) = table_name;
                self.rename_table(name, relation)
            }
            AlterTableOperation::AttachPartitionOf { partition, for_values: _ } => {
                self.attach(partition, relation)
            }
            AlterTableOperation::DetachPartitionOf { partition, mode } => {
                self.detach(partition, relation, mode.is_some())
            }
            // Guards cannot be named: see `alter_by_tokens`.
            AlterTableOperation::DropConstraint { .. }
            | AlterTableOperation::RenameConstraint { .. }
            | AlterTableOperation::ValidateConstraint { .. }
            | AlterTableOperation::OwnerTo { .. }
            | AlterTableOperation::SetOptionsParens { .. }
            | AlterTableOperation::ResetOptions { .. }
            | AlterTableOperation::ReplicaIdentity { .. }
            | AlterTableOperation::EnableRowLevelSecurity
            | AlterTableOperation::DisableRowLevelSecurity
            | AlterTableOperation::ForceRowLevelSecurity
            | AlterTableOperation::NoForceRowLevelSecurity => Ok(()),
            _ => Err(self.unsupported("this form of ALTER TABLE", &[relation])),
        }
    }

    /// What a profile's generated code names stays as it is.
    fn not_in_profile(&self, name: &Ident, what: &str, relation: &Relation) -> Result<(), Refusal> {
        let column = fold(name);
        let catalog = self.catalog;
        let mut profiles = catalog.profile_of(&relation.schema, &relation.name);
        let receives =
            profiles.any(|(_, profile)| names_in_profile(profile).any(|name| *name == column));
        if !receives {
            return Ok(());
        }
        Err(self.refuse(Reason::Declared {
            what: format!("{what} of what a profile's triggers write"),
            name: format!("{}.{column}", relation.name),
        }))
    }

    fn drop_column(&mut self, name: &Ident, relation: &Relation) -> Result<(), Refusal> {
        let column = fold(name);
        let declared = self.catalog.declared(&relation.schema, &relation.name);
        let copied = declared
            .and_then(|declared| declared.profile.as_ref())
            .is_some_and(|profile| profile.copies.iter().any(|(source, _)| *source == column));
        if copied {
            return Err(self.refuse(Reason::Declared {
                what: "DROP COLUMN of a column that a profile copies".into(),
                name: format!("{}.{column}", relation.name),
            }));
        }
        self.prepared(&format!("{}.{}", relation.schema, relation.name))?;
        self.forget();
        Ok(())
    }

    fn alter_column(
        &mut self,
        name: &Ident,
        operation: &AlterColumnOperation,
        target: &Target,
    ) -> Result<(), Refusal> {
        let Kind::Sealed(sealed) = target.kind(&fold(name)) else {
            return match operation {
                AlterColumnOperation::SetDataType { using: Some(expr), .. } => {
                    self.plain_expr(expr, &target.scope(), &Ctes::default(), "USING")
                }
                _ => Ok(()),
            };
        };
        match operation {
            AlterColumnOperation::SetNotNull
            | AlterColumnOperation::DropNotNull
            | AlterColumnOperation::DropDefault => Ok(()),
            AlterColumnOperation::SetDefault { value } => self.sealed_default(value, sealed, name),
            AlterColumnOperation::SetDataType { data_type, using, .. } => {
                self.alter_type(name, data_type, using.as_ref(), sealed)
            }
            AlterColumnOperation::AddGenerated { .. }
            | AlterColumnOperation::GenericOptions { .. } => {
                let column = self.catalog.column(sealed.column);
                Err(unsealable(column, "a clause in its definition", name))
            }
        }
    }

    /// The physical type stays; what changes is the type that clients see.
    fn alter_type(
        &mut self,
        name: &Ident,
        data_type: &DataType,
        using: Option<&Expr>,
        sealed: Sealed,
    ) -> Result<(), Refusal> {
        let column = self.catalog.column(sealed.column);
        let Some(logical) = character_type(data_type) else {
            return Err(unsealable(column, "its new type", name));
        };
        if !using.is_none_or(|expr| is_column(expr, name, logical)) {
            return Err(unsealable(column, "USING with an expression", name));
        }
        let start = self
            .token_at(name.span)
            .and_then(|at| (at..at + 5).find(|index| self.is(*index, "type")));
        let Some(start) = start else { return Err(self.unparsed("ALTER COLUMN")) };
        let end = self.item_end(start);
        // A collation changes nothing where equal means the same bytes; which one it is, is not
        // looked at.
        if (start..end).any(|index| self.is(index, "collate")) {
            return Err(unsealable(column, "a collation", name));
        }
        self.put(self.bytes(start + 1, end), "text COLLATE \"C\"".to_owned());
        self.retype(column, logical, !holds(logical, sealed.logical))
    }
}

/// Every value of `old` is a value of `new`, and the same one.
fn holds(new: LogicalType, old: LogicalType) -> bool {
    match (new, old) {
        (
            LogicalType::Text | LogicalType::Varchar(None),
            LogicalType::Text | LogicalType::Varchar(_),
        )
        | (LogicalType::Char(None), LogicalType::Char(None)) => true,
        (LogicalType::Varchar(Some(new)), LogicalType::Varchar(Some(old)))
        | (LogicalType::Char(Some(new)), LogicalType::Char(Some(old))) => new >= old,
        _ => false,
    }
}

/// The column itself, perhaps with a cast to its new type.
fn is_column(expr: &Expr, name: &Ident, logical: LogicalType) -> bool {
    match expr {
        Expr::Identifier(ident) => fold(ident) == fold(name),
        Expr::Nested(inner) => is_column(inner, name, logical),
        Expr::Cast { expr, data_type, .. } => {
            character_type(data_type) == Some(logical) && is_column(expr, name, logical)
        }
        _ => false,
    }
}

/// The columns of a profile table that are declared.
fn names_in_profile(profile: &Profile) -> impl Iterator<Item = &String> {
    profile.copies.iter().map(|(_, copy)| copy).chain([&profile.link])
}

fn names(target: &Target) -> HashSet<String> {
    target.columns.iter().map(|column| column.name.to_string()).collect()
}

/// The columns of a character type that are not sealed.
fn texts(relation: &Relation) -> HashSet<String> {
    let is_text = |oid: u32| LogicalType::from_pg(oid, -1).is_some();
    let columns = relation.columns.iter().filter(|c| c.sealed.is_none() && is_text(c.type_oid));
    columns.map(|column| column.name.clone()).collect()
}
