//! COPY: its grammar, which the server's own is followed in word for word (`CopyStmt` in
//! `src/backend/parser/gram.y`, options before PostgreSQL 9.0 included), and the columns of its
//! data.

use super::Analysis;
use super::classify::Words;
use crate::catalog::Relation;
use crate::copy::{ColumnList, CopyColumn, CopyFormatName, CopyHeader, CopyOptions, CopyPlan};
use crate::lex::{TokenKind, identifier, string_value};
use crate::parse::parse;
use crate::plan::{Planned, Verb};
use crate::refusal::{Reason, Refusal};

/// Reads a COPY statement's tokens from left to right.
struct Reader<'a, 'c> {
    analysis: &'a Analysis<'c>,
    at: usize,
    /// Tokens that were read as values.
    values: Vec<usize>,
}

impl Analysis<'_> {
    /// COPY over something in scope.
    pub(super) fn copy(&mut self, planned: &mut Planned) -> Result<(), Refusal> {
        let words = Words { text: self.text, tokens: self.tokens };
        if words.is(1, "(") {
            return self.copy_query(planned);
        }
        let mut reader = Reader { analysis: self, at: 1, values: Vec::new() };
        let binary = reader.take("binary");
        let at = reader.analysis.tokens.get(reader.at).map(|token| token.range.start);
        let (schema, name) = reader.relation_name()?;
        let listed = reader.column_list()?;
        let into = if reader.take("from") {
            true
        } else if reader.take("to") {
            false
        } else {
            return Err(reader.unread());
        };
        reader.standard_stream(into)?;
        let mut options = reader.options()?;
        if binary {
            options.format = CopyFormatName::Binary;
        }
        let condition = reader.at;
        if reader.take("where") {
            reader.at = self.tokens.len();
        }
        if reader.at < self.tokens.len() {
            return Err(reader.unread());
        }
        let values = reader.values;
        let catalog = self.catalog;
        let oid = self.relation_by_name(schema.as_deref(), &name, at)?.oid;
        let Some(relation) = catalog.relations.get(&oid) else {
            return Err(Reason::UndefinedTable(name).at(None));
        };
        self.touch(relation, into)?;
        self.seen.extend(values);
        self.copy_condition(relation, condition)?;
        if !matches!(relation.kind, 'r' | 'p' | 'm' | 'f' | 'S') && into {
            // Rows that an INSTEAD OF trigger takes: of which types, the view does not say.
            return Err(self.unsupported_write("COPY FROM into a view"));
        }
        let columns = copied_columns(relation, listed.as_deref())?;
        let mut stream = Vec::with_capacity(columns.len());
        let mut names = Vec::with_capacity(columns.len());
        for column in columns {
            if column.copy && into {
                let name = format!("{}.{}", relation.name, column.name);
                return Err(self.refuse(Reason::ProfileCopy(name)));
            }
            if let Some(sealed) = column.sealed.filter(|_| into) {
                self.uses(sealed.column, |uses| uses.written = true);
            }
            stream.push(CopyColumn {
                name: column.name.clone(),
                sealed: column.sealed.filter(|_| into).map(|sealed| sealed.column),
            });
            names.push(&*column.name);
        }
        self.writes |= into;
        let shown = if into {
            Vec::new()
        } else {
            let all = super::scope::relation_columns(relation);
            names.iter().filter_map(|n| all.iter().find(|c| &*c.name == *n).cloned()).collect()
        };
        self.finish(planned, &shown)?;
        planned.copy = Some(std::sync::Arc::new(CopyPlan {
            into,
            relation: Some(relation.name.clone()),
            columns: stream,
            options,
        }));
        Ok(())
    }

    /// COPY (query) TO STDOUT
    fn copy_query(&mut self, planned: &mut Planned) -> Result<(), Refusal> {
        let mut reader = Reader { analysis: self, at: 1, values: Vec::new() };
        let inside = reader.parentheses()?;
        if !reader.take("to") {
            return Err(reader.unread());
        }
        reader.standard_stream(false)?;
        let options = reader.options()?;
        if reader.at < self.tokens.len() {
            return Err(reader.unread());
        }
        let values = reader.values;
        self.seen.extend(values);
        let tree = parse(self.text, &self.tokens[inside])?;
        let (verb, columns) = self.statement(&tree)?;
        if !matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge)
        {
            return Err(self.unparsed("COPY of this statement"));
        }
        if !self.touched {
            planned.effects.merge(std::mem::take(&mut self.effects));
            return Ok(());
        }
        self.operators_are_the_servers()?;
        self.finish(planned, &columns)?;
        let stream = columns
            .iter()
            .map(|column| CopyColumn { name: column.name.to_string(), sealed: None })
            .collect();
        planned.copy = Some(std::sync::Arc::new(CopyPlan {
            into: false,
            relation: None,
            columns: stream,
            options,
        }));
        Ok(())
    }

    /// WHERE of COPY FROM is computed by the server on tokens: it may look at plain columns only.
    fn copy_condition(&mut self, relation: &Relation, from: usize) -> Result<(), Refusal> {
        for index in from..self.tokens.len() {
            let token = &self.tokens[index];
            if token.kind.is_string() {
                self.seen.insert(index);
            }
            let Some(name) = identifier(self.text, token) else { continue };
            let whole_row =
                name == relation.name && (!self.is(index + 1, ".") || self.is(index + 2, "*"));
            let sealed = relation.columns.iter().any(|c| c.sealed.is_some() && c.name == name);
            let function = self.catalog.functions.iter().any(|function| function.name == name);
            if whole_row || sealed || function {
                return Err(self.unsupported_write("COPY with a condition on protected values"));
            }
        }
        Ok(())
    }
}

/// The columns that COPY moves: those listed, or all but the generated ones.
fn copied_columns<'r>(
    relation: &'r Relation,
    listed: Option<&[String]>,
) -> Result<Vec<&'r crate::catalog::Column>, Refusal> {
    let Some(listed) = listed else {
        return Ok(relation.columns.iter().filter(|column| !column.generated).collect());
    };
    listed
        .iter()
        .map(|name| {
            relation.columns.iter().find(|column| column.name == *name).ok_or_else(|| Refusal {
                message: format!(
                    "column \"{name}\" of relation \"{}\" does not exist",
                    relation.name
                ),
                ..Reason::UndefinedColumn { name: name.clone(), relation: None }.at(None)
            })
        })
        .collect()
}

impl Reader<'_, '_> {
    fn words(&self) -> Words<'_> {
        Words { text: self.analysis.text, tokens: self.analysis.tokens }
    }

    fn unread(&self) -> Refusal {
        let token = self.analysis.tokens.get(self.at).or(self.analysis.tokens.last());
        Reason::Unparsed("syntax not understood near the marked position".to_owned())
            .at(token.map(|token| token.range.start))
    }

    fn is(&self, word: &str) -> bool {
        self.words().is(self.at, word)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.is(word);
        self.at += usize::from(found);
        found
    }

    fn name(&mut self) -> Result<String, Refusal> {
        let token = self.analysis.tokens.get(self.at);
        let name = token.and_then(|token| identifier(self.analysis.text, token));
        self.at += 1;
        name.ok_or_else(|| {
            self.at -= 1;
            self.unread()
        })
    }

    /// `[[database.]schema.]table`
    fn relation_name(&mut self) -> Result<(Option<String>, String), Refusal> {
        let mut schema = None;
        let mut name = self.name()?;
        for _ in 0..2 {
            if self.take(".") {
                schema = Some(std::mem::replace(&mut name, self.name()?));
            }
        }
        Ok((schema, name))
    }

    /// `(column, ...)`
    fn column_list(&mut self) -> Result<Option<Vec<String>>, Refusal> {
        if !self.take("(") {
            return Ok(None);
        }
        let names = self.names()?;
        if self.take(")") { Ok(Some(names)) } else { Err(self.unread()) }
    }

    fn names(&mut self) -> Result<Vec<String>, Refusal> {
        let mut names = vec![self.name()?];
        while self.take(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// The tokens between this parenthesis and its partner.
    fn parentheses(&mut self) -> Result<std::ops::Range<usize>, Refusal> {
        let start = self.at + 1;
        let mut depth = 0usize;
        while self.at < self.analysis.tokens.len() {
            if self.take("(") {
                depth += 1;
            } else if self.take(")") {
                depth -= 1;
                if depth == 0 {
                    return Ok(start..self.at - 1);
                }
            } else {
                self.at += 1;
            }
        }
        Err(self.unread())
    }

    /// STDIN or STDOUT: the server takes both words for both directions. Files and programs are
    /// the server's: what it reads there is not sealed, and what it writes nobody opens.
    fn standard_stream(&mut self, into: bool) -> Result<(), Refusal> {
        if self.take("stdin") || self.take("stdout") {
            // `USING DELIMITERS`, the oldest form, is read with the options.
            return Ok(());
        }
        let what =
            if into { "COPY FROM a file of the server" } else { "COPY TO a file of the server" };
        Err(self.analysis.unsupported_write(what))
    }

    fn string(&mut self) -> Result<String, Refusal> {
        let analysis = self.analysis;
        let Some(token) = analysis.tokens.get(self.at) else { return Err(self.unread()) };
        let plain = analysis.settings.standard_conforming_strings
            || token.kind != TokenKind::String
            || !analysis.text[token.range.clone()].contains('\\');
        match string_value(analysis.text, token).filter(|_| token.kind.is_string() && plain) {
            Some(value) => {
                self.values.push(self.at);
                self.at += 1;
                Ok(value.into_owned())
            }
            None => Err(self.unread()),
        }
    }

    fn options(&mut self) -> Result<CopyOptions, Refusal> {
        let mut options = CopyOptions::default();
        // Before 7.3: [USING] DELIMITERS 'x'
        let using = self.take("using");
        if self.take("delimiters") {
            options.delimiter = Some(self.string()?);
        } else if using {
            return Err(self.unread());
        }
        let _ = self.take("with");
        if self.take("(") {
            self.generic(&mut options)?;
        } else {
            self.legacy(&mut options)?;
        }
        Ok(options)
    }

    /// `(option [argument], ...)`
    fn generic(&mut self, options: &mut CopyOptions) -> Result<(), Refusal> {
        loop {
            match self.name()?.as_str() {
                "format" => match self.word_or_string()?.as_str() {
                    "text" => options.format = CopyFormatName::Text,
                    "csv" => options.format = CopyFormatName::Csv,
                    "binary" => options.format = CopyFormatName::Binary,
                    _ => return Err(self.unread()),
                },
                "delimiter" => options.delimiter = Some(self.string()?),
                "null" => options.null = Some(self.string()?),
                "default" => options.default = Some(self.string()?),
                "quote" => options.quote = Some(self.string()?),
                "escape" => options.escape = Some(self.string()?),
                "encoding" => options.encoding = Some(self.word_or_string()?),
                "header" => options.header = self.header()?,
                "force_quote" => options.force_quote = self.columns()?,
                "force_not_null" => options.force_not_null = self.columns()?,
                "force_null" => options.force_null = self.columns()?,
                "freeze" => {
                    if !(self.is(",") || self.is(")")) {
                        self.word_or_string()?;
                    }
                }
                // Skips rows whose values the type refuses: here they are refused before.
                "on_error" => {
                    if self.word_or_string()? != "stop" {
                        return Err(self.analysis.unsupported_write("COPY with ON_ERROR"));
                    }
                }
                "log_verbosity" => {
                    self.word_or_string()?;
                }
                _ => {
                    self.at -= 1;
                    return Err(self.unread());
                }
            }
            if self.take(")") {
                return Ok(());
            }
            if !self.take(",") {
                return Err(self.unread());
            }
        }
    }

    /// A word, a number or a string, in lower case only where the server folds it.
    fn word_or_string(&mut self) -> Result<String, Refusal> {
        let Some(token) = self.analysis.tokens.get(self.at) else { return Err(self.unread()) };
        if token.kind == TokenKind::Number {
            self.at += 1;
            return Ok(self.analysis.text[token.range.clone()].to_owned());
        }
        if token.kind.is_string() { self.string() } else { self.name() }
    }

    fn header(&mut self) -> Result<CopyHeader, Refusal> {
        if self.is(",") || self.is(")") {
            return Ok(CopyHeader::On);
        }
        match self.word_or_string()?.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Ok(CopyHeader::On),
            "false" | "off" | "0" => Ok(CopyHeader::Off),
            "match" => Ok(CopyHeader::Match),
            _ => Err(self.unread()),
        }
    }

    fn columns(&mut self) -> Result<ColumnList, Refusal> {
        if self.take("*") {
            return Ok(ColumnList::All);
        }
        match self.column_list()? {
            Some(names) => Ok(ColumnList::Names(names)),
            None => Err(self.unread()),
        }
    }

    /// Before 9.0: `BINARY | DELIMITER [AS] 'x' | NULL [AS] 'x' | CSV [HEADER] ...`
    fn legacy(&mut self, options: &mut CopyOptions) -> Result<(), Refusal> {
        while self.at < self.analysis.tokens.len() && !self.is("where") {
            if self.take("binary") {
                options.format = CopyFormatName::Binary;
            } else if self.take("csv") {
                options.format = CopyFormatName::Csv;
            } else if self.take("header") {
                options.header = CopyHeader::On;
            } else if self.take("freeze") {
            } else if self.take("delimiter") {
                options.delimiter = Some(self.as_string()?);
            } else if self.take("null") {
                options.null = Some(self.as_string()?);
            } else if self.take("quote") {
                options.quote = Some(self.as_string()?);
            } else if self.take("escape") {
                options.escape = Some(self.as_string()?);
            } else if self.take("encoding") {
                options.encoding = Some(self.string()?);
            } else if self.take("force") {
                let list = if self.take("quote") {
                    &mut options.force_quote
                } else if self.take("not") && self.take("null") {
                    &mut options.force_not_null
                } else if self.take("null") {
                    &mut options.force_null
                } else {
                    return Err(self.unread());
                };
                *list =
                    if self.take("*") { ColumnList::All } else { ColumnList::Names(self.names()?) };
            } else {
                return Err(self.unread());
            }
        }
        Ok(())
    }

    fn as_string(&mut self) -> Result<String, Refusal> {
        let _ = self.take("as");
        self.string()
    }
}
