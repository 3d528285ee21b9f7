//! Evaluation.
//!
//! Arguments of functions and operators are all evaluated, from left to right, before one that is
//! NULL makes the result NULL; AND, OR, CASE, COALESCE and IN stop where they are decided.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::expr::Cast;
use crate::like::{self, Pattern};
use crate::{Collation, Comparison, EvalError, Function, Value, character, text};

/// A part of a program.
#[derive(Debug)]
pub(super) enum Node {
    Column(usize),
    Constant(Value<'static>),
    /// `character` to `text`
    Unpadded(Box<Node>),
    /// A pattern and its escape character: the pattern with a backslash in its place.
    Escaped(Box<[Node; 2]>),
    Call {
        function: Function,
        args: Box<[Node]>,
        collation: Collation,
    },
    Compare {
        comparison: Comparison,
        operands: Box<[Node; 2]>,
        order: Order,
    },
    Distinct {
        negated: bool,
        operands: Box<[Node; 2]>,
        bpchar: bool,
    },
    Like {
        negated: bool,
        value: Box<Node>,
        pattern: Box<PatternNode>,
        fold: Option<Collation>,
    },
    In {
        negated: bool,
        operand: Box<Node>,
        list: List,
        bpchar: bool,
    },
    IsNull {
        negated: bool,
        operand: Box<Node>,
    },
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Not(Box<Node>),
    Case {
        operand: Option<Box<Node>>,
        whens: Box<[(Node, Node)]>,
        otherwise: Box<Node>,
        bpchar: bool,
    },
    Coalesce(Box<[Node]>),
    NullIf {
        operands: Box<[Node; 2]>,
        bpchar: bool,
    },
    Cast(Box<Node>, Cast),
}

/// How two values are ordered.
#[derive(Debug)]
pub(super) enum Order {
    /// By themselves: integers and booleans.
    Natural,
    Text(Collation),
    Bpchar(Collation),
}

/// The pattern of a LIKE.
#[derive(Debug)]
pub(super) enum PatternNode {
    /// It does not depend on the row.
    Prepared(Pattern),
    Computed(Node),
}

/// The list of an IN.
#[derive(Debug)]
pub(super) struct List {
    /// These are all evaluated first, as the array that the server makes of them.
    pub(super) array: Box<[Node]>,
    /// These one by one, until one is equal.
    pub(super) others: Box<[Node]>,
}

type Row<'r, 'v> = &'r [Option<&'v str>];
type Evaluated<'v> = Result<Value<'v>, EvalError>;

impl Node {
    pub(super) fn value<'v>(&'v self, row: Row<'_, 'v>) -> Evaluated<'v> {
        Ok(match self {
            Self::Column(index) => {
                row.get(*index).copied().flatten().map_or(Value::Null, Value::from)
            }
            Self::Constant(value) => borrowed(value),
            Self::Unpadded(node) => match node.value(row)? {
                Value::Text(Cow::Borrowed(value)) => Value::from(character::to_text(value)),
                Value::Text(Cow::Owned(mut value)) => {
                    value.truncate(character::to_text(&value).len());
                    Value::from(value)
                }
                other => other,
            },
            Self::Escaped(operands) => match (operands[0].value(row)?, operands[1].value(row)?) {
                (Value::Text(pattern), Value::Text(escape)) => {
                    made(pattern, |pattern| like::with_escape(pattern, &escape))?
                }
                _ => Value::Null,
            },
            Self::Call { function: Function::Concat, args, .. } => {
                let mut joined = String::new();
                for arg in args {
                    if let Some(value) = arg.value(row)?.output() {
                        joined.push_str(&value);
                    }
                }
                Value::from(joined)
            }
            Self::Call { function: Function::Join, args, .. } => {
                let mut joined = Some(String::new());
                for arg in args {
                    match (arg.value(row)?, &mut joined) {
                        (Value::Text(value), Some(joined)) => joined.push_str(&value),
                        _ => joined = None,
                    }
                }
                joined.map_or(Value::Null, Value::from)
            }
            Self::Call { function, args, collation } => call(*function, args, collation, row)?,
            Self::Coalesce(nodes) => {
                for node in nodes {
                    let value = node.value(row)?;
                    if value != Value::Null {
                        return Ok(value);
                    }
                }
                Value::Null
            }
            Self::NullIf { operands, bpchar } => {
                let (left, right) = (operands[0].value(row)?, operands[1].value(row)?);
                if equal(&left, &right, *bpchar) == Some(true) { Value::Null } else { left }
            }
            Self::Case { operand, whens, otherwise, bpchar } => {
                let operand = operand.as_ref().map(|operand| operand.value(row)).transpose()?;
                for (when, then) in whens {
                    let holds = match &operand {
                        Some(operand) => equal(operand, &when.value(row)?, *bpchar),
                        None => when.truth(row)?,
                    };
                    if holds == Some(true) {
                        return then.value(row);
                    }
                }
                otherwise.value(row)?
            }
            Self::Cast(node, cast) => cast_value(node.value(row)?, *cast),
            Self::Compare { .. }
            | Self::Distinct { .. }
            | Self::Like { .. }
            | Self::In { .. }
            | Self::IsNull { .. }
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_) => Value::truth(self.truth(row)?),
        })
    }

    /// The value of a boolean node.
    pub(super) fn truth(&self, row: Row<'_, '_>) -> Result<Option<bool>, EvalError> {
        Ok(match self {
            Self::Compare { comparison, operands, order } => {
                let (left, right) = (operands[0].value(row)?, operands[1].value(row)?);
                compare(*comparison, &left, &right, order)
            }
            Self::Distinct { negated, operands, bpchar } => {
                let (left, right) = (operands[0].value(row)?, operands[1].value(row)?);
                let same = match (&left, &right) {
                    (Value::Null, Value::Null) => true,
                    _ => equal(&left, &right, *bpchar) == Some(true),
                };
                Some(same == *negated)
            }
            Self::Like { negated, value, pattern, fold } => {
                pattern.matches(value, fold.as_ref(), row)?.map(|matches| matches != *negated)
            }
            Self::In { negated, operand, list, bpchar } => {
                let found = list.contains(&operand.value(row)?, *bpchar, row)?;
                found.map(|found| found != *negated)
            }
            Self::IsNull { negated, operand } => {
                Some((operand.value(row)? == Value::Null) != *negated)
            }
            Self::And(nodes) => decided(nodes, false, row)?,
            Self::Or(nodes) => decided(nodes, true, row)?,
            Self::Not(node) => node.truth(row)?.map(|truth| !truth),
            Self::Column(_)
            | Self::Constant(_)
            | Self::Unpadded(_)
            | Self::Escaped(_)
            | Self::Call { .. }
            | Self::Case { .. }
            | Self::Coalesce(_)
            | Self::NullIf { .. }
            | Self::Cast(..) => match self.value(row)? {
                Value::Boolean(truth) => Some(truth),
                // Types were checked: it is NULL.
                Value::Null | Value::Text(_) | Value::Integer(_) => None,
            },
        })
    }
}

/// AND is decided by what is false, OR by what is true.
fn decided(nodes: &[Node], by: bool, row: Row<'_, '_>) -> Result<Option<bool>, EvalError> {
    let mut unknown = false;
    for node in nodes {
        match node.truth(row)? {
            Some(truth) if truth == by => return Ok(Some(by)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok((!unknown).then_some(!by))
}

impl PatternNode {
    fn matches(
        &self,
        value: &Node,
        fold: Option<&Collation>,
        row: Row<'_, '_>,
    ) -> Result<Option<bool>, EvalError> {
        let value = value.value(row)?;
        match self {
            Self::Prepared(pattern) => {
                let Value::Text(value) = &value else { return Ok(None) };
                Ok(Some(match fold {
                    Some(collation) => {
                        collation.with_lower(value, |value| pattern.matches(value))??
                    }
                    None => pattern.matches(value)?,
                }))
            }
            Self::Computed(pattern) => {
                let pattern = pattern.value(row)?;
                let (Value::Text(value), Value::Text(pattern)) = (&value, &pattern) else {
                    return Ok(None);
                };
                Ok(Some(match fold {
                    Some(collation) => like::ilike(value, pattern, collation)?,
                    None => like::like(value, pattern)?,
                }))
            }
        }
    }
}

impl List {
    fn contains(
        &self,
        operand: &Value<'_>,
        bpchar: bool,
        row: Row<'_, '_>,
    ) -> Result<Option<bool>, EvalError> {
        let mut found = Some(false);
        for node in &self.array {
            match equal(operand, &node.value(row)?, bpchar) {
                Some(true) => found = Some(true),
                None if found == Some(false) => found = None,
                Some(false) | None => {}
            }
        }
        for node in &self.others {
            if found == Some(true) {
                break;
            }
            match equal(operand, &node.value(row)?, bpchar) {
                Some(true) => found = Some(true),
                Some(false) => {}
                None => found = None,
            }
        }
        Ok(found)
    }
}

fn borrowed<'v>(value: &'v Value<'static>) -> Value<'v> {
    match value {
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        Value::Null => Value::Null,
        Value::Integer(number) => Value::Integer(*number),
        Value::Boolean(truth) => Value::Boolean(*truth),
    }
}

/// `=`: strings are equal where their bytes are, those of type `character` apart from blanks.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>, bpchar: bool) -> Option<bool> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Text(left), Value::Text(right)) if bpchar => {
            Some(character::to_text(left) == character::to_text(right))
        }
        _ => Some(left == right),
    }
}

fn compare(
    comparison: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
    order: &Order,
) -> Option<bool> {
    if let Comparison::Equal | Comparison::NotEqual = comparison {
        let same = equal(left, right, matches!(order, Order::Bpchar(_)))?;
        return Some(same == (comparison == Comparison::Equal));
    }
    let ordering = match (left, right, order) {
        (Value::Text(left), Value::Text(right), Order::Text(collation)) => {
            collation.compare(left, right)
        }
        (Value::Text(left), Value::Text(right), Order::Bpchar(collation)) => {
            character::compare(left, right, collation)
        }
        (Value::Integer(left), Value::Integer(right), _) => left.cmp(right),
        (Value::Boolean(left), Value::Boolean(right), _) => left.cmp(right),
        // NULL; types were checked.
        _ => return None,
    };
    Some(match comparison {
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
        Comparison::Equal => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
    })
}

fn cast_value(value: Value<'_>, cast: Cast) -> Value<'_> {
    match (value, cast) {
        (Value::Integer(number), _) => Value::from(number.to_string()),
        // Unlike the output of a boolean.
        (Value::Boolean(truth), _) => Value::from(if truth { "true" } else { "false" }),
        (Value::Text(value), Cast::Varchar(Some(n))) => {
            part(value, |value| character::cast_varchar(value, n))
        }
        (Value::Text(Cow::Borrowed(value)), Cast::Bpchar(Some(n))) => {
            Value::Text(character::cast_bpchar(value, n))
        }
        (Value::Text(Cow::Owned(value)), Cast::Bpchar(Some(n))) => {
            Value::from(character::cast_bpchar(&value, n).into_owned())
        }
        (value, Cast::Text | Cast::Varchar(_) | Cast::Bpchar(_)) => value,
    }
}

/// A part of a value, borrowed where the value is.
fn part(value: Cow<'_, str>, take: impl FnOnce(&str) -> &str) -> Value<'_> {
    match value {
        Cow::Borrowed(value) => Value::from(take(value)),
        Cow::Owned(value) => Value::from(take(&value).to_owned()),
    }
}

/// A string made of a value, borrowed where both are.
fn made<'v>(
    value: Cow<'v, str>,
    make: impl for<'a> FnOnce(&'a str) -> Result<Cow<'a, str>, EvalError>,
) -> Evaluated<'v> {
    match value {
        Cow::Borrowed(value) => Ok(Value::Text(make(value)?)),
        Cow::Owned(value) => Ok(Value::from(make(&value)?.into_owned())),
    }
}

/// A function that is NULL if an argument is.
fn call<'v>(
    function: Function,
    args: &'v [Node],
    collation: &Collation,
    row: Row<'_, 'v>,
) -> Evaluated<'v> {
    // The most that any of them takes.
    let mut values = [Value::Null, Value::Null, Value::Null];
    for (place, arg) in values.iter_mut().zip(args) {
        *place = arg.value(row)?;
    }
    if values.iter().take(args.len()).any(|value| *value == Value::Null) {
        return Ok(Value::Null);
    }
    let [first, second, third] = values;
    let Value::Text(value) = first else { return Ok(Value::Null) };
    let string = |value: &Value<'_>| match value {
        Value::Text(text) => text.to_string(),
        _ => String::new(),
    };
    let other = match &second {
        Value::Text(text) => &**text,
        _ => "",
    };
    let number = |value: &Value<'_>| match value {
        Value::Integer(number) => *number,
        _ => 0,
    };
    // `btrim(value)` takes blanks away.
    let set = if args.len() < 2 { " " } else { other };
    Ok(match function {
        Function::Upper => return made(value, |value| collation.upper(value)),
        Function::Lower => return made(value, |value| collation.lower(value)),
        Function::Initcap => Value::from(collation.initcap(&value)?),
        Function::Length => Value::Integer(text::length(&value)),
        Function::OctetLength => Value::Integer(text::octet_length(&value)),
        Function::Substr => {
            let length = (args.len() > 2).then(|| number(&third));
            let start = number(&second);
            return made(value, |value| Ok(Cow::Borrowed(text::substr(value, start, length)?)));
        }
        Function::Left => part(value, |value| text::left(value, number(&second))),
        Function::Right => part(value, |value| text::right(value, number(&second))),
        Function::Btrim => part(value, |value| text::btrim(value, set)),
        Function::Ltrim => part(value, |value| text::ltrim(value, set)),
        Function::Rtrim => part(value, |value| text::rtrim(value, set)),
        Function::Strpos => Value::Integer(text::position(&value, other)),
        Function::Replace => {
            let to = string(&third);
            return made(value, |value| Ok(text::replace(value, other, &to)));
        }
        Function::Reverse => Value::from(text::reverse(&value)),
        Function::SplitPart => {
            let field = number(&third);
            return made(value, |value| Ok(Cow::Borrowed(text::split_part(value, other, field)?)));
        }
        Function::StartsWith => Value::Boolean(text::starts_with(&value, other)),
        Function::Md5 => Value::from(text::md5(&value)),
        // Evaluated elsewhere: they take any number of arguments.
        Function::Concat | Function::Join => Value::Null,
    })
}
