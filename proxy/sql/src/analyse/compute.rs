//! Predicates and orders that the server cannot decide on tokens, and the proxy decides on values.
//!
//! `UPPER(email::text) LIKE UPPER($1)`, `email < 'm'`, `lower(name) = $1`: a predicate over one
//! column, constants and parameters is translated for [`pgveil_eval`], and its whole text is
//! replaced by a test of the token's handle against the values that satisfy it. Everything around
//! it (AND, OR, NOT, joins, sub-queries) stays as it is.
//!
//! What rows are ordered by, `email` or `lower(email)`, is translated alike, and its text becomes
//! the rank of the value among those of its column: see [`order`](super::order).
//!
//! What cannot be translated exactly is left to the rules for sealed operands, which refuse it.
//! The types are PostgreSQL's: a literal or a parameter without a type beside text is text
//! ("Operators": type resolution), and a function of a name that the database has besides the
//! server's own is never taken for the server's.

use std::ops::Range;

use pgveil_eval::{Cast, Collation, Comparison, Expr as Value, Function as Called, Type};
use pgveil_seal::{LogicalType, Mode};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, InTarget, TrimWhereField, UnaryOperator, Value as Literal,
};

use super::Analysis;
use super::fold::fold_of;
use super::kind::{Kind, LeafValue, Sealed};
use super::leaf::{Found as Leaf, character_type, type_end};
use super::meet::path;
use super::scope::{Found, Scope, parts};
use crate::catalog::Computing;
use crate::plan::{Edit, Finds, Planned, Replacement, Resolve, Verb};
use crate::refusal::{Reason, Refusal};

/// A predicate that was translated, or what rows are ordered by.
#[derive(Debug)]
pub(super) struct Computed {
    /// The tokens that are replaced.
    pub(super) extent: Range<usize>,
    /// The column as the text names it.
    pub(super) reference: String,
    /// What decides it.
    pub(super) resolve: Resolve,
}

/// A translated part of a predicate.
struct Term {
    value: Value,
    of: Type,
    /// Its tokens.
    extent: Range<usize>,
    /// The column is in it: its collation decides.
    collated: bool,
}

/// What an expression is as a constant.
enum Constant {
    /// One that is translated.
    Is(Term),
    /// One that cannot be.
    Untranslated,
    /// None.
    Other,
}

/// A predicate under translation.
struct Translation<'s, 'a, 'c> {
    analysis: &'a mut Analysis<'c>,
    scope: &'s Scope<'s>,
    column: Option<Subject<'c>>,
    /// The client's parameters in it, from 0: column `n + 1` of the row is the n-th of them.
    params: Vec<usize>,
    depth: usize,
}

/// Evaluating recurses as deep as an expression is nested.
const MAX_DEPTH: usize = 64;

/// The column that a predicate is about.
struct Subject<'c> {
    sealed: Sealed,
    reference: String,
    computing: &'c Computing,
}

impl Analysis<'_> {
    /// Translates a predicate, and notes it. False: it is left to the rules.
    pub(super) fn computes(&mut self, expr: &Expr, scope: &Scope<'_>) -> bool {
        if !self.may_compute || self.catalog.own_operators || !is_candidate(expr) {
            return false;
        }
        let found = self.translate(scope, |translation| {
            translation.predicate(expr).map(|term| (term, Finds::Truth))
        });
        found.map(|computed| self.note(computed)).is_some()
    }

    /// Translates what rows are ordered by. `None`: it is left to the rules.
    pub(super) fn rank(&mut self, expr: &Expr, scope: &Scope<'_>) -> Option<Computed> {
        if !self.may_compute || self.catalog.own_operators {
            return None;
        }
        self.translate(scope, |translation| {
            let term = translation.term(expr)?;
            let collation = translation.collation(&[&term])?;
            matches!(term.of, Type::Text | Type::Integer).then_some((term, Finds::Rank(collation)))
        })
    }

    /// What rows are ordered by is a column that the text does not name where it is shown.
    pub(super) fn rank_column(&self, kind: Kind, reference: String) -> Option<Computed> {
        let Kind::Sealed(sealed) = kind else { return None };
        if !self.may_compute || self.catalog.own_operators || !is_known(&sealed) {
            return None;
        }
        let column = sealed.column;
        let finds = Finds::Rank(self.catalog.computing.get(&column)?.collation.clone());
        let resolve = Resolve { column, expr: Value::Column(0), params: Vec::new(), finds };
        Some(Computed { extent: 0..0, reference, resolve })
    }

    fn translate(
        &mut self,
        scope: &Scope<'_>,
        translated: impl FnOnce(&mut Translation<'_, '_, '_>) -> Option<(Term, Finds)>,
    ) -> Option<Computed> {
        // What a translation meets counts only if it succeeds.
        let kept = std::mem::take(&mut self.seen);
        let mut translation =
            Translation { analysis: self, scope, column: None, params: Vec::new(), depth: 0 };
        let found = translated(&mut translation);
        let Translation { column, params, .. } = translation;
        let (Some((term, finds)), Some(subject)) = (found, column) else {
            self.seen = kept;
            return None;
        };
        self.seen.extend(kept);
        let resolve = Resolve { column: subject.sealed.column, expr: term.value, params, finds };
        Some(Computed { extent: term.extent, reference: subject.reference, resolve })
    }

    /// Notes what was translated.
    pub(super) fn note(&mut self, computed: Computed) {
        // Values in it have been met: none of them goes up.
        for index in computed.extent.clone() {
            let token = &self.tokens[index];
            if token.kind.is_string() || token.kind == crate::lex::TokenKind::Param {
                self.seen.insert(index);
            }
        }
        self.uses(computed.resolve.column, |uses| uses.computed = true);
        self.computed.push(computed);
    }
}

impl Analysis<'_> {
    /// Writes what was translated into the plan. What a statement writes, and what it reads of
    /// that, is not among the values that are known.
    pub(super) fn resolve(&mut self, planned: &mut Planned) -> Result<(), Refusal> {
        let computed = std::mem::take(&mut self.computed);
        let Some(first) = computed.first() else { return Ok(()) };
        let reads = planned.verb == Verb::Select && planned.defines.is_none() && !self.writes;
        if !reads || self.locks() {
            let what = match first.resolve.finds {
                Finds::Truth => "this predicate",
                Finds::Rank(_) => "ORDER BY",
            };
            return Err(Reason::Compute {
                what: format!("{what} in a statement that is not a query"),
                column: path(self.catalog, first.resolve.column),
            }
            .at(self.tokens.get(first.extent.start).map(|token| token.range.start)));
        }
        let ranked = computed.iter().find(|c| matches!(c.resolve.finds, Finds::Rank(_)));
        if let Some(ranked) = ranked.filter(|_| self.range_offset) {
            // The server refuses it over text, but would count ranks.
            return Err(Reason::Compute {
                what: "ORDER BY beside a RANGE frame with an offset".into(),
                column: path(self.catalog, ranked.resolve.column),
            }
            .at(self.tokens.get(ranked.extent.start).map(|token| token.range.start)));
        }
        for Computed { extent, reference, resolve } in computed {
            let start = self.tokens[extent.start].range.start;
            let range = start..self.tokens[extent.end - 1].range.end;
            // The same predicate twice is the same expression for the server, in GROUP BY as well.
            let known = planned.resolves.iter().position(|known| *known == resolve);
            let index = known.unwrap_or_else(|| {
                planned.resolves.push(resolve);
                planned.resolves.len() - 1
            });
            planned
                .edits
                .push(Edit { range, with: Replacement::Resolved { resolve: index, reference } });
        }
        planned.params.resolved = planned.resolves.len();
        planned.once = self.once;
        planned.edits.sort_by_key(|edit| edit.range.start);
        Ok(())
    }

    /// FOR UPDATE and its like: rows are locked, and read again when they have changed.
    fn locks(&self) -> bool {
        (1..self.tokens.len()).any(|index| {
            self.is(index - 1, "for")
                && ["update", "share", "no", "key"].iter().any(|word| self.is(index, word))
        })
    }
}

/// Whether the rules for sealed operands would not answer it, whatever they are.
pub(super) fn is_candidate(expr: &Expr) -> bool {
    match expr {
        Expr::Like { any: false, .. }
        | Expr::ILike { any: false, .. }
        | Expr::Between { .. }
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::In { target: InTarget::List(_), global: false, .. } => true,
        Expr::BinaryOp { op, .. } => comparison(op).is_some(),
        _ => false,
    }
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// The name of a plain call of a function of `pg_catalog`, or of one without a schema.
fn call_name(function: &Function) -> Option<String> {
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
    let plain =
        within_group.is_empty() && list.duplicate_treatment.is_none() && list.clauses.is_empty();
    let mut names = parts(name).filter(|_| plain)?;
    match names.as_slice() {
        [_] => names.pop(),
        [schema, _] if schema == "pg_catalog" => names.pop(),
        _ => None,
    }
}

/// Functions of the server's own that do more than return a value.
pub(super) fn has_effects(function: &str) -> bool {
    const NAMES: [&str; 5] = ["nextval", "setval", "set_config", "pg_notify", "setseed"];
    const PREFIXES: [&str; 8] = [
        "lo_",
        "pg_advisory",
        "pg_try_advisory",
        "pg_terminate",
        "pg_cancel",
        "pg_logical",
        "pg_replication",
        "pg_create",
    ];
    NAMES.contains(&function) || PREFIXES.iter().any(|prefix| function.starts_with(prefix))
}

/// The functions that are known here, by their names.
fn called(name: &str) -> Option<Called> {
    Some(match name {
        "upper" => Called::Upper,
        "lower" => Called::Lower,
        "initcap" => Called::Initcap,
        "length" | "char_length" | "character_length" => Called::Length,
        "octet_length" => Called::OctetLength,
        "substr" | "substring" => Called::Substr,
        "left" => Called::Left,
        "right" => Called::Right,
        "btrim" => Called::Btrim,
        "ltrim" => Called::Ltrim,
        "rtrim" => Called::Rtrim,
        "strpos" => Called::Strpos,
        "replace" => Called::Replace,
        "reverse" => Called::Reverse,
        "split_part" => Called::SplitPart,
        "starts_with" => Called::StartsWith,
        "md5" => Called::Md5,
        _ => return None,
    })
}

/// The types of a function's arguments, as PostgreSQL declares them.
fn takes(function: Called, index: usize) -> Type {
    match (function, index) {
        (Called::Substr, 1 | 2) | (Called::Left | Called::Right, 1) | (Called::SplitPart, 2) => {
            Type::Integer
        }
        _ => Type::Text,
    }
}

impl Translation<'_, '_, '_> {
    fn predicate(&mut self, expr: &Expr) -> Option<Term> {
        let computed = match expr {
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(*negated, false, expr, pattern, escape_char.as_deref())?
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(*negated, true, expr, pattern, escape_char.as_deref())?
            }
            Expr::Between { expr, negated, low, high } => {
                let operand = self.term(expr)?;
                if !matches!(operand.of, Type::Text | Type::Integer) {
                    return None;
                }
                let (low, high) = (self.of(low, operand.of)?, self.of(high, operand.of)?);
                let extent = operand.extent.start..high.extent.end;
                let collation = self.collation(&[&operand, &low, &high])?;
                let compare = |comparison, left: &Value, right: Value| Value::Compare {
                    comparison,
                    left: Box::new(left.clone()),
                    right: Box::new(right),
                    collation: collation.clone(),
                };
                let both = Value::And(vec![
                    compare(Comparison::GreaterOrEqual, &operand.value, low.value),
                    compare(Comparison::LessOrEqual, &operand.value, high.value),
                ]);
                let value = if *negated { Value::Not(Box::new(both)) } else { both };
                boolean(value, extent)
            }
            Expr::BinaryOp { left, op, right } => {
                let comparison = comparison(op)?;
                let equality = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
                let (left, right) = self.operands(left, right, equality)?;
                let collation = self.collation(&[&left, &right])?;
                let extent = left.extent.start..right.extent.end;
                let (left, right) = (Box::new(left.value), Box::new(right.value));
                boolean(Value::Compare { comparison, left, right, collation }, extent)
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                let negated = matches!(expr, Expr::IsNotDistinctFrom(..));
                let (left, right) = self.operands(left, right, true)?;
                let extent = left.extent.start..right.extent.end;
                let (left, right) = (Box::new(left.value), Box::new(right.value));
                boolean(Value::Distinct { negated, left, right }, extent)
            }
            Expr::In { expr, target: InTarget::List(items), negated, global: false } => {
                let operand = self.term(expr)?;
                if items.iter().all(|item| self.server_compares(expr, item)) {
                    return None;
                }
                let mut list = Vec::with_capacity(items.len());
                let mut end = operand.extent.end;
                for item in items {
                    let item = self.of(item, operand.of)?;
                    end = item.extent.end;
                    list.push(item.value);
                }
                let operand_value = Box::new(operand.value);
                if list.is_empty() || !self.is(end, ")") {
                    return None;
                }
                let extent = operand.extent.start..end + 1;
                boolean(Value::In { negated: *negated, operand: operand_value, list }, extent)
            }
            _ => return None,
        };
        (computed.of == Type::Boolean).then_some(computed)
    }

    /// Two operands of a comparison: strings, or numbers.
    fn operands(&mut self, left: &Expr, right: &Expr, equality: bool) -> Option<(Term, Term)> {
        let (first, second) = (self.term(left), self.term(right));
        let of = match (&first, &second) {
            (Some(first), Some(second)) if first.of == second.of => first.of,
            _ => return None,
        };
        if !matches!(of, Type::Text | Type::Integer) {
            return None;
        }
        // What the server compares by itself stays with it.
        let server = self.server_compares(left, right) || self.server_compares(right, left);
        if equality && server {
            return None;
        }
        first.zip(second)
    }

    /// Equality of the first operand, the column or what folds it, and the second is the server's.
    fn server_compares(&self, one: &Expr, other: &Expr) -> bool {
        let folds = |expr| matches!(super::fold::as_text(expr), Expr::Function(_));
        self.is_native(one) && is_simple(other) && (folds(one) || !folds(other))
    }

    /// The bare column, deterministic: its tokens are compared by the server. So are the fold
    /// handles of a column that folds.
    fn is_native(&self, expr: &Expr) -> bool {
        let Some(subject) = &self.column else { return false };
        let column = self.analysis.catalog.column(subject.sealed.column);
        let folded = |function| {
            fold_of(function).is_some_and(|(fold, inner)| {
                column.fold == Some(fold) && is_column(super::fold::as_text(inner))
            })
        };
        column.mode == Mode::Deterministic
            && match super::fold::as_text(expr) {
                Expr::Function(function) => folded(function),
                other => is_column(other),
            }
    }

    fn like(
        &mut self,
        negated: bool,
        ignores_case: bool,
        expr: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
    ) -> Option<Term> {
        let (value, pattern) = (self.text(expr)?, self.text(pattern)?);
        let mut end = pattern.extent.end;
        let escape = match escape {
            Some(escape) => {
                let escape = self.text(escape)?;
                end = escape.extent.end;
                Some(Box::new(escape.value))
            }
            None => None,
        };
        let collation = self.collation(&[&value, &pattern])?;
        let extent = value.extent.start..end;
        let (value, pattern) = (Box::new(value.value), Box::new(pattern.value));
        Some(boolean(
            Value::Like { negated, ignores_case, value, pattern, escape, collation },
            extent,
        ))
    }

    fn text(&mut self, expr: &Expr) -> Option<Term> {
        self.of(expr, Type::Text)
    }

    fn of(&mut self, expr: &Expr, wanted: Type) -> Option<Term> {
        self.term(expr).filter(|term| term.of == wanted || term.value == Value::Null)
    }

    fn is(&self, index: usize, word: &str) -> bool {
        self.analysis.is(index, word)
    }

    fn collation(&self, terms: &[&Term]) -> Option<Collation> {
        let computing = self.column.as_ref().map(|subject| subject.computing);
        match computing {
            Some(computing) if terms.iter().any(|term| term.collated) => {
                Some(computing.collation.clone())
            }
            Some(computing) => Some(computing.default.clone()),
            // The column is met later: whose default it is is not known yet.
            None => self.analysis.catalog.computing.values().next().map(|c| c.default.clone()),
        }
    }

    fn term(&mut self, expr: &Expr) -> Option<Term> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let term = self.translated(expr);
        self.depth -= 1;
        term
    }

    fn translated(&mut self, expr: &Expr) -> Option<Term> {
        match self.constant(expr) {
            Constant::Is(term) => return Some(term),
            Constant::Untranslated => return None,
            Constant::Other => {}
        }
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.reference(expr),
            Expr::Nested(inner) => {
                let term = self.term(inner)?;
                let start = term.extent.start.checked_sub(1)?;
                let around = self.is(start, "(") && self.is(term.extent.end, ")");
                around.then(|| Term { extent: start..term.extent.end + 1, ..term })
            }
            Expr::Cast { kind, expr, data_type, format: None } => self.cast(kind, expr, data_type),
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                let (left, right) = (self.text(left)?, self.text(right)?);
                let extent = left.extent.start..right.extent.end;
                let collated = left.collated || right.collated;
                let value = self.call(Called::Join, vec![left, right])?;
                Some(Term { value, of: Type::Text, extent, collated })
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let Expr::Value(number) = &**expr else { return None };
                let Literal::Number(digits, false) = &number.value else { return None };
                let at = self.analysis.token_at(number.span)?;
                let start = at.checked_sub(1).filter(|start| self.is(*start, "-"))?;
                let value = Value::Integer(format!("-{digits}").parse().ok()?);
                Some(Term { value, of: Type::Integer, extent: start..at + 1, collated: false })
            }
            Expr::Function(function) => self.function(function),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut args = vec![self.text(expr)?];
                args.push(self.of(substring_from.as_deref()?, Type::Integer)?);
                if let Some(length) = substring_for {
                    args.push(self.of(length, Type::Integer)?);
                }
                self.keyword_call(Called::Substr, args, &["substring", "substr"])
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                if trim_characters.as_ref().is_some_and(|more| !more.is_empty()) {
                    return None;
                }
                let function = match trim_where {
                    None | Some(TrimWhereField::Both) => Called::Btrim,
                    Some(TrimWhereField::Leading) => Called::Ltrim,
                    Some(TrimWhereField::Trailing) => Called::Rtrim,
                };
                let mut args = vec![self.text(expr)?];
                if let Some(characters) = trim_what {
                    args.push(self.text(characters)?);
                }
                self.keyword_call(function, args, &["trim"])
            }
            Expr::Position { expr, r#in } => {
                let (part, whole) = (self.text(expr)?, self.text(r#in)?);
                self.keyword_call(Called::Strpos, vec![whole, part], &["position"])
            }
            _ => None,
        }
    }

    /// A literal or a parameter, with its casts.
    fn constant(&mut self, expr: &Expr) -> Constant {
        let one = |value, of, at: usize| {
            Constant::Is(Term { value, of, extent: at..at + 1, collated: false })
        };
        if let Expr::Value(value) = expr
            && let Some(at) = self.analysis.token_at(value.span)
        {
            match &value.value {
                Literal::Number(digits, false) => {
                    let number = digits.parse().map(Value::Integer);
                    return number.map_or(Constant::Untranslated, |n| one(n, Type::Integer, at));
                }
                Literal::Null => return one(Value::Null, Type::Text, at),
                _ => {}
            }
        }
        match self.analysis.find_leaf(expr) {
            Ok(None) => Constant::Other,
            Ok(Some(found)) => {
                self.text_constant(found).map_or(Constant::Untranslated, Constant::Is)
            }
            Err(_) => Constant::Untranslated,
        }
    }

    fn text_constant(&mut self, found: Leaf) -> Option<Term> {
        if found.array.is_some() {
            return None;
        }
        let mut value = match found.value {
            LeafValue::Literal(text) => Value::Text(text.to_string()),
            LeafValue::Param(index) => {
                // unknown, text, varchar
                let declared = self.analysis.types.get(index).copied().unwrap_or(0);
                if ![0, 705, 25, 1043].contains(&declared) {
                    return None;
                }
                let known = self.params.iter().position(|param| *param == index);
                let at = known.unwrap_or_else(|| {
                    self.params.push(index);
                    self.params.len() - 1
                });
                Value::Column(at + 1)
            }
        };
        for cast in found.casts {
            value = match cast {
                LogicalType::Text => Value::Cast(Box::new(value), Cast::Text),
                LogicalType::Varchar(length) => Value::Cast(Box::new(value), Cast::Varchar(length)),
                LogicalType::Char(_) => return None,
            };
        }
        if let Some(fold) = found.fold {
            let function = called(fold.as_str())?;
            let term = Term { value, of: Type::Text, extent: 0..0, collated: false };
            value = self.call(function, vec![term])?;
        }
        Some(Term { value, of: Type::Text, extent: found.extent, collated: false })
    }

    /// The column itself.
    fn reference(&mut self, expr: &Expr) -> Option<Term> {
        let (idents, kind) = match expr {
            Expr::Identifier(ident) => {
                let Found::Column(kind) = self.scope.find(ident).ok()? else { return None };
                (std::slice::from_ref(ident), kind)
            }
            Expr::CompoundIdentifier(idents) => {
                (idents.as_slice(), self.scope.qualified_column(idents).ok()?)
            }
            _ => return None,
        };
        let Kind::Sealed(sealed) = kind else { return None };
        if !is_known(&sealed) {
            return None;
        }
        let start = self.analysis.token_at(idents.first()?.span)?;
        let end = start + 2 * idents.len() - 1;
        let tokens = self.analysis.tokens.get(start..end)?;
        let bytes = tokens.first()?.range.start..tokens.last()?.range.end;
        let reference = self.analysis.text.get(bytes)?;
        let catalog = self.analysis.catalog;
        if let Some(subject) = &self.column {
            let same = subject.reference == reference && subject.sealed.column == sealed.column;
            if !same {
                return None;
            }
        } else {
            let computing = catalog.computing.get(&sealed.column)?;
            let reference = reference.to_owned();
            self.column = Some(Subject { sealed, reference, computing });
        }
        Some(Term { value: Value::Column(0), of: Type::Text, extent: start..end, collated: true })
    }

    fn cast(&mut self, kind: &CastKind, expr: &Expr, data_type: &DataType) -> Option<Term> {
        let cast = match character_type(data_type)? {
            LogicalType::Text => Cast::Text,
            LogicalType::Varchar(length) => Cast::Varchar(length),
            LogicalType::Char(_) => return None,
        };
        let term = self.text(expr)?;
        let (text, tokens) = (self.analysis.text, self.analysis.tokens);
        let at = term.extent.end;
        let extent = match kind {
            CastKind::DoubleColon if self.is(at, "::") => {
                term.extent.start..type_end(text, tokens, at + 1)?
            }
            CastKind::Cast if self.is(at, "as") => {
                let start = term.extent.start.checked_sub(2)?;
                let end = type_end(text, tokens, at + 1)?;
                let around = self.is(start, "cast") && self.is(start + 1, "(") && self.is(end, ")");
                around.then(|| start..end + 1)?
            }
            _ => return None,
        };
        Some(Term { value: Value::Cast(Box::new(term.value), cast), extent, ..term })
    }

    fn function(&mut self, function: &Function) -> Option<Term> {
        let name = call_name(function)?;
        let called = called(&name)?;
        if self.analysis.catalog.own_names.contains(&name) {
            return None;
        }
        let FunctionArguments::List(list) = &function.args else { return None };
        let mut args = Vec::with_capacity(list.args.len());
        for (index, arg) in list.args.iter().enumerate() {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return None };
            args.push(self.of(expr, takes(called, index))?);
        }
        let first = function.name.0.first()?.as_ident()?;
        let start = self.analysis.token_at(first.span)?;
        let open = start + 2 * function.name.0.len() - 1;
        let close = self.analysis.behind_parentheses(open)? - 1;
        if !self.is(open, "(") || !self.is(close, ")") {
            return None;
        }
        self.made(called, args, start..close + 1)
    }

    /// A call that is syntax of its own: `TRIM(LEADING 'x' FROM name)`.
    fn keyword_call(&mut self, function: Called, args: Vec<Term>, names: &[&str]) -> Option<Term> {
        let mut at = args.iter().map(|arg| arg.extent.start).min()?;
        // Nothing but keywords stands between the parenthesis and the first argument.
        while !self.is(at.checked_sub(1)?, "(") {
            at -= 1;
            if !["leading", "trailing", "both", "from"].iter().any(|word| self.is(at, word)) {
                return None;
            }
        }
        let name = at.checked_sub(2)?;
        let close = self.analysis.behind_parentheses(at - 1)? - 1;
        let known = names.iter().any(|word| self.is(name, word)) && self.is(close, ")");
        known.then_some(())?;
        self.made(function, args, name..close + 1)
    }

    fn made(&mut self, function: Called, args: Vec<Term>, extent: Range<usize>) -> Option<Term> {
        let collated = args.iter().any(|arg| arg.collated);
        let of = match function {
            Called::Length | Called::OctetLength | Called::Strpos => Type::Integer,
            Called::StartsWith => Type::Boolean,
            _ => Type::Text,
        };
        let value = self.call(function, args)?;
        Some(Term { value, of, extent, collated })
    }

    fn call(&self, function: Called, args: Vec<Term>) -> Option<Value> {
        let collation = self.collation(&args.iter().collect::<Vec<_>>())?;
        let args = args.into_iter().map(|arg| arg.value).collect();
        Some(Value::Call { function, args, collation })
    }
}

/// It holds values of its column's dictionary, and nothing else.
fn is_known(sealed: &Sealed) -> bool {
    sealed.stored && sealed.folded.is_none() && !matches!(sealed.logical, LogicalType::Char(_))
}

/// A column, a literal or a parameter, or what folds one.
fn is_simple(expr: &Expr) -> bool {
    match super::fold::as_text(expr) {
        Expr::Function(function) => fold_of(function).is_some_and(|(_, inner)| is_simple(inner)),
        Expr::Value(_) | Expr::TypedString(_) => true,
        other => is_column(other),
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

fn boolean(value: Value, extent: Range<usize>) -> Term {
    Term { value, of: Type::Boolean, extent, collated: false }
}
