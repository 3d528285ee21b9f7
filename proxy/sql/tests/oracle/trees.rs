//! Comparing what the server's parser makes of two texts.

use std::ops::Range;

use pgveil_seal::{Fold, LogicalType};
use pgveil_sql::catalog::Catalog;
use pgveil_sql::plan::{Planned, Replacement, Script, Slot};
use pgveil_sql::{REFUSED, analyse, render};
use serde_json::{Map, Value, json};

use crate::fixture::settings;

/// What became of a statement string.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Read alike, outside this many edits.
    Same { edits: usize },
    /// We refuse it, or a statement in it.
    Refused(String),
    /// The server's parser does not take the client's text, nor ours with this many edits.
    SyntaxError { edits: usize },
    /// The oracle's own decoder gives up on deep trees.
    TooDeep,
    /// Something else by design: a definition changes, and is completed. The table of statements
    /// shows how; here both are read.
    Completed,
}

/// Analyses a text as the session would, carries the edits out, and compares.
pub(super) fn judge(text: &str, catalog: &Catalog) -> Result<Verdict, String> {
    judge_with(text, catalog, None)
}

/// The same with a text that is said to be ours.
pub(super) fn judge_against(text: &str, catalog: &Catalog, ours: &str) -> Result<Verdict, String> {
    judge_with(text, catalog, Some(ours))
}

fn judge_with(text: &str, catalog: &Catalog, ours: Option<&str>) -> Result<Verdict, String> {
    if text.contains('\0') {
        return Ok(Verdict::SyntaxError { edits: 0 });
    }
    let script = match analyse(text, catalog, &settings(), &[]) {
        Ok(script) => script,
        Err(refusal) => return Ok(Verdict::Refused(refusal.to_string())),
    };
    let refused = |_: usize, planned: &Planned| planned.refusal.is_some();
    let mut made = 0;
    let mut seal = |_: &Slot, _: &str| {
        made += 1;
        Ok(format!("gAAAAA{made}"))
    };
    let mut resolve = |_: &Planned, _: usize| unreachable!("nothing is computed here");
    let (rendered, failed) = render(text, &script, &refused, &mut seal, &mut resolve);
    if let Some((_, refusal)) = failed.first() {
        return Ok(Verdict::Refused(refusal.to_string()));
    }
    let our_text = ours.unwrap_or(&rendered.text);
    if script.statements.iter().any(is_completed) {
        return completed(text, our_text, has_refusal(&script));
    }
    let changes = changes(&script, &rendered.moved, &rendered.text)?;
    let (theirs, ours) = match (parse(text)?, parse(our_text)?) {
        (Parsed::Tree(theirs), Parsed::Tree(ours)) => (theirs, ours),
        (Parsed::Invalid(_), Parsed::Invalid(_)) => {
            return Ok(Verdict::SyntaxError { edits: changes.len() });
        }
        (Parsed::TooDeep, _) | (_, Parsed::TooDeep) => return Ok(Verdict::TooDeep),
        // What is refused does not reach the server.
        (Parsed::Invalid(_), Parsed::Tree(_)) if has_refusal(&script) => {
            return Ok(Verdict::SyntaxError { edits: 0 });
        }
        (Parsed::Invalid(error), Parsed::Tree(_)) => {
            return Err(format!("a syntax error is gone: {error}\n    ours {our_text}"));
        }
        (Parsed::Tree(_), Parsed::Invalid(error)) => {
            return Err(format!("ours is a syntax error: {error}\n    ours {our_text}"));
        }
    };
    let theirs = Side { changes: &changes, ours: false }.normalised(theirs)?;
    let ours = Side { changes: &changes, ours: true }.normalised(ours)?;
    if let Some(difference) = difference(&theirs, &ours, "") {
        return Err(format!("{difference}\n    ours {our_text}"));
    }
    let refusal = script.statements.iter().find_map(|planned| planned.refusal.as_ref());
    Ok(match refusal {
        Some(refusal) => Verdict::Refused(refusal.to_string()),
        None => Verdict::Same { edits: changes.len() },
    })
}

fn is_completed(planned: &Planned) -> bool {
    planned.refusal.is_none()
        && planned
            .edits
            .iter()
            .any(|edit| matches!(&edit.with, Replacement::Text(text) if !text.starts_with('$') && !is_folding(text)))
}

/// Part of a call that becomes a fold handle.
fn is_folding(text: &str) -> bool {
    text == HANDLE || text.starts_with(ARGUMENTS)
}

const HANDLE: &str = "pg_catalog.substr";
const ARGUMENTS: &str = ", 13, 12)";

/// What is sent, the statement inside a block included, is read by the server's parser if, and only
/// if, it reads the client's text; what is refused does not reach the server.
fn completed(text: &str, ours: &str, has_refusal: bool) -> Result<Verdict, String> {
    let inner = ours
        .split("_$")
        .skip(1)
        .step_by(2)
        .map(|piece| piece.rsplit_once("$pgveil").map_or(piece, |(statement, _)| statement));
    let mut wrong = None;
    for part in std::iter::once(ours).chain(inner) {
        if let Parsed::Invalid(error) = parse(part)? {
            wrong = Some(format!("{error}\n    ours {part}"));
        }
    }
    match (parse(text)?, wrong) {
        (Parsed::Tree(_), Some(wrong)) => Err(format!("ours is a syntax error: {wrong}")),
        (Parsed::Invalid(error), None) if !has_refusal => {
            Err(format!("a syntax error is gone: {error}\n    ours {ours}"))
        }
        _ => Ok(Verdict::Completed),
    }
}

fn has_refusal(script: &Script) -> bool {
    script.statements.iter().any(|planned| planned.refusal.is_some())
}

enum Parsed {
    Tree(Value),
    Invalid(String),
    TooDeep,
}

fn parse(text: &str) -> Result<Parsed, String> {
    match pg_query::parse(text, 0) {
        Ok(result) => {
            serde_json::to_value(&result.protobuf).map(Parsed::Tree).map_err(|e| e.to_string())
        }
        Err(pg_query::Error::Decode(_)) => Ok(Parsed::TooDeep),
        Err(error) => Ok(Parsed::Invalid(error.to_string())),
    }
}

/// A place where the two texts may differ.
struct Change {
    theirs: Range<usize>,
    ours: Range<usize>,
    what: What,
}

enum What {
    /// A literal with its casts became a token.
    Literal { value: String, casts: Vec<LogicalType>, fold: Option<Fold>, token: String },
    /// An array literal became one of tokens.
    Array { value: String, array: String },
    /// A parameter got another number, or lost its casts, or the call around them.
    Param { theirs: usize, fold: Option<Fold>, ours: usize },
    /// `lower` or `upper` became what gives a fold handle.
    Call,
    /// The end of the same call, with the name that it had for an output column.
    Arguments { shown_as: Option<String> },
    /// The statement was replaced.
    Refused,
}

fn changes(script: &Script, moved: &[[usize; 4]], ours: &str) -> Result<Vec<Change>, String> {
    let mut moved = moved.iter();
    let mut changes = Vec::new();
    for planned in &script.statements {
        let replacements: Vec<Option<&Replacement>> = if planned.refusal.is_some() {
            vec![None]
        } else {
            planned.edits.iter().map(|edit| Some(&edit.with)).collect()
        };
        for with in replacements {
            let [start, length, at, long] = *moved.next().ok_or("an edit was not carried out")?;
            let text = &ours[start..start + length];
            let what = match with {
                None => What::Refused,
                Some(Replacement::Resolved { .. }) => return Err("nothing is computed here".into()),
                Some(Replacement::Seal { value, slot }) => What::Literal {
                    value: value.to_string(),
                    casts: slot.casts.clone(),
                    fold: slot.fold,
                    token: text.trim_matches('\'').to_owned(),
                },
                Some(Replacement::SealArray { value, .. }) => What::Array {
                    value: value.to_string(),
                    array: text
                        .strip_suffix("::pg_catalog.text[]")
                        .ok_or("an array has no type")?
                        .trim_matches('\'')
                        .to_owned(),
                },
                Some(Replacement::Text(text)) if text == HANDLE => What::Call,
                Some(Replacement::Text(text)) if text.starts_with(ARGUMENTS) => {
                    let shown_as =
                        text.strip_prefix(ARGUMENTS).and_then(|t| t.strip_prefix(" AS "));
                    What::Arguments { shown_as: shown_as.map(str::to_owned) }
                }
                Some(Replacement::Text(text)) => {
                    let number = text.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
                    let ours = number.ok_or_else(|| format!("what is {text}?"))?;
                    // PREPARE has parameters of its own.
                    let params = planned.defines.as_ref().map_or(&planned.params, |d| &d.params);
                    let param = params.server.get(ours - 1).ok_or("no such parameter")?;
                    let fold = param.seal.as_ref().and_then(|seal| seal.slot.fold);
                    What::Param { theirs: param.client + 1, fold, ours }
                }
            };
            changes.push(Change { theirs: at..at + long, ours: start..start + length, what });
        }
    }
    if moved.next().is_some() {
        return Err("more was moved than edited".to_owned());
    }
    Ok(changes)
}

/// One of the two texts, with the places where it may differ from the other.
struct Side<'c> {
    changes: &'c [Change],
    ours: bool,
}

impl Side<'_> {
    /// The tree with `{"change": n}` in the place of what an edit is about, and with positions of
    /// the client's text. Every change must be there.
    fn normalised(&self, mut tree: Value) -> Result<Value, String> {
        let mut seen = vec![false; self.changes.len()];
        self.walk(&mut tree, &mut seen)?;
        match seen.iter().position(|seen| !seen) {
            None => Ok(tree),
            Some(missed) => Err(format!(
                "{} has no expression where edit {missed} is, at {:?}",
                if self.ours { "our text" } else { "the client's text" },
                self.range(&self.changes[missed])
            )),
        }
    }

    fn range<'a>(&self, change: &'a Change) -> &'a Range<usize> {
        if self.ours { &change.ours } else { &change.theirs }
    }

    fn change_at(&self, at: usize) -> Option<usize> {
        let index = self.changes.partition_point(|change| self.range(change).end <= at);
        self.changes.get(index).is_some_and(|c| self.range(c).contains(&at)).then_some(index)
    }

    /// A position as it is in the client's text; inside a change, the change's beginning.
    fn position(&self, at: usize) -> usize {
        if let Some(index) = self.change_at(at) {
            return self.changes[index].theirs.start;
        }
        let before =
            self.changes[..self.changes.partition_point(|c| self.range(c).end <= at)].last();
        match before {
            Some(change) => change.theirs.end + (at - self.range(change).end),
            None => at,
        }
    }

    fn walk(&self, value: &mut Value, seen: &mut [bool]) -> Result<(), String> {
        match value {
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.walk(item, seen)),
            Value::Object(fields) if fields.contains_key("stmt_location") => {
                self.statement(fields, seen)
            }
            Value::Object(fields) => {
                self.name(fields);
                self.handle(fields, seen)?;
                if let Some(index) = self.edited(fields) {
                    self.check(fields, &self.changes[index].what)?;
                    seen[index] = true;
                    *value = json!({ "change": index });
                    return Ok(());
                }
                for (name, field) in fields {
                    match field.as_u64().and_then(|at| usize::try_from(at).ok()) {
                        Some(at) if is_position(name) => *field = json!(self.position(at)),
                        _ => self.walk(field, seen)?,
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes the name away that we give an output column.
    fn name(&self, fields: &mut Map<String, Value>) {
        let Some(target) = fields.get_mut("ResTarget").filter(|_| self.ours) else { return };
        let call = self.call_at(&target["val"]["node"]["FuncCall"]);
        if let Some((_, Change { what: What::Arguments { shown_as: Some(name) }, .. })) = call
            && target["name"].as_str() == Some(name)
        {
            target["name"] = json!("");
        }
    }

    /// The change that a call's name is in, and that of its end.
    fn call_at(&self, call: &Value) -> Option<(usize, &Change)> {
        let at = call.get("location")?.as_u64().and_then(|at| usize::try_from(at).ok())?;
        let index = self.change_at(at)?;
        matches!(self.changes[index].what, What::Call).then_some(())?;
        let end = |change: &&Change| matches!(change.what, What::Arguments { .. });
        Some((index, self.changes[index..].iter().find(end)?))
    }

    /// A call that became a fold handle: of both sides its first argument is left.
    fn handle(&self, fields: &mut Map<String, Value>, seen: &mut [bool]) -> Result<(), String> {
        let Some(call) = fields.get_mut("FuncCall") else { return Ok(()) };
        let Some((index, end)) = self.call_at(call) else { return Ok(()) };
        let names: Vec<String> = call["funcname"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| Some(name["node"]["String"]["sval"].as_str()?.to_owned()))
            .collect();
        let args = call["args"].as_array_mut().ok_or("a call without arguments")?;
        let expected = if self.ours {
            names.join(".") == HANDLE && args.len() == 3
        } else {
            names.last().and_then(|name| Fold::parse(name)).is_some() && args.len() == 1
        };
        if !expected {
            return Err(format!("{names:?} of {args:?} is no fold"));
        }
        args.truncate(1);
        call["funcname"] = json!({ "change": index });
        call["funcformat"] = json!("");
        seen[index] = true;
        if let Some(end) = self.changes.iter().position(|change| std::ptr::eq(change, end)) {
            seen[end] = true;
        }
        Ok(())
    }

    /// A statement of the string; its end in the place of its length.
    fn statement(&self, fields: &mut Map<String, Value>, seen: &mut [bool]) -> Result<(), String> {
        let number = |name: &str| {
            fields.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
        };
        let (start, length) =
            (number("stmt_location").unwrap_or(0), number("stmt_len").unwrap_or(0));
        // A length of 0 is up to the end.
        let end = if length == 0 { usize::MAX } else { start + length };
        let refused = self.changes.iter().position(|change| {
            matches!(change.what, What::Refused)
                && self.range(change).start >= start
                && self.range(change).end <= end
        });
        fields.insert("stmt_location".into(), json!(self.position(start)));
        if length != 0 {
            fields.insert("stmt_len".into(), json!(self.position(end)));
        }
        if let Some(index) = refused {
            let stmt = fields.insert("stmt".into(), json!({ "change": index }));
            seen[index] = true;
            if self.ours && !format!("{stmt:?}").contains("pgveil_refused") {
                return Err(format!("a refused statement became {stmt:?}, not {REFUSED}"));
            }
            return Ok(());
        }
        if self.changes.iter().any(|change| {
            let range = self.range(change);
            range.start < end && range.end > end
        }) {
            return Err("an edit reaches over the end of a statement".to_owned());
        }
        fields.get_mut("stmt").map_or(Ok(()), |stmt| self.walk(stmt, seen))
    }

    /// The change that a literal, parameter or cast is inside of.
    fn edited(&self, fields: &Map<String, Value>) -> Option<usize> {
        let (name, node) = fields.iter().next()?;
        let folds = name == "FuncCall" && !self.ours;
        if !folds && !matches!(name.as_str(), "TypeCast" | "AConst" | "ParamRef") {
            return None;
        }
        let mut located = node;
        // `text 'x'` has no position of its own.
        while located.get("location")?.as_i64()? < 0 {
            located = located.get("arg")?.get("node")?.as_object()?.values().next()?;
        }
        let index = self.change_at(usize::try_from(located.get("location")?.as_u64()?).ok()?)?;
        let other =
            matches!(self.changes[index].what, What::Refused | What::Call | What::Arguments { .. });
        (!other).then_some(index)
    }

    /// What stands where the edit is, is what the plan says.
    fn check(&self, fields: &Map<String, Value>, what: &What) -> Result<(), String> {
        let mut casts = Vec::new();
        let mut node = fields;
        let mut fold = None;
        // What is folded is text: a cast around the call is none.
        while let Some(cast) = node.get("TypeCast")
            && is_call(&cast["arg"]["node"])
        {
            node = cast["arg"]["node"].as_object().ok_or("a cast of nothing")?;
        }
        if let Some(call) = node.get("FuncCall") {
            let name = call["funcname"].as_array().and_then(|names| names.last());
            let name = name.and_then(|name| name["node"]["String"]["sval"].as_str());
            fold = Some(name.and_then(Fold::parse).ok_or("an edit is over a call")?);
            node = call["args"][0]["node"].as_object().ok_or("a call of nothing")?;
        }
        while let Some(cast) = node.get("TypeCast") {
            casts.push(type_name(&cast["type_name"]));
            node = cast["arg"]["node"].as_object().ok_or("a cast of nothing")?;
            if !["TypeCast", "AConst", "ParamRef"].iter().any(|name| node.contains_key(*name)) {
                return Err(format!("an edit is over {node:?}"));
            }
        }
        casts.reverse();
        let text = || node.get("AConst").and_then(|c| c["val"]["Sval"]["sval"].as_str());
        let number = || node.get("ParamRef").and_then(|param| param["number"].as_u64());
        let expect = |holds: bool, wanted: &dyn std::fmt::Debug| {
            if holds {
                Ok(())
            } else {
                Err(format!("not {wanted:?} but {node:?} cast to {casts:?}"))
            }
        };
        match (what, self.ours) {
            (What::Literal { fold: wanted, .. } | What::Param { fold: wanted, .. }, false)
                if *wanted != fold =>
            {
                Err(format!("not {wanted:?} but {fold:?}"))
            }
            (What::Literal { value, casts: wanted, .. }, false) => {
                let wanted: Vec<String> = wanted.iter().map(|cast| cast_name(*cast)).collect();
                // What it becomes of itself is behind what is written.
                let written = wanted.starts_with(&casts);
                expect(text() == Some(value) && written, &(value, &wanted))
            }
            (What::Literal { token, .. }, true) => {
                expect(text() == Some(token) && casts.is_empty(), token)
            }
            (What::Array { value, .. }, false) => expect(text() == Some(value), value),
            (What::Array { array, .. }, true) => {
                expect(text() == Some(array) && casts == ["text[]"], array)
            }
            (What::Param { theirs, .. }, false) => expect(number() == Some(*theirs as u64), theirs),
            (What::Param { ours, .. }, true) => expect(number() == Some(*ours as u64), ours),
            (What::Refused, _) => Err("a refused statement was read".to_owned()),
            (What::Call | What::Arguments { .. }, _) => Err(format!("a call became {node:?}")),
        }
    }
}

/// A call, with casts around it or not.
fn is_call(node: &Value) -> bool {
    node.get("FuncCall").is_some()
        || node.get("TypeCast").is_some_and(|cast| is_call(&cast["arg"]["node"]))
}

fn is_position(field: &str) -> bool {
    field.ends_with("location") || field.ends_with("list_start") || field.ends_with("list_end")
}

/// A cast's target as the parser has it: the name's last part, the length, `[]`.
fn type_name(name: &Value) -> String {
    let last = name["names"].as_array().and_then(|names| names.last()).cloned();
    let mut shown = last
        .and_then(|last| last["node"]["String"]["sval"].as_str().map(str::to_owned))
        .unwrap_or_default();
    for modifier in name["typmods"].as_array().into_iter().flatten() {
        let length = modifier["node"]["AConst"]["val"]["Ival"]["ival"].as_i64().unwrap_or(0);
        shown.push_str(&format!("({length})"));
    }
    shown.push_str(&"[]".repeat(name["array_bounds"].as_array().map_or(0, Vec::len)));
    shown
}

fn cast_name(cast: LogicalType) -> String {
    match cast {
        LogicalType::Text => "text".to_owned(),
        LogicalType::Varchar(None) => "varchar".to_owned(),
        LogicalType::Varchar(Some(n)) => format!("varchar({n})"),
        LogicalType::Char(None) => "bpchar".to_owned(),
        LogicalType::Char(Some(n)) => format!("bpchar({n})"),
    }
}

/// Where two trees differ first.
fn difference(theirs: &Value, ours: &Value, path: &str) -> Option<String> {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(key, value)| difference(value, &b[key], &format!("{path}.{key}")))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| difference(a, b, &format!("{path}[{index}]"))),
        _ if theirs == ours => None,
        _ => Some(format!("{path}: {theirs} became {ours}")),
    }
}
