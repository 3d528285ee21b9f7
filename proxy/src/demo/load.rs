//! Loads people as an application does: one statement after the other, with parameters.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::people::Person;
use crate::database::{Database, server_error};
use crate::failure::Failure;

const USER: &str = "INSERT INTO auth_user (password, is_superuser, username, first_name, \
     last_name, email, is_staff, is_active, date_joined) \
     VALUES ('!', false, $1, $2, $3, $4, false, true, now())";
const SUBSCRIBER: &str = "INSERT INTO newsletter_subscriber (email) VALUES ($1)";

/// Loads everybody over a connection to `dsn`.
pub(super) async fn load(dsn: &str, people: &[Person]) -> Result<(), Failure> {
    let database = Database::connect(dsn).await?;
    let client = &database.client;
    let failed = |error| server_error("cannot load the people through the proxy", &error);
    let user = client.prepare(USER).await.map_err(failed)?;
    let subscriber = client.prepare(SUBSCRIBER).await.map_err(failed)?;
    let progress = Progress::new(people.len());
    for person in people {
        let Person { username, first_name, last_name, email, subscribed } = person;
        client.execute(&user, &[username, first_name, last_name, email]).await.map_err(failed)?;
        if *subscribed {
            client.execute(&subscriber, &[email]).await.map_err(failed)?;
        }
        progress.step();
    }
    progress.finish();
    database.close().await;
    let subscriptions = people.iter().filter(|person| person.subscribed).count();
    println!(
        "loaded {} people through the proxy, {subscriptions} of them subscribed to the newsletter",
        people.len()
    );
    Ok(())
}

/// A bar on a terminal, a few lines elsewhere.
enum Progress {
    Bar(ProgressBar),
    Lines { done: std::cell::Cell<usize>, total: usize },
}

impl Progress {
    fn new(total: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { done: 0.into(), total };
        }
        let bar = ProgressBar::new(total as u64);
        let style = ProgressStyle::with_template("loading people {wide_bar} {pos}/{len}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn step(&self) {
        match self {
            Self::Bar(bar) => bar.inc(1),
            Self::Lines { done, total } => {
                done.set(done.get() + 1);
                let quarter = total.div_ceil(4);
                if done.get() % quarter == 0 && done.get() < *total {
                    println!("loading people: {}/{total}", done.get());
                }
            }
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
