//! Where records stand in a segment: what finds one by its number, its time or its key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::format::batch::{Batch, Facts, MARK_EVERY_BYTES};
use crate::format::seq::Seq;

/// A place from which a segment can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: Seq,
    pub(crate) offset: u64,
    /// The latest time of any record before it in the segment; 0 when there is none.
    pub(crate) time_before: u64,
}

impl Mark {
    pub(crate) const fn start(first: Seq) -> Self {
        Self {
            seq: first,
            offset: 0,
            time_before: 0,
        }
    }
}

/// The last of some marks at which `before` holds; it holds at a prefix of them.
pub(crate) fn last_mark(marks: &[Mark], before: impl Fn(&Mark) -> bool) -> Option<usize> {
    marks.partition_point(before).checked_sub(1)
}

/// The last of some marks that is not behind a record.
///
/// Records are of about one size, so a guess from the number is near: in a large file, a binary
/// search would wait for memory at almost every step.
pub(crate) fn mark_of(marks: &[Mark], seq: Seq) -> Option<usize> {
    let (first, last) = (marks.first()?, marks.last()?);
    if seq < first.seq {
        return None;
    }
    let numbers = u128::from(last.seq.0.saturating_sub(first.seq.0)).max(1);
    let ahead = u128::from(seq.0 - first.seq.0).min(numbers);
    let guess = (ahead * (marks.len() as u128 - 1) / numbers) as usize;
    let (mut from, mut to, mut step) = (guess, guess + 1, 1);
    while from > 0 && marks[from].seq > seq {
        from = from.saturating_sub(step);
        step *= 2;
    }
    step = 1;
    while to < marks.len() && marks[to].seq <= seq {
        to = (to + step).min(marks.len());
        step *= 2;
    }
    let within = last_mark(&marks[from..to], |mark| mark.seq <= seq)?;
    Some(from + within)
}

/// The index of the segment that is appended to.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    pub(crate) marks: Vec<Mark>,
    /// The earliest and the latest time.
    pub(crate) times: Option<(u64, u64)>,
    /// Of the records that are not in the sidecar yet.
    pub(crate) keys: Keys,
}

impl MemoryIndex {
    /// Takes in a batch that was written at `base`.
    pub(crate) fn note_batch(&mut self, base: u64, batch: &Batch) {
        let mut facts = batch.facts.iter().peekable();
        for &(at, seq) in &batch.marks {
            while let Some((fact_at, fact)) = facts.next_if(|(fact_at, _)| *fact_at < at) {
                self.note_facts(base + *fact_at as u64, *fact);
            }
            self.note_place(seq, base + at as u64);
        }
        for (at, fact) in facts {
            self.note_facts(base + *at as u64, *fact);
        }
    }

    /// Takes in one record.
    pub(crate) fn note(&mut self, seq: Seq, offset: u64, facts: Facts) {
        self.note_place(seq, offset);
        self.note_facts(offset, facts);
    }

    /// Takes in a statement of the log about itself; the identity, before record 1, has no place.
    pub(crate) fn note_own(&mut self, seq: Seq, offset: u64) {
        if seq > Seq::ZERO {
            self.note_place(seq, offset);
        }
    }

    fn note_place(&mut self, seq: Seq, offset: u64) {
        let last = self.marks.last();
        if last.is_none_or(|last| offset.saturating_sub(last.offset) >= MARK_EVERY_BYTES as u64) {
            let time_before = self.times.map_or(0, |(_, latest)| latest);
            self.marks.push(Mark {
                seq,
                offset,
                time_before,
            });
        }
    }

    fn note_facts(&mut self, offset: u64, facts: Facts) {
        if let Some(time) = facts.time {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
        if let Some(key) = facts.key {
            self.keys.push(key, offset);
        }
    }
}

/// Hashes of keys and the records that have them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    entries: Vec<Entry>,
    /// The last entry of each hash.
    newest: HashMap<u64, u32, BuildHasherDefault<AlreadyHashed>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    offset: u64,
    /// The entry before it with this hash, plus one.
    older: u32,
}

impl Keys {
    fn push(&mut self, hash: u64, offset: u64) {
        let place =
            u32::try_from(self.entries.len()).expect("fewer records than bytes in a segment");
        let older = self.newest.insert(hash, place).map_or(0, |older| older + 1);
        self.entries.push(Entry {
            hash,
            offset,
            older,
        });
    }

    /// The records with a hash, newest first.
    pub(crate) fn offsets(&self, hash: u64) -> Vec<u64> {
        let newest = self
            .newest
            .get(&hash)
            .map(|&place| self.entries[place as usize]);
        let older = |entry: &Entry| Some(self.entries[entry.older.checked_sub(1)? as usize]);
        std::iter::successors(newest, older)
            .map(|entry| entry.offset)
            .collect()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.entries.iter().map(|entry| (entry.hash, entry.offset))
    }
}

/// The keys of the map are hashes.
#[derive(Debug, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_guess_finds_what_a_search_finds(steps in prop::collection::vec(1u64..50, 0..200), seq in 0u64..6000) {
            let mut last = 10;
            let marks: Vec<_> = steps
                .iter()
                .map(|step| {
                    last += step * step;
                    Mark::start(Seq(last))
                })
                .collect();
            let seq = Seq(seq);
            prop_assert_eq!(mark_of(&marks, seq), last_mark(&marks, |mark| mark.seq <= seq));
        }
    }
}
