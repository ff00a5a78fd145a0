//! In front of each route: sheds load, asks for the token, checks the role, counts.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::access::principal::{Principal, unauthenticated};
use crate::access::tokens::Role;
use crate::clock;
use crate::http::body;
use crate::http::facts::{Access, Facts};
use crate::http::problem::{Code, Problem};
use crate::state::{App, AppState};

pub(crate) async fn guard(
    State((app, facts)): State<(App, Arc<Facts>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let entered = enter(&app, &facts, &mut request);
    let response = match entered {
        Ok(_place) => next.run(request).await,
        Err(problem) => {
            app.figures.refused(problem.code);
            if facts.access == Access::Handler {
                // A host that is cut off while it sends sees no refusal, and lets the call pass.
                let _ = body::read(request.into_body()).await;
            }
            if facts.access == Access::Session && problem.code == Code::Unauthenticated {
                Redirect::to("/sign-in").into_response()
            } else {
                problem.into_response()
            }
        }
    };
    app.figures.count(
        (facts.method, facts.path),
        response.status(),
        started.elapsed(),
    );
    response
}

/// A place among the requests in flight, held until the request is answered.
fn enter<'a>(
    app: &'a AppState,
    facts: &Facts,
    request: &mut Request,
) -> Result<impl Drop + use<'a>, Problem> {
    let place = app.lanes.enter(facts.lane).ok_or_else(overloaded)?;
    let allowed: Option<&[Role]> = match facts.access {
        Access::Public | Access::Handler => return Ok(place),
        Access::Page | Access::Session => {
            app.origins.check(request.method(), request.headers())?;
            if facts.access == Access::Session {
                let session = app.sessions.of(&app.tokens, request.headers());
                let session = session.ok_or_else(unauthenticated)?;
                app.limiter.take(&session.principal)?;
                request.extensions_mut().insert(session);
            }
            return Ok(place);
        }
        Access::Anyone => None,
        Access::Roles(roles) => Some(roles),
    };
    // Only code of this process can have put one there: see `Local`.
    let principal = match request.extensions().get::<Principal>() {
        Some(principal) => principal.clone(),
        None => {
            let principal = authenticate(app, request.headers())?;
            app.limiter.take(&principal)?;
            principal
        }
    };
    if allowed.is_some_and(|roles| !roles.contains(&principal.role)) {
        let detail = format!("a token of the role {} may not do this", principal.role);
        return Err(Problem::new(Code::InsufficientScope, detail));
    }
    request.extensions_mut().insert(principal);
    Ok(place)
}

/// Who sent these headers. What is wrong with a token is not told: whoever tries one learns nothing.
pub(crate) fn authenticate(app: &AppState, headers: &HeaderMap) -> Result<Principal, Problem> {
    let value = headers.get(header::AUTHORIZATION);
    let token = value.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let bearer = match token {
        None => None,
        Some(token) => app
            .tokens
            .bearer(token.trim(), clock::now())
            .map_err(|error| {
                Problem::new(Code::Internal, format!("tokens cannot be checked: {error}"))
            })?,
    };
    let bearer = bearer.ok_or_else(unauthenticated)?;
    let (person, role) = (bearer.person, bearer.role);
    Ok(Principal { person, role })
}

fn overloaded() -> Problem {
    Problem::new(Code::Overloaded, "too many requests are in flight")
}
