//! The outermost layer: the request's id, the body of a problem, and the headers of every answer.

use std::any::Any;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::hooks;
use crate::http::json::json;
use crate::http::problem::{self, Code, Problem};
use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const NO_SNIFF: (HeaderName, HeaderValue) = (
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderValue::from_static("nosniff"),
);

/// Gives a request its id, and every answer what it must have.
pub(crate) async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = app.request_ids.next();
    let host = hooks::asked_by_host(request.uri());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if problem.code == Code::StoreFailed {
            app.store_failed.store(true, Ordering::Relaxed);
        }
        response = match host {
            Some(host) => hooks::refusal(host, &problem),
            None => with_body(response, &problem, &id),
        };
    }
    let headers = response.headers_mut();
    headers.insert(
        REQUEST_ID,
        HeaderValue::from_str(&id).expect("ids are ASCII"),
    );
    headers.insert(NO_SNIFF.0, NO_SNIFF.1);
    // What is answered depends on the token and on the moment.
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

/// The answer to a problem, with its body.
fn with_body(response: Response, problem: &Problem, id: &str) -> Response {
    let mut whole = json(problem.code.status(), &problem.body(id));
    let (parts, _) = response.into_parts();
    whole.headers_mut().extend(parts.headers);
    let media_type = HeaderValue::from_static(problem::MEDIA_TYPE);
    whole.headers_mut().insert(header::CONTENT_TYPE, media_type);
    whole
}

/// The answer in place of a handler that panicked.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    let detail = "the server has a defect; what was asked for may or may not have happened";
    Problem::new(Code::Internal, detail).into_response()
}

pub(crate) async fn no_route() -> Problem {
    problem::not_found()
}

pub(crate) async fn no_method() -> Problem {
    let detail = "this route has other methods: see /api/v1/openapi.json";
    Problem::new(Code::MethodNotAllowed, detail)
}
