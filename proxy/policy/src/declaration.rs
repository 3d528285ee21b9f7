//! Checks what a policy declares, and joins what several declare.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pgveil_seal::{Fold, Mode};
use pgveil_sql::protection::{
    ColumnProtection, Declaration, Profile, ProfileOwner, TableProtection,
};

use crate::bindings::pgveil::policy::types as wit;
use crate::error::{Mistake, PolicyError};
use crate::guest::one_line;
use crate::policy::Policy;

pub(crate) use wit::Declaration as Declared;

/// `NAMEDATALEN - 1`: PostgreSQL truncates longer identifiers, so none is longer
/// (PostgreSQL, "Identifiers and Key Words").
const NAME_BYTES: usize = 63;

/// Schemas whose tables cannot be protected: the server's own and pgveil's.
const RESERVED: [&str; 4] = ["pg_catalog", "information_schema", "pg_toast", "pgveil"];

/// Collects mistakes.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn push(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Mistake { path: path.into(), message: message.into() });
    }

    /// An identifier of PostgreSQL's.
    fn identifier(&mut self, path: &str, name: &str) {
        if name.is_empty() {
            self.push(path, "must not be empty");
        } else if name.contains('\0') {
            self.push(path, "must not contain the character U+0000");
        } else if name.len() > NAME_BYTES {
            let shown = one_line(name, 20);
            self.push(path, format!("{shown}... is longer than {NAME_BYTES} bytes"));
        }
    }

    /// A name of pgveil's own.
    fn word(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.chars().any(char::is_control) {
            self.push(path, "must not be empty nor contain control characters");
        }
    }
}

/// The declaration of policy `policy`, or everything that is wrong with it. A deterministic
/// column without a domain gets one of its own, `schema.table.column`.
pub(crate) fn check(policy: &str, declared: Declared) -> Result<Declaration, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let mut tables = Vec::with_capacity(declared.tables.len());
    for (index, table) in declared.tables.into_iter().enumerate() {
        tables.push(check_table(&mut mistakes, &format!("tables[{index}]"), policy, table));
    }
    let all: Vec<&TableProtection> = tables.iter().collect();
    contradictions(&mut mistakes, &all, |index| format!("tables[{index}]"));
    let mut safe_functions = Vec::with_capacity(declared.safe_functions.len());
    for (index, function) in declared.safe_functions.into_iter().enumerate() {
        let wit::SafeFunction { schema, function } = function;
        mistakes.identifier(&format!("safe_functions[{index}].schema"), &schema);
        mistakes.identifier(&format!("safe_functions[{index}].function"), &function);
        safe_functions.push((schema, function));
    }
    if mistakes.0.is_empty() { Ok(Declaration { tables, safe_functions }) } else { Err(mistakes.0) }
}

fn check_table(
    mistakes: &mut Mistakes,
    path: &str,
    policy: &str,
    declared: wit::TableProtection,
) -> TableProtection {
    let wit::TableProtection { schema, table, columns, profile } = declared;
    mistakes.identifier(&format!("{path}.schema"), &schema);
    mistakes.identifier(&format!("{path}.table"), &table);
    if RESERVED.contains(&schema.as_str()) {
        mistakes.push(format!("{path}.schema"), format!("tables of {schema} cannot be protected"));
    }
    if columns.is_empty() {
        mistakes.push(format!("{path}.columns"), "at least one column is needed");
    }

    let mut seen = HashSet::new();
    let mut protections = Vec::with_capacity(columns.len());
    for (index, declared) in columns.into_iter().enumerate() {
        let path = format!("{path}.columns[{index}]");
        let wit::ColumnProtection { column, mode, mut domain, keyring, fold, computed } = declared;
        mistakes.identifier(&format!("{path}.column"), &column);
        mistakes.word(&format!("{path}.keyring"), &keyring);
        if !seen.insert(column.clone()) {
            mistakes.push(format!("{path}.column"), format!("{column} is declared twice"));
        }
        let mode = match mode {
            wit::Mode::Deterministic => Mode::Deterministic,
            wit::Mode::Randomized => Mode::Randomized,
        };
        match mode {
            Mode::Deterministic => {
                if domain.is_empty() {
                    domain = format!("{schema}.{table}.{column}");
                }
                mistakes.word(&format!("{path}.domain"), &domain);
            }
            Mode::Randomized if domain.is_empty() => {}
            Mode::Randomized => mistakes.push(
                format!("{path}.domain"),
                "a randomized column has no domain: leave it empty, or make it deterministic",
            ),
        }
        let fold = fold.map(|fold| match fold {
            wit::Fold::LowerCase => Fold::Lower,
            wit::Fold::UpperCase => Fold::Upper,
        });
        if let (Some(fold), Mode::Randomized) = (fold, mode) {
            mistakes.push(
                format!("{path}.fold"),
                format!("{fold} of a randomized column is not compared: leave it out"),
            );
        }
        protections.push(ColumnProtection { column, mode, domain, keyring, fold, computed });
    }

    let mut protection = TableProtection {
        policy: policy.to_owned(),
        schema,
        table,
        columns: protections,
        profile: None,
    };
    protection.profile = profile
        .map(|profile| check_profile(mistakes, &format!("{path}.profile"), &protection, profile));
    protection
}

fn check_profile(
    mistakes: &mut Mistakes,
    path: &str,
    base: &TableProtection,
    declared: wit::Profile,
) -> Profile {
    let wit::Profile { owner, schema, table, link, key, copies } = declared;
    mistakes.identifier(&format!("{path}.schema"), &schema);
    mistakes.identifier(&format!("{path}.table"), &table);
    mistakes.identifier(&format!("{path}.link"), &link);
    mistakes.identifier(&format!("{path}.key"), &key);
    if (&schema, &table) == (&base.schema, &base.table) {
        mistakes.push(format!("{path}.table"), "a profile is another table than the protected one");
    }
    let protected = |column: &str| base.columns.iter().any(|c| c.column == column);
    if protected(&key) {
        mistakes.push(
            format!("{path}.key"),
            format!("{key} is protected itself; the key must be a plain column"),
        );
    }
    if copies.is_empty() {
        mistakes.push(format!("{path}.copies"), "at least one copy is needed");
    }
    let mut targets = HashSet::new();
    for (index, copy) in copies.iter().enumerate() {
        let path = format!("{path}.copies[{index}]");
        mistakes.identifier(&format!("{path}.into"), &copy.into);
        if !protected(&copy.column) {
            mistakes.push(
                format!("{path}.column"),
                format!("{} is not a protected column of {}", copy.column, base.table),
            );
        }
        if copy.into == link {
            mistakes.push(format!("{path}.into"), format!("{link} is the link already"));
        }
        if !targets.insert(&copy.into) {
            let message = format!("{} receives another column already", copy.into);
            mistakes.push(format!("{path}.into"), message);
        }
    }
    Profile {
        owner: match owner {
            wit::ProfileOwner::Pgveil => ProfileOwner::Pgveil,
            wit::ProfileOwner::Application => ProfileOwner::Application,
        },
        schema,
        table,
        link,
        key,
        copies: copies.into_iter().map(|copy| (copy.column, copy.into)).collect(),
    }
}

/// What single tables cannot show: a table declared twice, columns of one domain that fold
/// differently, a profile table used twice, a copy
/// that lands in a protected column, a profile of pgveil's that is a protected table.
fn contradictions(
    mistakes: &mut Mistakes,
    tables: &[&TableProtection],
    path: impl Fn(usize) -> String,
) {
    let mut seen = HashSet::new();
    for (index, table) in tables.iter().enumerate() {
        if !seen.insert((&table.schema, &table.table)) {
            let message = format!("{}.{} is declared twice", table.schema, table.table);
            mistakes.push(format!("{}.table", path(index)), message);
        }
    }
    // The first column of each domain, of a keyring, with how it folds.
    let mut domains: HashMap<(&str, &str), (String, Option<Fold>)> = HashMap::new();
    for (index, table) in tables.iter().enumerate() {
        for (at, column) in table.columns.iter().enumerate() {
            if column.mode != Mode::Deterministic {
                continue;
            }
            let name = format!("{}.{}.{}", table.schema, table.table, column.column);
            let (first, fold) = domains
                .entry((&column.keyring, &column.domain))
                .or_insert_with(|| (name.clone(), column.fold));
            if *fold != column.fold {
                let message = format!(
                    "{name} and {first} are of one domain, \"{}\": they fold alike, or not at all",
                    column.domain
                );
                mistakes.push(format!("{}.columns[{at}].fold", path(index)), message);
            }
        }
    }
    let mut seen = HashSet::new();
    for (index, table) in tables.iter().enumerate() {
        let Some(profile) = &table.profile else { continue };
        let path = format!("{}.profile", path(index));
        let name = format!("{}.{}", profile.schema, profile.table);
        if !seen.insert((&profile.schema, &profile.table)) {
            mistakes.push(format!("{path}.table"), format!("{name} is a profile of another table"));
        }
        let protected = tables
            .iter()
            .find(|t| t.schema == profile.schema && t.table == profile.table)
            .filter(|t| (&t.schema, &t.table) != (&table.schema, &table.table));
        let Some(protected) = protected else { continue };
        if profile.owner == ProfileOwner::Pgveil {
            let message = format!("{name} is a protected table; pgveil's own must be a new one");
            mistakes.push(format!("{path}.table"), message);
        }
        for (index, (_, into)) in profile.copies.iter().enumerate() {
            if protected.columns.iter().any(|c| &c.column == into) {
                mistakes.push(
                    format!("{path}.copies[{index}].into"),
                    format!("{name}.{into} is protected itself: it cannot receive copies"),
                );
            }
        }
    }
}

/// Everything that the policies declare. A table belongs to one policy.
pub fn merge(policies: &[Arc<Policy>]) -> Result<Declaration, PolicyError> {
    let tables: Vec<&TableProtection> =
        policies.iter().flat_map(|policy| &policy.declaration().tables).collect();
    let mut mistakes = Mistakes::default();
    contradictions(&mut mistakes, &tables, |index| {
        let table = tables[index];
        format!("policy \"{}\", {}.{}", table.policy, table.schema, table.table)
    });
    if mistakes.0.is_empty() {
        let safe_functions =
            policies.iter().flat_map(|policy| &policy.declaration().safe_functions).cloned();
        Ok(Declaration {
            tables: tables.into_iter().cloned().collect(),
            safe_functions: safe_functions.collect(),
        })
    } else {
        Err(PolicyError::Conflict { mistakes: mistakes.0 })
    }
}
