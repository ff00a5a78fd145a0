//! Signing in by a reviewer's token, and out.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde::Deserialize;

use crate::access::tokens::Role;
use crate::clock;
use crate::http::problem::{Code, Problem};
use crate::inbox::forms::{Guarded, SignedIn, read, read_guarded};
use crate::inbox::{layout, session};
use crate::state::App;

pub(crate) async fn page() -> Response {
    form(StatusCode::OK, None)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    token: String,
}

pub(crate) async fn sign_in(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let SignIn { token } = read(request).await?;
    let bearer = app.tokens.bearer(token.trim(), clock::now());
    let bearer = bearer.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let Some(bearer) = bearer.filter(|bearer| bearer.role == Role::Reviewer) else {
        app.figures.refused(Code::Unauthenticated);
        return Ok(form(
            StatusCode::UNAUTHORIZED,
            Some("This is not a valid token of a reviewer."),
        ));
    };
    let id = app.sessions.begin(bearer);
    let cookie = session::set_cookie(&id, app.origins.is_secure());
    let cookie = HeaderValue::from_str(&cookie).expect("it is ASCII");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOut {
    secret: String,
}

impl Guarded for SignOut {
    fn secret(&self) -> &str {
        &self.secret
    }
}

pub(crate) async fn sign_out(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let SignOut { .. } = read_guarded(&session, request).await?;
    app.sessions.end(&headers);
    Ok(Redirect::to("/sign-in").into_response())
}

fn form(status: StatusCode, fault: Option<&str>) -> Response {
    let content = html! {
        @if let Some(fault) = fault { p.problem role="alert" { (fault) } }
        form method="post" action="/sign-in" {
            label for="token" { "Token of a reviewer" }
            input id="token" name="token" type="password" autocomplete="current-password" required;
            button { "Sign in" }
        }
        p { "An operator makes one by " code { "proofload token create NAME --role reviewer" } "." }
    };
    layout::page(status, "Sign in", None, &content)
}
