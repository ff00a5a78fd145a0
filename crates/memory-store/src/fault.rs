//! Named places at which a test can let the process die. Outside of this crate's own tests they
//! are nothing at all.

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
