//! What the ledger says should be found: the last state of every key.

use std::collections::HashMap;
use std::ops::Deref;

use crate::ledger::digest::Digest;
use crate::ledger::{Effect, Entry, Ledger};

/// What should be found under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// What kind of thing.
    pub kind: &'a str,
    /// Which of them.
    pub key: &'a str,
    /// Every state that the acknowledgements allow. More than one where writes by several users
    /// overlapped, so that nobody can tell which came last, or where one was never acknowledged.
    pub states: Vec<ExpectedState>,
    /// The user of the first of these states.
    pub user: u32,
}

/// A state that the ledger allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedState {
    /// There, with this content.
    Present(Digest),
    /// Not there.
    Absent,
    /// Anything: a write was asked for and never acknowledged.
    Indeterminate,
}

impl Ledger {
    /// What should be found, key by key, in the ledger's order.
    ///
    /// A write supersedes those that had ended before it began, and those of the same user before
    /// it. What is left of a key's entries are its possible last states.
    pub fn expected(&self) -> impl Iterator<Item = Expected<'_>> {
        let index = KeyIndex::new(self);
        let keys: Vec<u32> = index.keys().collect();
        keys.into_iter().map(move |newest| {
            let last = index.last_writes(newest);
            let entry = &self.entries[newest as usize];
            Expected {
                kind: self.kind(entry),
                key: self.key(entry),
                user: last.first().map_or(entry.user, |entry| entry.user),
                states: last.iter().map(|entry| state_after(entry.effect)).collect(),
            }
        })
    }
}

/// The state in which an effect leaves its key.
pub(crate) fn state_after(effect: Effect) -> ExpectedState {
    match effect {
        Effect::Created(digest) | Effect::Updated(digest) => ExpectedState::Present(digest),
        Effect::Removed => ExpectedState::Absent,
        Effect::Attempted => ExpectedState::Indeterminate,
    }
}

/// Entries by key: a map to the newest one, and from each to the one before it.
pub(crate) struct KeyIndex<'l> {
    ledger: &'l Ledger,
    newest: HashMap<(u16, &'l str), u32>,
    previous: Vec<u32>,
    /// Whether an entry has a later one of its key.
    followed: Vec<bool>,
}

/// The entries that may have been a key's last: nearly always one, for which nothing is allocated.
pub(crate) enum LastWrites<'l> {
    One([&'l Entry; 1]),
    Several(Vec<&'l Entry>),
}

impl<'l> Deref for LastWrites<'l> {
    type Target = [&'l Entry];

    fn deref(&self) -> &Self::Target {
        match self {
            Self::One(entry) => entry,
            Self::Several(entries) => entries,
        }
    }
}

/// Ends a chain of entries.
const NONE: u32 = u32::MAX;

impl<'l> KeyIndex<'l> {
    /// # Panics
    ///
    /// When the ledger has 2³² entries, which are 240 GB.
    pub(crate) fn new(ledger: &'l Ledger) -> Self {
        assert!(
            ledger.len() < NONE as usize,
            "a ledger has under 2^32 - 1 entries"
        );
        let mut newest = HashMap::with_capacity(ledger.len());
        let mut previous = Vec::with_capacity(ledger.len());
        let mut followed = Vec::with_capacity(ledger.len());
        for (number, entry) in (0u32..).zip(&ledger.entries) {
            let before = newest.insert((entry.kind, ledger.key(entry)), number);
            previous.push(before.unwrap_or(NONE));
            followed.push(false);
            if let Some(before) = before {
                followed[before as usize] = true;
            }
        }
        Self {
            ledger,
            newest,
            previous,
            followed,
        }
    }

    pub(crate) fn find(&self, kind: &str, key: &str) -> Option<u32> {
        let kind = self.ledger.kind_number(kind)?;
        // The map's keys live as long as the ledger, a found key does not: the borrow checker
        // accepts the shorter one because `HashMap` is covariant in its key.
        self.newest.get(&(kind, key)).copied()
    }

    /// The newest entry of each key, in the ledger's order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u32> {
        (0u32..)
            .zip(&self.followed)
            .filter(|(_, followed)| !**followed)
            .map(|(number, _)| number)
    }

    pub(crate) fn key_count(&self) -> usize {
        self.newest.len()
    }

    /// The entries that may have been the key's last, newest first.
    pub(crate) fn last_writes(&self, newest: u32) -> LastWrites<'l> {
        if self.previous[newest as usize] == NONE {
            return LastWrites::One([&self.ledger.entries[newest as usize]]);
        }
        let latest_start = self
            .chain(newest)
            .map(|entry| entry.started_ns)
            .max()
            .unwrap_or(0);
        let mut last: Vec<&Entry> = Vec::new();
        for entry in self.chain(newest) {
            let superseded = entry.settled_ns < latest_start
                || last.iter().any(|later| later.user == entry.user);
            if !superseded {
                last.push(entry);
            }
        }
        LastWrites::Several(last)
    }

    /// How many effects of the key were acknowledged, and how many of them may have been its last.
    pub(crate) fn acknowledged(&self, newest: u32) -> (u64, u64) {
        let is_acknowledged = |entry: &&Entry| entry.effect != Effect::Attempted;
        if self.previous[newest as usize] == NONE {
            let entry = &self.ledger.entries[newest as usize];
            let one = u64::from(is_acknowledged(&entry));
            return (one, one);
        }
        let last = self.last_writes(newest);
        let count = |entries: usize| entries as u64;
        (
            count(self.chain(newest).filter(is_acknowledged).count()),
            count(last.iter().copied().filter(is_acknowledged).count()),
        )
    }

    /// How many acknowledged creations of the key have no removal that could have made room for
    /// them: effects of which another took the place.
    pub(crate) fn collisions(&self, newest: u32) -> u64 {
        if self.previous[newest as usize] == NONE {
            return 0;
        }
        let (mut creations, mut removals) = (0u64, 0u64);
        for entry in self.chain(newest) {
            match entry.effect {
                Effect::Created(_) => creations += 1,
                Effect::Removed | Effect::Attempted => removals += 1,
                Effect::Updated(_) => {}
            }
        }
        creations.saturating_sub(removals + 1)
    }

    fn chain(&self, newest: u32) -> impl Iterator<Item = &'l Entry> {
        let mut next = newest;
        std::iter::from_fn(move || {
            let entry = self.ledger.entries.get(next as usize)?;
            next = self.previous[next as usize];
            Some(entry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::LedgerEntry;

    fn entry(user: u32, effect: Effect, started_ns: u64, settled_ns: u64) -> LedgerEntry<'static> {
        LedgerEntry {
            kind: "record".into(),
            key: "k".into(),
            effect,
            user,
            started_ns,
            settled_ns,
        }
    }

    fn states(entries: &[LedgerEntry<'static>]) -> Vec<ExpectedState> {
        let ledger: Ledger = entries.iter().cloned().collect();
        let mut expected: Vec<_> = ledger.expected().collect();
        assert_eq!(expected.len(), 1);
        expected.remove(0).states
    }

    fn updated(content: &str) -> Effect {
        Effect::Updated(Digest::of(content.as_bytes()))
    }

    fn present(content: &str) -> ExpectedState {
        ExpectedState::Present(Digest::of(content.as_bytes()))
    }

    #[test]
    fn a_users_later_write_supersedes_its_earlier_one_even_within_one_instant() {
        let writes = [
            entry(0, updated("old"), 5, 5),
            entry(0, updated("new"), 5, 5),
        ];
        assert_eq!(states(&writes), [present("new")]);
    }

    #[test]
    fn across_users_the_later_write_supersedes_one_that_had_ended() {
        // The first user's entries come first in the ledger, although its write was the later one.
        let writes = [
            entry(0, updated("new"), 30, 40),
            entry(1, updated("old"), 10, 20),
        ];
        assert_eq!(states(&writes), [present("new")]);
    }

    #[test]
    fn overlapping_writes_of_two_users_leave_either_state() {
        let writes = [
            entry(0, updated("a"), 10, 30),
            entry(1, updated("b"), 20, 40),
        ];
        assert_eq!(states(&writes), [present("b"), present("a")]);
    }

    #[test]
    fn an_attempt_is_settled_by_a_later_acknowledged_write() {
        let writes = [
            entry(0, Effect::Attempted, 10, 20),
            entry(0, updated("a"), 30, 40),
        ];
        assert_eq!(states(&writes), [present("a")]);
        let writes = [
            entry(0, updated("a"), 10, 20),
            entry(0, Effect::Attempted, 30, 40),
        ];
        assert_eq!(states(&writes), [ExpectedState::Indeterminate]);
    }
}
