//! Checks an event against the newest state, gives it its place in the log, and waits for it.

use std::sync::Arc;

use action::Timestamp;
use jsonl_storage::{Seq, Ticket};

use crate::error::Error;
use crate::journal::Journal;
use crate::journal::staging::Staging;
use crate::model::event::{Event, Submission};
use crate::model::grant::Claim;
use crate::model::keys::Body;
use crate::model::names::{IdempotencyKey, PersonId, RequestId};
use crate::model::request::Request;
use crate::model::token::FencingToken;
use crate::review::signed::Proof;
use crate::state::keyed::Named;
use crate::state::lifecycle;

/// What a caller wants to happen.
pub(crate) enum Step {
    Record(Event),
    /// The event is recorded, and the caller is told that it was refused.
    RecordAndRefuse(Event, Error),
    /// It happened before, as this event.
    Repeat(Seq),
    /// It is refused because of this event.
    Refuse(Seq, Error),
}

impl Journal {
    /// Writes the event that `make` derives from the newest state of a request, and returns the
    /// state after it when both are on disk.
    pub(crate) fn commit(
        &self,
        id: &RequestId,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Arc<Request>, Error> {
        self.commit_proven(id, None, make)
    }

    /// As [`commit`](Self::commit), with the event's signature verified before.
    pub(crate) fn commit_proven(
        &self,
        id: &RequestId,
        proof: Option<&Proof>,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Arc<Request>, Error> {
        let named = self.view().named(id);
        let mut staging = self.publisher.staging.lock();
        let newest = self.newest(&staging, &named)?;
        let (known, current) = match &newest {
            Some((seq, request)) => (*seq, Some(&**request)),
            None => (Seq::ZERO, None),
        };
        let (event, refusal) = match make(current, &staging) {
            Ok(Step::Record(event)) => (event, None),
            Ok(Step::RecordAndRefuse(event, refusal)) => (event, Some(refusal)),
            Ok(Step::Repeat(seq)) => return self.repeat(staging, seq, id),
            Ok(Step::Refuse(reason, refusal)) => {
                return Err(self.refuse(staging, known.max(reason), refusal));
            }
            Err(refusal) => return Err(self.refuse(staging, known, refusal)),
        };
        let (ticket, after) = match self.stage(&mut staging, named, event, newest, proof) {
            Ok(staged) => staged,
            Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
        };
        self.settle(staging, ticket)?;
        refusal.map_or(Ok(after), Err)
    }

    /// Writes an event about each of several requests, unless it cannot happen, and returns how many
    /// when they are on disk: one sync is enough for all.
    pub(crate) fn commit_each(
        &self,
        ids: &[RequestId],
        make: impl Fn(&Request) -> Event,
    ) -> Result<usize, Error> {
        let mut staging = self.publisher.staging.lock();
        let (mut written, mut last) = (0, None);
        for id in ids {
            let named = self.view().named(id);
            let Some((seq, request)) = self.newest(&staging, &named)? else {
                continue;
            };
            let event = make(&request);
            match self.stage(&mut staging, named, event, Some((seq, request)), None) {
                Ok((ticket, _)) => (written, last) = (written + 1, Some(ticket)),
                Err((_, error @ Error::Log(_))) => return Err(error),
                // It happened meanwhile.
                Err(_) => {}
            }
        }
        if let Some(ticket) = last {
            self.settle(staging, ticket)?;
        }
        Ok(written)
    }

    /// Writes a request, under an id of its own or a derived one; with it, marks the one that it takes
    /// the place of. Were only the mark to reach the disk, nothing could run that
    /// should not.
    pub(crate) fn commit_new(
        &self,
        id: Option<RequestId>,
        key: Option<(IdempotencyKey, Body)>,
        replaced: Option<(RequestId, PersonId)>,
        claimant: Option<&PersonId>,
        make: impl FnOnce(RequestId, Timestamp) -> Submission,
    ) -> Result<Arc<Request>, Error> {
        let named = id.as_ref().map(|id| self.view().named(id));
        let mut staging = self.publisher.staging.lock();
        if let Some((key, body)) = key
            && let Some(seq) = self.used_key(&staging, &key, body)?
        {
            let used = self.request_of(&staging, seq)?;
            if id.is_some_and(|id| id != used) {
                let refusal = Error::KeyConflict { key, id: used };
                return Err(self.refuse(staging, seq, refusal));
            }
            return self.repeat(staging, seq, &used);
        }
        let named = match named {
            None => self.free_id(&staging),
            Some(named) => match self.newest(&staging, &named)? {
                None => named,
                Some((seq, _)) => {
                    let id = named.id;
                    return Err(self.refuse(staging, seq, Error::RequestExists { id }));
                }
            },
        };
        let submission = make(named.id.clone(), staging.earliest());
        if let Some((id, by)) = replaced {
            let earlier = self.view().named(&id);
            let newest = self.newest(&staging, &earlier)?;
            let at = newest.as_ref().map_or(submission.at, |(_, request)| {
                submission.at.max(request.changed_at)
            });
            let event = Event::Superseded {
                id,
                at,
                by,
                successor: submission.id.clone(),
            };
            if let Err((reason, refusal)) = self.stage(&mut staging, earlier, event, newest, None) {
                return Err(self.refuse(staging, reason, refusal));
            }
        }
        let event = Event::Requested(Arc::new(submission));
        let (mut ticket, mut after) =
            match self.stage(&mut staging, named.clone(), event, None, None) {
                Ok(staged) => staged,
                Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
            };
        if let Some(claimant) = claimant
            && self.view().gate(&after).is_open()
        {
            let event = Event::Claimed(first_claim(&after, claimant, staging.next_token()));
            let newest = Some((ticket.seq(), after));
            (ticket, after) = match self.stage(&mut staging, named, event, newest, None) {
                Ok(staged) => staged,
                Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
            };
        }
        self.settle(staging, ticket)?;
        Ok(after)
    }

    /// Checks an event and gives it its place in the log. A refusal comes with the event that it
    /// rests on.
    fn stage(
        &self,
        staging: &mut Staging,
        named: Named,
        event: Event,
        newest: Option<(Seq, Arc<Request>)>,
        proof: Option<&Proof>,
    ) -> Result<(Ticket, Arc<Request>), (Seq, Error)> {
        if let Some(failure) = &staging.failure {
            return Err((Seq::ZERO, failure.clone().into()));
        }
        let (known, current) = match &newest {
            Some((seq, request)) => (*seq, Some(&**request)),
            None => (Seq::ZERO, None),
        };
        let after =
            lifecycle::apply_proven(current, &event, proof).map_err(|error| (known, error))?;
        let check = staging.factors.check(&event);
        check.map_err(|(reason, error)| (known.max(reason), error))?;
        let ticket = self
            .log
            .submit(&event)
            .map_err(|error| (Seq::ZERO, error.into()))?;
        let after = Arc::new(after);
        if staging.advance(ticket.seq(), named, event, &after) {
            return Ok((ticket, after));
        }
        // What the state rests on is not in the log.
        let failure = jsonl_storage::Error::Poisoned {
            dir: self.log.dir().to_owned(),
            cause: "the log refused an earlier event".to_owned(),
        };
        staging.failure.get_or_insert_with(|| failure.clone());
        Err((Seq::ZERO, failure.into()))
    }

    fn free_id(&self, staging: &Staging) -> Named {
        let ids = (staging.requests + 1..).map(RequestId::derived);
        let mut ids = ids.map(|id| self.view().named(&id));
        let is_free =
            |named: &Named| staging.ahead(named).is_none() && self.view().find(named).is_none();
        let free = ids.find(is_free);
        free.expect("there are more numbers than requests")
    }
}

/// The claim of a request that needed nobody, by the caller who asks for it: nothing changed meanwhile.
fn first_claim(request: &Request, claimant: &PersonId, token: FencingToken) -> Claim {
    let asked = &*request.submission;
    Claim {
        id: asked.id.clone(),
        at: request.changed_at,
        claimant: claimant.clone(),
        digest: asked.digest,
        token,
        key: None,
        seen: asked.binding.clone(),
        step: None,
    }
}
