//! CREATE TABLE ... (LIKE ...): a table with the columns of another one.
//!
//! Decided by its tokens: the parser does not know the options. The sealed columns come with their
//! physical type, their tokens as defaults (INCLUDING DEFAULTS) and their guards (INCLUDING
//! CONSTRAINTS); what is missing is made in the same statement.

use super::super::Analysis;
use super::super::meet::path;
use crate::catalog::{Relation, SealedRef};
use crate::physical::column::add_guard;
use crate::refusal::{Reason, Refusal};

impl Analysis<'_> {
    /// `open` is where the parenthesis may be that begins the definition. False: it is another
    /// one than LIKE alone.
    pub(super) fn create_like(
        &mut self,
        open: usize,
        made: Option<&(String, String)>,
    ) -> Result<bool, Refusal> {
        let words = self.words();
        let last = self.tokens.len() - 1;
        if !(words.is(open, "(") && words.is(open + 1, "like") && words.is(last, ")")) {
            return Ok(false);
        }
        let (name, mut at) = self.name_at(open + 2);
        let mut guards = false;
        while words.is(at, "including") || words.is(at, "excluding") {
            if words.is(at + 1, "all") || words.is(at + 1, "constraints") {
                guards = words.is(at, "including");
            }
            at += 2;
        }
        if at != last {
            return Ok(false);
        }
        let Some(source) = self.existing(&name) else {
            return Err(self.refuse(Reason::UndefinedTable(name.join("."))));
        };
        let declared = made.and_then(|(schema, name)| self.catalog.declared(schema, name));
        let target = made.map_or("the new table".into(), |(s, n)| format!("{s}.{n}"));
        for column in &source.columns {
            let next = declared.and_then(|t| t.columns.iter().find(|c| c.column == column.name));
            let sealed = column.sealed.map(|sealed| self.catalog.column(sealed.column));
            let reason = match (sealed, next) {
                (None, None) => continue,
                (Some(was), Some(next)) => {
                    let alike = (was.mode, &was.domain, &was.keyring, was.fold)
                        == (next.mode, &next.domain, &next.keyring, next.fold);
                    if alike {
                        continue;
                    }
                    Reason::SealedOtherwise { column: path(self.catalog, was.id), target }
                }
                (Some(was), None) => {
                    Reason::SealedIntoPlain { column: path(self.catalog, was.id), target }
                }
                (None, Some(_)) => Reason::Becomes {
                    name: format!("{}.{}", source.name, column.name),
                    new: format!("{target}.{}", column.name),
                },
            };
            return Err(self.refuse(reason));
        }
        let Some(declared) = declared else { return Ok(true) };
        if self.catalog.relation(&declared.schema, &declared.table).is_some() {
            return Ok(true);
        }
        let guarded = guards && matches!(source.kind, 'r' | 'p');
        for (name, sealed) in sealed(source) {
            let collation = &self.catalog.column(sealed.column).collation;
            if !guarded {
                self.completion.after.push(add_guard(declared, name));
            }
            if let Some(next) = self.declared_column(&declared.schema, &declared.table, name) {
                self.record(next, sealed.logical, collation.as_deref())?;
            }
        }
        let has = |name: &str| source.columns.iter().any(|c| c.name == *name);
        self.log(declared)?;
        self.make_profile(declared, None, false, has)?;
        self.wrap("CREATE TABLE");
        Ok(true)
    }
}

fn sealed(relation: &Relation) -> impl Iterator<Item = (&str, SealedRef)> {
    let columns = relation.columns.iter();
    columns.filter_map(|column| Some((column.name.as_str(), column.sealed?)))
}
