//! The values of protected columns that predicates and orders are decided on.
//!
//! A dictionary maps the handles of a column's tokens to their values. It is append-only: what is
//! in it was a value of the column once, so it is never wrong, only possibly incomplete. It is read
//! in one snapshot; what has been written since is in `pgveil.changes`, and `pgveil.delta` tells
//! every statement, in the statement's own snapshot, what that is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use pgveil_eval::{Collation, EvalError, Expr, Partition, Program, Value};
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
    /// What it was ordered by last, the latest first.
    orders: Mutex<Vec<Order>>,
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
            orders: Mutex::default(),
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
        let orders: usize = self.orders().iter().map(Order::bytes).sum();
        let values = self.read();
        values.bytes + values.handles.len() * ENTRY + orders
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

impl Dictionary {
    /// The ranks of the values in the order of an expression. `kept`: it will be asked again.
    pub(crate) fn rank(
        &self,
        program: &Program,
        expr: Expr,
        collation: &Collation,
        kept: bool,
    ) -> Result<Arc<Ranked>, EvalError> {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let known = {
            let mut orders = self.orders();
            let of = |order: &Order| order.expr == expr && order.collation == *collation;
            orders.iter().position(of).map(|at| orders.remove(at))
        };
        let order = match known {
            Some(order) if order.ranked.of == self.len() => order,
            known => {
                let places = known.map_or_else(Vec::new, |order| order.places);
                let (places, ranked) = ranked(&self.read(), places, program, collation)?;
                Order { expr, collation: collation.clone(), places, ranked: Arc::new(ranked) }
            }
        };
        let ranked = Arc::clone(&order.ranked);
        if kept {
            let mut orders = self.orders();
            orders.insert(0, order);
            orders.truncate(ORDERS);
        }
        Ok(ranked)
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many orders of a dictionary are kept.
const ORDERS: usize = 4;

/// Its values, ordered by an expression.
#[derive(Debug)]
struct Order {
    expr: Expr,
    collation: Collation,
    /// Of the values, in this order; those whose expression is NULL come last.
    places: Vec<usize>,
    ranked: Arc<Ranked>,
}

impl Order {
    fn bytes(&self) -> usize {
        let Ranked { handles, ranks, .. } = &*self.ranked;
        self.places.len() * size_of::<usize>() + handles.len() + ranks.len()
    }
}

/// The ranks of a dictionary's values: two arrays in PostgreSQL's text form.
#[derive(Debug)]
pub(crate) struct Ranked {
    /// The handles in the order of their bytes; an empty one, which stands for NULL, is first.
    pub(crate) handles: String,
    /// The rank of each, from 1: equal for equal values. 0 where the expression is NULL.
    pub(crate) ranks: String,
    /// How many values there were.
    pub(crate) of: usize,
}

/// Where an expression's value stands.
enum SortKey<'v> {
    Text(Cow<'v, str>),
    Integer(i32),
}

/// Ranks values. `places`: some of them in their order, which makes sorting a merge.
fn ranked(
    values: &Values,
    mut places: Vec<usize>,
    program: &Program,
    collation: &Collation,
) -> Result<(Vec<usize>, Ranked), EvalError> {
    let of = values.handles.len();
    places.extend(places.len()..of);
    // NULL is no value of the dictionary, and may be ranked all the same.
    let rows = places.into_iter().map(Some).chain([None]);
    let mut keys: Vec<(Option<usize>, SortKey<'_>)> = Vec::with_capacity(of + 1);
    let mut nulls: Vec<Option<usize>> = Vec::new();
    for place in rows {
        let value = place.map(|place| &**values.texts[place]);
        match program.value(&[value])? {
            Value::Null => nulls.push(place),
            Value::Text(text) => keys.push((place, SortKey::Text(text))),
            Value::Integer(number) => keys.push((place, SortKey::Integer(number))),
            Value::Boolean(_) => return Err(EvalError::Unsupported("an order of truth values")),
        }
    }
    // An expression has one type.
    let is_text = keys.first().is_none_or(|(_, key)| matches!(key, SortKey::Text(_)));
    if is_text {
        collation.sort(&mut keys, |(_, key)| match key {
            SortKey::Text(text) => text,
            SortKey::Integer(_) => "",
        });
    } else {
        keys.sort_by_key(|(_, key)| match key {
            SortKey::Text(_) => 0,
            SortKey::Integer(number) => *number,
        });
    }
    let mut rank = 0_usize;
    let mut ranks: Vec<(&[u8], usize)> = Vec::with_capacity(of + 1);
    let handle = |place: &Option<usize>| place.map_or(&[][..], |place| &values.handles[place][..]);
    for (index, (place, key)) in keys.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &keys[before].1);
        let equal = match (before, key) {
            (Some(SortKey::Text(before)), SortKey::Text(key)) => before == key,
            (Some(SortKey::Integer(before)), SortKey::Integer(key)) => before == key,
            _ => false,
        };
        rank += usize::from(!equal);
        ranks.push((handle(place), rank));
    }
    ranks.extend(nulls.iter().map(|place| (handle(place), 0)));
    ranks.sort_unstable();
    let mut ranked = Ranked {
        handles: String::with_capacity((HANDLE + 1) * ranks.len() + 2),
        ranks: String::with_capacity(7 * ranks.len() + 2),
        of,
    };
    for (index, (handle, rank)) in ranks.iter().enumerate() {
        let separator = if index == 0 { '{' } else { ',' };
        ranked.handles.push(separator);
        ranked.ranks.push(separator);
        match handle {
            [] => ranked.handles.push_str("\"\""),
            handle => ranked.handles.push_str(str::from_utf8(handle).unwrap_or_default()),
        }
        // Writing to a String cannot fail.
        let _ = write!(ranked.ranks, "{rank}");
    }
    ranked.handles.push('}');
    ranked.ranks.push('}');
    let places = keys.iter().map(|(place, _)| *place).chain(nulls).flatten().collect();
    Ok((places, ranked))
}

/// What a predicate says of a dictionary's values.
#[derive(Debug)]
pub(crate) struct Found {
    /// It is true.
    pub(crate) matched: Vec<Handle>,
    /// It is NULL.
    pub(crate) unknown: Vec<Handle>,
    /// Of one of them it says nothing.
    pub(crate) failed: Option<EvalError>,
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
    fn equal_values_have_equal_ranks() {
        let dictionary = Dictionary::new(known());
        for (n, value) in [(b'c', "b"), (b'a', "a"), (b'b', "b")] {
            dictionary.insert([n; HANDLE], value);
        }
        let rank = |dictionary: &Dictionary| {
            let program = Program::new(&Expr::Column(0), &[pgveil_eval::Type::Text]).unwrap();
            let ranked = dictionary.rank(&program, Expr::Column(0), &Collation::c(), true).unwrap();
            assert_eq!(ranked.handles.split(',').count(), ranked.ranks.split(',').count());
            (ranked.handles.replace(char::is_alphabetic, "").len(), ranked.ranks.clone())
        };
        assert_eq!(rank(&dictionary), ("{\"\",,,}".len(), "{0,1,2,2}".to_owned()));
        assert_eq!(rank(&dictionary).1, "{0,1,2,2}");
        dictionary.insert([b'd'; HANDLE], "aa");
        assert_eq!(rank(&dictionary).1, "{0,1,3,3,2}");
    }

    #[test]
    fn it_is_complete_up_to_the_latest_snapshot() {
        let dictionary = Dictionary::new(known());
        dictionary.advance(7, "{5}".to_owned());
        dictionary.advance(3, "{1}".to_owned());
        assert_eq!((dictionary.known().since, &*dictionary.known().open), (7, "{5}"));
    }
}
