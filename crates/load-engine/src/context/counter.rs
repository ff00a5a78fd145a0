//! How far one user has come, for others to read at any time.

use std::sync::atomic::{AtomicU64, Ordering};

/// One user's progress, which only that user writes: loads and stores, no locked instruction.
#[derive(Default)]
pub(crate) struct Counter {
    /// Iterations that have ended, and in the low bits what the user is doing: in one word, so that an
    /// iteration is always either under way or ended, and never both.
    word: AtomicU64,
    failed: AtomicU64,
    /// Those of them that failed outside every step.
    failed_outside: AtomicU64,
    /// When the step under way began, or was due; before the first one, when the iteration did.
    since_ns: AtomicU64,
}

/// Bits for what a user is doing: [`IDLE`], [`BETWEEN_STEPS`], or a step's number from [`FIRST_STEP`].
const DOING_BITS: u32 = 16;
const DOING: u64 = (1 << DOING_BITS) - 1;
const IDLE: u64 = 0;
const BETWEEN_STEPS: u64 = 1;
const FIRST_STEP: u64 = 2;

/// The most steps of a workload.
pub(crate) const MAX_STEPS: usize = (DOING - FIRST_STEP) as usize;

/// What a user was doing at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Nothing,
    /// It is in an iteration, between two steps.
    Iteration {
        since_ns: u64,
    },
    Step {
        step: usize,
        since_ns: u64,
    },
}

impl Counter {
    #[inline]
    pub(crate) fn begin(&self, start_ns: u64) {
        self.since_ns.store(start_ns, Ordering::Relaxed);
        self.set_doing(BETWEEN_STEPS);
    }

    #[inline]
    pub(crate) fn enter_step(&self, step: usize, start_ns: u64) {
        self.since_ns.store(start_ns, Ordering::Relaxed);
        self.set_doing(FIRST_STEP + step as u64);
    }

    #[inline]
    pub(crate) fn leave_step(&self) {
        self.set_doing(BETWEEN_STEPS);
    }

    /// Ends an iteration.
    #[inline]
    pub(crate) fn end(&self, succeeded: bool) {
        if !succeeded {
            let failed = self.failed.load(Ordering::Relaxed) + 1;
            self.failed.store(failed, Ordering::Relaxed);
        }
        let done = (self.word.load(Ordering::Relaxed) >> DOING_BITS) + 1;
        self.word
            .store(done << DOING_BITS | IDLE, Ordering::Release);
    }

    /// Says that the iteration under way fails outside every step.
    #[cold]
    pub(crate) fn fail_outside(&self) {
        let failed = self.failed_outside.load(Ordering::Relaxed) + 1;
        self.failed_outside.store(failed, Ordering::Relaxed);
    }

    pub(crate) fn failed_outside(&self) -> u64 {
        self.failed_outside.load(Ordering::Relaxed)
    }

    pub(crate) fn done(&self) -> u64 {
        self.word.load(Ordering::Acquire) >> DOING_BITS
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn doing(&self) -> Doing {
        match self.word.load(Ordering::Acquire) & DOING {
            IDLE => Doing::Nothing,
            BETWEEN_STEPS => Doing::Iteration {
                since_ns: self.since_ns.load(Ordering::Relaxed),
            },
            step => Doing::Step {
                step: (step - FIRST_STEP) as usize,
                since_ns: self.since_ns.load(Ordering::Relaxed),
            },
        }
    }

    #[inline]
    fn set_doing(&self, doing: u64) {
        let word = self.word.load(Ordering::Relaxed) & !DOING | doing;
        self.word.store(word, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iteration_is_under_way_or_ended() {
        let counter = Counter::default();
        let state = || (counter.doing(), counter.done(), counter.failed());
        assert_eq!(state(), (Doing::Nothing, 0, 0));
        counter.begin(60);
        assert_eq!(state(), (Doing::Iteration { since_ns: 60 }, 0, 0));
        counter.enter_step(MAX_STEPS - 1, 70);
        let step = Doing::Step {
            step: MAX_STEPS - 1,
            since_ns: 70,
        };
        assert_eq!(state(), (step, 0, 0));
        counter.leave_step();
        counter.end(false);
        assert_eq!(state(), (Doing::Nothing, 1, 1));
    }
}
