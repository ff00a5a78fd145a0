//! Framed records that are written with one call.

use crate::format::chain::Link;
use crate::format::line;
use crate::format::seq::Seq;

/// Records between two of these bytes share one entry of the sparse index.
pub(crate) const MARK_EVERY_BYTES: usize = 2 << 10;

/// What a log's extractors found in a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) time: Option<u64>,
    pub(crate) key: Option<u64>,
}

impl Facts {
    fn are_any(self) -> bool {
        self.time.is_some() || self.key.is_some()
    }
}

/// Framed records in order, to be written with one call.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: usize,
    /// Some records' places, at least [`MARK_EVERY_BYTES`] apart: their byte in the batch and number.
    pub(crate) marks: Vec<(usize, Seq)>,
    /// What was extracted, by the record's byte in the batch.
    pub(crate) facts: Vec<(usize, Facts)>,
}

impl Batch {
    pub(crate) fn push(
        &mut self,
        (seq, synced): (Seq, Seq),
        data: &[u8],
        facts: Facts,
        chain: Option<&mut Link>,
    ) {
        let at = self.bytes.len();
        if self
            .marks
            .last()
            .is_none_or(|(last, _)| at - last >= MARK_EVERY_BYTES)
        {
            self.marks.push((at, seq));
        }
        if facts.are_any() {
            self.facts.push((at, facts));
        }
        line::encode(&mut self.bytes, seq, synced, data, chain);
        self.records += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Empties it, and keeps its memory unless that is more than `keep_bytes`.
    pub(crate) fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep_bytes);
        self.marks.clear();
        self.facts.clear();
        self.records = 0;
    }

    /// Puts `later` behind this one's records.
    pub(crate) fn extend(&mut self, later: &Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&later.bytes);
        self.records += later.records;
        let marks = later.marks.iter().map(|(at, seq)| (base + at, *seq));
        self.marks.extend(marks);
        let facts = later.facts.iter().map(|(at, facts)| (base + at, *facts));
        self.facts.extend(facts);
    }
}
