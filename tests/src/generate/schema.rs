//! What the generator knows of its tables, and the values that go into them.

/// What an expression holds, as far as the generator must know to write statements that the
/// server accepts and that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Protected: addresses, one domain over several tables and types.
    Mail,
    /// Protected: given names, one domain.
    Given,
    /// Protected: `char(8)`, one domain.
    Code,
    /// Protected: `text`, a domain of its own.
    Nick,
    /// Protected, randomized.
    Secret,
    /// A number.
    Int,
    /// Text that nobody protects.
    Text,
    /// A truth value.
    Bool,
    /// A date.
    Date,
}

impl Sort {
    /// Equal values have equal tokens.
    pub const DETERMINISTIC: [Self; 4] = [Self::Mail, Self::Given, Self::Code, Self::Nick];

    /// Deterministic.
    pub fn is_deterministic(self) -> bool {
        Self::DETERMINISTIC.contains(&self)
    }

    /// Deterministic or randomized.
    pub fn is_protected(self) -> bool {
        self.is_deterministic() || self == Self::Secret
    }

    /// Types that a value of the sort may be cast to without meaning something else.
    pub fn casts(self) -> &'static [&'static str] {
        match self {
            Self::Mail => &["text", "varchar", "varchar(40)", "character varying"],
            Self::Given => &["text", "varchar", "varchar(20)"],
            Self::Nick | Self::Secret | Self::Text => &["text", "varchar"],
            Self::Code => &["bpchar", "char(8)", "varchar", "text"],
            Self::Int => &["int", "integer"],
            Self::Bool => &["boolean"],
            Self::Date => &["date"],
        }
    }

    /// Values as text. The ones of protected sorts hold what is searched for in all that reaches
    /// the database, but for those of [`SHORT`], which are too short to be found.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Self::Mail => &[
                "ada@canary.example",
                "bob@canary.example",
                "o'hara@canary.example",
                "ADA@canary.example",
                "ada@canary.example ",
                "ünï@canary.example",
                "back\\slash@canary.example",
                "名前@canary.example",
                "none@canary.example",
                "$1 ? $$ /* -- ; @canary.example",
                "\t\n@canary.example",
                // 40 characters, then one more.
                "0123456789abcdefghijklmno@canary.example",
                "0123456789abcdefghijklmnop@canary.example",
                // Only blanks are too much.
                "0123456789abcdefghijklmno@canary.example   ",
            ],
            Self::Given => &[
                "Ada Canaryson",
                "Bob Canaryson",
                "Zoë Canaryson",
                "O'Canaryson",
                "Back\\ Canaryson",
                "Canaryson 🦊",
                "None Canaryson",
                "ada Canaryson",
                "Canaryson the twenty",
                "Canaryson twenty-one-",
            ],
            Self::Code => {
                &["Kanary01", "Kanary02", "Kanary01  ", "Kan", "Kan   ", "kan", "Kanary01x"]
            }
            Self::Nick => &["the Canaryson", "Canaryson 'q'", "Canaryson\\", "The Canaryson"],
            Self::Secret => &["secret Canaryson", "Canaryson 名前", "'Canaryson'", "Canaryson\\n"],
            Self::Int => &["1", "2", "0", "3", "5", "-1", "1000"],
            Self::Text => &SHORT,
            Self::Bool => &["true", "false"],
            Self::Date => &["2024-01-01", "2024-01-02", "2024-02-29"],
        }
    }
}

/// Values that nobody searches for: they may stand where it is not known what they will meet.
pub const SHORT: [&str; 12] = ["a", "", "x", "it's", "b\\", "ö", " ", "a ", "$1", "--", "/*", "; "];

/// What is searched for in all that reaches the database.
pub const CANARIES: [&str; 4] = ["canary.example", "Canaryson", "Kanary01", "Kanary02"];

/// A column.
#[derive(Debug)]
pub struct Column {
    /// As it is written in a statement.
    pub name: &'static str,
    /// What it holds.
    pub sort: Sort,
}

/// A table or view.
#[derive(Debug)]
pub struct Table {
    /// As it is written in a statement.
    pub name: &'static str,
    /// All of them, in their order.
    pub columns: &'static [Column],
    /// Its primary key, a single column; the plain ones order its rows.
    pub key: Option<&'static str>,
    /// What ON CONFLICT can name: columns, and the constraint.
    pub conflicts: &'static [(&'static str, &'static str)],
    /// Rows can be inserted.
    pub is_base: bool,
}

impl Table {
    /// The key where it is a number.
    pub fn number_key(&self) -> Option<&'static str> {
        let key = self.key?;
        let column = self.columns.iter().find(|column| column.name == key)?;
        (column.sort == Sort::Int).then_some(key)
    }
}

macro_rules! columns {
    ($($name:literal $sort:ident),* $(,)?) => {
        &[$(Column { name: $name, sort: Sort::$sort }),*]
    };
}

/// All tables with protected columns, the simplest first, and one without.
pub const TABLES: &[Table] = &[
    Table {
        name: "person",
        columns: columns![
            "id" Int, "boss" Int, "email" Mail, "backup" Mail, "given" Given, "family" Secret,
            "code" Code, "note" Text, "size" Int, "active" Bool,
        ],
        key: Some("id"),
        conflicts: &[("id", "person_pkey")],
        is_base: true,
    },
    Table {
        name: "account",
        columns: columns![
            "id" Int, "person_id" Int, "email" Mail, "alias" Mail, "nick" Nick, "secret" Secret,
            "size" Int,
        ],
        key: Some("id"),
        conflicts: &[("email", "account_email_key"), ("id", "account_pkey")],
        is_base: true,
    },
    Table {
        name: "subscriber",
        columns: columns!["email" Mail, "given" Given, "since" Date, "size" Int],
        key: Some("email"),
        conflicts: &[("email", "subscriber_pkey")],
        is_base: true,
    },
    Table {
        name: "letter",
        columns: columns![
            "id" Int, "sender" Mail, "receiver" Mail, "code" Code, "body" Text, "size" Int,
        ],
        key: Some("id"),
        conflicts: &[("sender, size", "letter_sender_size_key"), ("id", "letter_pkey")],
        is_base: true,
    },
    Table {
        name: "\"Quoted\"",
        columns: columns!["\"Id\"" Int, "\"E Mail\"" Mail, "\"select\"" Given, "size" Int],
        key: Some("\"Id\""),
        conflicts: &[("\"Id\"", "\"Quoted_pkey\"")],
        is_base: true,
    },
    Table {
        name: "visit",
        columns: columns!["id" Int, "email" Mail, "nick" Nick, "size" Int],
        key: None,
        conflicts: &[],
        is_base: true,
    },
    Table {
        name: "active_person",
        columns: columns!["id" Int, "email" Mail, "given" Given, "code" Code, "size" Int],
        key: Some("id"),
        conflicts: &[],
        is_base: false,
    },
    Table {
        name: "place",
        columns: columns!["id" Int, "name" Text, "size" Int, "city" Text],
        key: Some("id"),
        conflicts: &[("id", "place_pkey")],
        is_base: true,
    },
];
