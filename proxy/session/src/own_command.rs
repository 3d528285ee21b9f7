//! `SHOW pgveil.status`, `SHOW pgveil.policies`, `SHOW pgveil.rewrite`.
//!
//! Each is answered by a SELECT of constants in the statement's place, so that order, formats and
//! transaction state are the server's.

use std::fmt::Write as _;

use pgveil_sql::plan::OwnCommand;
use pgveil_sql::redact;

use crate::session::Session;

impl Session {
    /// The SELECT that answers a command.
    pub(crate) fn own_command(&self, command: OwnCommand) -> String {
        match command {
            OwnCommand::Status => rows(&["item", "value"], self.status_rows()),
            OwnCommand::Policies => rows(
                &[
                    "policy", "schema", "table", "column", "type", "mode", "domain", "keyring",
                    "key", "profile", "stage",
                ],
                self.policy_rows(),
            ),
            OwnCommand::Rewrite => {
                let last = self.last_rewrite.as_ref();
                let text = last.map(|rendered| redact(&rendered.text));
                rows(&["statement"], text.map(|text| vec![text]))
            }
        }
    }

    fn status_rows(&self) -> Vec<Vec<String>> {
        let catalog = &self.loaded.catalog;
        let policies: Vec<&str> =
            self.proxy.policies.iter().map(pgveil_policy::Policy::name).collect();
        let line = |item: &str, value: String| vec![item.to_owned(), value];
        let mut lines = vec![
            line("version", env!("CARGO_PKG_VERSION").to_owned()),
            line("server", self.proxy.options.server.to_string()),
            line("database", self.identity.database.clone()),
            line("catalog", catalog.version.clone()),
            line("policies", policies.join(", ")),
            line("sealed columns", catalog.columns.len().to_string()),
            line("reveal", if self.reveal { "on" } else { "off" }.to_owned()),
        ];
        for (column, reason) in &catalog.unsealed {
            lines.push(line("not sealed", format!("{column}: {reason}")));
        }
        // That its own schema is not written through the proxy is as it should be.
        let wrong = catalog.relations.values().filter(|r| r.schema != "pgveil");
        let mut relations: Vec<_> = wrong.filter(|r| !r.problems.is_empty()).collect();
        relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        for relation in relations {
            for problem in &relation.problems {
                let scope = if problem.writes_only { "writes" } else { "statements" };
                let mut text = format!(
                    "{}.{}: {scope} are refused: {}",
                    relation.schema, relation.name, problem.refusal.message
                );
                if let Some(detail) = &problem.refusal.detail {
                    let _ = write!(text, ": {detail}");
                }
                lines.push(line("problem", text));
            }
        }
        lines
    }

    fn policy_rows(&self) -> Vec<Vec<String>> {
        let catalog = &self.loaded.catalog;
        let mut lines = Vec::new();
        for table in &self.proxy.policies.declaration().tables {
            for column in &table.columns {
                let sealed = catalog.columns.iter().find(|sealed| {
                    (&sealed.schema, &sealed.table, &sealed.column)
                        == (&table.schema, &table.table, &column.column)
                });
                let copy = table.profile.as_ref().and_then(|profile| {
                    let copy = profile.copies.iter().find(|(from, _)| *from == column.column);
                    copy.map(|(_, to)| format!("{}.{}.{to}", profile.schema, profile.table))
                });
                let name = format!("{}.{}.{}", table.schema, table.table, column.column);
                let reason = catalog.unsealed.iter().find(|(unsealed, _)| *unsealed == name);
                lines.push(vec![
                    table.policy.clone(),
                    table.schema.clone(),
                    table.table.clone(),
                    column.column.clone(),
                    sealed.map(|sealed| sealed.logical.to_string()).unwrap_or_default(),
                    column.mode.to_string(),
                    column.domain.clone(),
                    column.keyring.clone(),
                    sealed.map(|sealed| sealed.key_id.clone()).unwrap_or_default(),
                    copy.unwrap_or_default(),
                    match (sealed, reason) {
                        (Some(_), _) => "sealed".to_owned(),
                        (None, Some((_, reason))) => format!("not sealed: {reason}"),
                        (None, None) => "not sealed".to_owned(),
                    },
                ]);
            }
        }
        lines
    }
}

/// A SELECT that returns these rows, all text.
fn rows(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut body = String::new();
    for row in rows {
        body.push_str(if body.is_empty() { "(" } else { ", (" });
        for (index, cell) in row.iter().enumerate() {
            body.push_str(if index == 0 { "" } else { ", " });
            literal(&mut body, cell);
        }
        body.push(')');
    }
    let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    if body.is_empty() {
        let nothing: Vec<String> =
            names.iter().map(|name| format!("''::pg_catalog.text AS {name}")).collect();
        return format!("SELECT {} WHERE false", nothing.join(", "));
    }
    format!("SELECT * FROM (VALUES {body}) AS pgveil ({})", names.join(", "))
}

/// A string literal that means the same whatever `standard_conforming_strings` is.
fn literal(out: &mut String, text: &str) {
    out.push_str(if text.contains('\\') { " E'" } else { "'" });
    for c in text.chars().filter(|c| *c != '\0') {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_select() {
        let text = rows(&["a", "b"], [vec!["it's".into(), "back\\slash".into()]]);
        assert_eq!(
            text,
            r#"SELECT * FROM (VALUES ('it''s',  E'back\\slash')) AS pgveil ("a", "b")"#
        );
        assert_eq!(rows(&["a"], Vec::new()), r#"SELECT ''::pg_catalog.text AS "a" WHERE false"#);
    }
}
