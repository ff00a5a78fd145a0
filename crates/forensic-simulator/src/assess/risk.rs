use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::assess::kinds::{Finding, FindingKind};
use crate::formats::planned::{ChangeKind, PlannedChanges, PlannedResource};
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
    /// The parts of the world that these keys belong to: the text before their first `/`, or
    /// the address of the resource.
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
        let area = |key: &str| area_of(key).to_owned();
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

/// The part of the world that a key belongs to: the text before its first `/`, where those within the
/// index of an address, such as `aws_route.r["10.0.0.0/16"]`, do not count.
fn area_of(key: &str) -> &str {
    let (mut quoted, mut escaped, mut before) = (false, false, ' ');
    for (at, character) in key.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted || before == '[' => quoted = !quoted,
            '/' if !quoted => return &key[..at],
            _ => {}
        }
        before = character;
    }
    // A quote that nothing closes is no index.
    if quoted {
        key.split('/').next().unwrap_or(key)
    } else {
        key
    }
}

/// How much a plan needs a second look: 0 is "none", 100 is "do not run it".
///
/// It is the sum of its factors, cut at 100, so every point can be explained. The weights are a
/// convention, not a measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Risk {
    /// The score.
    pub score: u32, // in 0..=100
    /// What it is made of, the heaviest first.
    pub factors: Vec<RiskFactor>,
}

/// One reason for a [`Risk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

    /// Scores what a plan of another tool says that it would change.
    ///
    /// Each group of alike changes has the chance of harm that one of them has, and grows with the
    /// square root of their number; the score is the chance that any group does harm. So one database
    /// that is destroyed outweighs any number of resources that are created, and every point can be
    /// explained. The weights were chosen so that the order of labelled plans comes out
    /// (`samples/risk`); they are no measurement of harm.
    #[must_use]
    pub fn of_changes(changes: &PlannedChanges, findings: &[Finding]) -> Self {
        let mut groups: BTreeMap<(u32, &'static str), usize> = BTreeMap::new();
        let mut add = |(points, what): (u32, &'static str)| {
            if points > 0 {
                *groups.entry((points, what)).or_default() += 1;
            }
        };
        changes.resources.iter().map(weight).for_each(&mut add);
        changes
            .outputs
            .iter()
            .for_each(|_| add((1, "outputs changed")));
        let beside = findings
            .iter()
            .filter_map(|finding| weight_of_finding(finding));
        beside.for_each(&mut add);
        let mut factors = Vec::new();
        let mut harmless = 1.0;
        for (&(points, what), &count) in groups.iter().rev() {
            let chance = group_chance(points, count);
            harmless *= 1.0 - chance;
            factors.push(RiskFactor {
                points: (chance * 100.0).round() as u32,
                evidence: format!("{count} {what}"),
            });
        }
        factors.sort_by_key(|factor| std::cmp::Reverse(factor.points));
        Self {
            score: ((1.0 - harmless) * 100.0).round() as u32,
            factors,
        }
    }
}

/// Points of one resource, and what resources like it are called.
fn weight(resource: &PlannedResource) -> (u32, &'static str) {
    let guards = guards_others(&resource.type_name);
    match (resource.kind, resource.holds_data) {
        (ChangeKind::Destroy, true) => (75, "destroyed that hold data"),
        (ChangeKind::Destroy, false) if guards => (42, "destroyed that others rely on"),
        (ChangeKind::Destroy, false) => (32, "destroyed"),
        (ChangeKind::Replace, true) => (70, "replaced that hold data"),
        (ChangeKind::Replace, false) if guards => (34, "replaced that others rely on"),
        (ChangeKind::Replace, false) => (24, "replaced"),
        (ChangeKind::Invoke, _) => (46, "procedures invoked"),
        (ChangeKind::Unknown, _) => (28, "of which nothing is known"),
        (ChangeKind::Forget, true) => (18, "forgotten that hold data"),
        (ChangeKind::Forget, false) => (12, "forgotten"),
        (ChangeKind::Outside, _) => (20, "outside"),
        (ChangeKind::Update, true) => (9, "updated that hold data"),
        (ChangeKind::Update, false) if guards => (8, "updated that others rely on"),
        (ChangeKind::Update, false) => (4, "updated"),
        (ChangeKind::Import, _) => (3, "imported"),
        (ChangeKind::Move, _) => (2, "moved"),
        (ChangeKind::Create, _) => (1, "created"),
        (ChangeKind::Read, _) => (0, ""),
    }
}

/// Points of what was found beside the kind of change of a resource.
fn weight_of_finding(finding: &Finding) -> Option<(u32, &'static str)> {
    Some(match finding.kind {
        FindingKind::Access => (44, "openings or lifted protections"),
        FindingKind::Incomplete => (50, "parts that are not known yet"),
        FindingKind::Unread => (30, "parts that were not understood"),
        FindingKind::Check => (26, "failed checks"),
        FindingKind::Fails => (40, "steps that would fail"),
        FindingKind::Unknown => (6, "values known only after the apply"),
        FindingKind::Output => (8, "outputs removed"),
        FindingKind::Drift => (5, "changed by someone else"),
        _ => return None,
    })
}

/// The chance of harm of a group: small chances stay small however many there are.
fn group_chance(points: u32, count: usize) -> f64 {
    let one = f64::from(points) / 100.0;
    let chance = 1.0 - (1.0 - one).powf((count as f64).sqrt());
    match points {
        0..=4 => chance.min(0.12),
        5..=12 => chance.min(0.30),
        _ => chance,
    }
}

/// Whether others cannot work, or are not safe, without a resource of a type: networks, names,
/// rights and what balances load.
fn guards_others(type_name: &str) -> bool {
    const WORDS: &[&str] = &[
        "acl",
        "balancer",
        "certificate",
        "domain",
        "firewall",
        "gateway",
        "group",
        "iam",
        "ingress",
        "lb",
        "network",
        "policy",
        "record",
        "role",
        "rolebinding",
        "route",
        "security",
        "service",
        "subnet",
        "vpc",
        "vpn",
        "webhook",
    ];
    let lower = type_name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| {
        WORDS.contains(&word)
            || word
                .strip_suffix('s')
                .is_some_and(|one| WORDS.contains(&one))
    })
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
