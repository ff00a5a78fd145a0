use std::sync::atomic::{AtomicUsize, Ordering};

use approval_workflow::{Decision, Error, Page, Status, request_digest};
use tempfile::tempdir;

use crate::support::{action, ask, everything, id, open, person, second, together};

const THREADS: usize = 100;

#[test]
fn of_a_hundred_decisions_one_stands_and_all_are_told_which() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    let results = together(THREADS, |number| {
        let reviewer = person(&format!("reviewer-{number}"));
        let decision = if number % 2 == 0 {
            Decision::approve(reviewer, second(1))
        } else {
            Decision::deny(reviewer, second(1))
        };
        workflow.decide(id, decision.with_reason("mine"))
    });
    let stands = workflow.get(id).unwrap().unwrap();
    let winner = stands.decision().unwrap();
    let mut wins = 0;
    for result in results {
        match result {
            Ok(request) => {
                wins += 1;
                assert_eq!(request.decision(), Some(winner));
            }
            Err(Error::AlreadySettled { first, .. }) => assert_eq!(first.as_deref(), Some(winner)),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(wins, 1);
    assert_eq!(workflow.audit_trail(id).unwrap().unwrap().len(), 2);
}

#[test]
fn of_a_hundred_requests_with_one_id_one_is_made() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let made = together(THREADS, |_| {
        workflow
            .request(ask("payments/refund").with_id(id("one")))
            .is_ok()
    });
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(workflow.requests().map(Result::unwrap).count(), 1);
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_nothing_else_is() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let acknowledged = together(THREADS, |number| {
        let new = ask("payments/refund");
        let request = workflow.request(new).unwrap();
        let id = &request.submission.id;
        // Whoever was told sees it at once.
        assert_eq!(workflow.get(id).unwrap().as_ref(), Some(&request));
        let yes = Decision::approve(person("alice"), second(number as i64)).with_reason("so");
        let decided = workflow.decide(id, yes).unwrap();
        assert!(
            workflow
                .can_execute(id, &action("payments/refund"), second(100))
                .is_allowed()
        );
        (id.clone(), request_digest(&decided))
    });
    let before = everything(&workflow);
    workflow.close().unwrap();
    let workflow = open(&dir);
    assert_eq!(everything(&workflow), before);
    assert_eq!(workflow.requests().map(Result::unwrap).count(), THREADS);
    for (id, digest) in acknowledged {
        assert_eq!(request_digest(&workflow.get(&id).unwrap().unwrap()), digest);
    }
}

#[test]
fn readers_see_whole_states_while_writers_work() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let writing = AtomicUsize::new(4);
    together(8, |number| {
        if number < 4 {
            for _ in 0..50 {
                let request = workflow.request(ask("payments/refund")).unwrap();
                let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
                workflow.decide(&request.submission.id, yes).unwrap();
            }
            writing.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        while writing.load(Ordering::SeqCst) > 0 {
            let statistics = workflow.statistics(second(1));
            let sum: u64 = statistics.by_status.values().sum();
            assert_eq!(sum, statistics.requests);
            assert_eq!(
                statistics.time_to_decision.count,
                statistics.count(Status::Approved)
            );
            assert!(
                workflow
                    .pending(Page::first(1000), second(1))
                    .requests
                    .len()
                    <= 4
            );
            for request in workflow.requests().map(Result::unwrap) {
                let approved = request.status(second(1)) == Status::Approved;
                assert_eq!(approved, !request.reviews.is_empty());
            }
        }
    });
}
