//! The unit of the kernel's processor times.

use nix::unistd::{SysconfVar, sysconf};

/// What the kernel's files have had on every architecture of today.
const USUAL: u64 = 100;

/// Ticks in a second of the times in `/proc`.
///
/// From the C library: rustix looks for it where valgrind has nothing, so that instructions could not
/// be counted.
pub(crate) fn clock_ticks_per_second() -> u64 {
    let told = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    told.and_then(|ticks| u64::try_from(ticks).ok())
        .filter(|ticks| *ticks > 0)
        .unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_some_ticks() {
        assert!((1..=1_000_000).contains(&clock_ticks_per_second()));
    }
}
