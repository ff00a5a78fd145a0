use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::step_id::StepId;
use crate::run::report::{PredictedOutcome, SimulationReport};
use crate::world::change::Change;
use crate::world::fact::{Fact, Key};

/// How a second report differs from a first one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Whether both are of the same plan.
    pub same_plan: bool,
    /// Whether both read the same things from their worlds.
    pub same_world: bool,
    /// Whether both would have the same effects, in the same order.
    pub same_effects: bool,
    /// The outcomes of the two.
    pub outcomes: (PredictedOutcome, PredictedOutcome),
    /// The steps whose outcome differs, or that only one of them has; in the order of the first
    /// report, then of the second.
    pub steps: Vec<StepDifference>,
    /// The keys that the two would leave differently, sorted.
    pub keys: Vec<KeyDifference>,
    /// Likely duration of the second less that of the first, in microseconds.
    pub duration_us: i128,
    /// Likely cost of the second less that of the first, in millionths of the unit.
    pub cost_micros: i128,
}

/// A step that differs. `None` is a report without that step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDifference {
    /// The step.
    pub step: StepId,
    /// Its outcome in the first report.
    pub first: Option<PredictedOutcome>,
    /// Its outcome in the second.
    pub second: Option<PredictedOutcome>,
}

/// A key that the two plans leave differently. `None` is a plan that leaves it as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyDifference {
    /// The key.
    pub key: Key,
    /// What the first plan would make of it.
    pub first: Option<Change>,
    /// What the second would.
    pub second: Option<Change>,
}

impl Comparison {
    /// Compares two reports.
    ///
    /// ```
    /// # use action::{Action, ActionPath};
    /// # use forensic_simulator::{Comparison, PredictedOutcome, Simulator, Timestamp, Workflow, World};
    /// # let simulator = Simulator::builder().builtins().build()?;
    /// # let now = Timestamp::from_micros(0);
    /// let delete = Action::new(ActionPath::new("kv/delete")?, "Delete").with_parameter("key", "a");
    /// let plan = simulator.check(Workflow::new("clean up").step("delete", delete))?;
    /// let before = simulator.simulate(&plan, &World::from_iter([("a", 1)]), now);
    /// let after = simulator.simulate(&plan, &World::new(), now);
    ///
    /// let difference = Comparison::of(&before, &after);
    /// assert_eq!(difference.outcomes, (PredictedOutcome::Success, PredictedOutcome::WouldFail));
    /// assert_eq!(difference.keys[0].key.as_str(), "a");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(first: &SimulationReport, second: &SimulationReport) -> Self {
        let duration = |report: &SimulationReport| i128::from(report.estimate.duration_us.likely);
        let cost = |report: &SimulationReport| i128::from(report.estimate.cost_micros.likely);
        Self {
            same_plan: first.plan == second.plan,
            same_world: first.reads == second.reads,
            same_effects: first.effects_digest() == second.effects_digest(),
            outcomes: (first.outcome, second.outcome),
            steps: step_differences(first, second),
            keys: key_differences(first, second),
            duration_us: duration(second) - duration(first),
            cost_micros: cost(second) - cost(first),
        }
    }
}

fn step_differences(first: &SimulationReport, second: &SimulationReport) -> Vec<StepDifference> {
    let outcomes = |report: &SimulationReport| -> BTreeMap<StepId, PredictedOutcome> {
        let steps = report.steps.iter();
        steps.map(|step| (step.id.clone(), step.outcome)).collect()
    };
    let (in_first, in_second) = (outcomes(first), outcomes(second));
    let only_second = second
        .steps
        .iter()
        .filter(|s| !in_first.contains_key(&s.id));
    let differences = first
        .steps
        .iter()
        .chain(only_second)
        .map(|step| StepDifference {
            step: step.id.clone(),
            first: in_first.get(&step.id).copied(),
            second: in_second.get(&step.id).copied(),
        });
    differences
        .filter(|step| step.first != step.second)
        .collect()
}

fn key_differences(first: &SimulationReport, second: &SimulationReport) -> Vec<KeyDifference> {
    let mut keys: BTreeMap<Key, (Option<Change>, Option<Change>)> = BTreeMap::new();
    for change in first.net_changes() {
        let key = change.key.clone();
        keys.entry(key).or_default().0 = Some(change);
    }
    for change in second.net_changes() {
        let key = change.key.clone();
        keys.entry(key).or_default().1 = Some(change);
    }
    let differences = keys
        .into_iter()
        .map(|(key, (first, second))| KeyDifference { key, first, second });
    differences
        .filter(|key| after(&key.first) != after(&key.second))
        .collect()
}

/// What a plan leaves: nothing said, removed, or set.
fn after(change: &Option<Change>) -> Option<Option<&Fact>> {
    change.as_ref().map(|change| change.after.as_ref())
}
