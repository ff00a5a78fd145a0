//! What can be read: requests, their histories, and counts over all of them.
//!
//! A settled request is read back from the log when it is asked for. One that cannot be read is an
//! error, and never reported as one that does not exist.

use std::ops::RangeBounds;
use std::sync::Arc;

use action::Timestamp;
use jsonl_storage::{Record, Recovery, Seq};

use crate::error::Error;
use crate::journal::snapshot::Opening;
use crate::model::event::{AuditEntry, Event, Review};
use crate::model::names::RequestId;
use crate::model::request::{Request, Status};
use crate::state::basis::CurrentRulebook;
use crate::state::statistics::Statistics;
use crate::workflow::ApprovalWorkflow;

impl ApprovalWorkflow {
    /// The status of a request at a moment; none if there is no such request.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn status(&self, id: &RequestId, now: Timestamp) -> Result<Option<Status>, Error> {
        let request = self.get(id)?;
        Ok(request.map(|request| request.status(now)))
    }

    /// A request and its decisions; none if there is no such request.
    ///
    /// # Errors
    ///
    /// [`Error::Log`], [`Error::EventMissing`] or [`Error::Replay`] for a settled request that cannot
    /// be read back from the log.
    pub fn get(&self, id: &RequestId) -> Result<Option<Arc<Request>>, Error> {
        self.journal.get(id)
    }

    /// Records every request as expired that was not decided in time, and returns how many.
    ///
    /// Nothing depends on it but the trail: an overdue request is expired whether or not an event
    /// says so. One sync records up to 1,024 of them.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    pub fn expire_due(&self, now: Timestamp) -> Result<usize, Error> {
        /// So many at a time, to hold the lock shortly.
        const CHUNK: usize = 1024;
        let mut expired = 0;
        for ids in self.journal.view().overdue(now).chunks(CHUNK) {
            expired += self.journal.commit_each(ids, |request| Event::Expired {
                id: request.submission.id.clone(),
                at: now.max(request.changed_at),
            })?;
        }
        Ok(expired)
    }

    /// Everything that happened to a request, in order; none if there is no such request.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn audit_trail(&self, id: &RequestId) -> Result<Option<Vec<AuditEntry>>, Error> {
        self.journal.trail(id)
    }

    /// Everything that happened, in order, read from the log.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when the log cannot be read; each entry may fail likewise.
    pub fn audit_log(&self) -> Result<impl Iterator<Item = Result<AuditEntry, Error>>, Error> {
        Ok(self.journal.scan()?.map(entry))
    }

    /// As [`audit_log`](Self::audit_log), of the events with certain numbers.
    ///
    /// # Errors
    ///
    /// As [`audit_log`](Self::audit_log).
    pub fn audit_range(
        &self,
        range: impl RangeBounds<Seq>,
    ) -> Result<impl Iterator<Item = Result<AuditEntry, Error>>, Error> {
        Ok(self.journal.log.range(range)?.map(entry))
    }

    /// As [`audit_range`](Self::audit_range), the newest event first. An entry is an error if the log
    /// cannot be read.
    pub fn audit_range_back(
        &self,
        range: impl RangeBounds<Seq>,
    ) -> impl Iterator<Item = Result<AuditEntry, Error>> {
        self.journal.log.range_back(range).map(entry)
    }

    /// Counts over all requests. Its time does not depend on how many are settled.
    #[must_use]
    pub fn statistics(&self, now: Timestamp) -> Statistics {
        self.journal.view().statistics(now)
    }

    /// Every request in the order in which they were asked, while others may be added; an error for
    /// each that cannot be read, as [`get`](Self::get) has it.
    pub fn requests(&self) -> impl Iterator<Item = Result<Arc<Request>, Error>> {
        /// So many at a time, to hold the lock shortly.
        const CHUNK: usize = 256;
        (0..)
            .map(|chunk| self.journal.view().slice(chunk * CHUNK, CHUNK))
            .take_while(|requests| !requests.is_empty())
            .flatten()
            .map(|found| self.journal.read(found))
    }

    /// Every decision of every request, in the order of the requests; an error for each request that
    /// cannot be read.
    pub fn decisions(&self) -> impl Iterator<Item = Result<Review, Error>> {
        self.requests().flat_map(|request| match request {
            Ok(request) => request.reviews.iter().cloned().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The policy that new requests are judged by.
    #[must_use]
    pub fn rulebook(&self) -> CurrentRulebook {
        CurrentRulebook(self.basis.load_full())
    }

    /// What the opening read: a snapshot, the log, or both; and if a snapshot was not believed, why.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        self.journal.opening()
    }

    /// What opening the log found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.journal.recovery()
    }

    /// Whether the log has a hash chain: one that was begun by a version without has none.
    #[must_use]
    pub fn is_chained(&self) -> bool {
        self.journal.is_chained()
    }

    /// What the log is now, to be signed and kept elsewhere: it shows later whether the log was cut
    /// off, or written anew. See [`Checkpoint`](jsonl_storage::Checkpoint).
    ///
    /// # Errors
    ///
    /// [`Error::Log`], also for a log that has no chain.
    pub fn checkpoint(
        &self,
        origin: impl Into<String>,
    ) -> Result<jsonl_storage::Checkpoint, Error> {
        Ok(self.journal.log.checkpoint(origin)?)
    }

    /// Writes a snapshot, closes the log, and gives its directory free.
    ///
    /// # Errors
    ///
    /// [`Error::Log`]; [`Error::Snapshot`], with the log closed. Nothing that was acknowledged is
    /// lost by either.
    pub fn close(self) -> Result<(), Error> {
        self.journal.close()
    }
}

fn entry(record: Result<Record<Event>, jsonl_storage::Error>) -> Result<AuditEntry, Error> {
    let record = record?;
    Ok(AuditEntry {
        seq: record.seq,
        event: record.data,
    })
}
