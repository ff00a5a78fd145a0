use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

/// A moment, in microseconds since the Unix epoch; before 1970 they are negative.
///
/// Nothing below the harness reads a clock: the caller says when something happens, so that every
/// run repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64); // microseconds

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MILLI: i64 = 1_000;

impl Timestamp {
    /// The first moment, 292,000 years before 1970.
    pub const MIN: Self = Self(i64::MIN);
    /// The last moment; what is bounded by it never ends.
    pub const MAX: Self = Self(i64::MAX);

    /// Makes a moment from microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Makes a moment from milliseconds since the Unix epoch; one that is too far away becomes
    /// [`Timestamp::MIN`] or [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(MICROS_PER_MILLI))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(MICROS_PER_MILLI)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// The moment that much later, or [`Timestamp::MAX`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// How long ago `earlier` was; zero if it was not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 {
            return Duration::ZERO;
        }
        Duration::from_micros(self.0.abs_diff(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µs", self.0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_i64(Micros)
    }
}

/// Numbers of 64 bits without a sign were stored before; what is above the range never ends.
struct Micros;

impl de::Visitor<'_> for Micros {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("microseconds since the Unix epoch, as an integer")
    }

    fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Timestamp, E> {
        Ok(Timestamp(micros))
    }

    fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Timestamp, E> {
        Ok(Timestamp(i64::try_from(micros).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_1970_are_moments_like_others() {
        let early = Timestamp::from_millis(-1);
        assert_eq!(early.as_micros(), -1_000);
        let earlier = Timestamp::from_micros(-1_001);
        assert_eq!((earlier.as_millis(), earlier.as_secs()), (-2, -1));
        assert_eq!(early.since(earlier), Duration::from_micros(1));
        assert_eq!(earlier.since(early), Duration::ZERO);
        assert_eq!(earlier.after(Duration::from_micros(1)), early);
        assert_eq!(serde_json::to_string(&earlier).unwrap(), "-1001");
        assert_eq!(serde_json::from_str::<Timestamp>("-1001").unwrap(), earlier);
    }

    #[test]
    fn nothing_overflows() {
        assert_eq!(Timestamp::MAX.after(Duration::MAX), Timestamp::MAX);
        assert_eq!(
            Timestamp::MAX.since(Timestamp::MIN),
            Duration::from_micros(u64::MAX)
        );
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN), Timestamp::MIN);
    }

    #[test]
    fn a_number_above_the_range_reads_as_the_last_moment() {
        let read = |text: &str| serde_json::from_str::<Timestamp>(text);
        for text in [
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
        ] {
            assert_eq!(read(text).unwrap(), Timestamp::MAX, "{text}");
        }
        for text in ["18446744073709551616", "1.0", "\"1\"", "null"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
