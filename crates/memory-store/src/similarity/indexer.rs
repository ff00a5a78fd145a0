//! The threads that build the graphs behind the writes, and save them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::store::tiers::Tiers;

use super::SimilarityTier;

/// Wakes the threads when there is work.
#[derive(Debug, Default)]
pub(super) struct Notify {
    state: Mutex<NotifyState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct NotifyState {
    notified: u64,
    is_closed: bool,
}

impl Notify {
    pub(super) fn wake(&self) {
        self.state.lock().notified += 1;
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn notified(&self) -> u64 {
        self.state.lock().notified
    }

    fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Waits until it was notified more often than that, or is closed.
    fn wait(&self, notified: u64) {
        let mut state = self.state.lock();
        while !state.is_closed && state.notified == notified {
            self.changed.wait(&mut state);
        }
    }
}

/// Ends the threads when it is closed or dropped, and saves what they built.
pub(crate) struct Indexer {
    tiers: Arc<Tiers>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Indexer {
    pub(crate) fn start(tiers: Arc<Tiers>, threads: NonZeroUsize) -> std::io::Result<Self> {
        let spawn = |number| {
            let tiers = Arc::clone(&tiers);
            std::thread::Builder::new()
                .name(format!("memory-store:index-{number}"))
                .spawn(move || run(&tiers.similarity))
        };
        let threads: std::io::Result<Vec<_>> = (0..threads.get()).map(spawn).collect();
        Ok(Self {
            tiers,
            threads: Mutex::new(threads?),
        })
    }

    /// Ends the threads after the piece of work that each one has, and saves the graphs. What is
    /// not in them yet waits for the next opening.
    pub(crate) fn close(&self) {
        self.tiers.similarity.notify().close();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has left a graph that is not as it should be: it is not
            // saved, and built anew at the next opening.
            if thread.join().is_err() {
                return;
            }
        }
        self.tiers.similarity.save(|unsaved, _| unsaved > 0);
    }
}

fn run(tier: &SimilarityTier) {
    /// Vectors linked between two looks at whether to end: some milliseconds.
    const PIECE: usize = 16;
    /// Fewer changes than this are done again after a crash in a second or so.
    const LEAST_UNSAVED: usize = 10_000;
    loop {
        let notified = tier.notify().notified();
        if tier.notify().is_closed() {
            return;
        }
        if !tier.work(PIECE) {
            tier.save(|unsaved, vectors| unsaved > LEAST_UNSAVED.max(vectors / 4));
            tier.notify().wait(notified);
        }
    }
}
