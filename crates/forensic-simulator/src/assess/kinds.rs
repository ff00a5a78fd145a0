use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::step_id::StepId;

/// Something that speaks against running a plan as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// The steps that it is about; empty if it is about the whole plan.
    #[schemars(with = "Vec<String>")]
    pub steps: Vec<StepId>,
    /// What it is about, if that is no step: an output, a check, the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was seen.
    pub evidence: String,
}

impl Finding {
    pub(crate) fn new(
        kind: FindingKind,
        severity: Severity,
        steps: &[&StepId],
        evidence: String,
    ) -> Self {
        Self {
            kind,
            severity,
            steps: steps.iter().map(|&step| step.clone()).collect(),
            subject: None,
            evidence,
        }
    }
}

/// The kinds of findings.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The plan failed, or a part of it was put off.
    Incomplete,
    /// Something would be destroyed.
    Destroy,
    /// Something would be destroyed, and another one made in its place.
    Replace,
    /// A procedure would run of which nothing is known.
    Invoke,
    /// Something would stay, and nobody would manage it.
    Forget,
    /// Nothing takes back what a step does.
    Irreversible,
    /// A step should not be done.
    Unsafe,
    /// A step would be tried and fail, or could not begin.
    Fails,
    /// The plan would stop after something that nothing takes back.
    HalfDone,
    /// A value opens something to everyone, or lifts a protection.
    Access,
    /// Nothing can be said of a step, or of a value.
    Unknown,
    /// A step acts outside of the world that is modelled, and nobody said what takes it back.
    Outside,
    /// The order of two steps decides, and nothing fixes it.
    Conflict,
    /// A step is not taken back by the rollback.
    NotTakenBack,
    /// A check of the plan failed.
    Check,
    /// A part of the plan was not understood, and may be a change.
    Unread,
    /// An output would be gone.
    Output,
    /// Something that exists would be managed.
    Import,
    /// Something would have another address.
    Move,
    /// Someone else changed a resource.
    Drift,
}

/// How bad a finding is, from the worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It may do harm that cannot be undone, or the plan does not work.
    Error,
    /// A person should look at it.
    Warning,
    /// It should be known.
    Note,
}

impl Severity {
    /// The name in JSON, and the level in SARIF.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl FindingKind {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Incomplete,
        Self::Destroy,
        Self::Replace,
        Self::Invoke,
        Self::Forget,
        Self::Irreversible,
        Self::Unsafe,
        Self::Fails,
        Self::HalfDone,
        Self::Access,
        Self::Unknown,
        Self::Outside,
        Self::Conflict,
        Self::NotTakenBack,
        Self::Check,
        Self::Unread,
        Self::Output,
        Self::Import,
        Self::Move,
        Self::Drift,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Destroy => "destroy",
            Self::Replace => "replace",
            Self::Invoke => "invoke",
            Self::Forget => "forget",
            Self::Irreversible => "irreversible",
            Self::Unsafe => "unsafe",
            Self::Fails => "fails",
            Self::HalfDone => "half_done",
            Self::Access => "access",
            Self::Unknown => "unknown",
            Self::Outside => "outside",
            Self::Conflict => "conflict",
            Self::NotTakenBack => "not_taken_back",
            Self::Check => "check",
            Self::Unread => "unread",
            Self::Output => "output",
            Self::Import => "import",
            Self::Move => "move",
            Self::Drift => "drift",
        }
    }

    /// What it means, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Incomplete => "The plan failed, or a part of it was put off.",
            Self::Destroy => "Something would be destroyed.",
            Self::Replace => "Something would be destroyed, and another one made in its place.",
            Self::Invoke => "A procedure would run of which nothing is known.",
            Self::Forget => "Something would stay, and nobody would manage it.",
            Self::Irreversible => "Nothing takes back what a step does.",
            Self::Unsafe => "A step should not be done.",
            Self::Fails => "A step would be tried and fail, or could not begin.",
            Self::HalfDone => "The plan would stop after something that nothing takes back.",
            Self::Access => "A value opens something to everyone, or lifts a protection.",
            Self::Unknown => "Nothing can be said of a step, or of a value.",
            Self::Outside => {
                "A step acts outside of the world that is modelled, and nothing is known to take it back."
            }
            Self::Conflict => "The order of two steps decides, and nothing fixes it.",
            Self::NotTakenBack => "A step is not taken back by the rollback.",
            Self::Check => "A check of the plan failed.",
            Self::Unread => "A part of the plan was not understood, and may be a change.",
            Self::Output => "An output would be gone.",
            Self::Import => "Something that exists would be managed.",
            Self::Move => "Something would have another address.",
            Self::Drift => "Someone else than the tool changed a resource.",
        }
    }
}

impl FromStr for FindingKind {
    type Err = String;

    /// With `_` or `-` between the words.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().replace('-', "_");
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == name)
            .ok_or_else(|| format!("no finding is of kind {text:?}"))
    }
}
