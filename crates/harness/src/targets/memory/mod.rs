mod turns;

use std::path::Path;

use load_engine::{Digest, Failure, Found, Iteration, Rng, StepSpec, Workload};
use memory_store::{
    Edge, Entries, Entry, Filter, Memory, MemoryDigest, MemoryId, MemoryStore, Namespace,
    NewMemory, Query, Relation, Timestamp, Traversal,
};

use self::turns::{MemoryOptions, MemoryUse, Turn};
use super::phased::{PhaseMix, Phased};
use super::registry::{LoadFacts, OpenContext, RegisteredTarget};
use crate::prove::{EffectsFound, found_in};
use crate::scenario::SpecError;
use crate::{Journal, Target, clock};

const REMEMBER: StepSpec = StepSpec::effectful("remember");
const GET: StepSpec = StepSpec::new("get from the cache");
const LINK: StepSpec = StepSpec::effectful("link");
const RELATED: StepSpec = StepSpec::new("recall related");
const SIMILAR: StepSpec = StepSpec::new("recall similar");
const WHERE: StepSpec = StepSpec::new("recall by metadata");
const UPDATE: StepSpec = StepSpec::effectful("update");
const FORGET: StepSpec = StepSpec::effectful("forget");

/// The kinds of the effects in the ledger.
const MEMORY: &str = "memory";
const EDGE: &str = "edge";

/// Numbers in a vector: few, since the load is on the tiers and not on the arithmetic.
const DIMENSIONS: usize = 64;

/// How many users share a namespace, as the agents of a team do.
const TEAM: u32 = 10;

/// Remembers, links, recalls by every tier, and forgets.
pub struct MemoryTarget {
    store: MemoryStore,
    journal: Journal,
    relation: Relation,
    usage: MemoryUse,
}

/// What one user knows of its own memories.
#[derive(Debug)]
pub struct Agent {
    namespace: Namespace,
    name: String,
    memories: Vec<Own>,
}

#[derive(Debug, Clone)]
struct Own {
    id: MemoryId,
    digest: MemoryDigest,
    vector: Vec<f32>,
    version: u32,
}

impl MemoryTarget {
    /// How many turns a user has in a load of full size.
    pub const OPERATIONS_PER_USER: u64 = 27;

    fn remember(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<Own, Failure> {
        let vector = direction(it.rng());
        let text = format!("{} saw {:016x}", agent.name, it.rng().next_u64());
        let memory = NewMemory::new(agent.namespace.clone(), text, now())
            .tag("load")
            .attribute("agent", agent.name.as_str())
            .vector(vector.clone());
        let digest = memory.digest();
        let own = it.step(&REMEMBER, |effects| {
            let id = self.store.remember(memory)?;
            let key = memory_key(&agent.namespace, id, FIRST);
            self.journal
                .created(effects, MEMORY, &key, ledger_digest(digest));
            Ok(Own {
                id,
                digest,
                vector,
                version: FIRST,
            })
        })?;
        agent.memories.push(own.clone());
        Ok(own)
    }

    /// Corrects one of the user's memories. What was known before stays in its history, so each version is
    /// a thing of its own, to be found after the load.
    fn update(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let own = agent.any(it.rng())?;
        // Until the update is acknowledged nobody knows which version it has.
        agent.memories.retain(|kept| kept.id != own.id);
        let text = format!("{} saw {:016x} after all", agent.name, it.rng().next_u64());
        let memory = NewMemory::new(agent.namespace.clone(), text, now())
            .tag("load")
            .attribute("agent", agent.name.as_str())
            .vector(own.vector.clone());
        let digest = memory.digest();
        let key = memory_key(&agent.namespace, own.id, own.version + 1);
        let version = it.step(&UPDATE, |effects| {
            self.journal.attempted(effects, MEMORY, &key);
            let version = self.store.update_if(own.id, own.version, memory)?;
            self.journal
                .created(effects, MEMORY, &key, ledger_digest(digest));
            Ok(version)
        })?;
        agent.memories.push(Own {
            digest,
            version,
            ..own
        });
        Ok(())
    }

    fn get(&self, agent: &Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let own = agent.any(it.rng())?;
        it.step(&GET, |_| {
            match self.store.get(&agent.namespace, own.id)? {
                Some(found) if found.digest() == own.digest => Ok(()),
                Some(_) => Err(Failure::new("the memory is not as it was remembered")),
                None => Err(Failure::new("the memory is not there")),
            }
        })
    }

    fn relate(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let source = agent.any(it.rng())?;
        let target = self.remember(agent, it)?;
        self.link(agent, &source, &target, it)?;
        it.step(&RELATED, |_| {
            let related = self
                .store
                .recall(&agent.namespace, &neighbours(source.id))?;
            expect(
                related.iter().any(|found| found.memory.id == target.id),
                "the linked memory",
            )
        })
    }

    fn link(
        &self,
        agent: &Agent,
        source: &Own,
        target: &Own,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        let (namespace, relation) = (agent.namespace.clone(), self.relation.clone());
        let edge = Edge::new(namespace, source.id, relation, target.id, now());
        it.step(&LINK, |effects| {
            let (key, digest) = (edge_key(&edge), ledger_digest(edge.digest()));
            self.store.link(edge)?;
            self.journal.created(effects, EDGE, &key, digest);
            Ok(())
        })
    }

    fn similar(&self, agent: &Agent, own: &Own, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&SIMILAR, |_| {
            let nearest = self.store.recall(&agent.namespace, &nearest(&own.vector))?;
            let first = nearest.first().map(|found| found.memory.id);
            expect(
                first == Some(own.id),
                "the memory whose vector was asked for, in the first place",
            )
        })
    }

    fn by_metadata(&self, agent: &Agent, own: &Own, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&WHERE, |_| {
            let filter = Filter::new()
                .tag("load")
                .attribute("agent", agent.name.as_str());
            let query = Query::new().only(filter).limit(1_000);
            let found = self.store.recall(&agent.namespace, &query)?;
            expect(
                found.iter().any(|found| found.memory.id == own.id),
                "the memory with its attribute",
            )
        })
    }

    /// One memory through all tiers, and out of all of them again.
    fn across(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let anchor = agent.any(it.rng())?;
        let own = self.remember(agent, it)?;
        self.link(agent, &anchor, &own, it)?;
        self.similar(agent, &own, it)?;
        self.by_metadata(agent, &own, it)?;
        agent.memories.retain(|kept| kept.id != own.id);
        self.forget(agent, &anchor, &own, it)?;
        self.is_gone(agent, &anchor, &own, it)?;
        self.update(agent, it)
    }

    fn forget(
        &self,
        agent: &Agent,
        anchor: &Own,
        own: &Own,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        // The edge goes with its end.
        let (namespace, relation) = (agent.namespace.clone(), self.relation.clone());
        let edge = edge_key(&Edge::new(namespace, anchor.id, relation, own.id, now()));
        let memory = memory_key(&agent.namespace, own.id, own.version);
        it.step(&FORGET, |effects| {
            self.journal.attempted(effects, MEMORY, &memory);
            self.journal.attempted(effects, EDGE, &edge);
            expect(
                self.store.forget(&agent.namespace, own.id)?,
                "the memory to be forgotten",
            )?;
            self.journal.removed(effects, MEMORY, &memory);
            self.journal.removed(effects, EDGE, &edge);
            Ok(())
        })
    }

    fn is_gone(
        &self,
        agent: &Agent,
        anchor: &Own,
        own: &Own,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        let namespace = &agent.namespace;
        it.step(&GET, |_| {
            expect(
                self.store.get(namespace, own.id)?.is_none(),
                "no forgotten memory in the cache",
            )
        })?;
        it.step(&SIMILAR, |_| {
            let nearest = self.store.recall(namespace, &nearest(&own.vector))?;
            let ghost = nearest.iter().any(|found| found.memory.id == own.id);
            expect(!ghost, "no forgotten memory among the similar ones")
        })?;
        it.step(&RELATED, |_| {
            let related = self.store.recall(namespace, &neighbours(anchor.id))?;
            let ghost = related.iter().any(|found| found.memory.id == own.id);
            expect(!ghost, "no forgotten memory among the related ones")
        })
    }
}

/// A query for the three vectors nearest to one.
fn nearest(vector: &[f32]) -> Query {
    Query::new().vector(vector.to_vec()).limit(3)
}

/// A query for all that edges lead to from a memory.
fn neighbours(id: MemoryId) -> Query {
    Query::new().related(Traversal::new(id)).limit(usize::MAX)
}

impl Agent {
    fn any(&self, rng: &mut Rng) -> Result<Own, Failure> {
        let count = self.memories.len() as u64;
        let at = rng.next_u64().checked_rem(count).unwrap_or(0) as usize;
        // Only when every attempt to remember failed, which is counted already.
        self.memories
            .get(at)
            .cloned()
            .ok_or_else(|| Failure::new("no memory to work with"))
    }
}

impl Workload for MemoryTarget {
    type User = Agent;

    fn steps(&self) -> Vec<StepSpec> {
        self.usage.steps()
    }

    fn set_up(&self, user: u32) -> Result<Agent, Failure> {
        let namespace = Namespace::new(format!("team-{}", user / TEAM))?;
        Ok(Agent {
            namespace,
            name: format!("agent-{user}"),
            memories: Vec::new(),
        })
    }

    fn iterate(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        if agent.memories.is_empty() {
            self.remember(agent, it)?;
        }
        match self.usage.turn(it) {
            Turn::Cache => self.get(agent, it),
            Turn::Relations => self.relate(agent, it),
            Turn::Similarity => {
                let own = agent.any(it.rng())?;
                self.similar(agent, &own, it)
            }
            Turn::Metadata => {
                let own = self.remember(agent, it)?;
                self.by_metadata(agent, &own, it)
            }
            Turn::Update => self.update(agent, it),
            Turn::Across => self.across(agent, it),
        }
    }
}

impl Target for MemoryTarget {
    fn close(self) -> Result<(), Failure> {
        Ok(self.store.close()?)
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        // What the tiers that are derived hold is part of what is there.
        let report = self.store.check()?;
        let disagreements = report
            .disagreements
            .into_iter()
            .map(|found| Err(Failure::new(format!("tiers disagree: {found}"))));
        let mut entries = self.store.iter_all()?;
        let proven = std::iter::from_fn(move || {
            let entry = entries.next()?.map_err(Failure::from);
            Some(entry.and_then(|entry| proven(&entry, &entries)))
        });
        Ok(Box::new(disagreements.chain(proven.flat_map(found_in))))
    }
}

impl RegisteredTarget for MemoryTarget {
    const NAME: &'static str = "memory";
    type Options = MemoryOptions;
    type PhaseOptions = PhaseMix;
    type Prepared = MemoryUse;

    fn prepare(
        options: MemoryOptions,
        phases: Vec<PhaseMix>,
        load: &LoadFacts,
    ) -> Result<MemoryUse, SpecError> {
        Ok(MemoryUse {
            mix: Phased::mixes(&options.mix, &phases, load, &Turn::ALL)?,
        })
    }

    fn steps(prepared: &MemoryUse) -> Vec<StepSpec> {
        prepared.steps()
    }

    fn open(dir: &Path, prepared: &MemoryUse, context: OpenContext) -> Result<Self, Failure> {
        Ok(Self {
            store: MemoryStore::open(dir)?,
            journal: context.journal,
            relation: Relation::new("follows")?,
            usage: prepared.clone(),
        })
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        RegisteredTarget::open(dir, &MemoryUse::default(), OpenContext::default())
    }
}

/// What an entry proves: of a memory that was updated, each version that is known of it.
fn proven(entry: &Entry, all: &Entries) -> Result<Vec<Found>, Failure> {
    let one = match entry {
        Entry::Edge(edge, digest) => Found::new(EDGE, edge_key(edge), ledger_digest(*digest)),
        Entry::Memory(memory, _) if memory.version > FIRST => return versions(memory, all),
        Entry::Memory(memory, digest) => found(memory, *digest),
        _ => Found::new(
            "entry of an unknown kind",
            format!("{entry:?}"),
            Digest::of(b""),
        ),
    };
    Ok(vec![one])
}

fn versions(memory: &Memory, all: &Entries) -> Result<Vec<Found>, Failure> {
    let history = all.history(&memory.namespace, memory.id)?;
    if history.last().map(|version| &version.fact) != Some(memory) {
        return Err(Failure::new(format!(
            "memory {}/{} is not the last of its history",
            memory.namespace, memory.id
        )));
    }
    let versions = history.iter().map(|version| &version.fact);
    Ok(versions
        .map(|version| found(version, version.digest()))
        .collect())
}

fn found(memory: &Memory, digest: MemoryDigest) -> Found {
    let key = memory_key(&memory.namespace, memory.id, memory.version);
    Found::new(MEMORY, key, ledger_digest(digest))
}

/// The version that a memory has when it was never updated.
const FIRST: u32 = 1;

fn memory_key(namespace: &Namespace, id: MemoryId, version: u32) -> String {
    match version {
        FIRST => format!("{namespace}/{id}"),
        later => format!("{namespace}/{id}@{later}"),
    }
}

fn edge_key(edge: &Edge) -> String {
    let Edge {
        namespace,
        source,
        relation,
        target,
        ..
    } = edge;
    format!("{namespace}/{source}-{relation}->{target}")
}

fn ledger_digest(digest: MemoryDigest) -> Digest {
    Digest::from_blake3(*digest.as_bytes())
}

fn expect(holds: bool, what: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(format!("expected {what}")))
    }
}

/// A random vector of no particular length.
fn direction(rng: &mut Rng) -> Vec<f32> {
    (0..DIMENSIONS)
        .map(|_| (rng.next_u64() >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
        .collect()
}

fn now() -> Timestamp {
    Timestamp::from_micros(clock::now_micros())
}
