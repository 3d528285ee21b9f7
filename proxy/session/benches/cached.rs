//! What a statement costs that was analysed before, and how many allocations it takes.

#![allow(clippy::unwrap_used, missing_docs)]
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use pgveil_session::measured::AnalysisCache;

#[path = "../../sql/tests/fixture.rs"]
mod fixture;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn bench(c: &mut Criterion) {
    let cache = AnalysisCache::new(fixture::catalog(), fixture::settings());
    let texts = [
        (
            "parameters",
            "SELECT u.id, u.email, u.first_name FROM users u WHERE u.email = $1 LIMIT 21",
        ),
        (
            "literals",
            "SELECT u.id, u.email FROM users u WHERE u.email = 'ann@example.org' LIMIT 21",
        ),
    ];
    for (name, text) in texts {
        // Analysed, met again, and kept.
        for _ in 0..3 {
            assert!(cache.analyse(text));
        }
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        assert!(cache.analyse(black_box(text)));
        println!("{name}: {} allocations", ALLOCATIONS.load(Ordering::Relaxed) - before);
        c.bench_function(&format!("analysed before, with {name}"), |b| {
            b.iter(|| cache.analyse(black_box(text)));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
