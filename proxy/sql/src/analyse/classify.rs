//! What a statement is by its words: its verb, what the session must do after it, and whether
//! a literal in it names something in scope.

use crate::catalog::Catalog;
use crate::lex::{Token, TokenKind, identifier, string_value};
use crate::plan::{
    Deallocate, Defined, Effects, Facts, Name, OwnCommand, ParamMap, Planned, Referred,
    RevealChange, Verb,
};

/// The words that a statement begins with, folded; quoted identifiers keep their case.
pub(super) struct Words<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: &'t [Token],
}

impl Words<'_> {
    pub(super) fn at(&self, index: usize) -> String {
        self.tokens
            .get(index)
            .and_then(|token| {
                identifier(self.text, token)
                    .or_else(|| Some(self.text[token.range.clone()].to_owned()))
            })
            .unwrap_or_default()
    }

    pub(super) fn is(&self, index: usize, word: &str) -> bool {
        self.tokens
            .get(index)
            .is_some_and(|t| self.text[t.range.clone()].eq_ignore_ascii_case(word))
    }
}

/// What a statement is by its first words. The plan is that of a statement that passes.
pub(super) fn classify(text: &str, tokens: &[Token]) -> Planned {
    let words = Words { text, tokens };
    let mut effects = Effects::default();
    let mut refers = None;
    let mut defines = None;
    let first = words.at(0);
    let verb = match first.as_str() {
        "select" | "values" | "table" | "with" | "(" => Verb::Select,
        "insert" => Verb::Insert,
        "update" => Verb::Update,
        "delete" => Verb::Delete,
        "merge" => Verb::Merge,
        "copy" => Verb::Copy,
        "truncate" => Verb::Truncate,
        "explain" => {
            refers = executed(&words);
            Verb::Explain
        }
        "begin" | "start" | "commit" | "end" | "savepoint" | "release" => Verb::Transaction,
        "rollback" | "abort" => {
            effects.settings = true;
            effects.catalog = (1..4).any(|index| words.is(index, "to"));
            Verb::Transaction
        }
        "set" => {
            set(&words, &mut effects);
            Verb::Setting
        }
        "reset" | "discard" => {
            let all = words.is(1, "all");
            effects.settings = true;
            effects.catalog = first == "discard";
            if all || (words.is(1, "pgveil") && words.is(3, "reveal")) {
                effects.reveal = Some(RevealChange { on: true, local: false });
            }
            if first == "discard" && all {
                effects.deallocate = Some(Deallocate::All);
                effects.close = Some(Deallocate::All);
            }
            Verb::Setting
        }
        "show" => match own_command(&words) {
            Some(command) => Verb::Pgveil(command),
            None => Verb::Setting,
        },
        "create" | "alter" | "drop" | "comment" | "grant" | "revoke" | "reassign" | "security"
        | "import" | "refresh" => {
            effects.catalog = true;
            effects.settings = matches!(first.as_str(), "create" | "drop" | "alter");
            if words.is(0, "create") {
                refers = executed(&words);
            }
            Verb::Ddl
        }
        "deallocate" => {
            let name = usize::from(words.is(1, "prepare")) + 1;
            effects.deallocate = Some(if words.is(name, "all") {
                Deallocate::All
            } else {
                Deallocate::Name(words.at(name))
            });
            Verb::Other
        }
        "execute" => {
            refers = executed(&words);
            Verb::Other
        }
        "fetch" | "move" => {
            refers = cursor(&words).map(Referred::Portal);
            Verb::Other
        }
        "prepare" if words.is(1, "transaction") => Verb::Transaction,
        "prepare" => {
            defines = Some(Name::Statement(words.at(1)));
            Verb::Other
        }
        "declare" => {
            let hold = (2..tokens.len()).take_while(|index| !words.is(*index, "for"));
            let hold =
                hold.filter(|index| words.is(*index, "hold")).any(|i| words.is(i - 1, "with"));
            defines = Some(Name::Cursor { name: words.at(1), hold });
            Verb::Other
        }
        "close" => {
            effects.close = Some(if words.is(1, "all") {
                Deallocate::All
            } else {
                Deallocate::Name(words.at(1))
            });
            Verb::Other
        }
        // Code may do anything.
        "do" | "call" => {
            effects.settings = true;
            effects.catalog = true;
            Verb::Other
        }
        _ => Verb::Other,
    };
    let range = match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.range.start..last.range.end,
        _ => 0..0,
    };
    Planned {
        range,
        verb,
        refusal: None,
        edits: Vec::new(),
        params: ParamMap::default(),
        output: Vec::new(),
        facts: Facts { verb: verb.as_str(), relations: Vec::new() },
        resolves: Vec::new(),
        once: false,
        mixed: Vec::new(),
        ambiguous: false,
        follows_change: false,
        refers,
        defines: defines.map(|name| Defined {
            name,
            verb,
            params: ParamMap::default(),
            output: Vec::new(),
        }),
        copy: None,
        wrapped: None,
        effects,
    }
}

/// `EXECUTE name`, by itself, explained, or as what a table is created from.
fn executed(words: &Words<'_>) -> Option<Referred> {
    let mut at = 0;
    if words.is(0, "explain") {
        at = 1;
        while ["analyze", "analyse", "verbose"].iter().any(|word| words.is(at, word)) {
            at += 1;
        }
        if words.is(at, "(") {
            at = (at..words.tokens.len()).find(|index| words.is(*index, ")"))? + 1;
        }
    }
    if words.is(at, "create") {
        at = (at..words.tokens.len())
            .find(|index| words.is(*index, "execute") && words.is(index - 1, "as"))?;
    }
    let execute = words.tokens.get(at).filter(|_| words.is(at, "execute"))?;
    Some(Referred::Statement { name: words.at(at + 1), at: execute.range.start })
}

/// `FETCH [direction] [FROM | IN] name`: the name is last.
fn cursor(words: &Words<'_>) -> Option<String> {
    let last = words.tokens.len().checked_sub(1)?;
    (last > 0).then(|| words.at(last))
}

/// Settings that change how later statements are read.
const READING: [&str; 9] = [
    "search_path",
    "schema",
    "role",
    "authorization",
    "session_authorization",
    "standard_conforming_strings",
    "backslash_quote",
    "client_encoding",
    "names",
];

fn set(words: &Words<'_>, effects: &mut Effects) {
    let local = words.is(1, "local");
    let mut name = 1 + usize::from(local || words.is(1, "session"));
    // SET SESSION AUTHORIZATION, SET SESSION CHARACTERISTICS
    if words.is(1, "session") && words.is(2, "authorization") {
        name = 2;
    }
    if words.is(name, "pgveil") && words.is(name + 1, ".") && words.is(name + 2, "reveal") {
        let value = words.at(name + 4);
        let value = value.trim_matches('\'').to_ascii_lowercase();
        // Anything that is not clearly on takes away: false, 0, no, off, DEFAULT of nothing.
        let on = matches!(value.as_str(), "on" | "true" | "yes" | "1" | "default" | "t" | "y");
        effects.reveal = Some(RevealChange { on, local });
        return;
    }
    effects.settings = READING.contains(&words.at(name).as_str());
}

/// A call of `set_config` that may change how later statements are read: of such a setting, or of
/// one that no literal names.
pub(super) fn sets_what_is_read(text: &str, tokens: &[Token]) -> bool {
    let words = Words { text, tokens };
    tokens.iter().enumerate().any(|(index, token)| {
        if identifier(text, token).is_none_or(|name| name != "set_config") {
            return false;
        }
        let name = tokens.get(index + 2).filter(|name| name.kind == TokenKind::String);
        let named = words.is(index + 1, "(") && words.is(index + 3, ",");
        let name = name.filter(|_| named).and_then(|name| string_value(text, name));
        name.is_none_or(|name| READING.contains(&name.to_ascii_lowercase().as_str()))
    })
}

fn own_command(words: &Words<'_>) -> Option<OwnCommand> {
    if !(words.is(1, "pgveil") && words.is(2, ".") && words.tokens.len() == 4) {
        return None;
    }
    match words.at(3).as_str() {
        "status" => Some(OwnCommand::Status),
        "policies" => Some(OwnCommand::Policies),
        "rewrite" => Some(OwnCommand::Rewrite),
        _ => None,
    }
}

/// A statement on other relations than those in scope after which names mean what they meant.
/// (One that gives a relation a name in scope would have named it.)
pub(super) fn keeps_names(text: &str, tokens: &[Token]) -> bool {
    let words = Words { text, tokens };
    let object = |at: usize| {
        ["table", "index", "unique", "sequence", "type", "view", "trigger"]
            .iter()
            .any(|kind| words.is(at, kind))
    };
    match words.at(0).as_str() {
        "comment" | "grant" | "revoke" => true,
        "create" | "alter" | "drop" => {
            object(if words.is(1, "unlogged") { 2 } else { 1 })
                && !tokens.iter().any(|t| text[t.range.clone()].eq_ignore_ascii_case("schema"))
        }
        _ => false,
    }
}

/// What CREATE, ALTER and DROP name as their objects.
#[derive(Default)]
pub(super) struct Objects {
    /// Tables and views, each with its schema if that is written; a new name among them.
    pub(super) relations: Vec<(Option<String>, String)>,
    /// A name in it may mean another relation afterwards.
    pub(super) replaces: bool,
}

/// The tables and views that a statement makes, changes or drops.
pub(super) fn defined_relations(text: &str, tokens: &[Token]) -> Objects {
    let words = Words { text, tokens };
    let mut at = 1;
    let passed = ["or", "replace", "unlogged", "materialized", "foreign", "recursive"];
    while passed.iter().any(|word| words.is(at, word)) {
        at += 1;
    }
    let first = words.at(0);
    let defines = matches!(first.as_str(), "create" | "alter" | "drop");
    if !defines || !(words.is(at, "table") || words.is(at, "view")) {
        return Objects::default();
    }
    at += 1;
    while ["if", "not", "exists", "only"].iter().any(|word| words.is(at, word)) {
        at += 1;
    }
    let mut relations = Vec::new();
    let mut schema = None;
    while let Some(token) = tokens.get(at) {
        let Some(name) = identifier(text, token) else { break };
        at += 1;
        if words.is(at, ".") {
            at += 1;
            schema = Some(name);
            continue;
        }
        relations.push((schema.take(), name));
        if !words.is(at, ",") {
            break;
        }
        at += 1;
    }
    let renames = first == "alter" && words.is(at, "rename") && words.is(at + 1, "to");
    if renames && let Some((schema, _)) = relations.first() {
        relations.push((schema.clone(), words.at(at + 2)));
    }
    Objects { relations, replaces: renames || first != "alter" }
}

/// Functions of the server that run a query, or read a relation, named in an argument.
pub(crate) fn runs_text(function: &str) -> bool {
    function == "ts_stat"
        || ["_to_xml", "_to_xmlschema", "_to_xml_and_xmlschema"]
            .iter()
            .any(|end| function.ends_with(end))
}

/// A body of code, or a query, in a literal that names something in scope: DO, CREATE FUNCTION,
/// functions that run their argument.
pub(super) fn body_mention(text: &str, tokens: &[Token], catalog: &Catalog) -> bool {
    let words = Words { text, tokens };
    let calls = tokens.iter().filter_map(|token| identifier(text, token)).find(|n| runs_text(n));
    if let Some(function) = &calls
        && (function.starts_with("schema") || function.starts_with("database"))
    {
        return true;
    }
    if !(words.is(0, "do") || words.is(0, "create") || calls.is_some()) {
        return false;
    }
    bodies(text, tokens).any(|body| mentioned(&body, catalog).is_some())
}

pub(super) fn bodies<'t>(text: &'t str, tokens: &'t [Token]) -> impl Iterator<Item = String> + 't {
    tokens
        .iter()
        .filter(|token| token.kind.is_string())
        .filter_map(move |token| string_value(text, token))
        .map(std::borrow::Cow::into_owned)
}

pub(super) fn mentioned(body: &str, catalog: &Catalog) -> Option<String> {
    body.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| !word.is_empty())
        .find(|word| catalog.scoped.keys().any(|name| name.eq_ignore_ascii_case(word)))
        .map(str::to_owned)
}
