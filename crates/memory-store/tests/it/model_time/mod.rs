//! Any sequence of operations on facts in time does to the store what it does to plain lists, also
//! when the store is exported and imported in between.

mod operations;

use memory_store::{
    Direction, Edge, Filter, MemoryStore, Moment, NewMemory, Timestamp, Traversal, When,
};
use proptest::prelude::*;

use super::{
    any_word, at, found_when, id, ids, listed, memory, namespace, near_to, reached_by, relation,
};
use operations::{Fact, IDS, MOMENTS, Operation, WORDS, operation};

/// A memory as the model knows it.
#[derive(Debug, Clone)]
struct Known {
    id: u64,
    fact: Fact,
    until: Option<i64>,
    versions: usize,
}

/// An edge as the model knows it.
#[derive(Debug, Clone, PartialEq)]
struct Link {
    source: u64,
    relation: &'static str,
    target: u64,
    from: i64,
    until: Option<i64>,
    weight: f64,
}

#[derive(Debug, Default)]
struct Model {
    memories: Vec<Known>,
    links: Vec<Link>,
}

fn new_memory(number: u64, fact: Fact) -> NewMemory {
    let mut new = memory(WORDS[fact.word])
        .id(id(number))
        .valid_from(at(fact.from));
    new.valid_until = fact.length.map(|length| at(fact.from + length));
    new.expires_at = fact.expires.map(at);
    new.vector = fact.vector.map(|x| vec![f32::from(x), 1.0]);
    new
}

fn is_within(from: i64, until: Option<i64>, expires: Option<i64>, when: When) -> bool {
    match when {
        When::Current => until.is_none(),
        When::AsOf(moment) => {
            let moment = moment.as_millis();
            from <= moment
                && until.is_none_or(|until| moment < until)
                && expires.is_none_or(|expires| moment < expires)
        }
        When::Ever => true,
    }
}

impl Model {
    fn known(&mut self, number: u64) -> Option<&mut Known> {
        self.memories.iter_mut().find(|known| known.id == number)
    }

    fn remember(&mut self, number: u64, fact: Fact) {
        self.memories.push(Known {
            id: number,
            fact,
            until: fact.length.map(|length| fact.from + length),
            versions: 1,
        });
    }

    fn end(&mut self, number: u64, until: i64) -> bool {
        let known = self.known(number).unwrap();
        let until = until.max(known.fact.from);
        if known.until.is_some_and(|end| end <= until) {
            return false;
        }
        known.until = Some(until);
        known.versions += 1;
        true
    }

    /// Which memory took the place of which.
    fn predecessors(&self) -> impl Iterator<Item = (u64, u64)> {
        let links = self.links.iter();
        let links = links.filter(|link| link.relation == "supersedes");
        links.map(|link| (link.source, link.target))
    }

    /// Ends a memory and all whose place it took.
    fn end_line(&mut self, number: u64, until: i64) {
        let mut line = vec![number];
        let mut place = 0;
        while let Some(number) = line.get(place).copied() {
            self.end(number, until);
            let before: Vec<u64> = self
                .predecessors()
                .filter(|(source, target)| *source == number && !line.contains(target))
                .map(|(_, target)| target)
                .collect();
            line.extend(before);
            place += 1;
        }
    }

    fn forget(&mut self, number: u64) {
        self.memories.retain(|known| known.id != number);
        self.links
            .retain(|link| link.source != number && link.target != number);
    }

    fn link(&mut self, mut new: Link) {
        let is_same = |old: &Link| {
            (old.source, old.relation, old.target) == (new.source, new.relation, new.target)
        };
        let (same, mut links): (Vec<Link>, Vec<Link>) = std::mem::take(&mut self.links)
            .into_iter()
            .partition(is_same);
        for mut old in same {
            if old.from > new.from {
                new.until = Some(new.until.map_or(old.from, |until| until.min(old.from)));
            } else if old.from == new.from {
                continue;
            } else if old.until.is_none_or(|until| until > new.from) {
                old.until = Some(new.from);
            }
            links.push(old);
        }
        links.push(new);
        self.links = links;
    }

    /// Does the same to both, and compares the answers.
    fn apply(&mut self, store: &MemoryStore, operation: &Operation) {
        match *operation {
            Operation::Remember(number, fact) => {
                let is_free = self.known(number).is_none();
                assert_eq!(store.remember(new_memory(number, fact)).is_ok(), is_free);
                if is_free {
                    self.remember(number, fact);
                }
            }
            Operation::Update(number, fact) => {
                let updated = store.update(id(number), new_memory(number, fact)).ok();
                let until = fact.length.map(|length| fact.from + length);
                let expected = self.known(number).map(|known| {
                    known.fact = fact;
                    known.until = until;
                    known.versions += 1;
                    known.versions as u32
                });
                assert_eq!(updated, expected);
            }
            Operation::Supersede { old, new, fact } => {
                let is_superseded = self.predecessors().any(|(_, target)| target == old);
                let is_possible =
                    self.known(old).is_some() && self.known(new).is_none() && !is_superseded;
                let superseded = store.supersede(id(old), new_memory(new, fact));
                assert_eq!(superseded.is_ok(), is_possible);
                if is_possible {
                    self.remember(new, fact);
                    self.end_line(old, fact.from);
                    self.link(Link {
                        source: new,
                        relation: "supersedes",
                        target: old,
                        from: fact.from,
                        until: None,
                        weight: 1.0,
                    });
                }
            }
            Operation::End(number, until) => {
                let ended = store.end(&namespace(), id(number), at(until), at(0)).ok();
                let expected = self
                    .known(number)
                    .is_some()
                    .then(|| self.end(number, until));
                assert_eq!(ended, expected);
            }
            Operation::Forget(number) => {
                let existed = self.known(number).is_some();
                self.forget(number);
                assert_eq!(store.forget(&namespace(), id(number)).unwrap(), existed);
            }
            Operation::Sweep(moment) => {
                let expired: Vec<u64> = self
                    .memories
                    .iter()
                    .filter(|known| known.fact.expires.is_some_and(|expires| expires <= moment))
                    .map(|known| known.id)
                    .collect();
                assert_eq!(store.sweep(at(moment)).unwrap(), expired.len() as u64);
                expired.into_iter().for_each(|id| self.forget(id));
            }
            Operation::Link {
                source,
                target,
                from,
                length,
                weight,
            } => {
                let mut edge = Edge::new(namespace(), id(source), relation("r"), id(target), at(0))
                    .valid_from(at(from))
                    .weight(f64::from(weight));
                edge.valid_until = length.map(|length| at(from + length));
                let has_ends = self.known(source).is_some() && self.known(target).is_some();
                assert_eq!(store.link(edge).is_ok(), has_ends);
                if has_ends {
                    self.link(Link {
                        source,
                        relation: "r",
                        target,
                        from,
                        until: length.map(|length| from + length),
                        weight: f64::from(weight),
                    });
                }
            }
            Operation::EndEdge(source, target, until) => {
                let holding = self.links.iter_mut().find(|link| {
                    (link.source, link.relation, link.target) == (source, "r", target)
                        && is_within(link.from, link.until, None, When::AsOf(at(until)))
                });
                let triple = (id(source), &relation("r"), id(target));
                let ended = store
                    .end_edge(&namespace(), triple, at(until), at(0))
                    .unwrap();
                assert_eq!(ended, holding.is_some());
                if let Some(link) = holding {
                    link.until = Some(until);
                }
            }
            Operation::Unlink(source, target) => {
                let before = self.links.len();
                self.links.retain(|link| {
                    (link.source, link.relation, link.target) != (source, "r", target)
                });
                let unlinked = store.unlink(&namespace(), id(source), &relation("r"), id(target));
                assert_eq!(unlinked.unwrap(), before > self.links.len());
            }
            Operation::Read(number) => {
                for moment in MOMENTS {
                    let read = store
                        .get_when(&namespace(), id(number), Moment::TrueAt(at(moment)))
                        .unwrap();
                    let found = self.found(When::AsOf(at(moment)));
                    assert_eq!(read.is_some(), found.iter().any(|known| known.id == number));
                }
            }
            Operation::Repair => assert!(store.repair().unwrap().is_clean()),
            Operation::Reopen | Operation::Transfer => {}
        }
    }

    fn found(&self, when: When) -> Vec<&Known> {
        let is_found =
            |known: &&Known| is_within(known.fact.from, known.until, known.fact.expires, when);
        let mut found: Vec<&Known> = self.memories.iter().filter(is_found).collect();
        found.sort_by_key(|known| known.id);
        found
    }

    /// Compares what every tier finds, at every moment.
    fn compare(&self, store: &MemoryStore) {
        let moments = MOMENTS.map(|moment| When::AsOf(at(moment)));
        for when in moments.chain([When::Current, When::Ever]) {
            let found = self.found(when);
            let sorted = |mut ids: Vec<u64>| {
                ids.sort_unstable();
                ids
            };
            let of = |pass: &dyn Fn(&Known) -> bool| -> Vec<u64> {
                let passing = found.iter().filter(|known| pass(known));
                passing.map(|known| known.id).collect()
            };
            let filter = Filter::new().when(when);
            let by_filter = listed(store, &namespace(), &filter);
            assert_eq!(sorted(ids(&by_filter)), of(&|_| true));
            for (word, text) in WORDS.iter().enumerate() {
                let matching = store
                    .recall(&namespace(), &found_when(any_word(text, 9), when))
                    .unwrap();
                let matching = ids(matching.iter().map(|found| &*found.memory));
                assert_eq!(sorted(matching), of(&|known| known.fact.word == word));
            }
            let similar = store
                .recall(&namespace(), &found_when(near_to(&[1.0, 1.0], 9), when))
                .unwrap();
            let similar = ids(similar.iter().map(|found| &*found.memory));
            assert_eq!(sorted(similar), of(&|known| known.fact.vector.is_some()));
            self.compare_edges(store, when);
        }
        for known in &self.memories {
            let history = store.history(&namespace(), id(known.id)).unwrap();
            assert_eq!(history.len(), known.versions);
        }
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.disagreements);
    }

    fn compare_edges(&self, store: &MemoryStore, when: When) {
        for number in IDS {
            let mut expected: Vec<Link> = self
                .links
                .iter()
                .filter(|link| link.source == number)
                .filter(|link| is_within(link.from, link.until, None, when))
                .cloned()
                .collect();
            expected.sort_by_key(|link| (link.relation, link.target, link.from));
            let edges = store.edges_of(&namespace(), id(number), Direction::Outgoing, when);
            let found: Vec<Link> = edges
                .iter()
                .map(|edge| Link {
                    source: edge.source.get(),
                    relation: if edge.relation == relation("r") {
                        "r"
                    } else {
                        "supersedes"
                    },
                    target: edge.target.get(),
                    from: edge.valid_from.as_millis(),
                    until: edge.valid_until.map(Timestamp::as_millis),
                    weight: edge.weight,
                })
                .collect();
            assert_eq!(found, expected);
            let reached = store
                .recall(
                    &namespace(),
                    &reached_by(&Traversal::new(id(number)).when(when)),
                )
                .unwrap();
            let mut reached = ids(reached.iter().map(|related| &*related.memory));
            reached.sort_unstable();
            let visible = self.found(when);
            let mut targets: Vec<u64> = expected
                .iter()
                .map(|link| link.target)
                .filter(|target| {
                    *target != number && visible.iter().any(|known| known.id == *target)
                })
                .collect();
            targets.sort_unstable();
            targets.dedup();
            assert_eq!(reached, targets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn facts_in_time_do_what_plain_lists_do(
        operations in proptest::collection::vec(operation(), 1..50),
    ) {
        let mut directory = tempfile::tempdir().unwrap();
        let mut store = MemoryStore::open(directory.path()).unwrap();
        let mut model = Model::default();
        for operation in &operations {
            if matches!(operation, Operation::Reopen) {
                drop(store);
                store = MemoryStore::open(directory.path()).unwrap();
            }
            if matches!(operation, Operation::Transfer) {
                let next = tempfile::tempdir().unwrap();
                store = super::transferred(&store, next.path());
                directory = next;
            }
            model.apply(&store, operation);
        }
        model.compare(&store);
        drop(store);
        model.compare(&MemoryStore::open(directory.path()).unwrap());
    }
}
