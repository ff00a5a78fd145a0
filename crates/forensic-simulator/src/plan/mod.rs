pub(crate) mod reference;
pub(crate) mod step_id;
pub(crate) mod workflow;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use action::{ActionDigest, PlanDigest};
use foldhash::quality::RandomState;
use serde_json::Value;

use crate::digest::{Hasher, WorkflowDigest, update_text};
use crate::error::Error;
use crate::plan::reference::Reference;
use crate::plan::step_id::StepId;
use crate::plan::workflow::{Step, Workflow};
use crate::text::shorten;

/// How large a workflow may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most steps (default: 10,000).
    pub steps: usize,
    /// The most dependencies of all steps together (default: 100,000).
    pub dependencies: usize,
    /// The most data of one step, in bytes, about as its JSON has (default: 1 MiB).
    pub step_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 10_000,
            dependencies: 100_000,
            step_bytes: 1 << 20,
        }
    }
}

/// A workflow that was checked: its ids are unique, its dependencies exist and have no cycle, its
/// sizes are within the limits, and its digest is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    workflow: Arc<Workflow>,
    actions: Vec<ActionDigest>,
    /// By step: the positions of the steps it waits for, ascending, each once.
    dependencies: Vec<Vec<usize>>,
    /// By step: what its parameters take from the answers of earlier ones.
    references: Vec<Vec<Reference>>,
    order: Vec<usize>, // a permutation of the positions, dependencies first
    digest: WorkflowDigest,
}

impl Plan {
    /// Checks a workflow.
    ///
    /// # Errors
    ///
    /// One of the [`Error`]s about workflows, which names the step that is at fault.
    pub fn new(workflow: Workflow, limits: &Limits) -> Result<Self, Error> {
        check_steps(&workflow, limits)?;
        let positions = index(&workflow)?;
        let references = find_references(&workflow, &positions)?;
        let dependencies = resolve(&workflow, &positions, &references, limits)?;
        let order = order(&workflow, &dependencies)?;
        let actions = digest_actions(&workflow)?;
        let digest = digest(&workflow, &actions, &dependencies);
        Ok(Self {
            workflow: Arc::new(workflow),
            actions,
            dependencies,
            references,
            order,
            digest,
        })
    }

    /// The plan of a workflow without steps: of another tool, which changes nothing itself.
    pub(crate) fn without_steps(workflow: &Workflow) -> Self {
        Self {
            workflow: Arc::new(workflow.clone()),
            actions: Vec::new(),
            dependencies: Vec::new(),
            references: Vec::new(),
            order: Vec::new(),
            digest: digest(workflow, &[], &[]),
        }
    }

    /// The workflow.
    #[must_use]
    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// The steps as the workflow lists them.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.workflow.steps
    }

    /// The digest over the actions of all steps, to which an approval is bound: each step can prove
    /// that it belongs without the others being shown.
    #[must_use]
    pub fn plan_digest(&self) -> PlanDigest {
        PlanDigest::of(&self.actions)
    }

    /// The digest over all steps, their order and what they wait for.
    #[must_use]
    pub fn digest(&self) -> WorkflowDigest {
        self.digest
    }

    /// The digest of the action of a step, by its position in [`Plan::steps`].
    ///
    /// # Panics
    ///
    /// If there is no such step.
    #[must_use]
    pub fn action_digest(&self, position: usize) -> ActionDigest {
        self.actions[position]
    }

    /// The positions of the steps that a step waits for directly, ascending: those it names, and
    /// those whose answers its parameters refer to.
    ///
    /// # Panics
    ///
    /// If there is no such step.
    #[must_use]
    pub fn dependencies(&self, position: usize) -> &[usize] {
        &self.dependencies[position]
    }

    pub(crate) fn references(&self, position: usize) -> &[Reference] {
        &self.references[position]
    }

    pub(crate) fn has_references(&self) -> bool {
        self.references.iter().any(|of_step| !of_step.is_empty())
    }

    /// The positions of all steps in the order in which they are simulated: dependencies first,
    /// else as the workflow lists them.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}

fn check_steps(workflow: &Workflow, limits: &Limits) -> Result<(), Error> {
    let steps = workflow.steps.len();
    let name = || shorten(&workflow.name);
    if steps == 0 {
        return Err(Error::NoSteps { workflow: name() });
    }
    if steps > limits.steps {
        return Err(Error::TooManySteps {
            workflow: name(),
            steps,
            limit: limits.steps,
        });
    }
    for (position, step) in workflow.steps.iter().enumerate() {
        if let Some(reason) = id_fault(step.id.as_str()) {
            return Err(Error::StepId {
                position: position + 1,
                id: shorten(step.id.as_str()),
                reason,
            });
        }
        let bytes = step_bytes(step);
        if bytes > limits.step_bytes {
            return Err(Error::StepTooLarge {
                step: step.id.clone(),
                bytes,
                limit: limits.step_bytes,
            });
        }
    }
    Ok(())
}

fn id_fault(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        Some("it is empty")
    } else if id.chars().any(char::is_control) {
        Some("it contains a control character")
    } else {
        None
    }
}

fn step_bytes(step: &Step) -> usize {
    let action = &step.action;
    let texts = step.id.as_str().len() + action.name.len() + action.description.len();
    let parameters = action.parameters.iter();
    texts
        + parameters
            .map(|(name, value)| name.len() + value_bytes(value))
            .sum::<usize>()
}

pub(crate) fn value_bytes(value: &Value) -> usize {
    /// About what punctuation and a number take.
    const OVERHEAD: usize = 4;
    OVERHEAD
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(value_bytes).sum(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| name.len() + value_bytes(field))
                .sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// Where each step is in the list.
type Positions<'w> = HashMap<&'w StepId, usize, RandomState>;

fn index(workflow: &Workflow) -> Result<Positions<'_>, Error> {
    let mut positions =
        Positions::with_capacity_and_hasher(workflow.steps.len(), RandomState::default());
    for (position, step) in workflow.steps.iter().enumerate() {
        if let Some(first) = positions.insert(&step.id, position) {
            return Err(Error::DuplicateStep {
                step: step.id.clone(),
                first: first + 1,
                second: position + 1,
            });
        }
    }
    Ok(positions)
}

fn find_references(
    workflow: &Workflow,
    positions: &Positions<'_>,
) -> Result<Vec<Vec<Reference>>, Error> {
    let mut all = Vec::with_capacity(workflow.steps.len());
    for (position, step) in workflow.steps.iter().enumerate() {
        let mut of_step = Vec::new();
        let mut place = String::new();
        for (name, value) in &step.action.parameters {
            // Most parameters are texts and numbers, which hold no reference.
            if !value.is_object() && !value.is_array() {
                continue;
            }
            place.clear();
            place.push('/');
            place.push_str(&name.replace('~', "~0").replace('/', "~1"));
            reference::visit(value, &mut place, &mut |place, to, pointer| {
                let wrong = |reason| Error::Reference {
                    step: step.id.clone(),
                    place: shorten(place),
                    reason,
                };
                let to = StepId::from(to);
                let target = positions.get(&to).copied();
                let Some(target) = target else {
                    return Err(wrong(format!("step {to}, which is not in the workflow")));
                };
                if target >= position {
                    return Err(wrong(format!("step {to}, which is not listed before it")));
                }
                if !pointer.is_empty() && !pointer.starts_with('/') {
                    let pointer = shorten(pointer);
                    return Err(wrong(format!("{pointer:?}, which does not begin with `/`")));
                }
                of_step.push(Reference {
                    place: place.to_owned(),
                    step: target,
                    pointer: pointer.to_owned(),
                });
                Ok(())
            })?;
        }
        all.push(of_step);
    }
    Ok(all)
}

fn resolve(
    workflow: &Workflow,
    positions: &Positions<'_>,
    references: &[Vec<Reference>],
    limits: &Limits,
) -> Result<Vec<Vec<usize>>, Error> {
    let mut total = 0;
    let mut resolved = Vec::with_capacity(workflow.steps.len());
    for (step, references) in workflow.steps.iter().zip(references) {
        total += step.depends_on.len() + references.len();
        if total > limits.dependencies {
            return Err(Error::TooManyDependencies {
                step: step.id.clone(),
                limit: limits.dependencies,
            });
        }
        let mut of_step = Vec::with_capacity(step.depends_on.len());
        for name in &step.depends_on {
            let Some(&position) = positions.get(name) else {
                return Err(Error::MissingDependency {
                    step: step.id.clone(),
                    missing: name.clone(),
                });
            };
            of_step.push(position);
        }
        of_step.extend(references.iter().map(|reference| reference.step));
        of_step.sort_unstable();
        of_step.dedup();
        resolved.push(of_step);
    }
    Ok(resolved)
}

/// Kahn's algorithm, always taking the ready step that the workflow lists first.
fn order(workflow: &Workflow, dependencies: &[Vec<usize>]) -> Result<Vec<usize>, Error> {
    let mut waiting: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); dependencies.len()];
    for (step, of_step) in dependencies.iter().enumerate() {
        for &dependency in of_step {
            dependents[dependency].push(step);
        }
    }
    let mut ready: BinaryHeap<_> = (0..waiting.len())
        .filter(|&step| waiting[step] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for &dependent in &dependents[step] {
            waiting[dependent] -= 1;
            if waiting[dependent] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    if order.len() == waiting.len() {
        Ok(order)
    } else {
        Err(cycle(workflow, dependencies, &waiting))
    }
}

/// Every step that still waits has a dependency that still waits, so following these must come
/// back to a step that was seen: from there on it is a cycle.
fn cycle(workflow: &Workflow, dependencies: &[Vec<usize>], waiting: &[usize]) -> Error {
    let mut seen_at = vec![None; waiting.len()];
    let mut path = Vec::new();
    let mut next = waiting.iter().position(|&count| count > 0);
    while let Some(step) = next {
        if let Some(start) = seen_at[step] {
            let on_cycle: &[usize] = &path[start..];
            let name = |&step: &usize| workflow.steps[step].id.clone();
            return Error::Cycle {
                steps: on_cycle.iter().map(name).collect(),
            };
        }
        seen_at[step] = Some(path.len());
        path.push(step);
        next = dependencies[step]
            .iter()
            .copied()
            .find(|&dependency| waiting[dependency] > 0);
    }
    unreachable!("a step that waits has a dependency that waits")
}

fn digest_actions(workflow: &Workflow) -> Result<Vec<ActionDigest>, Error> {
    let digest = |step: &Step| {
        step.action.digest().map_err(|source| Error::Action {
            step: step.id.clone(),
            source: Arc::new(source),
        })
    };
    workflow.steps.iter().map(digest).collect()
}

fn digest(
    workflow: &Workflow,
    actions: &[ActionDigest],
    dependencies: &[Vec<usize>],
) -> WorkflowDigest {
    let mut hasher = Hasher::of(WorkflowDigest::hasher());
    update_text(&mut hasher, &workflow.name);
    for ((step, action), of_step) in workflow.steps.iter().zip(actions).zip(dependencies) {
        update_text(&mut hasher, step.id.as_str());
        hasher.update(action.as_bytes());
        hasher.update(&(of_step.len() as u64).to_le_bytes());
        for &dependency in of_step {
            hasher.update(&(dependency as u64).to_le_bytes());
        }
    }
    WorkflowDigest::from_bytes(hasher.finish())
}
