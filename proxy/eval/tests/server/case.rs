//! Case mapping of every code point.

use std::collections::HashMap;

use pgveil_eval::EvalError;

use crate::servers::servers;

/// What a function does to each code point, where it does something.
type Changed = HashMap<u32, String>;

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn every_code_point_has_the_servers_case() {
    for server in servers() {
        let database = "every_code_point";
        server.database(database);
        for tested in &server.collations {
            if !tested.has_case {
                let refused = Err(EvalError::Unsupported("case in a builtin collation"));
                assert_eq!(tested.collation.upper("a"), refused);
                continue;
            }
            // Asks for those that are not what `unless` says.
            let ask = |what: &str, unless: &str| -> Changed {
                let sql = format!(
                    "WITH c AS (SELECT i, chr(i) COLLATE \"{}\" AS c FROM generate_series(1, 1114111) i
                        WHERE i NOT BETWEEN 55296 AND 57343),
                     r AS MATERIALIZED (SELECT i, c, {what} AS r FROM c)
                     SELECT i, r FROM r WHERE r COLLATE \"C\" <> {unless}",
                    tested.name
                );
                let rows = server.query(database, &sql).into_iter();
                rows.map(|row| (row[0].as_ref().unwrap().parse().unwrap(), row[1].clone().unwrap()))
                    .collect()
            };
            let upper = ask("upper(c)", "c");
            let lower = ask("lower(c)", "c");
            let words = ask("initcap('x' || c || 'y')", "'X' || c || 'Y'");
            let fewest = if tested.name == "t C" { 26 } else { 1000 };
            assert!(upper.len() >= fewest && lower.len() >= fewest, "{}", tested.name);
            for character in '\u{1}'..='\u{10ffff}' {
                let own = character.to_string();
                let code = u32::from(character);
                let theirs = |changed: &Changed, otherwise: &str| {
                    changed.get(&code).cloned().unwrap_or_else(|| otherwise.to_owned())
                };
                let collation = &tested.collation;
                assert_eq!(
                    [
                        collation.upper(&own).unwrap().into_owned(),
                        collation.lower(&own).unwrap().into_owned(),
                        collation.initcap(&format!("x{own}y")).unwrap(),
                    ],
                    [
                        theirs(&upper, &own),
                        theirs(&lower, &own),
                        theirs(&words, &format!("X{own}Y")),
                    ],
                    "U+{code:04X} in {} of {}",
                    tested.name,
                    server.cluster.binaries()
                );
            }
        }
    }
}
