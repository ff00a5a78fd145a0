//! The intervals of a record in other tools' formats.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::error::RunError;
use crate::numbers::{per_second, rounded};
use crate::record::RunRecord;

/// Nanoseconds of a millisecond, the unit in which people read the maxima of an interval log.
const NS_PER_MS: f64 = 1e6;

impl RunRecord {
    /// Writes every interval of every step as an HdrHistogram interval log (`.hlog`), which
    /// HistogramLogAnalyzer, HdrHistogramVisualizer and their like read. Steps are tags; values are
    /// nanoseconds.
    ///
    /// # Errors
    ///
    /// When `out` fails, or a saved histogram is damaged.
    pub fn write_hlog(&self, mut out: impl Write, started: SystemTime) -> Result<(), RunError> {
        let mut encoding = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(&format!("[{}, seed {}]", self.label, self.seed))
            .with_start_time(started)
            // Readers take interval times for times of day unless they are told where they begin.
            .with_base_time(started)
            .with_max_value_divisor(NS_PER_MS)
            .begin_log_with(&mut out, &mut encoding)
            .map_err(failed)?;
        for step in &self.steps {
            let tag = tag_of(&step.name);
            for interval in step
                .intervals
                .iter()
                .filter(|interval| interval.latency.count > 0)
            {
                let histogram = interval.latency.to_histogram()?;
                let start = Duration::from_nanos(interval.start_ns);
                let width = Duration::from_nanos(self.interval_ns);
                log.write_histogram(&histogram, start, width, Tag::new(&tag))
                    .map_err(failed)?;
            }
        }
        out.flush().map_err(failed)
    }

    /// Writes every interval of every step as CSV, times in milliseconds.
    ///
    /// # Errors
    ///
    /// When `out` fails.
    pub fn write_csv(&self, mut out: impl Write) -> Result<(), RunError> {
        let columns = "step,start_s,count,failed,per_second,min_ms,mean_ms,p50_ms,p90_ms,p95_ms,p99_ms,\
                       p999_ms,max_ms";
        writeln!(out, "{columns}").map_err(failed)?;
        for step in &self.steps {
            let name = quoted(&step.name);
            for interval in &step.intervals {
                let latency = &interval.latency;
                let start_s = interval.start_ns as f64 / 1e9;
                let rate = rounded(per_second(latency.count, self.interval_ns), 3);
                let counts = format!("{},{},{rate}", latency.count, interval.failed);
                let times = [
                    latency.min_ns as f64,
                    latency.mean_ns,
                    latency.p50_ns as f64,
                    latency.p90_ns as f64,
                    latency.p95_ns as f64,
                    latency.p99_ns as f64,
                    latency.p999_ns as f64,
                    latency.max_ns as f64,
                ]
                .map(|ns| format!("{:.6}", ns / NS_PER_MS))
                .join(",");
                writeln!(out, "{name},{start_s},{counts},{times}").map_err(failed)?;
            }
        }
        out.flush().map_err(failed)
    }
}

fn failed(error: impl Display) -> RunError {
    RunError::Export {
        source: io::Error::other(error.to_string()),
    }
}

/// A step's name as a tag, in which the format allows neither commas nor white space.
fn tag_of(name: &str) -> String {
    let allowed = |c: char| {
        if c == ',' || c.is_whitespace() {
            '_'
        } else {
            c
        }
    };
    name.chars().map(allowed).collect()
}

/// A field by RFC 4180.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_for_their_format() {
        assert_eq!(tag_of("can execute, at once"), "can_execute__at_once");
        assert_eq!(quoted("say \"a, b\""), "\"say \"\"a, b\"\"\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
