//! Wake-ups for tasks, sharper than a runtime's own: a thread that sleeps until the next one is due.
//!
//! Tokio's timer counts whole milliseconds, which is far more than many a latency.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};

/// The thread, which ends when this is dropped.
pub(crate) struct Timer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: MonotonicClock,
}

#[derive(Default)]
struct State {
    alarms: BinaryHeap<Reverse<Entry>>,
    /// Whether nobody is to wait any more.
    released: bool,
    ended: bool,
}

struct Entry {
    at_ns: u64,
    waker: Waker,
    rung_ns: Arc<AtomicU64>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at_ns == other.at_ns
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ns.cmp(&other.at_ns)
    }
}

impl Timer {
    pub(crate) fn start(clock: MonotonicClock) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            clock,
        });
        let thread = Builder::new().name("load-engine:timer".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.ring()
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// An alarm for one task, to be set again and again.
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm {
            shared: Arc::clone(&self.shared),
            rung_ns: Arc::default(),
        }
    }

    /// Wakes everybody, from now on at once: the run is stopped.
    pub(crate) fn release(&self) {
        self.shared.lock().released = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It runs no code but this file's, and its panic has been printed by the hook.
            drop(thread.join());
        }
    }
}

/// Not rung. No clock of this program reaches it: that is 584 years.
const SET: u64 = u64::MAX;

pub(crate) struct Alarm {
    shared: Arc<Shared>,
    rung_ns: Arc<AtomicU64>,
}

impl Alarm {
    /// Waits until a time, or until the timer is released. Gives when the alarm rang, which is before
    /// the task was run again.
    pub(crate) async fn wait_until(&mut self, at_ns: u64) -> u64 {
        let mut is_set = false;
        poll_fn(|context| {
            if !is_set {
                is_set = true;
                self.rung_ns.store(SET, Ordering::Relaxed);
                self.shared.set(Entry {
                    at_ns,
                    // One task has one waker for as long as it lives, so this one stays right.
                    waker: context.waker().clone(),
                    rung_ns: Arc::clone(&self.rung_ns),
                });
                return Poll::Pending;
            }
            match self.rung_ns.load(Ordering::Acquire) {
                SET => Poll::Pending,
                rung_ns => Poll::Ready(rung_ns),
            }
        })
        .await
    }
}

impl Shared {
    fn set(&self, entry: Entry) {
        let mut state = self.lock();
        let is_next = state
            .alarms
            .peek()
            .is_none_or(|Reverse(next)| entry.at_ns < next.at_ns);
        state.alarms.push(Reverse(entry));
        if is_next || state.released {
            self.changed.notify_one();
        }
    }

    fn ring(&self) {
        self.clock.sharpen();
        let mut due: Vec<Entry> = Vec::new();
        let mut state = self.lock();
        while !state.ended {
            let now_ns = self.clock.now_ns();
            let released = state.released;
            let is_due = |entry: &Reverse<Entry>| released || entry.0.at_ns <= now_ns;
            while state.alarms.peek().is_some_and(is_due) {
                due.extend(state.alarms.pop().map(|Reverse(entry)| entry));
            }
            if !due.is_empty() {
                drop(state);
                for entry in due.drain(..) {
                    entry.rung_ns.store(now_ns, Ordering::Release);
                    entry.waker.wake();
                }
                state = self.lock();
                continue;
            }
            let wait = state
                .alarms
                .peek()
                .map(|Reverse(next)| Duration::from_nanos(next.at_ns - now_ns));
            state = match wait {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    self.changed
                        .wait_timeout(state, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn an_alarm_never_rings_early_and_can_be_set_again() {
        let clock = MonotonicClock::new();
        let timer = Timer::start(clock.clone()).unwrap();
        let mut alarm = timer.alarm();
        block_on(async {
            for wait_ns in [2_000_000, 0, 1_000_000] {
                let at_ns = clock.now_ns() + wait_ns;
                let rung_ns = alarm.wait_until(at_ns).await;
                assert!((at_ns..=clock.now_ns()).contains(&rung_ns));
            }
        });
    }

    #[test]
    fn a_released_timer_keeps_nobody() {
        let timer = Timer::start(MonotonicClock::new()).unwrap();
        let mut alarm = timer.alarm();
        timer.release();
        // It would be 500 years.
        block_on(alarm.wait_until(u64::MAX - 1));
    }
}
