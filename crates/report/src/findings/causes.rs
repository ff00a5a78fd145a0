//! What the monitors showed while something was slow.

use load_engine::{MonitorSample, RunRecord};

use crate::{Figure, Span, Unit};

/// A cause that the monitors show: in more than this share of the span…
const MUCH: f64 = 0.2;

/// …and so many times as much as outside of it.
const TIMES: f64 = 2.0;

/// Below this share in the span, and only then, a resource was under no pressure.
const NONE: f64 = 0.05;

/// What the monitors explain, to be said behind the evidence, and what to do.
pub(super) struct Explanation {
    pub(super) text: String,
    pub(super) remedy: &'static str,
}

struct Cause {
    name: &'static str,
    remedy: &'static str,
    /// Share of the span.
    inside: f64,
    /// Share of the other time.
    outside: f64,
}

/// The share of the span in which each resource was waited for.
pub(super) fn figures(run: &RunRecord, span: Span) -> impl Iterator<Item = Figure> {
    let causes = causes(run, span).into_iter();
    causes.map(|cause| Figure::new(cause.name, cause.inside, Unit::Share))
}

pub(super) fn explanation(run: &RunRecord, span: Span) -> Explanation {
    let causes = causes(run, span);
    let worst = causes
        .iter()
        .filter(|cause| cause.inside > MUCH && cause.inside > TIMES * cause.outside)
        .max_by(|a, b| a.inside.total_cmp(&b.inside));
    if let Some(cause) = worst {
        return Explanation {
            text: format!(
                "; {} for {:.0} % of that time, and {:.0} % otherwise",
                cause.name,
                cause.inside * 100.0,
                cause.outside * 100.0
            ),
            remedy: cause.remedy,
        };
    }
    let remedy = if causes.is_empty() {
        "the monitors saw nothing of that time: look in the target's log for a lock, a pause for \
         garbage, or a service that it waited for"
    } else if causes.iter().all(|cause| cause.inside < NONE) {
        "the monitors show no pressure on processor, memory or disk then: look for a lock, a pause for \
         garbage, or a service that the target waited for"
    } else {
        "the machine was as busy then as at other times, so that is not the cause alone: look for a lock, \
         a pause for garbage, or a service that the target waited for"
    };
    Explanation {
        text: String::new(),
        remedy,
    }
}

fn causes(run: &RunRecord, span: Span) -> Vec<Cause> {
    type Source = (
        &'static str,
        &'static str,
        fn(&MonitorSample) -> Option<u64>,
    );
    const SOURCES: [Source; 4] = [
        (
            "tasks waited for a disk",
            "look at the disk: a sync, a checkpoint or somebody else's writes held everybody up",
            |sample| sample.io_pressure_ns,
        ),
        (
            "tasks waited for memory",
            "give it more memory, or let it use less: the kernel reclaimed pages meanwhile",
            |sample| sample.memory_pressure_ns,
        ),
        (
            "tasks waited for a processor",
            "something took the processors: look for a neighbour, or for work that comes in batches",
            |sample| sample.cpu_pressure_ns,
        ),
        (
            "the processor limit held the process back",
            "raise the CPU limit of the control group: the process was throttled",
            |sample| sample.throttled_ns,
        ),
    ];
    let of = |(name, remedy, source): &Source| {
        let (mut inside, mut outside) = ((0.0, 0.0), (0.0, 0.0));
        for pair in run.monitor.samples.windows(2) {
            let (Some(before), Some(after)) = (source(&pair[0]), source(&pair[1])) else {
                continue;
            };
            // A pair of samples that overlaps the span tells of it.
            let (from, to) = (pair[0].at_ns, pair[1].at_ns);
            let is_inside = to > span.start_ns as i64 && from < span.end_ns as i64;
            let sum = if is_inside { &mut inside } else { &mut outside };
            sum.0 += after.saturating_sub(before) as f64;
            sum.1 += (to - from) as f64;
        }
        let share = |(part, whole): (f64, f64)| (whole > 0.0).then(|| (part / whole).min(1.0));
        Some(Cause {
            name,
            remedy,
            inside: share(inside)?,
            outside: share(outside).unwrap_or(0.0),
        })
    };
    SOURCES.iter().filter_map(of).collect()
}
