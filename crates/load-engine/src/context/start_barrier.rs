//! The start barrier: no load before every user is ready, and none at all if one cannot be.

use std::future::poll_fn;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Holds those who wait, threads and tasks, until the signal is given.
#[derive(Default)]
pub(crate) struct StartBarrier {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    signal: Option<Signal>,
    tasks: Vec<Waker>,
}

/// What the users that are ready wait for.
#[derive(Clone, Copy)]
pub(crate) enum Signal {
    /// Put the load on, from this time on.
    Begin { at_ns: u64 },
    /// Go home: there will be no load, or no more.
    GiveUp,
}

impl StartBarrier {
    /// Gives the signal, unless one was given already.
    pub(crate) fn give(&self, signal: Signal) {
        let tasks = {
            let mut state = self.lock();
            state.signal.get_or_insert(signal);
            std::mem::take(&mut state.tasks)
        };
        self.changed.notify_all();
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Waits for the signal.
    pub(crate) fn wait(&self) -> Signal {
        let mut state = self.lock();
        loop {
            if let Some(signal) = state.signal {
                return signal;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the signal, in a task.
    pub(crate) async fn opened(&self) -> Signal {
        poll_fn(|context| self.poll(context)).await
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Signal> {
        let mut state = self.lock();
        if let Some(signal) = state.signal {
            return Poll::Ready(signal);
        }
        // A task that is polled again for other reasons need not stand here twice.
        if !state
            .tasks
            .iter()
            .any(|task| task.will_wake(context.waker()))
        {
            state.tasks.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
