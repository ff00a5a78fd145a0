use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::run::report::{SimulationReport, StepReport};
use crate::world::World;
use crate::world::fact::{Fact, Key};

/// Where information must not come from and must not go to.
///
/// ```
/// use forensic_simulator::{FlowPolicy, Label};
/// let policy = FlowPolicy::new()
///     .source("inbox/", Label::Untrusted)
///     .sink("payments/", Label::Untrusted)
///     .external_sink(Label::Secret);
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowPolicy {
    sources: Vec<(String, Label)>,
    sinks: Vec<(String, Label)>,
    external_sinks: BTreeSet<Label>,
}

/// What is special about a piece of information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Label {
    /// Someone outside can choose it, such as the text of a mail.
    Untrusted,
    /// It must stay inside. Every [`Fact::Secret`] has this label.
    Secret,
}

/// Information that may go where the policy does not want it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// What is special about it.
    pub label: Label,
    /// The key that it was read from.
    pub from: Key,
    /// The step that read it there.
    pub read_by: StepId,
    /// The step that takes it to the sink.
    pub step: StepId,
    /// The key that it is written to, or the target outside.
    pub to: String,
}

impl FlowPolicy {
    /// A policy without sources and sinks, under which only secrets have a label.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Labels what is read from keys that begin with a text.
    #[must_use]
    pub fn source(mut self, prefix: impl Into<String>, label: Label) -> Self {
        self.sources.push((prefix.into(), label));
        self
    }

    /// Forbids a label in what is written to keys that begin with a text.
    #[must_use]
    pub fn sink(mut self, prefix: impl Into<String>, label: Label) -> Self {
        self.sinks.push((prefix.into(), label));
        self
    }

    /// Forbids a label in what goes outside of the world.
    #[must_use]
    pub fn external_sink(mut self, label: Label) -> Self {
        self.external_sinks.insert(label);
        self
    }

    /// Finds the flows of a report that the policy forbids, sorted.
    ///
    /// A step carries what it reads and what the steps carry that it waits for, since whoever runs
    /// the plan may put an answer into a later call; all of this reaches all that it writes. So
    /// flows may be reported that are none, and none along keys and dependencies is missed.
    ///
    /// # Panics
    ///
    /// If the report is not one of the plan.
    #[must_use]
    pub fn flows(&self, plan: &Plan, report: &SimulationReport, world: &World) -> Vec<Flow> {
        assert_eq!(plan.digest(), report.plan, "the report is one of the plan");
        let mut tracker = Tracker {
            policy: self,
            world,
            held: BTreeMap::new(),
            found: BTreeSet::new(),
        };
        let mut carried: Vec<BTreeSet<Taint>> = vec![BTreeSet::new(); plan.steps().len()];
        for (&position, step) in plan.order().iter().zip(&report.steps) {
            let before = plan.dependencies(position).iter();
            let mut own: BTreeSet<Taint> = before
                .flat_map(|&before| carried[before].iter().cloned())
                .collect();
            tracker.read(step, &mut own);
            tracker.write(step, &own);
            carried[position] = own;
        }
        tracker.found.into_iter().collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Taint {
    label: Label,
    from: Key,
    read_by: StepId,
}

struct Tracker<'a> {
    policy: &'a FlowPolicy,
    world: &'a World,
    /// What the keys carry that steps have written.
    held: BTreeMap<Key, BTreeSet<Taint>>,
    found: BTreeSet<Flow>,
}

impl Tracker<'_> {
    fn read(&self, step: &StepReport, own: &mut BTreeSet<Taint>) {
        for key in &step.reads {
            if let Some(taints) = self.held.get(key) {
                own.extend(taints.iter().cloned());
            }
            let of_policy = self.policy.sources.iter();
            let of_policy = of_policy.filter(|(prefix, _)| key.as_str().starts_with(prefix));
            let is_secret = matches!(self.world.get(key.as_str()), Some(Fact::Secret(_)));
            let secret = is_secret.then_some(Label::Secret);
            let labels = of_policy.map(|(_, label)| *label).chain(secret);
            own.extend(labels.map(|label| Taint {
                label,
                from: key.clone(),
                read_by: step.id.clone(),
            }));
        }
    }

    fn write(&mut self, step: &StepReport, own: &BTreeSet<Taint>) {
        for change in &step.changes {
            let key = change.key.as_str();
            let sinks = self.policy.sinks.iter();
            let forbidden: BTreeSet<Label> = sinks
                .filter(|(prefix, _)| key.starts_with(prefix))
                .map(|(_, label)| *label)
                .collect();
            self.note(step, own, &forbidden, key);
            self.held.insert(change.key.clone(), own.clone());
        }
        for external in &step.external {
            self.note(step, own, &self.policy.external_sinks, &external.target);
        }
    }

    fn note(
        &mut self,
        step: &StepReport,
        own: &BTreeSet<Taint>,
        forbidden: &BTreeSet<Label>,
        to: &str,
    ) {
        let flows = own.iter().filter(|taint| forbidden.contains(&taint.label));
        self.found.extend(flows.map(|taint| Flow {
            label: taint.label,
            from: taint.from.clone(),
            read_by: taint.read_by.clone(),
            step: step.id.clone(),
            to: to.to_owned(),
        }));
    }
}
