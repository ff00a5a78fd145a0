//! Ctrl-C, SIGTERM and SIGHUP end a run with what it has; a second one ends the program at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The signal that came first, for the exit code; 0 before one did.
static FIRST: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Set by a signal.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let first = FIRST.get_or_init(Arc::default);
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset and only sets it.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                128 + signal,
                Arc::clone(&flag),
            )
            .and_then(|_| {
                signal_hook::flag::register_usize(signal, Arc::clone(first), signal as usize)
            })
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .context("cannot listen for Ctrl-C")?;
        }
        Ok(Self(flag))
    }

    /// As if it came by this flag and not by a signal.
    #[cfg(test)]
    pub(crate) fn by(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// As Ctrl-C does, to whoever listens.
    pub(crate) fn raise() {
        // It fails for signals that do not exist only.
        let _ = signal_hook::low_level::raise(SIGINT);
    }

    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The exit code of a run that was interrupted, as a shell gives it: 128 and the signal's number.
pub(crate) fn code() -> u8 {
    let signal = FIRST.get().map_or(0, |first| first.load(Ordering::Relaxed));
    // Without a signal it is a saved report of a run that was interrupted, most likely by Ctrl-C.
    let signal = if signal == 0 { SIGINT as usize } else { signal };
    128 + signal as u8
}
