//! The primitives by which threads meet, in one place, so that a test can put its own schedule in
//! the place of the operating system's: `tests/shuttle.rs` builds with `--cfg shuttle` and runs
//! every append, wait and hand-over under schedules of its choice.
//!
//! That explores the orders of whole operations. It takes every atomic as sequentially consistent,
//! so it says nothing of a weaker ordering, and nothing of the kernel's futex, which it models.

#[cfg(not(shuttle))]
pub(crate) mod clock;
#[cfg(not(shuttle))]
pub(crate) mod futex;

#[cfg(shuttle)]
pub(crate) mod modelled;
#[cfg(shuttle)]
pub(crate) use modelled::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Builder, JoinHandle, Mutex, OnceLock, Ordering,
    RwLock, Stopwatch, Word, thread_local,
};

#[cfg(not(shuttle))]
mod real {
    pub(crate) use std::sync::OnceLock;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::thread::{Builder, JoinHandle};
    pub(crate) use std::thread_local;

    pub(crate) use parking_lot::{Mutex, RwLock};

    pub(crate) use crate::sync::clock::Stopwatch;
    pub(crate) use crate::sync::futex::Word;
}
#[cfg(not(shuttle))]
pub(crate) use real::*;
