//! Approvals over HTTP: asking, deciding, using, reading.

mod ask;
pub(crate) mod decide;
mod emergency;
pub(crate) mod history;
pub(crate) mod plan;
mod read;
mod refusal;
pub(crate) mod spend;
pub(crate) mod view;

use std::sync::Arc;
use std::time::Duration;

use approval_workflow::{Request, RequestId, Statistics};

use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::http::facts::Access;
use crate::http::lane::Lane;
use crate::http::problem::{Code, Problem, not_found};
use crate::http::route::Route;
use crate::state::AppState;

use self::view::Approval;

/// The longest that a call waits for something to change.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

const AGENTS_AND_REVIEWERS: Access = Access::Roles(&[Role::Agent, Role::Reviewer]);
const REVIEWERS: Access = Access::Roles(&[Role::Reviewer]);
const OVERSEERS: Access = Access::Roles(&[Role::Reviewer, Role::Operator]);

const VOTES: &[Code] = &[
    Code::InvalidText,
    Code::ChangedSinceShown,
    Code::SelfReview,
    Code::DelegateOfRequester,
    Code::NotDelegate,
    Code::UnknownReviewer,
    Code::AlreadySettled,
    Code::AlreadyVoted,
    Code::Expired,
    Code::ReasonMissing,
    Code::SecondFactorMissing,
    Code::SecondFactorUnregistered,
    Code::SecondFactorWrong,
    Code::SecondFactorReplayed,
    Code::SecondFactorLocked,
    Code::SignatureInvalid,
];
const EMERGENCIES: &[Code] = &[
    Code::InvalidText,
    Code::GlassNotAllowed,
    Code::NothingToAttest,
    Code::SelfReview,
    Code::DelegateOfRequester,
    Code::UnknownReviewer,
    Code::AlreadySettled,
    Code::Expired,
    Code::ReasonMissing,
    Code::SecondFactorMissing,
    Code::SecondFactorUnregistered,
    Code::SecondFactorWrong,
    Code::SecondFactorReplayed,
    Code::SecondFactorLocked,
    Code::SignatureInvalid,
];
const ENDS: &[Code] = &[
    Code::InvalidText,
    Code::NotRequester,
    Code::UnknownReviewer,
    Code::AlreadySettled,
    Code::Expired,
    Code::ReasonMissing,
];

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = asking();
    routes.extend(deciding());
    routes.extend(reading());
    routes
}

fn asking() -> Vec<Route> {
    vec![
        Route::post("/api/v1/approvals", ask::request)
            .does(
                "Ask for an approval of exactly one action",
                AGENTS_AND_REVIEWERS,
            )
            .takes::<ask::NewApproval>()
            .gives::<Approval>(201)
            .keyed()
            .refuses(&[
                Code::InvalidText,
                Code::ActionInvalid,
                Code::ContextTooDeep,
                Code::SecretRepeated,
                Code::PlanInvalid,
                Code::WorldInvalid,
                Code::NotFound,
                Code::NotRequester,
                Code::AlreadySettled,
                Code::Expired,
            ]),
        Route::put("/api/v1/approvals/{id}/withdrawal", ask::withdraw)
            .does("Ask no longer", AGENTS_AND_REVIEWERS)
            .gives::<Approval>(200)
            .in_lane(Lane::Finish)
            .refuses(ENDS),
        Route::post("/api/v1/approvals/{id}/check", spend::check)
            .does(
                "Whether the action may run now; a refusal is an answer",
                Access::Anyone,
            )
            .takes::<spend::Asked>()
            .gives::<spend::Allowed>(200)
            .in_lane(Lane::Read)
            .refuses(&[Code::ActionInvalid]),
        Route::post("/api/v1/approvals/{id}/claims", spend::claim)
            .does(
                "Take the approval, to run the action once",
                AGENTS_AND_REVIEWERS,
            )
            .takes::<spend::NewClaim>()
            .gives::<view::ClaimView>(201)
            .keyed()
            .in_lane(Lane::Finish)
            .refuses(&[
                Code::NotRequester,
                Code::NotExecutable,
                Code::PlanInvalid,
                Code::WorldInvalid,
                Code::ActionInvalid,
                Code::InvalidText,
            ]),
        Route::post("/api/v1/approvals/{id}/receipts", spend::finish)
            .does("Report what came of a claim", AGENTS_AND_REVIEWERS)
            .takes::<spend::NewReceipt>()
            .gives::<Approval>(200)
            .in_lane(Lane::Finish)
            .refuses(&[
                Code::InvalidText,
                Code::NotRequester,
                Code::NotClaimed,
                Code::WrongToken,
                Code::AlreadyFinished,
                Code::WorkflowState,
            ]),
    ]
}

fn deciding() -> Vec<Route> {
    vec![
        Route::post("/api/v1/approvals/{id}/decisions", decide::decide)
            .does("Approve, deny, or ask for changes", REVIEWERS)
            .takes::<decide::NewDecision>()
            .gives::<Approval>(201)
            .keyed()
            .in_lane(Lane::Finish)
            .refuses(VOTES),
        Route::get("/api/v1/approvals/{id}/statement", decide::statement)
            .does("The bytes that a signed decision signs", REVIEWERS)
            .query(&[
                ("verdict", "approve or deny"),
                ("at", "when it is signed, as RFC 3339"),
                ("reason", "the reason that will be given"),
                ("on_behalf_of", "in whose place"),
            ])
            .media("application/octet-stream")
            .refuses(&[Code::InvalidField, Code::UnknownField, Code::InvalidText]),
        Route::put("/api/v1/approvals/{id}/revocation", decide::revoke)
            .does(
                "Take an approval back before it is used",
                AGENTS_AND_REVIEWERS,
            )
            .takes::<decide::Reason>()
            .gives::<Approval>(200)
            .in_lane(Lane::Finish)
            .refuses(ENDS),
        Route::post("/api/v1/approvals/{id}/escalations", decide::escalate)
            .does(
                "Call for more attention to a request that waits",
                AGENTS_AND_REVIEWERS,
            )
            .takes::<decide::Reason>()
            .gives::<Approval>(201)
            .in_lane(Lane::Finish)
            .refuses(ENDS),
        Route::put("/api/v1/approvals/{id}/break-glass", emergency::break_glass)
            .does(
                "Approve alone, in an emergency, where the terms let a group do so",
                REVIEWERS,
            )
            .takes::<emergency::Emergency>()
            .gives::<Approval>(200)
            .in_lane(Lane::Finish)
            .refuses(EMERGENCIES),
        Route::put("/api/v1/approvals/{id}/attestation", emergency::attest)
            .does("Review what one person approved alone", REVIEWERS)
            .takes::<emergency::Emergency>()
            .gives::<Approval>(200)
            .in_lane(Lane::Finish)
            .refuses(EMERGENCIES),
    ]
}

fn reading() -> Vec<Route> {
    vec![
        Route::get("/api/v1/approvals", read::list)
            .does(
                "Approvals by status, page by page; an agent sees its own",
                Access::Anyone,
            )
            .gives::<Vec<Approval>>(200)
            .query(&[
                ("status", "pending (default), approved, denied, …"),
                ("for", "me: only what the caller could decide"),
                (
                    "under",
                    "only actions that this pattern matches, such as payments/**",
                ),
                (
                    "sort",
                    "age (default), newest, or risk: what could do most harm first, one page",
                ),
                ("limit", "1 to 200 (default: 50)"),
                ("after", "where the page before ended, from its Link"),
            ])
            .refuses(&[Code::InvalidField, Code::UnknownField, Code::InvalidCursor]),
        Route::get("/api/v1/approvals/statistics", read::statistics)
            .does("Counts over all requests", OVERSEERS)
            .gives::<StatisticsBody>(200),
        Route::get("/api/v1/approvals/{id}", read::get)
            .does(
                "One approval; with If-None-Match and wait, once it changed",
                Access::Anyone,
            )
            .gives::<Approval>(200)
            .query(&[(
                "wait",
                "how long to wait for a change, such as 30s; at most 60s",
            )])
            .refuses(&[Code::InvalidField, Code::UnknownField, Code::TooManyWaits]),
        Route::get("/api/v1/approvals/{id}/audit", history::trail)
            .does("Everything that happened to one request", Access::Anyone)
            .gives::<Vec<history::Entry>>(200),
        Route::get("/api/v1/approvals/{id}/bundle", history::bundle)
            .does("One request's history, to be verified anywhere", OVERSEERS)
            .media("application/jsonl"),
        Route::get("/api/v1/follow-ups", read::follow_ups)
            .does(
                "What people have to look at: emergencies without a review, claims without a report for an hour, \
                 outcomes that nobody knows",
                OVERSEERS,
            )
            .gives::<Vec<Approval>>(200),
        Route::get("/api/v1/audit", history::log)
            .does("The audit log, newest first", OVERSEERS)
            .gives::<Vec<history::Entry>>(200)
            .query(&[
                ("before", "only entries below this number"),
                ("limit", "1 to 200 (default: 50)"),
            ])
            .refuses(&[Code::InvalidField, Code::UnknownField]),
    ]
}

/// The gate's counts, in its own words.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(transparent)]
struct StatisticsBody(#[schemars(with = "serde_json::Map<String, serde_json::Value>")] Statistics);

/// The id in a path; what is none names nothing.
pub(crate) fn id(text: &str) -> Result<RequestId, Problem> {
    RequestId::new(text).map_err(|_| not_found())
}

/// The request, if the caller may see it: an agent sees its own, and cannot tell another's from none.
pub(crate) async fn seen(
    app: &AppState,
    who: &Principal,
    id: &RequestId,
) -> Result<Arc<Request>, Problem> {
    let wanted = id.clone();
    let request = app.gate.blocking(move |gate| gate.get(&wanted)).await?;
    request
        .filter(|request| may_see(who, request))
        .ok_or_else(not_found)
}

pub(crate) fn may_see(who: &Principal, request: &Request) -> bool {
    !who.is(Role::Agent) || request.submission.requester == who.person
}

/// The request, if the caller asked for it.
pub(crate) async fn own(
    app: &AppState,
    who: &Principal,
    id: &RequestId,
) -> Result<Arc<Request>, Problem> {
    let request = seen(app, who, id).await?;
    if request.submission.requester == who.person {
        return Ok(request);
    }
    let detail = format!("{} did not ask for {id}", who.person);
    Err(Problem::new(Code::NotRequester, detail))
}
