//! Asking for an approval, and no longer asking.

use action::Action;
use approval_workflow::{Binding, Error, NewRequest, RequestId, Status};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::access::principal::Principal;
use crate::approvals::{id, own, plan, view};
use crate::clock;
use crate::http::body::Json;
use crate::http::key::Key;
use crate::http::params::Segment;
use crate::http::problem::{Code, Problem};
use crate::simulations::forecast;
use crate::state::App;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApproval {
    /// What is to run: path, name, description and parameters. The approval is bound to all of it.
    #[schemars(with = "Map<String, Value>")]
    action: Action,
    /// What the policy and the reviewers should know besides.
    #[serde(default)]
    context: Map<String, Value>,
    /// Digests of the plan, the simulation and its effects, and the versions of what was read.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    binding: Binding,
    /// Parameters whose values are bound, and never written.
    #[serde(default)]
    secrets: Vec<String>,
    /// What the action acts on, key by key, as it is now. With it, the action is simulated first: reviewers see what
    /// would change, and a claim is refused if other facts then predict anything else.
    #[serde(default)]
    facts: Option<Map<String, Value>>,
    /// The request in whose place this one is made.
    #[serde(default)]
    supersedes: Option<String>,
}

pub(crate) async fn request(
    State(app): State<App>,
    who: Principal,
    Key(key): Key,
    Json(mut wanted): Json<NewApproval>,
) -> Result<Response, Problem> {
    if let Err(error) = wanted.action.digest() {
        return Err(Problem::new(Code::ActionInvalid, error.to_string()));
    }
    predict(&app, &mut wanted).await?;
    let supersedes: Option<RequestId> = match wanted.supersedes {
        None => None,
        // Another's is not told apart from none.
        Some(earlier) => Some(own(&app, &who, &id(&earlier)?).await?.submission.id.clone()),
    };
    let new = NewRequest {
        context: wanted.context,
        secrets: wanted.secrets,
        binding: wanted.binding,
        supersedes,
        key: Some(key),
        ..NewRequest::new(wanted.action, who.person.clone(), clock::now())
    };
    let asked = app
        .gate
        .command(|gate| async move { gate.request_async(new).await })
        .await?;
    Ok(view::answer(&app, &who, &asked, StatusCode::CREATED))
}

/// Simulates the action, if facts came with it, and binds the request to what is predicted.
async fn predict(app: &App, wanted: &mut NewApproval) -> Result<(), Problem> {
    let refused = |pointer: &str, detail: &str| {
        Problem::new(Code::InvalidField, detail).with("pointer", pointer)
    };
    for field in [forecast::FIELD, plan::FIELD] {
        if wanted.context.contains_key(field) {
            return Err(refused(
                &format!("/context/{field}"),
                "this field is the server's: send facts, and it simulates; plans go to /workflows",
            ));
        }
    }
    let Some(facts) = wanted.facts.take() else {
        return Ok(());
    };
    if !wanted.secrets.is_empty() {
        return Err(refused(
            "/facts",
            "what is predicted is kept, so an action with secrets is not simulated",
        ));
    }
    if wanted.binding.report.is_some() || wanted.binding.effects.is_some() {
        return Err(refused(
            "/facts",
            "a request is bound to one simulation, its own or the server's",
        ));
    }
    let forecast = app.forecaster.of_action(&wanted.action, facts).await?;
    let reads = std::mem::take(&mut wanted.binding.reads);
    let plan = wanted.binding.plan;
    wanted.binding = forecast.binding;
    wanted.binding.plan = plan;
    // What was read by the simulation is known better than what the caller says of the same key.
    for (key, version) in reads {
        wanted.binding.reads.entry(key).or_insert(version);
    }
    wanted
        .context
        .insert(forecast::FIELD.to_owned(), forecast.summary);
    Ok(())
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    own(&app, &who, &id).await?;
    let by = who.person.clone();
    let done = app
        .gate
        .blocking(move |gate| match gate.withdraw(&id, by, clock::now()) {
            // It happens once; said again, it stands.
            Err(Error::AlreadySettled {
                status: Status::Withdrawn,
                id,
                ..
            }) => gate.get(&id)?.ok_or(Error::UnknownRequest { id }),
            done => done,
        })
        .await?;
    Ok(view::answer(&app, &who, &done, StatusCode::OK))
}
