//! Write a pgveil policy in Rust.
//!
//! A policy is a WASM component that says which columns of which tables are personal data, and,
//! statement by statement, what a session may see of them. pgveil does the rest: it seals values
//! on their way in, opens them on their way out and keeps the keys. A policy never sees a value,
//! a token or a key; it sees names.
//!
//! # A complete policy
//!
//! `Cargo.toml` of a crate beside this one:
//!
//! ```toml
//! [package]
//! name = "newsletter"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! pgveil-sdk = { path = "../sdk" }
//! ```
//!
//! `src/lib.rs`:
//!
//! ```
//! use pgveil_sdk::config::{Errors, Section};
//! use pgveil_sdk::{
//!     ColumnProtection, ConfigErrors, Declaration, Facts, Mode, Policy, Reveal, Session,
//!     TableProtection, Verdict, allow, deny,
//! };
//!
//! /// Seals `newsletter_subscriber.email`; only one role may read it.
//! struct Newsletter {
//!     mailer: String,
//! }
//!
//! impl Policy for Newsletter {
//!     fn configure(config: &str) -> Result<Self, ConfigErrors> {
//!         let document = pgveil_sdk::config::parse(config)?;
//!         let errors = Errors::default();
//!         let root = Section::root(&document, &errors);
//!         let mailer = root.required_string("mailer", "the role that sends the newsletter");
//!         root.finish();
//!         errors.into_result(mailer.map(|mailer| Self { mailer }))
//!     }
//!
//!     fn declare(&self) -> Declaration {
//!         Declaration {
//!             tables: vec![TableProtection {
//!                 schema: "public".into(),
//!                 table: "newsletter_subscriber".into(),
//!                 columns: vec![ColumnProtection {
//!                     column: "email".into(),
//!                     mode: Mode::Deterministic,
//!                     domain: "email".into(),
//!                     keyring: "default".into(),
//!                     fold: None,
//!                     computed: false,
//!                 }],
//!                 profile: None,
//!             }],
//!             safe_functions: Vec::new(),
//!         }
//!     }
//!
//!     fn review(&self, session: &Session, facts: &Facts) -> Verdict {
//!         if facts.verb == "copy" {
//!             return deny("COPY is not allowed here", Some("Use SELECT."));
//!         }
//!         let mailer = session.user == self.mailer;
//!         allow(facts, |_table, _column| {
//!             if mailer { Reveal::Reveal } else { Reveal::Withhold }
//!         })
//!     }
//! }
//!
//! pgveil_sdk::export!(Newsletter);
//!
//! # fn main() {
//! let errors = Newsletter::configure(r#"{"mailr": "post"}"#).err().unwrap();
//! let paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
//! assert_eq!(paths, ["mailer", "mailr"]);
//! let policy = Newsletter::configure(r#"{"mailer": "post"}"#).ok().unwrap();
//! assert_eq!(policy.declare().tables[0].columns[0].column, "email");
//! # }
//! ```
//!
//! Everything above runs on the host, so a policy is tested with `cargo test` like any other
//! crate; [`export!`] does nothing there.
//!
//! # Building
//!
//! `plugins/build <crate>` builds the crate for `wasm32-unknown-unknown`, small, and writes
//! `plugins/<crate>/<crate>.wasm`. It is an ordinary module that carries its contract in a
//! custom section; pgveil makes a component of it when it loads it, so no other tool is needed.
//! Components made by other tools or from other languages load as well: the contract is
//! `plugins/wit/policy.wit`.
//!
//! # What the host holds a policy to
//!
//! - It has no clock, no randomness, no files, no network. It may [`log`].
//! - A new instance is made whenever the host likes; [`Policy::configure`] runs in each. The
//!   same configuration must give the same declaration.
//! - A call that takes too long, takes too much memory or panics refuses the statement; the next
//!   one meets a new instance.
//! - [`Verdict::Allow`] decides about *every* column in the facts, each once. A column without a
//!   decision is a mistake of the policy, and refuses the statement.

#[doc(hidden)]
pub mod bindings;
pub mod config;

pub use bindings::pgveil::policy::types::{
    ColumnFacts, ColumnProtection, ConfigError, Decision, Declaration, Denial, EncryptedCopy,
    Facts, Fold, Mask, Mode, Profile, ProfileOwner, RelationFacts, Reveal, SafeFunction, Session,
    TableProtection, Uses, Verdict,
};
pub use config::ConfigErrors;

/// How much a line of the log matters.
pub use bindings::pgveil::policy::logging::Level;

/// A policy.
pub trait Policy: Sized + 'static {
    /// Reads the configuration: a JSON document, from the `config` table that names the policy
    /// in pgveil's own. Reports every mistake at once, each with its path and what would be
    /// right; [`config`] helps.
    fn configure(config: &str) -> Result<Self, ConfigErrors>;

    /// What the policy protects. The host asks once, and prepares the database for it.
    fn declare(&self) -> Declaration;

    /// Decides about a statement that touches tables that the policy declares.
    fn review(&self, session: &Session, facts: &Facts) -> Verdict;
}

/// Allows the statement, with `reveal`'s answer for each column.
pub fn allow(
    facts: &Facts,
    mut reveal: impl FnMut(&RelationFacts, &ColumnFacts) -> Reveal,
) -> Verdict {
    let columns = facts.relations.iter().flat_map(|t| t.columns.iter().map(move |c| (t, c)));
    Verdict::Allow(
        columns
            .map(|(table, column)| Decision { column: column.id, reveal: reveal(table, column) })
            .collect(),
    )
}

/// Denies the statement: the client gets this message and hint with SQLSTATE 42501.
pub fn deny(message: impl Into<String>, hint: Option<&str>) -> Verdict {
    Verdict::Deny(Denial { message: message.into(), hint: hint.map(str::to_owned) })
}

/// Writes a line to pgveil's log; on the host, to standard error.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    bindings::pgveil::policy::logging::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Makes a [`Policy`] the one that this crate's WASM module exports. Nothing on other targets,
/// so that several policies can be linked into one test.
#[macro_export]
// rustfmt moves the last line of the body.
#[rustfmt::skip]
macro_rules! export {
    ($policy:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unused_qualifications, clippy::pedantic)]
        const _: () = {
            use $crate::bindings::exports::pgveil::policy::rules::Guest;
            use $crate::{ConfigError, Declaration, Facts, Policy, Session, Verdict};

            ::std::thread_local! {
                static POLICY: ::std::cell::RefCell<Option<$policy>> =
                    const { ::std::cell::RefCell::new(None) };
            }

            struct Component;

            impl Guest for Component {
                fn declare(config: String) -> Result<Declaration, Vec<ConfigError>> {
                    let policy =
                        <$policy as Policy>::configure(&config).map_err(|errors| errors.0)?;
                    let declaration = policy.declare();
                    POLICY.with(|kept| *kept.borrow_mut() = Some(policy));
                    Ok(declaration)
                }

                fn review(session: Session, facts: Facts) -> Verdict {
                    POLICY.with(|kept| match &*kept.borrow() {
                        Some(policy) => policy.review(&session, &facts),
                        None => $crate::deny("the policy was asked before it was configured", None),
                    })
                }
            }

            $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
    };
}
