//! The classes of statements that write.

use super::from::{Item, Scope};
use super::schema::{Column, Sort, Table};
use super::text::Writer;

impl Writer {
    fn writes(&mut self, table: &'static Table) {
        self.writes.push(table.name);
        // Its addresses are referred to.
        if table.name == "subscriber" {
            self.writes.push("letter");
        }
    }

    /// A value to store in a column.
    fn stored(&mut self, column: &Column, scope: &Scope<'_>) -> String {
        match self.choices.weighted(&[20, 3, 2, 3]) {
            1 => "DEFAULT".to_owned(),
            2 => "NULL".to_owned(),
            3 => self.stored_expression(column.sort, scope),
            _ => self.literal(column.sort, true),
        }
    }

    /// What is stored may be longer than the column, and may have met nothing before.
    pub(super) fn stored_expression(&mut self, sort: Sort, scope: &Scope<'_>) -> String {
        self.value(sort, scope, true)
    }

    /// Some columns of a table, in any order; the ones without which a row means nothing are
    /// among them.
    fn some_columns(&mut self, table: &'static Table) -> Vec<&'static Column> {
        let mut columns = Vec::new();
        for column in table.columns {
            let wanted = table.key == Some(column.name) || column.name == "id";
            if wanted || self.choices.chance(55) {
                columns.push(column);
            }
        }
        if self.choices.chance(20) {
            columns.reverse();
        }
        columns
    }

    fn names(&mut self, columns: &[&'static Column]) -> String {
        let names: Vec<String> = columns.iter().map(|column| self.spell(column.name)).collect();
        names.join(", ")
    }

    fn row(&mut self, columns: &[&'static Column], number: usize) -> String {
        let values: Vec<String> = columns
            .iter()
            .map(|column| match column.name {
                // Mostly a key that is not there yet.
                "id" | "\"Id\"" if !self.choices.chance(15) => {
                    self.literal_of(Sort::Int, Some((100 + number).to_string()))
                }
                _ => self.stored(column, &Scope::default()),
            })
            .collect();
        format!("({})", values.join(", "))
    }

    fn returning(&mut self, scope: &Scope<'_>) -> String {
        match self.choices.weighted(&[4, 2, 4]) {
            0 => String::new(),
            1 => " RETURNING *".to_owned(),
            _ => format!(" RETURNING {}", self.outputs(scope, 3)),
        }
    }

    pub(super) fn insert(&mut self, conflict: bool) -> String {
        let table = loop {
            let table = self.base_table();
            if !conflict || !table.conflicts.is_empty() {
                break table;
            }
        };
        self.writes(table);
        let name = self.table_name(table);
        let alias = self.choices.chance(30).then(|| self.name("t"));
        let shown = alias.clone().unwrap_or_else(|| table.name.to_owned());
        let target = match &alias {
            Some(alias) => format!("{name} AS {alias}"),
            None => name,
        };
        let source = self.insert_source(table, conflict);
        let scope = Scope { items: vec![Item::of(table, shown.clone())], outer: None };
        let conflict =
            if conflict { self.on_conflict(table, &shown, &scope) } else { String::new() };
        let returning = self.returning(&scope);
        format!("INSERT INTO {target} {source}{conflict}{returning}")
    }

    fn insert_source(&mut self, table: &'static Table, conflict: bool) -> String {
        match self.choices.weighted(&[10, 3, 5, 1]) {
            0 => {
                let columns = self.some_columns(table);
                let mut rows = vec![self.row(&columns, 0)];
                for number in 1..=self.choices.index(3) {
                    rows.push(self.row(&columns, number));
                }
                format!("({}) VALUES {}", self.names(&columns), rows.join(", "))
            }
            // Without a list of columns, perhaps not all of them.
            1 => {
                let most = table.columns.len();
                let length = most - self.choices.index(3.min(most));
                let columns: Vec<&Column> = table.columns[..length].iter().collect();
                let row = self.row(&columns, 0);
                format!("VALUES {row}")
            }
            2 => self.insert_select(table, conflict),
            _ => "DEFAULT VALUES".to_owned(),
        }
    }

    /// Keys that follow from those of the source: which row comes first does not count.
    fn insert_select(&mut self, table: &'static Table, conflict: bool) -> String {
        let columns = self.some_columns(table);
        let subject = columns.iter().map(|column| column.sort).find(|sort| sort.is_protected());
        let (from, scope) = self.join_tree(subject.unwrap_or(Sort::Mail), 1, None);
        let key = scope.items[0].key();
        let values: Vec<String> = columns
            .iter()
            .map(|column| match (&key, column.name) {
                (Some(key), "id" | "\"Id\"") => format!("{key} + 100"),
                _ => match self.choices.weighted(&[6, 2, 1]) {
                    1 => self.stored_expression(column.sort, &scope),
                    2 => self.literal(column.sort, true),
                    _ => self.output(column.sort, &scope),
                },
            })
            .collect();
        let names = self.names(&columns);
        // One row only where nothing keeps rows apart.
        let filter = match &key {
            Some(key) if table.key == Some("email") || (conflict && table.conflicts.len() > 1) => {
                format!(" WHERE {key} = 6")
            }
            Some(_) if self.choices.chance(50) => format!(" WHERE {}", self.condition(&scope)),
            Some(_) => String::new(),
            None => " WHERE false".to_owned(),
        };
        format!("({names}) SELECT {} FROM {from}{filter}", values.join(", "))
    }

    fn on_conflict(&mut self, table: &'static Table, shown: &str, scope: &Scope<'_>) -> String {
        let (columns, constraint) = self.choices.pick(table.conflicts);
        let target = match self.choices.weighted(&[6, 2, 1]) {
            0 => format!(" ({columns})"),
            1 => format!(" ON CONSTRAINT {constraint}"),
            _ => return " ON CONFLICT DO NOTHING".to_owned(),
        };
        if self.choices.chance(25) {
            return format!(" ON CONFLICT{target} DO NOTHING");
        }
        let mut sets = Vec::new();
        for column in table.columns {
            if table.key == Some(column.name) || !self.choices.chance(40) {
                continue;
            }
            let value = match self.choices.weighted(&[5, 3, 2]) {
                0 => format!("excluded.{}", column.name),
                1 => self.stored(column, &Scope::default()),
                _ if column.sort == Sort::Int => {
                    format!("{shown}.{0} + excluded.{0}", column.name)
                }
                _ => format!("COALESCE(excluded.{0}, {shown}.{0})", column.name),
            };
            sets.push(format!("{} = {value}", self.spell(column.name)));
        }
        if sets.is_empty() {
            sets.push("size = 7".to_owned());
        }
        let mut both = scope.clone();
        both.items.push(Item::of(table, "excluded".to_owned()));
        let filter = if self.choices.chance(30) {
            let sort = self.deterministic(&both).unwrap_or(Sort::Int);
            let left = self.qualified(sort, &both).unwrap_or_else(|| "NULL".to_owned());
            let right = self.qualified(sort, &both).unwrap_or_else(|| "NULL".to_owned());
            format!(" WHERE {left} IS DISTINCT FROM {right}")
        } else {
            String::new()
        };
        format!(" ON CONFLICT{target} DO UPDATE SET {}{filter}", sets.join(", "))
    }

    /// Assignments of UPDATE and MERGE.
    pub(super) fn assignments(&mut self, table: &'static Table, scope: &Scope<'_>) -> String {
        let free: Vec<&'static Column> =
            table.columns.iter().filter(|column| table.key != Some(column.name)).collect();
        let mut chosen: Vec<&'static Column> = Vec::new();
        for column in &free {
            if self.choices.chance(30) {
                chosen.push(column);
            }
        }
        if chosen.is_empty() {
            chosen.push(self.choices.pick(&free));
        }
        let mut sets = Vec::new();
        // The first two together, or all one by one.
        if chosen.len() > 1 && self.choices.chance(25) {
            let pair = [chosen.remove(0), chosen.remove(0)];
            let names = self.names(&pair);
            let sorts = pair.map(|column| column.sort);
            let values = match self.choices.weighted(&[3, 1, 2]) {
                2 => match self.scalar_row(sorts, scope) {
                    Some(query) => query,
                    None => "(NULL, NULL)".to_owned(),
                },
                kind => {
                    let values = pair.map(|column| self.assigned(column, scope));
                    let row = if kind == 1 { "ROW" } else { "" };
                    format!("{row}({})", values.join(", "))
                }
            };
            sets.push(format!("({names}) = {values}"));
        }
        for column in chosen {
            let value = self.assigned(column, scope);
            sets.push(format!("{} = {value}", self.spell(column.name)));
        }
        sets.join(", ")
    }

    fn assigned(&mut self, column: &Column, scope: &Scope<'_>) -> String {
        match self.choices.weighted(&[5, 3, 4]) {
            0 => self.stored(column, scope),
            1 => self.literal(column.sort, true),
            _ => self.output(column.sort, scope),
        }
    }

    /// `(SELECT a, b FROM t WHERE t.id = 1)`
    fn scalar_row(&mut self, sorts: [Sort; 2], outer: &Scope<'_>) -> Option<String> {
        let table = super::TABLES.iter().find(|table| {
            sorts.iter().all(|sort| table.columns.iter().any(|column| column.sort == *sort))
                && table.number_key().is_some()
        })?;
        let alias = self.name("s");
        let inside = Scope { items: vec![Item::of(table, alias.clone())], outer: Some(outer) };
        let first = self.qualified(sorts[0], &inside)?;
        let second = self.qualified(sorts[1], &inside)?;
        let name = self.table_name(table);
        let key = table.number_key()?;
        let number = self.literal(Sort::Int, true);
        Some(format!(
            "(SELECT {first}, {second} FROM {name} {alias} WHERE {alias}.{key} = {number})"
        ))
    }

    pub(super) fn update(&mut self) -> String {
        let table = self.base_table();
        self.writes(table);
        let name = self.table_name(table);
        let alias = self.choices.chance(60).then(|| self.name("t"));
        let shown = alias.clone().unwrap_or_else(|| table.name.to_owned());
        let target = match &alias {
            Some(alias) => format!("{name} {alias}"),
            None => name,
        };
        let item = Item::of(table, shown.clone());
        let mut scope = Scope { items: vec![item.clone()], outer: None };
        let mut from = String::new();
        let mut filters = Vec::new();
        if let Some(key) = &item.key
            && self.choices.chance(30)
        {
            // From one row at most: else it is open which one.
            let other = super::TABLES.iter().filter(|t| t.number_key().is_some());
            let other: Vec<&'static Table> = other.collect();
            let other = self.choices.pick(&other);
            let own = self.name("f");
            from = format!(" FROM {} {own}", self.table_name(other));
            filters.push(format!("{shown}.{key} = {own}.{}", other.key.unwrap_or("id")));
            scope.items.push(Item::of(other, own));
        }
        let sets = self.assignments(table, &scope);
        if self.choices.chance(70) {
            filters.push(self.condition(&scope));
        }
        let filter = if filters.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", filters.join(" AND "))
        };
        let returning = self.returning(&scope);
        format!("UPDATE {target} SET {sets}{from}{filter}{returning}")
    }

    pub(super) fn delete(&mut self) -> String {
        let table = self.base_table();
        self.writes(table);
        let name = self.table_name(table);
        let alias = self.choices.chance(60).then(|| self.name("t"));
        let shown = alias.clone().unwrap_or_else(|| table.name.to_owned());
        let target = match &alias {
            Some(alias) => format!("{name} AS {alias}"),
            None => name,
        };
        let mut scope = Scope { items: vec![Item::of(table, shown)], outer: None };
        let mut using = String::new();
        let mut filters = Vec::new();
        let subject = self.deterministic(&scope).unwrap_or(Sort::Mail);
        let own = self.qualified(subject, &scope).unwrap_or_else(|| "NULL".to_owned());
        // Of the rows of USING it is open which one a row is returned with.
        let joined = self.choices.chance(30);
        if joined {
            let (source, item) = self.source(subject);
            let theirs = Scope { items: vec![item.clone()], outer: None };
            let theirs = self.qualified(subject, &theirs).unwrap_or_else(|| "NULL".to_owned());
            using = format!(" USING {source}");
            filters.push(format!("{own} = {theirs}"));
        }
        if self.choices.chance(85) {
            filters.push(self.condition(&scope));
        }
        let filter = if filters.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", filters.join(" AND "))
        };
        if joined {
            scope.items.truncate(1);
        }
        let returning = match self.returning(&scope) {
            text if joined && text.contains('*') => String::new(),
            text => text,
        };
        format!("DELETE FROM {target}{using}{filter}{returning}")
    }

    /// WITH around statements that write.
    pub(super) fn writing_with(&mut self) -> String {
        let table = self.base_table();
        self.writes(table);
        let subject =
            table.columns.iter().map(|column| column.sort).find(|sort| sort.is_deterministic());
        let subject = subject.unwrap_or(Sort::Mail);
        let item = Item::of(table, "t".to_owned());
        let scope = Scope { items: vec![item], outer: None };
        let column = self.qualified(subject, &scope).unwrap_or_else(|| "NULL".to_owned());
        let name = self.table_name(table);
        let write = match self.choices.weighted(&[2, 2, 2]) {
            0 => {
                let columns = self.some_columns(table);
                let row = self.row(&columns, 0);
                let names = self.names(&columns);
                format!("INSERT INTO {name} AS t ({names}) VALUES {row} RETURNING {column}, t.size")
            }
            1 => {
                let sets = self.assignments(table, &scope);
                let filter = self.condition(&scope);
                format!("UPDATE {name} t SET {sets} WHERE {filter} RETURNING {column}, t.size")
            }
            _ => {
                let filter = self.condition(&scope);
                format!("DELETE FROM {name} t WHERE {filter} RETURNING {column}, t.size")
            }
        };
        match self.choices.weighted(&[3, 2, 2]) {
            0 => {
                let (source, other) = self.source(subject);
                let theirs = Scope { items: vec![other], outer: None };
                let theirs = self.qualified(subject, &theirs).unwrap_or_else(|| "NULL".to_owned());
                format!(
                    "WITH w (v, n) AS ({write}) SELECT w.v, n, {theirs} FROM w LEFT JOIN {source} \
                     ON w.v = {theirs}"
                )
            }
            1 => {
                format!("WITH w (v, n) AS ({write}) SELECT count(*), count(DISTINCT v) FROM w")
            }
            _ => {
                self.writes.push("\"Quoted\"");
                let target = match subject {
                    Sort::Mail => "\"E Mail\"",
                    Sort::Given => "\"select\"",
                    _ => "size",
                };
                let value = if target == "size" { "max(n)" } else { "v" };
                let group = if target == "size" { "" } else { " GROUP BY v LIMIT 0" };
                format!(
                    "WITH w (v, n) AS ({write}) INSERT INTO \"Quoted\" (\"Id\", {target}) \
                     SELECT 500, {value} FROM w{group}"
                )
            }
        }
    }
}
