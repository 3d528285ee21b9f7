//! What a view's query does with sealed values.

use std::collections::HashMap;

use pgveil_seal::Mode;
use pgveil_sql::protection::ColumnProtection;

use crate::node_tree::Node;

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

/// What one query level can refer to.
#[derive(Default)]
pub(super) struct Level<'a> {
    /// The range table.
    entries: Vec<Columns<'a>>,
    /// The WITH queries, by name.
    ctes: HashMap<String, Columns<'a>>,
}

/// Walks a view's query and collects what it does with sealed values beside passing them on.
pub(super) struct Walk<'w, 'a> {
    carried: &'w HashMap<(u32, i16), &'a ColumnProtection>,
    /// A protected column occurs.
    pub(super) used: bool,
    pub(super) problems: Vec<String>,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub(super) fn new(carried: &'w HashMap<(u32, i16), &'a ColumnProtection>) -> Self {
        Self { carried, used: false, problems: Vec::new() }
    }

    /// The query's output columns, in order. `scopes` are the levels outside, innermost last.
    pub(super) fn query(
        &mut self,
        query: &Node,
        scopes: &mut Vec<Level<'a>>,
    ) -> Vec<Option<&'a ColumnProtection>> {
        scopes.push(Level::default());
        for cte in query.list("cteList") {
            self.cte(cte, scopes);
        }
        for entry in query.list("rtable") {
            let columns = self.entry(entry, scopes);
            if let Some(scope) = scopes.last_mut() {
                scope.entries.push(columns);
            }
        }
        if let Some(operations) = query.field("setOperations") {
            self.set_operation(operations, scopes);
        }
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
                if !matches!(&**name, "rtable" | "targetList" | "cteList" | "setOperations") {
                    self.expression(value, scopes);
                }
            }
        }
        scopes.pop();
        outputs
    }

    /// A WITH query. One that refers to itself sees the columns that its first term gives it.
    fn cte(&mut self, cte: &Node, scopes: &mut Vec<Level<'a>>) {
        let (Some(Node::Word(name)), Some(query)) = (cte.field("ctename"), cte.field("ctequery"))
        else {
            return;
        };
        if query.tag() != "QUERY" || query.field("commandType") != Some(&Node::Word("1".into())) {
            self.problem("writes in a WITH query".to_owned());
        }
        let recursive = matches!(cte.field("cterecursive"), Some(Node::Word(w)) if w == "true");
        let known = self.problems.len();
        for pass in 0..=usize::from(recursive) {
            if pass > 0 {
                // Those of the first pass come from not knowing these columns.
                self.problems.truncate(known);
            }
            let columns = numbered(self.query(query, scopes));
            if let Some(level) = scopes.last_mut() {
                level.ctes.insert(name.clone(), columns);
            }
        }
    }

    /// The columns of UNION, INTERSECT and EXCEPT; both sides must be sealed alike.
    fn set_operation(&mut self, node: &Node, scopes: &mut Vec<Level<'a>>) -> Columns<'a> {
        if node.tag() != "SETOPERATIONSTMT" {
            let entry = node.number("rtindex").and_then(|n| usize::try_from(n).ok());
            let level = scopes.last();
            let columns = entry.and_then(|n| level?.entries.get(n.checked_sub(1)?)).cloned();
            return columns.unwrap_or_default();
        }
        let mut side = |name: &str| {
            let operand = node.field(name);
            operand.map(|operand| self.set_operation(operand, scopes)).unwrap_or_default()
        };
        let (left, right) = (side("larg"), side("rarg"));
        // setop: UNION is 1. UNION ALL compares nothing.
        let all = matches!(node.field("all"), Some(Node::Word(all)) if all == "true")
            && node.number("op") == Some(1);
        for (number, column) in &left {
            self.used = true;
            match right.get(number) {
                Some(other) if sealed_alike(column, other) => {
                    if !all {
                        self.needs_equality(column);
                    }
                }
                _ => self.problem(format!(
                    "joins protected column {} by UNION or its like with what is not sealed alike",
                    column.column
                )),
            }
        }
        for (number, column) in &right {
            if !left.contains_key(number) {
                self.used = true;
                self.problem(format!(
                    "joins protected column {} by UNION or its like with what is not sealed alike",
                    column.column
                ));
            }
        }
        left
    }

    fn entry(&mut self, entry: &Node, scopes: &mut Vec<Level<'a>>) -> Columns<'a> {
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
            Some(6) => {
                let (Some(Node::Word(name)), Some(up)) =
                    (entry.field("ctename"), entry.number("ctelevelsup"))
                else {
                    return Columns::new();
                };
                let level =
                    usize::try_from(up).ok().and_then(|up| scopes.len().checked_sub(up + 1));
                let level = level.and_then(|level| scopes.get(level));
                level.and_then(|level| level.ctes.get(name)).cloned().unwrap_or_default()
            }
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
    fn column(&mut self, node: &Node, scopes: &[Level<'a>]) -> Option<&'a ColumnProtection> {
        let column = peek(node, scopes);
        self.used |= column.is_some();
        column
    }

    fn expression(&mut self, node: &Node, scopes: &mut Vec<Level<'a>>) {
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
            "NULLTEST" if self.is_column(node.field("arg"), scopes) => {}
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

    fn is_column(&mut self, node: Option<&Node>, scopes: &[Level<'a>]) -> bool {
        node.is_some_and(|node| self.column(node.unlabelled(), scopes).is_some())
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

/// The tokens of both mean the same.
fn sealed_alike(left: &ColumnProtection, right: &ColumnProtection) -> bool {
    (left.mode, &left.domain, &left.keyring) == (right.mode, &right.domain, &right.keyring)
}

/// The sealed column that an expression is, whole rows left out.
fn peek<'a>(node: &Node, scopes: &[Level<'a>]) -> Option<&'a ColumnProtection> {
    if node.tag() != "VAR" {
        return None;
    }
    range_entry(node, scopes)?.get(&node.number("varattno")?).copied()
}

fn range_entry<'s, 'a>(var: &Node, scopes: &'s [Level<'a>]) -> Option<&'s Columns<'a>> {
    let up = usize::try_from(var.number("varlevelsup")?).ok()?;
    let number = usize::try_from(var.number("varno")?).ok()?.checked_sub(1)?;
    let level = scopes.len().checked_sub(up + 1)?;
    scopes.get(level)?.entries.get(number)
}

fn numbered(outputs: Vec<Option<&ColumnProtection>>) -> Columns<'_> {
    (1..).zip(outputs).filter_map(|(number, column)| Some((number, column?))).collect()
}
