//! Waiting for a word to change. A condition variable would make every woken thread queue for its
//! mutex once more; with a hundred threads on a few cores that costs as much as a fast sync.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::futex;

/// Sleeps until `word` is no longer `seen`; may also return for no reason.
pub(crate) fn wait(word: &AtomicU32, seen: u32) {
    wait_for(word, seen, None);
}

/// As [`wait`], for at most `limit`.
pub(crate) fn wait_at_most(word: &AtomicU32, seen: u32, limit: Duration) {
    wait_for(word, seen, Some(limit));
}

/// Changes `word` and wakes up to `most` threads that wait for it.
pub(crate) fn bump(word: &AtomicU32, most: u32) {
    word.fetch_add(1, Ordering::SeqCst);
    // The only error is a bad address, and a reference is none.
    let _ = futex::wake(word, futex::Flags::PRIVATE, most);
}

/// Changes `word` and wakes every thread that waits for it, if `sleepers` counts any: they count
/// themselves before they sleep, and a kernel call for nobody costs as much as a small write.
pub(crate) fn bump_for(word: &AtomicU32, sleepers: &AtomicU32) {
    word.fetch_add(1, Ordering::SeqCst);
    if sleepers.load(Ordering::SeqCst) > 0 {
        let _ = futex::wake(word, futex::Flags::PRIVATE, i32::MAX as u32);
    }
}

fn wait_for(word: &AtomicU32, seen: u32, limit: Option<Duration>) {
    let limit = limit.and_then(|limit| futex::Timespec::try_from(limit).ok());
    // Timed out, interrupted or changed already: the caller looks again in each case.
    let _ = futex::wait(word, futex::Flags::PRIVATE, seen, limit.as_ref());
}
