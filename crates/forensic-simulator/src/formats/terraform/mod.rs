//! Plans of Terraform and OpenTofu.

pub(crate) mod access;
mod address;
mod error;
mod import;
mod reasons;
mod references;
pub(crate) mod stream;
pub(crate) mod values;

use serde_json::{Map, Value};

pub(crate) use self::import::read;
use crate::error::Error;
use crate::formats::planned::PlannedChanges;
use crate::plan::workflow::Workflow;
use crate::run::simulator::SimulatorBuilder;
use crate::world::World;

/// The output of `terraform show -json <plan>`, as a workflow and the world that it starts from.
///
/// Each attribute of a resource that changes is a key `<address>/<attribute>`. A part of a value that
/// Terraform knows only after the apply is an unknown, one that either side calls sensitive is a
/// secret: neither is ever shown as a value.
///
/// The format is described at
/// <https://developer.hashicorp.com/terraform/internals/json-format>.
#[derive(Debug, Clone)]
pub struct TerraformPlan {
    /// One step a resource that changes, each after those that it refers to.
    pub workflow: Workflow,
    /// The attributes that change, as the plan found them.
    pub world: World,
    /// What the plan says that it would change.
    pub changes: PlannedChanges,
}

impl TerraformPlan {
    /// Reads a plan of format version 0 or 1.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column, or with the address of the resource.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::of(read(text)?)
    }

    pub(crate) fn of(changes: PlannedChanges) -> Result<Self, Error> {
        Ok(Self {
            workflow: changes.workflow()?,
            world: changes.world(),
            changes,
        })
    }

    /// Adds the handler that plays the changes of this plan.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        self.changes.register(builder)
    }
}

/// Whether a document is one of Terraform's that is no plan; then what it is, and what to do.
pub(crate) fn no_plan(fields: &Map<String, Value>) -> Option<&'static str> {
    let has = |name| fields.contains_key(name);
    let plan = [
        "resource_changes",
        "planned_values",
        "output_changes",
        "deferred_changes",
        "action_invocations",
        "deferred_action_invocations",
        "applyable",
        "errored",
        "complete",
        "resource_drift",
        "configuration",
    ];
    if plan.iter().any(|name| has(*name)) {
        return None;
    }
    Some(if has("values") || has("prior_state") {
        "it is a state of terraform, no plan: run `terraform show -json FILE` with the file of `terraform plan -out FILE`"
    } else if has("lineage") || has("serial") {
        "it is a state file of terraform, no plan: run `terraform plan -out FILE` and `terraform show -json FILE`"
    } else if has("valid") || has("diagnostics") {
        "it is the result of `terraform validate -json`, no plan: run `terraform plan -out FILE` and `terraform show -json FILE`"
    } else if has("provider_schemas") {
        "it is the output of `terraform providers schema -json`, no plan: run `terraform show -json FILE`"
    } else if has("function_signatures") {
        "it is the output of `terraform metadata functions -json`, no plan: run `terraform show -json FILE`"
    } else if has("terraform_version") && has("platform") {
        "it is the output of `terraform version -json`, no plan: run `terraform show -json FILE`"
    } else if has("checks") {
        return None;
    } else if has("format_version") {
        "it has a `format_version` and nothing of a plan: an empty state of terraform looks like this; run `terraform plan -out FILE` and `terraform show -json FILE`"
    } else {
        return None;
    })
}
