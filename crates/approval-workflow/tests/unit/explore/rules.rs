//! The rules a second time, in other words: what is true of every state and of every step.

use std::collections::BTreeSet;

use action::EffectsDigest;

use crate::explore::World;
use crate::explore::moves::{DECIDE_WITHIN, DIGESTS, EXECUTE_WITHIN, action, person, tick};
use crate::gate::standing::Gate;
use crate::model::binding::Binding;
use crate::model::event::{Event, Review, Vote};
use crate::model::names::PersonId;
use crate::model::permission::{DenyReason, Permission};
use crate::model::request::{Request, State};
use crate::model::terms::Disposition;
use crate::state::lifecycle::apply;

/// What is true of every state.
pub(super) fn check_state(world: &World) {
    let request = &world.request;
    let now = tick(world.clock);

    // A restart: the log is read back from its text and folded.
    // What came before was found to be its fold when it was visited, so the last event is enough.
    let text = serde_json::to_string(&world.past.event).unwrap();
    let event: Event = serde_json::from_str(&text).unwrap();
    let folded = apply(world.before.as_deref(), &event).unwrap();
    assert_eq!(folded, *request, "{:?}", world.past);

    let people: BTreeSet<&PersonId> = request
        .reviews
        .iter()
        .map(|review| review.on_behalf_of.as_ref().unwrap_or(&review.reviewer))
        .collect();
    assert_eq!(
        people.len(),
        request.reviews.len(),
        "one person voted twice: {request:?}"
    );
    assert!(
        !people.contains(&person("agent")),
        "the requester voted: {request:?}"
    );

    let claims = world.claims;
    let uses = request.submission.terms.uses.get() as usize;
    assert!(claims <= uses, "used too often: {:?}", world.past);
    assert_eq!(claims, request.uses().count());
    let tokens: BTreeSet<_> = request.uses().map(|(claim, _)| claim.token).collect();
    assert_eq!(tokens.len(), claims, "one token, two uses: {request:?}");
    let steps = || request.uses().filter_map(|(claim, _)| claim.step.as_ref());
    let places: BTreeSet<_> = steps().map(|proof| proof.step).collect();
    assert_eq!(places.len(), steps().count(), "a step twice: {request:?}");

    let gate = Gate::of(request);
    let right = gate.ask(&DIGESTS[0], now).is_allowed();
    let wrong = gate.ask(&DIGESTS[1], now);
    assert_eq!(wrong, Permission::Denied(DenyReason::ActionChanged));
    let approved = matches!(request.state, State::Approved { at } if now < tick(at.as_secs() + EXECUTE_WITHIN));
    assert_eq!(right, approved, "{request:?} at {now}");
    if request.submission.need == Disposition::AutoDenied {
        // Nothing ever changes it, so it is as it began, and says who decided.
        let begun = matches!(request.state, State::Denied { at } if at == request.submission.at);
        assert!(begun && request.decision().is_none(), "{:?}", world.past);
        let reason = gate.ask(&DIGESTS[0], now);
        assert_eq!(reason, Permission::Denied(DenyReason::DeniedByPolicy));
    }
    if right && request.submission.need == Disposition::Approval && request.glass.is_none() {
        assert!(approved_by_two(request), "{request:?}");
    }
}

/// As [`feat`], of a state by itself.
pub(super) fn standing(request: &Request) -> Option<&'static str> {
    let by_rule = request.submission.need == Disposition::AutoDenied;
    by_rule.then_some("denied by a rule")
}

/// What must be possible as well: a function that refuses everything breaks no other rule.
pub(super) fn feat(event: &Event, after: &Request) -> Option<&'static str> {
    match event {
        Event::Claimed(claim) if claim.step.is_some() => Some("used for a step"),
        Event::Claimed(_) if after.uses().count() == 2 => Some("used twice"),
        Event::Reviewed(review) if review.on_behalf_of.is_some() => {
            Some("voted in somebody's place")
        }
        Event::Reviewed(Review {
            verdict: Vote::Deny,
            factor_step: None,
            ..
        }) => Some("denied without a second factor"),
        Event::Finished(_) if matches!(after.state, State::Revoked { .. }) => {
            Some("reported after a revocation")
        }
        _ => None,
    }
}

/// The requirement of this world in other words: any two of the three cover both groups.
fn approved_by_two(request: &Request) -> bool {
    let approved = |name: &str| {
        let yes = |review: &&Review| review.verdict == Vote::Approve;
        request.reviews.iter().filter(yes).any(|review| {
            review
                .on_behalf_of
                .as_ref()
                .unwrap_or(&review.reviewer)
                .as_str()
                == name
        })
    };
    let votes = [approved("alice"), approved("bob"), approved("carol")];
    votes.into_iter().filter(|voted| *voted).count() >= 2
}

/// What is true of every step.
pub(super) fn check_step(before: &Request, event: &Event, after: &Request) {
    assert_eq!(
        before.submission, after.submission,
        "what was asked for never changes"
    );
    assert!(
        after.reviews.starts_with(&before.reviews),
        "no vote is changed or lost"
    );
    assert!(after.changed_at >= before.changed_at);
    assert_eq!(after.changed_at, event.at());
    match (before.state, after.state) {
        (from, to) if from == to && before.owes_review() => {
            let Event::Attested(attestation) = event else {
                panic!("{event:?}")
            };
            assert!(attestation.by.as_str() == "carol" && !after.owes_review());
        }
        (State::Pending, State::Approved { .. }) if after.glass.is_some() => {
            let Event::BrokeGlass(glass) = event else {
                panic!("{event:?}")
            };
            assert!(glass.by.as_str() == "bob" && glass.reason == "fire" && after.owes_review());
        }
        (State::Pending, State::Expired { at }) => assert!(at >= tick(*DECIDE_WITHIN)),
        (State::Pending, State::Approved { at }) => {
            assert!(at < tick(*DECIDE_WITHIN) && approved_by_two(after));
            let Event::Reviewed(review) = event else {
                panic!("{event:?}")
            };
            assert!(review.reason.is_some() && review.factor_step.is_some());
        }
        (State::Pending, State::Denied { at }) => {
            assert!(at < tick(*DECIDE_WITHIN));
            let Event::Reviewed(review) = event else {
                panic!("{event:?}")
            };
            assert!(review.reason.is_some() && review.reviewer.as_str() != "alice");
        }
        (State::Pending, State::Withdrawn { .. } | State::Superseded { .. } | State::Pending) => {
            assert!(event.at() < tick(*DECIDE_WITHIN));
        }
        (from, to) if matches!(event, Event::ChangesRequested(_)) => {
            assert!(from == to && to == State::Pending && event.at() < tick(*DECIDE_WITHIN));
            let by = &after.changes.as_ref().unwrap().by;
            assert!(by.as_str() != "agent" && after.reviews == before.reviews);
        }
        (from, to) if matches!(event, Event::Escalated { .. }) => {
            assert!(from == to && to == State::Pending && after.level == before.level + 1);
            assert_eq!(after.reviews, before.reviews);
        }
        (from, to) if from == to && matches!(event, Event::Finished(_)) => {
            let reported =
                |request: &Request| request.uses().filter(|used| used.1.is_some()).count();
            assert_eq!(reported(after), reported(before) + 1);
        }
        (State::Approved { at }, State::Claimed { .. } | State::Approved { .. }) => {
            assert!(event.at() < tick(at.as_secs() + EXECUTE_WITHIN));
            let is_last = matches!(after.state, State::Claimed { .. });
            assert_eq!(is_last, before.uses_left() == 1);
            assert_eq!(after.uses_left() + 1, before.uses_left());
            let claim = after.claim.as_ref().unwrap();
            let amount = if claim.step.is_some() { 3 } else { 1 };
            assert_eq!(claim.digest, action(amount).digest().unwrap());
            let Binding { effects, reads, .. } = &claim.seen;
            assert_eq!(*effects, Some(EffectsDigest::from_bytes([1; 32])));
            assert_eq!(reads["balance"], "1");
        }
        (State::Approved { .. }, State::Revoked { .. }) => {}
        (State::Claimed { .. }, State::Finished { .. }) => {
            assert!(after.uses().all(|(claim, receipt)| {
                receipt.is_some_and(|receipt| receipt.token == claim.token)
            }));
        }
        (from, to) => panic!("{from:?} → {to:?} by {event:?}"),
    }
}
