//! The catalogs of the databases behind one proxy, read by whichever session comes first and
//! shared by all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgveil_sql::catalog::Catalog;

use crate::prepared::Scripts;
use crate::sealing::Sealing;

/// A catalog with what was prepared from it. Everything in it goes when the catalog is replaced.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) catalog: Catalog,
    pub(crate) sealing: Sealing,
    /// Analysed statement strings.
    pub(crate) scripts: Scripts,
}

impl Loaded {
    pub(crate) fn new(catalog: Catalog, sealing: Sealing) -> Self {
        Self { catalog, sealing, scripts: Scripts::new() }
    }

    /// True when it has temporary tables, which are one session's.
    pub(crate) fn is_private(&self) -> bool {
        self.catalog.relations.values().any(|relation| relation.schema.starts_with("pg_temp"))
    }
}

/// The newest catalog of each database, and when it was last known to be right.
#[derive(Debug, Default)]
pub(crate) struct Catalogs {
    entries: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    loaded: Arc<Loaded>,
    checked: Instant,
}

impl Catalogs {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
        // Entries are replaced whole, so a panic elsewhere leaves none half written.
        act(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The database's catalog, and whether its lease is over.
    pub(crate) fn get(&self, database: &str, lease: Duration) -> Option<(Arc<Loaded>, bool)> {
        self.with(|entries| {
            let entry = entries.get(database)?;
            Some((Arc::clone(&entry.loaded), entry.checked.elapsed() >= lease))
        })
    }

    /// Shares a catalog that was read, or found to be right still, beginning at `since`.
    pub(crate) fn publish(&self, database: &str, loaded: &Arc<Loaded>, since: Instant) {
        self.with(|entries| {
            let entry = Entry { loaded: Arc::clone(loaded), checked: since };
            match entries.get_mut(database) {
                // Somebody else read it later.
                Some(known) if known.checked > since => {}
                Some(known) => *known = entry,
                None => drop(entries.insert(database.to_owned(), entry)),
            }
        });
    }
}
