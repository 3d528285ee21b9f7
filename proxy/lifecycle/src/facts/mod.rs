//! What is known of a database before anything may change, read in one snapshot.
//!
//! [`Facts`] can be compared: a plan keeps those it was made from, and what is read again under the
//! locks must be equal. It holds plain defaults, so it has no `Debug`.

mod folds;
mod read;

use pgveil_seal::Fold;
use pgveil_sql::physical::fill::KeyColumn;
use pgveil_sql::physical::{FoundTrigger, changes, own};
use pgveil_sql::protection::Declaration;
use tokio_postgres::GenericClient;

use crate::dependants::{Carrier, Dependants};
use crate::error::LifecycleError;

/// Everything read.
#[derive(PartialEq, Clone)]
pub(crate) struct Facts {
    pub(crate) server: Server,
    pub(crate) schema: Schema,
    /// `pgveil.columns`
    pub(crate) records: Vec<Record>,
    /// How the server folds: one entry a fold that is declared.
    pub(crate) folds: Vec<FoldFacts>,
    /// One entry a declared table, in the declaration's order.
    pub(crate) tables: Vec<TableFacts>,
    /// Every trigger in the database whose function is in schema `pgveil`.
    pub(crate) triggers: Vec<OwnTrigger>,
    /// Every function in schema `pgveil`.
    pub(crate) functions: Vec<OwnFunction>,
    pub(crate) dependants: Dependants,
    /// Roles to which the migrating role's default privileges give rights on new tables and views.
    pub(crate) default_grantees: Vec<String>,
}

/// The server and the role that migrates.
#[derive(PartialEq, Clone)]
#[allow(clippy::struct_excessive_bools)] // One field a catalog fact.
pub(crate) struct Server {
    pub(crate) database: String,
    pub(crate) encoding: String,
    /// `server_version_num`
    pub(crate) version: i32,
    pub(crate) plpgsql: bool,
    pub(crate) user: String,
    pub(crate) superuser: bool,
    /// The role may set what the server logs, so `pgveil.refuse` can.
    pub(crate) may_silence: bool,
    pub(crate) may_create_schema: bool,
}

/// The schema `pgveil`.
#[derive(PartialEq, Clone)]
#[allow(clippy::struct_excessive_bools)] // One field a catalog fact.
pub(crate) struct Schema {
    pub(crate) exists: bool,
    pub(crate) may_create: bool,
    pub(crate) columns: bool,
    /// `pgveil.columns` has the column `fold`.
    pub(crate) fold_column: bool,
    /// `pgveil.columns` has the column `collation`.
    pub(crate) collation_column: bool,
    pub(crate) case_maps: bool,
    pub(crate) may_record: bool,
    pub(crate) refuse: Option<Refuse>,
    pub(crate) token: Option<TokenDomain>,
    pub(crate) changes: Option<Changes>,
}

/// The log of new tokens, `pgveil.changes`, as it is.
#[derive(PartialEq, Clone)]
pub(crate) struct Changes {
    pub(crate) owner: String,
    /// Privileges and row security are what `migrate apply` makes.
    pub(crate) secure: bool,
}

/// The domain `pgveil.token` as it is.
#[derive(PartialEq, Clone)]
pub(crate) struct TokenDomain {
    pub(crate) owned_by_us: bool,
    /// Names of its constraints.
    pub(crate) constraints: Vec<String>,
    /// It is `text COLLATE "C"` with the one condition that calls `pgveil.refuse`.
    pub(crate) sound: bool,
}

/// `pgveil.refuse()` as it is.
#[derive(PartialEq, Clone)]
#[allow(clippy::struct_excessive_bools)] // One field a catalog fact.
pub(crate) struct Refuse {
    pub(crate) owner: String,
    pub(crate) owned_by_us: bool,
    pub(crate) owner_may_silence: bool,
    pub(crate) body: String,
    pub(crate) config: Option<String>,
    pub(crate) security_definer: bool,
    pub(crate) volatile: bool,
}

/// A row of `pgveil.columns`.
#[derive(PartialEq, Clone)]
pub(crate) struct Record {
    pub(crate) relation: u32,
    /// As `regclass` prints it; a number when the table is gone.
    pub(crate) relation_name: String,
    pub(crate) column: String,
    pub(crate) policy: String,
    pub(crate) mode: String,
    pub(crate) domain: String,
    pub(crate) keyring: String,
    pub(crate) key_id: String,
    pub(crate) key_check: String,
    pub(crate) sealed: bool,
    pub(crate) fold: Option<String>,
    pub(crate) collation: Option<String>,
}

/// How the server folds.
#[derive(PartialEq, Clone)]
pub(crate) struct FoldFacts {
    pub(crate) fold: Fold,
    /// In `pgveil.case_maps` already.
    pub(crate) recorded: bool,
    /// Provider and name of the database's locale.
    pub(crate) locale: String,
    /// The characters that change, and what they become. The error says why they cannot be
    /// recorded.
    pub(crate) map: Result<(String, String), String>,
}

/// A declared table and its profile, as far as they exist.
#[derive(PartialEq, Clone)]
pub(crate) struct TableFacts {
    pub(crate) base: Option<Relation>,
    pub(crate) profile: Option<Relation>,
    /// The profile's schema exists (true without a profile).
    pub(crate) profile_schema: bool,
}

/// A relation.
#[derive(PartialEq, Clone)]
#[allow(clippy::struct_excessive_bools)] // One field a catalog fact.
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) temporary: bool,
    pub(crate) owner: String,
    /// The owner is subject to the table's own row security.
    pub(crate) owner_restricted: bool,
    pub(crate) is_partition: bool,
    /// Has parents or children by inheritance that is not partitioning.
    pub(crate) inherits: bool,
    /// `CREATE TABLE ... OF type`
    pub(crate) typed: bool,
    pub(crate) has_rows: bool,
    pub(crate) comment: Option<String>,
    pub(crate) columns: Vec<Column>,
    /// Partitions at every level.
    pub(crate) partitions: Vec<Partition>,
    /// Unique keys without NULLs, the primary key first. Only those whose operators and collations
    /// are what a new index over the same columns has.
    pub(crate) keys: Vec<Vec<KeyColumn>>,
    /// Guards: name, validated.
    pub(crate) guards: Vec<(String, bool)>,
}

/// A partition.
#[derive(PartialEq, Clone)]
pub(crate) struct Partition {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) foreign: bool,
    pub(crate) columns: Vec<Column>,
}

/// A column.
#[derive(PartialEq, Clone)]
#[allow(clippy::struct_excessive_bools)] // One field a catalog fact.
pub(crate) struct Column {
    pub(crate) number: i16,
    pub(crate) name: String,
    pub(crate) type_oid: u32,
    pub(crate) typmod: i32,
    /// As `format_type` prints it, qualified.
    pub(crate) type_name: String,
    pub(crate) builtin_type: bool,
    pub(crate) not_null: bool,
    pub(crate) identity: bool,
    pub(crate) generated: bool,
    /// `pg_get_expr` of its default. Plaintext of a protected column.
    pub(crate) default: Option<String>,
    pub(crate) deterministic_collation: bool,
    pub(crate) c_collation: bool,
    /// The column is declared to fold, and `lower(column)` is another function than `lower($1)`, by
    /// its collation, which is named.
    pub(crate) folds_otherwise: Option<String>,
    pub(crate) partition_key: bool,
    pub(crate) privileges: bool,
    /// A valid, complete unique index has this column alone as its key.
    pub(crate) unique: bool,
    /// `default`, or its qualified name.
    pub(crate) collation: Option<String>,
}

/// A trigger of ours.
#[derive(PartialEq, Clone)]
pub(crate) struct OwnTrigger {
    pub(crate) relation: u32,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) function_owner: String,
    /// The server's clone of a partitioned table's trigger.
    pub(crate) clone: bool,
    pub(crate) found: FoundTrigger,
}

/// A function in schema `pgveil`.
#[derive(PartialEq, Clone)]
pub(crate) struct OwnFunction {
    pub(crate) name: String,
    pub(crate) body: String,
    pub(crate) config: Option<String>,
    pub(crate) security_definer: bool,
    pub(crate) owner: String,
    pub(crate) owned_by_us: bool,
    pub(crate) comment: Option<String>,
}

impl Relation {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Facts {
    /// Reads everything. The connection is in a transaction whose search_path is `pg_catalog`
    /// alone, so that the server prints every other name qualified.
    pub(crate) async fn read(
        client: &impl GenericClient,
        declaration: &Declaration,
    ) -> Result<Self, LifecycleError> {
        let server = read::read_server(client).await.map_err(LifecycleError::reading)?;
        let schema =
            read::read_schema(client, server.version).await.map_err(LifecycleError::reading)?;
        let records = if schema.columns {
            read::read_records(client, &schema).await.map_err(LifecycleError::reading)?
        } else {
            Vec::new()
        };
        let mut tables = Vec::new();
        for table in &declaration.tables {
            tables.push(read::read_table(client, table).await.map_err(LifecycleError::reading)?);
        }
        let folds = folds::read(client, &server, &schema, declaration).await?;
        for (declared, facts) in declaration.tables.iter().zip(&mut tables) {
            let Some(base) = &mut facts.base else { continue };
            folds::read_columns(client, &folds, declared, base).await?;
        }
        let triggers = read::read_triggers(client).await.map_err(LifecycleError::reading)?;
        let functions = read::read_functions(client).await.map_err(LifecycleError::reading)?;
        let dependants = Dependants::read(client, &carriers(declaration, &tables)).await?;
        let default_grantees =
            read::read_default_grantees(client).await.map_err(LifecycleError::reading)?;
        Ok(Self {
            server,
            schema,
            records,
            folds,
            tables,
            triggers,
            functions,
            dependants,
            default_grantees,
        })
    }

    /// What is different in `now`, in words; [`None`] when a plan made from this still holds.
    /// Rows may come and go in tables whose columns are all sealed already.
    pub(crate) fn difference(&self, now: &Self, declaration: &Declaration) -> Option<String> {
        for ((declared, was), is) in declaration.tables.iter().zip(&self.tables).zip(&now.tables) {
            let (Some(was), Some(is)) = (&was.base, &is.base) else { continue };
            let sealed =
                declared.columns.iter().all(|column| self.is_sealed(was.oid, &column.column));
            if is.has_rows && !was.has_rows && !sealed {
                return Some(format!("table {} has rows now", is.path()));
            }
        }
        let tables = |facts: &Self| {
            let mut tables = facts.tables.clone();
            for table in &mut tables {
                for relation in [&mut table.base, &mut table.profile].into_iter().flatten() {
                    relation.has_rows = false;
                }
            }
            tables
        };
        let what = if self.server != now.server {
            "the server or the role"
        } else if self.schema != now.schema
            || self.records != now.records
            || self.folds != now.folds
            || self.functions != now.functions
        {
            "schema pgveil"
        } else if tables(self) != tables(now) {
            "a declared table"
        } else if self.triggers != now.triggers {
            "a trigger"
        } else if self.dependants != now.dependants || self.default_grantees != now.default_grantees
        {
            "something that uses a protected column"
        } else {
            return None;
        };
        Some(format!("{what} is different"))
    }

    /// A function in schema `pgveil`.
    pub(crate) fn function(&self, name: &str) -> Option<&OwnFunction> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// One of the functions that complete a client's DDL is there as it should be.
    pub(crate) fn has_own(&self, wanted: &own::OwnFunction) -> bool {
        self.has(wanted, own::OWN_CONFIG)
    }

    /// One of the functions that read the log is there as it should be.
    pub(crate) fn has_reading(&self, wanted: &own::OwnFunction) -> bool {
        self.has(wanted, changes::READING_CONFIG)
    }

    fn has(&self, wanted: &own::OwnFunction, config: &str) -> bool {
        self.function(wanted.name).is_some_and(|found| {
            found.body == wanted.body
                && found.security_definer == wanted.definer
                && found.config.as_deref() == Some(config)
        })
    }

    /// The record of a column.
    pub(crate) fn record(&self, relation: u32, column: &str) -> Option<&Record> {
        self.records.iter().find(|r| r.relation == relation && r.column == column)
    }

    /// The column is recorded as sealed.
    pub(crate) fn is_sealed(&self, relation: u32, column: &str) -> bool {
        self.record(relation, column).is_some_and(|r| r.sealed)
    }
}

/// Every column, in tables and partitions, that holds or will hold a declared column's tokens.
fn carriers(declaration: &Declaration, tables: &[TableFacts]) -> Vec<Carrier> {
    let mut carriers = Vec::new();
    for (t, (table, facts)) in declaration.tables.iter().zip(tables).enumerate() {
        let Some(base) = &facts.base else { continue };
        let relations = std::iter::once((base.oid, &base.columns))
            .chain(base.partitions.iter().map(|p| (p.oid, &p.columns)));
        for (relation, columns) in relations {
            for (c, declared) in table.columns.iter().enumerate() {
                if let Some(found) = columns.iter().find(|f| f.name == declared.column) {
                    carriers.push(Carrier { relation, number: found.number, table: t, column: c });
                }
            }
        }
    }
    carriers
}
