//! What the server cannot do on tokens: refused, or right.

use super::schema::Sort;
use super::text::Writer;

impl Writer {
    pub(super) fn search(&mut self) -> (String, bool) {
        let subject =
            self.choices.pick(&[Sort::Mail, Sort::Given, Sort::Secret, Sort::Code, Sort::Nick]);
        let (from, scope) = self.join_tree(subject, 1, None);
        let column = self.qualified(subject, &scope).unwrap_or_else(|| "NULL".to_owned());
        let value = self.literal(subject, true);
        let key = scope.items[0].key();
        let id = key.unwrap_or_else(|| "1".to_owned());
        let function = self.choices.pick(&[
            "lower",
            "upper",
            "length",
            "md5",
            "initcap",
            "reverse",
            "trim",
            "pg_catalog.octet_length",
            "quote_literal",
            "to_json",
        ]);
        match self.choices.below(16) {
            0 => {
                let op = self.choices.pick(&[
                    "LIKE",
                    "NOT LIKE",
                    "ILIKE",
                    "~",
                    "~*",
                    "SIMILAR TO",
                    "^@",
                ]);
                (format!("SELECT {id} FROM {from} WHERE {column} {op} {value}"), false)
            }
            1 => {
                let op = self.choices.pick(&["<", ">", "<=", ">="]);
                (format!("SELECT {id} FROM {from} WHERE {column} {op} {value}"), false)
            }
            2 => (format!("SELECT {id} FROM {from} WHERE {column} BETWEEN {value} AND 'z'"), false),
            3 => (format!("SELECT {column} FROM {from} ORDER BY {column}"), true),
            4 => (format!("SELECT {function}({column}) FROM {from}"), false),
            5 => (
                format!("SELECT {id} FROM {from} WHERE {function}({column}) = {function}({value})"),
                false,
            ),
            6 => (format!("SELECT min({column}), max({column}) FROM {from}"), false),
            7 => (format!("SELECT {column} || 'x' FROM {from}"), false),
            8 => (format!("SELECT string_agg({column}, ',' ORDER BY {id}) FROM {from}"), false),
            9 => {
                let op = self.choices.pick(&["=", "<>", "IS DISTINCT FROM"]);
                (format!("SELECT {id} FROM {from} WHERE {column} {op} {value}"), false)
            }
            10 => (format!("SELECT {column}, rank() OVER (ORDER BY {column}) FROM {from}"), false),
            11 => {
                (format!("SELECT substr({column}, 1, 2), count(*) FROM {from} GROUP BY 1"), false)
            }
            12 => (format!("SELECT DISTINCT {column} FROM {from}"), false),
            13 => {
                let cast =
                    self.choices.pick(&["varchar(3)", "char(2)", "bytea", "\"char\"", "name"]);
                (format!("SELECT {column}::{cast} FROM {from}"), false)
            }
            14 => {
                let alias = &scope.items[0].alias;
                (
                    format!(
                        "SELECT {} FROM {from}",
                        self.choices.pick(&[
                            alias,
                            &format!("to_jsonb({alias})"),
                            &format!("({alias}).*"),
                        ])
                    ),
                    false,
                )
            }
            _ => (format!("SELECT greatest({column}, {value}) FROM {from}"), false),
        }
    }
}
