//! Where events wait for the disk, and where everyone sees them once they are on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use jsonl_storage::Seq;

use crate::error::Error;
use crate::journal::notify::Notify;
use crate::journal::staging::Staging;
use crate::state::view::View;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The events that wait for the disk, and the state after those that are on it.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) staging: Mutex<Staging>,
    /// The last event that was published, for those who need no more than that.
    shown: AtomicU64,
    /// Signalled when events were published, or when it became certain that none will be.
    published: Condvar,
    /// Wakes tasks after something was published.
    pub(crate) notify: Notify,
    pub(crate) view: View,
}

impl Publisher {
    pub(crate) fn new(staging: Staging, view: View) -> Self {
        Self {
            staging: Mutex::new(staging),
            shown: AtomicU64::new(0),
            published: Condvar::new(),
            notify: Notify::default(),
            view,
        }
    }

    /// Shows the events that are as durable as the log's level says.
    pub(crate) fn publish(&self, staging: &mut Staging, durable: Seq) {
        let durable = durable.max(staging.acknowledged);
        while let Some((seq, named, event, after)) = staging.next_to_publish(durable) {
            self.view.publish(&named, seq, &event, &after);
        }
        self.shown.store(staging.published.0, Ordering::Release);
    }

    /// Publishes on behalf of all who wait for one commit, before they are woken: each of them would
    /// queue for the lock otherwise, to find the work done. Called by the thread that leads the commit,
    /// which must not wait for a thread that holds the lock and waits for a commit; so it gives up soon,
    /// and leaves the work to the others.
    pub(crate) fn publish_in_passing(&self, durable: Seq) {
        const PATIENCE: Duration = Duration::from_millis(1);
        if let Some(mut staging) = self.staging.try_lock_for(PATIENCE) {
            self.publish(&mut staging, durable);
        }
    }

    /// Whether an event was published.
    pub(crate) fn shows(&self, seq: Seq) -> bool {
        self.shown.load(Ordering::Acquire) >= seq.0
    }

    /// Has those who wait look again.
    pub(crate) fn tell(&self) {
        self.published.notify_all();
        self.notify.wake_all();
    }

    /// Waits until an event is published.
    pub(crate) fn wait_until_published(
        &self,
        mut staging: MutexGuard<'_, Staging>,
        seq: Seq,
        durable: impl Fn() -> Seq,
    ) -> Result<(), Error> {
        loop {
            self.publish(&mut staging, durable());
            if staging.published >= seq {
                return Ok(());
            }
            if let Some(failure) = &staging.failure {
                return Err(failure.clone().into());
            }
            self.published.wait(&mut staging);
        }
    }

    /// Whether an event is published by now, or none will be.
    pub(crate) fn is_published(&self, seq: Seq, durable: Seq) -> Poll<Result<(), Error>> {
        let mut staging = self.staging.lock();
        self.publish(&mut staging, durable);
        match &staging.failure {
            _ if staging.published >= seq => Poll::Ready(Ok(())),
            Some(failure) => Poll::Ready(Err(failure.clone().into())),
            None => Poll::Pending,
        }
    }

    /// Waits until what was published shows something; none if that took longer than `limit`.
    pub(crate) fn wait_within<T>(
        &self,
        limit: Duration,
        look: impl Fn() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let look = || look().transpose();
        let mut found = look();
        let mut staging = self.staging.lock();
        let waits = |staging: &mut Staging| {
            found = found.take().or_else(&look);
            found.is_none() && staging.failure.is_none()
        };
        let _ = self.published.wait_while_for(&mut staging, waits, limit);
        match (found, &staging.failure) {
            (None, Some(failure)) => Err(failure.clone().into()),
            (found, _) => found.transpose(),
        }
    }

    /// Why nothing will be published any more.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.staging.lock().failure.clone().map(Error::from)
    }
}
