//! A fault that a test plants, to see that it would be found.

use std::cell::Cell;

// The threads of a schedule are all run by the thread of the test.
thread_local! {
    static FORGETFUL: Cell<bool> = const { Cell::new(false) };
}

/// Has claims and reviews be checked against what is on disk, and not against what is on its way.
pub fn forget_what_is_on_its_way(yes: bool) {
    FORGETFUL.set(yes);
}

pub(crate) fn is_forgetful() -> bool {
    FORGETFUL.get()
}
