//! What holds of all findings of a run together: each is possible, none is said twice, and none is the
//! mere consequence of another.

use load_engine::{Model, RunRecord};

use crate::{Finding, FindingKind, Span, Unit};

/// Findings of one kind with less than this between them are one.
const NEAR_NS: u64 = 1_000_000_000;

pub(super) fn apply(run: &RunRecord, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| is_possible(run, finding));
    let findings = merged(findings);
    let explained: Vec<bool> = findings
        .iter()
        .map(|finding| is_explained(run, finding, &findings))
        .collect();
    findings
        .into_iter()
        .zip(explained)
        .filter(|(_, explained)| !explained)
        .map(|(finding, _)| finding)
        .collect()
}

/// Whether its figures can be true of the run: a detector that contradicts itself is not believed.
fn is_possible(run: &RunRecord, finding: &Finding) -> bool {
    let figure = |figure: &crate::Figure| match figure.unit {
        Unit::Share => (0.0..=1.0).contains(&figure.value),
        _ => figure.value.is_finite(),
    };
    let users = |figure: &crate::Figure| {
        let counts_users = figure.name.contains("users");
        !counts_users || figure.unit != Unit::Count || figure.value <= f64::from(run.users)
    };
    let span = finding.span.is_none_or(|span| {
        span.start_ns <= span.end_ns && span.end_ns <= run.wall_ns.max(run.window_ns())
    });
    let mut figures = finding.evidence.figures.iter();
    span && figures.all(|own| figure(own) && users(own))
}

/// Those of one kind and place whose times touch are one: the strongest, over the time of all.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let same = merged.iter_mut().find(|other| {
            other.kind == finding.kind
                && other.step == finding.step
                && other.phase == finding.phase
                && touch(other.span, finding.span)
        });
        let Some(same) = same else {
            merged.push(finding);
            continue;
        };
        let span = same.span.zip(finding.span).map(|(a, b)| Span {
            start_ns: a.start_ns.min(b.start_ns),
            end_ns: a.end_ns.max(b.end_ns),
        });
        if finding.strength.grade > same.strength.grade {
            *same = finding;
        }
        same.span = span;
    }
    merged
}

/// Whether two times overlap or nearly so; a finding of the whole run touches every other one.
fn touch(a: Option<Span>, b: Option<Span>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return true;
    };
    a.start_ns <= b.end_ns.saturating_add(NEAR_NS) && b.start_ns <= a.end_ns.saturating_add(NEAR_NS)
}

/// Whether another finding, or the generator, explains it.
fn is_explained(run: &RunRecord, finding: &Finding, all: &[Finding]) -> bool {
    use FindingKind as Kind;
    // A generator that was the limit changes every latency; failures it does not make.
    if finding.kind != Kind::ErrorBurst && !run.saturation().is_empty() {
        return true;
    }
    let is_open = matches!(run.model, Model::Open { .. });
    all.iter().any(|other| match other.kind {
        // Who waited through a stall is a group of its own, waited in a queue, and comes back later.
        Kind::Stall => {
            matches!(
                finding.kind,
                Kind::BimodalTail | Kind::Queueing | Kind::SlowRecovery
            ) && touch(other.span, finding.span)
        }
        // A rate above the capacity is a queue that grows.
        Kind::Saturation if is_open => matches!(
            finding.kind,
            Kind::Queueing | Kind::Degradation | Kind::SlowRecovery
        ),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::chance::strength;
    use crate::{Evidence, Figure, Grade, PlotKind};

    fn finding(kind: FindingKind, span: Option<(u64, u64)>) -> Finding {
        Finding {
            kind,
            scenario: "made".to_owned(),
            step: None,
            phase: None,
            strength: strength(Grade::Moderate, 0.5, "made"),
            evidence: Evidence::default(),
            recommendation: String::new(),
            span: span.map(|(start_s, end_s)| Span {
                start_ns: start_s * 1_000_000_000,
                end_ns: end_s * 1_000_000_000,
            }),
            plot: PlotKind::Latency,
        }
    }

    fn run() -> RunRecord {
        let mut run = RunRecord::default();
        run.users = 40;
        run.wall_ns = 60_000_000_000;
        run
    }

    fn kinds(findings: Vec<Finding>) -> Vec<FindingKind> {
        let kept = apply(&run(), findings);
        kept.iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn what_cannot_be_is_not_said() {
        let with = |name: &str, value: f64, unit: Unit| {
            let mut one = finding(FindingKind::Stall, Some((1, 2)));
            one.evidence.figures.push(Figure::new(name, value, unit));
            kinds(vec![one]).len()
        };
        assert_eq!(with("share of users", 1.813, Unit::Share), 0);
        assert_eq!(with("users that waited", 73.0, Unit::Count), 0);
        assert_eq!(with("users that waited", 40.0, Unit::Count), 1);
        let late = finding(FindingKind::Stall, Some((59, 61)));
        assert_eq!(kinds(vec![late]), []);
    }

    #[test]
    fn findings_of_one_kind_that_touch_are_one_over_the_time_of_both() {
        let one = finding(FindingKind::Stall, Some((1, 2)));
        let mut other = finding(FindingKind::Stall, Some((3, 5)));
        other.strength.grade = Grade::Strong;
        let far = finding(FindingKind::Stall, Some((20, 21)));
        let kept = apply(&run(), vec![one, other, far]);
        assert_eq!(kept.len(), 2);
        let span = kept[0].span.unwrap();
        assert_eq!((span.start_ns, span.end_ns), (1_000_000_000, 5_000_000_000));
        assert_eq!(kept[0].strength.grade, Grade::Strong);
    }

    #[test]
    fn a_stall_explains_the_tail_and_the_queue_of_its_time() {
        use FindingKind::{BimodalTail, ErrorBurst, Queueing, SlowRecovery, Stall};
        let all = vec![
            finding(Stall, Some((10, 12))),
            finding(BimodalTail, None),
            finding(Queueing, None),
            finding(SlowRecovery, Some((40, 50))),
            finding(ErrorBurst, Some((10, 12))),
        ];
        assert_eq!(kinds(all), [Stall, SlowRecovery, ErrorBurst]);
    }

    #[test]
    fn too_high_a_rate_explains_what_its_queue_does() {
        use FindingKind::{Degradation, Queueing, Saturation, SlowRecovery};
        let all =
            || [Saturation, Queueing, Degradation, SlowRecovery].map(|kind| finding(kind, None));
        let mut open = run();
        let schedule = load_engine::Schedule::constant(9.0, std::time::Duration::from_secs(60));
        open.model = Model::open(schedule, std::num::NonZeroU32::MIN);
        let kept = apply(&open, all().into());
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(kinds(all().into()).len(), 4, "more users are no queue");
    }

    #[test]
    fn of_a_generator_that_was_the_limit_only_failures_are_believed() {
        use FindingKind::{BimodalTail, ErrorBurst};
        let mut limited = run();
        limited.generator.cpu_share = Some(0.9);
        let all = vec![finding(BimodalTail, None), finding(ErrorBurst, None)];
        let kept = apply(&limited, all);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].kind, ErrorBurst);
    }
}
