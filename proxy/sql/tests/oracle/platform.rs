//! The catalog of the twin test's tables.

use pgveil_seal::Mode;
use pgveil_sql::catalog::{Catalog, CatalogLoad};
use pgveil_sql::protection::{ColumnProtection, Declaration, TableProtection};

use crate::fixture::{AnyKey, settings};

/// `(name, type, typmod, domain or "-")`
type Column = (&'static str, &'static str, &'static str, &'static str);

/// `(oid, table, columns)`
const TABLES: &[(&str, &str, &[Column])] = &[
    (
        "100",
        "auth_user",
        &[
            ("id", "23", "-1", "-"),
            ("password", "1043", "132", "-"),
            ("last_login", "1184", "-1", "-"),
            ("is_superuser", "16", "-1", "-"),
            ("username", "1043", "154", "-"),
            ("first_name", "1043", "154", "name"),
            ("last_name", "1043", "154", "name"),
            ("email", "1043", "258", "email"),
            ("is_staff", "16", "-1", "-"),
            ("is_active", "16", "-1", "-"),
            ("date_joined", "1184", "-1", "-"),
        ],
    ),
    (
        "101",
        "contact",
        &[
            ("id", "23", "-1", "-"),
            ("user_id", "23", "-1", "-"),
            ("label", "1043", "24", "-"),
            ("email", "1043", "258", "email"),
            ("phone", "25", "-1", "phone"),
            ("code", "1042", "12", "code"),
            ("nick", "1043", "-1", "nick"),
        ],
    ),
    (
        "102",
        "newsletter_subscriber",
        &[
            ("id", "20", "-1", "-"),
            ("email", "1043", "258", "email"),
            ("confirmed", "16", "-1", "-"),
            ("since", "1082", "-1", "-"),
        ],
    ),
    (
        "103",
        "orders",
        &[
            ("id", "23", "-1", "-"),
            ("user_id", "23", "-1", "-"),
            ("total", "1700", "-1", "-"),
            ("note", "25", "-1", "-"),
            ("placed", "1082", "-1", "-"),
        ],
    ),
    ("104", "tag", &[("name", "1043", "34", "-"), ("weight", "23", "-1", "-")]),
];

/// `(oid, view, definition)` and its columns `(name, type)`
type View = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const VIEWS: &[View] = &[
    (
        "110",
        "active_user",
        " SELECT auth_user.id, auth_user.username, auth_user.email, auth_user.first_name \
          FROM auth_user WHERE auth_user.is_active;",
        &[("id", "23"), ("username", "1043"), ("email", "25"), ("first_name", "25")],
    ),
    (
        "111",
        "user_card",
        " SELECT u.id AS user_id, u.email AS mail, u.first_name AS given, u.last_name AS family, \
          o.total AS spent FROM (auth_user u LEFT JOIN orders o ON ((o.user_id = u.id)));",
        &[("user_id", "23"), ("mail", "25"), ("given", "25"), ("family", "25"), ("spent", "1700")],
    ),
];

/// All protected columns in one mode.
pub(super) fn catalog(mode: Mode) -> Catalog {
    let mut load = CatalogLoad::default();
    let mut row = |query: usize, cells: &[&str]| {
        let cells: Vec<_> = cells.iter().map(|c| (*c != "-").then_some(*c)).collect();
        load.row(query, &cells).unwrap();
    };
    let mut declaration = Declaration::default();
    for (oid, table, columns) in TABLES {
        row(0, &[oid, "public", table, "r", &format!("9{oid}"), "-"]);
        let mut protected = Vec::new();
        for (index, (column, type_oid, typmod, domain)) in columns.iter().enumerate() {
            let number = (index + 1).to_string();
            if *domain == "-" {
                row(1, &[oid, &number, column, type_oid, typmod, ""]);
                continue;
            }
            row(1, &[oid, &number, column, "25", "-1", ""]);
            let guard = format!("pgveil_guard_{column}");
            row(
                5,
                &[
                    oid,
                    &guard,
                    "true",
                    "CHECK ((((c)::pgveil.token IS NULL) IS NOT NULL)) CHECK ((... OR pgveil.refuse()))",
                ],
            );
            let domain = if mode == Mode::Deterministic { domain } else { "" };
            row(
                7,
                &[
                    oid,
                    column,
                    "p",
                    mode.as_str(),
                    domain,
                    "default",
                    "k",
                    "c",
                    type_oid,
                    typmod,
                    "sealed",
                ],
            );
            protected.push(ColumnProtection {
                computed: false,
                column: (*column).to_owned(),
                mode,
                domain: domain.to_owned(),
                keyring: "default".to_owned(),
                fold: None,
            });
        }
        if !protected.is_empty() {
            declaration.tables.push(TableProtection {
                policy: "p".to_owned(),
                schema: "public".to_owned(),
                table: (*table).to_owned(),
                columns: protected,
                profile: None,
            });
        }
    }
    for (oid, view, definition, columns) in VIEWS {
        row(0, &[oid, "public", view, "v", &format!("9{oid}"), definition]);
        for (index, (column, type_oid)) in columns.iter().enumerate() {
            row(1, &[oid, &(index + 1).to_string(), column, type_oid, "-1", ""]);
        }
    }
    row(6, &["1"]);
    load.finish(&declaration, &settings(), &AnyKey).unwrap()
}
