use load_engine::{LatencySummary, Model, StepSummary};

use super::buckets::{Reader, Tally};
use super::frame::Frame;
use super::scale::{Scale, nines};
use super::{Legend, Painter, Plot};
use crate::PlotKind;
use crate::units::counted;

/// Steps that have a colour of their own; the others are grey.
const COLOURS: usize = 7;

/// Points of a curve for each nine.
const POINTS_PER_NINE: u32 = 24;

/// Nines that are drawn at most: an operation in a hundred million.
const MOST_NINES: f64 = 8.0;

/// A curve: nines and nanoseconds.
type Curve = Vec<(f64, f64)>;

impl Painter<'_> {
    /// Latency by percentile, a curve a step.
    pub(super) fn percentiles(&self) -> Option<Plot> {
        let mut drawn: Vec<(&StepSummary, Curve)> = Vec::new();
        let (mut reader, mut tally) = (Reader::default(), Tally::new());
        for step in &self.run.steps {
            if let Some(curve) = curve(times(step), &mut reader, &mut tally) {
                drawn.push((step, curve));
            }
        }
        // The slowest first, since they are what is looked for.
        drawn.sort_by_key(|(step, _)| std::cmp::Reverse(times(step).p99_ns));
        let points = || drawn.iter().flat_map(|(_, curve)| curve.iter());
        let most = points().map(|point| point.0).fold(1.0, f64::max);
        if drawn.is_empty() {
            return None;
        }
        let y = Scale::log(points().map(|point| point.1));
        let mut frame = Frame::new(Scale::Nines { most }, y);
        let mut legend = Vec::new();
        for (at, (step, curve)) in drawn.iter().enumerate().rev() {
            let class = if at < COLOURS {
                format!("c{}", at + 1)
            } else {
                "c0".to_owned()
            };
            let quantile = |nines: f64| 1.0 - 10f64.powf(-nines);
            frame.line(&class, curve.iter().map(|&(n, ns)| (quantile(n), Some(ns))));
            if at < COLOURS {
                legend.insert(0, Legend::new(class, step.name.clone()));
            }
        }
        if drawn.len() > COLOURS {
            let others = format!("{} faster steps", drawn.len() - COLOURS);
            legend.push(Legend::new("c0", others));
        }
        let title = match self.run.model {
            Model::Open { .. } => "Response time by percentile",
            _ => "Service time by percentile",
        };
        let attempts: u64 = self.run.steps.iter().map(|step| step.attempted).sum();
        let caption = format!(
            "Each nine more is as wide as the one before; a curve ends where one operation is left. \
             {}.",
            counted(attempts, "operation")
        );
        let kind = PlotKind::Percentiles;
        let id = self.id(kind);
        Some(Plot {
            svg: frame.finish(kind, &id, title, &caption, 260, None),
            kind,
            id,
            title: title.to_owned(),
            caption,
            legend,
            points: None,
        })
    }
}

fn times(step: &StepSummary) -> &LatencySummary {
    step.response_time.as_ref().unwrap_or(&step.service_time)
}

/// The values at evenly spaced nines, up to where one operation is left; nothing without operations.
fn curve(times: &LatencySummary, reader: &mut Reader, tally: &mut Tally) -> Option<Curve> {
    tally.clear();
    reader.read(&times.histogram, |value, count| tally.add(value, count))?;
    let total = tally.total();
    if total == 0 {
        return None;
    }
    let end = nines(1.0 - 1.0 / total.max(2) as f64).min(MOST_NINES);
    let number = (end * f64::from(POINTS_PER_NINE)).ceil().max(1.0) as u32;
    let mut curve: Curve = Vec::with_capacity(number as usize + 1);
    for at in 0..=number {
        let nines = end * f64::from(at) / f64::from(number);
        let [ns] = tally.at_quantiles([1.0 - 10f64.powf(-nines)]);
        curve.push((nines, ns as f64));
    }
    // The last operation, whose percentile no axis reaches.
    if let Some(last) = curve.last_mut() {
        last.1 = tally.at_quantiles([1.0])[0] as f64;
    }
    Some(curve)
}

#[cfg(test)]
mod tests {
    use load_engine::empty_histogram;

    use super::*;

    #[test]
    fn a_curve_rises_from_the_fastest_to_the_slowest_operation() {
        let mut histogram = empty_histogram();
        for value in 1..=1000u64 {
            histogram.record(value).unwrap();
        }
        let times = LatencySummary::of(&histogram);
        let curve = curve(&times, &mut Reader::default(), &mut Tally::new()).unwrap();
        assert_eq!(curve[0], (0.0, 1.0));
        assert!(curve.is_sorted_by_key(|point| point.1));
        let (end, slowest) = *curve.last().unwrap();
        assert!((end - 3.0).abs() < 1e-9);
        assert_eq!(slowest, 1000.0);
        let at_nine = curve[POINTS_PER_NINE as usize];
        assert!((at_nine.0 - 1.0).abs() < 1e-9 && (at_nine.1 - 900.0).abs() <= 1.0);
    }
}
