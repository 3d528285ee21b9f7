//! Policies, good and bad, through the public interface.

// clippy.toml allows it in functions marked #[test] only.
#![allow(clippy::unwrap_used)]

mod guests;

mod bad;
mod declarations;
mod user_profile;

use std::sync::LazyLock;
use std::time::Duration;

use pgveil_policy::{Engine, Limits, SessionFacts};
use pgveil_sql::catalog::ColumnId;
use pgveil_sql::plan::{ColumnFacts, Facts, RelationFacts, Uses};

/// Generous with starting: this is a debug build on a busy machine.
const LIMITS: Limits = Limits {
    memory: 16 << 20,
    declare: Duration::from_secs(2),
    review: Duration::from_millis(20),
    instances: 64,
};

/// Shared by all tests, which is a test of its own: bad policies run beside good ones.
fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(LIMITS).unwrap());
    &ENGINE
}

/// A statement that shows these columns of `public.auth_user`, numbered from 0.
fn showing(columns: &[&str]) -> Facts {
    let columns = columns.iter().zip(0..).map(|(column, id)| ColumnFacts {
        id: ColumnId(id),
        column: (*column).to_owned(),
        uses: Uses { output: true, ..Uses::default() },
    });
    Facts {
        verb: "select",
        relations: vec![RelationFacts {
            schema: "public".to_owned(),
            table: "auth_user".to_owned(),
            columns: columns.collect(),
        }],
    }
}

fn session(user: &str) -> SessionFacts {
    SessionFacts {
        user: user.to_owned(),
        role: user.to_owned(),
        database: "web".to_owned(),
        application_name: "gunicorn".to_owned(),
        client_address: "127.0.0.1".to_owned(),
    }
}
