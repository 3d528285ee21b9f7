//! Columns that fold case: what the server's functions do is recorded before anything is sealed by
//! it.

use std::sync::Arc;

use pgveil_seal::{CaseMap, Mode};
use pgveil_sql::physical::fold::{create_case_maps, record_case_map};
use pgveil_sql::protection::ColumnProtection;

use super::{NONE, Planner};
use crate::facts::Column;

impl Planner<'_> {
    /// Checks that what is declared can be recorded, or is.
    pub(super) fn folds(&mut self) {
        let facts = self.facts;
        for known in &facts.folds {
            let map = match &known.map {
                Ok((from, to)) => {
                    CaseMap::new(known.fold, from, to).map_err(|error| error.to_string())
                }
                Err(reason) => Err(reason.clone()),
            };
            match map {
                Ok(map) => {
                    self.case_maps.insert(known.fold, Arc::new(map));
                }
                Err(reason) => {
                    let fold = known.fold;
                    self.refuse(
                        format!("database {}", facts.server.database),
                        format!(
                            "columns are declared with fold = \"{fold}\", and what {fold}() does \
                             in it cannot be recorded as pairs of characters: {reason}"
                        ),
                        "leave fold out, or use a database whose locale is of the provider libc, \
                         or builtin C.UTF-8, with encoding UTF8",
                    );
                }
            }
        }
    }

    /// How a column folds that is to be sealed.
    pub(super) fn case_map(
        &mut self,
        column: &ColumnProtection,
        found: &Column,
        object: &str,
    ) -> Option<Arc<CaseMap>> {
        let other = self.facts.records.iter().find(|record| {
            record.sealed
                && column.mode == Mode::Deterministic
                && record.mode == column.mode.as_str()
                && (&record.keyring, &record.domain) == (&column.keyring, &column.domain)
                && record.fold.as_deref() != column.fold.map(pgveil_seal::Fold::as_str)
        });
        if let Some(other) = other {
            let what = format!(
                "folds otherwise than {}.{}, which is sealed in the same domain {}",
                other.relation_name, other.column, column.domain
            );
            self.refuse(object, what, "declare it with the same fold, or in another domain");
        }
        let fold = column.fold?;
        if let Some(collation) = &found.folds_otherwise {
            let what = format!(
                "has collation {collation}, under which {fold}(column) is another function than \
                 {fold}($1), which is the database's"
            );
            self.refuse(object, what, "leave fold out, or give it the database's collation");
        }
        self.case_maps.get(&fold).cloned()
    }

    /// Makes the record.
    pub(super) fn case_map_steps(&mut self) {
        if !self.facts.schema.case_maps {
            for sql in create_case_maps() {
                self.step(sql, "the record of how this server folds case", NONE);
            }
        }
        let facts = self.facts;
        for known in facts.folds.iter().filter(|known| !known.recorded) {
            let Ok((from, to)) = &known.map else { continue };
            for sql in record_case_map(known.fold, &known.locale, from, to) {
                let why = format!("what {}() does here, for columns that fold", known.fold);
                self.step(sql, why, NONE);
            }
        }
    }
}
