//! A Django site (`django/`) with each of its drivers, on a plain database and through pgveil.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pgveil_tests::site::{KEY, migrate, policy};
use pgveil_tests::{Database, ROLE, Site, server};
use serde_json::{Value, json};

const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/django");

/// What the flows enter and no database may see. Each driver has a prefix of its own.
const ENTERED: [&str; 9] = [
    ".allauth@example.com",
    ".dora@example.com",
    ".new@example.com",
    ".o'hara+tag@example.com",
    ".adam@example.com",
    "O'Callaghan-Müller",
    "\\'\"; DROP TABLE",
    "Vorname17",
    "Nach dem Fehler",
];

/// pgveil makes the profile and keeps it; the site's own profile table is its own business.
#[test]
fn with_a_profile_of_pgveils_own() {
    run("pgveil", "sealed_profile", "");
}

/// The site's table has columns that the site does not know of.
#[test]
fn with_the_sites_own_profile() {
    run(
        "application",
        "web_profile",
        "ALTER TABLE web_profile ADD COLUMN encrypted_email text,
             ADD COLUMN encrypted_first_name text, ADD COLUMN encrypted_last_name text",
    );
}

fn run(owner: &str, profile: &str, before: &str) {
    let server = server();
    let plain = server.empty_database().unlogged();
    let protected = server.empty_database();
    // The site migrates itself, directly, before anything is protected.
    for database in [&plain, &protected] {
        manage(&["migrate", "--dsn", &direct(database)]);
    }
    if !before.is_empty() {
        protected.query(&format!("SET ROLE {ROLE}; {before}"));
    }
    let policy = policy(&json!({"tables": [users(owner, profile)]}));
    migrate(server, &protected.name, policy.declaration());
    // Ends with a search for what was entered in all that reached the database.
    let site = Site::over(protected, |options| options.policies = vec![policy]).guarding(&ENTERED);
    compare(&plain, &site, profile);
}

/// From an empty database on, all through pgveil: the migrations of Django and of django-allauth,
/// from nothing to newest, unmodified; then people use the site.
#[test]
fn migrated_through_pgveil() {
    let server = server();
    let plain = server.empty_database().unlogged();
    let protected = server.empty_database();
    let policy = policy(&json!({"tables": [
        users("pgveil", "sealed_profile"),
        {
            "table": "account_emailaddress",
            "columns": [
                {"column": "email", "mode": "deterministic", "domain": "email", "fold": "upper"},
            ],
        },
    ]}));
    migrate(server, &protected.name, policy.declaration());
    let site = Site::over(protected, |options| options.policies = vec![policy]).guarding(&ENTERED);
    let proxy = through(&site);
    for dsn in [&direct(&plain), &proxy] {
        manage_with(&["migrate", "--dsn", dsn], &[("ALLAUTH", "1")]);
    }
    let sealed = "SELECT string_agg(relation::text || '.' || column_name || ' ' || typmod, ', '
        ORDER BY relation::text, column_name) FROM pgveil.columns";
    assert_eq!(
        site.database.value(sealed).as_deref(),
        Some(
            "account_emailaddress.email 258, auth_user.email 258, auth_user.first_name 154, \
             auth_user.last_name 154"
        )
    );
    compare(&plain, &site, "sealed_profile");
    let both = ["--direct", &direct(&plain), "--proxy", &proxy];
    manage_with(&[&["accounts"], &both[..]].concat(), &[("ALLAUTH", "1")]);
    let protected = direct(&site.database);
    let three = ["--plain", &direct(&plain), "--direct", &protected, "--proxy", &proxy];
    manage_with(&[&["introspect"], &three[..]].concat(), &[("ALLAUTH", "1")]);
}

/// The declaration of Django's user table.
fn users(owner: &str, profile: &str) -> Value {
    json!({
        "table": "auth_user",
        "columns": [
            {"column": "email", "mode": "deterministic", "domain": "email", "fold": "upper"},
            {"column": "first_name", "mode": "randomized"},
            {"column": "last_name", "mode": "randomized"},
        ],
        "profile": {
            "owner": owner,
            "table": profile,
            "link": "user_id",
            "key": "id",
            "copies": {
                "email": "encrypted_email",
                "first_name": "encrypted_first_name",
                "last_name": "encrypted_last_name",
            },
        },
    })
}

fn compare(plain: &Database, site: &Site, profile: &str) {
    manage(&[
        "compare",
        "--direct",
        &direct(plain),
        "--proxy",
        &through(site),
        "--database-direct",
        // As superuser: the profile belongs to whoever migrated.
        &site.database.server.cluster.dsn(&site.database.name),
        "--profile",
        profile,
    ]);
}

fn through(site: &Site) -> String {
    format!("postgresql://{ROLE}@{}/{}", site.veil.address, site.database.name)
}

fn direct(database: &Database) -> String {
    format!("postgresql://{ROLE}@{}/{}", database.server.address(), database.name)
}

/// Runs the site's script and shows what it printed if it fails.
fn manage(arguments: &[&str]) {
    manage_with(arguments, &[]);
}

fn manage_with(arguments: &[&str], environment: &[(&str, &str)]) {
    let output = Command::new(python())
        .arg("run.py")
        .args(arguments)
        .current_dir(SITE)
        .env("MESSAGE_ENCRYPTION_KEY", KEY)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .output()
        .expect("Python runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}\n{printed}\n{complained}");
    eprint!("{printed}");
}

/// The interpreter of a virtual environment with what the site needs, made on first use under
/// `target/`. `PGVEIL_PYTHON` names one that has it.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        if let Some(named) = std::env::var_os("PGVEIL_PYTHON") {
            return named.into();
        }
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("django");
        let python = environment.join("bin/python");
        let wanted = fs::read_to_string(Path::new(SITE).join("requirements.txt"))
            .expect("the site has requirements");
        let marker = environment.join("installed.txt");
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
            return python;
        }
        let run = |command: &mut Command| {
            let status = command.status().unwrap_or_else(|error| {
                panic!("{error}: install Python 3.10 or newer with venv, or set PGVEIL_PYTHON")
            });
            assert!(
                status.success(),
                "{command:?} failed: set PGVEIL_PYTHON to an interpreter \
                 that has what clients/django/requirements.txt lists"
            );
        };
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg("requirements.txt")
            .current_dir(SITE));
        fs::write(&marker, wanted).expect("writes the marker");
        python
    })
}
