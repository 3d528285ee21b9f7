//! Expressions as whoever plans a statement builds them: types resolved, collations derived,
//! implicit casts written out except that of `character` to `text`.

use crate::Collation;

/// The types that expressions have here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `text` and `varchar`
    Text,
    /// `character(n)` and `bpchar`
    Bpchar,
    /// `integer`
    Integer,
    /// `boolean`
    Boolean,
}

/// An expression over the columns of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A column of the row, by its index.
    Column(usize),
    /// NULL of any type.
    Null,
    /// A constant of type `text` or `varchar`.
    Text(String),
    /// A constant of type `bpchar`.
    Bpchar(String),
    /// A constant of type `integer`.
    Integer(i32),
    /// A constant of type `boolean`.
    Boolean(bool),
    /// A function call. A `character` argument becomes `text` where the function takes no
    /// `character`.
    Call {
        /// Which.
        function: Function,
        /// Its arguments.
        args: Vec<Expr>,
        /// Decides for `upper`, `lower` and `initcap`.
        collation: Collation,
    },
    /// A comparison of two values of one type.
    Compare {
        /// Which.
        comparison: Comparison,
        /// The operand on the left.
        left: Box<Expr>,
        /// The operand on the right.
        right: Box<Expr>,
        /// Decides the order of strings.
        collation: Collation,
    },
    /// `IS [NOT] DISTINCT FROM`
    Distinct {
        /// NOT is there.
        negated: bool,
        /// The operand on the left.
        left: Box<Expr>,
        /// The operand on the right.
        right: Box<Expr>,
    },
    /// `[NOT] LIKE`, `[NOT] ILIKE`; a `character` value is matched with its blanks.
    Like {
        /// NOT is there.
        negated: bool,
        /// It is ILIKE.
        ignores_case: bool,
        /// The value.
        value: Box<Expr>,
        /// The pattern, of type `text`.
        pattern: Box<Expr>,
        /// What is behind ESCAPE, of type `text`.
        escape: Option<Box<Expr>>,
        /// Decides how ILIKE folds.
        collation: Collation,
    },
    /// `[NOT] IN` over a list.
    In {
        /// NOT is there.
        negated: bool,
        /// The operand.
        operand: Box<Expr>,
        /// Not empty.
        list: Vec<Expr>,
    },
    /// `IS [NOT] NULL`
    IsNull {
        /// NOT is there.
        negated: bool,
        /// The operand.
        operand: Box<Expr>,
    },
    /// Not empty.
    And(Vec<Expr>),
    /// Not empty.
    Or(Vec<Expr>),
    /// NOT
    Not(Box<Expr>),
    /// CASE; with an operand, that is compared with the conditions for equality.
    Case {
        /// Between CASE and the first WHEN.
        operand: Option<Box<Expr>>,
        /// `(WHEN, THEN)`; not empty.
        whens: Vec<(Expr, Expr)>,
        /// Behind ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// Not empty.
    Coalesce(Vec<Expr>),
    /// NULL where both are equal.
    NullIf(Box<Expr>, Box<Expr>),
    /// An explicit cast.
    Cast(Box<Expr>, Cast),
}

impl Expr {
    /// The same with other expressions in place of some columns: the parameters of a statement
    /// become constants, over which a [`crate::Program`] prepares more.
    #[must_use]
    pub fn with_columns(&self, put: &impl Fn(usize) -> Option<Self>) -> Self {
        let one = |expr: &Self| Box::new(expr.with_columns(put));
        let all = |exprs: &[Self]| exprs.iter().map(|expr| expr.with_columns(put)).collect();
        let maybe = |expr: &Option<Box<Self>>| expr.as_deref().map(one);
        match self {
            Self::Column(index) => put(*index).unwrap_or_else(|| self.clone()),
            Self::Null | Self::Text(_) | Self::Bpchar(_) | Self::Integer(_) | Self::Boolean(_) => {
                self.clone()
            }
            Self::Call { function, args, collation } => {
                Self::Call { function: *function, args: all(args), collation: collation.clone() }
            }
            Self::Compare { comparison, left, right, collation } => Self::Compare {
                comparison: *comparison,
                left: one(left),
                right: one(right),
                collation: collation.clone(),
            },
            Self::Distinct { negated, left, right } => {
                Self::Distinct { negated: *negated, left: one(left), right: one(right) }
            }
            Self::Like { negated, ignores_case, value, pattern, escape, collation } => Self::Like {
                negated: *negated,
                ignores_case: *ignores_case,
                value: one(value),
                pattern: one(pattern),
                escape: maybe(escape),
                collation: collation.clone(),
            },
            Self::In { negated, operand, list } => {
                Self::In { negated: *negated, operand: one(operand), list: all(list) }
            }
            Self::IsNull { negated, operand } => {
                Self::IsNull { negated: *negated, operand: one(operand) }
            }
            Self::And(list) => Self::And(all(list)),
            Self::Or(list) => Self::Or(all(list)),
            Self::Not(operand) => Self::Not(one(operand)),
            Self::Case { operand, whens, otherwise } => Self::Case {
                operand: maybe(operand),
                whens: whens
                    .iter()
                    .map(|(when, then)| (when.with_columns(put), then.with_columns(put)))
                    .collect(),
                otherwise: maybe(otherwise),
            },
            Self::Coalesce(list) => Self::Coalesce(all(list)),
            Self::NullIf(left, right) => Self::NullIf(one(left), one(right)),
            Self::Cast(operand, cast) => Self::Cast(one(operand), *cast),
        }
    }
}

/// What an explicit cast makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cast {
    /// `text`; of strings, integers and booleans.
    Text,
    /// `varchar` or `varchar(n)`; of strings.
    Varchar(Option<u32>),
    /// `bpchar` or `character(n)`; of strings.
    Bpchar(Option<u32>),
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Functions, by their names in `pg_catalog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Function {
    Upper,
    Lower,
    Initcap,
    /// `length`, `char_length`
    Length,
    OctetLength,
    /// `substr`, `substring` with numbers
    Substr,
    Left,
    Right,
    Btrim,
    Ltrim,
    Rtrim,
    /// `strpos`; `position` with its operands the other way round
    Strpos,
    Replace,
    /// `concat`, of anything
    Concat,
    /// `||` of strings: of two, or of all that are joined one behind the other
    Join,
    Reverse,
    SplitPart,
    StartsWith,
    Md5,
}

impl Function {
    /// The types of its arguments, those that may be left out included, and how many must be
    /// there. More than these only where it [`repeats`](Self::repeats).
    pub(crate) fn arguments(self) -> (&'static [Type], usize) {
        use Type::{Integer, Text};
        match self {
            Self::Upper
            | Self::Lower
            | Self::Initcap
            | Self::Length
            | Self::OctetLength
            | Self::Reverse
            | Self::Md5 => (&[Text], 1),
            Self::Substr => (&[Text, Integer, Integer], 2),
            Self::Left | Self::Right => (&[Text, Integer], 2),
            Self::Btrim | Self::Ltrim | Self::Rtrim => (&[Text, Text], 1),
            Self::Strpos | Self::Join | Self::StartsWith => (&[Text, Text], 2),
            Self::Replace => (&[Text, Text, Text], 3),
            Self::SplitPart => (&[Text, Text, Integer], 3),
            Self::Concat => (&[], 0),
        }
    }

    /// Takes any number of arguments: `concat` of any type, `||` of strings.
    pub(crate) fn repeats(self) -> bool {
        matches!(self, Self::Concat | Self::Join)
    }

    pub(crate) fn result(self) -> Type {
        match self {
            Self::Length | Self::OctetLength | Self::Strpos => Type::Integer,
            Self::StartsWith => Type::Boolean,
            Self::Upper
            | Self::Lower
            | Self::Initcap
            | Self::Substr
            | Self::Left
            | Self::Right
            | Self::Btrim
            | Self::Ltrim
            | Self::Rtrim
            | Self::Replace
            | Self::Concat
            | Self::Join
            | Self::Reverse
            | Self::SplitPart
            | Self::Md5 => Type::Text,
        }
    }

    /// It takes a `character` value as it is, blanks included.
    pub(crate) fn takes_blanks(self) -> bool {
        matches!(self, Self::OctetLength | Self::Concat)
    }
}
