//! The way of an event to the disk and to everyone's eyes.
//!
//! An event is checked against the newest state and given its place in the log under one short lock,
//! so the log's order is the order in which the events were checked. The lock is released while the
//! disk works. Only then is the event published, in the log's order; so what anyone can see is on
//! disk. A refusal that rests on an event still on its way waits for it too: "already decided by
//! bob" is told only when bob's decision can no longer be lost.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jsonl_storage::{Backend, Follow, Log, LogOptions, Record, Recovery, Scan, Seq, Ticket};

use crate::keys::{Body, KeyBook};
use crate::second_factor::FactorBook;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::view::View;
use crate::waiting::Bell;
use crate::{
    Error, Event, FencingToken, IdempotencyKey, PersonId, Request, RequestId, Submission, lifecycle,
};

#[derive(Debug)]
pub(crate) struct Journal {
    log: Log<Event>,
    staging: Mutex<Staging>,
    /// Signalled when events were published, or when it became certain that none will be.
    published: Condvar,
    /// Rung after something was published.
    bell: Bell,
    view: View,
}

/// The state that is ahead of the disk.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    /// The newest state of the requests with events on their way.
    ahead: HashMap<RequestId, (Seq, Arc<Request>)>,
    /// The events on their way, in the log's order.
    queue: VecDeque<(Seq, Event, Arc<Request>)>,
    published: Seq,
    factors: FactorBook,
    pub(crate) keys: KeyBook,
    /// How many requests there are.
    requests: u64,
    /// How many claims there are.
    claims: u64,
    failure: Option<jsonl_storage::Error>,
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
    pub(crate) fn open(dir: &Path, view: View) -> Result<Self, Error> {
        Self::begin(LogOptions::new().open(dir)?, view)
    }

    pub(crate) fn open_on(backend: Arc<dyn Backend>, view: View) -> Result<Self, Error> {
        Self::begin(LogOptions::new().open_on(backend)?, view)
    }

    fn begin(log: Log<Event>, view: View) -> Result<Self, Error> {
        let journal = Self {
            log,
            staging: Mutex::default(),
            published: Condvar::new(),
            bell: Bell::default(),
            view,
        };
        let mut staging = journal.staging.lock();
        for record in journal.log.scan()? {
            let Record { seq, data } = record?;
            journal
                .replay(&mut staging, seq, data)
                .map_err(|error| Error::Replay {
                    seq,
                    source: Box::new(error),
                })?;
        }
        drop(staging);
        Ok(journal)
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
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

    pub(crate) fn close(self) -> Result<(), Error> {
        Ok(self.log.close()?)
    }

    /// Writes the event that `make` derives from the newest state of a request, and returns the
    /// state after it when both are on disk.
    pub(crate) fn commit(
        &self,
        id: &RequestId,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Arc<Request>, Error> {
        let mut staging = self.staging.lock();
        let newest = self.newest(&staging, id);
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
        let (ticket, after) = match self.stage(&mut staging, event) {
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
            && let Some((seq, used)) = staging.keys.find(key, body)?
        {
            if id.is_some_and(|id| id != used) {
                let (key, id) = (key.clone(), used);
                return Err(self.refuse(staging, seq, Error::KeyConflict { key, id }));
            }
            return self.repeat(staging, seq, &used);
        }
        let id = id.unwrap_or_else(|| self.free_id(&staging));
        if let Some((seq, _)) = self.newest(&staging, &id) {
            return Err(self.refuse(staging, seq, Error::RequestExists { id }));
        }
        let submission = make(id);
        if let Some((id, by)) = replaced {
            let changed = self
                .newest(&staging, id)
                .map(|(_, request)| request.changed_at);
            let event = Event::Superseded {
                id: id.clone(),
                at: submission.at.max(changed.unwrap_or_default()),
                by,
                successor: submission.id.clone(),
            };
            if let Err((reason, refusal)) = self.stage(&mut staging, event) {
                return Err(self.refuse(staging, reason, refusal));
            }
        }
        let event = Event::Requested(Arc::new(submission));
        let (ticket, after) = match self.stage(&mut staging, event) {
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
    ) -> Result<(Ticket, Arc<Request>), (Seq, Error)> {
        let newest = self.newest(staging, event.id());
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
        staging.advance(ticket.seq(), event, &after);
        Ok((ticket, after))
    }

    fn free_id(&self, staging: &Staging) -> RequestId {
        (staging.requests + 1..)
            .map(RequestId::derived)
            .find(|id| self.newest(staging, id).is_none())
            .expect("there are more numbers than requests")
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
        self.view.get(id).ok_or_else(unknown)
    }

    /// The newest state of a request and the last event on its way that it rests on.
    fn newest(&self, staging: &Staging, id: &RequestId) -> Option<(Seq, Arc<Request>)> {
        let ahead = staging.ahead.get(id).cloned();
        #[cfg(shuttle)]
        let ahead = ahead.filter(|_| !crate::planted::is_forgetful());
        ahead.or_else(|| Some((Seq::ZERO, self.view.get(id)?)))
    }

    fn settle(&self, ticket: Ticket) -> Result<(), Error> {
        let result = ticket.wait();
        let mut staging = self.staging.lock();
        if let Err(error) = &result {
            staging.failure.get_or_insert_with(|| error.clone());
        }
        self.publish(&mut staging);
        self.published.notify_all();
        drop(staging);
        self.bell.ring();
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

    /// Shows the events that are on disk.
    fn publish(&self, staging: &mut Staging) {
        let durable = self.log.durable();
        while let Some((seq, event, after)) =
            staging.queue.pop_front_if(|(seq, ..)| *seq <= durable)
        {
            let id = event.id().clone();
            self.view.publish(seq, event, after);
            staging.published = seq;
            if staging
                .ahead
                .get(&id)
                .is_some_and(|(newest, _)| *newest <= seq)
            {
                staging.ahead.remove(&id);
            }
        }
    }

    fn replay(&self, staging: &mut Staging, seq: Seq, event: Event) -> Result<(), Error> {
        if let Event::Requested(submission) = &event
            && submission.action.digest()? != submission.digest
        {
            let id = submission.id.clone();
            return Err(Error::DigestMismatch { id });
        }
        let current = self.view.get(event.id());
        let after = lifecycle::apply(current.as_deref(), &event)?;
        staging.factors.check(&event).map_err(|(_, error)| error)?;
        staging.check_token(&event)?;
        staging.keys.check(&event)?;
        staging.count(seq, &event);
        self.view.publish(seq, event, Arc::new(after));
        staging.published = seq;
        Ok(())
    }
}

impl Staging {
    fn advance(&mut self, seq: Seq, event: Event, after: &Arc<Request>) {
        self.count(seq, &event);
        let id = event.id().clone();
        self.ahead.insert(id, (seq, Arc::clone(after)));
        self.queue.push_back((seq, event, Arc::clone(after)));
    }

    pub(crate) fn next_token(&self) -> FencingToken {
        FencingToken(self.claims + 1)
    }

    fn check_token(&self, event: &Event) -> Result<(), Error> {
        let expected = self.next_token();
        match event {
            Event::Claimed(claim) if claim.token != expected => Err(Error::TokenOutOfOrder {
                token: claim.token,
                expected,
            }),
            _ => Ok(()),
        }
    }

    fn count(&mut self, seq: Seq, event: &Event) {
        self.factors.apply(seq, event);
        self.keys.apply(seq, event);
        self.claims += u64::from(matches!(event, Event::Claimed(_)));
        self.requests += u64::from(matches!(event, Event::Requested(_)));
    }
}
