//! Any sequence of operations does to the store what it does to plain maps.

use std::collections::BTreeMap;

use memory_store::{Direction, Edge, Filter, MemoryStore, NewMemory, Signal, Traversal, When};
use proptest::prelude::*;

use super::{
    any_word, at, edge, id, ids, listed, memory, namespace, near_to, reached_by, relation,
};

const IDS: std::ops::RangeInclusive<u64> = 1..=5;
const RELATIONS: [&str; 2] = ["a", "b"];
const WORDS: [&str; 3] = ["apple", "banana", "cherry"];

#[derive(Debug, Clone)]
enum Operation {
    Remember {
        id: u64,
        word: usize,
        tagged: bool,
        vector: Option<(i8, i8)>,
        millis: i64,
    },
    Forget(u64),
    Link {
        source: u64,
        relation: usize,
        target: u64,
        weight: i8,
    },
    Unlink {
        source: u64,
        relation: usize,
        target: u64,
    },
    Read(u64),
    Repair,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{Forget, Link, Read, Remember, Reopen, Repair, Unlink};
    let remember = (
        IDS,
        0..WORDS.len(),
        any::<bool>(),
        proptest::option::of((-2..=2_i8, 1..=2_i8)),
        0..9_i64,
    );
    let remember = remember.prop_map(|(id, word, tagged, vector, millis)| Remember {
        id,
        word,
        tagged,
        vector,
        millis,
    });
    let ends = || (IDS, 0..RELATIONS.len(), IDS);
    let link = (ends(), -3..=3_i8).prop_map(|((source, relation, target), weight)| Link {
        source,
        relation,
        target,
        weight,
    });
    let unlink = ends().prop_map(|(source, relation, target)| Unlink {
        source,
        relation,
        target,
    });
    prop_oneof![
        6 => remember,
        3 => IDS.prop_map(Forget),
        5 => link,
        2 => unlink,
        3 => IDS.prop_map(Read),
        1 => Just(Repair),
        1 => Just(Reopen),
    ]
}

type EdgeKey = (u64, usize, u64);

#[derive(Debug, Default)]
struct Model {
    memories: BTreeMap<u64, NewMemory>,
    edges: BTreeMap<EdgeKey, Edge>,
}

impl Model {
    /// Does the same to both, and compares the answers.
    fn apply(&mut self, store: &MemoryStore, operation: &Operation) {
        match operation {
            Operation::Remember {
                id: number,
                word,
                tagged,
                vector,
                millis,
            } => {
                let mut new = memory(WORDS[*word]).id(id(*number));
                new.at = at(*millis);
                new.vector = vector.map(|(x, y)| vec![f32::from(x), f32::from(y)]);
                let new = if *tagged {
                    new.tag("t").attribute("n", *millis)
                } else {
                    new
                };
                let is_free = !self.memories.contains_key(number);
                assert_eq!(store.remember(new.clone()).is_ok(), is_free);
                self.memories.entry(*number).or_insert(new);
            }
            Operation::Forget(number) => {
                let existed = self.memories.remove(number).is_some();
                self.edges
                    .retain(|(source, _, target), _| source != number && target != number);
                assert_eq!(store.forget(&namespace(), id(*number)).unwrap(), existed);
            }
            Operation::Link {
                source,
                relation,
                target,
                weight,
            } => {
                let edge = edge(id(*source), RELATIONS[*relation], id(*target));
                let edge = edge.weight(f64::from(*weight));
                let has_ends = [source, target]
                    .iter()
                    .all(|id| self.memories.contains_key(id));
                assert_eq!(store.link(edge.clone()).is_ok(), has_ends);
                if has_ends {
                    self.edges.insert((*source, *relation, *target), edge);
                }
            }
            Operation::Unlink {
                source,
                relation: name,
                target,
            } => {
                let existed = self.edges.remove(&(*source, *name, *target)).is_some();
                let relation = relation(RELATIONS[*name]);
                let unlinked = store.unlink(&namespace(), id(*source), &relation, id(*target));
                assert_eq!(unlinked.unwrap(), existed);
            }
            Operation::Read(number) => {
                let read = store.get(&namespace(), id(*number)).unwrap();
                let expected = self.memories.get(number).map(NewMemory::digest);
                assert_eq!(read.map(|memory| memory.digest()), expected);
            }
            Operation::Repair => assert!(store.repair().unwrap().is_clean()),
            Operation::Reopen => {}
        }
    }

    /// Compares what every tier finds.
    fn compare(&self, store: &MemoryStore) {
        let newest_first = |pass: &dyn Fn(&NewMemory) -> bool| {
            let mut found: Vec<(i64, u64)> = self
                .memories
                .iter()
                .filter(|(_, memory)| pass(memory))
                .map(|(id, memory)| (memory.at.as_millis(), *id))
                .collect();
            found.sort_unstable_by(|a, b| b.cmp(a));
            found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        };
        let found = |filter: Filter| ids(&listed(store, &namespace(), &filter));
        assert_eq!(found(Filter::new()), newest_first(&|_| true));
        assert_eq!(
            found(Filter::new().tag("t")),
            newest_first(&|new| new.tags.contains("t"))
        );
        assert_eq!(
            found(Filter::new().from(at(5))),
            newest_first(&|new| new.at >= at(5))
        );
        self.compare_texts(store);
        self.compare_vectors(store);
        self.compare_edges(store);
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.disagreements);
        assert_eq!(report.items, self.memories.len() as u64);
    }

    fn compare_texts(&self, store: &MemoryStore) {
        for word in WORDS {
            let mut found: Vec<u64> = store
                .recall(&namespace(), &any_word(word, 99))
                .unwrap()
                .iter()
                .map(|recalled| recalled.memory.id.get())
                .collect();
            found.sort_unstable();
            let memories = self
                .memories
                .iter()
                .filter(|(_, memory)| memory.text == word);
            assert_eq!(found, memories.map(|(id, _)| *id).collect::<Vec<_>>());
        }
    }

    fn compare_vectors(&self, store: &MemoryStore) {
        let query = [1.0_f32, 0.5];
        let mut expected: Vec<(f32, u64)> = Vec::new();
        for (id, memory) in &self.memories {
            if let Some(vector) = &memory.vector {
                let dot = vector[0] * query[0] + vector[1] * query[1];
                let lengths = vector[0].hypot(vector[1]) * query[0].hypot(query[1]);
                expected.push((dot / lengths, *id));
            }
        }
        let recalled = store.recall(&namespace(), &near_to(&query, 99)).unwrap();
        assert_eq!(recalled.len(), expected.len());
        for found in recalled {
            let (score, _) = expected
                .iter()
                .find(|(_, id)| *id == found.memory.id.get())
                .unwrap();
            let told = found.reason(Signal::Similarity).unwrap().score as f32;
            assert!((score - told).abs() < 1e-5, "{score} {told}");
        }
    }

    fn compare_edges(&self, store: &MemoryStore) {
        for number in IDS {
            let touching = |edge: &&Edge| [edge.source, edge.target].contains(&id(number));
            let expected: Vec<Edge> = self.edges.values().filter(touching).cloned().collect();
            assert_eq!(
                store.edges_of(&namespace(), id(number), Direction::Both, When::Current),
                expected
            );
            let mut targets: Vec<u64> = self
                .edges
                .keys()
                .filter(|(source, _, target)| *source == number && *target != number)
                .map(|(_, _, target)| *target)
                .collect();
            targets.sort_unstable();
            targets.dedup();
            let related = store
                .recall(&namespace(), &reached_by(&Traversal::new(id(number))))
                .unwrap();
            let mut found = ids(related.iter().map(|related| &*related.memory));
            found.sort_unstable();
            assert_eq!(found, targets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_plain_maps_do(
        operations in proptest::collection::vec(operation(), 1..40),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = MemoryStore::open(directory.path()).unwrap();
        let mut model = Model::default();
        for operation in &operations {
            if matches!(operation, Operation::Reopen) {
                drop(store);
                store = MemoryStore::open(directory.path()).unwrap();
            }
            model.apply(&store, operation);
        }
        model.compare(&store);
        drop(store);
        model.compare(&MemoryStore::open(directory.path()).unwrap());
    }
}
