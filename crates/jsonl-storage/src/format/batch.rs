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

/// What an index extracts from a record's JSON.
pub(crate) type FactsOf<'a> = &'a dyn Fn(&[u8]) -> Facts;

impl Facts {
    fn are_any(self) -> bool {
        self.time.is_some() || self.key.is_some()
    }
}

/// A group of lines that share one link is closed when it has so many bytes: enough for the hash to
/// work on many blocks at once, and little enough to name the place of an alteration.
const GROUP_BYTES: usize = 32 << 10;

/// Framed records in order, to be written with one call.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: usize,
    /// Some records' places, at least [`MARK_EVERY_BYTES`] apart: their byte in the batch and number.
    pub(crate) marks: Vec<(usize, Seq)>,
    /// What was extracted, by the record's byte in the batch.
    pub(crate) facts: Vec<(usize, Facts)>,
    /// Where the lines begin that are to share the next link.
    group_at: usize,
    /// Where the last line begins.
    line_at: usize,
}

/// How lines are chained, and the link of the last one that has one.
#[derive(Debug)]
pub(crate) enum ChainOf<'a> {
    None,
    /// Each line has a link.
    Lines(&'a mut Link),
    /// Lines that are written together share one, which the last of them has.
    Groups(&'a mut Link),
}

impl Batch {
    pub(crate) fn push(
        &mut self,
        (seq, synced): (Seq, Seq),
        data: &[u8],
        facts: Facts,
        chain: ChainOf<'_>,
    ) {
        let at = self.note_place(seq);
        if facts.are_any() {
            self.facts.push((at, facts));
        }
        match chain {
            ChainOf::None => line::encode(&mut self.bytes, seq, synced, data, None),
            ChainOf::Lines(link) => line::encode(&mut self.bytes, seq, synced, data, Some(link)),
            ChainOf::Groups(link) => {
                line::encode(&mut self.bytes, seq, synced, data, None);
                if self.bytes.len() - self.group_at >= GROUP_BYTES {
                    self.seal(link);
                }
            }
        }
    }

    /// Gives the lines that have no link yet one that they share.
    pub(crate) fn seal(&mut self, link: &mut Link) {
        if self.bytes.len() > self.group_at {
            line::seal(&mut self.bytes, self.group_at, self.line_at, link);
            self.group_at = self.bytes.len();
        }
    }

    /// Adds a record by which the log states something about itself.
    pub(crate) fn push_own(
        &mut self,
        (seq, synced): (Seq, Seq),
        statement: &[u8],
        chain: ChainOf<'_>,
    ) {
        self.note_place(seq);
        let link = match chain {
            ChainOf::Lines(link) => Some(link),
            // A group has its link when it is sealed.
            ChainOf::Groups(_) | ChainOf::None => None,
        };
        line::encode_own(&mut self.bytes, seq, synced, statement, link);
    }

    /// Notes that a record begins here; gives its byte in the batch.
    fn note_place(&mut self, seq: Seq) -> usize {
        let at = self.bytes.len();
        self.line_at = at;
        if self
            .marks
            .last()
            .is_none_or(|(last, _)| at - last >= MARK_EVERY_BYTES)
        {
            self.marks.push((at, seq));
        }
        self.records += 1;
        at
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
        (self.group_at, self.line_at) = (0, 0);
    }

    /// Puts `later` behind this one's records.
    pub(crate) fn extend(&mut self, later: &Self) {
        let base = self.bytes.len();
        (self.group_at, self.line_at) = (base + later.group_at, base + later.line_at);
        self.bytes.extend_from_slice(&later.bytes);
        self.records += later.records;
        let marks = later.marks.iter().map(|(at, seq)| (base + at, *seq));
        self.marks.extend(marks);
        let facts = later.facts.iter().map(|(at, facts)| (base + at, *facts));
        self.facts.extend(facts);
    }
}
