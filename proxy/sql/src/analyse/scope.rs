//! What names mean at a place in a statement: FROM items, their columns, CTEs.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use sqlparser::ast::{Ident, ObjectName};

use super::kind::{Kind, Sealed};
use super::{Analysis, View};
use crate::catalog::Relation;
use crate::lex::truncate;
use crate::refusal::{Reason, Refusal};

/// An identifier as the server reads it: folded unless quoted, cut at 63 bytes.
pub(super) fn fold(ident: &Ident) -> String {
    truncate(match ident.quote_style {
        // The tokenizer leaves doubled quotes as they are.
        Some(_) => ident.value.replace("\"\"", "\""),
        None => ident.value.to_ascii_lowercase(),
    })
}

/// The parts of a possibly qualified name. Functions in names are not PostgreSQL's.
pub(super) fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0.iter().map(|part| part.as_ident().map(fold)).collect()
}

/// A column that can be referred to.
#[derive(Debug, Clone)]
pub(super) struct Col {
    pub(super) name: Rc<str>,
    pub(super) kind: Kind,
}

/// One entry of a FROM clause.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The name it goes by.
    pub(super) alias: String,
    /// Its schema, when it is a relation without an alias: `public.auth_user.email` works then.
    pub(super) schema: Option<String>,
    pub(super) columns: Vec<Col>,
    /// There may be columns that are not listed: a function's result.
    pub(super) open: bool,
    /// The name of the relation or CTE that an alias hides.
    pub(super) hidden: Option<String>,
}

/// What an unqualified name means.
#[derive(Debug)]
pub(super) enum Found<'s> {
    /// A column.
    Column(Kind),
    /// The whole row of a FROM item.
    Row(&'s Source),
}

/// A column of the joined FROM clause, in the order of `*`; merged USING columns stand once.
#[derive(Debug, Clone)]
pub(super) struct Star {
    pub(super) column: Col,
    /// Index into [`Scope::sources`] of the item that shows it; none for a merged column.
    pub(super) source: Option<usize>,
}

/// CTEs in sight.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ctes<'c> {
    pub(super) entries: &'c [(String, Rc<[Col]>)],
    pub(super) outer: Option<&'c Ctes<'c>>,
}

impl Ctes<'_> {
    pub(super) fn find(&self, name: &str) -> Option<Rc<[Col]>> {
        self.entries
            .iter()
            .rev()
            .find(|(entry, _)| entry == name)
            .map(|(_, columns)| Rc::clone(columns))
            .or_else(|| self.outer.and_then(|outer| outer.find(name)))
    }
}

/// What names mean in one query level.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'o> {
    pub(super) sources: Vec<Source>,
    pub(super) star: Vec<Star>,
    /// The level around it, for correlated references.
    pub(super) outer: Option<&'o Scope<'o>>,
    /// Something of this level has been referred to, see [`Self::watch`].
    pub(super) referred: Cell<bool>,
}

/// Columns that every table has and `*` does not show ("System Columns").
const SYSTEM_COLUMNS: [&str; 7] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid"];

impl<'o> Scope<'o> {
    /// A level inside another, with nothing in it yet.
    pub(super) fn inside(outer: Option<&'o Scope<'o>>) -> Self {
        Self { outer, ..Self::default() }
    }

    /// What `look` returns, and whether it referred to anything of this level.
    pub(super) fn watch<T>(&self, look: impl FnOnce() -> T) -> (T, bool) {
        let before = self.referred.replace(false);
        let seen = look();
        let referred = self.referred.get();
        self.referred.set(before || referred);
        (seen, referred)
    }

    /// Adds an item and its columns to `*`.
    pub(super) fn push(&mut self, source: Source) {
        let index = self.sources.len();
        self.star
            .extend(source.columns.iter().map(|c| Star { column: c.clone(), source: Some(index) }));
        self.sources.push(source);
    }

    /// The same without the items whose index `hidden` says.
    pub(super) fn hiding(&self, hidden: impl Fn(usize) -> bool) -> Self {
        let mut scope = self.clone();
        scope.star.retain(|star| star.source.is_none_or(|index| !hidden(index)));
        for (index, source) in scope.sources.iter_mut().enumerate() {
            if hidden(index) {
                // No identifier is empty.
                *source = Source {
                    alias: String::new(),
                    schema: None,
                    columns: Vec::new(),
                    open: false,
                    hidden: None,
                };
            }
        }
        scope
    }

    /// An unqualified column, or a whole row by its item's name.
    pub(super) fn find(&self, ident: &Ident) -> Result<Found<'_>, Refusal> {
        let name = fold(ident);
        let at = crate::parse::start_of(ident.span);
        let mut level = Some(self);
        while let Some(scope) = level {
            let mut found = scope.star.iter().filter(|star| *star.column.name == *name);
            if let Some(first) = found.next() {
                if found.next().is_some() {
                    return Err(Reason::Ambiguous(name).at(at));
                }
                scope.referred.set(true);
                return Ok(Found::Column(first.column.kind));
            }
            if let Some(source) = scope.sources.iter().find(|s| s.alias == name) {
                scope.referred.set(true);
                return Ok(Found::Row(source));
            }
            if scope.sources.iter().any(|s| s.open)
                || (SYSTEM_COLUMNS.contains(&name.as_str()) && !scope.sources.is_empty())
            {
                scope.referred.set(true);
                return Ok(Found::Column(Kind::Plain));
            }
            level = scope.outer;
        }
        Err(Reason::UndefinedColumn { name, relation: None }.at(at))
    }

    /// `alias.column`, `schema.table.column`.
    pub(super) fn qualified_column(&self, idents: &[Ident]) -> Result<Kind, Refusal> {
        let names: Vec<String> = idents.iter().map(fold).collect();
        let at = idents.first().and_then(|i| crate::parse::start_of(i.span));
        let (name, qualifier) =
            names.split_last().ok_or_else(|| Reason::Unparsed("an empty name".into()).at(at))?;
        let source = self.item(qualifier, at)?;
        if let Some(column) = source.columns.iter().find(|c| *c.name == **name) {
            return Ok(column.kind);
        }
        if source.open || SYSTEM_COLUMNS.contains(&name.as_str()) {
            return Ok(Kind::Plain);
        }
        Err(Reason::UndefinedColumn { name: name.clone(), relation: Some(source.alias.clone()) }
            .at(at))
    }

    /// The FROM item that a qualifier names.
    pub(super) fn item(&self, qualifier: &[String], at: Option<usize>) -> Result<&Source, Refusal> {
        let mut level = Some(self);
        while let Some(scope) = level {
            let mut found = scope.sources.iter().filter(|source| match qualifier {
                [alias] => source.alias == *alias,
                [schema, table] => source.schema.as_ref() == Some(schema) && source.alias == *table,
                _ => false,
            });
            if let Some(source) = found.next() {
                if found.next().is_some() {
                    return Err(Reason::Ambiguous(qualifier.join(".")).at(at));
                }
                scope.referred.set(true);
                return Ok(source);
            }
            level = scope.outer;
        }
        let missing = Reason::MissingFrom(qualifier.join(".")).at(at);
        let [name] = qualifier else { return Err(missing) };
        match self.alias_of(name) {
            None => Err(missing),
            Some(alias) => Err(Refusal {
                message: format!("invalid reference to FROM-clause entry for table \"{name}\""),
                hint: Some(format!("Perhaps you meant to reference the table alias \"{alias}\".")),
                ..missing
            }),
        }
    }

    /// The alias that hides a relation's name.
    fn alias_of(&self, name: &str) -> Option<&str> {
        let hiding = |source: &&Source| source.hidden.as_deref() == Some(name);
        let own = self.sources.iter().find(hiding).map(|source| source.alias.as_str());
        own.or_else(|| self.outer.and_then(|outer| outer.alias_of(name)))
    }

    /// Two items of one name, as the server compares them (`checkNameSpaceConflicts` in
    /// `parse_relation.c`).
    pub(super) fn no_conflict(&self) -> Result<(), Refusal> {
        self.no_conflict_with(&Scope::default())
    }

    /// The same, with the items of a join's other side.
    pub(super) fn no_conflict_with(&self, right: &Scope<'_>) -> Result<(), Refusal> {
        let mut seen: HashMap<&str, &Source> = HashMap::new();
        let sources = self.sources.iter().chain(&right.sources);
        for source in sources.filter(|source| !source.alias.is_empty()) {
            let Some(other) = seen.insert(&source.alias, source) else { continue };
            let relations = source.schema.is_some() && other.schema.is_some();
            if relations && source.schema != other.schema {
                continue;
            }
            return Err(Refusal {
                code: "42712",
                message: format!("table name \"{}\" specified more than once", source.alias),
                detail: None,
                hint: None,
                position: None,
            });
        }
        Ok(())
    }
}

impl<'c> Analysis<'c> {
    /// The kind of an unqualified name: a column, or a whole row.
    pub(super) fn column(&mut self, ident: &Ident, scope: &Scope<'_>) -> Result<Kind, Refusal> {
        Ok(match scope.find(ident)? {
            Found::Column(kind) => kind,
            Found::Row(source) => self.kinds.row(source.columns.clone()),
        })
    }

    /// The relation that a name in a FROM clause, or a target, means: as the server searches,
    /// along the effective search path.
    pub(super) fn relation(&mut self, name: &ObjectName) -> Result<&'c Relation, Refusal> {
        let at =
            name.0.first().and_then(|p| p.as_ident()).and_then(|i| crate::parse::start_of(i.span));
        let parts = parts(name)
            .ok_or_else(|| Reason::Unparsed("a name with a function in it".into()).at(at))?;
        match parts.as_slice() {
            [table] => self.relation_by_name(None, table, at),
            // database.schema.table: the server accepts its own database's name alone.
            [schema, table] | [_, schema, table] => self.relation_by_name(Some(schema), table, at),
            _ => Err(Reason::UndefinedTable(parts.join(".")).at(at)),
        }
    }

    /// A relation by its name, which stands at a byte of the text.
    pub(super) fn relation_by_name(
        &mut self,
        schema: Option<&str>,
        table: &str,
        at: Option<usize>,
    ) -> Result<&'c Relation, Refusal> {
        let catalog = self.catalog;
        let found = match schema {
            None => {
                self.settings.search_path.iter().find_map(|schema| catalog.relation(schema, table))
            }
            Some(schema) => catalog.relation(schema, table),
        };
        let Some(relation) = found else {
            let name =
                schema.map_or_else(|| table.to_owned(), |schema| format!("{schema}.{table}"));
            return Err(Reason::UndefinedTable(name).at(at));
        };
        self.touch(relation, false)?;
        Ok(relation)
    }

    /// Notes that a relation is touched; refuses it when it has a problem.
    pub(super) fn touch(&mut self, relation: &Relation, write: bool) -> Result<(), Refusal> {
        if !relation.in_scope {
            return Ok(());
        }
        self.touched = true;
        if let Some(problem) =
            relation.problems.iter().find(|p| (write || !p.writes_only) && self.view != View::Shown)
        {
            return Err(problem.refusal.clone());
        }
        if relation.protected.is_some() {
            self.relations.insert(relation.oid);
        }
        Ok(())
    }
}

/// A relation's columns as kinds.
pub(super) fn relation_columns(relation: &Relation) -> Vec<Col> {
    relation
        .columns
        .iter()
        .map(|column| Col {
            name: Rc::from(column.name.as_str()),
            kind: match column.sealed {
                Some(sealed) => Kind::Sealed(Sealed {
                    column: sealed.column,
                    logical: sealed.logical,
                    values: sealed.logical,
                    detached: false,
                    folded: None,
                    stored: matches!(relation.kind, 'r' | 'p'),
                }),
                None => Kind::Plain,
            },
        })
        .collect()
}
