//! A drawing of the steps and of what they touch.

use std::fmt::Write as _;

use super::markup;
use crate::run::report::{PredictedOutcome, SimulationReport, StepReport};
use crate::world::fact::Key;

impl SimulationReport {
    /// The steps and the keys that they read and write, as SVG: steps on the left, keys on the
    /// right, a dashed line for a read and a solid one for a write.
    #[must_use]
    pub fn to_svg(&self) -> String {
        Drawing::of(self).render()
    }
}

/// Where everything stands, in SVG's user units.
struct Drawing<'a> {
    report: &'a SimulationReport,
    keys: Vec<&'a str>,
}

const ROW: usize = 34;
const STEP_X: usize = 10;
const KEY_X: usize = 420;
const BOX_WIDTH: usize = 230;
const BOX_HEIGHT: usize = 24;

impl<'a> Drawing<'a> {
    fn of(report: &'a SimulationReport) -> Self {
        let used = |step: &'a StepReport| {
            let written = step.changes.iter().map(|change| change.key.as_str());
            step.reads.iter().map(Key::as_str).chain(written)
        };
        let mut keys: Vec<_> = report.steps.iter().flat_map(used).collect();
        keys.sort_unstable();
        keys.dedup();
        Self { report, keys }
    }

    fn render(&self) -> String {
        let rows = self.report.steps.len().max(self.keys.len());
        let (width, height) = (KEY_X + BOX_WIDTH + 10, rows * ROW + 10);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n"
        );
        for (row, step) in self.report.steps.iter().enumerate() {
            self.lines(&mut svg, row, step);
        }
        for (row, step) in self.report.steps.iter().enumerate() {
            let label = format!("{} ({})", step.id.as_str(), step.outcome);
            push_box(&mut svg, STEP_X, row, color(step.outcome), &label);
        }
        for (row, key) in self.keys.iter().enumerate() {
            push_box(&mut svg, KEY_X, row, "#eeeeee", key);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn lines(&self, svg: &mut String, row: usize, step: &StepReport) {
        let writes = |key: &str| step.changes.iter().any(|change| change.key.as_str() == key);
        let read = step.reads.iter().map(Key::as_str);
        for key in read.filter(|key| !writes(key)) {
            self.line(svg, row, key, " stroke-dasharray=\"4\"");
        }
        for change in &step.changes {
            self.line(svg, row, change.key.as_str(), "");
        }
    }

    fn line(&self, svg: &mut String, row: usize, key: &str, style: &str) {
        let Ok(to) = self.keys.binary_search(&key) else {
            return;
        };
        let middle = |row: usize| row * ROW + 10 + BOX_HEIGHT / 2;
        let (x1, y1, y2) = (STEP_X + BOX_WIDTH, middle(row), middle(to));
        let _ = writeln!(
            svg,
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{KEY_X}\" y2=\"{y2}\" stroke=\"#666666\"{style}/>"
        );
    }
}

fn push_box(svg: &mut String, x: usize, row: usize, fill: &str, label: &str) {
    /// What fits into a box.
    const CHARACTERS: usize = 34;
    let y = row * ROW + 10;
    let shown: String = label.chars().take(CHARACTERS).collect();
    let (text_x, text_y) = (x + 8, y + 16);
    let (label, shown) = (markup(label), markup(&shown));
    let _ = writeln!(
        svg,
        "<g><title>{label}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" \
         height=\"{BOX_HEIGHT}\" rx=\"4\" fill=\"{fill}\"/>\
         <text x=\"{text_x}\" y=\"{text_y}\">{shown}</text></g>"
    );
}

fn color(outcome: PredictedOutcome) -> &'static str {
    match outcome {
        PredictedOutcome::Success => "#cdeccd",
        PredictedOutcome::Unknown => "#e0e0f8",
        PredictedOutcome::Blocked => "#fff2c0",
        PredictedOutcome::WouldFail => "#ffd9b0",
        PredictedOutcome::Unsafe => "#ffb8b8",
    }
}
