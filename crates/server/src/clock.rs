//! The time of day, which the crates below take as an argument, and how it is written.

use action::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The moment at which a request is handled.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// A moment as RFC 3339 in UTC with microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Moment(String);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(text(at))
    }
}

/// As RFC 3339; moments outside of the years that it can write are the last one that it can.
pub(crate) fn text(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_microsecond(at.as_micros());
    format!("{:.6}", moment.unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_microseconds_and_the_end_of_time_is_a_moment() {
        let at = Timestamp::from_micros(1_795_896_000_000_001);
        assert_eq!(text(at), "2026-11-28T20:00:00.000001Z");
        assert!(text(Timestamp::MAX).starts_with("9999-12-30T"));
    }
}
