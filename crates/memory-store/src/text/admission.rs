//! Which documents a filter lets through.

use std::collections::HashSet;

use action::Timestamp;

use crate::model::filter::{Filter, LabelCondition};
use crate::model::millis::floor;
use crate::model::names::MemoryId;
use crate::model::time::When;

use super::bits::Bits;
use super::corpus::Corpus;
use super::postings::Slot;

/// A filter made ready for one generation of a corpus.
#[derive(Debug)]
pub(crate) struct Admission {
    generation: u64,
    /// Those that meet the conditions on labels; none if there are no such conditions.
    labelled: Option<Bits>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    when: When,
}

impl Admission {
    /// `only` is given if a condition was looked up elsewhere.
    pub(super) fn new(corpus: &Corpus, filter: &Filter, only: Option<&HashSet<MemoryId>>) -> Self {
        let mut labelled = only.map(|only| {
            let slots = only.iter().filter_map(|id| corpus.documents().slot(*id));
            Bits::of(slots, corpus.documents().slots())
        });
        for condition in filter.label_conditions() {
            let met = meeting(corpus, condition);
            match &mut labelled {
                Some(labelled) => labelled.intersect(&met),
                None => labelled = Some(met),
            }
        }
        let excluded = excluded(corpus, filter);
        if let Some(excluded) = excluded {
            let mut left = labelled.unwrap_or_else(|| corpus.documents().living().clone());
            left.subtract(&excluded);
            labelled = Some(left);
        }
        if let Some(labelled) = &mut labelled {
            labelled.intersect(corpus.documents().living());
        }
        Self {
            generation: corpus.generation(),
            labelled,
            // As the database compares them.
            from: filter.from.map(floor),
            until: filter.until.map(floor),
            when: filter.when,
        }
    }

    /// Whether slots mean the same as when it was made.
    pub(super) fn is_of(&self, corpus: &Corpus) -> bool {
        self.generation == corpus.generation()
    }

    pub(super) fn labelled(&self) -> Option<&Bits> {
        self.labelled.as_ref()
    }

    pub(super) fn admits(&self, corpus: &Corpus, slot: Slot) -> bool {
        let documents = corpus.documents();
        documents.is_living(slot)
            && self
                .labelled
                .as_ref()
                .is_none_or(|labelled| labelled.contains(slot as usize))
            && self.from.is_none_or(|from| documents.at(slot) >= from)
            && self.until.is_none_or(|until| documents.at(slot) < until)
            && self.is_found(corpus, slot)
    }

    fn is_found(&self, corpus: &Corpus, slot: Slot) -> bool {
        let documents = corpus.documents();
        match self.when {
            When::Ever => true,
            When::Current => !documents.has_ends() || documents.ends(slot).until.is_none(),
            When::AsOf(_) => {
                let ends = documents.ends(slot);
                self.when
                    .admits(documents.from(slot), ends.until, ends.expires)
            }
        }
    }

    /// Whether it lets nearly everything through as far as can be told at once.
    pub(super) fn is_open(&self, corpus: &Corpus) -> bool {
        let is_current = match self.when {
            When::Ever => true,
            When::Current => !corpus.documents().has_ends(),
            When::AsOf(_) => false,
        };
        self.labelled.is_none() && self.from.is_none() && self.until.is_none() && is_current
    }
}

/// The documents that have at least one of the labels.
fn meeting(corpus: &Corpus, condition: LabelCondition<'_>) -> Bits {
    let room = corpus.documents().slots();
    match condition {
        LabelCondition::Tags(tags) => {
            let slots = tags.iter().flat_map(|tag| corpus.with_tag(tag));
            Bits::of(slots.copied(), room)
        }
        LabelCondition::Attribute(name, values) => {
            let slots = values
                .iter()
                .flat_map(|value| corpus.with_attribute(name, value));
            Bits::of(slots.copied(), room)
        }
        LabelCondition::Number(name, bounds) => {
            Bits::of(corpus.with_number(name, bounds).flatten().copied(), room)
        }
    }
}

fn excluded(corpus: &Corpus, filter: &Filter) -> Option<Bits> {
    if filter.no_tags.is_empty() && filter.no_values.is_empty() {
        return None;
    }
    let tags = filter.no_tags.iter().flat_map(|tag| corpus.with_tag(tag));
    let values = filter.no_values.iter().flat_map(|(name, values)| {
        let slots = move |value| corpus.with_attribute(name, value);
        values.iter().flat_map(slots)
    });
    let slots = tags.chain(values).copied();
    Some(Bits::of(slots, corpus.documents().slots()))
}
