//! What nobody should send: it is refused with a clear message, or read back as it was.

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Error, NewRequest, Permission, PersonId, RequestId,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::tempdir;

use crate::support::{ask, everything, open, person, second};

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_and_nothing_is_recorded() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let megabyte = "x".repeat(1 << 20);
    let mut named = ask("payments/refund");
    named.action.name = "Refund\u{1b}[2K".into();
    let mut described = ask("payments/refund");
    described.action.description = "pay\u{202e}kcab".into();
    let mut large = ask("payments/refund");
    large.action = large.action.with_parameter("text", megabyte.clone());
    let mut inexact = ask("payments/refund");
    inexact.action = inexact.action.with_parameter("n", u64::MAX);
    for refused in [
        named,
        described,
        large,
        inexact,
        ask("payments/refund").with_context("text", megabyte.clone()),
        ask("payments/refund").with_context("deep", nested(100)),
    ] {
        let error = workflow.request(refused).unwrap_err().to_string();
        assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
    }
    let request = workflow.request(ask("payments/refund")).unwrap();
    for reason in [megabyte.as_str(), "a\0b", "\u{2066}"] {
        let decision = Decision::approve(person("alice"), second(1)).with_reason(reason);
        let error = workflow
            .decide(&request.submission.id, decision)
            .unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { .. } | Error::Text { .. }),
            "{error}"
        );
    }
    assert_eq!(workflow.audit_log().unwrap().count(), 1);
}

#[test]
fn the_deepest_action_and_context_are_read_back() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let mut new = ask("payments/refund");
    new.action = new
        .action
        .with_parameter("deep", nested(Action::MAX_DEPTH - 1));
    let context = nested(ApprovalWorkflow::MAX_CONTEXT_DEPTH);
    workflow.request(new.with_context("deep", context)).unwrap();
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
}

#[test]
fn a_log_with_an_event_that_cannot_have_happened_is_refused() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = request.submission.id.clone();
    workflow.close().unwrap();

    // Somebody with access to the file approves in the requester's name.
    let log: jsonl_storage::Log<approval_workflow::Event> =
        jsonl_storage::LogOptions::new().open(dir.path()).unwrap();
    log.append(&approval_workflow::Event::Reviewed(
        approval_workflow::Review {
            id,
            at: second(1),
            reviewer: person("agent-7"),
            verdict: approval_workflow::Vote::Approve,
            reason: Some("me".into()),
            groups: Vec::new(),
            key: None,
            factor_step: None,
            on_behalf_of: None,
            signature: None,
        },
    ))
    .unwrap();
    log.close().unwrap();
    let error = crate::support::options()
        .open(dir.path(), crate::support::policy())
        .unwrap_err();
    assert_eq!(error.to_string(), "event 2 of the log cannot have happened");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "agent-7 asked for request r-1 and cannot decide it");
}

#[test]
fn a_log_whose_action_was_exchanged_is_refused() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let mut forged = (*request.submission).clone();
    forged.id = RequestId::new("forged").unwrap();
    forged.action = forged.action.with_parameter("amount", 1_000_000);
    workflow.close().unwrap();
    let log: jsonl_storage::Log<approval_workflow::Event> =
        jsonl_storage::LogOptions::new().open(dir.path()).unwrap();
    log.append(&approval_workflow::Event::Requested(forged.into()))
        .unwrap();
    log.close().unwrap();
    let error = crate::support::options()
        .open(dir.path(), crate::support::policy())
        .unwrap_err();
    assert!(
        matches!(error, Error::Replay { source, .. } if matches!(*source, Error::DigestMismatch { .. }))
    );
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20) })]

    /// Whatever is taken is read back as it was; whatever is not leaves no trace.
    #[test]
    fn random_input_is_refused_or_read_back(
        inputs in prop::collection::vec((
            "\\PC{1,8}|.{0,8}|[a-z0-9./-]{1,8}", "[a-z/]{1,8}|.{0,8}", ".{0,8}", ".{0,20}", values(), values(), ".{0,20}",
        ), 1..12),
    ) {
        let dir = tempdir().unwrap();
        let workflow = open(&dir);
        let mut taken = Vec::new();
        for (id, path, name, description, parameter, context, reason) in inputs {
            let (Ok(id), Ok(path)) = (RequestId::new(&id), ActionPath::new(path)) else { continue };
            let Ok(requester) = PersonId::new(id.as_str()) else { continue };
            let action = Action::new(path, name)
                .with_description(description)
                .with_parameter("p", parameter);
            let context: Map<String, Value> = [("c".to_owned(), context)].into_iter().collect();
            let new = NewRequest::new(action.clone(), requester, second(0)).with_id(id.clone());
            let new = NewRequest { context, ..new };
            let done = workflow.request(new).and_then(|_| {
                let decision = Decision::approve(person("alice"), second(1)).with_reason(reason);
                workflow.decide(&id, decision)
            });
            if done.is_ok() {
                taken.push((id, action));
            }
        }
        let before = everything(&workflow);
        workflow.close().unwrap();
        let workflow = open(&dir);
        prop_assert_eq!(everything(&workflow), before);
        for (id, action) in taken {
            prop_assert!(workflow.can_execute(&id, &action, second(2)).is_allowed());
            let other = action.with_parameter("p2", 0);
            prop_assert_eq!(
                workflow.can_execute(&id, &other, second(2)),
                Permission::Denied(DenyReason::ActionChanged)
            );
        }
    }
}
