//! Routes for those who run the server: health, configuration, figures, tokens.

mod analysis;
mod health;
mod metrics;
mod tokens;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::tokens::{NewToken, Role, TokenInfo};
use crate::effective::Effective;
use crate::http::body;
use crate::http::facts::Access;
use crate::http::json::json;
use crate::http::lane::Lane;
use crate::http::problem::Code;
use crate::http::route::Route;
use crate::state::App;

const OPERATORS: Access = Access::Roles(&[Role::Operator]);

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/health", health::ready)
            .does(
                "Whether requests can be answered, with reasons",
                Access::Public,
            )
            .gives::<health::Health>(200)
            .in_lane(Lane::Health),
        Route::get("/api/v1/health/ready", health::ready)
            .does(
                "Whether requests can be answered, with reasons",
                Access::Public,
            )
            .gives::<health::Health>(200)
            .in_lane(Lane::Health),
        Route::get("/api/v1/health/live", health::live)
            .does(
                "Whether the process answers, and nothing else",
                Access::Public,
            )
            .gives::<health::Health>(200)
            .in_lane(Lane::Health),
        Route::get("/api/v1/openapi.json", openapi).does("This description", Access::Public),
        Route::get("/api/v1/config", config)
            .does("The configuration in effect", OPERATORS)
            .gives::<Effective>(200),
        Route::get("/api/v1/capabilities", capabilities)
            .does("What this server can do, and its limits", Access::Anyone)
            .gives::<Capabilities>(200),
        Route::get("/metrics", metrics::prometheus)
            .does("Figures in the text format of Prometheus", OPERATORS)
            .media("text/plain"),
        Route::get("/api/v1/metrics", metrics::samples)
            .does("Figures as JSON", OPERATORS)
            .gives::<Vec<metrics::Sample>>(200),
        Route::get("/api/v1/analysis", analysis::analysis)
            .does(
                "What to look at, worst first, with the figures that it rests on",
                OPERATORS,
            )
            .gives::<Vec<analysis::Finding>>(200)
            .refuses(&[Code::StoreFailed]),
        Route::get("/api/v1/tokens", tokens::list)
            .does("All tokens, without what they say", OPERATORS)
            .gives::<Vec<TokenInfo>>(200),
        Route::post("/api/v1/tokens", tokens::create)
            .does(
                "Make a token; the only answer that ever shows it",
                OPERATORS,
            )
            .takes::<tokens::Wanted>()
            .gives::<NewToken>(201)
            .refuses(&[Code::InvalidText]),
        Route::delete("/api/v1/tokens/{id}", tokens::revoke)
            .does("Revoke a token: it is refused from then on", OPERATORS)
            .status(204),
    ]
}

#[derive(Debug, Serialize, JsonSchema)]
struct Capabilities {
    version: String,
    api: Vec<String>,
    max_body_bytes: usize,
    max_action_bytes: usize,
    max_context_bytes: usize,
    max_reason_bytes: usize,
    max_wait_s: u64,
}

async fn openapi(State(app): State<App>) -> Response {
    let media_type = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    ([media_type], app.openapi.clone()).into_response()
}

async fn config(State(app): State<App>) -> Response {
    json(StatusCode::OK, &app.effective)
}

async fn capabilities() -> Response {
    use approval_workflow::ApprovalWorkflow as Gate;
    let capabilities = Capabilities {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: vec!["v1".to_owned()],
        max_body_bytes: body::MAX_BYTES,
        max_action_bytes: Gate::MAX_ACTION_BYTES,
        max_context_bytes: Gate::MAX_CONTEXT_BYTES,
        max_reason_bytes: Gate::MAX_REASON_BYTES,
        max_wait_s: crate::approvals::MAX_WAIT.as_secs(),
    };
    json(StatusCode::OK, &capabilities)
}
