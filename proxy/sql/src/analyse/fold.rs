//! `lower(column)` and `upper(column)` of columns that are declared to fold.
//!
//! The tokens of such a column have a *fold handle* at a fixed place, which is equal where the
//! folded values are: `lower(email)` becomes `pg_catalog.substr(email, 13, 12)`, which the server
//! compares, groups by and finds in an index. What it meets becomes a fold handle as well: the call
//! in `lower($1)` is taken away and carried out on the value, and a value that stands alone is
//! compared as it is. Everything that is no comparison needs the folded value, and is refused.

use pgveil_seal::{FOLD_HANDLE_AT, FOLD_HANDLE_LEN, Fold, LogicalType, Mode};
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident};

use super::Analysis;
use super::kind::{Folded, Kind, LeafValue, Sealed};
use super::leaf::character_type;
use super::meet::path;
use super::scope::{Col, Ctes, Scope, parts};
use crate::physical::{SCHEMA, own, quote_name};
use crate::plan::{Edit, Purpose, Replacement};
use crate::refusal::{Reason, Refusal};

/// A call of `lower` or `upper` over a protected column.
#[derive(Debug)]
pub(crate) struct Call {
    /// Tokens of the function's name.
    name: std::ops::Range<usize>,
    /// The token of the closing parenthesis.
    close: usize,
    /// It computes a value after all: see [`Analysis::defers`].
    deferred: bool,
    /// The name of the output column that it is.
    shown_as: Option<&'static str>,
}

/// The arguments behind the column, and the parenthesis.
const ARGUMENTS: &str = ", 13, 12)";
const _: () = assert!(FOLD_HANDLE_AT == 13 && FOLD_HANDLE_LEN == 12);

/// `lower(x)`, `upper(x)`: the function of `pg_catalog`, and its argument.
pub(super) fn fold_of(function: &Function) -> Option<(Fold, &Expr)> {
    let Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        within_group,
        filter: None,
        null_treatment: None,
        over: None,
    } = function
    else {
        return None;
    };
    let names = parts(name)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ([name] | ["pg_catalog", name]) = names.as_slice() else { return None };
    let fold = Fold::parse(name)?;
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice() else {
        return None;
    };
    let bare =
        within_group.is_empty() && list.duplicate_treatment.is_none() && list.clauses.is_empty();
    bare.then_some((fold, argument))
}

/// An expression without the parentheses, and the casts to text, around it: `lower` takes text.
pub(super) fn as_text(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => as_text(inner),
        Expr::Cast { expr: inner, data_type, format: None, .. }
            if matches!(
                character_type(data_type),
                Some(LogicalType::Text | LogicalType::Varchar(None))
            ) =>
        {
            as_text(inner)
        }
        _ => expr,
    }
}

impl Analysis<'_> {
    /// [`fold_of`], where columns fold in this database, and no function of the application's
    /// could be meant.
    pub(super) fn fold_call<'f>(&self, function: &'f Function) -> Option<(Fold, &'f Expr)> {
        if self.catalog.case_maps.is_empty() || self.catalog.own_folds {
            return None;
        }
        fold_of(function)
    }

    /// The kind of `lower(x)` or `upper(x)` where x is neither a literal nor a parameter.
    pub(super) fn folded(
        &mut self,
        function: &Function,
        fold: Fold,
        argument: &Expr,
        scope: &Scope<'_>,
        ctes: &Ctes<'_>,
    ) -> Result<Kind, Refusal> {
        let kind = self.infer(as_text(argument), scope, ctes)?;
        let resolved = self.kinds.resolve(kind);
        if let Kind::Null(_) = resolved {
            return Ok(Kind::Null(Some(LogicalType::Text)));
        }
        let Kind::Sealed(sealed) = resolved else {
            self.plain(kind, &format!("the function {fold}"))?;
            return Ok(Kind::Plain);
        };
        // A literal's kind is known by what it met before: its call is still in the text.
        let is_column = !matches!(kind, Kind::Free(_));
        if is_column && sealed.folded.is_none() {
            if self.catalog.column(sealed.column).fold == Some(fold) {
                return self.call_of(function, sealed);
            }
            if self.defers(Some(fold.as_str()), &function.name) {
                return Ok(kind);
            }
        }
        self.not_folded(Some(fold.as_str()), kind)?;
        Err(self.only_compared(sealed))
    }

    /// Notes a call that becomes a fold handle.
    fn call_of(&mut self, function: &Function, sealed: Sealed) -> Result<Kind, Refusal> {
        let first = function.name.0.first().and_then(|part| part.as_ident());
        let start = first.and_then(|ident| self.token_at(ident.span));
        let call = start.map(|start| start..start + 2 * function.name.0.len() - 1);
        let Some(name) = call.filter(|name| self.is(name.end, "(")) else {
            return Err(self.unparsed("a call"));
        };
        let Some(behind) = self.behind_parentheses(name.end) else {
            return Err(self.unparsed("a call"));
        };
        let close = behind - 1;
        let known = self.fold_calls.iter().position(|call| call.name == name);
        let call = known.unwrap_or_else(|| {
            self.fold_calls.push(Call { name, close, deferred: false, shown_as: None });
            self.fold_calls.len() - 1
        });
        Ok(Kind::Sealed(Sealed {
            logical: LogicalType::Text,
            detached: true,
            folded: Some(Folded { call: Some(call) }),
            ..sealed
        }))
    }

    /// The column of `lower(column)` among the columns of ON CONFLICT, which the parser has as a
    /// name alone.
    pub(super) fn folded_target(
        &mut self,
        ident: &Ident,
        scope: &Scope<'_>,
    ) -> Result<(), Refusal> {
        let Some(start) = self.token_at(ident.span) else { return Err(self.unparsed("a call")) };
        let (Some(fold), true) = (Fold::parse(&ident.value), !self.catalog.own_folds) else {
            return Err(self.unparsed("an expression in ON CONFLICT"));
        };
        // `lower`, or `pg_catalog.lower`
        let end = if self.is(start + 1, ".") { start + 3 } else { start + 1 };
        let Some(close) = self.behind_parentheses(end).map(|behind| behind - 1) else {
            return Err(self.unparsed("a call"));
        };
        let inside = (end + 1..close).filter(|index| !self.is(*index, "("));
        let column = inside
            .clone()
            .find_map(|index| crate::lex::identifier(self.text, self.tokens.get(index)?));
        let Some(column) = column else { return Err(self.unparsed("a call")) };
        let name = Ident::with_quote('"', column);
        let kind = self.column(&name, scope)?;
        let Kind::Sealed(sealed) = self.kinds.resolve(kind) else {
            return self.plain(kind, "ON CONFLICT");
        };
        if self.catalog.column(sealed.column).fold != Some(fold) {
            self.not_folded(Some(fold.as_str()), kind)?;
            return Err(self.only_compared(sealed));
        }
        self.group(kind, "ON CONFLICT")?;
        self.fold_calls.push(Call { name: start..end, close, deferred: false, shown_as: None });
        Ok(())
    }

    /// Refuses a fold of a deterministic column that is not declared with it.
    pub(super) fn not_folded(&self, function: Option<&str>, kind: Kind) -> Result<(), Refusal> {
        let (Some(fold), Kind::Sealed(sealed)) =
            (function.and_then(Fold::parse), self.kinds.resolve(kind))
        else {
            return Ok(());
        };
        let column = self.catalog.column(sealed.column);
        if column.mode == Mode::Deterministic && column.fold != Some(fold) {
            let column = path(self.catalog, sealed.column);
            return Err(self.refuse(Reason::NotFolded { fold, column }));
        }
        Ok(())
    }

    /// What is folded stands where its value is needed.
    pub(super) fn only_compared(&self, sealed: Sealed) -> Refusal {
        let column = self.catalog.column(sealed.column);
        let what = column.fold.map_or("folding".to_owned(), |fold| format!("the function {fold}"));
        self.refuse(Reason::Compute { what, column: path(self.catalog, sealed.column) })
    }

    /// Tokens meet tokens, fold handles meet fold handles. Where a call meets the column itself
    /// it would have to compute: refused, or true and put off, see [`Analysis::defers`].
    pub(super) fn puts_off(&mut self, left: Sealed, right: Sealed) -> Result<bool, Refusal> {
        let folded = match (left.folded, right.folded) {
            (Some(_), Some(_)) | (None, None) => return Ok(false),
            (Some(folded), None) | (None, Some(folded)) => folded,
        };
        let of = if left.folded.is_some() { left } else { right };
        match folded.call.filter(|_| self.can_defer()) {
            Some(call) => {
                self.fold_calls[call].deferred = true;
                Ok(true)
            }
            None => Err(self.only_compared(of)),
        }
    }

    /// An output column keeps the name that the call gives it.
    pub(super) fn keep_name(&mut self, expr: &Expr, kind: Kind, name: &str) -> Result<(), Refusal> {
        let Kind::Sealed(sealed @ Sealed { folded: Some(folded), .. }) = self.kinds.resolve(kind)
        else {
            return Ok(());
        };
        let Some(fold) = Fold::parse(name) else { return Ok(()) };
        match (expr, folded.call) {
            (Expr::Function(_), Some(call)) => {
                self.fold_calls[call].shown_as = Some(fold.as_str());
                Ok(())
            }
            // `lower(email)` inside of something that takes its name from it.
            _ if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => Ok(()),
            _ => Err(self.only_compared(sealed)),
        }
    }

    /// What EXPLAIN explains would not be answered.
    pub(super) fn no_fold_shown(&mut self, columns: &[Col]) -> Result<(), Refusal> {
        for column in columns {
            if let Kind::Sealed(sealed @ Sealed { folded: Some(_), .. }) =
                self.kinds.resolve(column.kind)
            {
                return Err(self.only_compared(sealed));
            }
        }
        Ok(())
    }

    /// Whether the values that are folded, or are compared with what is, can be.
    pub(super) fn folds(&self) -> Result<(), Refusal> {
        let mut handles = !self.fold_calls.is_empty();
        for leaf in &self.kinds.leaves {
            let Some((slot, _)) = &leaf.sealed else { continue };
            let column = self.catalog.column(slot.column);
            let at = Some(self.tokens[leaf.token].range.start);
            if let Some(fold) = slot.fold.filter(|fold| column.fold != Some(*fold)) {
                let column = path(self.catalog, slot.column);
                return Err(Reason::NotFolded { fold, column }.at(at));
            }
            handles |= slot.handle;
            let declared = match leaf.value {
                LeafValue::Param(index) => self.types.get(index).copied().unwrap_or(0),
                LeafValue::Literal(_) => 0,
            };
            let character = |logical: LogicalType| matches!(logical, LogicalType::Char(_));
            let blanks = leaf.array_cast.is_some_and(character)
                || leaf.casts.iter().any(|cast| character(*cast))
                || [LogicalType::Char(None).oid(), LogicalType::Char(None).array_oid()]
                    .contains(&declared);
            if blanks && (slot.handle || slot.fold.is_some()) {
                return Err(Reason::Compute {
                    what: "comparison with a value of type character".into(),
                    column: path(self.catalog, slot.column),
                }
                .at(at));
            }
        }
        // Such a value may go up as something that is no token: its handle would be elsewhere.
        let in_list = self.kinds.leaves.iter().find_map(|leaf| match &leaf.sealed {
            Some((slot, _)) if matches!(slot.purpose, Purpose::Row { .. }) => Some(slot.column),
            _ => None,
        });
        match in_list.filter(|_| handles) {
            None => Ok(()),
            Some(column) => Err(self.refuse(Reason::Compute {
                what: "folding beside a list of rows that is stored".into(),
                column: path(self.catalog, column),
            })),
        }
    }

    /// What stays in the catalog as an expression of tokens could not be read back.
    pub(super) fn no_fold_handle(&self, what: &str) -> Result<(), Refusal> {
        if self.fold_calls.is_empty() {
            return Ok(());
        }
        Err(self.unparsed(what))
    }

    /// The edits of the calls.
    pub(super) fn fold_edits(&mut self) -> Vec<Edit> {
        let calls = std::mem::take(&mut self.fold_calls);
        let mut edits = Vec::with_capacity(2 * calls.len());
        for Call { name, close, deferred, shown_as } in calls {
            let range = self.tokens[name.start].range.start..self.tokens[name.end - 1].range.end;
            let close = self.tokens[close].range.clone();
            let (function, mut end) = if deferred {
                (quote_name(SCHEMA, own::UNCOMPUTED), ")".to_owned())
            } else {
                ("pg_catalog.substr".to_owned(), ARGUMENTS.to_owned())
            };
            if let Some(name) = shown_as {
                end.push_str(" AS ");
                end.push_str(name);
            }
            edits.push(Edit { range, with: Replacement::Text(function) });
            edits.push(Edit { range: close, with: Replacement::Text(end) });
        }
        edits
    }
}
