//! One namespace's memories as they are searched: their terms, labels and times.

use std::collections::{BTreeMap, HashMap};

use action::Timestamp;

use crate::model::language::Language;
use crate::model::letters::{compose, fold};
use crate::model::memory::{AttributeValue, NewMemory};
use crate::model::names::MemoryId;

use super::analysis::{Purpose, Token, for_each_token, stem};
use super::bits::Bits;
use super::lexicon::{Lexicon, Term};
use super::postings::{Postings, Slot, length_code};

/// Fewer removed documents than this are not worth writing the corpus anew.
const LEAST_REMOVED: usize = 1_024;

/// A term of a text, and how often it occurs there.
type Counted = (Term, u32);

#[derive(Debug)]
pub(super) struct Corpus {
    language: Language,
    /// One more each time that slots were given anew.
    generation: u64,
    documents: Documents,
    words: Inverted,
    /// How many living documents have a word.
    frequencies: Vec<u32>,
    /// The word that is kept for each form of it, so that a form is stemmed once.
    forms: Lexicon,
    kept: Vec<Term>,
    labels: Inverted,
    /// The labels of attributes whose values are numbers, in order.
    numbers: HashMap<String, BTreeMap<i64, Term>>,
}

/// Terms, and which documents have each.
#[derive(Debug, Default)]
struct Inverted {
    lexicon: Lexicon,
    postings: Vec<Postings>,
}

/// What is asked of documents beside their words, by slot.
#[derive(Debug, Default)]
pub(super) struct Documents {
    ids: Vec<MemoryId>,
    slots: HashMap<MemoryId, Slot, foldhash::fast::RandomState>,
    living: Bits,
    /// Codes of the numbers of their terms.
    pub(super) lengths: Vec<u8>,
    /// Of the living ones.
    total_length: u64,
    at: Vec<Timestamp>,
    from: Vec<Timestamp>,
    /// Few documents end.
    ends: HashMap<Slot, Ends, foldhash::fast::RandomState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ends {
    pub(super) until: Option<Timestamp>,
    pub(super) expires: Option<Timestamp>,
}

/// What is kept of a memory, for comparison with the database.
#[derive(Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) at: Timestamp,
    pub(super) from: Timestamp,
    pub(super) ends: Ends,
}

impl Corpus {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            generation: 0,
            documents: Documents::default(),
            words: Inverted::default(),
            frequencies: Vec::new(),
            forms: Lexicon::default(),
            kept: Vec::new(),
            labels: Inverted::default(),
            numbers: HashMap::new(),
        }
    }

    pub(super) fn language(&self) -> Language {
        self.language
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Adds a memory, which must not be there.
    pub(super) fn insert(&mut self, id: MemoryId, memory: &NewMemory) {
        let counted = self.count_words(&memory.text);
        let length: u32 = counted.iter().map(|(_, count)| *count).sum();
        let slot = self.documents.push(id, memory, length);
        let lengths = &self.documents.lengths;
        for (word, count) in counted {
            let count = u8::try_from(count).unwrap_or(u8::MAX);
            let code = lengths[slot as usize];
            let length_of = |slot: Slot| lengths[slot as usize];
            self.words.postings[word as usize].push(slot, count, code, length_of);
            self.frequencies[word as usize] += 1;
        }
        for tag in &memory.tags {
            self.labels.add(&tag_label(tag), slot);
        }
        for (name, value) in &memory.attributes {
            let label = self.labels.add(&attribute_label(name, value), slot);
            if let AttributeValue::Integer(number) = value {
                let numbers = self.numbers.entry(name.clone()).or_default();
                numbers.insert(*number, label);
            }
        }
    }

    /// Removes a memory with its text, if it is there.
    pub(super) fn remove(&mut self, id: MemoryId, text: &str) {
        let Some(slot) = self.documents.slots.remove(&id) else {
            return;
        };
        let counted = self.count_words(text);
        let length: u32 = counted.iter().map(|(_, count)| *count).sum();
        self.documents.living.unset(slot as usize);
        self.documents.ends.remove(&slot);
        self.documents.total_length -= u64::from(length);
        for (word, _) in counted {
            self.frequencies[word as usize] -= 1;
        }
        let living = self.documents.slots.len();
        let removed = self.documents.ids.len() - living;
        if removed > LEAST_REMOVED && removed > living {
            self.compact();
        }
    }

    pub(super) fn set_until(&mut self, id: MemoryId, until: Timestamp) {
        if let Some(slot) = self.documents.slots.get(&id) {
            self.documents.ends.entry(*slot).or_default().until = Some(until);
        }
    }

    /// The words of a text, each with how often it occurs, in their order.
    fn count_words(&mut self, text: &str) -> Vec<Counted> {
        let folded = fold(text);
        let mut words = Vec::new();
        for_each_token(&folded, Purpose::Keep, |token| {
            words.push(self.word_or_add(token));
        });
        words.sort_unstable();
        let mut counted: Vec<Counted> = Vec::with_capacity(words.len());
        for word in words {
            match counted.last_mut() {
                Some((last, count)) if *last == word => *count += 1,
                _ => counted.push((word, 1)),
            }
        }
        counted
    }

    fn word_or_add(&mut self, token: Token<'_>) -> Term {
        match token {
            Token::Word(form) if self.language != Language::Exact => {
                let (number, is_new) = self.forms.find_or_add(form);
                if is_new {
                    let word = stem(self.language, form);
                    let word = self.add_word(&word);
                    self.kept.push(word);
                }
                self.kept[number as usize]
            }
            Token::Word(word) | Token::Exact(word) => self.add_word(word),
        }
    }

    fn add_word(&mut self, word: &str) -> Term {
        let (number, is_new) = self.words.lexicon.find_or_add(word);
        if is_new {
            self.words.postings.push(Postings::None);
            self.frequencies.push(0);
        }
        number
    }

    /// The number of a word that is asked for, if any living document has it.
    pub(super) fn word(&self, token: Token<'_>) -> Option<Term> {
        let word = match token {
            Token::Word(form) => match self.forms.find(form) {
                Some(form) => Some(self.kept[form as usize]),
                None => self.words.lexicon.find(&stem(self.language, form)),
            },
            Token::Exact(word) => self.words.lexicon.find(word),
        };
        word.filter(|word| self.frequency(*word) > 0)
    }

    pub(super) fn frequency(&self, word: Term) -> u32 {
        self.frequencies[word as usize]
    }

    pub(super) fn postings(&self, word: Term) -> &Postings {
        &self.words.postings[word as usize]
    }

    /// The documents with a tag, removed ones among them.
    pub(super) fn with_tag(&self, tag: &str) -> &[Slot] {
        self.labels.slots(&tag_label(tag))
    }

    /// The documents with an attribute of a value, removed ones among them.
    pub(super) fn with_attribute(&self, name: &str, value: &AttributeValue) -> &[Slot] {
        self.labels.slots(&attribute_label(name, value))
    }

    /// The documents with an attribute whose value is a number within bounds, both inclusive.
    pub(super) fn with_number(
        &self,
        name: &str,
        (least, most): (i64, i64),
    ) -> impl Iterator<Item = &[Slot]> {
        let numbers = self.numbers.get(name).filter(|_| least <= most);
        let labels = numbers
            .into_iter()
            .flat_map(move |numbers| numbers.range(least..=most));
        labels.map(|(_, label)| self.labels.postings[*label as usize].slots())
    }

    /// What is kept of a memory, if its words and labels are those that it has.
    pub(super) fn kept(&self, id: MemoryId, memory: &NewMemory) -> Option<Kept> {
        let slot = *self.documents.slots.get(&id)?;
        let mut expected: HashMap<Term, u32> = HashMap::new();
        let mut has_all = true;
        for_each_token(&fold(&memory.text), Purpose::Keep, |token| {
            match self.word(token) {
                Some(word) => *expected.entry(word).or_default() += 1,
                None => has_all = false,
            }
        });
        let length: u32 = expected.values().sum();
        let is_same = |(word, count): (&Term, &u32)| {
            let kept = self.postings(*word).count_of(slot);
            kept.map(u32::from) == Some((*count).min(u8::MAX.into()))
        };
        let has = |slots: &[Slot]| slots.binary_search(&slot).is_ok();
        let is_whole = has_all
            && expected.iter().all(is_same)
            && self.documents.lengths[slot as usize] == length_code(length)
            && memory.tags.iter().all(|tag| has(self.with_tag(tag)))
            && memory
                .attributes
                .iter()
                .all(|(name, value)| has(self.with_attribute(name, value)));
        let documents = &self.documents;
        is_whole.then(|| Kept {
            at: documents.at[slot as usize],
            from: documents.from[slot as usize],
            ends: documents.ends(slot),
        })
    }

    /// How many postings of living documents there are, of words and of labels.
    pub(super) fn living_postings(&self) -> (u64, u64) {
        let living = |postings: &Vec<Postings>| -> u64 {
            let slots = postings.iter().flat_map(Postings::slots);
            slots
                .filter(|slot| self.documents.is_living(**slot))
                .count() as u64
        };
        (living(&self.words.postings), living(&self.labels.postings))
    }

    /// Gives the living documents slots without gaps, and leaves out what no document has.
    fn compact(&mut self) {
        let mut slots: Vec<Option<Slot>> = vec![None; self.documents.ids.len()];
        let mut documents = Documents::default();
        for slot in self.documents.living.iter() {
            slots[slot] = Some(documents.take(&self.documents, slot as Slot));
        }
        documents.total_length = self.documents.total_length;
        let lengths = &documents.lengths;
        let (words, moved) = self.words.compacted(&slots, lengths);
        let mut frequencies = vec![0; words.postings.len()];
        let mut forms = Lexicon::default();
        let mut kept = Vec::new();
        for (form, word) in self.kept.iter().enumerate() {
            if let Some(word) = moved[*word as usize] {
                forms.find_or_add(self.forms.at(form as Term));
                kept.push(word);
            }
        }
        for (word, moved) in moved.iter().enumerate() {
            if let Some(moved) = moved {
                frequencies[*moved as usize] = self.frequencies[word];
            }
        }
        let (labels, moved) = self.labels.compacted(&slots, lengths);
        for numbers in self.numbers.values_mut() {
            numbers.retain(|_, label| match moved[*label as usize] {
                Some(now) => {
                    *label = now;
                    true
                }
                None => false,
            });
        }
        self.numbers.retain(|_, numbers| !numbers.is_empty());
        self.documents = documents;
        self.words = words;
        self.frequencies = frequencies;
        self.forms = forms;
        self.kept = kept;
        self.labels = labels;
        self.generation += 1;
    }
}

impl Inverted {
    fn add(&mut self, term: &str, slot: Slot) -> Term {
        let (number, is_new) = self.lexicon.find_or_add(term);
        if is_new {
            self.postings.push(Postings::None);
        }
        let postings = &mut self.postings[number as usize];
        // Two tags of a memory may be the same, composed.
        if postings.slots().last() != Some(&slot) {
            postings.push(slot, 1, 0, |_| 0);
        }
        number
    }

    fn slots(&self, term: &str) -> &[Slot] {
        let number = self.lexicon.find(term);
        number.map_or(&[], |number| self.postings[number as usize].slots())
    }

    /// With other slots, and without terms that nothing has; where each term is now.
    fn compacted(&self, slots: &[Option<Slot>], lengths: &[u8]) -> (Self, Vec<Option<Term>>) {
        let mut compacted = Self::default();
        let mut moved = Vec::with_capacity(self.postings.len());
        for (term, old) in self.postings.iter().enumerate() {
            let mut postings = Postings::None;
            for (place, slot) in old.slots().iter().enumerate() {
                if let Some(slot) = slots[*slot as usize] {
                    let length_of = |slot: Slot| lengths[slot as usize];
                    postings.push(slot, old.count(place), length_of(slot), length_of);
                }
            }
            let is_left = !postings.slots().is_empty();
            moved.push(is_left.then(|| {
                compacted.postings.push(postings);
                compacted
                    .lexicon
                    .find_or_add(self.lexicon.at(term as Term))
                    .0
            }));
        }
        (compacted, moved)
    }
}

impl Documents {
    fn push(&mut self, id: MemoryId, memory: &NewMemory, length: u32) -> Slot {
        let slot = Slot::try_from(self.ids.len()).expect("fewer than 2^32 documents");
        self.ids.push(id);
        self.slots.insert(id, slot);
        self.living.set(slot as usize);
        self.lengths.push(length_code(length));
        self.total_length += u64::from(length);
        self.at.push(memory.at);
        self.from.push(memory.valid_from.unwrap_or(memory.at));
        let ends = Ends {
            until: memory.valid_until,
            expires: memory.expires_at,
        };
        if ends != Ends::default() {
            self.ends.insert(slot, ends);
        }
        slot
    }

    /// Takes over a document of another generation.
    fn take(&mut self, from: &Self, old: Slot) -> Slot {
        let slot = self.ids.len() as Slot;
        let id = from.ids[old as usize];
        self.ids.push(id);
        self.slots.insert(id, slot);
        self.living.set(slot as usize);
        self.lengths.push(from.lengths[old as usize]);
        self.at.push(from.at[old as usize]);
        self.from.push(from.from[old as usize]);
        if let Some(ends) = from.ends.get(&old) {
            self.ends.insert(slot, *ends);
        }
        slot
    }

    pub(super) fn slot(&self, id: MemoryId) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    pub(super) fn id(&self, slot: Slot) -> MemoryId {
        self.ids[slot as usize]
    }

    pub(super) fn is_living(&self, slot: Slot) -> bool {
        self.living.contains(slot as usize)
    }

    pub(super) fn living(&self) -> &Bits {
        &self.living
    }

    pub(super) fn at(&self, slot: Slot) -> Timestamp {
        self.at[slot as usize]
    }

    pub(super) fn from(&self, slot: Slot) -> Timestamp {
        self.from[slot as usize]
    }

    pub(super) fn ends(&self, slot: Slot) -> Ends {
        self.ends.get(&slot).copied().unwrap_or_default()
    }

    /// Whether any of them ends or expires.
    pub(super) fn has_ends(&self) -> bool {
        !self.ends.is_empty()
    }

    /// How many are living.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many slots were given.
    pub(super) fn slots(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn average_length(&self) -> f64 {
        self.total_length as f64 / (self.len().max(1)) as f64
    }

    /// Every living id.
    pub(super) fn for_each(&self, visit: impl FnMut(MemoryId)) {
        self.slots.keys().copied().for_each(visit);
    }
}

/// Composed, so that a label in another way of writing the same letters is the same label.
fn tag_label(tag: &str) -> String {
    format!("t{}", compose(tag))
}

fn attribute_label(name: &str, value: &AttributeValue) -> String {
    let value = match value {
        AttributeValue::Boolean(value) => format!("b{value}"),
        AttributeValue::Integer(value) => format!("i{value}"),
        AttributeValue::Text(value) => format!("s{}", compose(value)),
    };
    // The length keeps apart what would run into each other.
    let name = compose(name);
    format!("a{}:{name}{value}", name.len())
}
