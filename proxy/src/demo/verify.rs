//! Whether what the demo showed is true: every token opened with another implementation of
//! Fernet, and dump and log searched for plain values.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use fernet::Fernet;
use pgveil_sandbox::Cluster;
use tokio_postgres::Client;

use super::DATABASE;
use super::people::Person;
use super::search::Search;
use crate::database::{Database, server_error};
use crate::failure::Failure;

/// Columns that hold tokens, with the person's values.
type Values<'a> = Vec<Vec<&'a str>>;

/// Prints each claim as it is found true; ends with all that are not.
pub(super) async fn verify(
    cluster: &Cluster,
    through: &str,
    direct: &str,
    people: &[Person],
    key: &str,
) -> Result<(), Failure> {
    println!("\nverifying");
    let fernet = Fernet::new(key).ok_or_else(|| Failure::new("the demo's key is not one"))?;
    let mut failures = Vec::new();
    let mut claim = |what: &str, problem: Result<String, Failure>| match problem {
        Ok(found) => println!("  true   {what}: {found}"),
        Err(failure) => {
            println!("  FALSE  {what}: {failure}");
            failures.push(what.to_owned());
        }
    };

    let application = Database::connect(through).await?;
    claim("the application reads what was entered", readable(&application.client, people).await);
    application.close().await;

    let database = Database::connect(direct).await?;
    let client = &database.client;
    let users: Values<'_> =
        people.iter().map(|p| vec![p.email.as_str(), &p.first_name, &p.last_name]).collect();
    let subscribers: Values<'_> =
        people.iter().filter(|p| p.subscribed).map(|p| vec![p.email.as_str()]).collect();
    claim(
        "auth_user holds tokens of the right values",
        tokens(
            client,
            &fernet,
            "SELECT email, first_name, last_name FROM auth_user ORDER BY id",
            &users,
        )
        .await,
    );
    claim(
        "web_profile holds tokens of the right values",
        tokens(
            client,
            &fernet,
            "SELECT encrypted_email, encrypted_first_name, encrypted_last_name \
             FROM web_profile ORDER BY user_id",
            &users,
        )
        .await,
    );
    claim(
        "newsletter_subscriber holds tokens of the right values",
        tokens(
            client,
            &fernet,
            "SELECT email FROM newsletter_subscriber ORDER BY id",
            &subscribers,
        )
        .await,
    );
    claim("equal addresses, and only they, have equal tokens", equal_tokens(client, people).await);
    let search = Search::new(people)?;
    let control: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
    match dump(cluster, direct, client).await {
        Ok((how, text)) => claim(
            &format!("{how} has no plain address or name"),
            searched(&search, &control, &text),
        ),
        Err(failure) => claim("a dump can be made", Err(failure)),
    }
    database.close().await;
    claim(
        "the server's log, which has every statement and parameter, has none either",
        fs::read(cluster.log_path())
            .map_err(Failure::io("cannot read the server's log"))
            .and_then(|text| searched(&search, &control, &text)),
    );
    if failures.is_empty() {
        println!("all of it is true");
        return Ok(());
    }
    Err(Failure::new("what the demo showed is not true").detail(failures.join("; ")))
}

/// Everybody's values through the proxy.
async fn readable(client: &Client, people: &[Person]) -> Result<String, Failure> {
    let query = "SELECT username, first_name, last_name, email FROM auth_user ORDER BY id";
    let rows = client
        .query(query, &[])
        .await
        .map_err(|error| server_error("cannot read through the proxy", &error))?;
    if rows.len() != people.len() {
        return Err(Failure::new(format!("{} rows instead of {}", rows.len(), people.len())));
    }
    for (row, person) in rows.iter().zip(people) {
        let Person { username, first_name, last_name, email, .. } = person;
        let expected = [username, first_name, last_name, email];
        for (index, value) in expected.into_iter().enumerate() {
            if row.try_get::<_, &str>(index).ok() != Some(value.as_str()) {
                return Err(Failure::new(format!("{username}: column {} differs", index + 1)));
            }
        }
    }
    Ok(format!("{} people", people.len()))
}

/// Opens every cell of the query's rows, which must be the expected ones in order.
async fn tokens(
    client: &Client,
    fernet: &Fernet,
    query: &str,
    expected: &Values<'_>,
) -> Result<String, Failure> {
    let rows =
        client.query(query, &[]).await.map_err(|error| server_error("cannot read", &error))?;
    if rows.len() != expected.len() {
        return Err(Failure::new(format!("{} rows instead of {}", rows.len(), expected.len())));
    }
    let mut opened = 0;
    for (number, (row, values)) in rows.iter().zip(expected).enumerate() {
        for (index, value) in values.iter().enumerate() {
            let place = || format!("row {}, column {}", number + 1, index + 1);
            let token: &str = row
                .try_get(index)
                .map_err(|error| Failure::new(format!("{}: {error}", place())))?;
            let found = fernet
                .decrypt(token)
                .map_err(|_| Failure::new(format!("{}: the token does not open", place())))?;
            if found != value.as_bytes() {
                return Err(Failure::new(format!("{}: another value is in the token", place())));
            }
            opened += 1;
        }
    }
    Ok(format!("{opened} tokens of {} rows opened with the fernet crate", rows.len()))
}

/// Both directions over the two tables of the domain.
async fn equal_tokens(client: &Client, people: &[Person]) -> Result<String, Failure> {
    let query = "SELECT email FROM auth_user ORDER BY id";
    let users = client.query(query, &[]).await.map_err(|e| server_error("cannot read", &e))?;
    let query = "SELECT email FROM newsletter_subscriber ORDER BY id";
    let subscribers =
        client.query(query, &[]).await.map_err(|e| server_error("cannot read", &e))?;
    let mut emails: HashMap<String, &str> = HashMap::new();
    let mut pairs = 0;
    let of_users = users.iter().zip(people);
    let of_subscribers = subscribers.iter().zip(people.iter().filter(|p| p.subscribed));
    for (row, person) in of_users.chain(of_subscribers) {
        let token: String = row
            .try_get(0)
            .map_err(|error| Failure::new(format!("cannot read a token: {error}")))?;
        match emails.insert(token, &person.email) {
            Some(other) if other != person.email => {
                return Err(Failure::new("two addresses have one token"));
            }
            Some(_) => pairs += 1,
            None => {}
        }
    }
    if pairs != subscribers.len() {
        return Err(Failure::new(format!(
            "{pairs} of {} subscribers have the token of their user",
            subscribers.len()
        )));
    }
    Ok(format!("{} addresses, {pairs} of them in both tables", people.len()))
}

/// The whole database as text, and how it was had.
async fn dump(
    cluster: &Cluster,
    direct: &str,
    client: &Client,
) -> Result<(&'static str, Vec<u8>), Failure> {
    if let Some(program) = cluster.binaries().program("pg_dump") {
        let dsn = direct.to_owned();
        let output = tokio::task::spawn_blocking(move || Command::new(program).arg(dsn).output())
            .await
            .map_err(|error| Failure::from_error(&error))?
            .map_err(Failure::io("cannot run pg_dump"))?;
        if output.status.success() {
            return Ok(("a pg_dump", output.stdout));
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::new("pg_dump failed").detail(said));
    }
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let failed = |error| server_error(&format!("cannot copy {DATABASE} out"), &error);
    let mut text = Vec::new();
    for row in client.query(tables, &[]).await.map_err(failed)? {
        let table: String = row.get(0);
        let query = format!("SELECT t::text FROM {table} t");
        for row in client.query(&query, &[]).await.map_err(failed)? {
            text.extend_from_slice(row.get::<_, &str>(0).as_bytes());
            text.push(b'\n');
        }
    }
    Ok(("every row of every table (there is no pg_dump here)", text))
}

/// Looks for plain values, and for user names, which are not protected: they show that the text
/// has the people in it.
fn searched(search: &Search, control: &[&str], text: &[u8]) -> Result<String, Failure> {
    let found = search.find(text);
    if let Some(first) = found.first() {
        let line = text[..*first].split(|byte| *byte == b'\n').count();
        return Err(Failure::new(format!("{} found, the first in line {line}", found.len())));
    }
    let finder = aho_corasick::AhoCorasick::new(control).map_err(|e| Failure::from_error(&e))?;
    let mut seen = vec![false; control.len()];
    finder.find_iter(text).for_each(|found| seen[found.pattern().as_usize()] = true);
    let missing = seen.iter().filter(|seen| !**seen).count();
    if missing > 0 {
        return Err(Failure::new(format!("{missing} people are not in it at all")));
    }
    Ok(format!(
        "0 of {} addresses and of the names as whole words in {} kB; all {} user names are there",
        search.emails(),
        text.len() / 1000,
        control.len()
    ))
}
