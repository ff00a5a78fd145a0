//! The one place of this crate that reads the wall clock: from here it is passed down as an argument.

/// Now, in UTC.
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Now, in microseconds since the Unix epoch.
pub(crate) fn now_micros() -> i64 {
    now().as_microsecond()
}
