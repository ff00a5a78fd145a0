//! The small world: who is in it, and everything that anyone could try at a moment.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use action::{Action, ActionDigest, ActionPath, EffectsDigest, PlanDigest, StepProof, Timestamp};

use crate::model::binding::Binding;
use crate::model::emergency::{Attestation, BrokenGlass};
use crate::model::event::{ChangeRequest, Event, Review, Submission, Vote};
use crate::model::grant::{Claim, Receipt, ReceiptOutcome};
use crate::model::names::{GroupId, PersonId, RequestId};
use crate::model::terms::{Disposition, Terms};
use crate::model::token::FencingToken;
use crate::policy::Policy;
use crate::policy::rulebook::Rulebook;

pub(super) const REVIEWERS: [(&str, &[&str]); 3] = [
    ("alice", &["finance"]),
    ("bob", &["finance", "security"]),
    ("carol", &["security"]),
];
/// In ticks of a second: from when on it is too late to decide.
pub(super) static DECIDE_WITHIN: LazyLock<i64> = LazyLock::new(|| {
    let wanted = std::env::var("APPROVAL_EXPLORE_TICKS").ok();
    wanted.map_or(2, |text| text.parse().expect("a number of ticks"))
});
/// For how long an approval is good, in ticks.
pub(super) const EXECUTE_WITHIN: i64 = 2;

/// Of the action that is asked for, and of another one.
pub(super) static DIGESTS: LazyLock<[ActionDigest; 2]> =
    LazyLock::new(|| [1, 2].map(|amount| action(amount).digest().unwrap()));

pub(super) fn tick(count: i64) -> Timestamp {
    Timestamp::from_micros(count * 1_000_000)
}

pub(super) fn id() -> RequestId {
    RequestId::new("r").unwrap()
}

pub(super) fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

pub(super) fn action(amount: u64) -> Action {
    Action::new(ActionPath::new("payments/refund").unwrap(), "Refund").with_parameter("n", amount)
}

pub(super) fn submission(need: Disposition, uses: u32) -> Event {
    let terms: Terms = serde_json::from_value(serde_json::json!({
        "sensitivity": "critical",
        "veto": ["security"],
        "break_glass": ["security"],
        "requires": {"all": [
            {"at_least": {"people": 1, "of": "finance"}},
            {"at_least": {"people": 1, "of": "security"}},
        ]},
        "requires_reason": true,
        "requires_second_factor": true,
    }))
    .unwrap();
    Event::Requested(Arc::new(Submission {
        id: id(),
        at: tick(0),
        requester: person("agent"),
        digest: action(1).digest().unwrap(),
        action: action(1),
        context: serde_json::Map::new(),
        policy: Rulebook::new(Policy::default()).unwrap().digest(),
        rule: None,
        need,
        terms: Terms {
            expiry: Duration::from_secs(DECIDE_WITHIN.unsigned_abs()),
            execute_within: Duration::from_secs(EXECUTE_WITHIN.unsigned_abs()),
            uses: uses.try_into().unwrap(),
            ..terms
        },
        key: None,
        binding: bound(1, 1),
        hidden: None,
    }))
}

/// What the approval is bound to beside the action, in a world with these effects and this version.
pub(super) fn bound(effects: u8, version: u8) -> Binding {
    let steps = [action(1), action(3)].map(|step| step.digest().unwrap());
    Binding::default()
        .with_plan(PlanDigest::of(&steps))
        .with_effects(EffectsDigest::from_bytes([effects; 32]))
        .with_read("balance", version.to_string())
}

/// Everything that anyone could try at a moment, sensible or not.
pub(super) fn moves(at: Timestamp) -> Vec<Event> {
    let mut moves = vec![
        submission(Disposition::Approval, 1),
        Event::Expired { id: id(), at },
    ];
    let everyone = REVIEWERS.iter().copied().chain([("agent", &[] as &[&str])]);
    for (name, groups) in everyone {
        let by = person(name);
        for verdict in [Vote::Approve, Vote::Deny] {
            for (reason, factor_step) in
                [(Some("so"), Some(1)), (Some("so"), None), (None, Some(1))]
            {
                moves.push(Event::Reviewed(Review {
                    id: id(),
                    at,
                    reviewer: by.clone(),
                    verdict,
                    reason: reason.map(str::to_owned),
                    groups: groups
                        .iter()
                        .map(|name| GroupId::new(name).unwrap())
                        .collect(),
                    key: None,
                    factor_step,
                    on_behalf_of: None,
                    signature: None,
                }));
            }
        }
        moves.push(Event::FactorFailed {
            id: id(),
            at,
            reviewer: by.clone(),
        });
        moves.push(Event::Withdrawn {
            id: id(),
            at,
            by: by.clone(),
        });
        let successor = RequestId::new("s").unwrap();
        moves.push(Event::Superseded {
            id: id(),
            at,
            by: by.clone(),
            successor,
        });
        moves.push(Event::Revoked {
            id: id(),
            at,
            by,
            reason: "no".into(),
        });
    }
    // Delegates: of the requester, of one who may vote, and again of the same one.
    for (name, place) in [("dan", "agent"), ("dan", "carol")] {
        moves.push(stand_in(at, name, place));
    }
    moves.push(escalation(at, 1));
    moves.push(change(at, "carol"));
    moves.push(change(at, "agent"));
    // Of those who may break the glass one is enough; alice may not, and an empty reason is none.
    for (name, group, reason) in [
        ("bob", "security", "fire"),
        ("alice", "finance", "fire"),
        ("bob", "security", " "),
    ] {
        moves.push(glass(at, name, group, reason));
    }
    for name in ["agent", "bob", "carol"] {
        moves.push(attestation(at, name));
    }
    for amount in [1, 2] {
        moves.push(claim(at, amount));
    }
    moves.extend(other_claims(at));
    for token in [1, 2] {
        for outcome in [
            ReceiptOutcome::Succeeded,
            ReceiptOutcome::Failed,
            ReceiptOutcome::Indeterminate,
        ] {
            moves.push(receipt(at, token, outcome));
        }
    }
    moves
}

fn stand_in(at: Timestamp, name: &str, place: &str) -> Event {
    Event::Reviewed(Review {
        id: id(),
        at,
        reviewer: person(name),
        verdict: Vote::Approve,
        reason: Some("so".into()),
        groups: vec![GroupId::new("security").unwrap()],
        key: None,
        factor_step: Some(1),
        on_behalf_of: Some(person(place)),
        signature: None,
    })
}

pub(super) fn escalation(at: Timestamp, level: u32) -> Event {
    Event::Escalated {
        id: id(),
        at,
        by: person("agent"),
        reason: "it burns".into(),
        level,
    }
}

pub(super) fn glass(at: Timestamp, name: &str, group: &str, reason: &str) -> Event {
    Event::BrokeGlass(BrokenGlass {
        id: id(),
        at,
        by: person(name),
        groups: vec![GroupId::new(group).unwrap()],
        reason: reason.to_owned(),
        factor_step: Some(1),
        signature: None,
    })
}

pub(super) fn change(at: Timestamp, name: &str) -> Event {
    Event::ChangesRequested(ChangeRequest {
        id: id(),
        at,
        by: person(name),
        reason: "too much".to_owned(),
    })
}

pub(super) fn attestation(at: Timestamp, name: &str) -> Event {
    let (by, finding) = (person(name), "it was right".to_owned());
    Event::Attested(Attestation {
        id: id(),
        at,
        by,
        finding,
        signature: None,
    })
}

pub(super) fn claim(at: Timestamp, amount: u64) -> Event {
    Event::Claimed(Claim {
        id: id(),
        at,
        claimant: person("executor"),
        digest: action(amount).digest().unwrap(),
        token: FencingToken(1),
        key: None,
        seen: bound(1, 1),
        step: None,
    })
}

/// A claim in another world, or for a step of the plan: the second one, and one that is none.
fn other_claims(at: Timestamp) -> Vec<Event> {
    let change = |amount, seen, step| {
        let Event::Claimed(base) = claim(at, amount) else {
            unreachable!("a claim is one")
        };
        Event::Claimed(Claim { seen, step, ..base })
    };
    let steps = [action(1), action(3)].map(|step| step.digest().unwrap());
    let second = StepProof::new(&steps, 1);
    let unplanned = Binding {
        plan: None,
        ..bound(1, 1)
    };
    vec![
        change(1, bound(2, 1), None),
        change(1, bound(1, 2), None),
        change(1, unplanned.clone(), None),
        change(3, unplanned.clone(), second.clone()),
        change(2, unplanned, second.clone()),
        change(3, bound(2, 1), second),
    ]
}

pub(super) fn receipt(at: Timestamp, token: u64, outcome: ReceiptOutcome) -> Event {
    let observed = String::new();
    Event::Finished(Receipt {
        id: id(),
        at,
        token: FencingToken(token),
        outcome,
        observed,
    })
}
