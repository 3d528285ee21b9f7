//! Order.

use std::cmp::Ordering;

use fastrand::Rng;

use crate::random;
use crate::servers::{quote, servers};

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn values_are_in_the_servers_order() {
    let mut random = Rng::with_seed(2);
    let mut values: Vec<String> = (0..20_000).map(|_| random::value(&mut random)).collect();
    values.extend(pgveil_eval::selftest::HARD.iter().map(ToString::to_string));
    values.sort();
    values.dedup();
    let array = values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(", ");
    for server in servers() {
        let database = "values_are_in_order";
        server.database(database);
        server.query(
            database,
            &format!("CREATE TABLE s AS SELECT s FROM unnest(ARRAY[{array}]::text[]) s"),
        );
        for tested in &server.collations {
            let sql = format!("SELECT s FROM s ORDER BY s COLLATE \"{}\"", tested.name);
            let rows = server.query(database, &sql);
            let theirs: Vec<String> = rows.into_iter().map(|row| row[0].clone().unwrap()).collect();
            let mut ours = values.clone();
            random.shuffle(&mut ours);
            tested.collation.sort(&mut ours, |value| value);
            assert_eq!(ours.len(), theirs.len());
            let differs = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            assert_eq!(differs, None, "{} of {}", tested.name, server.cluster.binaries());
            assert_eq!(pgveil_eval::selftest::misplaced(&tested.collation, &theirs), None);
            for _ in 0..20_000 {
                let (a, b) = (random.usize(..theirs.len()), random.usize(..theirs.len()));
                assert_eq!(tested.collation.compare(&theirs[a], &theirs[b]), a.cmp(&b));
            }
            if tested.name == "t de_DE.UTF-8" {
                assert_eq!(tested.collation.compare("Z", "ä"), Ordering::Greater);
            }
        }
    }
}
