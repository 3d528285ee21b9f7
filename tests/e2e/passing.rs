//! What has nothing to do with protection passes as it is.

use pgveil_tests::{Batch, Format, cancel_request};

use crate::sample::{insert, site};
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Byte for byte in both directions: the exchange stands in the relay's recording as the client
/// sent and received it.
#[test]
fn untouched_frames_are_forwarded_as_they_came() {
    let site = site();
    let mut client = site.connect();
    client.run("SELECT 1");
    let (sent, received) = (client.sent.len(), client.received.len());
    let exchanges = [
        Batch::new().query("SELECT 'ä', /* odd   spacing */ $$dollar$$ ;;  "),
        Batch::new().query("SELECT * FROM orders; SELECT nonsense; SELECT 2"),
        Batch::new()
            .parse("a b", "SELECT $1::int, $2", &[0, 25])
            .bind(
                "p",
                "a b",
                &[Format::Binary, Format::Text],
                &[Some(vec![0, 0, 0, 7]), None],
                Format::Binary,
            )
            .describe_portal("p")
            .execute("p", 1)
            .close_portal("p")
            .sync(),
    ];
    for exchange in exchanges {
        client.send(&exchange);
        client.reply();
    }
    let tape = site.relay.tapes().remove(0);
    let holds = |stream: Vec<u8>, part: &[u8]| stream.windows(part.len()).any(|at| at == part);
    assert!(holds(tape.upstream(), &client.sent[sent..]), "the statements were changed");
    assert!(holds(tape.downstream(), &client.received[received..]), "the answers were changed");
}

#[test]
fn copy_in_and_out_of_other_tables() {
    let site = site();
    let mut client = site.connect();
    client.send(&Batch::new().query("COPY tag FROM STDIN"));
    assert!(client.reply().error().is_none());
    client
        .send(&Batch::new().copy_data(b"one\t1\ntwo\t2\nthr").copy_data(b"ee\t\\N\n").copy_done());
    assert_eq!(client.reply().tags(), "COPY 3");
    client.send(&Batch::new().query("COPY tag FROM STDIN"));
    client.reply();
    client.send(&Batch::new().copy_data(b"four\t4\n").copy_fail("changed my mind"));
    client.reply().failed("57014");
    client.send(
        &Batch::new().query("COPY (SELECT * FROM tag ORDER BY weight) TO STDOUT (FORMAT csv)"),
    );
    let reply = client.reply();
    let reply = if reply.status == '-' { client.reply() } else { reply };
    assert_eq!(reply.rows().concat().concat(), "one,1\ntwo,2\nthree,\n");
    assert_eq!(client.run("SELECT count(*) FROM tag").value(), "3");
}

#[test]
fn notices_and_notifications() {
    let site = site();
    let (mut listener, mut other) = (site.connect(), site.connect());
    let reply = other.run("DO $$ BEGIN RAISE WARNING 'mind %', 7; END $$");
    assert_eq!(reply.notices[0].message(), "mind 7");
    listener.run("LISTEN news");
    other.run("NOTIFY news, 'payload'");
    let message = listener.message().unwrap();
    assert_eq!(message.tag, b'A');
    assert!(message.body.ends_with(b"news\0payload\0"));
}

#[test]
fn large_results() {
    let site = site();
    let mut client = site.connect();
    let rows = client.run("SELECT g, repeat('x', 2000) FROM generate_series(1, 20000) g").rows();
    assert_eq!(rows.len(), 20_000);
    assert!(
        rows.iter()
            .enumerate()
            .all(|(i, row)| row[0] == (i + 1).to_string() && row[1].len() == 2000)
    );
    // And one value that is large.
    assert_eq!(client.run("SELECT repeat('y', 20000000)").value().len(), 20_000_000);
}

#[test]
fn large_results_that_are_revealed() {
    let site = site();
    let mut client = site.connect();
    client.run(
        "INSERT INTO contact (email, phone) \
         SELECT 'same@canary.example', 'tel Canaryson' FROM generate_series(1, 20000)",
    );
    let rows = client.run("SELECT email, phone FROM contact").rows();
    assert_eq!(rows.len(), 20_000);
    assert!(rows.iter().all(|row| row[0] == "same@canary.example" && row[1] == "tel Canaryson"));
}

#[test]
fn a_cancel_request_reaches_the_server() {
    let site = site();
    let mut client = site.connect();
    let request = cancel_request(client.pid, &client.secret);
    client.send(&Batch::new().query("SELECT pg_sleep(50)"));
    let address = site.veil.address;
    // A request that comes before the statement has begun is lost, as on a plain server.
    let canceller = thread::spawn(move || {
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(100));
            TcpStream::connect(address).unwrap().write_all(&request).unwrap();
        }
    });
    client.reply().failed("57014");
    canceller.join().unwrap();
    // The last requests may hit this one.
    while client.run("SELECT 1").error().is_some() {}
}

#[test]
fn the_session_is_the_servers() {
    let site = site();
    let database = site.database.name.clone();
    let startup = [
        ("user", "app"),
        ("database", database.as_str()),
        ("application_name", "pipes"),
        ("options", "-c geqo=off -c statement_timeout=12345"),
        ("client_encoding", "LATIN1"),
    ];
    let mut client = pgveil_tests::Client::connect_with(site.veil.address, &startup).unwrap();
    assert_eq!(client.run("SELECT pg_backend_pid()").value(), client.pid.to_string());
    assert_eq!(client.run("SHOW geqo").value(), "off");
    assert_eq!(client.run("SHOW statement_timeout").value(), "12345ms");
    assert_eq!(client.parameters["application_name"], "pipes");
    assert_eq!(client.parameters["client_encoding"], "LATIN1");
    let mut direct = site.direct();
    let mut plain = site.connect();
    direct.parameters.remove("application_name");
    plain.parameters.remove("application_name");
    assert_eq!(direct.parameters, plain.parameters);
    direct.run("SELECT 1");
}

#[test]
fn a_session_ends_with_its_client() {
    let site = site();
    for hang_up in [true, false] {
        let mut client = site.connect();
        client.run(&insert(if hang_up { "one" } else { "two" }));
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", client.pid);
        assert_eq!(site.database.value(&sessions).as_deref(), Some("1"));
        if hang_up {
            client.hang_up();
        } else {
            client.send(&Batch::new().terminate());
        }
        for _ in 0..1000 {
            if site.database.value(&sessions).as_deref() == Some("0") {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(site.database.value(&sessions).as_deref(), Some("0"), "hang up: {hang_up}");
    }
}

#[test]
fn a_client_that_has_finished_sending_gets_its_result() {
    let site = site();
    let mut client = site.connect();
    client.run(&insert("half"));
    client.send(
        &Batch::new().query("SELECT email FROM auth_user WHERE id = 1; SELECT pg_sleep(0.2)"),
    );
    client.finish_sending();
    let reply = client.reply();
    assert!(reply.error().is_none(), "{reply:?}");
    assert_eq!(reply.results.len(), 2);
}

#[test]
fn the_server_ends_a_session() {
    let site = site();
    let mut client = site.connect();
    let pid = client.pid;
    client.send(&Batch::new().query("SELECT pg_sleep(50)"));
    let kill = format!("SELECT pg_terminate_backend({pid})");
    thread::sleep(Duration::from_millis(200));
    site.database.query(&kill);
    client.reply().failed("57P01");
    assert!(client.message().is_none(), "the connection is closed");
}
