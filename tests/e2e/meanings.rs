//! Names that mean one relation when a statement is sent and another when it runs: what hides a
//! protected relation is taken away by what stands before it. The relay fails a test whose
//! canaries reach the server.

use crate::sample;

const HIDE: &str = "CREATE TEMP TABLE newsletter_subscriber (email text)";

/// In a string of several statements the first may uncover the protected table.
#[test]
fn a_table_that_is_uncovered_in_the_same_string() {
    let site = sample::site();
    for (before, uncover) in [
        ("", "DISCARD TEMP"),
        ("", "DROP TABLE newsletter_subscriber"),
        ("", "ALTER TABLE pg_temp.newsletter_subscriber RENAME TO other"),
        ("", "SET search_path = public, pg_temp"),
        ("", "SELECT set_config('search_path', 'public, pg_temp', false)"),
        ("BEGIN; SAVEPOINT s", "ROLLBACK TO s"),
        ("BEGIN", "ROLLBACK"),
    ] {
        for write in [
            "INSERT INTO newsletter_subscriber (email) VALUES ('a@canary.example')",
            "DELETE FROM newsletter_subscriber WHERE email = 'a@canary.example'",
        ] {
            let mut client = site.connect();
            client.run(before);
            assert_eq!(client.run(HIDE).tags(), "CREATE TABLE");
            client.run(&format!("{uncover}; {write}")).failed("0A000");
        }
    }
    site.assert_clean();
}

/// What was prepared over the table in front is analysed again for the one behind it.
#[test]
fn a_statement_prepared_over_a_table_that_is_gone() {
    let site = sample::site();
    let prepare = "PREPARE p AS INSERT INTO newsletter_subscriber (email) VALUES ($1)";
    let execute = "EXECUTE p('a@canary.example')";
    for uncover in ["DISCARD TEMP", "DROP TABLE newsletter_subscriber"] {
        let mut client = site.connect();
        client.run(HIDE);
        assert_eq!(client.run(prepare).tags(), "PREPARE");
        // While it stands there it is an ordinary table.
        assert_eq!(client.run("EXECUTE p('plain')").tags(), "INSERT 0 1");
        assert_eq!(client.run("SELECT email FROM newsletter_subscriber").value(), "plain");
        client.run(&format!("{uncover}; {execute}")).failed("0A000");
        client.run(uncover);
        client.run(execute).failed("0A000");
    }
    // And the other way round: a token would be stored in a table of plain values.
    let mut client = site.connect();
    assert_eq!(client.run(prepare).tags(), "PREPARE");
    client.run(&format!("{HIDE}; {execute}")).failed("0A000");
    site.assert_clean();
}

/// A column that is not there any more leaves its name to the protected one.
#[test]
fn a_column_that_is_dropped_in_the_same_string() {
    let site = sample::site();
    let mut client = site.connect();
    client.run("CREATE TABLE beside (id int, email text)");
    let search = "SELECT id FROM auth_user WHERE EXISTS \
                  (SELECT 1 FROM beside WHERE email = 'a@canary.example')";
    client.run(&format!("ALTER TABLE beside DROP COLUMN email; {search}")).failed("0A000");
    client.run("ALTER TABLE beside DROP COLUMN email");
    assert_eq!(client.run(search).rows().len(), 0);
    site.assert_clean();
}
