//! Commands in async code: many share a sync, none holds a thread, and none is lost when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use approval_workflow::{
    ApprovalWorkflow, Decision, Error, Permission, Receipt, ReceiptOutcome, Status, Use,
};

use crate::disk::Disk;
use crate::support::{action, ask, id, person, policy, second};

/// Wakes the thread that runs the futures.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A future and its result, once there is one.
type Running<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// Runs futures side by side on this thread, until each has its result.
fn join<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut running: Vec<Running<F>> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    loop {
        for (future, result) in running.iter_mut().filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(&mut context) {
                *result = Some(ready);
            }
        }
        if running.iter().all(|(_, result)| result.is_some()) {
            return running
                .into_iter()
                .filter_map(|(_, result)| result)
                .collect();
        }
        thread::park();
    }
}

fn open(disk: &Disk) -> ApprovalWorkflow {
    let backend = Arc::new(disk.clone());
    let options = crate::support::options();
    options.open_on(backend, policy()).unwrap()
}

#[test]
fn many_commands_go_their_whole_way_with_few_syncs() {
    const MANY: usize = 100;
    let disk = Disk::default();
    let workflow = open(&disk);
    let before = disk.syncs();
    let asked = join((0..MANY).map(|_| workflow.request_async(ask("payments/refund"))));
    let ids: Vec<_> = asked
        .into_iter()
        .map(|request| request.unwrap().submission.id.clone())
        .collect();
    let yes = || Decision::approve(person("alice"), second(1)).with_reason("so");
    let decided = join(ids.iter().map(|id| workflow.decide_async(id, yes())));
    assert!(decided.into_iter().all(|request| request.is_ok()));
    let wanted = || Use::new(action("payments/refund"), person("executor"), second(2));
    let claims = join(ids.iter().map(|id| workflow.claim_async(id, wanted())));
    let receipts: Vec<_> = claims
        .into_iter()
        .map(|claim| {
            let claim = claim.unwrap();
            Receipt {
                id: claim.id,
                at: second(3),
                token: claim.token,
                outcome: ReceiptOutcome::Succeeded,
                observed: String::new(),
            }
        })
        .collect();
    let finished = join(
        receipts
            .into_iter()
            .map(|receipt| workflow.finish_async(receipt)),
    );
    for request in finished {
        assert_eq!(request.unwrap().status(second(4)), Status::Succeeded);
    }
    let syncs = disk.syncs() - before;
    assert!(syncs <= 40, "{syncs} syncs for {} events", 4 * MANY);
}

#[test]
fn an_answer_that_rests_on_another_command_waits_for_it() {
    let disk = Disk::default();
    let workflow = open(&disk);
    let id = workflow
        .request(ask("payments/refund"))
        .unwrap()
        .submission
        .id
        .clone();
    let decide = |who: &str, at| {
        let no = Decision::deny(person(who), second(at)).with_reason("no");
        workflow.decide_async(&id, no)
    };
    let answers = join([decide("alice", 1), decide("bob", 2)]);
    assert!(answers[0].is_ok(), "{answers:?}");
    assert!(
        matches!(&answers[1], Err(Error::AlreadySettled { .. })),
        "{answers:?}"
    );
}

#[test]
fn a_command_that_is_dropped_is_on_disk() {
    let disk = Disk::default();
    let workflow = open(&disk);
    let new = ask("payments/refund").with_id(id("dropped"));
    drop(workflow.request_async(new));
    assert!(workflow.get(&id("dropped")).unwrap().is_some());
    let again = open(&Disk::with(disk.files()));
    assert!(again.get(&id("dropped")).unwrap().is_some());
}

#[test]
fn a_disk_that_fails_is_told_to_everybody_and_nothing_is_approved() {
    let disk = Disk::default();
    let workflow = open(&disk);
    let asked = workflow.request(ask("payments/refund")).unwrap();
    let id = asked.submission.id.clone();
    disk.fail_to_sync();
    let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
    let failed = join([workflow.decide_async(&id, yes)]);
    assert!(matches!(failed[0], Err(Error::Log(_))), "{failed:?}");
    let permission = workflow.can_execute(&id, &action("payments/refund"), second(2));
    assert!(matches!(permission, Permission::Denied(_)));
    let later = join([workflow.request_async(ask("payments/refund"))]);
    assert!(matches!(later[0], Err(Error::Log(_))), "{later:?}");
}

/// What a runtime with several threads moves between them.
#[test]
fn a_command_can_be_sent_to_another_thread() {
    fn sent<T: Send>(_: &T) {}
    let workflow = open(&Disk::default());
    let command = workflow.request_async(ask("payments/refund"));
    sent(&command);
    assert!(join([command])[0].is_ok());
}
