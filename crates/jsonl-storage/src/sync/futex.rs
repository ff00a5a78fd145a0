//! Waiting for a word to change. A condition variable would make every woken thread queue for its
//! mutex once more; with a hundred threads on a few cores that costs as much as a fast sync.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::futex;

/// A word to wait on.
#[derive(Debug, Default)]
pub(crate) struct Word(AtomicU32);

impl Word {
    /// What it is now, to be taken before looking at what it stands for.
    pub(crate) fn load(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Sleeps until the word is no longer `seen`; may also return for no reason.
    pub(crate) fn wait(&self, seen: u32) {
        self.wait_for(seen, None);
    }

    /// As [`Word::wait`], for at most `limit`.
    pub(crate) fn wait_at_most(&self, seen: u32, limit: Duration) {
        self.wait_for(seen, Some(limit));
    }

    /// Changes the word and wakes one thread that waits for it.
    pub(crate) fn bump_one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.wake(1);
    }

    /// Changes the word and wakes every thread that waits for it, if `sleepers` counts any: they
    /// count themselves before they sleep, and a kernel call for nobody costs as much as a small
    /// write.
    pub(crate) fn bump_for(&self, sleepers: &AtomicU32) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if sleepers.load(Ordering::SeqCst) > 0 {
            self.wake(i32::MAX as u32);
        }
    }

    /// As [`Word::bump_for`], and wakes one.
    pub(crate) fn bump_one_for(&self, sleepers: &AtomicU32) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if sleepers.load(Ordering::SeqCst) > 0 {
            self.wake(1);
        }
    }

    fn wake(&self, most: u32) {
        // The only error is a bad address, and a reference is none.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, most);
    }

    fn wait_for(&self, seen: u32, limit: Option<Duration>) {
        let limit = limit.and_then(|limit| futex::Timespec::try_from(limit).ok());
        // Timed out, interrupted or changed already: the caller looks again in each case.
        let _ = futex::wait(&self.0, futex::Flags::PRIVATE, seen, limit.as_ref());
    }
}
