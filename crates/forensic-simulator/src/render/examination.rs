use std::fmt::Write as _;

use super::paint::Paint;
use super::{cell, duration, plain};
use crate::assess::examination::{Examination, Finding};
use crate::assess::faults::FaultCase;
use crate::assess::forecast::Quantiles;
use crate::assess::rollback::UndoKind;
use crate::run::report::Spread;

/// At most this many items of a list are shown; JSON has them all.
const SHOWN_ITEMS: usize = 20;

impl Examination {
    /// As [`SimulationReport::to_text`](crate::SimulationReport::to_text), with what the other analyses found.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.paint(&Paint::PLAIN)
    }

    /// As [`Examination::to_text`], with ANSI styles: print it through a stream that removes them
    /// where they do not belong.
    #[must_use]
    pub fn to_terminal(&self) -> String {
        self.paint(&Paint::TERMINAL)
    }

    fn paint(&self, paint: &Paint) -> String {
        let mut text = self.analysis.report.paint(paint);
        let title = paint.title;
        for line in self.summary() {
            let _ = writeln!(text, "{line}");
        }
        if self.findings.is_empty() {
            let style = paint.sign('+');
            let _ = writeln!(text, "\n{style}nothing speaks against it{style:#}");
            return text;
        }
        let count = self.findings.len();
        let _ = writeln!(text, "\n{title}Findings: {count}{title:#}");
        let bad = paint.bad;
        for finding in self.findings.iter().take(SHOWN_ITEMS) {
            let (about, evidence) = (about(finding), plain(&finding.evidence));
            let kind = finding.kind.as_str();
            let _ = writeln!(text, "  {bad}{kind}{bad:#} {about}{evidence}");
        }
        push_rest(&mut text, count);
        text
    }

    /// As [`SimulationReport::to_markdown`](crate::SimulationReport::to_markdown), with what the other analyses found.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = self.analysis.report.to_markdown();
        text.push('\n');
        for line in self.summary() {
            let _ = writeln!(text, "- {}", cell(&line));
        }
        let count = self.findings.len();
        let _ = writeln!(text, "\n## Findings: {count}\n");
        if count == 0 {
            text.push_str("Nothing speaks against it.\n");
        }
        for finding in self.findings.iter().take(SHOWN_ITEMS) {
            let line = format!("{}{}", about(finding), plain(&finding.evidence));
            let kind = cell(finding.kind.as_str());
            let _ = writeln!(text, "- {kind}: {}", cell(&line));
        }
        push_rest(&mut text, count);
        text
    }

    /// The graph of [`SimulationReport::to_svg`](crate::SimulationReport::to_svg).
    #[must_use]
    pub fn to_svg(&self) -> String {
        self.analysis.report.to_svg()
    }

    /// A line for each analysis.
    fn summary(&self) -> Vec<String> {
        vec![
            self.risk_line(),
            self.reach_line(),
            self.conflicts_line(),
            self.rollback_line(),
            self.faults_line(),
            format!(
                "forecast: {} (99 % within {}), cost {} (99 % within {})",
                time(self.forecast.duration_us.p50),
                time(self.forecast.duration_us.p99),
                units(self.forecast.cost_micros, |quantiles| quantiles.p50),
                units(self.forecast.cost_micros, |quantiles| quantiles.p99),
            ),
        ]
    }

    fn risk_line(&self) -> String {
        let risk = &self.analysis.risk;
        let factors = risk.factors.iter();
        let factors: Vec<_> = factors
            .map(|factor| format!("{} for {}", factor.points, factor.evidence))
            .collect();
        match factors.as_slice() {
            [] => format!("risk: {} of 100", risk.score),
            factors => format!("risk: {} of 100, {}", risk.score, factors.join(", ")),
        }
    }

    fn reach_line(&self) -> String {
        let reach = &self.blast_radius;
        let mut text = match reach.keys {
            0 => "reach: no key".to_owned(),
            keys => format!("reach: {keys} keys in {}", few(reach.areas.iter())),
        };
        if !reach.targets.is_empty() {
            let _ = write!(text, "; outside: {}", few(reach.targets.iter()));
        }
        if let Some(step) = &reach.pivot {
            let _ = write!(
                text,
                "; no way back after step {}",
                plain(&step.to_string())
            );
        }
        text
    }

    fn conflicts_line(&self) -> String {
        let conflicts = &self.analysis.conflicts;
        let mut text = match (conflicts.pairs.len(), conflicts.exhaustive) {
            (0, true) => "conflicts: none, in any order of the steps".to_owned(),
            (pairs, true) => format!("conflicts: {pairs} pairs of steps"),
            (pairs, false) => format!(
                "conflicts: {pairs} pairs of steps at least, as not every order was looked at"
            ),
        };
        if !conflicts.not_modelled.is_empty() {
            let steps = conflicts.not_modelled.len();
            let _ = write!(text, "; of {steps} steps nothing is known");
        }
        text
    }

    fn rollback_line(&self) -> String {
        let rollback = &self.analysis.rollback;
        if rollback.is_complete() {
            return "rollback: everything is taken back".to_owned();
        }
        let impossible = rollback
            .steps
            .iter()
            .filter(|undo| undo.how == UndoKind::Impossible);
        format!(
            "rollback: {} keys and {} effects outside stay, of {} steps nothing is known; nothing takes back {} steps",
            rollback.residue.len(),
            rollback.external_residue.len(),
            rollback.not_modelled.len(),
            impossible.count(),
        )
    }

    fn faults_line(&self) -> String {
        let (cases, leaving) = (
            self.faults.cases.len(),
            self.faults.leaving_residue().count(),
        );
        let partly = if self.faults.complete {
            ""
        } else {
            ", and more cases that were not tried"
        };
        let simplest = self
            .faults
            .leaving_residue()
            .min_by_key(|case| case.faults.len());
        let example = simplest.map_or(String::new(), |case| {
            format!(", such as {}", describe_case(case))
        });
        format!(
            "faults: {leaving} of {cases} cases leave something after the rollback{example}{partly}"
        )
    }
}

fn describe_case(case: &FaultCase) -> String {
    let faults = case.faults.iter();
    let faults: Vec<_> = faults
        .map(|fault| {
            format!(
                "step {}: {}",
                plain(&fault.step.to_string()),
                fault.mode.words()
            )
        })
        .collect();
    faults.join(" and ")
}

fn about(finding: &Finding) -> String {
    let steps: Vec<_> = finding
        .steps
        .iter()
        .map(|step| plain(&step.to_string()))
        .collect();
    match steps.as_slice() {
        [] => String::new(),
        [step] => format!("step {step}: "),
        steps => format!("steps {}: ", steps.join(" and ")),
    }
}

fn few<'a>(items: impl ExactSizeIterator<Item = &'a String>) -> String {
    const FEW: usize = 5;
    let rest = items.len().saturating_sub(FEW);
    let shown: Vec<_> = items.take(FEW).map(|item| plain(item)).collect();
    match (shown.as_slice(), rest) {
        (shown, 0) => shown.join(", "),
        (shown, rest) => format!("{} and {rest} more", shown.join(", ")),
    }
}

fn push_rest(text: &mut String, count: usize) {
    if count > SHOWN_ITEMS {
        let _ = writeln!(text, "  … and {} more", count - SHOWN_ITEMS);
    }
}

fn time(us: u64) -> String {
    duration(Spread::exactly(us))
}

/// A cost in units, of which the schemas say millionths.
fn units(quantiles: Quantiles, of: impl Fn(&Quantiles) -> u64) -> String {
    let micros = of(&quantiles);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
