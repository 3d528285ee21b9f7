//! Other statements made of the ones at hand.

use pgveil_sql::lex::{Token, TokenKind, lex, string_value};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A change of one token.
#[derive(Debug, Clone)]
pub(super) enum Mutation {
    Cut(Index),
    Double(Index),
    Swap(Index, Index),
    /// Puts a token of the other statement in the place.
    Graft(Index, Index),
    /// Puts a word behind the token.
    Insert(Index, &'static str),
    /// Puts two words around the token.
    Wrap(Index, &'static str, &'static str),
    /// Writes a string literal of the text in another way that means the same.
    Respell(Index, u8),
    /// Puts another number in a number's place.
    Renumber(Index, u8),
}

/// Words, and parts of statements, that decide how values are read.
const WORDS: &[&str] = &[
    "(",
    ")",
    ",",
    ";",
    ".",
    "*",
    "[",
    "]",
    ":",
    "=",
    "<>",
    "||",
    "-",
    "::text",
    "::varchar(3)",
    "::char(2)",
    "::int",
    "::text[]",
    "::varchar",
    "::pg_catalog.text",
    "COLLATE \"C\"",
    "NOT",
    "IN",
    "IN (",
    "= ANY (",
    "<> ALL",
    "ARRAY[",
    "ROW(",
    "AS",
    "AS x",
    "NULL",
    "DEFAULT",
    "$1",
    "$2",
    "$3",
    "'x'",
    "''",
    "'it''s'",
    "E'a\\'b'",
    "E'\\x41\\u00e9'",
    "U&'d\\0061t'",
    "$q$x$q$",
    "N'x'",
    "B'01'",
    "X'1f'",
    "'a'\n  'b'",
    "'{a,\"b c\",NULL}'",
    "text 'x'",
    "varchar(2) 'abc'",
    "CAST('x' AS text)",
    "CAST(",
    "/* ' */",
    "-- '\n",
    "/* /* */ */",
    "\n",
    "1e5",
    "0x1F",
    "1.",
    "email",
    "users",
    "auth_user",
    "\"email\"",
    "U&\"email\"",
    "u",
    "id",
    "SELECT",
    "FROM",
    "WHERE",
    "AND",
    "OR",
    "UNION",
    "UNION ALL",
    "VALUES",
    "RETURNING",
    "RETURNING *",
    "ON CONFLICT",
    "DO UPDATE SET",
    "SET",
    "INTO",
    "WITH",
    "RECURSIVE",
    "LATERAL",
    "IS NULL",
    "ISNULL",
    "NOTNULL",
    "IS NOT DISTINCT FROM",
    "BETWEEN",
    "LIKE",
    "ESCAPE",
    "SIMILAR TO",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "COALESCE(",
    "NULLIF(",
    "GREATEST(",
    "EXISTS (",
    "DISTINCT",
    "DISTINCT ON (",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "FETCH FIRST 1 ROW ONLY",
    "FOR UPDATE",
    "FOR NO KEY UPDATE",
    "FOR KEY SHARE",
    "FILTER (WHERE",
    "OVER (",
    "WITHIN GROUP (",
    "TABLE",
    "ONLY",
    "JOIN",
    "USING (",
    "NATURAL",
    "EXPLAIN",
    "PREPARE p AS",
    "COPY",
    "MERGE INTO",
    "OPERATOR(pg_catalog.=)",
    "AT TIME ZONE",
    "OVERLAPS",
    "INTERVAL",
    "TABLESAMPLE",
    "BEGIN",
    "é",
    "\u{a0}",
    "@>",
    "->>",
    "?",
    "\\",
    "%",
    "~",
];

const AROUND: &[(&str, &str)] = &[
    ("(", ")"),
    ("((", "))"),
    ("CAST(", " AS text)"),
    ("CAST(", " AS varchar(2))"),
    ("(", ")::text"),
    ("(", "::char(3))"),
    ("COALESCE(", ", 'y')"),
    ("ROW(", ")"),
    ("ARRAY[", "]"),
    ("CASE WHEN true THEN ", " ELSE 'z' END"),
    ("(SELECT ", ")"),
    ("-- '\n", "/* \" */"),
];

pub(super) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let one = || any::<Index>();
    let mutation = prop_oneof![
        1 => one().prop_map(Mutation::Cut),
        1 => one().prop_map(Mutation::Double),
        1 => (one(), one()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        2 => (one(), one()).prop_map(|(at, from)| Mutation::Graft(at, from)),
        2 => (one(), select(WORDS)).prop_map(|(at, word)| Mutation::Insert(at, word)),
        3 => (one(), select(AROUND)).prop_map(|(at, (a, b))| Mutation::Wrap(at, a, b)),
        3 => (one(), any::<u8>()).prop_map(|(at, way)| Mutation::Respell(at, way)),
        2 => (one(), 0..4u8).prop_map(|(at, number)| Mutation::Renumber(at, number)),
    ];
    prop::collection::vec(mutation, 1..4)
}

/// Texts of words that belong together, mostly in no sensible order.
pub(super) fn soup() -> impl Strategy<Value = String> {
    let beginnings = select(
        &[
            "",
            "SELECT ",
            "SELECT id FROM users WHERE email = ",
            "INSERT INTO users VALUES (",
            "UPDATE users SET email = ",
            "DELETE FROM users WHERE ",
            "WITH x AS (SELECT * FROM users) ",
            "MERGE INTO users USING ",
            "COPY users ",
            "ALTER TABLE users ",
            "CREATE VIEW x AS SELECT ",
        ][..],
    );
    let piece = prop_oneof![
        8 => select(WORDS).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9'\"$\\\\(){};:,.\\[\\]=<>/*+ \n-]{0,6}",
        1 => any::<char>().prop_map(String::from),
    ];
    let pieces = prop::collection::vec((piece, select(&[" ", "", "\n"][..])), 0..25);
    (beginnings, pieces).prop_map(|(beginning, pieces)| {
        let mut text = beginning.to_owned();
        for (piece, gap) in pieces {
            text.push_str(&piece);
            text.push_str(gap);
        }
        text
    })
}

pub(super) fn mutated(text: &str, donor: &str, mutations: &[Mutation]) -> String {
    let mut text = text.to_owned();
    for mutation in mutations {
        let Ok(tokens) = lex(&text) else { return text };
        if tokens.is_empty() {
            return text;
        }
        text = apply(&text, &tokens, donor, mutation);
    }
    text
}

fn apply(text: &str, tokens: &[Token], donor: &str, mutation: &Mutation) -> String {
    let at = |index: &Index| tokens[index.index(tokens.len())].range.clone();
    let replace = |range: std::ops::Range<usize>, with: &str| {
        format!("{}{with}{}", &text[..range.start], &text[range.end..])
    };
    match mutation {
        Mutation::Cut(index) => replace(at(index), ""),
        Mutation::Double(index) => {
            let word = &text[at(index)];
            replace(at(index), &format!("{word} {word}"))
        }
        Mutation::Swap(a, b) => {
            let (a, b) = (at(a), at(b));
            let (a, b) = if a.start <= b.start { (a, b) } else { (b, a) };
            if a == b {
                return text.to_owned();
            }
            let [first, second, between] =
                [&text[a.clone()], &text[b.clone()], &text[a.end..b.start]];
            format!("{}{second}{between}{first}{}", &text[..a.start], &text[b.end..])
        }
        Mutation::Graft(index, from) => {
            let Ok(theirs) = lex(donor) else { return text.to_owned() };
            if theirs.is_empty() {
                return text.to_owned();
            }
            let word = &donor[theirs[from.index(theirs.len())].range.clone()];
            replace(at(index), &format!(" {word} "))
        }
        Mutation::Insert(index, word) => {
            let word = format!("{} {word} ", &text[at(index)]);
            replace(at(index), &word)
        }
        Mutation::Wrap(index, open, close) => {
            let word = format!("{open}{}{close}", &text[at(index)]);
            replace(at(index), &word)
        }
        Mutation::Renumber(index, number) => {
            let numbers: Vec<&Token> =
                tokens.iter().filter(|token| token.kind == TokenKind::Number).collect();
            if numbers.is_empty() {
                return text.to_owned();
            }
            replace(numbers[index.index(numbers.len())].range.clone(), &number.to_string())
        }
        Mutation::Respell(index, way) => {
            let strings: Vec<&Token> = tokens.iter().filter(|t| t.kind.is_string()).collect();
            if strings.is_empty() {
                return text.to_owned();
            }
            let token = strings[index.index(strings.len())];
            let Some(value) = string_value(text, token) else { return text.to_owned() };
            let before = token.range.start.checked_sub(1).map(|i| text.as_bytes()[i]);
            let glued = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
            let gap = if glued { " " } else { "" };
            replace(token.range.clone(), &format!("{gap}{}", respelt(&value, *way, token.kind)))
        }
    }
}

fn respelt(value: &str, way: u8, kind: TokenKind) -> String {
    let quoted = value.replace('\'', "''");
    let characters = |f: &dyn Fn(char) -> String| value.chars().map(f).collect::<String>();
    match way % 8 {
        0 => format!("E'{}'", quoted.replace('\\', "\\\\")),
        1 => format!("e'{}'", characters(&|c| format!("\\U{:08x}", u32::from(c)))),
        2 => format!("$x${value}$x$"),
        3 => format!("'{quoted}'\n /* ' */ '!'"),
        4 => format!("U&'{}'", characters(&|c| format!("\\+{:06x}", u32::from(c)))),
        5 => format!("n'{quoted}'"),
        6 if kind == TokenKind::String => format!("'' -- '\n'{quoted}'"),
        _ => format!("'{quoted}'"),
    }
}
