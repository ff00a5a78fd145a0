//! The store as its callers see it, and as a crash leaves it.

mod chunks;
mod crash;
mod faults;
mod hybrid;
mod index;
mod model;
mod model_state;
mod model_time;
mod namespaces;
mod opening;
mod quality;
mod recall;
mod sharing;
mod state;
mod time;
mod transfer;

use memory_store::{Edge, MemoryId, MemoryStore, Namespace, NewMemory, Relation, Timestamp};

fn namespace() -> Namespace {
    Namespace::new("team").unwrap()
}

fn id(id: u64) -> MemoryId {
    MemoryId::new(id).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
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
