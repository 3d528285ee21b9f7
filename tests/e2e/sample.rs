//! The sample platform: tables, policy configuration, people.

use pgveil_tests::twin::Mode;
use pgveil_tests::{Database, ROLE, Server, Site, server};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("twin/schema.sql");
const UNIQUE: &str = include_str!("twin/unique.sql");

/// What every personal value of the tests holds.
pub(crate) const CANARIES: [&str; 7] =
    ["canary.example", "Canaryson", "Kanary01", "Kanary02", "Kanary03", "Kanary04", "Kanary07"];

/// The sample platform in a protected database. Addresses are deterministic, names randomized.
pub(crate) fn site() -> Site {
    site_on(server(), Mode::Mixed)
}

pub(crate) fn site_on(server: &'static Server, mode: Mode) -> Site {
    Site::new(server, &format!("sample {mode}"), &schema(mode), &config(mode)).guarding(&CANARIES)
}

/// The same with columns over which pgveil computes.
pub(crate) fn site_computing(server: &'static Server, mode: Mode) -> Site {
    let name = format!("computing {mode}");
    Site::new(server, &name, &schema(mode), &computing(mode)).guarding(&CANARIES)
}

/// Every column computed.
pub(crate) fn computing(mode: Mode) -> Value {
    let mut config = config(mode);
    let tables = config["tables"].as_array_mut().into_iter().flatten();
    for column in tables.flat_map(|table| table["columns"].as_array_mut().into_iter().flatten()) {
        column["computed"] = json!(true);
    }
    config
}

/// The same tables, not protected.
pub(crate) fn plain(server: &'static Server, mode: Mode) -> Database {
    let name = format!("plain {}", mode != Mode::Randomized);
    server
        .database(&name, |template| {
            server.query(template, &format!("SET ROLE {ROLE}; {}", schema(mode)));
        })
        .unlogged()
}

/// A person, by user name; the address and the names follow from it.
pub(crate) fn insert(user: &str) -> String {
    format!(
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, \
         is_staff, is_active, date_joined) VALUES ('!', false, '{user}', '{user} Canaryson', \
         'Canaryson', '{user}@canary.example', false, true, '2024-01-01 00:00:00+00')"
    )
}

pub(crate) fn schema(mode: Mode) -> String {
    let unique = if mode == Mode::Randomized { "" } else { UNIQUE };
    format!("{SCHEMA}\n{unique}")
}

/// The policy's configuration: every personal column, each as the mode has it.
pub(crate) fn config(mode: Mode) -> Value {
    let column = |name: &str, domain: &str| {
        let deterministic = match mode {
            Mode::Deterministic => true,
            Mode::Randomized => false,
            Mode::Mixed => domain == "email",
        };
        if deterministic {
            json!({ "column": name, "mode": "deterministic", "domain": domain })
        } else {
            json!({ "column": name, "mode": "randomized" })
        }
    };
    let mut config = json!({ "tables": [
        {
            "table": "auth_user",
            "columns": [
                column("email", "email"),
                column("first_name", "name"),
                column("last_name", "name"),
            ],
            "profile": {
                "table": "web_profile",
                "link": "user_id",
                "key": "id",
                "copies": {
                    "email": "encrypted_email",
                    "first_name": "encrypted_first_name",
                    "last_name": "encrypted_last_name",
                },
            },
        },
        {
            "table": "contact",
            "columns": [
                column("email", "email"),
                column("phone", "phone"),
                column("code", "code"),
                column("nick", "nick"),
            ],
        },
        { "table": "newsletter_subscriber", "columns": [column("email", "email")] },
    ] });
    if mode == Mode::Deterministic {
        let folding = |name: &str, domain: &str, fold: &str| json!({ "column": name, "mode": "deterministic", "domain": domain, "fold": fold });
        // Made by the file that is about it.
        let member = json!({ "table": "member", "columns": [
            folding("login", "login", "lower"),
            folding("mail", "login", "lower"),
            folding("code", "login code", "upper"),
        ] });
        config["tables"].as_array_mut().unwrap().push(member);
    }
    config
}
