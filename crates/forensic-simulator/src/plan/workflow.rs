use action::Action;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::input::json;
use crate::plan::step_id::StepId;

/// Several actions of one purpose, each of which may wait for others.
///
/// A plain record; [`Plan::new`](crate::Plan::new) checks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// What it is for.
    pub name: String,
    /// Its steps. Those that no dependency orders are simulated in the order of this list.
    pub steps: Vec<Step>,
}

/// One action of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name within the workflow.
    pub id: StepId,
    /// What it does.
    pub action: Action,
    /// The steps that must have succeeded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<StepId>,
}

impl Workflow {
    /// A workflow without steps, which [`Workflow::step`] adds.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            steps: Vec::new(),
        }
    }

    /// Reads a workflow from JSON. Names that are there twice and numbers that a double would round
    /// are refused: another plan would have the same digest.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const FORMAT: &str = "workflow";
        let workflow = serde_json::from_str(text).map_err(|error| Error::json(FORMAT, &error))?;
        json::strict(FORMAT, text)?;
        Ok(workflow)
    }

    /// Adds a step that waits for none.
    #[must_use]
    pub fn step(self, id: impl Into<StepId>, action: Action) -> Self {
        self.step_after(id, action, [] as [StepId; 0])
    }

    /// Adds a step that waits for others.
    #[must_use]
    pub fn step_after<D: Into<StepId>>(
        mut self,
        id: impl Into<StepId>,
        action: Action,
        depends_on: impl IntoIterator<Item = D>,
    ) -> Self {
        self.steps.push(Step {
            id: id.into(),
            action,
            depends_on: depends_on.into_iter().map(Into::into).collect(),
        });
        self
    }
}
