//! The catalog that statements are analysed with, for tests and benches.

#![allow(clippy::unwrap_used, unreachable_pub)]

use pgveil_seal::{Fold, Mode};
use pgveil_sql::catalog::{Catalog, CatalogLoad, Keys, Settings};
use pgveil_sql::physical::own::OWN_FUNCTIONS;
use pgveil_sql::physical::{TRIGGER_CONFIG, expected_triggers};
use pgveil_sql::protection::{
    ColumnProtection, Declaration, Profile, ProfileOwner, TableProtection,
};

/// Every key is at hand.
pub struct AnyKey;

impl Keys for AnyKey {
    fn check(&self, _: &str, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn choose(&self, keyring: &str, id: Option<&str>) -> Option<(String, String)> {
        (keyring == "default").then(|| (id.unwrap_or("k").to_owned(), "c".to_owned()))
    }
}

/// The settings of an ordinary session.
pub fn settings() -> Settings {
    Settings {
        search_path: vec!["pg_catalog".into(), "public".into()],
        role: "app".into(),
        standard_conforming_strings: true,
        client_encoding: "UTF8".into(),
        server_encoding: "UTF8".into(),
    }
}

/// `users(id, email, first_name, note)` with email deterministic and first_name randomized,
/// `subscribers(id, email)` of the same domain, `vault(secret)` of another,
/// `accounts(id, login, mail, code, note)` with `login` and `mail` of one domain that folds to lower case and `code` of one
/// that folds to upper case, `orders(id, user_id, total)`, two views, functions, of which `purge()` and
/// `colleagues(int)`, which returns users, are safe;
/// declared, and not there yet, `members(id, email, phone)` with a profile, `visitors(id, email)`,
/// for which the database is not prepared, and `audit_entry(email)`, whose key is not at hand.
pub fn catalog() -> Catalog {
    let mut load = CatalogLoad::default();
    let mut row = |query: usize, cells: &[&str]| {
        let cells: Vec<_> = cells.iter().map(|c| (*c != "-").then_some(*c)).collect();
        load.row(query, &cells).unwrap();
    };
    for (oid, schema, name, kind, view) in [
        ("100", "public", "users", "r", "-"),
        ("101", "public", "subscribers", "r", "-"),
        ("102", "public", "orders", "r", "-"),
        ("103", "public", "staff", "v", " SELECT users.id, users.email AS mail FROM users;"),
        ("104", "public", "shouting", "v", " SELECT upper(users.email) AS loud FROM users;"),
        ("105", "audit", "users", "r", "-"),
        ("106", "pgveil", "columns", "r", "-"),
        ("107", "public", "vault", "r", "-"),
        ("108", "public", "user_profile", "r", "-"),
        ("109", "public", "accounts", "r", "-"),
    ] {
        let row_type = format!("9{oid}");
        row(0, &[oid, schema, name, kind, &row_type, view]);
    }
    for (relation, number, name, type_oid) in [
        ("100", "1", "id", "23"),
        ("100", "2", "email", "25"),
        ("100", "3", "first_name", "25"),
        ("100", "4", "note", "25"),
        ("101", "1", "id", "23"),
        ("101", "2", "email", "25"),
        ("102", "1", "id", "23"),
        ("102", "2", "user_id", "23"),
        ("102", "3", "total", "1700"),
        ("103", "1", "id", "23"),
        ("103", "2", "mail", "25"),
        ("104", "1", "loud", "25"),
        ("107", "1", "secret", "25"),
        ("109", "1", "id", "23"),
        ("109", "2", "login", "25"),
        ("109", "3", "mail", "25"),
        ("109", "4", "code", "25"),
        ("109", "5", "note", "25"),
        ("108", "1", "user_id", "23"),
        ("108", "2", "encrypted_email", "25"),
        ("105", "1", "id", "23"),
        ("105", "2", "email", "25"),
    ] {
        row(1, &[relation, number, name, type_oid, "-1", ""]);
    }
    row(3, &["public", "everybody", "select email from users", "25", "-"]);
    row(3, &["public", "colleagues", "select * from users where id < $1", "9100", "-"]);
    row(3, &["public", "strangers", "select * from users where id > $1", "9100", "-"]);
    row(3, &["public", "purge", "delete from users where id < 100", "2278", "-"]);
    row(3, &["public", "purge_and_show", "select purge()", "25", "-"]);
    for (relation, column) in [
        ("100", "email"),
        ("100", "first_name"),
        ("101", "email"),
        ("107", "secret"),
        ("109", "login"),
        ("109", "mail"),
        ("109", "code"),
    ] {
        let name = format!("pgveil_guard_{column}");
        row(
            5,
            &[
                relation,
                &name,
                "true",
                "CHECK ((((c)::pgveil.token IS NULL) IS NOT NULL)) CHECK ((... OR pgveil.refuse()))",
            ],
        );
    }
    row(6, &["1"]);
    for (relation, column, mode, domain, type_oid, typmod) in [
        ("100", "email", "deterministic", "email", "1043", "258"),
        ("100", "first_name", "randomized", "", "1043", "154"),
        ("101", "email", "deterministic", "email", "1043", "258"),
        ("107", "secret", "deterministic", "vault", "25", "-1"),
    ] {
        row(
            7,
            &[relation, column, "p", mode, domain, "default", "k", "c", type_oid, typmod, "sealed"],
        );
    }
    for (column, domain, type_oid, typmod, fold) in [
        ("login", "account", "1043", "54", "lower"),
        ("mail", "account", "25", "-1", "lower"),
        ("code", "code", "1042", "14", "upper"),
    ] {
        row(
            7,
            &[
                "109",
                column,
                "p",
                "deterministic",
                domain,
                "default",
                "k",
                "c",
                type_oid,
                typmod,
                "sealed",
                fold,
            ],
        );
    }
    // A and B.
    row(8, &["lower", "4142", "6162"]);
    row(8, &["upper", "6162", "4142"]);
    let column = |column: &str, mode, domain: &str| ColumnProtection {
        column: column.into(),
        mode,
        domain: domain.into(),
        keyring: "default".into(),
        fold: None,
        computed: false,
    };
    let table = |table: &str, columns| TableProtection {
        policy: "p".into(),
        schema: "public".into(),
        table: table.into(),
        columns,
        profile: None,
    };
    let users = table(
        "users",
        vec![
            column("email", Mode::Deterministic, "email"),
            column("first_name", Mode::Randomized, ""),
        ],
    );
    let profile = Profile {
        owner: ProfileOwner::Pgveil,
        schema: "public".into(),
        table: "user_profile".into(),
        link: "user_id".into(),
        key: "id".into(),
        copies: vec![("email".into(), "encrypted_email".into())],
    };
    let declaration = Declaration {
        tables: vec![
            TableProtection { profile: Some(profile), ..users },
            table("subscribers", vec![column("email", Mode::Deterministic, "email")]),
            table("vault", vec![column("secret", Mode::Deterministic, "vault")]),
            TableProtection {
                profile: Some(Profile {
                    owner: ProfileOwner::Pgveil,
                    schema: "public".into(),
                    table: "member_profile".into(),
                    link: "member_id".into(),
                    key: "id".into(),
                    copies: vec![("email".into(), "encrypted_email".into())],
                }),
                ..table(
                    "members",
                    vec![
                        column("email", Mode::Deterministic, "email"),
                        column("phone", Mode::Randomized, ""),
                    ],
                )
            },
            TableProtection {
                profile: Some(Profile {
                    owner: ProfileOwner::Pgveil,
                    schema: "public".into(),
                    table: "visitor_profile".into(),
                    link: "visitor_id".into(),
                    key: "id".into(),
                    copies: vec![("email".into(), "encrypted_email".into())],
                }),
                ..table("visitors", vec![column("email", Mode::Randomized, "")])
            },
            table(
                "audit_entry",
                vec![ColumnProtection {
                    keyring: "lost".into(),
                    ..column("email", Mode::Randomized, "")
                }],
            ),
            table(
                "accounts",
                [
                    ("login", "account", Fold::Lower),
                    ("mail", "account", Fold::Lower),
                    ("code", "code", Fold::Upper),
                ]
                .map(|(name, domain, fold)| ColumnProtection {
                    fold: Some(fold),
                    ..column(name, Mode::Deterministic, domain)
                })
                .into(),
            ),
        ],
        safe_functions: vec![
            ("public".into(), "purge".into()),
            ("public".into(), "colleagues".into()),
        ],
    };
    for function in &OWN_FUNCTIONS {
        row(3, &["pgveil", function.name, function.body, "2278", "-"]);
    }
    for trigger in expected_triggers(&declaration.tables[3]) {
        row(3, &["pgveil", &trigger.function_name, &trigger.body, "2279", "-"]);
    }
    for trigger in expected_triggers(&declaration.tables[0]) {
        let tgtype = trigger.tgtype.to_string();
        row(
            4,
            &[
                "100",
                &trigger.name,
                "A",
                &tgtype,
                &trigger.function_schema,
                &trigger.function_name,
                &trigger.body,
                "true",
                TRIGGER_CONFIG,
                "false",
                "false",
            ],
        );
    }
    load.finish(&declaration, &settings(), &AnyKey).unwrap()
}
