//! LIKE and ILIKE.

use fastrand::Rng;
use pgveil_eval::like::{Pattern, ilike, like, with_escape};

use crate::random::{self, pick};
use crate::servers::{answer, quote, servers};

/// Values and patterns in a table, and functions that report an error as a value.
const SCHEMA: &str = "
    CREATE FUNCTION try_like(v text, p text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RETURN '=' || (v LIKE p); EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE; END $$;
    CREATE FUNCTION try_ilike(v text, p text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RETURN '=' || (v ILIKE p); EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE; END $$;
    CREATE FUNCTION try_escape(v text, p text, e text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RETURN '=' || (v LIKE p ESCAPE e);
        EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE; END $$;
    CREATE TABLE p (id int, v text, p text, e text);";

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn patterns_match_what_they_match_in_the_server() {
    let mut random = Rng::with_seed(3);
    let cases: Vec<[String; 3]> = (0..20_000)
        .map(|_| {
            let value = random::value(&mut random);
            let pattern = random::pattern(&mut random, &value);
            let escape = *pick(&mut random, &["", "\\", "!", "a", "%", "_", "é", "ab"]);
            [value, pattern, escape.to_owned()]
        })
        .collect();
    let rows: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(id, case)| format!("({id}, {})", case.each_ref().map(|v| quote(v)).join(", ")))
        .collect();
    for server in servers() {
        let database = "patterns_match";
        server.database(database);
        server.query(database, &format!("{SCHEMA} INSERT INTO p VALUES {}", rows.join(", ")));
        for tested in &server.collations {
            let name = &tested.name;
            let ilike_sql = if tested.has_case { "try_ilike(v COLLATE \"{}\", p)" } else { "NULL" };
            let sql = format!(
                "SELECT try_like(v COLLATE \"{name}\", p), try_escape(v COLLATE \"{name}\", p, e), {}
                 FROM p ORDER BY id",
                ilike_sql.replace("{}", name)
            );
            let (mut matched, mut failed) = (0, 0);
            for (row, [value, pattern, escape]) in server.query(database, &sql).iter().zip(&cases) {
                let shown = |found: Result<bool, pgveil_eval::EvalError>| {
                    found
                        .map(|found| Some(found.to_string()))
                        .map_err(|error| error.sqlstate().to_owned())
                };
                let found = like(value, pattern);
                matched += usize::from(found == Ok(true));
                failed += usize::from(found.is_err());
                let theirs = answer(row[0].as_ref());
                assert_eq!(shown(found), theirs, "{value:?} LIKE {pattern:?}");
                let prepared = Pattern::new(pattern).matches(value);
                assert_eq!(shown(prepared), theirs, "prepared {value:?} LIKE {pattern:?}");
                let escaped =
                    with_escape(pattern, escape).and_then(|pattern| like(value, &pattern));
                assert_eq!(
                    shown(escaped),
                    answer(row[1].as_ref()),
                    "{value:?} LIKE {pattern:?} ESCAPE {escape:?}"
                );
                if tested.has_case {
                    assert_eq!(
                        shown(ilike(value, pattern, &tested.collation)),
                        answer(row[2].as_ref()),
                        "{value:?} ILIKE {pattern:?} in {name} of {}",
                        server.cluster.binaries()
                    );
                }
            }
            assert!(matched > 3000 && failed > 100, "{matched} matched, {failed} failed");
        }
    }
}
