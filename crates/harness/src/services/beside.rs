//! Work beside the load, on a thread of its own, so that neither keeps the other waiting.

use std::thread;

use load_engine::Failure;
use tokio::task::LocalSet;

/// Runs a load and, on a thread of this name, what is made of `work`; `load` also tells that to end.
///
/// # Errors
///
/// When the thread or its runtime cannot be started, and when the work panics.
pub(super) fn beside<T, W: Send, F: Future<Output = W>>(
    thread: &str,
    work: impl FnOnce() -> F + Send,
    load: impl FnOnce() -> T,
) -> Result<(T, W), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name(thread.to_owned())
            .spawn_scoped(scope, move || LocalSet::new().block_on(&runtime, work()))?;
        let loaded = load();
        let worked = worker
            .join()
            .map_err(|_| Failure::new(format!("the thread {thread} panicked")))?;
        Ok((loaded, worked))
    })
}
