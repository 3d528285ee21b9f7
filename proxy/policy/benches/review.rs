//! What a policy costs: a fresh instance, a review of a statement with five columns, a verdict
//! that is kept, loading.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pgveil_policy::{Engine, Limits, Policies, Reviewer, SessionFacts};
use pgveil_sql::catalog::ColumnId;
use pgveil_sql::plan::{ColumnFacts, Facts, RelationFacts, Uses};
use serde_json::json;

const COLUMNS: [&str; 5] = ["email", "first_name", "last_name", "phone", "username"];

fn review(c: &mut Criterion) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../plugins/user-profile/user_profile.wasm");
    let wasm = std::fs::read(path).expect("the committed policy");
    let columns: Vec<_> =
        COLUMNS.iter().map(|c| json!({"column": c, "mode": "randomized"})).collect();
    let config = json!({
        "tables": [{"table": "auth_user", "columns": columns}],
        "sessions": [{"user": "reporting", "columns": ["email"], "reveal": "mask"}],
    });
    let limits = Limits { declare: Duration::from_secs(1), ..Limits::default() };
    let engine = Engine::new(limits).expect("an engine");
    let policy = Arc::new(engine.load("people", &wasm, &config).expect("the policy loads"));

    let session = SessionFacts {
        user: "reporting".to_owned(),
        role: "reporting".to_owned(),
        database: "web".to_owned(),
        application_name: "psql".to_owned(),
        client_address: String::new(),
    };
    let columns = COLUMNS.iter().zip(0..).map(|(column, id)| ColumnFacts {
        id: ColumnId(id),
        column: (*column).to_owned(),
        uses: Uses { output: true, ..Uses::default() },
    });
    let facts = Facts {
        verb: "select",
        relations: vec![RelationFacts {
            schema: "public".to_owned(),
            table: "auth_user".to_owned(),
            columns: columns.collect(),
        }],
    };

    c.bench_function("fresh instance", |b| b.iter(|| policy.instance().expect("an instance")));
    let mut instance = policy.instance().expect("an instance");
    c.bench_function("review of five columns", |b| {
        b.iter(|| black_box(instance.review(&session, &facts).expect("a verdict")));
    });
    let policies = Arc::new(Policies::new(vec![Arc::clone(&policy)]).expect("one policy"));
    let mut reviewer = Reviewer::new(policies);
    c.bench_function("verdict that is kept", |b| {
        b.iter(|| black_box(reviewer.review(&session, &facts).expect("a verdict")));
    });
    c.bench_function("load", |b| {
        b.iter(|| engine.load("people", &wasm, &config).expect("the policy loads"));
    });
}

criterion_group!(benches, review);
criterion_main!(benches);
