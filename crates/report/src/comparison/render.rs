use std::fmt::Write as _;

use super::{Change, Comparison, Effect, FALSE_ALARM, Metric};
use crate::render::{cell, duration, rate};

/// A comparison as Markdown, which is also fit for a terminal: the answer first, then the table.
#[must_use]
pub fn comparison_in_words(comparison: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", answer(comparison));
    if !comparison.effects.is_empty() {
        text.push_str("| step | figure | A | B | B / A | interval | p | |\n");
        text.push_str("| --- | --- | ---: | ---: | ---: | --- | ---: | --- |\n");
    }
    for effect in &comparison.effects {
        line(&mut text, effect);
    }
    let _ = write!(
        text,
        "\nA: {}\nB: {}\n{} rounds in turns; the ratio is Hodges and Lehmann's, its interval is at \
         {:.0} % for the figure alone, and p is corrected for all {} figures.\n",
        cell(&comparison.a),
        cell(&comparison.b),
        comparison.rounds,
        (1.0 - FALSE_ALARM) * 100.0,
        comparison.effects.len()
    );
    for subject in &comparison.not_compared {
        let _ = writeln!(
            text,
            "not compared, since one side lacks it: {}, {}, {}",
            cell(&subject.scenario),
            cell(&subject.step),
            subject.metric.name()
        );
    }
    text
}

fn answer(comparison: &Comparison) -> String {
    if comparison.effects.is_empty() {
        return "Nothing to compare: the two sides have no step in common.".to_owned();
    }
    if comparison.has_too_few_rounds() {
        return format!(
            "Too few rounds: {} are needed for {} figures, and there are {}.",
            comparison.needed,
            comparison.effects.len(),
            comparison.rounds
        );
    }
    let shown = comparison.shown();
    let Some(first) = shown.first() else {
        return "No difference shown.".to_owned();
    };
    let worse = shown
        .iter()
        .filter(|effect| effect.change == Change::Worse)
        .count();
    format!(
        "B is {} in {worse} and better in {} of {} figures; most of all {} of {} is {}.",
        if worse > 0 { "worse" } else { "not worse" },
        shown.len() - worse,
        comparison.effects.len(),
        first.subject.metric.name(),
        cell(&first.subject.step),
        factor(first)
    )
}

/// The ratio as people say it.
fn factor(effect: &Effect) -> String {
    let ratio = effect.ratio;
    if (0.5..2.0).contains(&ratio) {
        format!("{:+.1} %", (ratio - 1.0) * 100.0)
    } else if ratio >= 2.0 {
        format!("{ratio:.1} times A's")
    } else {
        format!("1/{:.1} of A's", 1.0 / ratio)
    }
}

fn line(text: &mut String, effect: &Effect) {
    let value = |value: f64| match effect.subject.metric {
        Metric::Throughput => rate(value),
        Metric::P50 | Metric::P99 => duration(value),
    };
    let change = match effect.change {
        Change::Better => "better",
        Change::Worse => "**worse**",
        Change::NotShown => "no difference shown",
        Change::TooFewRounds => "too few rounds",
    };
    let [low, high] = effect.interval;
    let interval = if low.is_finite() && high.is_finite() && low > 0.0 {
        format!("{low:.3}–{high:.3}")
    } else {
        "–".to_owned()
    };
    let _ = writeln!(
        text,
        "| {}: {} | {} | {} | {} | {:.3} | {interval} | {:.4} | {change} |",
        cell(&effect.subject.scenario),
        cell(&effect.subject.step),
        effect.subject.metric.name(),
        value(effect.a),
        value(effect.b),
        effect.ratio,
        effect.p
    );
}
