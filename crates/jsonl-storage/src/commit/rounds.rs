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
    /// Gives the number of the one that begins.
    pub(crate) fn begin(&self, next: &mut u32) -> u32 {
        let round = *next;
        *next = round.wrapping_add(1);
        self.next.store(*next, Ordering::SeqCst);
        round
    }

    /// Notes how a round went, and says whether everyone has to be told: of a failure, and of the
    /// first success after it, which may have written records of the round that failed.
    pub(crate) fn note(&self, is_failed: bool) -> bool {
        self.is_failed.swap(is_failed, Ordering::SeqCst) || is_failed
    }

    /// Wakes those who wait for a round. Another one may have begun meanwhile, and some of those who
    /// wait for the one after it then wake for nothing.
    pub(crate) fn end(&self, round: u32) {
        self.beds[round as usize % 2].wake_all();
        self.any.wake_all();
    }

    /// Wakes one of those who wait for the next round, to lead it: for whoever led, and leads no more.
    /// If that round has begun by now, its leader does the same after it.
    pub(crate) fn call_next(&self) {
        let next = self.next.load(Ordering::SeqCst);
        self.beds[next as usize % 2].wake_one();
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

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::thread::Builder;

    use super::*;

    #[test]
    fn all_who_sleep_until_a_round_are_woken_by_its_end_although_the_next_one_began() {
        const SLEEPERS: u32 = 3;
        let rounds = Rounds::default();
        let mut next = 0;
        std::thread::scope(|scope| {
            let (woken, wakings) = sync_channel(SLEEPERS as usize);
            for number in 0..SLEEPERS {
                let (rounds, woken) = (&rounds, woken.clone());
                let sleeper = Builder::new().name(format!("rounds-test:{number}"));
                let look = rounds.bed(0);
                let sleep = move || {
                    look.sleep();
                    woken.send(()).unwrap();
                };
                sleeper.spawn_scoped(scope, sleep).unwrap();
            }
            while rounds.beds[0].sleepers.load(Ordering::SeqCst) < SLEEPERS {
                std::thread::yield_now();
            }
            let round = rounds.begin(&mut next);
            let after = rounds.begin(&mut next);
            assert_eq!((round, after), (0, 1));
            rounds.end(round);
            let waking = |_| wakings.recv_timeout(Duration::from_secs(60)).is_ok();
            let woken = (0..SLEEPERS).filter(|number| waking(*number)).count();
            // Otherwise a sleeper that was forgotten would be waited for.
            rounds.end_all();
            assert_eq!(woken, SLEEPERS as usize);
        });
    }
}
