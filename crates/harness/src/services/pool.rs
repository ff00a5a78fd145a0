//! Pools: connections to a service that users share, so that there are never more than so many.
//!
//! A connection belongs to the thread that opened it, so each thread of the load has its part of a pool, and
//! users wait for those of their own thread, first come first served.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drivers::AnyConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::program::Program;

/// The threads among which the pools of a run are divided.
#[derive(Debug, Default)]
pub(super) struct Threads(AtomicUsize);

thread_local! {
    /// The pools of this thread, and whose they are: a thread of the load serves one run.
    static POOLS: RefCell<Option<(usize, Rc<Pools>)>> = const { RefCell::new(None) };
}

/// The part of a run's pools that one thread has.
#[derive(Default)]
pub(super) struct Pools {
    /// Which of the threads it is.
    thread: usize,
    /// Service by service.
    pools: Box<[Pool]>,
}

#[derive(Default)]
struct Pool {
    free: Option<Arc<Semaphore>>,
    /// Whether it has its size: that is known when all threads are.
    is_sized: Cell<bool>,
    idle: RefCell<Vec<AnyConnection>>,
}

/// A place in a pool, until it is dropped.
pub(super) struct Lease {
    _permit: OwnedSemaphorePermit,
}

impl Pools {
    /// The pools that users on this thread share. To be called for every user before the first one waits.
    pub(super) fn of_thread(program: &Arc<Program>, threads: &Threads) -> Rc<Self> {
        // No other run has its program there while this one does.
        let run = Arc::as_ptr(program) as usize;
        POOLS.with_borrow_mut(|known| match known {
            Some((of, pools)) if *of == run => Rc::clone(pools),
            _ => {
                let pool = |service: &super::program::Service| Pool {
                    free: service.pool.as_ref().map(|_| Arc::new(Semaphore::new(0))),
                    ..Pool::default()
                };
                let pools = Rc::new(Self {
                    thread: threads.0.fetch_add(1, Ordering::AcqRel),
                    pools: program.services.iter().map(pool).collect(),
                });
                *known = Some((run, Rc::clone(&pools)));
                pools
            }
        })
    }

    /// Waits for a place in the pool of a service, and gives it with a connection that is idle, if one is.
    pub(super) async fn take(
        &self,
        service: usize,
        size: usize,
        threads: &Threads,
    ) -> Option<(Lease, Option<AnyConnection>)> {
        let pool = &self.pools[service];
        let free = pool.free.as_ref()?;
        if !pool.is_sized.replace(true) {
            free.add_permits(share(size, threads.0.load(Ordering::Acquire), self.thread));
        }
        let permit = Arc::clone(free).acquire_owned().await.ok()?;
        let connection = pool.idle.borrow_mut().pop();
        Some((Lease { _permit: permit }, connection))
    }

    /// Takes a connection back, which the next one may have.
    pub(super) fn give_back(
        &self,
        service: usize,
        lease: Lease,
        connection: Option<AnyConnection>,
    ) {
        self.pools[service].idle.borrow_mut().extend(connection);
        drop(lease);
    }
}

/// How many of a pool's connections one of the threads has: together they have all.
fn share(size: usize, threads: usize, thread: usize) -> usize {
    let threads = threads.max(1);
    size / threads + usize::from(thread < size % threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_threads_are_the_pool() {
        for (size, threads) in [(8, 2), (7, 2), (3, 3), (20, 6), (1, 1)] {
            let shares = (0..threads).map(|thread| share(size, threads, thread));
            let shares: Vec<usize> = shares.collect();
            assert_eq!(shares.iter().sum::<usize>(), size, "{shares:?}");
            assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
        }
    }
}
