use std::collections::BTreeSet;

use action::Action;
use serde::{Deserialize, Serialize};

use crate::assess::compare::StepDifference;
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::plan::workflow::Workflow;
use crate::run::report::PredictedOutcome;
use crate::run::simulator::Simulator;
use crate::world::World;
use crate::world::change::Change;
use crate::world::fact::{Fact, Key};
use action::Timestamp;

/// An action that an audit log says was executed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Executed {
    /// Its name in the log, such as the id of the request that it was approved by. Unique.
    pub id: StepId,
    /// When it was executed.
    pub at: Timestamp,
    /// What was executed, with the parameters that it had then.
    pub action: Action,
    /// Whether whoever executed it was told of a failure. It is then taken to have had no effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// What an audit log says happened, played again: the world at any moment of it, and what would
/// have come of it if some of the actions had been denied.
///
/// It is as good as the handlers are: an action of which they know nothing, that failed, or that
/// was executed although it should have failed, is listed as doubtful wherever it matters.
///
/// ```
/// use action::{Action, ActionPath};
/// use forensic_simulator::{Executed, Replay, Simulator, Timestamp, World};
///
/// let simulator = Simulator::builder().builtins().build()?;
/// let adjust = |id: &str, at, by: i32| -> Result<Executed, action::Error> {
///     Ok(Executed {
///         id: id.into(),
///         at: Timestamp::from_micros(at),
///         action: Action::new(ActionPath::new("kv/adjust")?, "Adjust")
///             .with_parameter("key", "stock")
///             .with_parameter("by", by),
///         failed: false,
///     })
/// };
/// let log = [adjust("order-1", 10, -3)?, adjust("order-2", 20, -4)?];
/// let replay = Replay::new(&simulator, World::from_iter([("stock", 10)]), log)?;
/// let then = replay.world_at(Timestamp::from_micros(10));
/// assert_eq!(then.world.get("stock"), Some(&7.into()));
///
/// let denied = replay.had_been_denied(["order-1"])?;
/// assert_eq!(denied.keys[0].denied, Some(6.into())); // instead of 3
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replay<'a> {
    simulator: &'a Simulator,
    start: World,
    played: Vec<Played>,
}

#[derive(Debug)]
struct Played {
    executed: Executed,
    /// The action alone.
    plan: Plan,
    outcome: PredictedOutcome,
    changes: Vec<Change>,
}

/// The world at a moment of the past.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Moment {
    /// What is known of it.
    pub world: World,
    /// The actions up to then that may have done something else than the world shows.
    pub doubtful: Vec<StepId>,
}

/// What would have been, had actions been denied.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counterfactual {
    /// The actions that would have ended in another way, without those that were denied.
    pub steps: Vec<StepDifference>,
    /// The keys that would be other than they are at the end of the log, sorted.
    pub keys: Vec<KeyInBoth>,
    /// The actions of which too little is known for a comparison: those that are doubtful in one of
    /// the two.
    pub doubtful: Vec<StepId>,
}

/// A key that would be another. `None` is a key that does not exist.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyInBoth {
    /// The key.
    pub key: Key,
    /// What it is at the end of the log.
    pub executed: Option<Fact>,
    /// What it would be, had the actions been denied.
    pub denied: Option<Fact>,
}

impl<'a> Replay<'a> {
    /// Plays what was executed, in the order of the log, in the world as it was before.
    ///
    /// # Errors
    ///
    /// [`Error::Replay`] if an id is there twice or the time goes back; else as [`Plan::new`].
    pub fn new(
        simulator: &'a Simulator,
        start: World,
        executed: impl IntoIterator<Item = Executed>,
    ) -> Result<Self, Error> {
        let mut replay = Self {
            simulator,
            start,
            played: Vec::new(),
        };
        let mut world = replay.start.clone();
        let mut ids = BTreeSet::new();
        for executed in executed {
            if !ids.insert(executed.id.clone()) {
                return Err(wrong(&executed.id, "it was executed before"));
            }
            let last = replay.played.last();
            if last.is_some_and(|last| last.executed.at > executed.at) {
                return Err(wrong(&executed.id, "it is earlier than the one before it"));
            }
            let workflow =
                Workflow::new("replay").step(executed.id.clone(), executed.action.clone());
            let plan = simulator.check(workflow)?;
            let (outcome, changes) = play(simulator, &plan, &executed, &world);
            world.apply(&changes);
            replay.played.push(Played {
                executed,
                plan,
                outcome,
                changes,
            });
        }
        Ok(replay)
    }

    /// The world at a moment: after everything that was executed then or before.
    #[must_use]
    pub fn world_at(&self, at: Timestamp) -> Moment {
        let count = self
            .played
            .partition_point(|played| played.executed.at <= at);
        self.world_after(count)
    }

    /// The world after so many actions of the log, or all of them if there are not so many.
    #[must_use]
    pub fn world_after(&self, count: usize) -> Moment {
        let played = &self.played[..count.min(self.played.len())];
        let mut world = self.start.clone();
        for played in played {
            world.apply(&played.changes);
        }
        let doubtful = played
            .iter()
            .filter(|played| is_doubtful(&played.executed, played.outcome));
        Moment {
            world,
            doubtful: doubtful.map(|played| played.executed.id.clone()).collect(),
        }
    }

    /// The actions that wrote a key, in the order of the log, each with what it changed.
    pub fn history<'r>(&'r self, key: &'r str) -> impl Iterator<Item = (&'r Executed, &'r Change)> {
        self.played.iter().flat_map(move |played| {
            let of_key = played.changes.iter();
            let of_key = of_key.filter(move |change| change.key.as_str() == key);
            of_key.map(move |change| (&played.executed, change))
        })
    }

    /// Plays the log without some of its actions. The others are executed all the same, at the
    /// same moments: whether someone would have decided otherwise is not part of a log.
    ///
    /// # Errors
    ///
    /// [`Error::Replay`] for an id that is not in the log.
    pub fn had_been_denied<I: AsRef<str>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Counterfactual, Error> {
        let mut denied = BTreeSet::new();
        for id in ids {
            let mut played = self.played.iter();
            let found = played.position(|played| played.executed.id.as_str() == id.as_ref());
            denied.insert(found.ok_or_else(|| wrong(&id.as_ref().into(), "it is not in the log"))?);
        }
        // Up to the first one nothing is different.
        let first = denied.first().copied().unwrap_or(self.played.len());
        let mut world = self.world_after(first).world;
        let mut other = world.clone();
        let mut touched: BTreeSet<Key> = BTreeSet::new();
        let (mut steps, mut doubtful) = (Vec::new(), Vec::new());
        for (index, played) in self.played.iter().enumerate().skip(first) {
            let executed = &played.executed;
            world.apply(&played.changes);
            touched.extend(played.changes.iter().map(|change| change.key.clone()));
            let mut is_open = is_doubtful(executed, played.outcome);
            if !denied.contains(&index) {
                let (outcome, changes) = play(self.simulator, &played.plan, executed, &other);
                other.apply(&changes);
                touched.extend(changes.into_iter().map(|change| change.key));
                is_open |= outcome == PredictedOutcome::Unknown;
                if outcome != played.outcome {
                    steps.push(StepDifference {
                        step: executed.id.clone(),
                        first: Some(played.outcome),
                        second: Some(outcome),
                    });
                }
            }
            if is_open {
                doubtful.push(executed.id.clone());
            }
        }
        let keys = touched.into_iter().map(|key| KeyInBoth {
            executed: world.get(key.as_str()).cloned(),
            denied: other.get(key.as_str()).cloned(),
            key,
        });
        Ok(Counterfactual {
            steps,
            keys: keys.filter(|key| key.executed != key.denied).collect(),
            doubtful,
        })
    }
}

/// What one action does in a world. One that failed does nothing.
fn play(
    simulator: &Simulator,
    plan: &Plan,
    executed: &Executed,
    world: &World,
) -> (PredictedOutcome, Vec<Change>) {
    let mut report = simulator.simulate(plan, world, executed.at);
    match report.steps.pop() {
        Some(step) if !executed.failed => (step.outcome, step.changes),
        Some(step) => (step.outcome, Vec::new()),
        None => (PredictedOutcome::Unknown, Vec::new()),
    }
}

/// Whether an action may have done something else than was played: it failed, or it was executed
/// although nothing but its success is modelled.
fn is_doubtful(executed: &Executed, outcome: PredictedOutcome) -> bool {
    executed.failed || !matches!(outcome, PredictedOutcome::Success)
}

fn wrong(id: &StepId, reason: &'static str) -> Error {
    Error::Replay {
        id: id.clone(),
        reason,
    }
}
