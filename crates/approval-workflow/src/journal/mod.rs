//! Writes events to the log, and publishes each once it is on disk.
//!
//! An event is checked against the newest state and given its place in the log under one short lock,
//! so the log's order is the order in which the events were checked. The lock is released while the
//! disk works. Only then is the event published, in the log's order; so what anyone can see is on
//! disk. A refusal that rests on an event that is not on disk yet waits for it too: "already decided by
//! bob" is told only when bob's decision can no longer be lost.

pub(crate) mod notify;
pub(crate) mod opening;
pub(crate) mod publisher;
pub(crate) mod rebuild;
pub(crate) mod snapshot;
pub(crate) mod snapshot_format;
pub(crate) mod staging;

use std::sync::Arc;

use jsonl_storage::{ChainLink, Follow, Log, Recovery, Scan, Seq, Ticket};

use crate::error::Error;
use crate::journal::publisher::Publisher;
use crate::journal::snapshot::{Opening, Snapshots};
use crate::journal::staging::Staging;
use crate::model::event::{AuditEntry, Event, Submission};
use crate::model::keys::{Body, KeyUse};
use crate::model::names::{IdempotencyKey, PersonId, RequestId};
use crate::model::request::Request;
use crate::review::signed::Proof;
use crate::state::keyed::Named;
use crate::state::lifecycle;
use crate::state::view::{Found, View};
use crate::sync::MutexGuard;

#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) log: Log<Event>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) snapshots: Snapshots,
    pub(crate) opening: Opening,
}

/// What a caller wants to happen.
pub(crate) enum Step {
    Record(Event),
    /// The event is recorded, and the caller is told that it was refused.
    RecordAndRefuse(Event, Error),
    /// It happened before, as this event.
    Repeat(Seq),
}

impl Journal {
    pub(crate) fn view(&self) -> &View {
        &self.publisher.view
    }

    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    pub(crate) fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(crate) fn is_chained(&self) -> bool {
        self.log.is_chained()
    }

    pub(crate) fn recovery(&self) -> &Recovery {
        self.log.recovery()
    }

    pub(crate) fn scan(&self) -> Result<Scan<Event>, Error> {
        Ok(self.log.scan()?)
    }

    pub(crate) fn follow(&self, from: Seq) -> Follow<'_, Event> {
        self.log.follow(from)
    }

    /// A request as its published events leave it.
    pub(crate) fn get(&self, id: &RequestId) -> Result<Option<Arc<Request>>, Error> {
        self.look_up(&self.view().named(id))
    }

    pub(crate) fn look_up(&self, named: &Named) -> Result<Option<Arc<Request>>, Error> {
        let found = self.view().find(named);
        found.map(|found| self.read(found)).transpose()
    }

    /// A request that is in memory, or else read back from the log.
    pub(crate) fn read(&self, found: Found) -> Result<Arc<Request>, Error> {
        match found {
            Found::Held(request) => Ok(request),
            Found::Stored(id, events) => rebuild::request(&self.log, &id, &events).map(Arc::new),
        }
    }

    /// The published events of a request.
    pub(crate) fn trail(&self, id: &RequestId) -> Result<Option<Vec<AuditEntry>>, Error> {
        let events = self.view().events(id);
        let trail = events.map(|events| rebuild::trail(&self.log, id, &events));
        trail.transpose()
    }

    /// The place of a published event in the log's chain, if it has one.
    pub(crate) fn link(&self, seq: Seq) -> Result<Option<ChainLink>, Error> {
        Ok(self.log.link(seq)?)
    }

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
            Err(refusal) => return Err(self.refuse(staging, known, refusal)),
        };
        let (ticket, after) = match self.stage(&mut staging, named, event, newest, proof) {
            Ok(staged) => staged,
            Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
        };
        self.settle(staging, ticket)?;
        refusal.map_or(Ok(after), Err)
    }

    /// Writes a request, under an id of its own or a derived one; with it, marks the one that it takes
    /// the place of. Were only the mark to reach the disk, nothing could run that
    /// should not.
    pub(crate) fn commit_new(
        &self,
        id: Option<RequestId>,
        key: Option<(IdempotencyKey, Body)>,
        replaced: Option<(RequestId, PersonId)>,
        make: impl FnOnce(RequestId) -> Submission,
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
        let submission = make(named.id.clone());
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
        let (ticket, after) = match self.stage(&mut staging, named, event, None, None) {
            Ok(staged) => staged,
            Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
        };
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

    /// Answers what was done before, once it is on disk.
    fn repeat(
        &self,
        staging: MutexGuard<'_, Staging>,
        done: Seq,
        id: &RequestId,
    ) -> Result<Arc<Request>, Error> {
        self.wait_until_published(staging, done)?;
        let unknown = || Error::UnknownRequest { id: id.clone() };
        self.get(id)?.ok_or_else(unknown)
    }

    /// The event that the same call made before under its key, if it did.
    pub(crate) fn used_key(
        &self,
        staging: &Staging,
        key: &IdempotencyKey,
        body: Body,
    ) -> Result<Option<Seq>, Error> {
        match staging.keys.find(key, body) {
            KeyUse::New => Ok(None),
            KeyUse::Repeated(seq) => Ok(Some(seq)),
            KeyUse::Conflict(seq) => {
                let (key, id) = (key.clone(), self.request_of(staging, seq)?);
                Err(Error::KeyConflict { key, id })
            }
        }
    }

    fn request_of(&self, staging: &Staging, seq: Seq) -> Result<RequestId, Error> {
        match staging.request_of(seq) {
            Some(id) => Ok(id.clone()),
            None => rebuild::request_of(&self.log, seq),
        }
    }

    /// What was asked for, as far as the events go that have their place; it never changes again.
    pub(crate) fn asked(&self, id: &RequestId) -> Result<Option<Arc<Submission>>, Error> {
        let named = self.view().named(id);
        let ahead = self.publisher.staging.lock().ahead(&named);
        let newest = match ahead {
            Some((_, request)) => Some(request),
            None => self.look_up(&named)?,
        };
        Ok(newest.map(|request| Arc::clone(&request.submission)))
    }

    /// The newest state of a request and the last unpublished event that it rests on.
    fn newest(
        &self,
        staging: &Staging,
        named: &Named,
    ) -> Result<Option<(Seq, Arc<Request>)>, Error> {
        let ahead = staging.ahead(named);
        #[cfg(shuttle)]
        let ahead = ahead.filter(|_| !crate::planted::is_forgetful());
        if let Some(ahead) = ahead {
            return Ok(Some(ahead));
        }
        let published = self.look_up(named)?;
        Ok(published.map(|request| (Seq::ZERO, request)))
    }

    /// Waits for an event, and sees to it that it is published.
    fn settle(&self, staging: MutexGuard<'_, Staging>, ticket: Ticket) -> Result<(), Error> {
        let (mut staging, result) = match ticket.outcome() {
            // A log that buffers has acknowledged it already.
            Some(result) => (staging, result),
            None => {
                drop(staging);
                let result = ticket.wait();
                if let Ok(seq) = &result
                    && self.publisher.shows(*seq)
                    && !self.snapshots.is_due(*seq)
                {
                    // The thread that led the commit published it for all who waited.
                    self.publisher.tell();
                    return Ok(());
                }
                (self.publisher.staging.lock(), result)
            }
        };
        match &result {
            Ok(seq) => staging.acknowledged = staging.acknowledged.max(*seq),
            Err(error) => {
                staging.failure.get_or_insert_with(|| error.clone());
            }
        }
        self.publisher.publish(&mut staging, self.log.durable());
        let snapshot = self.snapshots.due(&self.log, &staging, self.view());
        drop(staging);
        self.publisher.tell();
        if let Some(snapshot) = snapshot {
            self.snapshots.write_in_passing(&self.log, snapshot);
        }
        result.map(drop).map_err(Error::from)
    }

    /// Returns the refusal when the events that it rests on are on disk, or the failure to get them
    /// there.
    fn refuse(&self, staging: MutexGuard<'_, Staging>, reason: Seq, refusal: Error) -> Error {
        match self.wait_until_published(staging, reason) {
            Ok(()) => refusal,
            Err(failure) => failure,
        }
    }

    fn wait_until_published(
        &self,
        staging: MutexGuard<'_, Staging>,
        seq: Seq,
    ) -> Result<(), Error> {
        let durable = || self.log.durable();
        self.publisher.wait_until_published(staging, seq, durable)
    }
}
