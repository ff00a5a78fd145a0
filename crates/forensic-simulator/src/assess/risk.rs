use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::plan::step_id::StepId;
use crate::run::report::issue::IssueKind;
use crate::run::report::{PredictedOutcome, Reversibility, SimulationReport};

/// How far a plan reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BlastRadius {
    /// How many keys would be other than before.
    pub keys: usize,
    /// How many of them would be gone.
    pub removed: usize,
    /// The parts of the world that these keys belong to: the text before their first `/`.
    pub areas: BTreeSet<String>,
    /// What would be reached outside of the world.
    pub targets: BTreeSet<String>,
    /// The first step that nothing takes back: before it, the plan can still be abandoned.
    pub pivot: Option<StepId>,
    /// The steps that nothing takes back, or of which nobody said.
    pub irreversible: Vec<StepId>,
}

impl BlastRadius {
    /// Measures a report.
    #[must_use]
    pub fn of(report: &SimulationReport) -> Self {
        let net = report.net_changes();
        let area = |key: &str| key.split('/').next().unwrap_or(key).to_owned();
        let external = report.steps.iter().flat_map(|step| &step.external);
        let last = report.steps.iter().filter(|step| {
            let lasting = !step.external.is_empty() || step.changes.iter().any(|c| !c.is_noop());
            let open = matches!(
                step.reversibility,
                Reversibility::Irreversible | Reversibility::Opaque
            );
            open && (lasting
                || matches!(
                    step.outcome,
                    PredictedOutcome::Unknown | PredictedOutcome::Unsafe
                ))
        });
        let irreversible: Vec<_> = last.map(|step| step.id.clone()).collect();
        Self {
            keys: net.len(),
            removed: net.iter().filter(|change| change.after.is_none()).count(),
            areas: net.iter().map(|change| area(change.key.as_str())).collect(),
            targets: external.map(|external| external.target.clone()).collect(),
            pivot: irreversible.first().cloned(),
            irreversible,
        }
    }
}

/// How much a plan needs a second look: 0 is "none", 100 is "do not run it".
///
/// It is the sum of its factors, cut at 100, so every point can be explained. The weights are a
/// convention, not a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Risk {
    /// The score.
    pub score: u32, // in 0..=100
    /// What it is made of, the heaviest first.
    pub factors: Vec<RiskFactor>,
}

/// One reason for a [`Risk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskFactor {
    /// How much it adds.
    pub points: u32,
    /// What was seen.
    pub evidence: String,
}

impl Risk {
    /// Scores a report.
    ///
    /// Unsafe steps count 60 each, a plan that stops half done 40, steps that nothing takes back 20
    /// each, steps that are not modelled 15 each, steps that would fail 10 each, removed keys 2 each
    /// (20 at most), changed keys 1 for each ten (10 at most).
    #[must_use]
    pub fn of(report: &SimulationReport) -> Self {
        let net = report.net_changes();
        let removed = net.iter().filter(|change| change.after.is_none()).count();
        Self::weigh(report, net.len(), removed)
    }

    /// As [`Risk::of`], given how many keys the plan changes and how many of these it removes.
    pub(crate) fn weigh(report: &SimulationReport, changed: usize, removed: usize) -> Self {
        let issues = |kind| {
            let of_kind = report.safety_issues.iter();
            of_kind.filter(|issue| issue.kind == kind).count()
        };
        let failing = report.steps.iter();
        let failing = failing.filter(|step| step.outcome == PredictedOutcome::WouldFail);
        let half_done = usize::from(issues(IssueKind::HalfDone) > 0);
        let mut factors: Vec<RiskFactor> = [
            (60, issues(IssueKind::UnsafeStep), " unsafe steps"),
            (40, half_done, HALF_DONE),
            (
                20,
                issues(IssueKind::IrreversibleEffect),
                " steps that nothing takes back",
            ),
            (
                15,
                report.not_modelled.len(),
                " steps that are not modelled",
            ),
            (10, failing.count(), " steps that would fail"),
        ]
        .into_iter()
        .filter_map(|(weight, count, what)| factor(weight * count, count, what))
        .collect();
        factors.extend(factor((2 * removed).min(20), removed, " keys removed"));
        let points = changed.div_ceil(10).min(10);
        factors.extend(factor(points, changed, " keys changed"));
        factors.sort_by_key(|factor| std::cmp::Reverse(factor.points));
        let sum = factors
            .iter()
            .fold(0_u32, |sum, f| sum.saturating_add(f.points));
        Self {
            score: sum.min(100),
            factors,
        }
    }
}

const HALF_DONE: &str = "it would stop after something that nothing takes back";

fn factor(points: usize, count: usize, what: &str) -> Option<RiskFactor> {
    if points == 0 {
        return None;
    }
    let evidence = match what {
        HALF_DONE => what.to_owned(),
        _ => {
            let mut evidence = String::with_capacity(what.len() + 2);
            // Most counts have one digit; writing to a `String` cannot fail.
            if let Ok(digit @ 0..10) = u8::try_from(count) {
                evidence.push((b'0' + digit).into());
            } else {
                let _ = write!(evidence, "{count}");
            }
            evidence.push_str(what);
            evidence
        }
    };
    let points = u32::try_from(points).unwrap_or(u32::MAX);
    Some(RiskFactor { points, evidence })
}
