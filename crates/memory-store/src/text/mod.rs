//! The text tier: the words, labels and times of every memory, in memory, derived from the metadata
//! tier. Each namespace has its own, with its own statistics, so that nothing that another one holds
//! can change what a search finds or in which order.
//!
//! A write holds a namespace's lock for as long as it takes to add some words; a search lets go of
//! it after each piece of its work, so that neither waits long for the other.

mod admission;
mod analysis;
mod bits;
mod corpus;
mod lexicon;
mod postings;
mod search;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use action::Timestamp;
use parking_lot::RwLock;

use crate::error::{Error, Result};
use crate::model::change::{Change, DerivedTier};
use crate::model::filter::Filter;
use crate::model::language::Language;
use crate::model::letters::fold;
use crate::model::memory::NewMemory;
use crate::model::names::{MemoryId, Namespace};

use corpus::{Corpus, Ends, Kept};
use search::Search;

pub(crate) use admission::Admission;

/// Distinct words of a question beyond this are refused: each costs a walk through its documents.
pub(crate) const MAX_WORDS: usize = 1_024;

/// Bytes of a question beyond this are refused before they are read.
const MAX_QUESTION_BYTES: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct TextTier {
    corpora: RwLock<HashMap<Namespace, Arc<RwLock<Corpus>>>>,
}

impl TextTier {
    /// Makes a namespace's corpus in a language.
    pub(crate) fn create(&self, namespace: &Namespace, language: Language) {
        let corpus = Arc::new(RwLock::new(Corpus::new(language)));
        self.corpora.write().insert(namespace.clone(), corpus);
    }

    pub(crate) fn insert(&self, id: MemoryId, memory: &NewMemory) {
        let corpus = self.corpus_or_create(&memory.namespace);
        corpus.write().insert(id, memory);
    }

    pub(crate) fn language(&self, namespace: &Namespace) -> Language {
        let corpus = self.corpus(namespace);
        corpus.map_or_else(Language::default, |corpus| corpus.read().language())
    }

    /// The `k` best of those that a filter admits for any of some words, the best first; equals by
    /// id.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if there are too many words.
    pub(crate) fn search(
        &self,
        namespace: &Namespace,
        question: &str,
        k: usize,
        filter: &Admitted<'_>,
    ) -> Result<Vec<(MemoryId, f64)>> {
        check_size("bytes of text", question.len(), MAX_QUESTION_BYTES)?;
        let Some(corpus) = self.corpus(namespace) else {
            return Ok(Vec::new());
        };
        let folded = fold(question);
        let tokens = analysis::asked(&folded, corpus.read().language());
        check_size("distinct words", tokens.len(), MAX_WORDS)?;
        'anew: loop {
            let (admission, mut search) = {
                let corpus = corpus.read();
                (filter.admission(&corpus), Search::new(&corpus, &tokens, k))
            };
            loop {
                match search.work(&corpus.read(), &admission) {
                    Some(true) => return Ok(search.into_best()),
                    Some(false) => {}
                    None => continue 'anew,
                }
            }
        }
    }

    /// Which memories of a namespace a filter admits, as a set of ids if there are few of them.
    pub(crate) fn admitted(&self, namespace: &Namespace, filter: &Admitted<'_>) -> Selection {
        /// With more than this part of all, a condition asked for each is faster than a set.
        const FEW_DIVISOR: usize = 10;
        let Some(corpus) = self.corpus(namespace) else {
            return Selection::Few(HashSet::new());
        };
        let guard = corpus.read();
        let admission = filter.admission(&guard);
        if admission.is_open(&guard) {
            return Selection::All;
        }
        let documents = guard.documents();
        if let Some(labelled) = admission.labelled()
            && labelled.count() <= documents.len() / FEW_DIVISOR
        {
            let slots = labelled.iter().map(|slot| slot as u32);
            let slots = slots.filter(|slot| admission.admits(&guard, *slot));
            return Selection::Few(slots.map(|slot| documents.id(slot)).collect());
        }
        drop(guard);
        Selection::Many(Box::new(Many { corpus, admission }))
    }

    /// The times at which memories happened, of those that are there.
    pub(crate) fn times(
        &self,
        namespace: &Namespace,
        ids: impl IntoIterator<Item = MemoryId>,
    ) -> HashMap<MemoryId, Timestamp> {
        let Some(corpus) = self.corpus(namespace) else {
            return HashMap::new();
        };
        let corpus = corpus.read();
        let documents = corpus.documents();
        let time = |id| Some((id, documents.at(documents.slot(id)?)));
        ids.into_iter().filter_map(time).collect()
    }

    /// The newest `most` of those that a filter admits, equals by id, the highest first.
    pub(crate) fn newest(
        &self,
        namespace: &Namespace,
        filter: &Admitted<'_>,
        most: usize,
    ) -> Vec<(MemoryId, Timestamp)> {
        let Some(corpus) = self.corpus(namespace) else {
            return Vec::new();
        };
        let corpus = corpus.read();
        let admission = filter.admission(&corpus);
        let documents = corpus.documents();
        let candidates = admission.labelled().unwrap_or(documents.living());
        let slots = candidates.iter().map(|slot| slot as u32);
        let slots = slots.filter(|slot| admission.admits(&corpus, *slot));
        let mut newest: Vec<(Timestamp, MemoryId)> = slots
            .map(|slot| (documents.at(slot), documents.id(slot)))
            .collect();
        let order = |a: &(Timestamp, MemoryId), b: &(Timestamp, MemoryId)| b.cmp(a);
        if most < newest.len() {
            if most > 0 {
                newest.select_nth_unstable_by(most - 1, order);
            }
            newest.truncate(most);
        }
        newest.sort_unstable_by(order);
        newest.into_iter().map(|(at, id)| (id, at)).collect()
    }

    /// Whether a memory stands here as it is stored; none if it is missing.
    pub(crate) fn agrees(&self, id: MemoryId, stored: &NewMemory) -> Option<bool> {
        let corpus = self.corpus(&stored.namespace)?;
        let corpus = corpus.read();
        corpus.documents().slot(id)?;
        let expected = Kept {
            at: stored.at,
            from: stored.valid_from.unwrap_or(stored.at),
            ends: Ends {
                until: stored.valid_until,
                expires: stored.expires_at,
            },
        };
        Some(corpus.kept(id, stored).as_ref() == Some(&expected))
    }

    /// Calls back with every memory that is here.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Namespace, MemoryId)) {
        for (namespace, corpus) in self.corpora.read().iter() {
            corpus
                .read()
                .documents()
                .for_each(|id| visit(namespace, id));
        }
    }

    /// How many postings there are of words and of labels, removed ones not counted.
    pub(crate) fn postings(&self) -> HashMap<Namespace, (u64, u64)> {
        let corpora = self.corpora.read();
        let postings = corpora.iter();
        postings
            .map(|(namespace, corpus)| (namespace.clone(), corpus.read().living_postings()))
            .collect()
    }

    /// Takes over the content of another tier, at once for every search.
    pub(crate) fn replace(&self, other: Self) {
        *self.corpora.write() = other.corpora.into_inner();
    }

    /// Takes over one namespace of another tier.
    pub(crate) fn replace_namespace(&self, namespace: &Namespace, other: &Self) {
        if let Some(corpus) = other.corpus(namespace) {
            self.corpora.write().insert(namespace.clone(), corpus);
        }
    }

    fn corpus(&self, namespace: &Namespace) -> Option<Arc<RwLock<Corpus>>> {
        self.corpora.read().get(namespace).cloned()
    }

    fn corpus_or_create(&self, namespace: &Namespace) -> Arc<RwLock<Corpus>> {
        if let Some(corpus) = self.corpus(namespace) {
            return corpus;
        }
        let new = || Arc::new(RwLock::new(Corpus::new(Language::default())));
        let mut corpora = self.corpora.write();
        Arc::clone(corpora.entry(namespace.clone()).or_insert_with(new))
    }

    pub(crate) fn remove(&self, namespace: &Namespace, id: MemoryId, text: &str) {
        if let Some(corpus) = self.corpus(namespace) {
            corpus.write().remove(id, text);
        }
    }
}

/// What may be found: a filter, and the ids that meet the part of it that only the database knows.
pub(crate) struct Admitted<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) only: Option<HashSet<MemoryId>>,
}

impl Admitted<'_> {
    fn admission(&self, corpus: &Corpus) -> Admission {
        Admission::new(corpus, self.filter, self.only.as_ref())
    }
}

/// Which memories may be found, for other tiers.
pub(crate) enum Selection {
    All,
    Few(HashSet<MemoryId>),
    Many(Box<Many>),
}

/// A condition on ids.
pub(crate) struct Many {
    corpus: Arc<RwLock<Corpus>>,
    admission: Admission,
}

impl Selection {
    pub(crate) fn admits(&self, id: MemoryId) -> bool {
        match self {
            Self::All => true,
            Self::Few(ids) => ids.contains(&id),
            Self::Many(many) => many.admits(id),
        }
    }
}

impl Many {
    pub(crate) fn admits(&self, id: MemoryId) -> bool {
        // Recursive, as a search may ask this while it holds another namespace's lock.
        let corpus = self.corpus.read_recursive();
        // Rarely a corpus is written anew meanwhile; what it then admits is decided afterwards.
        let slot = corpus.documents().slot(id);
        slot.is_some_and(|slot| {
            !self.admission.is_of(&corpus) || self.admission.admits(&corpus, slot)
        })
    }
}

fn check_size(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        return Err(Error::QueryTooLarge { what, size, limit });
    }
    Ok(())
}

impl DerivedTier for TextTier {
    fn apply(&self, change: &Change) {
        match change {
            Change::Remembered { id, memory, .. } => self.insert(*id, memory),
            Change::Updated {
                id, memory, before, ..
            } => {
                self.remove(&memory.namespace, *id, before);
                self.insert(*id, memory);
            }
            Change::Ended(ended) => {
                if let Some(corpus) = self.corpus(&ended.namespace) {
                    corpus.write().set_until(ended.id, ended.until);
                }
            }
            Change::Forgotten(forgotten) => {
                self.remove(&forgotten.namespace, forgotten.id, &forgotten.text);
            }
            Change::NamespaceDeleted(namespace) => {
                self.corpora.write().remove(namespace);
            }
            Change::Linked(_) | Change::Unlinked { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
