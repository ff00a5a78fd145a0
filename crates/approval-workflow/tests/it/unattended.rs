//! Asking and claiming in one call, for what needs nobody.

use std::sync::Arc;

use approval_workflow::{DenyReason, Error, IdempotencyKey, Permission, Status};

use crate::disk::Disk;
use crate::support::{action, ask, options, person, policy, second};

#[test]
fn what_needs_nobody_is_asked_for_and_claimed_with_one_sync() {
    let disk = Disk::default();
    let backend = Arc::new(disk.clone());
    let workflow = options().open_on(backend.clone(), policy()).unwrap();
    let agent = person("agent-7");
    let key = IdempotencyKey::new("k").unwrap();
    let new = || ask("reports/x").with_key(key.clone());
    let before = disk.syncs();
    let (request, claim) = workflow.request_and_claim(new(), &agent).unwrap();
    assert_eq!(disk.syncs() - before, 1);
    let claim = claim.unwrap();
    assert_eq!(
        (&claim.claimant, claim.digest),
        (&agent, request.submission.digest)
    );
    let answer = workflow.can_execute(&claim.id, &action("reports/x"), second(1));
    assert_eq!(answer, Permission::Denied(DenyReason::Claimed));

    // Repeated under its key it is the same request and the same claim, also after a restart.
    let (again, same) = workflow.request_and_claim(new(), &agent).unwrap();
    assert_eq!(
        (again.submission.id.clone(), same),
        (claim.id.clone(), Some(claim.clone()))
    );
    workflow.close().unwrap();
    let workflow = options().open_on(backend, policy()).unwrap();
    let (_, same) = workflow.request_and_claim(new(), &agent).unwrap();
    assert_eq!(same, Some(claim));
    let (_, others) = workflow.request_and_claim(new(), &person("other")).unwrap();
    assert_eq!(others, None, "the claim of another caller");
}

#[test]
fn what_needs_a_person_is_asked_for_and_not_claimed() {
    let workflow = options()
        .open_on(Arc::new(Disk::default()), policy())
        .unwrap();
    let agent = person("agent-7");
    let (request, claim) = workflow
        .request_and_claim(ask("payments/refund"), &agent)
        .unwrap();
    assert_eq!((request.status(second(1)), claim), (Status::Pending, None));
    let mut secret = ask("reports/x").with_secret("amount");
    secret.action = secret.action.with_parameter("amount", "classified");
    let (_, claim) = workflow.request_and_claim(secret, &agent).unwrap();
    let report = action("reports/x").with_parameter("amount", "classified");
    assert_eq!(claim.unwrap().digest, report.digest().unwrap());
    let mut large = ask("reports/x");
    large.action.description = "x".repeat(1 << 20);
    let refused = workflow.request_and_claim(large, &agent);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}
