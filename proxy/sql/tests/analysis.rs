//! Statements before and after: what is sent upstream, what is opened, what is refused.
//!
//! Tokens are shown as `<column:value>`, so that a row of the table says which value was sealed
//! and how; fold handles as `<~column:value>`, with `lower` or `upper` where the value is folded.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect)]

mod computed;
mod fixture;
mod oracle;
mod size;

use fixture::{catalog, settings};
use pgveil_sql::catalog::Catalog;
use pgveil_sql::copy::CopyColumn;
use pgveil_sql::plan::{Finds, Output, Planned, Purpose, Script, Slot};
use pgveil_sql::shape::{Shape, Template};
use pgveil_sql::{Found, Resolved, analyse, render};

/// The text sent upstream with its outputs and parameters, or the refusals.
fn show(catalog: &Catalog, text: &str) -> String {
    let script = match analyse(text, catalog, &settings(), &[]) {
        Ok(script) => script,
        Err(refusal) => return format!("ERROR {}: {}", refusal.code, refusal.message),
    };
    if let Some(refusal) = script.statements.iter().find_map(|s| s.refusal.as_ref()) {
        return format!("{}: {}", refusal.code, refusal.message);
    }
    let mut seal = |slot: &Slot, value: &str| {
        let column = catalog.column(slot.column);
        let stored = mark(slot.purpose);
        let casts: String = slot.casts.iter().map(|cast| format!("::{cast}")).collect();
        let fold = slot.fold.map_or(String::new(), |fold| format!(" {fold}"));
        let handle = if slot.handle { "~" } else { "" };
        let name = format!("{handle}{}.{}{stored}", column.table, column.column);
        Ok(format!("<{name}:{value}{casts}{fold}>"))
    };
    let mut resolve = |planned: &Planned, index: usize| {
        let resolve = &planned.resolves[index];
        let column = catalog.column(resolve.column);
        let params = resolve.params.iter().map(|index| format!(" ${}", index + 1));
        let known = format!("{}{}", column.column, params.collect::<String>());
        let found = match resolve.finds {
            Finds::Truth => {
                Found::Truth { matched: format!("T{index}"), unknown: format!("U{index}") }
            }
            Finds::Rank(_) => {
                Found::Rank { handles: format!("H{index}"), ranks: format!("R{index}") }
            }
        };
        Ok(Resolved { relation: column.relation, number: column.number, found, known })
    };
    let (rendered, _) = render(text, &script, &|_, _| false, &mut seal, &mut resolve);
    let mut shown = rendered.text;
    shown.push_str(&extras(catalog, &script));
    shown
}

/// `!`: stored; `?`: stored if its row is; `?=`: compared as well.
fn mark(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Assign(_) => "!",
        Purpose::Compare(_) => "",
        Purpose::Row { compared: None, .. } => "?",
        Purpose::Row { compared: Some(_), .. } => "?=",
    }
}

fn outputs(catalog: &Catalog, list: &[Output]) -> String {
    let shown = |output: &Output| match output {
        Output::Plain => "-".into(),
        Output::Sealed { column, logical, detached: _, array } => {
            let array = if *array { "[]" } else { "" };
            format!("{}:{logical}{array}", catalog.column(*column).column)
        }
        Output::Row(fields) => format!("({})", outputs(catalog, fields)),
    };
    list.iter().map(shown).collect::<Vec<String>>().join(", ")
}

fn extras(catalog: &Catalog, script: &Script) -> String {
    let mut shown = String::new();
    for statement in &script.statements {
        if let Some(defined) = statement.defined() {
            shown.push_str(" | defines");
            shown.push_str(&extras(catalog, &Script { statements: vec![defined] }));
        }
        if let Some(copy) = &statement.copy {
            let column = |c: &CopyColumn| match c.sealed {
                Some(sealed) => format!("{}:{}", c.name, catalog.column(sealed).column),
                None => c.name.clone(),
            };
            let columns: Vec<String> = copy.columns.iter().map(column).collect();
            shown.push_str(&format!(" | copy {:?} {}", copy.options.format, columns.join(", ")));
        }
        if !statement.params.is_identity() {
            let params: Vec<String> = statement
                .params
                .server
                .iter()
                .map(|p| match &p.seal {
                    None => format!("${}", p.client + 1),
                    Some(seal) => format!(
                        "${} as {}{}{}{}{} ({})",
                        p.client + 1,
                        if seal.slot.handle { "~" } else { "" },
                        catalog.column(seal.slot.column).column,
                        mark(seal.slot.purpose),
                        if seal.array { "[]" } else { "" },
                        seal.slot.fold.map_or(String::new(), |fold| format!(" {fold}")),
                        seal.described
                    ),
                })
                .collect();
            shown.push_str(&format!(" | params {}", params.join(", ")));
        }
        if !statement.output.is_empty() {
            shown.push_str(&format!(" | out {}", outputs(catalog, &statement.output)));
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

/// A plan that is put on another text of its shape is the plan of that text.
#[test]
fn statements_of_one_shape_share_a_plan() {
    let (catalog, settings) = (catalog(), settings());
    let table = include_str!("analysis.txt");
    let mut shared = 0;
    for text in table.lines().filter(|l| !l.is_empty() && !l.starts_with(['#', '='])) {
        let Some(shape) = Shape::of(text, &settings) else { continue };
        let script = analyse(text, &catalog, &settings, &[]).unwrap();
        let Some(template) = Template::new(&script, &shape) else { continue };
        assert_eq!(template.apply(text, &shape).as_ref(), Some(&script), "{text}");
        // Other values of other lengths, and more space.
        let other = text.replace("'a", "'other: a").replace("'x'", "'o''x'").replace(' ', "  ");
        let shape_of_other = Shape::of(&other, &settings).unwrap();
        assert_eq!(shape.key, shape_of_other.key, "{text}");
        let fresh = analyse(&other, &catalog, &settings, &[]).unwrap();
        assert_eq!(template.apply(&other, &shape_of_other), Some(fresh), "{other}");
        shared += 1;
    }
    assert!(shared > 30, "{shared}");
}

#[test]
fn what_decides_more_than_a_value_is_part_of_the_shape() {
    let settings = settings();
    let key = |text: &str| Shape::of(text, &settings).map(|shape| shape.key);
    let same = |a: &str, b: &str| assert_eq!(key(a), key(b), "{a}\n{b}");
    let differ = |a: &str, b: &str| assert_ne!(key(a), key(b), "{a}\n{b}");
    same("SELECT 'a' FROM t WHERE id = 1 LIMIT 5", "SELECT 'b''' FROM t WHERE id =  22 LIMIT 50");
    same("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (3, 'c'), (44, 'd')");
    same("SELECT x FROM t WHERE id IN (1, 2)", "SELECT x FROM t WHERE id IN (3, 4)");
    differ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2");
    differ("SELECT a FROM t GROUP BY 1, 2", "SELECT a FROM t GROUP BY 1, 3");
    differ("SELECT 'a'::varchar(3) FROM t", "SELECT 'a'::varchar(4) FROM t");
    differ("SELECT 'a' FROM t", "SELECT 'a' FROM u");
    same("SELECT E'a' FROM t", "SELECT $$b$$ FROM t");
    differ("SELECT 'a' FROM t", "SELECT N'a' FROM t");
    differ("SELECT $1 FROM t", "SELECT $2 FROM t");
    assert_eq!(key("SELECT query_to_xml('SELECT 1', true, true, '')"), None);
    assert_eq!(key("SELECT 1; SELECT 2"), None);
    assert_eq!(key("SET x = 'y'"), None);
}
