//! Tokens over HTTP, for operators.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::tokens::Role;
use crate::error::Error;
use crate::http::body::Json;
use crate::http::json::json;
use crate::http::params::Segment;
use crate::http::problem::{Code, Problem, not_found};
use crate::state::{App, AppState};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: String,
    role: Role,
    /// How long it is good, in days (default: 90).
    #[serde(default = "ninety")]
    days: u16,
}

fn ninety() -> u16 {
    90
}

const DAY_S: u64 = 86_400;

pub(crate) async fn list(State(app): State<App>) -> Result<Response, Problem> {
    let tokens = on_disk(app, |app| app.tokens.list()).await?;
    Ok(json(StatusCode::OK, &tokens))
}

pub(crate) async fn create(
    State(app): State<App>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let life = Duration::from_secs(DAY_S * u64::from(wanted.days));
    let create = move |app: &AppState| app.tokens.create(&wanted.name, wanted.role, life);
    let token = on_disk(app, create).await?;
    Ok(json(StatusCode::CREATED, &token))
}

pub(crate) async fn revoke(
    State(app): State<App>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let found = on_disk(app, move |app| app.tokens.revoke(&id)).await?;
    if found {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found())
    }
}

async fn on_disk<T: Send + 'static>(
    app: App,
    work: impl FnOnce(&AppState) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(move || work(&app)).await;
    let done = done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    done.map_err(|error| match error {
        Error::Name { .. } => Problem::new(Code::InvalidText, error.to_string()),
        error => Problem::new(Code::Internal, error.to_string()),
    })
}
