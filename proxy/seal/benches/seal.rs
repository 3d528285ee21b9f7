//! What sealing and opening a value of 30 bytes cost, beside the `fernet` crate doing the same.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fernet::Fernet;
use pgveil_seal::{FernetKey, Keyring, Opener, Sealer, keygen};

const VALUE: &[u8; 30] = b"annabelle.miller@example.co.uk";

fn seal(c: &mut Criterion) {
    let text = keygen();
    let Ok(key) = FernetKey::parse(&text) else { unreachable!("keygen makes keys") };
    let mut group = c.benchmark_group("seal");
    let mut out = Vec::new();
    for (name, sealer) in [
        ("deterministic", Sealer::deterministic(&key, "email")),
        ("randomized", Sealer::randomized(&key)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                sealer.seal_into(black_box(VALUE), &mut out).is_ok()
            });
        });
    }
    let Some(fernet) = Fernet::new(&text) else { unreachable!("keygen makes keys") };
    group.bench_function("fernet crate", |b| b.iter(|| fernet.encrypt(black_box(VALUE))));
}

fn open(c: &mut Criterion) {
    let text = keygen();
    let Ok(ring) = Keyring::parse(&text) else { unreachable!("keygen makes keys") };
    let Ok(rotated) = Keyring::parse(&format!("{},{}", *keygen(), *text)) else {
        unreachable!("keygen makes keys")
    };
    let Some(fernet) = Fernet::new(&text) else { unreachable!("keygen makes keys") };
    let token = fernet.encrypt(VALUE);
    let mut group = c.benchmark_group("open");
    let mut out = Vec::new();
    for (name, opener) in
        [("primary key", Opener::new(&ring)), ("second key", Opener::new(&rotated))]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                opener.open_into(black_box(token.as_bytes()), &mut out).is_ok()
            });
        });
    }
    group.bench_function("fernet crate", |b| b.iter(|| fernet.decrypt(black_box(&token))));
    let opener = Opener::new(&ring);
    group.bench_function("is_own_token, ordinary value", |b| {
        b.iter(|| opener.is_own_token(black_box(VALUE)));
    });
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
