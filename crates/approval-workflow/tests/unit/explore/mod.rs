//! Walks every state that the shipped transition function can reach, in a small world: one request,
//! its requester and three reviewers, a clock that ticks past both ends, right and wrong digests and
//! tokens, and a restart after every event. The rules are stated here a second time, in other words.
//!
//! The walk is complete: it ends when no new state is found. `APPROVAL_EXPLORE_TICKS` sets for how many
//! ticks a request can be decided (default: 2, which makes over 190,000 states). With 3 ticks there are
//! half a million, with 4 a million, and with 10 over twenty million, for which an optimised build needs
//! under seven minutes of one core:
//!
//! ```text
//! APPROVAL_EXPLORE_TICKS=10 cargo test --release -p proofload-approval-workflow --lib explore -- --nocapture
//! ```

mod moves;
mod rules;
mod table;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::explore::moves::{DECIDE_WITHIN, EXECUTE_WITHIN, moves, submission, tick};
use crate::explore::rules::{check_state, check_step, feat, standing};
use crate::model::event::Event;
use crate::model::grant::Claim;
use crate::model::request::Request;
use crate::model::terms::Disposition;
use crate::model::token::FencingToken;
use crate::state::lifecycle::apply;

/// The events that led to a state, the newest first; shared with the states that came of the same.
#[derive(Debug)]
struct Past {
    event: Event,
    #[expect(dead_code, reason = "shown when a rule is broken")]
    earlier: Option<Arc<Past>>,
}

#[derive(Debug, Clone)]
struct World {
    request: Request,
    before: Option<Arc<Request>>,
    clock: i64,
    claims: usize,
    past: Arc<Past>,
}

impl World {
    fn new(need: Disposition, uses: u32) -> Self {
        let event = submission(need, uses);
        Self {
            request: apply(None, &event).unwrap(),
            before: None,
            clock: 0,
            claims: 0,
            past: Arc::new(Past {
                event,
                earlier: None,
            }),
        }
    }

    fn after(&self, event: &Event, before: &Arc<Request>, request: Request) -> Self {
        Self {
            request,
            before: Some(Arc::clone(before)),
            clock: self.clock,
            claims: self.claims + usize::from(matches!(event, Event::Claimed(_))),
            past: Arc::new(Past {
                event: event.clone(),
                earlier: Some(Arc::clone(&self.past)),
            }),
        }
    }
}

/// Visits every state and returns how many there were, and what of note there was on the way.
fn explore() -> (usize, BTreeSet<&'static str>) {
    let last = *DECIDE_WITHIN + EXECUTE_WITHIN + 1;
    let tries: Vec<Vec<Event>> = (0..=last).map(|clock| moves(tick(clock))).collect();
    let mut kinds = BTreeSet::new();
    let mut seen: HashSet<u64> = HashSet::new();
    // Two uses where no votes multiply the states.
    let mut open = vec![
        World::new(Disposition::Approval, 1),
        World::new(Disposition::AutoApproved, 2),
        World::new(Disposition::NotSensitive, 1),
        World::new(Disposition::AutoDenied, 1),
    ];
    seen.extend(open.iter().map(fingerprint));
    // Depth first: what is still open is then no more than a few states for each step of the way.
    while let Some(world) = open.pop() {
        kinds.insert(world.request.state.status().as_str());
        kinds.extend(standing(&world.request));
        check_state(&world);
        let before = Arc::new(world.request.clone());
        for event in &tries[world.clock as usize] {
            let event = &numbered(event, &world.request);
            if let Ok(next) = apply(Some(&world.request), event) {
                check_step(&world.request, event, &next);
                kinds.extend(feat(event, &next));
                let next = world.after(event, &before, next);
                if seen.insert(fingerprint(&next)) {
                    open.push(next);
                }
            }
        }
        let later = World {
            clock: world.clock + 1,
            ..world
        };
        if later.clock <= last && seen.insert(fingerprint(&later)) {
            open.push(later);
        }
    }
    (seen.len(), kinds)
}

/// The log numbers claims; here the one request is the whole log.
fn numbered(event: &Event, request: &Request) -> Event {
    match event {
        Event::Claimed(claim) => Event::Claimed(Claim {
            token: FencingToken(request.uses().count() as u64 + 1),
            ..claim.clone()
        }),
        other => other.clone(),
    }
}

fn fingerprint(world: &World) -> u64 {
    let Request {
        submission,
        state,
        reviews,
        level,
        changes: _, // no rule depends on it, so that it tells no states apart
        glass,
        attestation,
        earlier,
        claim,
        receipt,
        changed_at,
    } = &world.request;
    let mut hasher = DefaultHasher::new();
    (submission.need as u8, world.clock, state, level, changed_at).hash(&mut hasher);
    format!("{reviews:?}{earlier:?}{claim:?}{receipt:?}{glass:?}{attestation:?}").hash(&mut hasher);
    hasher.finish()
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever lets it walk for long asks how far it came"
)]
fn every_reachable_state_keeps_the_rules() {
    let (states, kinds) = explore();
    println!("{states} states");
    assert!(states >= 190_000, "only {states} states were reached");
    let all = [
        "approved",
        "claimed",
        "denied",
        "denied by a rule",
        "denied without a second factor",
        "expired",
        "failed",
        "indeterminate",
        "pending",
        "reported after a revocation",
        "revoked",
        "succeeded",
        "superseded",
        "used for a step",
        "used twice",
        "voted in somebody's place",
        "withdrawn",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
}
