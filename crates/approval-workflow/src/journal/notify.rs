//! Wakes async tasks that wait for something to be published.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::task::Waker;

use parking_lot::Mutex;

/// The tasks that wait.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    waiters: Mutex<Waiters>,
    /// How many, so that nothing is locked if there are none.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiters {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Notify {
    /// Wakes everybody. Not to be called under a lock: a waker may run what it wakes.
    pub(crate) fn wake_all(&self) {
        // A task that registers after this look sees what was published before it, and the other way round.
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut waiters = self.waiters.lock();
        let wakers = std::mem::take(&mut waiters.wakers);
        self.count.store(0, Ordering::SeqCst);
        drop(waiters);
        wakers.into_values().for_each(Waker::wake);
    }

    pub(crate) fn register(&self, place: Option<u64>, waker: &Waker) -> u64 {
        let mut waiters = self.waiters.lock();
        let place = place.unwrap_or(waiters.next);
        waiters.next = waiters.next.max(place + 1);
        waiters.wakers.insert(place, waker.clone());
        self.count.store(waiters.wakers.len(), Ordering::SeqCst);
        fence(Ordering::SeqCst);
        place
    }

    pub(crate) fn leave(&self, place: u64) {
        let mut waiters = self.waiters.lock();
        waiters.wakers.remove(&place);
        self.count.store(waiters.wakers.len(), Ordering::SeqCst);
    }
}
