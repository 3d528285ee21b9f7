//! The clock of deadlines: one thread that advances the engine's epoch while policies run.
//!
//! It sleeps when nothing has run for a while, so an idle proxy has no wake-ups; the first call
//! after that pays for waking it (about 2 µs), all others for two atomic additions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::EngineWeak;

/// How often the epoch advances: the resolution of deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// Ticks without a call after which the thread goes to sleep.
const IDLE_TICKS: u32 = 500;

#[derive(Debug, Default)]
struct State {
    /// Calls under way.
    running: AtomicU64,
    /// Calls ever begun; tells an idle stretch from many short calls.
    begun: AtomicU64,
    /// The thread sleeps until it is unparked, or is about to.
    asleep: AtomicBool,
    /// The thread ends.
    stop: AtomicBool,
}

/// Owns the thread; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Ticker {
    state: Arc<State>,
    /// [`None`] only while it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let thread = thread::Builder::new().name("policy-epoch".to_owned()).spawn({
            let state = Arc::clone(&state);
            move || run(&state, &engine)
        })?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Keeps the clock going until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        // Sequentially consistent, as is the other side: either the thread sees the call before
        // it parks, or the call sees that the thread is asleep. An unpark that comes first makes
        // the next park return at once.
        self.state.begun.fetch_add(1, Ordering::Relaxed);
        self.state.running.fetch_add(1, Ordering::SeqCst);
        if self.state.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(&self.state)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked; if it had, there would be nothing left to end.
            let _ = thread.join();
        }
    }
}

/// A call under way.
pub(crate) struct Running<'a>(&'a State);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(state: &State, engine: &EngineWeak) {
    let mut seen = 0;
    let mut idle = 0;
    while !state.stop.load(Ordering::SeqCst) {
        let begun = state.begun.load(Ordering::Relaxed);
        idle = if begun == seen { idle + 1 } else { 0 };
        seen = begun;
        if idle >= IDLE_TICKS {
            state.asleep.store(true, Ordering::SeqCst);
            while state.running.load(Ordering::SeqCst) == 0 && !state.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            state.asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
        // Not park_timeout: a late unpark would make this tick a short one.
        thread::sleep(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_ends_the_thread_even_when_asleep() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(engine.weak()).unwrap();
        // Longer than it takes to fall asleep.
        thread::sleep(TICK * (IDLE_TICKS + 100));
        drop(ticker.running());
        drop(ticker);
    }
}
