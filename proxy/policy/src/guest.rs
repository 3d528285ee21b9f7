//! One running guest: its memory limit, its deadline, its lines of log, and what its failures
//! are called.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Trap, UpdateDeadline};

use crate::bindings::pgveil::policy::logging;
use crate::engine::Limits;
use crate::error::PolicyError;
use crate::ticker::TICK;

/// Lines that one call may log.
const LINES: u32 = 32;

/// Characters of a logged line.
const LINE_CHARACTERS: usize = 1_000;

/// What a store holds beside the guest.
pub(crate) struct Guest {
    policy: Arc<str>,
    limits: Limits,
    /// A growth was refused since the guest was started: whatever it does next is because of
    /// that.
    out_of_memory: bool,
    /// CPU time that the call under way may take.
    deadline: Duration,
    /// CPU time of the thread when the call's first tick was over; [`None`] before that.
    since: Option<Duration>,
    /// Lines that the call under way may still log.
    lines: u32,
}

impl Guest {
    pub(crate) fn new(policy: Arc<str>, limits: Limits) -> Self {
        Self {
            policy,
            limits,
            out_of_memory: false,
            deadline: Duration::ZERO,
            since: None,
            lines: 0,
        }
    }

    /// To be called before each call; the store's epoch deadline must be one tick ahead.
    pub(crate) fn begin(&mut self, deadline: Duration) {
        self.deadline = deadline;
        self.since = None;
        self.lines = LINES;
    }

    /// Called when the epoch deadline has passed. It is CPU time that counts, so that a busy
    /// machine does not refuse statements of a quick policy. Reading that clock is a system call,
    /// so it is not read before a call has lasted a tick.
    pub(crate) fn over_deadline(&mut self) -> UpdateDeadline {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        // A thread's CPU time is never negative.
        let now = Duration::try_from(now).unwrap_or_default();
        let since = *self.since.get_or_insert(now);
        let left = self.deadline.saturating_sub(now.saturating_sub(since));
        if left.is_zero() {
            return UpdateDeadline::Interrupt;
        }
        let ticks = left.as_nanos().div_ceil(TICK.as_nanos());
        UpdateDeadline::Continue(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    /// What an error of wasmtime's means.
    pub(crate) fn failure(&self, error: &wasmtime::Error) -> PolicyError {
        let policy = self.policy.to_string();
        if error.is::<PoolConcurrencyLimitError>() {
            return PolicyError::Exhausted { policy, limit: self.limits.instances };
        }
        if self.out_of_memory {
            return PolicyError::OutOfMemory { policy, limit: self.limits.memory };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                PolicyError::TimedOut { policy, limit_ms: self.deadline.as_millis() }
            }
            Some(trap) => PolicyError::Trapped { policy, reason: trap.to_string() },
            None => PolicyError::BadAnswer { policy, reason: error.root_cause().to_string() },
        }
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= self.limits.memory;
        self.out_of_memory |= !allowed;
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= crate::engine::TABLE_ELEMENTS;
        self.out_of_memory |= !allowed;
        Ok(allowed)
    }
}

impl crate::bindings::pgveil::policy::types::Host for Guest {}

impl logging::Host for Guest {
    fn log(&mut self, level: logging::Level, message: String) {
        let Some(left) = self.lines.checked_sub(1) else { return };
        self.lines = left;
        let policy = &*self.policy;
        let message = one_line(&message, LINE_CHARACTERS);
        match level {
            logging::Level::Debug => tracing::debug!(policy, "{message}"),
            logging::Level::Info => tracing::info!(policy, "{message}"),
            logging::Level::Warn => tracing::warn!(policy, "{message}"),
        }
        if left == 0 {
            tracing::warn!(policy, "the policy logs too much; the rest of this call is dropped");
        }
    }
}

/// A guest's text as one line of at most so many characters: it can neither forge a line of the
/// log nor end a field of a message of the wire protocol.
pub(crate) fn one_line(text: &str, characters: usize) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(characters).map(blank).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(one_line("a\nb\0c\u{1b}[0m", 100), "a b c [0m");
        assert_eq!(one_line("äöü", 2), "äö");
    }

    /// Counts events.
    struct Counter(Arc<AtomicU32>);

    impl tracing::Subscriber for Counter {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn a_call_cannot_flood_the_log() {
        let seen = Arc::new(AtomicU32::new(0));
        tracing::subscriber::with_default(Counter(Arc::clone(&seen)), || {
            let mut guest = Guest::new("chatty".into(), Limits::default());
            guest.begin(Duration::ZERO);
            for _ in 0..1_000 {
                logging::Host::log(&mut guest, logging::Level::Info, "again".to_owned());
            }
        });
        // And one that says so.
        assert_eq!(seen.load(Ordering::Relaxed), LINES + 1);
    }
}
