//! Statements before and after: what is sent upstream, what is opened, what is refused.
//!
//! Tokens are shown as `<column:value>`, so that a row of the table says which value was sealed
//! and how.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect)]

use pgveil_seal::Mode;
use pgveil_sql::catalog::{Catalog, CatalogLoad, Settings};
use pgveil_sql::plan::{Output, Purpose, Script};
use pgveil_sql::protection::{ColumnProtection, Declaration, TableProtection};
use pgveil_sql::{analyse, render};

fn settings() -> Settings {
    Settings {
        search_path: vec!["pg_catalog".into(), "public".into()],
        role: "app".into(),
        standard_conforming_strings: true,
        client_encoding: "UTF8".into(),
        server_encoding: "UTF8".into(),
    }
}

/// `users(id, email, first_name, note)` with email deterministic and first_name randomized,
/// `subscribers(id, email)` of the same domain, `orders(id, user_id, total)`, two views.
fn catalog() -> Catalog {
    let mut load = CatalogLoad::default();
    let mut row = |query: usize, cells: &[&str]| {
        let cells: Vec<_> = cells.iter().map(|c| (*c != "-").then_some(*c)).collect();
        load.row(query, &cells).unwrap();
    };
    for (oid, schema, name, kind, view) in [
        ("100", "public", "users", "r", "-"),
        ("101", "public", "subscribers", "r", "-"),
        ("102", "public", "orders", "r", "-"),
        ("103", "public", "staff", "v", " SELECT users.id, users.email AS mail FROM users;"),
        ("104", "public", "shouting", "v", " SELECT upper(users.email) AS loud FROM users;"),
        ("105", "audit", "users", "r", "-"),
        ("106", "pgveil", "columns", "r", "-"),
    ] {
        let row_type = format!("9{oid}");
        row(0, &[oid, schema, name, kind, &row_type, view]);
    }
    for (relation, number, name, type_oid) in [
        ("100", "1", "id", "23"),
        ("100", "2", "email", "25"),
        ("100", "3", "first_name", "25"),
        ("100", "4", "note", "25"),
        ("101", "1", "id", "23"),
        ("101", "2", "email", "25"),
        ("102", "1", "id", "23"),
        ("102", "2", "user_id", "23"),
        ("102", "3", "total", "1700"),
        ("103", "1", "id", "23"),
        ("103", "2", "mail", "25"),
        ("104", "1", "loud", "25"),
        ("105", "1", "id", "23"),
        ("105", "2", "email", "25"),
    ] {
        row(1, &[relation, number, name, type_oid, "-1", ""]);
    }
    row(3, &["public", "everybody", "select email from users", "25", "-"]);
    for (relation, column) in [("100", "email"), ("100", "first_name"), ("101", "email")] {
        let name = format!("pgveil_guard_{column}");
        row(5, &[relation, &name, "true", "CHECK ((... OR pgveil.refuse()))"]);
    }
    row(6, &["1"]);
    for (relation, column, mode, domain, type_oid, typmod) in [
        ("100", "email", "deterministic", "email", "1043", "258"),
        ("100", "first_name", "randomized", "", "1043", "154"),
        ("101", "email", "deterministic", "email", "1043", "258"),
    ] {
        row(
            7,
            &[relation, column, "p", mode, domain, "default", "k", "c", type_oid, typmod, "sealed"],
        );
    }
    let column = |column: &str, mode, domain: &str| ColumnProtection {
        column: column.into(),
        mode,
        domain: domain.into(),
        keyring: "default".into(),
    };
    let table = |table: &str, columns| TableProtection {
        policy: "p".into(),
        schema: "public".into(),
        table: table.into(),
        columns,
        profile: None,
    };
    let declaration = Declaration {
        tables: vec![
            table(
                "users",
                vec![
                    column("email", Mode::Deterministic, "email"),
                    column("first_name", Mode::Randomized, ""),
                ],
            ),
            table("subscribers", vec![column("email", Mode::Deterministic, "email")]),
        ],
    };
    load.finish(&declaration, &settings(), &|_, _, _| Ok(())).unwrap()
}

/// The text sent upstream with its outputs and parameters, or the refusals.
fn show(catalog: &Catalog, text: &str) -> String {
    let script = match analyse(text, catalog, &settings(), &[]) {
        Ok(script) => script,
        Err(refusal) => return format!("ERROR {}: {}", refusal.code, refusal.message),
    };
    if let Some(refusal) = script.statements.iter().find_map(|s| s.refusal.as_ref()) {
        return format!("{}: {}", refusal.code, refusal.message);
    }
    let (rendered, _) = render(text, &script, &|_, _| false, &mut |slot, value| {
        let column = catalog.column(slot.column);
        let stored = if slot.purpose == Purpose::Assign { "!" } else { "" };
        let casts: String = slot.casts.iter().map(|cast| format!("::{cast}")).collect();
        Ok(format!("<{}.{}{stored}:{value}{casts}>", column.table, column.column))
    });
    let mut shown = rendered.text;
    shown.push_str(&extras(catalog, &script));
    shown
}

fn extras(catalog: &Catalog, script: &Script) -> String {
    let mut shown = String::new();
    for statement in &script.statements {
        if !statement.params.is_identity() {
            let params: Vec<String> = statement
                .params
                .server
                .iter()
                .map(|p| match &p.seal {
                    None => format!("${}", p.client + 1),
                    Some(seal) => format!(
                        "${} as {}{}{} ({})",
                        p.client + 1,
                        catalog.column(seal.slot.column).column,
                        if seal.slot.purpose == Purpose::Assign { "!" } else { "" },
                        if seal.array { "[]" } else { "" },
                        seal.described
                    ),
                })
                .collect();
            shown.push_str(&format!(" | params {}", params.join(", ")));
        }
        if !statement.output.is_empty() {
            let output: Vec<String> = statement
                .output
                .iter()
                .map(|o| match o {
                    Output::Plain => "-".into(),
                    Output::Sealed { column, logical } => {
                        format!("{}:{logical}", catalog.column(*column).column)
                    }
                })
                .collect();
            shown.push_str(&format!(" | out {}", output.join(", ")));
        }
    }
    shown
}

/// Reads `tests/analysis.txt`: a statement, then `=> ` and what it becomes. With
/// `UPDATE_ANALYSIS=1` writes what it becomes now, to be reviewed as a diff.
#[test]
fn statements_become_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/analysis.txt");
    let table = std::fs::read_to_string(path).unwrap();
    let catalog = catalog();
    let mut fresh = String::new();
    let mut wrong = Vec::new();
    let mut statement: Option<&str> = None;
    for line in table.lines() {
        if let Some(expected) = line.strip_prefix("=> ") {
            let text = statement.take().expect("a statement stands in front of =>");
            let actual = show(&catalog, text);
            if actual != expected {
                wrong.push(format!("{text}\n  expected {expected}\n  actual   {actual}"));
            }
            fresh.push_str(&format!("=> {actual}\n"));
        } else {
            if !line.is_empty() && !line.starts_with('#') {
                statement = Some(line);
            }
            fresh.push_str(&format!("{line}\n"));
        }
    }
    if std::env::var_os("UPDATE_ANALYSIS").is_some() {
        std::fs::write(path, fresh).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
