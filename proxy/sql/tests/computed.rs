//! Predicates and orders that are decided on values: what goes up in their place, and what does not.

use pgveil_eval::Collation;
use pgveil_sql::catalog::{Catalog, Computing};
use pgveil_sql::plan::{Finds, Planned, Slot};
use pgveil_sql::{Found, Resolved, analyse, render};

use crate::fixture::{catalog, settings};

/// The fixture with every column computed.
fn computing() -> Catalog {
    let mut catalog = catalog();
    let ids: Vec<_> = catalog.columns.iter().map(|column| column.id).collect();
    for id in ids {
        let (collation, default) = (Collation::c(), Collation::c());
        catalog.computing.insert(id, Computing { collation, default });
    }
    catalog
}

/// The statement as it goes up, each test as `[column: parameters]`; or the refusal.
fn upstream(catalog: &Catalog, text: &str) -> String {
    let script = analyse(text, catalog, &settings(), &[]).unwrap();
    if let Some(refusal) = script.statements.iter().find_map(|s| s.refusal.as_ref()) {
        return format!("{}: {}", refusal.code, refusal.message);
    }
    let mut seal = |_: &Slot, value: &str| Ok(format!("<{value}>"));
    let mut resolve = |planned: &Planned, index: usize| {
        let resolve = &planned.resolves[index];
        let column = catalog.column(resolve.column);
        Ok(Resolved {
            relation: column.relation,
            number: column.number,
            found: match resolve.finds {
                Finds::Truth => Found::Truth { matched: "T".to_owned(), unknown: "U".to_owned() },
                Finds::Rank(_) => Found::Rank { handles: "H".to_owned(), ranks: "R".to_owned() },
            },
            known: format!("{} {:?}", column.column, resolve.params),
        })
    };
    let (rendered, _) = render(text, &script, &|_, _| false, &mut seal, &mut resolve);
    rendered.text
}

fn test(reference: &str, known: &str) -> String {
    let handle =
        format!("COALESCE(pg_catalog.substr({reference}, 13, 20), '') OPERATOR(pg_catalog.=) ANY");
    format!(
        "(NOT NOT CASE WHEN (SELECT pgveil.delta('100'::pg_catalog.oid, '2'::pg_catalog.int2, \
         {known})) THEN NULL WHEN {handle} (T) THEN true WHEN {handle} (U) THEN NULL ELSE false END)"
    )
}

#[test]
fn a_predicate_becomes_a_test_of_handles() {
    let catalog = computing();
    for (text, reference, known) in [
        ("email LIKE 'x%'", "email", "email []"),
        ("u.email NOT ILIKE '%x!%' ESCAPE '!'", "u.email", "email []"),
        ("UPPER(\"u\".\"email\"::text) LIKE UPPER($2)", "\"u\".\"email\"", "email [1]"),
        ("lower(CAST(email AS text)) = lower($1) || $2", "email", "email [0, 1]"),
        ("email BETWEEN 'a' AND ('b')", "email", "email []"),
        ("trim(leading 'x' from email) <> 'y'", "email", "email []"),
        ("substring(email from 2 for 3) IN ('a', 'b')", "email", "email []"),
        ("position('@' in email) = 4", "email", "email []"),
        ("email::varchar(3) IS DISTINCT FROM 'abc'", "email", "email []"),
    ] {
        let before = "SELECT id FROM users u WHERE id > 0 AND ";
        let found = upstream(&catalog, &format!("{before}{text} OR id = 7"));
        assert_eq!(found, format!("{before}{} OR id = 7", test(reference, known)), "{text}");
    }
}

#[test]
fn what_rows_are_ordered_by_becomes_a_rank() {
    let catalog = computing();
    let rank = |reference: &str| {
        format!(
            "(CASE WHEN (SELECT pgveil.delta('100'::pg_catalog.oid, '2'::pg_catalog.int2, email [])) \
             THEN NULL ELSE NULLIF((R)[pg_catalog.width_bucket(COALESCE(pg_catalog.substr({reference}, \
             13, 20), '')::pg_catalog.name, H)], 0) END)"
        )
    };
    for (before, key, after, reference) in [
        ("SELECT id FROM users ORDER BY ", "email", " DESC NULLS LAST, id LIMIT 3", "email"),
        ("SELECT id FROM users u ORDER BY ", "lower(u.email)", ", 1", "u.email"),
        ("SELECT id, email FROM users ORDER BY ", "2", " DESC", "email"),
        ("SELECT id, u.email AS note FROM users u ORDER BY ", "note", "", "u.email"),
        ("SELECT id, email AS note FROM users ORDER BY (", "NOTE", ")", "email"),
        ("SELECT u.*, U . \"email\" FROM users u ORDER BY ", "email", "", "U . \"email\""),
        ("SELECT row_number() OVER (ORDER BY ", "email", " DESC) FROM users", "email"),
        ("SELECT array_agg(id ORDER BY ", "email", ", id) FROM users", "email"),
    ] {
        let found = upstream(&catalog, &format!("{before}{key}{after}"));
        assert_eq!(found, format!("{before}{}{after}", rank(reference)));
    }
    let starred = upstream(&catalog, "SELECT * FROM users ORDER BY email");
    assert_eq!(starred, format!("SELECT * FROM users ORDER BY {}", rank("\"users\".\"email\"")));
    let distinct = "SELECT DISTINCT ON (email) id FROM users ORDER BY email, id";
    assert_eq!(upstream(&catalog, distinct).matches(&rank("email")).count(), 2);
    for text in [
        "SELECT DISTINCT email FROM users ORDER BY email",
        "SELECT email FROM users UNION SELECT email FROM users ORDER BY email",
        "(SELECT email FROM users) ORDER BY email",
        "SELECT id, note AS x, email AS x FROM users ORDER BY x, email COLLATE \"C\"",
        "SELECT id FROM users ORDER BY email USING <",
        "SELECT id FROM users ORDER BY email FOR UPDATE",
        "SELECT mode() WITHIN GROUP (ORDER BY email) FROM users",
        "SELECT array_agg(DISTINCT id ORDER BY email) FROM users",
        "SELECT sum(id) OVER (ORDER BY email RANGE 1 PRECEDING) FROM users",
        "SELECT sum(id) OVER (w RANGE 1 PRECEDING) FROM users WINDOW w AS (ORDER BY email)",
        "SELECT id, COALESCE(email, 'x') AS e FROM users ORDER BY e",
        "UPDATE users SET note = '' WHERE id = (SELECT id FROM users ORDER BY email LIMIT 1)",
    ] {
        assert!(
            upstream(&catalog, text).starts_with("0A000"),
            "{text}\n{}",
            upstream(&catalog, text)
        );
    }
    // An output column's name goes before an input column's, in parentheses as well.
    let plain = "SELECT id, note AS email FROM users ORDER BY (email)";
    assert_eq!(upstream(&catalog, plain), plain);
}

/// A value of a predicate is not sent, wherever it stands.
#[test]
fn its_values_stay() {
    let catalog = computing();
    for text in [
        "SELECT id FROM users WHERE email LIKE 'secret' AND id = 1",
        "SELECT id FROM users WHERE 'secret' IS NULL OR email LIKE 'secret'",
        "SELECT id FROM users WHERE lower(email) IN ('x', E'secret', U&'secret', 'a' || 'secret')",
        "SELECT email LIKE 'secret' FROM users GROUP BY email LIKE 'secret'",
    ] {
        let found = upstream(&catalog, text);
        assert!(!found.contains("secret") && found.contains("pgveil.delta"), "{text}\n{found}");
    }
    let planned = analyse(
        "SELECT id FROM users WHERE $2::text IS NULL OR email LIKE $2 AND id = $1",
        &catalog,
        &settings(),
        &[],
    );
    let planned = planned.unwrap().statements.remove(0);
    let withheld: Vec<bool> = planned.params.server.iter().map(|param| param.withheld).collect();
    assert_eq!((withheld, planned.params.resolved), (vec![false, true], 1));
}

/// What the server decides by itself stays with it, and what cannot be translated is refused.
#[test]
fn the_rest_is_left_to_the_rules() {
    let mut catalog = computing();
    for text in [
        "SELECT id FROM users WHERE email = 'x'",
        "SELECT id FROM users WHERE email IN ('x', $1)",
        "SELECT id FROM users WHERE email IS DISTINCT FROM $1",
    ] {
        assert!(!upstream(&catalog, text).contains("delta"), "{text}");
    }
    for text in [
        "SELECT id FROM users WHERE email LIKE first_name",
        "SELECT id FROM users WHERE email LIKE note",
        "SELECT id FROM users WHERE email ~ 'x'",
        "SELECT id FROM users WHERE email COLLATE \"C\" < 'x'",
        "SELECT upper(email) FROM users",
        "SELECT id FROM users WHERE email LIKE 'x' FOR UPDATE",
        "UPDATE users SET note = '' WHERE email LIKE 'x'",
        "DELETE FROM users WHERE email LIKE 'x'",
        "INSERT INTO users (email) SELECT email FROM users WHERE email LIKE 'x'",
        "WITH d AS (DELETE FROM users RETURNING email) SELECT * FROM d WHERE email LIKE 'x'",
        "SELECT e FROM (SELECT COALESCE(email, 'x') AS e FROM users) s WHERE e LIKE 'x'",
        "SELECT e FROM (SELECT email AS e FROM users UNION SELECT email FROM subscribers) s \
         WHERE e LIKE 'x'",
        "SELECT 1 FROM users FULL JOIN subscribers USING (email) WHERE email LIKE 'x'",
        "DECLARE c CURSOR FOR SELECT id FROM users WHERE email LIKE 'x'",
        "PREPARE p AS SELECT id FROM users WHERE email LIKE 'x'",
        "CREATE VIEW v AS SELECT id FROM users WHERE email LIKE 'x'",
        "COPY (SELECT id FROM users WHERE email LIKE 'x') TO STDOUT",
        "EXPLAIN SELECT id FROM users WHERE email LIKE 'x'",
    ] {
        assert!(
            upstream(&catalog, text).starts_with("0A000"),
            "{text}\n{}",
            upstream(&catalog, text)
        );
    }
    let upper = "SELECT id FROM users WHERE upper(email) LIKE 'X'";
    catalog.own_names.insert("upper".to_owned());
    assert!(upstream(&catalog, upper).starts_with("0A000"));
    catalog.own_operators = true;
    assert!(upstream(&catalog, "SELECT id FROM users WHERE email LIKE 'x'").starts_with("0A000"));
}

/// Evaluating recurses, so what is nested too deep is left to the rules.
#[test]
fn depth_is_bounded() {
    let catalog = computing();
    for (depth, computed) in [(50, true), (5000, false)] {
        let (open, close) = ("lower(".repeat(depth), ")".repeat(depth));
        let text = format!("SELECT id FROM users WHERE {open}email{close} LIKE 'x'");
        assert_eq!(upstream(&catalog, &text).contains("delta"), computed, "{depth}");
    }
}
