//! What goes wrong outside: a clear error each, no panic, and nobody else is harmed.

use std::time::Duration;

use pgveil_session::{Options, Proxy};
use pgveil_tests::site::{self, KEY, OTHER_KEY};
use pgveil_tests::twin::Mode;
use pgveil_tests::{Batch, Client, ROLE, Site, server};

use crate::sample::{config, insert, site};

/// Somebody else's session, before and after what goes wrong.
fn bystander(site: &Site) -> Client {
    let mut client = site.connect();
    assert_eq!(client.run("SELECT 1").value(), "1");
    client
}

/// A second proxy over the same database.
fn another(site: &Site, change: impl FnOnce(&mut Options)) -> pgveil_tests::Veil {
    let mut options = Options::new(site::address(site.relay.address()));
    options.keyrings = site::keyrings(KEY);
    options.policies = vec![site::policy(&config(Mode::Mixed))];
    change(&mut options);
    pgveil_tests::Veil::start(options)
}

#[test]
fn a_wrong_key_is_named_and_serves_no_protected_column() {
    let site = site();
    site.connect().run(&insert("a"));
    let wrong = another(&site, |options| options.keyrings = site::keyrings(OTHER_KEY));
    let mut client = Client::connect(wrong.address, ROLE, &site.database.name).unwrap();
    assert_eq!(client.run("SELECT count(*) FROM orders").value(), "0");
    for sql in ["SELECT email FROM auth_user", &insert("b")] {
        let reply = client.run(sql);
        let error = reply.error().unwrap_or_else(|| panic!("{reply:?}"));
        let told = format!("{error:?}");
        assert!(told.contains("email") && told.contains("key"), "{told}");
        assert!(!error.hint().is_empty(), "{told}");
    }
    // A key more, behind the right one, changes nothing.
    let both = another(&site, |options| {
        options.keyrings = site::keyrings(&format!("{OTHER_KEY},{KEY}"));
    });
    let mut client = Client::connect(both.address, ROLE, &site.database.name).unwrap();
    assert_eq!(client.run("SELECT email FROM auth_user").value(), "a@canary.example");
    assert_eq!(
        client.run("SELECT id FROM auth_user WHERE email = 'a@canary.example'").value(),
        "1"
    );
    assert_eq!(client.run(&insert("c")).tags(), "INSERT 0 1");
    // Everybody reads it with the old key alone, for deterministic columns keep theirs.
    assert_eq!(
        site.connect().run("SELECT email FROM auth_user WHERE username = 'c'").value(),
        "c@canary.example"
    );
}

#[test]
fn a_keyring_that_is_missing_is_told_at_once() {
    let mut options = Options::new("127.0.0.1:1".parse().unwrap());
    options.policies = vec![site::policy(&config(Mode::Mixed))];
    let error = Proxy::new(options).unwrap_err().to_string();
    assert!(error.contains("\"default\"") && error.contains("not configured"), "{error}");
}

#[test]
fn a_database_that_is_down() {
    let site = site();
    let mut open = bystander(&site);
    site.relay.go_away();
    let error = site.try_connect().unwrap_err();
    assert!(error.code().starts_with("08") || error.code().starts_with("57"), "{error:?}");
    assert!(!error.message().is_empty());
    assert!(open.run("SELECT 1").error().is_none_or(|e| e.get('S') == Some("FATAL")));
    site.relay.come_back();
    bystander(&site);
}

#[test]
fn a_database_that_goes_away_in_the_middle_of_a_result() {
    let site = site();
    let mut client = site.connect();
    client.run(
        "INSERT INTO contact (email) SELECT 'same@canary.example' FROM generate_series(1, 5000)",
    );
    site.relay.cut_after(100_003);
    client.send(&Batch::new().query("SELECT email FROM contact"));
    let reply = client.reply();
    // A FATAL error, or just the end of the connection; never a result that looks complete.
    assert_eq!(reply.status, '-');
    if let Some(error) = reply.error() {
        assert_eq!(error.get('S'), Some("FATAL"), "{error:?}");
    }
    let mut client = bystander(&site);
    assert_eq!(client.run("SELECT count(*) FROM contact").value(), "5000");
}

#[test]
fn a_client_that_hangs_up_in_the_middle_of_a_statement() {
    let site = site();
    let mut other = bystander(&site);
    let halves: [&[u8]; 3] = [b"Q\0\0\0\xffSELECT", b"Q\0\0", b"B\0\0\0\x50\0\0\0\x01"];
    for half in halves {
        let mut client = site.connect();
        client.run("BEGIN; SELECT id FROM orders FOR UPDATE");
        let pid = client.pid;
        client.send_bytes(half);
        client.hang_up();
        let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        let mut sessions = String::new();
        for _ in 0..500 {
            sessions = site.database.value(&gone).unwrap();
            if sessions == "0" {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(sessions, "0", "the server's session lives on");
        assert_eq!(other.run("SELECT 2").value(), "2");
    }
}

/// A client that reads nothing of a large result must not make the proxy grow, nor stop others.
#[test]
fn a_client_that_does_not_read() {
    let site = site();
    let mut slow = site.connect();
    slow.send(&Batch::new().query("SELECT repeat('x', 1000) FROM generate_series(1, 2000000)"));
    let mut other = bystander(&site);
    for _ in 0..20 {
        other.run("SELECT 1").value();
        std::thread::sleep(Duration::from_millis(10));
    }
    let taken: usize = site.relay.tapes()[0].downstream().len();
    assert!(taken < 200_000_000, "{taken} bytes were read ahead of a client that reads none");
    slow.hang_up();
}

#[test]
fn malformed_frames() {
    let site = site();
    let mut other = bystander(&site);
    let frames: [(&str, &[u8]); 8] = [
        ("a length below its own size", b"Q\0\0\0\x03"),
        ("a length of zero", b"Q\0\0\0\0"),
        ("a negative length", b"Q\xff\xff\xff\xff"),
        ("a length beyond all limits", b"Q\x7f\xff\xff\xff"),
        ("an unknown type", b"\x01\0\0\0\x04"),
        ("a query without its end", b"Q\0\0\0\x0cSELECT 1"),
        ("a Bind that is cut short", b"B\0\0\0\x0c\0\0\0\x02\0\0\0\0"),
        ("a Parse with more types than it has", b"P\0\0\0\x0fs\0SELECT\0\x7f\xff"),
    ];
    for (what, bytes) in frames {
        let mut client = site.connect();
        client.send_bytes(bytes);
        client.send(&Batch::new().sync());
        let reply = client.reply();
        if let Some(error) = reply.error() {
            assert_eq!(error.code(), "08P01", "{what}: {error:?}");
        } else {
            assert_eq!(reply.status, '-', "{what}: {reply:?}");
        }
        assert_eq!(other.run("SELECT 3").value(), "3", "{what}");
    }
}

#[test]
fn startup_packets_that_make_no_sense() {
    let site = site();
    let mut other = bystander(&site);
    let packets: [(&str, &[u8]); 7] = [
        ("an unknown code", b"\0\0\0\x08\x04\xd2\x16\x99"),
        ("protocol 2", b"\0\0\0\x09\0\x02\0\0\0"),
        ("protocol 4", b"\0\0\0\x09\0\x04\0\0\0"),
        ("no user", b"\0\0\0\x09\0\x03\0\0\0"),
        ("a name without a value", b"\0\0\0\x0e\0\x03\0\0user\0\0"),
        ("too long", b"\x7f\xff\xff\xff\0\x03\0\0"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
    ];
    for (what, bytes) in packets {
        let mut client = Client::open(site.veil.address);
        client.send_bytes(bytes);
        client.finish_sending();
        let reply = client.reply();
        assert_eq!(reply.status, '-', "{what}: {reply:?}");
        assert_eq!(other.run("SELECT 4").value(), "4", "{what}");
    }
    // GSSAPI encryption is declined, and the session goes on in clear.
    let mut client = Client::open(site.veil.address);
    client.send_bytes(b"\0\0\0\x08\x04\xd2\x16\x30");
    client.send_bytes(&pgveil_tests::startup(&[("user", ROLE), ("database", &site.database.name)]));
    client.finish_sending();
    assert!(client.read_some() > 0);
    assert_eq!(client.received[0], b'N');
    // Statements before the startup are not run.
    let mut client = Client::open(site.veil.address);
    client.send(&Batch::new().query("DROP TABLE orders"));
    client.finish_sending();
    assert_eq!(client.reply().status, '-');
    assert_eq!(other.run("SELECT count(*) FROM orders").value(), "0");
}

/// A schema in front of `pg_catalog` can hide a table, an operator or a function from whoever
/// does not qualify names.
#[test]
fn a_hostile_search_path_hides_nothing() {
    let site = site();
    let name = &site.database.name;
    site.database.query(
        "CREATE SCHEMA evil;
         CREATE TABLE evil.pg_class (oid oid, relname name, relnamespace oid, relkind \"char\");
         CREATE TABLE evil.pg_namespace (oid oid, nspname name);
         CREATE TABLE evil.pg_attribute (attrelid oid, attname name);
         CREATE FUNCTION evil.never(name, name) RETURNS bool IMMUTABLE LANGUAGE sql RETURN false;
         CREATE FUNCTION evil.never(oid, oid) RETURNS bool IMMUTABLE LANGUAGE sql RETURN false;
         CREATE FUNCTION evil.never(text, text) RETURNS bool IMMUTABLE LANGUAGE sql RETURN false;
         CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = name, RIGHTARG = name);
         CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = oid, RIGHTARG = oid);
         CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = text, RIGHTARG = text);
         CREATE FUNCTION evil.current_schemas(bool) RETURNS name[] LANGUAGE sql RETURN '{evil}'::name[];
         CREATE FUNCTION evil.format_type(oid, int) RETURNS text LANGUAGE sql RETURN 'int';
         GRANT ALL ON SCHEMA evil TO app; GRANT ALL ON ALL TABLES IN SCHEMA evil TO app;",
    );
    let mut inside = site.connect();
    inside.run("SET search_path = evil, public");
    site.database.query(&format!("ALTER DATABASE {name} SET search_path = evil, public"));
    let mut from_the_start = site.connect();
    for client in [&mut inside, &mut from_the_start] {
        assert_eq!(client.run("SHOW search_path").value(), "evil, public");
        let user = format!("u{}", client.pid);
        assert_eq!(client.run(&insert(&user)).tags(), "INSERT 0 1");
        let email = client.run(&format!("SELECT email FROM auth_user WHERE username = '{user}'"));
        assert_eq!(email.value(), format!("{user}@canary.example"));
    }
    let stored = "SELECT email FROM public.auth_user LIMIT 1";
    assert!(site.database.value(stored).unwrap().starts_with("gAAAAA"));
    // In front of pg_catalog the schema's operators would be the ones that statements mean.
    let first = "evil, pg_catalog, public";
    inside.run(&format!("SET search_path = {first}"));
    site.database.query(&format!("ALTER DATABASE {name} SET search_path = {first}"));
    for client in [&mut inside, &mut site.connect()] {
        assert_eq!(client.run("SHOW search_path").value(), first);
        let compares = "SELECT id FROM auth_user WHERE email = 'hidden@canary.example'";
        for sql in [compares, &insert("hidden")] {
            assert!(!client.run(sql).failed("0A000").hint().is_empty());
        }
        assert_eq!(client.run("SELECT email FROM auth_user").rows().len(), 2);
        assert_eq!(client.run("SELECT count(*) FROM orders").value(), "0");
    }
}

/// Which of two tables of one name is meant depends on the search path, and a function may have
/// changed it a moment ago: the wrong one's plan would send the value on as it is.
#[test]
fn a_function_that_changes_the_search_path_is_noticed() {
    let site = site();
    site.database.query(
        "CREATE SCHEMA other; CREATE TABLE other.auth_user (email text);
         CREATE FUNCTION go_there() RETURNS text LANGUAGE sql
             AS $$ SELECT pg_catalog.set_config('search_path', 'other, public', false) $$;
         CREATE FUNCTION public.come_back() RETURNS text LANGUAGE sql
             AS $$ SELECT pg_catalog.set_config('search_path', 'public', false) $$;
         GRANT ALL ON SCHEMA other TO app; GRANT ALL ON other.auth_user TO app;",
    );
    let mut client = site.connect();
    let find = "SELECT count(*) FROM auth_user WHERE email = 'there@canary.example'";
    assert_eq!(client.run(find).value(), "0");
    client.run("SELECT go_there()");
    client.run("INSERT INTO auth_user (email) VALUES ('nobody')");
    client.run("SELECT come_back()");
    assert_eq!(client.run(find).value(), "0");
    assert_eq!(client.run(&insert("there")).tags(), "INSERT 0 1");
    assert_eq!(client.run(find).value(), "1");
    assert_eq!(site.database.value("SELECT email FROM other.auth_user").as_deref(), Some("nobody"));
}

#[test]
fn a_client_too_many() {
    let site = site();
    let small = another(&site, |options| options.max_connections = 2);
    let connect = || Client::connect(small.address, ROLE, &site.database.name);
    let (first, _second) = (connect().unwrap(), connect().unwrap());
    let error = connect().unwrap_err();
    assert_eq!(error.code(), "53300");
    first.hang_up();
    for _ in 0..500 {
        if let Ok(mut client) = connect() {
            assert_eq!(client.run("SELECT 1").value(), "1");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("a place that became free is not given again");
}

#[test]
fn no_such_user_or_database() {
    let site = site();
    let through = Client::connect(site.veil.address, ROLE, "no_such_database").unwrap_err();
    let direct = Client::connect(server().address(), ROLE, "no_such_database").unwrap_err();
    assert_eq!((through.code(), through.message()), (direct.code(), direct.message()));
    let through = Client::connect(site.veil.address, "nobody", &site.database.name).unwrap_err();
    let direct = Client::connect(server().address(), "nobody", &site.database.name).unwrap_err();
    assert_eq!((through.code(), through.message()), (direct.code(), direct.message()));
}
