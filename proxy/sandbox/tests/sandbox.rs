#![allow(clippy::unwrap_used)] // helpers of tests, which clippy.toml does not recognise

//! Real servers: they start, serve, and leave nothing behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pgveil_sandbox::{Auth, Binaries, Cluster, SandboxError};

fn start() -> Cluster {
    Cluster::builder().volatile().start().unwrap()
}

/// Waits for something that happens in another process.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn runs(pid: u32) -> bool {
    let probe = format!("kill -0 {pid} 2>/dev/null");
    Command::new("sh").args(["-c", &probe]).status().unwrap().success()
}

#[test]
fn every_version_starts_and_serves() {
    for binaries in Binaries::all().unwrap() {
        let version = binaries.version;
        let cluster = Cluster::builder().binaries(binaries).volatile().start().unwrap();
        cluster.create_database("it's \"quoted\"").unwrap();
        let rows = cluster
            .query("it's \"quoted\"", "SELECT current_database(), upper('ä'), NULL")
            .unwrap();
        let expected =
            [vec![Some("it's \"quoted\"".to_owned()), Some("Ä".to_owned()), None::<String>]];
        assert_eq!(rows, expected, "on {version}");
        let setting = cluster.query("postgres", "SHOW fsync; SHOW server_version_num").unwrap();
        assert_eq!(setting[0][0].as_deref(), Some("off"));
        let number = setting[1][0].as_deref().unwrap();
        assert!(number.starts_with(&version.to_string()), "{number} is not {version}");
    }
}

#[test]
fn dropping_a_cluster_leaves_nothing() {
    let cluster = start();
    let (dir, pid) = (cluster.socket_dir().to_owned(), cluster.postmaster());
    assert!(runs(pid) && dir.exists());
    drop(cluster);
    assert!(!runs(pid), "the server still runs");
    assert!(!dir.exists(), "{} is still there", dir.display());
}

#[test]
fn several_start_at_once() {
    let starts: Vec<_> = (0..4).map(|_| std::thread::spawn(start)).collect();
    let clusters: Vec<Cluster> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    for cluster in &clusters {
        assert_eq!(cluster.query("postgres", "SELECT 1").unwrap()[0][0].as_deref(), Some("1"));
    }
}

/// Not a test: what the next test kills. It owns a cluster as a test binary does.
#[test]
#[ignore = "run by `the_end_of_its_owner_ends_a_server`"]
fn owner() {
    let cluster: &'static Cluster = Box::leak(Box::new(start()));
    println!("\n{} {}", cluster.postmaster(), cluster.socket_dir().display());
    if std::env::var_os("LINGER").is_some() {
        std::thread::sleep(Duration::from_mins(2));
    }
}

#[test]
fn the_end_of_its_owner_ends_a_server() {
    for killed in [true, false] {
        let mut owner = Command::new(std::env::current_exe().unwrap());
        owner.args(["--ignored", "--exact", "owner", "--nocapture"]).stdout(Stdio::piped());
        if killed {
            owner.env("LINGER", "1");
        }
        let mut owner = owner.spawn().unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        let (pid, dir): (u32, PathBuf) = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (pid, dir) = line.split_once(' ')?;
                Some((pid.parse().ok()?, PathBuf::from(dir)))
            })
            .unwrap();
        if killed {
            owner.kill().unwrap(); // SIGKILL: nothing of the owner's runs after it
        }
        owner.wait().unwrap();
        eventually("the end of the server", || !runs(pid));
        eventually("the end of its directory", || !dir.exists());
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let before = directories();
    let error = Cluster::builder().setting("max_connections", "lots").start().unwrap_err();
    let SandboxError::Start { why, log } = &error else { panic!("{error}") };
    assert_eq!(why, "it ended");
    assert!(log.contains("max_connections"), "{log}");
    let left: Vec<_> = directories().into_iter().filter(|dir| !before.contains(dir)).collect();
    let broken = |dir: &PathBuf| {
        std::fs::read_to_string(dir.join("data/postgresql.conf"))
            .is_ok_and(|settings| settings.contains("lots"))
    };
    assert!(!left.iter().any(broken), "{left:?}");
}

fn directories() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_ours(path)).collect()
}

fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgveil-pg-"))
}

#[test]
fn passwords_are_asked_for_over_tcp_only() {
    let cluster = Cluster::builder().volatile().auth(Auth::Scram).start().unwrap();
    cluster.query("postgres", "CREATE ROLE app LOGIN PASSWORD 'secret'").unwrap();
    let stored = cluster
        .query("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
        .unwrap();
    assert!(stored[0][0].as_deref().unwrap().starts_with("SCRAM-SHA-256$"));
    let hba = std::fs::read_to_string(cluster.data_dir().join("pg_hba.conf")).unwrap();
    assert!(hba.contains("host all all 127.0.0.1/32 scram-sha-256"));
    assert!(!hba.contains("host all all 127.0.0.1/32 trust"));
}

#[test]
fn errors_of_the_server_are_told() {
    let cluster = start();
    let error = cluster.query("postgres", "SELECT 1; SELECT missing").unwrap_err();
    let SandboxError::Server(error) = error else { panic!("{error}") };
    assert_eq!(error.code, "42703");
    assert!(
        matches!(cluster.connect("nowhere"), Err(SandboxError::Server(e)) if e.code == "3D000")
    );
}
