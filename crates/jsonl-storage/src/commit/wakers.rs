//! Those who wait without a thread.

use std::collections::HashMap;
use std::task::Waker;

use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The wakers of the tickets that were polled and are pending; at most one a ticket.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    waiting: Mutex<Waiting>,
    /// How many, so that a commit without any takes no lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    next_id: u64,
    by_id: HashMap<u64, Waker>,
}

impl Wakers {
    /// Adds a waker, or replaces the one that the ticket had; gives the ticket's place.
    pub(crate) fn register(&self, id: Option<u64>, waker: &Waker) -> u64 {
        let mut waiting = self.waiting.lock();
        let id = id.unwrap_or_else(|| {
            waiting.next_id += 1;
            waiting.next_id
        });
        waiting.by_id.insert(id, waker.clone());
        self.count.store(waiting.by_id.len(), Ordering::SeqCst);
        id
    }

    pub(crate) fn forget(&self, id: u64) {
        let mut waiting = self.waiting.lock();
        waiting.by_id.remove(&id);
        self.count.store(waiting.by_id.len(), Ordering::SeqCst);
    }

    /// Wakes everyone. A round ends the wait of nearly all of them; the others register again.
    pub(crate) fn wake_all(&self) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut waiting = self.waiting.lock();
        let woken = std::mem::take(&mut waiting.by_id);
        self.count.store(0, Ordering::SeqCst);
        // A waker may run its task, which may register, right here.
        drop(waiting);
        for waker in woken.into_values() {
            waker.wake();
        }
    }
}
