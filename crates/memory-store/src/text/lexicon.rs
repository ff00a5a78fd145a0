//! Every distinct term of a namespace, numbered.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// A term's number.
pub(super) type Term = u32;

/// Terms one behind the other in one text: a term costs its bytes, the place where it ends, and a
/// number in the table, where a map of strings would cost some sixty bytes more.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    text: String,
    /// Where each term ends.
    ends: Vec<usize>,
    table: HashTable<Term>,
}

impl Lexicon {
    pub(super) fn find(&self, term: &str) -> Option<Term> {
        let is_it = |number: &Term| self.at(*number) == term;
        self.table.find(hash(term), is_it).copied()
    }

    /// The number of a term; whether it is new.
    pub(super) fn find_or_add(&mut self, term: &str) -> (Term, bool) {
        if let Some(number) = self.find(term) {
            return (number, false);
        }
        let number = Term::try_from(self.ends.len()).expect("fewer than 2^32 terms");
        self.text.push_str(term);
        self.ends.push(self.text.len());
        let Self { text, ends, table } = self;
        table.insert_unique(hash(term), number, |number| {
            hash(slice(text, ends, *number))
        });
        (number, true)
    }

    pub(super) fn at(&self, number: Term) -> &str {
        slice(&self.text, &self.ends, number)
    }
}

fn slice<'a>(text: &'a str, ends: &[usize], number: Term) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[number]]
}

fn hash(term: &str) -> u64 {
    // Not seeded at random: what an attacker could gain by collisions is slow writes of its own.
    FixedState::with_seed(0x7465_7874).hash_one(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_has_one_number_and_is_read_back() {
        let mut lexicon = Lexicon::default();
        let terms: Vec<String> = (0..2_000).map(|n| format!("t{n}")).collect();
        for (number, term) in terms.iter().enumerate() {
            assert_eq!(lexicon.find_or_add(term), (number as Term, true));
        }
        for (number, term) in terms.iter().enumerate() {
            assert_eq!(lexicon.find_or_add(term), (number as Term, false));
            assert_eq!(lexicon.at(number as Term), term);
        }
        assert_eq!(lexicon.find("t2000"), None);
    }
}
