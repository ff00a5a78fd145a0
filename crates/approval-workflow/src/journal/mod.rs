//! Writes events to the log, and publishes each once it is on disk.
//!
//! An event is checked against the newest state and given its place in the log under one short lock,
//! so the log's order is the order in which the events were checked. The lock is released while the
//! disk works. Only then is the event published, in the log's order; so what anyone can see is on
//! disk. A refusal that rests on an event that is not on disk yet waits for it too: "already decided by
//! bob" is told only when bob's decision can no longer be lost.

pub(crate) mod answer;
pub(crate) mod commit;
pub(crate) mod comparison;
pub(crate) mod notify;
pub(crate) mod opening;
pub(crate) mod private_files;
pub(crate) mod publisher;
pub(crate) mod rebuild;
pub(crate) mod snapshot;
pub(crate) mod snapshot_format;
pub(crate) mod staging;

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use jsonl_storage::{ChainLink, Follow, Log, Recovery, Scan, Seq, Ticket};

use crate::error::Error;
use crate::journal::answer::Answer;
use crate::journal::publisher::Publisher;
use crate::journal::snapshot::{Opening, Snapshots};
use crate::journal::staging::Staging;
use crate::model::event::{AuditEntry, Event, Submission};
use crate::model::keys::{Body, KeyUse};
use crate::model::names::{IdempotencyKey, RequestId};
use crate::model::request::Request;
use crate::state::keyed::Named;
use crate::state::view::{Found, View};

#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) log: Log<Event>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) snapshots: Snapshots,
    pub(crate) opening: Opening,
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

    /// Computes the gates of requests anew. To be called under the lock of the staging, or before anything
    /// is published: a newer event would be overlooked otherwise.
    pub(crate) fn judge_again(&self, numbers: impl IntoIterator<Item = u32>) -> Result<(), Error> {
        for number in numbers {
            for found in self.view().slice(number as usize, 1) {
                self.view().restore(number, &self.read(found)?);
            }
        }
        Ok(())
    }

    /// Computes the gates of all approvals anew, since what they are judged by was replaced.
    pub(crate) fn judge_all_again(&self) -> Result<(), Error> {
        /// So many at a time, to hold the lock shortly.
        const CHUNK: usize = 256;
        for numbers in self.view().approved().chunks(CHUNK) {
            let _staging = self.publisher.staging.lock();
            self.judge_again(numbers.iter().copied())?;
        }
        Ok(())
    }

    /// Waits until what a command's answer rests on is on disk, and gives it.
    pub(crate) fn wait(&self, answer: Answer) -> Result<Arc<Request>, Error> {
        match answer {
            Answer::Event {
                ticket,
                after,
                refusal,
            } => {
                self.settle(ticket)?;
                refusal.map_or(Ok(after), Err)
            }
            Answer::Repeat { of, id } => {
                self.wait_until_published(of)?;
                self.repeated(&id)
            }
            Answer::Refusal { from, error } => {
                Err(self.wait_until_published(from).err().unwrap_or(error))
            }
        }
    }

    /// As [`wait`](Self::wait), in async code; `place` is the task's among those to be woken. The answer
    /// is left where it is until it can be given.
    pub(crate) fn poll(
        &self,
        answer: &mut Option<Answer>,
        place: &mut Option<u64>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Arc<Request>, Error>> {
        let rests_on = match answer {
            Some(Answer::Event { ticket, .. }) => {
                let result = ready!(Pin::new(ticket).poll(context));
                let settled = self.settled(result);
                let Some(Answer::Event { after, refusal, .. }) = answer.take() else {
                    unreachable!("it is an event");
                };
                let answer = settled.and_then(|()| refusal.map_or(Ok(after), Err));
                return Poll::Ready(answer);
            }
            Some(Answer::Repeat { of, .. }) => *of,
            Some(Answer::Refusal { from, .. }) => *from,
            None => panic!("a command was awaited again after it was answered"),
        };
        // Before the look, so that nothing is published in between unheard.
        *place = Some(self.publisher.notify.register(*place, context.waker()));
        let durable = self.log.durable();
        let published = self.publisher.is_published(rests_on, durable);
        match (ready!(published), answer.take()) {
            (Err(failure), _) => Poll::Ready(Err(failure)),
            (Ok(()), Some(Answer::Repeat { id, .. })) => Poll::Ready(self.repeated(&id)),
            (Ok(()), Some(Answer::Refusal { error, .. })) => Poll::Ready(Err(error)),
            (Ok(()), _) => unreachable!("it rests on another event"),
        }
    }

    /// The request of a command that was done before.
    fn repeated(&self, id: &RequestId) -> Result<Arc<Request>, Error> {
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
    fn settle(&self, ticket: Ticket) -> Result<(), Error> {
        // A log that buffers has acknowledged it already.
        let result = ticket.outcome().unwrap_or_else(|| ticket.wait());
        self.settled(result)
    }

    /// Sees to it that an event is published whose ticket was waited for.
    fn settled(&self, result: Result<Seq, jsonl_storage::Error>) -> Result<(), Error> {
        if let Ok(seq) = &result
            && self.publisher.shows(*seq)
            && !self.snapshots.is_due(*seq)
        {
            // The thread that led the commit published it for all who waited.
            self.publisher.tell();
            return Ok(());
        }
        let mut staging = self.publisher.staging.lock();
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

    fn wait_until_published(&self, seq: Seq) -> Result<(), Error> {
        let durable = || self.log.durable();
        let staging = self.publisher.staging.lock();
        self.publisher.wait_until_published(staging, seq, durable)
    }
}
