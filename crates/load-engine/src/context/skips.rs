//! Time that is left out: what remains of a phase that ended before its time.
//!
//! A model of load goes by its own time, which is the clock's since the load began and what was
//! skipped besides. So schedules and stages stay as they are, and everything after the phase comes
//! earlier.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a user may sleep without looking whether time was skipped, where that can be.
const LOOK_NS: u64 = 50_000_000;

#[derive(Default)]
pub(crate) struct Skips {
    /// Whether a phase can end before its time.
    possible: bool,
    total_ns: AtomicU64,
    /// From and to, by the model's time, in their order.
    windows: Mutex<Vec<(u64, u64)>>,
}

impl Skips {
    pub(crate) fn new(possible: bool) -> Self {
        Self {
            possible,
            ..Self::default()
        }
    }

    /// All that was skipped so far.
    #[inline]
    pub(crate) fn total_ns(&self) -> u64 {
        self.total_ns.load(Ordering::Relaxed)
    }

    /// Leaves out the next `length_ns`, at a time since the load began.
    pub(crate) fn skip(&self, elapsed_ns: u64, length_ns: u64) {
        let mut windows = self.lock();
        let from_ns = elapsed_ns + self.total_ns();
        windows.push((from_ns, from_ns + length_ns));
        self.total_ns.fetch_add(length_ns, Ordering::Relaxed);
    }

    /// When a moment of the model's time comes, since the load began; never, if it was skipped.
    pub(crate) fn elapsed_at(&self, model_ns: u64) -> Option<u64> {
        if !self.possible {
            return Some(model_ns);
        }
        let mut skipped_ns = 0;
        for &(from_ns, to_ns) in &*self.lock() {
            if model_ns < from_ns {
                break;
            }
            if model_ns < to_ns {
                return None;
            }
            skipped_ns += to_ns - from_ns;
        }
        Some(model_ns - skipped_ns)
    }

    /// Until when a user may sleep that has nothing to do until then.
    pub(crate) fn nap(&self, now_ns: u64, until_ns: u64) -> u64 {
        if self.possible {
            until_ns.min(now_ns.saturating_add(LOOK_NS))
        } else {
            until_ns
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_skipped_time_comes_earlier_and_what_is_in_it_never() {
        let skips = Skips::new(true);
        skips.skip(100, 50);
        skips.skip(200, 30);
        let at = |model_ns| skips.elapsed_at(model_ns);
        assert_eq!((at(99), at(100), at(149)), (Some(99), None, None));
        assert_eq!((at(150), at(249)), (Some(100), Some(199)));
        assert_eq!((at(250), at(279), at(280)), (None, None, Some(200)));
        assert_eq!(skips.total_ns(), 80);
    }

    #[test]
    fn a_user_looks_up_from_its_sleep_only_where_time_can_be_skipped() {
        assert_eq!(Skips::new(true).nap(5, u64::MAX), 5 + LOOK_NS);
        assert_eq!(Skips::new(true).nap(5, 6), 6);
        assert_eq!(Skips::new(false).nap(5, u64::MAX), u64::MAX);
    }
}
