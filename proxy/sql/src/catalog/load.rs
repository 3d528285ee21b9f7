//! Joins the rows of the catalog queries with what the policies declare.

use std::collections::HashMap;
use std::sync::Arc;

use pgveil_eval::{Definition, Provider};
use pgveil_seal::{CaseMap, Fold, LogicalType, Mode};
use thiserror::Error;

use super::compute::compute;
use super::follow::{follow_functions, follow_views, inherit};
use super::protect::{
    check_physical, check_triggers, own_schema, pending, seal_table, undeclared, unrecorded,
};
use super::queries::OWN_QUERIES;
use super::{Catalog, Column, Problem, Relation, Settings};
use crate::filter::ScopeFilter;
use crate::physical::changes::CHANGES_TABLE;
use crate::physical::{FoundTrigger, SCHEMA};
use crate::protection::Declaration;

/// The rows do not make a catalog.
#[derive(Debug, Error)]
#[error("cannot read the catalog: {0}")]
pub struct CatalogError(String);

/// What must be known about keys: whoever has them answers.
pub trait Keys {
    /// Whether a key is at hand and right: keyring, key id, check value. The error says what is
    /// missing.
    fn check(&self, keyring: &str, id: &str, check: &str) -> Result<(), String>;

    /// Id and check value of the key that seals a new column: the one with this id, else the
    /// keyring's first. `None`: it is not at hand.
    fn choose(&self, keyring: &str, id: Option<&str>) -> Option<(String, String)>;
}

/// Collects the rows of [`super::QUERIES`] and of [`CatalogLoad::own_queries`].
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
    guards: Vec<Guard>,
    records: Vec<Record>,
    case_maps: HashMap<Fold, Arc<CaseMap>>,
    /// By the names that records have.
    collations: HashMap<String, Definition>,
    own_operators: bool,
    version: String,
}

#[derive(Debug)]
pub(super) struct FunctionRow {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) body: String,
    pub(super) result: u32,
    pub(super) arguments: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct TriggerRow {
    pub(super) relation: u32,
    pub(super) name: String,
    pub(super) function: (String, String),
    pub(super) found: FoundTrigger,
}

/// A CHECK constraint whose name is that of a guard.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) relation: u32,
    pub(super) name: String,
    pub(super) validated: bool,
    pub(super) definition: String,
}

/// A row of `pgveil.columns`.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) relation: u32,
    pub(super) column: String,
    pub(super) mode: Mode,
    pub(super) domain: String,
    pub(super) keyring: String,
    pub(super) key_id: String,
    pub(super) key_check: String,
    pub(super) fold: Option<Fold>,
    pub(super) logical: LogicalType,
    pub(super) collation: Option<String>,
    pub(super) sealed: bool,
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

    /// UTF-8 text in hexadecimal digits.
    fn hex(&self, index: usize) -> Result<String, CatalogError> {
        let digits = self.text(index)?.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| CatalogError(format!("cell {index} of a catalog row is not text")))
    }

    fn truth(&self, index: usize) -> Result<bool, CatalogError> {
        Ok(matches!(self.text(index)?, "t" | "true"))
    }
}

impl CatalogLoad {
    /// Takes one row of `QUERIES[query]`; behind them come the [`CatalogLoad::own_queries`].
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
                    arguments: row.optional(11).unwrap_or_default().to_owned(),
                },
            }),
            5 => self.guards.push(Guard {
                relation: row.number(0)?,
                name: row.text(1)?.to_owned(),
                validated: row.truth(2)?,
                definition: row.text(3)?.to_owned(),
            }),
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
                fold: match row.optional(11) {
                    None => None,
                    Some(word) => Some(fold(word)?),
                },
                collation: row.optional(12).map(str::to_owned),
            }),
            8 => {
                let (fold, from, to) = (fold(row.text(0)?)?, row.hex(1)?, row.hex(2)?);
                let map = CaseMap::new(fold, &from, &to)
                    .map_err(|error| CatalogError(format!("pgveil.case_maps: {error}")))?;
                self.case_maps.insert(fold, Arc::new(map));
            }
            9 => {
                if let Some(provider) = provider(&row) {
                    let definition = Definition { provider, deterministic: row.truth(5)? };
                    self.collations.insert(row.text(0)?.to_owned(), definition);
                }
            }
            10 => self.own_operators = row.truth(0)?,
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

    /// The texts to run when the rows of all [`super::QUERIES`] are in: what they read of ours is
    /// there.
    pub fn own_queries(&self) -> &'static [&'static str] {
        let is_there =
            |name: &str| self.relations.values().any(|r| r.schema == "pgveil" && r.name == name);
        let count = match ["columns", "case_maps", CHANGES_TABLE].map(is_there) {
            [false, ..] => 0,
            [true, false, _] => 1,
            [true, true, false] => 2,
            [true, true, true] => OWN_QUERIES.len(),
        };
        &OWN_QUERIES[..count]
    }

    /// Joins the rows with what the policies declare. A key that `keys` object to becomes
    /// the relation's problem.
    pub fn finish(
        self,
        declaration: &Declaration,
        settings: &Settings,
        keys: &dyn Keys,
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
            case_maps,
            collations,
            own_operators,
            version,
        } = self;
        let names =
            relations.values().map(|r| ((r.schema.clone(), r.name.clone()), r.oid)).collect();
        let mut catalog = Catalog {
            version,
            relations,
            names,
            declared: declaration.tables.clone(),
            case_maps,
            own_operators,
            own_names: functions.iter().map(|function| function.name.clone()).collect(),
            own_folds: functions.iter().any(|function| Fold::parse(&function.name).is_some()),
            ..Catalog::default()
        };
        for (child, parent) in &children {
            catalog.children.entry(*parent).or_default().push(*child);
        }
        for table in &declaration.tables {
            seal_table(&mut catalog, table, &records, keys);
            check_triggers(&mut catalog, table, &triggers);
        }
        pending(&mut catalog, &records, keys);
        catalog.own_functions = functions
            .iter()
            .filter(|function| function.schema == SCHEMA)
            .map(|function| (function.name.clone(), function.body.trim_end_matches(' ').to_owned()))
            .collect();
        for table in &declaration.tables {
            compute(&mut catalog, table, &records, &triggers, &collations);
        }
        undeclared(&mut catalog, &records);
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
        unrecorded(&mut catalog, &records, &guards);
        // Views call functions, and functions read views.
        let mut known = None;
        loop {
            follow_views(&mut catalog, &views, settings);
            follow_functions(&mut catalog, &functions, &row_types, &declaration.safe_functions);
            let in_scope = catalog.relations.values().filter(|r| r.in_scope).count();
            let now = Some((in_scope, catalog.functions.len()));
            if now == known {
                break;
            }
            known = now;
        }
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
            // statement would be in its log. And a statement may create a declared column.
            let schemas = catalog.scoped.entry(table.table.clone()).or_default();
            let found = catalog.names.get(&(table.schema.clone(), table.table.clone()));
            let complete = found.and_then(|oid| catalog.relations.get(oid)).is_some_and(|base| {
                let there = |name: &String| base.columns.iter().any(|c| c.name == *name);
                table.columns.iter().all(|declared| there(&declared.column))
            });
            if !complete && !schemas.contains(&table.schema) {
                schemas.push(table.schema.clone());
            }
        }
        // Nor is a statement that makes the application's own profile table.
        let profiles = || declaration.tables.iter().filter_map(|table| table.profile.as_ref());
        for profile in profiles() {
            let schemas = catalog.scoped.entry(profile.table.clone()).or_default();
            if !schemas.contains(&profile.schema) {
                schemas.push(profile.schema.clone());
            }
        }
        catalog.scoped.retain(|_, schemas| !schemas.is_empty());
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for relation in catalog.relations.values() {
            *counts.entry(relation.name.as_str()).or_default() += 1;
        }
        catalog.ambiguous = catalog
            .scoped
            .keys()
            .filter(|name| counts.get(name.as_str()).is_some_and(|count| *count > 1))
            .cloned()
            .collect();
        let declared = declaration.tables.iter().map(|t| t.table.as_str());
        let declared = declared.chain(profiles().map(|profile| profile.table.as_str()));
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

/// Who implements a collation; [`None`]: one that is not known here.
fn provider(row: &Cells<'_>) -> Option<Provider> {
    let text = |index| row.optional(index).map(str::to_owned);
    match row.optional(1)? {
        "c" => Some(Provider::Libc { collate: text(2)?, ctype: text(3)? }),
        "b" => Some(Provider::Builtin { locale: text(4)? }),
        "i" => Some(Provider::Icu),
        _ => None,
    }
}

fn fold(word: &str) -> Result<Fold, CatalogError> {
    Fold::parse(word).ok_or_else(|| CatalogError(format!("{word:?} is not a fold")))
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
