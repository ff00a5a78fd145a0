use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::formats::mcp::McpTools;
use crate::formats::mcp::calls::looks_like_calls;
use crate::formats::pddl::{StripsDomain, StripsProblem};
use crate::formats::planned::PlannedChanges;
use crate::formats::terraform::{no_plan, stream};
use crate::formats::{kubernetes, pulumi, terraform, unread};
use crate::input::decode::{Decoded, decode, unwrap};
use crate::input::json;
use crate::plan::workflow::Workflow;
use crate::run::simulator::SimulatorBuilder;
use crate::world::World;

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanFormat {
    /// A [`Workflow`] as JSON.
    Workflow,
    /// The output of `terraform show -json` or `tofu show -json`, as [`TerraformPlan`](crate::TerraformPlan) reads it.
    Terraform,
    /// What `terraform plan -json` prints: a message a line.
    TerraformStream,
    /// Calls of tools, as [`McpTools::calls`] reads them.
    Mcp,
    /// The output of `pulumi preview --json`.
    Pulumi,
    /// The output of `kubectl diff`.
    KubectlDiff,
    /// The output of `kubectl apply --dry-run=server`, as lines or with `-o json`.
    KubectlDryRun,
    /// A plan of a planning domain in PDDL, for which [`PlanFile::pddl`] takes the domain and the
    /// problem too.
    Pddl,
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
    /// What the plan of another tool says that it would change.
    pub changes: Option<PlannedChanges>,
    /// What was done to read it, such as lines that were left out.
    pub notes: Vec<String>,
    pddl: Option<(StripsDomain, StripsProblem)>,
}

const PLAN: &str = "plan";

impl PlanFormat {
    /// Recognises a format by its outermost fields, or by its lines where it is no JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column for text that is no JSON, or with what to do if it is
    /// something else.
    pub fn detect(text: &str) -> Result<Self, Error> {
        let start = text.trim_start();
        if start.is_empty() {
            let reason = "EOF while parsing a value: the file is empty";
            return Err(refuse("line 1, column 0", reason));
        }
        if is_stream(text) {
            return Ok(Self::TerraformStream);
        }
        if start.starts_with('[') {
            return Ok(Self::Mcp);
        }
        if start.starts_with('{') {
            return Self::of_object(text);
        }
        if kubernetes::is_diff(text) {
            return Ok(Self::KubectlDiff);
        }
        if kubernetes::is_dry_run(text) {
            return Ok(Self::KubectlDryRun);
        }
        let (what, remedy) = unread::text(start);
        Err(refuse("line 1, column 1", format!("{what}: {remedy}")))
    }

    fn of_object(text: &str) -> Result<Self, Error> {
        let fields: BTreeMap<String, _> = json::fields(PLAN, text)?.into_iter().collect();
        let has = |name: &str| fields.contains_key(name);
        if has("steps") && (has("changeSummary") || !has("name")) || has("changeSummary") {
            return Ok(Self::Pulumi);
        }
        if has("steps") {
            return Ok(Self::Workflow);
        }
        let names: Map<String, Value> = fields
            .keys()
            .map(|name| (name.clone(), Value::Null))
            .collect();
        if let Some(reason) = no_plan(&names) {
            return Err(refuse("line 1, column 1", reason));
        }
        if ["format_version", "resource_changes", "terraform_version"]
            .iter()
            .any(|name| has(name))
        {
            return Ok(Self::Terraform);
        }
        if has("apiVersion") && has("kind") {
            return Ok(Self::KubectlDryRun);
        }
        if looks_like_calls(fields.keys().map(String::as_str)) {
            return Ok(Self::Mcp);
        }
        let reason = match unread::object(&names) {
            Some((what, remedy)) => format!("{what}: {remedy}"),
            None => "it has neither `steps` (a workflow, or `pulumi preview --json`) nor `resource_changes` (terraform), and is no call of a tool and no object of Kubernetes".to_owned(),
        };
        Err(refuse("line 1, column 1", reason))
    }
}

/// Whether the first line of JSON is a message of Terraform's.
fn is_stream(text: &str) -> bool {
    /// A wrapper may print something before.
    const LOOKED_AT: usize = 50;
    text.lines()
        .take(LOOKED_AT)
        .any(|line| stream::is_message(line.trim()))
}

impl PlanFile {
    /// Reads a plan, in a format that is given or recognised.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with the place: line and column, or what the format calls the part.
    pub fn parse(text: &str, format: Option<PlanFormat>) -> Result<Self, Error> {
        Self::of_text(
            Decoded {
                text: text.to_owned(),
                notes: Vec::new(),
            },
            format,
        )
    }

    /// As [`PlanFile::parse`], from the bytes of a file: UTF-8 or UTF-16, with or without a byte
    /// order mark, and with the lines that a wrapper printed around it.
    ///
    /// # Errors
    ///
    /// As [`PlanFile::parse`].
    pub fn read(bytes: &[u8], format: Option<PlanFormat>) -> Result<Self, Error> {
        Self::of_text(decode(bytes)?, format)
    }

    /// Reads a plan of a planning domain: the texts of domain, problem and plan in PDDL.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column.
    pub fn pddl(domain: &[u8], problem: &[u8], plan: &[u8]) -> Result<Self, Error> {
        let domain = StripsDomain::parse(&decode(domain)?.text)?;
        let problem = domain.problem(&decode(problem)?.text)?;
        Ok(Self {
            format: PlanFormat::Pddl,
            workflow: domain.plan(&decode(plan)?.text)?,
            world: problem.world.clone(),
            changes: None,
            notes: Vec::new(),
            pddl: Some((domain, problem)),
        })
    }

    fn of_text(mut decoded: Decoded, format: Option<PlanFormat>) -> Result<Self, Error> {
        if !is_stream(&decoded.text) && !kubernetes::is_diff(&decoded.text) {
            unwrap(&mut decoded);
        }
        let Decoded { text, notes } = decoded;
        let format = match format {
            Some(format) => format,
            None => PlanFormat::detect(&text)?,
        };
        let changes = match format {
            PlanFormat::Workflow => return Ok(Self::plain(format, Workflow::parse(&text)?, notes)),
            PlanFormat::Mcp => return Ok(Self::plain(format, McpTools::calls(&text)?, notes)),
            PlanFormat::Pddl => {
                let reason = "a plan in PDDL needs its domain and its problem: pass both";
                return Err(refuse("line 1, column 1", reason));
            }
            PlanFormat::Terraform => terraform::read(&text)?,
            PlanFormat::TerraformStream => stream::read(&text)?,
            PlanFormat::Pulumi => pulumi::read(&text)?,
            PlanFormat::KubectlDiff => kubernetes::read_diff(&text)?,
            PlanFormat::KubectlDryRun if text.trim_start().starts_with('{') => {
                kubernetes::read_objects(&text)?
            }
            PlanFormat::KubectlDryRun => kubernetes::read_dry_run(&text)?,
        };
        Ok(Self {
            format,
            workflow: changes.workflow()?,
            world: changes.world(),
            changes: Some(changes),
            notes,
            pddl: None,
        })
    }

    fn plain(format: PlanFormat, workflow: Workflow, notes: Vec<String>) -> Self {
        Self {
            format,
            workflow,
            world: World::new(),
            changes: None,
            notes,
            pddl: None,
        }
    }

    /// Adds the handlers that play what the plan itself describes.
    #[must_use]
    pub fn register(&self, builder: SimulatorBuilder) -> SimulatorBuilder {
        match (&self.changes, &self.pddl) {
            (Some(changes), _) => changes.register(builder),
            (None, Some((domain, problem))) => domain.register(problem, builder),
            (None, None) => builder,
        }
    }
}

fn refuse(place: &str, reason: impl Into<String>) -> Error {
    Error::Import {
        format: PLAN,
        place: place.to_owned(),
        reason: reason.into(),
    }
}
