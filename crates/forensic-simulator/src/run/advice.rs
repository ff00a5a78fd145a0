//! Safety issues and recommendations: what follows from the outcomes of the steps.

use std::borrow::Cow;

use crate::run::report::issue::{IssueKind, Recommendation, SafetyIssue};
use crate::run::report::{PredictedOutcome, Reversibility, StepReport};

/// What a handler knows of a step beyond its report.
#[derive(Debug, Clone)]
pub(crate) struct Remark {
    /// The step's place in the report.
    pub(crate) played: usize,
    /// The handler's own advice.
    pub(crate) remedy: String,
}

pub(crate) fn safety_issues(steps: &[StepReport]) -> Vec<SafetyIssue> {
    let first_failure = steps
        .iter()
        .find(|step| step.outcome == PredictedOutcome::WouldFail);
    let mut before_failure = first_failure.is_some();
    let mut issues = Vec::new();
    for step in steps {
        if first_failure.is_some_and(|failure| failure.id == step.id) {
            before_failure = false;
        }
        let mut add = |kind, evidence: String| {
            issues.push(SafetyIssue {
                step: step.id.clone(),
                kind,
                evidence,
            });
        };
        match step.outcome {
            PredictedOutcome::Unsafe => add(IssueKind::UnsafeStep, step.reason.to_string()),
            PredictedOutcome::Unknown => add(IssueKind::NotModelled, step.reason.to_string()),
            PredictedOutcome::Success | PredictedOutcome::Blocked | PredictedOutcome::WouldFail => {
            }
        }
        if step.would_run && step.reversibility == Reversibility::Irreversible {
            add(IssueKind::IrreversibleEffect, describe_effects(step));
            if let Some(failure) = first_failure.filter(|_| before_failure) {
                let evidence = format!("step {} would fail after it", failure.id);
                add(IssueKind::HalfDone, evidence);
            }
        }
    }
    issues
}

fn describe_effects(step: &StepReport) -> String {
    match (step.external.first(), step.changes.first()) {
        (Some(external), _) => [&*external.effect, " at ", &*external.target].concat(),
        (None, Some(change)) => format!("it changes {}", change.key),
        (None, None) => format!("{} cannot be taken back", step.path),
    }
}

pub(crate) fn recommendations(steps: &[StepReport], remarks: &[Remark]) -> Vec<Recommendation> {
    let mut remarks = remarks.iter().peekable();
    let advice = steps.iter().enumerate().filter_map(|(number, step)| {
        let own = remarks.next_if(|remark| remark.played == number);
        advise(step, own.map(|remark| remark.remedy.clone()))
    });
    advice.collect()
}

fn advise(step: &StepReport, own: Option<String>) -> Option<Recommendation> {
    let own = own.map(Cow::from);
    let remedy = match step.outcome {
        PredictedOutcome::Success if step.reversibility != Reversibility::Irreversible => {
            return None;
        }
        PredictedOutcome::Success => own.unwrap_or_else(|| {
            "have a person approve it, and run it after every step that may fail".into()
        }),
        PredictedOutcome::Unknown if !step.blocked_by.is_empty() => return None,
        PredictedOutcome::Unknown => own
            .unwrap_or_else(|| format!("describe {} with a schema or a handler", step.path).into()),
        // The step that blocks has its own recommendation.
        PredictedOutcome::Blocked if !step.blocked_by.is_empty() => return None,
        PredictedOutcome::Blocked => own.unwrap_or_else(|| "remove what blocks it".into()),
        PredictedOutcome::WouldFail => own.unwrap_or_else(|| {
            "change the step, or make the precondition true in an earlier step".into()
        }),
        PredictedOutcome::Unsafe => own.unwrap_or_else(|| "take the step out of the plan".into()),
    };
    let evidence = match step.outcome {
        PredictedOutcome::Success => describe_effects(step),
        _ => step.reason.to_string(),
    };
    Some(Recommendation {
        step: step.id.clone(),
        evidence,
        remedy,
    })
}
