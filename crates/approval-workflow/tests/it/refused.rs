//! The log refuses an append: nothing is let through on the strength of it, everyone is told why, and
//! an opening afterwards mends it.

use std::error::Error as _;
use std::sync::Arc;

use approval_workflow::{
    ApprovalWorkflow, Claim, Decision, DenyReason, Durability, Error, Permission, Receipt,
    ReceiptOutcome, Request, RequestId, Status, Use,
};

use crate::disk::Disk;
use crate::support::{action, ask, id, person, policy, second, together};

type Refuse = fn(&Disk);

/// How a disk can refuse an append.
const REFUSALS: [(&str, Refuse); 4] = [
    ("no room", |disk| disk.fill_after(0)),
    ("room for a part", |disk| disk.fill_after(100)),
    ("broken", Disk::fail),
    ("written and not synced", Disk::fail_to_sync),
];

fn open(disk: &Disk) -> ApprovalWorkflow {
    let options = crate::support::options();
    let backend = Arc::new(disk.clone());
    options.open_on(backend, policy()).unwrap()
}

fn request(workflow: &ApprovalWorkflow, name: &str) -> Result<Arc<Request>, Error> {
    workflow.request(ask("payments/refund").with_id(id(name)))
}

fn approve(workflow: &ApprovalWorkflow, name: &str) -> Result<Arc<Request>, Error> {
    let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
    workflow.decide(&id(name), yes)
}

fn claim(workflow: &ApprovalWorkflow, name: &str) -> Result<Claim, Error> {
    let refund = action("payments/refund");
    workflow.claim(
        &id(name),
        Use::new(refund.clone(), person("executor"), second(2)),
    )
}

fn may_run(workflow: &ApprovalWorkflow, name: &str) -> Permission {
    workflow.can_execute(&id(name), &action("payments/refund"), second(2))
}

fn status(workflow: &ApprovalWorkflow, name: &str) -> Option<Status> {
    let request = workflow.get(&id(name)).unwrap()?;
    Some(request.status(second(2)))
}

/// The answer to whoever wants something written now; its causes say what went wrong first.
fn assert_is_the_log(error: &Error, cause: &str) {
    assert!(matches!(error, Error::Log(_)), "{error:?}");
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    assert!(text.starts_with("approval log failed: "), "{text}");
    assert!(text.contains(cause), "{text}");
}

fn cause(refusal: &str) -> &'static str {
    match refusal {
        "no room" | "room for a part" => "no room",
        "broken" => "the disk is broken",
        _ => "the disk cannot say what it has",
    }
}

/// A request that waits, one that is approved, and one that was claimed.
fn begin(workflow: &ApprovalWorkflow) -> Claim {
    for name in ["waits", "approved", "claimed"] {
        request(workflow, name).unwrap();
    }
    approve(workflow, "approved").unwrap();
    approve(workflow, "claimed").unwrap();
    claim(workflow, "claimed").unwrap()
}

#[test]
fn a_refused_append_lets_nothing_through_and_says_why() {
    for (refusal, refuse) in REFUSALS {
        let disk = Disk::default();
        let workflow = open(&disk);
        let first = begin(&workflow);
        refuse(&disk);

        let error = approve(&workflow, "waits").unwrap_err();
        let what = if refusal == "room for a part" {
            ""
        } else {
            cause(refusal)
        };
        assert_is_the_log(&error, what);
        // The decision is not to be seen, and nobody can act on it.
        let pending = Permission::Denied(DenyReason::Pending);
        assert_eq!(may_run(&workflow, "waits"), pending, "{refusal}");
        assert_eq!(status(&workflow, "waits"), Some(Status::Pending));

        // Whatever would have to be written is refused, also when there is room again: what came
        // before it may be in the log or not.
        disk.repair();
        let report = Receipt {
            id: id("claimed"),
            at: second(3),
            token: first.token,
            outcome: ReceiptOutcome::Succeeded,
            observed: String::new(),
        };
        let errors = [
            approve(&workflow, "waits").unwrap_err(),
            claim(&workflow, "waits").unwrap_err(),
            claim(&workflow, "approved").unwrap_err(),
            request(&workflow, "new").unwrap_err(),
            workflow.finish(report).unwrap_err(),
        ];
        for error in errors {
            assert_is_the_log(&error, what);
        }
        let error = workflow.wait_for_decision(&id("waits"), std::time::Duration::ZERO);
        assert_is_the_log(&error.unwrap_err(), what);
        assert_eq!(status(&workflow, "new"), None);
        assert_eq!(may_run(&workflow, "waits"), pending, "{refusal}");
        assert_eq!(status(&workflow, "claimed"), Some(Status::Claimed));
        assert!(workflow.close().is_err() || refusal.contains("room"));

        // What was told before is there, and each grant is good for one use in all.
        let workflow = open(&disk);
        assert_eq!(status(&workflow, "claimed"), Some(Status::Claimed));
        assert!(may_run(&workflow, "approved").is_allowed(), "{refusal}");
        assert!(claim(&workflow, "claimed").is_err());
        claim(&workflow, "approved").unwrap();
        assert!(claim(&workflow, "approved").is_err());
        // Only where the bytes were written and their sync failed may the decision be there.
        let kept = status(&workflow, "waits").unwrap();
        match refusal {
            "written and not synced" => assert_eq!(kept, Status::Approved),
            _ => assert_eq!(kept, Status::Pending, "{refusal}"),
        }
        let _ = approve(&workflow, "waits");
        claim(&workflow, "waits").unwrap();
        assert!(claim(&workflow, "waits").is_err());
        workflow.close().unwrap();
    }
}

#[test]
fn a_claim_that_could_not_be_recorded_is_nobodys() {
    for (refusal, refuse) in REFUSALS {
        let disk = Disk::default();
        let workflow = open(&disk);
        begin(&workflow);
        refuse(&disk);
        let told: Vec<bool> = together(8, |_| claim(&workflow, "approved").is_ok());
        assert_eq!(told, [false; 8], "{refusal}");
        drop(workflow);

        disk.repair();
        let workflow = open(&disk);
        let told = together(8, |_| claim(&workflow, "approved").is_ok());
        let winners = told.iter().filter(|won| **won).count();
        // A claim that reached the disk unsaid is used up: whoever made it may have died.
        let is_kept = refusal == "written and not synced";
        assert_eq!(winners, usize::from(!is_kept), "{refusal}");
    }
}

type Step = fn(&ApprovalWorkflow, &str) -> Result<Status, Error>;

/// While one thread's events wait for the disk, others rest on them; a full disk refuses some of them,
/// and gives their places to others.
#[test]
fn of_many_writers_on_a_disk_that_fills_up_each_is_told_what_is_there() {
    for room in (0..12_000).step_by(1_700) {
        let disk = Disk::default();
        let workflow = open(&disk);
        begin(&workflow);
        disk.fill_after(room);
        let told: Vec<Vec<(RequestId, Status)>> = together(8, |thread| {
            let mut told = Vec::new();
            for number in 0..6 {
                let name = format!("t{thread}-{number}");
                let steps: [Step; 3] = [
                    |workflow, name| request(workflow, name).map(|_| Status::Pending),
                    |workflow, name| approve(workflow, name).map(|_| Status::Approved),
                    |workflow, name| claim(workflow, name).map(|_| Status::Claimed),
                ];
                for step in steps {
                    match step(&workflow, &name) {
                        Ok(status) => told.push((id(&name), status)),
                        Err(error) => {
                            assert_is_the_log(&error, "");
                            let seen = may_run(&workflow, &name);
                            let was_approved = told.last() == Some(&(id(&name), Status::Approved));
                            assert_eq!(seen.is_allowed(), was_approved, "{room}, {name}");
                            return told;
                        }
                    }
                }
            }
            told
        });
        drop(workflow);
        disk.repair();
        let workflow = open(&disk);
        for (id, status) in told.iter().flatten() {
            let now = workflow.get(id).unwrap().unwrap().status(second(2));
            assert!(now >= *status, "{room}: {id} was {status} and is {now}");
            if *status == Status::Claimed {
                assert!(claim(&workflow, id.as_str()).is_err(), "{room}: {id}");
            }
        }
        // It goes on.
        request(&workflow, "after").unwrap();
        approve(&workflow, "after").unwrap();
        claim(&workflow, "after").unwrap();
    }
}

#[test]
fn a_log_that_buffers_goes_on_when_there_is_room_again() {
    let disk = Disk::default();
    let backend = Arc::new(disk.clone());
    let options = crate::support::options().durability(Durability::Buffered);
    let workflow = options.open_on(backend, policy()).unwrap();
    disk.fill_after(0);
    // The buffer takes so much, and no more.
    let mut made = 0;
    let error = loop {
        match request(&workflow, &format!("r{made}")) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 10_000, "memory is bounded");
    };
    assert_is_the_log(&error, "no room");
    assert_eq!(status(&workflow, &format!("r{made}")), None);
    assert_eq!(may_run(&workflow, &format!("r{made}")), {
        Permission::Denied(DenyReason::UnknownRequest)
    });
    disk.repair();
    request(&workflow, &format!("r{made}")).unwrap();
    workflow.close().unwrap();
    assert_eq!(open(&disk).requests().map(Result::unwrap).count(), made + 1);
}
