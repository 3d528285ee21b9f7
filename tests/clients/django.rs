//! A Django site (`django/`) with each of its drivers, on a plain database and through pgveil.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use pgveil::cli::{ApplyArgs, MigrateArgs};
use pgveil::config::Config;
use pgveil::{listen, migrate, serve, wiring};
use pgveil_tests::{Canaries, Database, ROLE, Relay, server};
use tokio::sync::oneshot;

const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/django");
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

/// What the flows enter and no database may see. Each driver has a prefix of its own.
const ENTERED: [&str; 8] = [
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
    let plain = server().empty_database().unlogged();
    let protected = server().empty_database();
    // The site migrates itself, directly, before anything is protected.
    for database in [&plain, &protected] {
        site(&["migrate", "--dsn", &direct(database)]);
    }
    if !before.is_empty() {
        protected.query(&format!("SET ROLE {ROLE}; {before}"));
    }
    let relay = Relay::start(server().address());
    let directory = tempfile::tempdir().expect("a directory");
    let config = configuration(directory.path(), &relay, owner, profile);
    let dsn = direct(&protected);
    let args = ApplyArgs { migrate: MigrateArgs { config: config.clone(), dsn }, yes: true };
    migrate::apply(&args).unwrap_or_else(|failure| panic!("{failure}"));

    let proxy = Proxy::start(&config);
    site(&[
        "compare",
        "--direct",
        &direct(&plain),
        "--proxy",
        &format!("postgresql://{ROLE}@{}/{}", proxy.address, protected.name),
        "--database-direct",
        &direct(&protected),
        "--profile",
        profile,
    ]);
    let canaries = Canaries::new().with(&ENTERED);
    relay.assert_clean(&canaries);
    protected.assert_clean(&canaries);
}

fn direct(database: &Database) -> String {
    format!("postgresql://{ROLE}@{}/{}", database.server.address(), database.name)
}

fn configuration(directory: &Path, relay: &Relay, owner: &str, profile: &str) -> PathBuf {
    // The component that was built last, where somebody names one; else the committed one.
    let component = std::env::var("PGVEIL_USER_PROFILE_WASM").map_or_else(
        |_| "builtin = \"user-profile\"".to_owned(),
        |path| format!("component = {path:?}"),
    );
    fs::write(directory.join("key"), KEY).expect("writes the key");
    let config = directory.join("pgveil.toml");
    let text = format!(
        r#"
listen = "127.0.0.1:0"
server.address = "{address}"
keys.default.file = "key"

[[policy]]
name = "people"
{component}

[[policy.config.tables]]
table = "auth_user"
columns = [
    {{ column = "email", mode = "deterministic", domain = "email" }},
    {{ column = "first_name", mode = "randomized" }},
    {{ column = "last_name", mode = "randomized" }},
]

[policy.config.tables.profile]
owner = "{owner}"
table = "{profile}"
link = "user_id"
key = "id"
copies.email = "encrypted_email"
copies.first_name = "encrypted_first_name"
copies.last_name = "encrypted_last_name"
"#,
        address = relay.address()
    );
    fs::write(&config, text).expect("writes the configuration");
    config
}

/// A proxy on a thread of its own; dropping it ends it.
struct Proxy {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Proxy {
    fn start(config: &Path) -> Self {
        let config = Config::read(config).unwrap_or_else(|error| panic!("{error}"));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let wiring = wiring::wire(&config).unwrap_or_else(|error| panic!("{error}"));
                let listening = listen::bind(&config.listen, config.unix_socket_permissions).await;
                let listening = listening.unwrap_or_else(|failure| panic!("{failure}"));
                let proxy = serve::proxy(wiring, &config.limits);
                let proxy = proxy.unwrap_or_else(|failure| panic!("{failure}"));
                tell.send(listening.addresses[0].clone()).expect("somebody waits");
                let shutdown = async { drop(stopped.await) };
                proxy.run(listening.listeners, shutdown).await.expect("serves");
            });
        });
        let address = told.recv().expect("the proxy starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the proxy panicked");
        }
    }
}

/// Runs the site's script and shows what it printed if it fails.
fn site(arguments: &[&str]) {
    let output = Command::new(python())
        .arg("run.py")
        .args(arguments)
        .current_dir(SITE)
        .env("MESSAGE_ENCRYPTION_KEY", KEY)
        .env("PYTHONDONTWRITEBYTECODE", "1")
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
            assert!(status.success(), "{command:?} failed: set PGVEIL_PYTHON to an interpreter \
                 that has what clients/django/requirements.txt lists");
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
