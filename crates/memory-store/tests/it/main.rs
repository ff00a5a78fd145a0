//! The store as its callers see it, and as a crash leaves it.

mod crash;
mod hybrid;
mod model;
mod namespaces;
mod opening;
mod recall;
mod sharing;
mod state;
mod time;

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

fn open_temporary() -> (tempfile::TempDir, MemoryStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::open(directory.path()).unwrap();
    (directory, store)
}
