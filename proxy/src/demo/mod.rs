//! `pgveil demo`: a private database, the sample schema of a web platform, a thousand generated
//! people loaded through the proxy, and what the application and the database see of them.

mod load;
mod people;
mod search;
mod show;
mod verify;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use pgveil_sandbox::{Cluster, SandboxError};
use pgveil_session::Proxy;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::cli::DemoArgs;
use crate::config::{Config, Listen, LogConfig};
use crate::database::{Database, server_error};
use crate::failure::Failure;
use crate::listen::Listening;
use crate::serve::Stop;
use crate::{listen, log, serve, wiring};

/// Name of the database.
const DATABASE: &str = "platform";
/// The port that the proxy takes if it is free.
const PORT: u16 = 6432;
const SCHEMA: &str = include_str!("schema.sql");
const CONFIG: &str = include_str!("demo.toml");

/// Runs the demo and cleans up after it.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    log::start(&LogConfig { filter: "warn".into(), ..LogConfig::default() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?;
    runtime.block_on(async {
        let mut stop = Stop::new()?;
        tokio::select! {
            result = demo(args) => result,
            () = stop.wait() => {
                println!("\nstopped; everything is removed");
                Ok(())
            }
        }
    })
}

async fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let cluster = tokio::task::spawn_blocking(start_cluster)
        .await
        .map_err(|error| Failure::from_error(&error))?
        .map_err(|error| Failure::from_error(&error))?;
    println!("{}", cluster.binaries());
    let direct = dsn(&cluster, &format!("{}:{}", cluster.host(), cluster.port()));

    let database = Database::connect(&direct).await?;
    database
        .client
        .batch_execute(SCHEMA)
        .await
        .map_err(|error| server_error("cannot create the sample schema", &error))?;
    database.close().await;
    println!("created the sample schema: auth_user, newsletter_subscriber");

    let listening = bind(args.port).await?;
    let files = Files::write(&listening, &cluster)?;
    let config = Config::read(&files.config)?;
    let wiring = wiring::wire(&config)?;
    migrate(&direct, &wiring).await?;

    let through = dsn(&cluster, listening.addresses.first().map_or("", String::as_str));
    let proxy = Running::start(serve::proxy(wiring, &config.limits)?, listening);

    let people = people::generate(args.people as usize);
    load::load(&through, &people).await?;
    let telling = &people[people::most_telling(&people)];
    print!("{}", show::person(&through, &direct, telling).await?);

    if args.once {
        let verified = verify::verify(&cluster, &through, &direct, &people, &files.key).await;
        proxy.stop().await;
        return verified;
    }
    println!(
        "\nthrough pgveil:  psql '{through}'\n\
         directly:        psql '{direct}'\n\
         \n\
         The configuration is {config}; try\n  \
         pgveil explain --config {config} --dsn '{direct}' \"SELECT email FROM auth_user\"\n\
         \n\
         Ctrl-C ends the demo and removes everything.",
        config = files.config.display()
    );
    std::future::pending().await
}

/// To paste into `psql`.
fn dsn(cluster: &Cluster, address: &str) -> String {
    format!("postgresql://{}@{address}/{DATABASE}", cluster.superuser())
}

/// A server that logs every statement with its parameters: what it is not told, it cannot log.
fn start_cluster() -> Result<Cluster, SandboxError> {
    let cluster = Cluster::builder()
        .volatile()
        .setting("log_statement", "all")
        .setting("log_parameter_max_length", "-1")
        .setting("log_parameter_max_length_on_error", "-1")
        .start()?;
    cluster.create_database(DATABASE)?;
    Ok(cluster)
}

/// The port that was asked for; otherwise the usual one or, where that is taken, any.
async fn bind(port: Option<u16>) -> Result<Listening, Failure> {
    let on = |port| [Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))];
    if let Some(port) = port {
        return listen::bind(&on(port), 0).await;
    }
    match listen::bind(&on(PORT), 0).await {
        Ok(listening) => Ok(listening),
        Err(_) => listen::bind(&on(0), 0).await,
    }
}

async fn migrate(direct: &str, wiring: &wiring::Wiring) -> Result<(), Failure> {
    let mut database = Database::connect(direct).await?;
    let failed = |error: pgveil_lifecycle::LifecycleError| Failure::new(error.to_string());
    let plan = pgveil_lifecycle::plan(&database.client, &wiring.declaration, &wiring.keyrings)
        .await
        .map_err(failed)?;
    pgveil_lifecycle::apply(&mut database.client, &plan).await.map_err(failed)?;
    database.close().await;
    println!("migrate apply: {} steps in one transaction; created web_profile", plan.steps().len());
    Ok(())
}

/// The configuration and the key, in a directory that goes with the demo.
struct Files {
    config: PathBuf,
    key: Zeroizing<String>,
    _directory: TempDir,
}

impl Files {
    fn write(listening: &Listening, cluster: &Cluster) -> Result<Self, Failure> {
        let failed = || Failure::io("cannot write the demo's configuration");
        let directory =
            tempfile::Builder::new().prefix("pgveil-demo").tempdir().map_err(failed())?;
        let config = directory.path().join("pgveil.toml");
        let text = CONFIG
            .replace("{listen}", listening.addresses.first().map_or("", String::as_str))
            .replace("{server}", &format!("{}:{}", cluster.host(), cluster.port()));
        fs::write(&config, text).map_err(failed())?;
        let key = pgveil_seal::keygen();
        let mut file = fs::OpenOptions::new();
        let mut file = file
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(directory.path().join("key"))
            .map_err(failed())?;
        std::io::Write::write_all(&mut file, key.as_bytes()).map_err(failed())?;
        Ok(Self { config, key, _directory: directory })
    }
}

/// The proxy, running in this process.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(proxy: Arc<Proxy>, listening: Listening) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            // A sender that is gone means the end, too.
            let shutdown = async move { drop(stopped.await) };
            if let Err(error) = proxy.run(listening.listeners, shutdown).await {
                eprintln!("pgveil: the proxy ended: {error}");
            }
            drop(listening.sockets);
        });
        Self { stop, task }
    }

    async fn stop(self) {
        // Fails if the proxy has ended by itself, and then there is nothing to stop.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
