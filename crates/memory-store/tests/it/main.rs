//! The store as its callers see it, and as a crash leaves it.

mod bounds;
mod chunks;
mod crash;
mod embedding;
mod faults;
mod hybrid;
mod index;
mod isolation;
mod model;
mod model_state;
mod model_time;
mod moments;
mod namespaces;
mod opening;
mod quality;
mod recall;
mod sharing;
mod state;
mod time;
mod transfer;
mod words;

use memory_store::{
    Edge, Embedder, Filter, Found, HashedNgrams, Memory, MemoryId, MemoryStore, Namespace,
    NewMemory, Query, Relation, Signal, Timestamp, Traversal, When,
};

fn namespace() -> Namespace {
    Namespace::new("team").unwrap()
}

fn id(id: u64) -> MemoryId {
    MemoryId::new(id).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn relation(name: &str) -> Relation {
    Relation::new(name).unwrap()
}

fn memory(text: &str) -> NewMemory {
    NewMemory::new(namespace(), text, at(0))
}

fn edge(source: MemoryId, name: &str, target: MemoryId) -> Edge {
    Edge::new(namespace(), source, relation(name), target, at(0))
}

/// The ids of memories, in their order.
fn ids<'a>(memories: impl IntoIterator<Item = &'a memory_store::Memory>) -> Vec<u64> {
    memories.into_iter().map(|memory| memory.id.get()).collect()
}

/// What the embedder without a model makes of a text.
fn vector_of(text: &str) -> Vec<f32> {
    HashedNgrams::default().embed(text).unwrap().unwrap()
}

/// A query for the vectors nearest to one.
fn near_to(vector: &[f32], k: usize) -> Query {
    Query::new().vector(vector.to_vec()).limit(k)
}

/// A query for texts with any of some words.
fn any_word(text: &str, k: usize) -> Query {
    Query::new().text(text).limit(k)
}

/// A query for all that a traversal reaches.
fn reached_by(traversal: &Traversal) -> Query {
    let when = traversal.when;
    found_when(Query::new().related(traversal.clone()), when).limit(usize::MAX)
}

/// The same query as of when it is asked for.
fn found_when(mut query: Query, when: When) -> Query {
    query.filter.when = when;
    query
}

/// What a filter lets through, the newest first.
fn listed(store: &MemoryStore, namespace: &Namespace, filter: &Filter) -> Vec<Memory> {
    let query = Query::new().only(filter.clone());
    let found = store.recall(namespace, &query).unwrap();
    found.iter().map(|found| (*found.memory).clone()).collect()
}

/// The product of the weights along the way that led to a memory.
fn strength(found: &Found) -> f64 {
    found.reason(Signal::Relation).unwrap().score
}

/// Exports a store and imports it into a new one, whose export must be the same.
fn transferred(store: &MemoryStore, directory: &std::path::Path) -> MemoryStore {
    let mut exported = Vec::new();
    let written = store.export(&mut exported, None).unwrap();
    let other = MemoryStore::open(directory).unwrap();
    assert_eq!(other.import(&exported[..]).unwrap(), written);
    let mut again = Vec::new();
    other.export(&mut again, None).unwrap();
    assert!(exported == again, "another export after the import");
    other
}

fn open_temporary() -> (tempfile::TempDir, MemoryStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    (directory, store)
}
