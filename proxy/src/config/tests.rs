use super::*;

const GOOD: &str = r#"
listen = ["127.0.0.1:6432", "run/veil.sock"]
unix_socket_permissions = "0700"

[server]
address = "127.0.0.1:5432"

[keys.default]
env = "MESSAGE_ENCRYPTION_KEY"

[keys.old]
file = "old.key"

[[policy]]
name = "people"
builtin = "user-profile"

[[policy.config.tables]]
table = "auth_user"
columns = { email = { mode = "deterministic" } }

[limits]
max_connections = 20
catalog_lease = "1500ms"
dictionary_memory = 1048576

[log]
format = "json"
filter = "warn,pgveil=debug"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/pgveil/pgveil.toml"), text.into())
        .map_err(|mistakes| mistakes.to_string())
}

fn mistakes(text: &str) -> String {
    parse(text).expect_err("has mistakes")
}

#[test]
fn a_whole_configuration_is_read() {
    let config = parse(GOOD).expect("no mistakes");
    assert_eq!(
        config.listen,
        [
            Listen::Tcp("127.0.0.1:6432".parse().expect("address")),
            Listen::Unix("/etc/pgveil/run/veil.sock".into()),
        ]
    );
    assert_eq!(config.unix_socket_permissions, 0o700);
    assert_eq!(config.server.value, "127.0.0.1:5432");
    assert_eq!(config.keyrings["default"].value, KeySource::Env("MESSAGE_ENCRYPTION_KEY".into()));
    assert_eq!(config.keyrings["old"].value, KeySource::File("/etc/pgveil/old.key".into()));
    assert_eq!(config.policies[0].component.value, ComponentSource::Builtin(Builtin::UserProfile));
    assert_eq!(
        config.policies[0].config,
        serde_json::json!({"tables": [
            {"table": "auth_user", "columns": {"email": {"mode": "deterministic"}}}
        ]})
    );
    assert_eq!(config.limits.max_connections, 20);
    assert_eq!(config.limits.dictionary_memory, 1 << 20);
    assert_eq!(config.limits.catalog_lease, Duration::from_millis(1500));
    assert_eq!(config.limits.connect_timeout, Limits::default().connect_timeout);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn without_keys_the_keyring_comes_from_the_environment() {
    let config = parse("listen = \":1\"\n[server]\naddress = \"x\"");
    // An empty host is not an address.
    assert!(config.is_err());
    let config = parse("listen = \"127.0.0.1:1\"\n[server]\naddress = \"x\"").expect("good");
    assert_eq!(config.keyrings["default"].value, KeySource::Env(DEFAULT_KEY_ENV.into()));
}

#[test]
fn a_directory_gets_the_socket_that_libpq_looks_for() {
    let text = "listen = [\"/tmp\", \"127.0.0.1:7001\"]\n[server]\naddress = \"x\"";
    let config = parse(text).expect("good");
    assert!(config.listen.contains(&Listen::Unix("/tmp/.s.PGSQL.7001".into())));
    let config = parse("listen = \"/tmp\"\n[server]\naddress = \"x\"").expect("good");
    assert_eq!(config.listen, [Listen::Unix("/tmp/.s.PGSQL.6432".into())]);
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let text = r#"
lisen = "127.0.0.1:6432"
unix_socket_permissions = "rwx"

[server]
adress = "127.0.0.1:5432"

[keys.default]
env = 3

[keys.both]
env = "A"
file = "b"

[keys.none]

[[policy]]
builtin = "user-profle"

[limits]
max_connections = 0
catalog_lease = "soon"
startup_timeout = 5

[log]
format = "pretty"
filter = "pgveil=loud"
"#;
    let found = mistakes(text);
    let lines: Vec<&str> = found.lines().filter(|line| line.starts_with("/etc")).collect();
    let expected = [
        (2, "unknown key \"lisen\""),
        (3, "\"unix_socket_permissions\""),
        (6, "unknown key \"adress\""),
        (9, "\"env\" is a whole number"),
        (11, "[keys.both] has both"),
        (15, "[keys.none] does not say"),
        (17, "[[policy]] needs \"name\""),
        (18, "\"builtin\" is not one of its words"),
        (21, "\"max_connections\" is out of range"),
        (22, "\"catalog_lease\" is not a span of time"),
        (23, "\"startup_timeout\" is a whole number"),
        (26, "\"format\" is not one of its words"),
        (27, "\"filter\" is not a list"),
    ];
    assert_eq!(lines.len(), expected.len(), "{found}");
    for ((line, words), shown) in expected.iter().zip(&lines) {
        assert!(shown.contains(&format!("pgveil.toml:{line}:")), "{line} in {shown}");
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert!(found.contains("did you mean \"listen\"?"), "{found}");
    assert!(found.contains("did you mean \"address\"?"), "{found}");
}

#[test]
fn values_are_not_quoted_since_they_may_be_secrets() {
    let secret = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    let text =
        format!("listen = \"{secret}\"\n[server]\naddress = 1\n[keys.default]\nkey = \"{secret}\"");
    let found = mistakes(&text);
    assert!(!found.contains("cw_0x6"), "{found}");
}

#[test]
fn text_that_is_not_toml_is_a_mistake_with_a_place() {
    let found = mistakes("listen = [\n[server]\naddress = 'x'\naddress = 'y'\n");
    assert!(found.contains("pgveil.toml:"), "{found}");
    assert!(found.contains("not TOML"), "{found}");
}

#[test]
fn a_path_of_a_policy_finds_its_line() {
    let config = parse(GOOD).expect("good");
    let policy = &config.policies[0];
    let line = |path: &str| {
        let mistake =
            Mistake { span: Some(policy.place_of(path)), message: String::new(), help: None };
        config.source.mistakes(vec![mistake]).iter().next().expect("one").0
    };
    assert_eq!(line("tables[0].columns.email.mode"), Some(20));
    assert_eq!(line("tables[0].columns.email.domain"), Some(20));
    assert_eq!(line("tables[0].table"), Some(19));
    assert_eq!(line("tables[0].profile.link"), Some(18));
    assert_eq!(line("rules"), Some(18));
    assert_eq!(line(""), Some(18));
}
