//! The extended protocol over protected tables: portals, names, pipelines, errors in batches.

use pgveil_tests::{Batch, Client, Format, Outcome, Reply, Site, server};

use crate::sample::{insert, site};

const SELECT: &str = "SELECT email FROM auth_user WHERE email = $1";
const INSERT: &str = "INSERT INTO contact (email, phone) VALUES ($1, $2)";

fn text(values: &[&str]) -> Vec<Option<Vec<u8>>> {
    values.iter().map(|value| Some(value.as_bytes().to_vec())).collect()
}

trait Steps {
    fn run_named(self, statement: &str, values: &[&str]) -> Self;
    fn once(self, sql: &str, values: &[&str]) -> Self;
}

impl Steps for Batch {
    fn run_named(self, statement: &str, values: &[&str]) -> Self {
        self.bind("", statement, &[Format::Text], &text(values), Format::Text).execute("", 0)
    }

    fn once(self, sql: &str, values: &[&str]) -> Self {
        self.parse("", sql, &[]).run_named("", values)
    }
}

fn people(client: &mut Client, users: &[&str]) {
    for user in users {
        assert_eq!(client.run(&insert(user)).tags(), "INSERT 0 1");
    }
}

fn sync(client: &mut Client, batch: Batch) -> Reply {
    client.send(&batch.sync());
    client.reply()
}

#[test]
fn a_portal_gives_its_rows_in_pieces() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["a", "b", "c", "d", "e"]);
    client.run("BEGIN");
    let batch = Batch::new()
        .parse("", "SELECT email, first_name FROM auth_user ORDER BY id", &[])
        .bind("p", "", &[], &[], Format::Text)
        .describe_portal("p")
        .execute("p", 2);
    let reply = sync(&mut client, batch);
    assert_eq!(reply.tags(), "(suspended)");
    assert_eq!(
        reply.rows(),
        [["a@canary.example", "a Canaryson"], ["b@canary.example", "b Canaryson"]]
    );
    let reply = sync(&mut client, Batch::new().execute("p", 2));
    assert_eq!(reply.rows().len(), 2);
    let reply = sync(&mut client, Batch::new().execute("p", 2));
    assert_eq!((reply.tags().as_str(), reply.rows().len()), ("SELECT 1", 1));
    assert_eq!(reply.rows()[0][0], "e@canary.example");
    client.run("COMMIT");
    // Portals end with their transaction.
    sync(&mut client, Batch::new().execute("p", 1)).failed("34000");
}

#[test]
fn a_named_statement_is_executed_again_and_again() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["a", "b"]);
    let reply = sync(&mut client, Batch::new().parse("s", SELECT, &[]).describe_statement("s"));
    assert_eq!(reply.parameters, Some(vec![25]));
    for user in ["a", "b", "nobody", "a"] {
        let address = format!("{user}@canary.example");
        let rows = sync(&mut client, Batch::new().run_named("s", &[&address])).rows();
        assert_eq!(rows.len(), usize::from(user != "nobody"), "{user}");
    }
}

/// A peer kept the old statement's plan under a name that had been given to another one.
#[test]
fn a_name_that_is_given_again_means_the_new_statement() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["a"]);
    let rows = |client: &mut Client, values: &[&str]| {
        sync(client, Batch::new().run_named("s", values)).rows()
    };
    sync(&mut client, Batch::new().parse("s", SELECT, &[]));
    assert_eq!(rows(&mut client, &["a@canary.example"]), [["a@canary.example"]]);
    sync(&mut client, Batch::new().close_statement("s").parse("s", "SELECT 'x' || $1", &[]));
    assert_eq!(rows(&mut client, &["plain"]), [["xplain"]]);
    // Given without Close, it is an error and the old one stays.
    sync(&mut client, Batch::new().parse("s", SELECT, &[])).failed("42P05");
    assert_eq!(rows(&mut client, &["plain"]), [["xplain"]]);
    // Dropped by SQL.
    client.run("DEALLOCATE s");
    sync(&mut client, Batch::new().run_named("s", &["plain"])).failed("26000");
    sync(&mut client, Batch::new().parse("s", SELECT, &[]));
    assert_eq!(rows(&mut client, &["a@canary.example"]), [["a@canary.example"]]);
    client.run("DISCARD ALL");
    sync(&mut client, Batch::new().run_named("s", &["a@canary.example"])).failed("26000");
    // A Parse that fails does not leave the name taken.
    sync(&mut client, Batch::new().parse("s", "SELECT lower(email) FROM auth_user", &[]))
        .failed("0A000");
    sync(&mut client, Batch::new().parse("s", SELECT, &[]));
    assert_eq!(rows(&mut client, &["a@canary.example"]), [["a@canary.example"]]);
    // The unnamed one needs no Close.
    for _ in 0..2 {
        let batch =
            Batch::new().once(SELECT, &["a@canary.example"]).once("SELECT $1 || 'y'", &["x"]);
        let reply = sync(&mut client, batch);
        assert_eq!(reply.rows(), [["xy"]]);
    }
}

/// Prepared when its relation was nobody's business, bound when it shows protected columns: the
/// plan of then would send the value on as it is.
#[test]
fn a_statement_whose_relation_came_into_scope_is_prepared_again() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["a"]);
    client.run("CREATE TABLE later (email text)");
    let select = "SELECT email FROM later WHERE email = $1";
    sync(&mut client, Batch::new().parse("s", select, &[]));
    client.run("DROP TABLE later");
    client.run("CREATE VIEW later AS SELECT email FROM auth_user");
    sync(&mut client, Batch::new().run_named("s", &["a@canary.example"])).failed("0A000");
    sync(&mut client, Batch::new().close_statement("s").parse("s", select, &[]));
    let reply = sync(&mut client, Batch::new().run_named("s", &["a@canary.example"]));
    assert_eq!(reply.rows(), [["a@canary.example"]]);
}

/// Batches were matched to the wrong plan.
#[test]
fn a_long_pipeline_is_answered_in_order() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["a"]);
    let mut batch = Batch::new();
    for number in 0..200 {
        let (value, address) = (number.to_string(), format!("n{number}@canary.example"));
        batch = match number % 4 {
            0 => batch.once("SELECT $1::text", &[&value]),
            1 => batch.once(INSERT, &[&address, "tel Canaryson"]),
            2 => batch.once(SELECT, &["a@canary.example"]).sync(),
            _ => batch.frame(b'Q', format!("SELECT {number}, email FROM auth_user\0").as_bytes()),
        };
    }
    client.send(&batch.sync());
    let mut outcomes = Vec::new();
    // One ReadyForQuery for each Sync, each simple query and the last Sync.
    for _ in 0..101 {
        let reply = client.reply();
        assert_eq!((reply.error(), reply.status), (None, 'I'));
        outcomes.extend(reply.results);
    }
    assert_eq!(outcomes.len(), 200);
    for (number, outcome) in outcomes.iter().enumerate() {
        let Outcome::Done { rows, tag, .. } = outcome else { panic!("{outcome:?}") };
        let value = |index: usize| String::from_utf8(rows[0][index].clone().unwrap()).unwrap();
        match number % 4 {
            0 => assert_eq!(value(0), number.to_string()),
            1 => assert_eq!(tag, "INSERT 0 1"),
            2 => assert_eq!(value(0), "a@canary.example"),
            _ => assert_eq!((value(0), value(1)), (number.to_string(), "a@canary.example".into())),
        }
    }
}

#[test]
fn an_error_skips_to_the_sync_and_undoes_what_came_before_it() {
    let site = site();
    let mut client = site.connect();
    for bad in ["SELECT missing FROM auth_user", "SELECT lower(email) FROM auth_user", "SELECT 1/0"]
    {
        let batch = Batch::new()
            .once(INSERT, &["undone@canary.example", "tel Canaryson 1"])
            .once(bad, &[])
            .once(INSERT, &["skipped@canary.example", "tel Canaryson 2"]);
        let reply = sync(&mut client, batch);
        assert!(reply.error().is_some(), "{bad}");
        assert_eq!((reply.results.len(), reply.status), (2, 'I'), "{bad}");
        assert_eq!(client.run("SELECT count(*) FROM contact").value(), "0", "{bad}");
    }
    // In a block the status is E until its end.
    client.run("BEGIN");
    let reply = sync(&mut client, Batch::new().once("SELECT lower(email) FROM auth_user", &[]));
    assert_eq!((reply.failed("0A000").message().is_empty(), reply.status), (false, 'E'));
    sync(&mut client, Batch::new().once(SELECT, &["x@canary.example"])).failed("25P02");
    assert_eq!(client.run("ROLLBACK").status, 'I');
}

/// The parameters of a refused statement are on their way when it is refused.
#[test]
fn a_refused_statements_parameters_stay_here() {
    let site = site();
    let mut client = site.connect();
    let refused = [
        ("SELECT id FROM auth_user WHERE lower(email) = $1", "hidden1@canary.example"),
        ("INSERT INTO contact (phone) VALUES (upper($1))", "hidden Canaryson"),
        ("SELECT id FROM auth_user WHERE first_name = $1", "hidden Canaryson 2"),
    ];
    for (sql, value) in refused {
        sync(&mut client, Batch::new().once(sql, &[value])).failed("0A000");
        let named =
            Batch::new().parse("n", sql, &[]).run_named("n", &[value]).run_named("n", &[value]);
        sync(&mut client, named).failed("0A000");
    }
    // Nor do those of a statement behind an error.
    let batch =
        Batch::new().once("SELECT nonsense", &[]).once(INSERT, &["late@canary.example", "x"]);
    sync(&mut client, batch).failed("42703");
}

/// A value is judged when it is bound, and the error comes in order.
#[test]
fn a_value_that_is_refused_fails_its_bind() {
    let site = site();
    let mut client = site.connect();
    let long = format!("{}@canary.example", "x".repeat(300));
    let batch = Batch::new()
        .once("SELECT 'before'", &[])
        .once(INSERT, &[&long, "tel Canaryson"])
        .once("SELECT 'after'", &[]);
    let reply = sync(&mut client, batch);
    let error = reply.failed("22001");
    assert_eq!(error.message(), "value too long for type character varying(254)");
    assert!(matches!(reply.results.as_slice(), [Outcome::Done { .. }, Outcome::Failed(_)]));
    // A token that the application has read raw is not sealed a second time.
    client.run("SET pgveil.reveal = off");
    client.run(&insert("raw"));
    let token = client.run("SELECT email FROM auth_user").value();
    assert!(token.starts_with("gAAAAA"), "{token}");
    let reply = sync(&mut client, Batch::new().once(INSERT, &[&token, "x"]));
    assert!(!reply.error().unwrap().hint().is_empty());
}

#[test]
fn binary_parameters_and_results() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["bin"]);
    let batch = Batch::new()
        .parse(
            "",
            "SELECT id, email, first_name, is_active FROM auth_user WHERE email = $1 AND id = $2",
            &[25, 23],
        )
        .bind(
            "",
            "",
            &[Format::Binary],
            &[Some(b"bin@canary.example".to_vec()), Some(vec![0, 0, 0, 1])],
            Format::Binary,
        )
        .describe_portal("")
        .execute("", 0);
    let reply = sync(&mut client, batch);
    let Outcome::Done { columns, rows, .. } = &reply.results[0] else { panic!("{reply:?}") };
    assert!(columns.iter().all(|column| column.format == 1));
    assert_eq!((columns[1].type_oid, columns[1].typmod), (1043, 258));
    let expected: [&[u8]; 4] = [&[0, 0, 0, 1], b"bin@canary.example", b"bin Canaryson", &[1]];
    let row: Vec<&[u8]> = rows[0].iter().map(|value| value.as_deref().unwrap()).collect();
    assert_eq!(row, expected);
}

/// A plan outlived a change of the schema, and a transaction that was rolled back.
#[test]
fn plans_follow_the_schema() {
    let site = site();
    let mut client = site.connect();
    people(&mut client, &["a"]);
    sync(&mut client, Batch::new().parse("s", "SELECT * FROM auth_user WHERE username = $1", &[]));
    client.run("BEGIN; ALTER TABLE auth_user ADD COLUMN extra text DEFAULT 'new'");
    let row = client.run("SELECT * FROM auth_user").rows();
    assert_eq!(row[0].last().unwrap(), "new");
    assert_eq!(row[0][7], "a@canary.example");
    client.run("ROLLBACK");
    let row = client.run("SELECT * FROM auth_user").rows();
    assert_eq!((row[0].len(), row[0][7].as_str()), (11, "a@canary.example"));
    let row = sync(&mut client, Batch::new().run_named("s", &["a"])).rows();
    assert_eq!((row[0].len(), row[0][7].as_str()), (11, "a@canary.example"));
}

/// Code that names a protected table runs where the policy says that it may, and nowhere else.
#[test]
fn functions_that_the_policy_declares_safe() {
    let mut config = crate::sample::config(pgveil_tests::twin::Mode::Mixed);
    config["safe_functions"] = serde_json::json!([
        "public.purge",
        "how_many",
        "show_all",
        "first_one",
        "listed",
        "twice",
        "taken"
    ]);
    let schema = "CREATE TABLE auth_user (id int PRIMARY KEY, email varchar(254), first_name \
                  varchar(150), last_name varchar(150)); \
                  CREATE TABLE contact (email varchar(254), phone text, code char(8), nick varchar); \
                  CREATE TABLE newsletter_subscriber (email varchar(254)); \
                  CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS \
                  'SELECT count(*) FROM auth_user WHERE email IS NOT NULL'; \
                  CREATE PROCEDURE purge() LANGUAGE sql AS 'DELETE FROM auth_user WHERE id > 1'; \
                  CREATE FUNCTION show_all() RETURNS SETOF auth_user LANGUAGE sql AS \
                  'SELECT * FROM auth_user'; \
                  CREATE FUNCTION first_one(wanted int DEFAULT 1) RETURNS auth_user LANGUAGE plpgsql \
                  STABLE AS 'DECLARE r auth_user; BEGIN SELECT * INTO r FROM auth_user WHERE id = \
                  wanted; RETURN r; END'; \
                  CREATE FUNCTION listed() RETURNS TABLE (mail text) LANGUAGE sql AS \
                  'SELECT email FROM auth_user'; \
                  CREATE FUNCTION twice() RETURNS SETOF auth_user LANGUAGE sql AS \
                  'SELECT * FROM auth_user'; \
                  CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1'; \
                  CREATE FUNCTION taken(auth_user) RETURNS SETOF auth_user LANGUAGE sql AS \
                  'SELECT $1'; \
                  CREATE FUNCTION unsafe() RETURNS SETOF auth_user LANGUAGE sql AS \
                  'SELECT * FROM auth_user'; \
                  CREATE FUNCTION other() RETURNS text LANGUAGE sql AS \
                  'SELECT max(email) FROM auth_user'";
    let site =
        Site::new(server(), "safe functions", schema, &config).guarding(&crate::sample::CANARIES);
    site.direct().run("CREATE VIEW hidden AS SELECT email FROM unsafe()");
    let mut client = site.connect();
    let view = "CREATE VIEW shown AS SELECT id, email FROM show_all()";
    assert_eq!(client.run(view).tags(), "CREATE VIEW");
    client.run("INSERT INTO auth_user VALUES (1, 'a@canary.example'), (2, 'b@canary.example')");
    assert_eq!(client.run("SELECT how_many()").value(), "2");
    assert_eq!(client.run("CALL purge()").tags(), "CALL");
    assert_eq!(
        client.run("SELECT how_many(), email FROM auth_user").rows(),
        [["1", "a@canary.example"]]
    );
    for refused in [
        "SELECT other()",
        "SELECT how_many(email) FROM auth_user",
        "SELECT * FROM unsafe()",
        "SELECT * FROM twice()",
        "SELECT taken(u) FROM auth_user u",
        "SELECT * FROM hidden",
        "SELECT * FROM show_all() WHERE first_name = 'x'",
        "SELECT upper(email) FROM show_all()",
        "SELECT row_to_json(show_all())",
    ] {
        client.run(refused).failed("0A000");
    }
    // Rows of the table are its rows, whatever they come out of.
    client.run("INSERT INTO auth_user VALUES (2, 'b@canary.example', 'Bo Canaryson')");
    for (query, expected) in [
        ("SELECT email FROM show_all() ORDER BY id", vec!["a@canary.example", "b@canary.example"]),
        (
            "SELECT first_name FROM show_all() WHERE email = 'b@canary.example'",
            vec!["Bo Canaryson"],
        ),
        (
            "SELECT s.email FROM public.show_all() s JOIN auth_user USING (email) WHERE s.id = 2",
            vec!["b@canary.example"],
        ),
        ("SELECT email FROM first_one()", vec!["a@canary.example"]),
        ("SELECT (first_one(2)).email", vec!["b@canary.example"]),
        ("SELECT (f).email FROM (SELECT first_one(2) AS f) x", vec!["b@canary.example"]),
        ("SELECT count(DISTINCT email)::text FROM show_all()", vec!["2"]),
        ("SELECT email FROM shown WHERE email = 'a@canary.example'", vec!["a@canary.example"]),
        (
            "SELECT u.email FROM auth_user u, LATERAL first_one(u.id) f WHERE f.email = u.email AND u.id = 1",
            vec!["a@canary.example"],
        ),
    ] {
        assert_eq!(client.run(query).rows().concat(), expected, "{query}");
        assert_eq!(client.execute(query, &[]).rows().concat(), expected, "{query}");
    }
    let row = client.run("SELECT first_one(1)").value();
    assert!(row.contains("a@canary.example"), "{row}");
    let described = client.run("SELECT email FROM show_all() LIMIT 0").results.pop();
    let Some(Outcome::Done { columns, .. }) = described else { panic!("{described:?}") };
    assert_eq!((columns[0].type_oid, columns[0].typmod), (1043, 258));
    // What is declared to be text is shown as it is.
    assert!(client.run("SELECT mail FROM listed() LIMIT 1").value().starts_with("gAAAA"));
    site.assert_clean();
}
