//! From kinds to a plan: edits, the parameter map, output columns, facts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pgveil_seal::{LogicalType, Mode};

use super::Analysis;
use super::kind::{Array, Element, Kind, Leaf, LeafValue, Sealed};
use super::meet::path;
use super::scope::Col;
use crate::lex::TokenKind;
use crate::plan::{
    ColumnFacts, Edit, Effects, Facts, Output, ParamMap, ParamSeal, Planned, Purpose,
    RelationFacts, Replacement, ServerParam, Verb,
};
use crate::refusal::{Reason, Refusal};

impl Analysis<'_> {
    /// Writes the plan of a statement that was understood.
    pub(super) fn finish(&mut self, planned: &mut Planned, columns: &[Col]) -> Result<(), Refusal> {
        self.every_value_was_met()?;
        self.tests_are_typed()?;
        self.kinds.seal_tested();
        self.encoding()?;
        self.blanks()?;
        self.differing_tokens()?;
        self.lists()?;
        self.folds()?;
        let explained = planned.verb == Verb::Explain;
        if !explained {
            planned.output = self.output(columns)?;
        }
        planned.params = self.params()?;
        let numbers = Numbers::of(&planned.params);
        let told = self.told();
        for leaf in &self.kinds.leaves {
            planned.edits.extend(self.edit(leaf, &numbers, &told));
        }
        planned.edits.extend(self.without_lengths());
        self.resolve(planned)?;
        self.complete(planned);
        planned.mixed = std::mem::take(&mut self.mixed);
        planned.mixed.sort_unstable();
        planned.mixed.dedup();
        planned.effects.merge(std::mem::take(&mut self.effects));
        self.facts(planned);
        Ok(())
    }

    /// A literal or parameter that no expression led to stands somewhere that was not looked at.
    fn every_value_was_met(&self) -> Result<(), Refusal> {
        let missed = self.tokens.iter().enumerate().find(|(index, token)| {
            (token.kind.is_string() || token.kind == TokenKind::Param) && !self.seen.contains(index)
        });
        match missed {
            None => Ok(()),
            Some((_, token)) => Err(Reason::Unparsed("a value in an unexpected place".into())
                .at(Some(token.range.start))),
        }
    }

    /// Sealed literals are read as UTF-8: other encodings agree on ASCII only.
    fn encoding(&self) -> Result<(), Refusal> {
        let sealed = self.kinds.leaves.iter().any(|leaf| leaf.sealed.is_some());
        let name = self.settings.client_encoding.as_str();
        if !sealed || matches!(name, "UTF8" | "SQL_ASCII") || self.text.is_ascii() {
            return Ok(());
        }
        Err(Reason::Encoding(name.to_owned()).at(None))
    }

    /// `varchar = bpchar` compares as `bpchar`: trailing blanks of both sides mean nothing, and so
    /// one operand equals values that have different tokens.
    fn blanks(&self) -> Result<(), Refusal> {
        for leaf in &self.kinds.leaves {
            let Some((slot, _)) = &leaf.sealed else { continue };
            let column = self.catalog.column(slot.column);
            if let Purpose::Compare(LogicalType::Char(_)) = slot.purpose
                && self.typed_elsewhere(leaf)
            {
                return Err(Reason::Compute {
                    what: "comparison with a parameter that is used as another type".into(),
                    column: format!("{}.{}", column.table, column.column),
                }
                .at(Some(self.tokens[leaf.token].range.start)));
            }
            if !slot.purpose.compares() || !matches!(column.logical, LogicalType::Varchar(_)) {
                continue;
            }
            if matches!(leaf.own(), Some(LogicalType::Char(_))) {
                return Err(Reason::Compute {
                    what: "comparison with a value of type character".into(),
                    column: format!("{}.{}", column.table, column.column),
                }
                .at(Some(self.tokens[leaf.token].range.start)));
            }
        }
        Ok(())
    }

    /// A parameter that is first tested for NULL has no type there: the server does not take it
    /// (`check_variable_parameters` in `parse_param.c`), but it takes ours, whose types it is told.
    fn tests_are_typed(&self) -> Result<(), Refusal> {
        let mut met = HashSet::new();
        for leaf in &self.kinds.leaves {
            let LeafValue::Param(index) = leaf.value else { continue };
            let declared = self.types.get(index).is_some_and(|oid| *oid != 0);
            let first = met.insert(index) && !declared;
            let typed = |other: &Leaf| {
                matches!(other.value, LeafValue::Param(n) if n == index) && other.sealed.is_some()
            };
            if first && leaf.tested && leaf.own().is_none() && self.kinds.leaves.iter().any(typed) {
                return Err(Refusal {
                    code: "42P08",
                    message: format!("could not determine data type of parameter ${}", index + 1),
                    detail: None,
                    hint: None,
                    position: Some(self.tokens[leaf.token].range.start),
                });
            }
        }
        Ok(())
    }

    /// Values in the text are compared with each other, or grouped by, and stored in a randomized
    /// column: equal ones have different tokens.
    fn differing_tokens(&self) -> Result<(), Refusal> {
        for leaf in self.kinds.leaves.iter().filter(|leaf| leaf.compared || leaf.grouped) {
            let Some((slot, _)) = &leaf.sealed else { continue };
            if self.catalog.column(slot.column).mode == Mode::Randomized {
                let column = path(self.catalog, slot.column);
                return Err(Reason::Randomized { what: "comparison".into(), column }
                    .at(Some(self.tokens[leaf.token].range.start)));
            }
        }
        Ok(())
    }

    /// A parameter has one type, which may come from another place where it stands.
    fn typed_elsewhere(&self, leaf: &Leaf) -> bool {
        if leaf.own().is_some() {
            return false;
        }
        let LeafValue::Param(index) = leaf.value else { return false };
        self.kinds.leaves.iter().any(|other| {
            let same = matches!(other.value, LeafValue::Param(number) if number == index);
            let is_character = match (&other.sealed, other.own()) {
                (_, Some(own)) => !matches!(own, LogicalType::Text),
                (Some((slot, _)), None) => {
                    matches!(self.catalog.column(slot.column).logical, LogicalType::Char(_))
                }
                (None, None) => false,
            };
            same && !is_character
        })
    }

    /// An error of the guard does not say which column it was: where a statement stores rows of a
    /// list in columns of several lengths, what is not compared is checked before it runs.
    fn lists(&mut self) -> Result<(), Refusal> {
        let slots = self.kinds.leaves.iter().filter_map(|leaf| leaf.sealed.as_ref());
        let types: HashSet<LogicalType> =
            slots.filter_map(|(slot, _)| slot.purpose.row_type()).collect();
        if types.len() < 2 {
            return Ok(());
        }
        for leaf in &mut self.kinds.leaves {
            let Some((slot, _)) = &mut leaf.sealed else { continue };
            if let Purpose::Row { compared: None, stored, .. } = slot.purpose {
                slot.purpose = Purpose::Assign(stored);
            }
        }
        let slots = self.kinds.leaves.iter().filter_map(|leaf| leaf.sealed.as_ref());
        let mut compared =
            slots.filter_map(|(slot, _)| Some((slot.column, slot.purpose.row_type()?)));
        let Some((first, stored)) = compared.next() else { return Ok(()) };
        match compared.find(|(_, next)| *next != stored) {
            Some((other, _)) => Err(self.refuse(Reason::SealedOtherwise {
                column: path(self.catalog, first),
                target: path(self.catalog, other),
            })),
            None => Ok(()),
        }
    }

    fn output(&mut self, columns: &[Col]) -> Result<Vec<Output>, Refusal> {
        let mut output = Vec::with_capacity(columns.len());
        for column in columns {
            output.push(self.shown(column.kind)?);
        }
        for (left, right) in self.mixed.clone() {
            self.uses(left, |uses| uses.output = true);
            self.uses(right, |uses| uses.output = true);
        }
        if output.iter().all(|column| *column == Output::Plain) {
            return Ok(Vec::new());
        }
        match self.open_star.take() {
            None => Ok(output),
            Some(open) => Err(self.refuse(Reason::UnknownColumns(open))),
        }
    }

    /// What becomes of an expression that the client gets.
    fn shown(&mut self, kind: Kind) -> Result<Output, Refusal> {
        self.keeps_blanks(kind)?;
        match (kind, self.kinds.resolve(kind)) {
            // Its blanks at the end mean nothing, but they are shown.
            (Kind::Free(_), Kind::Sealed(Sealed { logical: LogicalType::Char(_), column, .. })) => {
                Err(self.plain_meets(column, "the select list"))
            }
            (_, resolved) => self.shown_as(resolved),
        }
    }

    fn shown_as(&mut self, kind: Kind) -> Result<Output, Refusal> {
        let output = |sealed: Sealed, array| Output::Sealed {
            column: sealed.column,
            logical: sealed.logical,
            detached: sealed.detached,
            array,
        };
        match kind {
            Kind::Sealed(sealed) | Kind::Array(Array { element: Element::Sealed(sealed), .. })
                if sealed.folded.is_some() =>
            {
                Err(self.only_compared(sealed))
            }
            Kind::Sealed(sealed) => {
                self.uses(sealed.column, |uses| uses.output = true);
                Ok(output(sealed, false))
            }
            Kind::Array(Array { element: Element::Sealed(sealed), by_value: true, .. }) => {
                Err(self.refuse(Reason::Compute {
                    what: "the order of array_agg(DISTINCT ...)".into(),
                    column: path(self.catalog, sealed.column),
                }))
            }
            Kind::Array(Array { element: Element::Sealed(sealed), .. }) => {
                self.uses(sealed.column, |uses| uses.output = true);
                Ok(output(sealed, true))
            }
            row @ Kind::Row(id) if self.kinds.sealed_in(row).is_some() => {
                let fields = self.kinds.fields(id);
                let fields: Result<Arc<[Output]>, Refusal> =
                    fields.iter().map(|field| self.shown(field.kind)).collect();
                Ok(Output::Row(fields?))
            }
            other => {
                self.plain(other, "the select list")?;
                Ok(Output::Plain)
            }
        }
    }

    fn params(&mut self) -> Result<ParamMap, Refusal> {
        let types = std::borrow::Cow::clone(&self.types);
        let mut client = types.len();
        let mut any = false;
        for leaf in &self.kinds.leaves {
            if let LeafValue::Param(index) = leaf.value {
                client = client.max(index + 1);
                any |= leaf.sealed.is_some();
                if leaf.sealed.is_some() {
                    typed_as_text(types.get(index).copied().unwrap_or(0), leaf.array)
                        .map_err(|()| self.unparsed("a parameter that is not typed as text"))?;
                }
            }
        }
        let withheld: Vec<usize> =
            self.computed.iter().flat_map(|computed| computed.resolve.params.clone()).collect();
        client = client.max(withheld.iter().max().map_or(0, |index| index + 1));
        if !self.computed.is_empty() {
            // What decides them comes behind all of the client's own.
            client = client.max(self.highest_parameter());
        } else if !any {
            return Ok(ParamMap { client, ..ParamMap::default() });
        }
        let told = self.told();
        // The use that tells a parameter's type keeps its number: of a plain one the server tells.
        let sealed_first = self.sealed_first();
        let mut server: Vec<Option<ServerParam>> = vec![None; client];
        let mut repeats: HashMap<usize, Vec<ServerParam>> = HashMap::new();
        for first in [true, false] {
            for leaf in &self.kinds.leaves {
                let LeafValue::Param(index) = leaf.value else { continue };
                let given_away = leaf.tested && withheld.contains(&index);
                let is_first = leaf.sealed.is_some() == sealed_first.contains(&index);
                if is_first != first || given_away {
                    continue;
                }
                let param =
                    ServerParam { client: index, seal: param_seal(leaf, &told), withheld: false };
                if server[index].is_none() {
                    server[index] = Some(param);
                } else if server[index].as_ref() != Some(&param) {
                    let repeats = repeats.entry(index).or_default();
                    if !repeats.contains(&param) {
                        repeats.push(param.clone());
                        server.push(Some(param));
                    }
                }
            }
        }
        let server = server
            .into_iter()
            .enumerate()
            .map(|(client, param)| {
                let withheld = withheld.contains(&client);
                param.unwrap_or(ServerParam { client, seal: None, withheld })
            })
            .collect();
        Ok(ParamMap { client, server, resolved: 0 })
    }

    /// The number of the last parameter in the text.
    fn highest_parameter(&self) -> usize {
        let params = self.tokens.iter().filter(|token| token.kind == TokenKind::Param);
        let numbers = params.filter_map(|token| self.text[token.range.clone()][1..].parse().ok());
        numbers.max().unwrap_or(0)
    }

    /// The types of parameters, each from the place that the server gets to first: assignments
    /// are last, if they are not in its order.
    fn told(&self) -> HashMap<usize, u32> {
        let mut types = HashMap::new();
        for leaf in &self.kinds.leaves {
            if let (LeafValue::Param(index), Some((slot, described))) = (&leaf.value, &leaf.sealed)
                && (self.kinds.types_in_order || slot.purpose.compares())
            {
                types.entry(*index).or_insert_with(|| told_by(leaf, *described));
            }
        }
        types
    }

    /// The parameters that take their type from a sealed use; see [`Analysis::told`].
    fn sealed_first(&self) -> HashSet<usize> {
        let mut met = HashSet::new();
        let mut sealed_first = HashSet::new();
        for leaf in &self.kinds.leaves {
            let LeafValue::Param(index) = leaf.value else { continue };
            let stores = leaf.sealed.as_ref().is_some_and(|(slot, _)| !slot.purpose.compares());
            if (self.kinds.types_in_order || !stores) && met.insert(index) && leaf.sealed.is_some()
            {
                sealed_first.insert(index);
            }
        }
        sealed_first
    }

    fn edit(&self, leaf: &Leaf, numbers: &Numbers<'_>, told: &HashMap<usize, u32>) -> Option<Edit> {
        let own = self.tokens[leaf.token].range.clone();
        let whole =
            self.tokens[leaf.extent.start].range.start..self.tokens[leaf.extent.end - 1].range.end;
        match (&leaf.value, &leaf.sealed) {
            // It may be the value of a predicate that is decided here.
            (LeafValue::Literal(_), None) if leaf.tested && !self.computed.is_empty() => {
                Some(Edit { range: own, with: Replacement::Text("''".to_owned()) })
            }
            (LeafValue::Literal(_), None) => None,
            (LeafValue::Literal(value), Some((slot, _))) => {
                let (value, slot) = (Arc::clone(value), slot.clone());
                let with = if leaf.array {
                    Replacement::SealArray { value, slot }
                } else {
                    Replacement::Seal { value, slot }
                };
                Some(Edit { range: whole, with })
            }
            (LeafValue::Param(index), sealed) => {
                let wanted =
                    ServerParam { client: *index, seal: param_seal(leaf, told), withheld: false };
                let number = numbers.find(&wanted).unwrap_or(*index);
                let range = if sealed.is_some() { whole } else { own.clone() };
                if number == *index && range == own {
                    return None;
                }
                Some(Edit { range, with: Replacement::Text(format!("${}", number + 1)) })
            }
        }
    }

    /// What the policy reviews.
    pub(super) fn facts(&mut self, planned: &mut Planned) {
        let mut relations: Vec<RelationFacts> = Vec::new();
        let entry = |relations: &mut Vec<RelationFacts>, schema: &str, table: &str| {
            let found = relations.iter().position(|r| r.schema == schema && r.table == table);
            found.unwrap_or_else(|| {
                relations.push(RelationFacts {
                    schema: schema.to_owned(),
                    table: table.to_owned(),
                    columns: Vec::new(),
                });
                relations.len() - 1
            })
        };
        for oid in &self.relations {
            let Some(relation) = self.catalog.relations.get(oid) else { continue };
            // A partition is known to the policy as its root.
            if let Some(sealed) = relation.columns.iter().find_map(|column| column.sealed) {
                let column = self.catalog.column(sealed.column);
                entry(&mut relations, &column.schema, &column.table);
            }
        }
        for (id, uses) in &self.uses {
            let column = self.catalog.column(*id);
            let index = entry(&mut relations, &column.schema, &column.table);
            relations[index].columns.push(ColumnFacts {
                id: *id,
                column: column.column.clone(),
                uses: *uses,
            });
        }
        relations.sort_by(|a, b| (&a.schema, &a.table).cmp(&(&b.schema, &b.table)));
        for relation in &mut relations {
            relation.columns.sort_by(|a, b| a.column.cmp(&b.column));
        }
        planned.facts = Facts { verb: planned.verb.as_str(), relations };
    }
}

/// Where the server's parameters are that stand for one of the client's: a bulk insert has tens of
/// thousands.
struct Numbers<'m> {
    server: &'m [ServerParam],
    /// Those behind the client's own number.
    repeats: HashMap<usize, Vec<usize>>,
}

impl<'m> Numbers<'m> {
    fn of(map: &'m ParamMap) -> Self {
        let mut repeats: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, param) in map.server.iter().enumerate().skip(map.client) {
            repeats.entry(param.client).or_default().push(number);
        }
        Self { server: &map.server, repeats }
    }

    fn find(&self, wanted: &ServerParam) -> Option<usize> {
        if self.server.get(wanted.client) == Some(wanted) {
            return Some(wanted.client);
        }
        let repeats = self.repeats.get(&wanted.client)?;
        repeats.iter().copied().find(|number| self.server.get(*number) == Some(wanted))
    }
}

/// How a parameter's leaf is sealed. `told` are the types that parameters have.
fn param_seal(leaf: &Leaf, told: &HashMap<usize, u32>) -> Option<ParamSeal> {
    let (slot, described) = leaf.sealed.as_ref()?;
    let LeafValue::Param(index) = leaf.value else { return None };
    let described = told.get(&index).copied().unwrap_or_else(|| told_by(leaf, *described));
    Some(ParamSeal { slot: slot.clone(), array: leaf.array, described })
}

/// The type that a parameter's leaf gives it where it stands, if that is known.
pub(super) fn type_here(leaf: &Leaf) -> Option<u32> {
    match (&leaf.sealed, leaf.array) {
        (Some((_, described)), _) => Some(told_by(leaf, *described)),
        (None, false) => leaf.casts.first().copied().or(leaf.own()).map(LogicalType::oid),
        (None, true) => leaf.array_cast.map(LogicalType::array_oid),
    }
}

/// The type that a leaf gives its parameter: a cast around it, else what it meets.
fn told_by(leaf: &Leaf, described: u32) -> u32 {
    match leaf.array_cast {
        Some(element) => element.array_oid(),
        None => leaf.casts.first().map_or(described, |cast| cast.oid()),
    }
}

/// A client may type a sealed parameter as a character type only: nothing else has the value's
/// own bytes in both formats.
fn typed_as_text(oid: u32, array: bool) -> Result<(), ()> {
    // unknown, text, varchar, bpchar; and their arrays.
    let known: &[u32] = if array { &[0, 1009, 1015, 1014] } else { &[0, 705, 25, 1043, 1042] };
    if known.contains(&oid) { Ok(()) } else { Err(()) }
}

impl Effects {
    /// Adds what another part of the analysis found.
    pub(super) fn merge(&mut self, other: Self) {
        self.settings |= other.settings;
        self.catalog |= other.catalog;
        self.reveal = self.reveal.or(other.reveal);
        if self.deallocate.is_none() {
            self.deallocate = other.deallocate;
        }
        if self.close.is_none() {
            self.close = other.close;
        }
    }
}

impl Verb {
    /// The verb in lower case, as policies see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Copy => "copy",
            Self::Truncate => "truncate",
            Self::Explain => "explain",
            Self::Ddl => "ddl",
            Self::Transaction => "transaction",
            Self::Setting => "setting",
            Self::Pgveil(_) => "pgveil",
            Self::Other => "other",
        }
    }
}
