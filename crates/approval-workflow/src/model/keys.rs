//! Idempotency keys: a caller that does not know whether its call arrived repeats it under the same
//! key, and it happens once.

use std::collections::HashMap;

use action::{ActionDigest, StepProof};
use jsonl_storage::Seq;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::binding::Binding;
use crate::model::content::write_json;
use crate::model::event::{Event, Vote};
use crate::model::names::{IdempotencyKey, PersonId, RequestId};

/// The digest of what a call says, without its time and without what the workflow adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body([u8; 16]);

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
        verdict: Vote,
        reason: Option<&str>,
        on_behalf_of: Option<&PersonId>,
    ) -> Self {
        Self::of(&("review", id, reviewer, verdict, reason, on_behalf_of))
    }

    /// The circumstances that a claim states are left out: they may have changed when it is repeated.
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
        let digest: [u8; 32] = hasher.finalize().into();
        Self(half(&digest))
    }
}

/// 128 bits of a digest: a second text for them cannot be found.
fn half(digest: &[u8; 32]) -> [u8; 16] {
    let (half, _) = digest.split_first_chunk().expect("32 bytes are two halves");
    *half
}

/// The keys that were used; folded from the log like everything else. A key is kept as 128 bits of
/// its digest: of a used key, memory holds 40 bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyBook(HashMap<[u8; 16], Used>);

/// What a key was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) seq: Seq,
    pub(crate) body: [u8; 16],
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    New,
    /// The same call made this event before.
    Repeated(Seq),
    /// It was used for something else, which made this event.
    Conflict(Seq),
}

impl KeyBook {
    /// What a key was used for.
    pub(crate) fn find(&self, key: &IdempotencyKey, body: Body) -> KeyUse {
        match self.0.get(&short(key)) {
            None => KeyUse::New,
            Some(used) if used.body == body.0 => KeyUse::Repeated(used.seq),
            Some(used) => KeyUse::Conflict(used.seq),
        }
    }

    /// The key of an event of a log that was used before, and for which event.
    pub(crate) fn reused(&self, event: &Event) -> Option<(IdempotencyKey, Seq)> {
        let (key, _) = keyed(event)?;
        let used = self.0.get(&short(key))?;
        Some((key.clone(), used.seq))
    }

    pub(crate) fn apply(&mut self, seq: Seq, event: &Event) {
        if let Some((key, body)) = keyed(event) {
            let body = body.0;
            self.0.insert(short(key), Used { seq, body });
        }
    }

    /// All of it, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8; 16], &Used)> {
        self.0.iter()
    }

    pub(crate) fn restore(entries: impl Iterator<Item = ([u8; 16], Used)>) -> Self {
        Self(entries.collect())
    }
}

fn short(key: &IdempotencyKey) -> [u8; 16] {
    const DOMAIN: &str = "proofload 2026-11 approval idempotency key v1";
    half(&blake3::derive_key(DOMAIN, key.as_str().as_bytes()))
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
