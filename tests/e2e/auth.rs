//! The client authenticates against the database, through the proxy, by whatever it asks for.

use std::net::SocketAddr;

use pgveil_sandbox::Cluster;
use pgveil_session::Options;
use pgveil_tests::site::{address, block_on};
use pgveil_tests::{Relay, Veil, server};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

const METHODS: [(&str, &str); 4] = [
    ("by_trust", "trust"),
    ("by_password", "password"),
    ("by_md5", "md5"),
    ("by_scram", "scram-sha-256"),
];

fn connect(to: SocketAddr, user: &str, password: &str) -> Result<String, tokio_postgres::Error> {
    block_on(async {
        let mut config = Config::new();
        config.host(to.ip().to_string()).port(to.port()).user(user).dbname("postgres");
        if !password.is_empty() {
            config.password(password);
        }
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client.query_one("SELECT current_user::text", &[]).await?.get(0))
    })
}

#[test]
fn every_method_is_passed_through() {
    let hba =
        METHODS.map(|(user, method)| format!("host all {user} 127.0.0.1/32 {method}\n")).concat();
    let cluster = Cluster::builder()
        .binaries(server().cluster.binaries().clone())
        .volatile()
        .hba(&hba)
        .start()
        .unwrap();
    for (user, method) in METHODS {
        let hash = if method == "md5" { "md5" } else { "scram-sha-256" };
        let create = format!(
            "SET password_encryption = '{hash}'; CREATE ROLE {user} LOGIN PASSWORD 'pw of {user}'"
        );
        cluster.query("postgres", &create).unwrap();
    }
    let target = SocketAddr::new(cluster.host().parse().unwrap(), cluster.port());
    let relay = Relay::start(target);
    let veil = Veil::start(Options::new(address(relay.address())));
    for (user, method) in METHODS {
        let right = format!("pw of {user}");
        assert_eq!(connect(veil.address, user, &right).unwrap(), user, "{method}");
        let wrong = connect(veil.address, user, "wrong");
        if method == "trust" {
            assert!(wrong.is_ok());
            continue;
        }
        let code = wrong.unwrap_err().code().cloned();
        assert_eq!(code, Some(SqlState::INVALID_PASSWORD), "{method}");
        // Authentication is over then: the session never ran anything.
        let direct = connect(target, user, "wrong").unwrap_err().code().cloned();
        assert_eq!(direct, Some(SqlState::INVALID_PASSWORD), "{method}");
    }
}

/// The same with something to protect, where the proxy asks the server first.
#[test]
fn a_protected_site_asks_for_passwords_too() {
    let site = crate::sample::site();
    assert_eq!(site.connect().run("SELECT current_user").value(), "app");
    let error = connect(site.veil.address, "no_such_role", "").unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
}
