//! Random expressions over random rows.

use std::borrow::Cow;

use fastrand::Rng;
use pgveil_eval::{Cast, Collation, Comparison, Expr, Function, Program, Type};

use crate::random::{self, pick};
use crate::servers::{answer, quote, servers};

const COLUMNS: [Type; 3] = [Type::Text, Type::Bpchar, Type::Text];

/// `try` evaluates an expression, given as text, for one row; an error is a value of it. The
/// subquery keeps the server from evaluating the expression twice.
const SCHEMA: &str = "
    CREATE TABLE r (id int PRIMARY KEY, a text COLLATE \"{}\", b character(6) COLLATE \"{}\",
        c varchar(30) COLLATE \"{}\");
    CREATE FUNCTION try(expr text, row_id int) RETURNS text LANGUAGE plpgsql AS $f$
        DECLARE result text; BEGIN
        EXECUTE format('SELECT CASE WHEN x IS NOT NULL THEN concat(''='', x) END
            FROM (SELECT %s AS x FROM r WHERE id = $1 OFFSET 0) x', expr) INTO result USING row_id;
        RETURN result;
        EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM; END $f$;";

#[test]
#[ignore = "run by `this_port_and_the_server_agree`"]
fn expressions_have_the_servers_values() {
    // A long run may ask for more, and for others.
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let count = number("EVAL_EXPRESSIONS").unwrap_or(250);
    for server in servers() {
        let mut random = Rng::with_seed(number("EVAL_SEED").unwrap_or(5));
        for tested in &server.collations {
            let name = &tested.name;
            if !["t C", "t C.UTF-8", "t tr_TR.UTF-8"].contains(&&**name) {
                continue;
            }
            let database = format!("expressions {name}");
            server.database(&database);
            server.query(&database, &SCHEMA.replace("{}", name));
            let rows: Vec<[Option<String>; 3]> = (0..8).map(|_| row(&mut random)).collect();
            for (id, row) in rows.iter().enumerate() {
                let [a, b, c] =
                    row.each_ref().map(|v| v.as_ref().map_or("NULL".into(), |v| quote(v)));
                server.query(&database, &format!("INSERT INTO r VALUES ({id}, {a}, {b}, {c})"));
            }
            let mut maker =
                Maker { random: &mut random, collation: tested.collation.clone(), name };
            let (mut nulls, mut errors, mut values) = (0, 0, 0);
            for _ in 0..count {
                let of =
                    *pick(maker.random, &[Type::Text, Type::Boolean, Type::Boolean, Type::Integer]);
                let (expr, sql) = maker.expr(of, 4);
                let program =
                    Program::new(&expr, &COLUMNS).unwrap_or_else(|error| panic!("{error}: {sql}"));
                let ask = format!("SELECT try({}, id) FROM r ORDER BY id", quote(&sql));
                for (cells, row) in server.query(&database, &ask).iter().zip(&rows) {
                    let row = row.each_ref().map(Option::as_deref);
                    let found = program
                        .value(&row)
                        .map(|value| value.output().map(Cow::into_owned))
                        .map_err(|error| format!("{} {error}", error.sqlstate()));
                    match &found {
                        Ok(None) => nulls += 1,
                        Ok(Some(_)) => values += 1,
                        Err(_) => errors += 1,
                    }
                    let theirs = answer(cells[0].as_ref());
                    assert_eq!(
                        found,
                        theirs,
                        "{sql}\nfor {row:?} of {}",
                        server.cluster.binaries()
                    );
                }
            }
            assert!(
                nulls > count && errors > count / 20 && values > count * 3,
                "{nulls} {errors} {values}"
            );
        }
    }
}

/// The second is padded as the column pads it.
fn row(random: &mut Rng) -> [Option<String>; 3] {
    let mut value = |most: usize| {
        let value: String = random::value(random).chars().take(most).collect();
        (random.u8(..6) > 0).then_some(value)
    };
    let (a, b, c) = (value(100), value(6), value(30));
    [a, b.map(|b| pgveil_eval::character::cast_bpchar(&b, 6).into_owned()), c]
}

/// Makes expressions, and writes them as SQL.
struct Maker<'m> {
    random: &'m mut Rng,
    collation: Collation,
    name: &'m str,
}

type Made = (Expr, String);

impl Maker<'_> {
    fn expr(&mut self, of: Type, depth: usize) -> Made {
        if depth == 0 || self.random.u8(..6) == 0 {
            return self.leaf(of);
        }
        match self.random.u8(..8) {
            0 => return self.case(of, depth - 1),
            1 => return self.coalesce(of, depth - 1),
            _ => {}
        }
        match of {
            Type::Text => self.text(depth - 1),
            Type::Bpchar => self.cast(of, depth - 1),
            Type::Integer => self.integer(depth - 1),
            Type::Boolean => self.boolean(depth - 1),
        }
    }

    fn leaf(&mut self, of: Type) -> Made {
        if self.random.u8(..12) == 0 {
            return (Expr::Null, format!("NULL::{}", name(of)));
        }
        match of {
            Type::Text if self.random.bool() => {
                let index = *pick(self.random, &[0, 2]);
                (Expr::Column(index), ["a", "b", "c::text"][index].to_owned())
            }
            Type::Bpchar if self.random.bool() => (Expr::Column(1), "b".to_owned()),
            Type::Text => {
                let value = random::value(self.random);
                let sql = format!("({}::text COLLATE \"{}\")", quote(&value), self.name);
                (Expr::Text(value), sql)
            }
            Type::Bpchar => {
                let value = random::value(self.random) + *pick(self.random, &["", "  "]);
                let sql = format!("({}::bpchar COLLATE \"{}\")", quote(&value), self.name);
                (Expr::Bpchar(value), sql)
            }
            Type::Integer => {
                let number = *pick(self.random, &[0, 1, 1, 2, 2, 3, 5, -1, -2]);
                (Expr::Integer(number), format!("({number})"))
            }
            Type::Boolean => {
                let truth = self.random.bool();
                (Expr::Boolean(truth), truth.to_string())
            }
        }
    }

    fn text(&mut self, depth: usize) -> Made {
        use Function::{
            Btrim, Concat, Initcap, Join, Left, Lower, Ltrim, Md5, Replace, Reverse, Right, Rtrim,
            SplitPart, Substr, Upper,
        };
        let functions: &[(Function, &str, &[Type])] = &[
            (Upper, "upper", &[Type::Text]),
            (Lower, "lower", &[Type::Text]),
            (Initcap, "initcap", &[Type::Text]),
            (Upper, "upper", &[Type::Bpchar]),
            (Substr, "substr", &[Type::Text, Type::Integer]),
            (Substr, "substr", &[Type::Text, Type::Integer, Type::Integer]),
            (Left, "\"left\"", &[Type::Text, Type::Integer]),
            (Right, "\"right\"", &[Type::Bpchar, Type::Integer]),
            (Btrim, "btrim", &[Type::Text]),
            (Ltrim, "ltrim", &[Type::Text, Type::Text]),
            (Rtrim, "rtrim", &[Type::Bpchar, Type::Text]),
            (Replace, "replace", &[Type::Text, Type::Text, Type::Text]),
            (Reverse, "reverse", &[Type::Text]),
            (SplitPart, "split_part", &[Type::Text, Type::Text, Type::Integer]),
            (Md5, "md5", &[Type::Text]),
            (Join, "||", &[Type::Text, Type::Text]),
            (Join, "||", &[Type::Bpchar, Type::Text, Type::Text]),
            (Concat, "concat", &[Type::Text, Type::Boolean, Type::Integer]),
            (Concat, "concat", &[Type::Bpchar, Type::Text]),
        ];
        if self.random.u8(..6) == 0 {
            return self.cast(Type::Text, depth);
        }
        let (function, name, types) = *pick(self.random, functions);
        self.call(function, name, types, depth)
    }

    fn integer(&mut self, depth: usize) -> Made {
        let functions: &[(Function, &str, &[Type])] = &[
            (Function::Length, "length", &[Type::Text]),
            (Function::Length, "char_length", &[Type::Bpchar]),
            (Function::OctetLength, "octet_length", &[Type::Text]),
            (Function::OctetLength, "octet_length", &[Type::Bpchar]),
            (Function::Strpos, "strpos", &[Type::Text, Type::Text]),
        ];
        let (function, name, types) = *pick(self.random, functions);
        self.call(function, name, types, depth)
    }

    fn call(&mut self, function: Function, name: &str, types: &[Type], depth: usize) -> Made {
        let made: Vec<Made> = types.iter().map(|of| self.expr(*of, depth)).collect();
        let (args, sql): (Vec<Expr>, Vec<String>) = made.into_iter().unzip();
        let sql = match function {
            Function::Join => format!("({})", sql.join(" || ")),
            _ => format!("{name}({})", sql.join(", ")),
        };
        (Expr::Call { function, args, collation: self.collation.clone() }, sql)
    }

    fn cast(&mut self, of: Type, depth: usize) -> Made {
        let n = *pick(self.random, &[1, 3, 6]);
        let (cast, name) = match (of, self.random.u8(..3)) {
            (Type::Bpchar, 0) => (Cast::Bpchar(None), "bpchar".to_owned()),
            (Type::Bpchar, _) => (Cast::Bpchar(Some(n)), format!("character({n})")),
            (_, 0) => (Cast::Varchar(Some(n)), format!("varchar({n})")),
            (_, 1) => (Cast::Varchar(None), "varchar".to_owned()),
            _ => (Cast::Text, "text".to_owned()),
        };
        let from: &[Type] = match cast {
            Cast::Text => &[Type::Text, Type::Bpchar, Type::Integer, Type::Boolean],
            _ => &[Type::Text, Type::Bpchar],
        };
        let from = *pick(self.random, from);
        let (operand, sql) = self.expr(from, depth);
        let back = if of == Type::Text && name != "text" { "::text" } else { "" };
        let sql = format!("((({sql})::{name}{back}) COLLATE \"{}\")", self.name);
        (Expr::Cast(Box::new(operand), cast), sql)
    }

    fn boolean(&mut self, depth: usize) -> Made {
        let negated = self.random.bool();
        let not = if negated { "NOT " } else { "" };
        match self.random.u8(..10) {
            0 | 1 => self.comparison(depth),
            2 | 3 => self.like(negated, not, depth),
            4 => {
                let of = self.any();
                let (operand, sql) = self.expr(of, depth);
                let made = (0..self.random.usize(1..5)).map(|_| self.expr(of, depth / 2));
                let (list, items): (Vec<Expr>, Vec<String>) =
                    made.collect::<Vec<_>>().into_iter().unzip();
                let sql = format!("({sql} {not}IN ({}))", items.join(", "));
                (Expr::In { negated, operand: Box::new(operand), list }, sql)
            }
            5 => {
                let of = self.any();
                let (operand, sql) = self.expr(of, depth);
                let operand = Box::new(operand);
                (Expr::IsNull { negated, operand }, format!("({sql} IS {not}NULL)"))
            }
            6 => {
                let of = self.any();
                let ((left, a), (right, b)) = (self.expr(of, depth), self.expr(of, depth));
                let (left, right) = (Box::new(left), Box::new(right));
                let sql = format!("({a} IS {not}DISTINCT FROM {b})");
                (Expr::Distinct { negated, left, right }, sql)
            }
            7 => {
                let (operand, sql) = self.expr(Type::Boolean, depth);
                (Expr::Not(Box::new(operand)), format!("(NOT {sql})"))
            }
            8 => {
                let args = &[Type::Text, Type::Text];
                self.call(Function::StartsWith, "starts_with", args, depth)
            }
            _ => {
                let made = (0..self.random.usize(2..4)).map(|_| self.expr(Type::Boolean, depth));
                let (operands, sql): (Vec<Expr>, Vec<String>) =
                    made.collect::<Vec<_>>().into_iter().unzip();
                let (word, expr) = if negated {
                    (" AND ", Expr::And(operands))
                } else {
                    (" OR ", Expr::Or(operands))
                };
                (expr, format!("({})", sql.join(word)))
            }
        }
    }

    fn comparison(&mut self, depth: usize) -> Made {
        let of = self.any();
        let ((left, a), (right, b)) = (self.expr(of, depth), self.expr(of, depth));
        let (comparison, sign) = *pick(
            self.random,
            &[
                (Comparison::Equal, "="),
                (Comparison::NotEqual, "<>"),
                (Comparison::Less, "<"),
                (Comparison::LessOrEqual, "<="),
                (Comparison::Greater, ">"),
                (Comparison::GreaterOrEqual, ">="),
            ],
        );
        let (left, right, collation) = (Box::new(left), Box::new(right), self.collation.clone());
        (Expr::Compare { comparison, left, right, collation }, format!("({a} {sign} {b})"))
    }

    fn like(&mut self, negated: bool, not: &str, depth: usize) -> Made {
        let of = *pick(self.random, &[Type::Text, Type::Text, Type::Bpchar]);
        let (value, sql) = self.expr(of, depth);
        let (pattern, pattern_sql) = if self.random.u8(..4) == 0 {
            self.expr(Type::Text, depth)
        } else {
            let like = random::value(self.random);
            let pattern = random::pattern(self.random, &like);
            let sql = format!("({}::text COLLATE \"{}\")", quote(&pattern), self.name);
            (Expr::Text(pattern), sql)
        };
        let escape = (self.random.u8(..5) == 0).then(|| {
            let escape = *pick(self.random, &["!", "", "\\", "é", "%", "ab"]);
            (Expr::Text(escape.to_owned()), format!(" ESCAPE {}", quote(escape)))
        });
        let (escape, escape_sql) = escape.unzip();
        let ignores_case = self.random.bool();
        let word = if ignores_case { "ILIKE" } else { "LIKE" };
        let sql = format!("({sql} {not}{word} {pattern_sql}{})", escape_sql.unwrap_or_default());
        let expr = Expr::Like {
            negated,
            ignores_case,
            value: Box::new(value),
            pattern: Box::new(pattern),
            escape: escape.map(Box::new),
            collation: self.collation.clone(),
        };
        (expr, sql)
    }

    fn case(&mut self, of: Type, depth: usize) -> Made {
        let compared = self.random.bool().then(|| self.any());
        let operand = compared.map(|of| self.expr(of, depth));
        let mut sql = format!("(CASE {}", operand.as_ref().map_or("", |(_, sql)| sql));
        let mut whens = Vec::new();
        for _ in 0..self.random.usize(1..3) {
            let (when, when_sql) = self.expr(compared.unwrap_or(Type::Boolean), depth);
            let (then, then_sql) = self.expr(of, depth);
            sql = format!("{sql} WHEN {when_sql} THEN {then_sql}");
            whens.push((when, then));
        }
        let otherwise = self.random.bool().then(|| self.expr(of, depth));
        if let Some((_, otherwise)) = &otherwise {
            sql = format!("{sql} ELSE {otherwise}");
        }
        sql.push_str(" END)");
        let operand = operand.map(|(operand, _)| Box::new(operand));
        let otherwise = otherwise.map(|(otherwise, _)| Box::new(otherwise));
        (Expr::Case { operand, whens, otherwise }, sql)
    }

    fn coalesce(&mut self, of: Type, depth: usize) -> Made {
        if self.random.bool() {
            let ((left, a), (right, b)) = (self.expr(of, depth), self.expr(of, depth));
            return (Expr::NullIf(Box::new(left), Box::new(right)), format!("nullif({a}, {b})"));
        }
        let made = (0..self.random.usize(1..4)).map(|_| self.expr(of, depth));
        let (operands, sql): (Vec<Expr>, Vec<String>) =
            made.collect::<Vec<_>>().into_iter().unzip();
        (Expr::Coalesce(operands), format!("coalesce({})", sql.join(", ")))
    }

    fn any(&mut self) -> Type {
        *pick(self.random, &[Type::Text, Type::Text, Type::Bpchar, Type::Integer, Type::Boolean])
    }
}

fn name(of: Type) -> &'static str {
    match of {
        Type::Text => "text",
        Type::Bpchar => "bpchar",
        Type::Integer => "integer",
        Type::Boolean => "boolean",
    }
}
