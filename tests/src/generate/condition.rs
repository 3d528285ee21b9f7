//! Conditions: whatever is native on tokens of equal values.

use super::from::{Item, Scope};
use super::schema::Sort;
use super::text::Writer;

impl Writer {
    /// A truth value.
    pub(super) fn condition(&mut self, scope: &Scope<'_>) -> String {
        let Some(sort) = self.deterministic(scope) else { return self.plain_condition(scope) };
        self.depth += 1;
        // Some need a sub-query, which must not be too deep inside.
        let (deep, nested) = (self.depth < 4, u32::from(self.depth < 3));
        let text = match self.choices.weighted(&[
            6,
            14,
            5,
            4,
            4,
            4,
            6 * nested,
            3 * nested,
            4 * nested,
            3,
            2,
            2 * nested,
            1,
        ]) {
            0 => self.plain_condition(scope),
            1 => {
                let (left, right) = self.two(sort, scope);
                let op = self.choices.pick(&["=", "=", "<>", "!="]);
                format!("{left} {op} {right}")
            }
            2 => {
                let (left, list) = (self.left(sort, scope), self.list(sort, scope));
                let not = self.choices.pick(&["", "", "NOT "]);
                format!("{left} {not}IN ({list})")
            }
            3 => self.quantified(sort, scope),
            4 => {
                let any = if self.choices.chance(20) { Sort::Secret } else { sort };
                let left = self.left(any, scope);
                let test = self.choices.pick(&["IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL"]);
                format!("{left} {test}")
            }
            5 => {
                let (left, right) = self.two(sort, scope);
                let not = self.choices.pick(&["", "NOT "]);
                format!("{left} IS {not}DISTINCT FROM {right}")
            }
            6 if deep => {
                let (a, b) = (self.condition(scope), self.condition(scope));
                match self.choices.weighted(&[4, 3, 2, 1]) {
                    0 => format!("({a} AND {b})"),
                    1 => format!("({a} OR {b})"),
                    2 => format!("NOT ({a})"),
                    _ => format!("({a}) IS NOT TRUE AND NOT ({b})"),
                }
            }
            7 => {
                let table = self.table_with(sort);
                let alias = self.name("e");
                let name = self.table_name(table);
                let inside =
                    Scope { items: vec![Item::of(table, alias.clone())], outer: Some(scope) };
                let (left, right) = self.correlated(sort, &inside, scope);
                let not = self.choices.pick(&["", "NOT "]);
                let what = self.choices.pick(&["1", "*", "NULL", ""]);
                let more = if self.choices.chance(30) {
                    format!(" AND {}", self.condition(&inside))
                } else {
                    String::new()
                };
                format!(
                    "{not}EXISTS (SELECT {what} FROM {name} {alias} WHERE {left} = {right}{more})"
                )
            }
            8 => {
                let left = self.left(sort, scope);
                let query = self.query(&[sort], Some(scope));
                let op = self.choices.pick(&["IN", "NOT IN", "= ANY", "<> ALL", "= SOME"]);
                format!("{left} {op} ({query})")
            }
            9 => self.row_comparison(sort, scope),
            10 => {
                let (subject, when) = self.two(sort, scope);
                let (yes, no) =
                    (self.choices.pick(&["true", "false"]), self.plain_condition(scope));
                format!("CASE {subject} WHEN {when} THEN {yes} ELSE {no} END")
            }
            11 => {
                let left = self.left(sort, scope);
                let sorts = [sort, Sort::Int];
                let query = self.query(&sorts, Some(scope));
                let number = self.value(Sort::Int, scope, true);
                let not = self.choices.pick(&["", "NOT "]);
                format!("({left}, {number}) {not}IN ({query})")
            }
            _ => {
                let (a, b) = self.two(sort, scope);
                let (c, d) = self.two(sort, scope);
                format!("({a} = {b}) = ({c} = {d})")
            }
        };
        self.depth -= 1;
        text
    }

    /// The left side of a comparison: a column, so that the other side meets one.
    pub(super) fn left(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        match self.column(sort, scope) {
            None => self.value(sort, scope, false),
            Some(column) => {
                if self.choices.chance(12) {
                    self.value(sort, scope, false)
                } else {
                    column
                }
            }
        }
    }

    /// Both sides of a comparison, in either order; one of them is a column if there is one.
    fn two(&mut self, sort: Sort, scope: &Scope<'_>) -> (String, String) {
        let column = self.column(sort, scope);
        let met = column.is_some();
        let left = column.unwrap_or_else(|| "NULL".to_owned());
        let right = if self.choices.chance(60) {
            self.literal(sort, met)
        } else {
            self.value(sort, scope, met)
        };
        if self.choices.chance(20) { (right, left) } else { (left, right) }
    }

    fn correlated(
        &mut self,
        sort: Sort,
        inside: &Scope<'_>,
        outside: &Scope<'_>,
    ) -> (String, String) {
        let inner = self.qualified(sort, inside).unwrap_or_else(|| "NULL".to_owned());
        let outer = self.qualified(sort, outside);
        let outer = outer.unwrap_or_else(|| self.literal(sort, true));
        if self.choices.chance(50) { (outer, inner) } else { (inner, outer) }
    }

    fn list(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        let met = scope.has(sort);
        let mut items = vec![self.literal(sort, met)];
        for _ in 0..self.choices.below(4) {
            items.push(if self.choices.chance(85) {
                self.literal(sort, met)
            } else {
                self.value(sort, scope, met)
            });
        }
        items.join(", ")
    }

    /// `= ANY` and its like over an array.
    fn quantified(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        let left = self.column(sort, scope).unwrap_or_else(|| "NULL".to_owned());
        let op = self.choices.pick(&["= ANY", "<> ALL", "= SOME", "= ANY"]);
        let met = scope.has(sort);
        let cast = match sort {
            Sort::Code => self.choices.pick(&["bpchar[]", "varchar[]", "text[]"]),
            _ => self.choices.pick(&["text[]", "varchar[]"]),
        };
        if self.choices.chance(50) {
            let list = self.list(sort, scope);
            return format!("{left} {op} (ARRAY[{list}])");
        }
        if self.depth < 3 && self.choices.chance(20) {
            let query = self.query(&[sort], Some(scope));
            return format!("{left} {op} (ARRAY({query}))");
        }
        let mut elements = Vec::new();
        for _ in 0..self.choices.below(4) {
            let value = self.any_value(sort, met);
            elements.push(value.map_or("NULL".to_owned(), |value| {
                format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }));
        }
        let array = self.array(&format!("{{{}}}", elements.join(",")), cast);
        format!("{left} {op} ({array})")
    }

    /// `(a, b) = (x, y)`.
    fn row_comparison(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        let (a, b) = self.two(sort, scope);
        let (c, d) = (self.value(Sort::Int, scope, true), self.value(Sort::Int, scope, true));
        match self.choices.weighted(&[3, 1, 1, 2, 1]) {
            0 => format!("({a}, {c}) = ({b}, {d})"),
            1 => format!("ROW({a}, {c}) <> ROW({b}, {d})"),
            2 => format!("({c}, {a}) IS DISTINCT FROM ({d}, {b})"),
            3 => {
                let left = self.column(sort, scope).unwrap_or_else(|| "NULL".to_owned());
                let more = self.literal(sort, scope.has(sort));
                format!("({left}, {c}) IN (({b}, {d}), ({more}, 1))")
            }
            _ => format!("({c}, {a}) NOT IN (({d}, {b}))"),
        }
    }

    /// A condition over plain values.
    pub(super) fn plain_condition(&mut self, scope: &Scope<'_>) -> String {
        // Nothing that the planner computes: it looks at the lengths of what it finds then.
        let column = self.column(Sort::Int, scope).unwrap_or_else(|| "(SELECT 1)".to_owned());
        match self.choices.weighted(&[6, 2, 2, 2, 2, 1]) {
            0 => {
                let op = self.choices.pick(&[">=", "=", "<", "<>", "<="]);
                let right = self.literal(Sort::Int, true);
                format!("{column} {op} {right}")
            }
            1 => format!("{column} IN (1, 2, 5)"),
            2 => match self.column(Sort::Text, scope) {
                Some(text) => {
                    let pattern = self.choices.pick(&["'%x%'", "'_'", "'it''s'", "'b\\\\%'"]);
                    format!("{text} LIKE {pattern}")
                }
                None => format!("{column} IS NULL"),
            },
            3 => format!("{column} BETWEEN 1 AND 3"),
            4 => match self.column(Sort::Bool, scope) {
                Some(flag) => {
                    let test = self.choices.pick(&["", " IS TRUE", " IS NOT FALSE", " IS UNKNOWN"]);
                    format!("{flag}{test}")
                }
                None => "(SELECT true)".to_owned(),
            },
            _ => "(SELECT true)".to_owned(),
        }
    }
}
