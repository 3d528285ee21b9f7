//! The classes of statements that read.

use super::from::{Col, Item, Scope};
use super::schema::Sort;
use super::text::Writer;

/// Sorts that statements are about, the simplest first.
const SUBJECTS: [Sort; 4] = [Sort::Mail, Sort::Given, Sort::Code, Sort::Nick];

impl Writer {
    fn filter(&mut self, scope: &Scope<'_>, percent: u32) -> String {
        if self.choices.chance(percent) {
            format!(" WHERE {}", self.condition(scope))
        } else {
            String::new()
        }
    }

    /// ORDER BY plain unique columns, if there are any; then LIMIT is determined.
    fn order(&mut self, scope: &Scope<'_>) -> (String, bool) {
        let keys: Option<Vec<String>> = scope.items.iter().map(Item::key).collect();
        let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
            return (String::new(), false);
        };
        if !self.choices.chance(40) {
            return (String::new(), false);
        }
        let directions = ["", " ASC", " DESC", " DESC NULLS LAST"];
        let keys: Vec<String> = keys
            .into_iter()
            .map(|key| format!("{key}{}", self.choices.pick(&directions)))
            .collect();
        let mut text = format!(" ORDER BY {}", keys.join(", "));
        match self.choices.weighted(&[3, 1, 1, 1]) {
            1 => text += &format!(" LIMIT {}", self.literal_of(Sort::Int, Some("2".to_owned()))),
            2 => text += " LIMIT 3 OFFSET 1",
            3 => text += " OFFSET 1 ROWS FETCH FIRST 2 ROWS ONLY",
            _ => {}
        }
        (text, true)
    }

    /// SELECT ... FROM table WHERE ...
    pub(super) fn lookup(&mut self) -> (String, bool) {
        let subject = self.choices.pick(&SUBJECTS);
        let (from, scope) = self.join_tree(subject, 1, None);
        let outputs = self.outputs(&scope, 3);
        let filter = self.filter(&scope, 90);
        let (order, ordered) = self.order(&scope);
        let lock = match self.choices.weighted(&[12, 1, 1]) {
            // Not over what groups, which a sub-query or the view may do.
            1 if scope.items[0].key.is_some() => " FOR UPDATE",
            2 if scope.items[0].key.is_some() => " FOR SHARE SKIP LOCKED",
            _ => "",
        };
        (format!("SELECT {outputs} FROM {from}{filter}{order}{lock}"), ordered)
    }

    /// Two or three tables.
    pub(super) fn join(&mut self) -> (String, bool) {
        let subject = self.choices.pick(&SUBJECTS);
        match self.choices.weighted(&[6, 2, 1]) {
            0 => {
                let items = 2 + self.choices.index(2);
                let (from, scope) = self.join_tree(subject, items, None);
                let outputs = self.outputs(&scope, 4);
                let filter = self.filter(&scope, 60);
                let (order, ordered) = self.order(&scope);
                // Rows that an outer join has made have no key.
                let ordered = ordered && !order.contains("LIMIT") && !from.contains("JOIN");
                let order = if from.contains("JOIN") { String::new() } else { order };
                (format!("SELECT {outputs} FROM {from}{filter}{order}"), ordered)
            }
            1 => (self.using(), false),
            _ => (self.natural(subject), false),
        }
    }

    /// Two tables with columns of the same names.
    fn using(&mut self) -> String {
        let (left, right, names): (_, _, &[(&str, Sort)]) = self.choices.pick(&[
            ("person", "account", &[("email", Sort::Mail)][..]),
            ("person", "subscriber", &[("email", Sort::Mail), ("given", Sort::Given)]),
            ("account", "visit", &[("nick", Sort::Nick), ("size", Sort::Int)]),
            ("letter", "person", &[("code", Sort::Code)]),
            ("visit", "active_person", &[("size", Sort::Int), ("email", Sort::Mail)]),
        ]);
        let tables = [left, right].map(|name| {
            super::TABLES.iter().find(|table| table.name == name).expect("the table is listed")
        });
        let items = tables.map(|table| Item::of(table, self.name("a")));
        let names: Vec<Col> =
            names.iter().map(|(name, sort)| Col { name: (*name).into(), sort: *sort }).collect();
        let join = self.choices.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let list: Vec<&str> = names.iter().map(|column| column.name.as_str()).collect();
        let from = format!(
            "{left} {} {join} {right} AS {} USING ({})",
            items[0].alias,
            items[1].alias,
            list.join(", ")
        );
        let [first, second] = items;
        let merged = Item { alias: String::new(), columns: names, key: None };
        let scope = Scope { items: vec![merged, first, second], outer: None };
        let outputs = self.outputs(&scope, 4);
        let filter = self.filter(&scope, 50);
        format!("SELECT {outputs} FROM {from}{filter}")
    }

    /// Two sub-queries whose columns have the same names.
    fn natural(&mut self, subject: Sort) -> String {
        let sorts = [subject, Sort::Int];
        let (left, right) = (self.query(&sorts, None), self.query(&sorts, None));
        // Of NATURAL JOIN the server describes the side that needs no coercion.
        let join =
            self.choices.pick(&["NATURAL LEFT JOIN", "NATURAL RIGHT JOIN", "NATURAL FULL JOIN"]);
        let filter = self.choices.pick(&["", " WHERE k IS NOT NULL", " WHERE m = n"]);
        format!("SELECT * FROM ({left}) a (k, m) {join} ({right}) AS b (k, n){filter}")
    }

    /// A condition with a sub-query for certain.
    pub(super) fn subquery(&mut self) -> (String, bool) {
        let subject = self.choices.pick(&SUBJECTS);
        let (from, scope) = self.join_tree(subject, 1, None);
        let outputs = self.outputs(&scope, 2);
        let left = self.qualified(subject, &scope).unwrap_or_else(|| "NULL".to_owned());
        let condition = match self.choices.weighted(&[3, 3, 3, 2]) {
            0 => {
                let query = self.query(&[subject], Some(&scope));
                let op = self.choices.pick(&["IN", "NOT IN", "= ANY", "<> ALL"]);
                format!("{left} {op} ({query})")
            }
            1 => {
                let query = self.query(&[subject], Some(&scope));
                let op = self.choices.pick(&["EXISTS", "NOT EXISTS"]);
                let alias = self.name("q");
                format!("{op} (SELECT FROM ({query}) {alias} (v) WHERE v = {left})")
            }
            2 => {
                let value = self.value(subject, &scope, true);
                let table = self.table_with(subject);
                let alias = self.name("s");
                let inside =
                    Scope { items: vec![Item::of(table, alias.clone())], outer: Some(&scope) };
                let column = self.qualified(subject, &inside).unwrap_or_default();
                let name = self.table_name(table);
                format!(
                    "{left} = COALESCE((SELECT {column} FROM {name} {alias} \
                     WHERE {column} = {value} GROUP BY {column}), {value})"
                )
            }
            _ => {
                let query = self.query(&[subject, Sort::Int], Some(&scope));
                let number = self.value(Sort::Int, &scope, true);
                let op = self.choices.pick(&["IN", "NOT IN", "= ANY"]);
                format!("({left}, {number}) {op} ({query})")
            }
        };
        let (order, ordered) = self.order(&scope);
        (format!("SELECT {outputs} FROM {from} WHERE {condition}{order}"), ordered)
    }

    /// A long select list.
    pub(super) fn expressions(&mut self) -> (String, bool) {
        let subject = self.choices.pick(&SUBJECTS);
        let (from, scope) = self.join_tree(subject, 1, None);
        let mut list = Vec::new();
        for _ in 0..=self.choices.below(3) {
            let sort = if self.choices.chance(30) { Sort::Bool } else { self.output_sort(&scope) };
            let value = self.value(sort, &scope, false);
            list.push(match self.choices.weighted(&[16, 1, 1, 1, 1]) {
                0 => value,
                1 => {
                    let more = self.output_sort(&scope);
                    let more = self.value(more, &scope, false);
                    format!("ROW({value}, {more})")
                }
                2 => {
                    let more = self.value(sort, &scope, false);
                    format!("ARRAY[{value}, {more}]")
                }
                3 => {
                    let query = self.query(&[sort], Some(&scope));
                    let count = self.choices.pick(&["cardinality", "array_ndims"]);
                    format!("{count}(ARRAY({query}))")
                }
                _ => format!("num_nulls({value}, 1)"),
            });
        }
        let filter = self.filter(&scope, 40);
        let (order, ordered) = self.order(&scope);
        (format!("SELECT {} FROM {from}{filter}{order}", list.join(", ")), ordered)
    }

    /// DISTINCT and DISTINCT ON.
    pub(super) fn distinct(&mut self) -> String {
        let subject = self.choices.pick(&SUBJECTS);
        let items = 1 + self.choices.index(2);
        let (from, scope) = self.join_tree(subject, items, None);
        let mut list = vec![self.output(subject, &scope)];
        if self.choices.chance(60) {
            let more = self.deterministic(&scope).unwrap_or(Sort::Int);
            list.push(self.output(more, &scope));
        }
        if self.choices.chance(30) {
            list.push(self.output(Sort::Int, &scope));
        }
        let filter = self.filter(&scope, 40);
        let list = list.join(", ");
        if self.choices.chance(25) {
            // Which row of several stays is open, unless there is nothing else in it.
            let column = self.qualified(subject, &scope).unwrap_or_else(|| "1".to_owned());
            return format!("SELECT DISTINCT ON ({column}) {column} FROM {from}{filter}");
        }
        format!("SELECT DISTINCT {list} FROM {from}{filter}")
    }

    /// GROUP BY, HAVING.
    pub(super) fn group(&mut self) -> String {
        let subject = self.choices.pick(&SUBJECTS);
        let items = 1 + self.choices.index(2);
        let (from, scope) = self.join_tree(subject, items, None);
        let first = self.qualified(subject, &scope).unwrap_or_else(|| "1".to_owned());
        let mut keys = vec![first.clone()];
        let mut list = vec![first.clone()];
        if self.choices.chance(40) {
            let more = self.deterministic(&scope).unwrap_or(Sort::Int);
            let value = self.qualified(more, &scope).unwrap_or_else(|| "1".to_owned());
            keys.push(value.clone());
            list.push(value);
        }
        for _ in 0..self.choices.below(4) {
            list.push(self.aggregate(&scope));
        }
        if self.choices.chance(25) {
            let value = self.literal(subject, true);
            list.push(format!("{first} = {value}"));
        }
        let filter = self.filter(&scope, 40);
        let group = match self.choices.weighted(&[10, 2, 1, 1, 1, 2]) {
            1 => format!("ROLLUP ({})", keys.join(", ")),
            2 => format!("CUBE ({})", keys.join(", ")),
            3 => format!("GROUPING SETS (({}), ())", keys.join(", ")),
            4 => "1".to_owned(),
            5 if scope.items.len() == 1 && scope.items[0].key.is_some() => {
                // By the key, on which the other columns depend.
                format!(
                    "{}.{}",
                    scope.items[0].alias,
                    scope.items[0].key.clone().unwrap_or_default()
                )
            }
            _ => keys.join(", "),
        };
        let having = match self.choices.weighted(&[6, 2, 2, 1]) {
            1 => " HAVING count(*) > 1".to_owned(),
            2 => {
                let column = self.qualified(subject, &scope).unwrap_or_else(|| "1".to_owned());
                format!(" HAVING count(DISTINCT {column}) >= 1")
            }
            3 => {
                let value = self.literal(subject, true);
                format!(" HAVING {first} IS DISTINCT FROM {value}")
            }
            _ => String::new(),
        };
        format!("SELECT {} FROM {from}{filter} GROUP BY {group}{having}", list.join(", "))
    }

    fn aggregate(&mut self, scope: &Scope<'_>) -> String {
        let sort = self.deterministic(scope).unwrap_or(Sort::Int);
        let column = self.qualified(sort, scope).unwrap_or_else(|| "1".to_owned());
        let number = self.qualified(Sort::Int, scope).unwrap_or_else(|| "1".to_owned());
        let key = match scope.items.as_slice() {
            [single] => single.key(),
            _ => None,
        };
        match self.choices.weighted(&[4, 4, 4, 2, 2, 1, 2, 2 * u32::from(key.is_some())]) {
            7 => {
                let key = key.unwrap_or_default();
                let first = self.choices.pick(&["", "", "[1]", "[2:3]"]);
                format!("(array_agg({column} ORDER BY {key})){first}")
            }
            0 => "count(*)".to_owned(),
            1 => format!("count({column})"),
            2 => format!("count(DISTINCT {column})"),
            3 => format!("sum({number})"),
            4 => {
                let condition = self.condition(scope);
                format!("count(*) FILTER (WHERE {condition})")
            }
            5 => {
                let value = self.literal(sort, true);
                format!("bool_or({column} = {value})")
            }
            _ => format!("max({number})"),
        }
    }

    /// UNION, INTERSECT, EXCEPT.
    pub(super) fn set_operation(&mut self) -> String {
        let mut sorts = vec![self.choices.pick(&SUBJECTS)];
        for _ in 0..self.choices.below(3) {
            sorts.push(self.choices.pick(&[Sort::Int, Sort::Mail, Sort::Given, Sort::Code]));
        }
        let mut text = self.query(&sorts, None);
        for _ in 0..=self.choices.below(2) {
            let ops = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"];
            let op = self.choices.pick(&ops);
            let next = self.query(&sorts, None);
            text = format!("({text}) {op} ({next})");
        }
        text
    }

    /// Windows.
    pub(super) fn window(&mut self) -> (String, bool) {
        let subject = self.choices.pick(&SUBJECTS);
        let (from, scope) = self.join_tree(subject, 1, None);
        let column = self.qualified(subject, &scope).unwrap_or_else(|| "1".to_owned());
        let other = self.qualified(subject, &scope).unwrap_or_else(|| "1".to_owned());
        let key = scope.items[0].key();
        let mut list = vec![column.clone()];
        for _ in 0..=self.choices.below(2) {
            let partition = if self.choices.chance(80) {
                format!("PARTITION BY {}", self.choices.pick(&[&column, &other]))
            } else {
                String::new()
            };
            let call = match (&key, self.choices.weighted(&[3, 3, 2, 2, 1, 1])) {
                (Some(key), 1) => format!("row_number() OVER ({partition} ORDER BY {key})"),
                (Some(key), 2) => format!("lag({other}) OVER ({partition} ORDER BY {key})"),
                (Some(key), 3) => {
                    format!("first_value({other}) OVER ({partition} ORDER BY {key} DESC)")
                }
                (Some(key), 4) => {
                    let default = self.literal(subject, true);
                    format!("lead({other}, 1, {default}) OVER ({partition} ORDER BY {key})")
                }
                (Some(key), 5) => format!(
                    "nth_value({other}, 2) OVER ({partition} ORDER BY {key} ROWS BETWEEN \
                     UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
                ),
                _ => format!("count({other}) OVER ({partition})"),
            };
            list.push(call);
        }
        let named = if self.choices.chance(20) {
            list.push("count(*) OVER w".to_owned());
            format!(" WINDOW w AS (PARTITION BY {column})")
        } else {
            String::new()
        };
        let filter = self.filter(&scope, 40);
        (format!("SELECT {} FROM {from}{filter}{named}", list.join(", ")), false)
    }

    /// WITH.
    pub(super) fn with(&mut self) -> String {
        if self.choices.chance(30) {
            return self.recursive();
        }
        let subject = self.choices.pick(&SUBJECTS);
        let sorts = [subject, Sort::Int];
        let query = self.query(&sorts, None);
        let (name, columns) = (self.name("w"), self.columns(&sorts));
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let names = names.join(", ");
        let kept = self.choices.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
        let with = format!("WITH {name} ({names}) AS {kept}({query})");
        let item = Item { alias: name.clone(), columns, key: None };
        if self.choices.chance(50) {
            let (source, other) = self.source(subject);
            let scope = Scope { items: vec![item, other], outer: None };
            let left =
                self.qualified(subject, &Scope { items: scope.items[..1].to_vec(), outer: None });
            let right =
                self.qualified(subject, &Scope { items: scope.items[1..].to_vec(), outer: None });
            let outputs = self.outputs(&scope, 3);
            let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
            let join = self.choices.pick(&["JOIN", "LEFT JOIN"]);
            return format!(
                "{with} SELECT {outputs} FROM {name} {join} {source} ON {left} = {right}"
            );
        }
        let scope = Scope { items: vec![item], outer: None };
        let outputs = self.outputs(&scope, 2);
        let filter = self.filter(&scope, 50);
        format!("{with} SELECT {outputs} FROM {name}{filter}")
    }

    /// Down a tree by plain keys, or along equal addresses.
    fn recursive(&mut self) -> String {
        let column = self.choices.pick(&["email", "given", "code", "backup", "family"]);
        let start = self.choices.pick(&["boss IS NULL", "id < 3", "true"]);
        let union =
            if column == "family" || self.choices.chance(60) { "UNION ALL" } else { "UNION" };
        match self.choices.weighted(&[3, 1, 1]) {
            1 if column != "family" => format!(
                "WITH RECURSIVE r (n, v) AS (SELECT 1, {column} FROM person WHERE {start} {union} \
                 SELECT r.n + 1, p.{column} FROM r JOIN person p ON p.{column} = r.v WHERE r.n < 3) \
                 SELECT count(*), v FROM r GROUP BY v"
            ),
            2 if column != "family" => format!(
                "WITH RECURSIVE r AS (SELECT id, {column} FROM person WHERE {start} {union} \
                 SELECT p.id, r.{column} FROM person p, r WHERE p.boss = r.id) SELECT DISTINCT \
                 {column} FROM r"
            ),
            _ => format!(
                "WITH RECURSIVE r (id, v, n) AS (SELECT id, {column}, 1 FROM person WHERE {start} \
                 {union} SELECT p.id, p.{column}, r.n + 1 FROM person p JOIN r ON p.boss = r.id \
                 WHERE r.n < 4) SELECT * FROM r"
            ),
        }
    }

    /// VALUES as a table, or on its own.
    pub(super) fn values_query(&mut self) -> String {
        let subject = self.choices.pick(&SUBJECTS);
        let (source, item) = self.source(subject);
        let column = self.qualified(subject, &Scope { items: vec![item.clone()], outer: None });
        let column = column.unwrap_or_else(|| "NULL".to_owned());
        let mut rows = Vec::new();
        for _ in 0..=self.choices.below(4) {
            // NULL alone has a type of its own there.
            let value = self.any_value(subject, true).unwrap_or_default();
            let value = self.literal_of(subject, Some(value));
            rows.push(format!("({value}, {})", self.choices.below(4)));
        }
        let rows = rows.join(", ");
        match self.choices.weighted(&[3, 1, 1, 1]) {
            1 => format!("SELECT {column} FROM {source} WHERE ({column}, 1) IN (VALUES {rows})"),
            2 => format!(
                "WITH v (k, n) AS (VALUES {rows}) SELECT v.n, {column} FROM v, {source} \
                 WHERE v.k = {column}"
            ),
            3 => format!("(VALUES {rows}) UNION ALL SELECT {column}, 9 FROM {source}"),
            _ => {
                let columns = vec![
                    Col { name: "k".into(), sort: subject },
                    Col { name: "n".into(), sort: Sort::Int },
                ];
                let values = Item { alias: "v".into(), columns, key: None };
                let scope = Scope { items: vec![values, item], outer: None };
                let join = self.choices.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
                let outputs = self.outputs(&scope, 2);
                format!(
                    "SELECT {outputs} FROM (VALUES {rows}) AS v (k, n) {join} {source} \
                     ON v.k = {column}"
                )
            }
        }
    }
}
