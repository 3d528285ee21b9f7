//! Reads the configuration.

use pgveil_sdk::config::{Errors, Section, parse};
use pgveil_sdk::{
    ColumnProtection, ConfigErrors, Declaration, EncryptedCopy, Fold, Mask, Mode, Profile,
    ProfileOwner, Reveal, SafeFunction, TableProtection,
};

use crate::rules::{Action, ColumnName, Criteria, Rule};

/// The declaration and the rules, or every mistake.
pub(crate) fn read(config: &str) -> Result<(Declaration, Vec<Rule>), ConfigErrors> {
    let document = parse(config)?;
    let errors = Errors::default();
    let root = Section::root(&document, &errors);

    let sections = root.sections("tables");
    if root.is_empty_list("tables") {
        root.error("tables", "at least one table is needed: { table = ..., columns = [...] }");
    }
    let mut tables = Vec::new();
    for section in sections {
        let path = section.path("table");
        let Some(table) = read_table(section) else { continue };
        if tables.iter().any(|t: &TableProtection| same_table(t, &table)) {
            errors.push(path, format!("{}.{} is listed above", table.schema, table.table));
        }
        tables.push(table);
    }

    let safe_functions = read_functions(&root);
    let rules = root.sections("sessions").into_iter().map(|s| read_rule(s, &tables)).collect();
    root.finish();
    errors.into_result(Some((Declaration { tables, safe_functions }, rules)))
}

/// `safe_functions = ["public.purge"]`
fn read_functions(root: &Section<'_>) -> Vec<SafeFunction> {
    let mut functions: Vec<SafeFunction> = Vec::new();
    for name in root.strings("safe_functions").unwrap_or_default() {
        let (schema, function) = name.split_once('.').unwrap_or(("public", &name));
        if functions.iter().any(|f| f.schema == schema && f.function == function) {
            root.error("safe_functions", format!("{name} is listed twice"));
        }
        functions.push(SafeFunction { schema: schema.to_owned(), function: function.to_owned() });
    }
    functions
}

fn same_table(a: &TableProtection, b: &TableProtection) -> bool {
    a.schema == b.schema && a.table == b.table
}

/// [`None`] when it has no name. Columns that are not complete are left out: the mistake is noted,
/// so the table is used for nothing but finding more mistakes.
fn read_table(section: Section<'_>) -> Option<TableProtection> {
    let schema = section.string("schema").unwrap_or_else(|| "public".to_owned());
    let name = section.required_string("table", "the table's name, e.g. \"auth_user\"");

    let mut columns: Vec<ColumnProtection> = Vec::new();
    let sections = section.sections("columns");
    if sections.is_empty() && section.is_empty_list("columns") {
        section.error(
            "columns",
            "at least one column is needed: { column = ..., mode = \"deterministic\" or \
             \"randomized\" }",
        );
    }
    for section in sections {
        if let Some(column) = read_column(&section) {
            if columns.iter().any(|c| c.column == column.column) {
                section.error("column", format!("{} is listed above", column.column));
            }
            columns.push(column);
        }
        section.finish();
    }

    let profile = section.section("profile").map(|s| read_profile(s, &schema, &columns));
    section.finish();
    Some(TableProtection { schema, table: name?, columns, profile: profile.flatten() })
}

fn read_column(section: &Section<'_>) -> Option<ColumnProtection> {
    let column = section.required_string("column", "the column's name, e.g. \"email\"");
    let mode = section.required_word(
        "mode",
        &[("deterministic", Mode::Deterministic), ("randomized", Mode::Randomized)],
    );
    let domain = section.string("domain");
    if domain.is_some() && mode == Some(Mode::Randomized) {
        section.error("domain", "a randomized column has no domain: leave it out");
    }
    let keyring = section.string("keyring").unwrap_or_else(|| "default".to_owned());
    let fold = section.word("fold", &[("lower", Fold::LowerCase), ("upper", Fold::UpperCase)]);
    if fold.is_some() && mode == Some(Mode::Randomized) {
        section.error("fold", "a randomized column is not compared: leave it out");
    }
    let computed = section.truth("computed").unwrap_or(false);
    // A column without a mode still has a name, which the copies and rules below may use.
    Some(ColumnProtection {
        column: column?,
        mode: mode.unwrap_or(Mode::Randomized),
        domain: domain.unwrap_or_default(),
        keyring,
        fold,
        computed,
    })
}

fn read_profile(
    section: Section<'_>,
    table_schema: &str,
    columns: &[ColumnProtection],
) -> Option<Profile> {
    let owner = section
        .word(
            "owner",
            &[("pgveil", ProfileOwner::Pgveil), ("application", ProfileOwner::Application)],
        )
        .unwrap_or(ProfileOwner::Pgveil);
    let schema = section.string("schema").unwrap_or_else(|| table_schema.to_owned());
    let table = section.required_string("table", "the profile table's name");
    let link = section
        .required_string("link", "the profile's column that holds the key, e.g. \"user_id\"");
    let key = section
        .required_string("key", "the protected table's column that link refers to, e.g. \"id\"");

    let mut copies: Vec<EncryptedCopy> = Vec::new();
    match section.section("copies") {
        None => section.error(
            "copies",
            "is missing: which column is copied into which, e.g. { email = \"encrypted_email\" }",
        ),
        Some(names) => {
            for (column, into) in names.texts() {
                let mistake = if !columns.iter().any(|c| c.column == column) {
                    let known: Vec<_> = columns.iter().map(|c| c.column.as_str()).collect();
                    Some(format!("is not a protected column; those are {}", known.join(", ")))
                } else if copies.iter().any(|copy| copy.into == into) {
                    Some(format!("{into} receives another column already"))
                } else if Some(&into) == link.as_ref() {
                    Some(format!("{into} is the link to the protected table"))
                } else {
                    None
                };
                if let Some(mistake) = mistake {
                    section.error(&format!("copies.{column}"), mistake);
                }
                copies.push(EncryptedCopy { column, into });
            }
            if copies.is_empty() {
                section.error("copies", "must name at least one column");
            }
        }
    }
    section.finish();
    Some(Profile { owner, schema, table: table?, link: link?, key: key?, copies })
}

/// The words after `reveal =`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Reveal,
    Mask,
    Withhold,
    Deny,
}

fn read_rule(section: Section<'_>, tables: &[TableProtection]) -> Rule {
    let who = Criteria {
        user: section.strings("user").unwrap_or_default(),
        role: section.strings("role").unwrap_or_default(),
        database: section.strings("database").unwrap_or_default(),
        application_name: section.strings("application_name").unwrap_or_default(),
    };
    let mut columns = Vec::new();
    for name in section.strings("columns").unwrap_or_default() {
        let found = ColumnName::resolve(&name, tables);
        if found.is_empty() {
            let known: Vec<_> = ColumnName::all(tables).iter().map(ToString::to_string).collect();
            section.error(
                "columns",
                format!("{name} is not a protected column; those are {}", known.join(", ")),
            );
        }
        columns.extend(found);
    }
    let every_column = !section.has("columns");

    let word = section.required_word(
        "reveal",
        &[
            ("reveal", Word::Reveal),
            ("mask", Word::Mask),
            ("withhold", Word::Withhold),
            ("deny", Word::Deny),
        ],
    );
    if word.is_some_and(|word| word != Word::Mask) {
        for key in ["keep_first", "keep_last", "with"] {
            if section.has(key) {
                section.error(key, "belongs to reveal = \"mask\" only");
            }
        }
    }
    let mask = Mask {
        keep_first: section.number("keep_first").unwrap_or(1),
        keep_last: section.number("keep_last").unwrap_or(0),
        with: section.text("with").unwrap_or_else(|| "***".to_owned()),
    };
    let action = match word {
        Some(Word::Reveal) => Action::Show(Reveal::Reveal),
        Some(Word::Mask) => Action::Show(Reveal::Mask(mask)),
        Some(Word::Withhold) => Action::Show(Reveal::Withhold),
        // Without a word the mistake is noted and the rule is never used.
        Some(Word::Deny) | None => Action::Deny,
    };
    section.finish();
    Rule { who, columns: (!every_column).then_some(columns), action }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `path: message` of every mistake.
    fn mistakes(config: &str) -> Vec<String> {
        let errors = read(config).unwrap_err().0;
        errors.into_iter().map(|error| format!("{}: {}", error.path, error.message)).collect()
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(mistakes("{}").len(), 1);
        assert!(mistakes("{}")[0].starts_with("tables: at least one table is needed"));
        assert_eq!(mistakes("[]"), [": a table is expected here, not a list"]);
        assert_eq!(
            mistakes(r#"{"tables": {}}"#),
            ["tables: a list of tables is expected, not a table"]
        );
        assert_eq!(mistakes("{").len(), 1);
    }

    #[test]
    fn every_mistake_of_a_table() {
        let found = mistakes(
            r#"{"tables": [
                {"columns": [{"column": "email", "mode": "quick"}, {"mode": "randomized"}]},
                {"table": "a", "columns": [
                    {"column": "x", "mode": "randomized", "domain": "d", "fold": "lower"},
                    {"column": "x", "mode": "deterministic", "keyrin": "k", "computed": 1}
                ], "profile": {"owner": "me", "copies": {"x": "a", "y": "b", "z": "a"}}},
                {"table": "a", "columns": []}
            ]}"#,
        );
        assert_eq!(
            found,
            [
                "tables[0].table: is missing: the table's name, e.g. \"auth_user\"",
                "tables[0].columns[0].mode: must be \"deterministic\" or \"randomized\", not \
                 \"quick\"",
                "tables[0].columns[1].column: is missing: the column's name, e.g. \"email\"",
                "tables[1].columns[0].domain: a randomized column has no domain: leave it out",
                "tables[1].columns[0].fold: a randomized column is not compared: leave it out",
                "tables[1].columns[1].computed: true or false is expected, not 1",
                "tables[1].columns[1].column: x is listed above",
                "tables[1].columns[1].keyrin: is not known here; known are \"column\", \"mode\", \
                 \"domain\", \"keyring\", \"fold\" or \"computed\"",
                "tables[1].profile.owner: must be \"pgveil\" or \"application\", not \"me\"",
                "tables[1].profile.table: is missing: the profile table's name",
                "tables[1].profile.link: is missing: the profile's column that holds the key, \
                 e.g. \"user_id\"",
                "tables[1].profile.key: is missing: the protected table's column that link refers \
                 to, e.g. \"id\"",
                "tables[1].profile.copies.y: is not a protected column; those are x, x",
                "tables[1].profile.copies.z: is not a protected column; those are x, x",
                "tables[2].columns: at least one column is needed: { column = ..., mode = \
                 \"deterministic\" or \"randomized\" }",
                "tables[2].table: public.a is listed above",
            ]
        );
    }

    #[test]
    fn every_mistake_of_a_rule() {
        let found = mistakes(
            r#"{"tables": [{"table": "a", "columns": [{"column": "x", "mode": "randomized"}]}],
                "sessions": [
                    {"columns": ["y", "b.x"], "reveal": "some"},
                    {"user": [], "reveal": "withhold", "with": "-"},
                    {"role": 7, "reveal": "mask", "keep_first": -1}
                ]}"#,
        );
        assert_eq!(
            found,
            [
                "sessions[0].columns: y is not a protected column; those are public.a.x",
                "sessions[0].columns: b.x is not a protected column; those are public.a.x",
                "sessions[0].reveal: must be \"reveal\", \"mask\", \"withhold\" or \"deny\", not \
                 \"some\"",
                "sessions[1].user: must not be empty; leave it out instead",
                "sessions[1].with: belongs to reveal = \"mask\" only",
                "sessions[2].role: a text is expected, not a number",
                "sessions[2].keep_first: a whole number from 0 is expected, not -1",
            ]
        );
    }

    #[test]
    fn defaults() {
        let (declaration, rules) = read(
            r#"{"tables": [{"table": "a", "columns": [{"column": "x", "mode": "deterministic"}],
                "profile": {"table": "p", "link": "a_id", "key": "id", "copies": {"x": "ex"}}}]}"#,
        )
        .unwrap();
        let table = &declaration.tables[0];
        assert_eq!((&*table.schema, &*table.columns[0].keyring), ("public", "default"));
        assert_eq!((&*table.columns[0].domain, table.columns[0].fold), ("", None));
        assert!(!table.columns[0].computed);
        let profile = table.profile.as_ref().unwrap();
        assert_eq!((profile.owner, &*profile.schema), (ProfileOwner::Pgveil, "public"));
        assert!(rules.is_empty());
    }
}
