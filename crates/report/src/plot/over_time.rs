use load_engine::Model;

use super::frame::Frame;
use super::points::Points;
use super::scale::Scale;
use super::timeline::Column;
use super::{Legend, Painter, Plot};
use crate::units::{count, counted, duration};
use crate::{PlotKind, Unit};

/// A line of a plot of latencies: its class, its name, and its figure in a column.
type LatencyLine = (&'static str, &'static str, fn(&Column) -> u64);

const LATENCIES: [LatencyLine; 4] = [
    ("c8", "max", |column| column.max_ns),
    ("c2", "p99", |column| column.p99_ns),
    ("c5", "p90", |column| column.p90_ns),
    ("c1", "p50", |column| column.p50_ns),
];

impl Painter<'_> {
    pub(super) fn over_time(&self) -> Vec<Plot> {
        if self.timeline.columns.is_empty() {
            return Vec::new();
        }
        let plots = [
            self.load(),
            self.throughput(),
            Some(self.latency()),
            self.heat_map(),
        ];
        plots.into_iter().flatten().collect()
    }

    /// Users, or the arrivals that were asked for, as the model has them.
    fn load(&self) -> Option<Plot> {
        let end_s = self.axis.end_s;
        let (title, corners): (_, Vec<(f64, f64)>) = match &self.run.model {
            Model::Closed { users, .. } => {
                let users = f64::from(users.get());
                ("Users", vec![(0.0, users), (end_s, users)])
            }
            Model::Staged { stages } => {
                let stages = stages
                    .iter()
                    .map(|stage| (stage.duration, f64::from(stage.from), f64::from(stage.to)));
                ("Users", corners(stages))
            }
            Model::Open { schedule, .. } => {
                let stages = schedule
                    .stages
                    .iter()
                    .map(|stage| (stage.duration, stage.from_per_s, stage.to_per_s));
                ("Arrivals asked for, per second", corners(stages))
            }
            _ => return None,
        };
        let values = corners.iter().map(|corner| corner.1);
        let highest = values.clone().fold(0.0, f64::max);
        let y = Scale::linear(values, Unit::Count);
        let mut frame = Frame::new(Scale::Time { end_s }, y);
        frame.line("c1", corners.iter().map(|&(x, y)| (x, Some(y))));
        let caption = format!(
            "What the model of load asks for: {} at most.",
            count(highest.round() as u64)
        );
        Some(self.plot(PlotKind::Load, title, caption, 80, frame, vec![], None))
    }

    fn throughput(&self) -> Option<Plot> {
        let columns = &self.timeline.columns;
        let highest = columns
            .iter()
            .map(|column| column.highest_rate.max(column.rate()));
        let y = Scale::linear(highest, Unit::PerSecond);
        let mut frame = Frame::new(
            Scale::Time {
                end_s: self.axis.end_s,
            },
            y,
        );
        let merged = self.timeline.merged > 1;
        if merged {
            let band = |column: &Column| {
                (
                    column.start_s,
                    column.end_s,
                    column.lowest_rate,
                    column.highest_rate,
                )
            };
            frame.band("b1", columns.iter().map(band));
        }
        let level = |of: fn(&Column) -> f64| {
            move |column: &Column| (column.start_s, column.end_s, Some(of(column)))
        };
        frame.levels("c1", columns.iter().map(level(Column::rate)));
        let fails = columns.iter().any(|column| column.failed > 0);
        let mut legend = vec![Legend::new("c1", "operations per second")];
        let mut points = self
            .times()
            .line(Unit::PerSecond, columns.iter().map(|c| Some(c.rate())));
        if fails {
            frame.levels("c2", columns.iter().map(level(Column::failed_rate)));
            legend.push(Legend::new("c2", "failed"));
            points = points.line(
                Unit::PerSecond,
                columns.iter().map(|c| Some(c.failed_rate())),
            );
        }
        let note = if merged {
            format!(
                " A level is the mean of {} intervals, the shade reaches from the lowest to the highest of them.",
                self.timeline.merged
            )
        } else {
            String::new()
        };
        let caption =
            format!("Successful operations of all steps that ended in each interval.{note}");
        let kind = PlotKind::Throughput;
        Some(self.plot(
            kind,
            "Throughput",
            caption,
            150,
            frame,
            legend,
            Some(points.finish()),
        ))
    }

    fn latency(&self) -> Plot {
        let title = match self.run.model {
            Model::Open { .. } => "Response time over time",
            _ => "Service time over time",
        };
        let columns = &self.timeline.columns;
        let (frame, legend, points) = self.latencies(columns);
        let caption =
            "Percentiles of all steps together, from merged histograms; the scale is logarithmic."
                .to_owned();
        self.plot(
            PlotKind::Latency,
            title,
            caption,
            190,
            frame,
            legend,
            Some(points.finish()),
        )
    }

    /// Latency over time of each step that ran, for a run of more than one.
    pub(super) fn steps(&self) -> Vec<Plot> {
        let steps = &self.run.steps;
        if steps.len() < 2 || self.timeline.columns.len() < 2 {
            return Vec::new();
        }
        let each = steps.iter().zip(&self.timeline.steps).enumerate();
        each.filter(|(_, (step, _))| step.attempted > 0)
            .map(|(at, (step, columns))| {
                let (frame, legend, _) = self.latencies(columns);
                let p99 = step.felt().p99();
                let caption = format!(
                    "{}, p99 {}.",
                    counted(step.attempted, "attempt"),
                    p99.map_or_else(|| "–".to_owned(), |ns| duration(ns as f64))
                );
                let id = format!("{}-step-{}", self.prefix, at + 1);
                Plot {
                    svg: frame.finish(
                        PlotKind::Latency,
                        &id,
                        &step.name,
                        &caption,
                        150,
                        Some(&self.bare_axis()),
                    ),
                    kind: PlotKind::Latency,
                    id,
                    title: step.name.clone(),
                    caption,
                    legend,
                    points: None,
                }
            })
            .collect()
    }

    fn latencies(&self, columns: &[Column]) -> (Frame, Vec<Legend>, Points) {
        let ran = columns.iter().filter(|column| column.count > 0);
        let values = ran.flat_map(|column| [column.p50_ns as f64, column.max_ns as f64]);
        let x = Scale::Time {
            end_s: self.axis.end_s,
        };
        let mut frame = Frame::new(x, Scale::log(values));
        let mut legend = Vec::new();
        let mut points = self.times();
        for (class, name, of) in LATENCIES {
            let value = |column: &Column| (column.count > 0).then(|| of(column) as f64);
            let level = |column: &Column| (column.start_s, column.end_s, value(column));
            frame.levels(class, columns.iter().map(level));
            legend.push(Legend::new(class, name));
            points = points.line(Unit::Nanoseconds, columns.iter().map(value));
        }
        (frame, legend, points)
    }

    fn times(&self) -> Points {
        Points::new(self.timeline.columns.iter().map(|column| column.start_s))
    }

    fn bare_axis(&self) -> super::TimeAxis {
        super::TimeAxis {
            end_s: self.axis.end_s,
            phases: self.axis.phases.clone(),
            findings: Vec::new(),
            gaps: Vec::new(),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what makes a plot, each once, in its only maker"
    )]
    pub(super) fn plot(
        &self,
        kind: PlotKind,
        title: &str,
        caption: String,
        height: u32,
        frame: Frame,
        legend: Vec<Legend>,
        points: Option<String>,
    ) -> Plot {
        let id = self.id(kind);
        Plot {
            svg: frame.finish(
                kind,
                &id,
                title,
                &caption,
                height,
                Some(&self.axis_of(kind)),
            ),
            kind,
            id,
            title: title.to_owned(),
            caption,
            legend,
            points,
        }
    }
}

/// The corners of a line through stages, each with its length, its beginning and its end.
fn corners(stages: impl Iterator<Item = (std::time::Duration, f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners = Vec::new();
    let mut at_s = 0.0;
    for (length, from, to) in stages {
        corners.push((at_s, from));
        at_s += length.as_secs_f64();
        corners.push((at_s, to));
    }
    corners
}

/// A number of seconds in words.
pub(super) fn seconds(seconds: f64) -> String {
    duration(seconds * 1e9)
}
