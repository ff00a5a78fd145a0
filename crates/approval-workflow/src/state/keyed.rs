//! Ids and numbers as keys of tables that are asked several times about the same one: an id is hashed
//! once, whatever happens to it in a call.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::gate::name::Name;
use crate::model::names::RequestId;

/// An id and its name. Equal if the ids are: two that share a name are still two.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) id: RequestId,
    pub(crate) name: Name,
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.name.high);
    }
}

/// A table by ids that are hashed already.
pub(crate) type ByName<T> = HashMap<Named, T, BuildHasherDefault<Mixed>>;
/// A table by requests' numbers, which nobody chooses.
pub(crate) type ByNumber<T> = HashMap<u32, T, BuildHasherDefault<Mixed>>;

/// Spreads a number over 64 bits by one multiplication (Knuth, The Art of Computer Programming,
/// volume 3, section 6.4). Safe for keyed hashes and for numbers that are counted up.
#[derive(Debug, Default)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.0 ^ number).wrapping_mul(GOLDEN);
        // The table takes its place from the lower bits and its tag from the upper ones.
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_that_share_a_name_are_two_keys() {
        let name = Name { high: 7, low: 7 };
        let named = |text: &str| Named {
            id: RequestId::new(text).unwrap(),
            name,
        };
        let mut table = ByName::default();
        table.insert(named("a"), 1);
        table.insert(named("b"), 2);
        assert_eq!(
            (table.get(&named("a")), table.get(&named("b"))),
            (Some(&1), Some(&2))
        );
        table.remove(&named("a"));
        assert_eq!(
            (table.get(&named("a")), table.get(&named("b"))),
            (None, Some(&2))
        );
    }

    #[test]
    fn numbers_in_a_row_fall_into_places_apart() {
        let places = (0..1024_u32).map(|number| {
            let mut hasher = Mixed::default();
            number.hash(&mut hasher);
            (hasher.finish() % 4096, hasher.finish() >> 57)
        });
        let places: BTreeSet<_> = places.collect();
        assert!(places.len() > 1000, "{}", places.len());
    }
}
