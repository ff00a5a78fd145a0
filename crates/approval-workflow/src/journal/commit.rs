//! Checks an event against the newest state, gives it its place in the log, and waits for it.

use std::sync::Arc;

use action::Timestamp;
use jsonl_storage::{Seq, Ticket};

use crate::error::Error;
use crate::journal::Journal;
use crate::journal::answer::Answer;
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
        self.wait(self.begin(id, None, make)?)
    }

    /// Checks a command and gives its event its place in the log, without waiting for the disk. If the
    /// event has a signature, that was verified before.
    pub(crate) fn begin(
        &self,
        id: &RequestId,
        proof: Option<&Proof>,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Answer, Error> {
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
            Ok(Step::Repeat(of)) => return Ok(Answer::Repeat { of, id: id.clone() }),
            Ok(Step::Refuse(reason, error)) => return Ok(refusal_of(known.max(reason), error)),
            Err(error) => return Ok(refusal_of(known, error)),
        };
        Ok(
            match self.stage(&mut staging, named, event, newest, proof) {
                Ok((ticket, after)) => Answer::Event {
                    ticket,
                    after,
                    refusal,
                },
                Err((reason, error)) => refusal_of(reason, error),
            },
        )
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
        drop(staging);
        if let Some(ticket) = last {
            self.settle(ticket)?;
        }
        Ok(written)
    }

    /// As [`begin`](Self::begin) of a request, under an id of its own or a derived one; with it, marks the one
    /// that it takes the place of. Were only the mark to reach the disk, nothing could run that
    /// should not.
    pub(crate) fn begin_new(
        &self,
        id: Option<RequestId>,
        key: Option<(IdempotencyKey, Body)>,
        replaced: Option<(RequestId, PersonId)>,
        claimant: Option<&PersonId>,
        make: impl FnOnce(RequestId, Timestamp) -> Submission,
    ) -> Result<Answer, Error> {
        let named = id.as_ref().map(|id| self.view().named(id));
        let mut staging = self.publisher.staging.lock();
        if let Some((key, body)) = key
            && let Some(seq) = self.used_key(&staging, &key, body)?
        {
            let used = self.request_of(&staging, seq)?;
            if id.is_some_and(|id| id != used) {
                return Ok(refusal_of(seq, Error::KeyConflict { key, id: used }));
            }
            return Ok(Answer::Repeat { of: seq, id: used });
        }
        let named = match named {
            None => self.free_id(&staging),
            Some(named) => match self.newest(&staging, &named)? {
                None => named,
                Some((seq, _)) => {
                    let id = named.id;
                    return Ok(refusal_of(seq, Error::RequestExists { id }));
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
            if let Err((reason, error)) = self.stage(&mut staging, earlier, event, newest, None) {
                return Ok(refusal_of(reason, error));
            }
        }
        let event = Event::Requested(Arc::new(submission));
        let (mut ticket, mut after) =
            match self.stage(&mut staging, named.clone(), event, None, None) {
                Ok(staged) => staged,
                Err((reason, error)) => return Ok(refusal_of(reason, error)),
            };
        if let Some(claimant) = claimant
            && self.view().gate(&after).is_open()
        {
            let event = Event::Claimed(first_claim(&after, claimant, staging.next_token()));
            let newest = Some((ticket.seq(), after));
            (ticket, after) = match self.stage(&mut staging, named, event, newest, None) {
                Ok(staged) => staged,
                Err((reason, error)) => return Ok(refusal_of(reason, error)),
            };
        }
        Ok(Answer::Event {
            ticket,
            after,
            refusal: None,
        })
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

fn refusal_of(from: Seq, error: Error) -> Answer {
    Answer::Refusal { from, error }
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
