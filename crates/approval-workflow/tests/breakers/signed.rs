//! A signature is for one decision about one request.

use approval_workflow::{
    Decision, DenyReason, Error, PublicKey, RequestId, ReviewStatement, Signature, SignatureFault,
};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::support::{Gate, action, at, gate_with, person};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// A gate for which alice signs.
fn gate() -> Gate {
    let public = PublicKey::from_bytes(key().verifying_key().to_bytes());
    gate_with(&format!(
        "signers.alice = \"{public}\"\n[[rules]]\npattern = \"**\"\nsensitivity = \"high\""
    ))
}

fn signed(gate: &Gate, id: &RequestId, decision: Decision) -> Decision {
    let request = gate.workflow.get(id).unwrap().unwrap();
    let statement = ReviewStatement::new(&request.submission, &decision).to_bytes();
    let value = Signature::from_bytes(key().sign(&statement).to_bytes());
    decision.with_signature(value)
}

fn refusal(gate: &Gate, id: &RequestId, decision: Decision) -> SignatureFault {
    match gate.workflow.decide(id, decision) {
        Err(Error::Signature { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// <https://github.com/johanthoren/jeff/issues/110>: a grant did not say which request it answered, so
/// that one of them could stand for a second execution of the same text.
#[test]
fn a_grant_says_which_request_it_answers() {
    let gate = gate();
    let run = action("db/migrate");
    let (first, second) = (gate.ask(&run), gate.ask(&run));
    let yes = signed(&gate, &first, Decision::approve(person("alice"), at(1)));
    assert_eq!(refusal(&gate, &second, yes.clone()), SignatureFault::Wrong);
    gate.workflow.decide(&first, yes).unwrap();
    assert_eq!(gate.claim(&first, &run), Ok(()));
    assert_eq!(gate.claim(&first, &run), Err(DenyReason::Claimed));
    assert_eq!(gate.can(&second, &run), Err(DenyReason::Pending));
}

/// <https://github.com/elizaOS/eliza/pull/10144>: to approve took a signature and to deny did not, so
/// that whoever knew the id could deny in the signer's place.
#[test]
fn a_denial_takes_the_same_signature() {
    let gate = gate();
    let id = gate.ask(&action("system/run"));
    let no = || Decision::deny(person("alice"), at(1));
    assert_eq!(refusal(&gate, &id, no()), SignatureFault::Missing);
    let yes = signed(&gate, &id, Decision::approve(person("alice"), at(1)));
    let turned = no().with_signature(yes.signature.unwrap());
    assert_eq!(refusal(&gate, &id, turned), SignatureFault::Wrong);
    assert!(gate.workflow.get(&id).unwrap().unwrap().reviews.is_empty());
}

/// <https://github.com/Gitlawb/node/issues/253>: a signed request that was caught on its way was good
/// again and again, and at every other server.
#[test]
fn a_signature_that_was_caught_is_good_nowhere_else_and_not_again() {
    let (gate, elsewhere) = (gate(), gate());
    let run = action("system/run").with_parameter("host", "a");
    let id = gate.ask(&run);
    let caught = signed(&gate, &id, Decision::approve(person("alice"), at(1)));
    gate.workflow.decide(&id, caught.clone()).unwrap();
    let again = gate.workflow.decide(&id, caught.clone());
    assert!(
        matches!(again, Err(Error::AlreadySettled { .. })),
        "{again:?}"
    );
    let same_id = elsewhere.ask(&run.with_parameter("host", "b"));
    assert_eq!(same_id, id);
    assert_eq!(refusal(&elsewhere, &same_id, caught), SignatureFault::Wrong);
}
