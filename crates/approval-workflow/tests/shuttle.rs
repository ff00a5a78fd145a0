//! Claims, reviews and revocations at once, under schedules of shuttle's choice: every lock, every
//! wait for the log and every write is a point where another thread may go on.
//!
//! Run by `RUSTFLAGS="--cfg shuttle" cargo test -p proofload-approval-workflow --test shuttle --target-dir
//! target/shuttle`, a stage of `cargo xtask ci`; without the cfg there is nothing here.
//! `APPROVAL_SCHEDULES` sets how many schedules each check and each way to choose them gets.
#![cfg(shuttle)]

#[allow(dead_code, reason = "this test needs less of it than the other ones")]
mod disk;

use std::sync::{Arc, LazyLock};

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Error, Event, NewRequest, PersonId, Policy, RequestId,
    Status, Timestamp, Use, planted,
};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, thread};

use crate::disk::Disk;

static SCHEDULES: LazyLock<usize> = LazyLock::new(|| {
    let wanted = std::env::var("APPROVAL_SCHEDULES").ok();
    wanted.map_or(400, |text| text.parse().expect("a number of schedules"))
});
/// How many points of a schedule matter to a bug that the second way is sure to come upon.
const DEPTH: usize = 3;

fn explore(check: fn()) {
    run(RandomScheduler::new(*SCHEDULES), check);
    run(PctScheduler::new(DEPTH, *SCHEDULES), check);
}

fn run(scheduler: impl Scheduler + 'static, check: fn()) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(scheduler, config).run(check);
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

fn action() -> Action {
    Action::new(ActionPath::new("payments/refund").unwrap(), "Refund")
}

fn open(disk: &Disk, uses: u32) -> ApprovalWorkflow {
    let text = format!("[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nuses = {uses}");
    let policy = Policy::from_toml(&text).unwrap();
    let backend = Arc::new(disk.clone());
    ApprovalWorkflow::options()
        .open_on(backend, policy)
        .unwrap()
}

fn ask(workflow: &ApprovalWorkflow) -> RequestId {
    let new = NewRequest::new(action(), person("agent"), at(0));
    workflow.request(new).unwrap().submission.id.clone()
}

fn approved(workflow: &ApprovalWorkflow) -> RequestId {
    let id = ask(workflow);
    workflow
        .decide(&id, Decision::approve(person("alice"), at(1)))
        .unwrap();
    id
}

/// Why a claim was refused; none if it was made.
fn claim(workflow: &ApprovalWorkflow, id: &RequestId) -> Option<DenyReason> {
    match workflow.claim(id, Use::new(action(), person("executor"), at(2))) {
        Ok(_) => None,
        Err(Error::NotExecutable { reason, .. }) => Some(reason),
        Err(other) => panic!("{other}"),
    }
}

type Job = Box<dyn FnOnce(&ApprovalWorkflow, &RequestId) -> bool + Send>;

/// Does these at once, and returns which of them succeeded.
fn together(workflow: &Arc<ApprovalWorkflow>, id: &RequestId, jobs: Vec<Job>) -> Vec<bool> {
    let threads: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            let (workflow, id) = (Arc::clone(workflow), id.clone());
            thread::spawn(move || job(&workflow, &id))
        })
        .collect();
    let joined = threads.into_iter().map(|thread| thread.join().unwrap());
    joined.collect()
}

/// What the log holds for good, read by somebody else.
fn reopened(disk: &Disk, workflow: Arc<ApprovalWorkflow>, uses: u32) -> ApprovalWorkflow {
    let workflow = Arc::into_inner(workflow).expect("nobody else has it");
    workflow.close().unwrap();
    open(disk, uses)
}

fn claims_in_log(workflow: &ApprovalWorkflow) -> usize {
    let entries = workflow.audit_log().unwrap();
    let is_claim = |event: &Event| matches!(event, Event::Claimed(_));
    entries
        .filter(|entry| is_claim(&entry.as_ref().unwrap().event))
        .count()
}

fn claims(threads: usize, uses: u32) {
    let disk = Disk::default();
    let workflow = Arc::new(open(&disk, uses));
    let id = approved(&workflow);
    let jobs = (0..threads).map(|_| {
        let job: Job = Box::new(|workflow, id| match claim(workflow, id) {
            None => true,
            Some(reason) => {
                assert_eq!(reason, DenyReason::Claimed);
                false
            }
        });
        job
    });
    let won = together(&workflow, &id, jobs.collect());
    assert_eq!(won.iter().filter(|won| **won).count(), uses as usize);
    let workflow = reopened(&disk, workflow, uses);
    assert_eq!(claims_in_log(&workflow), uses as usize);
    assert_eq!(claim(&workflow, &id), Some(DenyReason::Claimed));
}

#[test]
fn of_claims_at_once_one_is_made() {
    explore(|| claims(3, 1));
}

#[test]
fn of_claims_at_once_as_many_are_made_as_there_are_uses() {
    explore(|| claims(3, 2));
}

/// The same model, over a workflow whose check forgets what is on its way to the disk.
#[test]
fn a_planted_double_claim_is_found() {
    planted::forget_what_is_on_its_way(true);
    let found = std::panic::catch_unwind(|| explore(|| claims(3, 1)));
    planted::forget_what_is_on_its_way(false);
    assert!(found.is_err(), "no schedule let two claims through");
}

#[test]
fn a_claim_and_a_revocation_at_once_leave_one_of_them() {
    explore(|| {
        let disk = Disk::default();
        let workflow = Arc::new(open(&disk, 1));
        let id = approved(&workflow);
        let jobs: Vec<Job> = vec![
            Box::new(|workflow, id| claim(workflow, id).is_none()),
            Box::new(|workflow, id| workflow.revoke(id, person("bob"), "no", at(2)).is_ok()),
            Box::new(|workflow, id| {
                let before = workflow.status(id, at(2)).unwrap().unwrap();
                let after = workflow.status(id, at(2)).unwrap().unwrap();
                // What was seen once is not taken back.
                before == Status::Approved || before == after
            }),
        ];
        let done = together(&workflow, &id, jobs);
        assert_ne!(done[0], done[1], "claimed and revoked");
        assert!(done[2]);
        let status = |workflow: &ApprovalWorkflow| workflow.status(&id, at(2)).unwrap().unwrap();
        let expected = if done[0] {
            Status::Claimed
        } else {
            Status::Revoked
        };
        assert_eq!(status(&workflow), expected);
        let workflow = reopened(&disk, workflow, 1);
        assert_eq!(status(&workflow), expected);
        assert_eq!(claims_in_log(&workflow), usize::from(done[0]));
    });
}

#[test]
fn of_reviews_at_once_one_settles_and_the_others_are_told_which() {
    explore(|| {
        let disk = Disk::default();
        let workflow = Arc::new(open(&disk, 1));
        let id = ask(&workflow);
        let review = |name: &'static str, yes: bool| -> Job {
            Box::new(move |workflow, id| {
                let by = person(name);
                let decision = if yes {
                    Decision::approve(by, at(1))
                } else {
                    Decision::deny(by, at(1))
                };
                match workflow.decide(id, decision) {
                    Ok(_) => true,
                    Err(Error::AlreadySettled { first, .. }) => {
                        // What a refusal rests on can be seen by then, and is on the disk.
                        let shown = workflow.get(id).unwrap().unwrap();
                        assert_eq!(first.as_deref(), shown.decision());
                        false
                    }
                    Err(other) => panic!("{other}"),
                }
            })
        };
        let jobs = vec![
            review("alice", true),
            review("bob", false),
            Box::new(|workflow: &ApprovalWorkflow, id: &RequestId| claim(workflow, id).is_none()),
        ];
        let done = together(&workflow, &id, jobs);
        assert_ne!(done[0], done[1], "approved and denied");
        assert!(!done[2] || done[0], "used without an approval");
        let workflow = reopened(&disk, workflow, 1);
        let request = workflow.get(&id).unwrap().unwrap();
        assert_eq!(request.reviews.len(), 1);
        assert_eq!(claims_in_log(&workflow), usize::from(done[2]));
    });
}

#[test]
fn what_the_disk_did_not_take_was_told_to_nobody() {
    explore(|| {
        let disk = Disk::default();
        let workflow = Arc::new(open(&disk, 1));
        let id = approved(&workflow);
        let broken = disk.clone();
        let take = || -> Job {
            Box::new(|workflow, id| {
                workflow
                    .claim(id, Use::new(action(), person("executor"), at(2)))
                    .is_ok()
            })
        };
        let breaks: Job = Box::new(move |_, _| {
            broken.fail();
            false
        });
        let done = together(&workflow, &id, vec![take(), breaks, take()]);
        let won = done.iter().filter(|won| **won).count();
        assert!(won <= 1);
        drop(workflow);
        disk.repair();
        let workflow = open(&disk, 1);
        // One that nobody was told of may be there; one that was told of is.
        assert!(claims_in_log(&workflow) >= won);
        assert!(claims_in_log(&workflow) <= 1);
    });
}
