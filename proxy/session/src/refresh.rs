//! Reading the catalog and the settings: when a session begins, when something has changed them,
//! and when the lease is over.

use std::sync::Arc;
use std::time::Instant;

use pgveil_sql::catalog::{
    Catalog, CatalogError, CatalogLoad, QUERIES, SETTINGS_QUERY, Settings, VERSION_QUERY,
};
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::TransactionStatus;

use crate::catalog_cache::Loaded;
use crate::own_step::{NotText, StepRows};
use crate::sealing::Sealing;
use crate::session::{Halt, Session};

/// What we keep of a session besides [`Settings`].
const FACTS_QUERY: &str = "SELECT pg_catalog.current_setting('pgveil.reveal', true), \
     SESSION_USER::pg_catalog.text, pg_catalog.current_setting('application_name')";

/// The rows cannot be used.
#[derive(Debug)]
enum Unreadable {
    Catalog(CatalogError),
    NotText,
}

impl From<NotText> for Unreadable {
    fn from(NotText: NotText) -> Self {
        Self::NotText
    }
}

impl From<CatalogError> for Unreadable {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        let (detail, hint) = match error {
            Unreadable::Catalog(error) => (error.to_string(), "Run `pgveil check`."),
            Unreadable::NotText => (
                "A name is not valid in UTF-8.".to_owned(),
                "Set client_encoding to UTF8 before the transaction.",
            ),
        };
        Refusal {
            code: "58000",
            message: "pgveil cannot use the database's catalog".to_owned(),
            detail: Some(detail),
            hint: Some(hint.to_owned()),
            position: None,
        }
    }
}

impl From<Unreadable> for Halt {
    fn from(error: Unreadable) -> Self {
        Self::Refused(error.into())
    }
}

impl Session {
    /// Before the client's first statement: the settings, and a catalog, be it another session's.
    pub(crate) async fn first_read(&mut self) -> Result<(), Halt> {
        let since = Instant::now();
        let rows = self.own_step(&[SETTINGS_QUERY, FACTS_QUERY]).await?;
        self.take_settings(&rows)?;
        match self.shared() {
            Some((loaded, false)) => self.adopt_shared(loaded),
            Some((loaded, true)) => {
                self.adopt_shared(loaded);
                self.check_version(since).await?;
            }
            None => self.load(since).await?,
        }
        let sealed = !self.loaded.catalog.columns.is_empty();
        if sealed && self.settings.server_encoding != "UTF8" {
            return Err(Halt::Refused(Refusal {
                code: "0A000",
                message: format!(
                    "pgveil does not serve databases with encoding {}",
                    self.settings.server_encoding
                ),
                detail: Some("Values are sealed in the server's encoding.".to_owned()),
                hint: Some("Use a database with encoding UTF8.".to_owned()),
                position: None,
            }));
        }
        Ok(())
    }

    /// True when something must be asked before the next statement can be read: another session
    /// may have done so already.
    pub(crate) fn is_stale(&mut self) -> bool {
        if self.stale.catalog || self.stale.settings {
            return true;
        }
        let lease = self.proxy.options.lease;
        if self.checked.elapsed() < lease {
            return false;
        }
        if !self.private
            && let Some((loaded, false)) = self.shared()
        {
            self.adopt_shared(loaded);
            return false;
        }
        true
    }

    /// Reads again what is or may be out of date. In a transaction block that has failed nothing
    /// can be asked, and nothing but its end runs.
    pub(crate) async fn refresh(&mut self) -> Result<(), Halt> {
        if self.status == TransactionStatus::Failed && self.queue.is_empty() {
            return Ok(());
        }
        let since = Instant::now();
        if self.stale.settings {
            let rows = self.own_step(&[SETTINGS_QUERY, FACTS_QUERY, VERSION_QUERY]).await?;
            self.take_settings(&rows)?;
            return self.take_version(rows.get(2), since).await;
        }
        self.check_version(since).await
    }

    /// Reads the settings alone: a function may have changed the search path unseen.
    pub(crate) async fn read_settings(&mut self) -> Result<(), Halt> {
        if self.status == TransactionStatus::Failed && self.queue.is_empty() {
            return Ok(());
        }
        let rows = self.own_step(&[SETTINGS_QUERY, FACTS_QUERY]).await?;
        self.take_settings(&rows)
    }

    async fn check_version(&mut self, since: Instant) -> Result<(), Halt> {
        // Settings that a function changed are not seen otherwise: read them along.
        let rows = self.own_step(&[SETTINGS_QUERY, FACTS_QUERY, VERSION_QUERY]).await?;
        self.take_settings(&rows)?;
        self.take_version(rows.get(2), since).await
    }

    async fn take_version(
        &mut self,
        version: Option<&StepRows>,
        since: Instant,
    ) -> Result<(), Halt> {
        let version = version.and_then(StepRows::single);
        if self.stale.catalog || version.as_deref() != Some(&*self.loaded.catalog.version) {
            return self.load(since).await;
        }
        self.checked = since;
        if !self.private {
            self.proxy.catalogs.publish(&self.identity.database, &self.loaded, since);
        }
        Ok(())
    }

    fn shared(&self) -> Option<(Arc<Loaded>, bool)> {
        self.proxy.catalogs.get(&self.identity.database, self.proxy.options.lease)
    }

    /// Takes what another session has read.
    fn adopt_shared(&mut self, loaded: Arc<Loaded>) {
        self.adopt(loaded);
        self.private = false;
        self.stale.catalog = false;
        // The lease is the shared one's: what is left of it is not worth knowing exactly.
        self.checked = Instant::now();
    }

    /// Goes on with another view of the catalog. Statements that were prepared when their
    /// relations were not in scope are not kept: where more is in scope now, they must be
    /// prepared again.
    fn adopt(&mut self, loaded: Arc<Loaded>) {
        let known = &self.loaded.catalog.scoped;
        let more = loaded.catalog.scoped.iter().any(|(name, schemas)| {
            known.get(name).is_none_or(|before| schemas.iter().any(|s| !before.contains(s)))
        });
        if more {
            self.statements.distrust();
        }
        self.loaded = loaded;
    }

    fn take_settings(&mut self, rows: &[StepRows]) -> Result<(), Halt> {
        let mut settings = None;
        if let Some(rows) = rows.first() {
            rows.each::<Unreadable>(|cells| {
                settings = Some(Settings::from_row(cells)?);
                Ok(())
            })?;
        }
        let settings = settings.ok_or(Unreadable::NotText)?;
        if *self.settings != settings {
            self.settings = Arc::new(settings);
        }
        if let Some(rows) = rows.get(1) {
            rows.each::<Unreadable>(|cells| {
                let [reveal, user, application_name] = cells else { return Ok(()) };
                self.reveal = !reveal.is_some_and(is_off);
                user.unwrap_or_default().clone_into(&mut self.facts.user);
                application_name.unwrap_or_default().clone_into(&mut self.facts.application_name);
                Ok(())
            })?;
        }
        self.settings.role.clone_into(&mut self.facts.role);
        self.stale.settings = false;
        Ok(())
    }

    /// Reads the whole catalog: in one snapshot where the session stands between transactions,
    /// inside the transaction under way otherwise.
    async fn load(&mut self, since: Instant) -> Result<(), Halt> {
        let alone =
            self.status == TransactionStatus::Idle && !self.batch_open && self.queue.is_empty();
        let loaded = if alone {
            let read = self.load_alone().await;
            if read.is_err() && self.status != TransactionStatus::Idle {
                self.own_step(&["ROLLBACK"]).await?;
            }
            read?
        } else {
            let queries: Vec<&str> = QUERIES.iter().map(|(_, query)| *query).collect();
            let rows = self.own_step(&queries).await?;
            let mut load = CatalogLoad::default();
            take_rows(&mut load, 0, &rows)?;
            let own = load.own_queries();
            if !own.is_empty() {
                let rows = self.own_step(own).await?;
                take_rows(&mut load, QUERIES.len(), &rows)?;
            }
            self.finish_load(load)?
        };
        self.private = !alone || loaded.is_private();
        self.adopt(Arc::new(loaded));
        self.checked = since;
        // What was read inside a transaction is right until the transaction ends.
        self.stale.catalog = false;
        self.touched.catalog |= !alone;
        if !self.private {
            self.proxy.catalogs.publish(&self.identity.database, &self.loaded, since);
        }
        tracing::debug!(
            version = %self.loaded.catalog.version,
            sealed = self.loaded.catalog.columns.len(),
            private = self.private,
            "catalog read"
        );
        Ok(())
    }

    async fn load_alone(&mut self) -> Result<Loaded, Halt> {
        let mut queries = vec!["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"];
        if self.settings.client_encoding != "UTF8" {
            // Names must come as UTF-8; the client's own encoding is back with the COMMIT.
            queries.push("SET LOCAL client_encoding TO 'UTF8'");
        }
        let before = queries.len();
        queries.extend(QUERIES.iter().map(|(_, query)| *query));
        let rows = self.own_step(&queries).await?;
        let mut load = CatalogLoad::default();
        take_rows(&mut load, 0, rows.get(before..).unwrap_or_default())?;
        let own = load.own_queries();
        let rows = self.own_step(&[own, &["COMMIT"]].concat()).await?;
        take_rows(&mut load, QUERIES.len(), rows.get(..own.len()).unwrap_or_default())?;
        self.finish_load(load)
    }

    fn finish_load(&self, load: CatalogLoad) -> Result<Loaded, Halt> {
        let declaration = self.proxy.policies.declaration();
        let catalog: Catalog =
            load.finish(declaration, &self.settings, &self.proxy.keys).map_err(Unreadable::from)?;
        let sealing = Sealing::new(&catalog, &self.proxy.keys);
        Ok(Loaded::new(catalog, sealing))
    }
}

/// `first`: the number of the query whose rows come first.
fn take_rows(load: &mut CatalogLoad, first: usize, rows: &[StepRows]) -> Result<(), Unreadable> {
    for (query, rows) in (first..).zip(rows) {
        rows.each::<Unreadable>(|cells| Ok(load.row(query, cells)?))?;
    }
    Ok(())
}

/// What PostgreSQL's `parse_bool` takes for false.
fn is_off(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    !value.is_empty()
        && value != "o"
        && (value == "0" || ["off", "false", "no"].iter().any(|word| word.starts_with(&value)))
}

#[cfg(test)]
mod tests {
    use super::is_off;

    #[test]
    fn off_is_what_the_server_takes_for_false() {
        for off in ["off", "OFF", "of", "f", "false", "n", "no", "0", " off "] {
            assert!(is_off(off), "{off}");
        }
        for on in ["", "on", "o", "true", "1", "yes", "nonsense"] {
            assert!(!is_off(on), "{on}");
        }
    }
}
