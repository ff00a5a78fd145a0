use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::Error;
use crate::formats::mcp::McpTools;
use crate::formats::terraform::TerraformPlan;
use crate::plan::workflow::Workflow;
use crate::run::simulator::SimulatorBuilder;
use crate::world::World;

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanFormat {
    /// A [`Workflow`] as JSON.
    Workflow,
    /// The output of `terraform show -json`, as [`TerraformPlan`] reads it.
    Terraform,
    /// A list of MCP `tools/call` requests, as [`McpTools`] reads it.
    Mcp,
}

/// A plan in any of the formats that people have, with the world that it brings along.
///
/// ```
/// use forensic_simulator::{PlanFile, PlanFormat};
/// let plan = PlanFile::parse(r#"[{"name": "delete_file", "arguments": {"path": "a"}}]"#, None)?;
/// assert_eq!(plan.format, PlanFormat::Mcp);
/// assert_eq!(plan.workflow.steps[0].action.path.as_str(), "mcp/delete_file");
/// let error = PlanFile::parse("{\"name\": \"x\",\n \"steps\": [{}]}", None).unwrap_err();
/// assert!(error.to_string().starts_with("workflow, line 2, column 13: missing field `id`"));
/// # Ok::<(), forensic_simulator::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlanFile {
    /// How it was written.
    pub format: PlanFormat,
    /// Its steps.
    pub workflow: Workflow,
    /// The state that the plan says it was made for; empty where the format has none.
    pub world: World,
    terraform: Option<TerraformPlan>,
}

/// The fields by which a format is known.
#[derive(Deserialize)]
struct Marks {
    steps: Option<IgnoredAny>,
    format_version: Option<IgnoredAny>,
    resource_changes: Option<IgnoredAny>,
}

impl PlanFormat {
    /// Recognises a format by its outermost fields.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column for text that is no JSON, or if it is none of these.
    pub fn detect(text: &str) -> Result<Self, Error> {
        const PLAN: &str = "plan";
        if text.trim_start().starts_with('[') {
            return Ok(Self::Mcp);
        }
        let marks: Marks = serde_json::from_str(text).map_err(|error| Error::json(PLAN, &error))?;
        if marks.steps.is_some() {
            Ok(Self::Workflow)
        } else if marks.format_version.is_some() || marks.resource_changes.is_some() {
            Ok(Self::Terraform)
        } else {
            Err(Error::Import {
                format: PLAN,
                place: "line 1, column 1".to_owned(),
                reason: "it has neither `steps` (a workflow) nor `resource_changes` (terraform), and is no list of MCP calls".to_owned(),
            })
        }
    }
}

impl PlanFile {
    /// Reads a plan, in a format that is given or recognised.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with the place: line and column, or what the format calls the part.
    pub fn parse(text: &str, format: Option<PlanFormat>) -> Result<Self, Error> {
        let format = match format {
            Some(format) => format,
            None => PlanFormat::detect(text)?,
        };
        let (workflow, terraform) = match format {
            PlanFormat::Workflow => (Workflow::parse(text)?, None),
            PlanFormat::Mcp => (McpTools::calls(text)?, None),
            PlanFormat::Terraform => {
                let plan = TerraformPlan::parse(text)?;
                (plan.workflow.clone(), Some(plan))
            }
        };
        let world = terraform.as_ref().map(|plan| plan.world.clone());
        Ok(Self {
            format,
            workflow,
            world: world.unwrap_or_default(),
            terraform,
        })
    }

    /// Adds the handlers that play what the plan itself describes.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        match &self.terraform {
            Some(plan) => plan.register(builder),
            None => builder,
        }
    }
}
