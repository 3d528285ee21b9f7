//! Checking types, and computing what does not depend on the row.
//!
//! The server simplifies an expression before it looks at any row, and an error comes from there
//! whatever the rows are: also from a branch that no row would take. On the other hand it then
//! leaves out what it need not compute: behind a FALSE of AND, beside a NULL argument. Which of
//! two errors, or whether there is one, depends on it, so the same is done here (PostgreSQL,
//! `src/backend/optimizer/util/clauses.c`).

use super::Program;
use super::node::{List, Node, Order, PatternNode, equal};
use crate::expr::Cast;
use crate::like::Pattern;
use crate::{BuildError, Collation, EvalError, Expr, Function, Type, Value};

pub(super) fn program(expr: &Expr, columns: &[Type]) -> Result<Program, BuildError> {
    let mut builder = Builder { columns, failure: None };
    let built = builder.build(expr)?;
    Ok(Program { root: built.node, result: built.of, failure: builder.failure })
}

/// A node with what is known about it.
struct Built {
    node: Node,
    /// `None`: NULL of any type.
    of: Option<Type>,
    /// It does not depend on the row.
    constant: bool,
}

struct Builder<'b> {
    columns: &'b [Type],
    /// The first error of a constant.
    failure: Option<EvalError>,
}

type Result<T, E = BuildError> = std::result::Result<T, E>;

impl Builder<'_> {
    fn build(&mut self, expr: &Expr) -> Result<Built> {
        let built = self.expr(expr)?;
        Ok(self.folded(built))
    }

    /// A constant expression becomes its value.
    fn folded(&mut self, built: Built) -> Built {
        if !built.constant || matches!(built.node, Node::Constant(_)) {
            return built;
        }
        let value = match built.node.value(&[]) {
            Ok(Value::Null) => Value::Null,
            Ok(Value::Text(text)) => Value::from(text.into_owned()),
            Ok(Value::Integer(number)) => Value::Integer(number),
            Ok(Value::Boolean(truth)) => Value::Boolean(truth),
            Err(error) => {
                self.failure.get_or_insert(error);
                Value::Null
            }
        };
        constant(value, built.of)
    }

    fn expr(&mut self, expr: &Expr) -> Result<Built> {
        Ok(match expr {
            Expr::Column(index) => {
                let of = *self.columns.get(*index).ok_or(BuildError::Column(*index))?;
                Built { node: Node::Column(*index), of: Some(of), constant: false }
            }
            Expr::Null => constant(Value::Null, None),
            Expr::Text(text) => constant(Value::from(text.clone()), Some(Type::Text)),
            Expr::Bpchar(text) => constant(Value::from(text.clone()), Some(Type::Bpchar)),
            Expr::Integer(number) => constant(Value::Integer(*number), Some(Type::Integer)),
            Expr::Boolean(truth) => constant(Value::Boolean(*truth), Some(Type::Boolean)),
            Expr::Call { function, args, collation } => self.call(*function, args, collation)?,
            Expr::Compare { comparison, left, right, collation } => {
                let (operands, of, fixed) = self.pair(left, right)?;
                if operands.iter().any(is_null) {
                    return Ok(constant(Value::Null, Some(Type::Boolean)));
                }
                let order = match of {
                    Some(Type::Text) => Order::Text(collation.clone()),
                    Some(Type::Bpchar) => Order::Bpchar(collation.clone()),
                    Some(Type::Integer | Type::Boolean) | None => Order::Natural,
                };
                let node = Node::Compare { comparison: *comparison, operands, order };
                boolean(node, fixed)
            }
            Expr::Distinct { negated, left, right } => {
                let (operands, of, fixed) = self.pair(left, right)?;
                let bpchar = of == Some(Type::Bpchar);
                boolean(Node::Distinct { negated: *negated, operands, bpchar }, fixed)
            }
            Expr::Like { negated, ignores_case, value, pattern, escape, collation } => {
                let fold = ignores_case.then(|| collation.clone());
                self.like(*negated, value, pattern, escape.as_deref(), fold)?
            }
            Expr::In { negated, operand, list } => self.list(*negated, operand, list)?,
            Expr::IsNull { negated, operand } => {
                let operand = self.build(operand)?;
                let node = Node::IsNull { negated: *negated, operand: Box::new(operand.node) };
                boolean(node, operand.constant)
            }
            Expr::And(operands) => self.booleans(operands, false)?,
            Expr::Or(operands) => self.booleans(operands, true)?,
            Expr::Not(operand) => {
                let operand = self.build(operand)?;
                expect(&operand, Type::Boolean)?;
                boolean(Node::Not(Box::new(operand.node)), operand.constant)
            }
            Expr::Case { operand, whens, otherwise } => {
                self.case(operand.as_deref(), whens, otherwise.as_deref())?
            }
            Expr::Coalesce(operands) => self.coalesce(operands)?,
            Expr::NullIf(left, right) => {
                let (operands, of, fixed) = self.pair(left, right)?;
                let bpchar = of == Some(Type::Bpchar);
                if operands.iter().any(is_null) {
                    let [left, _] = *operands;
                    let constant = matches!(left, Node::Constant(_));
                    return Ok(Built { node: left, of, constant });
                }
                Built { node: Node::NullIf { operands, bpchar }, of, constant: fixed }
            }
            Expr::Cast(operand, cast) => self.cast(operand, *cast)?,
        })
    }

    /// Two operands of one type.
    fn pair(&mut self, left: &Expr, right: &Expr) -> Result<(Box<[Node; 2]>, Option<Type>, bool)> {
        let mut of = Common::default();
        let (left, right) = (of.take(self.build(left)?)?, of.take(self.build(right)?)?);
        Ok((Box::new([left, right]), of.of, !of.varies))
    }

    /// AND is decided by FALSE, OR by TRUE: a constant one makes all others superfluous, and those
    /// behind it are not even looked at.
    fn booleans(&mut self, operands: &[Expr], by: bool) -> Result<Built> {
        let mut fixed = true;
        let mut nodes = Vec::with_capacity(operands.len());
        for operand in operands {
            let built = self.build(operand)?;
            expect(&built, Type::Boolean)?;
            if let Node::Constant(Value::Boolean(truth)) = built.node
                && truth == by
            {
                return Ok(built);
            }
            fixed &= built.constant;
            nodes.push(built.node);
        }
        if nodes.is_empty() {
            return Err(BuildError::Empty);
        }
        let node = if by { Node::Or(nodes.into()) } else { Node::And(nodes.into()) };
        Ok(boolean(node, fixed))
    }

    /// What is behind a constant is never computed.
    fn coalesce(&mut self, operands: &[Expr]) -> Result<Built> {
        let mut of = Common::default();
        let mut nodes = Vec::with_capacity(operands.len());
        for operand in operands {
            let node = of.take(self.build(operand)?)?;
            let decides = matches!(&node, Node::Constant(value) if *value != Value::Null);
            nodes.push(node);
            if decides {
                break;
            }
        }
        if nodes.is_empty() {
            return Err(BuildError::Empty);
        }
        Ok(of.built(Node::Coalesce(nodes.into())))
    }

    fn call(&mut self, function: Function, args: &[Expr], collation: &Collation) -> Result<Built> {
        let (types, least) = function.arguments();
        if args.len() < least || (!function.repeats() && args.len() > types.len()) {
            return Err(BuildError::Arguments(args.len()));
        }
        let mut fixed = true;
        let mut nodes = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            let mut built = self.build(arg)?;
            if !function.takes_blanks() {
                built = self.folded(unpadded(built));
            }
            if let Some(expected) = types.get(index).or(types.last())
                && built.of != Some(Type::Bpchar)
            {
                expect(&built, *expected)?;
            }
            fixed &= built.constant;
            nodes.push(built.node);
        }
        // `concat` takes NULLs, and is not simplified, since what types print may be a setting.
        let of = Some(function.result());
        if function != Function::Concat && nodes.iter().any(is_null) {
            return Ok(constant(Value::Null, of));
        }
        fixed &= function != Function::Concat;
        let node = Node::Call { function, args: nodes.into(), collation: collation.clone() };
        Ok(Built { node, of, constant: fixed })
    }

    fn like(
        &mut self,
        negated: bool,
        value: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        fold: Option<Collation>,
    ) -> Result<Built> {
        let value = self.build(value)?;
        if value.of != Some(Type::Bpchar) {
            expect(&value, Type::Text)?;
        }
        let pattern = self.pattern(pattern, escape)?;
        if is_null(&value.node) || is_null(&pattern.node) {
            return Ok(constant(Value::Null, Some(Type::Boolean)));
        }
        let fixed = value.constant && pattern.constant;
        let pattern = match (&pattern.node, &fold) {
            (Node::Constant(Value::Text(text)), None) => PatternNode::Prepared(Pattern::new(text)),
            (Node::Constant(Value::Text(text)), Some(collation)) => match collation.lower(text) {
                Ok(lower) => PatternNode::Prepared(Pattern::new(&lower)),
                // It is told for every value.
                Err(_) => PatternNode::Computed(pattern.node),
            },
            _ => PatternNode::Computed(pattern.node),
        };
        let (value, pattern) = (Box::new(value.node), Box::new(pattern));
        Ok(boolean(Node::Like { negated, value, pattern, fold }, fixed))
    }

    /// The pattern with the backslash as its escape character.
    fn pattern(&mut self, pattern: &Expr, escape: Option<&Expr>) -> Result<Built> {
        let pattern = self.build(pattern)?;
        expect(&pattern, Type::Text)?;
        let Some(escape) = escape else { return Ok(pattern) };
        let escape = self.build(escape)?;
        expect(&escape, Type::Text)?;
        if is_null(&pattern.node) || is_null(&escape.node) {
            return Ok(constant(Value::Null, Some(Type::Text)));
        }
        let fixed = pattern.constant && escape.constant;
        let node = Node::Escaped(Box::new([pattern.node, escape.node]));
        Ok(self.folded(Built { node, of: Some(Type::Text), constant: fixed }))
    }

    fn list(&mut self, negated: bool, operand: &Expr, list: &[Expr]) -> Result<Built> {
        let mut of = Common::default();
        let operand = Box::new(of.take(self.build(operand)?)?);
        let mut varying = Vec::new();
        let mut built = Vec::with_capacity(list.len());
        for element in list {
            let element = self.build(element)?;
            varying.push(!element.constant);
            built.push(of.take(element)?);
        }
        if built.is_empty() {
            return Err(BuildError::Empty);
        }
        // Several constants make an array, which is evaluated before everything else.
        let (mut array, mut others) = (Vec::new(), Vec::new());
        let constants = varying.iter().filter(|varies| !**varies).count();
        for (node, varies) in built.into_iter().zip(varying) {
            if varies || constants < 2 { others.push(node) } else { array.push(node) }
        }
        if array.is_empty() && others.len() == 1 && others.iter().any(is_null) {
            return Ok(constant(Value::Null, Some(Type::Boolean)));
        }
        if is_null(&operand) && !others.is_empty() {
            others = vec![Node::Constant(Value::Null)];
        }
        let list = List { array: array.into(), others: others.into() };
        let bpchar = of.of == Some(Type::Bpchar);
        Ok(boolean(Node::In { negated, operand, list, bpchar }, !of.varies))
    }

    /// A branch whose condition cannot hold is left out, and so are those behind one whose
    /// condition always holds.
    fn case(
        &mut self,
        operand: Option<&Expr>,
        whens: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Built> {
        if whens.is_empty() {
            return Err(BuildError::Empty);
        }
        let operand = operand.map(|operand| self.build(operand)).transpose()?;
        let mut of = Common::default();
        let mut compared = Common { of: operand.as_ref().and_then(|o| o.of), varies: false };
        let mut nodes = Vec::with_capacity(whens.len());
        let mut last = None;
        for (when, then) in whens {
            let when = self.build(when)?;
            if operand.is_none() {
                expect(&when, Type::Boolean)?;
            }
            let when = compared.take(when)?;
            let bpchar = compared.of == Some(Type::Bpchar);
            let decided = match (operand.as_ref().map(|operand| &operand.node), &when) {
                (None, Node::Constant(value)) => Some(*value == Value::Boolean(true)),
                (Some(operand), when) if is_null(operand) || is_null(when) => Some(false),
                (Some(Node::Constant(operand)), Node::Constant(when)) => {
                    Some(equal(operand, when, bpchar) == Some(true))
                }
                _ => None,
            };
            match decided {
                Some(false) => {}
                Some(true) => {
                    last = Some(of.take(self.build(then)?)?);
                    break;
                }
                None => nodes.push((when, of.take(self.build(then)?)?)),
            }
        }
        let otherwise = match (last, otherwise) {
            (Some(last), _) => last,
            (None, Some(otherwise)) => of.take(self.build(otherwise)?)?,
            (None, None) => Node::Constant(Value::Null),
        };
        if nodes.is_empty() {
            return Ok(of.built(otherwise));
        }
        // Some condition depends on the row.
        Ok(Built {
            of: of.of,
            constant: false,
            node: Node::Case {
                bpchar: operand.is_some() && compared.of == Some(Type::Bpchar),
                operand: operand.map(|operand| Box::new(operand.node)),
                whens: nodes.into(),
                otherwise: Box::new(otherwise),
            },
        })
    }

    fn cast(&mut self, operand: &Expr, cast: Cast) -> Result<Built> {
        let mut operand = self.build(operand)?;
        let of = match cast {
            Cast::Text | Cast::Varchar(_) => {
                operand = unpadded(operand);
                Type::Text
            }
            Cast::Bpchar(_) => Type::Bpchar,
        };
        if cast != Cast::Text && operand.of != Some(Type::Bpchar) {
            expect(&operand, Type::Text)?;
        }
        let node = Node::Cast(Box::new(operand.node), cast);
        Ok(Built { node, of: Some(of), constant: operand.constant })
    }
}

/// The one type of several operands.
#[derive(Default)]
struct Common {
    of: Option<Type>,
    varies: bool,
}

impl Common {
    fn take(&mut self, built: Built) -> Result<Node> {
        match (self.of, built.of) {
            (Some(left), Some(right)) if left != right => {
                return Err(BuildError::Mixed(left, right));
            }
            (of, found) => self.of = of.or(found),
        }
        self.varies |= !built.constant;
        Ok(built.node)
    }

    fn built(self, node: Node) -> Built {
        Built { node, of: self.of, constant: !self.varies }
    }
}

fn constant(value: Value<'static>, of: Option<Type>) -> Built {
    Built { node: Node::Constant(value), of, constant: true }
}

fn is_null(node: &Node) -> bool {
    matches!(node, Node::Constant(Value::Null))
}

fn boolean(node: Node, constant: bool) -> Built {
    Built { node, of: Some(Type::Boolean), constant }
}

fn expect(built: &Built, expected: Type) -> Result<()> {
    match built.of {
        Some(found) if found != expected => Err(BuildError::Operand { found, expected }),
        _ => Ok(()),
    }
}

/// A `character` value on its way to `text`.
fn unpadded(built: Built) -> Built {
    if built.of != Some(Type::Bpchar) {
        return built;
    }
    let node = Node::Unpadded(Box::new(built.node));
    Built { node, of: Some(Type::Text), constant: built.constant }
}
