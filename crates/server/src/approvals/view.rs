//! A request as it is answered.

use action::Action;
use approval_workflow::{
    Binding, Claim, Disposition, Receipt, ReceiptOutcome, Request, Sensitivity, Status, Vote,
    request_digest,
};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::clock::{self, Moment};
use crate::http::json::json;
use crate::http::problem::Code;
use crate::state::AppState;

type Object = Map<String, Value>;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Approval {
    pub(crate) id: String,
    #[schemars(with = "String")]
    pub(crate) status: Status,
    pub(crate) requester: String,
    asked_at: Moment,
    pub(crate) decide_by: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_by: Option<Moment>,
    #[schemars(with = "Object")]
    pub(crate) action: Action,
    /// The digest of the action, which a decision names as what was shown.
    pub(crate) digest: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) context: Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    #[schemars(with = "String")]
    need: Disposition,
    #[schemars(with = "String")]
    pub(crate) sensitivity: Sensitivity,
    requires_reason: bool,
    requires_code: bool,
    #[schemars(with = "Object")]
    #[serde(skip_serializing_if = "Binding::is_empty")]
    binding: Binding,
    pub(crate) reviews: Vec<ReviewView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<MissingView>,
    level: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glass: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation: Option<Said>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uses: Vec<ClaimView>,
    pub(crate) viewer: Viewer,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReviewView {
    pub(crate) reviewer: String,
    #[schemars(with = "String")]
    pub(crate) verdict: Vote,
    pub(crate) at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<String>,
    is_signed: bool,
}

/// People who have to approve still.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MissingView {
    pub(crate) people: usize,
    /// Of which group; of any without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
}

/// What a person said at a moment.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    pub(crate) by: String,
    at: Moment,
    pub(crate) reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ClaimView {
    /// Hand it to the system that is acted on, and let it refuse lower ones.
    pub(crate) token: u64,
    pub(crate) claimed_at: Moment,
    digest: String,
    claimant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    outcome: Option<ReceiptOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<String>,
}

/// What the caller can do about it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Viewer {
    pub(crate) can_decide: bool,
    /// The code that a decision would be refused with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<String>,
}

impl ClaimView {
    pub(crate) fn of(claim: &Claim, receipt: Option<&Receipt>) -> Self {
        Self {
            token: claim.token.0,
            claimed_at: claim.at.into(),
            digest: claim.digest.to_string(),
            claimant: claim.claimant.to_string(),
            outcome: receipt.map(|receipt| receipt.outcome),
            observed: receipt
                .map(|receipt| receipt.observed.clone())
                .filter(|text| !text.is_empty()),
        }
    }
}

impl Approval {
    pub(crate) fn of(app: &AppState, who: &Principal, request: &Request) -> Self {
        let asked = &*request.submission;
        let now = clock::now();
        let status = request.status(now);
        let missing = match status {
            Status::Pending => app.gate.workflow().missing(request, now),
            _ => Vec::new(),
        };
        let said = |by: &approval_workflow::PersonId, at: action::Timestamp, reason: &str| Said {
            by: by.to_string(),
            at: at.into(),
            reason: reason.to_owned(),
        };
        Self {
            id: asked.id.to_string(),
            status,
            requester: asked.requester.to_string(),
            asked_at: asked.at.into(),
            decide_by: asked.decide_by().into(),
            execute_by: request.execute_by().map(Moment::from),
            action: asked.action.clone(),
            digest: asked.digest.to_string(),
            context: asked.context.clone(),
            rule: asked.rule.clone(),
            need: asked.need,
            sensitivity: asked.terms.sensitivity,
            requires_reason: asked.terms.requires_reason,
            requires_code: asked.terms.requires_second_factor,
            binding: asked.binding.clone(),
            reviews: request.reviews.iter().map(ReviewView::of).collect(),
            missing: missing
                .into_iter()
                .map(|missing| MissingView {
                    people: missing.people,
                    of: missing.of.map(|group| group.to_string()),
                })
                .collect(),
            level: request.level,
            changes: request
                .changes
                .as_ref()
                .map(|wish| said(&wish.by, wish.at, &wish.reason)),
            glass: request
                .glass
                .as_ref()
                .map(|glass| said(&glass.by, glass.at, &glass.reason)),
            attestation: request
                .attestation
                .as_ref()
                .map(|done| said(&done.by, done.at, &done.finding)),
            uses: request
                .uses()
                .map(|(claim, receipt)| ClaimView::of(claim, receipt))
                .collect(),
            viewer: viewer(app, who, request, status),
        }
    }
}

impl ReviewView {
    fn of(review: &approval_workflow::Review) -> Self {
        Self {
            reviewer: review.reviewer.to_string(),
            verdict: review.verdict,
            at: review.at.into(),
            reason: review.reason.clone(),
            on_behalf_of: review.on_behalf_of.as_ref().map(ToString::to_string),
            is_signed: review.signature.is_some(),
        }
    }
}

/// Said before anybody fills in a form that would be refused.
fn viewer(app: &AppState, who: &Principal, request: &Request, status: Status) -> Viewer {
    let voted = request
        .reviews
        .iter()
        .any(|review| review.reviewer == who.person);
    let why_not = if !who.is(Role::Reviewer) {
        Some(Code::InsufficientScope)
    } else if status == Status::Expired {
        Some(Code::Expired)
    } else if status != Status::Pending {
        Some(Code::AlreadySettled)
    } else if request.submission.requester == who.person {
        Some(Code::SelfReview)
    } else if voted {
        Some(Code::AlreadyVoted)
    } else if app
        .gate
        .workflow()
        .could_approve(request, &who.person, clock::now())
    {
        None
    } else {
        Some(Code::UnknownReviewer)
    };
    Viewer {
        can_decide: why_not.is_none(),
        why_not: why_not.map(|code| code.as_str().to_owned()),
    }
}

/// Changes with everything that happens to a request, and with its status, which time alone can change.
pub(crate) fn etag(request: &Request) -> String {
    let digest = request_digest(request).to_string();
    format!("\"{}-{}\"", &digest[..32], request.status(clock::now()))
}

/// The request, as the caller sees it.
pub(crate) fn answer(
    app: &AppState,
    who: &Principal,
    request: &Request,
    status: StatusCode,
) -> Response {
    let mut response = json(status, &Approval::of(app, who, request));
    let headers = response.headers_mut();
    headers.insert(
        header::ETAG,
        HeaderValue::from_str(&etag(request)).expect("digits and a word"),
    );
    if status == StatusCode::CREATED {
        let place = format!(
            "/api/v1/approvals/{}",
            percent(request.submission.id.as_str())
        );
        headers.insert(
            header::LOCATION,
            HeaderValue::from_str(&place).expect("it is ASCII"),
        );
    }
    response
}

/// An id as a part of a path: ids are printable ASCII, of which some means something else there.
pub(crate) fn percent(id: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    id.bytes()
        .map(|byte| {
            if is_plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
