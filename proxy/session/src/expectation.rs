//! What the server owes: one entry for every message that it answers, in order.
//!
//! Everything sent upstream pushes its entry, whoever sent it, and every response belongs to the
//! entry at the front. Pipelining, refusals in their place, prepared statements and own steps are
//! all this one mechanism.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use pgveil_sql::refusal::Refusal;

use crate::prepared::{Portal, Prepared};
use crate::simple::ScriptRun;

/// Entries above which the client is not read until the server has answered some.
pub(crate) const BOUND: usize = 4096;

/// Whose message is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The client's: it sees the response.
    Client,
    /// Ours: it does not.
    Own,
}

/// What is answered, and what becomes of the response.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Parse: ParseComplete.
    Parse {
        /// What the statement is, if it is any business of ours.
        prepared: Option<Arc<Prepared>>,
        /// The error to put in place of the one that the server will raise.
        refusal: Option<Box<Placed>>,
    },
    /// Bind: BindComplete.
    Bind {
        portal: Option<Arc<Portal>>,
        /// See [`Expected::Parse`].
        refusal: Option<Box<Placed>>,
    },
    /// Close or Bind of a client's portal that runs again: it has had the answer.
    Again,
    /// Describe of a statement: ParameterDescription, then RowDescription or NoData.
    DescribeStatement(Option<Arc<Prepared>>),
    /// Describe of a portal: RowDescription or NoData.
    DescribePortal(Option<Arc<Portal>>),
    /// Execute: rows, or copy, and an end.
    Execute { portal: Option<Arc<Portal>>, started: Instant },
    /// Close: CloseComplete.
    Close,
    /// Sync: ReadyForQuery.
    Sync,
    /// Query: results, then ReadyForQuery. `None`: nothing of it is any business of ours.
    Query(Option<Box<ScriptRun>>),
    /// FunctionCall: its result, then ReadyForQuery.
    FunctionCall,
}

/// A refusal, and the text that its position refers to.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) refusal: Refusal,
    pub(crate) text: Arc<str>,
}

/// A name that is changed when the message succeeds.
#[derive(Debug)]
pub(crate) enum Change {
    Statement(Box<[u8]>),
    Portal(Box<[u8]>),
    /// A Query ends the unnamed statement and the unnamed portal.
    Unnamed,
}

/// One entry.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// Unique in the session, ascending.
    pub(crate) seq: u64,
    pub(crate) owner: Owner,
    pub(crate) expected: Expected,
    pub(crate) change: Option<Change>,
}

/// All entries, the one that is answered next at the front.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Expectation>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn push(&mut self, entry: Expectation) {
        self.entries.push_back(entry);
    }

    /// The entry that the next response belongs to.
    pub(crate) fn front(&mut self) -> Option<&mut Expectation> {
        self.entries.front_mut()
    }

    /// True when the entry of this number is still to be answered.
    pub(crate) fn has(&self, seq: u64) -> bool {
        self.entries.iter().any(|entry| entry.seq == seq)
    }

    pub(crate) fn pop(&mut self) -> Option<Expectation> {
        self.entries.pop_front()
    }

    /// After an error in the extended protocol: takes the front entry, which failed, and all that
    /// the server skips until the next Sync. The second value says whether there is one.
    pub(crate) fn fail(&mut self) -> (Vec<Expectation>, bool) {
        let sync = self.entries.iter().position(|e| matches!(e.expected, Expected::Sync));
        let end = sync.unwrap_or(self.entries.len());
        (self.entries.drain(..end).collect(), sync.is_some())
    }

    /// The server began to read copy data: it ignores every Sync until the copy's end, and that
    /// has not been sent. How many it ignores.
    pub(crate) fn copy_in(&mut self) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !matches!(entry.expected, Expected::Sync));
        before - self.entries.len()
    }

    /// True when a Sync was sent behind the front entry.
    pub(crate) fn has_sync(&self) -> bool {
        self.entries.iter().any(|e| matches!(e.expected, Expected::Sync))
    }

    /// True when the last message sent was one of ours.
    pub(crate) fn ends_own(&self) -> bool {
        self.entries.back().is_some_and(|entry| entry.owner == Owner::Own)
    }

    /// True when an answer to this, sent after the last Sync, is still to come.
    pub(crate) fn since_sync(&self, test: impl Fn(&Expectation) -> bool) -> bool {
        let is_sync = |entry: &&Expectation| matches!(entry.expected, Expected::Sync);
        self.entries.iter().rev().take_while(|entry| !is_sync(entry)).any(test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(entries: Vec<Expected>) -> Queue {
        let mut queue = Queue::default();
        for (seq, expected) in (0..).zip(entries) {
            queue.push(Expectation { seq, owner: Owner::Client, expected, change: None });
        }
        queue
    }

    fn parse() -> Expected {
        Expected::Parse { prepared: None, refusal: None }
    }

    fn execute() -> Expected {
        Expected::Execute { portal: None, started: Instant::now() }
    }

    #[test]
    fn an_error_skips_to_the_sync() {
        let mut queue = queue(vec![
            parse(),
            execute(),
            Expected::Query(None),
            Expected::Sync,
            parse(),
            Expected::Sync,
        ]);
        let (skipped, synced) = queue.fail();
        assert_eq!((skipped.len(), synced), (3, true));
        assert_eq!(queue.front().map(|e| e.seq), Some(3));
    }

    #[test]
    fn an_error_without_a_sync_skips_everything() {
        let mut queue = queue(vec![parse(), execute()]);
        let (skipped, synced) = queue.fail();
        assert_eq!((skipped.len(), synced), (2, false));
        assert!(queue.is_empty());
    }

    #[test]
    fn only_what_was_sent_after_the_last_sync_counts() {
        let queue = queue(vec![execute(), Expected::Sync, parse()]);
        assert!(queue.since_sync(|e| e.seq == 2));
        assert!(!queue.since_sync(|e| e.seq == 0));
        assert!(queue.has_sync());
    }

    /// libpq sends a Sync behind the Execute of a COPY, and another one when the copy ends.
    #[test]
    fn syncs_before_the_end_of_a_copy_are_not_answered() {
        let mut queue = queue(vec![execute(), Expected::Sync]);
        assert_eq!(queue.copy_in(), 1);
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.front().map(|e| e.seq), Some(0));
    }
}
