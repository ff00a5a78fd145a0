//! Who sleeps until which commit, so that a commit wakes those whose records it wrote, and of all
//! others one: to lead the next.
//!
//! With many callers one half of them waits while the other half's records are synced. Were everyone
//! woken each time, that half would wake for nothing, and on a few cores the useless wake-ups cost as
//! much as a fast sync.

use std::time::Duration;

use crate::sync::{AtomicBool, AtomicU32, Ordering, Word};

/// The commits, by number. Two are of interest at a time: the one that is under way, and the one that
/// will write what waits.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    beds: [Bed; 2],
    /// The one that will write what waits.
    next: AtomicU32,
    /// Whether the last one failed.
    is_failed: AtomicBool,
    /// For those who wait for whatever comes: changes with every round.
    any: Bed,
}

/// Where threads sleep.
#[derive(Debug, Default)]
struct Bed {
    word: Word,
    /// How many sleep here, or are about to.
    sleepers: AtomicU32,
}

/// A place to sleep, as it was before looking at what one waits for: whatever changed since then
/// keeps its holder from sleeping.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    bed: &'a Bed,
    seen: u32,
}

impl Rounds {
    /// Where to wait for a round.
    pub(crate) fn bed(&self, round: u32) -> Made<'_> {
        self.beds[round as usize % 2].made()
    }

    /// Where to wait for any.
    pub(crate) fn any(&self) -> Made<'_> {
        self.any.made()
    }

    /// The leader takes what waits: what comes now is for the round after. Under the queue's lock.
    pub(crate) fn begin(&self, round: &mut u32) {
        *round = round.wrapping_add(1);
        self.next.store(*round, Ordering::SeqCst);
    }

    /// Notes how a round went, and says whether everyone has to be told: of a failure, and of the
    /// first success after it, which may have written records of the round that failed.
    pub(crate) fn note(&self, is_failed: bool) -> bool {
        self.is_failed.swap(is_failed, Ordering::SeqCst) || is_failed
    }

    /// A leader ends, whether it committed or not: wakes those who may have been waiting for it, and
    /// one of those who wait for the next.
    pub(crate) fn end(&self) {
        let next = self.next.load(Ordering::SeqCst) as usize;
        self.beds[(next + 1) % 2].wake_all();
        self.beds[next % 2].wake_one();
        self.any.wake_all();
    }

    /// Has everyone look again.
    pub(crate) fn end_all(&self) {
        self.beds.iter().for_each(Bed::wake_all);
        self.any.wake_all();
    }
}

impl Bed {
    fn made(&self) -> Made<'_> {
        Made {
            bed: self,
            seen: self.word.load(),
        }
    }

    fn wake_one(&self) {
        self.word.bump_one_for(&self.sleepers);
    }

    fn wake_all(&self) {
        self.word.bump_for(&self.sleepers);
    }
}

impl Made<'_> {
    /// Sleeps until it is woken; may also return for no reason.
    pub(crate) fn sleep(self) {
        self.bed.sleepers.fetch_add(1, Ordering::SeqCst);
        self.bed.word.wait(self.seen);
        self.bed.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// As [`Made::sleep`], for at most `limit`.
    pub(crate) fn sleep_at_most(self, limit: Duration) {
        self.bed.sleepers.fetch_add(1, Ordering::SeqCst);
        self.bed.word.wait_at_most(self.seen, limit);
        self.bed.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}
