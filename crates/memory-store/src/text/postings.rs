//! Which documents have a term, and how often.

/// A document's place in its corpus; a place is never used for a second document.
pub(super) type Slot = u32;

/// Postings under one bound.
pub(super) const BLOCK: usize = 128;

/// The documents of a term, in the order of their slots. Removed ones stay until the corpus is
/// written anew.
#[derive(Debug, Clone, Default)]
pub(super) enum Postings {
    #[default]
    None,
    /// Most terms occur once, and would cost three allocations.
    One(Slot, u8),
    Many(Box<List>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct List {
    slots: Vec<Slot>,
    counts: Vec<u8>,
    /// For each [`BLOCK`] of postings.
    bounds: Vec<Bound>,
}

/// What no posting of a block exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    /// The highest count.
    pub(super) count: u8,
    /// The shortest document, as a code of its length.
    pub(super) length: u8,
}

impl Postings {
    /// Adds a document behind all others.
    pub(super) fn push(
        &mut self,
        slot: Slot,
        count: u8,
        length: u8,
        length_of: impl Fn(Slot) -> u8,
    ) {
        match self {
            Self::None => *self = Self::One(slot, count),
            Self::One(first, first_count) => {
                let mut list = List::default();
                list.push(*first, *first_count, length_of(*first));
                list.push(slot, count, length);
                *self = Self::Many(Box::new(list));
            }
            Self::Many(list) => list.push(slot, count, length),
        }
    }

    pub(super) fn slots(&self) -> &[Slot] {
        match self {
            Self::None => &[],
            Self::One(slot, _) => std::slice::from_ref(slot),
            Self::Many(list) => &list.slots,
        }
    }

    pub(super) fn count(&self, place: usize) -> u8 {
        match self {
            Self::None => 0,
            Self::One(_, count) => *count,
            Self::Many(list) => list.counts[place],
        }
    }

    /// The bounds of all blocks; none if a bound would save nothing.
    pub(super) fn bounds(&self) -> &[Bound] {
        match self {
            Self::Many(list) => &list.bounds,
            _ => &[],
        }
    }

    /// How often a document has the term.
    pub(super) fn count_of(&self, slot: Slot) -> Option<u8> {
        let place = self.slots().binary_search(&slot).ok()?;
        Some(self.count(place))
    }
}

impl List {
    fn push(&mut self, slot: Slot, count: u8, length: u8) {
        debug_assert!(self.slots.last().is_none_or(|last| *last < slot));
        if self.slots.len().is_multiple_of(BLOCK) {
            self.bounds.push(Bound { count, length });
        } else if let Some(bound) = self.bounds.last_mut() {
            bound.count = bound.count.max(count);
            bound.length = bound.length.min(length);
        }
        self.slots.push(slot);
        self.counts.push(count);
    }
}

/// The first place from `from` on whose slot is at least `slot`: by doubling steps, as it is near
/// as a rule.
pub(super) fn seek(slots: &[Slot], from: usize, slot: Slot) -> usize {
    let mut step = 1;
    let mut low = from;
    while low + step < slots.len() && slots[low + step] < slot {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(slots.len());
    low + slots[low.min(high)..high].partition_point(|found| *found < slot)
}

/// A document's number of terms as a code of eight bits: exact below 128, in steps of a twelfth
/// above.
pub(super) fn length_code(length: u32) -> u8 {
    if length < 128 {
        return length as u8;
    }
    let octave = length.ilog2() - 7;
    let within = (length >> (octave + 4)) & 7;
    (128 + octave * 8 + within).min(255) as u8
}

/// The least length that has a code.
pub(super) fn length_of_code(code: u8) -> u32 {
    if code < 128 {
        return code.into();
    }
    let (octave, within) = ((u32::from(code) - 128) / 8, (u32::from(code) - 128) % 8);
    (8 + within) << (octave + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_exact_below_128_and_close_above() {
        let mut last = 0;
        for length in (0..128).chain((128..5_000_000).step_by(997)) {
            let code = length_code(length);
            assert!(code >= last, "{length}");
            last = code;
            let least = length_of_code(code);
            assert!(
                least <= length && length <= least + least / 8,
                "{length} {least}"
            );
        }
        assert_eq!(length_code(u32::MAX), 255);
    }

    #[test]
    fn seeking_finds_the_first_that_is_not_before() {
        let slots: Vec<Slot> = (0..1_000).map(|n| n * 3).collect();
        for from in [0, 1, 500, 999, 1_000] {
            for slot in [0, 1, 3, 1_500, 2_996, 2_997, 2_998, 9_999] {
                let expected = slots.iter().skip(from).position(|found| *found >= slot);
                let expected = expected.map_or(slots.len().max(from), |place| place + from);
                assert_eq!(seek(&slots, from, slot), expected, "{from} {slot}");
            }
        }
    }

    #[test]
    fn bounds_hold_for_every_posting_of_their_block() {
        let lengths = |slot: Slot| (slot % 50 + 3) as u8;
        let mut postings = Postings::default();
        for slot in 0..1_000 {
            postings.push(slot * 2, (slot % 7 + 1) as u8, lengths(slot * 2), lengths);
        }
        assert_eq!(postings.bounds().len(), 1_000_usize.div_ceil(BLOCK));
        for (place, slot) in postings.slots().iter().enumerate() {
            let bound = postings.bounds()[place / BLOCK];
            assert!(postings.count(place) <= bound.count && lengths(*slot) >= bound.length);
            assert_eq!(postings.count_of(*slot), Some(postings.count(place)));
        }
        assert_eq!(postings.count_of(1), None);
    }
}
