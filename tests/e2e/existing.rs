//! Rows that were there before: after `migrate apply` the proxy answers as the plain database did.

use pgveil_tests::twin::{self, Mode, Side, Way};
use pgveil_tests::{Canaries, Database, ROLE, Server, Site, servers, site};

use crate::sample::{CANARIES, config, schema};

const DATA: &str = include_str!("twin/data.sql");

/// Statements over the data, each file in another combination.
const FILES: [(&str, Mode, Way); 5] = [
    (include_str!("twin/select.sql"), Mode::Mixed, Way::Simple),
    (include_str!("twin/equality.sql"), Mode::Deterministic, Way::Text),
    (include_str!("twin/joins.sql"), Mode::Mixed, Way::Binary),
    (include_str!("twin/group.sql"), Mode::Deterministic, Way::Simple),
    (include_str!("twin/update_delete.sql"), Mode::Randomized, Way::Text),
];

fn plain(server: &'static Server, mode: Mode) -> Database {
    server
        .database(&format!("plain {}", mode != Mode::Randomized), |template| {
            server.query(template, &format!("SET ROLE {ROLE}; {}", schema(mode)));
        })
        .unlogged()
}

fn side<'a>(server: &Server, database: &'a Database) -> Side<'a> {
    Side { address: server.address(), database }
}

#[test]
fn rows_that_were_there_before_are_answered_alike() {
    for server in servers() {
        for (file, mode, way) in FILES {
            let (twin, sealed) = (plain(server, mode), plain(server, mode));
            let data = twin::read(DATA);
            let loaded = twin::run(&data, mode, way, &side(server, &twin), &side(server, &sealed));
            assert!(loaded.is_ok_and(|count| count.alike > 8));
            // From here on everything is logged, and searched.
            server.query("postgres", &format!("ALTER DATABASE {} RESET ALL", sealed.name));

            let policy = site::policy(&config(mode));
            site::migrate(server, &sealed.name, policy.declaration());
            let mut veil = Site::over(sealed, |options| options.policies = vec![policy]);
            let veiled = Side { address: veil.veil.address, database: &veil.database };
            let result = twin::run(&twin::read(file), mode, way, &side(server, &twin), &veiled);
            let failures = result.err().unwrap_or_default();
            let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
            assert!(failures.is_empty(), "{mode} {way}\n{}", failures.join("\n"));
            veil.canaries = Canaries::new().with(&CANARIES);
        }
    }
}
