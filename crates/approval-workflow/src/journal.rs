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

use jsonl_storage::{Log, LogOptions, Record, Recovery, Scan, Seq};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::second_factor::FactorBook;
use crate::view::View;
use crate::{Error, Event, FencingToken, Request, RequestId, Rulebook, lifecycle};

#[derive(Debug)]
pub(crate) struct Journal {
    log: Log<Event>,
    staging: Mutex<Staging>,
    /// Signalled when events were published, or when it became certain that none will be.
    published: Condvar,
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
}

impl Journal {
    pub(crate) fn open(dir: &Path, rulebook: Arc<Rulebook>) -> Result<Self, Error> {
        let journal = Self {
            log: LogOptions::new().open(dir)?,
            staging: Mutex::default(),
            published: Condvar::new(),
            view: View::new(rulebook),
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

    pub(crate) fn close(self) -> Result<(), Error> {
        Ok(self.log.close()?)
    }

    /// Writes the event that `make` derives from the newest state of a request, and returns the
    /// state after it when both are on disk.
    ///
    pub(crate) fn commit(
        &self,
        id: &RequestId,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Arc<Request>, Error> {
        let staging = self.staging.lock();
        self.commit_locked(staging, id, make)
    }

    /// As [`commit`](Self::commit), for a request without an id of its own.
    pub(crate) fn commit_new(
        &self,
        make: impl FnOnce(RequestId) -> Event,
    ) -> Result<Arc<Request>, Error> {
        let staging = self.staging.lock();
        let free = |id: &RequestId| self.newest(&staging, id).is_none();
        let id = (staging.requests + 1..)
            .map(RequestId::derived)
            .find(free)
            .expect("there are more numbers than requests");
        let event = make(id.clone());
        self.commit_locked(staging, &id, |_, _| Ok(Step::Record(event)))
    }

    fn commit_locked(
        &self,
        mut staging: MutexGuard<'_, Staging>,
        id: &RequestId,
        make: impl FnOnce(Option<&Request>, &Staging) -> Result<Step, Error>,
    ) -> Result<Arc<Request>, Error> {
        let newest = self.newest(&staging, id);
        let (known, current) = match &newest {
            Some((seq, request)) => (*seq, Some(&**request)),
            None => (Seq::ZERO, None),
        };
        let (event, refusal) = match make(current, &staging) {
            Ok(Step::Record(event)) => (event, None),
            Ok(Step::RecordAndRefuse(event, refusal)) => (event, Some(refusal)),
            Err(refusal) => return Err(self.refuse(staging, known, refusal)),
        };
        let after = match lifecycle::apply(current, &event) {
            Ok(after) => Arc::new(after),
            Err(refusal) => return Err(self.refuse(staging, known, refusal)),
        };
        if let Err((reason, refusal)) = staging.factors.check(&event) {
            return Err(self.refuse(staging, known.max(reason), refusal));
        }
        let ticket = self.log.submit(&event)?;
        staging.advance(ticket.seq(), event, &after);
        drop(staging);
        self.settle(ticket)?;
        refusal.map_or(Ok(after), Err)
    }

    /// The newest state of a request and the last event on its way that it rests on.
    fn newest(&self, staging: &Staging, id: &RequestId) -> Option<(Seq, Arc<Request>)> {
        let ahead = staging.ahead.get(id).cloned();
        ahead.or_else(|| Some((Seq::ZERO, self.view.get(id)?)))
    }

    fn settle(&self, ticket: jsonl_storage::Ticket) -> Result<(), Error> {
        let result = ticket.wait();
        let mut staging = self.staging.lock();
        if let Err(error) = &result {
            staging.failure.get_or_insert_with(|| error.clone());
        }
        self.publish(&mut staging);
        self.published.notify_all();
        result.map(drop).map_err(Error::from)
    }

    /// Returns the refusal when the events that it rests on are on disk, or the failure to get them
    /// there.
    fn refuse(&self, mut staging: MutexGuard<'_, Staging>, reason: Seq, refusal: Error) -> Error {
        loop {
            self.publish(&mut staging);
            if staging.published >= reason {
                return refusal;
            }
            if let Some(failure) = &staging.failure {
                return failure.clone().into();
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
        self.claims += u64::from(matches!(event, Event::Claimed(_)));
        self.requests += u64::from(matches!(event, Event::Requested(_)));
    }
}
