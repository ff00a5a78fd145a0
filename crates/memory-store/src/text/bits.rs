//! A set of slots.

/// One bit a slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub(super) fn of(slots: impl IntoIterator<Item = u32>, room: usize) -> Self {
        let mut bits = Self {
            words: vec![0; room.div_ceil(64)],
        };
        slots.into_iter().for_each(|slot| bits.set(slot as usize));
        bits
    }

    pub(super) fn set(&mut self, place: usize) {
        let word = place / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (place % 64);
    }

    pub(super) fn unset(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    pub(super) fn contains(&self, place: usize) -> bool {
        let word = self.words.get(place / 64);
        word.is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        for (place, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(place).copied().unwrap_or(0);
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    pub(super) fn count_within(&self, range: std::ops::Range<usize>) -> usize {
        debug_assert!(range.start.is_multiple_of(64));
        let words = self.words.iter().skip(range.start / 64);
        words
            .take(range.len().div_ceil(64))
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The set places from `start`, which is a multiple of 64, to `end`.
    pub(super) fn within(&self, start: usize, end: usize) -> impl Iterator<Item = usize> {
        debug_assert!(start.is_multiple_of(64));
        let words = self.words.iter().enumerate().skip(start / 64);
        let words = words.take((end - start).div_ceil(64));
        words.flat_map(|(number, word)| places(number * 64, *word))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.within(0, self.words.len() * 64)
    }
}

/// The places of the bits of a word.
pub(super) fn places(first: usize, mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            first + bit
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_set_and_read_back_in_order() {
        let places = [0, 63, 64, 200, 4_095, 4_096];
        let mut bits = Bits::of(places, 10);
        let read: Vec<usize> = bits.iter().collect();
        assert_eq!(read, places.map(|place| place as usize));
        assert_eq!((bits.count(), bits.count_within(64..4_096)), (6, 3));
        assert_eq!(bits.within(64, 4_096).collect::<Vec<_>>(), [64, 200, 4_095]);
        bits.unset(64);
        bits.intersect(&Bits::of([0, 64, 200], 300));
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 200]);
        bits.subtract(&Bits::of([0], 1));
        assert!(bits.contains(200) && !bits.contains(0) && !bits.contains(1 << 40));
    }
}
