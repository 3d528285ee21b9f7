//! What else is in scope because it shows a sealed column: partitions, views, functions.

use std::collections::{HashMap, HashSet};

use super::load::FunctionRow;
use super::protect::unusable;
use super::{Catalog, Problem, ScopedFunction, Settings};
use crate::refusal::Refusal;

/// Partitions and inheritance children hold the same columns; their parents show them.
pub(super) fn inherit(catalog: &mut Catalog, children: &[(u32, u32)]) {
    let mut changed = true;
    while changed {
        changed = false;
        for (child, parent) in children {
            let Some(above) = catalog.relations.get(parent) else { continue };
            if above.protected.is_none() {
                // A parent without protection over a protected child would show tokens.
                let protected_child = catalog
                    .relations
                    .get(child)
                    .filter(|c| c.protected.is_some())
                    .map(|c| format!("{}.{}", c.schema, c.name));
                if let (Some(name), Some(above)) =
                    (protected_child, catalog.relations.get_mut(parent))
                    && !above.in_scope
                {
                    above.in_scope = true;
                    let message = format!(
                        "table {}.{} is a parent of the protected table {name}",
                        above.schema, above.name
                    );
                    above.problems.push(Problem {
                        writes_only: false,
                        refusal: unusable(message, "Declare the parent's columns in the policy."),
                    });
                    changed = true;
                }
                continue;
            }
            let protected = above.protected.clone();
            let problems = above.problems.clone();
            let sealed: Vec<_> =
                above.columns.iter().filter_map(|c| Some((c.name.clone(), c.sealed?))).collect();
            let Some(below) = catalog.relations.get_mut(child) else { continue };
            if below.protected.is_some() {
                continue;
            }
            for (name, sealed) in sealed {
                if let Some(column) = below.columns.iter_mut().find(|c| c.name == name) {
                    column.sealed = Some(sealed);
                }
            }
            below.protected = protected;
            below.problems.extend(problems);
            below.in_scope = true;
            changed = true;
        }
    }
}

/// The words of a text that may be names: what a lexer would call identifiers, without its rules,
/// since bodies come in any language.
fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| !word.is_empty())
        .collect()
}

fn mentions(words: &HashSet<&str>, name: &str) -> bool {
    // A name with other characters is quoted in the text and falls apart into several words.
    words_of_name(name).all(|part| words.iter().any(|word| word.eq_ignore_ascii_case(part)))
}

fn words_of_name(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).filter(|w| !w.is_empty())
}

/// Views are analysed with their own definition, views of views after the views they read.
pub(super) fn follow_views(catalog: &mut Catalog, views: &[(u32, String)], settings: &Settings) {
    let worded: Vec<_> = views.iter().map(|(oid, text)| (*oid, text, words(text))).collect();
    // One pass more for every level of views over views.
    for _ in 0..=worded.len() {
        let mut changed = false;
        let relations = catalog.relations.values().filter(|r| r.in_scope).map(|r| &r.name);
        let functions = catalog.functions.iter().map(|function| &function.name);
        let in_scope: Vec<String> = relations.chain(functions).cloned().collect();
        for (oid, text, words) in &worded {
            if !in_scope.iter().any(|name| mentions(words, name)) {
                continue;
            }
            let columns = crate::analyse::view_columns(text, catalog, settings);
            let Some(view) = catalog.relations.get_mut(oid) else { continue };
            if view.schema == "pgveil" {
                continue;
            }
            let before: Vec<_> = view.columns.iter().map(|c| c.sealed).collect();
            let was = (view.in_scope, view.problems.len());
            view.problems.clear();
            match columns {
                Ok(columns) if columns.len() == view.columns.len() => {
                    // Names nothing protected after all: a column or alias of the same name.
                    view.in_scope = columns.touches;
                    for (column, sealed) in view.columns.iter_mut().zip(columns.sealed) {
                        column.sealed = sealed;
                    }
                }
                Ok(_) => {
                    view.in_scope = true;
                    view.problems.push(Problem {
                        writes_only: false,
                        refusal: unusable(
                            format!("the view {}.{} has changed", view.schema, view.name),
                            "Try again.",
                        ),
                    });
                }
                Err(refusal) => {
                    view.in_scope = true;
                    view.problems.push(Problem {
                        writes_only: false,
                        refusal: Refusal {
                            code: refusal.code,
                            message: format!(
                                "the view {}.{} cannot be used: {}",
                                view.schema, view.name, refusal.message
                            ),
                            detail: refusal.detail,
                            hint: refusal.hint,
                            position: None,
                        },
                    });
                }
            }
            let after = view.columns.iter().map(|c| c.sealed);
            changed |= !after.eq(before) || was != (view.in_scope, view.problems.len());
        }
        if !changed {
            break;
        }
    }
}

/// `pg_type.oid` of `trigger` and `event_trigger`: such functions cannot be called in SQL.
const TRIGGER_RESULTS: [u32; 2] = [2279, 3838];

/// Functions that name a relation in scope, or call a function that does, are in scope. One that
/// the policy declares safe, and that returns rows of a relation in scope, is so as that relation.
pub(super) fn follow_functions(
    catalog: &mut Catalog,
    functions: &[FunctionRow],
    row_types: &HashMap<u32, u32>,
    safe: &[(String, String)],
) {
    catalog.functions.clear();
    let is_called = |f: &&FunctionRow| f.schema != "pgveil" && !TRIGGER_RESULTS.contains(&f.result);
    let mut waiting: Vec<_> = functions.iter().filter(is_called).collect();
    let mut scope: Vec<(String, String)> = catalog
        .relations
        .values()
        .filter(|r| r.in_scope && r.schema != "pgveil")
        .map(|r| (r.name.clone(), format!("{}.{}", r.schema, r.name)))
        .collect();
    let relation = |oid: &u32| {
        let relation = row_types.get(oid).and_then(|oid| catalog.relations.get(oid));
        relation.filter(|relation| relation.in_scope)
    };
    let mut all = Vec::new();
    loop {
        let mut found = Vec::new();
        waiting.retain(|function| {
            let is_safe = safe.iter().any(|(s, f)| *s == function.schema && *f == function.name);
            let mut types = std::iter::once(&function.result).chain(&function.arguments);
            let by_type = types.find_map(relation);
            let path = by_type.map(|r| format!("{}.{}", r.schema, r.name)).or_else(|| {
                if is_safe {
                    return None;
                }
                let words = words(&function.body);
                scope.iter().find(|(name, _)| mentions(&words, name)).map(|(_, path)| path.clone())
            });
            let Some(path) = path else { return true };
            // Which of several functions of a name a call means is not looked into.
            let alone = functions.iter().filter(|f| f.name == function.name).all(|other| {
                other.schema == function.schema
                    && other.result == function.result
                    && other.arguments.iter().all(|argument| relation(argument).is_none())
            });
            found.push(ScopedFunction {
                schema: function.schema.clone(),
                name: function.name.clone(),
                relation: path,
                rows: relation(&function.result).filter(|_| is_safe && alone).map(|r| r.oid),
            });
            false
        });
        if found.is_empty() {
            break;
        }
        scope = found.iter().map(|f| (f.name.clone(), f.relation.clone())).collect();
        all.extend(found);
    }
    catalog.functions = all;
}
