//! What a scenario says has to hold, with what it came to.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use load_engine::{Judgement, Ruling};

use crate::{ScenarioVerdict, describe_figure, describe_judgement};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// A line for each threshold, with ANSI styles.
pub(super) fn lines(verdict: &ScenarioVerdict) -> String {
    let mut text = String::new();
    for judgement in &verdict.thresholds {
        let (style, word) = match judgement.ruling {
            _ if !verdict.thresholds_judged => (OPEN, "not judged"),
            Ruling::Held => (GOOD, "held"),
            Ruling::Violated => (BAD, "missed"),
            Ruling::Unknown => (BAD, "unknown"),
        };
        // A `String` takes every write.
        let _ = writeln!(
            text,
            "  {style}{word}{style:#} {}",
            told(verdict, judgement)
        );
    }
    text
}

/// Names in a threshold come from a file: no control character of theirs reaches the reader.
fn told(verdict: &ScenarioVerdict, judgement: &Judgement) -> String {
    let described = match verdict.thresholds_judged {
        true => describe_judgement(judgement),
        false => describe_figure(judgement),
    };
    described.replace(char::is_control, "\u{fffd}")
}
