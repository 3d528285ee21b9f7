//! Running servers and their collations.

use std::sync::OnceLock;

use pgveil_eval::{Collation, Definition, Provider};
use pgveil_sandbox::{Binaries, Cluster, Row};

/// Locales beyond those that every machine has.
pub(crate) const LOCALES: [&str; 3] = ["en_US.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8"];

/// A collation on both sides.
pub(crate) struct Tested {
    /// Its name in the server.
    pub(crate) name: String,
    pub(crate) collation: Collation,
    /// The builtin provider's case mapping is refused.
    pub(crate) has_case: bool,
}

pub(crate) struct Server {
    pub(crate) cluster: Cluster,
    pub(crate) collations: Vec<Tested>,
}

/// A server of each version at hand, with its collations in `template1`.
pub(crate) fn servers() -> &'static [Server] {
    static SERVERS: OnceLock<Vec<Server>> = OnceLock::new();
    SERVERS.get_or_init(|| Binaries::all().unwrap().into_iter().map(Server::start).collect())
}

impl Server {
    fn start(binaries: Binaries) -> Self {
        let version = binaries.version;
        eprintln!("compared with {binaries}");
        let cluster = Cluster::builder()
            .binaries(binaries)
            .volatile()
            .setting("log_min_messages", "panic")
            .start()
            .unwrap();
        let mut collations = Vec::new();
        let mut add = |name: String, provider: Provider, sql: String, needed: bool| {
            let has_case = !matches!(provider, Provider::Builtin { .. });
            let opened = Collation::new(&Definition { provider, deterministic: true });
            let created =
                cluster.query("template1", &format!("CREATE COLLATION \"{name}\" ({sql})"));
            match (opened, created) {
                (Ok(collation), Ok(_)) => collations.push(Tested { name, collation, has_case }),
                (opened, created) => assert!(!needed, "{name}: {opened:?}, {created:?}"),
            }
        };
        let libc = |collate: &str, ctype: &str| {
            let provider = Provider::Libc { collate: collate.into(), ctype: ctype.into() };
            (provider, format!("provider = libc, lc_collate = '{collate}', lc_ctype = '{ctype}'"))
        };
        for locale in ["C", "C.UTF-8"].into_iter().chain(LOCALES) {
            let (provider, sql) = libc(locale, locale);
            add(format!("t {locale}"), provider, sql, !LOCALES.contains(&locale));
        }
        let (provider, sql) = libc("de_DE.UTF-8", "tr_TR.UTF-8");
        add("t mixed".into(), provider, sql, false);
        if version >= 17 {
            let provider = Provider::Builtin { locale: "C.UTF-8".into() };
            let sql = "provider = builtin, locale = 'C.UTF-8'".to_owned();
            add("t builtin".into(), provider, sql, true);
        }
        Self { cluster, collations }
    }

    /// A database of a test's own.
    pub(crate) fn database(&self, name: &str) -> &Self {
        self.cluster.create_database(name).unwrap();
        self
    }

    pub(crate) fn query(&self, database: &str, sql: &str) -> Vec<Row> {
        self.cluster
            .query(database, sql)
            .unwrap_or_else(|error| panic!("{error}\nin {}", &sql[..sql.len().min(2000)]))
    }
}

/// A literal.
pub(crate) fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// An answer, or the SQLSTATE of an error as the servers' functions here report it.
pub(crate) fn answer(cell: Option<&String>) -> Result<Option<String>, String> {
    match cell {
        None => Ok(None),
        Some(text) => match text.strip_prefix("error ") {
            Some(code) => Err(code.to_owned()),
            None => Ok(Some(text.strip_prefix('=').unwrap().to_owned())),
        },
    }
}
