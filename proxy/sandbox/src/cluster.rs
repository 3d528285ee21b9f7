//! One running server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::client::{Connection, Row};
use crate::template::{self, Shape};
use crate::{Binaries, SandboxError};

/// How long a server may take to answer. Recovery is never needed, so this is for slow machines.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Pause between two attempts to connect to a starting server.
const RETRY: Duration = Duration::from_millis(10);

/// Attempts to start on a free port: another process may take it between our look and the
/// server's bind.
const PORTS: usize = 5;

/// How clients over TCP prove who they are. The Unix socket always trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// They need not.
    #[default]
    Trust,
    /// Clear-text password.
    Password,
    /// MD5 of the password.
    Md5,
    /// SCRAM-SHA-256.
    Scram,
}

impl Auth {
    /// The word in `pg_hba.conf`.
    pub fn method(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::Scram => "scram-sha-256",
        }
    }
}

/// What a [`Cluster`] is to be like.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClusterBuilder {
    binaries: Option<Binaries>,
    settings: Vec<(String, String)>,
    shape: Shape,
    auth: Auth,
    hba: String,
}

impl Default for ClusterBuilder {
    fn default() -> Self {
        // macOS has no C.UTF-8, whose character classes are the ones that tests rely on.
        let locale = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };
        Self {
            binaries: None,
            settings: Vec::new(),
            shape: Shape {
                locale: locale.to_owned(),
                encoding: "UTF8".to_owned(),
                superuser: "postgres".to_owned(),
            },
            auth: Auth::Trust,
            hba: String::new(),
        }
    }
}

impl ClusterBuilder {
    /// Which server; [`Binaries::find`] otherwise.
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// A line of `postgresql.conf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// For data that nobody will miss: nothing is flushed to disk. Makes writes a few times
    /// faster.
    pub fn volatile(self) -> Self {
        self.setting("fsync", "off")
            .setting("synchronous_commit", "off")
            .setting("full_page_writes", "off")
    }

    /// Locale of the databases; `C.UTF-8` otherwise.
    pub fn locale(mut self, locale: &str) -> Self {
        locale.clone_into(&mut self.shape.locale);
        self
    }

    /// Encoding of the databases; `UTF8` otherwise.
    pub fn encoding(mut self, encoding: &str) -> Self {
        encoding.clone_into(&mut self.shape.encoding);
        self
    }

    /// Name of the superuser; `postgres` otherwise.
    pub fn superuser(mut self, name: &str) -> Self {
        name.clone_into(&mut self.shape.superuser);
        self
    }

    /// How clients over TCP authenticate; they are trusted otherwise.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Lines of `pg_hba.conf` that go before those of [`ClusterBuilder::auth`].
    pub fn hba(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.hba);
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<Cluster, SandboxError> {
        let binaries = match &self.binaries {
            Some(binaries) => binaries.clone(),
            None => Binaries::find()?,
        };
        let dir = tempfile::Builder::new()
            .prefix("pgveil-pg-")
            .tempdir()
            .map_err(SandboxError::io("cannot create a directory for the server"))?;
        let account = Account::choose(&binaries, dir.path())?;
        let data = dir.path().join("data");
        template::data_directory(&binaries, &account, &self.shape, &data)?;
        self.write_hba(&data, &account)?;
        tracing::debug!(%binaries, %account, dir = %dir.path().display(), "starting a server");

        let mut attempt = 1;
        loop {
            let port = free_port()?;
            self.write_settings(&data, dir.path(), port, &account)?;
            match Server::start(&binaries, &account, dir.path(), port, &self.shape.superuser) {
                Ok(server) => {
                    // From here on the supervisor removes it.
                    let dir = dir.keep();
                    return Ok(Cluster { dir, port, binaries, shape: self.shape, server });
                }
                Err(SandboxError::Start { log, .. })
                    if attempt < PORTS && log.contains("could not bind") =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn write_hba(&self, data: &Path, account: &Account) -> Result<(), SandboxError> {
        let method = self.auth.method();
        let lines = format!(
            "local all {superuser} trust\n{own}\nlocal all all trust\n\
             host all all 127.0.0.1/32 {method}\nhost all all ::1/128 {method}\n",
            superuser = quote_name(&self.shape.superuser),
            own = self.hba,
        );
        write_as(account, &data.join("pg_hba.conf"), &lines)
    }

    /// Settings go into `postgresql.conf`, not on the command line, where they would win over
    /// ALTER SYSTEM and ALTER DATABASE.
    fn write_settings(
        &self,
        data: &Path,
        dir: &Path,
        port: u16,
        account: &Account,
    ) -> Result<(), SandboxError> {
        let mut lines = String::new();
        push(&mut lines, "listen_addresses", "127.0.0.1");
        push(&mut lines, "port", &port.to_string());
        push(&mut lines, "unix_socket_directories", &dir.display().to_string());
        push(&mut lines, "lc_messages", "C");
        push(&mut lines, "timezone", "UTC");
        push(&mut lines, "log_timezone", "UTC");
        if let Some(hash) = match self.auth {
            Auth::Md5 => Some("md5"),
            Auth::Scram | Auth::Password => Some("scram-sha-256"),
            Auth::Trust => None,
        } {
            push(&mut lines, "password_encryption", hash);
        }
        for (name, value) in &self.settings {
            push(&mut lines, name, value);
        }
        write_as(account, &data.join("postgresql.conf"), &lines)
    }
}

/// A private server. Dropping it stops the server at once and removes everything it had; so does
/// the end of the process, however it comes.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    port: u16,
    binaries: Binaries,
    shape: Shape,
    server: Server,
}

impl Cluster {
    /// Starts to describe a cluster.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The address that the server listens on.
    #[allow(clippy::unused_self)] // callers should not care that it never differs
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port, over TCP and in the name of the Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.dir
    }

    /// The superuser's name. It needs no password over the Unix socket.
    pub fn superuser(&self) -> &str {
        &self.shape.superuser
    }

    /// The server's log.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Which server it is.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Process id of the postmaster.
    pub fn postmaster(&self) -> u32 {
        self.server.pid
    }

    /// A connection string for the superuser, over TCP.
    pub fn dsn(&self, database: &str) -> String {
        format!(
            "host={} port={} user={} dbname={database}",
            self.host(),
            self.port,
            self.shape.superuser
        )
    }

    /// A connection of the superuser's to a database, over the Unix socket.
    pub fn connect(&self, database: &str) -> Result<Connection, SandboxError> {
        Connection::open(&socket(&self.dir, self.port), self.superuser(), database)
    }

    /// Runs a statement string as superuser; the rows of all its statements.
    pub fn query(&self, database: &str, sql: &str) -> Result<Vec<Row>, SandboxError> {
        self.connect(database)?.query(sql)
    }

    /// Creates an empty database.
    pub fn create_database(&self, name: &str) -> Result<(), SandboxError> {
        self.query("postgres", &format!("CREATE DATABASE {}", quote_name(name)))?;
        Ok(())
    }

    /// Creates a copy of a database that nobody is connected to.
    pub fn copy_database(&self, template: &str, name: &str) -> Result<(), SandboxError> {
        let (name, template) = (quote_name(name), quote_name(template));
        self.query("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(())
    }

    /// Drops a database, and whoever is connected to it.
    pub fn drop_database(&self, name: &str) -> Result<(), SandboxError> {
        self.query("postgres", &format!("DROP DATABASE {} WITH (FORCE)", quote_name(name)))?;
        Ok(())
    }
}

/// The process, under its supervisor.
#[derive(Debug)]
struct Server {
    supervisor: Child,
    pid: u32,
}

impl Server {
    fn start(
        binaries: &Binaries,
        account: &Account,
        dir: &Path,
        port: u16,
        superuser: &str,
    ) -> Result<Self, SandboxError> {
        let log = dir.join("server.log");
        write_as(account, &log, "")?;
        let mut supervisor = account
            .command(Path::new("/bin/sh"))
            .args(["-c", include_str!("supervise.sh"), "sh"])
            .arg(dir)
            .arg(&log)
            .arg(binaries.dir.join("postgres"))
            .arg("-D")
            .arg(dir.join("data"))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(SandboxError::io("cannot run /bin/sh"))?;
        let (pid, ended) = watch(&mut supervisor);
        let server = Self { supervisor, pid };

        let deadline = Instant::now() + START_TIMEOUT;
        let failed = |why: &str| Err(SandboxError::Start { why: why.to_owned(), log: tail(&log) });
        loop {
            if Connection::open(&socket(dir, port), superuser, "postgres").is_ok() {
                return Ok(server);
            }
            let failure = match ended.recv_timeout(RETRY) {
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => continue,
                Err(RecvTimeoutError::Timeout) => failed("it does not answer"),
                _ => failed("it ended"),
            };
            server.abandon();
            return failure;
        }
    }

    /// Ends a server that did not start, but keeps its directory for the next attempt.
    fn abandon(mut self) {
        if let Some(stdin) = &mut self.supervisor.stdin {
            let _ = stdin.write_all(b"keep\n");
        }
    }
}

/// Reads what the supervisor says: the server's process id (0 if there is none), and later, by
/// closing the pipe, that the server has ended.
fn watch(supervisor: &mut Child) -> (u32, Receiver<()>) {
    let (sender, ended) = mpsc::channel();
    let Some(stdout) = supervisor.stdout.take() else { return (0, ended) };
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    let _ = stdout.read_line(&mut line);
    thread::spawn(move || {
        let _ = stdout.read_to_end(&mut Vec::new());
        drop(sender);
    });
    (line.trim().parse().unwrap_or(0), ended)
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

fn socket(dir: &Path, port: u16) -> PathBuf {
    dir.join(format!(".s.PGSQL.{port}"))
}

fn free_port() -> Result<u16, SandboxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(SandboxError::io("cannot find a free port"))?;
    Ok(listener.local_addr().map_err(SandboxError::io("cannot find a free port"))?.port())
}

fn write_as(account: &Account, path: &Path, text: &str) -> Result<(), SandboxError> {
    let write = || {
        let mut file = fs::File::create(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())
    };
    write().map_err(SandboxError::at("write", path))?;
    account.give(path)
}

/// Adds a line of `postgresql.conf`.
fn push(lines: &mut String, name: &str, value: &str) {
    let value = value.replace('\\', "\\\\").replace('\'', "''");
    lines.extend([name, " = '", &value, "'\n"]);
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
