//! What speaks against a plan.

use std::collections::{BTreeSet, HashSet};

use crate::assess::analysis::Analysis;
use crate::assess::kinds::{Finding, FindingKind, Severity};
use crate::assess::rollback::UndoKind;
use crate::formats::planned::{ChangeKind, PlannedChanges, PlannedResource};
use crate::formats::terraform::access::openings;
use crate::plan::step_id::StepId;
use crate::run::report::PredictedOutcome;
use crate::run::report::issue::IssueKind;
use crate::world::fact::{Fact, Key};

/// What the simulation found. A plan without findings would do what it says, in every order that it
/// allows, and can be taken back as a whole.
///
/// Of a plan of another tool nobody expects that it can be taken back: what its changes mean is said
/// by [`of_changes`].
pub(crate) fn of_report(analysis: &Analysis, is_imported: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for step in &analysis.report.steps {
        let (kind, severity) = match step.outcome {
            PredictedOutcome::Success => continue,
            PredictedOutcome::Unknown => (FindingKind::Unknown, Severity::Warning),
            PredictedOutcome::Blocked | PredictedOutcome::WouldFail => {
                (FindingKind::Fails, Severity::Error)
            }
            PredictedOutcome::Unsafe => (FindingKind::Unsafe, Severity::Error),
        };
        let evidence = format!("{}: {}", step.outcome, step.reason);
        found.push(Finding::new(kind, severity, &[&step.id], evidence));
    }
    if is_imported {
        return found;
    }
    let lasting = lasting(analysis, &mut found);
    conflicts(analysis, &mut found);
    not_taken_back(analysis, &lasting, &mut found);
    found
}

/// What nothing takes back, by its own words.
fn lasting<'a>(analysis: &'a Analysis, found: &mut Vec<Finding>) -> BTreeSet<&'a StepId> {
    let mut lasting = BTreeSet::new();
    for issue in &analysis.report.safety_issues {
        let (kind, evidence) = match issue.kind {
            // The outcome of the step says it.
            IssueKind::UnsafeStep | IssueKind::NotModelled => continue,
            IssueKind::IrreversibleEffect => {
                lasting.insert(&issue.step);
                let evidence = format!("nothing takes it back: {}", issue.evidence);
                (FindingKind::Irreversible, evidence)
            }
            IssueKind::HalfDone => {
                let evidence = format!("it would be left half done: {}", issue.evidence);
                (FindingKind::HalfDone, evidence)
            }
        };
        found.push(Finding::new(
            kind,
            Severity::Error,
            &[&issue.step],
            evidence,
        ));
    }
    lasting
}

fn conflicts(analysis: &Analysis, found: &mut Vec<Finding>) {
    let (kind, severity) = (FindingKind::Conflict, Severity::Warning);
    for pair in &analysis.conflicts.pairs {
        let keys: Vec<_> = pair.keys.iter().map(Key::as_str).collect();
        let verb = if pair.proven { "decides" } else { "may decide" };
        let evidence = format!("their order {verb}, by {}", keys.join(", "));
        found.push(Finding::new(
            kind,
            severity,
            &[&pair.first, &pair.second],
            evidence,
        ));
    }
    if !analysis.conflicts.exhaustive {
        let evidence = "it allows more orders than were looked at".to_owned();
        found.push(Finding::new(kind, severity, &[], evidence));
    }
}

fn not_taken_back(analysis: &Analysis, lasting: &BTreeSet<&StepId>, found: &mut Vec<Finding>) {
    for undo in &analysis.rollback.steps {
        let known = undo.how == UndoKind::Impossible && lasting.contains(&undo.step);
        if undo.outcome == PredictedOutcome::Success || known {
            continue;
        }
        let acts = analysis.report.step(undo.step.as_str());
        let kind = match acts.is_some_and(|step| !step.external.is_empty()) {
            true => FindingKind::Outside,
            false => FindingKind::NotTakenBack,
        };
        let evidence = undo.reason.clone().unwrap_or_default().into_owned();
        found.push(Finding::new(
            kind,
            Severity::Warning,
            &[&undo.step],
            evidence,
        ));
    }
}

/// What a plan of another tool says that a person should look at.
pub(crate) fn of_changes(changes: &PlannedChanges) -> Vec<Finding> {
    let mut found = Vec::new();
    for reason in &changes.incomplete {
        let mut finding = Finding::new(
            FindingKind::Incomplete,
            Severity::Error,
            &[],
            reason.clone(),
        );
        finding.subject = Some("the plan".to_owned());
        found.push(finding);
    }
    for resource in changes.resources.iter() {
        let step = StepId::from(resource.address.as_str());
        let mut add = |kind, severity, evidence: String| {
            found.push(Finding::new(kind, severity, &[&step], evidence));
        };
        if let Some((kind, severity, evidence)) = of_kind(resource) {
            add(kind, severity, evidence);
        }
        for opening in openings(resource) {
            add(FindingKind::Access, Severity::Error, opening);
        }
        let unknown = unknown_parts(resource);
        if !unknown.is_empty() {
            let evidence = format!("known only after the apply: {}", unknown.join(", "));
            add(FindingKind::Unknown, Severity::Warning, evidence);
        }
    }
    let addresses: HashSet<&str> = changes
        .resources
        .iter()
        .map(|resource| resource.address.as_str())
        .collect();
    for remark in &changes.remarks {
        let severity = match remark.kind {
            FindingKind::Check | FindingKind::Unread => Severity::Warning,
            _ => Severity::Note,
        };
        let step = StepId::from(remark.subject.as_str());
        let is_step = addresses.contains(remark.subject.as_str());
        let steps: &[&StepId] = if is_step { &[&step] } else { &[] };
        let mut finding = Finding::new(remark.kind, severity, steps, remark.evidence.clone());
        finding.subject = (!is_step).then(|| remark.subject.clone());
        found.push(finding);
    }
    found
}

/// What follows from the kind of a change alone.
fn of_kind(resource: &PlannedResource) -> Option<(FindingKind, Severity, String)> {
    let because = match resource.notes.is_empty() {
        true => String::new(),
        false => format!("; {}", resource.notes.join("; ")),
    };
    let data = if resource.holds_data {
        ", with the data that it holds"
    } else {
        ""
    };
    Some(match resource.kind {
        ChangeKind::Destroy => (
            FindingKind::Destroy,
            Severity::Error,
            format!("it would be destroyed{data}{because}"),
        ),
        ChangeKind::Replace => (
            FindingKind::Replace,
            if resource.holds_data {
                Severity::Error
            } else {
                Severity::Warning
            },
            format!("it would be destroyed{data}, and another one made in its place{because}"),
        ),
        ChangeKind::Invoke => (
            FindingKind::Invoke,
            Severity::Error,
            resource.notes.join("; "),
        ),
        ChangeKind::Forget => {
            let evidence = format!("it would stay, and no longer be managed{because}");
            (FindingKind::Forget, Severity::Warning, evidence)
        }
        _ => return None,
    })
}

/// The parts of a resource that exists whose value is not known before the apply.
fn unknown_parts(resource: &PlannedResource) -> Vec<String> {
    if resource.kind != ChangeKind::Update {
        return Vec::new();
    }
    let mut found = Vec::new();
    for attribute in &resource.attributes {
        match &attribute.after {
            Some(Fact::Unknown(_)) => found.push(attribute.name.clone()),
            Some(Fact::Known(value)) => collect_unknown(&attribute.name, value, &mut found),
            _ => {}
        }
    }
    found
}

fn collect_unknown(path: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    if value["$unknown"].is_object() {
        found.push(path.to_owned());
        return;
    }
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                collect_unknown(&format!("{path}.{name}"), field, found);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_unknown(&format!("{path}[{index}]"), item, found);
            }
        }
        _ => {}
    }
}
