use std::collections::BTreeMap;
use std::sync::Arc;

use action::{Action, ActionPath, PathPattern};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::plan::workflow::Workflow;
use crate::run::context::Context;
use crate::run::handler::Handler;
use crate::run::report::Reversibility;
use crate::run::simulator::SimulatorBuilder;
use crate::run::stop::Stop;
use crate::world::World;
use crate::world::fact::{Fact, Unknown};

/// The output of `terraform show -json <plan>`, as a workflow and the world that it starts from.
///
/// Each attribute of a resource is a key `<address>/<attribute>`. What Terraform knows only after
/// the apply is an unknown fact, what it calls sensitive is a secret: neither is ever shown as a
/// value. Resources that are not changed are part of the world and no steps.
///
/// The format is described at
/// <https://developer.hashicorp.com/terraform/internals/json-format>.
#[derive(Debug, Clone)]
pub struct TerraformPlan {
    /// One step a resource that changes, in the order of the plan.
    pub workflow: Workflow,
    /// The resources as the plan found them.
    pub world: World,
    changes: BTreeMap<String, ResourceChange>,
}

#[derive(Debug, Clone)]
struct ResourceChange {
    before: Attributes,
    after: Attributes,
}

type Attributes = BTreeMap<String, Fact>;

#[derive(Deserialize)]
struct PlanText {
    format_version: String,
    #[serde(default)]
    resource_changes: Vec<ResourceText>,
}

#[derive(Deserialize)]
struct ResourceText {
    address: String,
    /// An object of a resource that was replaced before it was destroyed.
    deposed: Option<String>,
    change: ChangeText,
}

#[derive(Deserialize)]
struct ChangeText {
    actions: Vec<String>,
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
    #[serde(default)]
    after_unknown: Value,
    #[serde(default)]
    before_sensitive: Value,
    #[serde(default)]
    after_sensitive: Value,
}

impl TerraformPlan {
    /// Reads a plan of format version 0 or 1.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column, or with the address of the resource.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let plan: PlanText =
            serde_json::from_str(text).map_err(|error| Error::json(FORMAT, &error))?;
        if !matches!(plan.format_version.split('.').next(), Some("0" | "1")) {
            let reason = format!("{:?} is none of 0.x and 1.x", plan.format_version);
            return Err(refuse("format_version", reason));
        }
        let mut import = Self {
            workflow: Workflow::new("terraform plan"),
            world: World::new(),
            changes: BTreeMap::new(),
        };
        for resource in plan.resource_changes {
            import.add(resource)?;
        }
        Ok(import)
    }

    /// Adds the handler that plays the changes of this plan.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        let pattern = PathPattern::new("terraform/*").expect("a pattern without faults");
        builder.handler(pattern, Apply(self.changes.clone()))
    }

    fn add(&mut self, resource: ResourceText) -> Result<(), Error> {
        let name = match &resource.deposed {
            Some(deposed) => format!("{} (deposed {deposed})", resource.address),
            None => resource.address.clone(),
        };
        let verb = verb(&resource.change.actions).ok_or_else(|| {
            refuse(
                &name,
                format!("unknown actions {:?}", resource.change.actions),
            )
        })?;
        let change = resource.change;
        let replaced = replaced_attributes(&change);
        let mut after = attributes(change.after, &change.after_unknown, &change.after_sensitive);
        for attribute in replaced {
            if let Some(Fact::Secret(secret)) = after.get_mut(&attribute) {
                // Two secrets look alike; that this one is another must not be lost with its value.
                secret.fingerprint = Some("new value".into());
            }
        }
        let before = attributes(change.before, &Value::Null, &change.before_sensitive);
        let change = ResourceChange { before, after };
        for (attribute, fact) in &change.before {
            self.world
                .insert(format!("{name}/{attribute}"), fact.clone());
        }
        if verb == "no-op" {
            return Ok(());
        }
        if self.changes.insert(name.clone(), change).is_some() {
            return Err(refuse(&name, "it is changed twice"));
        }
        let path = ActionPath::new(format!("terraform/{verb}")).expect("a path without faults");
        let action =
            Action::new(path, format!("{verb} {name}")).with_parameter("resource", name.clone());
        self.workflow.steps.push(crate::plan::workflow::Step {
            id: name.into(),
            action,
            depends_on: Vec::new(),
        });
        Ok(())
    }
}

const FORMAT: &str = "terraform plan";

fn refuse(place: impl Into<String>, reason: impl ToString) -> Error {
    Error::Import {
        format: FORMAT,
        place: place.into(),
        reason: reason.to_string(),
    }
}

fn verb(actions: &[String]) -> Option<&'static str> {
    let actions: Vec<_> = actions.iter().map(String::as_str).collect();
    Some(match actions.as_slice() {
        ["no-op"] => "no-op",
        ["create"] => "create",
        ["read"] => "read",
        ["update"] => "update",
        ["delete"] => "delete",
        ["forget"] => "forget",
        ["delete", "create"] | ["create", "delete"] => "replace",
        _ => return None,
    })
}

/// The attributes that there are before and after, with another value.
fn replaced_attributes(change: &ChangeText) -> Vec<String> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Vec::new();
    };
    let differs =
        |(name, value): &(&String, &Value)| before.get(*name).is_some_and(|b| b != *value);
    let replaced = after.iter().filter(differs);
    replaced.map(|(name, _)| name.clone()).collect()
}

/// The attributes of one side of a change. `unknown` and `sensitive` mirror the values: `true`, or
/// an object or array with `true` somewhere in it.
fn attributes(
    values: Option<Map<String, Value>>,
    unknown: &Value,
    sensitive: &Value,
) -> Attributes {
    let Some(values) = values else {
        return Attributes::new();
    };
    let none = Map::new();
    let later = unknown.as_object().unwrap_or(&none).iter();
    let later = later.filter(|(name, mark)| !values.contains_key(*name) && marks(mark));
    let later = later.map(|(name, _)| (name.clone(), known_after_apply()));
    let mut facts: Attributes = later.collect();
    for (name, value) in values {
        let is_sensitive =
            marks(sensitive) && (sensitive == &Value::Bool(true) || marks(&sensitive[&name]));
        let fact = if is_sensitive {
            Fact::secret("sensitive in the plan")
        } else if marks(&unknown[&name]) {
            known_after_apply()
        } else {
            Fact::from(value)
        };
        facts.insert(name, fact);
    }
    facts
}

fn marks(mark: &Value) -> bool {
    match mark {
        Value::Bool(mark) => *mark,
        Value::Array(items) => items.iter().any(marks),
        Value::Object(fields) => fields.values().any(marks),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

fn known_after_apply() -> Fact {
    Fact::Unknown(Unknown {
        origin: Arc::from("known after apply"),
        kind: None,
    })
}

/// Plays the changes of one plan.
struct Apply(BTreeMap<String, ResourceChange>);

impl Handler for Apply {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let resource = context.text("resource")?;
        let Some(change) = self.0.get(resource) else {
            return Err(Stop::unknown(format!(
                "the plan says nothing of {resource}"
            )));
        };
        for (attribute, planned) in &change.before {
            let key = format!("{resource}/{attribute}");
            if context.read(&key).as_ref() != Some(planned) {
                let reason = format!("{key} is no longer what the plan was made for");
                return Err(Stop::would_fail(reason).with_remedy("make the plan anew"));
            }
        }
        for attribute in change.before.keys() {
            if !change.after.contains_key(attribute) {
                context.delete(&format!("{resource}/{attribute}"));
            }
        }
        for (attribute, fact) in &change.after {
            context.write(&format!("{resource}/{attribute}"), fact.clone());
        }
        if context.action().path.as_str() != "terraform/read" {
            context.external(resource, context.action().name.clone());
        }
        Ok(())
    }

    /// Opaque: what a provider can take back is not part of a plan.
    fn reversibility(&self) -> Reversibility {
        Reversibility::Opaque
    }
}
