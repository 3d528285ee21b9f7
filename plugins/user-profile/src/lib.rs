//! Policy: user tables whose personal columns are sealed, with an encrypted profile beside them
//! if wanted, and rules on who sees what.
//!
//! It knows no table by itself; everything comes from its configuration:
//!
//! ```toml
//! safe_functions = ["public.purge_users"]   # optional: see `safe-function` in the contract
//!
//! [[tables]]
//! schema = "public"                 # default
//! table = "auth_user"
//! columns = [
//!     # With fold, lower(email) = lower($1) is answered, too, and can be unique. With computed,
//!     # LIKE, ranges and functions in conditions are. Both are optional.
//!     { column = "email", mode = "deterministic", domain = "email", fold = "lower", computed = true },
//!     { column = "first_name", mode = "randomized" },
//!     { column = "last_name", mode = "randomized", keyring = "names" },   # default: "default"
//! ]
//!
//! [tables.profile]                  # optional: a one-to-one table with encrypted copies
//! owner = "pgveil"                  # default; or "application"
//! schema = "public"                 # default: the table's own
//! table = "auth_user_profile"
//! link = "user_id"                  # the profile's column ...
//! key = "id"                        # ... and the table's column that it refers to
//! copies = { email = "encrypted_email", first_name = "encrypted_first_name" }
//!
//! [[sessions]]
//! user = "reporting"                # a text or a list; also role, database, application_name
//! columns = ["email"]               # email, auth_user.email or public.auth_user.email
//! reveal = "mask"                   # or "reveal", "withhold", "deny"
//! keep_first = 1                    # for "mask"; defaults: 1, 0 and "***"
//! keep_last = 0
//! with = "***"
//! ```
//!
//! For each column of a statement the first rule counts that matches the session (all of its
//! criteria; one without criteria matches everybody) and the column (all columns, if none are
//! named). Without a rule a column is revealed.
//!
//! `mask` and `withhold` change what the session reads, not what it may compare with: somebody
//! who may write `WHERE email = ...` can test a guess. `deny` refuses every statement that uses
//! the column in any way. `user` is the role that logged in; `role` is what `SET ROLE` chose, so
//! the session can change it, and `application_name` is whatever the client says.

mod config;
mod rules;

use pgveil_sdk::{ConfigErrors, Declaration, Facts, Policy, Session, Verdict};

use rules::Rule;

/// The policy; see the crate's documentation.
#[derive(Debug)]
pub struct UserProfile {
    declaration: Declaration,
    /// In the order written: the first that matches counts.
    rules: Vec<Rule>,
}

impl Policy for UserProfile {
    fn configure(config: &str) -> Result<Self, ConfigErrors> {
        let (declaration, rules) = config::read(config)?;
        Ok(Self { declaration, rules })
    }

    fn declare(&self) -> Declaration {
        self.declaration.clone()
    }

    fn review(&self, session: &Session, facts: &Facts) -> Verdict {
        rules::review(&self.rules, session, facts)
    }
}

pgveil_sdk::export!(UserProfile);
