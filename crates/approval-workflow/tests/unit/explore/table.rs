//! The table in the documentation is what the function does.

use std::collections::BTreeSet;

use crate::explore::moves::{
    DECIDE_WITHIN, EXECUTE_WITHIN, attestation, change, claim, escalation, glass, id, moves,
    person, receipt, submission, tick,
};
use action::Timestamp;

use crate::error::Error;
use crate::model::event::{Event, Review, Vote};
use crate::model::grant::ReceiptOutcome;
use crate::model::names::{PersonId, RequestId};
use crate::model::request::Request;
use crate::model::terms::Disposition;
use crate::state::lifecycle::apply;

#[test]
fn the_documented_table_is_what_the_function_does() {
    let table = include_str!("../../../src/state/lifecycle.md");
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
    let keep = |c: &char| {
        !matches!(
            c,
            '*' | '¹' | '²' | '³' | '⁴' | '⁵' | '⁶' | '⁷' | '⁸' | '⁹' | '⁰'
        )
    };
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
    let (yes, no) = (Vote::Approve, Vote::Deny);
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
            vec![receipt(early, 1, ReceiptOutcome::Failed)],
        ]
        .concat(),
        other => panic!("no such state: {other}"),
    };
    let begin = apply(None, &submission(Disposition::Approval, uses)).unwrap();
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
    let review = |wanted: Vote| {
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
            let mut found: Vec<Event> = all.filter(review(Vote::Approve)).collect();
            if let Some(Event::Reviewed(vote)) = found.first().cloned() {
                let reviewer = person("dan");
                found.push(Event::Reviewed(Review { reviewer, groups: vec![], ..vote }));
            }
            found
        }
        "escalate" => vec![escalation(now, 1)],
        "deny" => all.filter(review(Vote::Deny)).collect(),
        "ask for changes" => vec![change(now, "carol")],
        "wrong code" => all.filter(|event| matches!(event, Event::FactorFailed { .. })).collect(),
        "expire" => all.filter(|event| matches!(event, Event::Expired { .. })).collect(),
        "withdraw, supersede" => all
            .filter(|event| matches!(event, Event::Withdrawn { by, .. } | Event::Superseded { by, .. } if agents(by)))
            .collect(),
        "claim" => vec![claim(now, 1)],
        "finish" => vec![receipt(now, 1, ReceiptOutcome::Succeeded)],
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
