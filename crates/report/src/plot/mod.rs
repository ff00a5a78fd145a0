//! Plots of a scenario, as SVG.

mod buckets;
mod frame;
mod heat;
mod over_time;
mod percentiles;
mod points;
mod resources;
mod scale;
mod spark;
mod timeline;

use load_engine::RunRecord;

use self::frame::TimeAxis;
use self::timeline::{Column, Timeline};
use crate::{PlotKind, Span};

/// A plot, drawn, and what stands around it.
pub(crate) struct Plot {
    pub(crate) kind: PlotKind,
    pub(crate) id: String,
    pub(crate) title: String,
    /// What it shows and how it was made, in words.
    pub(crate) caption: String,
    pub(crate) legend: Vec<Legend>,
    pub(crate) svg: String,
    /// The figures behind it as JSON, for whoever points at a time.
    pub(crate) points: Option<String>,
}

/// What a mark in a plot stands for.
pub(crate) struct Legend {
    pub(crate) class: String,
    pub(crate) name: String,
}

impl Legend {
    fn new(class: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            name: name.into(),
        }
    }
}

/// All plots of a scenario, and its figures over time as a table.
pub(crate) struct Plots {
    /// Those over time, which share their axis.
    pub(crate) over_time: Vec<Plot>,
    pub(crate) percentiles: Option<Plot>,
    /// Latency over time of each step.
    pub(crate) steps: Vec<Plot>,
    /// The p99 of each step over time, as a line without axes.
    pub(crate) sparks: Vec<String>,
    /// The length of the axis of time.
    pub(crate) end_s: f64,
    pub(crate) rows: Vec<TimeRow>,
    /// Histograms that could not be read.
    pub(crate) damaged: u64,
}

/// The run at one time, in numbers.
pub(crate) struct TimeRow {
    pub(crate) start_s: f64,
    pub(crate) rate: f64,
    pub(crate) failed: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
}

/// Rows of the table of figures over time at most.
const TABLE_ROWS: usize = 30;

/// Draws a run. `prefix` begins the ids of its plots, `findings` are those of this scenario.
pub(crate) fn plots(run: &RunRecord, prefix: &str, findings: &[(usize, PlotKind, Span)]) -> Plots {
    let timeline = Timeline::of(run);
    let axis = axis(run, &timeline);
    let painter = Painter {
        run,
        timeline: &timeline,
        axis,
        prefix,
        findings,
    };
    let over_time = painter
        .over_time()
        .into_iter()
        .chain(painter.resources())
        .collect();
    Plots {
        over_time,
        percentiles: painter.percentiles(),
        steps: painter.steps(),
        sparks: timeline
            .steps
            .iter()
            .map(|columns| spark::spark(columns))
            .collect(),
        end_s: painter.axis.end_s,
        rows: rows(&timeline.columns),
        damaged: timeline.damaged,
    }
}

/// What draws the plots of one run.
struct Painter<'r> {
    run: &'r RunRecord,
    timeline: &'r Timeline,
    axis: TimeAxis,
    prefix: &'r str,
    findings: &'r [(usize, PlotKind, Span)],
}

impl Painter<'_> {
    fn id(&self, kind: PlotKind) -> String {
        format!("{}-{}", self.prefix, kind.anchor())
    }

    /// The axis with the findings of one plot.
    fn axis_of(&self, kind: PlotKind) -> TimeAxis {
        let own = self.findings.iter().filter(|(_, plot, _)| *plot == kind);
        TimeAxis {
            findings: own.map(|&(number, _, span)| (number, span)).collect(),
            phases: self.axis.phases.clone(),
            gaps: Vec::new(),
            end_s: self.axis.end_s,
        }
    }
}

fn axis(run: &RunRecord, timeline: &Timeline) -> TimeAxis {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let intervals = timeline.columns.last().map_or(0.0, |column| column.end_s);
    // Something must have a length, also in a run that did nothing.
    let end_s = seconds(run.wall_ns).max(intervals);
    let end_s = if end_s > 0.0 { end_s } else { 1.0 };
    let phase = |phase: &load_engine::PhaseSummary| {
        (
            phase.name.clone(),
            seconds(phase.start_ns),
            seconds(phase.end_ns),
        )
    };
    let gap = |gap: &load_engine::MonitorGap| (gap.from_ns as f64 / 1e9, gap.to_ns as f64 / 1e9);
    TimeAxis {
        end_s,
        phases: run
            .phases
            .iter()
            .map(phase)
            .filter(|(_, from, _)| *from < end_s)
            .collect(),
        findings: Vec::new(),
        gaps: run.monitor.gaps.iter().map(gap).collect(),
    }
}

/// A few columns in place of many: the worst of each percentile, so that nothing bad is hidden.
fn rows(columns: &[Column]) -> Vec<TimeRow> {
    let each = columns.len().div_ceil(TABLE_ROWS).max(1);
    let row = |own: &[Column]| {
        let (first, last) = (own[0], own[own.len() - 1]);
        let seconds = last.end_s - first.start_s;
        let count: u64 = own.iter().map(|column| column.count).sum();
        let worst = |of: fn(&Column) -> u64| own.iter().map(of).max().unwrap_or(0);
        TimeRow {
            start_s: first.start_s,
            rate: if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            },
            failed: own.iter().map(|column| column.failed).sum(),
            p50_ns: worst(|column| column.p50_ns),
            p99_ns: worst(|column| column.p99_ns),
            max_ns: worst(|column| column.max_ns),
        }
    };
    columns.chunks(each).map(row).collect()
}
