//! Case mapping of every code point.

use std::collections::HashMap;
use std::thread;

use pgveil_eval::EvalError;

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
                 SELECT string_agg(i || ' ' || r, E'\n') FROM r WHERE r COLLATE \"C\" <> {unless}",
                tested.name
            );
            let rows = server.query(database, &sql);
            let pairs = rows[0][0].as_ref().unwrap().split('\n');
            pairs
                .map(|pair| pair.split_once(' ').unwrap())
                .map(|(code, result)| (code.parse().unwrap(), result.to_owned()))
                .collect()
        };
        let upper = ask("upper(c)", "c");
        let lower = ask("lower(c)", "c");
        let words = ask("initcap('x' || c || 'y')", "'X' || c || 'Y'");
        let fewest = if tested.name == "t C" { 26 } else { 1000 };
        assert!(upper.len() >= fewest && lower.len() >= fewest, "{}", tested.name);
        let collation = &tested.collation;
        let place = place(server, tested);
        check(&place, ["", "", ""], &upper, &|text| collation.upper(text).unwrap().into_owned());
        check(&place, ["", "", ""], &lower, &|text| collation.lower(text).unwrap().into_owned());
        check(&place, ["x", "X", "Y"], &words, &|text| collation.initcap(text).unwrap());
    }
}

/// Compares what becomes of each code point, many in one string. `around`: with an `x` in front
/// and a `y` behind, and what becomes of those unless the server says otherwise.
fn check(place: &str, around: [&str; 3], changed: &Changed, ours: &dyn Fn(&str) -> String) {
    let [x, before, behind] = around;
    let characters: Vec<char> = ('\u{1}'..='\u{10ffff}').collect();
    for characters in characters.chunks(1000) {
        let (mut input, mut theirs) = (String::new(), String::new());
        for character in characters {
            let y = if x.is_empty() { "" } else { "y" };
            input.extend([x, character.encode_utf8(&mut [0; 4]), y, " "]);
            match changed.get(&u32::from(*character)) {
                Some(changed) => theirs.push_str(changed),
                None => theirs.extend([before, character.encode_utf8(&mut [0; 4]), behind]),
            }
            theirs.push(' ');
        }
        let ours = ours(&input);
        let differs = ours.split(' ').zip(theirs.split(' ')).find(|(ours, theirs)| ours != theirs);
        assert_eq!(differs, None, "{place}");
        assert_eq!(ours, theirs, "{place}");
    }
}

fn place(server: &Server, tested: &Tested) -> String {
    format!("{} of {}", tested.name, server.cluster.binaries())
}
