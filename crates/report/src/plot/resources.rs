use load_engine::MonitorSample;

use super::frame::{Frame, TimeAxis};
use super::points::Points;
use super::scale::Scale;
use super::{Legend, Painter, Plot};
use crate::units::{bytes, count};
use crate::{PlotKind, Unit};

/// Points of a line at most.
const POINTS: usize = 480;

/// A time of the monitor: what was known of a source in it.
#[derive(Clone, Copy)]
struct Part {
    start_s: f64,
    end_s: f64,
    low: f64,
    mean: f64,
    high: f64,
}

/// What is drawn of a source: its name, and its total or level in a sample.
type Source = (&'static str, fn(&MonitorSample) -> Option<u64>);

impl Painter<'_> {
    /// What the process used, under the same axis of time as its latencies.
    pub(super) fn resources(&self) -> Vec<Plot> {
        let nanoseconds = 1e-9;
        let plots = [
            self.levels(
                PlotKind::Memory,
                "Resident memory",
                "Memory of the whole process, target and engine together.",
                &[("resident", |sample| sample.resident_bytes)],
            ),
            self.rates(
                PlotKind::Processor,
                "Processors in use",
                "Processor time in each second, target and engine together.",
                (Unit::Cores, nanoseconds),
                &[
                    ("in user mode", |sample| sample.cpu_user_ns),
                    ("in the kernel", |sample| sample.cpu_system_ns),
                ],
            ),
            self.rates(
                PlotKind::Pressure,
                "Waiting for the machine",
                "The share of time in which a task of the machine waited (PSI), or the process was \
                 kept from running by its limit.",
                (Unit::Share, nanoseconds),
                &[
                    ("for a processor", |sample| sample.cpu_pressure_ns),
                    ("for a disk", |sample| sample.io_pressure_ns),
                    ("for memory", |sample| sample.memory_pressure_ns),
                    ("throttled", |sample| sample.throttled_ns),
                ],
            ),
            self.rates(
                PlotKind::Disk,
                "Disk",
                "Bytes in each second that the process had read from disk and written to it.",
                (Unit::Bytes, 1.0),
                &[
                    ("written per second", |sample| sample.disk_written_bytes),
                    ("read per second", |sample| sample.disk_read_bytes),
                ],
            ),
        ];
        plots.into_iter().flatten().collect()
    }

    /// Sources whose samples are levels.
    fn levels(
        &self,
        kind: PlotKind,
        title: &str,
        caption: &str,
        sources: &[Source],
    ) -> Option<Plot> {
        let known = self.known(sources, |samples, of| levels(samples, of));
        let highest = known
            .iter()
            .flat_map(|(_, parts)| parts)
            .map(|part| part.high);
        let most = bytes(highest.fold(0.0, f64::max));
        self.draw(
            kind,
            title,
            &format!("{caption} At most {most}."),
            Unit::Bytes,
            &known,
        )
    }

    /// Sources whose samples are totals; drawn is how they grow in a second, times a factor.
    fn rates(
        &self,
        kind: PlotKind,
        title: &str,
        caption: &str,
        (unit, factor): (Unit, f64),
        sources: &[Source],
    ) -> Option<Plot> {
        let known = self.known(sources, |samples, of| rates(samples, of, factor));
        self.draw(kind, title, caption, unit, &known)
    }

    /// The sources of which something is known.
    fn known(
        &self,
        sources: &[Source],
        parts: impl Fn(&[MonitorSample], fn(&MonitorSample) -> Option<u64>) -> Vec<Part>,
    ) -> Vec<(&'static str, Vec<Part>)> {
        sources
            .iter()
            .map(|&(name, of)| (name, parts(&self.run.monitor.samples, of)))
            .filter(|(_, parts)| parts.len() > 1)
            .collect()
    }

    fn draw(
        &self,
        kind: PlotKind,
        title: &str,
        caption: &str,
        unit: Unit,
        known: &[(&'static str, Vec<Part>)],
    ) -> Option<Plot> {
        const CLASSES: [(&str, &str); 4] = [("c1", "b1"), ("c2", "b2"), ("c3", "b3"), ("c4", "b4")];
        let (_, first) = known.first()?;
        let highest = known
            .iter()
            .flat_map(|(_, parts)| parts)
            .map(|part| part.high);
        let end_s = self.axis.end_s;
        let mut frame = Frame::new(Scale::Time { end_s }, Scale::linear(highest, unit));
        let mut points = Points::new(first.iter().map(|part| part.start_s));
        let mut legend = Vec::new();
        for ((name, parts), (line, band)) in known.iter().zip(CLASSES) {
            if parts.iter().any(|part| part.low < part.high) {
                let band_of = |part: &Part| (part.start_s, part.end_s, part.low, part.high);
                frame.band(band, parts.iter().map(band_of));
            }
            frame.line(
                line,
                parts.iter().map(|part| (part.start_s, Some(part.mean))),
            );
            legend.push(Legend::new(line, *name));
            points = points.line(unit, parts.iter().map(|part| Some(part.mean)));
        }
        let own = self.axis_of(kind);
        let axis = TimeAxis {
            gaps: self.axis.gaps.clone(),
            ..own
        };
        let monitor = &self.run.monitor;
        let gaps = match monitor.gap_count {
            0 => String::new(),
            gaps => format!(" {} gaps, shaded, of which nothing is known.", count(gaps)),
        };
        let merged = if known
            .iter()
            .any(|(_, parts)| parts.iter().any(|part| part.low < part.high))
        {
            " The shade reaches from the lowest to the highest sample of each point."
        } else {
            ""
        };
        let caption = format!("{caption}{merged}{gaps}");
        let id = self.id(kind);
        Some(Plot {
            svg: frame.finish(kind, &id, title, &caption, 100, Some(&axis)),
            kind,
            id,
            title: title.to_owned(),
            caption,
            legend,
            points: Some(points.finish()),
        })
    }
}

/// Samples of one source from the start of the load on.
fn samples(all: &[MonitorSample], of: fn(&MonitorSample) -> Option<u64>) -> Vec<(f64, f64)> {
    let known = all
        .iter()
        .filter_map(|sample| Some((sample.at_ns, of(sample)?)));
    known
        .filter(|(at_ns, _)| *at_ns >= 0)
        .map(|(at_ns, value)| (at_ns as f64 / 1e9, value as f64))
        .collect()
}

fn levels(all: &[MonitorSample], of: fn(&MonitorSample) -> Option<u64>) -> Vec<Part> {
    let samples = samples(all, of);
    samples
        .chunks(samples.len().div_ceil(POINTS).max(1))
        .map(part)
        .collect()
}

fn rates(all: &[MonitorSample], of: fn(&MonitorSample) -> Option<u64>, factor: f64) -> Vec<Part> {
    let totals = samples(all, of);
    let rates: Vec<(f64, f64)> = totals
        .windows(2)
        .filter(|pair| pair[1].0 > pair[0].0)
        .map(|pair| {
            let seconds = pair[1].0 - pair[0].0;
            (
                pair[1].0,
                (pair[1].1 - pair[0].1).max(0.0) * factor / seconds,
            )
        })
        .collect();
    rates
        .chunks(rates.len().div_ceil(POINTS).max(1))
        .map(part)
        .collect()
}

/// Neighbouring figures as one point that keeps its extremes.
fn part(own: &[(f64, f64)]) -> Part {
    let values = || own.iter().map(|figure| figure.1);
    Part {
        start_s: own[0].0,
        end_s: own[own.len() - 1].0,
        low: values().fold(f64::INFINITY, f64::min),
        mean: values().sum::<f64>() / own.len() as f64,
        high: values().fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ns: i64, total: u64) -> MonitorSample {
        let mut sample = MonitorSample::default();
        sample.at_ns = at_ns;
        sample.cpu_user_ns = Some(total);
        sample
    }

    #[test]
    fn a_rate_is_the_growth_between_two_samples_of_the_load() {
        let all = [
            sample(-5, 7),
            sample(0, 0),
            sample(500_000_000, 1_000_000_000),
        ];
        let parts = rates(&all, |sample| sample.cpu_user_ns, 1e-9);
        assert_eq!(
            (parts.len(), parts[0].start_s, parts[0].mean),
            (1, 0.5, 2.0)
        );
    }

    #[test]
    fn a_peak_of_one_sample_among_thousands_is_kept() {
        let all: Vec<_> = (0..5_000)
            .map(|n| sample(n, if n == 777 { 90 } else { 10 }))
            .collect();
        let parts = levels(&all, |sample| sample.cpu_user_ns);
        assert!(parts.len() <= POINTS);
        assert_eq!(parts.iter().map(|part| part.high).fold(0.0, f64::max), 90.0);
        assert!(parts.iter().all(|part| part.low == 10.0));
    }
}
