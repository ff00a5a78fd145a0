//! What a user does next.

/// What a user does next.
pub(crate) enum Turn {
    /// Waits until a time, or until the run is stopped.
    Pause { until_ns: u64 },
    /// Does the iteration that has been begun.
    Iterate,
    /// Is through.
    End { interrupted: bool },
}

/// How a user's loop ended.
#[derive(Clone, Copy)]
pub(crate) struct UserEnd {
    pub(crate) at_ns: u64,
    /// How much later than its think time ended it went on, all in all.
    pub(crate) overslept_ns: u64,
    /// Whether it was stopped before it was through.
    pub(crate) interrupted: bool,
}
