//! Histories of a hundred threads, checked for linearisability (Herlihy and Wing, 1990): for each request
//! there is an order of the calls about it that no call could tell from what it saw, in which a call
//! that ended before another began stands before it. The sequential specification is the shipped
//! transition function.
//!
//! A history is linearisable if that of each request is, so each is checked for itself, by the search
//! of Wing and Gong with the states that were tried before left out (Lowe, 2017).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use action::{Action, ActionPath, Timestamp};

use crate::error::Error;
use crate::gate::standing::Gate;
use crate::model::binding::Use;
use crate::model::event::{Event, Review, Vote};
use crate::model::grant::Claim;
use crate::model::input::{Decision, NewRequest};
use crate::model::names::{PersonId, RequestId};
use crate::model::permission::Permission;
use crate::model::request::Request;
use crate::model::token::FencingToken;
use crate::policy::Policy;
use crate::state::lifecycle::apply;
use crate::workflow::ApprovalWorkflow;

const THREADS: usize = 100;
const CALLS: usize = 6;
/// Few enough that many threads meet at each, and that the orders can be searched.
const REQUESTS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Review(Vote),
    Claim,
    Revoke,
    Ask,
    Get,
}

#[derive(Debug, Clone)]
enum Answer {
    /// The request as the call left it, or found it.
    State(Arc<Request>),
    Claimed(Box<Claim>),
    Permission(Permission),
    /// The refusal in full, with what it says of others.
    Refused(String),
}

/// A call, from before it began until after it ended, by one count of all threads.
#[derive(Debug, Clone)]
struct Call {
    op: Op,
    by: PersonId,
    answer: Answer,
    begun: u64,
    ended: u64,
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_000_000)
}

fn action() -> Action {
    Action::new(ActionPath::new("payments/refund").unwrap(), "Refund")
}

fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

/// The state after a call, if the call could have given this answer in this state.
fn step(state: &Request, call: &Call) -> Option<Request> {
    let id = state.submission.id.clone();
    let (at, by) = (now(), call.by.clone());
    let event = match (call.op, &call.answer) {
        (Op::Ask, Answer::Permission(answer)) => {
            let digest = action().digest().unwrap();
            return (Gate::of(state).ask(&digest, at) == *answer).then(|| state.clone());
        }
        (Op::Get, Answer::State(seen)) => return (**seen == *state).then(|| state.clone()),
        (Op::Review(verdict), _) => Event::Reviewed(Review {
            id,
            at,
            reviewer: by,
            verdict,
            reason: None,
            groups: Vec::new(),
            key: None,
            factor_step: None,
            on_behalf_of: None,
            signature: None,
        }),
        (Op::Revoke, _) => Event::Revoked {
            id,
            at,
            by,
            reason: "no".into(),
        },
        (Op::Claim, Answer::Claimed(claim)) => Event::Claimed((**claim).clone()),
        (Op::Claim, _) => Event::Claimed(Claim {
            id,
            at,
            claimant: by,
            digest: action().digest().unwrap(),
            token: FencingToken(1),
            key: None,
            seen: Default::default(),
            step: None,
        }),
        (op, answer) => panic!("{op:?} answered {answer:?}"),
    };
    match (apply(Some(state), &event), &call.answer) {
        (Ok(next), Answer::State(after)) => (next == **after).then_some(next),
        (Ok(next), Answer::Claimed(_)) => Some(next),
        (Err(refusal), Answer::Refused(text)) => {
            (format!("{refusal:?}") == *text).then(|| state.clone())
        }
        _ => None,
    }
}

/// Whether there is an order of these calls, of which there are at most 128.
fn is_linearisable(begin: &Request, calls: &[Call]) -> bool {
    let all = u128::MAX.checked_shr(128 - calls.len() as u32);
    let all = all.unwrap_or_default();
    let mut tried: HashSet<(u128, String)> = HashSet::new();
    let mut open = vec![(0_u128, begin.clone())];
    while let Some((done, state)) = open.pop() {
        if done == all {
            return true;
        }
        let left = || (0..calls.len()).filter(|index| done & (1 << index) == 0);
        let first_end = left().map(|index| calls[index].ended).min().unwrap();
        for index in left().filter(|index| calls[*index].begun < first_end) {
            if let Some(next) = step(&state, &calls[index]) {
                let done = done | 1 << index;
                if tried.insert((done, format!("{next:?}"))) {
                    open.push((done, next));
                }
            }
        }
    }
    false
}

/// What the threads saw of each request.
fn record(workflow: &ApprovalWorkflow, ids: &[RequestId], seed: u64) -> Vec<Vec<Call>> {
    let clock = AtomicU64::new(0);
    let barrier = Barrier::new(THREADS);
    let run = |thread: usize| {
        let by = person(&format!("person-{thread}"));
        let mut dice = seed ^ (thread as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        barrier.wait();
        let calls = (0..CALLS).map(|turn| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let op = match (dice >> 33) % 10 {
                0..3 => Op::Review(Vote::Approve),
                3 => Op::Review(Vote::Deny),
                4..7 => Op::Claim,
                7 => Op::Revoke,
                8 => Op::Ask,
                _ => Op::Get,
            };
            // Everyone goes the same way, so that they meet.
            let place = (turn * ids.len() / CALLS + (dice >> 40) as usize % 9) % ids.len();
            let begun = clock.fetch_add(1, Ordering::SeqCst);
            let answer = call(workflow, &ids[place], op, &by);
            let ended = clock.fetch_add(1, Ordering::SeqCst);
            let by = by.clone();
            (
                place,
                Call {
                    op,
                    by,
                    answer,
                    begun,
                    ended,
                },
            )
        });
        calls.collect::<Vec<_>>()
    };
    let mut of_request = vec![Vec::new(); ids.len()];
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                thread::Builder::new()
                    .name(format!("approval-linear:{number}"))
                    .spawn_scoped(scope, move || run(number))
                    .unwrap()
            })
            .collect();
        for thread in threads {
            for (place, call) in thread.join().unwrap() {
                of_request[place].push(call);
            }
        }
    });
    of_request
}

fn call(workflow: &ApprovalWorkflow, id: &RequestId, op: Op, by: &PersonId) -> Answer {
    let state = |result: Result<Arc<Request>, Error>| match result {
        Ok(after) => Answer::State(after),
        Err(refusal) => Answer::Refused(format!("{refusal:?}")),
    };
    let by = by.clone();
    match op {
        Op::Review(Vote::Approve) => state(workflow.decide(id, Decision::approve(by, now()))),
        Op::Review(Vote::Deny) => state(workflow.decide(id, Decision::deny(by, now()))),
        Op::Revoke => state(workflow.revoke(id, by, "no", now())),
        Op::Claim => match workflow.claim(id, Use::new(action(), by, now())) {
            Ok(claim) => Answer::Claimed(Box::new(claim)),
            Err(refusal) => Answer::Refused(format!("{refusal:?}")),
        },
        Op::Ask => Answer::Permission(workflow.can_execute(id, &action(), now())),
        Op::Get => Answer::State(workflow.get(id).unwrap().unwrap()),
    }
}

fn asked(workflow: &ApprovalWorkflow) -> Arc<Request> {
    let new = NewRequest::new(action(), person("agent"), now());
    workflow.request(new).unwrap()
}

fn open(dir: &tempfile::TempDir) -> ApprovalWorkflow {
    let text = "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nuses = 2";
    let policy = Policy::from_toml(text).unwrap();
    ApprovalWorkflow::open(dir.path(), policy).unwrap()
}

#[test]
fn what_a_hundred_threads_see_could_have_happened_one_after_the_other() {
    let mut overlapping = 0;
    for seed in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let workflow = open(&dir);
        let begin: Vec<_> = (0..REQUESTS).map(|_| asked(&workflow)).collect();
        let ids: Vec<_> = begin
            .iter()
            .map(|request| request.submission.id.clone())
            .collect();
        let histories = record(&workflow, &ids, seed);
        for (begin, calls) in begin.iter().zip(&histories) {
            assert!(calls.len() <= 128);
            assert!(is_linearisable(begin, calls), "seed {seed}: {calls:#?}");
            let meets = |a: &Call, b: &Call| a.begun < b.ended && b.begun < a.ended;
            let pairs = calls.iter().enumerate();
            overlapping += pairs
                .flat_map(|(index, a)| calls[..index].iter().map(move |b| meets(a, b)))
                .filter(|meets| *meets)
                .count();
        }
    }
    assert!(overlapping > 1_000, "only {overlapping} pairs of calls met");
}

/// A history that is right, and two calls at its end.
fn history(workflow: &ApprovalWorkflow) -> (Arc<Request>, Vec<Call>) {
    let begin = asked(workflow);
    let id = &begin.submission.id;
    let ops = [
        Op::Ask,
        Op::Review(Vote::Approve),
        Op::Claim,
        Op::Claim,
        Op::Claim,
        Op::Get,
    ];
    let calls = ops.iter().zip(0..).map(|(op, turn)| Call {
        op: *op,
        by: person("alice"),
        answer: call(workflow, id, *op, &person("alice")),
        begun: 2 * turn,
        ended: 2 * turn + 1,
    });
    let calls = calls.collect();
    (begin, calls)
}

#[test]
fn the_checker_finds_a_planted_double_claim_and_a_stale_read() {
    let dir = tempfile::tempdir().unwrap();
    let (begin, right) = history(&open(&dir));
    assert!(is_linearisable(&begin, &right));

    // A third claim that was made as well, of two that there are.
    let mut double = right.clone();
    double[4].answer = double[3].answer.clone();
    assert!(!is_linearisable(&begin, &double));

    // "Pending", asked after the approval had returned; asked meanwhile it may have been so.
    let mut stale = right.clone();
    stale.swap(0, 1);
    (stale[0].begun, stale[0].ended) = (0, 1);
    (stale[1].begun, stale[1].ended) = (2, 3);
    assert!(!is_linearisable(&begin, &stale));
    stale[0].ended = 3;
    assert!(is_linearisable(&begin, &stale));

    // A refusal that names another first decision than there was.
    let mut misled = right;
    misled[1].answer = Answer::Refused("AlreadySettled".into());
    assert!(!is_linearisable(&begin, &misled));
}
