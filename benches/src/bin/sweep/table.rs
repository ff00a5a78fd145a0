//! The figures as a table, and what they grow with.

use std::fmt::Write as _;

use crate::Swept;
use crate::kinds::Kind;

pub(crate) fn markdown(kind: &Kind, swept: &Swept) -> String {
    let mut text = format!("### {}: by {}\n\n| measure |", kind.name, kind.varied);
    for figures in &swept.figures {
        let _ = write!(text, " {} |", figures.size);
    }
    text.push_str(" growth | expected |\n| --- |");
    text.push_str(&" ---: |".repeat(swept.figures.len()));
    text.push_str(" --- | --- |\n");
    for (number, measure) in kind.measures.iter().enumerate() {
        let _ = write!(text, "| {} ({}) |", measure.name, measure.unit);
        for figures in &swept.figures {
            let _ = write!(text, " {} |", short(figures.values[number] / measure.scale));
        }
        let fitted = &swept.measures[number];
        let growth = fitted.growth.map_or_else(
            || "too few sizes".to_owned(),
            |g| format!("n^{:.2} ± {:.2}, {}", g.exponent, g.margin, g.word()),
        );
        let (expected, note) = (fitted.expected.word(), fitted.conclusion.note());
        let _ = writeln!(text, " {growth} | {expected}{note} |");
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
