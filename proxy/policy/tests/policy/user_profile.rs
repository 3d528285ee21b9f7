//! The committed policy, end to end.

use std::sync::Arc;

use pgveil_policy::{Mask, Policies, Policy, PolicyError, Reveal, Reviewer, Verdict};
use pgveil_seal::Mode;
use pgveil_sql::catalog::ColumnId;
use pgveil_sql::plan::Facts;
use pgveil_sql::protection::ProfileOwner;
use serde_json::{Value, json};

use super::guests::user_profile;
use super::{engine, session, showing};

fn config() -> Value {
    json!({
        "tables": [{
            "table": "auth_user",
            "columns": [
                {"column": "email", "mode": "deterministic", "domain": "email"},
                {"column": "username", "mode": "deterministic"},
                {"column": "first_name", "mode": "randomized", "keyring": "names"},
            ],
            "profile": {
                "table": "auth_user_profile", "link": "user_id", "key": "id",
                "copies": {"email": "encrypted_email", "first_name": "encrypted_first_name"},
            },
        }],
        "sessions": [
            {"user": "intern", "columns": ["first_name"], "reveal": "deny"},
            {"user": "reporting", "columns": ["email"], "reveal": "mask", "keep_last": 4},
            {"user": ["reporting", "intern"], "reveal": "withhold"},
        ],
    })
}

fn load(config: &Value) -> Result<Policy, PolicyError> {
    engine().load("people", user_profile(), config)
}

#[test]
fn it_declares_what_it_is_configured_with() {
    let policy = load(&config()).unwrap();
    assert_eq!(policy.name(), "people");
    assert_eq!(policy.digest().len(), 64);
    let [table] = policy.declaration().tables.as_slice() else { panic!("one table") };
    assert_eq!((&*table.policy, &*table.schema, &*table.table), ("people", "public", "auth_user"));
    let columns: Vec<_> =
        table.columns.iter().map(|c| (&*c.column, c.mode, &*c.domain, &*c.keyring)).collect();
    assert_eq!(
        columns,
        [
            ("email", Mode::Deterministic, "email", "default"),
            ("username", Mode::Deterministic, "public.auth_user.username", "default"),
            ("first_name", Mode::Randomized, "", "names"),
        ]
    );
    let profile = table.profile.as_ref().unwrap();
    assert_eq!(profile.owner, ProfileOwner::Pgveil);
    assert_eq!((&*profile.schema, &*profile.table), ("public", "auth_user_profile"));
    assert_eq!((&*profile.link, &*profile.key), ("user_id", "id"));
    assert_eq!(profile.copies[0], ("email".to_owned(), "encrypted_email".to_owned()));
}

#[test]
fn the_recorded_digest_is_that_of_the_file() {
    let file = include_bytes!("../../../../plugins/user-profile/user_profile.wasm");
    let record = include_str!("../../../../plugins/user-profile/user_profile.wasm.toml");
    let digest = engine().load("people", file, &config()).unwrap().digest().to_owned();
    assert!(record.contains(&format!("sha256 = \"{digest}\"")), "{digest}\n{record}");
}

#[test]
fn the_first_matching_rule_counts() {
    let policy = load(&config()).unwrap();
    let mut instance = policy.instance().unwrap();
    let mut reveals = |user: &str, columns: &[&str]| match instance
        .review(&session(user), &showing(columns))
        .unwrap()
    {
        Verdict::Allow(columns) => columns,
        Verdict::Deny { message, .. } => panic!("{message}"),
    };
    assert_eq!(
        reveals("app", &["email", "first_name"]),
        [(ColumnId(0), Reveal::Reveal), (ColumnId(1), Reveal::Reveal)]
    );
    let mask = Mask { keep_first: 1, keep_last: 4, with: "***".to_owned() };
    assert_eq!(
        reveals("reporting", &["email", "first_name"]),
        [(ColumnId(0), Reveal::Mask(mask)), (ColumnId(1), Reveal::Withhold)]
    );
    assert_eq!(reveals("intern", &["email"]), [(ColumnId(0), Reveal::Withhold)]);
    let verdict = instance.review(&session("intern"), &showing(&["email", "first_name"])).unwrap();
    let Verdict::Deny { message, hint } = verdict else { panic!("{verdict:?}") };
    assert_eq!(message, "permission denied for protected column public.auth_user.first_name");
    assert!(hint.is_some());
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mut config = config();
    config["tables"][0]["columns"][1]["mode"] = json!("fast");
    config["tables"][0]["profile"]["copies"]["phone"] = json!("encrypted_phone");
    config["sessions"][0]["columns"] = json!(["surname"]);
    config["session"] = json!([]);
    let Err(PolicyError::BadConfig { mistakes, .. }) = load(&config) else { panic!("loaded") };
    let paths: Vec<_> = mistakes.iter().map(|mistake| &*mistake.path).collect();
    assert_eq!(
        paths,
        [
            "tables[0].columns[1].mode",
            "tables[0].profile.copies.phone",
            "sessions[0].columns",
            "session",
        ]
    );
}

#[test]
fn a_reviewer_asks_each_policy_about_its_own_tables() {
    let people = Arc::new(load(&config()).unwrap());
    let other = json!({
        "tables": [{"table": "subscriber", "columns": [{"column": "email", "mode": "randomized"}]}],
        "sessions": [{"reveal": "withhold"}],
    });
    let other = Arc::new(engine().load("other", user_profile(), &other).unwrap());
    let policies = Arc::new(Policies::new(vec![Arc::clone(&people), other]).unwrap());
    assert_eq!(policies.declaration().tables.len(), 2);
    assert_eq!(policies.iter().map(Policy::name).collect::<Vec<_>>(), ["people", "other"]);

    let mut facts = showing(&["email"]);
    let mut second = facts.relations[0].clone();
    second.table = "subscriber".to_owned();
    second.columns[0].id = ColumnId(9);
    facts.relations.push(second);
    let mut reviewer = Reviewer::new(Arc::clone(&policies));
    let verdict = reviewer.review(&session("app"), &facts).unwrap();
    assert_eq!(
        *verdict,
        Verdict::Allow(vec![(ColumnId(0), Reveal::Reveal), (ColumnId(9), Reveal::Withhold)])
    );
    // Kept for this session, not for another.
    assert!(Arc::ptr_eq(&verdict, &reviewer.review(&session("app"), &facts).unwrap()));
    assert_ne!(verdict, reviewer.review(&session("reporting"), &facts).unwrap());

    let unknown = Facts { verb: "select", relations: vec![facts.relations[0].clone()] };
    let mut unknown = unknown;
    unknown.relations[0].table = "nobodys".to_owned();
    assert!(matches!(
        reviewer.review(&session("app"), &unknown),
        Err(PolicyError::Undeclared { .. })
    ));

    let Err(PolicyError::Conflict { mistakes }) = Policies::new(vec![Arc::clone(&people), people])
    else {
        panic!("a table of two policies")
    };
    assert_eq!(mistakes[0].message, "public.auth_user is declared twice");
}
