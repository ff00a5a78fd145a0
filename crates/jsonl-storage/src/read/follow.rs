use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::catalog::Catalog;
use crate::commit::rounds::Rounds;
use crate::error::Error;
use crate::format::seq::Seq;
use crate::read::scan::{Record, Scan};
use crate::sync::Stopwatch;

/// Reads records as they are appended.
///
/// Made by `Log::follow`. Each record is given once, in order, when it is as durable as the log's
/// level says; with [`Durability::Buffered`](crate::Durability::Buffered), when it was written.
pub struct Follow<'a, T> {
    catalog: &'a Arc<Catalog>,
    rounds: &'a Rounds,
    next: Seq,
    scan: Option<Scan<T>>,
    /// The last record that the scan reaches.
    upto: Seq,
    /// The scan that met a record that cannot be read, for [`Follow::skip`].
    failed: Option<Scan<T>>,
}

impl<'a, T: DeserializeOwned> Follow<'a, T> {
    pub(crate) fn new(catalog: &'a Arc<Catalog>, rounds: &'a Rounds, from: Seq) -> Self {
        Self {
            catalog,
            rounds,
            next: from.max(catalog.first()),
            scan: None,
            upto: Seq::ZERO,
            failed: None,
        }
    }

    /// The next record, or `None` when there was none for as long as `limit`.
    ///
    /// # Errors
    ///
    /// As the items of a [`Scan`]. A record that is not of this type is given as an error once, and the
    /// next call goes on behind it; any other record that cannot be read is tried again, unless
    /// [`Follow::skip`] goes past it.
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<Record<T>>, Error> {
        let watch = Stopwatch::start();
        self.failed = None;
        loop {
            if let Some(record) = self.scan.as_mut().and_then(Iterator::next) {
                match &record {
                    Ok(record) => self.next = record.seq.next(),
                    Err(Error::Type { seq, .. }) => self.next = seq.next(),
                    Err(_) => self.failed = self.scan.take(),
                }
                return record.map(Some);
            }
            if self.scan.take().is_some() {
                // What it did not give are statements of the log itself.
                self.next = self.next.max(self.upto.next());
            }
            let round = self.rounds.any();
            let last = self.catalog.last();
            if last >= self.next {
                self.scan = Some(Scan::between(self.catalog, self.next, last)?);
                self.upto = last;
                continue;
            }
            let left = watch.left_of(limit);
            if left.is_zero() {
                return Ok(None);
            }
            round.sleep_at_most(left);
        }
    }
}

impl<T> Follow<'_, T> {
    /// Goes past the record that the last call could not read.
    pub fn skip(&mut self) {
        self.scan = self.failed.take();
    }
}

impl<T> fmt::Debug for Follow<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
