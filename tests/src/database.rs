//! One server per test binary and PostgreSQL version, one database per test.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use pgveil_sandbox::{Binaries, Cluster};

use crate::Canaries;

/// The role that owns the tables and connects, as applications do: no superuser.
pub const ROLE: &str = "app";

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// The sandbox's.
    pub cluster: Cluster,
    /// Databases made from a recipe, by the recipe's name; copied for each test.
    templates: Mutex<HashMap<String, Arc<OnceLock<String>>>>,
}

/// The server that most tests run on: this machine's, else the wheel's.
pub fn server() -> &'static Server {
    of(Binaries::find().unwrap_or_else(|error| panic!("{error}")))
}

/// A server of each version at hand, for the tests that run on all.
pub fn servers() -> Vec<&'static Server> {
    let all = Binaries::all().unwrap_or_else(|error| panic!("{error}"));
    all.into_iter().map(of).collect()
}

/// The running server with these programs; started when it is first asked for. The sandbox stops
/// it when the process ends.
fn of(binaries: Binaries) -> &'static Server {
    static RUNNING: Mutex<Vec<&'static Server>> = Mutex::new(Vec::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = running.iter().find(|server| server.cluster.binaries() == &binaries) {
        return server;
    }
    let server: &'static Server = Box::leak(Box::new(Server::start(binaries)));
    running.push(server);
    server
}

impl Server {
    fn start(binaries: Binaries) -> Self {
        eprintln!("tests run on {binaries}");
        let cluster = Cluster::builder()
            .binaries(binaries)
            .volatile()
            // What is logged is searched for canaries, so log all there is.
            .setting("log_statement", "all")
            .setting("log_parameter_max_length_on_error", "-1")
            .setting("log_line_prefix", "%d %p ")
            .setting("max_connections", "200")
            .start()
            .unwrap_or_else(|error| panic!("{error}"));
        query(&cluster, "postgres", &format!("CREATE ROLE {ROLE} LOGIN"));
        Self { cluster, templates: Mutex::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.cluster.host().parse().expect("an address"), self.cluster.port())
    }

    /// Runs a statement string as superuser; panics on an error.
    pub fn query(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        query(&self.cluster, database, sql)
    }

    /// A database of this test's own. The first time that a recipe's name is used, `recipe` fills
    /// a template (its argument is the template's name); all others are copies of it.
    pub fn database(&'static self, name: &str, recipe: impl FnOnce(&str)) -> Database {
        let cell = {
            let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(templates.entry(name.to_owned()).or_default())
        };
        let template = cell.get_or_init(|| {
            let template = self.create(None);
            recipe(&template);
            template
        });
        let name = self.create(Some(template));
        Database { server: self, name, log_start: AtomicU64::new(self.log_length()) }
    }

    /// A database without anything in it.
    pub fn empty_database(&'static self) -> Database {
        self.database("empty", |_| {})
    }

    fn log_length(&self) -> u64 {
        fs::metadata(self.cluster.log_path()).map_or(0, |log| log.len())
    }

    fn create(&self, template: Option<&str>) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let template = template.unwrap_or("template1");
        self.query("postgres", &format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}"));
        name
    }
}

fn query(cluster: &Cluster, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    cluster.query(database, sql).unwrap_or_else(|error| panic!("{error}\nin: {sql}"))
}

/// A database that lives as long as its test.
#[derive(Debug)]
pub struct Database {
    /// Where it is.
    pub server: &'static Server,
    /// Its name.
    pub name: String,
    /// Where in the server's log its part begins.
    log_start: AtomicU64,
}

impl Database {
    /// Runs a statement string as superuser, over a connection of its own that no proxy sees.
    pub fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.server.query(&self.name, sql)
    }

    /// The single value that a statement returns, as superuser.
    pub fn value(&self, sql: &str) -> Option<String> {
        self.query(sql).into_iter().next().and_then(|row| row.into_iter().next().flatten())
    }

    /// Keeps the server's log silent about this database. For plain twins, whose statements hold
    /// what must not be found in the log.
    #[must_use]
    pub fn unlogged(self) -> Self {
        let name = &self.name;
        for setting in ["log_statement = none", "log_min_messages = panic"] {
            self.server.query("postgres", &format!("ALTER DATABASE {name} SET {setting}"));
        }
        let setting = "log_min_error_statement = panic";
        self.server.query("postgres", &format!("ALTER DATABASE {name} SET {setting}"));
        self
    }

    /// The canaries in what the server has logged about the database, and in its files.
    pub fn leaks(&self, canaries: &Canaries) -> Vec<String> {
        let mut leaks: Vec<String> =
            canaries.report("the server's log", &self.log()).into_iter().collect();
        let oid = "SELECT oid FROM pg_database WHERE datname = current_database()";
        let oid = self.value(&format!("CHECKPOINT; {oid}")).unwrap_or_default();
        let files = self.server.cluster.data_dir().join("base").join(oid);
        for file in fs::read_dir(files).expect("the database has files").flatten() {
            let what = format!("the database's file {}", file.file_name().display());
            leaks.extend(canaries.report(&what, &fs::read(file.path()).unwrap_or_default()));
        }
        leaks
    }

    /// Empties the application's tables, so that another test can use it; the log so far no longer
    /// counts.
    /// False when something besides rows has changed since `relations` (see
    /// [`Database::relations`]) was asked for.
    pub fn reset(&self, relations: &str) -> bool {
        self.query(
            "DO $$ DECLARE names text; BEGIN
                    SELECT string_agg(oid::regclass::text, ',') INTO names FROM pg_class
                    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                        AND NOT starts_with(relname, 'web_profile');
                    EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY CASCADE';
                END $$",
        );
        self.log_start.store(self.server.log_length(), Ordering::Relaxed);
        self.relations() == relations
    }

    /// The relations outside the system's schemas, as one text.
    pub fn relations(&self) -> String {
        let relations = "SELECT string_agg(oid::regclass::text, ',' ORDER BY oid) FROM pg_class
            WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace,
                'information_schema'::regnamespace)";
        self.value(relations).unwrap_or_default()
    }

    /// What the server has logged about the database since it was created or reset.
    pub fn log(&self) -> Vec<u8> {
        let mut log = Vec::new();
        let mut file =
            fs::File::open(self.server.cluster.log_path()).expect("the server has a log");
        let start = SeekFrom::Start(self.log_start.load(Ordering::Relaxed));
        file.seek(start).expect("a log can be sought");
        file.read_to_end(&mut log).expect("a log can be read");
        // A line begins with the database's name; the lines of a longer message with a tab.
        let own = format!("{} ", self.name).into_bytes();
        let mut mine = Vec::new();
        let mut ours = false;
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            ours = line.starts_with(&own) || (ours && line.starts_with(b"\t"));
            if ours {
                mine.extend_from_slice(line);
            }
        }
        mine
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server, std::mem::take(&mut self.name));
        // DROP DATABASE waits for a checkpoint and for every backend of the server, which may be
        // busy with another test: nobody waits for it. What is left goes away with the cluster.
        thread::spawn(move || server.cluster.drop_database(&name));
    }
}
