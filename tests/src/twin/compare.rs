//! What a client can see, side by side.

use std::fmt::Write as _;

use crate::client::{Fields, Outcome, Reply};

/// Fields of the server's source code: a function's name and line may change within one version,
/// and a proxy has others.
const SOURCE: [char; 3] = ['F', 'L', 'R'];

/// The first oid that is not the server's own (`FirstNormalObjectId` in `transam.h`).
const FIRST_OF_DATABASE: u32 = 16384;

/// Everything that differs between two replies, in words; empty when a client could not tell
/// them apart. `ordered`: the order of rows counts. `except`: letters of error fields that do not.
pub(crate) fn differences(
    plain: &Reply,
    veiled: &Reply,
    ordered: bool,
    except: &[char],
) -> Vec<String> {
    let mut found = Vec::new();
    if plain.results.len() != veiled.results.len() {
        let (plain, veiled) = (plain.results.len(), veiled.results.len());
        found.push(format!("number of results: {plain} and {veiled}"));
    }
    for (plain, veiled) in plain.results.iter().zip(&veiled.results) {
        outcome(plain, veiled, ordered, except, &mut found);
    }
    if plain.parameters != veiled.parameters {
        found.push(format!("parameter types: {:?} and {:?}", plain.parameters, veiled.parameters));
    }
    if plain.notices.len() != veiled.notices.len() {
        found.push(format!("notices: {:?} and {:?}", plain.notices, veiled.notices));
    }
    for (plain, veiled) in plain.notices.iter().zip(&veiled.notices) {
        fields("notice", plain, veiled, except, &mut found);
    }
    if plain.settings != veiled.settings {
        found.push(format!("settings reported: {:?} and {:?}", plain.settings, veiled.settings));
    }
    if plain.status != veiled.status {
        found.push(format!("transaction status: {} and {}", plain.status, veiled.status));
    }
    found
}

fn outcome(
    plain: &Outcome,
    veiled: &Outcome,
    ordered: bool,
    except: &[char],
    found: &mut Vec<String>,
) {
    match (plain, veiled) {
        (
            Outcome::Done { columns: plain_columns, rows: plain_rows, tag: plain_tag },
            Outcome::Done { columns, rows, tag },
        ) => {
            columns_differ(plain_columns, columns, found);
            if plain_tag != tag {
                found.push(format!("command tag: {plain_tag} and {tag}"));
            }
            let sort = |rows: &[Vec<Option<Vec<u8>>>]| {
                let mut rows = rows.to_vec();
                rows.sort();
                rows
            };
            if sort(plain_rows) != sort(rows) {
                found.push("rows".to_owned());
            } else if ordered && plain_rows != rows {
                found.push("order of rows".to_owned());
            }
        }
        (Outcome::Failed(plain), Outcome::Failed(veiled)) => {
            fields("error", plain, veiled, except, found);
        }
        (Outcome::Described(plain), Outcome::Described(veiled)) => {
            columns_differ(plain, veiled, found);
        }
        _ => found.push("kind of answer".to_owned()),
    }
}

fn columns_differ(plain: &[crate::Column], veiled: &[crate::Column], found: &mut Vec<String>) {
    if plain.len() != veiled.len() {
        found.push(format!("number of columns: {} and {}", plain.len(), veiled.len()));
    }
    for (index, (plain, veiled)) in plain.iter().zip(veiled).enumerate() {
        let mut differ = |what: &str, plain: &dyn std::fmt::Debug, veiled: &dyn std::fmt::Debug| {
            let (plain, veiled) = (format!("{plain:?}"), format!("{veiled:?}"));
            if plain != veiled {
                found.push(format!("{what} of column {}: {plain} and {veiled}", index + 1));
            }
        };
        differ("name", &plain.name, &veiled.name);
        // Oids differ from database to database; whether there is a table does not.
        differ("table presence", &(plain.table != 0), &(veiled.table != 0));
        differ("attribute number", &plain.number, &veiled.number);
        // So do those of the row types of tables.
        let known = |oid: u32| oid.min(FIRST_OF_DATABASE);
        differ("type", &known(plain.type_oid), &known(veiled.type_oid));
        differ("type length", &plain.type_length, &veiled.type_length);
        differ("type modifier", &plain.typmod, &veiled.typmod);
        differ("format", &plain.format, &veiled.format);
    }
}

fn fields(what: &str, plain: &Fields, veiled: &Fields, except: &[char], found: &mut Vec<String>) {
    let counts = |letter: char| !SOURCE.contains(&letter) && !except.contains(&letter);
    let letters = plain.0.iter().chain(&veiled.0).map(|(letter, _)| *letter);
    let mut letters: Vec<char> = letters.filter(|letter| counts(*letter)).collect();
    letters.sort_unstable();
    letters.dedup();
    for letter in letters {
        let (plain, veiled) = (plain.get(letter), veiled.get(letter));
        if plain != veiled {
            let name = field_name(letter);
            found.push(format!("{what} {name}: {plain:?} and {veiled:?}"));
        }
    }
}

fn field_name(letter: char) -> String {
    match letter {
        'C' => "SQLSTATE".to_owned(),
        'M' => "message".to_owned(),
        'D' => "detail".to_owned(),
        'H' => "hint".to_owned(),
        'P' => "position".to_owned(),
        's' => "schema".to_owned(),
        't' => "table".to_owned(),
        'c' => "column".to_owned(),
        'n' => "constraint".to_owned(),
        other => format!("field {other}"),
    }
}

/// A reply as a person wants to read it.
pub(crate) fn show(reply: &Reply) -> String {
    let mut text = String::new();
    for outcome in &reply.results {
        match outcome {
            Outcome::Done { columns, rows, tag } => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let _ = write!(text, "[{tag}] {}", names.join(", "));
                for row in rows.iter().take(8) {
                    let values: Vec<String> =
                        row.iter().map(|value| show_value(value.as_deref())).collect();
                    let _ = write!(text, "\n            {}", values.join(" | "));
                }
                if rows.len() > 8 {
                    let _ = write!(text, "\n            ... {} rows", rows.len());
                }
            }
            Outcome::Failed(fields) => {
                let shown = fields.0.iter().filter(|(letter, _)| !SOURCE.contains(letter));
                let shown = Fields(shown.cloned().collect());
                let _ = write!(text, "error {shown:?}");
            }
            Outcome::Described(columns) => {
                let _ = write!(text, "described {} columns", columns.len());
            }
        }
        text.push_str("; ");
    }
    let _ = write!(text, "status {}", reply.status);
    text
}

fn show_value(value: Option<&[u8]>) -> String {
    match value {
        None => "∅".to_owned(),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => format!("{text:?}"),
            _ => format!("{bytes:02x?}"),
        },
    }
}
