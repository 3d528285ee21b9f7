//! Statements that get a name first: PREPARE, DECLARE.

use super::text::Writer;
use super::{Class, Protocol, Statement};

impl Writer {
    /// A statement and its name's uses.
    pub(super) fn named(&mut self) -> Vec<Statement> {
        let name = self.name("p");
        if self.choices.chance(40) { self.cursor(&name) } else { self.prepared(&name) }
    }

    /// PREPARE, EXECUTE once or twice, DEALLOCATE.
    fn prepared(&mut self, name: &str) -> Vec<Statement> {
        self.protocol = Protocol::Text;
        let inner = self.any_statement();
        self.protocol = Protocol::Simple;
        let values: Vec<String> = inner
            .params
            .iter()
            .map(|value| match value {
                None => "NULL".to_owned(),
                Some(value) => self.string(value),
            })
            .collect();
        let arguments = match values.as_slice() {
            [] => String::new(),
            values => format!("({})", values.join(", ")),
        };
        let mut all = vec![Self::command(format!("PREPARE {name} AS {}", body(&inner.sql)))];
        for _ in 0..=self.choices.below(2) {
            all.push(Statement {
                sql: format!("EXECUTE {name}{arguments}"),
                ordered: inner.ordered,
                writes: inner.writes.clone(),
                parts: vec![body(&inner.sql).to_owned()],
                ..Statement::default()
            });
        }
        if self.choices.chance(50) {
            all.push(Self::command(format!("DEALLOCATE {name}")));
        }
        all
    }

    /// DECLARE, FETCH, CLOSE. Where the order of rows is open, all are fetched at once.
    fn cursor(&mut self, name: &str) -> Vec<Statement> {
        let class = self.choices.pick(&[
            Class::Lookup,
            Class::Join,
            Class::Subquery,
            Class::Expression,
            Class::SetOperation,
            Class::Group,
        ]);
        let inner = self.statement(class);
        let scroll = self.choices.pick(&["", "NO SCROLL "]);
        let declare = format!("DECLARE {name} {scroll}CURSOR FOR {}", body(&inner.sql));
        let mut all = vec![Self::command(declare)];
        let fetch = |what: &str| Statement {
            ordered: inner.ordered,
            parts: vec![body(&inner.sql).to_owned()],
            ..Self::command(format!("FETCH {what} {name}"))
        };
        if inner.ordered && self.choices.chance(50) {
            all.push(fetch("2 FROM"));
            all.push(Self::command(format!("MOVE {name}")));
        }
        all.push(fetch("ALL"));
        if self.choices.chance(50) {
            all.push(Self::command(format!("CLOSE {name}")));
        }
        all
    }
}

/// Without a semicolon at its end.
fn body(sql: &str) -> &str {
    sql.trim_end().trim_end_matches(';')
}
