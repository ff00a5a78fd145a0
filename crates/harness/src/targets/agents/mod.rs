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
use serde::{Deserialize, Serialize};

use self::outage::MortalStore;
use self::pool::{Lease, Pool};
use super::data_feed::DataFeed;
use super::phased::{Phased, Weights};
use crate::proof::EffectsFound;
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

/// How agents behave.
#[derive(Debug, Clone)]
pub(crate) struct AgentOptions {
    /// How many agents there are: users of the model.
    pub(crate) agents: u32,
    pub(crate) mix: Phased<Weights<AgentOperation>>,
    /// How large a state is, in bytes.
    pub(crate) state_bytes: Phased<u64>,
    pub(crate) pool: Option<PoolOptions>,
    /// The number of the phase in which the store is down.
    pub(crate) down_in: Option<usize>,
}

/// A pool of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolOptions {
    pub(crate) size: u32,
    pub(crate) wait: Duration,
    pub(crate) hold: Duration,
}

impl AgentOptions {
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
    options: AgentOptions,
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
    pub(crate) fn open(
        dir: &Path,
        options: AgentOptions,
        feed: Option<DataFeed>,
        journal: Journal,
    ) -> Result<Self, Failure> {
        let roll = Roll {
            agents: options.agents,
        };
        fs::write(dir.join(ROLL), serde_json::to_vec(&roll)?)?;
        Ok(Self {
            store: MortalStore::open(dir)?,
            pool: options
                .pool
                .map(|pool| (Pool::new(pool.size, pool.wait), pool.hold)),
            options,
            feed,
            journal,
        })
    }

    /// Opens what a load left, only to read it.
    pub(crate) fn reopen(dir: &Path) -> Result<Self, Failure> {
        let roll: Roll = serde_json::from_slice(&fs::read(dir.join(ROLL))?)?;
        let options = AgentOptions {
            agents: roll.agents,
            mix: Phased::always(AgentOperation::usual()),
            state_bytes: Phased::always(0),
            pool: None,
            down_in: None,
        };
        Self::open(dir, options, None, Journal::none())
    }

    /// Lets the store die and come back when it is time.
    fn fate(&self, phase: usize, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let Some(down_in) = self.options.down_in else {
            return Ok(());
        };
        if phase == down_in && !self.store.is_down() {
            return self.store.kill();
        }
        if phase > down_in && self.store.is_down() {
            return it.step(RECOVER, |_| self.store.recover().map(drop));
        }
        Ok(())
    }

    fn lease(&self, it: &mut Iteration<'_>) -> Result<Option<Lease<'_>>, Failure> {
        match &self.pool {
            Some((pool, _)) => it.step(ACQUIRE, |_| pool.acquire()).map(Some),
            None => Ok(None),
        }
    }

    fn save(&self, agent: &mut Agent, bytes: u64, it: &mut Iteration<'_>) -> Result<(), Failure> {
        let content = self.content(bytes, it)?;
        let digest = Digest::of(&content);
        let key = agent.run.to_string();
        let known = agent.state.take();
        it.step(SAVE, |effects| {
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
        it.step(LOAD, |_| {
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
        let id = it.step(CHECKPOINT, |effects| {
            self.store.with(|store| {
                let id = store.checkpoint(&agent.run, label.as_str(), now())?;
                let key = checkpoint_key(&agent.run, id);
                let digest = Digest::of(label.as_bytes());
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
        it.step(RESTORE, |effects| {
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

fn now() -> Timestamp {
    Timestamp::from_unix_millis(clock::now_micros().div_euclid(1000))
}

impl Workload for AgentsTarget {
    type User = Agent;

    fn steps(&self) -> Vec<StepSpec> {
        self.options.steps()
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
        let operation = self.options.mix.at(phase).draw(it.rng());
        let bytes = *self.options.state_bytes.at(phase);
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
        let runs = (0..self.options.agents).map(agent_run);
        Ok(Box::new(runs.flat_map(|run| {
            let found = run.and_then(|run| self.effects_of(&run));
            match found {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(failure) => vec![Err(failure)],
            }
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
                let digest = Digest::of(checkpoint.label.as_bytes());
                let key = checkpoint_key(run, checkpoint.id);
                found.push(Found::new(MADE, key, digest));
            }
            Ok(found)
        })
    }
}
