//! DDL: what a statement that changes the catalog means for protected columns.
//!
//! A statement that makes or changes a protected column is edited in place (type, default,
//! guard), and what completes it (the record, the profile and its triggers) runs in the same
//! statement: see [`complete`]. The parts: [`create_table`], [`alter_table`], [`definition`]
//! (columns and constraints, in both), [`index`], [`like`],
//! [`partition`], [`rename`], and here the decisions that need no tree.

mod alter_table;
mod complete;
mod create_table;
mod definition;
mod index;
mod like;
mod partition;
mod rename;

use sqlparser::ast::ObjectName;

use super::Analysis;
use super::classify::{Words, bodies, mentioned};
use super::scope::parts;
use crate::catalog::Relation;
use crate::lex::{Token, TokenKind, identifier};
use crate::protection::{Profile, ProfileOwner, TableProtection};
use crate::refusal::{Reason, Refusal};
pub(super) use complete::Completion;

impl<'c> Analysis<'c> {
    /// Decides what needs no tree. False: look at the tree.
    pub(super) fn ddl(
        &mut self,
        relations: &[&'c Relation],
        own_schema: bool,
    ) -> Result<bool, Refusal> {
        let words = self.words();
        let first = words.at(0);
        let shown = |upto: usize| {
            (0..upto)
                .map(|index| words.at(index).to_ascii_uppercase())
                .collect::<Vec<_>>()
                .join(" ")
        };
        if own_schema || relations.iter().any(|r| r.schema == "pgveil") {
            return Err(Refusal {
                code: "42501",
                message: "the schema \"pgveil\" cannot be changed through pgveil".into(),
                detail: None,
                hint: Some(
                    "Use the commands of pgveil; they connect to the database directly.".into(),
                ),
                position: None,
            });
        }
        match first.as_str() {
            "comment" | "grant" | "revoke" | "refresh" => return Ok(true),
            "drop" => {
                // Triggers of ours go with their table, and not by themselves.
                let ours = |t: &Token| {
                    identifier(self.text, t).is_some_and(|name| name.starts_with("pgveil"))
                };
                if self.tokens.iter().any(ours) {
                    return Err(self.unsupported("DROP of what pgveil made", relations));
                }
                if words.is(1, "table") {
                    self.drop_table(relations);
                }
                return Ok(true);
            }
            "alter" if words.is(1, "table") => return self.alter_by_tokens(relations),
            "alter" if words.is(1, "view") => return self.alter_view(2, relations),
            "alter" if words.is(1, "materialized") => return self.alter_view(3, relations),
            "alter" if words.is(1, "index") || words.is(1, "sequence") => return Ok(true),
            "create" => {}
            _ => return Err(self.unsupported(&shown(2), relations)),
        }
        let mut at = 1;
        while words.is(at, "or") || words.is(at, "replace") || words.is(at, "unlogged") {
            at += 1;
        }
        let mut temporary = false;
        while ["temp", "temporary", "local", "global"].iter().any(|w| words.is(at, w)) {
            temporary = true;
            at += 1;
        }
        if words.is(at, "table") {
            return self.create_by_tokens(at, relations, temporary);
        }
        let with_tree = words.is(at, "unique")
            || words.is(at, "index")
            || words.is(at, "view")
            || words.is(at, "materialized");
        if with_tree && !temporary {
            return Ok(false);
        }
        if words.is(at, "function") || words.is(at, "procedure") {
            let relation =
                bodies(self.text, self.tokens).find_map(|body| mentioned(&body, self.catalog));
            return Err(match relation {
                Some(relation) => {
                    self.refuse(Reason::Body { what: "the body of a routine", relation })
                }
                None => self.unsupported("CREATE FUNCTION", relations),
            });
        }
        if words.is(at, "trigger")
            && self.named_columns(relations).is_none()
            && !self.rows_in_condition()
        {
            return Ok(true);
        }
        Err(self.unsupported(&shown(at + 1), relations))
    }

    /// After a statement that needed no tree names mean what they meant: a new table under a name
    /// that is not in scope, a constraint, a change of a table that is not in scope.
    pub(super) fn keeps_names(&self) -> bool {
        let words = self.words();
        let at = if words.is(1, "unlogged") { 2 } else { 1 };
        match words.at(0).as_str() {
            "comment" | "grant" | "revoke" => true,
            "create" if words.is(at, "table") => {
                let (name, _) = self.name_at(if words.is(at + 1, "if") { at + 4 } else { at + 1 });
                name.last().is_some_and(|name| !self.catalog.scoped.contains_key(name))
            }
            "alter" if words.is(1, "table") => {
                let mut start = 2;
                while ["if", "exists", "only"].iter().any(|word| words.is(start, word)) {
                    start += 1;
                }
                let (name, behind) = self.name_at(start);
                let is_word = |wanted: &str| {
                    self.tokens
                        .iter()
                        .any(|t| self.text[t.range.clone()].eq_ignore_ascii_case(wanted))
                };
                let constrains = words.is(behind, "add")
                    && ["constraint", "primary", "unique", "foreign", "check"]
                        .iter()
                        .any(|kind| words.is(behind + 1, kind))
                    && self.item_end(behind) == self.tokens.len();
                let outside = self.existing(&name).is_none_or(|relation| !relation.in_scope)
                    && name.last().is_some_and(|name| !self.catalog.scoped.contains_key(name));
                constrains || (outside && !is_word("rename") && !is_word("schema"))
            }
            _ => false,
        }
    }

    /// True when the condition of a trigger looks at whole rows.
    fn rows_in_condition(&self) -> bool {
        let words = self.words();
        let when = (0..self.tokens.len()).find(|index| words.is(*index, "when"));
        (when.unwrap_or(self.tokens.len())..self.tokens.len()).any(|index| {
            (words.is(index, "new") || words.is(index, "old"))
                && (!words.is(index + 1, ".") || words.is(index + 2, "*"))
        })
    }

    /// The name that begins at a token, and the token behind it.
    fn name_at(&self, mut index: usize) -> (Vec<String>, usize) {
        let words = self.words();
        let mut parts = vec![words.at(index)];
        index += 1;
        while words.is(index, ".") {
            parts.push(words.at(index + 1));
            index += 2;
        }
        (parts, index)
    }

    /// Where an existing table is that a name means.
    fn existing(&self, parts: &[String]) -> Option<&'c Relation> {
        let catalog = self.catalog;
        match parts {
            [table] => {
                self.settings.search_path.iter().find_map(|schema| catalog.relation(schema, table))
            }
            [schema, table] | [_, schema, table] => catalog.relation(schema, table),
            _ => None,
        }
    }

    fn existing_by_name(&self, name: &ObjectName) -> Option<&'c Relation> {
        parts(name).and_then(|parts| self.existing(&parts))
    }

    /// The declared tables whose profile an application's own table is, or will be.
    fn application_profiles(
        &self,
        schema: &str,
        table: &str,
    ) -> Vec<(&'c TableProtection, &'c Profile)> {
        let declared = self.catalog.declared.iter();
        let profiles = declared.filter_map(|table| Some((table, table.profile.as_ref()?)));
        let of = |(_, profile): &(&TableProtection, &Profile)| {
            profile.owner == ProfileOwner::Application
                && (profile.schema.as_str(), profile.table.as_str()) == (schema, table)
        };
        profiles.filter(of).collect()
    }

    /// Schema and name of a table that is made; `None`: a temporary one.
    fn made(&self, parts: &[String]) -> Option<(String, String)> {
        match parts {
            [table] => {
                let schema = creation_schema(&self.settings.search_path)?;
                (!schema.starts_with("pg_temp")).then(|| (schema.clone(), table.clone()))
            }
            [schema, table] | [_, schema, table] => {
                (!schema.starts_with("pg_temp")).then(|| (schema.clone(), table.clone()))
            }
            _ => None,
        }
    }

    /// Literals that stand where no protected value can: they are passed over.
    fn pass_over_literals(&mut self, from: usize, to: usize) {
        let strings = (from..to).filter(|i| {
            self.tokens.get(*i).is_some_and(|t| t.kind.is_string() || t.kind == TokenKind::Param)
        });
        self.seen.extend(strings.collect::<Vec<_>>());
    }

    /// The token behind the part of a list that `index` is in: a comma or a parenthesis that was
    /// opened before.
    fn item_end(&self, mut index: usize) -> usize {
        let mut depth = 0usize;
        while let Some(token) = self.tokens.get(index) {
            match &self.text[token.range.clone()] {
                "(" | "[" => depth += 1,
                ")" | "]" | "," if depth == 0 => break,
                ")" | "]" => depth -= 1,
                _ => {}
            }
            index += 1;
        }
        index
    }

    /// The bytes of tokens.
    fn bytes(&self, from: usize, to: usize) -> std::ops::Range<usize> {
        self.tokens[from].range.start..self.tokens[to - 1].range.end
    }
}

/// What of a statement the parser is given: it knows neither `WITH CHECK OPTION` of a view (the
/// server then refuses rows that the view does not show) nor `WITH NO DATA` of a materialised one.
pub(super) fn parsed<'t>(text: &str, tokens: &'t [Token]) -> &'t [Token] {
    let words = Words { text, tokens };
    let is_view = words.is(0, "create") && (1..5).any(|index| words.is(index, "view"));
    let tails: [&[&str]; 5] = [
        &["with", "check", "option"],
        &["with", "cascaded", "check", "option"],
        &["with", "local", "check", "option"],
        &["with", "data"],
        &["with", "no", "data"],
    ];
    let ends_in = |tail: &&[&str]| {
        let start = tokens.len().checked_sub(tail.len());
        start.is_some_and(|start| tail.iter().zip(start..).all(|(word, at)| words.is(at, word)))
    };
    match tails.iter().find(|tail| is_view && ends_in(tail)) {
        Some(tail) => &tokens[..tokens.len() - tail.len()],
        None => tokens,
    }
}

/// The first schema of the search path that was asked for. `current_schemas(true)` has the
/// temporary one and `pg_catalog`, where they were not, in front.
fn creation_schema(path: &[String]) -> Option<&String> {
    let mut rest = path;
    if let [first, second, ..] = rest
        && first.starts_with("pg_temp")
        && second == "pg_catalog"
    {
        rest = &rest[1..];
    }
    if let [first, after @ ..] = rest
        && first == "pg_catalog"
    {
        rest = after;
    }
    rest.first()
}

#[cfg(test)]
mod tests {
    use super::creation_schema;

    #[test]
    fn where_a_table_is_made() {
        for (path, expected) in [
            (&["pg_catalog", "public"][..], Some("public")),
            (&["pg_temp_3", "pg_catalog", "app", "public"], Some("app")),
            (&["pg_catalog", "pg_temp_3", "public"], Some("pg_temp_3")),
            (&["public", "pg_catalog"], Some("public")),
            (&["pg_catalog"], None),
        ] {
            let path: Vec<String> = path.iter().map(|&s| s.to_owned()).collect();
            assert_eq!(creation_schema(&path).map(String::as_str), expected, "{path:?}");
        }
    }
}
