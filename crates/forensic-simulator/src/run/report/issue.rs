use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::plan::step_id::StepId;

/// Something that a person should look at before a plan runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafetyIssue {
    /// The step.
    pub step: StepId,
    /// What kind of thing.
    pub kind: IssueKind,
    /// What was seen.
    pub evidence: String,
}

/// The kinds of [`SafetyIssue`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssueKind {
    /// A handler calls the step unsafe.
    UnsafeStep,
    /// Nothing would undo the step.
    IrreversibleEffect,
    /// What the step does is not modelled.
    NotModelled,
    /// The plan would stop after a step that nothing undoes: it would be left half done.
    HalfDone,
}

/// What would make a plan better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The step to change.
    pub step: StepId,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: Cow<'static, str>,
}
