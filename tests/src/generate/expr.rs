//! Expressions of a sort.

use super::from::Scope;
use super::schema::Sort;
use super::text::Writer;

impl Writer {
    /// A sort with a column in sight that equal tokens can be asked for.
    pub(super) fn deterministic(&mut self, scope: &Scope<'_>) -> Option<Sort> {
        let sorts: Vec<Sort> =
            Sort::DETERMINISTIC.into_iter().filter(|sort| scope.has(*sort)).collect();
        (!sorts.is_empty()).then(|| self.choices.pick(&sorts))
    }

    /// Any sort for an output column.
    pub(super) fn output_sort(&mut self, scope: &Scope<'_>) -> Sort {
        let sorts: Vec<Sort> = [
            Sort::Int,
            Sort::Mail,
            Sort::Given,
            Sort::Code,
            Sort::Nick,
            Sort::Secret,
            Sort::Text,
            Sort::Date,
        ]
        .into_iter()
        .filter(|sort| scope.has(*sort))
        .collect();
        match sorts.is_empty() {
            true => Sort::Int,
            false if self.choices.chance(6) => Sort::Bool,
            false => self.choices.pick(&sorts),
        }
    }

    /// An expression of a sort. `met`: what it meets is sealed for certain. Otherwise the expression
    /// itself is: a literal that met only others would be plain, and be found where it may not be.
    pub(super) fn value(&mut self, sort: Sort, scope: &Scope<'_>, met: bool) -> String {
        self.depth += 1;
        let text = if sort.is_protected() {
            self.protected(sort, scope, met)
        } else {
            self.plain(sort, scope)
        };
        self.depth -= 1;
        text
    }

    /// A column, else a literal or a sub-query.
    fn column_or(&mut self, sort: Sort, scope: &Scope<'_>, met: bool) -> String {
        match self.column(sort, scope) {
            Some(column) => column,
            None if met => self.literal(sort, met),
            None => self.scalar(sort, scope),
        }
    }

    fn protected(&mut self, sort: Sort, scope: &Scope<'_>, met: bool) -> String {
        if self.depth > 4 {
            return self.column_or(sort, scope, met);
        }
        let cast = u32::from(sort != Sort::Code) * 2;
        match self.choices.weighted(&[30, 6, 4, 4, 2, 2, cast, 1]) {
            1 if met => self.literal(sort, met),
            2 => {
                let first = self.column(sort, scope);
                let met = met || first.is_some();
                let mut items = vec![first.unwrap_or_else(|| self.column_or(sort, scope, met))];
                for _ in 0..=self.choices.below(2) {
                    items.push(self.value(sort, scope, met));
                }
                if self.choices.chance(30) {
                    items.rotate_left(1);
                }
                format!("COALESCE({})", items.join(", "))
            }
            3 => self.case(sort, scope, met),
            4 if sort.is_deterministic() => {
                let first = self.column(sort, scope);
                let met = met || first.is_some();
                let first = first.unwrap_or_else(|| self.column_or(sort, scope, met));
                let second = self.value(sort, scope, met);
                format!("NULLIF({first}, {second})")
            }
            5 if self.depth <= 3 => self.scalar(sort, scope),
            6 => {
                let inner = self.value(sort, scope, met);
                let cast = self.choices.pick(&["text", "varchar"]);
                if self.choices.chance(30) {
                    format!("CAST({inner} AS {cast})")
                } else {
                    format!("({inner})::{cast}")
                }
            }
            7 => {
                let inner = self.value(sort, scope, met);
                format!("({inner})")
            }
            _ => self.column_or(sort, scope, met),
        }
    }

    fn case(&mut self, sort: Sort, scope: &Scope<'_>, met: bool) -> String {
        let first = self.column(sort, scope);
        let met = met || first.is_some();
        let first = first.unwrap_or_else(|| self.column_or(sort, scope, met));
        let mut branches = [first, self.value(sort, scope, met)];
        let otherwise = if self.choices.chance(70) {
            if self.choices.chance(30) {
                branches.swap(0, 1);
            }
            format!(" ELSE {}", branches[1])
        } else {
            String::new()
        };
        // With an operand it is equality, whatever the results are.
        let operand = self.deterministic(scope).filter(|_| self.choices.chance(35));
        if let Some(operand) = operand {
            let subject = self.column(operand, scope).unwrap_or_else(|| "NULL".to_owned());
            let when = self.value(operand, scope, true);
            format!("CASE {subject} WHEN {when} THEN {}{otherwise} END", branches[0])
        } else {
            let when = self.condition(scope);
            format!("CASE WHEN {when} THEN {}{otherwise} END", branches[0])
        }
    }

    /// A sub-query of one row at most: looked up by its key.
    pub(super) fn scalar(&mut self, sort: Sort, outer: &Scope<'_>) -> String {
        let table = self.table_with(sort);
        let alias = self.name("s");
        let inside =
            Scope { items: vec![super::from::Item::of(table, alias.clone())], outer: Some(outer) };
        let name = self.table_name(table);
        let column = self.qualified(sort, &inside).expect("the table has one");
        let Some(key) = table.number_key() else {
            // Then the rows are made into one.
            return format!("(SELECT {column} FROM {name} {alias} WHERE false)");
        };
        // Qualified: an unqualified name is looked for in the sub-query first.
        let wanted = if self.choices.chance(50) { self.qualified(Sort::Int, outer) } else { None };
        let wanted = wanted.unwrap_or_else(|| self.literal(Sort::Int, true));
        format!("(SELECT {column} FROM {name} {alias} WHERE {alias}.{key} = {wanted})")
    }

    fn plain(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        if self.depth > 4 {
            return self.column_or(sort, scope, true);
        }
        match sort {
            Sort::Int => match self.choices.weighted(&[20, 4, 3, 2, 2, 2]) {
                0 => self.column_or(sort, scope, true),
                1 => self.literal(sort, true),
                2 => {
                    let (a, b) = (self.value(sort, scope, true), self.value(sort, scope, true));
                    let op = self.choices.pick(&["+", "-", "*"]);
                    format!("({a} {op} {b})")
                }
                3 => {
                    let (a, b) = (self.value(sort, scope, true), self.literal(sort, true));
                    format!("COALESCE({a}, {b})")
                }
                4 => {
                    let condition = self.condition(scope);
                    format!("CASE WHEN {condition} THEN 1 ELSE 0 END")
                }
                _ => {
                    let query = self.query(&[Sort::Int], Some(scope));
                    let alias = self.name("n");
                    format!("(SELECT count(*)::int FROM ({query}) {alias})")
                }
            },
            Sort::Text => match self.choices.weighted(&[10, 3, 2, 2, 1]) {
                0 => self.column_or(sort, scope, true),
                1 => self.literal(sort, true),
                2 => {
                    let inner = self.column_or(sort, scope, true);
                    let function = self.choices.pick(&["lower", "upper", "pg_catalog.md5", "trim"]);
                    format!("{function}({inner}::text)")
                }
                3 => {
                    let inner = self.column_or(sort, scope, true);
                    format!("({inner} || '-x')")
                }
                _ => {
                    let inner = self.column_or(sort, scope, true);
                    format!("COALESCE({inner}, 'none')")
                }
            },
            Sort::Bool => self.condition(scope),
            _ => self.column_or(sort, scope, true),
        }
    }
}
