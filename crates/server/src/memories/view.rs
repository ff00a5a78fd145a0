//! A memory as it is answered.

use std::collections::{BTreeMap, BTreeSet};

use memory_store::{AttributeValue, Found, Memory, Signal};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Moment;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MemoryView {
    id: u64,
    at: Moment,
    text: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Map<String, Value>")]
    attributes: BTreeMap<String, AttributeValue>,
    version: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FoundView {
    memory: MemoryView,
    /// Comparable within one answer only.
    score: f64,
    reasons: Vec<ReasonView>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ReasonView {
    #[schemars(with = "String")]
    signal: Signal,
    rank: usize,
}

impl MemoryView {
    pub(super) fn of(memory: &Memory) -> Self {
        Self {
            id: memory.id.get(),
            at: memory.at.into(),
            text: memory.text.clone(),
            tags: memory.tags.clone(),
            attributes: memory.attributes.clone(),
            version: memory.version,
        }
    }
}

impl FoundView {
    pub(super) fn of(found: &Found) -> Self {
        let reasons = found.reasons.iter();
        let reasons = reasons.map(|reason| ReasonView {
            signal: reason.signal,
            rank: reason.rank,
        });
        Self {
            memory: MemoryView::of(&found.memory),
            score: found.score,
            reasons: reasons.collect(),
        }
    }
}
