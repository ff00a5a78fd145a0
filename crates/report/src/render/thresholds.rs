//! The judged thresholds of a scenario, for a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use load_engine::{Judgement, Ruling, Source};

use super::text::visible;
use crate::verdict::is_violation;
use crate::{ScenarioResult, describe_figure, describe_judgement};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// A line for each threshold, with ANSI styles; checks of the effects only if they fail.
pub(super) fn lines(result: &ScenarioResult) -> String {
    let mut text = String::new();
    let shown = |own: &&Judgement| own.source != Source::Effects || is_violation(own);
    for judgement in result.judgements.iter().filter(shown) {
        let (style, mark) = match (judgement.counts, judgement.ruling) {
            (false, _) => (OPEN, "·"),
            (true, Ruling::Held) => (GOOD, "✓"),
            (true, Ruling::Violated) => (BAD, "✗"),
            (true, Ruling::Unknown) => (BAD, "?"),
        };
        let told = match judgement.counts {
            true => describe_judgement(judgement),
            false => format!("{}, not judged", describe_figure(judgement)),
        };
        // A `String` takes every write.
        let _ = writeln!(text, "  {style}{mark}{style:#} {}", visible(&told));
    }
    text
}
