//! The configuration file: TOML, typed, and read so that every mistake in it is reported at once
//! with its line and what would be right.
//!
//! Paths in the file are relative to the file. Nothing here opens a key, a component or a
//! database; see [`crate::wiring`] for that.

mod document;
mod mistake;

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use document::{Reader, Table, Value};

pub use mistake::{Mistake, Mistakes};

/// The environment variable of the keyring `default` where no `[keys]` are given.
pub const DEFAULT_KEY_ENV: &str = "MESSAGE_ENCRYPTION_KEY";

/// The keyring of a configuration without `[keys]`.
pub const DEFAULT_KEYRING: &str = "default";

/// The port in a Unix socket's name when no TCP address gives one.
const DEFAULT_PORT: u16 = 6432;

/// A configuration without mistakes of form.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file, to report mistakes found later.
    pub source: Source,
    /// At least one.
    pub listen: Vec<Listen>,
    /// Permission bits of Unix sockets; PostgreSQL's `unix_socket_permissions`.
    pub unix_socket_permissions: u32,
    /// The database server: the text of `[server] address`, checked by whoever parses it.
    pub server: Spanned<String>,
    /// Keyrings by name.
    pub keyrings: BTreeMap<String, Spanned<KeySource>>,
    /// Policies in order.
    pub policies: Vec<PolicyConfig>,
    /// `[limits]`
    pub limits: Limits,
    /// `[log]`
    pub log: LogConfig,
}

/// A value and the bytes of the file it stands in.
#[derive(Debug, Clone)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Range<usize>,
}

/// The file that a configuration came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path.
    pub path: PathBuf,
    text: String,
}

impl Source {
    /// Mistakes that show only when keys, components or addresses are used.
    pub fn mistakes(&self, mistakes: Vec<Mistake>) -> Mistakes {
        Mistakes::new(&self.path, &self.text, mistakes)
    }

    /// A path of the file: relative ones start at the file's directory.
    fn relative(&self, path: &str) -> PathBuf {
        let path = self.path.parent().unwrap_or(Path::new("")).join(path);
        // Without the dots of "./name".
        path.components().collect()
    }
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Where a keyring's keys come from: a comma-separated list of Fernet keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
}

/// One `[[policy]]`.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// Its name, in logs, errors and `SHOW pgveil.policies`.
    pub name: Spanned<String>,
    /// Its component.
    pub component: Spanned<ComponentSource>,
    /// What the component is configured with.
    pub config: serde_json::Value,
    /// The table `[policy.config]`, or the policy itself where there is none.
    pub config_span: Range<usize>,
    /// Where each part of `config` stands: `tables[0].columns` and the like.
    pub places: BTreeMap<String, Range<usize>>,
}

impl PolicyConfig {
    /// The place in the file of a path as policies report it, `tables[0].columns.email.mode`: its
    /// own, or that of the nearest table around it.
    pub fn place_of(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            if let Some(span) = self.places.get(path).filter(|_| !path.is_empty()) {
                return span.clone();
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = &path[..at],
                None => return self.config_span.clone(),
            }
        }
    }
}

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A file: a component, or a core module that embeds its WIT.
    File(PathBuf),
    /// One that comes with pgveil.
    Builtin(Builtin),
}

/// The components that come with pgveil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `plugins/user-profile`
    UserProfile,
}

/// `[limits]`; the defaults are those of an empty table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Client connections at a time.
    pub max_connections: usize,
    /// Until the database server must have accepted a connection.
    pub connect_timeout: Duration,
    /// Until a client must be through startup and authentication.
    pub startup_timeout: Duration,
    /// How long open sessions may go on after the shutdown began.
    pub shutdown_timeout: Duration,
    /// How long a catalog is used before its version is asked for again.
    pub catalog_lease: Duration,
    /// Bytes that the values of computed columns may take in memory.
    pub dictionary_memory: usize,
    /// `[limits.policy]`: what a policy may use.
    pub policy: pgveil_policy::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1000,
            connect_timeout: Duration::from_secs(10),
            startup_timeout: Duration::from_mins(1),
            shutdown_timeout: Duration::from_secs(10),
            catalog_lease: Duration::from_secs(1),
            dictionary_memory: 512 << 20,
            policy: pgveil_policy::Limits::default(),
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged: directives of `tracing_subscriber::EnvFilter`, `pgveil=debug,info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "info".into() }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// An object a line.
    Json,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration \"{}\"", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has mistakes.
    #[error("{0}")]
    Mistakes(#[from] Mistakes),
}

impl Config {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Ok(Self::parse(path, text)?)
    }

    /// Reads the text of a file; `path` is where relative paths start, and for messages.
    pub fn parse(path: &Path, text: String) -> Result<Self, Mistakes> {
        let source = Source { path: path.to_owned(), text };
        let mut reader = Reader::default();
        let (document, errors) = DeTable::parse_recoverable(&source.text);
        if !errors.is_empty() {
            let mistakes = errors
                .iter()
                .map(|error| Mistake {
                    span: error.span(),
                    message: format!("not TOML: {}", error.message()),
                    help: None,
                })
                .collect();
            return Err(source.mistakes(mistakes));
        }
        let root = Table::new("the configuration", document.get_ref(), 0..0);
        let config = read_root(&mut reader, &source, root);
        match config {
            Some(config) if reader.mistakes.is_empty() => Ok(config),
            _ => Err(source.mistakes(reader.mistakes)),
        }
    }
}

/// Every part is read before the first `?`, so that no mistake hides another.
fn read_root(reader: &mut Reader, source: &Source, mut root: Table<'_>) -> Option<Config> {
    let listen = root.require(reader, "listen", "listen = [\"127.0.0.1:6432\"]");
    let listen = listen.and_then(|value| read_listen(reader, source, &value));
    let permissions = root.take("unix_socket_permissions");
    let unix_socket_permissions =
        permissions.map_or(Some(0o770), |value| read_permissions(reader, &value));
    let server = if let Some(value) = root.take("server") {
        value.table(reader, "[server]".into())
    } else {
        reader.mistake(
            0..0,
            "the database server is missing",
            "add a table [server] with, for example: address = \"127.0.0.1:5432\"",
        );
        None
    };
    let server = server.and_then(|mut table| {
        let address = table.require(reader, "address", "address = \"127.0.0.1:5432\"");
        let address = address.and_then(|value| {
            let text = value.string(reader)?.to_owned();
            Some(Spanned { value: text, span: value.span })
        });
        table.finish(reader);
        address
    });
    let keyrings = read_keyrings(reader, source, root.take("keys"));
    let policies = read_policies(reader, source, root.take("policy"));
    let limits = match root.table(reader, "limits") {
        Some(table) => read_limits(reader, table),
        None => Limits::default(),
    };
    let log = match root.table(reader, "log") {
        Some(table) => read_log(reader, table),
        None => LogConfig::default(),
    };
    root.finish(reader);
    Some(Config {
        source: source.clone(),
        listen: listen?,
        unix_socket_permissions: unix_socket_permissions?,
        server: server?,
        keyrings,
        policies,
        limits,
        log,
    })
}

/// `listen`: one address or several; what contains a `/` is a Unix socket or the directory for
/// one, named as `libpq` looks for it.
fn read_listen(reader: &mut Reader, source: &Source, value: &Value<'_>) -> Option<Vec<Listen>> {
    let items = value.array(reader, true)?;
    if items.is_empty() {
        reader.mistake(
            value.span.clone(),
            "\"listen\" is empty",
            "it must name at least one address, such as \"127.0.0.1:6432\"",
        );
        return None;
    }
    let mut tcp = Vec::new();
    let mut paths = Vec::new();
    for item in items {
        let Some(text) = item.string(reader) else { continue };
        if text.contains('/') {
            paths.push(source.relative(text));
            continue;
        }
        match text.to_socket_addrs() {
            Ok(addresses) => tcp.extend(addresses),
            Err(_) => reader.mistake(
                item.span.clone(),
                "an address in \"listen\" is neither host:port nor a path",
                "it must be like \"127.0.0.1:6432\", \"[::1]:6432\", \"/run/pgveil\" or \"./socket\"",
            ),
        }
    }
    let port = tcp.iter().map(SocketAddr::port).find(|port| *port != 0).unwrap_or(DEFAULT_PORT);
    let sockets = paths.into_iter().map(|path| {
        Listen::Unix(if path.is_dir() { path.join(format!(".s.PGSQL.{port}")) } else { path })
    });
    Some(tcp.iter().copied().map(Listen::Tcp).chain(sockets).collect())
}

fn read_permissions(reader: &mut Reader, value: &Value<'_>) -> Option<u32> {
    let text = value.string(reader)?;
    match u32::from_str_radix(text, 8) {
        Ok(bits) if bits <= 0o777 => Some(bits),
        _ => {
            reader.mistake(
                value.span.clone(),
                "\"unix_socket_permissions\" is not a set of permission bits",
                "it must be octal digits in quotes, such as \"0770\"",
            );
            None
        }
    }
}

fn read_keyrings(
    reader: &mut Reader,
    source: &Source,
    value: Option<Value<'_>>,
) -> BTreeMap<String, Spanned<KeySource>> {
    let Some(value) = value else {
        let default = KeySource::Env(DEFAULT_KEY_ENV.into());
        return BTreeMap::from([(
            DEFAULT_KEYRING.to_owned(),
            Spanned { value: default, span: 0..0 },
        )]);
    };
    let mut keyrings = BTreeMap::new();
    let Some(table) = value.table(reader, "[keys]".into()) else { return keyrings };
    for (name, entry) in table.rest() {
        let title = format!("[keys.{name}]");
        let Some(mut table) = entry.value.table(reader, title.clone()) else { continue };
        let env = table.take("env");
        let file = table.take("file");
        table.finish(reader);
        let span = entry.key;
        let key = match (env, file) {
            (Some(env), None) => {
                env.string(reader).map(|name| (KeySource::Env(name.to_owned()), env.span))
            }
            (None, Some(file)) => {
                file.string(reader).map(|path| (KeySource::File(source.relative(path)), file.span))
            }
            (Some(_), Some(_)) => {
                reader.mistake(
                    span,
                    format!("{title} has both \"env\" and \"file\""),
                    "a keyring comes from one of them",
                );
                None
            }
            (None, None) => {
                reader.mistake(
                    span,
                    format!("{title} does not say where its keys are"),
                    format!("add env = \"{DEFAULT_KEY_ENV}\" or file = \"path\""),
                );
                None
            }
        };
        if let Some((value, span)) = key {
            keyrings.insert(name.to_owned(), Spanned { value, span });
        }
    }
    keyrings
}

fn read_policies(
    reader: &mut Reader,
    source: &Source,
    value: Option<Value<'_>>,
) -> Vec<PolicyConfig> {
    let Some(items) = value.and_then(|value| value.array(reader, false)) else {
        return Vec::new();
    };
    let mut policies: Vec<PolicyConfig> = Vec::new();
    for item in items {
        let Some(table) = item.table(reader, "[[policy]]".into()) else { continue };
        let Some(policy) = read_policy(reader, source, table) else { continue };
        if policies.iter().any(|other| other.name.value == policy.name.value) {
            reader.mistake(
                policy.name.span.clone(),
                format!("two policies are named \"{}\"", policy.name.value),
                "names of policies must differ",
            );
        }
        policies.push(policy);
    }
    policies
}

fn read_policy(reader: &mut Reader, source: &Source, mut table: Table<'_>) -> Option<PolicyConfig> {
    let span = table.span();
    let name = table.require(reader, "name", "name = \"people\"");
    let name = name.and_then(|value| {
        let text = value.string(reader)?.to_owned();
        Some(Spanned { value: text, span: value.span })
    });
    let file = table.take("component");
    let builtin = table.take("builtin");
    let component = match (file, builtin) {
        (Some(file), None) => file.string(reader).map(|path| Spanned {
            value: ComponentSource::File(source.relative(path)),
            span: file.span,
        }),
        (None, Some(builtin)) => builtin
            .word(reader, &[("user-profile", Builtin::UserProfile)])
            .map(|which| Spanned { value: ComponentSource::Builtin(which), span: builtin.span }),
        (Some(file), Some(_)) => {
            reader.mistake(
                file.span,
                "a policy has both \"component\" and \"builtin\"",
                "a policy is one of them",
            );
            None
        }
        (None, None) => {
            reader.mistake(
                span.clone(),
                "a policy does not say which component it is",
                "add builtin = \"user-profile\" or component = \"path/to/policy.wasm\"",
            );
            None
        }
    };
    let mut places = BTreeMap::new();
    let (config, config_span) = match table.take("config") {
        Some(value) => {
            let config_span = value.span.clone();
            // A configuration of any shape goes to the component, which knows what it wants.
            (value.json(reader, "", &mut places), config_span)
        }
        None => (serde_json::Value::Object(serde_json::Map::new()), span),
    };
    table.finish(reader);
    Some(PolicyConfig { name: name?, component: component?, config, config_span, places })
}

fn read_limits(reader: &mut Reader, mut table: Table<'_>) -> Limits {
    let mut limits = Limits::default();
    read_duration(reader, &mut table, "connect_timeout", &mut limits.connect_timeout);
    read_duration(reader, &mut table, "startup_timeout", &mut limits.startup_timeout);
    read_duration(reader, &mut table, "shutdown_timeout", &mut limits.shutdown_timeout);
    read_duration(reader, &mut table, "catalog_lease", &mut limits.catalog_lease);
    read_number(reader, &mut table, "max_connections", 1..=1_000_000, &mut limits.max_connections);
    // Up to 1 TiB.
    read_number(
        reader,
        &mut table,
        "dictionary_memory",
        0..=1 << 40,
        &mut limits.dictionary_memory,
    );
    if let Some(value) = table.take("policy")
        && let Some(mut table) = value.table(reader, "[limits.policy]".into())
    {
        let policy = &mut limits.policy;
        read_duration(reader, &mut table, "declare", &mut policy.declare);
        read_duration(reader, &mut table, "review", &mut policy.review);
        // A WASM page is 64 KiB; more than 1 GiB a connection is no limit.
        read_number(reader, &mut table, "memory", 0x1_0000..=0x4000_0000, &mut policy.memory);
        read_number(reader, &mut table, "instances", 1..=1_000_000, &mut policy.instances);
        table.finish(reader);
    }
    table.finish(reader);
    limits
}

fn read_duration(
    reader: &mut Reader,
    table: &mut Table<'_>,
    key: &'static str,
    into: &mut Duration,
) {
    /// Beyond this a time-out is none.
    const DAY: Duration = Duration::from_hours(24);
    const MS: Duration = Duration::from_millis(1);

    let value = table.take(key).and_then(|value| value.duration(reader, MS..=DAY));
    *into = value.unwrap_or(*into);
}

fn read_number<T: Copy + TryFrom<u64>>(
    reader: &mut Reader,
    table: &mut Table<'_>,
    key: &'static str,
    bounds: std::ops::RangeInclusive<u64>,
    into: &mut T,
) {
    let value = table.take(key).and_then(|value| value.integer(reader, bounds));
    *into = value.and_then(|number| T::try_from(number).ok()).unwrap_or(*into);
}

fn read_log(reader: &mut Reader, mut table: Table<'_>) -> LogConfig {
    let mut log = LogConfig::default();
    if let Some(value) = table.take("format") {
        let words = [("human", LogFormat::Human), ("json", LogFormat::Json)];
        log.format = value.word(reader, &words).unwrap_or(log.format);
    }
    if let Some(value) = table.take("filter")
        && let Some(text) = value.string(reader)
    {
        match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) => text.clone_into(&mut log.filter),
            Err(_) => reader.mistake(
                value.span,
                "\"filter\" is not a list of log directives",
                "it must be like \"info\" or \"info,pgveil_session=debug\"",
            ),
        }
    }
    table.finish(reader);
    log
}

#[cfg(test)]
mod tests;
