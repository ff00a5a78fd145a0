//! The tool that Claude Code asks by `--permission-prompt-tool` whether a call may run.

use serde_json::json;

use crate::access::principal::Principal;
use crate::hooks::ask::USUAL_WAIT;
use crate::hooks::decide::{Verdict, decide};
use crate::hooks::host::Host;
use crate::http::problem::Problem;
use crate::state::AppState;

use super::arguments::{Arguments, plain};
use super::call::Outcome;
use super::message::Fault;

/// Whatever is wrong is answered by a refusal: the host reads nothing else.
pub(super) async fn ask(app: &AppState, who: &Principal, arguments: &Arguments) -> Outcome {
    let text = |name: &str| {
        arguments
            .get(name)
            .map_or(Ok(String::new()), |raw| plain(name, raw))
    };
    let (tool, id) = match (text("tool_name"), text("tool_use_id")) {
        (Ok(tool), Ok(id)) if !tool.is_empty() => (tool, id),
        (Err(fault), _) | (_, Err(fault)) => return Outcome::Wrong(fault),
        _ => return Outcome::Wrong(Fault::new(Fault::PARAMS, "approve needs tool_name")),
    };
    let input = arguments.get("input").map_or("{}", |raw| raw.get());
    match decided(app, who, &tool, input, id).await {
        Ok(Verdict::Allow(_)) => {
            Outcome::Said(format!(r#"{{"behavior":"allow","updatedInput":{input}}}"#))
        }
        Ok(Verdict::Deny(reason)) => denied(&reason),
        Err(problem) => denied(&format!("{}: {}", problem.code.as_str(), problem.detail())),
    }
}

async fn decided(
    app: &AppState,
    who: &Principal,
    tool: &str,
    input: &str,
    id: String,
) -> Result<Verdict, Problem> {
    // The contract names no session: a call that is repeated by the same agent is the same call.
    let session = "permission-prompt".to_owned();
    let call = Host::ClaudeCode.call_tool(tool, input, session, id)?;
    let _place = app.wait()?;
    decide(app, who, &call, USUAL_WAIT).await
}

fn denied(reason: &str) -> Outcome {
    Outcome::Said(json!({ "behavior": "deny", "message": reason }).to_string())
}
