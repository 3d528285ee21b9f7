//! Why a statement does not run: what ends as a PostgreSQL `ErrorResponse`.

use std::fmt;

use pgveil_seal::Fold;

/// A refusal: SQLSTATE, message, detail, hint and position, as PostgreSQL's own errors have them
/// (PostgreSQL, "Error and Notice Message Fields").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Five characters, e.g. `0A000`.
    pub code: &'static str,
    /// One line; never holds a protected value.
    pub message: String,
    /// What lies behind it.
    pub detail: Option<String>,
    /// What to do instead.
    pub hint: Option<String>,
    /// Byte offset in the client's text that the error points at.
    pub position: Option<usize>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// True when the cause may be a catalog that is older than the statement: a name that it
    /// does not know. Worth a second analysis with a fresh catalog.
    pub fn is_unknown_name(&self) -> bool {
        matches!(self.code, "42P01" | "42703" | "3F000")
    }
}

/// Every reason that analysis refuses a statement for; the text of each is in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The parser, or the comparison of the two lexers, gave up.
    Unparsed(String),
    /// The server's own syntax error, found by our lexer.
    Syntax(&'static str),
    /// `U&"..."` may hide a name.
    UnicodeIdentifier,
    /// `standard_conforming_strings = off` with a backslash in a literal.
    Backslash,
    /// A literal that is not valid as the server would read it.
    InvalidLiteral,
    /// A client encoding that values cannot be read in.
    Encoding(String),
    /// `pg_catalog` is not first in the search path.
    SearchPath,
    /// Something that the server cannot compute on tokens.
    Compute { what: String, column: String },
    /// Equality on a randomized column.
    Randomized { what: String, column: String },
    /// Two protected columns whose tokens cannot be compared.
    Incomparable { left: String, right: String },
    /// A plain value that is not a literal or parameter meets a sealed one.
    PlainMeetsSealed { what: String, column: String },
    /// `lower` or `upper` of a deterministic column that is not declared to fold so.
    NotFolded { fold: Fold, column: String },
    /// A sealed value would be stored in a plain column.
    SealedIntoPlain { column: String, target: String },
    /// A sealed value would be stored in a column sealed otherwise.
    SealedOtherwise { column: String, target: String },
    /// A whole row with sealed columns is used as one value.
    WholeRow(String),
    /// A function whose body or result names a protected relation.
    Function { function: String, relation: String },
    /// A kind of statement over a protected relation.
    Statement { what: String, relation: String },
    /// A statement that depends on a catalog change earlier in the same string.
    AfterDdl,
    /// An argument of EXECUTE that has to be sealed, and is not a literal.
    Argument(String),
    /// The database lacks what completes a statement.
    NotPrepared(String),
    /// The key of a column that would be made is not at hand.
    NoKey { column: String, keyring: String },
    /// A declared column in a form that cannot be sealed.
    Unsealable { what: String, column: String },
    /// A change after which the policy would name something else.
    Declared { what: String, name: String },
    /// A new name that the policy does not declare as it declares the old one.
    NotAlike { name: String, new: String, wanted: String },
    /// A partition that is declared by itself.
    Partition(String),
    /// A declared table that a query would make.
    CreateAs(String),
    /// What is not sealed would get a name that the policy declares.
    Becomes { name: String, new: String },
    /// A foreign key between a sealed and a plain column, or with columns that are not named.
    ForeignKey { left: String, right: String },
    /// A profile that a statement cannot make.
    ProfileLater(String),
    /// A body of code that names a protected relation.
    Body { what: &'static str, relation: String },
    /// The copies in a profile are written by a trigger alone.
    ProfileCopy(String),
    /// `*` over something whose columns are not known.
    UnknownColumns(String),
    /// A reference that the server would not resolve, either.
    UndefinedColumn { name: String, relation: Option<String> },
    /// See above.
    UndefinedTable(String),
    /// See above.
    MissingFrom(String),
    /// See above.
    Ambiguous(String),
}

const NATIVE: &str = "On deterministic columns =, <>, IN, = ANY, IS [NOT] DISTINCT FROM, joins \
                      within a domain, DISTINCT, GROUP BY, count(DISTINCT ...), set operations and \
                      NULL tests are answered; on randomized columns NULL tests and count(...).";

impl Refusal {
    /// A statement runs one of ours by its name, and an earlier one of its string may have changed
    /// what that means.
    pub fn follows_change(position: usize) -> Self {
        Reason::AfterDdl.at(Some(position))
    }
}

impl Reason {
    /// The refusal, pointing at a byte of the client's text.
    pub(crate) fn at(self, position: Option<usize>) -> Refusal {
        #[cfg(test)]
        documented::note(&self);
        let (code, message, hint) = self.text();
        Refusal { code, message, detail: None, hint, position }
    }

    fn text(self) -> (&'static str, String, Option<String>) {
        let unsupported = |message: String, hint: &str| ("0A000", message, Some(hint.to_owned()));
        match self {
            Self::Unparsed(what) => unsupported(
                format!("pgveil cannot analyse this statement: {what}"),
                "A statement that names a protected relation runs only when every part of it is \
                 understood. Write it in a simpler form.",
            ),
            Self::Syntax(what) => ("42601", format!("{what} at or near the marked position"), None),
            Self::UnicodeIdentifier => unsupported(
                "identifiers in the form U&\"...\" are not supported through pgveil".into(),
                "Write the identifier directly, in double quotes if need be.",
            ),
            Self::Backslash => unsupported(
                "a backslash in a string literal while standard_conforming_strings is off".into(),
                "Set standard_conforming_strings to on, write E'...', or use parameters.",
            ),
            Self::InvalidLiteral => unsupported(
                "a string literal cannot be read exactly".into(),
                "Its escapes are not valid. Use a parameter, or a literal without them.",
            ),
            Self::Encoding(name) => unsupported(
                format!("client_encoding {name} is not supported for values of protected columns"),
                "Set client_encoding to UTF8.",
            ),
            Self::SearchPath => unsupported(
                "pg_catalog is not the first schema of search_path".into(),
                "Operators could mean something else then. Leave pg_catalog out of search_path: \
                 the server looks there first.",
            ),
            Self::Compute { what, column } => unsupported(
                format!("{what} is not supported over the protected column {column}"),
                NATIVE,
            ),
            Self::Randomized { what, column } => unsupported(
                format!("{what} is not supported over the randomized column {column}"),
                "Tokens of equal values differ there. Declare the column deterministic in the \
                 policy to compare, group or join by it.",
            ),
            Self::Incomparable { left, right } => unsupported(
                format!("the protected columns {left} and {right} cannot be compared"),
                "Their tokens are comparable only when both are deterministic, with one domain, \
                 keyring and key, and of comparable types.",
            ),
            Self::NotFolded { fold, column } => (
                "0A000",
                format!("the function {fold} is not supported over the protected column {column}"),
                Some(format!(
                    "Equality of {fold}(column), and unique indexes over it, are answered where the \
                     policy declares fold = \"{fold}\" for the column before it is sealed. Or write \
                     one case everywhere, and compare the column itself."
                )),
            ),
            Self::PlainMeetsSealed { what, column } => unsupported(
                format!(
                    "{what} between the protected column {column} and an expression that is not \
                     a literal, a parameter or a column sealed alike is not supported"
                ),
                "Compute the value in the application and pass it as a parameter.",
            ),
            Self::SealedIntoPlain { column, target } => unsupported(
                format!("the protected column {column} cannot be stored in {target}"),
                "The target is not protected: it would receive tokens. Protect it alike, or pass \
                 the value as a parameter.",
            ),
            Self::SealedOtherwise { column, target } => unsupported(
                format!("the protected column {column} cannot be stored in {target}"),
                "The two are sealed differently (mode, domain, key, or length). Read the value and \
                 write it as a parameter.",
            ),
            Self::WholeRow(relation) => unsupported(
                format!("a whole row of the protected relation {relation} cannot be computed with"),
                "A row can be shown, taken apart, counted, and compared where all its columns can. \
                 For anything else name the columns.",
            ),
            Self::Function { function, relation } => unsupported(
                format!("the function {function} reads or writes the protected relation {relation}"),
                "Its body runs in the server, on tokens. Run its statements through pgveil instead, \
                 or, if it does not compute on protected values, declare it safe in the policy.",
            ),
            Self::Statement { what, relation } => unsupported(
                format!("{what} is not supported on the protected relation {relation}"),
                "Where it is meant for the database as it is, connect to the database directly.",
            ),
            Self::Argument(name) => unsupported(
                format!("an argument of prepared statement \"{name}\" is not a string literal"),
                "It meets a protected column, and is sealed before the server sees it. Write it \
                 as a literal, or bind it as a parameter in the extended protocol.",
            ),
            Self::AfterDdl => unsupported(
                "a statement over a protected relation follows a change of the catalog in the same \
                 string"
                    .into(),
                "Send the statements one by one; a transaction block may surround them.",
            ),
            Self::NotPrepared(relation) => (
                "55000",
                format!("the database is not prepared for changes of the protected table {relation}"),
                Some(
                    "Run pgveil migrate apply with the same policies: it makes the functions that \
                     complete the statement."
                        .into(),
                ),
            ),
            Self::NoKey { column, keyring } => (
                "55000",
                format!("the key that seals the column {column} is not at hand"),
                Some(format!("Give pgveil the keyring \"{keyring}\" that the policy names.")),
            ),
            Self::Unsealable { what, column } => unsupported(
                format!("the protected column {column} cannot be made with {what}"),
                "A protected column is text, character varying or character, with a constant as \
                 its default or none.",
            ),
            Self::Declared { what, name } => unsupported(
                format!("{what} is not supported on {name}: a policy names it"),
                "Change the policy's declaration together with the database, with pgveil migrate.",
            ),
            Self::NotAlike { name, new, wanted } => unsupported(
                format!("{name} cannot become {new}: the policy does not declare it alike"),
                &format!(
                    "In the policy {wanted}. When the change is made, the old name can be taken \
                     away there."
                ),
            ),
            Self::Becomes { name, new } => unsupported(
                format!("{name} cannot become {new}: the policy protects that, and it is not sealed"),
                "Make it through pgveil as what it is to be and write the values there; or make the \
                 change in the database directly, and pgveil migrate apply seals what is there.",
            ),
            Self::Partition(name) => unsupported(
                format!("{name} cannot be made as a partition: the policy declares it by itself"),
                "Declare the partitioned table alone: its partitions are protected with it.",
            ),
            Self::CreateAs(name) => unsupported(
                format!("the protected table {name} cannot be made from a query"),
                "Make the table with its columns, then write the rows with INSERT INTO ... SELECT.",
            ),
            Self::ForeignKey { left, right } => unsupported(
                format!("a foreign key from {left} to {right} would join tokens with plain values"),
                "Declare both columns deterministic in one domain, and name the columns that are \
                 referred to.",
            ),
            Self::ProfileLater(table) => unsupported(
                format!("the profile of {table} cannot be made in the same statement"),
                "Make the table with its key column, and let the policy put the profile into \
                 another schema than pgveil.",
            ),
            Self::Body { what, relation } => unsupported(
                format!("{what} names the protected relation {relation}"),
                "Its statements would run in the server, on tokens. Run them through pgveil one by \
                 one.",
            ),
            Self::ProfileCopy(column) => unsupported(
                format!("the profile column {column} is written by pgveil alone"),
                "Write the protected column; its encrypted copy follows in the same transaction.",
            ),
            Self::UnknownColumns(source) => unsupported(
                format!("the columns of {source} are not known, so * cannot be expanded beside protected columns"),
                "Name the columns.",
            ),
            Self::UndefinedColumn { name, relation: Some(relation) } => {
                ("42703", format!("column {relation}.{name} does not exist"), None)
            }
            Self::UndefinedColumn { name, relation: None } => {
                ("42703", format!("column \"{name}\" does not exist"), None)
            }
            Self::UndefinedTable(name) => {
                ("42P01", format!("relation \"{name}\" does not exist"), None)
            }
            Self::MissingFrom(name) => {
                ("42P01", format!("missing FROM-clause entry for table \"{name}\""), None)
            }
            Self::Ambiguous(name) => {
                ("42702", format!("column reference \"{name}\" is ambiguous"), None)
            }
        }
    }
}

/// `REFUSALS.md` is generated from one example for every reason.
#[cfg(test)]
mod documented {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::Reason;
    use crate::fixture::{catalog, settings};

    thread_local! {
        static RAISED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    }

    /// Remembers that a reason was given.
    pub(super) fn note(reason: &Reason) {
        RAISED.with_borrow_mut(|raised| raised.insert(name(reason)));
    }

    /// A variant that is not in [`ALL`] is not documented: keep the two together.
    fn name(reason: &Reason) -> &'static str {
        match reason {
            Reason::Unparsed(_) => "Unparsed",
            Reason::Syntax(_) => "Syntax",
            Reason::UnicodeIdentifier => "UnicodeIdentifier",
            Reason::Backslash => "Backslash",
            Reason::InvalidLiteral => "InvalidLiteral",
            Reason::Encoding(_) => "Encoding",
            Reason::SearchPath => "SearchPath",
            Reason::Compute { .. } => "Compute",
            Reason::Randomized { .. } => "Randomized",
            Reason::Incomparable { .. } => "Incomparable",
            Reason::PlainMeetsSealed { .. } => "PlainMeetsSealed",
            Reason::NotFolded { .. } => "NotFolded",
            Reason::SealedIntoPlain { .. } => "SealedIntoPlain",
            Reason::SealedOtherwise { .. } => "SealedOtherwise",
            Reason::WholeRow(_) => "WholeRow",
            Reason::Function { .. } => "Function",
            Reason::Statement { .. } => "Statement",
            Reason::AfterDdl => "AfterDdl",
            Reason::Argument(_) => "Argument",
            Reason::NotPrepared(_) => "NotPrepared",
            Reason::NoKey { .. } => "NoKey",
            Reason::Unsealable { .. } => "Unsealable",
            Reason::Declared { .. } => "Declared",
            Reason::NotAlike { .. } => "NotAlike",
            Reason::Becomes { .. } => "Becomes",
            Reason::Partition(_) => "Partition",
            Reason::CreateAs(_) => "CreateAs",
            Reason::ForeignKey { .. } => "ForeignKey",
            Reason::ProfileLater(_) => "ProfileLater",
            Reason::Body { .. } => "Body",
            Reason::ProfileCopy(_) => "ProfileCopy",
            Reason::UnknownColumns(_) => "UnknownColumns",
            Reason::UndefinedColumn { .. } => "UndefinedColumn",
            Reason::UndefinedTable(_) => "UndefinedTable",
            Reason::MissingFrom(_) => "MissingFrom",
            Reason::Ambiguous(_) => "Ambiguous",
        }
    }

    const ALL: usize = 36;

    /// What happens, and a statement that shows it. `users` has `email` deterministic and
    /// `first_name` randomized; `note` is plain.
    const EXAMPLES: [(&str, &str); 36] = [
        (
            "The parser does not understand the statement",
            "SELECT * FROM users TABLESAMPLE system (1)",
        ),
        ("A literal or comment is not closed", "SELECT * FROM users WHERE email = 'ann"),
        ("An identifier is written with Unicode escapes", "SELECT * FROM U&\"users\""),
        (
            "A backslash under standard_conforming_strings = off",
            "SELECT * FROM users WHERE email = 'a\\b'",
        ),
        (
            "A literal that cannot be read exactly",
            "SELECT * FROM users WHERE email = U&'x' UESCAPE '+'",
        ),
        (
            "A client encoding that is not UTF-8, and a literal that is not ASCII",
            "SELECT * FROM users WHERE email = 'é'",
        ),
        (
            "A search path that puts something in front of pg_catalog",
            "SELECT * FROM users WHERE email = 'a'",
        ),
        ("The server cannot compute it on tokens", "SELECT * FROM users WHERE email LIKE 'a%'"),
        (
            "A fold that the column is not declared with",
            "SELECT * FROM users WHERE upper(email) = 'X'",
        ),
        ("Equality on a randomized column", "SELECT * FROM users WHERE first_name = 'Ann'"),
        (
            "Two protected columns that are sealed differently",
            "SELECT * FROM users WHERE email = (SELECT secret FROM vault)",
        ),
        ("A protected column meets a computed value", "SELECT * FROM users WHERE email = note"),
        ("A protected value would be stored in a plain column", "UPDATE users SET note = email"),
        (
            "A protected value would be stored in a column sealed otherwise",
            "UPDATE users SET first_name = email",
        ),
        ("Something is computed with a whole row", "SELECT row_to_json(u) FROM users u"),
        ("A function reads or writes a protected relation", "SELECT everybody()"),
        ("A kind of statement", "COPY users TO '/tmp/users'"),
        (
            "A statement behind one that changes the catalog, in one string",
            "ALTER TABLE users ADD age int; SELECT * FROM users",
        ),
        (
            "An argument of EXECUTE has to be sealed, and is not a literal",
            "EXECUTE by_email ('ann' || '@example.org')",
        ),
        (
            "A declared column is made in a form that cannot be sealed",
            "CREATE TABLE members (id int, email text DEFAULT current_user)",
        ),
        (
            "A declared column is made, and its key is not at hand",
            "CREATE TABLE audit_entry (email text)",
        ),
        (
            "A declared table is made, and the database is not prepared",
            "CREATE TABLE visitors (id int, email text)",
        ),
        (
            "A profile that cannot be made together with its table",
            "CREATE TABLE members (email text)",
        ),
        (
            "A change after which the policy would name something else",
            "ALTER TABLE users DROP COLUMN email",
        ),
        (
            "A new name that the policy does not declare as it declares the old one",
            "ALTER TABLE users RENAME COLUMN email TO mail",
        ),
        (
            "What is not sealed would get a name that the policy declares",
            "ALTER TABLE orders RENAME TO members",
        ),
        (
            "A partition that is declared by itself",
            "CREATE TABLE members PARTITION OF users DEFAULT",
        ),
        (
            "A declared table would be made from a query",
            "CREATE TABLE members AS SELECT id, email FROM users",
        ),
        (
            "A foreign key between a protected and a plain column",
            "ALTER TABLE users ADD FOREIGN KEY (note) REFERENCES subscribers (email)",
        ),
        ("A body of code names a protected relation", "DO $$ BEGIN DELETE FROM users; END $$"),
        (
            "The encrypted copies in a profile are written",
            "UPDATE user_profile SET encrypted_email = 'x'",
        ),
        ("`*` over a function whose columns are not known", "SELECT * FROM users, my_function()"),
        ("A column that is not there", "SELECT nope FROM users"),
        ("A relation that is not there", "SELECT * FROM users, nowhere"),
        ("A FROM item that is not there", "SELECT x.email FROM users"),
        ("An ambiguous column", "SELECT email FROM users, subscribers"),
    ];

    /// An EXECUTE is refused when its name is known: here, of a comparison with `users.email`.
    fn argument_refused(text: &str, script: &crate::plan::Script) -> super::Refusal {
        let prepare = "PREPARE by_email AS SELECT id FROM users WHERE email = $1";
        let prepared = crate::analyse(prepare, &catalog(), &settings(), &[]).unwrap();
        let defined = prepared.statements[0].defined().unwrap();
        let planned = &script.statements[0];
        crate::execute_edits(text, planned, Some(&defined.params), &settings()).unwrap_err()
    }

    /// With `UPDATE_REFUSALS=1` writes the file, to be reviewed as a diff.
    #[test]
    fn refusals_md_is_what_the_code_says() {
        let catalog = catalog();
        let mut page = String::from(
            "# Refusals\n\n\
             Generated by `UPDATE_REFUSALS=1 cargo test -p pgveil-sql`. What pgveil does not answer \
             exactly it refuses; every\nreason is here, with a statement that shows it. `users` has \
             `email` deterministic and `first_name` randomized; `note` is\nplain.\n",
        );
        RAISED.with_borrow_mut(BTreeSet::clear);
        for (title, text) in EXAMPLES {
            let mut settings = settings();
            if title.contains("standard_conforming_strings") {
                settings.standard_conforming_strings = false;
            }
            if title.contains("encoding") {
                settings.client_encoding = "LATIN1".into();
            }
            if title.contains("search path") {
                settings.search_path = vec!["public".into(), "pg_catalog".into()];
            }
            let refusal = match crate::analyse(text, &catalog, &settings, &[]) {
                Err(refusal) => refusal,
                Ok(script) if text.starts_with("EXECUTE") => argument_refused(text, &script),
                Ok(script) => {
                    let refusal = script.statements.into_iter().find_map(|s| s.refusal);
                    refusal.unwrap_or_else(|| panic!("not refused: {text}"))
                }
            };
            let hint = refusal.hint.map_or(String::new(), |hint| format!("HINT:  {hint}\n"));
            write!(
                page,
                "\n## {title}\n\n```\n{text}\n\nERROR:  {}: {}\n{hint}```\n",
                refusal.code, refusal.message
            )
            .unwrap();
        }
        let raised = RAISED.with_borrow(BTreeSet::len);
        assert_eq!(raised, ALL, "{:?}", RAISED.with_borrow(Clone::clone));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/REFUSALS.md");
        if std::env::var_os("UPDATE_REFUSALS").is_some() {
            std::fs::write(path, page).unwrap();
            return;
        }
        assert!(std::fs::read_to_string(path).unwrap() == page, "REFUSALS.md is out of date");
    }
}
