//! One person, as the application sees it and as the database has it.

use std::fmt::Write as _;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::people::Person;
use crate::database::{Database, server_error};
use crate::failure::Failure;

/// Characters of a value that are shown.
const SHOWN: usize = 44;

/// Rows to show: table, columns, and the condition that finds them by the user's id.
const ROWS: [(&str, &str); 3] = [
    (
        "auth_user",
        "SELECT id, username, first_name, last_name, email FROM auth_user WHERE id = {id}",
    ),
    (
        "web_profile",
        "SELECT user_id, encrypted_first_name, encrypted_last_name, encrypted_email \
         FROM web_profile WHERE user_id = {id}",
    ),
    (
        "newsletter_subscriber",
        "SELECT s.id, s.email FROM newsletter_subscriber s \
         JOIN auth_user u ON u.email = s.email WHERE u.id = {id}",
    ),
];

/// A person's rows through the proxy and directly, side by side.
pub(super) async fn person(
    through: &str,
    direct: &str,
    person: &Person,
) -> Result<String, Failure> {
    let application = Database::connect(through).await?;
    let database = Database::connect(direct).await?;
    let failed = |error| server_error("cannot look a person up", &error);
    // As an application finds somebody who logs in: by the address.
    let id: i32 = application
        .client
        .query_one("SELECT id FROM auth_user WHERE email = $1", &[&person.email])
        .await
        .map_err(failed)?
        .get(0);
    let mut text = format!(
        "\n{:<24}{:<width$}the database has\n",
        "",
        "the application sees",
        width = SHOWN + 2
    );
    for (table, query) in ROWS {
        let query = query.replace("{id}", &id.to_string());
        let seen = first_row(&application.client, &query).await.map_err(failed)?;
        let held = first_row(&database.client, &query).await.map_err(failed)?;
        if held.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{table}");
        for ((name, seen), (_, held)) in seen.iter().zip(&held) {
            let (seen, held) = (cut(seen), cut(held));
            // Formatting counts characters, which is right for the letters shown here.
            let _ = writeln!(text, "  {name:<22}{seen:<width$}{held}", width = SHOWN + 2);
        }
    }
    application.close().await;
    database.close().await;
    Ok(text)
}

/// Column names and values of the first row; nothing if there is none.
async fn first_row(
    client: &Client,
    query: &str,
) -> Result<Vec<(String, String)>, tokio_postgres::Error> {
    let messages = client.simple_query(query).await?;
    let row = messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let Some(row) = row else { return Ok(Vec::new()) };
    let cell = |(index, column): (usize, &tokio_postgres::SimpleColumn)| {
        (column.name().to_owned(), row.get(index).unwrap_or("NULL").to_owned())
    };
    Ok(row.columns().iter().enumerate().map(cell).collect())
}

/// The beginning of a long value and how long it is.
fn cut(value: &str) -> String {
    let length = value.chars().count();
    if length <= SHOWN {
        return value.to_owned();
    }
    let note = format!("... ({length} characters)");
    let kept: String = value.chars().take(SHOWN - note.len()).collect();
    kept + &note
}
