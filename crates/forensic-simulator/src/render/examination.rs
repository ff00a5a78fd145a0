use std::fmt::Write as _;

use super::paint::Paint;
use super::values::{Line, lines};
use super::{duration, plain};
use crate::assess::examination::Examination;
use crate::assess::faults::Fault;
use crate::assess::forecast::Quantiles;
use crate::assess::kinds::Finding;
use crate::assess::kinds::Severity;
use crate::assess::rollback::UndoKind;
use crate::assess::summary::Advice;
use crate::formats::planned::{AttributeChange, ChangeKind, PlannedResource};
use crate::run::report::{PredictedOutcome, Spread, StepReport};

/// At most this many items of a list are shown; JSON has them all.
pub(super) const SHOWN_ITEMS: usize = 20;

/// At most this many resources are shown with their attributes, and lines of one of them.
pub(super) const SHOWN_RESOURCES: usize = 100;
pub(super) const SHOWN_LINES: usize = 40;

impl Examination {
    /// The advice, what was found, and what would change, the most dangerous first. What is only
    /// created or read is one line.
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
        let (title, dim) = (paint.title, paint.dim);
        let style = paint.advice(self.advice);
        let mut text = format!("{style}{}{style:#}\n", plain(&self.headline));
        let _ = writeln!(text, "{}", plain(&self.about()));
        if self.nothing_to_do {
            text.push_str("\nthere is nothing to do\n");
        }
        self.paint_findings(paint, &mut text);
        if self.is_imported() {
            self.paint_resources(paint, &mut text);
        } else {
            self.paint_steps(paint, &mut text);
        }
        if !self.notes.is_empty() {
            let _ = writeln!(text, "\n{title}Notes{title:#}");
            for note in self.notes.iter().take(SHOWN_ITEMS) {
                let _ = writeln!(text, "  {dim}{}{dim:#}", plain(note));
            }
        }
        text
    }

    /// Whether it is of a plan of another tool, which has resources in place of steps.
    pub(super) fn is_imported(&self) -> bool {
        !self.resources.is_empty() || self.analysis.report.steps.is_empty()
    }

    /// Which plan, and its risk.
    pub(super) fn about(&self) -> String {
        let report = &self.analysis.report;
        let size = match self.is_imported() {
            true => format!("{} resources", self.resources.len()),
            false => format!("{} steps", report.steps.len()),
        };
        format!("{}: {size}, {}", report.workflow, self.risk_line())
    }

    fn paint_findings(&self, paint: &Paint, text: &mut String) {
        let title = paint.title;
        if self.findings.is_empty() {
            if !self.nothing_to_do {
                let style = paint.sign('+');
                let _ = writeln!(text, "\n{style}nothing speaks against it{style:#}");
            }
            return;
        }
        let count = self.findings.len();
        let _ = writeln!(text, "\n{title}Findings: {count}{title:#}");
        for finding in self.findings.iter().take(SHOWN_ITEMS) {
            let (about, evidence) = (about(finding), plain(&finding.evidence));
            let kind = finding.kind.as_str();
            let style = paint.severity(finding.severity);
            let _ = writeln!(text, "  {style}{kind}{style:#} {about}{evidence}");
        }
        push_rest(text, count);
    }

    fn paint_resources(&self, paint: &Paint, text: &mut String) {
        let (title, dim) = (paint.title, paint.dim);
        let shown: Vec<_> = self
            .resources
            .iter()
            .filter(|resource| !is_folded(resource.kind))
            .collect();
        if !shown.is_empty() {
            let _ = writeln!(text, "\n{title}Changes{title:#}");
        }
        for resource in shown.iter().take(SHOWN_RESOURCES) {
            let sign = sign_of(resource.kind);
            let style = paint.sign(sign);
            let notes = match resource.notes.is_empty() {
                true => String::new(),
                false => format!(" {dim}({}){dim:#}", plain(&resource.notes.join("; "))),
            };
            let _ = writeln!(
                text,
                "  {style}{sign} {}{style:#} {}{notes}",
                resource.kind.as_str(),
                plain(&resource.address)
            );
            let all = attribute_lines(&resource.attributes);
            for line in all.iter().take(SHOWN_LINES) {
                let style = paint.sign(line.sign);
                let _ = writeln!(
                    text,
                    "      {style}{} {}: {}{style:#}",
                    line.sign, line.path, line.text
                );
            }
            push_more(text, "      ", all.len(), SHOWN_LINES);
        }
        push_more(text, "  ", shown.len(), SHOWN_RESOURCES);
        for kind in [ChangeKind::Create, ChangeKind::Read] {
            if let Some(line) = self.folded(kind) {
                let style = paint.sign(sign_of(kind));
                let _ = writeln!(text, "  {style}{}{style:#}", plain(&line));
            }
        }
        if !self.outputs.is_empty() {
            let _ = writeln!(text, "\n{title}Outputs{title:#}");
            for line in attribute_lines(&self.outputs).iter().take(SHOWN_LINES) {
                let style = paint.sign(line.sign);
                let _ = writeln!(
                    text,
                    "  {style}{} {}: {}{style:#}",
                    line.sign, line.path, line.text
                );
            }
        }
    }

    /// Such as `+ create 11: a.b, c.d, … and 6 more`.
    pub(super) fn folded(&self, kind: ChangeKind) -> Option<String> {
        let of_kind = self
            .resources
            .iter()
            .filter(|resource| resource.kind == kind);
        let names: Vec<&String> = of_kind.map(|resource| &resource.address).collect();
        if names.is_empty() {
            return None;
        }
        let sign = sign_of(kind);
        Some(format!(
            "{sign} {} {}: {}",
            kind.as_str(),
            names.len(),
            few(names.into_iter())
        ))
    }

    fn paint_steps(&self, paint: &Paint, text: &mut String) {
        let report = &self.analysis.report;
        let mut steps: Vec<&StepReport> = report.steps.iter().collect();
        steps.sort_by_key(|step| danger(step));
        let (folded, shown): (Vec<_>, Vec<_>) = steps
            .into_iter()
            .partition(|step| report.steps.len() > SHOWN_ITEMS && danger(step) == HARMLESS);
        for step in shown.iter().take(SHOWN_RESOURCES) {
            report.paint_step(step, paint, text);
        }
        push_more(text, "\n", shown.len(), SHOWN_RESOURCES);
        if !folded.is_empty() {
            let ids: Vec<String> = folded
                .iter()
                .map(|step| step.id.as_str().to_owned())
                .collect();
            let _ = writeln!(
                text,
                "\n+ {} steps that create, read or change nothing: {}",
                ids.len(),
                few(ids.iter())
            );
        }
        report.paint_advice(paint, text);
        let _ = writeln!(text, "\n{}", report.totals());
        for line in self.summary() {
            let _ = writeln!(text, "{line}");
        }
    }

    /// The graph of [`SimulationReport::to_svg`](crate::SimulationReport::to_svg), or of the
    /// resources of a plan of another tool.
    #[must_use]
    pub fn to_svg(&self) -> String {
        match self.is_imported() {
            true => super::graph::of(&self.resources),
            false => self.analysis.report.to_svg(),
        }
    }

    /// A line for each analysis.
    pub(super) fn summary(&self) -> Vec<String> {
        let forecast = &self.forecast;
        let mut lines = vec![
            self.reach_line(),
            self.conflicts_line(),
            self.rollback_line(),
            self.faults_line(),
        ];
        let (time, cost) = (forecast.duration_us.max > 0, forecast.cost_micros.max > 0);
        if time || cost {
            lines.push(format!(
                "forecast: {}, cost {}",
                if time {
                    within(forecast.duration_us, micros)
                } else {
                    "–".to_owned()
                },
                if cost {
                    within(forecast.cost_micros, units)
                } else {
                    "–".to_owned()
                },
            ));
        }
        lines
    }

    pub(super) fn risk_line(&self) -> String {
        let risk = &self.analysis.risk;
        let factors = risk.factors.iter();
        let factors: Vec<_> = factors
            .map(|factor| format!("{} for {}", factor.points, factor.evidence))
            .collect();
        match factors.as_slice() {
            [] => format!("risk {} of 100", risk.score),
            factors => format!("risk {} of 100 ({})", risk.score, factors.join(", ")),
        }
    }

    pub(super) fn reach_line(&self) -> String {
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
        let faults = &self.faults;
        let partly = if faults.complete {
            ""
        } else {
            ", and more cases that were not tried"
        };
        let example = match faults.example.as_slice() {
            [] => String::new(),
            example => format!(", such as {}", describe_case(example)),
        };
        format!(
            "faults: {} of {} cases leave something after the rollback{example}{partly}",
            faults.leaving_residue, faults.cases
        )
    }
}

/// What is one line however many there are of it.
pub(super) fn is_folded(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Create | ChangeKind::Read)
}

pub(super) fn sign_of(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Destroy => '-',
        ChangeKind::Replace => '±',
        ChangeKind::Create => '+',
        ChangeKind::Update => '~',
        ChangeKind::Read => '=',
        ChangeKind::Import | ChangeKind::Move => '>',
        _ => '!',
    }
}

/// The lines of attributes; those that are null on their only side say nothing.
pub(super) fn attribute_lines(attributes: &[AttributeChange]) -> Vec<Line> {
    let says = attributes.iter().filter(|attribute| {
        let is_null = |fact: &Option<crate::world::fact::Fact>| {
            fact.as_ref()
                .is_none_or(|fact| fact.value().is_some_and(serde_json::Value::is_null))
        };
        !(is_null(&attribute.before) && is_null(&attribute.after))
    });
    says.flat_map(|attribute| {
        lines(
            &attribute.name,
            attribute.before.as_ref(),
            attribute.after.as_ref(),
        )
    })
    .collect()
}

/// The place of a step among others: what should not be done first, what only creates last.
const HARMLESS: u8 = 6;

fn danger(step: &StepReport) -> u8 {
    let removes = step
        .changes
        .iter()
        .any(|change| change.after.is_none() && change.before.is_some());
    let changes = step
        .changes
        .iter()
        .any(|change| change.before.is_some() && !change.is_noop());
    match step.outcome {
        PredictedOutcome::Unsafe => 0,
        PredictedOutcome::WouldFail => 1,
        PredictedOutcome::Unknown | PredictedOutcome::Blocked => 2,
        PredictedOutcome::Success if removes => 3,
        PredictedOutcome::Success if !step.external.is_empty() => 4,
        PredictedOutcome::Success if changes => 5,
        PredictedOutcome::Success => HARMLESS,
    }
}

fn describe_case(faults: &[Fault]) -> String {
    let faults: Vec<_> = faults
        .iter()
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

/// What a finding is about, before its evidence.
pub(super) fn about(finding: &Finding) -> String {
    if let Some(subject) = &finding.subject {
        return format!("{}: ", plain(subject));
    }
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

pub(super) fn few<'a>(items: impl ExactSizeIterator<Item = &'a String>) -> String {
    const FEW: usize = 5;
    let rest = items.len().saturating_sub(FEW);
    let shown: Vec<_> = items.take(FEW).map(|item| plain(item)).collect();
    match (shown.as_slice(), rest) {
        (shown, 0) => shown.join(", "),
        (shown, rest) => format!("{} and {rest} more", shown.join(", ")),
    }
}

fn push_rest(text: &mut String, count: usize) {
    push_more(text, "  ", count, SHOWN_ITEMS);
}

pub(super) fn push_more(text: &mut String, before: &str, count: usize, shown: usize) {
    if count > shown {
        let _ = writeln!(text, "{before}… and {} more", count - shown);
    }
}

fn within(quantiles: Quantiles, shown: fn(u64) -> String) -> String {
    format!(
        "{} (99 % within {})",
        shown(quantiles.p50),
        shown(quantiles.p99)
    )
}

fn micros(us: u64) -> String {
    duration(Spread::exactly(us))
}

/// A cost in units, of which the schemas say millionths.
fn units(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

impl Paint {
    fn advice(&self, advice: Advice) -> anstyle::Style {
        match advice {
            Advice::Ok => self.sign('+'),
            Advice::Review => self.sign('~'),
            Advice::Stop | Advice::Incomplete => self.sign('-'),
        }
    }

    fn severity(&self, severity: Severity) -> anstyle::Style {
        match severity {
            Severity::Error => self.bad,
            Severity::Warning => self.sign('~'),
            Severity::Note => self.dim,
        }
    }
}

/// What is said of a resource beside its attributes.
pub(super) fn notes_of(resource: &PlannedResource) -> String {
    resource.notes.join("; ")
}
