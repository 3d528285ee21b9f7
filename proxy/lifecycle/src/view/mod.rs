//! Views over protected columns: which only pass values on, and how they are made again.
//!
//! A view's columns get their types when it is made, and PostgreSQL refuses to change a column that
//! a view uses. So such a view is dropped and made again, as the server prints it, with its owner,
//! options, privileges and comments: if what it does with tokens is what it did with values.

mod read;
mod walk;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use pgveil_sql::physical::{quote_ident, quote_literal, quote_name};
use pgveil_sql::protection::ColumnProtection;

use crate::dependants::{Judgement, Recreation};
use crate::finding::Finding;
use crate::node_tree::Node;
pub(crate) use read::read;
use walk::Walk;
pub(crate) use walk::is_text_equality;

/// A view, or a materialised view, or a rule elsewhere, that reads a relation of interest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    oid: u32,
    /// As `pg_describe_object` says it.
    object: String,
    schema: String,
    name: String,
    /// `relkind`; a rule's table is not `v`.
    kind: String,
    owner: String,
    /// `(view's query)`, as a stored tree.
    query: Node,
    /// As `pg_get_viewdef` prints it.
    definition: String,
    options: Vec<String>,
    /// Privileges: grantee, privilege, with grant option, column.
    grants: Vec<(String, String, bool, Option<String>)>,
    /// Comments: column or the view itself, text.
    comments: Vec<(Option<String>, String)>,
    /// What hangs on it that is not made again: triggers, rules, column defaults, functions ...
    attached: Vec<String>,
    /// A materialised view that has been filled.
    populated: bool,
    /// The relations that it reads.
    reads: Vec<u32>,
}

/// Judges the views over these columns. Those that must be made again go in front of what is
/// already to be made again: they may have to be dropped first.
pub(crate) fn judge(
    views: &[View],
    columns: &HashMap<(u32, i16), &ColumnProtection>,
    default_grantees: &[String],
    judgement: &mut Judgement,
) {
    let mut carried = columns.clone();
    let mut again: HashSet<u32> = HashSet::new();
    let mut recreations = Vec::new();
    for view in views {
        let mut walk = Walk::new(&carried);
        let mut outputs = Vec::new();
        for query in view.query.items() {
            outputs = walk.query(query, &mut Vec::new());
        }
        let (used, problems) = (walk.used, walk.problems);
        if !used && !view.reads.iter().any(|r| again.contains(r)) {
            continue;
        }
        again.insert(view.oid);
        for (number, output) in (1..).zip(outputs) {
            if let Some(column) = output {
                carried.insert((view.oid, number), column);
            }
        }
        let refuse = |what: String, todo: &str| Finding::error(&view.object, what, todo);
        match view.kind.as_str() {
            "v" | "m" => {}
            _ => {
                judgement.findings.push(refuse(
                    "a rewrite rule there reads a protected table".to_owned(),
                    "drop the rule, or use a trigger",
                ));
                continue;
            }
        }
        for problem in problems {
            judgement.findings.push(refuse(
                problem,
                "drop the view, and make it again through pgveil afterwards",
            ));
        }
        for attached in &view.attached {
            judgement.findings.push(refuse(
                format!("must be made again, and {attached} would be lost with it"),
                "drop that, and make it again afterwards",
            ));
        }
        recreations.insert(0, view.recreation(default_grantees));
    }
    judgement.recreations.splice(0..0, recreations);
}

impl View {
    fn recreation(&self, default_grantees: &[String]) -> Recreation {
        let name = quote_name(&self.schema, &self.name);
        let what = self.what();
        let mut create = vec![self.create()];
        create.push(format!("ALTER {what} {name} OWNER TO {}", quote_ident(&self.owner)));
        // What default privileges have just given, and what the old view did not give.
        for grantee in default_grantees {
            create.push(format!("REVOKE ALL ON {name} FROM {grantee}"));
        }
        if self.grants.iter().any(|(.., column)| column.is_none()) {
            create.push(format!("REVOKE ALL ON {name} FROM {}", quote_ident(&self.owner)));
        }
        for (grantee, privilege, grantable, column) in &self.grants {
            let column =
                column.as_ref().map_or(String::new(), |c| format!(" ({})", quote_ident(c)));
            let option = if *grantable { " WITH GRANT OPTION" } else { "" };
            create.push(format!("GRANT {privilege}{column} ON {name} TO {grantee}{option}"));
        }
        for (column, text) in &self.comments {
            let text = quote_literal(text);
            create.push(match column {
                None => format!("COMMENT ON {what} {name} IS {text}"),
                Some(column) => {
                    format!("COMMENT ON COLUMN {name}.{} IS {text}", quote_ident(column))
                }
            });
        }
        Recreation {
            object: self.object.clone(),
            relation: name.clone(),
            drop: format!("DROP {what} {name}"),
            create,
        }
    }

    fn what(&self) -> &'static str {
        if self.kind == "m" { "MATERIALIZED VIEW" } else { "VIEW" }
    }

    fn create(&self) -> String {
        let name = quote_name(&self.schema, &self.name);
        let mut sql = format!("CREATE {} {name}", self.what());
        if !self.options.is_empty() {
            let options: Vec<String> = self
                .options
                .iter()
                .map(|option| match option.split_once('=') {
                    Some((name, value)) => format!("{name}={}", quote_literal(value)),
                    None => option.clone(),
                })
                .collect();
            let _ = write!(sql, " WITH ({})", options.join(", "));
        }
        let _ = write!(sql, " AS\n{}", self.definition.trim_end().trim_end_matches(';'));
        if self.kind == "m" && !self.populated {
            sql.push_str("\nWITH NO DATA");
        }
        sql
    }
}
