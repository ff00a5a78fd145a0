//! The thread that leads commits on behalf of async tickets, which cannot block.

use std::sync::Arc;

use crate::commit::Committer;
use crate::error::Error;
use crate::sync::{AtomicBool, Builder, JoinHandle, Mutex, Ordering, Word};

/// Started by the first ticket that needs it, joined when the log is closed.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    /// A request that the thread has not taken yet; any number of them are one.
    asked: AtomicBool,
    stopping: AtomicBool,
    /// Changes with each request and with the stop.
    bell: Word,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Flusher {
    /// Has everything that is queued now committed soon.
    pub(crate) fn ask(&self, committer: &Arc<Committer>) -> Result<(), Error> {
        if self.asked.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.bell.bump_one();
        let mut thread = self.thread.lock();
        if thread.is_none() && !self.stopping.load(Ordering::SeqCst) {
            let own = Arc::clone(committer);
            let spawned = Builder::new()
                .name("jsonl-storage:flusher".to_owned())
                .spawn(move || own.flusher.run(&own))
                .map_err(Error::io("start the flusher of", committer.dir()))?;
            *thread = Some(spawned);
        }
        Ok(())
    }

    fn run(&self, committer: &Committer) {
        loop {
            let seen = self.bell.load();
            if self.asked.swap(false, Ordering::SeqCst) {
                // A failure reaches every ticket by itself.
                let _ = committer.flush();
            } else if self.stopping.load(Ordering::SeqCst) {
                return;
            } else {
                self.bell.wait(seen);
            }
        }
    }

    /// Ends the thread, which first does what it was asked for.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.bell.bump_one();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It panics only when a leader does, and that has poisoned the log.
            let _ = thread.join();
        }
    }
}
