use super::FindingNote;
use crate::units::{duration, figure};
use crate::{Finding, ScenarioResult};

pub(super) fn finding(
    number: usize,
    finding: &Finding,
    scenarios: &[ScenarioResult],
) -> FindingNote {
    let strength = &finding.strength;
    let when = finding.span.map(|span| {
        let (from, to) = (duration(span.start_ns as f64), duration(span.end_ns as f64));
        format!("from {from} to {to}")
    });
    let figures = &finding.evidence.figures;
    FindingNote {
        number,
        kind: finding.kind.name(),
        place: finding.place(),
        grade: strength.grade,
        strength: format!("{}: {}", strength.meaning, decimal(strength.value)),
        evidence: finding.evidence.text.clone(),
        figures: figures
            .iter()
            .map(|item| (item.name.clone(), figure(item.unit, item.value)))
            .collect(),
        recommendation: finding.recommendation.clone(),
        when,
        span: finding.span,
        plot: finding.plot,
        section: scenarios
            .iter()
            .position(|scenario| scenario.name == finding.scenario),
    }
}

/// Three digits, without trailing zeros.
fn decimal(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}
