use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use approval_workflow::{ApprovalWorkflow, Decision, Error, RequestId, Seq, Status};
use tempfile::tempdir;

use crate::support::{ask, id, open, person, second, together};

/// Longer than any test takes: who waits so long has hung.
const LONG: Duration = Duration::from_secs(60);

fn pending(workflow: &ApprovalWorkflow) -> RequestId {
    let request = workflow.request(ask("payments/refund")).unwrap();
    request.submission.id.clone()
}

fn approve(workflow: &ApprovalWorkflow, id: &RequestId) {
    let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
    workflow.decide(id, yes).unwrap();
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn everybody_who_waits_hears_of_the_decision() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = pending(&workflow);
    let heard = together(9, |number| {
        if number == 0 {
            approve(&workflow, &id);
        }
        workflow.wait_for_decision(&id, LONG).unwrap()
    });
    for request in heard {
        assert_eq!(request.unwrap().status(second(1)), Status::Approved);
    }
}

#[test]
fn giving_up_changes_nothing_and_an_early_decision_is_kept() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = pending(&workflow);
    let before = workflow.get(&id).unwrap();
    let waited = workflow.wait_for_decision(&id, Duration::from_millis(1));
    assert_eq!(waited.unwrap(), None);
    assert_eq!(workflow.get(&id).unwrap(), before);
    approve(&workflow, &id);
    let waited = workflow.wait_for_decision(&id, Duration::ZERO).unwrap();
    assert_eq!(waited, workflow.get(&id).unwrap());
    let nobody = workflow.wait_for_decision(&crate::support::id("r-99"), LONG);
    assert!(matches!(nobody, Err(Error::UnknownRequest { .. })));
}

#[test]
fn a_future_is_woken_by_the_decision_and_forgotten_when_dropped() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let first = pending(&workflow);
    let [kept, dropped] = [Arc::new(Count::default()), Arc::new(Count::default())];
    let wakers = [&kept, &dropped].map(|count| Waker::from(Arc::clone(count)));
    let mut future = pin!(workflow.decision_of(&first));
    let mut context = Context::from_waker(&wakers[0]);
    assert!(future.as_mut().poll(&mut context).is_pending());
    {
        let short = pin!(workflow.decision_of(&first));
        assert!(
            short
                .poll(&mut Context::from_waker(&wakers[1]))
                .is_pending()
        );
    }
    approve(&workflow, &first);
    let woken = [&kept, &dropped].map(|count| count.0.load(Ordering::SeqCst));
    assert_eq!(woken, [1, 0]);
    let Poll::Ready(Ok(request)) = future.poll(&mut context) else {
        panic!("it was decided")
    };
    assert_eq!(Some(request), workflow.get(&first).unwrap());
    let unknown = id("r-99");
    let nobody = pin!(workflow.decision_of(&unknown)).poll(&mut context);
    assert!(matches!(
        nobody,
        Poll::Ready(Err(Error::UnknownRequest { .. }))
    ));
}

#[test]
fn subscribers_see_every_event_once_and_in_order_while_many_write() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let seen = together(4, |number| {
        if number < 2 {
            for _ in 0..10 {
                approve(&workflow, &pending(&workflow));
            }
            return Vec::new();
        }
        let mut events = workflow.subscribe(Seq(1));
        (0..40)
            .map(|_| events.next_within(LONG).unwrap().expect("40 events come"))
            .collect()
    });
    let log: Vec<_> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    assert_eq!((&seen[2], &seen[3]), (&log, &log));
    let mut later = workflow.subscribe(Seq(40));
    assert_eq!(later.next_within(LONG).unwrap(), Some(log[39].clone()));
    assert_eq!(later.next_within(Duration::ZERO).unwrap(), None);
}
