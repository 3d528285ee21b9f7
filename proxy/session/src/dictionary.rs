//! The values of protected columns that predicates are decided on.
//!
//! A dictionary maps the handles of a column's tokens to their values. It is append-only: what is
//! in it was a value of the column once, so it is never wrong, only possibly incomplete. It is read
//! in one snapshot; what has been written since is in `pgveil.changes`, and `pgveil.delta` tells
//! every statement, in the statement's own snapshot, what that is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use pgveil_eval::{Partition, Program};
use zeroize::Zeroizing;

/// Characters of a handle.
const HANDLE: usize = 20;

/// A short name of a token.
pub(crate) type Handle = [u8; HANDLE];

/// The column of a database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) database: String,
    /// `pg_class.oid` of the declared table.
    pub(crate) relation: u32,
    /// `pg_attribute.attnum` there.
    pub(crate) number: i16,
    /// The keyring whose tokens it has.
    pub(crate) keyring: String,
}

/// The snapshot up to which a dictionary is complete, as `pgveil.delta` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// The `pg_snapshot` of the first load: a snapshot that does not see all that it saw may have
    /// values that were gone by then.
    pub(crate) first: String,
    /// Transactions from this one on may have written more ...
    pub(crate) since: u64,
    /// ... and so may these (an `xid8[]`).
    pub(crate) open: String,
    /// Of what would let rows come past the log.
    pub(crate) fingerprint: String,
}

#[derive(Debug, Default)]
struct Values {
    handles: Vec<Handle>,
    texts: Vec<Zeroizing<Box<str>>>,
    places: HashMap<Handle, u32>,
    bytes: usize,
}

/// One column's.
pub(crate) struct Dictionary {
    values: RwLock<Values>,
    known: Mutex<Known>,
    used: Mutex<Instant>,
    /// Much has been written since.
    behind: AtomicBool,
}

/// Values are not shown.
impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dictionary").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Dictionary {
    pub(crate) fn new(known: Known) -> Self {
        Self {
            values: RwLock::default(),
            known: Mutex::new(known),
            used: Mutex::new(Instant::now()),
            behind: AtomicBool::new(false),
        }
    }

    // What is locked is never left half changed.
    fn read(&self) -> RwLockReadGuard<'_, Values> {
        self.values.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Values> {
        self.values.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.read().handles.len()
    }

    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        let values = self.read();
        values.bytes + values.handles.len() * ENTRY
    }

    pub(crate) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it is complete up to, once it is.
    pub(crate) fn set(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// See [`Dictionary::is_behind`].
    pub(crate) fn fall_behind(&self) {
        self.behind.store(true, Ordering::Relaxed);
    }

    /// So much has been written since that it should be read once, for all statements.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// It is complete up to a later snapshot.
    pub(crate) fn advance(&self, since: u64, open: String) {
        self.behind.store(false, Ordering::Relaxed);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if since >= known.since {
            known.since = since;
            known.open = open;
        }
    }

    pub(crate) fn insert(&self, handle: Handle, value: &str) {
        let mut values = self.write();
        let Ok(place) = u32::try_from(values.handles.len()) else { return };
        if values.places.contains_key(&handle) {
            return;
        }
        values.places.insert(handle, place);
        values.handles.push(handle);
        values.bytes += value.len();
        values.texts.push(Zeroizing::new(value.into()));
    }

    /// The place of a token's value.
    pub(crate) fn place(&self, handle: &Handle) -> Option<usize> {
        let values = self.read();
        values.places.get(handle).and_then(|place| usize::try_from(*place).ok())
    }

    /// What a predicate says of the values, as handles, and of how many values it says that.
    pub(crate) fn partition(&self, program: &Program) -> Found {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let values = self.read();
        let Partition { matched, unknown, failed } =
            program.partition(values.texts.iter().map(|value| Some(&***value)));
        let handles = |places: Vec<usize>| places.into_iter().map(|p| values.handles[p]).collect();
        Found {
            matched: handles(matched),
            unknown: handles(unknown),
            failed: failed.into_iter().next().map(|(_, error)| error),
            of: values.handles.len(),
        }
    }
}

/// What a predicate says of a dictionary's values.
#[derive(Debug)]
pub(crate) struct Found {
    /// It is true.
    pub(crate) matched: Vec<Handle>,
    /// It is NULL.
    pub(crate) unknown: Vec<Handle>,
    /// Of one of them it says nothing.
    pub(crate) failed: Option<pgveil_eval::EvalError>,
    /// How many values there were.
    pub(crate) of: usize,
}

/// What an entry takes besides its value's bytes: the handle twice, the place, the allocation.
const ENTRY: usize = 2 * HANDLE + 4 + 16 + 24;

/// The handle of a token.
pub(crate) fn handle_of(token: &str) -> Option<Handle> {
    pgveil_seal::handle(token)?.as_bytes().try_into().ok()
}

/// All dictionaries of a proxy.
#[derive(Debug)]
pub(crate) struct Dictionaries {
    entries: Mutex<HashMap<Key, Arc<Dictionary>>>,
    /// Bytes that all of them may take.
    budget: usize,
}

impl Dictionaries {
    pub(crate) fn new(budget: usize) -> Self {
        Self { entries: Mutex::default(), budget }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Key, Arc<Dictionary>>) -> T) -> T {
        act(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Dictionary>> {
        self.with(|entries| entries.get(key).cloned())
    }

    /// Shares a dictionary that was read. Those that were not used for the longest time go where
    /// there is no room. False: it is too large by itself.
    pub(crate) fn put(&self, key: &Key, dictionary: &Arc<Dictionary>) -> bool {
        let size = dictionary.bytes();
        if size > self.budget {
            return false;
        }
        self.with(|entries| {
            entries.insert(key.clone(), Arc::clone(dictionary));
            let mut total: usize = entries.values().map(|entry| entry.bytes()).sum();
            while total > self.budget {
                let oldest = entries
                    .iter()
                    .filter(|(other, _)| *other != key)
                    .min_by_key(|(_, entry)| {
                        *entry.used.lock().unwrap_or_else(PoisonError::into_inner)
                    })
                    .map(|(other, _)| other.clone());
                let Some(gone) = oldest.and_then(|oldest| entries.remove(&oldest)) else { break };
                total -= gone.bytes();
            }
        });
        true
    }

    /// What is known is not right any more.
    pub(crate) fn forget(&self, key: &Key, dictionary: &Arc<Dictionary>) {
        self.with(|entries| {
            if entries.get(key).is_some_and(|entry| Arc::ptr_eq(entry, dictionary)) {
                entries.remove(key);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            first: "1:2:".to_owned(),
            since: 2,
            open: "{}".to_owned(),
            fingerprint: String::new(),
        }
    }

    fn key(number: i16) -> Key {
        Key { database: "d".into(), relation: 1, number, keyring: "k".into() }
    }

    #[test]
    fn the_oldest_goes_where_there_is_no_room() {
        let dictionaries = Dictionaries::new(3 * (ENTRY + 1));
        let filled = |count: u8| {
            let dictionary = Arc::new(Dictionary::new(known()));
            for n in 0..count {
                dictionary.insert([n; HANDLE], "x");
            }
            dictionary
        };
        assert!(dictionaries.put(&key(1), &filled(2)));
        assert!(dictionaries.put(&key(2), &filled(1)));
        assert!(dictionaries.put(&key(3), &filled(1)));
        assert!(dictionaries.get(&key(1)).is_none());
        assert!(dictionaries.get(&key(2)).is_some() && dictionaries.get(&key(3)).is_some());
        assert!(!dictionaries.put(&key(4), &filled(4)));
    }

    #[test]
    fn it_is_complete_up_to_the_latest_snapshot() {
        let dictionary = Dictionary::new(known());
        dictionary.advance(7, "{5}".to_owned());
        dictionary.advance(3, "{1}".to_owned());
        assert_eq!((dictionary.known().since, &*dictionary.known().open), (7, "{5}"));
    }
}
