//! MERGE.

use super::from::{Item, Scope};
use super::schema::{Column, Sort, TABLES, Table};
use super::text::Writer;

impl Writer {
    pub(super) fn merge(&mut self) -> String {
        let tables: Vec<&'static Table> = TABLES
            .iter()
            .filter(|t| t.is_base && t.number_key().is_some() && t.name != "place")
            .collect();
        let table = self.choices.pick(&tables);
        self.writes.push(table.name);
        let key = table.number_key().unwrap_or("id");
        let (name, target, source) = (self.table_name(table), self.name("t"), self.name("s"));
        let sorts = [Sort::Int, Sort::Mail, Sort::Given, Sort::Code];
        // No key twice: a row can be merged once.
        let (from, columns) = match self.choices.weighted(&[3, 2, 2]) {
            0 => {
                let other = TABLES.iter().filter(|table| table.number_key().is_some());
                let other: Vec<&'static Table> = other.collect();
                let other = self.choices.pick(&other);
                (self.table_name(other), Item::of(other, source.clone()).columns)
            }
            1 => {
                let mut rows = Vec::new();
                for number in 0..=self.choices.below(3) {
                    let values = [Sort::Mail, Sort::Given].map(|sort| self.literal(sort, true));
                    let number = [1, 2, 101, 102][number as usize];
                    rows.push(format!("({number}, {})", values.join(", ")));
                }
                let columns = self.columns(&sorts[..3]);
                // What meets nothing else meets columns here.
                let known = "SELECT id, email, given FROM person WHERE false";
                (format!("(VALUES {} UNION ALL {known})", rows.join(", ")), columns)
            }
            _ => {
                let columns = self.columns(&sorts);
                (
                    "(SELECT id + 1, email, given, code FROM person WHERE size < 5)".to_owned(),
                    columns,
                )
            }
        };
        let renamed = if from.starts_with('(') {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            format!(" ({})", names.join(", "))
        } else {
            String::new()
        };
        let source_key = columns[0].name.clone();
        let item = Item { alias: source.clone(), columns, key: None };
        let theirs = Scope { items: vec![item.clone()], outer: None };
        let both = Scope { items: vec![Item::of(table, target.clone()), item], outer: None };
        let mut clauses = String::new();
        let count = self.choices.below(2);
        for number in 0..=count {
            clauses += &self.matched(table, &both, &theirs, &source_key, number == count);
        }
        format!(
            "MERGE INTO {name} AS {target} USING {from} AS {source}{renamed} \
             ON {target}.{key} = {source}.{source_key}{clauses}"
        )
    }

    fn matched(
        &mut self,
        table: &'static Table,
        both: &Scope<'_>,
        theirs: &Scope<'_>,
        source_key: &str,
        last: bool,
    ) -> String {
        let kind = self.choices.weighted(&[3, 3, 1, 1]);
        let scope = if kind == 1 { theirs } else { both };
        // What comes behind a clause without a condition is unreachable.
        let and = if !last || self.choices.chance(40) {
            format!(" AND {}", self.condition(scope))
        } else {
            String::new()
        };
        match kind {
            0 => {
                let sets = self.assignments(table, both);
                format!(" WHEN MATCHED{and} THEN UPDATE SET {sets}")
            }
            1 => {
                let alias = theirs.items[0].alias.clone();
                let mut names = Vec::new();
                let mut values = Vec::new();
                for column in table.columns {
                    let is_key = table.key == Some(column.name);
                    if is_key || self.choices.chance(50) {
                        names.push(column.name);
                        values.push(if is_key {
                            format!("{alias}.{source_key} + 100")
                        } else {
                            self.merged(column, theirs)
                        });
                    }
                }
                format!(
                    " WHEN NOT MATCHED{and} THEN INSERT ({}) VALUES ({})",
                    names.join(", "),
                    values.join(", ")
                )
            }
            2 => format!(" WHEN MATCHED{and} THEN DELETE"),
            _ => format!(" WHEN MATCHED{and} THEN DO NOTHING"),
        }
    }

    fn merged(&mut self, column: &Column, theirs: &Scope<'_>) -> String {
        match self.choices.weighted(&[3, 3, 1]) {
            0 => self.output(column.sort, theirs),
            1 => self.literal(column.sort, true),
            _ => self.stored_expression(column.sort, theirs),
        }
    }
}
