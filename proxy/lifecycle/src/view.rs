//! Views over protected columns: which only pass values on, and how they are made again.
//!
//! A view's columns get their types when it is made, and PostgreSQL refuses to change a column that
//! a view uses. So such a view is dropped and made again, as the server prints it, with its owner,
//! options, privileges and comments: if what it does with tokens is what it did with values.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use pgveil_seal::Mode;
use pgveil_sql::physical::{quote_ident, quote_literal, quote_name};
use pgveil_sql::protection::ColumnProtection;
use tokio_postgres::GenericClient;

use crate::dependants::{Judgement, Recreation};
use crate::error::LifecycleError;
use crate::finding::Finding;
use crate::node_tree::Node;

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
    /// The relations that it reads.
    reads: Vec<u32>,
}

/// Reads all views over the relations, and over these views, in the order in which they can be
/// made.
pub(crate) async fn read(
    client: &impl GenericClient,
    relations: &[u32],
) -> Result<Vec<View>, LifecycleError> {
    let rows = client
        .query(
            "WITH RECURSIVE reads AS (
               SELECT DISTINCT r.ev_class AS view, d.refobjid AS relation
               FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid
               WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass),
             found AS (
               SELECT view FROM reads WHERE relation = ANY ($1)
               UNION SELECT r.view FROM reads r JOIN found f ON r.relation = f.view)
             SELECT c.oid, pg_describe_object('pg_class'::regclass, c.oid, 0), n.nspname::text,
                    c.relname::text, c.relkind::text, o.rolname::text,
                    (SELECT w.ev_action::text FROM pg_rewrite w
                     WHERE w.ev_class = c.oid AND w.rulename = '_RETURN'),
                    COALESCE(pg_get_viewdef(c.oid), ''), COALESCE(c.reloptions, '{}'),
                    ARRAY(SELECT r.relation FROM reads r WHERE r.view = c.oid)
             FROM pg_class c JOIN found f ON f.view = c.oid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_roles o ON o.oid = c.relowner ORDER BY 3, 4",
            &[&relations],
        )
        .await
        .map_err(LifecycleError::reading)?;
    let mut views = Vec::new();
    for row in rows {
        let (oid, object): (u32, String) = (row.get(0), row.get(1));
        let query = match row.get::<_, Option<&str>>(6) {
            None => Node::List(Vec::new()),
            Some(text) => Node::parse(text)
                .map_err(|reason| LifecycleError::NodeTree { object: object.clone(), reason })?,
        };
        views.push(View {
            oid,
            schema: row.get(2),
            name: row.get(3),
            kind: row.get(4),
            owner: row.get(5),
            query,
            definition: row.get(7),
            options: row.get(8),
            grants: read_grants(client, oid).await.map_err(LifecycleError::reading)?,
            comments: read_comments(client, oid).await.map_err(LifecycleError::reading)?,
            attached: read_attached(client, oid).await.map_err(LifecycleError::reading)?,
            reads: row.get(9),
            object,
        });
    }
    Ok(in_order(views))
}

type Read<T> = Result<Vec<T>, tokio_postgres::Error>;

async fn read_grants(
    client: &impl GenericClient,
    view: u32,
) -> Read<(String, String, bool, Option<String>)> {
    let rows = client
        .query(
            "SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(g.rolname) END,
                    x.privilege_type, x.is_grantable, l.name
             FROM (SELECT relacl AS acl, NULL::text AS name FROM pg_class WHERE oid = $1
                   UNION ALL SELECT attacl, attname::text FROM pg_attribute WHERE attrelid = $1) l
             CROSS JOIN LATERAL aclexplode(l.acl) x
             LEFT JOIN pg_roles g ON g.oid = x.grantee ORDER BY 4 NULLS FIRST, 1, 2",
            &[&view],
        )
        .await?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect())
}

async fn read_comments(client: &impl GenericClient, view: u32) -> Read<(Option<String>, String)> {
    let rows = client
        .query(
            "SELECT a.attname::text, d.description FROM pg_description d
             LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
               AND d.objsubid > 0
             WHERE d.classoid = 'pg_class'::regclass AND d.objoid = $1 ORDER BY d.objsubid",
            &[&view],
        )
        .await?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
}

async fn read_attached(client: &impl GenericClient, view: u32) -> Read<String> {
    let rows = client
        .query(
            "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)
             FROM pg_depend d
             LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
             LEFT JOIN pg_class c ON c.oid = r.ev_class
             LEFT JOIN pg_type t ON t.typrelid = $1
             WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
                    OR d.refclassid = 'pg_type'::regclass
                       AND d.refobjid IN (t.oid, t.typarray))
               -- Its own rule and row type, and views over it, which are made again too.
               AND NOT (r.rulename = '_RETURN' AND c.relkind IN ('v', 'm'))
               AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (t.oid, t.typarray))
             ORDER BY 1",
            &[&view],
        )
        .await?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// What a view reads comes before it. PostgreSQL has no cycles of views.
fn in_order(mut views: Vec<View>) -> Vec<View> {
    let mut ordered: Vec<View> = Vec::new();
    while !views.is_empty() {
        let waiting: HashSet<u32> = views.iter().map(|v| v.oid).collect();
        let (ready, rest): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|v| !v.reads.iter().any(|r| waiting.contains(r)));
        if ready.is_empty() {
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        views = rest;
    }
    ordered
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
        let mut walk = Walk { carried: &carried, used: false, problems: Vec::new() };
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
            "v" => {}
            "m" => {
                judgement.findings.push(refuse(
                    "a materialised view over a protected column".to_owned(),
                    "drop it, and make it again through pgveil afterwards",
                ));
                continue;
            }
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
        let mut create = vec![self.create()];
        create.push(format!("ALTER VIEW {name} OWNER TO {}", quote_ident(&self.owner)));
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
                None => format!("COMMENT ON VIEW {name} IS {text}"),
                Some(column) => {
                    format!("COMMENT ON COLUMN {name}.{} IS {text}", quote_ident(column))
                }
            });
        }
        Recreation {
            object: self.object.clone(),
            relation: name.clone(),
            drop: format!("DROP VIEW {name}"),
            create,
        }
    }

    fn create(&self) -> String {
        let mut sql = format!("CREATE VIEW {}", quote_name(&self.schema, &self.name));
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
        sql
    }
}

/// Operators of PostgreSQL's own that compare text for equality: `=` and `<>` of `text` and of
/// `character` (PostgreSQL, `src/include/catalog/pg_operator.dat`; such oids do not change).
const TEXT_EQUALITY: [i64; 4] = [98, 531, 1054, 1057];

/// `=`, `<>` or IS [NOT] DISTINCT FROM on text.
pub(crate) fn is_text_equality(node: &Node) -> bool {
    node.number("opno").is_some_and(|oid| TEXT_EQUALITY.contains(&oid))
}

/// `count("any")`
const COUNT: i64 = 2147;

/// Columns of one range table entry that hold tokens.
type Columns<'a> = HashMap<i64, &'a ColumnProtection>;

/// Walks a view's query and collects what it does with sealed values beside passing them on.
struct Walk<'w, 'a> {
    carried: &'w HashMap<(u32, i16), &'a ColumnProtection>,
    used: bool,
    problems: Vec<String>,
}

impl<'a> Walk<'_, 'a> {
    /// The query's output columns, in order. `scopes` are the range tables outside, innermost last.
    fn query(
        &mut self,
        query: &Node,
        scopes: &mut Vec<Vec<Columns<'a>>>,
    ) -> Vec<Option<&'a ColumnProtection>> {
        scopes.push(Vec::new());
        for entry in query.list("rtable") {
            let columns = self.entry(entry, scopes);
            if let Some(scope) = scopes.last_mut() {
                scope.push(columns);
            }
        }
        let before = self.used;
        let mut outputs = Vec::new();
        for target in query.list("targetList") {
            let Some(expression) = target.field("expr") else { continue };
            let output = self.column(expression.unlabelled(), scopes);
            if let Some(column) = output {
                self.ordering(query, target, column);
            } else {
                self.expression(expression, scopes);
            }
            if matches!(target.field("resjunk"), Some(Node::Word(junk)) if junk == "false") {
                outputs.push(output);
            }
        }
        if let Node::Struct { fields, .. } = query {
            for (name, value) in fields {
                if name != "rtable" && name != "targetList" {
                    self.expression(value, scopes);
                }
            }
        }
        let whole = !query.list("cteList").is_empty()
            || query
                .field("setOperations")
                .is_some_and(|operations| operations.tag() == "SETOPERATIONSTMT");
        if whole && (self.used || before) {
            self.problem("uses a protected column through WITH, UNION or their like, which this version does not follow".to_owned());
        }
        scopes.pop();
        outputs
    }

    fn entry(&mut self, entry: &Node, scopes: &mut Vec<Vec<Columns<'a>>>) -> Columns<'a> {
        // rtekind: relation, subquery, join ... group (PostgreSQL, `src/include/nodes/parsenodes.h`).
        match entry.number("rtekind") {
            Some(0) => {
                let relation = entry.number("relid").and_then(|oid| u32::try_from(oid).ok());
                self.carried
                    .iter()
                    .filter(|((oid, _), _)| Some(*oid) == relation)
                    .map(|((_, number), column)| (i64::from(*number), *column))
                    .collect()
            }
            Some(1) => match entry.field("subquery") {
                Some(query) => numbered(self.query(query, scopes)),
                None => Columns::new(),
            },
            Some(2) => numbered(
                entry
                    .list("joinaliasvars")
                    .iter()
                    .map(|alias| peek(alias.unlabelled(), scopes))
                    .collect(),
            ),
            Some(9) => {
                let expressions = entry.list("groupexprs");
                let columns = expressions.iter().map(|e| peek(e.unlabelled(), scopes)).collect();
                for expression in expressions {
                    if peek(expression.unlabelled(), scopes).is_none() {
                        self.expression(expression, scopes);
                    }
                }
                numbered(columns)
            }
            _ => {
                for child in entry.children() {
                    self.expression(child, scopes);
                }
                Columns::new()
            }
        }
    }

    /// Like [`peek`], and remembers that the view uses one.
    fn column(&mut self, node: &Node, scopes: &[Vec<Columns<'a>>]) -> Option<&'a ColumnProtection> {
        let column = peek(node, scopes);
        self.used |= column.is_some();
        column
    }

    fn expression(&mut self, node: &Node, scopes: &mut Vec<Vec<Columns<'a>>>) {
        match node.tag() {
            "VAR" => {
                if let Some(column) = self.column(node, scopes) {
                    self.problem(format!("computes on protected column {}", column.column));
                } else if node.number("varattno") == Some(0)
                    && range_entry(node, scopes).is_some_and(|columns| !columns.is_empty())
                {
                    self.used = true;
                    self.problem("uses the whole row of a protected table".to_owned());
                }
            }
            "QUERY" => {
                let outputs = self.query(node, scopes);
                if outputs.iter().any(Option::is_some) {
                    self.problem("compares a protected column in a subquery".to_owned());
                }
            }
            "SUBLINK" if node.number("subLinkType") == Some(0) => {
                // EXISTS: what the subquery returns does not matter.
                if let Some(query) = node.field("subselect") {
                    self.query(query, scopes);
                }
            }
            "NULLTEST" if self.arguments_are_columns(node.field("arg"), scopes).is_some() => {}
            "AGGREF" if node.number("aggfnoid") == Some(COUNT) => {
                let arguments = node.list("args").iter().map(|a| a.field("expr"));
                let distinct = !node.list("aggdistinct").is_empty();
                for argument in arguments.flatten() {
                    match self.column(argument.unlabelled(), scopes) {
                        None => self.expression(argument, scopes),
                        Some(column) if distinct => self.needs_equality(column),
                        Some(_) => {}
                    }
                }
                if let Some(filter) = node.field("aggfilter") {
                    self.expression(filter, scopes);
                }
            }
            "OPEXPR" | "DISTINCTEXPR" if is_text_equality(node) => {
                let columns: Vec<_> = node
                    .list("args")
                    .iter()
                    .map(|argument| self.column(argument.unlabelled(), scopes))
                    .collect();
                match columns.as_slice() {
                    [Some(left), Some(right)]
                        if left.mode == Mode::Deterministic
                            && right.mode == Mode::Deterministic
                            && left.domain == right.domain
                            && left.keyring == right.keyring => {}
                    _ => {
                        for child in node.list("args") {
                            self.expression(child, scopes);
                        }
                    }
                }
            }
            _ => {
                for child in node.children() {
                    self.expression(child, scopes);
                }
            }
        }
    }

    fn arguments_are_columns(
        &mut self,
        argument: Option<&Node>,
        scopes: &[Vec<Columns<'a>>],
    ) -> Option<&'a ColumnProtection> {
        self.column(argument?.unlabelled(), scopes)
    }

    /// A column of the select list by which the query also sorts or groups.
    fn ordering(&mut self, query: &Node, target: &Node, column: &ColumnProtection) {
        let Some(reference) = target.number("ressortgroupref").filter(|r| *r > 0) else { return };
        let named =
            |clause: &[Node]| clause.iter().any(|c| c.number("tleSortGroupRef") == Some(reference));
        let windows = query.list("windowClause");
        if named(query.list("sortClause")) || windows.iter().any(|w| named(w.list("orderClause"))) {
            self.problem(format!("sorts by protected column {}", column.column));
        }
        // DISTINCT ON and DISTINCT share a clause; both need equality only.
        if named(query.list("groupClause"))
            || named(query.list("distinctClause"))
            || windows.iter().any(|w| named(w.list("partitionClause")))
        {
            self.needs_equality(column);
        }
    }

    fn needs_equality(&mut self, column: &ColumnProtection) {
        if column.mode == Mode::Randomized {
            self.problem(format!(
                "compares protected column {}, which is randomized",
                column.column
            ));
        }
    }

    fn problem(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// The sealed column that an expression is, whole rows left out.
fn peek<'a>(node: &Node, scopes: &[Vec<Columns<'a>>]) -> Option<&'a ColumnProtection> {
    if node.tag() != "VAR" {
        return None;
    }
    range_entry(node, scopes)?.get(&node.number("varattno")?).copied()
}

fn range_entry<'s, 'a>(var: &Node, scopes: &'s [Vec<Columns<'a>>]) -> Option<&'s Columns<'a>> {
    let up = usize::try_from(var.number("varlevelsup")?).ok()?;
    let number = usize::try_from(var.number("varno")?).ok()?.checked_sub(1)?;
    let level = scopes.len().checked_sub(up + 1)?;
    scopes.get(level)?.get(number)
}

fn numbered(outputs: Vec<Option<&ColumnProtection>>) -> Columns<'_> {
    (1..).zip(outputs).filter_map(|(number, column)| Some((number, column?))).collect()
}
