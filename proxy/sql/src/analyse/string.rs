//! What the statements of one string mean for those behind them: which relation an unqualified
//! name means, and which columns relations have that are not in scope.
//!
//! A statement that was not looked into makes, drops, renames or alters relations by the names in
//! it. Where such a name is one in scope as well, the search path tells which is meant.

use std::collections::HashSet;

use super::classify::{Objects, defined_relations};
use crate::catalog::{Catalog, Settings};
use crate::lex::{Token, identifier};
use crate::plan::{Planned, Verb};

/// What the earlier statements have left.
#[derive(Default)]
pub(super) struct Earlier {
    /// Relations that are not in scope, and that were made or altered; without a schema those that
    /// are not known.
    reshaped: HashSet<(Option<String>, String)>,
    /// Names in scope that mean another relation now, unless they are qualified.
    moved: HashSet<String>,
}

impl Earlier {
    /// An unqualified name may mean another relation than it did.
    pub(super) fn moves(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Adds a statement after which names mean what they meant, but for those of its own objects.
    pub(super) fn add(
        &mut self,
        text: &str,
        tokens: &[Token],
        catalog: &Catalog,
        settings: &Settings,
    ) {
        let Objects { relations, replaces } = defined_relations(text, tokens);
        for (schema, name) in relations {
            let found = resolved(&name, catalog, settings);
            let schema = schema.or_else(|| found.map(str::to_owned));
            let relation = schema.as_deref().and_then(|schema| catalog.relation(schema, &name));
            if replaces && catalog.scoped.contains_key(&name) {
                let place = |schema: &str| {
                    // `pg_temp` is another name of the session's own.
                    let position = settings.search_path.iter().position(|s| *s == schema);
                    position.or_else(|| schema.starts_with("pg_temp").then_some(0))
                };
                let before = match (schema.as_deref().map(place), found.map(place)) {
                    (Some(None), _) => false,
                    (Some(Some(new)), Some(Some(old))) => new <= old,
                    _ => true,
                };
                if before {
                    self.moved.insert(name.clone());
                }
            }
            if relation.is_none_or(|relation| !relation.in_scope) {
                self.reshaped.insert((schema, name));
            }
        }
    }

    /// A name in the statement means another relation than the catalog says.
    pub(super) fn moved_in(&self, text: &str, tokens: &[Token]) -> bool {
        self.moves()
            && names(text, tokens)
                .any(|(schema, name)| schema.is_none() && self.moved.contains(&name))
    }

    /// A query, or a write, that names a relation of which the catalog does not know the columns.
    pub(super) fn reshaped_in(
        &self,
        text: &str,
        tokens: &[Token],
        planned: &Planned,
        catalog: &Catalog,
        settings: &Settings,
    ) -> bool {
        let is_select = |t: &Token| text[t.range.clone()].eq_ignore_ascii_case("select");
        let queries = planned.verb != Verb::Ddl || tokens.iter().any(is_select);
        !self.reshaped.is_empty()
            && queries
            && names(text, tokens).any(|(schema, name)| {
                let schema =
                    schema.or_else(|| resolved(&name, catalog, settings).map(str::to_owned));
                self.reshaped.iter().any(|(of, reshaped)| {
                    *reshaped == name && (of.is_none() || schema.is_none() || *of == schema)
                })
            })
    }
}

/// The schema of the relation that an unqualified name means.
fn resolved<'s>(name: &str, catalog: &Catalog, settings: &'s Settings) -> Option<&'s str> {
    let mut path = settings.search_path.iter();
    path.find(|schema| catalog.relation(schema, name).is_some()).map(String::as_str)
}

/// The identifiers of a statement, each with the one in front of its dot.
fn names<'t>(
    text: &'t str,
    tokens: &'t [Token],
) -> impl Iterator<Item = (Option<String>, String)> + 't {
    tokens.iter().enumerate().filter_map(move |(index, token)| {
        let name = identifier(text, token)?;
        let qualified = index > 1 && &text[tokens[index - 1].range.clone()] == ".";
        let schema = qualified.then(|| identifier(text, &tokens[index - 2])).flatten();
        Some((schema, name))
    })
}
