//! Functions, casts and comparisons, each with random arguments.

use fastrand::Rng;
use pgveil_eval::{Collation, character, text};

use crate::random::{self, pick};
use crate::servers::{answer, quote, servers};

/// Random arguments.
struct Arguments {
    s: String,
    t: String,
    u: String,
    n: i32,
    m: i32,
    k: u32,
}

type Ours = fn(&Arguments, &Collation) -> Result<String, pgveil_eval::EvalError>;

/// The server's expression over the columns of the same names, and ours.
const FUNCTIONS: &[(&str, Ours)] = &[
    ("length(s)", |a, _| Ok(text::length(&a.s).to_string())),
    ("octet_length(s)", |a, _| Ok(text::octet_length(&a.s).to_string())),
    ("substr(s, n)", |a, _| Ok(text::substr(&a.s, a.n, None)?.to_owned())),
    ("substr(s, n, m)", |a, _| Ok(text::substr(&a.s, a.n, Some(a.m))?.to_owned())),
    ("\"left\"(s, n)", |a, _| Ok(text::left(&a.s, a.n).to_owned())),
    ("\"right\"(s, n)", |a, _| Ok(text::right(&a.s, a.n).to_owned())),
    ("btrim(s, t)", |a, _| Ok(text::btrim(&a.s, &a.t).to_owned())),
    ("ltrim(s, t)", |a, _| Ok(text::ltrim(&a.s, &a.t).to_owned())),
    ("rtrim(s, t)", |a, _| Ok(text::rtrim(&a.s, &a.t).to_owned())),
    ("btrim(s)", |a, _| Ok(text::btrim(&a.s, " ").to_owned())),
    ("strpos(s, t)", |a, _| Ok(text::position(&a.s, &a.t).to_string())),
    ("replace(s, t, u)", |a, _| Ok(text::replace(&a.s, &a.t, &a.u).into_owned())),
    ("reverse(s)", |a, _| Ok(text::reverse(&a.s))),
    ("split_part(s, t, m)", |a, _| Ok(text::split_part(&a.s, &a.t, a.m)?.to_owned())),
    ("starts_with(s, t)", |a, _| Ok(text::starts_with(&a.s, &a.t).to_string())),
    ("md5(s)", |a, _| Ok(text::md5(&a.s))),
    ("upper(s)", |a, c| Ok(c.upper(&a.s)?.into_owned())),
    ("lower(s)", |a, c| Ok(c.lower(&a.s)?.into_owned())),
    ("initcap(s)", |a, c| c.initcap(&a.s)),
    ("s < t", |a, c| Ok(c.compare(&a.s, &a.t).is_lt().to_string())),
    ("s = t", |a, _| Ok((a.s == a.t).to_string())),
    ("s::bpchar < t::bpchar", |a, c| Ok(character::compare(&a.s, &a.t, c).is_lt().to_string())),
    ("s::bpchar = t::bpchar", |a, c| Ok(character::compare(&a.s, &a.t, c).is_eq().to_string())),
    ("s::bpchar::text", |a, _| Ok(character::to_text(&a.s).to_owned())),
    ("bpchar_cast(s, k)", |a, _| Ok(character::cast_bpchar(&a.s, a.k).into_owned())),
    ("varchar_cast(s, k)", |a, _| Ok(character::cast_varchar(&a.s, a.k).to_owned())),
    ("bpchar_assign(s, k)", |a, _| Ok(character::assign_bpchar(&a.s, a.k)?.into_owned())),
    ("varchar_assign(s, k)", |a, _| Ok(character::assign_varchar(&a.s, a.k)?.to_owned())),
];

/// The type modifier's conversion functions under names of their own.
const SCHEMA: &str = "
    CREATE TABLE a (id int, s text, t text, u text, n int, m int, k int);
    CREATE FUNCTION bpchar_cast(s text, k int) RETURNS text LANGUAGE sql AS
        $$ SELECT concat(bpchar(s::bpchar, k + 4, true)) $$;
    CREATE FUNCTION bpchar_assign(s text, k int) RETURNS text LANGUAGE sql AS
        $$ SELECT concat(bpchar(s::bpchar, k + 4, false)) $$;
    CREATE FUNCTION varchar_cast(s text, k int) RETURNS text LANGUAGE sql AS
        $$ SELECT \"varchar\"(s::varchar, k + 4, true) $$;
    CREATE FUNCTION varchar_assign(s text, k int) RETURNS text LANGUAGE sql AS
        $$ SELECT \"varchar\"(s::varchar, k + 4, false) $$;";

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn functions_have_the_servers_results() {
    let mut random = Rng::with_seed(4);
    let numbers = [0, 0, 1, 1, 2, 2, 3, 4, 7, -1, -2, -3, i32::MAX, i32::MIN, i32::MIN + 1];
    let arguments: Vec<Arguments> = (0..4000)
        .map(|_| {
            let s = random::value(&mut random);
            // Often a part of the first.
            let t = if random.bool() {
                s.chars().skip(random.usize(..3)).take(random.usize(..3)).collect()
            } else {
                random::value(&mut random)
            };
            let s = if random.u8(..4) == 0 { format!("{t}{s}{t}{t}  ") } else { s };
            Arguments {
                s,
                t,
                u: random::value(&mut random),
                n: *pick(&mut random, &numbers),
                m: *pick(&mut random, &numbers),
                k: *pick(&mut random, &[1, 2, 5, 10]),
            }
        })
        .collect();
    let rows: Vec<String> = arguments
        .iter()
        .enumerate()
        .map(|(id, a)| {
            let strings = [&a.s, &a.t, &a.u].map(|s| quote(s)).join(", ");
            format!("({id}, {strings}, {}, {}, {})", a.n, a.m, a.k)
        })
        .collect();
    for server in servers() {
        let database = "functions";
        server.database(database);
        server.query(database, &format!("{SCHEMA} INSERT INTO a VALUES {}", rows.join(", ")));
        for tested in &server.collations {
            server.query(
                database,
                &format!("ALTER TABLE a ALTER s TYPE text COLLATE \"{}\"", tested.name),
            );
            for (sql, ours) in FUNCTIONS {
                let cased = ["upper(s)", "lower(s)", "initcap(s)"].contains(sql);
                let ordered = sql.contains(" < ");
                // The others are the same under all.
                let is_first = ["t C", "t C.UTF-8"].contains(&&*tested.name);
                if !(is_first || ordered || cased) || (cased && !tested.has_case) {
                    continue;
                }
                server.query(
                    database,
                    &format!(
                        "CREATE OR REPLACE FUNCTION try(r a) RETURNS text LANGUAGE plpgsql AS $$
                            DECLARE result text; BEGIN
                            SELECT '=' || ({sql}) INTO result FROM a WHERE id = r.id; RETURN result;
                            EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE; END $$;
                         CREATE UNIQUE INDEX IF NOT EXISTS a_id ON a (id)"
                    ),
                );
                let answers = server.query(database, "SELECT try(a) FROM a ORDER BY id");
                assert_eq!(answers.len(), arguments.len());
                for (row, a) in answers.iter().zip(&arguments) {
                    let found = ours(a, &tested.collation)
                        .map(Some)
                        .map_err(|error| error.sqlstate().to_owned());
                    assert_eq!(
                        found,
                        answer(row[0].as_ref()),
                        "{sql} of s {:?}, t {:?}, u {:?}, n {}, m {}, k {} in {} of {}",
                        a.s,
                        a.t,
                        a.u,
                        a.n,
                        a.m,
                        a.k,
                        tested.name,
                        server.cluster.binaries()
                    );
                }
            }
        }
    }
}
