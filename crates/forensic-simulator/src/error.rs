use std::sync::Arc;

use crate::plan::step_id::StepId;

/// What can be wrong with a workflow, a schema, a set of handlers, or the store.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A workflow without steps. Add one.
    #[error("workflow {workflow:?} has no steps")]
    NoSteps {
        /// The workflow's name.
        workflow: String,
    },
    /// More steps than the [`Limits`](crate::Limits). Split the workflow, or raise the limit.
    #[error("workflow {workflow:?} has {steps} steps, more than the limit of {limit}")]
    TooManySteps {
        /// The workflow's name.
        workflow: String,
        /// How many it has.
        steps: usize,
        /// How many it may have.
        limit: usize,
    },
    /// More dependencies than the [`Limits`](crate::Limits). Name only the direct ones.
    #[error("step {step} brings the dependencies of the workflow over the limit of {limit}")]
    TooManyDependencies {
        /// The step at which the limit was passed.
        step: StepId,
        /// How many all steps together may have.
        limit: usize,
    },
    /// A step's id that no message could point with. Use at least one byte, and no
    /// control characters.
    #[error("step number {position} has an invalid id {id:?}: {reason}")]
    StepId {
        /// The step's place in the workflow, from 1.
        position: usize,
        /// The id, cut to 80 characters.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two steps with one id. Give each its own.
    #[error("step id {step} is used twice, by step number {first} and step number {second}")]
    DuplicateStep {
        /// The id.
        step: StepId,
        /// The first step that has it, from 1.
        first: usize,
        /// The second one, from 1.
        second: usize,
    },
    /// A dependency on a step that is not in the workflow. Add the step, or drop the dependency.
    #[error("step {step} depends on {missing}, which is not in the workflow")]
    MissingDependency {
        /// The step with the dependency.
        step: StepId,
        /// What it names.
        missing: StepId,
    },
    /// Steps that wait for one another, so none can begin. Drop one of these dependencies.
    #[error("steps wait for one another: {}", describe_cycle(steps))]
    Cycle {
        /// Each step depends on the next one, and the last on the first.
        steps: Vec<StepId>,
    },
    /// A parameter that refers to what no step before it can answer. List that step before, or
    /// mend the reference.
    #[error("step {step}, parameter {place}: it refers to {reason}")]
    Reference {
        /// The step with the parameter.
        step: StepId,
        /// The parameter, as a JSON pointer.
        place: String,
        /// What is wrong with what it refers to.
        reason: String,
    },
    /// A step with more data than the [`Limits`](crate::Limits). Pass a reference to the data.
    #[error("step {step} carries {bytes} bytes, more than the limit of {limit}")]
    StepTooLarge {
        /// The step.
        step: StepId,
        /// What its action's texts and parameters take, about, in bytes.
        bytes: usize,
        /// What they may take, in bytes.
        limit: usize,
    },
    /// An action without a canonical form. The source says why.
    #[error("step {step} has an action that cannot be digested")]
    Action {
        /// The step.
        step: StepId,
        /// What is wrong.
        #[source]
        source: Arc<action::Error>,
    },
    /// Two handlers for one pattern. Register one of them.
    #[error("pattern {pattern} has two handlers")]
    DuplicateHandler {
        /// The pattern.
        pattern: action::PathPattern,
    },
    /// Text that is no TOML, or no list of schemas.
    #[error("schema text, line {line}, column {column}: {message}")]
    SchemaText {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// A schema that says something impossible. The place and the reason tell what.
    #[error("schema {path:?}, {place}: {reason}")]
    Schema {
        /// The schema's path pattern.
        path: String,
        /// Which part of it, such as "effect 2, key".
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A plan of another tool that cannot be read. Make it anew with a version that is supported.
    #[error("{format}, {}: {}", action::visible(place), action::visible(reason))]
    Import {
        /// What it should be.
        format: &'static str,
        /// Where it is wrong.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A log of executed actions that cannot be played again. Sort it, or name an action that is
    /// in it.
    #[error("executed action {id}: {reason}")]
    Replay {
        /// The action.
        id: StepId,
        /// What is wrong.
        reason: &'static str,
    },
    /// No report has that id. [`ForensicSimulator::recent`](crate::ForensicSimulator::recent)
    /// lists the latest ones.
    #[error("there is no report {id}, the last one is {last}")]
    NoReport {
        /// The id.
        id: crate::store::id::ReportId,
        /// The last one there is; 0 when there is none.
        last: crate::store::id::ReportId,
    },
    /// A stored report whose bytes are not those that were digested when it was saved.
    #[error("report {id} was altered: its digest is {found}, it was saved with {saved}")]
    Altered {
        /// The report.
        id: crate::store::id::ReportId,
        /// The digest in its record.
        saved: action::ReportDigest,
        /// The digest of its bytes.
        found: action::ReportDigest,
    },
    /// A report that cannot be written as JSON or read from it.
    #[error("report has no JSON form of this version")]
    Report(#[source] Arc<serde_json::Error>),
    /// The log refused. The source says why.
    #[error("cannot use the log of simulations")]
    Log(#[from] jsonl_storage::Error),
}

impl Error {
    /// What a JSON parser says, with the place before it.
    pub(crate) fn json(format: &'static str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The parser says the place too, behind.
        let place = format!(" at line {} column {}", error.line(), error.column());
        Self::Import {
            format,
            place: format!("line {}, column {}", error.line(), error.column()),
            reason: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
        }
    }
}

/// At most this many steps of a cycle are spelled out.
const SHOWN: usize = 8;

fn describe_cycle(steps: &[StepId]) -> String {
    let shown: Vec<_> = steps.iter().take(SHOWN).map(ToString::to_string).collect();
    let mut text = shown.join(" -> ");
    if steps.len() > SHOWN {
        text.push_str(&format!(" -> … {} more", steps.len() - SHOWN));
    }
    match steps.first() {
        Some(first) => format!("{text} -> {first}"),
        None => text,
    }
}
