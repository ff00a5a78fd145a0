//! Bringing a person to the inbox: a client that can show an address is asked to, once. The decision is made there,
//! where the person is signed in, and never in the client.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::access::principal::Principal;
use crate::approvals::view::percent;
use crate::inbox::origin::Origins;

use super::era;
use super::message::Params;

/// The page on which a request that was just made is decided.
pub(super) fn place(
    tool: &str,
    found: &Value,
    origins: &Origins,
    headers: &HeaderMap,
) -> Option<String> {
    let id = found["id"].as_str()?;
    let waits = tool == "request_approval" && found["status"] == "pending";
    waits.then(|| format!("{}/requests/{}", origins.base(headers), percent(id)))
}

/// The result that asks the client to show the page; none where it cannot, or has done so.
pub(super) fn question(
    secret: &[u8; 32],
    who: &Principal,
    found: &Value,
    place: &str,
    params: &Params,
) -> Option<Value> {
    let can_show = era::capabilities(params)["elicitation"]["url"].is_object();
    let state = state(secret, who, found);
    if !can_show || params.request_state.as_deref() == Some(state.as_str()) {
        return None;
    }
    let message = format!(
        "{} waits for a decision in the inbox.",
        found["id"].as_str().unwrap_or_default()
    );
    Some(json!({
        "resultType": "input_required",
        "inputRequests": {
            "inbox": {
                "method": "elicitation/create",
                "params": { "mode": "url", "message": message, "url": place },
            },
        },
        "requestState": state,
    }))
}

/// Says that this caller was asked about this request. It grants nothing: who makes one up is asked no question.
fn state(secret: &[u8; 32], who: &Principal, found: &Value) -> String {
    let said = json!([who.person.as_str(), found["id"]]).to_string();
    blake3::keyed_hash(secret, said.as_bytes())
        .to_hex()
        .to_string()
}
