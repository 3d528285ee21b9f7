//! Small guests in WebAssembly text, and the good one.

use std::path::PathBuf;
use std::sync::LazyLock;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The policy of `plugins/user-profile`: `PGVEIL_USER_PROFILE_WASM`, else the committed file.
pub(crate) fn user_profile() -> &'static [u8] {
    static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let path = std::env::var_os("PGVEIL_USER_PROFILE_WASM").map_or_else(
            || {
                PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                    .join("../../plugins/user-profile/user_profile.wasm")
            },
            PathBuf::from,
        );
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    });
    &WASM
}

/// A guest whose functions have these bodies. Each returns the address of its answer; memory is
/// zero up to 64 KiB except for `data`, and a `declare` that returns 0 declares nothing.
pub(crate) fn guest(declare: &str, review: &str, data: &str) -> Vec<u8> {
    module(&format!(
        r#"(module
            (import "pgveil:policy/logging@0.1.0" "log" (func $log (param i32 i32 i32)))
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 65536))
            (global $calls (mut i32) (i32.const 0))
            (func $forever (loop (br 0)))
            (func $deeper (param i32) (result i32)
                (i32.add (call $deeper (local.get 0)) (i32.const 1)))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at
                    (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "pgveil:policy/rules@0.1.0#declare")
                (param i32 i32) (result i32) {declare})
            (func (export "pgveil:policy/rules@0.1.0#review")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                {review})
            {data})"#
    ))
}

/// A guest that reviews badly.
pub(crate) fn reviewing(review: &str, data: &str) -> Vec<u8> {
    guest("(i32.const 0)", review, data)
}

/// A core module with the contract in its custom section.
pub(crate) fn module(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/wit");
    let (package, _) = resolve.push_path(contract).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    module
}
