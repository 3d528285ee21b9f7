//! What the client's names of prepared statements and portals stand for.
//!
//! The server decides whether a Parse or a Bind succeeds, and it answers later. So each name keeps
//! what it is known to stand for, and the changes that were sent and are not answered yet. A
//! change that fails, or is skipped after an error, is taken back alone: later ones stay.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Meaning<T> {
    /// Nothing.
    Nothing,
    /// Something that is no business of ours.
    Other,
    /// Something that was no business of ours when it was given; more is in scope by now.
    Stale,
    /// This.
    Known(Arc<T>),
}

impl<T> Meaning<T> {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// Names of one kind. Names that stand for nothing are not kept.
#[derive(Debug)]
pub(crate) struct Names<T> {
    slots: HashMap<Box<[u8]>, Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    /// What the name stood for after the last answered change.
    settled: Meaning<T>,
    /// Changes that were sent and not answered, oldest first.
    pending: VecDeque<Pending<T>>,
}

#[derive(Debug)]
struct Pending<T> {
    /// The expectation that the change belongs to.
    seq: u64,
    /// How many Syncs were sent before it.
    batch: u64,
    meaning: Meaning<T>,
}

/// What a name stands for, to a message that refers to it.
#[derive(Debug)]
pub(crate) enum Lookup<T> {
    /// This.
    Known(Arc<T>),
    /// Something that is no business of ours.
    Other,
    /// See [`Meaning::Stale`].
    Stale,
    /// Nothing that the server would know from us.
    Unknown,
    /// A change from before an earlier Sync is not answered: if it fails, the message that refers
    /// to it runs all the same, against what the name stood for before. Wait.
    Unsettled,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { slots: HashMap::new() }
    }
}

impl<T> Names<T> {
    /// How many names are kept.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What `name` stands for to a message of this batch.
    pub(crate) fn lookup(&self, name: &[u8], batch: u64) -> Lookup<T> {
        let Some(slot) = self.slots.get(name) else { return Lookup::Unknown };
        let meaning = match slot.pending.back() {
            Some(pending) if pending.batch != batch => return Lookup::Unsettled,
            Some(pending) => &pending.meaning,
            None => &slot.settled,
        };
        match meaning {
            Meaning::Nothing => Lookup::Unknown,
            Meaning::Other => Lookup::Other,
            Meaning::Stale => Lookup::Stale,
            Meaning::Known(value) => Lookup::Known(Arc::clone(value)),
        }
    }

    /// Notes a change that is being sent. False: the name stands for nothing and will not, so
    /// there is nothing to note.
    pub(crate) fn change(
        &mut self,
        name: &[u8],
        seq: u64,
        batch: u64,
        meaning: Meaning<T>,
    ) -> bool {
        let pending = Pending { seq, batch, meaning };
        if let Some(slot) = self.slots.get_mut(name) {
            slot.pending.push_back(pending);
            return true;
        }
        if pending.meaning.is_nothing() {
            return false;
        }
        let slot = Slot { settled: Meaning::Nothing, pending: VecDeque::from([pending]) };
        self.slots.insert(name.into(), slot);
        true
    }

    /// The change was made.
    pub(crate) fn settle(&mut self, name: &[u8], seq: u64) {
        self.update(name, |slot| {
            if let Some(at) = slot.pending.iter().position(|pending| pending.seq == seq) {
                let mut settled = slot.pending.drain(..=at);
                slot.settled = settled.next_back().map_or(Meaning::Nothing, |last| last.meaning);
            }
        });
    }

    /// The change was not made. `destroyed`: the attempt alone ended what the name stood for, as
    /// a failed Parse of the unnamed statement does.
    pub(crate) fn revert(&mut self, name: &[u8], seq: u64, destroyed: bool) {
        self.update(name, |slot| {
            slot.pending.retain(|pending| pending.seq != seq);
            if destroyed {
                slot.settled = Meaning::Nothing;
            }
        });
    }

    /// Puts a newer view of the same thing in place of what the name stands for.
    pub(crate) fn renew(&mut self, name: &[u8], known: &Arc<T>, newer: &Arc<T>) {
        if let Some(slot) = self.slots.get_mut(name)
            && let Meaning::Known(settled) = &mut slot.settled
            && Arc::ptr_eq(settled, known)
        {
            *settled = Arc::clone(newer);
        }
    }

    /// The name was given by other means than a message of its own.
    pub(crate) fn give(&mut self, name: &[u8], meaning: Meaning<T>) {
        if meaning.is_nothing() {
            return self.forget(name);
        }
        let empty = || Slot { settled: Meaning::Nothing, pending: VecDeque::new() };
        self.slots.entry(name.into()).or_insert_with(empty).settled = meaning;
    }

    /// More is in scope than before: what was no business of ours may be by now, and nothing is
    /// kept of it to tell.
    pub(crate) fn distrust(&mut self) {
        for slot in self.slots.values_mut() {
            let pending = slot.pending.iter_mut().map(|pending| &mut pending.meaning);
            for meaning in std::iter::once(&mut slot.settled).chain(pending) {
                if matches!(meaning, Meaning::Other) {
                    *meaning = Meaning::Stale;
                }
            }
        }
    }

    /// The name stands for nothing any more, whatever is under way is not concerned.
    pub(crate) fn forget(&mut self, name: &[u8]) {
        self.update(name, |slot| slot.settled = Meaning::Nothing);
    }

    /// No name stands for anything any more; changes under way are not concerned.
    pub(crate) fn forget_all(&mut self) {
        self.slots.retain(|_, slot| {
            slot.settled = Meaning::Nothing;
            !slot.pending.is_empty()
        });
    }

    /// As [`Names::forget_all`], but for what is to be kept.
    pub(crate) fn forget_unless(&mut self, keep: impl Fn(&T) -> bool) {
        self.slots.retain(|_, slot| {
            let kept = matches!(&slot.settled, Meaning::Known(value) if keep(value));
            if !kept {
                slot.settled = Meaning::Nothing;
            }
            kept || !slot.pending.is_empty()
        });
    }

    fn update(&mut self, name: &[u8], change: impl FnOnce(&mut Slot<T>)) {
        if let Some(slot) = self.slots.get_mut(name) {
            change(slot);
            if slot.pending.is_empty() && slot.settled.is_nothing() {
                self.slots.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(value: &'static str) -> Meaning<&'static str> {
        Meaning::Known(Arc::new(value))
    }

    fn known(names: &Names<&'static str>, batch: u64) -> Option<&'static str> {
        match names.lookup(b"s", batch) {
            Lookup::Known(value) => Some(*value),
            Lookup::Unknown => None,
            Lookup::Other => Some("other"),
            Lookup::Stale => Some("stale"),
            Lookup::Unsettled => Some("unsettled"),
        }
    }

    #[test]
    fn a_failed_change_leaves_what_was_there() {
        let mut names = Names::default();
        names.change(b"s", 1, 0, is("first"));
        assert_eq!(known(&names, 0), Some("first"));
        names.settle(b"s", 1);
        names.change(b"s", 2, 0, is("second"));
        assert_eq!(known(&names, 0), Some("second"));
        names.revert(b"s", 2, false);
        assert_eq!(known(&names, 0), Some("first"));
    }

    #[test]
    fn a_failed_parse_of_the_unnamed_statement_destroys_it() {
        let mut names = Names::default();
        names.change(b"s", 1, 0, is("first"));
        names.settle(b"s", 1);
        names.change(b"s", 2, 0, is("second"));
        names.revert(b"s", 2, true);
        assert_eq!(known(&names, 0), None);
        assert_eq!(names.len(), 0);
    }

    /// Batches of pipelined statements under one name: the first fails, the second stands.
    #[test]
    fn later_changes_outlive_an_earlier_failure() {
        let mut names = Names::default();
        names.change(b"s", 1, 0, is("first"));
        names.change(b"s", 3, 1, is("second"));
        names.revert(b"s", 1, false);
        assert_eq!(known(&names, 1), Some("second"));
        names.settle(b"s", 3);
        assert_eq!(known(&names, 7), Some("second"));
    }

    #[test]
    fn a_change_of_an_earlier_batch_must_settle_first() {
        let mut names = Names::default();
        names.change(b"s", 1, 0, is("first"));
        assert_eq!(known(&names, 1), Some("unsettled"));
        names.settle(b"s", 1);
        assert_eq!(known(&names, 1), Some("first"));
    }

    #[test]
    fn nothing_is_kept_of_names_that_never_meant_anything() {
        let mut names: Names<&str> = Names::default();
        assert!(!names.change(b"s", 1, 0, Meaning::Nothing));
        assert_eq!(names.len(), 0);
        assert!(names.change(b"s", 2, 0, is("x")));
        assert!(names.change(b"s", 3, 0, Meaning::Nothing));
        assert_eq!(known(&names, 0), None);
        names.settle(b"s", 3);
        assert_eq!(names.len(), 0);
    }

    #[test]
    fn forgetting_spares_what_is_under_way() {
        let mut names = Names::default();
        names.change(b"s", 1, 0, is("old"));
        names.settle(b"s", 1);
        names.change(b"s", 2, 5, is("new"));
        names.forget_all();
        names.settle(b"s", 2);
        assert_eq!(known(&names, 9), Some("new"));
        names.forget(b"s");
        assert_eq!(names.len(), 0);
    }

    #[test]
    fn what_sql_prepared_is_somebody_elses() {
        let mut names: Names<&str> = Names::default();
        names.give(b"s", Meaning::Other);
        assert_eq!(known(&names, 0), Some("other"));
        names.change(b"s", 1, 0, is("ours"));
        names.revert(b"s", 1, false);
        assert_eq!(known(&names, 0), Some("other"));
        names.forget_all();
        assert_eq!(known(&names, 0), None);
    }
}
