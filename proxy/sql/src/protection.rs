//! What a policy declares once: which columns are personal data, how they are sealed, and which
//! profile table receives the encrypted copies. Names only; nothing here knows a key.

use pgveil_seal::{Fold, Mode};

/// Everything that the loaded policies protect in one database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    /// One entry a table; a table is declared by at most one policy.
    pub tables: Vec<TableProtection>,
    /// Functions, by schema and name, that may run although their bodies name a protected table.
    pub safe_functions: Vec<(String, String)>,
}

/// The protected columns of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableProtection {
    /// Name of the policy that declared it.
    pub policy: String,
    /// Schema as in `pg_namespace.nspname`.
    pub schema: String,
    /// Table as in `pg_class.relname`.
    pub table: String,
    /// At least one.
    pub columns: Vec<ColumnProtection>,
    /// Where encrypted copies go, if anywhere.
    pub profile: Option<Profile>,
}

/// How one column is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnProtection {
    /// Column as in `pg_attribute.attname`.
    pub column: String,
    /// Deterministic or randomized.
    pub mode: Mode,
    /// Deterministic columns of one domain have comparable tokens. Empty for randomized ones.
    pub domain: String,
    /// Name of the keyring in the configuration.
    pub keyring: String,
    /// Which of `lower(column)` and `upper(column)` is compared natively, if any: deterministic
    /// columns only, and the same for all columns of a domain.
    pub fold: Option<Fold>,
    /// What the server cannot compute on tokens may be evaluated over the column's values.
    pub computed: bool,
}

/// A one-to-one table with encrypted copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Whose table it is.
    pub owner: ProfileOwner,
    /// Schema of the profile table.
    pub schema: String,
    /// The profile table.
    pub table: String,
    /// The profile table's column that holds the base row's key (`user_id`).
    pub link: String,
    /// The base table's column that `link` refers to (`id`): unique there.
    pub key: String,
    /// `(protected column, profile column)`, e.g. `("email", "encrypted_email")`.
    pub copies: Vec<(String, String)>,
}

/// Whose table a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileOwner {
    /// pgveil creates it, and a trigger on the base table keeps one row per base row.
    Pgveil,
    /// The application's: a trigger there overwrites the `encrypted_*` columns.
    Application,
}
