//! Hooks of agent hosts: a host asks before each call of a tool, and is told to go on or not.
//!
//! A host such as Claude Code lets a call pass after any other status than 200, or an answer that it cannot read.
//! So whatever goes wrong here, a missing token, overload, a defect, is answered by 200 and a refusal.

pub(crate) mod call;
pub(crate) mod claude_code;
pub(crate) mod decide;

use axum::http::{StatusCode, Uri};
use axum::response::Response;

use crate::http::facts::Access;
use crate::http::json::json;
use crate::http::problem::Problem;
use crate::http::route::Route;

const PREFIX: &str = "/hooks/";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/hooks/claude-code", claude_code::answer)
            .does(
                "What a hook of Claude Code asks; always 200, a refusal if anything is wrong",
                Access::Handler,
            )
            .query(&[(
                "wait",
                "how long to wait for a person's decision, such as 50s (default); at most 3600s",
            )])
            .gives::<claude_code::Body>(200),
    ]
}

/// Whether a host's hook asked.
pub(crate) fn asked_by_host(uri: &Uri) -> bool {
    uri.path().starts_with(PREFIX)
}

/// The refusal in the place of a problem.
pub(crate) fn refusal(problem: &Problem) -> Response {
    let reason = format!("{}: {}", problem.code.as_str(), problem.detail());
    json(StatusCode::OK, &claude_code::deny("PreToolUse", &reason))
}
