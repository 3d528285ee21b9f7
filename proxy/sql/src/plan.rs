//! The outcome of analysing a statement string.
//!
//! A [`Script`] is what one simple query, or one `Parse`, carries: statements, and for each one
//! the edits of its text, the map of its parameters and the map of its output columns. Nothing
//! here holds a key or a token: whoever carries a plan out passes in what seals a value.

use std::ops::Range;
use std::sync::Arc;

use pgveil_seal::{Fold, LogicalType};

use crate::catalog::ColumnId;
use crate::copy::CopyPlan;
use crate::refusal::Refusal;

/// An analysed statement string. Byte ranges are positions in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The statements in order; empty ones between semicolons are not listed, as the server
    /// answers nothing for them.
    pub statements: Vec<Planned>,
}

impl Script {
    /// True when the text can be forwarded as the bytes that came in, nothing is opened on the
    /// way back and nothing needs the policy.
    pub fn is_untouched(&self) -> bool {
        self.statements.iter().all(Planned::is_untouched)
    }
}

/// One statement's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Where the statement stands in the text, without the semicolon.
    pub range: Range<usize>,
    /// What it does, in one word.
    pub verb: Verb,
    /// Set when the statement must not run. The other fields then say what was found before.
    pub refusal: Option<Refusal>,
    /// Sorted by position, not overlapping, inside `range`.
    pub edits: Vec<Edit>,
    /// How the client's parameters become the server's.
    pub params: ParamMap,
    /// One entry an output column; empty when the statement returns no rows *or* when every
    /// column passes as it comes.
    pub output: Vec<Output>,
    /// What the policy reviews. No relations: the policy is not asked.
    pub facts: Facts,
    /// Predicates that are decided on values before the statement runs; [`Replacement::Resolved`]
    /// names them by their place here.
    pub resolves: Vec<Resolve>,
    /// It calls what may have effects that a second run would have again.
    pub once: bool,
    /// Pairs of columns that one expression mixes (COALESCE, UNION): the policy must decide alike
    /// on both, else the statement is refused.
    pub mixed: Vec<(ColumnId, ColumnId)>,
    /// A name in it means one of several relations, by the search path of the moment: a function
    /// may have changed that unseen.
    pub ambiguous: bool,
    /// Earlier statements of its string may change what names mean: what it runs by a name must
    /// not be of ours.
    pub follows_change: bool,
    /// The statement runs another one by its name: when that one needs work on its rows or
    /// parameters, this one must be refused.
    pub refers: Option<Referred>,
    /// The statement gives another one a name: PREPARE, DECLARE.
    pub defines: Option<Defined>,
    /// The statement moves rows as copy data that need work.
    pub copy: Option<Arc<CopyPlan>>,
    /// The statement runs inside a `DO` block of ours, with what completes it: the command tag
    /// that the client sees. Errors and notices inside have a context of ours.
    pub wrapped: Option<&'static str>,
    /// What the session must do when the statement has succeeded.
    pub effects: Effects,
}

/// An expression over one protected column that the server cannot evaluate on tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// Whose values decide it.
    pub column: ColumnId,
    /// The expression over a row of the column's value and, behind it, `params`.
    pub expr: pgveil_eval::Expr,
    /// The client's parameters in it, from 0: text, or NULL.
    pub params: Vec<usize>,
    /// What is asked of it.
    pub finds: Finds,
}

/// What is asked of an expression that is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finds {
    /// It is a predicate: for which values it is true, and for which NULL.
    Truth,
    /// Rows are ordered by it: where each value stands among the others, in the order of this
    /// collation if it is text.
    Rank(pgveil_eval::Collation),
}

/// EXECUTE, FETCH, MOVE: names that the session knows from the protocol as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referred {
    /// A prepared statement: EXECUTE.
    Statement {
        /// Its name.
        name: String,
        /// Where the word EXECUTE stands.
        at: usize,
    },
    /// A cursor: a portal by another name.
    Portal(String),
}

/// What PREPARE and DECLARE give a name to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// The name.
    pub name: Name,
    /// What the named statement does.
    pub verb: Verb,
    /// PREPARE: the parameters of EXECUTE and Bind.
    pub params: ParamMap,
    /// The columns of its rows; see [`Planned::output`].
    pub output: Vec<Output>,
}

/// A name that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Of a prepared statement.
    Statement(String),
    /// Of a cursor.
    Cursor {
        /// The cursor's name.
        name: String,
        /// WITH HOLD: it outlives its transaction.
        hold: bool,
    },
}

impl Planned {
    /// The plan of what PREPARE or DECLARE gives a name to, as if it had come under that name in
    /// the extended protocol.
    pub fn defined(&self) -> Option<Self> {
        let defined = self.defines.clone()?;
        Some(Self {
            verb: defined.verb,
            params: defined.params,
            output: defined.output,
            defines: None,
            ..self.clone()
        })
    }

    /// The type that a value of [`Purpose::Row`] is too long for, when the guard of a column
    /// refuses one: a plan has one such type with a length.
    pub fn row_type(&self) -> Option<LogicalType> {
        let literals = self.edits.iter().filter_map(|edit| match &edit.with {
            Replacement::Seal { slot, .. } | Replacement::SealArray { slot, .. } => Some(slot),
            Replacement::Text(_) | Replacement::Resolved { .. } => None,
        });
        let params = self.params.server.iter().filter_map(|param| param.seal.as_ref());
        let mut slots = literals.chain(params.map(|seal| &seal.slot));
        slots.find_map(|slot| slot.purpose.row_type())
    }

    /// See [`Script::is_untouched`].
    pub fn is_untouched(&self) -> bool {
        self.refusal.is_none()
            && self.edits.is_empty()
            && self.params.is_identity()
            && self.output.is_empty()
            && self.facts.relations.is_empty()
    }
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Copy,
    Truncate,
    Explain,
    /// CREATE, ALTER, DROP, COMMENT, GRANT ...: changes the catalog.
    Ddl,
    /// BEGIN, COMMIT, SAVEPOINT ...
    Transaction,
    /// SET, RESET, SHOW, DISCARD
    Setting,
    /// One of pgveil's own: `SHOW pgveil.status` and its like.
    Pgveil(OwnCommand),
    /// Anything else.
    Other,
}

/// The statements that pgveil answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnCommand {
    /// `SHOW pgveil.status`
    Status,
    /// `SHOW pgveil.policies`
    Policies,
    /// `SHOW pgveil.rewrite`
    Rewrite,
}

/// A change of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes replaced; empty for an insertion.
    pub range: Range<usize>,
    /// By what.
    pub with: Replacement,
}

/// What an [`Edit`] puts in place.
#[derive(Clone, PartialEq, Eq)]
pub enum Replacement {
    /// The token of a literal's value, as a string literal.
    Seal {
        /// The value as PostgreSQL would read the literal. Plaintext: never logged.
        value: Arc<str>,
        /// How it is sealed.
        slot: Slot,
    },
    /// An array literal with its elements sealed, as a string literal.
    SealArray {
        /// The array in PostgreSQL's text form. Plaintext: never logged.
        value: Arc<str>,
        /// How the elements are sealed.
        slot: Slot,
    },
    /// What takes the place of an expression that is resolved: a test whether the token that a
    /// column holds is one of those that satisfy a predicate, or the rank of its value.
    Resolved {
        /// Which of [`Planned::resolves`].
        resolve: usize,
        /// The column, as the text names it.
        reference: String,
    },
    /// Text of ours.
    Text(String),
}

impl std::fmt::Debug for Replacement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seal { slot, .. } => f.debug_struct("Seal").field("slot", slot).finish(),
            Self::SealArray { slot, .. } => {
                f.debug_struct("SealArray").field("slot", slot).finish()
            }
            Self::Resolved { resolve, reference } => f
                .debug_struct("Resolved")
                .field("resolve", resolve)
                .field("reference", reference)
                .finish(),
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
        }
    }
}

/// How a value on its way in is treated: casts first, then the assignment's or the comparison's
/// own rules, then the column's token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The protected column whose tokens are made.
    pub column: ColumnId,
    /// What the value is for.
    pub purpose: Purpose,
    /// Casts written around the value, innermost first, and what it becomes of itself behind them.
    pub casts: Vec<LogicalType>,
    /// `lower` or `upper` is written around that: the function that the column folds by.
    pub fold: Option<Fold>,
    /// It meets `lower(column)` or `upper(column)`: what is compared is not its token, but what
    /// stands for it among fold handles.
    pub handle: bool,
}

/// What a sealed value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Stored in a column of this type: over-long values are 22001.
    Assign(LogicalType),
    /// Compared as a value of this type: over-long values match nothing; trailing blanks count
    /// unless the type is `character`.
    Compare(LogicalType),
    /// It stands in a list of rows, each of which the statement may store or not (`MERGE ... USING
    /// (VALUES ...)`, `INSERT ... SELECT` from such a list): 22001 is for the row that is stored.
    Row {
        /// The list is also compared, as values of this type.
        compared: Option<LogicalType>,
        /// The type of the column that stores it.
        stored: LogicalType,
        /// The planner evaluates it, among values alone: what is too long is 22001 without a row.
        constant: bool,
    },
}

impl Purpose {
    /// True when the value is compared with others.
    pub fn compares(self) -> bool {
        match self {
            Self::Assign(_) | Self::Row { compared: None, .. } => false,
            Self::Compare(_) | Self::Row { compared: Some(_), .. } => true,
        }
    }

    /// True when the value may be stored.
    pub fn stores(self) -> bool {
        !matches!(self, Self::Compare(_))
    }

    /// The type with a length that stores a row of a list.
    pub fn row_type(self) -> Option<LogicalType> {
        match self {
            Self::Row {
                stored: stored @ (LogicalType::Varchar(Some(_)) | LogicalType::Char(Some(_))),
                ..
            } => Some(stored),
            Self::Row { .. } | Self::Assign(_) | Self::Compare(_) => None,
        }
    }
}

/// How the client's parameters become the server's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamMap {
    /// How many parameters the client sends: the highest `$n`, or as many as its `Parse` typed.
    pub client: usize,
    /// The server's parameters in order. Those up to `client` are the client's own; a parameter
    /// that the statement uses in several ways is repeated behind them.
    /// Empty when all pass as they come.
    pub server: Vec<ServerParam>,
    /// Expressions that are resolved: behind `server` come [`RESOLVED_PARAMS`] more for each.
    pub resolved: usize,
}

/// What the server gets of an expression that is resolved: the handles of which a predicate is
/// true, and those of which it is NULL; or all handles in their order, and the rank of each (0 is
/// NULL); and what is known of the column's values, for `pgveil.delta`.
pub const RESOLVED_PARAMS: usize = 3;

impl ParamMap {
    /// True when `Parse` and `Bind` need no change.
    pub fn is_identity(&self) -> bool {
        self.server.is_empty() && self.resolved == 0
    }
}

/// One parameter of the server's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerParam {
    /// Index of the client's parameter, from 0.
    pub client: usize,
    /// How it is sealed; `None`: the client's bytes as they come.
    pub seal: Option<ParamSeal>,
    /// Only predicates that are resolved use it, and tests for NULL: the server gets an empty text
    /// where there is a value.
    pub withheld: bool,
}

/// How a parameter is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSeal {
    /// The column and the value's treatment.
    pub slot: Slot,
    /// The parameter is a one-dimensional array whose elements are sealed (`= ANY($1)`). The
    /// server's type is then `text[]`, otherwise `text`.
    pub array: bool,
    /// The type that `ParameterDescription` shows when the client did not type the parameter in
    /// its `Parse`.
    pub described: u32,
}

/// One output column of a statement whose rows need work, or one field of a row in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// As it comes.
    Plain,
    /// A token of this column, described to the client as this type, and opened as the verdict
    /// says.
    Sealed {
        /// The protected column.
        column: ColumnId,
        /// The type in `RowDescription`.
        logical: LogicalType,
        /// A cast that is none for the server, since the column is text, makes an expression of
        /// the column: `RowDescription` names no table.
        detached: bool,
        /// It is an array of one dimension whose elements are such tokens; `logical` is their
        /// type.
        array: bool,
    },
    /// A row as one value, with an entry for each of its fields.
    Row(Arc<[Output]>),
}

impl Output {
    /// True when nothing in it is sealed.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}

/// What a policy reviews about a statement: never a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The verb in lower case: `select`, `insert` ...
    pub verb: &'static str,
    /// The protected relations that the statement touches, by name, sorted.
    pub relations: Vec<RelationFacts>,
}

/// One protected relation in a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelationFacts {
    /// Schema of the declared table.
    pub schema: String,
    /// The declared table.
    pub table: String,
    /// The protected columns that the statement uses, sorted by name.
    pub columns: Vec<ColumnFacts>,
}

/// One protected column in a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnFacts {
    /// Its id in the catalog the statement was planned with.
    pub id: ColumnId,
    /// Its name.
    pub column: String,
    /// How the statement uses it.
    pub uses: Uses,
}

/// How a column is used; several may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools)]
pub struct Uses {
    /// Its value reaches the client.
    pub output: bool,
    /// It is compared (`=`, IN, joins, IS DISTINCT FROM).
    pub compared: bool,
    /// It is grouped or de-duplicated (GROUP BY, DISTINCT, UNION).
    pub grouped: bool,
    /// It is written.
    pub written: bool,
    /// It is only tested for NULL or counted.
    pub tested: bool,
    /// A predicate over it is decided on its values.
    pub computed: bool,
}

/// What the session must do when a statement has succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// search_path, role or string settings may have changed: read them again before the next
    /// statement in scope.
    pub settings: bool,
    /// The catalog may have changed: read it again before the next statement in scope.
    pub catalog: bool,
    /// `pgveil.reveal` changed.
    pub reveal: Option<RevealChange>,
    /// Prepared statements were dropped in SQL.
    pub deallocate: Option<Deallocate>,
    /// Cursors were closed in SQL.
    pub close: Option<Deallocate>,
}

/// `SET [LOCAL] pgveil.reveal = on | off`, RESET, DISCARD ALL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevealChange {
    /// The new value.
    pub on: bool,
    /// Until the end of the transaction only.
    pub local: bool,
}

/// Which names DEALLOCATE, CLOSE and their like end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deallocate {
    /// One.
    Name(String),
    /// All of them.
    All,
}

/// A statement string as it goes upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// For each edit `(start in the new text, length there, start in the client's text, length
    /// there)`, in bytes, sorted.
    pub moved: Vec<[usize; 4]>,
}
