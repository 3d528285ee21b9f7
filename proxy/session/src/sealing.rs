//! Sealers and openers of a catalog's columns, prepared once, and what happens to a value on its
//! way in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use pgveil_seal::{KeyId, Keyring, Mode, OpenError, Opener, Sealer, ValueError, check_text};
use pgveil_sql::catalog::{Catalog, ColumnId, SealedColumn};
use pgveil_sql::plan::{Purpose, Slot};
use pgveil_sql::refusal::Refusal;

/// A keyring, and what opens its tokens.
#[derive(Debug)]
pub(crate) struct Keys {
    keyring: Arc<Keyring>,
    opener: Arc<Opener>,
}

impl Keys {
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        let opener = Arc::new(Opener::new(&keyring));
        Self { keyring, opener }
    }

    /// Whether the key is at hand and right. The error says what is missing.
    pub(crate) fn check(&self, key_id: &str, check_value: &str) -> Result<(), String> {
        let id: KeyId = key_id.parse().map_err(|_| format!("{key_id:?} is not a key id"))?;
        let key = self.keyring.get(&id).ok_or_else(|| format!("key {id} is missing"))?;
        if key.check_value() == check_value {
            Ok(())
        } else {
            Err(format!("key {id} is not the key that sealed the column"))
        }
    }
}

/// The keyrings that policies name.
#[derive(Debug, Default)]
pub(crate) struct Keyrings(pub(crate) HashMap<String, Keys>);

impl pgveil_sql::catalog::Keys for Keyrings {
    fn check(&self, keyring: &str, id: &str, check: &str) -> Result<(), String> {
        let keys = self.0.get(keyring);
        let keys = keys.ok_or_else(|| format!("keyring \"{keyring}\" is not configured"))?;
        keys.check(id, check).map_err(|why| format!("keyring \"{keyring}\": {why}"))
    }

    fn choose(&self, keyring: &str, id: Option<&str>) -> Option<(String, String)> {
        let keyring = &self.0.get(keyring)?.keyring;
        let key = match id {
            None => keyring.primary(),
            Some(id) => keyring.get(&id.parse().ok()?)?,
        };
        Some((key.id().to_string(), key.check_value()))
    }
}

/// One column's.
#[derive(Debug)]
struct ColumnSealing {
    /// `None`: the key is not at hand. The column's table is then refused as a whole.
    sealer: Option<Sealer>,
    /// `None`: there is no such keyring.
    opener: Option<Arc<Opener>>,
}

/// Stands in front of the token of a value that its column cannot take, where the value is a row
/// of a list that the statement may store or not. It equals no token that is stored, it equals
/// itself, and the guard of the column refuses it if it comes to that.
const TOO_LONG: u8 = b'!';

/// All of a catalog's, by [`ColumnId`].
#[derive(Debug)]
pub(crate) struct Sealing {
    columns: Vec<ColumnSealing>,
    /// Every opener once, for tokens of which nobody knows the column.
    openers: Vec<Arc<Opener>>,
}

impl Sealing {
    pub(crate) fn new(catalog: &Catalog, keys: &Keyrings) -> Self {
        let mut openers: Vec<Arc<Opener>> = Vec::new();
        let columns = catalog
            .columns
            .iter()
            .chain(&catalog.pending)
            .map(|column| {
                let Some(keys) = keys.0.get(&column.keyring) else {
                    return ColumnSealing { sealer: None, opener: None };
                };
                if !openers.iter().any(|opener| Arc::ptr_eq(opener, &keys.opener)) {
                    openers.push(Arc::clone(&keys.opener));
                }
                let sealer = match column.mode {
                    Mode::Deterministic => column
                        .key_id
                        .parse()
                        .ok()
                        .and_then(|id: KeyId| keys.keyring.get(&id))
                        .and_then(|key| match column.fold {
                            None => Some(Sealer::deterministic(key, &column.domain)),
                            Some(fold) => {
                                let map = Arc::clone(catalog.case_maps.get(&fold)?);
                                Some(Sealer::folded(key, &column.domain, map))
                            }
                        }),
                    Mode::Randomized => Some(Sealer::randomized(keys.keyring.primary())),
                };
                ColumnSealing { sealer, opener: Some(Arc::clone(&keys.opener)) }
            })
            .collect();
        Self { columns, openers }
    }

    fn column(&self, id: ColumnId) -> Option<&ColumnSealing> {
        self.columns.get(usize::try_from(id.0).ok()?)
    }

    /// Opens a column's token behind what is in `out`.
    #[inline]
    pub(crate) fn open_into(
        &self,
        column: ColumnId,
        token: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), OpenFailure> {
        let opener = self.column(column).and_then(|sealing| sealing.opener.as_ref());
        let opener = opener.ok_or(OpenFailure::NoKeyring)?;
        let token = token.strip_prefix(&[TOO_LONG]).unwrap_or(token);
        opener.open_into(token, out).map_err(OpenFailure::Token)?;
        Ok(())
    }

    /// Opens a token of whatever column.
    pub(crate) fn open_any(&self, token: &[u8], out: &mut Vec<u8>) -> bool {
        self.openers.iter().any(|opener| opener.open_into(token, out).is_ok())
    }

    /// Appends the token of a value: the server's checks first, then the casts written around it,
    /// then the column's own rules or the comparison's.
    pub(crate) fn seal_into(
        &self,
        catalog: &Catalog,
        slot: &Slot,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let column = catalog.column(slot.column);
        let sealing = self.column(slot.column);
        let (Some(sealer), Some(opener)) = (
            sealing.and_then(|sealing| sealing.sealer.as_ref()),
            sealing.and_then(|sealing| sealing.opener.as_ref()),
        ) else {
            return Err(no_key(column));
        };
        let text = check_text(value).map_err(|error| value_refusal(&error))?;
        let mut text = Cow::Borrowed(text);
        for cast in &slot.casts {
            text = Cow::Owned(cast.cast(&text).into_owned());
        }
        if slot.fold.is_some()
            && let Some(map) = sealer.case_map()
        {
            text = Cow::Owned(map.apply(&text).into_owned());
        }
        if slot.purpose.stores() && opener.is_own_token(text.as_bytes()) {
            return Err(own_token(column));
        }
        let text = match slot.purpose {
            Purpose::Assign(logical) => {
                logical.assign(&text).map_err(|error| value_refusal(&error))?
            }
            Purpose::Compare(operand) => operand.compare(&text),
            Purpose::Row { compared, stored, constant } => {
                let operand = compared.map(|operand| operand.compare(&text));
                match (stored.assign(&text), operand) {
                    (Ok(stored), None) => stored,
                    (Ok(stored), Some(operand)) if stored == operand => stored,
                    (Ok(_), Some(_)) => return Err(blanks_cut(column)),
                    (Err(ValueError::TooLong { .. }), operand) if !constant => {
                        out.push(TOO_LONG);
                        operand.unwrap_or_else(|| stored.unbounded().compare(&text))
                    }
                    (Err(error), _) => return Err(value_refusal(&error)),
                }
            }
        };
        if slot.handle {
            return if sealer.fold_handle_into(&text, out) { Ok(()) } else { Err(no_key(column)) };
        }
        sealer.seal_into(text.as_bytes(), out).map_err(|error| Refusal {
            code: "58000",
            message: "cannot seal a value".to_owned(),
            detail: Some(error.to_string()),
            hint: None,
            position: None,
        })
    }
}

fn blanks_cut(column: &SealedColumn) -> Refusal {
    Refusal {
        code: "0A000",
        message: format!(
            "blanks at the end of a value for column \"{}\" of relation \"{}\" would be cut, and \
             the statement also compares them",
            column.column, column.table
        ),
        detail: None,
        hint: Some("Trim the value.".to_owned()),
        position: None,
    }
}

/// Why a token does not become a value.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// The column's keyring is not configured.
    NoKeyring,
    /// The token does not open.
    Token(OpenError),
}

pub(crate) fn value_refusal(error: &ValueError) -> Refusal {
    Refusal {
        code: error.sqlstate(),
        hint: error.hint().map(str::to_owned),
        message: error.to_string(),
        detail: None,
        position: None,
    }
}

fn no_key(column: &SealedColumn) -> Refusal {
    Refusal {
        code: "55000",
        message: format!(
            "cannot seal a value for column \"{}\" of relation \"{}\"",
            column.column, column.table
        ),
        detail: Some(format!(
            "Key {} of keyring \"{}\" is not at hand.",
            column.key_id, column.keyring
        )),
        hint: Some("Add the key to the keyring that pgveil is configured with.".to_owned()),
        position: None,
    }
}

fn own_token(column: &SealedColumn) -> Refusal {
    Refusal {
        code: "22000",
        message: format!(
            "value for column \"{}\" of relation \"{}\" is a token already",
            column.column, column.table
        ),
        detail: Some("It opens with the column's keyring: sealing it again would hide it.".into()),
        hint: Some(
            "Write the value itself. Tokens are seen where pgveil.reveal is off, or where a \
             statement reads past pgveil."
                .to_owned(),
        ),
        position: None,
    }
}
