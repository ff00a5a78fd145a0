//! The sync that all peers share, replaced by a sleep where its length should be known.
//!
//! The functions below carry the names of the C library's, and the linker takes a name from the
//! executable before it takes it from a shared library: Rust's `File::sync_data`, the bundled
//! SQLite and every other peer call these, as if they had been preloaded. Each call is counted, so
//! that a peer that syncs in another way is found out (see the column "records a sync").

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod replaced {
    //! The names themselves.
    #![allow(
        unsafe_code,
        reason = "a name of the C library is exported, with its signature"
    )]

    use super::{c_int, c_uint, c_void, sync};

    // SAFETY (each of them): the name, the signature and the contract are those of POSIX or Linux;
    // only the time at which the data reaches the disk differs, and nobody here cuts the power.
    #[unsafe(no_mangle)]
    extern "C" fn fsync(file: c_int) -> c_int {
        sync(libc::SYS_fsync, [file as usize, 0, 0, 0])
    }

    #[unsafe(no_mangle)]
    extern "C" fn fdatasync(file: c_int) -> c_int {
        sync(libc::SYS_fdatasync, [file as usize, 0, 0, 0])
    }

    #[unsafe(no_mangle)]
    extern "C" fn sync_file_range(file: c_int, offset: i64, bytes: i64, flags: c_uint) -> c_int {
        let arguments = [
            file as usize,
            offset as usize,
            bytes as usize,
            flags as usize,
        ];
        sync(libc::SYS_sync_file_range, arguments)
    }

    #[unsafe(no_mangle)]
    extern "C" fn msync(address: *mut c_void, bytes: usize, flags: c_int) -> c_int {
        sync(
            libc::SYS_msync,
            [address as usize, bytes, flags as usize, 0],
        )
    }
}

/// 0: the real sync.
static SLEEP_NANOS: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Replaces every sync of this process by a sleep of this length; zero gives the real one back.
pub(crate) fn replace_by_sleep(length: Duration) {
    let nanos = u64::try_from(length.as_nanos()).expect("a sync takes less than 500 years");
    SLEEP_NANOS.store(nanos, Ordering::SeqCst);
}

/// How many syncs this process has asked for, of whatever kind.
pub(crate) fn calls() -> u64 {
    CALLS.load(Ordering::SeqCst)
}

#[allow(
    unsafe_code,
    reason = "the real system call, without the name that is replaced"
)]
fn sync(number: c_long, arguments: [usize; 4]) -> c_int {
    CALLS.fetch_add(1, Ordering::SeqCst);
    let nanos = SLEEP_NANOS.load(Ordering::SeqCst);
    if nanos > 0 {
        sleep_precisely(nanos);
        return 0;
    }
    let [a, b, c, d] = arguments;
    // SAFETY: the caller's own arguments, handed on to the system call that it asked for.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    c_int::try_from(result).expect("a sync returns 0 or -1")
}

/// Without the 50 µs that a thread's timers may be late by default, which would be 5 % of 1 ms. The
/// peers' own timers keep the default.
fn sleep_precisely(nanos: u64) {
    const DEFAULT: usize = 0;
    timer_slack(1);
    std::thread::sleep(Duration::from_nanos(nanos));
    timer_slack(DEFAULT);
}

#[allow(unsafe_code, reason = "no safe function of std sets it")]
fn timer_slack(nanos: usize) {
    // SAFETY: takes one integer and touches no memory; it cannot fail for the calling thread.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanos) };
}
