//! What functions may do with sealed arguments: one rule a row, with its reason.
//!
//! A function that is not here needs plain arguments. Operators and constructs are in
//! [`crate::analyse`], where each node of the tree is matched by name.

/// How a function treats its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treats {
    /// Looks at NULL or not NULL only.
    Tests,
    /// Returns one of its arguments: all must be of one kind, which is the result's.
    Carries,
    /// Returns its first argument, of this row or another; the third, a default, is carried, too.
    /// Other arguments are plain.
    CarriesFirst,
    /// `NULLIF`: compares both, returns the first.
    ComparesToNull,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The function's name in `pg_catalog`, or a construct that looks like one.
    pub(crate) function: &'static str,
    /// What it does with sealed arguments.
    pub(crate) treats: Treats,
    /// Why that is exact.
    #[allow(dead_code)] // Read by the documentation's test.
    pub(crate) because: &'static str,
}

/// The table.
pub(crate) const FUNCTIONS: &[Rule] = &[
    Rule {
        function: "coalesce",
        treats: Treats::Carries,
        because: "a token is NULL exactly when its value is",
    },
    Rule {
        function: "count",
        treats: Treats::Tests,
        because: "counts values that are not NULL; DISTINCT needs equal tokens of equal values",
    },
    Rule {
        function: "first_value",
        treats: Treats::CarriesFirst,
        because: "returns a value of another row as it is",
    },
    Rule {
        function: "lag",
        treats: Treats::CarriesFirst,
        because: "returns a value of another row as it is",
    },
    Rule {
        function: "last_value",
        treats: Treats::CarriesFirst,
        because: "returns a value of another row as it is",
    },
    Rule {
        function: "lead",
        treats: Treats::CarriesFirst,
        because: "returns a value of another row as it is",
    },
    Rule {
        function: "nth_value",
        treats: Treats::CarriesFirst,
        because: "returns a value of another row as it is",
    },
    Rule {
        function: "nullif",
        treats: Treats::ComparesToNull,
        because: "tests equality and returns its first argument",
    },
    Rule {
        function: "num_nonnulls",
        treats: Treats::Tests,
        because: "counts values that are not NULL",
    },
    Rule { function: "num_nulls", treats: Treats::Tests, because: "counts NULLs" },
];

/// The rule of a function of `pg_catalog`.
pub(crate) fn rule(function: &str) -> Option<&'static Rule> {
    FUNCTIONS
        .binary_search_by(|rule| rule.function.cmp(function))
        .ok()
        .map(|index| &FUNCTIONS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_reasoned() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.function < b.function));
        assert!(FUNCTIONS.iter().all(|rule| !rule.because.is_empty()));
        assert_eq!(rule("count").map(|r| r.treats), Some(Treats::Tests));
        assert!(rule("lower").is_none());
    }
}
