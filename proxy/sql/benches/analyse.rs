//! What analysing a statement costs, cold, and what the filter costs where nothing is in scope.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use pgveil_sql::{analyse, render};

#[path = "../tests/fixture.rs"]
mod fixture;

fn bench(c: &mut Criterion) {
    let catalog = fixture::catalog();
    let settings = fixture::settings();
    let select = "SELECT u.id, u.email, u.first_name FROM users u WHERE u.email = $1 LIMIT 21";
    let insert = "INSERT INTO users (id, email, first_name, note) VALUES ($1, $2, $3, $4) \
                  RETURNING users.id";
    let literal = "SELECT \"users\".\"id\", \"users\".\"email\", \"users\".\"first_name\", \
                   \"users\".\"note\" FROM \"users\" WHERE \"users\".\"email\" = 'ann@example.org' \
                   LIMIT 21";
    let other = "SELECT \"orders\".\"id\", \"orders\".\"total\", \"orders\".\"placed\" FROM \
                 \"orders\" WHERE (\"orders\".\"customer_id\" = 4711 AND \"orders\".\"total\" > \
                 100.0) ORDER BY \"orders\".\"placed\" DESC LIMIT 50";
    for (name, text) in [("select", select), ("insert", insert), ("literal", literal)] {
        c.bench_function(&format!("analyse {name}"), |b| {
            b.iter(|| analyse(black_box(text), &catalog, &settings, &[]).unwrap());
        });
    }
    let script = analyse(literal, &catalog, &settings, &[]).unwrap();
    c.bench_function("render literal", |b| {
        b.iter(|| {
            render(
                literal,
                &script,
                &|_, _| false,
                &mut |_, _| Ok(String::from("gAAAAA")),
                &mut |_, _| unreachable!(),
            )
        });
    });
    c.bench_function("filter, nothing in scope", |b| {
        b.iter(|| catalog.filter.hit(black_box(other.as_bytes())));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
