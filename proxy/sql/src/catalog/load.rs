//! Reading the catalog.

use thiserror::Error;

use super::{Catalog, Settings};
use crate::protection::Declaration;

/// `(what it reads, SQL)`; run in order in one snapshot (one statement each, no parameters).
pub const QUERIES: &[(&str, &str)] = &[];

/// Changes its one-cell result whenever anything that [`QUERIES`] read has changed.
pub const VERSION_QUERY: &str = "SELECT 1";

/// One row; read by [`Settings::from_row`].
pub const SETTINGS_QUERY: &str = "SELECT 1";

/// The rows do not make a catalog.
#[derive(Debug, Error)]
#[error("cannot read the catalog: {0}")]
pub struct CatalogError(pub String);

/// Collects the rows of [`QUERIES`].
#[derive(Debug, Default)]
pub struct CatalogLoad {}

impl CatalogLoad {
    /// Takes one row of `QUERIES[query]`.
    pub fn row(&mut self, query: usize, cells: &[Option<&str>]) -> Result<(), CatalogError> {
        let _ = (query, cells);
        todo!()
    }

    /// Joins the rows with what the policies declare. `check_key(keyring, key id, check value)`
    /// says whether the key is at hand and right; an error becomes the relation's problem.
    pub fn finish(
        self,
        declaration: &Declaration,
        settings: &Settings,
        check_key: &dyn Fn(&str, &str, &str) -> Result<(), String>,
    ) -> Result<Catalog, CatalogError> {
        let _ = (declaration, settings, check_key);
        todo!()
    }
}

impl Settings {
    /// From the one row of [`SETTINGS_QUERY`].
    pub fn from_row(cells: &[Option<&str>]) -> Result<Self, CatalogError> {
        let _ = cells;
        todo!()
    }
}
