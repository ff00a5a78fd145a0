//! Reports of version 1 are read: each comes to what it came to then, and names the same steps.

use std::collections::BTreeSet;
use std::fs;

use load_engine::Source;
use report::comparison::Comparison;
use report::render;
use serde_json::Value;

use crate::stored::{NAMES, load_v1, path};

fn stored(name: &str) -> Value {
    let text = fs::read(path("fixtures/v1", &format!("{name}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The scenario, and the step if there is one.
type Place = (Option<String>, Option<String>);

#[test]
fn every_report_of_version_1_comes_to_what_it_came_to_then() {
    for name in NAMES {
        let (then, now) = (stored(name), load_v1(name));
        let verdict = &then["verdict"];
        let conclusion = serde_json::to_value(now.verdict.conclusion).unwrap();
        let health = match verdict["health"].as_str().unwrap() {
            "not_judged" => "inconclusive",
            other => other,
        };
        assert_eq!(conclusion, health, "{name}: {}", now.verdict.reason);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let places_then: BTreeSet<Place> = verdict["bottlenecks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| (text(&found["scenario"]), text(&found["step"])))
            .collect();
        let places_now: BTreeSet<Place> = now
            .verdict
            .violations
            .iter()
            .map(|found| (found.scenario.clone(), found.judgement.step.clone()))
            .collect();
        assert_eq!(places_now, places_then, "{name}");
        let healths = then["verdict"]["scenarios"].as_array().unwrap();
        assert_eq!(healths.len(), now.scenarios.len());
        assert_eq!(now.version, 2);
    }
}

#[test]
fn it_is_judged_again_compared_and_drawn() {
    let strict = "mean(*) <= 1us".parse().unwrap();
    let again = load_v1("pass").judged_by(&[strict], &[]);
    assert!(!again.verdict.conclusion.is_pass());
    let first = &again.verdict.violations[0].judgement;
    assert_eq!(first.source, Source::CommandLine);
    assert_eq!(first.step.as_deref(), Some("create"));
    let (a, b) = ([load_v1("pass")], [load_v1("fail")]);
    assert!(!Comparison::of(("a", &a), ("b", &b)).effects.is_empty());
    assert!(render::html(&a[0]).contains("<svg"));
    assert!(render::markdown(&a[0]).starts_with("# Load test: ✅ pass"));
}

#[test]
fn what_it_was_judged_by_becomes_thresholds() {
    let now = load_v1("pass");
    let texts: Vec<String> = now.scenarios[0]
        .thresholds()
        .iter()
        .map(|(source, threshold)| format!("{source:?} {threshold}"))
        .collect();
    assert_eq!(
        texts,
        [
            "Default error_rate <= 5%",
            "Default mean(*) <= 100ms",
            "Default memory_peak <= 500MB"
        ]
    );
    let mut with_leak = stored("pass");
    with_leak["scenarios"][0]["no_leak_in"] = "peak".into();
    with_leak["scenarios"][0]["thresholds"] = Value::Array(vec!["p99 < 1s".into()]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    fs::write(&file, with_leak.to_string()).unwrap();
    let read = report::load(&file).unwrap();
    let own = read.scenarios[0].thresholds();
    let texts: Vec<String> = own.iter().map(|(_, own)| own.to_string()).collect();
    assert_eq!(texts, ["p99 < 1s", "memory_leak(@ \"peak\") == 0"]);
}
