//! What the users of a run leave beside the ledger of the engine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drivers::{Reason, Values};
use load_engine::{Digest, Effect, Ledger, LedgerEntry, Parts};

use super::prober::Probes;

/// What the users of a run leave beside the ledger of the engine.
pub(super) struct Shared {
    /// Of each of the file's effects.
    pub(super) tallies: Vec<Tally>,
    /// Times beside those of steps.
    pub(super) parts: Arc<Parts>,
    /// Effects whose way into sight is followed.
    pub(super) probes: Probes,
    left: Mutex<Left>,
}

/// How often an effect was asked for, by what became of it.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) acknowledged: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unknown: AtomicU64,
    /// Unknown ones whose key the service would have given.
    pub(super) unnamed: AtomicU64,
    /// What was read during the load, and how much of that was not kept.
    pub(super) reads: AtomicU64,
    pub(super) unchecked_reads: AtomicU64,
}

/// Reads that are kept, some hundred bytes each: whether one is stale is known when all writes are.
const MOST_READS: usize = 1_000_000;

/// What is looked at after the load.
#[derive(Default)]
pub(super) struct Left {
    /// Writes whose step was cut off, or failed although they were acknowledged.
    pub(super) entries: Ledger,
    /// Writes that were refused: their keys must not be found.
    pub(super) refused: Vec<RefusedWrite>,
    /// What was read during the load: the first [`MOST_READS`].
    pub(super) reads: Vec<SeenContent>,
    /// What was added, by effect and key.
    pub(super) sums: BTreeMap<(usize, String), Sum>,
    /// The values of each user that was set up.
    pub(super) users: BTreeMap<u32, Values>,
}

/// What was added to one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// What was acknowledged.
    pub(super) acknowledged: i128,
    /// The least and the most that may have been added besides.
    pub(super) unknown: (i128, i128),
}

/// What a read during the load gave.
#[derive(Clone, Debug)]
pub(super) struct SeenContent {
    pub(super) effect: usize,
    pub(super) key: String,
    /// Nothing, if there was none.
    pub(super) content: Option<Digest>,
    /// When it began, on the run's clock.
    pub(super) began_ns: u64,
    pub(super) user: u32,
}

/// A write that was refused.
#[derive(Clone, Debug)]
pub(super) struct RefusedWrite {
    pub(super) effect: usize,
    pub(super) key: String,
    pub(super) user: u32,
    pub(super) reason: Reason,
}

impl Shared {
    pub(super) fn new(effects: usize, parts: Parts) -> Self {
        Self {
            tallies: (0..effects).map(|_| Tally::default()).collect(),
            parts: Arc::new(parts),
            probes: Probes::default(),
            left: Mutex::default(),
        }
    }

    /// Enters a write beside the steps of the engine. Nobody knows when in the run it was made, so it
    /// replaces no other write and none replaces it.
    pub(super) fn enter(&self, kind: &'static str, key: &str, effect: Effect, user: u32) {
        self.lock().entries.push(&LedgerEntry {
            kind: kind.into(),
            key: key.into(),
            effect,
            user,
            started_ns: 0,
            settled_ns: u64::MAX,
        });
    }

    /// Keeps what was read, to be compared with the writes after the load; more than are kept is counted.
    pub(super) fn saw(&self, seen: SeenContent) {
        let tally = &self.tallies[seen.effect];
        Tally::add(&tally.reads);
        let mut left = self.lock();
        match left.reads.len() < MOST_READS {
            true => left.reads.push(seen),
            false => Tally::add(&tally.unchecked_reads),
        }
    }

    pub(super) fn refuse(&self, refused: RefusedWrite) {
        self.lock().refused.push(refused);
    }

    /// Enters what was added, or what may have been.
    pub(super) fn add(&self, effect: usize, key: &str, by: i64, is_acknowledged: bool) {
        let by = i128::from(by);
        let mut left = self.lock();
        let sum = left.sums.entry((effect, key.to_owned())).or_default();
        if is_acknowledged {
            sum.acknowledged += by;
        } else {
            sum.unknown.0 += by.min(0);
            sum.unknown.1 += by.max(0);
        }
    }

    pub(super) fn keep_user(&self, user: u32, values: Values) {
        self.lock().users.insert(user, values);
    }

    /// Everything that was left, when nobody leaves any more.
    pub(super) fn take(&self) -> Left {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        // Nothing under the lock panics half-way.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    pub(super) fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_beyond_those_that_are_kept_are_counted() {
        let shared = Shared::new(1, Parts::new([], []));
        let seen = SeenContent {
            effect: 0,
            key: String::new(),
            content: None,
            began_ns: 0,
            user: 0,
        };
        for _ in 0..MOST_READS + 3 {
            shared.saw(seen.clone());
        }
        let tally = &shared.tallies[0];
        assert_eq!(Tally::get(&tally.reads), MOST_READS as u64 + 3);
        assert_eq!(Tally::get(&tally.unchecked_reads), 3);
        assert_eq!(shared.take().reads.len(), MOST_READS);
    }
}
