//! A rule denies by itself: from the action, the context and what a simulation predicted.

use std::time::Duration;

use approval_workflow::{
    ApprovalWorkflow, Binding, Decision, DenyReason, Disposition, EmergencyApproval, Error,
    NewRequest, Permission, PlanDigest, Policy, Request, RequestId, SnapshotUse, State, Status,
    StepProof, Use, verify_bundle,
};
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::support::{action, ask, everything, id, lines, log_of, person, second};

const POLICY: &str = r#"
    [[rules]]
    name = "deployments"
    pattern = "deploy/*"
    sensitivity = "high"
    break_glass = ["operators"]
    auto_approve.equals = { field = "context.environment", value = "test" }
    auto_deny.any = [
        { equals = { field = "context.simulation.outcome", value = "failed" } },
        { not.less_than = { field = "parameters.amount", value = 1000 } },
    ]

    [[rules]]
    name = "nobody drops a database"
    pattern = "db/drop/*"
    sensitivity = "critical"
    auto_deny = "always"
"#;

fn open_with(dir: &TempDir, policy: &str) -> ApprovalWorkflow {
    crate::support::options()
        .open(dir.path(), Policy::from_toml(policy).unwrap())
        .unwrap()
}

fn open(dir: &TempDir) -> ApprovalWorkflow {
    open_with(dir, POLICY)
}

fn simulated(path: &str, outcome: &str) -> NewRequest {
    let test = ask(path).with_context("environment", "test");
    test.with_context("simulation", json!({"outcome": outcome}))
}

fn by_policy() -> Permission {
    Permission::Denied(DenyReason::DeniedByPolicy)
}

fn deny_reason(error: &Error) -> Option<DenyReason> {
    match error {
        Error::NotExecutable { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn assert_is_denied_by(request: &Request, rule: &str) {
    let submission = &request.submission;
    assert_eq!(submission.need, Disposition::AutoDenied);
    assert_eq!(submission.rule.as_deref(), Some(rule));
    assert_eq!(request.state, State::Denied { at: submission.at });
    assert_eq!(request.status(second(1_000_000)), Status::Denied);
    assert_eq!(request.decision(), None);
}

fn ask_for(workflow: &ApprovalWorkflow, name: &str, new: NewRequest) -> RequestId {
    workflow.request(new.with_id(id(name))).unwrap();
    id(name)
}

#[test]
fn what_a_rule_denies_is_denied_from_the_start_and_the_rule_is_named() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let failed = workflow.request(simulated("deploy/web", "failed")).unwrap();
    assert_is_denied_by(&failed, "deployments");
    let mut dear = simulated("deploy/web", "succeeded");
    dear.action = dear.action.with_parameter("amount", 1000);
    assert_is_denied_by(&workflow.request(dear).unwrap(), "deployments");
    let drop = workflow.request(ask("db/drop/orders")).unwrap();
    assert_is_denied_by(&drop, "nobody drops a database");

    let good = workflow
        .request(simulated("deploy/web", "succeeded"))
        .unwrap();
    assert_eq!(good.submission.need, Disposition::AutoApproved);
    // Not simulated: nobody knows whether it is to be denied, so a person decides.
    let unknown = ask("deploy/web").with_context("environment", "test");
    let unknown = workflow.request(unknown).unwrap();
    assert_eq!(unknown.submission.need, Disposition::Approval);
    assert_eq!(unknown.state, State::Pending);

    let said = workflow
        .explain(&drop.submission.id, second(1))
        .unwrap()
        .unwrap();
    assert_eq!(
        said.to_string(),
        "request r-3 is denied: critical by rule \"nobody drops a database\"; the rule's condition \
         denied it; may not run: denied by policy"
    );
    let statistics = workflow.statistics(second(1));
    assert_eq!((statistics.auto_denied, statistics.auto_approved), (3, 1));
    assert_eq!(statistics.count(Status::Denied), 3);
    assert_eq!(statistics.approval_rate(), None, "no person decided");
}

#[test]
fn nobody_opens_what_a_rule_denied() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let denied = ask_for(&workflow, "a", simulated("deploy/web", "failed"));
    let web = action("deploy/web");
    let (agent, alice) = (person("agent-7"), person("alice"));

    assert_eq!(workflow.can_execute(&denied, &web, second(1)), by_policy());
    let error = workflow.claim(&denied, Use::new(web.clone(), agent.clone(), second(1)));
    let reason = deny_reason(&error.unwrap_err());
    assert_eq!(reason, Some(DenyReason::DeniedByPolicy));
    let yes = Decision::approve(alice.clone(), second(1));
    let settled = [
        workflow.decide(&denied, yes).unwrap_err(),
        workflow
            .break_glass(
                &denied,
                EmergencyApproval::new(alice.clone(), "it burns", second(1)),
            )
            .unwrap_err(),
        workflow
            .escalate(&denied, agent.clone(), "look", second(1))
            .unwrap_err(),
        workflow
            .withdraw(&denied, agent.clone(), second(1))
            .unwrap_err(),
        workflow
            .revoke(&denied, alice, "no", second(1))
            .unwrap_err(),
    ];
    for error in settled {
        let is_settled = matches!(
            error,
            Error::AlreadySettled {
                status: Status::Denied,
                first: None,
                ..
            }
        );
        assert!(is_settled, "{error}");
    }
    // Whoever waits for the decision has it.
    let decided = workflow.wait_for_decision(&denied, Duration::ZERO).unwrap();
    assert_is_denied_by(&decided.unwrap(), "deployments");
    assert_eq!(workflow.audit_log().unwrap().count(), 1);
}

#[test]
fn a_denial_by_a_rule_survives_restarts_snapshots_and_exports() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let denied = ask_for(&workflow, "a", ask("db/drop/orders"));
    ask_for(&workflow, "b", simulated("deploy/web", "succeeded"));
    let (bundle, digest) = workflow.export_bundle(&denied).unwrap().unwrap();
    let verified = verify_bundle(&bundle, Some(&digest)).unwrap();
    assert_is_denied_by(&verified.request, "nobody drops a database");
    let before = everything(&workflow);
    workflow.close().unwrap();

    let log_alone = log_of(&dir, &lines(&dir));
    for (dir, wanted) in [(&dir, true), (&log_alone, false)] {
        let workflow = open(dir);
        let used = matches!(workflow.opening().snapshot, SnapshotUse::Used { .. });
        assert_eq!(used, wanted);
        assert_eq!(everything(&workflow), before);
        let answer = workflow.can_execute(&denied, &action("db/drop/orders"), second(1));
        assert_eq!(answer, by_policy());
    }
    // A policy of today that denies nothing does not open it either.
    let milder = POLICY.replace("auto_deny = \"always\"", "");
    let workflow = open_with(&dir, &milder);
    let answer = workflow.can_execute(&denied, &action("db/drop/orders"), second(1));
    assert_eq!(answer, by_policy());
}

#[test]
fn a_policy_that_denies_later_shuts_what_was_approved_and_what_if_foretells_it() {
    let dir = tempdir().unwrap();
    let milder = POLICY.replace("auto_deny = \"always\"", "");
    let workflow = open_with(&dir, &milder);
    let dropped = ask_for(&workflow, "a", ask("db/drop/orders"));
    let yes = Decision::approve(person("alice"), second(1));
    workflow.decide(&dropped, yes).unwrap();
    let action = action("db/drop/orders");
    assert!(
        workflow
            .can_execute(&dropped, &action, second(2))
            .is_allowed()
    );

    let differences = workflow
        .what_if(Policy::from_toml(POLICY).unwrap())
        .unwrap();
    assert_eq!(differences.len(), 1);
    let difference = &differences[0];
    assert_eq!(difference.then.need, Disposition::Approval);
    assert_eq!(difference.instead.need, Disposition::AutoDenied);
    let rule = difference.instead.rule.as_deref();
    assert_eq!(rule, Some("nobody drops a database"));
    assert_eq!(difference.votes_suffice, None, "no vote would help");
    workflow.close().unwrap();

    let workflow = open(&dir);
    let answer = workflow.can_execute(&dropped, &action, second(2));
    assert_eq!(answer, Permission::Denied(DenyReason::PolicyChanged));
}

#[test]
fn a_step_that_a_rule_denies_is_not_covered_by_the_approval_of_its_plan() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let steps = [action("deploy/web"), action("db/drop/orders")];
    let digests = steps.each_ref().map(|step| step.digest().unwrap());
    let plan = Binding::default().with_plan(PlanDigest::of(&digests));
    let new = simulated("deploy/web", "succeeded").with_id(id("a"));
    let asked = workflow.request(new.bound_to(plan)).unwrap();
    assert_eq!(asked.submission.need, Disposition::AutoApproved);
    let proof = StepProof::new(&digests, 1).unwrap();
    let wanted = Use::new(steps[1].clone(), person("agent-7"), second(1)).as_step(proof);
    let error = workflow.claim(&id("a"), wanted).unwrap_err();
    assert_eq!(deny_reason(&error), Some(DenyReason::StepNotCovered));
}

#[test]
fn a_log_that_says_a_rule_denied_and_somebody_claimed_is_refused_whole() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let granted = ask_for(&workflow, "a", simulated("deploy/web", "succeeded"));
    let web = action("deploy/web");
    workflow
        .claim(
            &granted,
            Use::new(web.clone(), person("agent-7"), second(1)),
        )
        .unwrap();
    let events: Vec<_> = workflow
        .audit_log()
        .unwrap()
        .map(|entry| entry.unwrap().event)
        .collect();
    workflow.close().unwrap();

    let forged = tempdir().unwrap();
    let options = jsonl_storage::LogOptions::new().chained();
    let log: jsonl_storage::Log<approval_workflow::Event> = options.open(forged.path()).unwrap();
    for event in &events {
        let mut text = serde_json::to_string(event).unwrap();
        text = text.replace("auto_approved", "auto_denied");
        log.append(&serde_json::from_str(&text).unwrap()).unwrap();
    }
    log.close().unwrap();
    let refused = crate::support::options().open(forged.path(), Policy::from_toml(POLICY).unwrap());
    let Err(Error::Replay { seq, source }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(seq.0, 2);
    assert_eq!(deny_reason(&source), Some(DenyReason::DeniedByPolicy));
}
