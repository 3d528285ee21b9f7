//! `pgveil explain`: what becomes of a statement, without running it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use pgveil_policy::{Policies, Reveal, Reviewer, SessionFacts, Verdict};
use pgveil_seal::Keyring;
use pgveil_sql::catalog::{
    Catalog, CatalogError, CatalogLoad, QUERIES, SETTINGS_QUERY, SealedColumn, Settings,
};
use pgveil_sql::plan::{
    Finds, Output, Planned, Purpose, RelationFacts, Rendered, Script, Slot, Uses, Verb,
};
use pgveil_sql::protection::{Profile, ProfileOwner};
use pgveil_sql::refusal::Refusal;
use pgveil_sql::{Found, Resolved};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::cli::ExplainArgs;
use crate::config::Config;
use crate::database::{Database, block_on, server_error};
use crate::failure::Failure;
use crate::wiring::{self, Wiring};

/// Analyses the statements and prints what was found. A refusal is an answer, not a failure.
pub fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    let wiring = wiring::wire(&config)?;
    let (catalog, settings, mut session) = block_on(async {
        let database = Database::connect(&args.dsn).await?;
        let read = read_database(&database.client, &wiring).await;
        database.close().await;
        read
    })?;
    if let Some(user) = &args.user {
        user.clone_into(&mut session.user);
        user.clone_into(&mut session.role);
    }
    session.application_name.clone_from(&args.application_name);
    let text = explain(&args.sql, &wiring, &catalog, &settings, &session)?;
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::io("cannot print"))
}

/// The catalog, the settings and the session's facts, in one snapshot.
async fn read_database(
    client: &Client,
    wiring: &Wiring,
) -> Result<(Catalog, Settings, SessionFacts), Failure> {
    let failed = |error| server_error("cannot read the catalog", &error);
    let unreadable = |error: CatalogError| Failure::from_error(&error);
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed)?;
    let mut load = CatalogLoad::default();
    for (index, (_, query)) in QUERIES.iter().enumerate() {
        for cells in rows(client, query).await? {
            load.row(index, &borrowed(&cells)).map_err(unreadable)?;
        }
    }
    for (index, query) in (QUERIES.len()..).zip(load.own_queries()) {
        for cells in rows(client, query).await? {
            load.row(index, &borrowed(&cells)).map_err(unreadable)?;
        }
    }
    let settings = one_row(client, SETTINGS_QUERY).await?;
    let settings = Settings::from_row(&borrowed(&settings)).map_err(unreadable)?;
    let facts = one_row(
        client,
        "SELECT session_user::pg_catalog.text, current_user::pg_catalog.text, \
         pg_catalog.current_database()::pg_catalog.text",
    )
    .await?;
    client.batch_execute("COMMIT").await.map_err(failed)?;
    let catalog = load
        .finish(&wiring.declaration, &settings, &Keyrings(&wiring.keyrings))
        .map_err(unreadable)?;
    let fact = |index: usize| facts.get(index).cloned().flatten().unwrap_or_default();
    let session =
        SessionFacts { user: fact(0), role: fact(1), database: fact(2), ..SessionFacts::default() };
    Ok((catalog, settings, session))
}

/// The configured keyrings, asked for a column's key.
struct Keyrings<'k>(&'k HashMap<String, Arc<Keyring>>);

impl pgveil_sql::catalog::Keys for Keyrings<'_> {
    fn check(&self, keyring: &str, id: &str, check: &str) -> Result<(), String> {
        let keys = self
            .0
            .get(keyring)
            .ok_or_else(|| format!("the keyring \"{keyring}\" is not configured"))?;
        let id = id.parse().map_err(|error: pgveil_seal::KeyIdError| error.to_string())?;
        let key =
            keys.get(&id).ok_or_else(|| format!("the keyring \"{keyring}\" has no key {id}"))?;
        if key.check_value() == check {
            return Ok(());
        }
        Err(format!(
            "key {id} of the keyring \"{keyring}\" is not the one that the column is sealed with"
        ))
    }

    fn choose(&self, keyring: &str, id: Option<&str>) -> Option<(String, String)> {
        let keyring = self.0.get(keyring)?;
        let key = match id {
            None => keyring.primary(),
            Some(id) => keyring.get(&id.parse().ok()?)?,
        };
        Some((key.id().to_string(), key.check_value()))
    }
}

type Cells = Vec<Option<String>>;

async fn rows(client: &Client, query: &str) -> Result<Vec<Cells>, Failure> {
    let messages = client
        .simple_query(query)
        .await
        .map_err(|error| server_error("cannot read the catalog", &error))?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

async fn one_row(client: &Client, query: &str) -> Result<Cells, Failure> {
    let rows = rows(client, query).await?;
    rows.into_iter().next().ok_or_else(|| Failure::new("the database gave no answer"))
}

fn borrowed(cells: &Cells) -> Vec<Option<&str>> {
    cells.iter().map(Option::as_deref).collect()
}

/// The whole answer as text.
fn explain(
    sql: &str,
    wiring: &Wiring,
    catalog: &Catalog,
    settings: &Settings,
    session: &SessionFacts,
) -> Result<String, Failure> {
    let mut out = String::new();
    let script = match pgveil_sql::analyse(sql, catalog, settings, &[]) {
        Ok(script) => script,
        Err(refusal) => {
            out.push_str("all statements: ");
            print_refusal(&mut out, sql, 0, &refusal);
            return Ok(out);
        }
    };
    let policies = Policies::new(wiring.policies.clone())
        .map_err(|error| Failure::new(error.to_string()).hint(error.hint()))?;
    let mut reviewer = Reviewer::new(Arc::new(policies));
    let answers: Vec<Answer> =
        script.statements.iter().map(|planned| judge(planned, &mut reviewer, session)).collect();
    let several = script.statements.len() > 1;
    let upstream = upstream(sql, &script, catalog, &answers);
    for (index, (planned, answer)) in script.statements.iter().zip(&answers).enumerate() {
        if several {
            let _ = write!(out, "{}statement {}: ", if index > 0 { "\n" } else { "" }, index + 1);
        }
        print_statement(&mut out, sql, planned, catalog);
        print_answer(&mut out, sql, planned, answer, catalog);
    }
    if script.statements.is_empty() {
        out.push_str("no statement\n");
    } else if script.statements.iter().all(|planned| matches!(planned.verb, Verb::Pgveil(_))) {
        // What stands in its place is not of interest.
    } else if script.is_untouched() {
        out.push_str("\nsent upstream as it is\n");
    } else {
        let _ = writeln!(
            out,
            "\nsent upstream (values redacted):\n  {}",
            upstream.replace('\n', "\n  ")
        );
        if answers.iter().any(|answer| matches!(answer, Answer::Refused(_))) {
            let _ = writeln!(
                out,
                "({} stands where a statement was refused: the server's error for it comes back \
                 in order, as the refusal)",
                pgveil_sql::REFUSED
            );
        }
    }
    Ok(out)
}

/// What becomes of one statement.
enum Answer {
    /// It names nothing that is protected.
    Outside,
    /// It is not run.
    Refused(Refusal),
    /// It runs.
    Allowed(Arc<Verdict>),
}

/// Asks the policies, as a session does.
fn judge(planned: &Planned, reviewer: &mut Reviewer, session: &SessionFacts) -> Answer {
    if let Some(refusal) = &planned.refusal {
        return Answer::Refused(refusal.clone());
    }
    if planned.facts.relations.is_empty() {
        return Answer::Outside;
    }
    let refusal = |code, message, detail, hint| {
        Answer::Refused(Refusal { code, message, detail, hint, position: None })
    };
    match reviewer.review(session, &planned.facts) {
        Ok(verdict) => match &*verdict {
            Verdict::Allow(_) => Answer::Allowed(verdict),
            Verdict::Deny { message, hint } => {
                refusal("42501", message.clone(), None, hint.clone())
            }
        },
        Err(error) => refusal(
            error.sqlstate(),
            error.to_string(),
            error.detail(),
            Some(error.hint().to_owned()),
        ),
    }
}

/// The text that the server would get, with every literal redacted and every token named instead.
fn upstream(sql: &str, script: &Script, catalog: &Catalog, answers: &[Answer]) -> String {
    let refused = |index: usize, _: &Planned| matches!(answers[index], Answer::Refused(_));
    let mut seal = |slot: &Slot, _: &str| Ok(placeholder(slot, catalog));
    let mut resolve = |planned: &Planned, index: usize| Ok(resolved(planned, index, catalog));
    let (Rendered { text, moved }, _) =
        pgveil_sql::render(sql, script, &refused, &mut seal, &mut resolve);
    // The edits are ours: names of tokens and identifiers. Between them is the client's text.
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for [start, length, ..] in moved {
        push_redacted(&mut shown, &text[end..start]);
        end = start + length;
        shown.push_str(&text[start..end]);
    }
    push_redacted(&mut shown, &text[end..]);
    shown
}

/// Redacts a piece of a text. White space at its ends belongs to the text around it.
fn push_redacted(out: &mut String, piece: &str) {
    let inner = piece.trim();
    let start = piece.len() - piece.trim_start().len();
    out.push_str(&piece[..start]);
    out.push_str(&pgveil_sql::redact(inner));
    out.push_str(&piece[start + inner.len()..]);
}

/// What decides an expression is known when the statement runs.
fn resolved(planned: &Planned, index: usize, catalog: &Catalog) -> Resolved {
    let column = planned.resolves.get(index).map(|resolve| catalog.column(resolve.column));
    Resolved {
        relation: column.map_or(0, |column| column.relation),
        number: column.map_or(0, |column| column.number),
        found: match planned.resolves.get(index).map(|resolve| &resolve.finds) {
            Some(Finds::Rank(_)) => Found::Rank {
                handles: "<all handles>".to_owned(),
                ranks: "<their ranks>".to_owned(),
            },
            Some(Finds::Truth) | None => Found::Truth {
                matched: "<handles that match>".to_owned(),
                unknown: "<handles of NULL>".to_owned(),
            },
        },
        known: "<what is known>".to_owned(),
    }
}

fn placeholder(slot: &Slot, catalog: &Catalog) -> String {
    let column = catalog.column(slot.column);
    format!("token of {}.{}", column.table, column.column)
}

fn print_statement(out: &mut String, sql: &str, planned: &Planned, catalog: &Catalog) {
    let Planned { facts, params, output, range, .. } = planned;
    let word = if facts.relations.is_empty() {
        first_word(&sql[range.clone()])
    } else {
        facts.verb.to_owned()
    };
    let _ = writeln!(out, "{word}");
    for relation in &facts.relations {
        print_relation(out, relation, catalog, planned.verb);
    }
    for (index, param) in params.server.iter().enumerate() {
        let Some(seal) = &param.seal else { continue };
        let column = catalog.column(seal.slot.column);
        let why = match seal.slot.purpose {
            Purpose::Assign(_) => "stored",
            Purpose::Compare(_) => "compared",
            Purpose::Row { compared: None, .. } => "stored where its row is",
            Purpose::Row { compared: Some(_), .. } => "compared, and stored where its row is",
        };
        let each = if seal.array { "each element of " } else { "" };
        let moved = if index == param.client {
            String::new()
        } else {
            format!(" (sent as ${})", index + 1)
        };
        let _ = writeln!(
            out,
            "  parameter: {each}${}{moved} becomes a token of {}.{}, {why}",
            param.client + 1,
            column.table,
            column.column
        );
    }
    for resolve in &planned.resolves {
        let column = catalog.column(resolve.column);
        let with: Vec<String> =
            resolve.params.iter().map(|index| format!("${}", index + 1)).collect();
        let with =
            if with.is_empty() { String::new() } else { format!(" and {}", with.join(", ")) };
        let (what, sent) = match resolve.finds {
            Finds::Truth => ("a predicate over", "handles of those that match are sent"),
            Finds::Rank(_) => ("the order of", "all handles and their ranks are sent"),
        };
        let _ = writeln!(
            out,
            "  resolved: {what} the values of {}.{}{with}, evaluated here; {sent}",
            column.table, column.column
        );
    }
    let opened: Vec<String> = output
        .iter()
        .enumerate()
        .filter(|(_, output)| !output.is_plain())
        .map(|(index, output)| format!("{} ({})", index + 1, sealed_parts(output, catalog)))
        .collect();
    if !opened.is_empty() {
        let _ = writeln!(out, "  result: sealed columns are {}", opened.join(", "));
    }
}

/// The sealed columns of an output column.
fn sealed_parts(output: &Output, catalog: &Catalog) -> String {
    match output {
        Output::Plain => String::new(),
        Output::Sealed { column, logical, detached: _, array } => {
            let column = catalog.column(*column);
            let array = if *array { "[]" } else { "" };
            format!("{}.{} as {logical}{array}", column.table, column.column)
        }
        Output::Row(fields) => {
            let sealed = fields.iter().filter(|field| !field.is_plain());
            let fields: Vec<String> = sealed.map(|field| sealed_parts(field, catalog)).collect();
            format!("a row with {}", fields.join(", "))
        }
    }
}

/// The first word of a statement.
fn first_word(text: &str) -> String {
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    words.find(|word| !word.is_empty()).unwrap_or("statement").to_ascii_lowercase()
}

fn print_relation(out: &mut String, relation: &RelationFacts, catalog: &Catalog, verb: Verb) {
    let known = catalog.relation(&relation.schema, &relation.table);
    let protected = known.and_then(|relation| relation.protected.as_ref());
    let policy = protected.map_or(String::new(), |p| format!(" (policy {})", p.policy));
    let _ = writeln!(out, "  relation {}.{}{policy}", relation.schema, relation.table);
    for facts in &relation.columns {
        let column = catalog.column(facts.id);
        let _ = writeln!(out, "    {}: {}; {}", facts.column, uses(facts.uses), how_sealed(column));
    }
    if relation.columns.is_empty() {
        out.push_str("    none of its protected columns is used\n");
    }
    if let Some(profile) = protected.and_then(|protected| protected.profile.as_ref()) {
        print_profile(out, relation, profile, verb);
    }
}

fn uses(uses: Uses) -> String {
    let Uses { output, compared, grouped, written, tested, computed } = uses;
    let words = [
        (output, "reaches the client"),
        (compared, "compared"),
        (grouped, "grouped"),
        (written, "written"),
        (tested, "tested for NULL or counted"),
        (computed, "computed"),
    ];
    let held: Vec<&str> =
        words.into_iter().filter_map(|(held, word)| held.then_some(word)).collect();
    if held.is_empty() { "named".to_owned() } else { held.join(", ") }
}

fn how_sealed(column: &SealedColumn) -> String {
    let domain = if column.domain.is_empty() {
        String::new()
    } else {
        format!(", domain {}", column.domain)
    };
    let fold = column.fold.map_or(String::new(), |fold| format!(", fold {fold}"));
    format!("{}{domain}{fold}, key {} of keyring {}", column.mode, column.key_id, column.keyring)
}

/// The profile write of a statement that writes.
fn print_profile(out: &mut String, relation: &RelationFacts, profile: &Profile, verb: Verb) {
    let table = format!("{}.{}", profile.schema, profile.table);
    let copies: Vec<String> = profile
        .copies
        .iter()
        .filter(|(from, _)| {
            relation.columns.iter().any(|column| column.column == *from && column.uses.written)
        })
        .map(|(from, into)| format!("{from} into {into}"))
        .collect();
    let by = match profile.owner {
        ProfileOwner::Pgveil => "by trigger, in the same transaction",
        ProfileOwner::Application => "by the trigger of the application's profile table",
    };
    match verb {
        Verb::Delete | Verb::Truncate if profile.owner == ProfileOwner::Pgveil => {
            let _ = writeln!(out, "    profile write: rows of {table} are deleted {by}");
        }
        _ if !copies.is_empty() => {
            let _ = writeln!(out, "    profile write: {table}: {} ({by})", copies.join(", "));
        }
        _ => {}
    }
}

fn print_answer(
    out: &mut String,
    sql: &str,
    planned: &Planned,
    answer: &Answer,
    catalog: &Catalog,
) {
    match answer {
        Answer::Outside if matches!(planned.verb, Verb::Pgveil(_)) => {
            out.push_str("  answered by pgveil itself\n");
        }
        Answer::Outside => out.push_str("  names nothing that is protected\n"),
        Answer::Refused(refusal) => print_refusal(out, sql, planned.range.start, refusal),
        Answer::Allowed(verdict) => {
            let reaches = |id| {
                let columns = planned.facts.relations.iter().flat_map(|r| &r.columns);
                columns.clone().any(|column| column.id == id && column.uses.output)
            };
            let decided: Vec<String> = match &**verdict {
                Verdict::Allow(columns) => columns
                    .iter()
                    .filter(|(id, _)| reaches(*id))
                    .map(|(id, reveal)| {
                        format!("{} {}", catalog.column(*id).column, decision(reveal))
                    })
                    .collect(),
                Verdict::Deny { .. } => Vec::new(),
            };
            let decided = if decided.is_empty() {
                String::new()
            } else {
                format!(": {}", decided.join(", "))
            };
            let _ = writeln!(out, "  verdict: allowed{decided}");
        }
    }
}

fn decision(reveal: &Reveal) -> String {
    match reveal {
        Reveal::Reveal => "is revealed".to_owned(),
        Reveal::Withhold => "reads as NULL".to_owned(),
        Reveal::Mask(mask) => format!(
            "is masked (first {}, last {}, \"{}\" between)",
            mask.keep_first, mask.keep_last, mask.with
        ),
    }
}

/// As `psql` shows an error, with the line that it points at.
fn print_refusal(out: &mut String, sql: &str, start: usize, refusal: &Refusal) {
    let _ = writeln!(out, "  refused: {} (SQLSTATE {})", refusal.message, refusal.code);
    let position = refusal.position.filter(|at| *at >= start && sql.is_char_boundary(*at));
    if let Some(at) = position {
        let line_start = sql[..at].rfind('\n').map_or(0, |at| at + 1);
        let line_end = sql[at..].find('\n').map_or(sql.len(), |end| at + end);
        let line = sql[..at].matches('\n').count() + 1;
        let head = format!("    LINE {line}: ");
        let column = head.chars().count() + sql[line_start..at].chars().count();
        let _ = writeln!(out, "{head}{}\n{:column$}^", &sql[line_start..line_end], "");
    }
    if let Some(detail) = &refusal.detail {
        let _ = writeln!(out, "    detail: {detail}");
    }
    if let Some(hint) = &refusal.hint {
        let _ = writeln!(out, "    hint: {hint}");
    }
}
