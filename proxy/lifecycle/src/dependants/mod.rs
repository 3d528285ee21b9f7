//! What in a database uses a protected column, and whether it can follow.

mod read;

use std::collections::HashMap;

use pgveil_seal::{Fold, Mode};
use pgveil_sql::physical::fold::fold_handle;
use pgveil_sql::physical::{quote_ident, quote_literal, quote_name};
use pgveil_sql::protection::{ColumnProtection, Declaration, TableProtection};

use crate::finding::Finding;
use crate::node_tree::Node;
use crate::view::{self, View};

/// A column, of a table or a partition, that holds a declared column's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carrier {
    pub(crate) relation: u32,
    pub(crate) number: i16,
    /// Index into the declaration's tables.
    pub(crate) table: usize,
    /// Index into that table's columns.
    pub(crate) column: usize,
}

/// Everything that may use a carrier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dependants {
    pub(crate) carriers: Vec<Carrier>,
    list: Vec<Dependant>,
    /// In the order in which they can be made.
    pub(crate) views: Vec<View>,
}

#[derive(Debug, Clone, PartialEq)]
struct Dependant {
    /// A carrier's relation.
    relation: u32,
    /// As `pg_describe_object` says it.
    object: String,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Index(Index),
    Check(Node),
    ForeignKey(ForeignKey),
    Exclusion {
        key: Vec<i16>,
    },
    /// An expression of the server's that is kept with the table: a generated column, statistics.
    Expression {
        kind: &'static str,
        tree: Node,
    },
    Trigger(Trigger),
    /// Uses this column in a way that is not looked into.
    Opaque {
        number: i16,
        reason: &'static str,
        todo: &'static str,
    },
    /// Concerns the whole table.
    Table {
        refused: bool,
        reason: &'static str,
        todo: &'static str,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Index {
    unique: bool,
    method: String,
    /// Key columns; 0 is an expression.
    key: Vec<i16>,
    /// One a key column, qualified only when it is not the server's own.
    classes: Vec<String>,
    expressions: Option<Node>,
    predicate: Option<Node>,
    /// The index's name, as SQL has it.
    name: String,
    /// As `pg_get_indexdef` prints it, whole and by key column.
    definition: String,
    parts: Vec<String>,
    comment: Option<String>,
    /// A partition's part of another one, which goes and comes with it.
    part: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct ForeignKey {
    /// The referencing table.
    table: String,
    name: String,
    definition: String,
    comment: Option<String>,
    /// A partition's part of another one, which goes and comes with it.
    part: bool,
    key: Vec<i16>,
    other_relation: u32,
    other_key: Vec<i16>,
}

#[derive(Debug, Clone, PartialEq)]
struct Trigger {
    table: String,
    name: String,
    definition: String,
    enabled: String,
    comment: Option<String>,
    /// `UPDATE OF` these.
    columns: Vec<i16>,
    condition: Option<Node>,
}

/// How an expression uses a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Usage {
    No,
    /// Only `IS NULL`, `IS NOT NULL`.
    Null,
    /// Compares the column with itself (`OLD.email IS DISTINCT FROM NEW.email`).
    Equal,
    Computes,
}

fn usage(node: &Node, number: i16) -> Usage {
    let is_column = |node: &Node| {
        node.tag() == "VAR"
            && node.number("varlevelsup") == Some(0)
            && node.number("varattno") == Some(i64::from(number))
    };
    match node.tag() {
        "VAR" => {
            let whole_row = node.number("varattno") == Some(0);
            if is_column(node) || whole_row { Usage::Computes } else { Usage::No }
        }
        "NULLTEST" if node.field("arg").is_some_and(|arg| is_column(arg.unlabelled())) => {
            Usage::Null
        }
        "DISTINCTEXPR" | "OPEXPR"
            if view::is_text_equality(node)
                && node.list("args").iter().all(|arg| is_column(arg.unlabelled())) =>
        {
            Usage::Equal
        }
        _ => node.children().map(|child| usage(child, number)).max().unwrap_or(Usage::No),
    }
}

/// A statement that takes something away before the columns change, and those that bring it back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recreation {
    pub(crate) object: String,
    pub(crate) relation: String,
    pub(crate) drop: String,
    pub(crate) create: Vec<String>,
}

/// What became of judging the dependants of some columns.
#[derive(Default)]
pub(crate) struct Judgement {
    pub(crate) findings: Vec<Finding>,
    /// To be dropped in this order, and made again in the opposite one.
    pub(crate) recreations: Vec<Recreation>,
}

impl Dependants {
    /// Says of every dependant of the carriers that `judged` picks whether it can follow.
    pub(crate) fn judge(
        &self,
        declaration: &Declaration,
        default_grantees: &[String],
        judged: &dyn Fn(&TableProtection, &ColumnProtection) -> bool,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        let declared = |c: &Carrier| {
            let table = &declaration.tables[c.table];
            (table, &table.columns[c.column])
        };
        let picked: Vec<&Carrier> = self
            .carriers
            .iter()
            .filter(|c| {
                let (table, column) = declared(c);
                judged(table, column)
            })
            .collect();
        let sealed: HashMap<(u32, i16), &ColumnProtection> =
            self.carriers.iter().map(|c| ((c.relation, c.number), declared(c).1)).collect();
        for dependant in &self.list {
            for carrier in picked.iter().filter(|c| c.relation == dependant.relation) {
                let (table, column) = declared(carrier);
                let path = format!("{}.{}.{}", table.schema, table.table, column.column);
                if let Some((reason, todo)) =
                    dependant.refusal(column, carrier.number, &sealed, &path)
                {
                    judgement.findings.push(Finding::error(&dependant.object, reason, todo));
                }
                if let What::Index(index) = &dependant.what
                    && !judgement.recreations.iter().any(|r| r.object == dependant.object)
                {
                    let folding: Vec<(i16, &ColumnProtection)> = picked
                        .iter()
                        .filter(|c| c.relation == dependant.relation)
                        .map(|c| (c.number, declared(c).1))
                        .collect();
                    let table = quote_name(&table.schema, &table.table);
                    judgement.recreations.extend(index.recreation(
                        &dependant.object,
                        &table,
                        &folding,
                    ));
                }
                if let What::Trigger(trigger) = &dependant.what
                    && trigger.uses(carrier.number) != Usage::No
                    && !judgement.recreations.iter().any(|r| r.object == dependant.object)
                {
                    judgement.recreations.push(trigger.recreation(&dependant.object));
                }
            }
            if let What::Table { refused, reason, todo } = &dependant.what
                && picked.iter().any(|c| c.relation == dependant.relation)
            {
                judgement.findings.push(if *refused {
                    Finding::error(&dependant.object, *reason, *todo)
                } else {
                    Finding::warning(&dependant.object, *reason, *todo)
                });
            }
        }
        let picked_columns: HashMap<(u32, i16), &ColumnProtection> =
            picked.iter().map(|c| ((c.relation, c.number), declared(c).1)).collect();
        view::judge(&self.views, &picked_columns, default_grantees, &mut judgement);
        judgement.findings.dedup();
        judgement
    }
}

impl Dependants {
    /// The foreign keys over columns, by relation and number, that `picked` has. The server would
    /// check them between the changes of their two sides, when one has tokens and the other values.
    pub(crate) fn foreign_keys(&self, picked: &dyn Fn(&Carrier) -> bool) -> Vec<Recreation> {
        let mut recreations: Vec<Recreation> = Vec::new();
        for dependant in &self.list {
            let What::ForeignKey(fk) = &dependant.what else { continue };
            let used = self.carriers.iter().any(|carrier| {
                carrier.relation == dependant.relation
                    && fk.key.contains(&carrier.number)
                    && picked(carrier)
            });
            if used && !fk.part && !recreations.iter().any(|r| r.object == dependant.object) {
                recreations.push(fk.recreation(&dependant.object));
            }
        }
        recreations
    }
}

impl Dependant {
    /// Why this cannot follow the column, and what to do; [`None`] when it can.
    fn refusal(
        &self,
        column: &ColumnProtection,
        number: i16,
        sealed: &HashMap<(u32, i16), &ColumnProtection>,
        path: &str,
    ) -> Option<(String, &'static str)> {
        let deterministic = column.mode == Mode::Deterministic;
        match &self.what {
            What::Index(index) => index.refusal(column, number, path),
            What::Check(tree) => (usage(tree, number) > Usage::Null).then(|| {
                (format!("computes on {path}, which would compute on tokens"), DROP_CHECK)
            }),
            What::Expression { kind, tree } => (usage(tree, number) != Usage::No)
                .then(|| (format!("{kind} from {path} would compute on tokens"), "drop it first")),
            What::ForeignKey(fk) => fk.refusal(column, number, sealed, path),
            What::Exclusion { key } => key
                .contains(&number)
                .then(|| (format!("excludes by {path}, which cannot be done on tokens"), DROP)),
            What::Trigger(trigger) => match trigger.uses(number) {
                Usage::Computes => Some((
                    format!("its WHEN condition computes on {path}"),
                    "drop it, or move the condition into what does not use the value",
                )),
                Usage::Equal if !deterministic && trigger.condition_uses(number) => Some((
                    format!(
                        "its WHEN condition compares {path}, whose tokens differ at every write"
                    ),
                    "drop it, or declare the column deterministic",
                )),
                Usage::No | Usage::Null | Usage::Equal => None,
            },
            What::Opaque { number: used, reason, todo } => {
                (*used == number).then(|| (format!("{reason} {path}"), *todo))
            }
            What::Table { .. } => None,
        }
    }
}

const DROP: &str = "drop it first";
const DROP_CHECK: &str =
    "drop the constraint, and check the values in the application; pgveil checks lengths itself";

/// `lower(text)` and `upper(text)`, and `text(character)`: `pg_proc.oid` (PostgreSQL,
/// `src/include/catalog/pg_proc.dat`).
const LOWER: i64 = 870;
const UPPER: i64 = 871;
const TEXT_OF_CHARACTER: i64 = 401;

/// The function in `lower(column)` and `upper(column)`.
fn fold_of(tree: &Node, number: i16) -> Option<Fold> {
    let call = |node: &Node| (node.tag() == "FUNCEXPR").then(|| node.number("funcid")).flatten();
    let fold = match call(tree)? {
        LOWER => Fold::Lower,
        UPPER => Fold::Upper,
        _ => return None,
    };
    let [argument] = tree.list("args") else { return None };
    let mut argument = argument.unlabelled();
    if call(argument) == Some(TEXT_OF_CHARACTER)
        && let [inner] = argument.list("args")
    {
        argument = inner.unlabelled();
    }
    let is_column =
        argument.tag() == "VAR" && argument.number("varattno") == Some(i64::from(number));
    is_column.then_some(fold)
}

/// `substr(text, integer, integer)`, and the collation of a column that holds tokens.
const SUBSTR: i64 = 877;
const COLLATION_C: i64 = 950;

/// The fold handle of a column that is sealed already.
fn is_fold_handle(tree: &Node, number: i16) -> bool {
    let [column, _, _] = tree.list("args") else { return false };
    tree.tag() == "FUNCEXPR"
        && tree.number("funcid") == Some(SUBSTR)
        && column.tag() == "VAR"
        && column.number("varattno") == Some(i64::from(number))
        && column.number("varcollid") == Some(COLLATION_C)
}

impl Index {
    /// The expressions among its key columns.
    fn expressions(&self) -> impl Iterator<Item = &Node> {
        self.expressions.iter().flat_map(Node::items)
    }

    /// What takes it away, and makes it again over fold handles; [`None`] where the server rebuilds
    /// it, or another index's recreation does. `names` has the columns that fold.
    fn recreation(
        &self,
        object: &str,
        relation: &str,
        folding: &[(i16, &ColumnProtection)],
    ) -> Option<Recreation> {
        let places = self.key.iter().zip(&self.parts).filter(|(column, _)| **column == 0);
        // An index goes over a table, USING a method, (...).
        let (head, list) = self.definition.split_once(" USING ")?;
        let mut list = list.to_owned();
        let mut changed = false;
        for (expression, (_, part)) in self.expressions().zip(places) {
            let found = folding.iter().find(|(number, column)| {
                column.fold.is_some() && fold_of(expression, *number) == column.fold
            });
            if let Some((_, column)) = found {
                list = list.replacen(part.as_str(), &fold_handle(&column.column), 1);
                changed = true;
            }
        }
        if !changed || self.part {
            return None;
        }
        let mut create = vec![format!("{} USING {list}", head.replacen(" ON ONLY ", " ON ", 1))];
        if let Some(comment) = &self.comment {
            create.push(format!("COMMENT ON INDEX {} IS {}", self.name, quote_literal(comment)));
        }
        Some(Recreation {
            object: object.to_owned(),
            relation: relation.to_owned(),
            drop: format!("DROP INDEX {}", self.name),
            create,
        })
    }

    fn refusal(
        &self,
        column: &ColumnProtection,
        number: i16,
        path: &str,
    ) -> Option<(String, &'static str)> {
        let deterministic = column.mode == Mode::Deterministic;
        let uses = |tree: &Option<Node>| tree.as_ref().map_or(Usage::No, |t| usage(t, number));
        for expression in self.expressions().filter(|tree| usage(tree, number) != Usage::No) {
            match fold_of(expression, number) {
                Some(fold) if column.fold == Some(fold) => {}
                None if column.fold.is_some() && is_fold_handle(expression, number) => {}
                found => {
                    let todo = match found.filter(|_| deterministic && column.fold.is_none()) {
                        Some(Fold::Lower) => {
                            "declare the column with fold = \"lower\", and the index follows, or drop it"
                        }
                        Some(Fold::Upper) => {
                            "declare the column with fold = \"upper\", and the index follows, or drop it"
                        }
                        None => "drop the index",
                    };
                    return Some((
                        format!("an index expression over {path} would be computed from tokens"),
                        todo,
                    ));
                }
            }
        }
        if uses(&self.predicate) > Usage::Null {
            return Some((
                format!("the index predicate computes on {path}"),
                "drop the index, or let its predicate test for NULL only",
            ));
        }
        for (_, class) in
            self.key.iter().zip(&self.classes).filter(|(column, _)| **column == number)
        {
            if !deterministic {
                let (what, todo) = if self.unique {
                    ("cannot be unique: it is", "drop the constraint, or declare it deterministic")
                } else {
                    (
                        "gains nothing from an index: it is",
                        "drop the index, or declare it deterministic",
                    )
                };
                return Some((format!("{path} {what} randomized, no two tokens are equal"), todo));
            }
            let equality = match self.method.as_str() {
                "btree" => matches!(
                    class.as_str(),
                    "text_ops"
                        | "varchar_ops"
                        | "bpchar_ops"
                        | "text_pattern_ops"
                        | "varchar_pattern_ops"
                        | "bpchar_pattern_ops"
                ),
                "hash" => matches!(class.as_str(), "text_ops" | "varchar_ops" | "bpchar_ops"),
                _ => false,
            };
            if !equality {
                return Some((
                    format!("a {} index ({class}) over {path} would index tokens", self.method),
                    "drop the index",
                ));
            }
        }
        None
    }
}

impl ForeignKey {
    /// Both sides of a foreign key must hold equal tokens for equal values.
    fn refusal(
        &self,
        column: &ColumnProtection,
        number: i16,
        sealed: &HashMap<(u32, i16), &ColumnProtection>,
        path: &str,
    ) -> Option<(String, &'static str)> {
        // A foreign key is listed once for each side; the other side is then the foreign one.
        let at = self.key.iter().position(|n| *n == number)?;
        let other = *self.other_key.get(at)?;
        if column.mode != Mode::Deterministic {
            return Some((
                format!("a foreign key over {path}, which is randomized"),
                "drop the constraint, or declare the column deterministic",
            ));
        }
        let same = sealed.get(&(self.other_relation, other)).is_some_and(|other| {
            other.mode == column.mode
                && other.domain == column.domain
                && other.keyring == column.keyring
        });
        (!same).then(|| {
            (
                format!("the other side of this foreign key over {path} is not sealed alike"),
                "declare both columns in one domain and with one keyring",
            )
        })
    }
}

impl ForeignKey {
    fn recreation(&self, object: &str) -> Recreation {
        let (table, name) = (&self.table, quote_ident(&self.name));
        let mut create =
            vec![format!("ALTER TABLE {table} ADD CONSTRAINT {name} {}", self.definition)];
        if let Some(comment) = &self.comment {
            create.push(format!(
                "COMMENT ON CONSTRAINT {name} ON {table} IS {}",
                quote_literal(comment)
            ));
        }
        Recreation {
            object: object.to_owned(),
            relation: table.clone(),
            drop: format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
            create,
        }
    }
}

impl Trigger {
    fn condition_uses(&self, number: i16) -> bool {
        self.condition.as_ref().is_some_and(|tree| usage(tree, number) != Usage::No)
    }

    fn uses(&self, number: i16) -> Usage {
        let named = if self.columns.contains(&number) { Usage::Null } else { Usage::No };
        let condition = self.condition.as_ref().map_or(Usage::No, |tree| usage(tree, number));
        named.max(condition)
    }

    fn recreation(&self, object: &str) -> Recreation {
        let (table, name) = (&self.table, quote_ident(&self.name));
        let mut create = vec![self.definition.clone()];
        let mode = match self.enabled.as_str() {
            "D" => Some("DISABLE"),
            "R" => Some("ENABLE REPLICA"),
            "A" => Some("ENABLE ALWAYS"),
            _ => None,
        };
        if let Some(mode) = mode {
            create.push(format!("ALTER TABLE {table} {mode} TRIGGER {name}"));
        }
        if let Some(comment) = &self.comment {
            create.push(format!(
                "COMMENT ON TRIGGER {name} ON {table} IS {}",
                quote_literal(comment)
            ));
        }
        Recreation {
            object: object.to_owned(),
            relation: table.clone(),
            drop: format!("DROP TRIGGER {name} ON {table}"),
            create,
        }
    }
}
