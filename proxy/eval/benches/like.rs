//! LIKE and its relatives over 100,000 values.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgveil_eval::{Collation, Comparison, Definition, Expr, Function, Program, Provider, Type};
use std::hint::black_box;

const VALUES: usize = 100_000;

/// Addresses as people have them, one in a hundred with a letter beyond ASCII.
fn values() -> Vec<String> {
    let names = ["smith", "Johnson", "garcia", "Nguyen", "ivanova", "okafor", "lee", "müller"];
    let mut random = fastrand::Rng::with_seed(6);
    (0..VALUES)
        .map(|index| {
            let place = if random.u8(..100) == 0 { 7 } else { random.usize(..7) };
            format!("{}.{index}@example{}.org", names[place], index % 97)
        })
        .collect()
}

fn call(function: Function, collation: &Collation) -> Expr {
    Expr::Call { function, args: vec![Expr::Column(0)], collation: collation.clone() }
}

fn like(value: Expr, pattern: &str, ignores_case: bool, collation: &Collation) -> Expr {
    Expr::Like {
        negated: false,
        ignores_case,
        value: Box::new(value),
        pattern: Box::new(Expr::Text(pattern.to_owned())),
        escape: None,
        collation: collation.clone(),
    }
}

fn evaluate(criterion: &mut Criterion) {
    let values = values();
    let provider = Provider::Libc { collate: "C.UTF-8".into(), ctype: "C.UTF-8".into() };
    let collation = Collation::new(&Definition { provider, deterministic: true })
        .unwrap_or_else(|error| panic!("{error}"));
    let less = Expr::Compare {
        comparison: Comparison::Less,
        left: Box::new(Expr::Column(0)),
        right: Box::new(Expr::Text("m".into())),
        collation: collation.clone(),
    };
    let upper = call(Function::Upper, &collation);
    let mut group = criterion.benchmark_group("100,000 values");
    group.throughput(Throughput::Elements(VALUES as u64)).sample_size(20);
    for (name, expr) in [
        ("LIKE '%smith%'", like(Expr::Column(0), "%smith%", false, &collation)),
        ("LIKE 'smith%'", like(Expr::Column(0), "smith%", false, &collation)),
        ("LIKE '%s_ith%9@%'", like(Expr::Column(0), "%s_ith%9@%", false, &collation)),
        ("ILIKE '%Smith%'", like(Expr::Column(0), "%Smith%", true, &collation)),
        ("upper() LIKE '%SMITH%'", like(upper, "%SMITH%", false, &collation)),
        ("< 'm'", less),
    ] {
        let program = Program::new(&expr, &[Type::Text]).unwrap_or_else(|error| panic!("{error}"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let values = black_box(&values).iter().map(|value| Some(value.as_str()));
                program.partition(values).matched.len()
            });
        });
    }
    group.bench_function("ORDER BY", |bencher| {
        bencher.iter_with_setup(
            || values.iter().map(String::as_str).collect::<Vec<_>>(),
            |mut values| {
                collation.sort(&mut values, |value| value);
                values
            },
        );
    });
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
