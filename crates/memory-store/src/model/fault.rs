//! Named places at which a test can let the process die, or the disk fail. Outside of this crate's
//! own tests they are nothing at all.

/// Which point dies, and at which passing of it: `before-commit:3`.
#[cfg(test)]
pub(crate) const VARIABLE: &str = "MEMORY_STORE_DIE_AT";

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn point(_name: &'static str) {}

/// Ends the process without any clean-up, as a kill would, if it is this point's turn.
#[cfg(test)]
pub(crate) fn point(name: &'static str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CHOSEN: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let value = std::env::var(VARIABLE).ok()?;
        let (name, passings) = value.split_once(':').expect("name:number");
        Some((
            name.to_owned(),
            AtomicU32::new(passings.parse().expect("a number")),
        ))
    });
    if let Some((chosen, passings)) = &*CHOSEN
        && chosen == name
        && passings.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Lets the next commit of this thread fail as it does when its sync fails.
#[cfg(test)]
pub(crate) fn fail_next_sync() {
    SYNC_FAILS.set(true);
}

#[cfg(test)]
thread_local! {
    static SYNC_FAILS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn sync() -> rusqlite::Result<()> {
    Ok(())
}

/// What SQLite answers to a commit whose sync failed, if that was asked for.
#[cfg(test)]
pub(crate) fn sync() -> rusqlite::Result<()> {
    if !SYNC_FAILS.take() {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
    Err(rusqlite::Error::SqliteFailure(code, None))
}
