//! A log that cannot be read any more is an error of every read, and never the answer that there is no
//! such request.

use std::fs;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use approval_workflow::{
    ApprovalWorkflow, Decision, Error, Page, Policy, Query, RequestId, Status,
};
use tempfile::{TempDir, tempdir};

use crate::support::{ask, id, person, second};

/// A workflow that holds no settled request in memory, with one that was denied, whose log was then
/// overwritten.
fn unreadable(dir: &TempDir) -> (ApprovalWorkflow, RequestId) {
    let options = crate::support::options().held_requests(0);
    let workflow = options.open(dir.path(), Policy::default()).unwrap();
    let denied = workflow.request(ask("payments/refund")).unwrap();
    let denied = denied.submission.id.clone();
    let no = Decision::deny(person("alice"), second(1));
    workflow.decide(&denied, no).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let length = fs::metadata(&path).unwrap().len();
            fs::write(&path, vec![b'x'; length as usize]).unwrap();
        }
    }
    (workflow, denied)
}

fn fails<T>(read: Result<T, Error>) {
    let error = read.err().expect("it cannot be read");
    let says_why = matches!(
        error,
        Error::Log(_) | Error::EventMissing { .. } | Error::Replay { .. }
    );
    assert!(says_why, "{error:?}");
}

#[test]
fn a_request_that_cannot_be_read_is_never_reported_as_one_that_does_not_exist() {
    let dir = tempdir().unwrap();
    let (workflow, denied) = unreadable(&dir);
    let now = second(2);
    fails(workflow.get(&denied));
    fails(workflow.status(&denied, now));
    fails(workflow.audit_trail(&denied));
    fails(workflow.export_bundle(&denied));
    fails(workflow.explain(&denied, now));
    fails(workflow.what_if(Policy::default()));
    fails(workflow.list(&Query::with_status(Status::Denied), Page::first(1), now));
    assert_eq!(workflow.requests().map(fails).count(), 1);
    assert_eq!(workflow.decisions().map(fails).count(), 1);
}

#[test]
fn whoever_waits_for_a_request_that_cannot_be_read_is_told_so() {
    let dir = tempdir().unwrap();
    let (workflow, denied) = unreadable(&dir);
    fails(workflow.wait_for_decision(&denied, Duration::ZERO));
    let mut context = Context::from_waker(Waker::noop());
    match pin!(workflow.decision_of(&denied)).poll(&mut context) {
        Poll::Ready(result) => fails(result),
        Poll::Pending => panic!("it waits for what it cannot read"),
    }
}

#[test]
fn a_request_that_does_not_exist_is_told_apart_also_when_the_log_cannot_be_read() {
    let dir = tempdir().unwrap();
    let (workflow, _) = unreadable(&dir);
    let (unknown, now) = (id("nobody-asked"), second(2));
    assert_eq!(workflow.get(&unknown).unwrap(), None);
    assert_eq!(workflow.status(&unknown, now).unwrap(), None);
    assert_eq!(workflow.audit_trail(&unknown).unwrap(), None);
    assert_eq!(workflow.export_bundle(&unknown).unwrap(), None);
    assert_eq!(workflow.explain(&unknown, now).unwrap(), None);
    let waited = workflow.wait_for_decision(&unknown, Duration::ZERO);
    assert!(matches!(waited, Err(Error::UnknownRequest { .. })));
}
