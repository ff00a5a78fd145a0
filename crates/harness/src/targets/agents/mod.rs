//! Agents that keep the state of their runs: they save it, load it, make checkpoints and go back to
//! them, over a pool of connections if need be, and through an outage.

mod outage;
mod pool;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use load_engine::{Digest, Failure, Found, Iteration, Rng, StepSpec, Workload};
use memory_store::{AgentRun, CheckpointId, Expected, Namespace, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::outage::MortalStore;
use self::pool::{Lease, Pool};
use super::data_feed::DataFeed;
use super::phased::{MixTable, Phased, Weights};
use super::registry::{DiskUse, LoadFacts, OpenContext, RegisteredTarget};
use crate::prove::{EffectsFound, found_in};
use crate::scenario::{KeyPath, Size, SpecError, Time};
use crate::{Journal, Target, clock};

const SAVE: StepSpec = StepSpec::effectful("save state");
const LOAD: StepSpec = StepSpec::new("load state");
const CHECKPOINT: StepSpec = StepSpec::effectful("checkpoint");
const RESTORE: StepSpec = StepSpec::effectful("restore");
const ACQUIRE: StepSpec = StepSpec::new("acquire connection");
const RECOVER: StepSpec = StepSpec::new("recover");

/// The kinds of the effects in the ledger.
const STATE: &str = "state";
const MADE: &str = "checkpoint";

/// The key of an agent's state in its run.
const KEY: &str = "state";

/// How many agents share a namespace, as those of a team do.
const TEAM: u32 = 10;

/// What says how many agents there are, for whoever reads the directory again.
const ROLL: &str = "agents.json";

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentOperation {
    Save,
    Load,
    Checkpoint,
    Restore,
}

impl AgentOperation {
    /// Each operation with its name in a mix.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("save", Self::Save),
        ("load", Self::Load),
        ("checkpoint", Self::Checkpoint),
        ("restore", Self::Restore),
    ];

    /// What agents do unless they are told: read most of the time, and write.
    pub(crate) fn usual() -> Weights<Self> {
        Weights::new(vec![(Self::Load, 60), (Self::Save, 40)]).expect("both have a weight")
    }

    fn step(self) -> StepSpec {
        match self {
            Self::Save => SAVE,
            Self::Load => LOAD,
            Self::Checkpoint => CHECKPOINT,
            Self::Restore => RESTORE,
        }
    }
}

/// How large a state is unless the file says.
const STATE_BYTES: u64 = 2_000;

/// The keys of `[target]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentOptions {
    /// How large an agent's state is (2KB).
    #[serde(default)]
    state_bytes: Option<Size>,
    /// How often each operation comes, in proportion to the others: save, load, checkpoint, restore.
    #[serde(default)]
    mix: MixTable,
    /// Connections that agents share (as many as are asked for).
    #[serde(default)]
    pool: Option<PoolOptions>,
    /// The phase in which the target is down: it is killed as the phase begins and recovers from what
    /// was on disk as it ends.
    #[serde(default)]
    down_in: Option<String>,
}

/// The target's keys in `[[phases]]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentPhaseOptions {
    /// The target's mix in this phase.
    #[serde(default)]
    mix: Option<MixTable>,
    /// How large an agent's state is in this phase.
    #[serde(default)]
    state_bytes: Option<Size>,
}

/// A bounded number of connections.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolOptions {
    /// How many there are.
    size: u32,
    /// How long an agent waits for one before it gives up.
    wait: Time,
    /// How long it keeps one beyond the operation, as in a transaction of several (not at all).
    #[serde(default)]
    hold: Option<Time>,
}

/// How agents behave.
#[derive(Debug, Clone)]
pub(crate) struct AgentUse {
    /// How many agents there are: users of the model.
    pub(crate) agents: u32,
    pub(crate) mix: Phased<Weights<AgentOperation>>,
    /// How large a state is, in bytes.
    pub(crate) state_bytes: Phased<u64>,
    pub(crate) pool: Option<PoolUse>,
    /// The number of the phase in which the store is down.
    pub(crate) down_in: Option<usize>,
}

/// A pool of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolUse {
    pub(crate) size: u32,
    pub(crate) wait: Duration,
    pub(crate) hold: Duration,
}

impl AgentUse {
    pub(crate) fn steps(&self) -> Vec<StepSpec> {
        let operations = AgentOperation::ALL.map(|(_, operation)| operation);
        // A restore needs a checkpoint, and each of the others a state that was saved.
        let needed = |operation| {
            self.mix.ever(operation)
                || operation == AgentOperation::Save
                || operation == AgentOperation::Checkpoint && self.mix.ever(AgentOperation::Restore)
        };
        let operations = operations
            .into_iter()
            .filter(|operation| needed(*operation));
        let acquire = self.pool.map(|_| ACQUIRE);
        let recover = self.down_in.map(|_| RECOVER);
        acquire
            .into_iter()
            .chain(operations.map(AgentOperation::step))
            .chain(recover)
            .collect()
    }
}

/// Agents over one store.
pub(crate) struct AgentsTarget {
    store: MortalStore,
    usage: AgentUse,
    pool: Option<(Pool, Duration)>,
    feed: Option<DataFeed>,
    journal: Journal,
}

/// One agent, and what it was told of its state.
#[derive(Debug)]
pub(crate) struct Agent {
    run: AgentRun,
    /// None before the first one, and after a write of which it was not told the end.
    state: Option<Digest>,
    checkpoint: Option<(CheckpointId, Digest)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Roll {
    agents: u32,
}

impl AgentsTarget {
    /// Lets the store die and come back when it is time.
    fn fate(&self, phase: usize, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let Some(down_in) = self.usage.down_in else {
            return Ok(());
        };
        if phase == down_in && !self.store.is_down() {
            return self.store.kill();
        }
        if phase > down_in && self.store.is_down() {
            return it.step(&RECOVER, |_| self.store.recover().map(drop));
        }
        Ok(())
    }

    fn lease(&self, it: &mut Iteration<'_>) -> Result<Option<Lease<'_>>, Failure> {
        match &self.pool {
            Some((pool, _)) => it.step(&ACQUIRE, |_| pool.acquire()).map(Some),
            None => Ok(None),
        }
    }

    fn save(&self, agent: &mut Agent, bytes: u64, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let content = self.content(bytes, it)?;
        let digest = Digest::of(&content);
        let key = agent.run.to_string();
        let known = agent.state.take();
        it.step(&SAVE, |effects| {
            if self.store.is_down() {
                // Nothing was asked of it, so nothing is in doubt.
                agent.state = known;
            }
            self.store.with(|store| {
                self.journal.attempted(effects, STATE, &key);
                store.put_state(&agent.run, KEY, content, Expected::Anything)?;
                self.journal.updated(effects, STATE, &key, digest);
                Ok(())
            })
        })?;
        agent.state = Some(digest);
        Ok(())
    }

    fn load(&self, agent: &Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&LOAD, |_| {
            let found = self
                .store
                .with(|store| Ok(store.state(&agent.run, KEY)?))?
                .ok_or_else(|| Failure::new("the state is not there"))?;
            match agent.state {
                Some(digest) if digest != Digest::of(&found.value) => {
                    Err(Failure::new("the state is not the one that was saved"))
                }
                _ => Ok(()),
            }
        })
    }

    fn checkpoint(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let label = format!("before turn {}", it.index());
        let id = it.step(&CHECKPOINT, |effects| {
            self.store.with(|store| {
                let id = store.checkpoint(&agent.run, label.as_str(), now())?;
                let key = checkpoint_key(&agent.run, id);
                let digest = checkpoint_digest(&label, agent.state);
                self.journal.created(effects, MADE, &key, digest);
                Ok(id)
            })
        })?;
        agent.checkpoint = agent.state.map(|digest| (id, digest));
        Ok(())
    }

    fn restore(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        if agent.checkpoint.is_none() {
            self.checkpoint(agent, it)?;
        }
        let (id, digest) = agent
            .checkpoint
            .ok_or_else(|| Failure::new("no checkpoint to go back to"))?;
        let key = agent.run.to_string();
        let known = agent.state.take();
        it.step(&RESTORE, |effects| {
            if self.store.is_down() {
                agent.state = known;
            }
            self.store.with(|store| {
                self.journal.attempted(effects, STATE, &key);
                store.restore(&agent.run, id)?;
                self.journal.updated(effects, STATE, &key, digest);
                Ok(())
            })
        })?;
        agent.state = Some(digest);
        Ok(())
    }

    /// A state: the next record of the data while there is one, and then random text.
    fn content(&self, bytes: u64, it: &mut Iteration<'_>) -> Result<Vec<u8>, Failure> {
        if let Some(feed) = &self.feed {
            let record = feed.next()?;
            it.check("the data had another record", record.is_some());
            if let Some(record) = record {
                return Ok(record.into_bytes());
            }
        }
        Ok(random_text(bytes, it.rng()))
    }
}

/// Text that no compression makes much smaller than half.
fn random_text(bytes: u64, rng: &mut Rng) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = bytes as usize;
    let mut text = Vec::with_capacity(bytes + 16);
    while text.len() < bytes {
        let mut number = rng.next_u64();
        for _ in 0..16 {
            text.push(HEX[(number & 15) as usize]);
            number >>= 4;
        }
    }
    text.truncate(bytes);
    text
}

fn agent_run(user: u32) -> Result<AgentRun, Failure> {
    let team = Namespace::new(format!("team-{}", user / TEAM))?;
    Ok(AgentRun::new(team, format!("agent-{user}"), "run")?)
}

fn checkpoint_key(run: &AgentRun, id: CheckpointId) -> String {
    format!("{run}#{id}")
}

/// A checkpoint is its label and the state that it keeps: so a state is proven by each checkpoint that was
/// made of it, also when it was written over since.
fn checkpoint_digest(label: &str, state: Option<Digest>) -> Digest {
    let state = state.map_or_else(|| "none".to_owned(), |state| state.to_string());
    Digest::of(format!("{state} {label}").as_bytes())
}

fn now() -> Timestamp {
    Timestamp::from_micros(clock::now_micros())
}

impl Workload for AgentsTarget {
    type User = Agent;

    fn steps(&self) -> Vec<StepSpec> {
        self.usage.steps()
    }

    fn set_up(&self, user: u32) -> Result<Agent, Failure> {
        Ok(Agent {
            run: agent_run(user)?,
            state: None,
            checkpoint: None,
        })
    }

    fn iterate(&self, agent: &mut Agent, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let phase = it.phase_now();
        self.fate(phase, it)?;
        let operation = self.usage.mix.at(phase).draw(it.rng());
        let bytes = *self.usage.state_bytes.at(phase);
        let lease = self.lease(it)?;
        if agent.state.is_none() && operation != AgentOperation::Save {
            self.save(agent, bytes, it)?;
        }
        match operation {
            AgentOperation::Save => self.save(agent, bytes, it)?,
            AgentOperation::Load => self.load(agent, it)?,
            AgentOperation::Checkpoint => self.checkpoint(agent, it)?,
            AgentOperation::Restore => self.restore(agent, it)?,
        }
        if let Some((_, hold)) = &self.pool
            && !hold.is_zero()
        {
            // The agent works on with its connection in hand, as in a transaction.
            thread::sleep(*hold);
        }
        drop(lease);
        Ok(())
    }
}

impl Target for AgentsTarget {
    fn close(self) -> Result<(), Failure> {
        self.store.close()
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        let runs = (0..self.usage.agents).map(agent_run);
        Ok(Box::new(runs.flat_map(|run| {
            found_in(run.and_then(|run| self.effects_of(&run)))
        })))
    }
}

impl AgentsTarget {
    fn effects_of(&self, run: &AgentRun) -> Result<Vec<Found>, Failure> {
        self.store.with(|store| {
            let mut found = Vec::new();
            for key in store.state_keys(run)? {
                // Nobody wrote another key, so one that is there has to be told of.
                let name = if key == KEY {
                    run.to_string()
                } else {
                    format!("{run}:{key}")
                };
                if let Some(state) = store.state(run, &key)? {
                    found.push(Found::new(STATE, name, Digest::of(&state.value)));
                }
            }
            for checkpoint in store.checkpoints(run)? {
                let state = store.state_at(run, checkpoint.id, KEY)?;
                let state = state.map(|state| Digest::of(&state.value));
                let digest = checkpoint_digest(&checkpoint.label, state);
                let key = checkpoint_key(run, checkpoint.id);
                found.push(Found::new(MADE, key, digest));
            }
            Ok(found)
        })
    }
}

impl RegisteredTarget for AgentsTarget {
    const NAME: &'static str = "agents";
    const TAKES_DATA: bool = true;
    type Options = AgentOptions;
    type PhaseOptions = AgentPhaseOptions;
    type Prepared = AgentUse;

    fn prepare(
        options: AgentOptions,
        phases: Vec<AgentPhaseOptions>,
        load: &LoadFacts,
    ) -> Result<AgentUse, SpecError> {
        let mixes = phases.iter().map(|phase| phase.mix.as_ref());
        let mix = Phased::of_mixes(&options.mix, mixes, load, &AgentOperation::ALL)?;
        let down_in = KeyPath::to("target").then("down_in");
        let down_in = options
            .down_in
            .map(|name| load.phase_number(&name, &down_in));
        Ok(AgentUse {
            agents: load.users,
            mix: mix.unwrap_or_else(|| Phased::always(AgentOperation::usual())),
            state_bytes: Phased {
                usual: options.state_bytes.map_or(STATE_BYTES, |size| size.0),
                by_phase: phases
                    .iter()
                    .map(|phase| phase.state_bytes.map(|size| size.0))
                    .collect(),
            },
            pool: options.pool.map(PoolOptions::checked).transpose()?,
            down_in: down_in.transpose()?,
        })
    }

    fn steps(prepared: &AgentUse) -> Vec<StepSpec> {
        prepared.steps()
    }

    fn disk_use(prepared: &AgentUse) -> DiskUse {
        let sizes = prepared.state_bytes.by_phase.iter().flatten();
        let largest = sizes.chain([&prepared.state_bytes.usual]).max();
        DiskUse {
            bytes_per_iteration: largest.copied().unwrap_or(0),
            ..DiskUse::default()
        }
    }

    fn open(dir: &Path, prepared: &AgentUse, context: OpenContext) -> Result<Self, Failure> {
        let roll = Roll {
            agents: prepared.agents,
        };
        fs::write(dir.join(ROLL), serde_json::to_vec(&roll)?)?;
        Ok(Self {
            store: MortalStore::open(dir)?,
            pool: prepared
                .pool
                .map(|pool| (Pool::new(pool.size, pool.wait), pool.hold)),
            usage: prepared.clone(),
            feed: context.data,
            journal: context.journal,
        })
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        let roll: Roll = serde_json::from_slice(&fs::read(dir.join(ROLL))?)?;
        let usage = AgentUse {
            agents: roll.agents,
            mix: Phased::always(AgentOperation::usual()),
            state_bytes: Phased::always(0),
            pool: None,
            down_in: None,
        };
        RegisteredTarget::open(dir, &usage, OpenContext::default())
    }
}

impl PoolOptions {
    fn checked(self) -> Result<PoolUse, SpecError> {
        if self.size == 0 {
            let at = KeyPath::to("target").then("pool").then("size");
            return Err(SpecError::new(at, "a pool has at least one connection"));
        }
        Ok(PoolUse {
            size: self.size,
            wait: self.wait.0,
            hold: self.hold.map(|hold| hold.0).unwrap_or_default(),
        })
    }
}
