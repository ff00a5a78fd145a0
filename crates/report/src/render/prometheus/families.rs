//! Families of metrics, and their text format.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

/// Upper bounds of the classic buckets, in seconds: 1, 2 and 5 of each power of ten.
const BOUNDS: [f64; 25] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1,
    0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];

const NS_PER_SECOND: f64 = 1e9;

/// What is exported, family by family.
#[derive(Default)]
pub(super) struct Families<'r>(pub(super) Vec<Family<'r>>);

pub(super) struct Family<'r> {
    pub(super) name: String,
    /// `gauge`, `counter` or `histogram`.
    pub(super) kind: &'static str,
    pub(super) help: String,
    pub(super) samples: Vec<Sample<'r>>,
}

pub(super) struct Sample<'r> {
    pub(super) labels: Vec<(&'r str, &'r str)>,
    pub(super) value: Value,
}

pub(super) enum Value {
    Number(f64),
    Histogram(Times),
}

/// Latencies in seconds, from a histogram of nanoseconds.
pub(super) struct Times {
    pub(super) histogram: Histogram<u64>,
    pub(super) sum: f64,
}

impl Times {
    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The bound of each classic bucket, and how many are at most that.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        let mut recorded = self.histogram.iter_recorded().peekable();
        let mut so_far = 0;
        let bucket = |bound: &f64| {
            let within = |ns: u64| ns as f64 / NS_PER_SECOND <= *bound;
            while let Some(next) = recorded.next_if(|next| within(next.value_iterated_to())) {
                so_far += next.count_at_value();
            }
            (*bound, so_far)
        };
        BOUNDS.iter().map(bucket).collect()
    }
}

impl<'r> Families<'r> {
    pub(super) fn head(&mut self, name: &str, kind: &'static str, help: &str) {
        self.0.push(Family {
            name: name.to_owned(),
            kind,
            help: help.to_owned(),
            samples: Vec::new(),
        });
    }

    /// A sample of the family that was begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&'r str, &'r str)], value: f64) {
        debug_assert_eq!(self.0.last().map(|family| family.name.as_str()), Some(name));
        self.add(labels, Value::Number(value));
    }

    pub(super) fn histogram(
        &mut self,
        labels: &[(&'r str, &'r str)],
        histogram: Histogram<u64>,
        mean_ns: f64,
    ) {
        let sum = mean_ns * histogram.len() as f64 / NS_PER_SECOND;
        self.add(labels, Value::Histogram(Times { histogram, sum }));
    }

    fn add(&mut self, labels: &[(&'r str, &'r str)], value: Value) {
        if let Some(family) = self.0.last_mut() {
            let labels = labels.to_vec();
            family.samples.push(Sample { labels, value });
        }
    }

    /// In the text format, version 0.0.4.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for family in &self.0 {
            let Family {
                name, kind, help, ..
            } = family;
            // A `String` takes every write.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for sample in &family.samples {
                match &sample.value {
                    Value::Number(value) => line(&mut text, name, &sample.labels, None, *value),
                    Value::Histogram(times) => lines(&mut text, name, &sample.labels, times),
                }
            }
        }
        text
    }
}

fn lines(text: &mut String, name: &str, labels: &[(&str, &str)], times: &Times) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in times.buckets() {
        let bound = bound.to_string();
        line(text, &bucket, labels, Some(&bound), count as f64);
    }
    let count = times.count() as f64;
    line(text, &bucket, labels, Some("+Inf"), count);
    line(text, &format!("{name}_sum"), labels, None, times.sum);
    line(text, &format!("{name}_count"), labels, None, count);
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], bound: Option<&str>, value: f64) {
    text.push_str(name);
    let bound = bound.map(|bound| ("le", bound));
    for (at, (label, of)) in labels.iter().copied().chain(bound).enumerate() {
        let open = if at == 0 { '{' } else { ',' };
        let _ = write!(text, "{open}{label}=\"{}\"", escaped(of));
    }
    let close = if labels.is_empty() && bound.is_none() {
        ""
    } else {
        "}"
    };
    let _ = writeln!(text, "{close} {value}");
}

/// The value of a label: the format's three escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_of_text() {
        let mut out = Families::default();
        out.head("m", "gauge", "made");
        out.sample("m", &[("step", "a\"b\\c\nd")], 1.0);
        let text = out.text();
        assert!(text.ends_with("m{step=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }

    #[test]
    fn buckets_count_what_is_at_most_their_bound() {
        let mut histogram = Histogram::new(3).unwrap();
        for ns in [900, 1_500_000, 3_000_000, 200_000_000_000] {
            histogram.record(ns).unwrap();
        }
        let mut out = Families::default();
        out.head("t", "histogram", "made");
        out.histogram(&[], histogram, 1e9);
        let text = out.text();
        for line in [
            "t_bucket{le=\"0.000001\"} 1",
            "t_bucket{le=\"0.001\"} 1",
            "t_bucket{le=\"0.002\"} 2",
            "t_bucket{le=\"0.005\"} 3",
            "t_bucket{le=\"100\"} 3",
            "t_bucket{le=\"+Inf\"} 4",
            "t_sum 4",
            "t_count 4",
        ] {
            assert!(text.lines().any(|is| is == line), "{line}\n{text}");
        }
    }
}
