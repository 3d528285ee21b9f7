//! Policies that trap, loop or want too much memory: the statement is refused, the proxy goes on.

use std::sync::Arc;

use pgveil_policy::Policy;
use pgveil_tests::site::{engine, migrate};
use pgveil_tests::{ROLE, Site, server};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const SCHEMA: &str =
    "CREATE TABLE person (id int PRIMARY KEY, email text); CREATE TABLE other (id int)";

/// A policy that protects `public.person.email` (randomized) and whose `review` is this.
fn policy(review: &str) -> Arc<Policy> {
    // What `declare` returns, laid out by the component model's canonical ABI.
    let text = format!(
        r#"(module
            (import "pgveil:policy/logging@0.1.0" "log" (func $log (param i32 i32 i32)))
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 65536))
            (func $forever (loop (br 0)))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at
                    (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "pgveil:policy/rules@0.1.0#declare")
                (param i32 i32) (result i32) (i32.const 256))
            (func (export "pgveil:policy/rules@0.1.0#review")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                {review})
            (data (i32.const 256) "\00\00\00\00" "\00\02\00\00" "\01\00\00\00")
            (data (i32.const 512)
                "\00\04\00\00" "\06\00\00\00"
                "\10\04\00\00" "\06\00\00\00"
                "\80\02\00\00" "\01\00\00\00"
                "\00\00\00\00")
            (data (i32.const 640)
                "\20\04\00\00" "\05\00\00\00"
                "\01\00\00\00"
                "\00\00\00\00" "\00\00\00\00"
                "\30\04\00\00" "\07\00\00\00")
            (data (i32.const 1024) "public")
            (data (i32.const 1040) "person")
            (data (i32.const 1056) "email")
            (data (i32.const 1072) "default"))"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/wit");
    let (package, _) = resolve.push_path(contract).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let policy = engine().load("bad", &module, &serde_json::json!({}));
    Arc::new(policy.unwrap_or_else(|error| panic!("{error}")))
}

fn refuses(review: &str) {
    let policy = policy(review);
    let database = server().database("bad policy", |template| {
        server().query(template, &format!("SET ROLE {ROLE}; {SCHEMA}"));
        migrate(server(), template, policy.declaration());
    });
    let site = Site::over(database, |options| options.policies = vec![policy])
        .guarding(&["bad@canary.example"]);
    let (mut client, mut other) = (site.connect(), site.connect());
    for sql in ["INSERT INTO person VALUES (1, 'bad@canary.example')", "SELECT email FROM person"] {
        for _ in 0..2 {
            let reply = client.run(sql);
            let error = reply.error().unwrap_or_else(|| panic!("{reply:?}"));
            assert!(error.message().contains("bad"), "the policy is not named: {error:?}");
            assert_eq!(reply.status, 'I');
            // The same session and another one go on.
            assert_eq!(client.run("SELECT count(*) FROM other").value(), "0");
            assert_eq!(other.run("SELECT 1").value(), "1");
        }
    }
    assert_eq!(site.database.value("SELECT count(*) FROM person").as_deref(), Some("0"));
}

#[test]
fn a_policy_that_traps() {
    refuses("unreachable");
}

#[test]
fn a_policy_that_loops() {
    refuses("(call $forever) (i32.const 0)");
}

#[test]
fn a_policy_that_wants_too_much_memory() {
    refuses("(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable");
}

#[test]
fn a_policy_that_answers_nonsense() {
    refuses("(i32.const 131071)");
}
