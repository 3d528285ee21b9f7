//! Who sees what.

use std::fmt;

use pgveil_sdk::{
    ColumnFacts, Facts, RelationFacts, Reveal, Session, TableProtection, Verdict, allow, deny,
};

/// One rule of the configuration.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Which sessions.
    pub(crate) who: Criteria,
    /// Which columns; [`None`]: all.
    pub(crate) columns: Option<Vec<ColumnName>>,
    /// What happens.
    pub(crate) action: Action,
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Action {
    /// The session sees this much.
    Show(Reveal),
    /// A statement that uses the column is refused.
    Deny,
}

/// Which sessions a rule is for. An empty list asks nothing.
#[derive(Debug, Default)]
pub(crate) struct Criteria {
    pub(crate) user: Vec<String>,
    pub(crate) role: Vec<String>,
    pub(crate) database: Vec<String>,
    pub(crate) application_name: Vec<String>,
}

impl Criteria {
    fn matches(&self, session: &Session) -> bool {
        let one_of = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        one_of(&self.user, &session.user)
            && one_of(&self.role, &session.role)
            && one_of(&self.database, &session.database)
            && one_of(&self.application_name, &session.application_name)
    }
}

/// A protected column by its full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnName {
    schema: String,
    table: String,
    column: String,
}

impl ColumnName {
    /// Every protected column.
    pub(crate) fn all(tables: &[TableProtection]) -> Vec<Self> {
        let columns = tables.iter().flat_map(|t| t.columns.iter().map(move |c| (t, c)));
        columns
            .map(|(table, column)| Self {
                schema: table.schema.clone(),
                table: table.table.clone(),
                column: column.column.clone(),
            })
            .collect()
    }

    /// The columns that `name` stands for: `email`, `auth_user.email` or
    /// `public.auth_user.email`.
    pub(crate) fn resolve(name: &str, tables: &[TableProtection]) -> Vec<Self> {
        let mut columns = Self::all(tables);
        columns.retain(|c| {
            let qualified = format!("{}.{}", c.table, c.column);
            name == c.column || name == qualified || name == c.to_string()
        });
        columns
    }

    fn is(&self, table: &RelationFacts, column: &ColumnFacts) -> bool {
        self.column == column.column && self.table == table.table && self.schema == table.schema
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.schema, self.table, self.column)
    }
}

/// Applies the first matching rule to each column. One denied column denies the statement.
pub(crate) fn review(rules: &[Rule], session: &Session, facts: &Facts) -> Verdict {
    let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.who.matches(session)).collect();
    let mut denied = None;
    let verdict = allow(facts, |table, column| {
        let rule = rules.iter().find(|rule| {
            rule.columns.as_ref().is_none_or(|names| names.iter().any(|n| n.is(table, column)))
        });
        match rule.map(|rule| &rule.action) {
            None => Reveal::Reveal,
            Some(Action::Show(reveal)) => reveal.clone(),
            Some(Action::Deny) => {
                let name = format!("{}.{}.{}", table.schema, table.table, column.column);
                denied.get_or_insert(name);
                Reveal::Withhold
            }
        }
    });
    match denied {
        None => verdict,
        Some(name) => deny(
            format!("permission denied for protected column {name}"),
            Some("Name only columns that this session may use, or ask for a rule that allows it."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use pgveil_sdk::{Decision, Mask, Policy, Uses};

    use super::*;
    use crate::UserProfile;

    const CONFIG: &str = r#"{
        "tables": [
            {"table": "auth_user", "columns": [
                {"column": "email", "mode": "deterministic"},
                {"column": "last_name", "mode": "randomized"}]},
            {"schema": "crm", "table": "lead", "columns": [
                {"column": "email", "mode": "deterministic"}]}
        ],
        "sessions": [
            {"role": "auditor", "application_name": "psql", "reveal": "reveal"},
            {"role": "auditor", "columns": "lead.email", "reveal": "deny"},
            {"role": "auditor", "columns": ["email"], "reveal": "mask"},
            {"database": "copy", "reveal": "withhold"}
        ]}"#;

    /// What a session sees of `public.auth_user.email`, `.last_name` and `crm.lead.email`.
    fn sees(change: impl FnOnce(&mut Session), tables: usize) -> Verdict {
        let column = |id: u32, column: &str| ColumnFacts {
            id,
            column: column.to_owned(),
            uses: Uses::OUTPUT,
        };
        let table = |schema: &str, table: &str, columns| RelationFacts {
            schema: schema.to_owned(),
            table: table.to_owned(),
            columns,
        };
        let mut relations = vec![
            table("public", "auth_user", vec![column(0, "email"), column(1, "last_name")]),
            table("crm", "lead", vec![column(2, "email")]),
        ];
        relations.truncate(tables);
        let mut session = Session {
            user: "web".to_owned(),
            role: "web".to_owned(),
            database: "main".to_owned(),
            application_name: "gunicorn".to_owned(),
            client_address: String::new(),
        };
        change(&mut session);
        let policy = UserProfile::configure(CONFIG).unwrap();
        policy.review(&session, &Facts { verb: "select".to_owned(), relations })
    }

    fn allowed(reveals: &[Reveal]) -> Verdict {
        let decisions = reveals.iter().cloned().zip(0..);
        Verdict::Allow(decisions.map(|(reveal, column)| Decision { column, reveal }).collect())
    }

    #[test]
    fn without_a_rule_everything_is_revealed() {
        let all = [Reveal::Reveal, Reveal::Reveal, Reveal::Reveal];
        assert_eq!(sees(|_| {}, 2), allowed(&all));
    }

    #[test]
    fn the_first_rule_that_matches_session_and_column_counts() {
        let mask = Mask { keep_first: 1, keep_last: 0, with: "***".to_owned() };
        let seen = sees(|s| s.role = "auditor".to_owned(), 1);
        assert_eq!(seen, allowed(&[Reveal::Mask(mask), Reveal::Reveal]));
        let seen = sees(
            |s| {
                s.role = "auditor".to_owned();
                s.application_name = "psql".to_owned();
            },
            2,
        );
        assert_eq!(seen, allowed(&[Reveal::Reveal, Reveal::Reveal, Reveal::Reveal]));
        let seen = sees(|s| s.database = "copy".to_owned(), 1);
        assert_eq!(seen, allowed(&[Reveal::Withhold, Reveal::Withhold]));
    }

    #[test]
    fn one_denied_column_denies_the_statement() {
        let Verdict::Deny(denial) = sees(|s| s.role = "auditor".to_owned(), 2) else {
            panic!("allowed")
        };
        assert_eq!(denial.message, "permission denied for protected column crm.lead.email");
    }
}
