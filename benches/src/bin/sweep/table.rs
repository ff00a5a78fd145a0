//! The figures as a table, and what they grow with.

use std::fmt::Write as _;

use crate::fit::Growth;
use crate::measure::Figures;

/// One measure: its name, its unit, how many of the raw unit make one, and where it stands.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    scale: f64,
    of: fn(&Figures) -> f64,
}

impl Measure {
    pub(crate) fn value(&self, figures: &Figures) -> f64 {
        (self.of)(figures) / self.scale
    }

    pub(crate) fn growth(&self, all: &[Figures]) -> Option<Growth> {
        let points: Vec<_> = all
            .iter()
            .map(|figures| (figures.records as f64, self.value(figures)))
            .collect();
        Growth::of(&points)
    }
}

pub(crate) const MEASURES: [Measure; 7] = [
    Measure {
        name: "append, a record of a batch",
        unit: "µs",
        scale: 1e3,
        of: |f| f.append_ns,
    },
    Measure {
        name: "get by number, median",
        unit: "µs",
        scale: 1e3,
        of: |f| f.get_ns,
    },
    Measure {
        name: "find by key, median",
        unit: "µs",
        scale: 1e3,
        of: |f| f.find_ns,
    },
    Measure {
        name: "scan, a record",
        unit: "µs",
        scale: 1e3,
        of: |f| f.scan_ns,
    },
    Measure {
        name: "open after a close",
        unit: "ms",
        scale: 1e6,
        of: |f| f.open_ns,
    },
    Measure {
        name: "open after a kill",
        unit: "ms",
        scale: 1e6,
        of: |f| f.open_killed_ns,
    },
    Measure {
        name: "resident memory",
        unit: "MB",
        scale: 1e6,
        of: |f| f.resident_bytes,
    },
];

pub(crate) fn markdown(all: &[Figures]) -> String {
    let mut text = String::from("| measure |");
    for figures in all {
        let _ = write!(text, " {} |", figures.records);
    }
    text.push_str(" growth |\n| --- |");
    text.push_str(&" ---: |".repeat(all.len()));
    text.push_str(" --- |\n");
    for measure in &MEASURES {
        let _ = write!(text, "| {} ({}) |", measure.name, measure.unit);
        for figures in all {
            let _ = write!(text, " {} |", short(measure.value(figures)));
        }
        let growth = measure.growth(all).map_or_else(
            || "too few sizes".to_owned(),
            |g| format!("n^{:.2} ± {:.2}, {}", g.exponent, g.margin, g.word()),
        );
        let _ = writeln!(text, " {growth} |");
    }
    text
}

/// Three digits are what a shared machine can tell.
pub(crate) fn short(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
