//! What wasmtime makes of the contract, `plugins/wit/policy.wit`.

// Generated code: it implements wasmtime's unsafe traits.
#![allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../../plugins/wit",
    world: "policy",
});
