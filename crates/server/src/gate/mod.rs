//! The approval workflow, and the thread that follows its log: it wakes those who wait and records what expired.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use approval_workflow::{ApprovalWorkflow, Error, RequestId, Seq};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, watch};

use crate::clock;

/// Those who wait share a bell with others, and look again when it rings: no list of them can grow.
const BELLS: usize = 1024;
/// Time alone makes a request expire: recorded within a second.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Gate {
    workflow: Arc<ApprovalWorkflow>,
    bells: Arc<Bells>,
    /// The number that the next event of the log has.
    next: watch::Sender<u64>,
    is_over: Arc<AtomicBool>,
    follower: JoinHandle<()>,
}

impl Gate {
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub(crate) fn new(workflow: ApprovalWorkflow) -> std::io::Result<Self> {
        let workflow = Arc::new(workflow);
        let bells = Arc::new(Bells::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let next = watch::Sender::new(next_event(&workflow).0);
        let followed = (
            Arc::clone(&workflow),
            Arc::clone(&bells),
            next.clone(),
            Arc::clone(&is_over),
        );
        let follower = thread::Builder::new()
            .name("server:follow".to_owned())
            .spawn(move || follow(&followed.0, &followed.1, &followed.2, &followed.3))?;
        Ok(Self {
            workflow,
            bells,
            next,
            is_over,
            follower,
        })
    }

    /// For what neither waits for the disk nor reads from it.
    pub(crate) fn workflow(&self) -> &Arc<ApprovalWorkflow> {
        &self.workflow
    }

    /// Does on a thread for blocking work what may wait for the disk.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ApprovalWorkflow) -> T + Send + 'static,
    ) -> T {
        let workflow = Arc::clone(&self.workflow);
        joined(tokio::task::spawn_blocking(move || work(&workflow))).await
    }

    /// Awaits a command in a task of its own: a caller who hangs up does not stop it.
    pub(crate) async fn command<T, F>(&self, command: impl FnOnce(Arc<ApprovalWorkflow>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let command = command(Arc::clone(&self.workflow));
        joined(tokio::spawn(command)).await
    }

    /// Rings when something happened to a request, or to another one. Take it before looking at the request,
    /// so that nothing falls between the two.
    pub(crate) fn bell(&self, id: &RequestId) -> OwnedNotified {
        Arc::clone(self.bells.of(id)).notified_owned()
    }

    /// The number that the next event has, and whoever waits for it hears of it.
    pub(crate) fn latest(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// Wakes everybody, for the last time.
    pub(crate) fn ring_all(&self) {
        self.next.send_modify(|_| {});
        self.bells.all.iter().for_each(|bell| bell.notify_waiters());
    }

    /// Ends the thread and closes the log, if nobody uses it any more.
    ///
    /// # Errors
    ///
    /// As [`ApprovalWorkflow::close`].
    pub(crate) fn close(self) -> Result<(), Error> {
        self.is_over.store(true, Ordering::Relaxed);
        if let Err(panic) = self.follower.join() {
            std::panic::resume_unwind(panic);
        }
        // A task that outlived the deadline still holds it: the log is then closed by the process's end, and
        // all that was acknowledged is on disk.
        Arc::into_inner(self.workflow).map_or(Ok(()), ApprovalWorkflow::close)
    }
}

async fn joined<T>(task: tokio::task::JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Tasks are only cancelled with the runtime, and this one with them.
            Err(_) => std::future::pending().await,
        },
    }
}

struct Bells {
    all: Vec<Arc<Notify>>,
    hasher: RandomState,
}

impl Default for Bells {
    fn default() -> Self {
        let all = (0..BELLS).map(|_| Arc::default()).collect();
        let hasher = RandomState::new();
        Self { all, hasher }
    }
}

impl Bells {
    fn of(&self, id: &RequestId) -> &Arc<Notify> {
        &self.all[self.hasher.hash_one(id) as usize % BELLS]
    }
}

fn follow(
    workflow: &ApprovalWorkflow,
    bells: &Bells,
    next: &watch::Sender<u64>,
    is_over: &AtomicBool,
) {
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    let mut events = workflow.subscribe(Seq(*next.borrow()));
    let mut swept = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        match events.next_within(LOOK_EVERY) {
            Ok(Some(entry)) => {
                next.send_replace(entry.seq.0 + 1);
                if let Some(id) = entry.event.id() {
                    bells.of(id).notify_waiters();
                }
            }
            Ok(None) => {}
            // The log failed: commands tell that, and whoever waits hears of no more events.
            Err(_) => thread::sleep(LOOK_EVERY),
        }
        if swept.elapsed() >= EXPIRE_EVERY {
            swept = Instant::now();
            // A failure is kept by the workflow and told by the next command.
            let _ = workflow.expire_due(clock::now());
        }
    }
}

/// The number that the next event will have; the first where the last cannot be read.
fn next_event(workflow: &ApprovalWorkflow) -> Seq {
    let last = workflow.audit_range_back(..).next();
    last.and_then(Result::ok)
        .map_or(Seq(0), |entry| Seq(entry.seq.0 + 1))
}
