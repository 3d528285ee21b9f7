//! Function calls: in expressions, as aggregates and window functions, and in FROM.

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, ObjectName, WindowFrameBound, WindowSpec, WindowType,
};

use super::Analysis;
use super::kind::{Kind, Meet};
use super::scope::{Col, Ctes, Scope, parts};
use crate::refusal::{Reason, Refusal};
use crate::rules::{Treats, rule};

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
        let builtin = self.function_name(name)?;
        self.order_inside(within_group, scope, ctes)?;
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
                for column in self.query(query, Some(scope), ctes)? {
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
                    self.order_inside(items, scope, ctes)?;
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
        let treats = builtin.as_deref().and_then(rule).map(|rule| rule.treats);
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let shown = parts(name).unwrap_or_default().join(".");
        let mut kinds = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            kinds.push(self.argument(arg, treats, scope, ctes)?);
        }
        if distinct {
            for kind in &kinds {
                self.group(*kind, &format!("{shown}(DISTINCT ...)"))?;
            }
        }
        match treats {
            Some(Treats::Tests) => {
                for kind in kinds {
                    if !matches!(kind, Kind::Row(_)) {
                        self.test(kind, &shown)?;
                    }
                }
                Ok(Kind::Plain)
            }
            Some(Treats::Carries) => {
                // The planner drops NULLs, and what is left alone keeps its length.
                kinds.retain(|kind| !matches!(kind, Kind::Null));
                self.carry(&kinds, &shown)
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
                // Declared over anyelement, they lose the length.
                Ok(match self.carry(&carried, &shown)? {
                    Kind::Sealed(mut sealed) => {
                        sealed.logical = sealed.logical.unbounded();
                        Kind::Sealed(sealed)
                    }
                    other => other,
                })
            }
            Some(Treats::ComparesToNull) => match kinds.as_slice() {
                [first, second] => {
                    self.compare(*first, *second, &shown, Meet::operator)?;
                    Ok(match self.kinds.resolve(*first) {
                        // The operands of text = text have become text.
                        Kind::Sealed(mut sealed) => {
                            if let LogicalType::Varchar(_) = sealed.logical {
                                sealed.logical = LogicalType::Text;
                            }
                            Kind::Sealed(sealed)
                        }
                        other => other,
                    })
                }
                _ => Err(self.unparsed("nullif without two arguments")),
            },
            None => {
                if let [kind @ Kind::Sealed(_)] = kinds.as_slice()
                    && self.defers(builtin.as_deref(), name)
                {
                    return Ok(*kind);
                }
                for kind in kinds {
                    self.plain(kind, &format!("the function {shown}"))?;
                }
                Ok(Kind::Plain)
            }
        }
    }

    fn argument(
        &mut self,
        arg: &FunctionArg,
        treats: Option<Treats>,
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
                let qualifier =
                    parts(name).ok_or_else(|| self.unparsed("a name with a function"))?;
                let sealed = scope
                    .item(&qualifier, None)?
                    .columns
                    .iter()
                    .any(|column| !matches!(column.kind, Kind::Plain));
                if sealed && treats != Some(Treats::Tests) {
                    return Err(self.refuse(Reason::WholeRow(qualifier.join("."))));
                }
                Ok(Kind::Plain)
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

    /// A function in FROM: its columns, where they are known.
    pub(super) fn table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Option<Vec<Col>>, Refusal> {
        let builtin = self.function_name(name)?;
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
            let kind = self.argument(arg, None, scope, ctes)?;
            self.plain(kind, &format!("the function {shown}"))?;
        }
        let columns = builtin.as_deref().and_then(known_columns);
        Ok(columns.map(|names| {
            names.iter().map(|name| Col { name: (*name).into(), kind: Kind::Plain }).collect()
        }))
    }

    /// The elements of an array parameter or literal are free, like VALUES.
    pub(super) fn unnest(
        &mut self,
        arrays: &[Expr],
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Vec<Col>, Refusal> {
        let mut columns = Vec::with_capacity(arrays.len());
        for array in arrays {
            let kind = if let Some(kind) = self.array_leaf(array)? {
                kind
            } else if let Expr::Array(elements) = super::expr::strip_array_cast(array) {
                let mut kinds = Vec::with_capacity(elements.elem.len());
                for element in &elements.elem {
                    kinds.push(self.infer(element, scope, ctes)?);
                }
                self.carry(&kinds, "ARRAY")?
            } else {
                self.plain_expr(array, scope, ctes, "the function unnest")?;
                Kind::Plain
            };
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
        self.order_inside(order_by, scope, ctes)?;
        if let Some(frame) = window_frame {
            for bound in std::iter::once(&frame.start_bound).chain(&frame.end_bound) {
                match bound {
                    WindowFrameBound::CurrentRow
                    | WindowFrameBound::Preceding(None)
                    | WindowFrameBound::Following(None) => {}
                    WindowFrameBound::Preceding(Some(expr))
                    | WindowFrameBound::Following(Some(expr)) => {
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
