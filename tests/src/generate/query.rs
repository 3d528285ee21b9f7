//! Queries with columns of given sorts, to stand anywhere inside a statement.

use super::from::{Item, Scope};
use super::schema::Sort;
use super::text::Writer;

impl Writer {
    /// A query whose columns have these sorts; at least one. Its rows are a set.
    pub(super) fn query(&mut self, sorts: &[Sort], outer: Option<&Scope<'_>>) -> String {
        self.depth += 1;
        let distinct = !sorts.contains(&Sort::Secret);
        let deep = u32::from(self.depth < 3);
        let text = match self.choices.weighted(&[
            20,
            3 * u32::from(distinct),
            3 * deep * u32::from(distinct),
            2 * deep,
            2 * deep,
            2 * deep * u32::from(distinct),
        ]) {
            0 => self.simple_select(sorts, outer, ""),
            1 => self.simple_select(sorts, outer, "DISTINCT "),
            2 => {
                let left = self.simple_select(sorts, outer, "");
                let right = self.query(sorts, outer);
                let op = self.choices.pick(&["UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL"]);
                format!("({left}) {op} ({right})")
            }
            3 => {
                let left = self.simple_select(sorts, outer, "");
                let right = match self.choices.weighted(&[3, 1, 1]) {
                    0 => self.simple_select(sorts, outer, ""),
                    kind => {
                        let values: Vec<String> =
                            sorts.iter().map(|sort| self.literal(*sort, true)).collect();
                        let values = values.join(", ");
                        if kind == 1 {
                            format!("SELECT {values}")
                        } else {
                            format!("VALUES ({values})")
                        }
                    }
                };
                format!("{left} UNION ALL {right}")
            }
            4 => {
                let inner = self.query(sorts, outer);
                let (name, columns) = (self.name("w"), self.columns(sorts));
                let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
                let names = names.join(", ");
                format!("WITH {name} ({names}) AS ({inner}) SELECT {names} FROM {name}")
            }
            _ => self.grouped_select(sorts, outer),
        };
        self.depth -= 1;
        text
    }

    /// SELECT ... FROM ... WHERE.
    fn simple_select(
        &mut self,
        sorts: &[Sort],
        outer: Option<&Scope<'_>>,
        distinct: &str,
    ) -> String {
        let items = if self.depth < 3 && self.choices.chance(20) { 2 } else { 1 };
        let (from, scope) = self.join_tree(sorts[0], items, outer);
        let outputs: Vec<String> = sorts.iter().map(|sort| self.output(*sort, &scope)).collect();
        let filter = if self.choices.chance(60) {
            format!(" WHERE {}", self.condition(&scope))
        } else {
            String::new()
        };
        format!("SELECT {distinct}{} FROM {from}{filter}", outputs.join(", "))
    }

    /// An output column; one of a protected sort is sealed.
    pub(super) fn output(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        if self.choices.chance(25) {
            return self.value(sort, scope, false);
        }
        match self.column(sort, scope) {
            Some(column) => column,
            // Its type must not depend on what it meets: NULL alone would be text.
            None => match sort {
                Sort::Int => "1".to_owned(),
                Sort::Bool => "true".to_owned(),
                Sort::Date => "DATE '2024-01-01'".to_owned(),
                Sort::Text => "'x'".to_owned(),
                _ => self.scalar(sort, scope),
            },
        }
    }

    fn grouped_select(&mut self, sorts: &[Sort], outer: Option<&Scope<'_>>) -> String {
        let (from, scope) = self.join_tree(sorts[0], 1, outer);
        let mut keys = Vec::new();
        let mut outputs = Vec::new();
        for sort in sorts {
            match self.qualified(*sort, &scope) {
                Some(column) => {
                    outputs.push(column.clone());
                    keys.push(column);
                }
                None if *sort == Sort::Int => outputs.push("count(*)::int".to_owned()),
                None => outputs.push(self.output(*sort, &Scope::default())),
            }
        }
        let group =
            if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
        let having =
            if self.choices.chance(30) && !keys.is_empty() { " HAVING count(*) > 1" } else { "" };
        format!("SELECT {} FROM {from}{group}{having}", outputs.join(", "))
    }

    /// A list of output columns, some renamed.
    pub(super) fn outputs(&mut self, scope: &Scope<'_>, most: u32) -> String {
        let mut list = Vec::new();
        for _ in 0..=self.choices.below(most) {
            let sort = self.output_sort(scope);
            let text = if self.choices.chance(30) {
                self.value(sort, scope, false)
            } else {
                self.output(sort, scope)
            };
            list.push(if self.choices.weighted(&[6, 2]) == 0 {
                text
            } else {
                let name = self.name("c");
                let as_ = self.choices.pick(&[" AS ", " AS ", " "]);
                format!("{text}{as_}{name}")
            });
        }
        if self.choices.chance(12) {
            list.push(self.star(scope));
        }
        list.join(", ")
    }

    fn star(&mut self, scope: &Scope<'_>) -> String {
        let named: Vec<&Item> = scope.items.iter().filter(|item| !item.alias.is_empty()).collect();
        match self.choices.weighted(&[2, 1]) {
            1 if !named.is_empty() => {
                format!("{}.*", named[self.choices.index(named.len())].alias)
            }
            _ => "*".to_owned(),
        }
    }
}
