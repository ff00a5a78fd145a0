//! The primitives by which threads that change something meet, in one place, so that a test can put
//! its own schedule in the place of the operating system's: `tests/shuttle.rs` builds with
//! `--cfg shuttle` and runs claims, reviews and revocations under schedules of its choice.
//!
//! What is published is looked at without waiting, in steps that no schedule divides; the orders of
//! those against each other are left to the tests with threads.

#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use modelled::{Condvar, Mutex, MutexGuard};

#[cfg(shuttle)]
mod modelled {
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;
    use std::time::Duration;

    use shuttle::rand::Rng as _;

    /// As `parking_lot::Mutex`, which a panic does not poison.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
        }
    }

    /// Empty only while its condition is waited for.
    #[derive(Debug)]
    pub(crate) struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("it is not waiting")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("it is not waiting")
        }
    }

    /// As `parking_lot::Condvar`.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let held = guard.0.take().expect("it is not waiting");
            let held = self.0.wait(held).unwrap_or_else(PoisonError::into_inner);
            guard.0 = Some(held);
        }

        /// May be out of time at any point.
        pub(crate) fn wait_while_for<T>(
            &self,
            guard: &mut MutexGuard<'_, T>,
            mut waits: impl FnMut(&mut T) -> bool,
            _limit: Duration,
        ) {
            for _ in 0..shuttle::rand::thread_rng().gen_range(1..4) {
                if !waits(guard) {
                    return;
                }
                self.wait(guard);
            }
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
