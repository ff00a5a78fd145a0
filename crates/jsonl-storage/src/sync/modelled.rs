//! The primitives as shuttle schedules them. Each operation is a point where another thread may go
//! on, and whatever depends on time may come out in any way.

use std::sync::PoisonError;
use std::time::Duration;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use shuttle::thread::{Builder, JoinHandle};
pub(crate) use shuttle::thread_local;

use shuttle::rand::Rng as _;
use shuttle::sync::{Condvar, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// As `parking_lot::Mutex`, which a panic does not poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As `parking_lot::RwLock`.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the one of the standard library, with a point to switch at before each look.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    looks: AtomicU32,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            looks: AtomicU32::new(0),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.looks.load(Ordering::SeqCst);
        self.value.get()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.value.set(value)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A word to wait on: as in the kernel, looking at it and going to sleep are one step, changing it
/// and waking are two.
#[derive(Debug, Default)]
pub(crate) struct Word {
    value: Mutex<u32>,
    changed: Condvar,
}

impl Word {
    pub(crate) fn load(&self) -> u32 {
        *self.value.lock()
    }

    pub(crate) fn wait(&self, seen: u32) {
        let value = self.value.lock();
        if *value == seen {
            // For whatever reason it returns, the caller looks again.
            drop(self.changed.wait(value));
        }
    }

    /// May be out of time at any point, and is in the end: a wait that nothing else ends would
    /// be taken for a lost wake-up.
    pub(crate) fn wait_at_most(&self, seen: u32, _limit: Duration) {
        for _ in 0..shuttle::rand::thread_rng().gen_range(0..4) {
            if self.load() != seen {
                return;
            }
            shuttle::thread::yield_now();
        }
    }

    pub(crate) fn bump_one(&self) {
        self.change();
        let _woken_with = self.value.lock();
        self.changed.notify_one();
    }

    pub(crate) fn bump_for(&self, sleepers: &AtomicU32) {
        self.change();
        if sleepers.load(Ordering::SeqCst) > 0 {
            let _woken_with = self.value.lock();
            self.changed.notify_all();
        }
    }

    pub(crate) fn bump_one_for(&self, sleepers: &AtomicU32) {
        self.change();
        if sleepers.load(Ordering::SeqCst) > 0 {
            let _woken_with = self.value.lock();
            self.changed.notify_one();
        }
    }

    fn change(&self) {
        let mut value = self.value.lock();
        *value = value.wrapping_add(1);
    }
}

/// A clock that says anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_millis(shuttle::rand::thread_rng().gen_range(0..8))
    }

    pub(crate) fn left_of(self, limit: Duration) -> Duration {
        limit.saturating_sub(self.elapsed())
    }
}
