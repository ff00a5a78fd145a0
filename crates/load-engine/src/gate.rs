//! The start barrier: no load before every user is ready, and none at all if one cannot be.

use std::sync::{Condvar, Mutex, PoisonError};

/// Holds the users that are ready until all are.
#[derive(Default)]
pub(crate) struct Gate {
    signal: Mutex<Option<Signal>>,
    changed: Condvar,
}

/// What the users that are ready wait for.
#[derive(Clone, Copy)]
pub(crate) enum Signal {
    /// Put the load on, from this time on.
    Begin { at_ns: u64 },
    /// Go home: there will be no load.
    GiveUp,
}

impl Gate {
    /// Gives the signal, unless one was given already.
    pub(crate) fn give(&self, signal: Signal) {
        let mut given = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        given.get_or_insert(signal);
        self.changed.notify_all();
    }

    /// Waits for the signal.
    pub(crate) fn wait(&self) -> Signal {
        let mut signal = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(signal) = *signal {
                return signal;
            }
            signal = self
                .changed
                .wait(signal)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
