//! How the server folds case, read or measured.

use pgveil_seal::{CaseMap, Fold};
use pgveil_sql::physical::fold::measure;
use pgveil_sql::protection::{Declaration, TableProtection};
use tokio_postgres::GenericClient;

use super::{FoldFacts, Relation, Schema, Server};
use crate::error::LifecycleError;

/// Databases have a provider since PostgreSQL 15, and the server its own since 17.
const PROVIDERS: i32 = 150_000;
const BUILTIN: i32 = 170_000;

/// One entry a fold that is declared: what is recorded, else what the database's own collation
/// does.
pub(super) async fn read(
    client: &impl GenericClient,
    server: &Server,
    schema: &Schema,
    declaration: &Declaration,
) -> Result<Vec<FoldFacts>, LifecycleError> {
    let declared = |fold: &Fold| {
        declaration.tables.iter().any(|t| t.columns.iter().any(|c| c.fold == Some(*fold)))
    };
    let mut folds = Vec::new();
    for fold in [Fold::Lower, Fold::Upper].into_iter().filter(declared) {
        if schema.case_maps
            && let Some(row) = client
                .query_opt(
                    "SELECT locale, from_chars, to_chars FROM pgveil.case_maps WHERE fold = $1",
                    &[&fold.as_str()],
                )
                .await
                .map_err(LifecycleError::reading)?
        {
            let map = Ok((row.get(1), row.get(2)));
            folds.push(FoldFacts { fold, recorded: true, locale: row.get(0), map });
            continue;
        }
        let (provider, locale) = database_locale(client, server).await?;
        let map = if server.encoding == "UTF8" {
            of_collation(client, fold, &provider, &locale, "pg_catalog.\"default\"").await?
        } else {
            Err(format!("its encoding is {}, not UTF8", server.encoding))
        };
        let locale = format!("{} {locale}", provider_name(&provider));
        folds.push(FoldFacts { fold, recorded: false, locale, map });
    }
    Ok(folds)
}

/// Notes which of a table's columns fold otherwise than the database does: `lower($1)` is by the
/// database's collation, `lower(column)` by that of the column.
pub(super) async fn read_columns(
    client: &impl GenericClient,
    folds: &[FoldFacts],
    declared: &TableProtection,
    base: &mut Relation,
) -> Result<(), LifecycleError> {
    for column in &declared.columns {
        let Some(known) = folds.iter().find(|known| Some(known.fold) == column.fold) else {
            continue;
        };
        let Some(found) = base.columns.iter_mut().find(|found| found.name == column.column) else {
            continue;
        };
        let Ok(map) = &known.map else { continue };
        let row = client
            .query_opt(
                "SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname),
                        l.collprovider::text, COALESCE(l.collcollate, ''), l.collname = 'default'
                 FROM pg_attribute a JOIN pg_collation l ON l.oid = a.attcollation
                 JOIN pg_namespace n ON n.oid = l.collnamespace
                 WHERE a.attrelid = $1 AND a.attname = $2",
                &[&base.oid, &found.name],
            )
            .await
            .map_err(LifecycleError::reading)?;
        let Some(row) = row else { continue };
        let (name, provider, locale): (String, String, String) =
            (row.get(0), row.get(1), row.get(2));
        if row.get(3) {
            continue;
        }
        let own = of_collation(client, known.fold, &provider, &locale, &name).await?;
        found.folds_otherwise = (own.as_ref() != Ok(map)).then_some(name);
    }
    Ok(())
}

/// The provider, as `pg_collation.collprovider` has it, and the locale of the database.
async fn database_locale(
    client: &impl GenericClient,
    server: &Server,
) -> Result<(String, String), LifecycleError> {
    let sql = if server.version >= BUILTIN {
        "SELECT datlocprovider::text, COALESCE(datlocale, datctype) FROM pg_database"
    } else if server.version >= PROVIDERS {
        "SELECT datlocprovider::text, COALESCE(daticulocale, datctype) FROM pg_database"
    } else {
        "SELECT 'c', datctype::text FROM pg_database"
    };
    let row = client
        .query_one(&format!("{sql} WHERE datname = current_database()"), &[])
        .await
        .map_err(LifecycleError::reading)?;
    Ok((row.get(0), row.get(1)))
}

fn provider_name(provider: &str) -> &'static str {
    match provider {
        "i" => "icu",
        "b" => "builtin",
        _ => "libc",
    }
}

/// How a collation folds; the error says why that cannot be recorded.
async fn of_collation(
    client: &impl GenericClient,
    fold: Fold,
    provider: &str,
    locale: &str,
    name: &str,
) -> Result<Result<(String, String), String>, LifecycleError> {
    if provider == "i" || (provider == "b" && locale == "PG_UNICODE_FAST") {
        let provider = provider_name(provider);
        return Ok(Err(format!(
            "its provider {provider}, with locale {locale}, folds words and not characters"
        )));
    }
    let row = client.query_one(&measure(fold, name), &[]).await.map_err(LifecycleError::reading)?;
    let (from, to, exact): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
    if !exact {
        return Ok(Err(format!("its locale {locale} does not fold character by character")));
    }
    Ok(match CaseMap::new(fold, &from, &to) {
        Ok(_) => Ok((from, to)),
        Err(error) => Err(error.to_string()),
    })
}
