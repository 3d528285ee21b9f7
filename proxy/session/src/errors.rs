//! Errors on their way to the client: our own, and the server's put right.

use bytes::BytesMut;
use pgveil_sql::plan::Rendered;
use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::{ErrorBuilder, ErrorFields};
use pgwire::messages::Message as _;
use pgwire::messages::response::ErrorResponse;

use crate::fold_details::{self, Folds};
use crate::sealing::Sealing;

/// How grave an error of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The statement is over.
    Error,
    /// The connection is over.
    Fatal,
}

/// Appends an ErrorResponse. `text` is the client's statement, which the refusal's position
/// refers to.
pub(crate) fn write(out: &mut Vec<u8>, severity: Severity, refusal: &Refusal, text: Option<&str>) {
    write_in(out, severity, refusal, text, &Context(None));
}

/// Where an error happened, as PostgreSQL's CONTEXT says it.
#[derive(Debug, Default)]
pub(crate) struct Context(pub(crate) Option<String>);

/// [`write`], with a context.
pub(crate) fn write_in(
    out: &mut Vec<u8>,
    severity: Severity,
    refusal: &Refusal,
    text: Option<&str>,
    context: &Context,
) {
    let word = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    let mut fields = vec![
        (b'S', word.to_owned()),
        (b'V', word.to_owned()),
        (b'C', refusal.code.to_owned()),
        (b'M', refusal.message.clone()),
    ];
    fields.extend(refusal.detail.clone().map(|detail| (b'D', detail)));
    fields.extend(refusal.hint.clone().map(|hint| (b'H', hint)));
    fields.extend(context.0.clone().map(|context| (b'W', context)));
    if let (Some(at), Some(text)) = (refusal.position, text) {
        fields.push((b'P', character(text, at).to_string()));
    }
    // A zero byte would end a field early; none of our texts has one, but a name might.
    for (_, text) in &mut fields {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
    let mut message = BytesMut::new();
    match ErrorResponse::new(fields).encode(&mut message) {
        Ok(()) => out.extend_from_slice(&message),
        Err(error) => tracing::error!(%error, "an error could not be encoded"),
    }
}

/// The refusal of a connection.
pub(crate) fn fatal(code: &'static str, message: impl Into<String>, hint: &str) -> Refusal {
    Refusal {
        code,
        message: message.into(),
        detail: None,
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
        position: None,
    }
}

/// The position, as PostgreSQL counts it (characters, from 1), of a byte offset.
fn character(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text[..at].chars().count() + 1
}

/// Maps a position in the text that the server got to one in the client's. Both count characters
/// from 1.
pub(crate) fn map_position(position: usize, rendered: &Rendered, client_text: &str) -> usize {
    let skipped = position.saturating_sub(1);
    let offset =
        rendered.text.char_indices().nth(skipped).map_or(rendered.text.len(), |(at, _)| at);
    let mut mapped = offset;
    for &[new, new_length, old, old_length] in &rendered.moved {
        if offset < new {
            break;
        }
        if offset < new + new_length {
            mapped = old;
            break;
        }
        mapped = old + old_length + (offset - new - new_length);
    }
    character(client_text, mapped)
}

/// What the errors of a statement may show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) sealing: &'a Sealing,
    /// Tokens are opened; otherwise they are hidden.
    pub(crate) open: bool,
    /// Tokens stay what they are.
    pub(crate) tokens: bool,
    /// The text sent upstream, and the client's; `None`: positions are the client's own.
    pub(crate) texts: Option<(&'a Rendered, &'a str)>,
    /// The statement runs inside a block of ours: what is an internal query for the server is the
    /// client's statement, and the context is ours.
    pub(crate) wrapped: bool,
    /// What puts details about fold handles right.
    pub(crate) folds: Option<Folds<'a>>,
}

/// Appends an ErrorResponse or NoticeResponse of the server's with its tokens opened or hidden
/// and its position mapped back.
pub(crate) fn rewrite(out: &mut Vec<u8>, tag: u8, fields: &ErrorFields<'_>, view: View<'_>) {
    let mut message = ErrorBuilder::begin(out, tag);
    let mut buffer = Vec::new();
    if let Some(position) = view.wrapped.then(|| inner_position(fields, view)).flatten() {
        message.field(out, b'P', position.to_string().as_bytes());
    }
    for (kind, text) in fields.clone() {
        match kind {
            b'P' | b'p' | b'q' | b'W' if view.wrapped => {}
            b'P' => {
                let position = str::from_utf8(text).ok().and_then(|p| p.parse().ok());
                match (position, view.texts) {
                    (Some(position), Some((rendered, client))) => {
                        let mapped = map_position(position, rendered, client);
                        message.field(out, kind, mapped.to_string().as_bytes());
                    }
                    _ => message.field(out, kind, text),
                }
            }
            b'S' | b'V' | b'C' | b'F' | b'L' | b'R' => message.field(out, kind, text),
            b'D' if let Some(detail) = fold_details::detail(fields, text, view) => {
                buffer.clear();
                replace_tokens(&mut buffer, detail.as_bytes(), view, false);
                message.field(out, kind, &buffer);
            }
            _ => {
                buffer.clear();
                // The context shows parameters as literals.
                replace_tokens(&mut buffer, text, view, kind == b'W');
                message.field(out, kind, &buffer);
            }
        }
    }
    message.finish(out);
}

/// The position in the client's text of an error in a statement that a block of ours executes.
fn inner_position(fields: &ErrorFields<'_>, view: View<'_>) -> Option<usize> {
    let (rendered, client) = view.texts?;
    let query = str::from_utf8(fields.get(b'q')?).ok()?;
    let position: usize = str::from_utf8(fields.get(b'p')?).ok()?.parse().ok()?;
    let before = rendered.text.get(..rendered.text.find(query)?)?;
    Some(map_position(before.chars().count() + position, rendered, client))
}

/// How every token begins: the version byte, and a timestamp whose upper bytes are zero.
pub(crate) const PREFIX: &[u8] = b"gAAAAA";

/// What stands for a token that may not be opened, or of which the server shows a part only.
pub(crate) const SEALED: &[u8] = b"<sealed>";

/// The byte may be one of a token's.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'=')
}

/// Copies a text with its tokens opened or hidden. `literals`: quotes in a value are doubled where
/// a quote stands before it.
fn replace_tokens(out: &mut Vec<u8>, text: &[u8], view: View<'_>, literals: bool) {
    let mut rest = text;
    let mut value = Vec::new();
    while let Some(at) = (!view.tokens).then(|| memchr::memmem::find(rest, PREFIX)).flatten() {
        out.extend_from_slice(&rest[..at]);
        let tail = &rest[at..];
        let length = tail.iter().position(|b| !is_token_byte(*b)).unwrap_or(tail.len());
        value.clear();
        // An opened value with a zero byte would end the field; tokens of ours have none.
        let opened = view.open
            && view.sealing.open_any(&tail[..length], &mut value)
            && memchr::memchr(0, &value).is_none();
        rest = &tail[length..];
        if opened {
            let quoted = literals && out.ends_with(b"'");
            for byte in &value {
                out.push(*byte);
                if quoted && *byte == b'\'' {
                    out.push(b'\'');
                }
            }
        } else {
            out.extend_from_slice(SEALED);
            // The server's mark for a value that it has cut.
            rest = rest.strip_prefix(b"...").unwrap_or(rest);
        }
    }
    out.extend_from_slice(rest);
}

/// True when a message of the server's may hold a token.
pub(crate) fn may_hold_token(body: &[u8]) -> bool {
    memchr::memmem::find(body, PREFIX).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgveil_seal::{Keyring, Mode, Sealer, keygen};
    use pgveil_sql::catalog::{Catalog, ColumnId, SealedColumn};
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::sync::Arc;

    #[test]
    fn positions_come_back_to_the_clients_text() {
        // "SELECT é, 'ab', x" became "SELECT é, 'gAAAAAtoken', x"
        let client = "SELECT \u{e9}, 'ab', x";
        let text = "SELECT \u{e9}, 'gAAAAAtoken', x".to_owned();
        let old = client.find('\'').unwrap();
        let rendered = Rendered { moved: vec![[old, 13, old, 4]], text };
        assert_eq!(map_position(1, &rendered, client), 1);
        assert_eq!(map_position(8, &rendered, client), 8);
        assert_eq!(map_position(11, &rendered, client), 11);
        assert_eq!(map_position(15, &rendered, client), 11);
        let x = rendered.text.chars().position(|c| c == 'x').unwrap() + 1;
        assert_eq!(map_position(x, &rendered, client), 17);
        assert_eq!(map_position(99, &rendered, client), 18);
    }

    #[test]
    fn positions_behind_several_edits() {
        let client = "a bb cc d";
        let rendered =
            Rendered { text: "a BBBB  d".to_owned(), moved: vec![[2, 4, 2, 2], [7, 0, 5, 2]] };
        for (new, old) in [(1, 1), (3, 3), (5, 3), (7, 5), (8, 8), (9, 9)] {
            assert_eq!(map_position(new, &rendered, client), old, "{new}");
        }
    }

    proptest! {
        /// Every character outside the edits is found where it stands in the client's text; one
        /// inside an edit is found at the edit's beginning.
        #[test]
        fn every_position_comes_back(
            pieces in prop::collection::vec(("[a-z\u{e9}\u{20ac} ]{0,6}", "[A-Z\u{e9}]{0,4}", "[0-9\u{20ac}]{0,5}"), 0..6),
            tail in "[a-z]{0,4}",
        ) {
            let (mut client, mut text, mut moved) = (String::new(), String::new(), Vec::new());
            // Character positions: in the new text, and where they should be found.
            let mut expected = Vec::new();
            for (same, old, new) in &pieces {
                let start = client.chars().count();
                expected.extend((0..same.chars().count()).map(|index| start + index));
                client.push_str(same);
                text.push_str(same);
                moved.push([text.len(), new.len(), client.len(), old.len()]);
                let edit = client.chars().count();
                expected.extend(new.chars().map(|_| edit));
                client.push_str(old);
                text.push_str(new);
            }
            let start = client.chars().count();
            expected.extend((0..tail.chars().count()).map(|index| start + index));
            client.push_str(&tail);
            text.push_str(&tail);
            let rendered = Rendered { text, moved };
            for (index, expected) in expected.into_iter().enumerate() {
                prop_assert_eq!(map_position(index + 1, &rendered, &client), expected + 1);
            }
        }
    }

    fn sealing(key: &str) -> Sealing {
        let keyring = Arc::new(Keyring::parse(key).unwrap());
        let column = SealedColumn {
            id: ColumnId(0),
            relation: 1,
            number: 1,
            schema: "public".into(),
            table: "t".into(),
            column: "c".into(),
            policy: "p".into(),
            mode: Mode::Deterministic,
            domain: "d".into(),
            keyring: "main".into(),
            key_id: keyring.primary().id().to_string(),
            key_check: keyring.primary().check_value(),
            collation: None,
            fold: None,
            logical: pgveil_seal::LogicalType::Text,
        };
        let catalog = Catalog { columns: vec![column], ..Catalog::default() };
        let keys = HashMap::from([("main".to_owned(), crate::sealing::Keys::new(keyring))]);
        Sealing::new(&catalog, &crate::sealing::Keyrings(keys))
    }

    #[test]
    fn a_value_between_quotes_has_its_own_doubled() {
        let key = keygen();
        let sealing = sealing(&key);
        let keyring = Keyring::parse(&key).unwrap();
        let mut token = Vec::new();
        let sealer = Sealer::deterministic(keyring.primary(), "d");
        sealer.seal_into(b"o'hara", &mut token).unwrap();
        let token = String::from_utf8(token).unwrap();
        let text = format!("unnamed portal with parameters: $1 = '{token}', {token}");
        let view = View {
            sealing: &sealing,
            open: true,
            tokens: false,
            texts: None,
            wrapped: false,
            folds: None,
        };
        let mut out = Vec::new();
        replace_tokens(&mut out, text.as_bytes(), view, true);
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "unnamed portal with parameters: $1 = 'o''hara', o'hara");
    }

    #[test]
    fn tokens_are_opened_hidden_or_left() {
        let key = keygen();
        let sealing = sealing(&key);
        let mut token = Vec::new();
        let keyring = Keyring::parse(&key).unwrap();
        let sealer = Sealer::deterministic(keyring.primary(), "d");
        sealer.seal_into(b"ada@example.org", &mut token).unwrap();
        let token = String::from_utf8(token).unwrap();
        let text = format!("Key (email)=({token}) already exists. ({}...)", &token[..40]);
        let shown = |open, tokens| {
            let mut out = Vec::new();
            let view =
                View { sealing: &sealing, open, tokens, texts: None, wrapped: false, folds: None };
            replace_tokens(&mut out, text.as_bytes(), view, false);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(true, false), "Key (email)=(ada@example.org) already exists. (<sealed>)");
        assert_eq!(shown(false, false), "Key (email)=(<sealed>) already exists. (<sealed>)");
        assert_eq!(shown(false, true), text);
    }
}
