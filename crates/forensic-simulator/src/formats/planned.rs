use std::collections::HashMap;
use std::sync::Arc;

use action::{Action, ActionPath, PathPattern};
use foldhash::quality::RandomState;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::assess::kinds::FindingKind;
use crate::error::Error;
use crate::plan::step_id::StepId;
use crate::plan::workflow::{Step, Workflow};
use crate::run::context::Context;
use crate::run::handler::{FailureMode, Handler};
use crate::run::report::Reversibility;
use crate::run::simulator::SimulatorBuilder;
use crate::run::stop::Stop;
use crate::world::World;
use crate::world::fact::Fact;

/// What a plan of another tool, such as Terraform, says that it would change.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PlannedChanges {
    /// What wrote the plan, such as `terraform plan`.
    pub tool: &'static str,
    /// The resources that would change, in an order in which each comes after those it refers to.
    /// Shared with the handler that plays them: a plan may have tens of thousands.
    pub resources: Arc<Vec<PlannedResource>>,
    /// The outputs that would change.
    pub outputs: Vec<AttributeChange>,
    /// Why the plan is not whole: it failed, or a part of it was put off.
    pub incomplete: Vec<String>,
    /// What the plan says beside its resources.
    pub remarks: Vec<PlanRemark>,
    /// What was done to read it, and what it was read as.
    pub notes: Vec<String>,
    /// Whether the plan itself says that there is nothing to apply, or is of a version that does not
    /// say so and has no change.
    pub nothing_to_do: bool,
}

/// A resource of a plan of another tool.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct PlannedResource {
    /// Its name in the plan.
    pub address: String,
    /// What would become of it.
    pub kind: ChangeKind,
    /// Its type, such as `aws_db_instance`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Why, and what else the plan says of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Each attribute that changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeChange>,
    /// The addresses that must be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Whether its destruction would lose data: it is of a kind that stores some.
    pub holds_data: bool,
}

/// An attribute before and after. `None` is one that does not exist.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct AttributeChange {
    /// Its name.
    pub name: String,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub before: Option<Fact>,
    /// What would be there. Parts that are not known or not shown are objects `$unknown` and
    /// `$secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub after: Option<Fact>,
}

/// What would become of a resource or a step, from the most dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It would be gone.
    Destroy,
    /// It would be gone, and another one be in its place.
    Replace,
    /// A procedure would run, of which nothing is known.
    Invoke,
    /// Nothing can be said of it.
    Unknown,
    /// It would stay, and nobody would manage it.
    Forget,
    /// It would reach something outside of the world that is modelled.
    Outside,
    /// It would be changed.
    Update,
    /// Something that exists would be managed.
    Import,
    /// It would have another address, and be as it is.
    Move,
    /// It would be new.
    Create,
    /// It would only be read.
    Read,
}

impl ChangeKind {
    /// All of them, from the most dangerous.
    pub const ALL: [Self; 11] = [
        Self::Destroy,
        Self::Replace,
        Self::Invoke,
        Self::Unknown,
        Self::Forget,
        Self::Outside,
        Self::Update,
        Self::Import,
        Self::Move,
        Self::Create,
        Self::Read,
    ];

    /// The verb.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Replace => "replace",
            Self::Invoke => "invoke",
            Self::Unknown => "unknown",
            Self::Forget => "forget",
            Self::Outside => "outside",
            Self::Update => "update",
            Self::Import => "import",
            Self::Move => "move",
            Self::Create => "create",
            Self::Read => "read",
        }
    }

    /// As a count of resources has it.
    #[must_use]
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Destroy => "destroyed",
            Self::Replace => "replaced",
            Self::Invoke => "invoked",
            Self::Unknown => "unknown",
            Self::Forget => "forgotten",
            Self::Outside => "outside",
            Self::Update => "updated",
            Self::Import => "imported",
            Self::Move => "moved",
            Self::Create => "created",
            Self::Read => "read",
        }
    }
}

/// Something that a plan of another tool says beside its resources.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanRemark {
    /// As what it is found.
    pub kind: FindingKind,
    /// What it is about.
    pub subject: String,
    /// What was seen.
    pub evidence: String,
}

impl PlannedChanges {
    pub(crate) fn of(tool: &'static str) -> Self {
        Self {
            tool,
            ..Self::default()
        }
    }

    /// The resources, while the plan is still read and nobody shares them.
    pub(crate) fn resources_mut(&mut self) -> &mut Vec<PlannedResource> {
        Arc::make_mut(&mut self.resources)
    }

    pub(crate) fn remark(
        &mut self,
        kind: FindingKind,
        subject: impl Into<String>,
        evidence: impl Into<String>,
    ) {
        self.remarks.push(PlanRemark {
            kind,
            subject: subject.into(),
            evidence: evidence.into(),
        });
    }

    /// The attributes as the plan found them.
    #[must_use]
    pub fn world(&self) -> World {
        let mut world = World::new();
        for resource in self.resources.iter() {
            for attribute in &resource.attributes {
                if let Some(before) = &attribute.before {
                    world.insert(key(resource, attribute), before.clone());
                }
            }
        }
        world
    }

    /// One step a resource, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] if two resources have one address.
    pub fn workflow(&self) -> Result<Workflow, Error> {
        let mut workflow = Workflow::new(self.tool);
        let mut places: HashMap<&str, usize, RandomState> = HashMap::default();
        for (place, resource) in self.resources.iter().enumerate() {
            if places.insert(&resource.address, place).is_some() {
                return Err(Error::Import {
                    format: self.tool,
                    place: resource.address.clone(),
                    reason: "it is changed twice".to_owned(),
                });
            }
        }
        for (place, resource) in self.resources.iter().enumerate() {
            let verb = resource.kind.as_str();
            let path = ActionPath::new(format!("{}/{verb}", self.area()));
            let action = Action::new(
                path.expect("a path without faults"),
                format!("{verb} {}", resource.address),
            );
            let before = resource.depends_on.iter();
            let before =
                before.filter(|name| places.get(name.as_str()).is_some_and(|&p| p < place));
            workflow.steps.push(Step {
                id: resource.address.as_str().into(),
                action: action.with_parameter("resource", resource.address.clone()),
                depends_on: before.map(|name| StepId::from(name.as_str())).collect(),
            });
        }
        Ok(workflow)
    }

    /// Adds the handler that plays these changes.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        let pattern = format!("{}/*", self.area());
        let pattern = PathPattern::new(pattern).expect("a pattern without faults");
        let resources = Arc::clone(&self.resources);
        let addresses = resources.iter().enumerate();
        let places = addresses.map(|(place, resource)| (resource.address.clone(), place));
        let places = places.collect();
        builder.handler(pattern, Apply { resources, places })
    }

    fn area(&self) -> &'static str {
        self.tool.split(' ').next().unwrap_or(self.tool)
    }
}

fn key(resource: &PlannedResource, attribute: &AttributeChange) -> String {
    format!("{}/{}", resource.address, attribute.name)
}

/// Plays the changes of one plan.
struct Apply {
    resources: Arc<Vec<PlannedResource>>,
    places: HashMap<String, usize, RandomState>,
}

impl Handler for Apply {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let address = context.text("resource")?;
        let Some(&place) = self.places.get(address) else {
            return Err(Stop::unknown(format!("the plan says nothing of {address}")));
        };
        let resource = &self.resources[place];
        let keys = resource.attributes.iter();
        let keys: Vec<String> = keys.map(|attribute| key(resource, attribute)).collect();
        for (attribute, key) in resource.attributes.iter().zip(&keys) {
            let Some(planned) = &attribute.before else {
                continue;
            };
            if context.look(key) != Some(planned) {
                let reason = format!("{key} is no longer what the plan was made for");
                return Err(Stop::would_fail(reason).with_remedy("make the plan anew"));
            }
        }
        for (attribute, key) in resource.attributes.iter().zip(&keys) {
            match &attribute.after {
                Some(after) => context.write(key, after.clone()),
                None => context.delete(key),
            }
        }
        match resource.kind {
            ChangeKind::Unknown => {
                let why = resource.notes.first().cloned();
                let why = why.unwrap_or_else(|| "the plan does not say what it does".to_owned());
                return Err(Stop::unknown(why));
            }
            ChangeKind::Read | ChangeKind::Move | ChangeKind::Forget => {}
            kind => context.external(address, format!("{} {address}", kind.as_str())),
        }
        Ok(())
    }

    /// Opaque: what a provider can take back is not part of a plan.
    fn reversibility(&self) -> Reversibility {
        Reversibility::Opaque
    }

    /// None: how a provider fails is not part of a plan either.
    fn failure_modes(&self) -> &[FailureMode] {
        &[]
    }
}

/// A resource is put behind all that it refers to, else it stays where it was. A circle of references
/// is left as it is.
pub(crate) fn sort_by_references(resources: &mut Vec<PlannedResource>) {
    let places: HashMap<&str, usize> = resources
        .iter()
        .enumerate()
        .map(|(place, resource)| (resource.address.as_str(), place))
        .collect();
    let before: Vec<Vec<usize>> = resources
        .iter()
        .map(|resource| {
            let names = resource.depends_on.iter();
            names
                .filter_map(|name| places.get(name.as_str()).copied())
                .collect()
        })
        .collect();
    let mut order = Vec::with_capacity(resources.len());
    let mut seen = vec![false; resources.len()];
    for start in 0..resources.len() {
        // Depth first without recursion: a chain may be as long as the plan.
        let mut path = vec![(start, 0)];
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        while let Some((place, next)) = path.pop() {
            match before[place].get(next) {
                Some(&wanted) => {
                    path.push((place, next + 1));
                    if !std::mem::replace(&mut seen[wanted], true) {
                        path.push((wanted, 0));
                    }
                }
                None => order.push(place),
            }
        }
    }
    let mut taken: Vec<Option<PlannedResource>> = resources.drain(..).map(Some).collect();
    resources.extend(order.into_iter().filter_map(|place| taken[place].take()));
}

/// Whether a type of resource stores what cannot be made anew from its description.
///
/// By the words of the type's name, since no provider marks such types. Plurals and parts count:
/// `aws_dynamodb_table`, `google_sql_database_instance`, `kubernetes_persistent_volume_claim`.
pub(crate) fn holds_data(type_name: &str) -> bool {
    const STORES: &[&str] = &[
        "backup",
        "bigquery",
        "bucket",
        "cache",
        "cluster",
        "database",
        "datastore",
        "db",
        "dataset",
        "disk",
        "docdb",
        "dynamodb",
        "ebs",
        "efs",
        "elasticsearch",
        "filesystem",
        "fsx",
        "journal",
        "keyspace",
        "keyspaces",
        "key",
        "kinesis",
        "kms",
        "ledger",
        "mongodb",
        "mysql",
        "namespace",
        "neptune",
        "opensearch",
        "persistentvolume",
        "persistentvolumeclaim",
        "postgresql",
        "queue",
        "rds",
        "redis",
        "redshift",
        "registry",
        "repository",
        "secret",
        "snapshot",
        "spanner",
        "sql",
        "statefulset",
        "storage",
        "stream",
        "table",
        "timestream",
        "topic",
        "user",
        "vault",
        "volume",
        "zone",
    ];
    /// Parts of stores and rights to them, which hold nothing themselves.
    const PARTS: &[&str] = &[
        "acl",
        "association",
        "attachment",
        "binding",
        "group",
        "iam",
        "member",
        "notification",
        "parameter",
        "permission",
        "policy",
        "record",
        "role",
        "route",
        "rule",
        "subnet",
        "subscription",
        "tag",
        "target",
        "version",
    ];
    let lower = type_name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let last_is_part = lower
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .is_some_and(|last| PARTS.contains(&last));
    let stores = |word: &str| {
        STORES.contains(&word)
            || word
                .strip_suffix('s')
                .is_some_and(|one| STORES.contains(&one))
    };
    !last_is_part && words.any(stores)
}
