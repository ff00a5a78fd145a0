use std::sync::Arc;

use approval_workflow::{
    ApprovalWorkflow, AuditEntry, Decision, DenyReason, Directory, Error, Event, Permission,
    Policy, PublicKey, Request, RequestId, ReviewStatement, Rulebook, Signature, SignatureFault,
    Status, Vote, verify_bundle,
};
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::{TempDir, tempdir};

use crate::support::{action, ask, everything, person, second};

fn key(of: u8) -> SigningKey {
    SigningKey::from_bytes(&[of; 32])
}

fn public(of: u8) -> PublicKey {
    PublicKey::from_bytes(key(of).verifying_key().to_bytes())
}

/// Alice has the key 1, and bob none.
fn policy(alice: u8) -> Policy {
    let text = format!(
        "signers.alice = \"{}\"\n[[rules]]\npattern = \"**\"\nsensitivity = \"high\"",
        public(alice)
    );
    Policy::from_toml(&text).unwrap()
}

fn open(dir: &TempDir) -> ApprovalWorkflow {
    crate::support::options()
        .open(dir.path(), policy(1))
        .unwrap()
}

fn asked(workflow: &ApprovalWorkflow) -> Arc<Request> {
    workflow.request(ask("payments/refund")).unwrap()
}

fn yes() -> Decision {
    Decision::approve(person("alice"), second(1)).with_reason("checked")
}

fn signature(of: u8, request: &Request, decision: &Decision) -> Signature {
    let statement = ReviewStatement::new(&request.submission, decision);
    Signature::from_bytes(key(of).sign(&statement.to_bytes()).to_bytes())
}

fn signed(request: &Request, decision: Decision) -> Decision {
    let signature = signature(1, request, &decision);
    decision.with_signature(signature)
}

fn fault(result: Result<Arc<Request>, Error>) -> SignatureFault {
    match result {
        Err(Error::Signature { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signed_review_counts_and_its_signature_is_kept() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = asked(&workflow);
    let id = &request.submission.id;
    let decision = signed(&request, yes());
    let approved = workflow.decide(id, decision.clone()).unwrap();
    let kept = approved.reviews[0].signature.unwrap();
    assert_eq!((Some(kept.value), kept.at), (decision.signature, second(1)));
    let (text, digest) = workflow.export_bundle(id).unwrap().unwrap();
    assert!(text.contains(&kept.value.to_string()));
    let verified = verify_bundle(&text, Some(&digest)).unwrap();
    assert_eq!(verified.request.status(second(2)), Status::Approved);
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
}

#[test]
fn a_denial_is_signed_as_well_and_who_has_no_key_decides_without() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = asked(&workflow);
    let id = &request.submission.id;
    let no = Decision::deny(person("alice"), second(1));
    assert_eq!(
        fault(workflow.decide(id, no.clone())),
        SignatureFault::Missing
    );
    let denied = workflow.decide(id, signed(&request, no)).unwrap();
    assert_eq!(denied.status(second(1)), Status::Denied);
    let other = asked(&workflow);
    let bob = Decision::approve(person("bob"), second(1));
    let with_a_signature = signed(&other, bob.clone());
    let id = &other.submission.id;
    let refused = workflow.decide(id, with_a_signature);
    assert_eq!(fault(refused), SignatureFault::NoKey);
    assert!(workflow.decide(id, bob).is_ok());
}

#[test]
fn a_signature_for_anything_else_is_refused_and_leaves_nothing() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let (request, other) = (asked(&workflow), asked(&workflow));
    let id = &request.submission.id;
    let bare = signature(1, &request, &yes());
    let on_another_day = Decision {
        at: second(2),
        ..yes()
    };
    let for_another_reason = yes().with_reason("checked twice");
    let without_a_reason = Decision {
        reason: None,
        ..yes()
    };
    let the_opposite = Decision {
        verdict: Vote::Deny,
        ..yes()
    };
    let flipped = {
        let mut bytes = *bare.as_bytes();
        bytes[63] ^= 1;
        Signature::from_bytes(bytes)
    };
    let statement = ReviewStatement::new(&request.submission, &yes()).to_bytes();
    let without_domain = &statement[ReviewStatement::DOMAIN.len()..];
    for (what, signature) in [
        ("another key", signature(2, &request, &yes())),
        ("another request", signature(1, &other, &yes())),
        ("the opposite", signature(1, &request, &the_opposite)),
        (
            "another reason",
            signature(1, &request, &for_another_reason),
        ),
        ("no reason", signature(1, &request, &without_a_reason)),
        ("another moment", signature(1, &request, &on_another_day)),
        (
            "another purpose",
            Signature::from_bytes(key(1).sign(without_domain).to_bytes()),
        ),
        ("a changed bit", flipped),
        ("nothing", Signature::from_bytes([0; 64])),
    ] {
        let refused = workflow.decide(id, yes().with_signature(signature));
        assert_eq!(fault(refused), SignatureFault::Wrong, "{what}");
    }
    for decision in [
        the_opposite,
        for_another_reason,
        without_a_reason,
        on_another_day,
    ] {
        let refused = workflow.decide(id, decision.with_signature(bare));
        assert_eq!(fault(refused), SignatureFault::Wrong);
    }
    assert_eq!(
        workflow.audit_log().unwrap().count(),
        2,
        "the requests alone"
    );
    assert!(workflow.decide(id, yes().with_signature(bare)).is_ok());
}

#[test]
fn a_signature_is_good_once() {
    let dir = tempdir().unwrap();
    let text = format!(
        "signers.alice = \"{}\"\n[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nrequires.at_least.people = 2",
        public(1)
    );
    let policy = Policy::from_toml(&text).unwrap();
    let workflow = crate::support::options().open(dir.path(), policy).unwrap();
    let (first, second_request) = (asked(&workflow), asked(&workflow));
    let decision = signed(&first, yes());
    let id = &first.submission.id;
    assert_eq!(
        workflow
            .decide(id, decision.clone())
            .unwrap()
            .status(second(1)),
        Status::Pending
    );
    let replayed = workflow.decide(id, decision.clone());
    assert!(
        matches!(replayed, Err(Error::AlreadyVoted { .. })),
        "{replayed:?}"
    );
    let elsewhere = workflow.decide(&second_request.submission.id, decision);
    assert_eq!(fault(elsewhere), SignatureFault::Wrong);
    let answer = workflow.can_execute(id, &action("payments/refund"), second(2));
    assert_eq!(answer, Permission::Denied(DenyReason::Pending));
}

#[test]
fn a_signature_from_another_log_does_not_fit_the_same_request_of_this_one() {
    let (here, there) = (tempdir().unwrap(), tempdir().unwrap());
    let elsewhere = open(&there);
    let mut earlier = ask("payments/refund");
    earlier.at = second(0);
    let first = elsewhere.request(earlier.clone()).unwrap();
    let decision = signed(&first, yes());
    earlier.at = second(1);
    let workflow = open(&here);
    let again = workflow.request(earlier).unwrap();
    assert_eq!(again.submission.id, first.submission.id);
    let refused = workflow.decide(&again.submission.id, decision);
    assert_eq!(fault(refused), SignatureFault::Wrong);
}

#[test]
fn a_stand_in_signs_too() {
    let dir = tempdir().unwrap();
    let directory: Directory = toml::from_str(
        "reviewers.alice = {}\nreviewers.bob = {}\nreviewers.carol = {}\n\
         [[delegations]]\nfrom = \"alice\"\nto = \"bob\"\nscope = \"**\"\nuntil = 9007199254740991\n[[delegations]]\nfrom = \"carol\"\nto = \"alice\"\nscope = \"**\"\nuntil = 9007199254740991",
    )
    .unwrap();
    let options = crate::support::options().directory(directory);
    let workflow = options.open(dir.path(), policy(1)).unwrap();
    let (alice, carol) = (person("alice"), person("carol"));
    let request = asked(&workflow);
    let id = &request.submission.id;
    let bob = Decision::approve(person("bob"), second(1));
    let refused = workflow.decide(id, bob.on_behalf_of(alice.clone()));
    assert_eq!(fault(refused), SignatureFault::Missing);
    // The place in which alice decides is a part of what she signs.
    let refused = workflow.decide(id, signed(&request, yes()).on_behalf_of(carol.clone()));
    assert_eq!(fault(refused), SignatureFault::Wrong);
    let decision = yes().on_behalf_of(carol.clone());
    let statement = ReviewStatement::new(&request.submission, &decision);
    let value = Signature::from_bytes(key(1).sign(&statement.to_bytes()).to_bytes());
    let decided = workflow.decide(id, decision.clone().with_signature(value));
    assert_eq!(decided.unwrap().status(second(1)), Status::Approved);
}

#[test]
fn an_approval_under_other_keys_is_not_used() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = asked(&workflow);
    let id = request.submission.id.clone();
    workflow.decide(&id, signed(&request, yes())).unwrap();
    workflow.close().unwrap();
    let workflow = crate::support::options()
        .open(dir.path(), policy(3))
        .unwrap();
    let answer = workflow.can_execute(&id, &action("payments/refund"), second(2));
    assert_eq!(answer, Permission::Denied(DenyReason::PolicyChanged));
}

#[test]
fn a_log_with_a_review_that_nobody_signed_is_refused() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = asked(&workflow);
    workflow
        .decide(&request.submission.id, signed(&request, yes()))
        .unwrap();
    let mut review = workflow
        .get(&request.submission.id)
        .unwrap()
        .unwrap()
        .reviews[0]
        .clone();
    let victim = asked(&workflow);
    workflow.close().unwrap();
    // Somebody with access to the file lets alice's signature stand for another request.
    review.id = victim.submission.id.clone();
    let log: jsonl_storage::Log<Event> = jsonl_storage::LogOptions::new().open(dir.path()).unwrap();
    log.append(&Event::Reviewed(review)).unwrap();
    log.close().unwrap();
    let error = crate::support::options()
        .open(dir.path(), policy(1))
        .unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "review of request r-2 by alice: its signature was made with another key, or for something else"
    );
}

/// As an export would write it, by somebody who may write whatever he likes.
fn forge(id: &RequestId, trail: &[AuditEntry]) -> String {
    let mut digest = blake3::derive_key(
        "proofload 2026-11 approval history v1",
        id.as_str().as_bytes(),
    );
    let mut body = String::new();
    for entry in trail {
        let json = serde_json::to_string(entry).unwrap();
        digest = blake3::keyed_hash(&digest, json.as_bytes()).into();
        let link = blake3::Hash::from_bytes(digest).to_hex();
        body.push_str(&format!("{{\"entry\":{json},\"link\":\"{link}\"}}\n"));
    }
    let (history, events) = (blake3::Hash::from_bytes(digest).to_hex(), trail.len());
    format!(
        "{{\"approval_bundle\":1,\"request\":\"{id}\",\"events\":{events},\"history\":\"{history}\"}}\n{body}"
    )
}

#[test]
fn a_bundle_that_holds_in_itself_does_not_hold_without_the_reviewers_key() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = asked(&workflow);
    let id = &request.submission.id;
    workflow.decide(id, signed(&request, yes())).unwrap();
    let trail = workflow.audit_trail(id).unwrap().unwrap();
    assert!(
        verify_bundle(&forge(id, &trail), None).is_ok(),
        "the forger is able"
    );

    let change = |edit: &dyn Fn(&mut approval_workflow::Review)| {
        let mut trail = trail.clone();
        let Event::Reviewed(review) = &mut trail[1].event else {
            panic!("{trail:?}")
        };
        edit(review);
        verify_bundle(&forge(id, &trail), None)
    };
    for forged in [
        change(&|review| review.verdict = Vote::Deny),
        change(&|review| review.reason = Some("forged".into())),
        change(&|review| review.signature = None),
        change(&|review| review.signature.as_mut().unwrap().at = second(0)),
        change(&|review| review.at = second(0)),
    ] {
        assert!(
            matches!(forged, Err(Error::Bundle { line: 3, .. })),
            "{forged:?}"
        );
    }
}

#[test]
fn a_key_that_is_none_is_no_policy() {
    for text in [
        format!("signers.alice = \"{}\"", "0".repeat(64)),
        format!(
            "signers.alice = \"{}\"",
            public(1).to_string().to_uppercase()
        ),
        "signers.alice = \"abc\"".to_owned(),
        format!("signers.Alice = \"{}\"", public(1)),
        format!(
            "[default]\nsensitivity = \"high\"\nsigners.alice = \"{}\"",
            public(1)
        ),
    ] {
        let error = Policy::from_toml(&text).unwrap_err().to_string();
        assert!(
            error.starts_with("policy, line 1, column ") || error.starts_with("policy, line 3"),
            "{error}"
        );
    }
    // What a rulebook says of its policy is the policy again.
    let book = Rulebook::new(policy(1)).unwrap();
    let text = toml::to_string(book.policy()).unwrap();
    let again = Rulebook::new(Policy::from_toml(&text).unwrap()).unwrap();
    assert_eq!(again.digest(), book.digest());
    assert_ne!(Rulebook::new(policy(2)).unwrap().digest(), book.digest());
}
