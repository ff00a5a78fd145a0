//! The way of an event to the disk and to everyone's eyes.
//!
//! An event is checked against the newest state and given its place in the log under one short lock,
//! so the log's order is the order in which the events were checked. The lock is released while the
//! disk works. Only then is the event published, in the log's order; so what anyone can see is on
//! disk. A refusal that rests on an event still on its way waits for it too: "already decided by
//! bob" is told only when bob's decision can no longer be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jsonl_storage::{ChainLink, Follow, Log, Recovery, Scan, Seq, Ticket};

use crate::keys::{Body, KeyUse};
use crate::snapshot::Snapshots;
use crate::staging::Staging;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::view::{Found, View};
use crate::waiting::Bell;
use crate::{
    AuditEntry, Error, Event, IdempotencyKey, Opening, PersonId, Request, RequestId, Submission,
    lifecycle, rebuild,
};

#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) log: Log<Event>,
    pub(crate) staging: Mutex<Staging>,
    /// The last event that was published, for those who need no more than that.
    pub(crate) shown: AtomicU64,
    /// Signalled when events were published, or when it became certain that none will be.
    pub(crate) published: Condvar,
    /// Rung after something was published.
    pub(crate) bell: Bell,
    pub(crate) view: View,
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
        &self.view
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

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// A request as its published events leave it.
    pub(crate) fn get(&self, id: &RequestId) -> Result<Option<Arc<Request>>, Error> {
        self.view.find(id).map(|found| self.read(found)).transpose()
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
        let events = self.view.events(id);
        let trail = events.map(|events| rebuild::trail(&self.log, id, &events));
        trail.transpose()
    }

    /// Where a published event stands in the log's chain, if it has one.
    pub(crate) fn link(&self, seq: Seq) -> Result<Option<ChainLink>, Error> {
        Ok(self.log.link(seq)?)
    }

    /// Why nothing will be published any more.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.staging.lock().failure.clone().map(Error::from)
    }

    /// Waits until what was published shows something; none if that took longer than `limit`.
    pub(crate) fn wait_within<T>(
        &self,
        limit: Duration,
        look: impl Fn() -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let mut found = look();
        let mut staging = self.staging.lock();
        let waits = |staging: &mut Staging| {
            found = found.take().or_else(&look);
            found.is_none() && staging.failure.is_none()
        };
        let _ = self.published.wait_while_for(&mut staging, waits, limit);
        match (found, &staging.failure) {
            (None, Some(failure)) => Err(failure.clone().into()),
            (found, _) => Ok(found),
        }
    }

    /// Writes the event that `make` derives from the newest state of a request, and returns the
    /// state after it when both are on disk.
    pub(crate) fn commit(
        &self,
        id: &RequestId,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Arc<Request>, Error> {
        let mut staging = self.staging.lock();
        let newest = self.newest(&staging, id)?;
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
        let (ticket, after) = match self.stage(&mut staging, event, newest) {
            Ok(staged) => staged,
            Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
        };
        drop(staging);
        self.settle(ticket)?;
        refusal.map_or(Ok(after), Err)
    }

    /// Writes a request, under an id of its own or a derived one; in the same breath, marks the one
    /// that it takes the place of. Were only the mark to reach the disk, nothing could run that
    /// should not.
    pub(crate) fn commit_new(
        &self,
        id: Option<RequestId>,
        key: Option<(&IdempotencyKey, Body)>,
        replaced: Option<(&RequestId, PersonId)>,
        make: impl FnOnce(RequestId) -> Submission,
    ) -> Result<Arc<Request>, Error> {
        let mut staging = self.staging.lock();
        if let Some((key, body)) = key
            && let Some(seq) = self.used_key(&staging, key, body)?
        {
            let used = self.request_of(&staging, seq)?;
            if id.is_some_and(|id| id != used) {
                let (key, id) = (key.clone(), used);
                return Err(self.refuse(staging, seq, Error::KeyConflict { key, id }));
            }
            return self.repeat(staging, seq, &used);
        }
        let id = match id {
            Some(id) => id,
            None => self.free_id(&staging)?,
        };
        if let Some((seq, _)) = self.newest(&staging, &id)? {
            return Err(self.refuse(staging, seq, Error::RequestExists { id }));
        }
        let submission = make(id);
        if let Some((id, by)) = replaced {
            let newest = self.newest(&staging, id)?;
            let changed = newest.as_ref().map(|(_, request)| request.changed_at);
            let event = Event::Superseded {
                id: id.clone(),
                at: submission.at.max(changed.unwrap_or_default()),
                by,
                successor: submission.id.clone(),
            };
            if let Err((reason, refusal)) = self.stage(&mut staging, event, newest) {
                return Err(self.refuse(staging, reason, refusal));
            }
        }
        let event = Event::Requested(Arc::new(submission));
        let (ticket, after) = match self.stage(&mut staging, event, None) {
            Ok(staged) => staged,
            Err((reason, refusal)) => return Err(self.refuse(staging, reason, refusal)),
        };
        drop(staging);
        self.settle(ticket)?;
        Ok(after)
    }

    /// Checks an event and gives it its place in the log. A refusal comes with the event that it
    /// rests on.
    fn stage(
        &self,
        staging: &mut Staging,
        event: Event,
        newest: Option<(Seq, Arc<Request>)>,
    ) -> Result<(Ticket, Arc<Request>), (Seq, Error)> {
        if let Some(failure) = &staging.failure {
            return Err((Seq::ZERO, failure.clone().into()));
        }
        let (known, current) = match &newest {
            Some((seq, request)) => (*seq, Some(&**request)),
            None => (Seq::ZERO, None),
        };
        let after = lifecycle::apply(current, &event).map_err(|error| (known, error))?;
        let check = staging.factors.check(&event);
        check.map_err(|(reason, error)| (known.max(reason), error))?;
        let ticket = self
            .log
            .submit(&event)
            .map_err(|error| (Seq::ZERO, error.into()))?;
        let after = Arc::new(after);
        if staging.advance(ticket.seq(), event, &after) {
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

    fn free_id(&self, staging: &Staging) -> Result<RequestId, Error> {
        let mut ids = (staging.requests + 1..).map(RequestId::derived);
        let is_free = |id: &RequestId| staging.ahead(id).is_none() && self.view.find(id).is_none();
        let free = ids.find(is_free);
        Ok(free.expect("there are more numbers than requests"))
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

    /// The newest state of a request and the last event on its way that it rests on.
    fn newest(
        &self,
        staging: &Staging,
        id: &RequestId,
    ) -> Result<Option<(Seq, Arc<Request>)>, Error> {
        let ahead = staging.ahead(id);
        #[cfg(shuttle)]
        let ahead = ahead.filter(|_| !crate::planted::is_forgetful());
        if let Some(ahead) = ahead {
            return Ok(Some(ahead));
        }
        Ok(self.get(id)?.map(|request| (Seq::ZERO, request)))
    }

    fn settle(&self, ticket: Ticket) -> Result<(), Error> {
        let result = ticket.wait();
        if let Ok(seq) = &result
            && self.shown.load(Ordering::Acquire) >= seq.0
        {
            // One of those who waited for the same sync published it for all of them.
            return Ok(());
        }
        let mut staging = self.staging.lock();
        match &result {
            Ok(seq) => staging.acknowledged = staging.acknowledged.max(*seq),
            Err(error) => {
                staging.failure.get_or_insert_with(|| error.clone());
            }
        }
        self.publish(&mut staging);
        self.published.notify_all();
        let snapshot = self.due_snapshot(&staging);
        drop(staging);
        self.bell.ring();
        if let Some(snapshot) = snapshot {
            self.write_in_passing(snapshot);
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
        mut staging: MutexGuard<'_, Staging>,
        seq: Seq,
    ) -> Result<(), Error> {
        loop {
            self.publish(&mut staging);
            if staging.published >= seq {
                return Ok(());
            }
            if let Some(failure) = &staging.failure {
                return Err(failure.clone().into());
            }
            self.published.wait(&mut staging);
        }
    }

    /// Shows the events that are as durable as the log's level says.
    fn publish(&self, staging: &mut Staging) {
        let durable = self.log.durable().max(staging.acknowledged);
        while let Some((seq, event, after)) = staging.next_to_publish(durable) {
            self.view.publish(seq, &event, &after);
        }
        self.shown.store(staging.published.0, Ordering::Release);
    }
}
