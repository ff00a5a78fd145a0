//! Who approves alone signs for it, and so does who looks at it afterwards.

use approval_workflow::{
    ApprovalWorkflow, DenyReason, Directory, EmergencyApproval, EmergencyReview,
    EmergencyStatement, Error, Event, NewRequest, Permission, Policy, PublicKey, Request,
    RequestId, Signature, SignatureFault,
};
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::{TempDir, tempdir};

use crate::support::{action, at, person};

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(key(number).verifying_key().to_bytes())
}

/// alice and bob sign; carol does not.
fn open(dir: &TempDir) -> ApprovalWorkflow {
    let policy = format!(
        "signers.alice = \"{}\"\nsigners.bob = \"{}\"\n[[rules]]\npattern = \"**\"\n\
         sensitivity = \"critical\"\nbreak_glass = [\"oncall\"]",
        public(1),
        public(2),
    );
    let directory: Directory = toml::from_str(
        "reviewers.alice.groups = [\"oncall\"]\nreviewers.bob = {}\n\
         reviewers.carol.groups = [\"oncall\"]",
    )
    .unwrap();
    let options = ApprovalWorkflow::options().directory(directory);
    options
        .open(dir.path(), Policy::from_toml(&policy).unwrap())
        .unwrap()
}

fn asked(workflow: &ApprovalWorkflow) -> RequestId {
    let new = NewRequest::new(action("db/restart"), person("agent"), at(0));
    workflow.request(new).unwrap().submission.id.clone()
}

fn sign(number: u8, statement: &EmergencyStatement<'_>) -> Signature {
    Signature::from_bytes(key(number).sign(&statement.to_bytes()).to_bytes())
}

fn get(workflow: &ApprovalWorkflow, id: &RequestId) -> Request {
    (*workflow.get(id).unwrap().unwrap()).clone()
}

fn fault<T: std::fmt::Debug>(refused: Result<T, Error>) -> SignatureFault {
    match refused {
        Err(Error::Signature { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// A person whose key the policy lists could approve alone, and look at it afterwards, without a
/// signature: whoever spoke in that person's name could as well.
#[test]
fn breaking_the_glass_and_attesting_take_a_signature_where_the_policy_lists_a_key() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let (id, other) = (asked(&workflow), asked(&workflow));
    let glass = || EmergencyApproval::new(person("alice"), "site is down", at(1));
    assert_eq!(
        fault(workflow.break_glass(&id, glass())),
        SignatureFault::Missing
    );
    let request = get(&workflow, &id);
    let approval = glass();
    let statement = EmergencyStatement::of_approval(&request.submission, &approval);
    let value = sign(1, &statement);
    for (id, approval) in [
        (&other, glass().with_signature(value)),
        (&id, glass().with_signature(sign(2, &statement))),
        (
            &id,
            EmergencyApproval::new(person("alice"), "other", at(1)).with_signature(value),
        ),
    ] {
        let refused = workflow.break_glass(id, approval);
        assert_eq!(fault(refused), SignatureFault::Wrong);
    }
    let broken = workflow.break_glass(&id, glass().with_signature(value));
    assert!(broken.unwrap().owes_review());
    assert!(
        workflow
            .can_execute(&id, &action("db/restart"), at(2))
            .is_allowed()
    );

    let review = || EmergencyReview::new(person("bob"), "it was needed", at(2));
    assert_eq!(
        fault(workflow.attest(&id, review())),
        SignatureFault::Missing
    );
    let done = review();
    let statement = EmergencyStatement::of_review(&request.submission, &done);
    let value = sign(2, &statement);
    let attested = workflow.attest(&id, review().with_signature(value));
    assert!(!attested.unwrap().owes_review());

    // A person without a key does not sign, here as elsewhere.
    let carol = EmergencyApproval::new(person("carol"), "again", at(3));
    let refused = workflow.break_glass(&other, carol.clone().with_signature(value));
    assert_eq!(fault(refused), SignatureFault::NoKey);
    workflow.break_glass(&other, carol).unwrap();
    workflow.close().unwrap();
    assert!(!get(&open(&dir), &id).owes_review());
}

/// Versions before took emergency approvals without signatures, and an attacker with the file can write
/// them: such a log opens, its gate stays shut, and the review stays owed.
#[test]
fn an_unsigned_emergency_in_the_log_opens_no_gate_and_settles_no_review() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let (signed, forged) = (asked(&workflow), asked(&workflow));
    let request = get(&workflow, &signed);
    let approval = EmergencyApproval::new(person("alice"), "site is down", at(1));
    let statement = EmergencyStatement::of_approval(&request.submission, &approval);
    let value = sign(1, &statement);
    workflow
        .break_glass(&signed, approval.with_signature(value))
        .unwrap();
    workflow.close().unwrap();

    let event = |value: serde_json::Value| serde_json::from_value::<Event>(value).unwrap();
    let log: jsonl_storage::Log<Event> = jsonl_storage::LogOptions::new()
        .chained()
        .open(dir.path())
        .unwrap();
    log.append(&event(serde_json::json!({ "broke_glass": {
        "id": forged, "at": at(2), "by": "alice", "groups": ["oncall"], "reason": "me",
    }})))
    .unwrap();
    log.append(&event(serde_json::json!({ "attested": {
        "id": signed, "at": at(2), "by": "bob", "finding": "fine",
    }})))
    .unwrap();
    log.close().unwrap();

    let workflow = open(&dir);
    let answer = workflow.can_execute(&forged, &action("db/restart"), at(3));
    assert_eq!(answer, Permission::Denied(DenyReason::ReviewersChanged));
    assert!(get(&workflow, &signed).owes_review());
    assert_eq!(workflow.statistics(at(3)).open_reviews, 2);
}
