//! A host asks before a call, and reports after it.

use std::time::Duration;

use approval_workflow::{Receipt, ReceiptOutcome};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::guard::authenticate;
use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::clock;
use crate::hooks::decide::{Verdict, claimed_before, decide};
use crate::hooks::host::{Event, Host, Payload};
use crate::http::body;
use crate::http::json::json as as_json;
use crate::http::params::Params;
use crate::http::problem::{Code, Problem};
use crate::state::{App, AppState};

pub(crate) const USUAL_WAIT: Duration = Duration::from_secs(50);
const MOST_WAIT: Duration = Duration::from_secs(3600);

/// Says in one word what the body says in the host's own: `allow`, `deny` or `reported`. A host that reads an empty
/// object as consent would else take it from anybody.
pub(super) const DECISION: HeaderName = HeaderName::from_static("proofload-decision");

/// What the host reads: its decision, or nothing after a report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Body {
    #[schemars(rename = "hookSpecificOutput")]
    hook_specific_output: Option<Map<String, Value>>,
    permission: Option<String>,
    decision: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    #[serde(default)]
    wait: Option<String>,
}

pub(super) async fn answer(
    host: Host,
    app: App,
    wait: Result<Params<Wait>, Problem>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    // First of all: a host that is cut off while it sends sees no refusal, and lets the call pass.
    let bytes = body::read(request.into_body()).await?;
    let Params(Wait { wait }) = wait?;
    let who = authenticate(&app, &headers)?;
    app.limiter.take(&who)?;
    if !who.is(Role::Agent) {
        let detail = format!(
            "a hook asks with an agent's token, not one of the role {}",
            who.role
        );
        return Err(Problem::new(Code::InsufficientScope, detail));
    }
    let wait = wait.as_deref().map_or(Ok(USUAL_WAIT), parse_wait)?;
    let payload: Payload = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::InvalidJson, error.to_string()))?;
    match host.event(&payload.hook_event_name) {
        Some(Event::Asks) => {
            let _place = app.wait()?;
            let verdict = decide(&app, &who, &host.call(&payload)?, wait).await?;
            let word = match verdict {
                Verdict::Allow(_) => "allow",
                Verdict::Deny(_) => "deny",
            };
            Ok(said(word, &host.answer(&payload.hook_event_name, &verdict)))
        }
        Some(Event::Reports(outcome)) => {
            report(&app, &who, &payload, outcome).await?;
            Ok(said("reported", &json!({})))
        }
        None => {
            let name = &payload.hook_event_name;
            let detail = format!("the event {name:?} is not one that this hook knows");
            Err(Problem::new(Code::InvalidField, detail))
        }
    }
}

/// An answer with its decision in one word.
pub(super) fn said(word: &'static str, answer: &Value) -> Response {
    let mut response = as_json(StatusCode::OK, answer);
    let headers = response.headers_mut();
    headers.insert(DECISION, HeaderValue::from_static(word));
    response
}

fn parse_wait(text: &str) -> Result<Duration, Problem> {
    let seconds = text
        .strip_suffix('s')
        .and_then(|digits| digits.parse().ok());
    let wait = seconds
        .map(Duration::from_secs)
        .filter(|wait| *wait <= MOST_WAIT);
    wait.ok_or_else(|| {
        let detail = format!(
            "wait is a time such as 50s, at most {} s",
            MOST_WAIT.as_secs()
        );
        Problem::new(Code::InvalidField, detail)
    })
}

/// Reports the call's claim. After a restart it is looked for among those that nobody reported.
async fn report(
    app: &AppState,
    who: &Principal,
    payload: &Payload,
    outcome: ReceiptOutcome,
) -> Result<(), Problem> {
    let (session, id) = (payload.session()?, &payload.tool_use_id);
    let claim = match app.calls.reported(who.person.as_str(), session, id) {
        Some(claim) => Some(claim),
        None => claimed_before(app, who, session, id).await?,
    };
    if let Some((id, token)) = claim {
        let receipt = Receipt {
            id,
            at: clock::now(),
            token,
            outcome,
            observed: String::new(),
        };
        app.gate
            .command(|gate| async move { gate.finish_async(receipt).await })
            .await?;
    }
    Ok(())
}
