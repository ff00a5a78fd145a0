//! The thresholds of every run, and a judged threshold in words.

use load_engine::{Judgement, Model, Ruling, Source, Threshold};

use crate::units::{count, duration};

/// What holds for every run: nothing is tolerated here.
pub const EFFECTS: [&str; 6] = [
    "lost == 0",
    "altered == 0",
    "duplicated == 0",
    "unexpected == 0",
    "unreadable == 0",
    "vacuous == 0",
];

/// What holds besides for services of others.
pub const EFFECTS_OF_SERVICES: [&str; 5] = [
    "miscounted == 0",
    "stale == 0",
    "out_of_order == 0",
    "partial == 0",
    "violated == 0",
];

/// What has to hold in a scenario that sets no thresholds of its own.
pub const DEFAULTS: [&str; 3] = ["error_rate < 5%", "mean(*) < 100ms", "memory_peak < 500MB"];

/// What also has to hold in a scenario that sets thresholds of its own, unless it sets one on the same
/// figure of the whole run: a target that fails fast, or an arrival that never came, makes other figures
/// look good.
pub const ALWAYS: [&str; 1] = ["error_rate < 5%"];

/// As [`ALWAYS`], of an open model.
pub const ALWAYS_OPEN: [&str; 1] = ["dropped == 0"];

/// Of all scenarios together, from which on advice is given.
pub const DEFAULT_ADVICE: [&str; 2] = ["error_rate <= 1%", "memory_peak <= 1000MB"];

/// The thresholds of a scenario: the defaults, those of its file, which go before defaults on the same
/// figure, and those of flags, which go before both. The effects are not among them.
#[must_use]
pub fn limited_by(
    model: &Model,
    file: &[Threshold],
    flags: &[Threshold],
) -> Vec<(Source, Threshold)> {
    let defaults: &[&str] = if file.is_empty() { &DEFAULTS } else { &ALWAYS };
    let of_open: &[&str] = match model {
        Model::Open { .. } => &ALWAYS_OPEN,
        _ => &[],
    };
    let own: Vec<String> = file.iter().map(figure_of).collect();
    let defaults = parsed(defaults).chain(parsed(of_open));
    let defaults = defaults.filter(|default| !own.contains(&figure_of(default)));
    let defaults = defaults.map(|threshold| (Source::Default, threshold));
    let file = file.iter().map(|own| (Source::File, own.clone()));
    let mut all: Vec<(Source, Threshold)> = file.chain(defaults).collect();
    replace(&mut all, flags);
    all
}

/// Puts flags in place of the thresholds on the same figure, and behind the others.
pub(super) fn replace(all: &mut Vec<(Source, Threshold)>, flags: &[Threshold]) {
    let figures: Vec<String> = flags.iter().map(figure_of).collect();
    all.retain(|(_, threshold)| !figures.contains(&figure_of(threshold)));
    all.extend(flags.iter().map(|flag| (Source::CommandLine, flag.clone())));
}

/// The thresholds over all scenarios together, which only recommend: the defaults, and flags in place of
/// those on the same figure.
#[must_use]
pub fn advice(flags: impl IntoIterator<Item = Threshold>) -> Vec<Threshold> {
    let defaults = parsed(&DEFAULT_ADVICE).map(|threshold| (Source::Default, threshold));
    let mut all: Vec<(Source, Threshold)> = defaults.collect();
    replace(&mut all, &flags.into_iter().collect::<Vec<_>>());
    all.into_iter().map(|(_, threshold)| threshold).collect()
}

/// Thresholds of this program.
pub(crate) fn parsed(texts: &[&str]) -> impl Iterator<Item = Threshold> + use<> {
    let parse = |text: &&str| {
        text.parse()
            .expect("thresholds of this program can be read")
    };
    texts.iter().map(parse).collect::<Vec<_>>().into_iter()
}

/// What a threshold is about: its text up to the comparison, without spaces.
#[must_use]
pub fn figure_of(threshold: &Threshold) -> String {
    let text = threshold.to_string();
    let mut quoted = false;
    let end = text.find(|letter| {
        quoted ^= letter == '"';
        !quoted && matches!(letter, '<' | '>' | '=' | '!')
    });
    let figure = &text[..end.unwrap_or(text.len())];
    figure.split_whitespace().collect()
}

/// A judged threshold with its figure and, where a ratio says something, by how much it is met or
/// violated: `p99(append) < 50ms: 12.5 ms, 4.0× headroom`.
#[must_use]
pub fn describe_judgement(judgement: &Judgement) -> String {
    let figure = describe_figure(judgement);
    let margin = margin_of(judgement);
    match margin.is_empty() {
        true => figure,
        false => format!("{figure}, {margin}"),
    }
}

/// By how much a threshold is met or violated: `4.0× headroom`; nothing where that is no number that says
/// anything, as of a count that has to be 0.
pub(crate) fn margin_of(judgement: &Judgement) -> String {
    let word = match judgement.ruling {
        Ruling::Held => "headroom",
        Ruling::Violated => "over the limit",
        Ruling::Unknown => return String::new(),
    };
    let margin = match judgement.observed.and_then(|value| ratio(judgement, value)) {
        Some((times, _)) if judgement.ruling == Ruling::Held => format!("{times:.1}× {word}"),
        Some((times, true)) => format!("{times:.1}× below the limit"),
        Some((times, false)) => format!("{times:.1}× {word}"),
        None => String::new(),
    };
    let Some((low, high)) = judgement.close else {
        return margin;
    };
    let [low, high] = [low, high].map(|end| figure(end, &judgement.unit));
    let close = format!("close: its 95 % interval is {low} to {high}");
    match margin.is_empty() {
        true => close,
        false => format!("{margin}, {close}"),
    }
}

/// A threshold with its figure alone, of which nothing is to be said: `p99(append) < 50ms: 12.5 ms`.
#[must_use]
pub fn describe_figure(judgement: &Judgement) -> String {
    format!("{}: {}", expression(judgement), observed(judgement))
}

/// The threshold, with the step that it was asked of.
pub(crate) fn expression(judgement: &Judgement) -> String {
    let text = judgement.threshold.to_string();
    match &judgement.step {
        Some(step) => format!("{text} ({step})"),
        None => text,
    }
}

/// What it came to, or why that is not known.
pub(crate) fn observed(judgement: &Judgement) -> String {
    match (judgement.observed, &judgement.reason) {
        (Some(value), None) => figure(value, &judgement.unit),
        (Some(value), Some(reason)) => {
            format!("{} ({reason})", figure(value, &judgement.unit))
        }
        (None, Some(reason)) => reason.clone(),
        (None, None) => "not measured".to_owned(),
    }
}

/// What it came to, if that is known.
pub(crate) fn value(judgement: &Judgement) -> Option<String> {
    let value = judgement.observed?;
    Some(figure(value, &judgement.unit))
}

/// A limit in words.
pub(crate) fn limit(judgement: &Judgement) -> String {
    figure(judgement.limit, &judgement.unit)
}

/// How many times better the figure is than its limit, or worse if it is violated, and whether the limit
/// is the least that is right.
fn ratio(judgement: &Judgement, observed: f64) -> Option<(f64, bool)> {
    let text = judgement.threshold.to_string();
    let limit = judgement.limit;
    if observed <= 0.0 || limit <= 0.0 {
        return None;
    }
    let is_least = text.contains('>');
    let better = match (text.contains('<'), is_least) {
        (true, _) => limit / observed,
        (_, true) => observed / limit,
        _ => return None,
    };
    let times = match judgement.ruling {
        Ruling::Held => better,
        _ => 1.0 / better,
    };
    Some((times, is_least))
}

fn figure(value: f64, unit: &str) -> String {
    match unit {
        "ns" => duration(value),
        "share" => format!("{:.3} %", value * 100.0),
        "per_s" => crate::units::rate(value),
        "bytes" => format!("{:.1} MB", value / 1e6),
        "cores" => format!("{value:.2} cores"),
        _ if value.fract() == 0.0 && (0.0..1e15).contains(&value) => count(value as u64),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use load_engine::{RunRecord, Verification};

    use super::*;

    fn described(threshold: &str, record: &RunRecord) -> String {
        let threshold: Threshold = threshold.parse().unwrap();
        describe_judgement(&threshold.judge(record, Some(&Verification::default())))
    }

    #[test]
    fn a_threshold_is_told_with_its_figure_and_its_headroom() {
        let mut record = RunRecord::default();
        record.iterations.completed = 500;
        record.monitor.summary.resident_peak_bytes = Some(40_000_000);
        assert_eq!(
            described("iterations >= 100", &record),
            "iterations >= 100: 500, 5.0× headroom"
        );
        assert_eq!(
            described("iterations >= 1000", &record),
            "iterations >= 1000: 500, 2.0× below the limit"
        );
        assert_eq!(
            described("memory_peak < 20MB", &record),
            "memory_peak < 20MB: 40.0 MB, 2.0× over the limit"
        );
        assert_eq!(described("lost == 0", &record), "lost == 0: 0");
        assert_eq!(
            described("p99 < 1s", &record),
            "p99 < 1s: there was no operation"
        );
    }

    #[test]
    fn a_flag_goes_before_a_threshold_on_the_same_figure() {
        let flag: Threshold = "mean( * ) <= 20ms".parse().unwrap();
        let texts = |all: Vec<(Source, Threshold)>| -> Vec<String> {
            let text = |(_, threshold): &(Source, Threshold)| threshold.to_string();
            all.iter().map(text).collect()
        };
        let closed = Model::default();
        let with = limited_by(&closed, &[], std::slice::from_ref(&flag));
        assert_eq!(with[2].0, Source::CommandLine);
        assert_eq!(
            texts(with),
            [
                "error_rate < 5%",
                "memory_peak < 500MB",
                "mean( * ) <= 20ms"
            ]
        );
        let own: Threshold = "p99 < 1s".parse().unwrap();
        let with = limited_by(&closed, &[own], &[flag]);
        assert_eq!(
            texts(with),
            ["p99 < 1s", "error_rate < 5%", "mean( * ) <= 20ms"]
        );
        let quoted: Threshold = "max(\"a < b\") < 1s".parse().unwrap();
        assert_eq!(figure_of(&quoted), "max(\"a<b\")");
    }

    #[test]
    fn a_file_keeps_the_default_of_failures_and_drops_unless_it_sets_them() {
        let schedule = load_engine::Schedule::constant(10.0, std::time::Duration::from_secs(1));
        let open = Model::open(schedule, std::num::NonZeroU32::MIN);
        let texts = |own: &[&str]| -> Vec<String> {
            let own: Vec<Threshold> = own.iter().map(|text| text.parse().unwrap()).collect();
            let all = limited_by(&open, &own, &[]);
            all.iter()
                .map(|(_, threshold)| threshold.to_string())
                .collect()
        };
        assert_eq!(
            texts(&["p99 < 1s"]),
            ["p99 < 1s", "error_rate < 5%", "dropped == 0"]
        );
        let both = ["error_rate < 50%", "dropped < 9"];
        assert_eq!(texts(&both), both);
        let of_a_phase = ["error_rate(@ peak) < 50%"];
        assert_eq!(texts(&of_a_phase).len(), 3, "that is not of the whole run");
    }
}
