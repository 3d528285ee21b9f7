//! Expressions that have been checked and prepared, and are evaluated for one row or for many
//! values.

mod build;
mod node;

use crate::{BuildError, EvalError, Expr, Type, Value};
use node::Node;

/// A checked expression.
#[derive(Debug)]
pub struct Program {
    root: Node,
    result: Option<Type>,
    /// A constant part of it fails, which the server finds before it looks at any row.
    failure: Option<EvalError>,
}

/// What a predicate says of many values, by their indices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// It is true.
    pub matched: Vec<usize>,
    /// It is NULL.
    pub unknown: Vec<usize>,
    /// It has no value: an error for a statement that reaches a row with this value, and for no
    /// other.
    pub failed: Vec<(usize, EvalError)>,
}

impl Program {
    /// Checks types and prepares what does not depend on the row. `columns` are the types of the
    /// row's columns.
    ///
    /// Recurses as deep as the expression is nested, and so do evaluating and dropping it, with up
    /// to 8 KB of stack a level where nothing is optimised: who takes expressions from others
    /// bounds them or grows the stack. Chains of AND, OR and `||` are lists.
    pub fn new(expr: &Expr, columns: &[Type]) -> Result<Self, BuildError> {
        build::program(expr, columns)
    }

    /// The type; `None` if it is always NULL.
    pub fn result(&self) -> Option<Type> {
        self.result
    }

    /// The value for a row. Strings that are parts of the row are borrowed from it.
    pub fn value<'v>(&'v self, row: &[Option<&'v str>]) -> Result<Value<'v>, EvalError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => self.root.value(row),
        }
    }

    /// The value of a predicate for a row; `None` is NULL.
    pub fn test(&self, row: &[Option<&str>]) -> Result<Option<bool>, EvalError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => self.root.truth(row),
        }
    }

    /// Sorts the values of a single column by what a predicate says of them.
    pub fn partition<'v>(&self, values: impl IntoIterator<Item = Option<&'v str>>) -> Partition {
        let mut partition = Partition::default();
        for (index, value) in values.into_iter().enumerate() {
            match self.test(&[value]) {
                Ok(Some(true)) => partition.matched.push(index),
                Ok(Some(false)) => {}
                Ok(None) => partition.unknown.push(index),
                Err(error) => partition.failed.push((index, error)),
            }
        }
        partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collation, Comparison, Function};

    fn substr(length: i32) -> Expr {
        Expr::Call {
            function: Function::Substr,
            args: vec![Expr::Column(0), Expr::Integer(1), Expr::Integer(length)],
            collation: Collation::c(),
        }
    }

    fn less(left: Expr, right: &str) -> Expr {
        Expr::Compare {
            comparison: Comparison::Less,
            left: Box::new(left),
            right: Box::new(Expr::Text(right.to_owned())),
            collation: Collation::c(),
        }
    }

    #[test]
    fn a_predicate_sorts_values() {
        let like = |pattern: &str| Expr::Like {
            negated: false,
            ignores_case: false,
            value: Box::new(Expr::Column(0)),
            pattern: Box::new(Expr::Text(pattern.to_owned())),
            escape: None,
            collation: Collation::c(),
        };
        let program = Program::new(&like("a\\"), &[Type::Text]).unwrap();
        let partition = program.partition([Some("b"), None, Some("ab"), Some("a")]);
        assert_eq!(partition.matched, []);
        assert_eq!(partition.unknown, [1]);
        assert_eq!(partition.failed, [(2, EvalError::UnfinishedPattern)]);
        let program = Program::new(&like("%b%"), &[Type::Text]).unwrap();
        assert_eq!(program.partition([Some("b"), None, Some("ab")]).matched, [0, 2]);
    }

    #[test]
    fn values_are_borrowed_where_they_can_be() {
        let program = Program::new(&substr(2), &[Type::Text]).unwrap();
        let row = [Some("Straße")];
        let Value::Text(std::borrow::Cow::Borrowed(part)) = program.value(&row).unwrap() else {
            panic!("a copy was made");
        };
        assert_eq!(part, "St");
    }

    #[test]
    fn what_is_false_hides_what_is_wrong_behind_it() {
        let failing = less(substr(-1), "x");
        let both = Expr::And(vec![less(Expr::Column(0), "b"), failing.clone()]);
        let program = Program::new(&both, &[Type::Text]).unwrap();
        assert_eq!(program.test(&[Some("c")]), Ok(Some(false)));
        assert_eq!(program.test(&[Some("a")]), Err(EvalError::NegativeLength));
        assert_eq!(program.test(&[None]), Ok(None));
    }

    /// As PostgreSQL 15 and 18 answer for the row `('x')`; most of it is whether there is an error.
    #[test]
    fn expressions_are_simplified_as_by_the_server() {
        let a = || Expr::Column(0);
        let text = |text: &str| Expr::Text(text.to_owned());
        let failing = || substr(-1);
        let constant = || Expr::Call {
            function: Function::Substr,
            args: vec![text("a"), Expr::Integer(1), Expr::Integer(-1)],
            collation: Collation::c(),
        };
        let equal = |left: Expr, right: Expr| Expr::Compare {
            comparison: Comparison::Equal,
            left: Box::new(left),
            right: Box::new(right),
            collation: Collation::c(),
        };
        let case = |when: Expr, then: Expr| Expr::Case {
            operand: None,
            whens: vec![(when, then)],
            otherwise: Some(Box::new(text("z"))),
        };
        let within = |operand: Expr, list: Vec<Expr>| Expr::In {
            negated: false,
            operand: Box::new(operand),
            list,
        };
        let null_if = |left: Expr, right: Expr| Expr::NullIf(Box::new(left), Box::new(right));
        let is_false = || Expr::Boolean(false);
        let fails = Err(EvalError::NegativeLength);
        for (index, (expr, expected)) in [
            (equal(failing(), Expr::Null), Ok(None)),
            (Expr::And(vec![equal(failing(), text("x")), is_false()]), Ok(Some("f"))),
            (Expr::And(vec![is_false(), equal(constant(), text("x"))]), Ok(Some("f"))),
            (Expr::And(vec![equal(constant(), text("x")), is_false()]), fails.clone()),
            (case(equal(a(), text("y")), constant()), fails.clone()),
            (case(equal(a(), text("y")), failing()), Ok(Some("z"))),
            (case(is_false(), constant()), Ok(Some("z"))),
            (Expr::Coalesce(vec![a(), constant()]), fails.clone()),
            (Expr::Coalesce(vec![a(), failing()]), Ok(Some("x"))),
            (Expr::Coalesce(vec![text("a"), constant()]), Ok(Some("a"))),
            (null_if(Expr::Null, failing()), Ok(None)),
            (null_if(failing(), Expr::Null), fails.clone()),
            (within(failing(), vec![Expr::Null]), Ok(None)),
            (within(a(), vec![text("x"), failing()]), Ok(Some("t"))),
            (within(a(), vec![text("x"), text("y"), failing()]), Ok(Some("t"))),
            (within(a(), vec![text("z"), failing()]), fails.clone()),
        ]
        .into_iter()
        .enumerate()
        {
            let program = Program::new(&expr, &[Type::Text]).unwrap();
            let found = program.value(&[Some("x")]).map(Value::output);
            assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().copied(), "{index}");
        }
    }

    #[test]
    fn a_few_hundred_levels_fit_in_a_small_stack() {
        let deep = || {
            let mut expr = Expr::Column(0);
            for level in 0..100 {
                let call = Expr::Call {
                    function: Function::Reverse,
                    args: vec![expr],
                    collation: Collation::c(),
                };
                expr = if level % 2 == 0 { Expr::Coalesce(vec![call]) } else { call };
                expr = Expr::Case {
                    operand: None,
                    whens: vec![(less(Expr::Column(0), "z"), expr)],
                    otherwise: None,
                };
            }
            let program = Program::new(&expr, &[Type::Text]).unwrap();
            assert_eq!(program.value(&[Some("ab")]), Ok(Value::from("ab")));
        };
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(deep);
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn types_are_checked() {
        let program = |expr: &Expr| Program::new(expr, &[Type::Text]).map(|_| ());
        let mixed = Expr::Coalesce(vec![Expr::Column(0), Expr::Integer(1)]);
        assert_eq!(program(&mixed), Err(BuildError::Mixed(Type::Text, Type::Integer)));
        assert_eq!(program(&Expr::Column(1)), Err(BuildError::Column(1)));
        assert_eq!(program(&Expr::Coalesce(Vec::new())), Err(BuildError::Empty));
        let not = Expr::Not(Box::new(Expr::Column(0)));
        let expected = BuildError::Operand { found: Type::Text, expected: Type::Boolean };
        assert_eq!(program(&not), Err(expected));
    }
}
