use std::fs;

use approval_workflow::{
    ApprovalWorkflow, AuditEntry, Decision, Error, Outcome, Receipt, RequestId, Review, Status,
    verify_bundle,
};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{action, ask, id, open, person, second};

/// A request that was escalated, approved, claimed and reported.
fn finished(workflow: &ApprovalWorkflow) -> RequestId {
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = request.submission.id.clone();
    workflow
        .escalate(&id, person("agent-7"), "it burns", second(1))
        .unwrap();
    let yes = Decision::approve(person("alice"), second(2)).with_reason("checked");
    workflow.decide(&id, yes).unwrap();
    let action = action("payments/refund");
    let claim = workflow
        .claim(&id, &action, person("x"), second(3))
        .unwrap();
    workflow
        .finish(Receipt {
            id: id.clone(),
            at: second(4),
            token: claim.token,
            outcome: Outcome::Succeeded,
            observed: "200 OK".into(),
        })
        .unwrap();
    id
}

fn exported() -> String {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    workflow.request(ask("payments/other")).unwrap();
    let id = finished(&workflow);
    workflow.export_bundle(&id).unwrap().0
}

#[test]
fn a_bundle_alone_says_what_happened_and_is_the_same_after_a_restart() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = finished(&workflow);
    let (text, digest) = workflow.export_bundle(&id).unwrap();
    let verified = verify_bundle(&text, Some(&digest)).unwrap();
    assert_eq!(verified.request, *workflow.get(&id).unwrap());
    assert_eq!(verified.trail, workflow.audit_trail(&id).unwrap());
    assert_eq!(verified.request.status(second(5)), Status::Succeeded);
    assert_eq!(workflow.export_bundle(&crate::support::id("r-99")), None);
    workflow.close().unwrap();
    assert_eq!(open(&dir).export_bundle(&id), Some((text, digest)));
}

#[test]
fn another_history_that_is_right_in_itself_is_not_the_one_that_was_noted() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let early = id("one");
    workflow
        .request(ask("payments/refund").with_id(early.clone()))
        .unwrap();
    let (before, _) = workflow.export_bundle(&early).unwrap();
    let no = Decision::deny(person("alice"), second(1)).with_reason("no");
    workflow.decide(&early, no).unwrap();
    let (_, noted) = workflow.export_bundle(&early).unwrap();
    assert!(verify_bundle(&before, None).is_ok());
    let error = verify_bundle(&before, Some(&noted)).unwrap_err();
    assert!(matches!(error, Error::Bundle { line: 1, .. }), "{error}");
}

#[test]
fn lines_left_out_swapped_or_doubled_are_found() {
    let text = exported();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let mut cut = lines.clone();
        let line = cut.remove(at);
        assert!(verify_bundle(&cut.concat(), None).is_err(), "without {at}");
        cut.insert(at, line);
        cut.insert(at, line);
        assert!(verify_bundle(&cut.concat(), None).is_err(), "twice {at}");
        let mut swapped = lines.clone();
        let to = (at + 1) % lines.len();
        swapped.swap(at, to);
        assert!(verify_bundle(&swapped.concat(), None).is_err(), "swap {at}");
        let cut = &text[..text.len() - at - 1];
        assert!(verify_bundle(cut, None).is_err(), "{at} bytes cut");
    }
}

#[test]
fn the_three_files_hold_what_the_workflow_shows() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    finished(&workflow);
    workflow.request(ask("reports/daily")).unwrap();
    let out = tempdir().unwrap();
    workflow.export_jsonl(out.path()).unwrap();
    let read = |name: &str| fs::read_to_string(out.path().join(name)).unwrap();
    let requests: Vec<Value> = read("requests.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let shown = workflow.requests();
    let shown: Vec<Value> = shown.map(|r| serde_json::to_value(&*r).unwrap()).collect();
    assert_eq!(requests, shown);
    let parsed = |text: String| -> Vec<Review> {
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    assert_eq!(
        parsed(read("decisions.jsonl")),
        workflow.decisions().collect::<Vec<_>>()
    );
    let trail: Vec<AuditEntry> = read("audit_trail.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let log: Vec<AuditEntry> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    assert_eq!(trail, log);
    let error = workflow.export_jsonl(out.path().join("none")).unwrap_err();
    assert!(matches!(error, Error::Export { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    /// 10,000 mutations: 8 × 1,250.
    #[test]
    fn a_mutated_bundle_is_rejected(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..=255, 0..4_u8), 1_250),
    ) {
        let text = exported();
        prop_assert!(verify_bundle(&text, None).is_ok());
        for (place, change, kind) in mutations {
            let mut bytes = text.clone().into_bytes();
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] ^= change,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, change),
                _ => bytes[at] = b"0123456789abcdef"[usize::from(change % 16)],
            }
            let Ok(mutant) = String::from_utf8(bytes) else { continue };
            prop_assert!(mutant == text || verify_bundle(&mutant, None).is_err(), "{}", mutant);
        }
    }
}
