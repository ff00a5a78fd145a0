//! Times and sizes as a person writes them: `250ms`, `1.5m`, `64KB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A time that is not none: a number and `us`, `ms`, `s`, `m`, `min` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A number of bytes: a plain number, or one with `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Each unit in nanoseconds.
const TIME_UNITS: [(&str, f64); 6] = [
    ("us", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 6e10),
    ("min", 6e10),
    ("h", 3.6e12),
];

/// Each unit in bytes.
const SIZE_UNITS: [(&str, f64); 8] = [
    ("", 1.0),
    ("B", 1.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];

/// A longer run would outlast the machine's uptime, and shorter than this no clock can time.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Time {
    const EXPECTED: &'static str = "a time such as 250ms, 30s, 5m or 1h";
}

impl Size {
    const EXPECTED: &'static str = "a size such as 512, 64KB, 1MB or 4MiB";
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not {}", Self::EXPECTED);
        let ns = amount(text, &TIME_UNITS).ok_or_else(wrong)?;
        if !(1.0..=LONGEST.as_nanos() as f64).contains(&ns) {
            return Err(format!("`{text}` is not a time from 1us to 30 days"));
        }
        Ok(Self(Duration::from_nanos(ns as u64)))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match amount(text, &SIZE_UNITS) {
            Some(bytes) if (0.0..=1e12).contains(&bytes) => Ok(Self(bytes as u64)),
            _ => Err(format!("`{text}` is not {}", Self::EXPECTED)),
        }
    }
}

fn amount(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    let unit = text[end..].trim_start();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some((number * factor).round())
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let (unit, each) = [("h", 3_600_000_000_000), ("m", 60_000_000_000)]
            .into_iter()
            .chain([("s", 1_000_000_000), ("ms", 1_000_000)])
            .find(|(_, each)| ns.is_multiple_of(*each))
            .unwrap_or(("us", 1_000));
        let number = ns as f64 / each as f64;
        write!(f, "{number}{unit}")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, each) = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)]
            .into_iter()
            .find(|(_, each)| self.0 > 0 && self.0.is_multiple_of(*each))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / each)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Time::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Size::EXPECTED)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                let expected = || E::custom(format!("{bytes} is not {}", Size::EXPECTED));
                u64::try_from(bytes).map(Size).map_err(|_| expected())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Text)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9_]*\.?[0-9_]+ *(us|ms|s|m|min|h)$",
            "description": "A time such as 250ms, 30s, 5m or 1h.",
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": r"^[0-9_]*\.?[0-9_]+ *(B|[KMG]i?B)?$",
            "description": "A size such as 512, 64KB, 1MB or 4MiB.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for text in ["1us", "250ms", "30s", "5m", "1h", "90s", "1500ms"] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.to_string().parse(), Ok(time), "{text}");
        }
        assert_eq!("1.5m".parse(), Ok(Time(Duration::from_secs(90))));
        assert_eq!("5 min".parse(), Ok(Time(Duration::from_secs(300))));
    }

    #[test]
    fn what_is_no_time_says_what_one_is() {
        let mistake = |text: &str| text.parse::<Time>().unwrap_err();
        assert_eq!(
            mistake("5"),
            "`5` is not a time such as 250ms, 30s, 5m or 1h"
        );
        assert_eq!(mistake("0s"), "`0s` is not a time from 1us to 30 days");
        assert!(mistake("-1s").contains("such as"));
        assert!(mistake("1.2.3s").contains("such as"));
        assert!(mistake("").contains("such as"));
    }

    #[test]
    fn sizes_are_decimal_unless_they_say_otherwise() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(bytes("64KB"), Ok(64_000));
        assert_eq!(bytes("1MiB"), Ok(1_048_576));
        assert_eq!(bytes("0.5 MB"), Ok(500_000));
        assert!(bytes("64kb").is_err());
        assert_eq!(Size(64_000).to_string(), "64KB");
    }
}
