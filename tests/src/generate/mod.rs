//! Statements from a grammar, each from a seed; nothing in here needs a server.
//!
//! ```
//! use pgveil_tests::generate::Program;
//!
//! for seed in 0..10 {
//!     let program = Program::from_seed(seed);
//!     for statement in &program.statements {
//!         println!("{}: {}", program.class, statement.sql);
//!     }
//! }
//! ```
//!
//! The statements are about the tables in [`SCHEMA`], filled with [`DATA`]. They are such that the
//! server answers most of them, and that the answer is determined: rows come as a set or in an
//! order by plain unique values, a row is updated from one other row at most, numbers from
//! sequences do not depend on the order of rows.
//!
//! A seed makes a list of [choices](Choices), and the list makes the text; [`shrink`] makes both
//! smaller.

// Statements are put together from pieces; an allocation more does not matter here.
#![allow(clippy::format_push_string)]

mod choices;
mod condition;
mod expr;
mod from;
mod merge;
mod named;
mod query;
mod schema;
mod search;
mod select;
mod shrink;
mod text;
mod write;

use std::fmt;

pub use choices::Choices;
pub use schema::{CANARIES, Column, SHORT, Sort, TABLES, Table};
pub use shrink::shrink;

use text::Writer;

/// The tables.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Their rows.
pub const DATA: &str = include_str!("data.sql");

/// One or more statements that run one after the other in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What they are about.
    pub class: Class,
    /// How they are sent.
    pub protocol: Protocol,
    /// At least one.
    pub statements: Vec<Statement>,
    /// They are not in a block of their own: what they write stays.
    pub alone: bool,
    /// The decisions that make this program.
    pub choices: Vec<u32>,
}

/// A statement string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// The statements in the string, where there are several; the one that is run by its name.
    pub parts: Vec<String>,
    /// Its parameters in text format; `None` is NULL. None in the simple protocol.
    pub params: Vec<Option<String>>,
    /// The order of its rows counts.
    pub ordered: bool,
    /// The tables that it writes.
    pub writes: Vec<&'static str>,
}

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// One string.
    Simple,
    /// Parse, Bind and Execute, values as text.
    Text,
    /// The same, described first, values in binary.
    Binary,
}

macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident $name:literal $weight:literal,)*) => {
        /// Classes of statements.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class {
            $($(#[$doc])* $class,)*
        }

        impl Class {
            /// All of them, the simplest first.
            pub const ALL: &[Self] = &[$(Self::$class),*];

            /// How often each is made, in relation to the others.
            const WEIGHTS: &[u32] = &[$($weight),*];
        }

        impl fmt::Display for Class {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$class => $name,)*
                })
            }
        }
    };
}

classes! {
    /// One table, conditions by equality.
    Lookup "look-up" 8,
    /// Two and more tables: ON, USING, NATURAL, LATERAL.
    Join "join" 10,
    /// IN, EXISTS, ANY, scalar sub-queries, correlated or not.
    Subquery "sub-query" 8,
    /// CASE, COALESCE, NULLIF, casts, truth values in the select list.
    Expression "expression" 8,
    /// DISTINCT, DISTINCT ON.
    Distinct "distinct" 4,
    /// GROUP BY, HAVING, count(DISTINCT).
    Group "group" 8,
    /// UNION, INTERSECT, EXCEPT.
    SetOperation "set operation" 6,
    /// Windows by PARTITION BY.
    Window "window" 5,
    /// WITH, recursive ones included.
    With "with" 6,
    /// VALUES as a table and as a statement.
    Values "values" 3,
    /// INSERT.
    Insert "insert" 7,
    /// INSERT ... ON CONFLICT.
    Conflict "on conflict" 5,
    /// UPDATE.
    Update "update" 7,
    /// DELETE.
    Delete "delete" 4,
    /// MERGE.
    Merge "merge" 4,
    /// WITH around a statement that writes.
    WritingWith "writing with" 4,
    /// Several statements in one string.
    Several "several" 3,
    /// Statements between savepoints.
    Savepoints "savepoints" 3,
    /// PREPARE and EXECUTE, DECLARE and FETCH.
    Named "named" 4,
    /// What needs the values: LIKE, ranges, ORDER BY, functions, equality of randomized columns.
    Search "search" 7,
}

impl Class {
    /// The server can answer statements of this class on tokens.
    pub fn is_native(self) -> bool {
        self != Self::Search
    }
}

impl Program {
    /// The program that belongs to a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self::generate(Choices::fresh(seed))
    }

    /// The program that decisions make; those that are missing are the simplest ones.
    pub fn from_choices(choices: &[u32]) -> Self {
        Self::generate(Choices::repeated(choices))
    }

    fn generate(mut choices: Choices) -> Self {
        let class = Class::ALL[choices.weighted(Class::WEIGHTS)];
        let protocol = match class {
            Class::Several | Class::Named => Protocol::Simple,
            _ => [Protocol::Simple, Protocol::Text, Protocol::Binary][choices.weighted(&[2, 1, 1])],
        };
        let mut writer = Writer::new(choices, protocol);
        let statements = match class {
            Class::Savepoints => writer.savepoints(),
            Class::Several => vec![writer.several()],
            Class::Named => writer.named(),
            class => vec![writer.statement(class)],
        };
        let read_only = statements.iter().all(|statement| statement.writes.is_empty());
        // Putting the rows back afterwards takes longer than a roll-back.
        let alone = match class {
            Class::Savepoints | Class::Named => false,
            _ => writer.choices.chance(if read_only { 50 } else { 5 }),
        };
        Self { class, protocol, statements, alone, choices: writer.choices.taken() }
    }
}

impl Writer {
    /// A statement of a class.
    pub(super) fn statement(&mut self, class: Class) -> Statement {
        let (sql, ordered) = match class {
            Class::Lookup => self.lookup(),
            Class::Join => self.join(),
            Class::Subquery => self.subquery(),
            Class::Expression => self.expressions(),
            Class::Distinct => (self.distinct(), false),
            Class::Group => (self.group(), false),
            Class::SetOperation => (self.set_operation(), false),
            Class::Window => self.window(),
            Class::With => (self.with(), false),
            Class::Values => (self.values_query(), false),
            Class::Insert => (self.insert(false), false),
            Class::Conflict => (self.insert(true), false),
            Class::Update => (self.update(), false),
            Class::Delete => (self.delete(), false),
            Class::Merge => (self.merge(), false),
            Class::WritingWith => (self.writing_with(), false),
            Class::Search => self.search(),
            Class::Several | Class::Savepoints | Class::Named => {
                unreachable!("made of other classes")
            }
        };
        self.finish(&sql, ordered)
    }

    /// One of the classes that others are made of.
    pub(super) fn any_statement(&mut self) -> Statement {
        let class = self.choices.pick(&[
            Class::Lookup,
            Class::Insert,
            Class::Update,
            Class::Delete,
            Class::Conflict,
            Class::Join,
            Class::Group,
            Class::SetOperation,
            Class::Expression,
        ]);
        self.statement(class)
    }

    /// Two to four statements in a string. The order of rows does not count.
    fn several(&mut self) -> Statement {
        let mut all = self.any_statement();
        all.parts.push(all.sql.clone());
        for _ in 0..=self.choices.below(3) {
            let next = self.any_statement();
            all.sql.push_str(self.choices.pick(&["; ", ";", " ;; ", ";\n-- next\n"]));
            all.sql.push_str(&next.sql);
            all.parts.push(next.sql);
            all.ordered = false;
            all.writes.extend(next.writes);
        }
        if self.choices.chance(30) {
            all.sql.push(';');
        }
        all
    }

    /// A statement about nothing of ours.
    fn command(sql: impl Into<String>) -> Statement {
        Statement { sql: sql.into(), ..Statement::default() }
    }

    /// Statements with savepoints between them.
    fn savepoints(&mut self) -> Vec<Statement> {
        let mut all = vec![self.any_statement(), Self::command("SAVEPOINT one")];
        all.push(self.any_statement());
        if self.choices.chance(40) {
            all.push(Self::command("SAVEPOINT \"Two\""));
            all.push(self.any_statement());
            all.push(Self::command(self.choices.pick(&[
                "ROLLBACK TO \"Two\"",
                "RELEASE SAVEPOINT \"Two\"",
                "ROLLBACK TO one",
            ])));
        }
        all.push(Self::command(self.choices.pick(&["ROLLBACK TO SAVEPOINT one", "RELEASE one"])));
        all.push(self.any_statement());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_program_and_so_do_its_choices() {
        for seed in 0..500 {
            let program = Program::from_seed(seed);
            assert_eq!(program, Program::from_seed(seed));
            assert_eq!(program, Program::from_choices(&program.choices));
        }
    }

    #[test]
    fn no_choices_make_the_simplest_program() {
        let program = Program::from_choices(&[]);
        assert_eq!(program.statements.len(), 1);
        assert_eq!(program.statements[0].sql, "SELECT a1.id FROM person a1");
    }

    #[test]
    fn every_class_is_made() {
        let made: std::collections::BTreeSet<Class> =
            (0..2000).map(|seed| Program::from_seed(seed).class).collect();
        assert_eq!(made.len(), Class::ALL.len());
    }
}
