use std::fmt::Write as _;

use super::{Change, Comparison, Effect, FALSE_ALARM, Metric, Statement};
use crate::render::{cell, duration, rate};
use crate::units::{count, counted};

/// A comparison as Markdown, which is also fit for a terminal: the answer first, then the table.
#[must_use]
pub fn comparison_in_words(comparison: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", answer(comparison));
    if comparison.is_of_single_runs() {
        single(&mut text, comparison);
    } else {
        rounds(&mut text, comparison);
    }
    beside(&mut text, comparison);
    text
}

fn answer(comparison: &Comparison) -> String {
    let [of_a, of_b] = comparison.defects;
    if of_b > 0 && of_a == 0 {
        return format!(
            "B is worse: it has {}, and A none.",
            counted(of_b, "defect")
        );
    }
    if comparison.effects.is_empty() {
        return "Nothing to compare: the two sides have no figure in common.".to_owned();
    }
    if comparison.is_of_single_runs() {
        return "How much two runs of one program differ is not known, so nothing is decided: compare \
                rounds in turns with `proofload ab`."
            .to_owned();
    }
    if !comparison.in_turns {
        return "Not decided: the runs were not made in turns, so what changed on the machine meanwhile \
                cannot be told from a difference."
            .to_owned();
    }
    if let (Some(margin), false) = (comparison.margin, comparison.is_worse()) {
        return within(comparison, margin);
    }
    if comparison.has_too_few_rounds() {
        return format!(
            "Too few rounds: {} are needed for {}, and there are {}.",
            comparison.needed,
            counted(comparison.effects.len() as u64, "figure"),
            comparison.rounds
        );
    }
    let shown = comparison.shown();
    let Some(first) = shown.first() else {
        return no_difference(comparison);
    };
    let of = |change: Change| {
        shown
            .iter()
            .filter(|effect| effect.change == change)
            .count()
    };
    format!(
        "B is {} in {} and better in {} of {}; most of all {} is {}.",
        if comparison.is_worse() {
            "worse"
        } else {
            "not worse"
        },
        of(Change::Worse),
        of(Change::Better),
        counted(comparison.effects.len() as u64, "figure"),
        name(first),
        factor(first)
    )
}

/// That nothing was shown is said with what could still be there.
fn no_difference(comparison: &Comparison) -> String {
    let bounds: Option<Vec<f64>> = comparison
        .effects
        .iter()
        .filter(|effect| effect.subject.metric != Metric::ErrorRate)
        .map(worse_within_interval)
        .collect();
    match bounds.and_then(|all| all.into_iter().reduce(f64::max)) {
        Some(most) => format!("No difference shown: B is at most {} worse.", percent(most)),
        None => "No difference shown; so few rounds that differ set no bound to it.".to_owned(),
    }
}

/// The worse end of the interval, as a share of A.
fn worse_within_interval(effect: &Effect) -> Option<f64> {
    let [low, high] = effect.interval;
    match effect.subject.metric.is_better_low() {
        true => high.map(|high| (high - 1.0).max(0.0)),
        false => low.map(|low| (1.0 / low - 1.0).max(0.0)),
    }
}

fn within(comparison: &Comparison, margin: f64) -> String {
    let margin_text = percent(margin);
    if comparison.statement() == Statement::NotWorse {
        return format!("B is no worse than A by {margin_text} in any figure.");
    }
    let open = comparison
        .effects
        .iter()
        .filter(|effect| effect.worse_by_at_most.is_none_or(|most| most >= margin));
    let worst = open.max_by(|a, b| {
        let most = |effect: &Effect| effect.worse_by_at_most.unwrap_or(f64::INFINITY);
        most(a).total_cmp(&most(b))
    });
    match worst {
        Some(effect) => format!(
            "Not decided whether B is no worse than A by {margin_text}: {} may be worse by {}; more rounds \
             can tell.",
            name(effect),
            effect
                .worse_by_at_most
                .map_or_else(|| "any amount".to_owned(), percent)
        ),
        None => format!("Not decided whether B is no worse than A by {margin_text}."),
    }
}

/// A, B and their ratio, the largest difference first.
fn single(text: &mut String, comparison: &Comparison) {
    let mut effects: Vec<&Effect> = comparison.effects.iter().collect();
    effects.sort_by(|a, b| b.size().total_cmp(&a.size()));
    let mut rows = vec![["figure", "A", "B", "B / A"].map(str::to_owned).to_vec()];
    rows.extend(effects.iter().map(|effect| {
        vec![
            name(effect),
            value(effect, effect.a),
            value(effect, effect.b),
            ratio(effect, effect.effect),
        ]
    }));
    if effects.iter().any(|effect| effect.usual.is_some()) {
        rows[0].push("90 % of runs like A".to_owned());
        for (row, effect) in rows[1..].iter_mut().zip(&effects) {
            row.push(effect.usual.map_or_else(
                || "–".to_owned(),
                |[low, high]| {
                    let (low, high) = (value(effect, Some(low)), value(effect, Some(high)));
                    format!("{low} to {high}")
                },
            ));
        }
    }
    text.push_str(&aligned(&rows));
}

fn rounds(text: &mut String, comparison: &Comparison) {
    if comparison.effects.is_empty() {
        return;
    }
    let titles = [
        "figure", "A", "B", "B / A", "interval", "p", "noise", "finds", "",
    ];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(comparison.effects.iter().map(|effect| {
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
        vec![
            name(effect),
            value(effect, effect.a),
            value(effect, effect.b),
            ratio(effect, effect.effect),
            interval(effect),
            format!("{:.4}", effect.p),
            share(effect.noise),
            share(effect.detectable),
            change(effect.change).to_owned(),
        ]
    }));
    text.push_str(&aligned(&rows));
    let _ = write!(
        text,
        "\nA: {}\nB: {}\n{} in turns; the ratio is Hodges and Lehmann's (of error rates the difference), its \
         interval is at {:.0} % over all figures together, and p is corrected for those that could be tested. \
         Noise is the standard deviation from round to round; \"finds\" is the difference that so many rounds \
         find in 9 of 10 comparisons.\n",
        cell(&comparison.a),
        cell(&comparison.b),
        counted(comparison.rounds as u64, "round"),
        (1.0 - FALSE_ALARM) * 100.0,
    );
}

/// Defects, and what has no counterpart.
fn beside(text: &mut String, comparison: &Comparison) {
    let [of_a, of_b] = comparison.defects;
    if of_a + of_b > 0 {
        let _ = writeln!(
            text,
            "\ndefects (wrong effects, vacuous steps, aborts): A {}, B {}",
            count(of_a),
            count(of_b)
        );
    }
    for (side, scenario) in &comparison.unmatched {
        let _ = writeln!(
            text,
            "\nnot compared: scenario {} is only in {}",
            cell(scenario),
            cell(side)
        );
    }
    for subject in &comparison.not_compared {
        let _ = writeln!(
            text,
            "not compared, since one side lacks it: {}, {}, {}",
            cell(&subject.scenario),
            cell(&subject.step),
            subject.metric.name()
        );
    }
}

/// "approval, create: p99".
fn name(effect: &Effect) -> String {
    let subject = &effect.subject;
    let place = match subject.step.as_str() {
        "" => cell(&subject.scenario),
        step => format!("{}, {}", cell(&subject.scenario), cell(step)),
    };
    format!("{place}: {}", subject.metric.name())
}

fn value(effect: &Effect, value: Option<f64>) -> String {
    match (value, effect.subject.metric) {
        (None, _) => "no success".to_owned(),
        (Some(value), Metric::Throughput | Metric::EffectsRate) => rate(value),
        (Some(value), Metric::ErrorRate) => percent(value),
        (Some(value), _) => duration(value),
    }
}

fn ratio(effect: &Effect, of: Option<f64>) -> String {
    match (of, effect.subject.metric) {
        (None, _) => "–".to_owned(),
        (Some(difference), Metric::ErrorRate) => format!("{:+.2} %", difference * 100.0),
        (Some(ratio), _) => format!("{ratio:.3}"),
    }
}

fn interval(effect: &Effect) -> String {
    match effect.interval {
        [None, None] => "–".to_owned(),
        [low, high] => format!("{} to {}", ratio(effect, low), ratio(effect, high)),
    }
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Better => "better",
        Change::Worse => "**worse**",
        Change::NotShown => "no difference shown",
        Change::NotComparable => "not comparable: other operations succeed",
        Change::TooFewRounds => "not decided",
    }
}

/// The ratio as people say it.
fn factor(effect: &Effect) -> String {
    match (effect.effect, effect.subject.metric) {
        (None, _) => "without bound".to_owned(),
        (Some(difference), Metric::ErrorRate) => {
            format!("{:+.2} percentage points", difference * 100.0)
        }
        (Some(ratio), _) if (0.5..2.0).contains(&ratio) => {
            format!("{:+.1} %", (ratio - 1.0) * 100.0)
        }
        (Some(ratio), _) if ratio >= 2.0 => format!("{ratio:.1} times A's"),
        (Some(ratio), _) => format!("1/{:.1} of A's", 1.0 / ratio),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        small if small < 10.0 => format!("{small:.1} %"),
        large => format!("{large:.0} %"),
    }
}

/// Rows as a table of Markdown whose columns stand below each other in a terminal: the first to the left,
/// the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |text: &String| text.chars().count();
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| width(&row[column]))
                .max()
                .unwrap_or(0)
                .max(3)
        })
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let rule = "-".repeat(width - usize::from(column > 0));
                let _ = write!(text, "| {rule}{} ", if column > 0 { ":" } else { "" });
            }
            text.push_str("|\n");
        }
    }
    text
}
