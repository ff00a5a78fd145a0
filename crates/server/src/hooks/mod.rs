//! Hooks of agent hosts: a host asks before each call of a tool, and is told to go on or not.
//!
//! A host such as Claude Code lets a call pass after any other status than 200, or an answer that it cannot read.
//! So whatever goes wrong here, a missing token, overload, a defect, is answered by 200 and a refusal.

pub(crate) mod ask;
pub(crate) mod call;
pub(crate) mod decide;
pub(crate) mod host;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use crate::http::facts::Access;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::state::App;

use self::ask::Wait;
use self::host::Host;

const PREFIX: &str = "/hooks/";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route(
            Host::ClaudeCode,
            "/hooks/claude-code",
            "What a hook of Claude Code asks; always 200, a refusal if anything is wrong",
        ),
        route(
            Host::Codex,
            "/hooks/codex",
            "What a hook of Codex asks; always 200, a refusal if anything is wrong",
        ),
        route(
            Host::Cursor,
            "/hooks/cursor",
            "What a hook of Cursor asks; always 200, a refusal if anything is wrong",
        ),
        route(
            Host::Gemini,
            "/hooks/gemini",
            "What a hook of Gemini CLI asks; always 200, a refusal if anything is wrong",
        ),
    ]
}

fn route(host: Host, path: &'static str, summary: &'static str) -> Route {
    let answer =
        move |State(app): State<App>,
              wait: Result<Params<Wait>, Problem>,
              headers: HeaderMap,
              request: Request| ask::answer(host, app, wait, headers, request);
    Route::post(path, answer)
        .does(summary, Access::Handler)
        .query(&[(
            "wait",
            "how long to wait for a person's decision, such as 50s (default); at most 3600s",
        )])
        .gives::<ask::Body>(200)
}

/// The host whose hook asked, also at a path that there is not: that is answered as Claude Code reads it.
pub(crate) fn asked_by_host(uri: &Uri) -> Option<Host> {
    let name = uri.path().strip_prefix(PREFIX)?;
    let host = Host::ALL.into_iter().find(|host| host.name() == name);
    Some(host.unwrap_or(Host::ClaudeCode))
}

/// The refusal in the place of a problem.
pub(crate) fn refusal(host: Host, problem: &Problem) -> Response {
    let reason = format!("{}: {}", problem.code.as_str(), problem.detail());
    ask::said("deny", &host.refusal(reason))
}
