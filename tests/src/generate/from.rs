//! The FROM clause: tables, sub-queries, joins, and what can be referred to.

use super::schema::{Sort, TABLES, Table};
use super::text::Writer;

/// A column that can be referred to, by its name as written.
#[derive(Debug, Clone)]
pub(super) struct Col {
    pub(super) name: String,
    pub(super) sort: Sort,
}

/// An entry of a FROM clause; a merged column of USING has no alias.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) alias: String,
    pub(super) columns: Vec<Col>,
    /// A column of plain numbers of which no two rows have the same, if there is one.
    pub(super) key: Option<String>,
}

impl Item {
    pub(super) fn of(table: &Table, alias: String) -> Self {
        let column = |column: &super::Column| Col { name: column.name.into(), sort: column.sort };
        Self {
            alias,
            columns: table.columns.iter().map(column).collect(),
            key: table.number_key().map(ToOwned::to_owned),
        }
    }

    /// Its key, as it is written.
    pub(super) fn key(&self) -> Option<String> {
        Some(format!("{}.{}", self.alias, self.key.as_ref()?))
    }

    pub(super) fn has(&self, sort: Sort) -> bool {
        self.columns.iter().any(|column| column.sort == sort)
    }
}

/// What can be referred to at a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'o> {
    pub(super) items: Vec<Item>,
    pub(super) outer: Option<&'o Scope<'o>>,
}

impl Scope<'_> {
    pub(super) fn has(&self, sort: Sort) -> bool {
        self.items.iter().any(|item| item.has(sort))
    }
}

impl Writer {
    /// A column of a sort, seldom one of the query around.
    pub(super) fn column(&mut self, sort: Sort, scope: &Scope<'_>) -> Option<String> {
        let outer = scope.outer.filter(|outer| outer.has(sort));
        if let Some(outer) = outer
            && (!scope.has(sort) || self.choices.chance(25))
        {
            return self.column_of(sort, outer, false);
        }
        self.column_of(sort, scope, true)
    }

    fn column_of(&mut self, sort: Sort, scope: &Scope<'_>, innermost: bool) -> Option<String> {
        let found: Vec<(usize, usize)> = scope
            .items
            .iter()
            .enumerate()
            .flat_map(|(i, item)| {
                let columns = item.columns.iter().enumerate();
                columns.filter(|(_, c)| c.sort == sort).map(move |(j, _)| (i, j))
            })
            .collect();
        if found.is_empty() {
            return None;
        }
        let (i, j) = self.choices.pick(&found);
        let (item, name) = (&scope.items[i], &scope.items[i].columns[j].name);
        if item.alias.is_empty() {
            return Some(name.clone());
        }
        let same = |c: &&Col| c.name == *name;
        let alone = scope.items.iter().flat_map(|item| &item.columns).filter(same).count() == 1;
        let spelt = self.spell(name);
        if innermost && alone && self.choices.chance(30) {
            return Some(spelt);
        }
        let alias = self.spell(&item.alias);
        Some(format!("{alias}.{spelt}"))
    }

    /// A table with a column of a sort.
    pub(super) fn table_with(&mut self, sort: Sort) -> &'static Table {
        let tables: Vec<&'static Table> = TABLES
            .iter()
            .filter(|table| table.columns.iter().any(|column| column.sort == sort))
            .collect();
        self.choices.pick(&tables)
    }

    /// A table that can be written, with protected columns.
    pub(super) fn base_table(&mut self) -> &'static Table {
        let protected = |t: &&Table| t.columns.iter().any(|column| column.sort.is_protected());
        let tables: Vec<&'static Table> =
            TABLES.iter().filter(|table| table.is_base).filter(protected).collect();
        self.choices.pick(&tables)
    }

    /// A name of a table, with its schema now and then.
    pub(super) fn table_name(&mut self, table: &Table) -> String {
        let name = self.spell(table.name);
        match self.choices.weighted(&[12, 1, 1]) {
            0 => name,
            1 => format!("public.{name}"),
            _ => format!("\"public\".{name}"),
        }
    }

    /// A FROM item with a column of a sort: a table or, not too deep inside, a sub-query.
    pub(super) fn source(&mut self, sort: Sort) -> (String, Item) {
        if self.depth < 2 && self.choices.chance(12) {
            let sorts = [sort, Sort::Int, self.choices.pick(&Sort::DETERMINISTIC)];
            let query = self.query(&sorts, None);
            let (alias, columns) = (self.name("d"), self.columns(&sorts));
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let text = format!("({query}) AS {alias} ({})", names.join(", "));
            return (text, Item { alias, columns, key: None });
        }
        let table = self.table_with(sort);
        let alias = self.name("a");
        let name = self.table_name(table);
        let between = self.choices.pick(&[" ", " AS "]);
        (format!("{name}{between}{alias}"), Item::of(table, alias))
    }

    /// Names for columns of these sorts.
    pub(super) fn columns(&mut self, sorts: &[Sort]) -> Vec<Col> {
        sorts.iter().map(|sort| Col { name: self.name("c"), sort: *sort }).collect()
    }

    /// A FROM clause of so many items. The first has a column of the sort.
    pub(super) fn join_tree<'o>(
        &mut self,
        sort: Sort,
        items: usize,
        outer: Option<&'o Scope<'o>>,
    ) -> (String, Scope<'o>) {
        let (mut text, first) = self.source(sort);
        let mut scope = Scope { items: vec![first], outer };
        for _ in 1..items {
            let next = self.shared_sort(&scope);
            let kind = self.choices.weighted(&[8, 4, 2, 2, 1, 1, 2]);
            if kind == 6 {
                text += &self.lateral(next, &mut scope);
                continue;
            }
            let (source, item) = self.source(next);
            scope.items.push(item);
            let join = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","][kind];
            let join = if kind == 0 { self.choices.pick(&["JOIN", "INNER JOIN"]) } else { join };
            text += &if join == "," { format!(", {source}") } else { format!(" {join} {source}") };
            if kind < 4 {
                let condition = self.join_condition(next, &scope, kind == 3);
                text += &format!(" ON {condition}");
            }
        }
        (text, scope)
    }

    /// A sort that the next item shares with those before.
    fn shared_sort(&mut self, scope: &Scope<'_>) -> Sort {
        let shared: Vec<Sort> = [Sort::Mail, Sort::Given, Sort::Code, Sort::Nick, Sort::Int]
            .into_iter()
            .filter(|sort| scope.has(*sort))
            .collect();
        if shared.is_empty() { Sort::Int } else { self.choices.pick(&shared) }
    }

    /// Equality between a column of the last item and one of those before; FULL JOIN takes
    /// nothing else.
    fn join_condition(&mut self, sort: Sort, scope: &Scope<'_>, only: bool) -> String {
        let (last, before) = scope.items.split_last().expect("there are items");
        let side = |items: &[Item]| Scope { items: items.to_vec(), outer: None };
        // With both sides qualified: an unqualified name is looked for in all items.
        let left = self.qualified(sort, &side(before)).unwrap_or_else(|| "1".to_owned());
        let right = self.qualified(sort, &side(std::slice::from_ref(last)));
        let right = right.unwrap_or_else(|| "1".to_owned());
        let equal = match self.choices.weighted(&[8, 2]) {
            0 => format!("{left} = {right}"),
            _ => format!("{right} = {left}"),
        };
        if only || !self.choices.chance(25) {
            return equal;
        }
        let more = self.condition(scope);
        format!("{equal} AND ({more})")
    }

    pub(super) fn qualified(&mut self, sort: Sort, scope: &Scope<'_>) -> Option<String> {
        let found: Vec<(&Item, &Col)> = scope
            .items
            .iter()
            .flat_map(|item| item.columns.iter().map(move |column| (item, column)))
            .filter(|(item, column)| column.sort == sort && !item.alias.is_empty())
            .collect();
        if found.is_empty() {
            return None;
        }
        let (item, column) = found[self.choices.index(found.len())];
        Some(format!("{}.{}", item.alias, column.name))
    }

    /// A sub-query that sees the items to its left.
    fn lateral(&mut self, sort: Sort, scope: &mut Scope<'_>) -> String {
        let sorts = [sort, Sort::Int];
        let query = {
            let around = Scope { items: scope.items.clone(), outer: None };
            self.query(&sorts, Some(&around))
        };
        let (alias, columns) = (self.name("l"), self.columns(&sorts));
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let names = names.join(", ");
        scope.items.push(Item { alias: alias.clone(), columns, key: None });
        match self.choices.weighted(&[1, 1, 1]) {
            0 => format!(", LATERAL ({query}) {alias} ({names})"),
            1 => format!(" CROSS JOIN LATERAL ({query}) AS {alias} ({names})"),
            _ => format!(" LEFT JOIN LATERAL ({query}) AS {alias} ({names}) ON true"),
        }
    }
}
