use approval_workflow::{
    Decision, DenyReason, Disposition, Error, Event, Page, Permission, Policy, Sensitivity, State,
    Status, Vote, request_digest,
};
use tempfile::tempdir;

use crate::support::{action, ask, id, open, person, second};

fn approve() -> Decision {
    Decision::approve(person("alice"), second(1)).with_reason("checked")
}

#[test]
fn an_approval_holds_for_exactly_the_action_that_was_asked_for() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    let asked = action("payments/refund");
    let ask = |action: &action::Action| workflow.can_execute(id, action, second(2));

    assert_eq!(ask(&asked), Permission::Denied(DenyReason::Pending));
    workflow.decide(id, approve()).unwrap();
    assert_eq!(
        ask(&asked),
        Permission::Allowed {
            approved_at: second(1),
            execute_by: second(3601)
        }
    );

    let mut renamed = asked.clone();
    renamed.name.push('!');
    for other in [
        asked.clone().with_parameter("amount", 12.6),
        asked.clone().with_parameter("extra", true),
        asked.clone().with_description("pay back"),
        action("payments/refunds"),
        renamed,
    ] {
        assert_eq!(ask(&other), Permission::Denied(DenyReason::ActionChanged));
    }
    let invalid = asked.with_parameter("n", u64::MAX);
    assert_eq!(ask(&invalid), Permission::Denied(DenyReason::ActionInvalid));
}

#[test]
fn an_action_that_no_rule_covers_waits_for_a_person_and_is_recorded() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("unheard/of")).unwrap();
    assert_eq!(request.submission.rule, None);
    assert_eq!(request.submission.need, Disposition::Approval);
    assert_eq!(request.submission.terms.sensitivity, Sensitivity::Critical);
    let permission = workflow.can_execute(&request.submission.id, &action("unheard/of"), second(1));
    assert_eq!(permission, Permission::Denied(DenyReason::Pending));
    assert_eq!(workflow.audit_log().unwrap().count(), 1);
    assert_eq!(workflow.statistics(second(1)).uncovered, 1);
}

#[test]
fn what_needs_nobody_is_recorded_with_the_rule_that_said_so() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let report = workflow.request(ask("reports/daily")).unwrap();
    let staged = ask("deploy/web").with_context("environment", "test");
    let deploy = workflow.request(staged).unwrap();
    let live = ask("deploy/web").with_context("environment", "live");
    let live = workflow.request(live).unwrap();

    let said = |request: &approval_workflow::Request| {
        let submission = &request.submission;
        (
            submission.need,
            submission.rule.clone(),
            request.status(second(1)),
        )
    };
    let rule = |text: &str| Some(text.to_owned());
    assert_eq!(
        said(&report),
        (
            Disposition::NotSensitive,
            rule("reports/**"),
            Status::Approved
        )
    );
    assert_eq!(
        said(&deploy),
        (
            Disposition::AutoApproved,
            rule("test deployments"),
            Status::Approved
        )
    );
    assert_eq!(
        said(&live),
        (
            Disposition::Approval,
            rule("test deployments"),
            Status::Pending
        )
    );
    assert_eq!(workflow.audit_log().unwrap().count(), 3);
    let granted = workflow.can_execute(&deploy.submission.id, &action("deploy/web"), second(1));
    assert!(granted.is_allowed());

    // Nobody is left to decide.
    let error = workflow
        .decide(&report.submission.id, approve())
        .unwrap_err();
    assert!(
        matches!(error, Error::AlreadySettled { first: None, .. }),
        "{error}"
    );
}

#[test]
fn the_first_decision_stands_and_is_named_to_the_second() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    let no = Decision::deny(person("bob"), second(1)).with_reason("wrong order");
    workflow.decide(id, no).unwrap();
    for _ in 0..2 {
        match workflow.decide(id, approve()).unwrap_err() {
            Error::AlreadySettled {
                status,
                first: Some(first),
                ..
            } => {
                assert_eq!((status, first.verdict), (Status::Denied, Vote::Deny));
                assert_eq!(first.reviewer, person("bob"));
            }
            other => panic!("{other}"),
        }
    }
    let permission = workflow.can_execute(id, &action("payments/refund"), second(2));
    assert_eq!(permission, Permission::Denied(DenyReason::Denied));
}

#[test]
fn nobody_decides_what_they_asked_for() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let mut own = approve();
    own.reviewer = person("agent-7");
    let error = workflow.decide(&request.submission.id, own).unwrap_err();
    assert!(matches!(error, Error::SelfReview { .. }), "{error}");
}

#[test]
fn a_reason_that_is_demanded_is_not_blank() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    for reason in [None, Some(String::new()), Some(" \n\t\u{a0}".into())] {
        for verdict in [Vote::Approve, Vote::Deny] {
            let blank = Decision {
                verdict,
                reason: reason.clone(),
                ..approve()
            };
            let error = workflow.decide(id, blank).unwrap_err();
            assert!(matches!(error, Error::ReasonMissing { .. }), "{error}");
        }
    }
    assert_eq!(workflow.get(id).unwrap().unwrap().state, State::Pending);
}

#[test]
fn an_expired_request_is_expired_and_not_denied() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    let (before, after) = (second(4 * 3600 - 1), second(4 * 3600));
    assert_eq!(workflow.status(id, before).unwrap(), Some(Status::Pending));
    assert_eq!(workflow.status(id, after).unwrap(), Some(Status::Expired));
    let permission = workflow.can_execute(id, &action("payments/refund"), after);
    assert_eq!(permission, Permission::Denied(DenyReason::Expired));
    assert_eq!(workflow.pending(Page::first(10), after).requests.len(), 0);
    let statistics = workflow.statistics(after);
    assert_eq!(statistics.count(Status::Expired), 1);
    assert_eq!(statistics.count(Status::Pending), 0);

    // A decision that comes too late is told so, and from then on it is on record.
    let late = Decision {
        at: after,
        ..approve()
    };
    let error = workflow.decide(id, late).unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error}");
    assert_eq!(
        workflow.get(id).unwrap().unwrap().state,
        State::Expired { at: after }
    );
    let error = workflow.decide(id, approve()).unwrap_err();
    assert!(
        matches!(error, Error::Expired { .. }),
        "an earlier date does not help: {error}"
    );
    assert_eq!(workflow.statistics(before).count(Status::Denied), 0);
}

#[test]
fn overdue_requests_are_recorded_once() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for _ in 0..3 {
        workflow.request(ask("payments/refund")).unwrap();
    }
    workflow.request(ask("unheard/of")).unwrap();
    assert_eq!(workflow.expire_due(second(3600)).unwrap(), 0);
    assert_eq!(workflow.expire_due(second(5 * 3600)).unwrap(), 3);
    assert_eq!(workflow.expire_due(second(5 * 3600)).unwrap(), 0);
    assert_eq!(workflow.audit_log().unwrap().count(), 7);
}

#[test]
fn an_approval_lapses_when_it_is_not_used_in_time() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    workflow.decide(id, approve()).unwrap();
    let can = |at| workflow.can_execute(id, &action("payments/refund"), at);
    assert!(can(second(3600)).is_allowed());
    assert_eq!(can(second(3601)), Permission::Denied(DenyReason::Lapsed));
    assert_eq!(
        workflow.status(id, second(3601)).unwrap(),
        Some(Status::Lapsed)
    );
}

#[test]
fn a_decision_dated_before_the_request_counts_from_the_request() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let early = Decision {
        at: approval_workflow::Timestamp::from_micros(9),
        ..approve()
    };
    let decided = workflow.decide(&request.submission.id, early).unwrap();
    assert_eq!(decided.state, State::Approved { at: second(0) });
}

#[test]
fn ids_are_used_once_and_derived_ones_step_aside() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let named = |text| ask("payments/refund").with_id(id(text));
    workflow.request(named("r-2")).unwrap();
    let error = workflow.request(named("r-2")).unwrap_err();
    assert!(matches!(error, Error::RequestExists { .. }), "{error}");
    let ids: Vec<String> = (0..3)
        .map(|_| {
            workflow
                .request(ask("payments/refund"))
                .unwrap()
                .submission
                .id
                .to_string()
        })
        .collect();
    assert_eq!(ids, ["r-3", "r-4", "r-5"]);
    let error = workflow.decide(&id("r-9"), approve()).unwrap_err();
    assert!(matches!(error, Error::UnknownRequest { .. }), "{error}");
    let permission = workflow.can_execute(&id("r-9"), &action("a"), second(1));
    assert_eq!(permission, Permission::Denied(DenyReason::UnknownRequest));
}

#[test]
fn pending_requests_come_page_by_page_while_others_are_settled() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for number in 0..10 {
        workflow
            .request(ask("payments/refund").with_id(id(&format!("p{number}"))))
            .unwrap();
    }
    let mut page = Page::first(4);
    let mut seen = Vec::new();
    loop {
        let listing = workflow.pending(page, second(1));
        seen.extend(listing.requests.iter().map(|r| r.submission.id.to_string()));
        // One on the page and one after it are settled before the next page is asked for.
        for settled in ["p1", "p5"] {
            let _ = workflow.decide(&id(settled), approve());
        }
        let Some(next) = listing.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, ["p0", "p1", "p2", "p3", "p4", "p6", "p7", "p8", "p9"]);
    assert_eq!(
        workflow.pending(Page::first(99), second(1)).requests.len(),
        8
    );
}

#[test]
fn the_trail_of_a_request_is_its_part_of_the_log() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let first = workflow.request(ask("payments/refund")).unwrap();
    let other = workflow.request(ask("payments/refund")).unwrap();
    workflow.decide(&first.submission.id, approve()).unwrap();
    let log: Vec<_> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    let trail = workflow.audit_trail(&first.submission.id).unwrap().unwrap();
    assert_eq!(trail, [log[0].clone(), log[2].clone()]);
    assert!(
        matches!(&trail[1].event, Event::Reviewed(review) if review.reason.as_deref() == Some("checked"))
    );
    assert_eq!(
        workflow
            .audit_trail(&other.submission.id)
            .unwrap()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(workflow.audit_trail(&id("nobody")).unwrap(), None);
}

#[test]
fn statistics_follow_the_events() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let ids: Vec<_> = (0..4)
        .map(|_| {
            workflow
                .request(ask("payments/refund"))
                .unwrap()
                .submission
                .id
                .clone()
        })
        .collect();
    workflow.request(ask("reports/daily")).unwrap();
    workflow.decide(&ids[0], approve()).unwrap();
    workflow
        .decide(
            &ids[1],
            Decision {
                at: second(3),
                ..approve()
            },
        )
        .unwrap();
    let no = Decision {
        verdict: Vote::Deny,
        reviewer: person("bob"),
        ..approve()
    };
    workflow.decide(&ids[2], no).unwrap();

    let statistics = workflow.statistics(second(5));
    assert_eq!(statistics.requests, 5);
    assert_eq!(statistics.count(Status::Approved), 3);
    assert_eq!(statistics.count(Status::Denied), 1);
    assert_eq!(statistics.count(Status::Pending), 1);
    assert_eq!(statistics.by_sensitivity[&Sensitivity::High], 4);
    assert_eq!(statistics.by_reviewer[&person("alice")].approved, 2);
    assert_eq!(statistics.by_reviewer[&person("bob")].denied, 1);
    assert_eq!(statistics.not_sensitive, 1);
    assert_eq!(statistics.time_to_decision.count, 3);
    assert_eq!(statistics.time_to_decision.max_us, 3_000_000);
    assert_eq!(statistics.approval_rate(), Some(2.0 / 3.0));
}

#[test]
fn the_digest_of_a_request_changes_with_its_state_and_survives_a_restart() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let asked = workflow.request(ask("payments/refund")).unwrap();
    let decided = workflow.decide(&asked.submission.id, approve()).unwrap();
    assert_ne!(request_digest(&asked), request_digest(&decided));
    workflow.close().unwrap();
    let workflow = open(&dir);
    let read = workflow.get(&asked.submission.id).unwrap().unwrap();
    assert_eq!(request_digest(&read), request_digest(&decided));
    let digest = request_digest(&read);
    assert_eq!(
        digest
            .to_string()
            .parse::<approval_workflow::RequestDigest>()
            .unwrap(),
        digest
    );
}

#[test]
fn terms_stay_as_they_were_when_the_request_was_made() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    workflow.close().unwrap();
    let workflow = crate::support::options()
        .open(dir.path(), Policy::default())
        .unwrap();
    let read = workflow.get(&request.submission.id).unwrap().unwrap();
    assert_eq!(read, request);
    assert_ne!(read.submission.policy, workflow.rulebook().digest());
}
