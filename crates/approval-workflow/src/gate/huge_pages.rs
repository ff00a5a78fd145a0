//! Asks the system for huge pages. On a virtual machine a random look into a large table takes a fifth
//! to a half less with them: without, the walk through the page tables of guest and host takes about as
//! long as the memory itself.

use std::mem::MaybeUninit;

/// Asks for huge pages for memory that was not written to yet. The system may decline, which changes nothing but
/// the speed.
#[allow(
    unsafe_code,
    reason = "no safe function advises about memory that the program allocated"
)]
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn advise<T>(memory: &mut [MaybeUninit<T>]) {
    use rustix::mm::{Advice, madvise};

    const HUGE_BYTES: usize = 2 << 20;
    let bytes = size_of_val(memory);
    if bytes < HUGE_BYTES {
        return;
    }
    let start = memory.as_mut_ptr().cast::<u8>();
    // Only whole pages can be spoken of: the part of the first one that is someone else's is left out.
    let skipped = start.align_offset(rustix::param::page_size());
    let Some(length) = bytes.checked_sub(skipped) else {
        return;
    };
    // SAFETY: `skipped..bytes` is part of a slice that is borrowed mutably, and this advice changes
    // neither what memory contains nor who may use it (madvise(2), MADV_HUGEPAGE).
    let _ = unsafe { madvise(start.add(skipped).cast(), length, Advice::LinuxHugepage) };
}

/// Elsewhere the system is not asked.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn advise<T>(_memory: &mut [MaybeUninit<T>]) {}
