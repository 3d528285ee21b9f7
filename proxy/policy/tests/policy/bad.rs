//! Guests that fail: each failure has its name, and nothing else suffers.

use std::time::{Duration, Instant};

use pgveil_policy::{Engine, Limits, Policy, PolicyError, Verdict};
use serde_json::json;

use super::guests::{guest, module, reviewing, user_profile};
use super::{LIMITS, engine, session, showing};

fn load(wasm: &[u8]) -> Result<Policy, PolicyError> {
    engine().load("bad", wasm, &json!({}))
}

/// The failure of a review.
fn failure(wasm: &[u8]) -> PolicyError {
    let policy = load(wasm).unwrap();
    let mut instance = policy.instance().unwrap();
    let error = instance.review(&session("app"), &showing(&["email"])).unwrap_err();
    assert_eq!(error.sqlstate(), "55000");
    assert!(error.to_string().contains("\"bad\"") && !error.hint().is_empty());
    // The next call meets a fresh instance and fails for the same reason, not another.
    assert_eq!(instance.review(&session("app"), &showing(&["email"])).unwrap_err(), error);
    error
}

fn bad_answer(review: &str, data: &str) -> String {
    match failure(&reviewing(review, data)) {
        PolicyError::BadAnswer { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trap() {
    let error = failure(&reviewing("unreachable", ""));
    assert!(
        matches!(&error, PolicyError::Trapped { reason, .. } if reason.contains("unreachable"))
    );
    assert!(error.detail().is_some());
}

#[test]
fn endless_recursion() {
    let error = failure(&reviewing("(call $deeper (i32.const 0))", ""));
    assert!(matches!(&error, PolicyError::Trapped { reason, .. } if reason.contains("stack")));
}

#[test]
fn a_loop_is_stopped_in_time() {
    let begun = Instant::now();
    let error = failure(&reviewing("(call $forever) (i32.const 0)", ""));
    assert_eq!(error, PolicyError::TimedOut { policy: "bad".to_owned(), limit_ms: 20 });
    // Two calls of 20 ms of CPU time each; the rest is room for a busy machine.
    assert!(begun.elapsed() >= Duration::from_millis(40), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_loop_that_logs_is_stopped_too() {
    let spam = "(loop (call $log (i32.const 2) (i32.const 0) (i32.const 60000)) (br 0)) \
                (i32.const 0)";
    assert!(matches!(failure(&reviewing(spam, "")), PolicyError::TimedOut { .. }));
}

#[test]
fn memory_without_bound() {
    // As an allocator does: ask for more, abort when there is none.
    let greedy = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) \
                  unreachable";
    let error = failure(&reviewing(greedy, ""));
    assert_eq!(error, PolicyError::OutOfMemory { policy: "bad".to_owned(), limit: 16 << 20 });
}

#[test]
fn a_module_that_begins_with_too_much_memory() {
    let mut text = String::from(RAW_GUEST);
    text = text.replace("(memory (export \"memory\") 1)", "(memory (export \"memory\") 2000)");
    let error = load(&module(&text)).unwrap_err();
    assert!(matches!(error, PolicyError::Incompatible { .. }), "{error:?}");
    assert!(error.to_string().contains("memory"), "{error}");
}

#[test]
fn an_unknown_variant() {
    let reason = bad_answer("(i32.const 64)", r#"(data (i32.const 64) "\09")"#);
    assert!(reason.contains("discriminant"), "{reason}");
}

#[test]
fn an_answer_outside_memory() {
    bad_answer("(i32.const -8)", "");
    bad_answer("(i32.const 3)", "");
    // A list of 2^28 decisions.
    bad_answer("(i32.const 64)", r#"(data (i32.const 64) "\01\00\00\00\00\01\00\00\00\00\00\10")"#);
}

#[test]
fn text_that_is_not_utf8() {
    let reason = bad_answer(
        "(i32.const 64)",
        r#"(data (i32.const 64) "\00\00\00\00\00\01\00\00\02\00\00\00") (data (i32.const 256) "\ff\fe")"#,
    );
    assert!(reason.contains("utf-8"), "{reason}");
}

#[test]
fn a_decision_too_few_or_too_many() {
    let allow = |decisions: &str, count: u8| {
        let list =
            format!(r#"(data (i32.const 64) "\01\00\00\00\00\01\00\00\{count:02x}\00\00\00")"#);
        format!(r#"{list} (data (i32.const 256) "{decisions}")"#)
    };
    let zero = r"\00".repeat(24);
    let seven = format!(r"\07{}", r"\00".repeat(23));
    let answer = "(i32.const 64)";
    assert_eq!(bad_answer(answer, &allow("", 0)), "It does not decide about auth_user.email.");
    assert_eq!(
        bad_answer(answer, &allow(&format!("{zero}{zero}"), 2)),
        "It decides twice about column 0."
    );
    assert_eq!(bad_answer(answer, &allow(&seven, 1)), "It decides about column 7, unasked.");
    let good = load(&reviewing(answer, &allow(&zero, 1))).unwrap();
    let verdict = good.instance().unwrap().review(&session("app"), &showing(&["email"])).unwrap();
    assert!(matches!(verdict, Verdict::Allow(columns) if columns.len() == 1));
}

#[test]
fn an_answer_that_the_host_would_have_to_copy_a_thousand_times() {
    // 1,000 decisions, built by a loop, each with a mask of the same 60,000 bytes.
    let review = r"(local $at i32)
        (local.set $at (i32.const 70000))
        (i32.store (i32.const 64) (i32.const 1))
        (i32.store (i32.const 68) (i32.const 70000))
        (i32.store (i32.const 72) (i32.const 1000))
        (loop
            (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 1))
            (i32.store (i32.add (local.get $at) (i32.const 16)) (i32.const 128))
            (i32.store (i32.add (local.get $at) (i32.const 20)) (i32.const 60000))
            (local.set $at (i32.add (local.get $at) (i32.const 24)))
            (br_if 0 (i32.lt_u (local.get $at) (i32.const 94000))))
        (i32.const 64)";
    let reason = bad_answer(review, "");
    assert!(reason.contains("fuel"), "{reason}");
}

#[test]
fn the_clients_message_is_one_line() {
    let data = r#"(data (i32.const 64) "\00\00\00\00\00\01\00\00\04\00\00\00")
                  (data (i32.const 256) "a\0ab\00")"#;
    let policy = load(&reviewing("(i32.const 64)", data)).unwrap();
    let verdict = policy.instance().unwrap().review(&session("app"), &showing(&[])).unwrap();
    assert_eq!(verdict, Verdict::Deny { message: "a b ".to_owned(), hint: None });
}

#[test]
fn a_failed_instance_is_replaced_by_a_fresh_one() {
    // Denies the first time and traps the second: a fresh instance denies again.
    let review = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.gt_u (global.get $calls) (i32.const 1)) (then unreachable))
        (i32.const 64)";
    let policy = load(&reviewing(review, "")).unwrap();
    let mut instance = policy.instance().unwrap();
    let mut other = policy.instance().unwrap();
    let facts = showing(&["email"]);
    for _ in 0..3 {
        assert!(matches!(instance.review(&session("app"), &facts), Ok(Verdict::Deny { .. })));
        assert!(instance.review(&session("app"), &facts).is_err());
    }
    assert!(other.review(&session("app"), &facts).is_ok());
}

#[test]
fn a_looping_policy_does_not_stop_a_good_one() {
    let bad = load(&reviewing("(call $forever) (i32.const 0)", "")).unwrap();
    let config = json!({"tables": [{
        "table": "auth_user", "columns": [{"column": "email", "mode": "deterministic"}]
    }]});
    let good = engine().load("good", user_profile(), &config).unwrap();
    std::thread::scope(|scope| {
        let looping = scope.spawn(|| {
            let mut instance = bad.instance().unwrap();
            (0..10).all(|_| instance.review(&session("app"), &showing(&["email"])).is_err())
        });
        let mut instance = good.instance().unwrap();
        while !looping.is_finished() {
            instance.review(&session("app"), &showing(&["email"])).unwrap();
        }
        assert!(looping.join().unwrap());
    });
}

#[test]
fn failures_while_loading() {
    let declaring = |body: &str, data: &str| load(&guest(body, "unreachable", data)).unwrap_err();
    assert!(matches!(declaring("unreachable", ""), PolicyError::Trapped { .. }));
    assert!(matches!(
        declaring("(i32.const 0)", r#"(data (i32.const 0) "\05")"#),
        PolicyError::BadAnswer { .. }
    ));
    let quick = Limits { declare: Duration::from_millis(50), instances: 4, ..LIMITS };
    let engine = Engine::new(quick).unwrap();
    let endless = guest("(call $forever) (i32.const 0)", "unreachable", "");
    let error = engine.load("bad", &endless, &json!({})).unwrap_err();
    assert_eq!(error, PolicyError::TimedOut { policy: "bad".to_owned(), limit_ms: 50 });
    // Already while it is instantiated.
    assert_eq!(engine.load("bad", &module(RAW_GUEST), &json!({})).unwrap_err(), error);
}

/// Loops while it is instantiated.
const RAW_GUEST: &str = r#"(module
    (memory (export "memory") 1)
    (func $forever (loop (br 0)))
    (start $forever)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "pgveil:policy/rules@0.1.0#declare") (param i32 i32) (result i32) unreachable)
    (func (export "pgveil:policy/rules@0.1.0#review")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        unreachable))"#;

#[test]
fn what_is_no_policy() {
    let reason = |wasm: &[u8]| match load(wasm).unwrap_err() {
        error @ PolicyError::Incompatible { .. } => {
            assert_eq!(error.sqlstate(), "F0000");
            error.to_string()
        }
        other => panic!("{other:?}"),
    };
    assert!(reason(b"").contains("not a WebAssembly file"));
    assert!(reason(b"\x7fELF").contains("not a WebAssembly file"));
    assert!(reason(b"\0asm\x01\0\0\0garbage").contains("no usable contract"));
    assert!(reason(&wat::parse_str("(module)").unwrap()).contains("does not export"));
    assert!(reason(&module("(module)")).contains("no usable contract"));
    assert!(reason(&wat::parse_str("(component)").unwrap()).contains("but nothing"));
    let newer = r#"(component
        (instance $rules)
        (export "pgveil:policy/rules@0.9.0" (instance $rules)))"#;
    assert!(reason(&wat::parse_str(newer).unwrap()).contains("rules@0.9.0"));
    let wasi = r#"(component
        (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64))))))"#;
    assert!(reason(&wat::parse_str(wasi).unwrap()).contains("imports wasi:clocks"));
}

#[test]
fn instances_are_counted() {
    let engine = Engine::new(Limits { instances: 2, ..LIMITS }).unwrap();
    let policy = engine.load("few", &reviewing("unreachable", ""), &json!({})).unwrap();
    let held = (policy.instance().unwrap(), policy.instance().unwrap());
    let error = policy.instance().unwrap_err();
    assert_eq!(error, PolicyError::Exhausted { policy: "few".to_owned(), limit: 2 });
    assert_eq!(error.sqlstate(), "53000");
    drop(held);
    assert!(policy.instance().is_ok());
}
