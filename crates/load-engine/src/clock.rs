//! The monotonic clock, the only place of the crate that reads one, and the handle that ends a wait.
//!
//! Time is an argument below rank 2. An engine that measures latency has to read a clock all the
//! same, so it reads this trait; tests give it the simulated one and are repeatable.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Ends a run from elsewhere, such as a handler of Ctrl-C. Clones share one switch.
#[derive(Clone, Debug, Default)]
pub struct StopHandle {
    stopped: Arc<AtomicBool>,
    /// The switch of the handle that this one was made of by [`inner`](Self::inner).
    outer: Option<Arc<AtomicBool>>,
}

impl StopHandle {
    /// A handle of a run that goes on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to end with what it has. Iterations under way are let finish.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    #[must_use]
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self
                .outer
                .as_ref()
                .is_some_and(|outer| outer.load(Ordering::Relaxed))
    }

    /// A handle of the engine's own, which the caller's stops but which leaves the caller's alone.
    pub(crate) fn inner(&self) -> Self {
        Self {
            stopped: Arc::default(),
            outer: Some(Arc::clone(&self.stopped)),
        }
    }
}

/// A monotonic clock, in nanoseconds from an origin of its own.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the origin.
    fn now_ns(&self) -> u64;

    /// Returns when the clock has reached `instant_ns`, at once if it has.
    fn sleep_until(&self, instant_ns: u64);

    /// Like [`sleep_until`](Self::sleep_until), and returns early, if it can, when the run is stopped.
    fn sleep_until_or_stopped(&self, instant_ns: u64, _stop: &StopHandle) {
        self.sleep_until(instant_ns);
    }

    /// Makes the calling thread wake as near to the asked times as the system can.
    fn sharpen(&self) {}

    /// Whether its time is not the machine's, so that what the machine withheld means nothing in it.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Announces `threads` threads whose sleeping and waking make up a simulated time.
    fn enlist(&self, _threads: u32) {}

    /// Says that one of the announced threads will sleep no more.
    fn retire(&self) {}
}

/// How long a sleeper may take to see that the run was stopped.
const STOP_CHECK_NS: u64 = 20_000_000;

/// The operating system's monotonic clock.
#[derive(Clone, Debug)]
pub struct MonotonicClock {
    origin_ns: u64,
}

impl MonotonicClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin_ns: monotonic_ns(),
        }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    #[inline]
    fn now_ns(&self) -> u64 {
        monotonic_ns().saturating_sub(self.origin_ns)
    }

    fn sleep_until(&self, instant_ns: u64) {
        let now = self.now_ns();
        if instant_ns > now {
            thread::sleep(Duration::from_nanos(instant_ns - now));
        }
    }

    fn sleep_until_or_stopped(&self, instant_ns: u64, stop: &StopHandle) {
        let mut now_ns = self.now_ns();
        while now_ns < instant_ns && !stop.is_stopped() {
            self.sleep_until(instant_ns.min(now_ns + STOP_CHECK_NS));
            now_ns = self.now_ns();
        }
    }

    fn sharpen(&self) {
        // Linux delays a wake-up by up to 50 us unless told otherwise. Where it cannot be told, the
        // schedule's lag shows it.
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
    }
}

/// The clock of `std::time::Instant`, without its arithmetic: that took as many instructions as all that
/// the engine does between two readings.
#[inline]
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    // 64 bits of nanoseconds are 584 years.
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// A clock that stands still until every thread that it knows sleeps, and then jumps to the
/// earliest wake-up: a run of an hour is a test of milliseconds.
///
/// ```
/// use load_engine::{Clock, SimulatedClock};
///
/// let clock = SimulatedClock::new();
/// clock.enlist(1);
/// clock.sleep_until(3_600_000_000_000);
/// assert_eq!(clock.now_ns(), 3_600_000_000_000);
/// ```
#[derive(Debug, Default)]
pub struct SimulatedClock {
    state: Mutex<Simulation>,
}

#[derive(Debug, Default)]
struct Simulation {
    now_ns: u64,
    threads: usize,
    asleep: Vec<Sleeper>, // at most `threads`, but for callers that were never announced
}

#[derive(Debug)]
struct Sleeper {
    until_ns: u64,
    thread: Thread,
    woken: Arc<AtomicBool>,
}

impl SimulatedClock {
    /// A clock that shows 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on by hand, waking those whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        let now_ns = state.now_ns + by.as_nanos() as u64;
        state.jump_to(now_ns);
    }

    fn lock(&self) -> MutexGuard<'_, Simulation> {
        // No user code runs under the lock, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulation {
    /// Jumps to the earliest wake-up if nobody is left who could do anything before it.
    fn settle(&mut self) {
        if self.asleep.len() < self.threads {
            return;
        }
        if let Some(earliest) = self.asleep.iter().map(|sleeper| sleeper.until_ns).min() {
            self.jump_to(earliest);
        }
    }

    /// Who wakes counts as awake from here on, so that the clock waits for it.
    fn jump_to(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        let now_ns = self.now_ns;
        for sleeper in self
            .asleep
            .extract_if(.., |sleeper| sleeper.until_ns <= now_ns)
        {
            sleeper.woken.store(true, Ordering::Release);
            sleeper.thread.unpark();
        }
    }
}

impl Clock for SimulatedClock {
    fn is_simulated(&self) -> bool {
        true
    }

    fn now_ns(&self) -> u64 {
        self.lock().now_ns
    }

    fn sleep_until(&self, instant_ns: u64) {
        let woken = Arc::new(AtomicBool::new(false));
        {
            let mut state = self.lock();
            if instant_ns <= state.now_ns {
                return;
            }
            state.asleep.push(Sleeper {
                until_ns: instant_ns,
                thread: thread::current(),
                woken: Arc::clone(&woken),
            });
            state.settle();
        }
        while !woken.load(Ordering::Acquire) {
            thread::park();
        }
    }

    fn enlist(&self, threads: u32) {
        self.lock().threads += threads as usize;
    }

    fn retire(&self) {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(1);
        state.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn simulated_threads_wake_in_the_order_of_their_times() {
        let clock = SimulatedClock::new();
        clock.enlist(3);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for start in [30u64, 10, 20] {
                let (clock, order) = (&clock, &order);
                scope.spawn(move || {
                    for round in 0..3 {
                        clock.sleep_until(start + round * 100);
                        order.lock().unwrap().push(clock.now_ns());
                    }
                    clock.retire();
                });
            }
        });
        assert_eq!(
            order.into_inner().unwrap(),
            [10, 20, 30, 110, 120, 130, 210, 220, 230]
        );
    }

    #[test]
    fn a_sleep_into_the_past_returns_at_once() {
        let clock = SimulatedClock::new();
        clock.advance(Duration::from_secs(1));
        clock.sleep_until(5);
        assert_eq!(clock.now_ns(), 1_000_000_000);
    }

    #[test]
    fn the_real_clock_sleeps_at_least_as_long_as_asked() {
        let clock = MonotonicClock::new();
        let wake = clock.now_ns() + 2_000_000;
        clock.sleep_until(wake);
        assert!(clock.now_ns() >= wake);
    }
}
