//! Pages for reviewers: what waits for them, one request with what has to be read before the form, the audit log.
//!
//! Plain pages and forms, which need no JavaScript: where there is some, open pages show what happens. All text of agents is escaped, characters that deceive a reader are
//! shown as escapes, and nothing of it becomes a link. A GET changes nothing; a POST has the session's secret.

mod audit;
pub(crate) mod forms;
mod layout;
mod list;
pub(crate) mod origin;
mod prediction;
mod request;
pub(crate) mod session;
mod sign_in;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::http::facts::Access;
use crate::http::lane::Lane;
use crate::http::route::Route;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", list::page).does("What waits", Access::Session),
        Route::get("/requests/{id}", request::page).does("One request", Access::Session),
        Route::post("/requests/{id}", request::decide)
            .does("Decide it", Access::Session)
            .in_lane(Lane::Finish),
        Route::get("/audit", audit::page).does("The audit log", Access::Session),
        Route::get("/sign-in", sign_in::page).does("Sign in", Access::Page),
        Route::post("/sign-in", sign_in::sign_in).does("Sign in", Access::Page),
        Route::post("/sign-out", sign_in::sign_out).does("Sign out", Access::Session),
        Route::get("/live.js", script).does("How open pages follow what happens", Access::Page),
        Route::get("/inbox.css", style).does("How it looks", Access::Page),
    ]
}

async fn script() -> Response {
    let media_type = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    ([media_type], include_str!("live.js")).into_response()
}

async fn style() -> Response {
    let media_type = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    ([media_type], include_str!("style.css")).into_response()
}
