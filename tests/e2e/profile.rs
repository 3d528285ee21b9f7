//! The encrypted profile: written in the same transaction, and a write without it is refused.

use std::time::Duration;

use pgveil_tests::Site;

use crate::sample::{insert, site};

fn copies(site: &Site) -> Vec<Vec<Option<String>>> {
    site.database.query(
        "SELECT p.encrypted_email = u.email AND p.encrypted_first_name = u.first_name
            AND p.encrypted_last_name = u.last_name
         FROM auth_user u LEFT JOIN web_profile p ON p.user_id = u.id ORDER BY u.id",
    )
}

fn all_true(rows: &[Vec<Option<String>>]) -> bool {
    rows.iter().all(|row| row[0].as_deref() == Some("t"))
}

#[test]
fn copies_follow_their_row() {
    let site = site();
    let mut client = site.connect();
    client.run(&insert("a"));
    client.run(&insert("b"));
    assert!(copies(&site).len() == 2 && all_true(&copies(&site)));
    client.run("UPDATE auth_user SET email = 'c@canary.example', first_name = 'Cy Canaryson'");
    assert_eq!(
        client.run("UPDATE auth_user SET email = 'd@canary.example' WHERE id = 1").tags(),
        "UPDATE 1"
    );
    assert!(all_true(&copies(&site)));
    client.run("BEGIN");
    client.run(&insert("rolled_back"));
    client.run("ROLLBACK");
    client.run("DELETE FROM auth_user WHERE id = 1");
    let left = "SELECT count(*) FROM web_profile";
    assert_eq!(site.database.value(left).as_deref(), Some("1"));
    client.run("TRUNCATE auth_user CASCADE");
    assert_eq!(site.database.value(left).as_deref(), Some("0"));
}

#[test]
fn a_write_without_its_profile_trigger_is_refused() {
    let site = site();
    let mut client = site.connect();
    client.run(&insert("a"));
    let trigger = "SELECT quote_ident(tgname) FROM pg_trigger WHERE tgrelid = 'auth_user'::regclass
        AND NOT tgisinternal AND (tgtype & 4) <> 0";
    let trigger = site.database.value(trigger).unwrap();
    for (breaks, mends) in [
        (
            format!("ALTER TABLE auth_user DISABLE TRIGGER {trigger}"),
            format!("ALTER TABLE auth_user ENABLE ALWAYS TRIGGER {trigger}"),
        ),
        (
            format!("ALTER TABLE auth_user ENABLE REPLICA TRIGGER {trigger}"),
            format!("ALTER TABLE auth_user ENABLE ALWAYS TRIGGER {trigger}"),
        ),
        (format!("DROP TRIGGER {trigger} ON auth_user"), String::new()),
    ] {
        site.database.query(&breaks);
        // The catalog's lease.
        std::thread::sleep(Duration::from_millis(1200));
        let reply = client.run(&insert("b"));
        let error = reply.failed("55000");
        assert!(!error.hint().is_empty(), "{error:?}");
        assert!(format!("{error:?}").contains("auth_user"), "{error:?}");
        let reply = client.run("UPDATE auth_user SET email = 'z@canary.example'");
        reply.failed("55000");
        // Reading goes on, and so does what the trigger has nothing to do with.
        assert_eq!(client.run("SELECT email FROM auth_user").value(), "a@canary.example");
        assert_eq!(
            client.run("INSERT INTO contact (email) VALUES ('x@canary.example')").tags(),
            "INSERT 0 1"
        );
        let status = client.run("SHOW pgveil.status").rows();
        assert!(status.iter().any(|row| row.concat().contains("auth_user")), "{status:?}");
        if !mends.is_empty() {
            site.database.query(&mends);
            std::thread::sleep(Duration::from_millis(1200));
            assert!(
                client.run(&format!("{} ON CONFLICT DO NOTHING", insert("c"))).error().is_none()
            );
            client.run("DELETE FROM auth_user WHERE username = 'c'");
        }
    }
}

/// The guard: the database itself refuses plaintext, and does not log it.
#[test]
fn a_direct_writer_cannot_store_plaintext() {
    let site = site();
    let mut direct = site.direct();
    direct.run("SET client_min_messages = error");
    let reply =
        direct.run(&insert("direct").replace("Canaryson", "x").replace("canary.example", "y"));
    reply.failed("23514");
    let reply = direct.run("INSERT INTO contact (email) VALUES ('direct@y')");
    reply.failed("23514");
    assert_eq!(site.database.value("SELECT count(*) FROM contact").as_deref(), Some("0"));
}
