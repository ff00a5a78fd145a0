use std::path::Path;
use std::sync::Arc;

use action::{Action, ActionDigest};
use jsonl_storage::Recovery;
use serde_json::{Map, Value};

use crate::journal::Journal;
use crate::second_factor::Verifier;
use crate::{
    AuditEntry, DenyReason, Directory, Error, Event, Listing, OneTimeCode, Page, Permission,
    PersonId, Policy, Request, RequestId, Review, Rulebook, State, Statistics, Status, Submission,
    Timestamp, Verdict, lifecycle, names,
};

/// How a workflow is opened; ends in [`Options::open`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    directory: Option<Directory>,
}

impl Options {
    /// Lists who may review, and the secrets of their second factors (default: anyone but the
    /// requester may review, and nobody has a second factor).
    #[must_use]
    pub fn directory(mut self, directory: Directory) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Opens the workflow whose log is in `dir`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] or [`Error::Secret`] for what could not work; [`Error::Log`] when the log
    /// cannot be opened; [`Error::Replay`] when it holds an event that cannot have happened.
    pub fn open(self, dir: impl AsRef<Path>, policy: Policy) -> Result<ApprovalWorkflow, Error> {
        let rulebook = Rulebook::new(policy)?;
        let verifier = self.directory.as_ref().map(Verifier::new).transpose()?;
        let journal = Journal::open(dir.as_ref())?;
        Ok(ApprovalWorkflow {
            journal,
            rulebook,
            verifier,
        })
    }
}

/// The gate before real actions. Share it by reference or in an [`Arc`].
///
/// Every call that changes something returns when the change is on disk. What a call shows is on
/// disk, so nobody acts on an approval that a power cut could take back.
#[derive(Debug)]
pub struct ApprovalWorkflow {
    journal: Journal,
    rulebook: Rulebook,
    verifier: Option<Verifier>,
}

/// What someone wants to do.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRequest {
    /// The request's id; without one, the workflow derives it from the number of the request.
    pub id: Option<RequestId>,
    /// What is to be done.
    pub action: Action,
    /// Who asks.
    pub requester: PersonId,
    /// The circumstances, for the policy's conditions and for the person who decides.
    pub context: Map<String, Value>,
    /// When.
    pub at: Timestamp,
}

impl NewRequest {
    /// Makes a request without an id of its own and without a context.
    #[must_use]
    pub fn new(action: Action, requester: PersonId, at: Timestamp) -> Self {
        Self {
            id: None,
            action,
            requester,
            context: Map::new(),
            at,
        }
    }

    /// Names the request.
    #[must_use]
    pub fn with_id(mut self, id: RequestId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets one field of the context, replacing an earlier value under the same name.
    #[must_use]
    pub fn with_context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }
}

/// What a person decides. That the caller is this person is for the caller's authentication to
/// establish; the second factor is verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// Who decides.
    pub reviewer: PersonId,
    /// Why.
    pub reason: Option<String>,
    /// The code that the reviewer's authenticator shows.
    pub second_factor: Option<OneTimeCode>,
    /// When.
    pub at: Timestamp,
}

impl Decision {
    /// Makes an approval without a reason or a second factor.
    #[must_use]
    pub fn approve(reviewer: PersonId, at: Timestamp) -> Self {
        Self {
            verdict: Verdict::Approve,
            reviewer,
            reason: None,
            second_factor: None,
            at,
        }
    }

    /// Makes a denial without a reason.
    #[must_use]
    pub fn deny(reviewer: PersonId, at: Timestamp) -> Self {
        Self {
            verdict: Verdict::Deny,
            ..Self::approve(reviewer, at)
        }
    }

    /// Gives the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Gives the second factor.
    #[must_use]
    pub fn with_second_factor(mut self, code: OneTimeCode) -> Self {
        self.second_factor = Some(code);
        self
    }
}

impl ApprovalWorkflow {
    /// The largest action, in bytes of JSON.
    pub const MAX_ACTION_BYTES: usize = 256 << 10;
    /// The largest context, in bytes of JSON.
    pub const MAX_CONTEXT_BYTES: usize = 64 << 10;
    /// The deepest nesting of a context, in levels.
    pub const MAX_CONTEXT_DEPTH: usize = 32;
    /// The longest reason, in bytes.
    pub const MAX_REASON_BYTES: usize = 16 << 10;

    /// Opens a workflow without a directory of reviewers; see [`Options::open`].
    ///
    /// # Errors
    ///
    /// As [`Options::open`].
    pub fn open(dir: impl AsRef<Path>, policy: Policy) -> Result<Self, Error> {
        Self::options().open(dir, policy)
    }

    /// Starts with every default.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Asks for an approval.
    ///
    /// Every request is recorded, also one that needs nobody: its state is then approved from the
    /// start, and its [`rule`](Submission::rule) says by which rule. An action that no rule covers
    /// waits for a person, on the terms of the policy's default.
    ///
    /// # Errors
    ///
    /// [`Error::Action`], [`Error::Text`], [`Error::TooLarge`] or [`Error::ContextTooDeep`] for what
    /// could not be bound, shown or read back; [`Error::RequestExists`]; [`Error::Log`].
    pub fn request(&self, new: NewRequest) -> Result<Arc<Request>, Error> {
        check_action(&new.action)?;
        check_context(&new.context)?;
        let digest = new.action.digest()?;
        let ruling = self.rulebook.judge(&new.action, &new.context);
        let (rule, need) = (ruling.rule.map(|rule| rule.label().to_owned()), ruling.need);
        let terms = ruling.terms.clone();
        let submit = |id: RequestId| {
            Event::Requested(Arc::new(Submission {
                id,
                at: new.at,
                requester: new.requester,
                action: new.action,
                digest,
                context: new.context,
                policy: self.rulebook.digest(),
                rule,
                need,
                terms,
            }))
        };
        match new.id {
            Some(id) => {
                let event = submit(id.clone());
                self.journal.commit(&id, |_| Ok((event, None)))
            }
            None => self.journal.commit_new(submit),
        }
    }

    /// Decides a request. The first decision stands.
    ///
    /// A decision that is dated before the request's last event counts as made at that event.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] with the decision that stands; [`Error::Expired`];
    /// [`Error::SelfReview`], [`Error::UnknownReviewer`], [`Error::ReasonMissing`] and the errors of
    /// the second factor; [`Error::Text`] or [`Error::TooLarge`] for a reason that could not be
    /// shown; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn decide(&self, id: &RequestId, decision: Decision) -> Result<Arc<Request>, Error> {
        if let Some(reason) = &decision.reason {
            names::check_text("reason", reason, Self::MAX_REASON_BYTES)?;
        }
        let factor = self.verify(&decision)?;
        self.journal.commit(id, |current| {
            let Some(current) = current else {
                return Err(Error::UnknownRequest { id: id.clone() });
            };
            let at = decision.at.max(current.changed_at);
            if matches!(current.state, State::Pending) && current.is_overdue(at) {
                let event = Event::Expired { id: id.clone(), at };
                return Ok((event, Some(lifecycle::expired(current))));
            }
            Ok(match factor {
                Factor::Wrong => wrong_code(id, decision.reviewer, at),
                Factor::None => (review(id, decision, at, None), None),
                Factor::Step(step) => (review(id, decision, at, Some(step)), None),
            })
        })
    }

    /// Says whether an action may run now on the strength of a request.
    ///
    /// It may if the request is approved, the approval is on disk and not over, and the action is
    /// exactly the one that was asked for.
    pub fn can_execute(&self, id: &RequestId, action: &Action, now: Timestamp) -> Permission {
        match action.digest() {
            Ok(digest) => self.can_execute_digest(id, &digest, now),
            Err(_) => Permission::Denied(DenyReason::ActionInvalid),
        }
    }

    /// As [`can_execute`](Self::can_execute), for a caller that has the action's digest.
    ///
    /// Takes no lock that a writer holds while it waits or works, and its time does not depend on
    /// the number of requests.
    pub fn can_execute_digest(
        &self,
        id: &RequestId,
        digest: &ActionDigest,
        now: Timestamp,
    ) -> Permission {
        self.journal.view().ask(id, digest, now)
    }

    /// Where a request stands at a moment; none if there is no such request.
    #[must_use]
    pub fn status(&self, id: &RequestId, now: Timestamp) -> Option<Status> {
        self.get(id).map(|request| request.status(now))
    }

    /// A request and its decisions; none if there is no such request.
    #[must_use]
    pub fn get(&self, id: &RequestId) -> Option<Arc<Request>> {
        self.journal.view().get(id)
    }

    /// The requests that wait for a decision, the oldest first. Its time does not depend on how many
    /// are settled.
    #[must_use]
    pub fn pending(&self, page: Page, now: Timestamp) -> Listing {
        self.journal.view().pending(page, now)
    }

    /// Records every request as expired that nobody decided in time, and says how many.
    ///
    /// Nothing depends on it but the trail: an overdue request is expired whether or not an event
    /// says so.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    pub fn expire_due(&self, now: Timestamp) -> Result<usize, Error> {
        let mut expired = 0;
        for id in self.journal.view().overdue(now) {
            let event = Event::Expired {
                id: id.clone(),
                at: now,
            };
            match self.journal.commit(&id, |_| Ok((event, None))) {
                Ok(_) => expired += 1,
                Err(error @ Error::Log(_)) => return Err(error),
                // Somebody else recorded it meanwhile.
                Err(_) => {}
            }
        }
        Ok(expired)
    }

    /// Everything that happened to a request, in order; none if there is no such request.
    #[must_use]
    pub fn audit_trail(&self, id: &RequestId) -> Option<Vec<AuditEntry>> {
        self.journal.view().trail(id)
    }

    /// Everything that happened, in order, read from the log.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when the log cannot be read; each entry may fail likewise.
    pub fn audit_log(&self) -> Result<impl Iterator<Item = Result<AuditEntry, Error>>, Error> {
        let entries = self.journal.scan()?;
        Ok(entries.map(|record| {
            let record = record?;
            Ok(AuditEntry {
                seq: record.seq,
                event: record.data,
            })
        }))
    }

    /// Counts over all requests. Its time does not depend on how many are settled.
    #[must_use]
    pub fn statistics(&self, now: Timestamp) -> Statistics {
        self.journal.view().statistics(now)
    }

    /// Every request in the order in which they were asked, while others may be added.
    pub fn requests(&self) -> impl Iterator<Item = Arc<Request>> {
        /// So many at a time, to hold the lock shortly.
        const CHUNK: usize = 256;
        (0..)
            .map(|chunk| self.journal.view().slice(chunk * CHUNK, CHUNK))
            .take_while(|requests| !requests.is_empty())
            .flatten()
    }

    /// Every decision of every request, in the order of the requests.
    pub fn decisions(&self) -> impl Iterator<Item = Review> {
        self.requests().flat_map(|request| request.reviews.clone())
    }

    /// The policy that new requests are judged by.
    #[must_use]
    pub fn rulebook(&self) -> &Rulebook {
        &self.rulebook
    }

    /// What opening the log found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.journal.recovery()
    }

    /// Closes the log and gives its directory free.
    ///
    /// # Errors
    ///
    /// [`Error::Log`]. Nothing that was acknowledged is lost by it.
    pub fn close(self) -> Result<(), Error> {
        self.journal.close()
    }

    fn verify(&self, decision: &Decision) -> Result<Factor, Error> {
        let person = &decision.reviewer;
        if let Some(verifier) = &self.verifier
            && !verifier.knows(person)
        {
            let person = person.clone();
            return Err(Error::UnknownReviewer { person });
        }
        match (&decision.second_factor, &self.verifier) {
            (None, _) => Ok(Factor::None),
            (Some(_), None) => Err(Error::SecondFactorUnregistered {
                person: person.clone(),
            }),
            (Some(code), Some(verifier)) => {
                let step = verifier.step(person, code, decision.at)?;
                Ok(step.map_or(Factor::Wrong, Factor::Step))
            }
        }
    }
}

/// What became of the second factor.
enum Factor {
    None,
    Step(u64),
    Wrong,
}

fn review(id: &RequestId, decision: Decision, at: Timestamp, factor_step: Option<u64>) -> Event {
    Event::Reviewed(Review {
        id: id.clone(),
        at,
        reviewer: decision.reviewer,
        verdict: decision.verdict,
        reason: decision.reason,
        factor_step,
    })
}

fn wrong_code(id: &RequestId, reviewer: PersonId, at: Timestamp) -> (Event, Option<Error>) {
    let refusal = Error::SecondFactorWrong {
        person: reviewer.clone(),
    };
    let id = id.clone();
    (Event::FactorFailed { id, at, reviewer }, Some(refusal))
}

fn check_action(action: &Action) -> Result<(), Error> {
    const MAX_NAME_BYTES: usize = 1 << 10;
    names::check_text("action name", &action.name, MAX_NAME_BYTES)?;
    let most = ApprovalWorkflow::MAX_ACTION_BYTES;
    names::check_text("action description", &action.description, most)?;
    check_size("action", action, most)
}

fn check_context(context: &Map<String, Value>) -> Result<(), Error> {
    let levels = ApprovalWorkflow::MAX_CONTEXT_DEPTH;
    if !context.values().all(|value| fits(value, levels)) {
        return Err(Error::ContextTooDeep { levels });
    }
    check_size("context", context, ApprovalWorkflow::MAX_CONTEXT_BYTES)
}

/// Whether a value is nested at most so many levels deep.
fn fits(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(items), Some(left)) => items.iter().all(|item| fits(item, left)),
        (Value::Object(fields), Some(left)) => fields.values().all(|field| fits(field, left)),
        (Value::Array(_) | Value::Object(_), None) => false,
        _ => true,
    }
}

fn check_size(what: &'static str, value: &impl serde::Serialize, most: usize) -> Result<(), Error> {
    let bytes = crate::content::json_bytes(value);
    if bytes > most {
        return Err(Error::TooLarge { what, bytes, most });
    }
    Ok(())
}
