//! The machine goes down at every byte that is written, on a disk in memory: whatever was acknowledged
//! before is there after, and no grant is used again.

use std::collections::BTreeMap;
use std::iter;
use std::sync::{Arc, LazyLock};

use approval_workflow::{
    ApprovalWorkflow, Claim, Decision, DenyReason, Error, Event, Policy, Receipt, ReceiptOutcome,
    Request, State, Use,
};

use crate::disk::Disk;
use crate::support::{action, ask, id, person, policy, second};

static POLICY: LazyLock<Policy> = LazyLock::new(policy);

fn open(disk: &Disk) -> Result<ApprovalWorkflow, Error> {
    let backend = Arc::new(disk.clone());
    crate::support::options().open_on(backend, POLICY.clone())
}

/// What somebody was told.
#[derive(Debug)]
enum Told {
    State(Arc<Request>),
    Claim(Box<Claim>),
}

/// A story with every kind of event that a crash could take half of; ends where the disk does.
fn live(workflow: &ApprovalWorkflow, told: &mut Vec<Told>) -> Result<(), Error> {
    let request = |name: &str, path: &str| {
        let new = ask(path).with_id(id(name));
        workflow.request(new)
    };
    let yes = || Decision::approve(person("alice"), second(1)).with_reason("so");
    let claim = |name: &str, path: &str| {
        let by = person("executor");
        workflow.claim(&id(name), Use::new(action(path), by, second(2)))
    };
    let state = |told: &mut Vec<Told>, request: Arc<Request>| {
        told.push(Told::State(request));
    };
    state(told, request("a", "payments/a")?);
    state(told, workflow.decide(&id("a"), yes())?);
    let first = claim("a", "payments/a")?;
    told.push(Told::Claim(Box::new(first.clone())));
    state(
        told,
        workflow.finish(Receipt {
            id: id("a"),
            at: second(3),
            token: first.token,
            outcome: ReceiptOutcome::Indeterminate,
            observed: String::new(),
        })?,
    );
    state(told, request("b", "batches/b")?);
    state(told, workflow.decide(&id("b"), yes())?);
    for _ in 0..3 {
        told.push(Told::Claim(Box::new(claim("b", "batches/b")?)));
    }
    state(told, request("c", "payments/c")?);
    let instead = ask("payments/d").with_id(id("d"));
    state(told, workflow.request(instead.superseding(id("c")))?);
    state(
        told,
        workflow.escalate(&id("d"), person("agent-7"), "now", second(1))?,
    );
    state(told, workflow.decide(&id("d"), yes())?);
    state(
        told,
        workflow.revoke(&id("d"), person("bob"), "no", second(2))?,
    );
    Ok(())
}

/// Whether a request is at least as far as somebody was told.
fn reached(told: &Request, now: &Request) -> bool {
    let votes = now.reviews.starts_with(&told.reviews);
    let settled = match (told.state, now.state) {
        (State::Pending, _) => true,
        (State::Approved { .. }, State::Pending) => false,
        (State::Approved { .. } | State::Claimed { .. }, _) => true,
        (told, now) => told == now,
    };
    told.submission == now.submission && votes && settled && now.level >= told.level
}

fn check(workflow: &ApprovalWorkflow, told: &[Told], place: usize) {
    for told in told {
        match told {
            Told::State(told) => {
                let id = &told.submission.id;
                let now = workflow
                    .get(id)
                    .unwrap()
                    .unwrap_or_else(|| panic!("{place}: no {id}"));
                assert!(reached(told, &now), "{place}: {told:?} became {now:?}");
            }
            Told::Claim(claim) => {
                let now = workflow.get(&claim.id).unwrap().unwrap();
                let mut kept = now.uses().map(|(kept, _)| kept);
                assert!(kept.any(|kept| *kept == **claim), "{place}: lost {claim:?}");
            }
        }
    }
}

/// Uses up whatever can still be used, and counts all claims of each request in the log.
fn exhaust(workflow: &ApprovalWorkflow, place: usize) {
    const GRANTS: [(&str, &str, usize); 4] = [
        ("a", "payments/a", 1),
        ("b", "batches/b", 3),
        ("c", "payments/c", 0),
        ("d", "payments/d", 1),
    ];
    for (name, path, _) in GRANTS {
        let again = || {
            workflow.claim(
                &id(name),
                Use::new(action(path), person("other"), second(4)),
            )
        };
        let refused = iter::repeat_with(again).find_map(Result::err);
        let is_refusal = matches!(
            refused,
            Some(Error::NotExecutable { .. } | Error::UnknownRequest { .. })
        );
        assert!(is_refusal, "{place}: {refused:?}");
    }
    let mut claims = BTreeMap::new();
    for entry in workflow.audit_log().unwrap() {
        if let Event::Claimed(claim) = entry.unwrap().event {
            *claims.entry(claim.id).or_default() += 1;
        }
    }
    for (name, path, uses) in GRANTS {
        let used: usize = claims.get(&id(name)).copied().unwrap_or_default();
        assert!(used <= uses, "{place}: {name} was used {used} times");
        let answer = workflow.can_execute(&id(name), &action(path), second(4));
        assert!(!answer.is_allowed(), "{place}: {name} can be used again");
    }
}

/// Every byte with `APPROVAL_EVERY_BYTE=1`, and else one in seven: a story has thousands.
fn stride() -> usize {
    match std::env::var_os("APPROVAL_EVERY_BYTE") {
        Some(_) => 1,
        None => 7,
    }
}

#[test]
fn a_crash_at_any_byte_loses_nothing_that_was_told_and_lets_nothing_be_used_twice() {
    let disk = Disk::default();
    let workflow = open(&disk).unwrap();
    let mut told = Vec::new();
    live(&workflow, &mut told).unwrap();
    check(&workflow, &told, usize::MAX);
    drop(workflow);
    assert_eq!(told.len(), 14);

    let mut whole = 0;
    for place in (0..).step_by(stride()) {
        let disk = Disk::default();
        disk.fail_after(place);
        let mut told = Vec::new();
        let lived = open(&disk).and_then(|workflow| live(&workflow, &mut told));
        disk.repair();
        let workflow = open(&disk).unwrap_or_else(|error| panic!("{place}: {error:?}"));
        check(&workflow, &told, place);
        exhaust(&workflow, place);
        workflow.close().unwrap();
        // What the second life did is there in the third one.
        if place % (16 * stride()) == 0 || lived.is_ok() {
            let workflow = open(&disk).unwrap();
            check(&workflow, &told, place);
            exhaust(&workflow, place);
        }
        if lived.is_ok() {
            whole = place;
            break;
        }
        assert!(matches!(lived, Err(Error::Log(_))), "{place}: {lived:?}");
    }
    assert!(whole > 3_000, "the story has {whole} bytes");
}

#[test]
fn a_log_that_is_cut_at_any_byte_is_the_log_of_a_moment_before() {
    let disk = Disk::default();
    let workflow = open(&disk).unwrap();
    live(&workflow, &mut Vec::new()).unwrap();
    let all: Vec<_> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    workflow.close().unwrap();
    let files = disk.files();
    let (name, content) = files
        .iter()
        .find(|(name, _)| name.ends_with(".jsonl"))
        .unwrap();
    let mut seen = 0;
    for cut in (0..content.len()).step_by(stride()).chain([content.len()]) {
        let part = [(name.clone(), content[..cut].to_vec())];
        let workflow = open(&Disk::with(part.into())).unwrap();
        let rest: Vec<_> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
        assert!(rest.len() >= seen && all.starts_with(&rest), "cut at {cut}");
        seen = rest.len();
        let refused = workflow.can_execute(&id("a"), &action("payments/b"), second(4));
        let changed = approval_workflow::Permission::Denied(DenyReason::ActionChanged);
        assert!(refused == changed || seen == 0);
    }
    assert_eq!(seen, all.len());
}
