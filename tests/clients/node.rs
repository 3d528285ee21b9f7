//! What mappers for Node read a schema with (`node/`), directly and through pgveil.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pgveil_tests::twin::Mode;
use pgveil_tests::{ROLE, servers};

use crate::sample;

const SCRIPT: &str = include_str!("node/introspect.mjs");
const PACKAGES: &str = include_str!("node/package.json");

/// TypeORM, Sequelize, Knex, Kysely and drizzle-kit find the same, and the physical types.
#[test]
fn introspection() {
    for server in servers() {
        let site = sample::site_on(server, Mode::Mixed);
        let dsn = |address| format!("postgresql://{ROLE}@{address}/{}", site.database.name);
        let direct = introspect(&dsn(server.address()));
        let through = introspect(&dsn(site.veil.address));
        assert_eq!(direct, through);
        for found in
            ["auth_user", "pgveil_guard_email", "user_card", "firstName: text(\"first_name\")"]
        {
            assert!(direct.contains(&found.replace('"', "\\\"")), "{found} is not in {direct}");
        }
    }
}

fn introspect(dsn: &str) -> String {
    let output = Command::new("node").arg(environment().join("introspect.mjs")).arg(dsn).output();
    let output = output.expect("node runs: install Node 20 or newer with npm");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A directory under `target/` with the script and what it needs, made on first use.
fn environment() -> &'static Path {
    static ENVIRONMENT: OnceLock<PathBuf> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
        fs::create_dir_all(&environment).expect("makes the directory");
        fs::write(environment.join("introspect.mjs"), SCRIPT).expect("writes the script");
        let marker = environment.join("installed.json");
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == PACKAGES) {
            return environment;
        }
        fs::write(environment.join("package.json"), PACKAGES).expect("writes the packages");
        let status = Command::new("npm")
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&environment)
            .status()
            .unwrap_or_else(|error| panic!("{error}: install Node 20 or newer with npm"));
        assert!(status.success(), "npm install failed");
        fs::write(&marker, PACKAGES).expect("writes the marker");
        environment
    })
}
