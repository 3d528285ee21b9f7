//! The self-test: it passes where both sides have the same locale, and objects where not.

use pgveil_eval::selftest::{HARD, Sample, disagreement, misplaced};
use pgveil_eval::{Collation, Expr, Function};

use crate::servers::{quote, servers};

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn another_locale_is_found_out() {
    for server in servers() {
        let database = "another_locale";
        server.database(database);
        let array = HARD.iter().map(|string| quote(string)).collect::<Vec<_>>().join(", ");
        let table = format!(
            "CREATE TABLE h AS SELECT * FROM unnest(ARRAY[{array}]) WITH ORDINALITY h (s, i)"
        );
        server.query(database, &table);
        for theirs in server.collations.iter().filter(|tested| tested.has_case) {
            let name = &theirs.name;
            let ask = |what: &str, order: &str| -> Vec<String> {
                let sql = format!(
                    "SELECT {what} FROM (SELECT s COLLATE \"{name}\", i FROM h) h (s, i) ORDER BY {order}"
                );
                let rows = server.query(database, &sql);
                rows.into_iter().map(|row| row[0].clone().unwrap()).collect()
            };
            let functions = [
                ("upper(s)", Function::Upper),
                ("lower(s)", Function::Lower),
                ("initcap(s)", Function::Initcap),
            ];
            let answers = functions.map(|(sql, function)| (function, ask(sql, "i")));
            let sorted = ask("s", "s");
            let agrees = |collation: &Collation| {
                let samples: Vec<Sample> = answers
                    .iter()
                    .flat_map(|(function, answers)| {
                        HARD.iter().zip(answers).map(|(string, answer)| Sample {
                            expr: Expr::Call {
                                function: *function,
                                args: vec![Expr::Column(0)],
                                collation: collation.clone(),
                            },
                            input: Some((*string).to_owned()),
                            expected: Ok(Some(answer.clone())),
                        })
                    })
                    .collect();
                disagreement(&samples).is_none() && misplaced(collation, &sorted).is_none()
            };
            // English and German differ in nothing that these strings, or most, would show.
            let same = |name: &str| name.replace("de_DE", "en_US");
            for ours in server.collations.iter().filter(|tested| tested.has_case) {
                assert_eq!(
                    agrees(&ours.collation),
                    same(&ours.name) == same(name),
                    "{} for {name}",
                    ours.name
                );
            }
        }
    }
}
