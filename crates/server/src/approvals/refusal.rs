//! What the gate refuses, as problems.

use approval_workflow::Error;
use jsonl_storage::Error as LogError;
use serde_json::json;

use crate::clock;
use crate::http::problem::{Code, Problem, not_found};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            // Also for what is not the caller's to see.
            Error::UnknownRequest { .. } => return not_found(),
            Error::Text { .. } => Code::InvalidText,
            Error::Action(_) => Code::ActionInvalid,
            Error::TooLarge { .. } => Code::TooLarge,
            Error::ContextTooDeep { .. } => Code::ContextTooDeep,
            Error::SecretRepeated { .. } => Code::SecretRepeated,
            Error::RequestExists { .. } => Code::AlreadyExists,
            Error::KeyConflict { .. } => Code::IdempotencyKeyReused,
            Error::SelfReview { .. } => Code::SelfReview,
            Error::DelegateOfRequester { .. } => Code::DelegateOfRequester,
            Error::NotDelegate { .. } => Code::NotDelegate,
            Error::UnknownReviewer { .. } => Code::UnknownReviewer,
            Error::AlreadyVoted { .. } => Code::AlreadyVoted,
            Error::NotRequester { .. } => Code::NotRequester,
            Error::ReasonMissing { .. } => Code::ReasonMissing,
            Error::SecondFactorMissing { .. } => Code::SecondFactorMissing,
            Error::SecondFactorUnregistered { .. } => Code::SecondFactorUnregistered,
            Error::SecondFactorWrong { .. } => Code::SecondFactorWrong,
            Error::SecondFactorReplayed { .. } => Code::SecondFactorReplayed,
            Error::SecondFactorLocked { .. } => Code::SecondFactorLocked,
            Error::AlreadySettled { .. } => Code::AlreadySettled,
            Error::Expired { .. } => Code::Expired,
            Error::Signature { .. } => Code::SignatureInvalid,
            Error::GlassNotAllowed { .. } => Code::GlassNotAllowed,
            Error::NothingToAttest { .. } => Code::NothingToAttest,
            Error::NotExecutable { .. } | Error::OlderThanSeen { .. } => Code::NotExecutable,
            Error::NotClaimed { .. } => Code::NotClaimed,
            Error::WrongToken { .. } => Code::WrongToken,
            Error::AlreadyFinished { .. } => Code::AlreadyFinished,
            Error::Log(LogError::Full { .. }) => Code::StorageFull,
            Error::Log(_) => Code::StoreFailed,
            _ => Code::Internal,
        };
        more(Self::new(code, detail(&error)), &error)
    }
}

/// The message with its causes: the first alone may only say what was done.
fn detail(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

/// Adds what a program has to know.
fn more(problem: Problem, error: &Error) -> Problem {
    match error {
        Error::NotExecutable { reason, .. } => {
            problem.with("reason", reason.as_str().replace(' ', "_"))
        }
        Error::OlderThanSeen { .. } => problem.with("reason", "restored"),
        Error::AlreadySettled {
            status,
            first: Some(first),
            ..
        } => problem
            .with("status_now", status.as_str())
            .with("first", review(first)),
        Error::AlreadySettled { status, .. } => problem.with("status_now", status.as_str()),
        Error::AlreadyVoted { first } => problem.with("first", review(first)),
        Error::Signature { fault, .. } => problem.with("fault", json!(fault)),
        Error::SecondFactorLocked { until, .. } => {
            problem.retry_after(until.since(clock::now()).as_secs().max(1))
        }
        _ => problem,
    }
}

fn review(first: &approval_workflow::Review) -> serde_json::Value {
    json!({ "reviewer": first.reviewer, "verdict": first.verdict, "at": clock::text(first.at) })
}
