//! The model of one database's catalog that statements are analysed with.
//!
//! [`QUERIES`] are the texts to run, in one snapshot, over any connection, and
//! [`CatalogLoad::own_queries`] after them; every cell comes back as text. [`CatalogLoad`] takes the rows and [`CatalogLoad::finish`] joins them with what the
//! policies declare. Pure: whoever has a connection runs the queries.

mod compute;
mod follow;
mod load;
mod protect;
mod queries;

use std::collections::HashMap;
use std::sync::Arc;

use pgveil_seal::{CaseMap, Fold, LogicalType, Mode};

use crate::protection::{Profile, TableProtection};
use crate::refusal::Refusal;

pub use load::{CatalogError, CatalogLoad, Keys};
pub use queries::{QUERIES, SETTINGS_QUERY, VERSION_QUERY};

/// Index into [`Catalog::columns`]. Valid for the catalog it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub u32);

/// One database's catalog, as far as statements need it.
#[derive(Debug, Default, Clone)]
pub struct Catalog {
    /// Result of [`VERSION_QUERY`] in the snapshot that was read.
    pub version: String,
    /// Every table, view, sequence ... outside `pg_toast`, by oid.
    pub relations: HashMap<u32, Relation>,
    /// `(schema, name)` to oid.
    pub names: HashMap<(String, String), u32>,
    /// The sealed columns, in [`ColumnId`] order.
    pub columns: Vec<SealedColumn>,
    /// Columns that a policy declares and that are not sealed (yet), as `schema.table.column`
    /// with the reason.
    pub unsealed: Vec<(String, String)>,
    /// What the policies declare, in this database or not.
    pub declared: Vec<TableProtection>,
    /// Declared columns that are not sealed (yet), as a statement that creates them would seal
    /// them. Their ids follow those of `columns`; `relation`, `number` and `logical` say nothing,
    /// and an empty `key_id` means that the key is not at hand.
    pub pending: Vec<SealedColumn>,
    /// Partitions and inheritance children, by their parent's oid.
    pub children: HashMap<u32, Vec<u32>>,
    /// How the server folds case, as recorded when columns that fold were first prepared.
    pub case_maps: HashMap<Fold, Arc<CaseMap>>,
    /// `lower` or `upper` may be a function of the application's.
    pub own_folds: bool,
    /// The functions in schema `pgveil`, by name, with their bodies.
    pub own_functions: HashMap<String, String>,
    /// Functions whose body or result names a relation in scope.
    pub functions: Vec<ScopedFunction>,
    /// Names in scope, each with the schemas in which it is.
    pub scoped: HashMap<String, Vec<String>>,
    /// Names in scope that relations of several schemas have: which one is meant depends on the
    /// search path of the moment.
    pub ambiguous: std::collections::HashSet<String>,
    /// Finds names in scope in a statement's bytes.
    pub filter: crate::filter::ScopeFilter,
    /// The columns over whose values predicates may be decided: declared computed, logged as
    /// declared, of a type and collation that is known.
    pub computing: HashMap<ColumnId, Computing>,
    /// Names of functions that are not the server's own.
    pub own_names: std::collections::HashSet<String>,
    /// There are operators over text that are not the server's own. Known where some column is
    /// computed.
    pub own_operators: bool,
}

/// What deciding predicates over a column's values needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Computing {
    /// The collation that the column had before it was sealed.
    pub collation: pgveil_eval::Collation,
    /// The database's.
    pub default: pgveil_eval::Collation,
}

/// A sealed column: declared by a policy and recorded in `pgveil.columns` as sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedColumn {
    /// Its id.
    pub id: ColumnId,
    /// Oid of the declared table.
    pub relation: u32,
    /// `pg_attribute.attnum` there.
    pub number: i16,
    /// Schema, table and column.
    pub schema: String,
    /// The declared table.
    pub table: String,
    /// The column's name.
    pub column: String,
    /// Name of the policy that declares it.
    pub policy: String,
    /// Deterministic or randomized.
    pub mode: Mode,
    /// Domain of a deterministic column, else empty.
    pub domain: String,
    /// Name of the keyring.
    pub keyring: String,
    /// Id of the key that seals it (deterministic: pinned; randomized: the first at `apply`).
    pub key_id: String,
    /// Check value of that key.
    pub key_check: String,
    /// The function for which its tokens have fold handles.
    pub fold: Option<Fold>,
    /// The type that the client sees.
    pub logical: LogicalType,
    /// The collation that the column had before it was sealed, if it is recorded: `default`, or its
    /// qualified name.
    pub collation: Option<String>,
}

/// A relation.
#[derive(Debug, Clone)]
pub struct Relation {
    /// `pg_class.oid`
    pub oid: u32,
    /// `pg_namespace.nspname`
    pub schema: String,
    /// `pg_class.relname`
    pub name: String,
    /// `pg_class.relkind`
    pub kind: char,
    /// Its columns in order, dropped ones left out.
    pub columns: Vec<Column>,
    /// The declared table whose protection it carries: itself, or the root of its partitions.
    pub protected: Option<Protected>,
    /// Why statements that name it are refused.
    pub problems: Vec<Problem>,
    /// True when a statement that names it must be understood.
    pub in_scope: bool,
}

/// The protection of a table, as the policy declares it.
#[derive(Debug, Clone)]
pub struct Protected {
    /// The policy's name.
    pub policy: String,
    /// The profile, if one is declared.
    pub profile: Option<Profile>,
}

/// Why statements that name a relation are refused.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Only statements that write are refused.
    pub writes_only: bool,
    /// What the client gets.
    pub refusal: Refusal,
}

/// A column of a relation.
#[derive(Debug, Clone)]
pub struct Column {
    /// `pg_attribute.attnum`
    pub number: i16,
    /// `pg_attribute.attname`
    pub name: String,
    /// `pg_attribute.atttypid`: the physical type.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`
    pub typmod: i32,
    /// A generated column: INSERT without a column list passes over it, too, when it counts.
    pub generated: bool,
    /// An encrypted copy in a profile: written by a trigger alone.
    pub copy: bool,
    /// The sealed column whose tokens it holds. A view's column carries its base column's.
    pub sealed: Option<SealedRef>,
}

/// What a column that holds tokens is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedRef {
    /// Whose tokens.
    pub column: ColumnId,
    /// The type that the client sees here (a view may have cast it).
    pub logical: LogicalType,
}

/// A function that counts as a name of a relation in scope.
#[derive(Debug, Clone)]
pub struct ScopedFunction {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// The relation that its body or result names, as `schema.name`.
    pub relation: String,
    /// The policy declares it safe, and its result is a row, or rows, of this relation.
    pub rows: Option<u32>,
}

impl Catalog {
    /// The sealed column with this id, be it one that does not exist yet.
    pub fn column(&self, id: ColumnId) -> &SealedColumn {
        let index = id.0 as usize;
        self.columns.get(index).unwrap_or_else(|| &self.pending[index - self.columns.len()])
    }

    /// Adds a relation that a statement makes, under a number that no other has.
    pub(crate) fn make(&mut self, mut relation: Relation) {
        relation.oid =
            (0..u32::MAX).rev().find(|oid| !self.relations.contains_key(oid)).unwrap_or(u32::MAX);
        self.names.insert((relation.schema.clone(), relation.name.clone()), relation.oid);
        if relation.in_scope {
            let schemas = self.scoped.entry(relation.name.clone()).or_default();
            if !schemas.contains(&relation.schema) {
                schemas.push(relation.schema.clone());
            }
        }
        self.relations.insert(relation.oid, relation);
    }

    /// What the policies declare about a table.
    pub fn declared(&self, schema: &str, table: &str) -> Option<&TableProtection> {
        self.declared.iter().find(|t| t.schema == schema && t.table == table)
    }

    /// The declared tables whose profile a table is.
    pub fn profile_of<'a>(
        &'a self,
        schema: &'a str,
        table: &'a str,
    ) -> impl Iterator<Item = (&'a TableProtection, &'a Profile)> {
        let of = move |profile: &&Profile| profile.schema == schema && profile.table == table;
        let declared = self.declared.iter();
        declared.filter_map(move |t| Some((t, t.profile.as_ref().filter(of)?)))
    }

    /// The partitions and inheritance children of a relation, at all levels.
    pub fn descendants(&self, oid: u32) -> Vec<&Relation> {
        let mut found = vec![oid];
        let mut next = 0;
        while let Some(parent) = found.get(next) {
            let below = self.children.get(parent).into_iter().flatten().copied();
            let below: Vec<u32> = below.filter(|child| !found.contains(child)).collect();
            found.extend(below);
            next += 1;
        }
        found[1..].iter().filter_map(|oid| self.relations.get(oid)).collect()
    }

    /// The declared table whose protection a relation has: its own, or that of the root of its
    /// partitions.
    pub fn root(&self, relation: &Relation) -> Option<&TableProtection> {
        let mut oid = relation.oid;
        let mut root = relation;
        while let Some((parent, _)) = self.children.iter().find(|(_, below)| below.contains(&oid)) {
            oid = *parent;
            root = self.relations.get(parent).filter(|above| above.protected.is_some())?;
        }
        self.declared(&root.schema, &root.name).filter(|_| root.protected.is_some())
    }

    /// A declared column that is not sealed (yet).
    pub fn pending(&self, schema: &str, table: &str, column: &str) -> Option<&SealedColumn> {
        self.pending.iter().find(|c| c.schema == schema && c.table == table && c.column == column)
    }

    /// Looks a relation up by exact schema and name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        let oid = self.names.get(&(schema.to_owned(), name.to_owned()))?;
        self.relations.get(oid)
    }
}

/// What a session's settings mean for reading its statements; see [`SETTINGS_QUERY`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `current_schemas(true)`: the effective search path, temporary and system schemas included.
    pub search_path: Vec<String>,
    /// `current_user`
    pub role: String,
    /// `standard_conforming_strings`
    pub standard_conforming_strings: bool,
    /// `client_encoding`, e.g. `UTF8`
    pub client_encoding: String,
    /// `server_encoding`, e.g. `UTF8`
    pub server_encoding: String,
}
