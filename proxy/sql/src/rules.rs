//! What may be done with sealed operands: one rule a row, with its reason.
//!
//! Functions and operators that are not here need plain operands. Constructs are nodes of the
//! tree, each matched by name in [`crate::analyse`]; their rows say what that does. `RULES.md` is
//! generated from the table: every row's example is analysed, over a deterministic and over a
//! randomized column, and the page says what is answered.

/// How a function or an operator treats its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treats {
    /// Looks at NULL or not NULL only.
    Tests,
    /// Looks at the size of an array only.
    TestsArray,
    /// Returns one of its arguments: all must be of one kind, which is the result's.
    Carries,
    /// Returns its first argument, of this row or another; the third, a default, is carried, too.
    /// Other arguments are plain.
    CarriesFirst,
    /// Tests whether both are equal.
    Compares,
    /// `NULLIF`: compares both, returns the first.
    ComparesToNull,
    /// Looks for equal elements of arrays.
    ComparesElements,
    /// Makes an array of values.
    Gathers,
    /// Makes rows of an array's elements.
    Unnests,
    /// Looks for its second argument among the elements of its first.
    FindsElement,
    /// The same, and returns the other elements.
    RemovesElement,
    /// Puts its second argument behind the elements of its first.
    Appends,
    /// Puts its first argument in front of the elements of its second.
    Prepends,
    /// Makes one array of two.
    Concatenates,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An operator of `pg_catalog`.
    Operator(&'static str, Treats),
    /// A function of `pg_catalog`, or a construct that looks like one.
    Function(&'static str, Treats),
    /// Syntax.
    #[cfg_attr(not(test), allow(dead_code))] // Read by the documentation's test.
    Construct(&'static str),
}

/// A row of the table.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code))] // Read by the documentation's test.
pub(crate) struct Rule {
    /// What it is about.
    pub(crate) subject: Subject,
    /// Why that is exact.
    pub(crate) because: &'static str,
    /// A statement that shows it, with `{c}` for a protected column of `users`, or `{f}` for one of
    /// `accounts` that folds to lower case.
    pub(crate) example: &'static str,
}

const fn operator(
    name: &'static str,
    treats: Treats,
    because: &'static str,
    example: &'static str,
) -> Rule {
    Rule { subject: Subject::Operator(name, treats), because, example }
}

const fn function(
    name: &'static str,
    treats: Treats,
    because: &'static str,
    example: &'static str,
) -> Rule {
    Rule { subject: Subject::Function(name, treats), because, example }
}

const fn construct(name: &'static str, because: &'static str, example: &'static str) -> Rule {
    Rule { subject: Subject::Construct(name), because, example }
}

/// The table.
pub(crate) const RULES: &[Rule] = &[
    operator(
        "=",
        Treats::Compares,
        "equal values have equal tokens",
        "SELECT id FROM users WHERE {c} = 'x'",
    ),
    operator(
        "<>",
        Treats::Compares,
        "equal values have equal tokens, and different values different ones",
        "SELECT id FROM users WHERE {c} <> $1",
    ),
    operator(
        "&&",
        Treats::ComparesElements,
        "looks for equal elements",
        "SELECT array_agg({c}) && '{x,y}' FROM users",
    ),
    operator(
        "<@",
        Treats::ComparesElements,
        "looks for equal elements",
        "SELECT id FROM users GROUP BY id HAVING array_agg({c}) <@ '{x}'",
    ),
    operator(
        "@>",
        Treats::ComparesElements,
        "looks for equal elements",
        "SELECT id FROM users GROUP BY id HAVING array_agg({c}) @> '{x}'",
    ),
    operator(
        "||",
        Treats::Concatenates,
        "makes one array of two, or of an array and an element",
        "SELECT ARRAY[{c}] || {c} FROM users",
    ),
    function(
        "array_agg",
        Treats::Gathers,
        "an array of tokens is opened element by element; with DISTINCT the order of its elements is that of tokens, so it can be counted and searched, but not shown",
        "SELECT array_agg({c} ORDER BY id) FROM users",
    ),
    function(
        "array_append",
        Treats::Appends,
        "its elements are opened",
        "SELECT array_append(array_agg({c}), 'x') FROM users",
    ),
    function(
        "array_cat",
        Treats::Concatenates,
        "its elements are opened",
        "SELECT array_cat(array_agg({c}), ARRAY['x']) FROM users",
    ),
    function(
        "array_length",
        Treats::TestsArray,
        "looks at the array's size",
        "SELECT array_length(array_agg({c}), 1) FROM users",
    ),
    function(
        "array_lower",
        Treats::TestsArray,
        "looks at the array's size",
        "SELECT array_lower(array_agg({c}), 1) FROM users",
    ),
    function(
        "array_ndims",
        Treats::TestsArray,
        "looks at the array's size",
        "SELECT array_ndims(array_agg({c})) FROM users",
    ),
    function(
        "array_position",
        Treats::FindsElement,
        "looks for an equal element",
        "SELECT array_position(array_agg({c}), 'x') FROM users",
    ),
    function(
        "array_positions",
        Treats::FindsElement,
        "looks for equal elements",
        "SELECT array_positions(array_agg({c}), 'x') FROM users",
    ),
    function(
        "array_prepend",
        Treats::Prepends,
        "its elements are opened",
        "SELECT array_prepend('x', array_agg({c})) FROM users",
    ),
    function(
        "array_remove",
        Treats::RemovesElement,
        "looks for equal elements",
        "SELECT array_remove(array_agg({c}), NULL) FROM users",
    ),
    function(
        "array_upper",
        Treats::TestsArray,
        "looks at the array's size",
        "SELECT array_upper(array_agg({c}), 1) FROM users",
    ),
    function(
        "cardinality",
        Treats::TestsArray,
        "looks at the array's size",
        "SELECT cardinality(array_agg({c})) FROM users",
    ),
    function(
        "coalesce",
        Treats::Carries,
        "a token is NULL exactly when its value is",
        "SELECT coalesce({c}, 'x') FROM users",
    ),
    function(
        "count",
        Treats::Tests,
        "counts values that are not NULL; DISTINCT needs equal tokens of equal values",
        "SELECT count({c}) FROM users",
    ),
    function(
        "first_value",
        Treats::CarriesFirst,
        "returns a value of another row as it is",
        "SELECT first_value({c}) OVER (ORDER BY id) FROM users",
    ),
    function(
        "grouping",
        Treats::Tests,
        "says which columns a row is grouped by",
        "SELECT grouping({c}) FROM users GROUP BY ROLLUP ({c})",
    ),
    function(
        "lag",
        Treats::CarriesFirst,
        "returns a value of another row as it is",
        "SELECT lag({c}) OVER (ORDER BY id) FROM users",
    ),
    function(
        "last_value",
        Treats::CarriesFirst,
        "returns a value of another row as it is",
        "SELECT last_value({c}) OVER (ORDER BY id) FROM users",
    ),
    function(
        "lead",
        Treats::CarriesFirst,
        "returns a value of another row as it is",
        "SELECT lead({c}) OVER (ORDER BY id) FROM users",
    ),
    function(
        "nth_value",
        Treats::CarriesFirst,
        "returns a value of another row as it is",
        "SELECT nth_value({c}, 2) OVER (ORDER BY id) FROM users",
    ),
    function(
        "nullif",
        Treats::ComparesToNull,
        "tests equality and returns its first argument",
        "SELECT nullif({c}, '') FROM users",
    ),
    function(
        "num_nonnulls",
        Treats::Tests,
        "counts values that are not NULL",
        "SELECT num_nonnulls({c}, note) FROM users",
    ),
    function("num_nulls", Treats::Tests, "counts NULLs", "SELECT num_nulls({c}, note) FROM users"),
    function(
        "unnest",
        Treats::Unnests,
        "an array of tokens falls apart into tokens",
        "SELECT unnest(ARRAY[{c}]) FROM users",
    ),
    construct(
        "the select list, RETURNING, `*`",
        "tokens are opened on their way to the client",
        "SELECT {c} AS x FROM users",
    ),
    construct(
        "a whole row",
        "its sealed fields are opened, in the text and in the binary form of a row",
        "SELECT u FROM users u WHERE u.{c} IS NULL",
    ),
    construct(
        "`(row).field`, `(row).*`",
        "a field holds what its column holds",
        "SELECT (u).{c} FROM users u",
    ),
    construct(
        "`ROW(...)`, `(a, b)`",
        "its sealed fields are opened",
        "SELECT ROW(u.id, u.{c}) FROM users u",
    ),
    construct(
        "`ARRAY[...]`, `ARRAY(SELECT ...)`",
        "its elements are opened",
        "SELECT ARRAY(SELECT {c} FROM users ORDER BY id)",
    ),
    construct(
        "`array[n]`, `array[n:m]`",
        "an element, or some of them",
        "SELECT (array_agg({c} ORDER BY id))[1] FROM users",
    ),
    construct(
        "`IS [NOT] NULL`",
        "a token is NULL exactly when its value is",
        "SELECT id FROM users WHERE {c} IS NOT NULL",
    ),
    construct(
        "`IS [NOT] DISTINCT FROM`",
        "equal values have equal tokens",
        "SELECT id FROM users WHERE {c} IS NOT DISTINCT FROM $1",
    ),
    construct(
        "`[NOT] IN`",
        "equal values have equal tokens",
        "SELECT id FROM users WHERE {c} IN ('x', $1)",
    ),
    construct(
        "`= ANY`, `<> ALL`",
        "equal values have equal tokens",
        "SELECT id FROM users WHERE {c} = ANY ($1)",
    ),
    construct(
        "comparison of rows",
        "equality, field by field",
        "SELECT id FROM users WHERE ({c}, id) = ('x', 1)",
    ),
    construct(
        "`JOIN ... ON`, `USING`, `NATURAL`",
        "equal values of one domain have equal tokens",
        "SELECT u.id FROM users u JOIN users v USING ({c})",
    ),
    construct(
        "`CASE`",
        "returns one of its results as it is",
        "SELECT CASE WHEN id = 1 THEN {c} END FROM users",
    ),
    construct(
        "`DISTINCT`, `DISTINCT ON`",
        "equal values have equal tokens",
        "SELECT DISTINCT {c} FROM users",
    ),
    construct(
        "`GROUP BY`, grouping sets",
        "equal values have equal tokens",
        "SELECT {c}, count(*) FROM users GROUP BY {c}",
    ),
    construct(
        "`PARTITION BY`",
        "equal values have equal tokens",
        "SELECT count(*) OVER (PARTITION BY {c}) FROM users",
    ),
    construct(
        "`UNION ALL`",
        "returns rows as they are",
        "SELECT {c} FROM users UNION ALL SELECT 'x'",
    ),
    construct(
        "`UNION`, `INTERSECT`, `EXCEPT`",
        "equal values have equal tokens",
        "SELECT {c} FROM users UNION SELECT 'x'",
    ),
    construct(
        "a cast to `text` or `varchar`",
        "changes neither the token nor the value",
        "SELECT {c}::text FROM users",
    ),
    construct(
        "a cast to `varchar(n)` or `char(n)`",
        "literals and parameters are cut before they are sealed; a column that is no longer has nothing to cut",
        "UPDATE users SET {c} = (CASE WHEN id = 1 THEN 'x' ELSE $1 END)::varchar(9)",
    ),
    construct(
        "`lower(x)`, `upper(x)`, wherever equality counts",
        "tokens of a column that is declared to fold so have a handle, equal where the folded values are, which is compared, grouped and indexed in place of the call",
        "SELECT count(*) FROM accounts WHERE lower({f}) = lower($1) GROUP BY lower({f})",
    ),
    construct(
        "`= lower(x)`, `= upper(x)` of a value",
        "the value is folded as the column's values are",
        "SELECT id FROM accounts WHERE {f} = lower($1)",
    ),
    construct(
        "`INSERT`, `UPDATE`, `MERGE`",
        "what is stored is sealed on its way in",
        "UPDATE users SET {c} = $1 WHERE id = 1",
    ),
    construct(
        "`ON CONFLICT (...)`",
        "a unique index over tokens is one over values",
        "INSERT INTO users (id, {c}) VALUES (1, 'x') ON CONFLICT ({c}) DO NOTHING",
    ),
    construct(
        "`ON CONFLICT (lower(x))`",
        "a unique index over handles is one over folded values",
        "INSERT INTO accounts (id, {f}) VALUES (1, 'x') ON CONFLICT (lower({f})) DO NOTHING",
    ),
];

/// How a function of `pg_catalog` treats sealed arguments; `None`: it needs plain ones.
pub(crate) fn function_rule(name: &str) -> Option<Treats> {
    RULES.iter().find_map(|rule| match rule.subject {
        Subject::Function(function, treats) if function == name => Some(treats),
        _ => None,
    })
}

/// How an operator treats sealed operands; `None`: it needs plain ones.
pub(crate) fn operator_rule(name: &str) -> Option<Treats> {
    RULES.iter().find_map(|rule| match rule.subject {
        Subject::Operator(operator, treats) if operator == name => Some(treats),
        _ => None,
    })
}

/// `RULES.md` is generated from the table.
#[cfg(test)]
mod documented {
    use std::fmt::Write as _;

    use super::*;
    use crate::fixture::{catalog, settings};

    #[test]
    fn each_is_there_once() {
        for (index, rule) in RULES.iter().enumerate() {
            let again = RULES[..index].iter().any(|earlier| earlier.subject == rule.subject);
            assert!(!again && !rule.because.is_empty(), "{rule:?}");
        }
        assert_eq!(function_rule("count"), Some(Treats::Tests));
        assert_eq!(function_rule("lower"), None);
        assert_eq!(operator_rule("<"), None);
    }

    /// With `UPDATE_RULES=1` writes the file, to be reviewed as a diff.
    #[test]
    fn rules_md_is_what_the_code_does() {
        let catalog = catalog();
        let answered = |example: &str, column: &str| {
            // A randomized column does not fold.
            let folded = if column == "email" { "login" } else { "nothing" };
            let text = example.replace("{c}", column).replace("{f}", folded);
            let script = crate::analyse(&text, &catalog, &settings(), &[]).unwrap();
            script.statements.iter().all(|statement| statement.refusal.is_none())
        };
        let mut page = String::from(
            "# Rules\n\n\
             Generated by `UPDATE_RULES=1 cargo test -p pgveil-sql`. What is answered over protected \
             columns, and why the answer is\nexact; everything else that meets a protected column is \
             [refused](REFUSALS.md). `email` stands for a deterministic column,\n\
             `login` for one that is declared with `fold = \"lower\"`; the last column says whether a \
             randomized one may stand in\nits place.\n",
        );
        let mut heading = "";
        for rule in RULES {
            let (kind, name) = match rule.subject {
                Subject::Operator(name, _) => ("Operators", format!("`{name}`")),
                Subject::Function(name, _) => ("Functions", format!("`{name}`")),
                Subject::Construct(name) => ("Constructs", name.to_owned()),
            };
            if kind != heading {
                heading = kind;
                write!(
                    page,
                    "\n## {kind}\n\n| | because | for example | randomized |\n| --- | --- | --- | --- |\n"
                )
                .unwrap();
            }
            assert!(answered(rule.example, "email"), "refused: {}", rule.example);
            let example = rule.example.replace("{c}", "email").replace("{f}", "login");
            let randomized = if answered(rule.example, "first_name") { "yes" } else { "no" };
            writeln!(page, "| {name} | {} | `{example}` | {randomized} |", rule.because).unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RULES.md");
        if std::env::var_os("UPDATE_RULES").is_some() {
            std::fs::write(path, page).unwrap();
            return;
        }
        assert!(std::fs::read_to_string(path).unwrap() == page, "RULES.md is out of date");
    }
}
