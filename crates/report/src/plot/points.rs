//! The figures behind a plot over time as JSON, for the script that reads them out.

use std::fmt::Write as _;

use crate::Unit;

/// Figures of several lines at the same times.
pub(super) struct Points {
    times: String,
    lines: Vec<String>,
}

impl Points {
    /// Figures that hold from these times on, in seconds.
    pub(super) fn new(times: impl Iterator<Item = f64>) -> Self {
        Self {
            times: array(times.map(Some)),
            lines: Vec::new(),
        }
    }

    /// Adds a line, in the order of the legend.
    pub(super) fn line(mut self, unit: Unit, values: impl Iterator<Item = Option<f64>>) -> Self {
        let unit = match unit {
            Unit::Nanoseconds => "ns",
            Unit::Bytes => "B",
            Unit::PerSecond => "/s",
            Unit::Share => "%",
            Unit::Cores => "cores",
            _ => "",
        };
        self.lines
            .push(format!("{{\"u\":\"{unit}\",\"v\":{}}}", array(values)));
        self
    }

    pub(super) fn finish(self) -> String {
        format!("{{\"x\":{},\"s\":[{}]}}", self.times, self.lines.join(","))
    }
}

/// Numbers of four significant digits.
fn array(values: impl Iterator<Item = Option<f64>>) -> String {
    let mut text = String::from("[");
    for value in values {
        if text.len() > 1 {
            text.push(',');
        }
        let _ = match value.filter(|value| value.is_finite()) {
            None => write!(text, "null"),
            Some(value) if value.abs() >= 1e3 => write!(text, "{}", value.round()),
            Some(value) => write!(text, "{}", (value * 1e3).round() / 1e3),
        };
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_gaps_are_null() {
        let points = Points::new([0.0, 0.5].into_iter())
            .line(Unit::Nanoseconds, [Some(1234.56), None].into_iter())
            .line(Unit::Share, [Some(0.12345), Some(f64::NAN)].into_iter());
        assert_eq!(
            points.finish(),
            r#"{"x":[0,0.5],"s":[{"u":"ns","v":[1235,null]},{"u":"%","v":[0.123,null]}]}"#
        );
    }
}
