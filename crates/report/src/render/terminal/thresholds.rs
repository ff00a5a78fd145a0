//! The judged thresholds of a scenario: those that decide first.

use load_engine::{Judgement, Ruling, Source};

use super::lines::Lines;
use super::{BAD, DIM, GOOD, OPEN};
use crate::verdict::{expression, is_violation, remedy, value};
use crate::{ScenarioResult, describe_judgement};

/// A line for each threshold, violations first and with advice; checks of the effects only if they fail.
pub(super) fn write(lines: &mut Lines, result: &ScenarioResult) {
    let shown = |own: &&Judgement| own.source != Source::Effects || is_violation(own);
    let mut shown: Vec<_> = result.judgements.iter().filter(shown).collect();
    shown.sort_by_key(|own| !is_violation(own));
    for judgement in shown {
        let (style, mark) = match (judgement.counts, judgement.ruling) {
            (false, _) => (OPEN, "  ·"),
            (true, Ruling::Held) => (GOOD, "  ✓"),
            (true, Ruling::Violated) => (BAD, "  ✗"),
            (true, Ruling::Unknown) => (BAD, "  ?"),
        };
        let told = match judgement.counts {
            true => describe_judgement(judgement),
            false => not_judged(judgement, result),
        };
        lines.wrapped(style, mark, &told);
        if is_violation(judgement) {
            lines.wrapped(DIM, "    →", remedy(judgement));
        }
    }
}

/// The figure, and why it was not judged where the scenario's reason does not say so already.
fn not_judged(judgement: &Judgement, result: &ScenarioResult) -> String {
    let expression = expression(judgement);
    let said = result.reason.as_deref().unwrap_or_default();
    match (value(judgement), &judgement.reason) {
        (Some(value), Some(reason)) if !said.contains(reason.as_str()) => {
            format!("{expression}: {value}, not judged: {reason}")
        }
        (Some(value), _) => format!("{expression}: {value}, not judged"),
        (None, Some(reason)) if !said.contains(reason.as_str()) => {
            format!("{expression}: not judged: {reason}")
        }
        (None, _) => format!("{expression}: not judged"),
    }
}
