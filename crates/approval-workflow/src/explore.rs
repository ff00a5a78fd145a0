//! Walks every state that the shipped transition function can reach, in a small world: one request,
//! its requester and three reviewers, a clock that ticks past both ends, right and wrong digests and
//! tokens, and a restart after every event. The rules are stated here a second time, in other words.
//!
//! The walk is complete: it ends when no new state is found. `APPROVAL_EXPLORE_TICKS` sets for how many
//! ticks a request can be decided (default: 2, which makes over 35,000 states).

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use action::{Action, ActionDigest, ActionPath};

use crate::lifecycle::apply;
use crate::permission::Gate;
use crate::{
    Attestation, Binding, BrokenGlass, Claim, DenyReason, EffectsDigest, Error, Event,
    FencingToken, GroupId, Need, Outcome, Permission, PersonId, PlanDigest, Policy, Receipt,
    Request, RequestId, Review, Rulebook, State, StepProof, Submission, Terms, Timestamp, Verdict,
};

const REVIEWERS: [(&str, &[&str]); 3] = [
    ("alice", &["finance"]),
    ("bob", &["finance", "security"]),
    ("carol", &["security"]),
];
/// In ticks of a second: from when on it is too late to decide.
static DECIDE_WITHIN: LazyLock<u64> = LazyLock::new(|| {
    let wanted = std::env::var("APPROVAL_EXPLORE_TICKS").ok();
    wanted.map_or(2, |text| text.parse().expect("a number of ticks"))
});
/// For how long an approval is good, in ticks.
const EXECUTE_WITHIN: u64 = 2;

/// Of the action that is asked for, and of another one.
static DIGESTS: LazyLock<[ActionDigest; 2]> =
    LazyLock::new(|| [1, 2].map(|amount| action(amount).digest().unwrap()));

fn tick(count: u64) -> Timestamp {
    Timestamp::from_micros(count * 1_000_000)
}

fn id() -> RequestId {
    RequestId::new("r").unwrap()
}

fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

fn action(amount: u64) -> Action {
    Action::new(ActionPath::new("payments/refund").unwrap(), "Refund").with_parameter("n", amount)
}

fn submission(need: Need, uses: u32) -> Event {
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
            expiry: Duration::from_secs(*DECIDE_WITHIN),
            execute_within: Duration::from_secs(EXECUTE_WITHIN),
            uses: uses.try_into().unwrap(),
            ..terms
        },
        key: None,
        binding: bound(1, 1),
        hidden: None,
    }))
}

/// What the approval is bound to beside the action, in a world with these effects and this version.
fn bound(effects: u8, version: u8) -> Binding {
    let steps = [action(1), action(3)].map(|step| step.digest().unwrap());
    Binding::default()
        .with_plan(PlanDigest::of(&steps))
        .with_effects(EffectsDigest::from_bytes([effects; 32]))
        .with_read("balance", version.to_string())
}

/// Everything that anyone could try at a moment, sensible or not.
fn moves(at: Timestamp) -> Vec<Event> {
    let mut moves = vec![
        submission(Need::Approval, 1),
        Event::Expired { id: id(), at },
    ];
    let everyone = REVIEWERS.iter().copied().chain([("agent", &[] as &[&str])]);
    for (name, groups) in everyone {
        let by = person(name);
        for verdict in [Verdict::Approve, Verdict::Deny] {
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
        for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::Indeterminate] {
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
        verdict: Verdict::Approve,
        reason: Some("so".into()),
        groups: vec![GroupId::new("security").unwrap()],
        key: None,
        factor_step: Some(1),
        on_behalf_of: Some(person(place)),
    })
}

fn escalation(at: Timestamp, level: u32) -> Event {
    Event::Escalated {
        id: id(),
        at,
        by: person("agent"),
        reason: "it burns".into(),
        level,
    }
}

fn glass(at: Timestamp, name: &str, group: &str, reason: &str) -> Event {
    Event::BrokeGlass(BrokenGlass {
        id: id(),
        at,
        by: person(name),
        groups: vec![GroupId::new(group).unwrap()],
        reason: reason.to_owned(),
        factor_step: Some(1),
    })
}

fn attestation(at: Timestamp, name: &str) -> Event {
    let (by, finding) = (person(name), "it was right".to_owned());
    Event::Attested(Attestation {
        id: id(),
        at,
        by,
        finding,
    })
}

fn claim(at: Timestamp, amount: u64) -> Event {
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

fn receipt(at: Timestamp, token: u64, outcome: Outcome) -> Event {
    let observed = String::new();
    Event::Finished(Receipt {
        id: id(),
        at,
        token: FencingToken(token),
        outcome,
        observed,
    })
}

struct World {
    request: Request,
    before: Option<Request>,
    clock: u64,
    history: Vec<Event>,
}

/// Visits every state and returns how many there were, and of which kinds.
fn explore() -> (usize, BTreeSet<&'static str>) {
    let mut seen: HashSet<u64> = HashSet::new();
    let mut kinds = BTreeSet::new();
    // Two uses where no votes multiply the states.
    let kinds_of_request = [
        (Need::Approval, 1),
        (Need::AutoApproved, 2),
        (Need::NotSensitive, 1),
    ];
    let mut open: VecDeque<World> = kinds_of_request
        .into_iter()
        .map(|(need, uses)| World {
            request: apply(None, &submission(need, uses)).unwrap(),
            before: None,
            clock: 0,
            history: vec![submission(need, uses)],
        })
        .collect();
    let tries: Vec<Vec<Event>> = (0..=*DECIDE_WITHIN + EXECUTE_WITHIN + 1)
        .map(|clock| moves(tick(clock)))
        .collect();
    while let Some(world) = open.pop_front() {
        if !seen.insert(fingerprint(&world)) {
            continue;
        }
        kinds.insert(world.request.state.status().as_str());
        check_state(&world);
        for event in &tries[world.clock as usize] {
            let event = &numbered(event, &world.request);
            if let Ok(next) = apply(Some(&world.request), event) {
                check_step(&world.request, event, &next);
                let mut history = world.history.clone();
                history.push(event.clone());
                open.push_back(World {
                    request: next,
                    before: Some(world.request.clone()),
                    clock: world.clock,
                    history,
                });
            }
        }
        if world.clock <= *DECIDE_WITHIN + EXECUTE_WITHIN {
            open.push_back(World {
                clock: world.clock + 1,
                ..world
            });
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

/// What is true of every state.
fn check_state(world: &World) {
    let request = &world.request;
    let now = tick(world.clock);

    // A restart: the log is read back from its text and folded.
    // What came before was found to be its fold when it was visited, so the last event is enough.
    let text = serde_json::to_string(world.history.last().unwrap()).unwrap();
    let event: Event = serde_json::from_str(&text).unwrap();
    let folded = apply(world.before.as_ref(), &event).unwrap();
    assert_eq!(folded, *request, "{:?}", world.history);

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

    let claims = world
        .history
        .iter()
        .filter(|event| matches!(event, Event::Claimed(_)))
        .count();
    let uses = request.submission.terms.uses.get() as usize;
    assert!(claims <= uses, "used too often: {:?}", world.history);
    assert_eq!(claims, request.uses().count());
    let tokens: BTreeSet<_> = request.uses().map(|(claim, _)| claim.token).collect();
    assert_eq!(tokens.len(), claims, "one token, two uses: {request:?}");

    let gate = Gate::of(request);
    let right = gate.ask(&DIGESTS[0], now).is_allowed();
    let wrong = gate.ask(&DIGESTS[1], now);
    assert_eq!(wrong, Permission::Denied(DenyReason::ActionChanged));
    let approved = matches!(request.state, State::Approved { at } if now < tick(at.as_secs() + EXECUTE_WITHIN));
    assert_eq!(right, approved, "{request:?} at {now}");
    if right && request.submission.need == Need::Approval && request.glass.is_none() {
        assert!(approved_by_two(request), "{request:?}");
    }
}

/// The requirement of this world in other words: any two of the three cover both groups.
fn approved_by_two(request: &Request) -> bool {
    let approved = |name: &str| {
        let yes = |review: &&Review| review.verdict == Verdict::Approve;
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
fn check_step(before: &Request, event: &Event, after: &Request) {
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

#[test]
fn every_reachable_state_keeps_the_rules() {
    let (states, kinds) = explore();
    assert!(states >= 35_000, "only {states} states were reached");
    let all = [
        "approved",
        "claimed",
        "denied",
        "expired",
        "failed",
        "indeterminate",
        "pending",
        "revoked",
        "succeeded",
        "superseded",
        "withdrawn",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
}

/// The table in the documentation is what the function does.
#[test]
fn the_documented_table_is_what_the_function_does() {
    let table = include_str!("lifecycle.md");
    let rows: Vec<Vec<String>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split('|').map(plain).collect())
        .collect();
    let (head, rows) = rows.split_first().unwrap();
    assert_eq!(rows.len(), 13);
    for row in rows {
        let (request, now) = example(&row[0]);
        for (column, cell) in head.iter().zip(row).skip(1) {
            let found: BTreeSet<String> = tries(column, now)
                .iter()
                .map(|event| outcome(apply(Some(&request), event)))
                .collect();
            let split = cell.split(" or ").flat_map(|part| part.split(", "));
            let wanted: BTreeSet<String> = split.map(str::to_owned).collect();
            assert_eq!(found, wanted, "{} × {column}", row[0]);
        }
    }
}

fn plain(cell: &str) -> String {
    let keep = |c: &char| !matches!(c, '*' | '¹' | '²' | '³' | '⁴' | '⁵' | '⁶' | '⁷' | '⁸' | '⁹');
    cell.chars()
        .filter(keep)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// A request in the state that a row names, and the moment at which it is tried.
fn example(row: &str) -> (Request, Timestamp) {
    let early = tick(1);
    let vote = |name: &str, verdict| {
        let mut found = moves(early).into_iter().filter(|event| {
            matches!(event, Event::Reviewed(review) if review.reviewer.as_str() == name
                && review.verdict == verdict && review.reason.is_some() && review.factor_step.is_some())
        });
        found.next().unwrap()
    };
    let by = person("agent");
    let (yes, no) = (Verdict::Approve, Verdict::Deny);
    let approved = vec![vote("carol", yes), vote("alice", yes)];
    let then = |event: Event| [approved.clone(), vec![event]].concat();
    let (state, when) = row.split_once(", ").unwrap_or((row, "in time"));
    let uses = if when == "used once of twice" { 2 } else { 1 };
    let revoked = || Event::Revoked {
        id: id(),
        at: early,
        by: person("agent"),
        reason: "no".into(),
    };
    let successor = RequestId::new("s").unwrap();
    let events = match state {
        // One vote is in, so that the next one can settle it.
        "Pending" => vec![vote("bob", yes)],
        "Approved" if uses == 2 => then(claim(early, 1)),
        "Revoked" if uses == 2 => [then(claim(early, 1)), vec![revoked()]].concat(),
        "Approved" => approved.clone(),
        "Denied" => vec![vote("bob", no)],
        "Expired" => vec![Event::Expired {
            id: id(),
            at: tick(*DECIDE_WITHIN),
        }],
        "Withdrawn" => vec![Event::Withdrawn {
            id: id(),
            at: early,
            by,
        }],
        "Superseded" => vec![Event::Superseded {
            id: id(),
            at: early,
            by,
            successor,
        }],
        "Revoked" => then(revoked()),
        "Claimed" => then(claim(early, 1)),
        "Finished" => [
            then(claim(early, 1)),
            vec![receipt(early, 1, Outcome::Failed)],
        ]
        .concat(),
        other => panic!("no such state: {other}"),
    };
    let begin = apply(None, &submission(Need::Approval, uses)).unwrap();
    let request = events
        .iter()
        .fold(begin, |state, event| apply(Some(&state), event).unwrap());
    assert_eq!(
        request.state.status().as_str(),
        match state {
            "Finished" => "failed".to_owned(),
            other => other.to_lowercase(),
        }
    );
    (
        request,
        match when {
            "overdue" | "lapsed" => tick(*DECIDE_WITHIN + EXECUTE_WITHIN),
            _ => early,
        },
    )
}

/// The events that a column stands for, each as good as it can be.
fn tries(column: &str, now: Timestamp) -> Vec<Event> {
    let all = moves(now).into_iter();
    let review = |wanted: Verdict| {
        move |event: &Event| {
            matches!(event, Event::Reviewed(review) if review.verdict == wanted
                && review.reason.is_some() && review.factor_step.is_some()
                && matches!(review.reviewer.as_str(), "alice" | "carol"))
        }
    };
    let agents = |by: &PersonId| by.as_str() == "agent";
    let found: Vec<Event> = match column {
        "approve" => {
            // Also one whose vote does not complete the requirement: a stranger to both groups.
            let mut found: Vec<Event> = all.filter(review(Verdict::Approve)).collect();
            if let Some(Event::Reviewed(vote)) = found.first().cloned() {
                let reviewer = person("dan");
                found.push(Event::Reviewed(Review { reviewer, groups: vec![], ..vote }));
            }
            found
        }
        "escalate" => vec![escalation(now, 1)],
        "deny" => all.filter(review(Verdict::Deny)).collect(),
        "wrong code" => all.filter(|event| matches!(event, Event::FactorFailed { .. })).collect(),
        "expire" => all.filter(|event| matches!(event, Event::Expired { .. })).collect(),
        "withdraw, supersede" => all
            .filter(|event| matches!(event, Event::Withdrawn { by, .. } | Event::Superseded { by, .. } if agents(by)))
            .collect(),
        "claim" => vec![claim(now, 1)],
        "finish" => vec![receipt(now, 1, Outcome::Succeeded)],
        "break glass" => vec![glass(now, "bob", "security", "fire")],
        "attest" => vec![attestation(now, "carol")],
        "revoke" => all.filter(|event| matches!(event, Event::Revoked { .. })).collect(),
        other => panic!("no such event: {other}"),
    };
    assert!(!found.is_empty(), "{column}");
    found
}

/// A result in the words of the table.
fn outcome(result: Result<Request, Error>) -> String {
    let refusal = match result {
        Ok(next) => {
            return format!("{:?}", next.state)
                .split(' ')
                .next()
                .unwrap()
                .to_owned();
        }
        Err(refusal) => refusal,
    };
    match refusal {
        Error::AlreadySettled { .. } => "settled".into(),
        Error::Expired { .. } => "expired".into(),
        Error::NotDue { .. } => "not due".into(),
        Error::NotClaimed { .. } => "not claimed".into(),
        Error::NothingToAttest { .. } => "owes none".into(),
        Error::AlreadyFinished { .. } => "finished".into(),
        Error::NotExecutable { reason, .. } => reason.to_string(),
        other => panic!("{other}"),
    }
}
