//! Errors as `application/problem+json` (RFC 9457), each with a stable code.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// Whether it helps to send the request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Retry {
    Never,
    SameRequest,
    AfterChange,
}

macro_rules! codes {
    ($($name:ident $text:literal $status:literal $retry:ident;)*) => {
        /// What went wrong: a closed list, to which later versions only add.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name,)* }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub(crate) fn status(self) -> StatusCode {
                let code = match self { $(Self::$name => $status,)* };
                StatusCode::from_u16(code).expect("the table holds status codes")
            }

            const fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)* }
            }
        }
    };
}

codes! {
    InvalidJson "invalid_json" 400 AfterChange;
    UnknownField "unknown_field" 400 AfterChange;
    InvalidField "invalid_field" 400 AfterChange;
    InvalidText "invalid_text" 400 AfterChange;
    InvalidCursor "invalid_cursor" 400 AfterChange;
    IdempotencyKeyMissing "idempotency_key_missing" 400 AfterChange;
    Unauthenticated "unauthenticated" 401 Never;
    InsufficientScope "insufficient_scope" 403 Never;
    CsrfFailed "csrf_failed" 403 AfterChange;
    OriginRefused "origin_refused" 403 Never;
    SelfReview "self_review" 403 Never;
    DelegateOfRequester "delegate_of_requester" 403 Never;
    NotDelegate "not_delegate" 403 Never;
    UnknownReviewer "unknown_reviewer" 403 Never;
    NotRequester "not_requester" 403 Never;
    GlassNotAllowed "glass_not_allowed" 403 Never;
    NotFound "not_found" 404 Never;
    MethodNotAllowed "method_not_allowed" 405 Never;
    RequestTimeout "request_timeout" 408 SameRequest;
    AlreadySettled "already_settled" 409 Never;
    AlreadyVoted "already_voted" 409 Never;
    AlreadyFinished "already_finished" 409 Never;
    AlreadyExists "already_exists" 409 AfterChange;
    Expired "expired" 409 Never;
    NotClaimed "not_claimed" 409 Never;
    WrongToken "wrong_token" 409 Never;
    NothingToAttest "nothing_to_attest" 409 Never;
    NotExecutable "not_executable" 409 AfterChange;
    WorkflowState "workflow_state" 409 Never;
    QuotaExceeded "quota_exceeded" 409 AfterChange;
    RequestInFlight "request_in_flight" 409 SameRequest;
    ChangedSinceShown "changed_since_shown" 412 AfterChange;
    TooLarge "too_large" 413 AfterChange;
    UnsupportedMediaType "unsupported_media_type" 415 AfterChange;
    ActionInvalid "action_invalid" 422 AfterChange;
    ContextTooDeep "context_too_deep" 422 AfterChange;
    ReasonMissing "reason_missing" 422 AfterChange;
    SecondFactorMissing "second_factor_missing" 422 AfterChange;
    SecondFactorUnregistered "second_factor_unregistered" 422 Never;
    SecondFactorWrong "second_factor_wrong" 422 AfterChange;
    SecondFactorReplayed "second_factor_replayed" 422 AfterChange;
    SignatureInvalid "signature_invalid" 422 AfterChange;
    SecretRepeated "secret_repeated" 422 AfterChange;
    PlanInvalid "plan_invalid" 422 AfterChange;
    WorldInvalid "world_invalid" 422 AfterChange;
    IdempotencyKeyReused "idempotency_key_reused" 422 AfterChange;
    SecondFactorLocked "second_factor_locked" 429 SameRequest;
    RateLimited "rate_limited" 429 SameRequest;
    TooManyWaits "too_many_waits" 429 SameRequest;
    Internal "internal" 500 Never;
    EmbeddingFailed "embedding_failed" 502 SameRequest;
    Overloaded "overloaded" 503 SameRequest;
    StoreFailed "store_failed" 503 SameRequest;
    StorageFull "storage_full" 507 SameRequest;
}

impl Code {
    /// Its name in words.
    fn title(self) -> String {
        let words = self.as_str().replace('_', " ");
        let mut letters = words.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    }
}

/// A refusal or a failure, as it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: String,
    more: Map<String, Value>,
    retry_after_s: Option<u64>,
}

pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        // Whoever is refused for the moment learns when to come again.
        let is_passing = matches!(code, Code::Overloaded | Code::TooManyWaits);
        Self {
            code,
            detail: detail.into(),
            more: Map::new(),
            retry_after_s: is_passing.then_some(1),
        }
    }

    /// Adds a member of its own.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The object that is answered, under the request's id.
    pub(crate) fn body(&self, request_id: &str) -> Value {
        let mut body = self.more.clone();
        let code = self.code.as_str();
        body.insert("type".into(), format!("/problems/{code}").into());
        body.insert("title".into(), self.code.title().into());
        body.insert("status".into(), self.code.status().as_u16().into());
        body.insert("code".into(), code.into());
        body.insert("detail".into(), self.detail.clone().into());
        body.insert("request_id".into(), request_id.into());
        let retry = serde_json::to_value(self.code.retry()).expect("it is a word");
        body.insert("retry".into(), retry);
        body.into()
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers
    }
}

/// Without a body: [`reply::finish`](super::reply::finish) writes it, which knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), self.headers()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is nothing here that this token may see",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_those_that_a_program_needs() {
        let problem = Problem::new(Code::AlreadySettled, "r-1 is denied").with("first", "bob");
        let body = problem.body("q-8");
        let expected = serde_json::json!({
            "type": "/problems/already_settled", "title": "Already settled", "status": 409,
            "code": "already_settled", "detail": "r-1 is denied", "request_id": "q-8",
            "retry": "never", "first": "bob",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn no_two_codes_share_a_name() {
        let names: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.status().as_u16() >= 400));
    }
}
