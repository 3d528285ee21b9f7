//! Function calls: in expressions, as aggregates and window functions, and in FROM.

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, ObjectName, Value, WindowFrameBound, WindowFrameUnits, WindowSpec,
    WindowType,
};

use super::Analysis;
use super::kind::{Array, Element, Kind, Meet};
use super::scope::{Col, Ctes, Scope, Source, parts, relation_columns};
use crate::refusal::{Reason, Refusal};
use crate::rules::{Treats, function_rule};

impl Analysis<'_> {
    /// A call's kind.
    pub(super) fn call(
        &mut self,
        function: &Function,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let Function {
            name,
            uses_odbc_syntax: _,
            parameters,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = function;
        if !matches!(parameters, FunctionArguments::None) {
            return Err(self.unparsed("a function with two argument lists"));
        }
        let rows = self.row_function(name)?;
        let builtin = if rows.is_some() { None } else { self.function_name(name)? };
        self.order_inside(within_group, false, scope, ctes)?;
        if let Some(condition) = filter {
            self.plain_expr(condition, scope, ctes, "FILTER")?;
        }
        match over {
            None | Some(WindowType::NamedWindow(_)) => {}
            Some(WindowType::WindowSpec(spec)) => self.window(spec, scope, ctes)?,
        }
        let list = match args {
            FunctionArguments::None => return Ok(Kind::Plain),
            FunctionArguments::Subquery(query) => {
                let columns = self.subquery(query, scope, ctes)?;
                if let (Some("array"), [single]) = (builtin.as_deref(), columns.as_slice()) {
                    return self.array_of(single.kind, "ARRAY");
                }
                for column in columns {
                    self.plain(column.kind, "a function")?;
                }
                return Ok(Kind::Plain);
            }
            FunctionArguments::List(list) => list,
        };
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::IgnoreOrRespectNulls(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => {}
                FunctionArgumentClause::OrderBy(items) => {
                    let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
                    self.order_inside(items, !distinct, scope, ctes)?;
                }
                FunctionArgumentClause::Where(_)
                | FunctionArgumentClause::Limit(_)
                | FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::Having(_)
                | FunctionArgumentClause::Separator(_) => {
                    return Err(self.unparsed("an argument clause that is not PostgreSQL's"));
                }
            }
        }
        if let Some((fold, argument)) = self.fold_call(function) {
            return self.folded(function, fold, argument, scope, ctes);
        }
        if builtin.as_deref() == Some("row") {
            return self.row(&list.args, scope, ctes);
        }
        let treats = builtin.as_deref().and_then(function_rule);
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let shown = parts(name).unwrap_or_default().join(".");
        let mut kinds = Vec::with_capacity(list.args.len());
        let first_leaf = self.kinds.leaves.len();
        let mut params = Vec::new();
        for (index, arg) in list.args.iter().enumerate() {
            if bare(arg).is_some_and(super::write::is_param) {
                params.push(self.kinds.leaves.len());
            }
            kinds.push(match (treats, index, bare(arg)) {
                (Some(Treats::Unnests), 0, Some(expr)) => self.elements_of(expr, scope, ctes)?,
                _ => self.argument(arg, scope, ctes)?,
            });
        }
        if distinct {
            for kind in &kinds {
                self.group(*kind, &format!("{shown}(DISTINCT ...)"))?;
            }
        }
        match treats {
            Some(Treats::Tests) => {
                for kind in kinds {
                    self.test(kind, &shown)?;
                }
                Ok(Kind::Plain)
            }
            Some(Treats::TestsArray) => {
                for kind in kinds {
                    match self.kinds.resolve(kind) {
                        array @ Kind::Array(_) => self.test(array, &shown)?,
                        other => self.plain(other, &shown)?,
                    }
                }
                Ok(Kind::Plain)
            }
            Some(Treats::Gathers) => match kinds.as_slice() {
                [single] => {
                    Ok(match self.array_of(unbounded(self.kinds.resolve(*single)), &shown)? {
                        Kind::Array(array) => Kind::Array(Array { by_value: distinct, ..array }),
                        other => other,
                    })
                }
                _ => Err(self.unparsed("array_agg without an argument")),
            },
            Some(Treats::Unnests) => match kinds.as_slice() {
                [single] => Ok(unbounded(self.kinds.resolve(*single))),
                _ => Err(self.unparsed("unnest of several arrays outside FROM")),
            },
            Some(Treats::FindsElement) => {
                self.find_element(&kinds, &shown)?;
                Ok(Kind::Plain)
            }
            Some(Treats::RemovesElement) => {
                self.find_element(&kinds, &shown)?;
                Ok(kinds.first().map_or(Kind::Plain, |array| unbounded(self.kinds.resolve(*array))))
            }
            Some(Treats::Appends | Treats::Prepends | Treats::Concatenates) => {
                let [first, second] = kinds.as_slice() else {
                    return Err(self.unparsed("an array function without two arguments"));
                };
                self.concatenate(*first, *second, treats, &format!("the function {shown}"))
            }
            Some(Treats::Carries) => {
                // The planner drops NULLs, and what is left alone keeps its length, where it has
                // the type of all.
                let own = kinds.iter().find_map(|kind| match self.kinds.resolve(*kind) {
                    Kind::Sealed(sealed) => Some(sealed.logical.oid()),
                    _ => None,
                });
                kinds.retain(|kind| match kind {
                    Kind::Null(Some(typed)) => own.is_none_or(|own| own != typed.oid()),
                    Kind::Null(None) => false,
                    _ => true,
                });
                // The first, where it is a value, is all that the planner leaves of them.
                for kind in kinds.iter().skip(1) {
                    self.kinds.note_rows(*kind);
                }
                let kind = self.carry(&kinds, &shown)?;
                self.common_type_each(first_leaf, &params, self.type_of(kind))?;
                Ok(kind)
            }
            Some(Treats::CarriesFirst) => {
                let mut carried: Vec<Kind> = Vec::with_capacity(2);
                for (index, kind) in kinds.into_iter().enumerate() {
                    if index == 0 || index == 2 {
                        carried.push(kind);
                    } else {
                        self.plain(kind, &shown)?;
                    }
                }
                let kind = self.carry(&carried, &shown)?;
                Ok(unbounded(self.kinds.resolve(kind)))
            }
            Some(Treats::ComparesToNull) => match kinds.as_slice() {
                [first, second] => {
                    let constant = |arg| bare(arg).is_some_and(super::expr::is_constant);
                    self.kinds.note_constant(*first, list.args.iter().all(constant));
                    let beside = self.type_of(*second);
                    self.compare(*first, *second, &shown, Meet::operator)?;
                    // Of NULL the second is what has a kind.
                    let typed = if matches!(first, Kind::Null(_)) { second } else { first };
                    if let Kind::Free(var) = self.kinds.resolve(*typed) {
                        self.kinds.make_text(var);
                    }
                    Ok(match self.kinds.resolve(*typed) {
                        // The operands of text = text have become text.
                        Kind::Sealed(mut sealed) => {
                            if matches!(sealed.logical, LogicalType::Varchar(_))
                                || beside == Some(LogicalType::Text)
                            {
                                sealed.logical = LogicalType::Text;
                            }
                            Kind::Sealed(sealed.without_call())
                        }
                        other => other,
                    })
                }
                _ => Err(self.unparsed("nullif without two arguments")),
            },
            // The last two are operators'.
            None | Some(Treats::Compares | Treats::ComparesElements) => {
                if let [kind @ Kind::Sealed(_)] = kinds.as_slice() {
                    if self.defers(builtin.as_deref(), name) {
                        return Ok(*kind);
                    }
                    self.not_folded(builtin.as_deref(), *kind)?;
                }
                for kind in kinds {
                    self.plain(kind, &format!("the function {shown}"))?;
                }
                Ok(rows.map_or(Kind::Plain, |columns| self.kinds.row(columns)))
            }
        }
    }

    /// The first argument is an array, the second is compared with its elements.
    fn find_element(&mut self, kinds: &[Kind], shown: &str) -> Result<(), Refusal> {
        let [array, element, rest @ ..] = kinds else {
            return Err(self.unparsed("a search in an array without two arguments"));
        };
        match (self.kinds.resolve(*array), self.kinds.resolve(*element)) {
            // A value of another type would make an array of that type of the first one.
            (Kind::Array(found), null @ Kind::Null(None)) => {
                self.compare(found.element.into(), null, shown, Meet::common)?;
            }
            (Kind::Array(found), Kind::Free(var)) if self.kinds.own_type(var).is_none() => {
                self.compare(found.element.into(), *element, shown, Meet::common)?;
            }
            _ => {
                self.plain(*array, &format!("the function {shown}"))?;
                self.plain(*element, &format!("the function {shown}"))?;
            }
        }
        for kind in rest {
            self.plain(*kind, &format!("the function {shown}"))?;
        }
        Ok(())
    }

    /// One array of two, or of an array and an element. What is no array of ours has to be plain.
    pub(super) fn concatenate(
        &mut self,
        first: Kind,
        second: Kind,
        treats: Option<Treats>,
        what: &str,
    ) -> Result<Kind, Refusal> {
        let kinds = (self.kinds.resolve(first), self.kinds.resolve(second));
        let arrays = !matches!(treats, Some(Treats::Appends | Treats::Prepends));
        match kinds {
            // The result's type is that of the first, where they become each other.
            (Kind::Array(a), Kind::Array(b))
                if arrays && become_each_other(a.typed, b.typed) && a.physical == b.physical =>
            {
                return self.carry(&[first, second], what);
            }
            // A value without a type is an array here.
            (Kind::Array(_), Kind::Null(None)) | (Kind::Null(None), Kind::Array(_)) if arrays => {
                return self.carry(&[first, second], what);
            }
            (Kind::Array(_), Kind::Free(var)) | (Kind::Free(var), Kind::Array(_))
                if arrays && self.kinds.own_type(var).is_none() =>
            {
                return self.carry(&[first, second], what);
            }
            (Kind::Array(array), element) if !matches!(treats, Some(Treats::Prepends)) => {
                let elements = [array.element.into(), second];
                if let Some(kind) = self.extend(array, element, elements, arrays, what)? {
                    return Ok(kind);
                }
            }
            (element, Kind::Array(array)) if !matches!(treats, Some(Treats::Appends)) => {
                let elements = [first, array.element.into()];
                if let Some(kind) = self.extend(array, element, elements, arrays, what)? {
                    return Ok(kind);
                }
            }
            _ => {}
        }
        self.plain(first, what)?;
        self.plain(second, what)?;
        Ok(Kind::Plain)
    }

    /// An array with one more element of its type. `None`: it is of another. `typed`: nothing but
    /// the element's own type says that it is none.
    fn extend(
        &mut self,
        array: Array,
        element: Kind,
        elements: [Kind; 2],
        typed: bool,
        what: &str,
    ) -> Result<Option<Kind>, Refusal> {
        let own = match element {
            Kind::Sealed(sealed) => Some(sealed.logical.unbounded()),
            Kind::Free(var) => self.kinds.own_type(var).map(LogicalType::unbounded),
            _ => None,
        };
        let fits = match element {
            Kind::Sealed(_) => own == array.typed.map(LogicalType::unbounded),
            // Without its cast it would be read as an array.
            Kind::Free(_) | Kind::Null(None) if typed => false,
            Kind::Free(_) => own.is_none() || own == array.typed.map(LogicalType::unbounded),
            Kind::Null(None) => true,
            Kind::Null(Some(_)) | Kind::Plain | Kind::Array(_) | Kind::Row(_) => false,
        };
        if !fits || array.physical != LogicalType::Text {
            return Ok(None);
        }
        let kind = self.carry(&elements, what)?;
        let element = match self.kinds.resolve(kind) {
            Kind::Sealed(sealed) => Element::Sealed(crate::analyse::kind::Sealed {
                logical: array.typed.unwrap_or(sealed.logical),
                ..sealed
            }),
            Kind::Free(var) => Element::Free(var),
            _ => return Ok(None),
        };
        Ok(Some(Kind::Array(Array { element, ..array })))
    }

    /// The array that gathers values of a kind.
    pub(super) fn array_of(&mut self, kind: Kind, what: &str) -> Result<Kind, Refusal> {
        let (element, typed) = match self.kinds.resolve(kind) {
            Kind::Plain | Kind::Null(_) => return Ok(Kind::Plain),
            // What has met nothing by now is text.
            Kind::Free(var) => {
                self.kinds.make_text(var);
                (Element::Free(var), LogicalType::Text)
            }
            Kind::Sealed(sealed) => {
                (Element::Sealed(sealed.without_call()), sealed.logical.unbounded())
            }
            other @ (Kind::Array(_) | Kind::Row(_)) => {
                self.plain(other, what)?;
                return Ok(Kind::Plain);
            }
        };
        let physical = LogicalType::Text;
        Ok(Kind::Array(Array { element, typed: Some(typed), physical, by_value: false }))
    }

    /// The kind of an array's elements.
    pub(super) fn elements_of(
        &mut self,
        array: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        if let Some(kind) = self.array_leaf(array)? {
            return Ok(kind);
        }
        if let Expr::Array(listed) = array
            && !listed.elem.is_empty()
            && listed.elem.iter().all(is_null)
        {
            return Ok(Kind::Null(None));
        }
        let kind = self.infer(array, scope, ctes)?;
        match self.kinds.resolve(kind) {
            Kind::Array(array) => Ok(array.element.into()),
            Kind::Free(var) if self.kinds.make_arrays(var) => Ok(kind),
            null @ Kind::Null(_) => Ok(null),
            other => {
                self.plain(other, "an array")?;
                Ok(Kind::Plain)
            }
        }
    }

    /// `ROW(...)`, in which `t.*` stands for the columns of t.
    fn row(
        &mut self,
        args: &[FunctionArg],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let mut kinds = Vec::with_capacity(args.len());
        for arg in args {
            if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) = arg {
                let source = self.item_of(name, scope)?;
                if source.open {
                    return Err(self.refuse(Reason::UnknownColumns(source.alias.clone())));
                }
                kinds.extend(source.columns.iter().map(|column| column.kind));
            } else {
                kinds.push(self.argument(arg, scope, ctes)?);
            }
        }
        Ok(self.anonymous_row(kinds))
    }

    /// A row without names of its own: its fields are f1, f2 ...
    pub(super) fn anonymous_row(&mut self, kinds: Vec<Kind>) -> Kind {
        let fields = kinds.into_iter().enumerate();
        let fields = fields.map(|(i, kind)| Col { name: format!("f{}", i + 1).into(), kind });
        self.kinds.row(fields.collect())
    }

    /// The FROM item in front of `.*`.
    fn item_of<'s>(&self, name: &ObjectName, scope: &'s Scope<'_>) -> Result<&'s Source, Refusal> {
        let qualifier = parts(name).ok_or_else(|| self.unparsed("a name with a function"))?;
        scope.item(&qualifier, None)
    }

    fn argument(
        &mut self,
        arg: &FunctionArg,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let arg = match arg {
            FunctionArg::Named { name: _, arg, operator: _ } | FunctionArg::Unnamed(arg) => arg,
            FunctionArg::ExprNamed { .. } => {
                return Err(self.unparsed("a named argument"));
            }
        };
        match arg {
            FunctionArgExpr::Expr(expr) => self.infer(expr, scope, ctes),
            FunctionArgExpr::Wildcard => Ok(Kind::Plain),
            FunctionArgExpr::QualifiedWildcard(name) => {
                let columns = self.item_of(name, scope)?.columns.clone();
                Ok(self.kinds.row(columns))
            }
            FunctionArgExpr::WildcardWithOptions(_) => {
                Err(self.unparsed("an option of * that is not PostgreSQL's"))
            }
        }
    }

    /// The name of a function of `pg_catalog`, when it can be no other; a function in scope is
    /// refused.
    fn function_name(&mut self, name: &ObjectName) -> Result<Option<String>, Refusal> {
        let parts = parts(name).ok_or_else(|| self.unparsed("a name with a function"))?;
        let (schema, function) = match parts.as_slice() {
            [function] => (None, function),
            [schema, function] => (Some(schema), function),
            _ => return Err(self.unparsed("a function name with three parts")),
        };
        let scoped = self.catalog.functions.iter().find(|scoped| {
            scoped.name == *function && schema.is_none_or(|schema| *schema == scoped.schema)
        });
        if let Some(scoped) = scoped {
            self.touched = true;
            return Err(self.refuse(Reason::Function {
                function: format!("{}.{}", scoped.schema, scoped.name),
                relation: scoped.relation.clone(),
            }));
        }
        let harmless = schema.is_none_or(|schema| schema == "pg_catalog")
            && !self.catalog.own_names.contains(function)
            && !super::compute::has_effects(function);
        self.once |= !harmless;
        if function == "set_config" {
            self.effects.settings = true;
        }
        if super::classify::runs_text(function) {
            self.touched = true;
            return Err(self.refuse(Reason::Function {
                function: function.clone(),
                relation: "named in its argument".into(),
            }));
        }
        Ok(match schema {
            None => Some(function.clone()),
            Some(schema) if schema == "pg_catalog" => Some(function.clone()),
            Some(_) => None,
        })
    }

    /// The columns of a row that a function returns, where the policy declares it safe.
    fn row_function(&mut self, name: &ObjectName) -> Result<Option<Vec<Col>>, Refusal> {
        let catalog = self.catalog;
        let names = parts(name).unwrap_or_default();
        let found = catalog.functions.iter().find(|function| match names.as_slice() {
            [name] => function.name == *name,
            [schema, name] => function.name == *name && function.schema == *schema,
            _ => false,
        });
        let rows = found.and_then(|function| catalog.relations.get(&function.rows?));
        let Some(relation) = rows else { return Ok(None) };
        self.touch(relation, false)?;
        let mut columns = relation_columns(relation);
        for column in &mut columns {
            // Its rows need not be the table's.
            if let Kind::Sealed(sealed) = column.kind {
                column.kind = Kind::Sealed(sealed.without_call());
            }
        }
        Ok(Some(columns))
    }

    /// A function in FROM: its columns, where they are known.
    pub(super) fn table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Option<Vec<Col>>, Refusal> {
        let rows = self.row_function(name)?;
        let builtin = if rows.is_some() { None } else { self.function_name(name)? };
        if builtin.as_deref() == Some("unnest") {
            let arrays = args.iter().map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            });
            if let Some(arrays) = arrays.collect::<Option<Vec<Expr>>>() {
                return self.unnest(&arrays, scope, ctes).map(Some);
            }
        }
        let shown = parts(name).unwrap_or_default().join(".");
        for arg in args {
            let kind = self.argument(arg, scope, ctes)?;
            self.plain(kind, &format!("the function {shown}"))?;
        }
        if rows.is_some() {
            return Ok(rows);
        }
        let columns = builtin.as_deref().and_then(known_columns);
        Ok(columns.map(|names| {
            names.iter().map(|name| Col { name: (*name).into(), kind: Kind::Plain }).collect()
        }))
    }

    /// Arrays in FROM: their elements are free, like VALUES, or sealed.
    pub(super) fn unnest(
        &mut self,
        arrays: &[Expr],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let mut columns = Vec::with_capacity(arrays.len());
        for array in arrays {
            let kind = self.elements_of(array, scope, ctes)?;
            let kind = unbounded(self.kinds.resolve(kind));
            columns.push(Col { name: "unnest".into(), kind });
        }
        Ok(columns)
    }

    /// A window: rows of a partition share equal tokens; their order needs values.
    pub(super) fn window(
        &mut self,
        spec: &WindowSpec,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<(), Refusal> {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        for expr in partition_by {
            let kind = self.infer(expr, scope, ctes)?;
            self.group(kind, "PARTITION BY")?;
        }
        self.order_inside(order_by, true, scope, ctes)?;
        if let Some(frame) = window_frame {
            for bound in std::iter::once(&frame.start_bound).chain(&frame.end_bound) {
                match bound {
                    WindowFrameBound::CurrentRow
                    | WindowFrameBound::Preceding(None)
                    | WindowFrameBound::Following(None) => {}
                    WindowFrameBound::Preceding(Some(expr))
                    | WindowFrameBound::Following(Some(expr)) => {
                        self.range_offset |= frame.units == WindowFrameUnits::Range;
                        self.plain_expr(expr, scope, ctes, "a frame")?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A type in a cast: a row type of a relation in scope would take tokens apart.
    pub(super) fn data_type(
        &mut self,
        data_type: &sqlparser::ast::DataType,
    ) -> Result<(), Refusal> {
        let mut data_type = data_type;
        while let sqlparser::ast::DataType::Array(
            sqlparser::ast::ArrayElemTypeDef::SquareBracket(element, _),
        ) = data_type
        {
            data_type = element;
        }
        if let sqlparser::ast::DataType::Custom(name, _) = data_type {
            let last = parts(name).and_then(|mut parts| parts.pop()).unwrap_or_default();
            if self.catalog.scoped.contains_key(&last) {
                self.touched = true;
                return Err(self.refuse(Reason::WholeRow(last)));
            }
        }
        Ok(())
    }
}

/// What a polymorphic function returns has lost its length.
/// `NULL`, cast or not.
fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => value.value == Value::Null,
        Expr::Cast { expr, data_type, .. } => {
            is_null(expr) && super::leaf::character_type(data_type).is_some()
        }
        Expr::Nested(inner) => is_null(inner),
        _ => false,
    }
}

fn unbounded(kind: Kind) -> Kind {
    match kind {
        Kind::Sealed(mut sealed) => {
            sealed.logical = sealed.logical.unbounded();
            Kind::Sealed(sealed)
        }
        Kind::Array(array @ Array { element: Element::Sealed(mut sealed), .. }) => {
            sealed.logical = sealed.logical.unbounded();
            Kind::Array(Array { element: Element::Sealed(sealed), ..array })
        }
        other => other,
    }
}

/// Values of the one type are values of the other, and are not cut or padded there.
fn become_each_other(a: Option<LogicalType>, b: Option<LogicalType>) -> bool {
    let text =
        |t: Option<LogicalType>| matches!(t, Some(LogicalType::Text | LogicalType::Varchar(_)));
    a == b || (text(a) && text(b))
}

/// An argument that is an expression and nothing more.
pub(super) fn bare(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The columns of functions that are common in FROM; of others they are not known.
fn known_columns(function: &str) -> Option<&'static [&'static str]> {
    Some(match function {
        "generate_series" => &["generate_series"],
        "generate_subscripts" => &["generate_subscripts"],
        "regexp_split_to_table" => &["regexp_split_to_table"],
        "string_to_table" => &["string_to_table"],
        "json_array_elements"
        | "jsonb_array_elements"
        | "json_array_elements_text"
        | "jsonb_array_elements_text" => &["value"],
        "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text" => &["key", "value"],
        _ => return None,
    })
}
