//! Forms: read within the limits of all bodies, and only with the session's secret.

use std::sync::Arc;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::body;
use crate::http::problem::{Code, Problem};
use crate::inbox::session::Session;

/// A form without a session's secret: only to sign in.
pub(crate) async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(body).await?;
    let whole = Request::from_parts(parts, Body::from(bytes));
    let form = Form::<T>::from_request(whole, &()).await;
    form.map(|Form(form)| form)
        .map_err(|error| Problem::new(Code::InvalidField, error.body_text()))
}

/// A form that brings the secret of the session along.
pub(crate) trait Guarded: DeserializeOwned {
    fn secret(&self) -> &str;
}

pub(crate) async fn read_guarded<T: Guarded>(
    session: &Session,
    request: Request,
) -> Result<T, Problem> {
    let form: T = read(request).await?;
    // Digests are compared in constant time.
    if blake3::hash(form.secret().as_bytes()) == blake3::hash(session.secret.as_bytes()) {
        return Ok(form);
    }
    let detail = "the form is not of this session: open the page again";
    Err(Problem::new(Code::CsrfFailed, detail))
}

/// The session that the guard found.
pub(crate) struct SignedIn(pub(crate) Arc<Session>);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let session = parts.extensions.get::<Arc<Session>>().cloned();
        session
            .map(Self)
            .ok_or_else(|| Problem::new(Code::Unauthenticated, "sign in"))
    }
}
