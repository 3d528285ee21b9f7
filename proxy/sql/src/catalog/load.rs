//! Joins the rows of the catalog queries with what the policies declare.

use std::collections::{HashMap, HashSet};

use pgveil_seal::{LogicalType, Mode};
use thiserror::Error;

use super::{
    Catalog, Column, ColumnId, Problem, Protected, Relation, ScopedFunction, SealedColumn,
    SealedRef, Settings,
};
use crate::filter::ScopeFilter;
use crate::physical::{
    ExpectedTrigger, FoundTrigger, compare, expected_on_partition, expected_triggers,
};
use crate::protection::{Declaration, TableProtection};
use crate::refusal::Refusal;

/// The rows do not make a catalog.
#[derive(Debug, Error)]
#[error("cannot read the catalog: {0}")]
pub struct CatalogError(String);

/// Says whether a key is at hand and right: keyring, key id, check value.
pub type CheckKey<'c> = &'c dyn Fn(&str, &str, &str) -> Result<(), String>;

/// Collects the rows of [`super::QUERIES`] and of [`super::RECORDS_QUERY`].
#[derive(Debug, Default)]
pub struct CatalogLoad {
    relations: HashMap<u32, Relation>,
    /// Row type to relation.
    row_types: HashMap<u32, u32>,
    /// View definitions as deparsed by the server.
    views: Vec<(u32, String)>,
    children: Vec<(u32, u32)>,
    functions: Vec<FunctionRow>,
    triggers: Vec<TriggerRow>,
    /// `(relation, constraint name, validated, definition)`
    guards: Vec<(u32, String, bool, String)>,
    records: Vec<Record>,
    version: String,
}

#[derive(Debug)]
struct FunctionRow {
    schema: String,
    name: String,
    body: String,
    result: u32,
    arguments: Vec<u32>,
}

#[derive(Debug)]
struct TriggerRow {
    relation: u32,
    name: String,
    function: (String, String),
    found: FoundTrigger,
}

/// A row of `pgveil.columns`.
#[derive(Debug)]
struct Record {
    relation: u32,
    column: String,
    mode: Mode,
    domain: String,
    keyring: String,
    key_id: String,
    key_check: String,
    logical: LogicalType,
    sealed: bool,
}

/// Reads one row's cells by position.
struct Cells<'r>(&'r [Option<&'r str>]);

impl<'r> Cells<'r> {
    fn text(&self, index: usize) -> Result<&'r str, CatalogError> {
        self.optional(index)
            .ok_or_else(|| CatalogError(format!("cell {index} of a catalog row is missing")))
    }

    fn optional(&self, index: usize) -> Option<&'r str> {
        self.0.get(index).copied().flatten()
    }

    fn number<N: std::str::FromStr>(&self, index: usize) -> Result<N, CatalogError> {
        let text = self.text(index)?;
        text.parse().map_err(|_| CatalogError(format!("{text:?} is not a number")))
    }

    fn character(&self, index: usize) -> Result<char, CatalogError> {
        Ok(self.text(index)?.chars().next().unwrap_or(' '))
    }

    fn truth(&self, index: usize) -> Result<bool, CatalogError> {
        Ok(matches!(self.text(index)?, "t" | "true"))
    }
}

impl CatalogLoad {
    /// Takes one row of `QUERIES[query]`; `query == QUERIES.len()` is [`super::RECORDS_QUERY`].
    pub fn row(&mut self, query: usize, cells: &[Option<&str>]) -> Result<(), CatalogError> {
        let row = Cells(cells);
        match query {
            0 => self.relation(&row)?,
            1 => self.attribute(&row)?,
            2 => self.children.push((row.number(0)?, row.number(1)?)),
            3 => self.functions.push(FunctionRow {
                schema: row.text(0)?.to_owned(),
                name: row.text(1)?.to_owned(),
                body: row.text(2)?.to_owned(),
                result: row.number(3)?,
                arguments: row
                    .optional(4)
                    .unwrap_or_default()
                    .split(' ')
                    .filter_map(|oid| oid.parse().ok())
                    .collect(),
            }),
            4 => self.triggers.push(TriggerRow {
                relation: row.number(0)?,
                name: row.text(1)?.to_owned(),
                function: (row.text(4)?.to_owned(), row.text(5)?.to_owned()),
                found: FoundTrigger {
                    enabled: row.character(2)?,
                    tgtype: row.number(3)?,
                    body: row.text(6)?.to_owned(),
                    security_definer: row.truth(7)?,
                    config: row.optional(8).filter(|c| !c.is_empty()).map(str::to_owned),
                    condition: row.truth(9)?,
                    columns: row.truth(10)?,
                },
            }),
            5 => self.guards.push((
                row.number(0)?,
                row.text(1)?.to_owned(),
                row.truth(2)?,
                row.text(3)?.to_owned(),
            )),
            6 => row.text(0)?.clone_into(&mut self.version),
            7 => self.records.push(Record {
                relation: row.number(0)?,
                column: row.text(1)?.to_owned(),
                mode: Mode::parse(row.text(3)?)
                    .ok_or_else(|| CatalogError("pgveil.columns: unknown mode".into()))?,
                domain: row.text(4)?.to_owned(),
                keyring: row.text(5)?.to_owned(),
                key_id: row.text(6)?.to_owned(),
                key_check: row.text(7)?.to_owned(),
                logical: LogicalType::from_pg(row.number(8)?, row.number(9)?)
                    .ok_or_else(|| CatalogError("pgveil.columns: unknown type".into()))?,
                sealed: row.text(10)? == "sealed",
            }),
            _ => return Err(CatalogError(format!("there is no catalog query {query}"))),
        }
        Ok(())
    }

    fn relation(&mut self, row: &Cells<'_>) -> Result<(), CatalogError> {
        let oid = row.number(0)?;
        let row_type: u32 = row.number(4)?;
        if row_type != 0 {
            self.row_types.insert(row_type, oid);
        }
        if let Some(definition) = row.optional(5) {
            self.views.push((oid, definition.to_owned()));
        }
        let relation = Relation {
            oid,
            schema: row.text(1)?.to_owned(),
            name: row.text(2)?.to_owned(),
            kind: row.character(3)?,
            columns: Vec::new(),
            protected: None,
            problems: Vec::new(),
            in_scope: false,
        };
        self.relations.insert(oid, relation);
        Ok(())
    }

    fn attribute(&mut self, row: &Cells<'_>) -> Result<(), CatalogError> {
        if let Some(relation) = self.relations.get_mut(&row.number(0)?) {
            relation.columns.push(Column {
                number: row.number(1)?,
                name: row.text(2)?.to_owned(),
                type_oid: row.number(3)?,
                typmod: row.number(4)?,
                generated: row.optional(5).is_some_and(|kind| !kind.is_empty()),
                copy: false,
                sealed: None,
            });
        }
        Ok(())
    }

    /// True when [`super::RECORDS_QUERY`] can be run: `pgveil.columns` exists.
    pub fn has_records(&self) -> bool {
        self.relations.values().any(|r| r.schema == "pgveil" && r.name == "columns")
    }

    /// Joins the rows with what the policies declare. A key that `check_key` objects to becomes
    /// the relation's problem.
    pub fn finish(
        self,
        declaration: &Declaration,
        settings: &Settings,
        check_key: CheckKey<'_>,
    ) -> Result<Catalog, CatalogError> {
        let Self {
            relations,
            row_types,
            views,
            children,
            functions,
            triggers,
            guards,
            records,
            version,
        } = self;
        let names =
            relations.values().map(|r| ((r.schema.clone(), r.name.clone()), r.oid)).collect();
        let mut catalog = Catalog { version, relations, names, ..Catalog::default() };
        for table in &declaration.tables {
            seal_table(&mut catalog, table, &records, check_key);
            check_triggers(&mut catalog, table, &triggers, &children);
        }
        undeclared(&mut catalog, &records, &guards);
        check_physical(&mut catalog, &guards);
        for profile in declaration.tables.iter().filter_map(|t| t.profile.as_ref()) {
            let Some(oid) = catalog.names.get(&(profile.schema.clone(), profile.table.clone()))
            else {
                continue;
            };
            let Some(relation) = catalog.relations.get_mut(oid) else { continue };
            relation.in_scope = true;
            for column in &mut relation.columns {
                column.copy = profile.copies.iter().any(|(_, copy)| *copy == column.name);
            }
        }
        for relation in catalog.relations.values_mut().filter(|r| r.schema == "pgveil") {
            relation.in_scope = true;
            relation.problems.push(Problem { writes_only: true, refusal: own_schema() });
        }
        inherit(&mut catalog, &children);
        follow_views(&mut catalog, &views, settings);
        follow_functions(&mut catalog, functions, &row_types);
        for (schema, name) in catalog
            .relations
            .values()
            .filter(|r| r.in_scope)
            .map(|r| (&r.schema, &r.name))
            .chain(catalog.functions.iter().map(|f| (&f.schema, &f.name)))
        {
            catalog.scoped.entry(name.clone()).or_default().push(schema.clone());
        }
        for table in &declaration.tables {
            // A declared table that is not there is not the server's to refuse: the values in the
            // statement would be in its log.
            let schemas = catalog.scoped.entry(table.table.clone()).or_default();
            if !catalog.names.contains_key(&(table.schema.clone(), table.table.clone()))
                && !schemas.contains(&table.schema)
            {
                schemas.push(table.schema.clone());
            }
        }
        catalog.scoped.retain(|_, schemas| !schemas.is_empty());
        let declared = declaration.tables.iter().map(|t| t.table.as_str());
        catalog.filter = ScopeFilter::new(
            catalog
                .relations
                .values()
                .filter(|r| r.in_scope)
                .map(|r| r.name.as_str())
                .chain(catalog.functions.iter().map(|f| f.name.as_str()))
                .chain(declared)
                .chain(std::iter::once("pgveil")),
        );
        Ok(catalog)
    }
}

fn own_schema() -> Refusal {
    Refusal {
        code: "42501",
        message: "the schema \"pgveil\" cannot be changed through pgveil".into(),
        detail: None,
        hint: Some("Use the commands of pgveil; they connect to the database directly.".into()),
        position: None,
    }
}

/// A refusal of everything that names a relation whose state is not what the policy declares.
fn unusable(message: String, hint: &str) -> Refusal {
    Refusal { code: "55000", message, detail: None, hint: Some(hint.into()), position: None }
}

fn seal_table(
    catalog: &mut Catalog,
    table: &TableProtection,
    records: &[Record],
    check_key: CheckKey<'_>,
) {
    let path = format!("{}.{}", table.schema, table.table);
    let Some(&oid) = catalog.names.get(&(table.schema.clone(), table.table.clone())) else {
        for column in &table.columns {
            catalog
                .unsealed
                .push((format!("{path}.{}", column.column), "the table does not exist".into()));
        }
        return;
    };
    let Some(relation) = catalog.relations.get_mut(&oid) else { return };
    for declared in &table.columns {
        let full = format!("{path}.{}", declared.column);
        let Some(column) = relation.columns.iter_mut().find(|c| c.name == declared.column) else {
            catalog.unsealed.push((full, "the column does not exist".into()));
            continue;
        };
        let Some(record) =
            records.iter().find(|r| r.relation == oid && r.column == declared.column && r.sealed)
        else {
            catalog.unsealed.push((full, "not sealed yet: run pgveil migrate apply".into()));
            continue;
        };
        let mut problem = |message: String, hint: &str| {
            relation
                .problems
                .push(Problem { writes_only: false, refusal: unusable(message, hint) });
        };
        if (record.mode, &record.domain, &record.keyring)
            != (declared.mode, &declared.domain, &declared.keyring)
        {
            problem(
                format!(
                    "column {full} is sealed as {} (domain \"{}\", keyring \"{}\"), but the policy \
                     declares {} (domain \"{}\", keyring \"{}\")",
                    record.mode,
                    record.domain,
                    record.keyring,
                    declared.mode,
                    declared.domain,
                    declared.keyring
                ),
                "Restore the policy's configuration; changing mode, domain or keyring of a sealed \
                 column is a migration.",
            );
        }
        if let Err(reason) = check_key(&record.keyring, &record.key_id, &record.key_check) {
            problem(
                format!("column {full} cannot be served: {reason}"),
                "Give pgveil the keyring that the column was sealed with; pgveil check says which \
                 key is missing.",
            );
        }
        let id = ColumnId(u32::try_from(catalog.columns.len()).unwrap_or(u32::MAX));
        column.sealed = Some(SealedRef { column: id, logical: record.logical });
        catalog.columns.push(SealedColumn {
            id,
            relation: oid,
            number: column.number,
            schema: table.schema.clone(),
            table: table.table.clone(),
            column: declared.column.clone(),
            policy: table.policy.clone(),
            mode: record.mode,
            domain: record.domain.clone(),
            keyring: record.keyring.clone(),
            key_id: record.key_id.clone(),
            key_check: record.key_check.clone(),
            logical: record.logical,
        });
    }
    if relation.columns.iter().any(|c| c.sealed.is_some()) {
        relation.in_scope = true;
        relation.protected =
            Some(Protected { policy: table.policy.clone(), profile: table.profile.clone() });
    }
}

/// A write whose profile copy would not be made, or not as declared, must not happen. Partitions
/// have clones of the root's row triggers, each of which can be disabled by itself, and a TRUNCATE
/// trigger of their own.
fn check_triggers(
    catalog: &mut Catalog,
    table: &TableProtection,
    triggers: &[TriggerRow],
    children: &[(u32, u32)],
) {
    let Some(base) = catalog.relation(&table.schema, &table.table) else { return };
    if base.protected.is_none() {
        return;
    }
    let base = base.oid;
    let expected = expected_triggers(table);
    let mut wrong: Vec<(u32, String)> = Vec::new();
    let mut check = |oid: u32, expected: &ExpectedTrigger| {
        let found = triggers.iter().find(|t| {
            t.relation == oid
                && t.name == expected.name
                && t.function.0 == expected.function_schema
                && t.function.1 == expected.function_name
        });
        if let Err(reason) = compare(expected, found.map(|t| &t.found)) {
            wrong.push((oid, reason));
        }
    };
    for expected in &expected {
        if let Some(on) = catalog.relation(&expected.schema, &expected.table) {
            check(on.oid, expected);
        }
    }
    let mut partitions = vec![base];
    let mut next = 0;
    while let Some(parent) = partitions.get(next).copied() {
        next += 1;
        let below = children.iter().filter(|(_, above)| *above == parent).map(|(child, _)| *child);
        partitions.extend(below.filter(|child| *child != base));
    }
    for oid in partitions.into_iter().skip(1) {
        let Some(partition) = catalog.relations.get(&oid) else { continue };
        let on_base = |e: &&ExpectedTrigger| {
            (&e.schema, &e.table) == (&table.schema, &table.table) && e.is_for_rows()
        };
        for expected in expected.iter().filter(on_base) {
            let clone = ExpectedTrigger {
                schema: partition.schema.clone(),
                table: partition.name.clone(),
                ..expected.clone()
            };
            check(oid, &clone);
        }
        if let Some(expected) = expected_on_partition(table, &partition.schema, &partition.name) {
            check(oid, &expected);
        }
    }
    for (oid, reason) in wrong {
        let problem = Problem {
            writes_only: true,
            refusal: unusable(
                format!(
                    "the profile of table {}.{} would not be kept in step: {reason}",
                    table.schema, table.table
                ),
                "Run pgveil migrate apply to restore the triggers that the policy declares.",
            ),
        };
        for oid in std::iter::once(base).chain((oid != base).then_some(oid)) {
            if let Some(relation) = catalog.relations.get_mut(&oid) {
                relation.problems.push(problem.clone());
            }
        }
    }
}

/// A column that is recorded as sealed, or guarded, and that no policy declares, holds tokens
/// that nobody may read or write: its table is refused rather than served raw.
fn undeclared(catalog: &mut Catalog, records: &[Record], guards: &[(u32, String, bool, String)]) {
    for record in records.iter().filter(|r| r.sealed) {
        let Some(relation) = catalog.relations.get_mut(&record.relation) else { continue };
        let known = relation.columns.iter().any(|c| c.name == record.column && c.sealed.is_some());
        if !known {
            relation.in_scope = true;
            let message = format!(
                "column {}.{}.{} is sealed, but no loaded policy declares it",
                relation.schema, relation.name, record.column
            );
            relation.problems.push(Problem {
                writes_only: false,
                refusal: unusable(message, "Load the policy that protects the column."),
            });
        }
    }
    for (oid, name, _, _) in guards {
        let Some(relation) = catalog.relations.get_mut(oid) else { continue };
        if !records.iter().any(|r| r.relation == *oid && r.sealed) && relation.protected.is_none() {
            relation.in_scope = true;
            let message = format!(
                "table {}.{} has the guard {name}, but pgveil.columns has no record of it",
                relation.schema, relation.name
            );
            relation.problems.push(Problem {
                writes_only: false,
                refusal: unusable(
                    message,
                    "Restore pgveil.columns; pgveil check says what is missing.",
                ),
            });
        }
    }
}

/// `pg_type.oid` of `text`.
const TEXT: u32 = 25;

/// What is recorded as sealed must look sealed: physical type `text`, guard in place.
fn check_physical(catalog: &mut Catalog, guards: &[(u32, String, bool, String)]) {
    for relation in catalog.relations.values_mut() {
        let mut problems = Vec::new();
        for column in relation.columns.iter().filter(|c| c.sealed.is_some()) {
            let path = format!("{}.{}.{}", relation.schema, relation.name, column.name);
            if column.type_oid != TEXT {
                problems.push(unusable(
                    format!("column {path} is recorded as sealed, but its type is not text"),
                    "Run pgveil check; the column was altered behind pgveil's back.",
                ));
            }
            let expected = crate::physical::column::guard_name(&column.name);
            let guarded = guards.iter().any(|(oid, name, validated, definition)| {
                *oid == relation.oid
                    && *name == expected
                    && *validated
                    && definition.contains("pgveil.refuse()")
            });
            if !guarded {
                problems.push(unusable(
                    format!("column {path} has lost its guard {expected}"),
                    "Run pgveil migrate apply to restore it.",
                ));
            }
        }
        relation
            .problems
            .extend(problems.into_iter().map(|refusal| Problem { writes_only: false, refusal }));
    }
}

/// Partitions and inheritance children hold the same columns; their parents show them.
fn inherit(catalog: &mut Catalog, children: &[(u32, u32)]) {
    let mut changed = true;
    while changed {
        changed = false;
        for (child, parent) in children {
            let Some(above) = catalog.relations.get(parent) else { continue };
            if above.protected.is_none() {
                // A parent without protection over a protected child would show tokens.
                let protected_child = catalog
                    .relations
                    .get(child)
                    .filter(|c| c.protected.is_some())
                    .map(|c| format!("{}.{}", c.schema, c.name));
                if let (Some(name), Some(above)) =
                    (protected_child, catalog.relations.get_mut(parent))
                    && !above.in_scope
                {
                    above.in_scope = true;
                    let message = format!(
                        "table {}.{} is a parent of the protected table {name}",
                        above.schema, above.name
                    );
                    above.problems.push(Problem {
                        writes_only: false,
                        refusal: unusable(message, "Declare the parent's columns in the policy."),
                    });
                    changed = true;
                }
                continue;
            }
            let protected = above.protected.clone();
            let problems = above.problems.clone();
            let sealed: Vec<_> =
                above.columns.iter().filter_map(|c| Some((c.name.clone(), c.sealed?))).collect();
            let Some(below) = catalog.relations.get_mut(child) else { continue };
            if below.protected.is_some() {
                continue;
            }
            for (name, sealed) in sealed {
                if let Some(column) = below.columns.iter_mut().find(|c| c.name == name) {
                    column.sealed = Some(sealed);
                }
            }
            below.protected = protected;
            below.problems.extend(problems);
            below.in_scope = true;
            changed = true;
        }
    }
}

/// The words of a text that may be names: what a lexer would call identifiers, without its rules,
/// since bodies come in any language.
fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| !word.is_empty())
        .collect()
}

fn mentions(words: &HashSet<&str>, name: &str) -> bool {
    // A name with other characters is quoted in the text and falls apart into several words.
    words_of_name(name).all(|part| words.iter().any(|word| word.eq_ignore_ascii_case(part)))
}

fn words_of_name(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).filter(|w| !w.is_empty())
}

/// Views are analysed with their own definition, views of views after the views they read.
fn follow_views(catalog: &mut Catalog, views: &[(u32, String)], settings: &Settings) {
    let worded: Vec<_> = views.iter().map(|(oid, text)| (*oid, text, words(text))).collect();
    // One pass more for every level of views over views.
    for _ in 0..=worded.len() {
        let mut changed = false;
        let in_scope: Vec<String> =
            catalog.relations.values().filter(|r| r.in_scope).map(|r| r.name.clone()).collect();
        for (oid, text, words) in &worded {
            if !in_scope.iter().any(|name| mentions(words, name)) {
                continue;
            }
            let columns = crate::analyse::view_columns(text, catalog, settings);
            let Some(view) = catalog.relations.get_mut(oid) else { continue };
            if view.schema == "pgveil" {
                continue;
            }
            let before: Vec<_> = view.columns.iter().map(|c| c.sealed).collect();
            let was = (view.in_scope, view.problems.len());
            view.problems.clear();
            match columns {
                Ok(columns) if columns.len() == view.columns.len() => {
                    // Names nothing protected after all: a column or alias of the same name.
                    view.in_scope = columns.touches;
                    for (column, sealed) in view.columns.iter_mut().zip(columns.sealed) {
                        column.sealed = sealed;
                    }
                }
                Ok(_) => {
                    view.in_scope = true;
                    view.problems.push(Problem {
                        writes_only: false,
                        refusal: unusable(
                            format!("the view {}.{} has changed", view.schema, view.name),
                            "Try again.",
                        ),
                    });
                }
                Err(refusal) => {
                    view.in_scope = true;
                    view.problems.push(Problem {
                        writes_only: false,
                        refusal: Refusal {
                            code: refusal.code,
                            message: format!(
                                "the view {}.{} cannot be used: {}",
                                view.schema, view.name, refusal.message
                            ),
                            detail: refusal.detail,
                            hint: refusal.hint,
                            position: None,
                        },
                    });
                }
            }
            let after = view.columns.iter().map(|c| c.sealed);
            changed |= !after.eq(before) || was != (view.in_scope, view.problems.len());
        }
        if !changed {
            break;
        }
    }
}

/// `pg_type.oid` of `trigger` and `event_trigger`: such functions cannot be called in SQL.
const TRIGGER_RESULTS: [u32; 2] = [2279, 3838];

/// Functions that name a relation in scope, or call a function that does, are in scope.
fn follow_functions(
    catalog: &mut Catalog,
    functions: Vec<FunctionRow>,
    row_types: &HashMap<u32, u32>,
) {
    let mut waiting: Vec<_> = functions
        .into_iter()
        .filter(|f| f.schema != "pgveil" && !TRIGGER_RESULTS.contains(&f.result))
        .collect();
    let mut scope: Vec<(String, String)> = catalog
        .relations
        .values()
        .filter(|r| r.in_scope && r.schema != "pgveil")
        .map(|r| (r.name.clone(), format!("{}.{}", r.schema, r.name)))
        .collect();
    loop {
        let mut found = Vec::new();
        waiting.retain(|function| {
            let by_type = std::iter::once(&function.result)
                .chain(&function.arguments)
                .filter_map(|oid| row_types.get(oid))
                .filter_map(|oid| catalog.relations.get(oid))
                .find(|relation| relation.in_scope)
                .map(|relation| format!("{}.{}", relation.schema, relation.name));
            let relation = by_type.or_else(|| {
                let words = words(&function.body);
                scope.iter().find(|(name, _)| mentions(&words, name)).map(|(_, path)| path.clone())
            });
            let Some(relation) = relation else { return true };
            found.push(ScopedFunction {
                schema: function.schema.clone(),
                name: function.name.clone(),
                relation,
            });
            false
        });
        if found.is_empty() {
            break;
        }
        scope = found.iter().map(|f| (f.name.clone(), f.relation.clone())).collect();
        catalog.functions.extend(found);
    }
}

impl Settings {
    /// From the one row of [`super::SETTINGS_QUERY`].
    pub fn from_row(cells: &[Option<&str>]) -> Result<Self, CatalogError> {
        let row = Cells(cells);
        Ok(Self {
            search_path: name_array(row.text(0)?),
            role: row.text(1)?.to_owned(),
            standard_conforming_strings: row.text(2)? == "on",
            client_encoding: row.text(3)?.to_owned(),
            server_encoding: row.text(4)?.to_owned(),
        })
    }
}

/// A `name[]` in text form: `{pg_catalog,"my schema"}`.
fn name_array(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut characters = text.trim_start_matches('{').trim_end_matches('}').chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' => name.extend(characters.next()),
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            other => name.push(other),
        }
    }
    if !name.is_empty() {
        names.push(name);
    }
    names
}
