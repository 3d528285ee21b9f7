//! Case mapping of every code point.

use std::collections::HashMap;
use std::thread;

use pgveil_eval::{Collation, EvalError};

use crate::servers::{Server, Tested, servers};

/// What a function does to each code point, where it does something.
type Changed = HashMap<u32, String>;

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn every_code_point_has_the_servers_case() {
    thread::scope(|scope| {
        for server in servers() {
            scope.spawn(|| compare(server));
        }
    });
}

fn compare(server: &Server) {
    let database = "every_code_point";
    server.database(database);
    for tested in &server.collations {
        if !tested.has_case {
            let refused = Err(EvalError::Unsupported("case in a builtin collation"));
            assert_eq!(tested.collation.upper("a"), refused);
            continue;
        }
        // They have the LC_CTYPE of others.
        if ["t de_DE.UTF-8", "t mixed"].contains(&&*tested.name) {
            continue;
        }
        // Those that are not what `unless` says.
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
        let check = |what: &str, changed: &Changed, ours: &dyn Fn(&Collation, char) -> String| {
            for character in '\u{1}'..='\u{10ffff}' {
                let code = u32::from(character);
                let ours = ours(&tested.collation, character);
                let same = match changed.get(&code) {
                    Some(theirs) => ours == *theirs,
                    None => ours.trim_matches(['X', 'Y']).chars().eq([character]),
                };
                // What is trimmed away above.
                let same = same || matches!(character, 'X' | 'Y');
                assert!(same, "{what} of U+{code:04X} is {ours}: {}", place(server, tested));
            }
        };
        check("upper", &upper, &|c, character| {
            c.upper(character.encode_utf8(&mut [0; 4])).unwrap().into_owned()
        });
        check("lower", &lower, &|c, character| {
            c.lower(character.encode_utf8(&mut [0; 4])).unwrap().into_owned()
        });
        check("initcap", &words, &|c, character| {
            c.initcap(&String::from_iter(['x', character, 'y'])).unwrap()
        });
    }
}

fn place(server: &Server, tested: &Tested) -> String {
    format!("{} of {}", tested.name, server.cluster.binaries())
}
