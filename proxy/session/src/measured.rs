//! What benches reach of the inside; nothing for anybody else.

use std::sync::Arc;

use pgveil_sql::catalog::{Catalog, Settings};

use crate::catalog_cache::Loaded;
use crate::prepared::Analysed;
use crate::sealing::{Keyrings, Sealing};

/// The statements of one catalog that were analysed.
#[derive(Debug)]
pub struct AnalysisCache {
    loaded: Loaded,
    settings: Arc<Settings>,
}

impl AnalysisCache {
    /// Of a catalog without keys: nothing is sealed here.
    pub fn new(catalog: Catalog, settings: Settings) -> Self {
        let sealing = Sealing::new(&catalog, &Keyrings::default());
        Self { loaded: Loaded::new(catalog, sealing), settings: Arc::new(settings) }
    }

    /// Analyses a text, or finds it analysed; true when it runs.
    pub fn analyse(&self, text: &str) -> bool {
        let analysed = Analysed::get(&self.loaded, &self.settings, text, &[]);
        analysed
            .is_ok_and(|analysed| analysed.script.statements.iter().all(|s| s.refusal.is_none()))
    }
}
