//! What `wit-bindgen` makes of the contract. Used through the crate's root, and by
//! [`export!`](crate::export).

// Generated code: it calls the canonical ABI, and has no docs where the contract has none.
#![allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)]

wit_bindgen::generate!({
    path: "../wit",
    world: "policy",
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "pgveil_sdk::bindings",
});
