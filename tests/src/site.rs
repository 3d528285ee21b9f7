//! A protected database with everything in front of it: relay, proxy, clients.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pgveil_policy::{Engine, Limits, Policy};
use pgveil_seal::Keyring;
use pgveil_session::{Address, Listener, Options, Proxy};
use pgveil_sql::protection::Declaration;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::{Canaries, Client, Database, Fields, ROLE, Relay, Server};

/// The Fernet key of the tests.
pub const KEY: &str = "cJ3Rk1Zy0o7mVdEwH5uQxT8bLgNs2fAaPiUe4CjMvXs=";

/// Another one, to be wrong with.
pub const OTHER_KEY: &str = "Zm9yIHRlc3RzIG9ubHk6IGFub3RoZXIgRmVybmV0ISE=";

/// The proxies of all tests run on these threads.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("a runtime starts")
    })
}

/// Waits for something asynchronous on the tests' runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// The engine that runs the tests' policies.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        // Under a debugger's or a loaded machine's conditions 20 ms can be short.
        let limits = Limits {
            review: Duration::from_millis(200),
            declare: Duration::from_secs(2),
            instances: 1000,
            ..Limits::default()
        };
        Engine::new(limits).expect("the engine starts")
    })
}

/// The user-profile policy with a configuration; compiled once for each.
pub fn policy(config: &Value) -> Arc<Policy> {
    static LOADED: Mutex<Vec<(Value, Arc<Policy>)>> = Mutex::new(Vec::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, policy)) = loaded.iter().find(|(known, _)| known == config) {
        return Arc::clone(policy);
    }
    let file = user_profile();
    let wasm = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
    let policy = engine().load("user-profile", &wasm, config);
    let policy = Arc::new(policy.unwrap_or_else(|error| panic!("{error}")));
    loaded.push((config.clone(), Arc::clone(&policy)));
    policy
}

/// The built plugin: the committed one unless `PGVEIL_USER_PROFILE_WASM` names another.
fn user_profile() -> PathBuf {
    std::env::var_os("PGVEIL_USER_PROFILE_WASM").map_or_else(
        || {
            let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            tests.join("../plugins/user-profile/user_profile.wasm")
        },
        PathBuf::from,
    )
}

/// Keyrings: one named `default` with these keys.
pub fn keyrings(keys: &str) -> HashMap<String, Arc<Keyring>> {
    let keyring = Keyring::parse(keys).unwrap_or_else(|error| panic!("{error}"));
    HashMap::from([("default".to_owned(), Arc::new(keyring))])
}

/// Makes the physical schema that a declaration asks for, as superuser.
pub fn migrate(server: &Server, database: &str, declaration: &Declaration) {
    let dsn = server.cluster.dsn(database);
    block_on(async {
        let (mut client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        tokio::spawn(connection);
        let plan = pgveil_lifecycle::plan(&client, declaration, &keyrings(KEY))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        pgveil_lifecycle::apply(&mut client, &plan).await.unwrap_or_else(|error| panic!("{error}"));
    });
}

/// A running proxy. Stops when dropped.
#[derive(Debug)]
pub struct Veil {
    /// Where clients connect to.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Veil {
    /// Starts a proxy on a free port.
    pub fn start(options: Options) -> Self {
        let proxy = Proxy::new(options).unwrap_or_else(|error| panic!("{error}"));
        let (stop, stopped) = oneshot::channel();
        let address = block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            tokio::spawn(async move {
                let shutdown = async {
                    let _ = stopped.await;
                };
                proxy.run(vec![Listener::Tcp(listener)], shutdown).await
            });
            std::io::Result::Ok(address)
        });
        let address = address.expect("the loopback has a free port");
        Self { address, stop: Some(stop) }
    }
}

impl Drop for Veil {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// A protected database, the relay in front of it, and a proxy in front of that. When it is
/// dropped by a test that has gone well, everything that reached the database is searched for the
/// canaries.
#[derive(Debug)]
pub struct Site {
    /// The database.
    pub database: Database,
    /// Between proxy and database.
    pub relay: Relay,
    /// The proxy.
    pub veil: Veil,
    /// What must not reach the database.
    pub canaries: Canaries,
}

impl Site {
    /// A site whose tables come from `schema` (run by the application's role) and are protected
    /// as `config` tells the user-profile policy. `name` names the combination, of which a
    /// template is kept.
    pub fn new(server: &'static Server, name: &str, schema: &str, config: &Value) -> Self {
        let policy = policy(config);
        let database = server.database(name, |template| {
            server.query(template, &format!("SET ROLE {ROLE}; {schema}"));
            migrate(server, template, policy.declaration());
        });
        Self::over(database, |options| options.policies = vec![policy])
    }

    /// A site over a database that is as it should be; `options` start as those of a plain relay
    /// with the tests' key.
    pub fn over(database: Database, change: impl FnOnce(&mut Options)) -> Self {
        let relay = Relay::start(database.server.address());
        let mut options = Options::new(address(relay.address()));
        options.keyrings = keyrings(KEY);
        change(&mut options);
        Self { database, relay, veil: Veil::start(options), canaries: Canaries::new() }
    }

    /// Adds values that must not reach the database.
    #[must_use]
    pub fn guarding(mut self, values: &[&str]) -> Self {
        self.canaries = self.canaries.clone().with(values);
        self
    }

    /// A client through the proxy.
    pub fn connect(&self) -> Client {
        self.try_connect().unwrap_or_else(|error| panic!("cannot connect: {error:?}"))
    }

    /// The same, where it may be refused.
    pub fn try_connect(&self) -> Result<Client, Fields> {
        Client::connect(self.veil.address, ROLE, &self.database.name)
    }

    /// A client of the database itself, past proxy and relay.
    pub fn direct(&self) -> Client {
        Client::connect(self.database.server.address(), ROLE, &self.database.name)
            .unwrap_or_else(|error| panic!("cannot connect: {error:?}"))
    }

    /// The canaries that have reached the database.
    pub fn leaks(&self) -> Vec<String> {
        let mut leaks = self.relay.leaks(&self.canaries);
        leaks.extend(self.database.leaks(&self.canaries));
        leaks
    }

    /// Panics if a canary has reached the database.
    pub fn assert_clean(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_clean();
        }
    }
}

/// A socket's address as the proxy takes it.
pub fn address(socket: SocketAddr) -> Address {
    Address::Tcp { host: socket.ip().to_string(), port: socket.port() }
}
