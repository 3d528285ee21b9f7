//! Casts that are not around a single literal or parameter.
//!
//! A cast to a type with a length cuts values. It is carried out on each of the values it may be
//! given, where these stand in the text, and columns have to be short enough as they are; on the
//! tokens that the server gets, it loses its length. What it is called stays, since an output
//! column's name comes from it.

use std::ops::Range;

use pgveil_seal::LogicalType;
use sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

use super::kind::{Array, Element, Kind, Sealed};
use super::leaf::{array_type, character_type, type_end};
use super::meet::path;
use super::scope::{Ctes, Scope, parts};
use super::{Analysis, View};
use crate::plan::{Edit, Replacement};
use crate::refusal::{Reason, Refusal};
use crate::rules::{Treats, function_rule};

/// A cast whose length changes values.
pub(super) struct Length {
    /// What it is around.
    of: Kind,
    /// The tokens that make it do so.
    tokens: Range<usize>,
    /// What stands in their place, where they are around tokens.
    with: &'static str,
}

impl Analysis<'_> {
    /// A cast that is not around a literal or parameter.
    pub(super) fn cast(
        &mut self,
        expr: &Expr,
        data_type: &DataType,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        self.data_type(data_type)?;
        let kind = self.infer(expr, scope, ctes)?;
        let resolved = self.kinds.resolve(kind);
        if let (Kind::Array(array), Some(element)) = (resolved, array_type(data_type)) {
            return self.cast_array(array, element, data_type);
        }
        let cast = character_type(data_type);
        if let (Kind::Sealed(sealed), Some(logical)) = (resolved, cast)
            && self.view == View::Made
            && logical != sealed.logical
            && logical != LogicalType::Varchar(None)
        {
            return Err(self.refuse(Reason::Compute {
                what: format!("a cast to {logical}, in a view,"),
                column: path(self.catalog, sealed.column),
            }));
        }
        let done = match (resolved, cast) {
            // Where a view leaves out the type, its definition has the physical one.
            (Kind::Null(_), Some(LogicalType::Text)) if self.view == View::Shown => {
                Some(Kind::Null(None))
            }
            (Kind::Null(_), cast) => Some(Kind::Null(cast)),
            // Without a length these change nothing, neither of a token nor of its value: the
            // padding of character values is not sealed.
            (
                Kind::Sealed(sealed),
                Some(logical @ (LogicalType::Text | LogicalType::Varchar(None))),
            ) => Some(if let Kind::Free(var) = kind {
                let columns = self.kinds.columns(kind);
                self.kinds.view(var, logical, columns)
            } else {
                // On the text that the column is physically this is no cast at all.
                let detached = sealed.detached
                    || (logical == LogicalType::Text && sealed.logical != LogicalType::Text);
                Kind::Sealed(Sealed { logical, detached, ..sealed })
            }),
            (Kind::Free(var), Some(logical @ (LogicalType::Text | LogicalType::Varchar(None)))) => {
                self.kinds.make_text(var);
                Some(self.kinds.view(var, logical, None))
            }
            (Kind::Free(_) | Kind::Sealed(_), Some(logical)) => self.cut(kind, expr, logical)?,
            _ => None,
        };
        if let Some(kind) = done {
            Ok(kind)
        } else {
            self.plain(kind, &format!("a cast to {}", data_type.to_string().to_lowercase()))?;
            Ok(Kind::Plain)
        }
    }

    /// A cast to a type with a length. `None`: its operand has to be plain.
    fn cut(
        &mut self,
        kind: Kind,
        expr: &Expr,
        logical: LogicalType,
    ) -> Result<Option<Kind>, Refusal> {
        let mut tokens = Vec::new();
        let Some(cast) = self.extent(expr)? else { return Ok(None) };
        if !self.results(expr, &mut tokens)? {
            return Ok(None);
        }
        let leaves = self.kinds.leaves_of(kind);
        if !leaves.iter().all(|index| tokens.contains(&self.kinds.leaves[*index].token)) {
            return Ok(None);
        }
        let resolved = self.kinds.resolve(kind);
        let columns = match (kind, resolved) {
            (Kind::Sealed(sealed), _) => Some(sealed.values),
            _ => self.kinds.columns(kind),
        };
        let is_short = |columns| match (columns, logical) {
            (
                LogicalType::Varchar(Some(m)) | LogicalType::Char(Some(m)),
                LogicalType::Varchar(Some(n)),
            ) => m <= n,
            (LogicalType::Char(Some(m)), LogicalType::Char(Some(n))) => m == n,
            _ => false,
        };
        if columns.is_some_and(|columns| !is_short(columns)) {
            return Ok(None);
        }
        self.kinds.cast(&leaves, logical);
        // The index of `::` or AS.
        let from = cast.end;
        let Some(end) = type_end(self.text, self.tokens, from + 1) else { return Ok(None) };
        let open = (from + 1..end).find(|index| self.is(*index, "(")).unwrap_or(end);
        let same = matches!(kind, Kind::Sealed(sealed) if sealed.logical == logical);
        let lengths: &[(Range<usize>, &'static str)] = if same {
            // The server drops it, and what is left is the column itself.
            if self.is(from, "::") {
                &[(from..end, "")]
            } else {
                &[(cast.start - 2..cast.start - 1, ""), (from..end, "")]
            }
        } else if matches!(logical, LogicalType::Char(_)) {
            &[(from + 1..end, "pg_catalog.bpchar")]
        } else {
            &[(open..end, "")]
        };
        let lengths = lengths.iter().filter(|(tokens, _)| !tokens.is_empty());
        self.lengths.extend(lengths.map(|(tokens, with)| Length {
            of: kind,
            tokens: tokens.clone(),
            with,
        }));
        Ok(Some(match (kind, resolved) {
            (Kind::Free(var), _) => self.kinds.view(var, logical, columns),
            (_, Kind::Sealed(sealed)) => {
                Kind::Sealed(Sealed { logical, detached: sealed.detached || !same, ..sealed })
            }
            (other, _) => other,
        }))
    }

    /// Casts around tokens lose their lengths.
    pub(super) fn without_lengths(&self) -> Vec<Edit> {
        let around_tokens =
            |length: &&Length| matches!(self.kinds.resolve(length.of), Kind::Sealed(_));
        let edit = |length: &Length| {
            let (first, last) = (length.tokens.start, length.tokens.end - 1);
            Edit {
                range: self.tokens[first].range.start..self.tokens[last].range.end,
                with: Replacement::Text(length.with.to_owned()),
            }
        };
        self.lengths.iter().filter(around_tokens).map(edit).collect()
    }

    /// Collects the literals and parameters that an expression may return. False: it may return
    /// something else that is no column, either.
    fn results(&mut self, expr: &Expr, tokens: &mut Vec<usize>) -> Result<bool, Refusal> {
        if let Some(found) = self.find_leaf(expr)? {
            tokens.push(found.token);
            return Ok(true);
        }
        match expr {
            Expr::Value(value) => Ok(value.value == Value::Null),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Ok(true),
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.results(inner, tokens),
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|when| &when.result);
                for result in results.chain(else_result.as_deref()) {
                    if !self.results(result, tokens)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Expr::Function(function) => {
                let name = parts(&function.name).unwrap_or_default();
                let FunctionArguments::List(list) = &function.args else { return Ok(false) };
                if !matches!(name.as_slice(), [name] if function_rule(name) == Some(Treats::Carries))
                {
                    return Ok(false);
                }
                for arg in &list.args {
                    let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg else {
                        return Ok(false);
                    };
                    if !self.results(arg, tokens)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The tokens of an expression that [`Analysis::results`] understands, with a cast behind it.
    fn extent(&mut self, expr: &Expr) -> Result<Option<Range<usize>>, Refusal> {
        let extent = self.tokens_of(expr)?;
        let is_cast = |extent: &Range<usize>| {
            self.is(extent.end, "::")
                || (self.is(extent.end, "as")
                    && extent.start >= 2
                    && self.is(extent.start - 2, "cast")
                    && self.is(extent.start - 1, "("))
        };
        Ok(extent.filter(is_cast))
    }

    fn tokens_of(&mut self, expr: &Expr) -> Result<Option<Range<usize>>, Refusal> {
        if let Some(found) = self.find_leaf(expr)? {
            return Ok(Some(found.extent));
        }
        Ok(match expr {
            Expr::Identifier(ident) => self.token_at(ident.span).map(|at| at..at + 1),
            Expr::CompoundIdentifier(idents) => {
                let first = idents.first().and_then(|ident| self.token_at(ident.span));
                let last = idents.last().and_then(|ident| self.token_at(ident.span));
                first.zip(last).map(|(first, last)| first..last + 1)
            }
            Expr::Nested(inner) => self.tokens_of(inner)?.and_then(|inner| {
                let start = inner.start.checked_sub(1)?;
                (self.is(start, "(") && self.is(inner.end, ")")).then_some(start..inner.end + 1)
            }),
            Expr::Case { case_token, end_token, .. } => {
                let first = self.token_at(case_token.0.span);
                let last = self.token_at(end_token.0.span);
                first.zip(last).map(|(first, last)| first..last + 1)
            }
            Expr::Function(function) => {
                let name = function.name.0.first().and_then(|part| part.as_ident());
                let name = name.and_then(|ident| self.token_at(ident.span));
                name.and_then(|name| Some(name..self.behind_parentheses(name + 1)?))
            }
            Expr::Cast { kind, expr, .. } => self.extent(expr)?.and_then(|inner| {
                let end = type_end(self.text, self.tokens, inner.end + 1)?;
                match kind {
                    CastKind::DoubleColon => Some(inner.start..end),
                    _ => self.is(end, ")").then_some(inner.start - 2..end + 1),
                }
            }),
            _ => None,
        })
    }

    /// The token behind the parenthesis that closes the one at `open`.
    pub(super) fn behind_parentheses(&self, open: usize) -> Option<usize> {
        let mut depth = 0;
        for index in open..self.tokens.len() {
            if self.is(index, "(") {
                depth += 1;
            } else if self.is(index, ")") {
                depth -= 1;
            }
            if depth == 0 {
                return Some(index + 1).filter(|_| index > open);
            }
        }
        None
    }

    /// An array of text or character varying becomes one of the other.
    fn cast_array(
        &mut self,
        array: Array,
        element: LogicalType,
        data_type: &DataType,
    ) -> Result<Kind, Refusal> {
        use LogicalType::{Char, Text, Varchar};
        let harmless =
            matches!(element, Text | Varchar(None)) && !matches!(array.typed, Some(Char(_)));
        if !harmless {
            let shown = format!("a cast to {}", data_type.to_string().to_lowercase());
            self.plain(Kind::Array(array), &shown)?;
            return Ok(Kind::Plain);
        }
        let cast = match array.element {
            Element::Free(var) => Element::Free(var),
            Element::Sealed(sealed) => {
                Element::Sealed(Sealed { logical: element, detached: true, ..sealed })
            }
        };
        Ok(Kind::Array(Array { element: cast, typed: Some(element), physical: element, ..array }))
    }
}
