//! Time as text.

/// Durations as people write them in a policy: `90s`, `15m`, `4h`, `7d`, or `1h30m`.
pub(crate) mod text {
    use std::fmt::Write as _;
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    const UNITS: [(&str, u64); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        render(*span).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| {
            let wanted = "a duration such as \"90s\", \"15m\", \"4h\", \"7d\" or \"1h30m\"";
            de::Error::invalid_value(de::Unexpected::Str(&text), &wanted)
        })
    }

    /// Largest unit first, each at most once; what is below a millisecond is cut.
    fn render(span: Duration) -> String {
        let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let mut text = String::with_capacity(16);
        for (unit, millis) in UNITS {
            if left >= millis {
                let number = left / millis;
                // Writing to a string never fails.
                let _ = write!(text, "{number}{unit}");
                left %= millis;
            }
        }
        if text.is_empty() { "0s".into() } else { text }
    }

    fn parse(text: &str) -> Option<Duration> {
        let mut rest = text;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit());
            let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
            let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
            let part = number.parse::<u64>().ok()?.checked_mul(*millis)?;
            total = total.checked_add(part)?;
            rest = after;
        }
        (!text.is_empty()).then_some(Duration::from_millis(total))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn durations_are_read_as_people_write_them() {
            for (text, millis) in [
                ("90s", 90_000),
                ("15m", 900_000),
                ("1h30m", 5_400_000),
                ("7d", 604_800_000),
                ("250ms", 250),
                ("0s", 0),
            ] {
                assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
            }
            for text in [
                "",
                "5",
                "m",
                "-1s",
                "1.5h",
                "1 h",
                "99999999999999999999s",
                "1y",
            ] {
                assert_eq!(parse(text), None, "{text:?}");
            }
        }

        #[test]
        fn a_duration_survives_its_text() {
            for millis in [0, 1, 999, 1_000, 61_000, 5_400_000, 90_061_001, u64::MAX] {
                let span = Duration::from_millis(millis);
                assert_eq!(parse(&render(span)), Some(span), "{}", render(span));
            }
        }
    }
}
