//! Idempotency keys: a caller that does not know whether its call arrived repeats it under the same
//! key, and it happens once.

use std::collections::HashMap;

use action::ActionDigest;
use jsonl_storage::Seq;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::content::write_json;
use crate::{Binding, Error, Event, IdempotencyKey, PersonId, RequestId, StepProof, Verdict};

/// The digest of what a call says, without its time and without what the workflow adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body([u8; 32]);

impl Body {
    pub(crate) fn request(
        requester: &PersonId,
        digest: ActionDigest,
        context: &Map<String, Value>,
        binding: &Binding,
    ) -> Self {
        Self::of(&("request", requester, digest, context, binding))
    }

    pub(crate) fn review(
        id: &RequestId,
        reviewer: &PersonId,
        verdict: Verdict,
        reason: Option<&str>,
        on_behalf_of: Option<&PersonId>,
    ) -> Self {
        Self::of(&("review", id, reviewer, verdict, reason, on_behalf_of))
    }

    /// What a claim says to be true is left out: the world may have gone on when it is repeated.
    pub(crate) fn claim(
        id: &RequestId,
        claimant: &PersonId,
        digest: ActionDigest,
        step: Option<&StepProof>,
    ) -> Self {
        Self::of(&("claim", id, claimant, digest, step))
    }

    fn of(content: &impl Serialize) -> Self {
        const DOMAIN: &str = "proofload 2026-11 approval idempotency body v1";
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        write_json(&mut hasher, content);
        Self(hasher.finalize().into())
    }
}

/// The keys that were used; folded from the log like everything else.
#[derive(Debug, Default)]
pub(crate) struct KeyBook(HashMap<IdempotencyKey, (Seq, RequestId, Body)>);

impl KeyBook {
    /// The event that the same call made before, and its request.
    pub(crate) fn find(
        &self,
        key: &IdempotencyKey,
        body: Body,
    ) -> Result<Option<(Seq, RequestId)>, Error> {
        match self.0.get(key) {
            None => Ok(None),
            Some((seq, id, first)) if *first == body => Ok(Some((*seq, id.clone()))),
            Some((_, id, _)) => Err(Error::KeyConflict {
                key: key.clone(),
                id: id.clone(),
            }),
        }
    }

    /// Refuses an event of a log that uses a key again.
    pub(crate) fn check(&self, event: &Event) -> Result<(), Error> {
        match keyed(event).and_then(|(key, _)| self.0.get_key_value(key)) {
            None => Ok(()),
            Some((key, (_, id, _))) => Err(Error::KeyConflict {
                key: key.clone(),
                id: id.clone(),
            }),
        }
    }

    pub(crate) fn apply(&mut self, seq: Seq, event: &Event) {
        if let Some((key, body)) = keyed(event) {
            self.0.insert(key.clone(), (seq, event.id().clone(), body));
        }
    }
}

fn keyed(event: &Event) -> Option<(&IdempotencyKey, Body)> {
    match event {
        Event::Requested(asked) => {
            let key = asked.key.as_ref()?;
            Some((
                key,
                Body::request(
                    &asked.requester,
                    asked.digest,
                    &asked.context,
                    &asked.binding,
                ),
            ))
        }
        Event::Reviewed(review) => {
            let reason = review.reason.as_deref();
            let key = review.key.as_ref()?;
            Some((
                key,
                Body::review(
                    &review.id,
                    &review.reviewer,
                    review.verdict,
                    reason,
                    review.on_behalf_of.as_ref(),
                ),
            ))
        }
        Event::Claimed(claim) => {
            let key = claim.key.as_ref()?;
            let step = claim.step.as_ref();
            Some((
                key,
                Body::claim(&claim.id, &claim.claimant, claim.digest, step),
            ))
        }
        _ => None,
    }
}
