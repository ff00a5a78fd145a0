//! A plan in one line.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::assess::kinds::{Finding, FindingKind};
use crate::formats::planned::{ChangeKind, PlannedChanges, PlannedResource};
use crate::run::report::{PredictedOutcome, SimulationReport, StepReport};

/// What to do with a plan, from the worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Advice {
    /// Make the plan anew: it failed, or a part of it is missing.
    Incomplete,
    /// Do not run it as it is: a step would fail, or should not be done.
    Stop,
    /// A person should look at what was found.
    Review,
    /// Nothing speaks against it.
    Ok,
}

impl Advice {
    pub(crate) fn of(findings: &[Finding], is_incomplete: bool) -> Self {
        let stops = |finding: &Finding| {
            matches!(
                finding.kind,
                FindingKind::Unsafe | FindingKind::Fails | FindingKind::HalfDone
            )
        };
        if is_incomplete {
            Self::Incomplete
        } else if findings.iter().any(stops) {
            Self::Stop
        } else if findings
            .iter()
            .any(|finding| finding.kind != FindingKind::Drift)
        {
            Self::Review
        } else {
            Self::Ok
        }
    }
}

/// As a headline begins.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "INCOMPLETE",
            Self::Stop => "STOP",
            Self::Review => "REVIEW",
            Self::Ok => "OK",
        })
    }
}

/// How many resources or steps of one kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Count {
    /// The kind.
    pub kind: ChangeKind,
    /// How many.
    pub count: usize,
}

pub(crate) fn of_resources(resources: &[PlannedResource]) -> Vec<Count> {
    count(resources.iter().map(|resource| resource.kind))
}

/// Counts the keys of a workflow's own world, and the steps that do something else.
pub(crate) fn of_steps(report: &SimulationReport) -> Vec<Count> {
    let net = report.net_changes();
    let keys = net
        .iter()
        .map(|change| match (&change.before, &change.after) {
            (None, _) => ChangeKind::Create,
            (_, None) => ChangeKind::Destroy,
            _ => ChangeKind::Update,
        });
    let beside = report.steps.iter().filter_map(beside);
    count(keys.chain(beside))
}

fn beside(step: &StepReport) -> Option<ChangeKind> {
    match step.outcome {
        PredictedOutcome::Unknown => Some(ChangeKind::Unknown),
        PredictedOutcome::Unsafe if !step.would_run => Some(ChangeKind::Unknown),
        _ if !step.external.is_empty() => Some(ChangeKind::Outside),
        _ => None,
    }
}

fn count(kinds: impl Iterator<Item = ChangeKind>) -> Vec<Count> {
    let mut counts: BTreeMap<ChangeKind, usize> = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    let counts = counts.into_iter();
    counts.map(|(kind, count)| Count { kind, count }).collect()
}

/// Such as `REVIEW: 2 destroyed, 1 replaced, 3 unknown`.
pub(crate) fn headline(
    advice: Advice,
    counts: &[Count],
    findings: &[Finding],
    changes: Option<&PlannedChanges>,
) -> String {
    let of_kind = |kind| {
        findings
            .iter()
            .filter(|finding| finding.kind == kind)
            .count()
    };
    let mut parts = Vec::new();
    let mut add = |count: usize, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    add(of_kind(FindingKind::Unsafe), "unsafe");
    add(of_kind(FindingKind::Fails), "would fail");
    for Count { kind, count } in counts
        .iter()
        .filter(|count| count.kind <= ChangeKind::Replace)
    {
        add(*count, kind.participle());
    }
    add(
        of_kind(FindingKind::Access),
        "opened to others or unprotected",
    );
    for Count { kind, count } in counts
        .iter()
        .filter(|count| count.kind > ChangeKind::Replace)
    {
        if *kind != ChangeKind::Unknown {
            add(*count, kind.participle());
        }
    }
    add(of_kind(FindingKind::Unknown), "unknown");
    add(of_kind(FindingKind::Check), "failed checks");
    add(of_kind(FindingKind::Unread), "not understood");
    add(of_kind(FindingKind::Irreversible), "irreversible");
    add(of_kind(FindingKind::Conflict), "conflicts");
    if let Some(changes) = changes {
        add(changes.outputs.len(), "outputs changed");
        if let Some(first) = changes.incomplete.first() {
            parts.insert(0, first.clone());
        }
    }
    match parts.is_empty() {
        true => format!("{advice}: no changes"),
        false => format!("{advice}: {}", parts.join(", ")),
    }
}
