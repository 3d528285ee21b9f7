//! The host checks declarations itself: a policy's own checks are its author's business. The
//! policy here is `user-profile`, which lets through what only the host knows.

use pgveil_policy::PolicyError;
use serde_json::{Value, json};

use super::engine;
use super::guests::user_profile;

/// `path: message` of every mistake.
fn mistakes(tables: &Value) -> Vec<String> {
    match engine().load("people", user_profile(), &json!({"tables": tables})) {
        Err(PolicyError::BadDeclaration { mistakes, .. }) => {
            mistakes.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_that_no_server_has() {
    let found = mistakes(&json!([{
        "schema": "pgveil",
        "table": "a\0b",
        "columns": [
            {"column": "x".repeat(64), "mode": "randomized"},
            {"column": "email", "mode": "deterministic", "domain": "a\nb"},
        ],
    }]));
    assert_eq!(
        found,
        [
            "tables[0].table: must not contain the character U+0000",
            "tables[0].schema: tables of pgveil cannot be protected",
            "tables[0].columns[0].column: xxxxxxxxxxxxxxxxxxxx... is longer than 63 bytes",
            "tables[0].columns[1].domain: must not be empty nor contain control characters",
        ]
    );
}

#[test]
fn profiles_that_cannot_be() {
    let profile = |schema: &str, table: &str| {
        json!({
            "schema": schema, "table": table, "link": "user_id", "key": "id",
            "copies": {"email": "phone"},
        })
    };
    let email = json!([{"column": "email", "mode": "deterministic"}]);
    let found = mistakes(&json!([
        {"table": "a", "columns": email, "profile": profile("public", "a")},
        {"table": "b", "columns": email, "profile": profile("public", "d")},
        {"table": "c", "columns": [
            {"column": "email", "mode": "randomized"}, {"column": "id", "mode": "randomized"},
        ], "profile": profile("public", "d")},
        {"table": "d", "columns": [{"column": "phone", "mode": "randomized"}]},
    ]));
    assert_eq!(
        found,
        [
            "tables[0].profile.table: a profile is another table than the protected one",
            "tables[2].profile.key: id is protected itself; the key must be a plain column",
            "tables[1].profile.table: public.d is a protected table; pgveil's own must be a new one",
            "tables[1].profile.copies[0].into: public.d.phone is protected itself: it cannot \
             receive copies",
            "tables[2].profile.table: public.d is a profile of another table",
            "tables[2].profile.table: public.d is a protected table; pgveil's own must be a new one",
            "tables[2].profile.copies[0].into: public.d.phone is protected itself: it cannot \
             receive copies",
        ]
    );
}

#[test]
fn columns_of_a_domain_fold_alike_and_randomized_ones_not_at_all() {
    let column = |name: &str, domain: &str, fold: &str| json!({"column": name, "mode": "deterministic", "domain": domain, "fold": fold});
    let found = mistakes(&json!([
        {"table": "a", "columns": [column("x", "d", "lower"), column("y", "d", "upper")]},
        {"table": "b", "columns": [
            {"column": "x", "mode": "deterministic", "domain": "d"}, column("y", "e", "upper"),
        ]},
    ]));
    assert_eq!(
        found,
        [
            "tables[0].columns[1].fold: public.a.y and public.a.x are of one domain, \"d\": they \
             fold alike, or not at all",
            "tables[1].columns[0].fold: public.b.x and public.a.x are of one domain, \"d\": they \
             fold alike, or not at all",
        ]
    );
}
