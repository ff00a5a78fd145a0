//! The same load, shorter: for a first look, or as long as the command line says.

use std::time::Duration;

use super::overrides::Edit;
use super::spec::ScenarioSpec;
use load_engine::quantity::Time;

/// How long a load is that was made quick, at most.
const QUICK: Duration = Duration::from_secs(2);

/// By how much a load that is counted, not timed, is made smaller to be quick.
const QUICK_SHARE: u64 = 10;

/// Iterations of a user that are not made fewer: what comes seldom has to come at all.
const QUICK_AT_LEAST: u64 = 20;

/// What makes a load quick whose file has no `quick` table: each phase in proportion, so that all together
/// take 2 s at most; a tenth of the iterations, if that is 20 or more; and memory is not judged for leaks,
/// since that needs a longer time. Users, rates and records stay, for which the thresholds were chosen.
pub(super) fn quick(spec: &ScenarioSpec) -> Vec<Edit> {
    let length = length(spec);
    let mut edits = match length > QUICK {
        true => scaled(spec, QUICK.as_secs_f64() / length.as_secs_f64()),
        false => Vec::new(),
    };
    let fewer = |number: u64| (number / QUICK_SHARE).max(number.min(QUICK_AT_LEAST));
    if let Some(iterations) = spec.model.iterations {
        edits.push(Edit::set("model.iterations", fewer(iterations)));
    }
    if let Some(total) = spec.model.total_iterations {
        edits.push(Edit::set("model.total_iterations", fewer(total)));
    }
    edits.extend(without_leaks("thresholds", &spec.thresholds));
    for (at, phase) in spec.phases.iter().enumerate() {
        edits.extend(without_leaks(
            &format!("phases.{at}.thresholds"),
            &phase.thresholds,
        ));
    }
    edits
}

/// The thresholds without those on leaks, if there are some.
fn without_leaks(key: &str, thresholds: &[String]) -> Option<Edit> {
    let is_leak = |text: &&String| text.trim_start().starts_with("memory_leak");
    thresholds.iter().find(is_leak)?;
    let others = thresholds.iter().filter(|text| !is_leak(text));
    let others: Vec<toml::Value> = others.map(|text| text.as_str().into()).collect();
    Some(Edit::set(key, toml::Value::Array(others)))
}

/// What makes the whole load as long as this, each phase in proportion. One that is counted in iterations
/// is timed instead.
pub(super) fn lasting(spec: &ScenarioSpec, whole: Duration) -> Vec<Edit> {
    let length = length(spec);
    if length.is_zero() {
        return vec![
            Edit::remove("model.iterations"),
            Edit::remove("model.total_iterations"),
            Edit::set("model.for", text(whole)),
        ];
    }
    scaled(spec, whole.as_secs_f64() / length.as_secs_f64())
}

fn scaled(spec: &ScenarioSpec, share: f64) -> Vec<Edit> {
    let scale = |key: &str, time: Time| {
        let scaled = time.0.mul_f64(share).max(Duration::from_millis(1));
        Edit::set(key, text(scaled))
    };
    let phases = spec.phases.iter().enumerate();
    let phases = phases.map(|(at, phase)| scale(&format!("phases.{at}.for"), phase.length));
    let aborts = spec.abort_on_fail.iter().enumerate();
    let aborts = aborts.filter_map(|(at, rule)| {
        let key = format!("abort_on_fail.{at}.after");
        rule.after.map(|after| scale(&key, after))
    });
    let whole = spec.model.length.map(|length| scale("model.for", length));
    phases.chain(aborts).chain(whole).collect()
}

/// A time as a text of TOML.
fn text(time: Duration) -> String {
    format!("\"{}\"", Time(time))
}

/// How long the load is; none if it is counted in iterations.
fn length(spec: &ScenarioSpec) -> Duration {
    let phases = spec
        .phases
        .iter()
        .map(|phase| phase.length.0.saturating_mul(phase.repeat.unwrap_or(1)));
    let phases = phases.fold(Duration::ZERO, Duration::saturating_add);
    match spec.model.length {
        Some(time) => time.0,
        None => phases,
    }
}
