use std::path::PathBuf;

use action::Timestamp;
use jsonl_storage::Seq;

use crate::model::event::Review;
use crate::model::grant::Receipt;
use crate::model::names::{IdempotencyKey, PersonId, RequestId};
use crate::model::permission::DenyReason;
use crate::model::request::Status;
use crate::model::signature::SignatureFault;
use crate::model::token::FencingToken;

/// What the workflow refuses, and why.
///
/// Every refusal is stable: it rests on state that is on disk, so asking again, or after a restart,
/// gives the same answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Input.
    /// An id, a name or a reason that could not be shown to a person, or could be mistaken for
    /// another one. Ids are printable ASCII, people are written in lower case.
    #[error("invalid {what} {text:?}: {fault}")]
    Text {
        /// Which text, such as "request id".
        what: &'static str,
        /// The text as given, cut to 80 characters.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The action has no canonical form, so nothing could be bound to it. The source says why.
    #[error("action cannot be bound to an approval")]
    Action(#[from] action::Error),
    /// More than can be asked for in one request. Pass a reference to what is large.
    #[error("{what} has {bytes} bytes, at most {most} are taken")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size as JSON, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// A context nested deeper than can be read back. Flatten it.
    #[error("context is nested deeper than {levels} levels")]
    ContextTooDeep {
        /// The limit, in levels.
        levels: usize,
    },

    // Policy and directory.
    /// A policy that contradicts itself, or of which a part could never apply. Correct the rule.
    #[error("policy, {place}: {fault}")]
    Policy {
        /// Which rule or part.
        place: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A policy that is not one, with the place of the first fault.
    #[error("policy, line {line}, column {column}: {fault}")]
    PolicyText {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong there.
        fault: String,
    },
    /// A secret that is no base32 text (RFC 4648) of at least 128 bits. Register another.
    #[error("second factor of {person}: the secret is not base32 of at least 128 bits")]
    Secret {
        /// Whose secret.
        person: PersonId,
    },

    /// Two people of the directory have names that are easily taken for one another. Rename one.
    #[error("{first} and {other} of the directory look alike")]
    LookAlike {
        /// One of them.
        first: PersonId,
        /// The other one.
        other: PersonId,
    },
    /// Delegations that form a circle, so that people would be their own delegates. Leave one out.
    #[error("delegation from {from} to {to} closes a circle")]
    DelegationCycle {
        /// In whose place.
        from: PersonId,
        /// Who would decide.
        to: PersonId,
    },

    // Requests.
    /// The id is taken. Ids are never used again, not even after the request was settled.
    #[error("request {id} exists already")]
    RequestExists {
        /// The id.
        id: RequestId,
    },
    /// No such request.
    #[error("no request {id}")]
    UnknownRequest {
        /// The id.
        id: RequestId,
    },

    /// The key was used before, for something else. Use a new key for new content.
    #[error("idempotency key {key} was used for another content, on request {id}")]
    KeyConflict {
        /// The key.
        key: IdempotencyKey,
        /// The request that it was used for.
        id: RequestId,
    },

    /// A value is to be hidden, and there is no key to salt it with. Give one by
    /// [`Options::secret_key`](crate::Options::secret_key).
    #[error("{name} is secret, and the workflow was opened without a key for secrets")]
    SecretKeyMissing {
        /// The field, or the first name that the policy hides.
        name: String,
    },
    /// A value that is to be hidden occurs in the request once more, where it would be written. Leave
    /// it out there, or hide that field too.
    #[error("the value of the secret {name} also occurs in the clear elsewhere in the request")]
    SecretRepeated {
        /// The field that was to be hidden.
        name: String,
    },

    // Decisions.
    /// The person who asks does not decide. Another person must.
    #[error("{person} asked for request {id} and cannot decide it")]
    SelfReview {
        /// The request.
        id: RequestId,
        /// The requester.
        person: PersonId,
    },
    /// A delegate of the requester does not decide what the requester asks for.
    /// Another person must.
    #[error(
        "{person} is a delegate of {requester}, who asked for request {id}, and cannot decide it"
    )]
    DelegateOfRequester {
        /// The request.
        id: RequestId,
        /// Who tried.
        person: PersonId,
        /// The requester.
        requester: PersonId,
    },
    /// No delegation lets the person decide about this action in the other's place at this moment.
    #[error("{person} may not decide request {id} in the place of {principal}")]
    NotDelegate {
        /// The request.
        id: RequestId,
        /// Who tried.
        person: PersonId,
        /// In whose place.
        principal: PersonId,
    },
    /// The directory does not list the reviewer. Register the person, or ask one who is.
    #[error("{person} is not in the directory of reviewers")]
    UnknownReviewer {
        /// The person.
        person: PersonId,
    },
    /// The reviewer has decided this request before; the first vote counts.
    #[error("{} voted on request {} before, to {:?}", first.reviewer, first.id, first.verdict)]
    AlreadyVoted {
        /// The first vote.
        first: Box<Review>,
    },
    /// Only the requester withdraws or replaces a request. A reviewer denies it, or revokes its
    /// approval.
    #[error("{person} did not ask for request {id}")]
    NotRequester {
        /// The request.
        id: RequestId,
        /// Who tried.
        person: PersonId,
    },
    /// The rule demands a reason. Decide again with one that is not blank.
    #[error("request {id} is to be decided with a reason")]
    ReasonMissing {
        /// The request.
        id: RequestId,
    },
    /// The rule demands a second factor. Decide again with a one-time code.
    #[error("request {id} is to be approved with a second factor")]
    SecondFactorMissing {
        /// The request.
        id: RequestId,
    },
    /// The reviewer has no secret in the directory. Register one.
    #[error("{person} has no second factor registered")]
    SecondFactorUnregistered {
        /// The reviewer.
        person: PersonId,
    },
    /// The code is not the reviewer's code of now, nor of the step before or after.
    #[error("wrong one-time code of {person}")]
    SecondFactorWrong {
        /// The reviewer.
        person: PersonId,
    },
    /// The code, or a later one, was used before. Wait for the next one (RFC 6238, section 5.2).
    #[error("one-time code of {person} was used before")]
    SecondFactorReplayed {
        /// The reviewer.
        person: PersonId,
    },
    /// Too many wrong codes (RFC 4226, section 7.3). Wait.
    #[error("second factor of {person} is locked until {until}")]
    SecondFactorLocked {
        /// The reviewer.
        person: PersonId,
        /// When codes are taken again.
        until: Timestamp,
    },
    /// The request was settled before; the first decision counts.
    #[error("request {id} is already {status}{}", by(first.as_deref()))]
    AlreadySettled {
        /// The request.
        id: RequestId,
        /// How it was settled.
        status: Status,
        /// The review that settled it; none if a rule settled it, or no review did.
        first: Option<Box<Review>>,
    },
    /// The time to decide is over and the request was not denied: ask again.
    #[error("request {id} expired at {decide_by}, undecided")]
    Expired {
        /// The request.
        id: RequestId,
        /// When the time to decide was over.
        decide_by: Timestamp,
    },
    /// The time to decide is not over, so the request cannot be recorded as expired.
    #[error("request {id} does not expire before {decide_by}")]
    NotDue {
        /// The request.
        id: RequestId,
        /// When the time to decide is over.
        decide_by: Timestamp,
    },

    /// The review is not signed as the policy demands. Sign what
    /// [`ReviewStatement`](crate::ReviewStatement) states, with the key that the policy lists.
    #[error("review of request {id} by {person}: {fault}")]
    Signature {
        /// The request.
        id: RequestId,
        /// Who decided.
        person: PersonId,
        /// What is wrong.
        fault: SignatureFault,
    },

    // Emergencies.
    /// The terms let no group, or only other groups, approve alone.
    #[error("{person} may not break the glass for request {id}")]
    GlassNotAllowed {
        /// The request.
        id: RequestId,
        /// Who tried.
        person: PersonId,
    },
    /// The request was not approved by one person alone, or was attested before.
    #[error("request {id} owes no review")]
    NothingToAttest {
        /// The request.
        id: RequestId,
    },

    // Grants.
    /// The action may not run; the reason says why, as [`can_execute`](crate::ApprovalWorkflow::can_execute)
    /// would.
    #[error("request {id} cannot be executed: {reason}")]
    NotExecutable {
        /// The request.
        id: RequestId,
        /// Why.
        reason: DenyReason,
    },
    /// The approval was not claimed, so there is no use of it to report.
    #[error("request {id} was not claimed")]
    NotClaimed {
        /// The request.
        id: RequestId,
    },
    /// The token is not that of the claim, nor of an earlier one.
    #[error("request {id} was claimed with token {token}, not {given}")]
    WrongToken {
        /// The request.
        id: RequestId,
        /// The token of the report.
        given: FencingToken,
        /// The token of the claim.
        token: FencingToken,
    },
    /// The use of the approval was reported before; the first report counts.
    #[error("request {id} was reported before, as {:?}", first.outcome)]
    AlreadyFinished {
        /// The request.
        id: RequestId,
        /// The first report.
        first: Box<Receipt>,
    },

    // Exports.
    /// A text that is not the history of a request as it was exported.
    #[error("bundle, line {line}: {fault}")]
    Bundle {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// A file cannot be written. Create its directory, or free space on the disk.
    #[error("writing {} failed", path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    // The log.
    /// The log cannot be opened, read or written. When a write failed, close and open again: what
    /// was not acknowledged may or may not be there.
    #[error("approval log failed")]
    Log(#[from] jsonl_storage::Error),
    /// An event of a request that was there when the log was opened is not there now: a file was
    /// removed or replaced meanwhile. Put it back, and open again.
    #[error("event {seq} of request {id} is not in the log any more")]
    EventMissing {
        /// The request.
        id: RequestId,
        /// The event.
        seq: Seq,
    },
    /// The snapshot cannot be written. Nothing is lost by it: the next opening reads more of the log.
    #[error("writing snapshot {} failed", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log holds an event that cannot have happened, such as an approval by the requester. It
    /// was written by something else. Nothing is opened on top of it.
    #[error("event {seq} of the log cannot have happened")]
    Replay {
        /// The event.
        seq: Seq,
        /// Which rule it breaks.
        #[source]
        source: Box<Error>,
    },
    /// The log holds a claim whose number does not follow the one before.
    #[error("claim with token {token} where {expected} was expected")]
    TokenOutOfOrder {
        /// The token.
        token: FencingToken,
        /// The next token.
        expected: FencingToken,
    },
    /// An event that is about no request stands where one about a request belongs.
    #[error("the event is about no request")]
    NoRequest,
    /// The log is older than what the caller has seen: the directory was restored from an older copy.
    /// Open it with [`Options::restored`](crate::Options::restored).
    #[error(
        "token {seen} was seen, but the log has given out {given} at most: it is an older copy"
    )]
    OlderThanSeen {
        /// The token that the caller has seen.
        seen: FencingToken,
        /// The highest token of the log.
        given: FencingToken,
    },
    /// The log holds a restore whose token is below one that was given out before.
    #[error("restore with token {token}, below {given}, which was given out before")]
    RestoreOutOfOrder {
        /// The token of the restore.
        token: FencingToken,
        /// The highest token before.
        given: FencingToken,
    },
    /// The log holds an escalation that does not raise the level by one.
    #[error("request {id} escalated to level {level} where {expected} was expected")]
    LevelOutOfOrder {
        /// The request.
        id: RequestId,
        /// The level.
        level: u32,
        /// The next level.
        expected: u32,
    },
    /// The log holds an action that is not the one its approval is bound to.
    #[error("action of request {id} does not have the digest that was recorded with it")]
    DigestMismatch {
        /// The request.
        id: RequestId,
    },
}

fn by(first: Option<&Review>) -> String {
    first.map_or_else(String::new, |review| format!(" by {}", review.reviewer))
}
