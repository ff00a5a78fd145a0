//! Simulations over HTTP: what a plan would change, without executing it.

pub(crate) mod forecast;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use forensic_simulator::PlanFormat;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::http::body::Json;
use crate::http::facts::Access;
use crate::http::problem::{Code, Problem};
use crate::http::route::Route;
use crate::state::App;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/simulations", simulate)
            .does(
                "What a plan would change; nothing is executed, and nothing kept",
                Access::Anyone,
            )
            .takes::<NewSimulation>()
            .gives::<Map<String, Value>>(200)
            .refuses(&[Code::PlanInvalid, Code::WorldInvalid]),
    ]
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Workflow,
    Terraform,
    Mcp,
    Pulumi,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSimulation {
    /// The plan as its format has it.
    plan: Value,
    /// Found out from the plan without it.
    #[serde(default)]
    format: Option<Format>,
    /// What is known of the world, key by key.
    #[serde(default)]
    facts: Map<String, Value>,
}

async fn simulate(
    State(app): State<App>,
    Json(wanted): Json<NewSimulation>,
) -> Result<Response, Problem> {
    let format = wanted.format.map(|format| match format {
        Format::Workflow => PlanFormat::Workflow,
        Format::Terraform => PlanFormat::Terraform,
        Format::Mcp => PlanFormat::Mcp,
        Format::Pulumi => PlanFormat::Pulumi,
    });
    let plan = wanted.plan.to_string();
    let forecaster = Arc::clone(&app.forecaster);
    let examine = move || forecaster.examine(plan.as_bytes(), format, &wanted.facts);
    let text = app.forecaster.run(examine).await?;
    let media_type = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}
