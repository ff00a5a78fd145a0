//! A bounded number of connections, as services have to their database.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use load_engine::Failure;

/// Connections that are lent out.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<u32>,
    returned: Condvar,
    wait: Duration,
}

/// One connection, which goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Lease<'p>(&'p Pool);

impl Pool {
    /// So many connections, for one of which nobody waits longer than `wait`.
    pub(super) fn new(size: u32, wait: Duration) -> Self {
        Self {
            free: Mutex::new(size),
            returned: Condvar::new(),
            wait,
        }
    }

    /// # Errors
    ///
    /// When none was returned in time.
    pub(super) fn acquire(&self) -> Result<Lease<'_>, Failure> {
        let (mut free, timeout) = self
            .returned
            .wait_timeout_while(self.free(), self.wait, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && *free == 0 {
            let wait = self.wait;
            return Err(Failure::new(format!(
                "the pool is exhausted: no connection within {wait:?}"
            )));
        }
        *free -= 1;
        Ok(Lease(self))
    }

    fn free(&self) -> MutexGuard<'_, u32> {
        // A number is whole whatever happened to its holder.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_when_all_are_lent_out_gives_up_in_time_and_gets_the_next_one() {
        let pool = Pool::new(2, Duration::from_millis(1));
        let first = pool.acquire().unwrap();
        let second = pool.acquire().unwrap();
        let refused = pool.acquire().unwrap_err();
        assert_eq!(
            refused.message(),
            "the pool is exhausted: no connection within 1ms"
        );
        drop(first);
        let third = pool.acquire().unwrap();
        assert!(pool.acquire().is_err());
        drop((second, third));
        assert_eq!(*pool.free(), 2);
    }

    #[test]
    fn who_waits_is_woken_by_a_return() {
        let pool = Pool::new(1, Duration::from_secs(60));
        let lease = pool.acquire().unwrap();
        std::thread::scope(|threads| {
            let waiting = threads.spawn(|| pool.acquire().map(drop));
            drop(lease);
            waiting.join().unwrap().unwrap();
        });
    }
}
