//! Mistakes in a scenario file: each is told with its place, and with what would be right.

use std::time::Duration;

use load_engine::{Model, ThinkTime, UserStage};

use super::*;

mod sizes;

const GOOD: &str = r#"
name = "mixed"
thresholds = ["p99(append @ peak) < 1s"]

[target]
kind = "storage"
mix = { append = 60, query = 40 }

[model]
think_time = { from = "1ms", to = "3ms" }

[[phases]]
name = "ramp-up"
for = "10s"
users = { from = 5, to = 50, steps = 10 }

[[phases]]
name = "peak"
for = "20s"
users = 50
thresholds = ["error_rate < 1%"]
"#;

const OPEN: &str = r#"
name = "burst"
[target]
kind = "agents"
down_in = "burst"
[model]
kind = "open"
arrivals = "poisson"
[[phases]]
name = "steady"
for = "1s"
rate = 100
repeat = 2
[[phases]]
name = "burst"
for = "500ms"
rate = 400
"#;

fn mistake(text: &str) -> String {
    let error = ScenarioFile::parse("s.toml", text, &Overrides::default()).unwrap_err();
    error.to_string()
}

/// The mistake of the text with one thing put in another's place.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    mistake(&text.replacen(from, to, 1))
}

fn parsed(text: &str, set: &[&str]) -> ScenarioFile {
    let set: Vec<String> = set.iter().map(|&setting| setting.to_owned()).collect();
    ScenarioFile::parse("s.toml", text, &Overrides::set(&set)).unwrap()
}

fn quickened(text: &str, set: &[&str]) -> ScenarioFile {
    let overrides = Overrides {
        quick: true,
        set: set.iter().map(|&setting| setting.to_owned()).collect(),
        ..Overrides::default()
    };
    ScenarioFile::parse("s.toml", text, &overrides).unwrap()
}

fn length(file: &ScenarioFile) -> Duration {
    let phases = file.plan().phases.iter().map(|phase| phase.duration).sum();
    match &file.plan().model {
        Model::Closed {
            until: load_engine::Until::Elapsed(time),
            ..
        } => *time,
        _ => phases,
    }
}

#[test]
fn a_file_becomes_the_load_that_it_describes() {
    let file = parsed(GOOD, &[]);
    let plan = file.plan();
    let Model::Staged { stages } = &plan.model else {
        panic!("{:?}", plan.model)
    };
    assert_eq!(stages.len(), 11);
    assert_eq!(stages[0], UserStage::hold(5, Duration::from_secs(1)));
    assert_eq!(stages[9], UserStage::hold(50, Duration::from_secs(1)));
    assert_eq!(stages[10], UserStage::hold(50, Duration::from_secs(20)));
    let names: Vec<_> = plan.phases.iter().map(|phase| &phase.name).collect();
    assert_eq!(names, ["ramp-up", "peak"]);
    assert!(matches!(plan.think_time, ThinkTime::Uniform { .. }));
    let thresholds = file.compiled.thresholds.iter().map(ToString::to_string);
    let thresholds: Vec<_> = thresholds.collect();
    assert_eq!(
        thresholds,
        ["p99(append @ peak) < 1s", "error_rate(@ \"peak\") < 1%"]
    );
}

#[test]
fn a_phase_that_is_repeated_comes_under_numbered_names() {
    let file = parsed(OPEN, &[]);
    let plan = file.plan();
    let names: Vec<_> = plan.phases.iter().map(|phase| &phase.name).collect();
    assert_eq!(names, ["steady 1", "steady 2", "burst"]);
    assert_eq!(plan.model.planned_iterations(), Some(400));
}

#[test]
fn a_misspelt_name_is_pointed_at_with_the_one_that_was_meant() {
    assert_eq!(
        changed(GOOD, "users = 50", "usres = 50"),
        "s.toml:20:1: unknown field `usres`, expected one of `name`, `for`, `until`, `users`, \
         `rate`, `repeat`, `thresholds`, `mix`; did you mean `users`?"
    );
    assert_eq!(
        changed(GOOD, "\"storage\"", "\"stoarge\""),
        "s.toml:6:8: there is no target `stoarge`, there is `approval`, `forensic`, `integrated`, \
         `storage`, `memory`, `agents`; did you mean `storage`?"
    );
    assert_eq!(
        changed(GOOD, "mix = {", "mxi = {"),
        "s.toml:7:1: unknown field `mxi`, expected `initial_records` or `mix`; did you mean `mix`?"
    );
    assert_eq!(
        changed(GOOD, "query = 40", "querry = 40"),
        "s.toml:7:22: there is no operation `querry`, there is `append`, `query`, `scan`, \
         `statistics`; did you mean `query`?"
    );
    assert_eq!(
        changed(OPEN, "down_in = \"burst\"", "down_in = \"brust\""),
        "s.toml:5:11: there is no phase `brust`, there is `steady 1`, `steady 2`, `burst`; did you \
         mean `burst`?"
    );
}

#[test]
fn a_threshold_is_pointed_at_within_its_text() {
    assert_eq!(
        changed(GOOD, "< 1s", "< 1"),
        "s.toml:3:37: `p99` is a time, so its limit needs a unit: ns, us, ms, s, m, h or d"
    );
    assert_eq!(
        changed(GOOD, "@ peak", "@ peek"),
        "s.toml:3:29: there is no phase `peek`; there is `ramp-up`, `peak`"
    );
    assert_eq!(
        changed(GOOD, "p99(append", "p99(scan"),
        "s.toml:3:20: there is no step `scan`; there is `append`, `query pending`"
    );
    assert!(
        changed(GOOD, "error_rate < 1%", "error_rate(@ peak) < 1%")
            .starts_with("s.toml:21:15: a threshold of a phase names no other one")
    );
}

#[test]
fn values_that_make_no_sense_say_what_would() {
    for (from, to, expected) in [
        (
            "\"20s\"",
            "\"20\"",
            "19:7: `20` is not a time such as 250ms, 30s, 1m30s or 1h",
        ),
        (
            "\"20s\"",
            "20",
            "19:7: invalid type: integer `20`, expected a time such as",
        ),
        (
            "users = 50",
            "users = 1.5",
            "20:9: expected whole numbers of users, up to 10000",
        ),
        (
            "users = 50",
            "users = -1",
            "20:9: expected a number that is not negative",
        ),
        (
            "users = 50",
            "users = { from = 1 }",
            "20:9: missing field `to`",
        ),
        (
            "users = 50",
            "rate = 50",
            "20:8: users come in a closed model: take `users`",
        ),
        ("steps = 10", "steps = 0", "15:38: expected 1 to 1000 steps"),
        (
            "name = \"peak\"",
            "name = \"ramp-up\"",
            "18:8: another phase is called `ramp-up`",
        ),
        (
            "name = \"mixed\"",
            "name = \"a b\"",
            "2:8: `a b` is no name",
        ),
        (
            "append = 60, query = 40",
            "append = 0",
            "7:7: no choice of the mix has a weight",
        ),
        (
            "to = \"3ms\"",
            "to = \"0.5ms\"",
            "10:14: `from` must not be longer than `to`",
        ),
        (
            "to = \"3ms\"",
            "exponential = \"3ms\"",
            "10:14: a think time has either",
        ),
        (
            "kind = \"storage\"",
            "kind = \"approval\"",
            "7:1: unknown field `mix`",
        ),
        (
            "[model]",
            "[model]\nusers = 3",
            "10:9: the phases say how many users there are",
        ),
        (
            "[model]",
            "[model]\nmax_start_delay = \"1s\"",
            "10:19: this is for arrivals",
        ),
        (
            "[target]",
            "no_leak_in = \"soak\"\n[target]",
            "5:1: `no_leak_in` is now a threshold: 'memory_leak(@ soak) == 0'",
        ),
        (
            "[target]",
            "data.file = \"x.csv\"\n[target]",
            "5:13: x.csv: ",
        ),
    ] {
        let told = changed(GOOD, from, to);
        let expected = format!("s.toml:{expected}");
        assert!(told.starts_with(&expected), "{to}: {told}");
    }
    for (from, to, expected) in [
        (
            "rate = 400",
            "users = 4",
            "17:9: arrivals come in an open model: take `rate`",
        ),
        (
            "repeat = 2",
            "repeat = 0",
            "13:10: a phase comes 1 to 1000 times",
        ),
        (
            "[model]",
            "[model]\nthink_time = \"1s\"",
            "7:14: arrivals do not think",
        ),
        (
            "[target]",
            "[target]\npool = { size = 0, wait = \"1s\" }",
            "4:17: a pool has at least",
        ),
    ] {
        let told = changed(OPEN, from, to);
        let expected = format!("s.toml:{expected}");
        assert!(told.starts_with(&expected), "{to}: {told}");
    }
    let closed = "name = \"c\"\n[target]\nkind = \"memory\"\n";
    assert!(mistake(closed).contains("say how many users there are"));
    let endless = format!("{closed}[model]\nusers = 1\n");
    assert!(mistake(&endless).starts_with("s.toml:4:1: say how long the load is"));
    assert!(
        mistake("name = ").starts_with("s.toml:1:8: "),
        "{}",
        mistake("name = ")
    );
}

#[test]
fn what_is_set_goes_before_the_file_and_a_mistake_in_it_is_named() {
    let file = parsed(GOOD, &["seed=9", "phases.peak.users=7"]);
    assert_eq!(file.plan().seed, 9);
    assert_eq!(file.plan().model.users().get(), 50);
    assert_eq!(
        file.overrides().to_arguments(),
        " --set seed=9 --set phases.peak.users=7"
    );
    let mistake = |setting: &str| {
        let set = [setting.to_owned()];
        let error = ScenarioFile::parse("s.toml", GOOD, &Overrides::set(&set)).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        mistake("phases.peak.usres=7"),
        "s.toml with --set phases.peak.usres=7: phases[1].usres: unknown field `usres`, expected one of `name`, \
         `for`, `until`, `users`, `rate`, `repeat`, `thresholds`, `mix`; did you mean `users`?"
    );
    assert!(
        mistake("model.iterations=7").starts_with(
            "s.toml with --set model.iterations=7: model.iterations: the phases say how many users there are"
        )
    );
}

#[test]
fn a_quick_load_keeps_its_proportions() {
    let file = quickened(GOOD, &[]);
    let lengths: Vec<u128> = file
        .plan()
        .phases
        .iter()
        .map(|phase| phase.duration.as_millis())
        .collect();
    assert_eq!(lengths, [666, 1333]);
    assert_eq!(file.plan().model.users().get(), 50, "as before");
    assert_eq!(file.overrides().to_arguments(), " --quick");
    let counted = "name = \"c\"\n[target]\nkind = \"storage\"\ninitial_records = 500\n[model]\nusers = 3\niterations = 500\n";
    let quick = quickened(counted, &[]);
    assert_eq!(quick.plan().model.planned_iterations(), Some(150));
    assert!(format!("{:?}", quick.compiled.target).contains("records: 500"));
    let short = quickened(&OPEN.replace("for = \"1s\"", "for = \"10ms\""), &[]);
    assert_eq!(length(&short), Duration::from_millis(520), "it was quick");
    let set_last = quickened(OPEN, &["phases.0.for=10ms"]);
    assert_eq!(length(&set_last), Duration::from_millis(20 + 400));
    let timed = |text: &str| {
        let overrides = Overrides {
            duration: Some(Duration::from_millis(300)),
            ..Overrides::default()
        };
        ScenarioFile::parse("s.toml", text, &overrides).unwrap()
    };
    assert_eq!(length(&timed(counted)), Duration::from_millis(300));
    assert_eq!(length(&timed(GOOD)), Duration::from_millis(300));
    assert_eq!(
        timed(counted).overrides().to_arguments(),
        " --duration 300ms"
    );
}

#[test]
fn a_quick_table_is_set_over_the_file_and_checked_with_it() {
    let text = "name = \"q\"\ntarget.kind = \"storage\"\nmodel = { users = 50, total_iterations = 1000 }\n\
                quick.model = { users = 5, total_iterations = 51 }\n";
    assert_eq!(
        parsed(text, &[]).plan().model.planned_iterations(),
        Some(1000)
    );
    let quick = quickened(text, &[]);
    assert_eq!(quick.plan().model.users().get(), 5);
    assert_eq!(
        quick.plan().model.planned_iterations(),
        Some(55),
        "11 of each user"
    );
    let sized = Overrides {
        quick: true,
        threads: std::num::NonZeroU32::new(7),
        records: std::num::NonZeroU64::new(14),
        ..Overrides::default()
    };
    let sized = ScenarioFile::parse("s.toml", text, &sized).unwrap();
    assert_eq!(sized.plan().model.users().get(), 7);
    assert_eq!(
        sized.plan().model.planned_iterations(),
        Some(14),
        "flags go before `quick`"
    );
    assert_eq!(
        changed(
            text,
            "quick.model = { users = 5,",
            "quick.model = { users = 0,"
        ),
        "s.toml:4:1: with `quick`, model.users: expected 1 to 10000 users"
    );
}

#[test]
fn a_key_of_an_earlier_version_is_refused_with_its_name_now() {
    assert_eq!(
        changed(GOOD, "[model]", "[model]\npatience = \"1s\""),
        "s.toml:10:1: `patience` is now `max_start_delay`"
    );
    assert_eq!(
        changed(GOOD, "[target]", "stop_if_broken = []\n[target]"),
        "s.toml:5:1: `stop_if_broken` is now `abort_on_fail`"
    );
    assert_eq!(
        changed(GOOD, "mix = {", "records = 5\nmix = {"),
        "s.toml:7:1: `records` is now `initial_records`"
    );
}

#[test]
fn the_published_schema_is_that_of_the_code() {
    let published = include_str!("../../../schemas/scenario.v1.json");
    let published: serde_json::Value = serde_json::from_str(published).unwrap();
    assert!(
        published == scenario_schema(),
        "run `cargo run -p proofload -- schema scenario > crates/harness/schemas/scenario.v1.json`"
    );
}
