//! The best documents for some words, by BM25.
//!
//! Documents are looked at in windows. In each, words are ordered by what they can add to a score at
//! most; those that could not lift a document into the best k by themselves are asked only about the
//! documents that the others found (the MaxScore method: Turtle and Flood, "Query evaluation:
//! strategies and optimizations", 1995; in windows as in Lucene 9). Scores are whole numbers of
//! 1 / 65,536, so that the order of adding cannot change them, and equal documents have equal ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::names::MemoryId;

use super::admission::Admission;
use super::analysis::Token;
use super::bits::places;
use super::corpus::Corpus;
use super::lexicon::Term;
use super::postings::{BLOCK, Bound, Slot, length_of_code, seek};

/// The values of BM25 that Lucene, SQLite and others use.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Parts of a score of one.
const UNIT: f64 = 65_536.0;

/// Documents that are looked at together; their scores fit into the first level of a cache.
const WINDOW: usize = 4_096;

/// Postings that are looked at before a writer that waits may go on: about a millisecond.
const WORK_AT_ONCE: usize = 1 << 19;

/// A window with fewer admitted documents than this is searched document by document.
const FEW: usize = 16;

/// A search under way, which may let go of its corpus between two pieces of work.
pub(super) struct Search {
    generation: u64,
    words: Vec<Word>,
    next: usize,
    best: Best,
    scores: Vec<u32>,
}

/// A word that is asked for.
struct Word {
    term: Term,
    /// The inverse document frequency, times `UNIT`.
    weight: f64,
    /// What a document with the word once gains, by the code of its length.
    once: Box<[u32; 256]>,
    /// The part of BM25's divisor that depends on the length, by its code.
    norms: std::rc::Rc<[f64; 256]>,
    /// The first posting that is not before the next window.
    place: usize,
}

/// A word within one window.
struct Active {
    word: usize,
    most: u32,
    first: usize,
}

impl Search {
    pub(super) fn new(corpus: &Corpus, tokens: &[Token<'_>], k: usize) -> Self {
        let documents = corpus.documents();
        let average = documents.average_length().max(1.0);
        let norms = std::rc::Rc::new(std::array::from_fn(|code| {
            K1 * (1.0 - B + B * f64::from(length_of_code(code as u8)) / average)
        }));
        let mut terms: Vec<Term> = tokens
            .iter()
            .filter_map(|token| corpus.word(*token))
            .collect();
        // Two forms of one word are one word.
        terms.sort_unstable();
        terms.dedup();
        let words = terms.into_iter().map(|term| {
            let weight = idf(corpus.frequency(term), documents.len()) * UNIT;
            Word::new(term, weight, &norms)
        });
        Self {
            generation: corpus.generation(),
            words: words.collect(),
            next: 0,
            best: Best::new(k.min(documents.slots())),
            scores: vec![0; WINDOW],
        }
    }

    /// Goes on for some work; whether there is nothing left to do. Begins anew if the corpus was
    /// written anew since: `None` says so.
    pub(super) fn work(&mut self, corpus: &Corpus, admission: &Admission) -> Option<bool> {
        if self.generation != corpus.generation() || !admission.is_of(corpus) {
            return None;
        }
        let mut left = WORK_AT_ONCE;
        while self.next < corpus.documents().slots() && !self.words.is_empty() && self.best.k > 0 {
            let work = self.window(corpus, admission);
            self.next += WINDOW;
            left = left.saturating_sub(work + 64);
            if left == 0 {
                return Some(self.next >= corpus.documents().slots());
            }
        }
        Some(true)
    }

    /// The best first; equals by id.
    pub(super) fn into_best(self) -> Vec<(MemoryId, f64)> {
        let best = self.best.worst_first.into_sorted_vec().into_iter();
        best.map(|Reverse((score, Reverse(id)))| (id, f64::from(score) / UNIT))
            .collect()
    }

    /// Looks at one window; how many postings it looked at.
    fn window(&mut self, corpus: &Corpus, admission: &Admission) -> usize {
        let (start, end) = (self.next, self.next + WINDOW);
        let admitted = admission
            .labelled()
            .map(|bits| bits.count_within(start..end));
        if admitted == Some(0) {
            return 0;
        }
        let mut active = self.active(corpus, start as Slot, end as Slot);
        if let Some(admitted) = admitted
            && admitted < FEW
        {
            let few = admission.labelled().expect("just counted");
            for slot in few.within(start, end) {
                self.look_up(corpus, admission, &active, slot as Slot);
            }
            return admitted * active.len();
        }
        active.sort_by_key(|active| active.most);
        let least = self.best.least();
        // As many of the weakest as cannot reach the least score together.
        let mut sum = 0;
        let weak = active.iter().take_while(|active| {
            sum += active.most;
            sum < least
        });
        let (weak, strong) = active.split_at(weak.count());
        if strong.is_empty() {
            return active.len();
        }
        let (found, work) = self.add_up(corpus, strong, (start, end as Slot));
        self.offer_found(corpus, admission, weak, (start, &found));
        work + active.len()
    }

    /// The words with postings in a window, and the most that each can add there.
    fn active(&mut self, corpus: &Corpus, start: Slot, end: Slot) -> Vec<Active> {
        let mut active = Vec::with_capacity(self.words.len());
        for (number, word) in self.words.iter_mut().enumerate() {
            let postings = corpus.postings(word.term);
            let slots = postings.slots();
            word.place = seek(slots, word.place, start);
            if slots.get(word.place).is_none_or(|slot| *slot >= end) {
                continue;
            }
            let bounds = postings.bounds();
            let most = if bounds.is_empty() {
                word.gain(
                    Bound {
                        count: u8::MAX,
                        length: 0,
                    }
                    .count,
                    0,
                )
            } else {
                let first = word.place / BLOCK;
                let blocks = (first..bounds.len())
                    .take_while(|block| *block == first || slots[block * BLOCK] < end);
                let gains =
                    blocks.map(|block| word.gain(bounds[block].count, bounds[block].length));
                gains.max().unwrap_or(0)
            };
            active.push(Active {
                word: number,
                most,
                first: word.place,
            });
        }
        active
    }

    /// Adds up what words give to the documents of a window; which documents have any, and how many
    /// postings there were.
    fn add_up(
        &mut self,
        corpus: &Corpus,
        strong: &[Active],
        (start, end): (usize, Slot),
    ) -> ([u64; WINDOW / 64], usize) {
        let mut found = [0_u64; WINDOW / 64];
        let mut work = 0;
        let lengths = &corpus.documents().lengths;
        for active in strong {
            let word = &self.words[active.word];
            let postings = corpus.postings(word.term);
            let slots = &postings.slots()[active.first..];
            let within = slots.iter().take_while(|slot| **slot < end);
            for (place, slot) in within.enumerate() {
                let gain = word.gain(
                    postings.count(active.first + place),
                    lengths[*slot as usize],
                );
                let near = *slot as usize - start;
                self.scores[near] += gain;
                found[near / 64] |= 1 << (near % 64);
                work += 1;
            }
        }
        (found, work)
    }

    /// Completes the scores of those that can be among the best, and clears them all.
    fn offer_found(
        &mut self,
        corpus: &Corpus,
        admission: &Admission,
        weak: &[Active],
        (start, found): (usize, &[u64; WINDOW / 64]),
    ) {
        let weak_sum: u32 = weak.iter().map(|active| active.most).sum();
        let mut cursors: Vec<usize> = weak.iter().map(|active| active.first).collect();
        for (number, word) in found.iter().enumerate() {
            for near in places(number * 64, *word) {
                let mut score = std::mem::take(&mut self.scores[near]);
                if score + weak_sum < self.best.least() {
                    continue;
                }
                let slot = (start + near) as Slot;
                if !admission.admits(corpus, slot) {
                    continue;
                }
                let mut rest = weak_sum;
                for (active, cursor) in weak.iter().zip(&mut cursors).rev() {
                    if score + rest < self.best.least() {
                        break;
                    }
                    rest -= active.most;
                    let word = &self.words[active.word];
                    let postings = corpus.postings(word.term);
                    *cursor = seek(postings.slots(), *cursor, slot);
                    if postings.slots().get(*cursor) == Some(&slot) {
                        let length = corpus.documents().lengths[slot as usize];
                        score += word.gain(postings.count(*cursor), length);
                    }
                }
                self.best.offer(score, corpus.documents().id(slot));
            }
        }
    }

    /// The whole score of one document.
    fn look_up(&mut self, corpus: &Corpus, admission: &Admission, active: &[Active], slot: Slot) {
        if !admission.admits(corpus, slot) {
            return;
        }
        let mut score = 0;
        for active in active {
            let word = &self.words[active.word];
            let postings = corpus.postings(word.term);
            let place = seek(postings.slots(), active.first, slot);
            if postings.slots().get(place) == Some(&slot) {
                let length = corpus.documents().lengths[slot as usize];
                score += word.gain(postings.count(place), length);
            }
        }
        if score > 0 {
            self.best.offer(score, corpus.documents().id(slot));
        }
    }
}

impl Word {
    fn new(term: Term, weight: f64, norms: &std::rc::Rc<[f64; 256]>) -> Self {
        let once = std::array::from_fn(|code| gain(weight, 1.0, norms[code]));
        Self {
            term,
            weight,
            once: Box::new(once),
            norms: std::rc::Rc::clone(norms),
            place: 0,
        }
    }

    /// What a document gains by having it so often.
    fn gain(&self, count: u8, length: u8) -> u32 {
        if count == 1 {
            self.once[length as usize]
        } else {
            gain(self.weight, f64::from(count), self.norms[length as usize])
        }
    }
}

fn gain(weight: f64, count: f64, norm: f64) -> u32 {
    // A word of many is worth at least something, or who has it would not be found.
    (weight * count * (K1 + 1.0) / (count + norm))
        .round()
        .max(1.0) as u32
}

/// How much a word tells, which fewer documents have the more.
fn idf(frequency: u32, documents: usize) -> f64 {
    let (frequency, documents) = (f64::from(frequency), documents as f64);
    (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln()
}

/// The best k so far.
struct Best {
    k: usize,
    worst_first: BinaryHeap<Reverse<(u32, Reverse<MemoryId>)>>, // at most k
}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            k,
            worst_first: BinaryHeap::new(),
        }
    }

    /// The least score that may still be among the best: an equal one may have a lower id.
    fn least(&self) -> u32 {
        if self.worst_first.len() < self.k {
            return 0;
        }
        self.worst_first.peek().map_or(0, |worst| worst.0.0)
    }

    fn offer(&mut self, score: u32, id: MemoryId) {
        let candidate = Reverse((score, Reverse(id)));
        if self.worst_first.len() < self.k {
            self.worst_first.push(candidate);
        } else if let Some(mut worst) = self.worst_first.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }
}
