//! Workflows over HTTP: a plan's safe way, from its simulation to the comparison of what was observed with what was
//! predicted.
//!
//! A workflow is an approval whose action stands for the plan, with the plan's steps as its parameters. All that is
//! known of it is in the gate's log, so there is no second store that could disagree with it.

mod view;

use std::sync::Arc;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Error, FencingToken, NewRequest, Page, Query, Receipt, ReceiptOutcome,
    Request, Status, Use,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use execution::ExecutionResult;
use forensic_simulator::{Change, Workflow};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::approvals::plan::{FIELD, is_one};
use crate::approvals::{id, may_see, own, seen, spend};
use crate::clock;
use crate::http::body::Json;
use crate::http::facts::Access;
use crate::http::json::json as answer;
use crate::http::key::Key;
use crate::http::lane::Lane;
use crate::http::params::{Params, Segment};
use crate::http::problem::{Code, Problem, not_found};
use crate::http::route::Route;
use crate::simulations::forecast;
use crate::state::App;

use self::view::{Claimed, Reported, WorkflowView};

const AGENTS: Access = Access::Roles(&[Role::Agent]);

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/workflows", create)
            .does("Simulate a plan and ask for its approval", AGENTS)
            .takes::<NewWorkflow>()
            .gives::<WorkflowView>(201)
            .keyed()
            .refuses(&[
                Code::InvalidText,
                Code::ActionInvalid,
                Code::PlanInvalid,
                Code::WorldInvalid,
                Code::TooLarge,
                Code::StoreFailed,
                Code::StorageFull,
            ]),
        Route::get("/api/v1/workflows", list)
            .does(
                "Workflows by status, the newest first; an agent sees its own",
                Access::Anyone,
            )
            .gives::<Vec<WorkflowView>>(200)
            .query(&[
                (
                    "status",
                    "the status of their approvals: pending (default), approved, …",
                ),
                ("limit", "1 to 200 (default: 50)"),
            ])
            .refuses(&[Code::InvalidField, Code::UnknownField]),
        Route::get("/api/v1/workflows/{id}", get)
            .does("One workflow", Access::Anyone)
            .gives::<WorkflowView>(200),
        Route::post("/api/v1/workflows/{id}/claim", claim)
            .does(
                "Simulate again with the facts of now, and take the plan to execute it once",
                AGENTS,
            )
            .takes::<NewClaim>()
            .gives::<Claimed>(201)
            .keyed()
            .in_lane(Lane::Finish)
            .refuses(&[
                Code::NotRequester,
                Code::NotExecutable,
                Code::PlanInvalid,
                Code::WorldInvalid,
                Code::StoreFailed,
                Code::StorageFull,
            ]),
        Route::post("/api/v1/workflows/{id}/receipt", report)
            .does(
                "Report what came of it; what was observed is compared with what was predicted",
                AGENTS,
            )
            .takes::<NewReport>()
            .gives::<Reported>(200)
            .in_lane(Lane::Finish)
            .refuses(&[
                Code::NotRequester,
                Code::NotClaimed,
                Code::WrongToken,
                Code::AlreadyFinished,
                Code::StoreFailed,
                Code::StorageFull,
            ]),
        Route::post("/api/v1/workflows/{id}/cancellation", cancel)
            .does(
                "Ask no longer, or give an approval back that was not used",
                AGENTS,
            )
            .gives::<WorkflowView>(200)
            .in_lane(Lane::Finish)
            .refuses(&[
                Code::NotRequester,
                Code::AlreadySettled,
                Code::Expired,
                Code::StoreFailed,
                Code::StorageFull,
            ]),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewWorkflow {
    /// Where it belongs, such as deploy/run: the policy's rules go by it.
    path: String,
    /// `{"name":…,"steps":[{"id":…,"action":{…},"depends_on":[…]}]}`
    #[schemars(with = "Map<String, Value>")]
    plan: Box<RawValue>,
    /// What the steps act on, key by key, as it is now.
    #[serde(default)]
    facts: Map<String, Value>,
}

async fn create(
    State(app): State<App>,
    who: Principal,
    Key(key): Key,
    Json(wanted): Json<NewWorkflow>,
) -> Result<Response, Problem> {
    let invalid = |detail: String| Problem::new(Code::PlanInvalid, detail);
    let plan = Workflow::parse(wanted.plan.get()).map_err(|error| invalid(error.to_string()))?;
    let path = ActionPath::new(&wanted.path);
    let path = path.map_err(|error| Problem::new(Code::ActionInvalid, error.to_string()))?;
    let steps = serde_json::to_value(&plan.steps).map_err(|error| invalid(error.to_string()))?;
    let action = Action::new(path, format!("Run {}", plan.name))
        .with_parameter("name", plan.name.as_str())
        .with_parameter("steps", steps);
    let forecast = app.forecaster.of_plan(plan, wanted.facts).await?;
    // What is observed is compared with all of it.
    if predicted(&forecast.summary).is_none() {
        let detail = "more changes are predicted than are kept with a request; divide the plan";
        return Err(Problem::new(Code::TooLarge, detail));
    }
    let context = [(FIELD, json!(true)), (forecast::FIELD, forecast.summary)];
    let new = NewRequest {
        context: context
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        binding: forecast.binding,
        key: Some(key),
        ..NewRequest::new(action, who.person.clone(), clock::now())
    };
    let asked = app
        .gate
        .command(|gate| async move { gate.request_async(new).await })
        .await?;
    Ok(answer(
        StatusCode::CREATED,
        &WorkflowView::of(&app, &who, &asked),
    ))
}

/// The changes of a prediction, if all of them are there.
fn predicted(summary: &Value) -> Option<Vec<Change>> {
    let changes: Vec<Change> = serde_json::from_value(summary["changes"].clone()).ok()?;
    (summary["change_count"].as_u64() == Some(changes.len() as u64)).then_some(changes)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(default = "pending")]
    status: Status,
    #[serde(default)]
    limit: Option<usize>,
}

fn pending() -> Status {
    Status::Pending
}

async fn list(
    State(app): State<App>,
    who: Principal,
    Params(Filter { status, limit }): Params<Filter>,
) -> Result<Response, Problem> {
    const MOST: usize = 200;
    const USUAL: usize = 50;
    /// Requests that are looked through for workflows.
    const LOOKED_AT: usize = 10_000;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("limit is from 1 to {MOST}");
        return Err(Problem::new(Code::InvalidField, detail).with("pointer", "?limit"));
    }
    let looker = who.clone();
    let find = move |gate: &ApprovalWorkflow| {
        let query = Query::with_status(status).newest_first();
        gate.list(&query, Page::first(LOOKED_AT), clock::now())
    };
    let found = app.gate.blocking(find).await?.requests.into_iter();
    let found = found.filter(|request| is_one(request) && may_see(&looker, request));
    let views: Vec<WorkflowView> = found
        .take(limit)
        .map(|request| WorkflowView::of(&app, &who, &request))
        .collect();
    Ok(answer(StatusCode::OK, &views))
}

async fn get(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
) -> Result<Response, Problem> {
    let request = seen(&app, &who, &id(&text)?).await?;
    let request = workflow(request)?;
    Ok(answer(
        StatusCode::OK,
        &WorkflowView::of(&app, &who, &request),
    ))
}

/// Another request than a workflow is none here.
fn workflow(request: Arc<Request>) -> Result<Arc<Request>, Problem> {
    is_one(&request).then_some(request).ok_or_else(not_found)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewClaim {
    /// What the steps act on, key by key, as it is now.
    #[serde(default)]
    facts: Map<String, Value>,
}

async fn claim(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Key(key): Key,
    Json(NewClaim { facts }): Json<NewClaim>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let asked = workflow(own(&app, &who, &id).await?)?;
    let action = asked.submission.action.clone();
    let plan =
        json!({ "name": action.parameters.get("name"), "steps": action.parameters.get("steps") });
    let parsed = Workflow::parse(&plan.to_string());
    let parsed = parsed.map_err(|error| Problem::new(Code::PlanInvalid, error.to_string()))?;
    let now = app.forecaster.of_plan(parsed, facts).await?;
    let mut seen = now.binding;
    // The report is the one that the approval rests on; effects and reads are those of now.
    seen.report = asked.submission.binding.report;
    let wanted = Use {
        seen,
        key: Some(key),
        ..Use::new(action, who.person, clock::now())
    };
    let claim = app
        .gate
        .command(|gate| async move { gate.claim_async(&id, wanted).await })
        .await?;
    let claimed = Claimed {
        token: claim.token.0,
        claimed_at: claim.at.into(),
        steps: plan["steps"].clone(),
        changes: now.summary["changes"].clone(),
    };
    Ok(answer(StatusCode::CREATED, &claimed))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewReport {
    /// That of the claim.
    token: u64,
    /// succeeded, failed or indeterminate
    #[schemars(with = "String")]
    outcome: ReceiptOutcome,
    /// The keys that changed, each as it was and as it is; absent where there is none.
    #[serde(default)]
    #[schemars(with = "Vec<Map<String, Value>>")]
    observed: Vec<Change>,
    /// Why it failed, or why nobody knows.
    #[serde(default)]
    reason: String,
}

async fn report(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(wanted): Json<NewReport>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let asked = workflow(own(&app, &who, &id).await?)?;
    let mut differences = Vec::new();
    let mut observed = wanted.reason;
    if wanted.outcome == ReceiptOutcome::Succeeded {
        let summary = asked.submission.context.get(forecast::FIELD);
        let predicted = summary.and_then(predicted).unwrap_or_default();
        let result = ExecutionResult::compare(predicted, wanted.observed);
        observed = result.in_words();
        if let ExecutionResult::Otherwise { differences: found } = result {
            differences = found;
        }
    }
    let receipt = Receipt {
        id: id.clone(),
        at: clock::now(),
        token: FencingToken(wanted.token),
        outcome: wanted.outcome,
        observed,
    };
    let done = spend::report(&app, &who, receipt).await?;
    let reported = Reported::of(WorkflowView::of(&app, &who, &done), &differences);
    Ok(answer(StatusCode::OK, &reported))
}

async fn cancel(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    workflow(own(&app, &who, &id).await?)?;
    let by = who.person.clone();
    let done = app.gate.blocking(move |gate| end(gate, &id, by)).await?;
    Ok(answer(StatusCode::OK, &WorkflowView::of(&app, &who, &done)))
}

/// Withdraws what waits, revokes what is approved. It happens once; said again, it stands.
fn end(
    gate: &ApprovalWorkflow,
    id: &approval_workflow::RequestId,
    by: approval_workflow::PersonId,
) -> Result<Arc<Request>, Error> {
    let ended = match gate.withdraw(id, by.clone(), clock::now()) {
        Err(Error::AlreadySettled {
            status: Status::Approved,
            ..
        }) => gate.revoke(id, by, "cancelled by its requester", clock::now()),
        ended => ended,
    };
    match ended {
        Err(Error::AlreadySettled {
            status: Status::Withdrawn | Status::Revoked,
            ..
        }) => {
            let unknown = || Error::UnknownRequest { id: id.clone() };
            gate.get(id)?.ok_or_else(unknown)
        }
        ended => ended,
    }
}

/// What a workflow is in, by what became of its approval and of the comparison.
fn state(request: &Request) -> &'static str {
    match request.status(clock::now()) {
        Status::Pending => "pending",
        Status::Approved => "approved",
        Status::Denied => "denied",
        Status::Expired => "expired",
        Status::Lapsed => "lapsed",
        Status::Withdrawn | Status::Superseded => "cancelled",
        Status::Revoked => "revoked",
        Status::Claimed => "executing",
        Status::Failed => "failed",
        Status::Indeterminate => "indeterminate",
        Status::Succeeded if was_as_predicted(request) => "reconciled",
        Status::Succeeded => "diverged",
    }
}

/// By the words of [`ExecutionResult::in_words`], which this module alone lets into a workflow's receipt.
fn was_as_predicted(request: &Request) -> bool {
    let mut receipts = request.uses().filter_map(|(_, receipt)| receipt);
    receipts
        .next()
        .is_some_and(|receipt| receipt.observed.ends_with("keys changed as predicted"))
}
