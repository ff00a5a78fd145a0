//! The one place of this room that reads the wall clock: from here it is passed down as an argument.

/// Now, in UTC.
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Now, in microseconds since the Unix epoch.
pub(crate) fn now_micros() -> u64 {
    // A clock before 1970 is not set at all.
    now().as_microsecond().try_into().unwrap_or(0)
}
