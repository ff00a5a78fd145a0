//! Whether a call may run: asked for under a key that is the same whenever the call is repeated, so that a call which
//! is repeated after a late approval finds it, and uses it once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use approval_workflow::{
    ApprovalWorkflow, DenyReason, Error, FencingToken, IdempotencyKey, NewRequest, Page,
    Permission, Query, Request, RequestId, Status, Use, Vote,
};
use tokio::time::Instant;

use crate::access::principal::Principal;
use crate::access::tokens::random;
use crate::clock;
use crate::hooks::call::Call;
use crate::http::key::bound;
use crate::http::problem::Problem;
use crate::state::AppState;

/// What the host is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow(String),
    Deny(String),
}

/// The same call, so often in one session, is a loop.
const MOST_TURNS: u64 = 10_000;
/// How often time alone is looked at: a request expires without an event.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn decide(
    app: &AppState,
    who: &Principal,
    call: &Call,
    wait: Duration,
) -> Result<Verdict, Problem> {
    let digest = call.action.digest().map_err(Error::from)?.to_string();
    let person = who.person.as_str();
    let repeated = bound(&[person, "hook", call.host, &call.session, &digest])
        .as_str()
        .to_owned();
    let until = Instant::now() + wait;
    for turn in app.calls.first_turn(&repeated)..MOST_TURNS {
        let key = bound(&[&repeated, &turn.to_string()]);
        let new = NewRequest::new(call.action.clone(), who.person.clone(), clock::now())
            .with_context("host", call.host)
            .with_context("session", call.session.as_str())
            .with_key(key);
        let asked = app
            .gate
            .command(|gate| async move { gate.request_async(new).await })
            .await?;
        match follow(app, who, call, &asked.submission.id, until).await? {
            Some(verdict) => return Ok(verdict),
            // Used, or over: the call asks anew.
            None => app.calls.used_up(repeated.clone(), turn),
        }
    }
    Ok(Verdict::Deny(format!(
        "this call was made {MOST_TURNS} times in one session"
    )))
}

/// Waits until a request says whether the call may run; none if it is used or over.
async fn follow(
    app: &AppState,
    who: &Principal,
    call: &Call,
    id: &RequestId,
    until: Instant,
) -> Result<Option<Verdict>, Problem> {
    let claim_key = match call.id.as_str() {
        // Without an id, nothing tells a repeated question from a second call: it is taken for a second call.
        "" => bound(&[&random::<16>()]),
        call_id => claim_key(who, &call.session, call_id, id),
    };
    loop {
        let bell = app.gate.bell(id);
        let wanted = id.clone();
        let request = app.gate.blocking(move |gate| gate.get(&wanted)).await?;
        let request = request.ok_or_else(|| Error::UnknownRequest { id: id.clone() })?;
        match request.status(clock::now()) {
            Status::Pending
                if Instant::now() < until && !app.is_stopping.load(Ordering::SeqCst) =>
            {
                let next_look = until.min(Instant::now() + LOOK_EVERY);
                let _pause = app.lanes.pause();
                let _ = tokio::time::timeout_at(next_look, bell).await;
            }
            Status::Pending => return Ok(Some(Verdict::Deny(waits(id)))),
            Status::Approved => return claim(app, who, call, id, claim_key).await,
            Status::Denied => return Ok(Some(Verdict::Deny(why_denied(app, &request)))),
            _ if is_claimed_under(&request, &claim_key) => {
                return Ok(Some(Verdict::Allow(format!(
                    "{id} was claimed for this call"
                ))));
            }
            _ => return Ok(None),
        }
    }
}

fn claim_key(who: &Principal, session: &str, call: &str, id: &RequestId) -> IdempotencyKey {
    bound(&[
        who.person.as_str(),
        "hook-claim",
        session,
        call,
        id.as_str(),
    ])
}

/// The claim of a call that was made before this process began, if nobody reported it.
pub(crate) async fn claimed_before(
    app: &AppState,
    who: &Principal,
    session: &str,
    call: &str,
) -> Result<Option<(RequestId, FencingToken)>, Problem> {
    /// Claims without a report are few; one that is older than so many stays for a person to look at.
    const MOST: usize = 1000;
    if call.is_empty() {
        return Ok(None);
    }
    let query = Query::with_status(Status::Claimed).newest_first();
    let claimed = move |gate: &ApprovalWorkflow| gate.list(&query, Page::first(MOST), clock::now());
    let listing = app.gate.blocking(claimed).await?;
    let own = listing
        .requests
        .into_iter()
        .filter(|request| request.submission.requester == who.person);
    let found = own.filter_map(|request| {
        let id = &request.submission.id;
        let key = claim_key(who, session, call, id);
        let mut uses = request.uses();
        let (claim, _) =
            uses.find(|(claim, receipt)| claim.key.as_ref() == Some(&key) && receipt.is_none())?;
        Some((id.clone(), claim.token))
    });
    Ok({ found }.next())
}

fn is_claimed_under(request: &Request, key: &IdempotencyKey) -> bool {
    request
        .uses()
        .any(|(claim, receipt)| claim.key.as_ref() == Some(key) && receipt.is_none())
}

async fn claim(
    app: &AppState,
    who: &Principal,
    call: &Call,
    id: &RequestId,
    key: IdempotencyKey,
) -> Result<Option<Verdict>, Problem> {
    let wanted = Use::new(call.action.clone(), who.person.clone(), clock::now()).with_key(key);
    let claimed = id.clone();
    let claim = app
        .gate
        .command(|gate| async move { gate.claim_async(&claimed, wanted).await })
        .await;
    match claim {
        Ok(claim) => {
            app.calls.claimed(who.person.as_str(), call, &claim);
            Ok(Some(Verdict::Allow(format!(
                "approved as {id}, token {}",
                claim.token
            ))))
        }
        // Another call took it, or it can no longer be used.
        Err(Error::NotExecutable { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn waits(id: &RequestId) -> String {
    format!(
        "{id} waits for a person to approve it. Do something else, and repeat this call, unchanged, once it is approved."
    )
}

/// The rule or the person, with the reason that was given.
fn why_denied(app: &AppState, request: &Request) -> String {
    let asked = &*request.submission;
    let permission = app
        .gate
        .workflow()
        .can_execute_digest(&asked.id, &asked.digest, clock::now());
    if permission == Permission::Denied(DenyReason::DeniedByPolicy) {
        let rule = asked.rule.as_deref().unwrap_or("default");
        return format!("{} is denied by the policy's rule {rule:?}", asked.id);
    }
    let denial = request
        .reviews
        .iter()
        .rev()
        .find(|review| review.verdict == Vote::Deny);
    let by = denial.map_or_else(String::new, |review| format!(" by {}", review.reviewer));
    let reason = denial.and_then(|review| review.reason.as_deref());
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{} is denied{by}{reason}", asked.id)
}
