//! Whether a review is signed as the policy demands.

use action::Timestamp;

use crate::error::Error;
use crate::model::emergency::{Attestation, BrokenGlass};
use crate::model::event::{Review, Submission};
use crate::model::names::PersonId;
use crate::model::signature::{PublicKey, ReviewSignature, Signature, SignatureFault};
use crate::review::statement::{EmergencyStatement, ReviewStatement};

/// What came of verifying a signature ahead of the moment at which its review is judged: that takes
/// longer than all else under the lock that gives events their order, so it is done before.
///
/// It speaks for these bytes under this key and for nothing else. What is judged in the end may say
/// something else; it is then verified as if there were no proof.
#[derive(Debug)]
pub(crate) struct Proof {
    key: PublicKey,
    statement: Vec<u8>,
    value: Signature,
    holds: bool,
}

impl Proof {
    /// Verifies the signature of a review to come; none if it has none, or nothing to verify it with.
    pub(crate) fn of(asked: &Submission, review: &Review) -> Option<Self> {
        let signature = review.signature.as_ref()?;
        let key = *asked.terms.signers.get(&review.reviewer)?;
        let statement = ReviewStatement::of_review(asked, review, signature.at).to_bytes();
        let holds = verify(&key, &statement, &signature.value);
        Some(Self {
            key,
            statement,
            value: signature.value,
            holds,
        })
    }

    fn is_of(&self, key: &PublicKey, statement: &[u8], value: &Signature) -> bool {
        self.key == *key && self.statement == statement && self.value == *value
    }
}

/// Checks a review by the keys that its request was made under.
pub(crate) fn check(
    asked: &Submission,
    review: &Review,
    proof: Option<&Proof>,
) -> Result<(), Error> {
    match fault(asked, review, proof) {
        None => Ok(()),
        Some(fault) => Err(refusal(asked, &review.reviewer, fault)),
    }
}

/// Checks who approved alone in an emergency. One without a signature is taken, as versions before
/// wrote it; it opens no gate where the policy lists a key.
pub(crate) fn check_glass(asked: &Submission, glass: &BrokenGlass) -> Result<(), Error> {
    let statement = |at| EmergencyStatement::break_glass(asked, &glass.by, &glass.reason, at);
    check_emergency(asked, &glass.by, glass.at, glass.signature, statement)
}

/// Checks who reviewed such an approval, in the same way; the review stays owed where the policy lists
/// a key and there is no signature.
pub(crate) fn check_attestation(asked: &Submission, done: &Attestation) -> Result<(), Error> {
    let statement = |at| EmergencyStatement::attestation(asked, &done.by, &done.finding, at);
    check_emergency(asked, &done.by, done.at, done.signature, statement)
}

fn check_emergency<'a>(
    asked: &'a Submission,
    person: &PersonId,
    recorded: Timestamp,
    signature: Option<ReviewSignature>,
    statement: impl Fn(Timestamp) -> EmergencyStatement<'a>,
) -> Result<(), Error> {
    let Some(signature) = signature else {
        return Ok(());
    };
    let fault = match asked.terms.signers.get(person) {
        None => SignatureFault::NoKey,
        Some(key) => {
            let bytes = statement(signature.at).to_bytes();
            if signature.at <= recorded && verify(key, &bytes, &signature.value) {
                return Ok(());
            }
            SignatureFault::Wrong
        }
    };
    Err(refusal(asked, person, fault))
}

/// Refuses an emergency approval or its review without a signature where the policy lists a key.
pub(crate) fn demand(
    asked: &Submission,
    person: &PersonId,
    signature: Option<&ReviewSignature>,
) -> Result<(), Error> {
    if asked.demands_signature_of(person) && signature.is_none() {
        return Err(refusal(asked, person, SignatureFault::Missing));
    }
    Ok(())
}

fn refusal(asked: &Submission, person: &PersonId, fault: SignatureFault) -> Error {
    Error::Signature {
        id: asked.id.clone(),
        person: person.clone(),
        fault,
    }
}

fn fault(asked: &Submission, review: &Review, proof: Option<&Proof>) -> Option<SignatureFault> {
    let signers = &*asked.terms.signers;
    let listed = |person: &PersonId| signers.contains_key(person);
    let key = signers.get(&review.reviewer);
    match (key, &review.signature) {
        // A stand-in without a key would be a way around the key of the other person.
        (None, None) if !review.on_behalf_of.as_ref().is_some_and(listed) => None,
        (_, None) => Some(SignatureFault::Missing),
        (None, Some(_)) => Some(SignatureFault::NoKey),
        (Some(key), Some(signature)) => {
            let holds = signature.at <= review.at && {
                let statement = ReviewStatement::of_review(asked, review, signature.at).to_bytes();
                let proof = proof.filter(|proof| proof.is_of(key, &statement, &signature.value));
                proof.map_or_else(
                    || verify(key, &statement, &signature.value),
                    |proof| proof.holds,
                )
            };
            (!holds).then_some(SignatureFault::Wrong)
        }
    }
}

fn verify(key: &PublicKey, statement: &[u8], value: &Signature) -> bool {
    let Some(key) = key.decoded() else {
        return false;
    };
    let value = ed25519_dalek::Signature::from_bytes(value.as_bytes());
    // Strict: a signature cannot be turned into another one that verifies as well.
    key.verify_strict(statement, &value).is_ok()
}

#[cfg(test)]
mod tests {
    use action::{Action, ActionPath};
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::model::binding::Binding;
    use crate::model::event::Vote;
    use crate::model::input::Decision;
    use crate::model::names::RequestId;
    use crate::model::terms::Disposition;
    use crate::policy::Policy;
    use crate::policy::rulebook::Rulebook;

    /// A request, and an approval of it that is signed.
    fn signed() -> (Submission, Review) {
        let key = SigningKey::from_bytes(&[1; 32]);
        let alice = PersonId::new("alice").unwrap();
        let public = PublicKey::from_bytes(key.verifying_key().to_bytes());
        let text = format!("signers.alice = \"{public}\"");
        let book = Rulebook::new(Policy::from_toml(&text).unwrap()).unwrap();
        let path = ActionPath::new("payments/refund").unwrap();
        let action = Action::new(path, "Refund");
        let at = Timestamp::from_micros(1);
        let asked = Submission {
            id: RequestId::new("r").unwrap(),
            at,
            requester: PersonId::new("agent").unwrap(),
            digest: action.digest().unwrap(),
            action,
            context: serde_json::Map::new(),
            policy: book.digest(),
            rule: None,
            need: Disposition::Approval,
            terms: book.policy().default.clone(),
            key: None,
            binding: Binding::default(),
            hidden: None,
        };
        let decision = Decision::approve(alice.clone(), at);
        let statement = ReviewStatement::new(&asked, &decision).to_bytes();
        let value = key.sign(&statement).to_bytes();
        let value = Signature::from_bytes(value);
        let review = Review {
            id: asked.id.clone(),
            at,
            reviewer: alice,
            verdict: Vote::Approve,
            reason: None,
            groups: Vec::new(),
            key: None,
            factor_step: None,
            on_behalf_of: None,
            signature: Some(ReviewSignature { at, value }),
        };
        (asked, review)
    }

    #[test]
    fn a_proof_speaks_for_its_own_review_and_for_no_other() {
        let (asked, review) = signed();
        let proof = Proof::of(&asked, &review).unwrap();
        assert!(proof.holds);
        assert!(check(&asked, &review, Some(&proof)).is_ok());
        let denial = Review {
            verdict: Vote::Deny,
            ..review.clone()
        };
        let forged = Proof::of(&asked, &denial).unwrap();
        assert!(!forged.holds);
        for proof in [None, Some(&proof), Some(&forged)] {
            assert!(check(&asked, &review, proof).is_ok());
            assert!(check(&asked, &denial, proof).is_err());
        }
        let elsewhere = Submission {
            id: RequestId::new("s").unwrap(),
            ..asked.clone()
        };
        assert!(check(&elsewhere, &review, Some(&proof)).is_err());
        // One that would claim to hold, were it believed for what it was not made of.
        let proof = Proof {
            holds: true,
            ..forged
        };
        assert!(check(&elsewhere, &denial, Some(&proof)).is_err());
        let unsigned = Review {
            signature: None,
            ..review
        };
        assert!(Proof::of(&asked, &unsigned).is_none());
    }
}
