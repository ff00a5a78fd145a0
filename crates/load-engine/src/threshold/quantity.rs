//! Quantities as a person writes them: `1m30s`, `64KB`, `100/s`, `5%`.
//!
//! One parser reads them wherever a user writes one: thresholds, scenario files and flags.
//!
//! dimension | units | a bare number
//! --- | --- | ---
//! time | `ns us µs ms s m min h d`, combined as in `1m30s` | is refused
//! size | `B kB MB GB TB` (1,000) and `KiB MiB GiB TiB` (1,024), in any case | is bytes
//! rate | `/s /min /h` | is refused
//! share | `%` | is a share if it is below 1
//! count, processors | none | is the number
//!
//! `_` groups digits, and a space may stand before a unit.
//!
//! ```
//! use load_engine::quantity::{Dimension, Size, Time, parse};
//!
//! assert_eq!("1m30s".parse::<Time>()?.0.as_secs(), 90);
//! assert_eq!("64 kB".parse::<Size>()?.0, 64_000);
//! assert_eq!(parse("90/min", Dimension::Rate)?, 1.5);
//! assert_eq!(parse("5", Dimension::Share).unwrap_err(), "`5` is above 100 %; did you mean 5 %?");
//! # Ok::<(), String>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What a quantity is counted in, which decides its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// In nanoseconds.
    Time,
    /// From 0 to 1.
    Share,
    /// A number of things.
    Count,
    /// In a second.
    Rate,
    /// In bytes.
    Bytes,
    /// A number of processors.
    Cores,
}

/// Units of a dimension, each in base units. Of two that begin alike the longer one comes first.
type Units = &'static [(&'static str, f64)];

const TIMES: Units = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3), // the micro sign, and below the Greek letter that looks like it
    ("μs", 1e3),
    ("ms", 1e6),
    ("min", 60e9),
    ("m", 60e9),
    ("s", 1e9),
    ("h", 3600e9),
    ("d", 86_400e9),
];
const SIZES: Units = &[
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("b", 1.0),
    ("", 1.0),
];
const RATES: Units = &[
    ("/s", 1.0),
    ("/min", 1.0 / 60.0),
    ("/m", 1.0 / 60.0),
    ("/h", 1.0 / 3600.0),
];
const SHARES: Units = &[("%", 0.01), ("", 1.0)];
const BARE: Units = &[("", 1.0)];

impl Dimension {
    /// What a figure of this dimension is reported in: `ns`, `share`, `count`, `per_s`, `bytes` or
    /// `cores`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Time => "ns",
            Self::Share => "share",
            Self::Count => "count",
            Self::Rate => "per_s",
            Self::Bytes => "bytes",
            Self::Cores => "cores",
        }
    }

    /// What it is called in a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Share => "share",
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Bytes => "size",
            Self::Cores => "number of processors",
        }
    }

    /// A quantity of it.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Time => "200ms",
            Self::Share => "1%",
            Self::Count => "0",
            Self::Rate => "1000/s",
            Self::Bytes => "500MB",
            Self::Cores => "1.5",
        }
    }

    /// Its units, in a message.
    pub(crate) fn units(self) -> &'static str {
        match self {
            Self::Time => "ns, us, ms, s, m, h or d",
            Self::Share => "%",
            Self::Count | Self::Cores => "none",
            Self::Rate => "/s, /min or /h",
            Self::Bytes => "B, kB, MB, GB, TB, KiB, MiB, GiB or TiB",
        }
    }

    fn table(self) -> Units {
        match self {
            Self::Time => TIMES,
            Self::Share => SHARES,
            Self::Count | Self::Cores => BARE,
            Self::Rate => RATES,
            Self::Bytes => SIZES,
        }
    }

    fn factor(self, unit: &str) -> Option<f64> {
        let unit = match self {
            Self::Bytes => unit.to_ascii_lowercase(),
            _ => unit.to_owned(),
        };
        let known = self.table().iter().find(|(name, _)| *name == unit);
        known.map(|(_, factor)| *factor)
    }
}

/// What is wrong with a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// There is no number.
    NoNumber,
    /// The dimension has no such unit, which begins at this byte; an empty one if there is none.
    Unit { at: usize, unit: String },
    /// The share is above 1.
    Share(String),
}

/// Reads a whole text, in the dimension's base unit: nanoseconds, bytes, per second, a share of 1.
///
/// # Errors
///
/// A sentence that says what is wrong with it and what would be right.
pub fn parse(text: &str, dimension: Dimension) -> Result<f64, String> {
    let trimmed = text.trim();
    let mistaken = match read(trimmed, dimension) {
        Ok((value, rest)) if rest.trim().is_empty() => return Ok(value),
        Ok(_) | Err(Mistake::NoNumber | Mistake::Unit { .. }) => format!(
            "`{trimmed}` is not a {} such as {}",
            dimension.name(),
            dimension.example()
        ),
        Err(Mistake::Share(problem)) => format!("`{trimmed}` is {problem}"),
    };
    Err(mistaken)
}

/// Reads a quantity at the beginning of a text, and gives what follows it.
pub(crate) fn read(text: &str, dimension: Dimension) -> Result<(f64, &str), Mistake> {
    let (mut value, mut rest, mut last) = term(text, text, dimension)?;
    // `1m30s`: terms of ever smaller units.
    while dimension == Dimension::Time && rest.starts_with(|c: char| c.is_ascii_digit()) {
        let (next, after, factor) = term(text, rest, dimension)?;
        if factor >= last {
            return Err(Mistake::Unit {
                at: text.len() - rest.len(),
                unit: rest.to_owned(),
            });
        }
        (value, rest, last) = (value + next, after, factor);
    }
    if dimension == Dimension::Share {
        check_share(value, last)?;
    }
    Ok((value, rest))
}

/// A number and a unit: the value, what follows, and the unit in base units.
fn term<'t>(
    whole: &str,
    text: &'t str,
    dimension: Dimension,
) -> Result<(f64, &'t str, f64), Mistake> {
    let digit = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
    let (digits, rest) = split(text, digit);
    let number: f64 = digits
        .replace('_', "")
        .parse()
        .map_err(|_| Mistake::NoNumber)?;
    let unit_text = rest.trim_start();
    let (unit, after) = split(unit_text, |c| c.is_alphabetic() || c == '%' || c == '/');
    let factor = dimension.factor(unit).ok_or_else(|| Mistake::Unit {
        at: whole.len() - unit_text.len(),
        unit: unit.to_owned(),
    })?;
    let after = if unit.is_empty() { rest } else { after };
    Ok((number * factor, after, factor))
}

fn split(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

/// `error_rate < 5` would always hold, and `< 1` is as likely to be meant as 1 %.
fn check_share(share: f64, factor: f64) -> Result<(), Mistake> {
    let bare = factor == 1.0;
    match share {
        _ if share > 1.0 && bare && share <= 100.0 => Err(Mistake::Share(format!(
            "above 100 %; did you mean {share} %?"
        ))),
        _ if share > 1.0 => Err(Mistake::Share("above 100 %".to_owned())),
        1.0 if bare => Err(Mistake::Share("1 or 100 %? Write 1% or 100%".to_owned())),
        _ => Ok(()),
    }
}

/// A time that is not none, from 1 ns to 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A longer run would outlast the machine's uptime.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// More than any machine has, and below what a double holds exactly.
const MOST_BYTES: f64 = 1e15;

impl Time {
    const EXPECTED: &'static str = "a time such as 250ms, 30s, 1m30s or 1h";
}

impl Size {
    const EXPECTED: &'static str = "a size such as 512, 64kB, 1MB or 4MiB";
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ns = parse(text, Dimension::Time)
            .map_err(|_| format!("`{text}` is not {}", Self::EXPECTED))?
            .round();
        if !(1.0..=LONGEST.as_nanos() as f64).contains(&ns) {
            return Err(format!("`{text}` is not a time from 1ns to 30d"));
        }
        Ok(Self(Duration::from_nanos(ns as u64)))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match parse(text, Dimension::Bytes) {
            Ok(bytes) if bytes <= MOST_BYTES => Ok(Self(bytes.round() as u64)),
            _ => Err(format!("`{text}` is not {}", Self::EXPECTED)),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let units = [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
        ];
        let whole = units.into_iter().find(|(_, each)| ns.is_multiple_of(*each));
        let (unit, each) = whole.unwrap_or(("ns", 1));
        write!(f, "{}{unit}", ns / each)
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

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
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
            "pattern": r"^([0-9_]*\.?[0-9_]+ *(ns|us|µs|μs|ms|s|m|min|h|d))+$",
            "description": "A time such as 250ms, 30s, 1m30s or 1h.",
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
            "pattern": r"^[0-9_]*\.?[0-9_]+ *([KkMmGgTt]?[Ii]?[Bb])?$",
            "description": "A size such as 512, 64kB, 1MB or 4MiB.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        let table = [
            (
                Dimension::Time,
                "250ms 1.5m 1m30s 1min 7d 90s 2us 3µs 3μs 8ns 1_000ms",
                "250000000 90000000000 90000000000 60000000000 604800000000000 90000000000 2000 3000 3000 8 1000000000",
            ),
            (
                Dimension::Bytes,
                "500kB 4KB 4KiB 64kb 512 512B 0.5MB 1_000 2GiB 1TB 1TiB",
                "500000 4000 4096 64000 512 512 500000 1000 2147483648 1000000000000 1099511627776",
            ),
            (
                Dimension::Rate,
                "10/s 90/min 90/m 3600/h 0.5/s",
                "10 1.5 1.5 1 0.5",
            ),
            (
                Dimension::Share,
                "5% 0.05 100% 0 0.1%",
                "0.05 0.05 1 0 0.001",
            ),
            (Dimension::Count, "0 1_000 2.5", "0 1000 2.5"),
            (Dimension::Cores, "1.5", "1.5"),
        ];
        for (dimension, spellings, values) in table {
            let values: Vec<f64> = values
                .split(' ')
                .map(|value| value.parse().unwrap())
                .collect();
            for (text, value) in spellings.split(' ').zip(values) {
                let read = parse(text, dimension).unwrap();
                assert!(
                    (read - value).abs() <= value * 1e-12,
                    "{text}: {read}, not {value}"
                );
            }
        }
        assert_eq!(parse("30 s", Dimension::Time), Ok(30e9));
        assert_eq!(parse(" 0.5 MB ", Dimension::Bytes), Ok(5e5));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        let table = [
            (
                Dimension::Time,
                "5|-1s|5 minutes ago|P1D|1.2.3s|1s1m|1s1s|1m30||s",
            ),
            (Dimension::Bytes, "-1|1m|12 bytes|1e3|KB|"),
            (Dimension::Rate, "10|10/d|/s|10s"),
            (Dimension::Share, "5|1|150%|-1%|5 percent|x"),
            (Dimension::Count, "5%|1k|"),
        ];
        for (dimension, texts) in table {
            for text in texts.split('|') {
                let read = parse(text, dimension);
                assert!(read.is_err(), "{text}: {read:?}");
            }
        }
        assert_eq!(
            parse("150%", Dimension::Share).unwrap_err(),
            "`150%` is above 100 %"
        );
    }

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for text in ["1us", "250ms", "30s", "5m", "1h", "90s", "1500ms", "7ns"] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.to_string().parse(), Ok(time), "{text}");
        }
        assert_eq!("5 min".parse(), Ok(Time(Duration::from_secs(300))));
    }

    #[test]
    fn what_is_no_time_says_what_one_is() {
        let mistake = |text: &str| text.parse::<Time>().unwrap_err();
        assert_eq!(
            mistake("5"),
            "`5` is not a time such as 250ms, 30s, 1m30s or 1h"
        );
        assert_eq!(mistake("0s"), "`0s` is not a time from 1ns to 30d");
        assert!(mistake("").contains("such as"));
    }

    #[test]
    fn sizes_are_decimal_unless_they_say_otherwise() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(bytes("64KB"), Ok(64_000));
        assert_eq!(bytes("1MiB"), Ok(1_048_576));
        assert_eq!(Size(64_000).to_string(), "64KB");
    }
}
