//! Ends of phases, executors, tags, and the same scenario at another size.

use super::*;
use crate::{NoProgress, Suite};
use report::Report;

const UNTIL: &str = r#"
name = "until"
[tags]
team = "storage"
[target]
kind = "storage"
mix = { append = 60, query = 40 }
[model]
executor = "tokio"
[[phases]]
name = "stress"
for = "10s"
users = 5
repeat = 2
until = 'p99(append) > 200ms'
"#;

#[test]
fn a_phase_that_ends_early_does_so_by_its_own_figures() {
    let file = parsed(UNTIL, &[]);
    let ends = file.plan().phase_ends.iter();
    let ends: Vec<_> = ends
        .map(|(phase, end)| format!("{phase}: {end:?}"))
        .collect();
    assert_eq!(
        ends,
        [
            "0: Condition(p99(append @ \"stress 1\") > 200ms)",
            "1: Condition(p99(append @ \"stress 2\") > 200ms)"
        ]
    );
}

#[test]
fn a_mistake_in_what_ends_a_phase_is_pointed_at() {
    let until = |expression: &str| changed(UNTIL, "p99(append) > 200ms", expression);
    assert_eq!(
        until("p99(apend) > 200ms"),
        "s.toml:15:14: there is no step `apend`; there is `append`, `query pending`"
    );
    assert_eq!(
        until("p99(append) > 200"),
        "s.toml:15:24: `p99` is a time, so its limit needs a unit: ns, us, ms, s, m, h or d"
    );
    assert!(until("p99(append @ other) > 1s").contains("names no other one"));
    assert!(
        until("rate > 10/s").starts_with(
            "s.toml:15:9: this figure is known only when the load is over, so it cannot end it"
        ),
        "{}",
        until("rate > 10/s")
    );
    let stop = "abort_on_fail = [{ threshold = \"rate > 10/s\" }]\n[tags]";
    assert!(changed(UNTIL, "[tags]", stop).starts_with("s.toml:3:32: this figure is known only"));
}

#[test]
fn a_tag_has_a_name_that_every_report_can_write() {
    assert_eq!(parsed(UNTIL, &[]).spec().tags["team"], "storage");
    let tag = |name: &str| changed(UNTIL, "team =", name);
    assert!(tag("a-team =").starts_with("s.toml:4:1: `a-team` is no name of a tag"));
    assert!(tag("scenario =").starts_with("s.toml:4:1: `scenario` is no name of a tag"));
    assert!(tag("team = 5 #").starts_with("s.toml:4:8: invalid type: integer"));
}

#[test]
fn an_executor_that_is_none_says_which_there_are_and_tasks_may_be_more_than_threads() {
    let told = changed(UNTIL, "\"tokio\"", "\"toko\"");
    assert!(
        told.starts_with("s.toml:9:12: unknown variant `toko`"),
        "{told}"
    );
    assert!(told.ends_with("did you mean `tokio`?"), "{told}");
    let many = UNTIL.replace("users = 5", "users = 20000");
    assert_eq!(parsed(&many, &[]).plan().model.users().get(), 20_000);
    let threads = many.replace("tokio", "threads");
    assert!(mistake(&threads).ends_with("expected whole numbers of users, up to 10000"));
}

#[test]
fn another_size_is_what_is_set_over_the_file() {
    let open = parsed(OPEN, &[]);
    assert_eq!(open.highest_rate(), Some(400.0));
    let set = open.set_for_rate(100.0).unwrap();
    assert_eq!(set, ["phases.0.rate=25.0", "phases.1.rate=100.0"]);
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    assert_eq!(parsed(OPEN, &set).highest_rate(), Some(100.0));
    let ramped = OPEN.replace("rate = 100", "rate = { from = 0, to = 100, steps = 4 }");
    let set = parsed(&ramped, &[]).set_for_rate(800.0).unwrap();
    assert_eq!(
        set[0],
        "phases.0.rate={ from = 0.0, to = 200.0, steps = 4 }"
    );

    let closed = parsed(GOOD, &[]).set_for_users(3).unwrap();
    assert_eq!(closed, ["phases.0.users=3", "phases.1.users=3"]);
    let refused = |told: Result<Vec<String>, Error>| told.unwrap_err().to_string();
    assert!(
        refused(open.set_for_users(3)).starts_with("s.toml:7:8: an open model has arrivals"),
        "{}",
        refused(open.set_for_users(3))
    );
    let unphased =
        "name = \"x\"\n[target]\nkind = \"storage\"\n[model]\nusers = 2\niterations = 3\n";
    let told = refused(parsed(unphased, &[]).set_for_rate(3.0));
    assert!(
        told.starts_with("s.toml:4:1: a load without phases has no rate"),
        "{told}"
    );
}

fn run(text: &str) -> Report {
    let out = tempfile::tempdir().unwrap();
    let suite = Suite::new([parsed(text, &[])]);
    suite.run(out.path(), &mut NoProgress).unwrap()
}

#[test]
fn threads_and_tasks_make_the_same_record_of_the_same_text() {
    let text = |executor: &str| {
        format!(
            "name = \"same\"\nthresholds = ['error_rate == 0%']\ntags.team = \"agents\"\n\
             [target]\nkind = \"agents\"\nmix = {{ save = 60, load = 30, checkpoint = 10 }}\n\
             [model]\nexecutor = \"{executor}\"\nusers = 12\niterations = 10\n"
        )
    };
    let counted = |report: &Report| {
        let scenario = &report.scenarios[0];
        let steps = scenario.run.steps.iter();
        let steps: Vec<_> = steps
            .map(|step| {
                (
                    step.name.clone(),
                    step.attempted,
                    step.succeeded,
                    step.effects,
                )
            })
            .collect();
        let found = &scenario.verification;
        (steps, found.effects, found.verified, scenario.tags.clone())
    };
    let (threads, tasks) = (run(&text("threads")), run(&text("tokio")));
    assert_eq!(counted(&threads), counted(&tasks));
    assert_eq!(threads.scenarios[0].load, "12 threads × 10");
    assert_eq!(tasks.scenarios[0].load, "12 tasks × 10");
    assert!(tasks.scenarios[0].effects_hold());
    let page = report::render::markdown(&tasks);
    assert!(page.contains("team: agents"), "{page}");
    assert!(report::render::junit(&tasks).contains("name=\"tag.team\" value=\"agents\""));
    let metrics = report::render::prometheus(&tasks);
    assert!(
        metrics.contains("proofload_scenario_info{scenario=\"same\",team=\"agents\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn a_phase_that_ended_early_takes_its_mix_with_it() {
    let text = "name = \"early\"\nthresholds = ['error_rate == 0%']\n\
                [target]\nkind = \"storage\"\ninitial_records = 10\n\
                [model]\nthink_time = \"1ms\"\n\
                [[phases]]\nname = \"reads\"\nfor = \"10m\"\nusers = 2\nmix = { query = 1 }\n\
                until = 'max(\"query pending\") > 1ns'\n\
                [[phases]]\nname = \"writes\"\nfor = \"200ms\"\nusers = 2\nmix = { append = 1 }\n";
    let report = run(text);
    let phases = &report.scenarios[0].run.phases;
    assert!(
        phases[0].ended_early && !phases[1].ended_early,
        "{phases:?}"
    );
    let count = |phase: usize, name: &str| {
        let steps = phases[phase].steps.iter();
        let step = steps.into_iter().find(|step| step.name == name).unwrap();
        step.latency.count
    };
    assert!(count(0, "query pending") > 0 && count(1, "append") > 0);
    // Who was between its beginning and its choice when the phase ended.
    assert!(count(0, "append") <= 2 && count(1, "query pending") == 0);
}

const PHASED: &str = r#"
name = "phased"
thresholds = ['error_rate(@ peak) < 5%']
[target]
kind = "storage"
[[phases]]
name = "ramp"
for = "5s"
users = { from = 2, to = 20, steps = 4 }
[[phases]]
name = "peak"
for = "10s"
users = 20
thresholds = ['p95 < 300ms']
until = 'p95 > 5s'
"#;

#[test]
fn users_that_are_set_over_phases_are_the_most_of_them() {
    let file = parsed(PHASED, &["model.users=10"]);
    assert_eq!(file.plan().model.users().get(), 10);
    let ramp = file.spec().phases[0].users.unwrap();
    assert_eq!((ramp.from, ramp.to, ramp.steps), (1.0, 10.0, Some(4)));
    assert_eq!(file.overrides().to_arguments(), " --set model.users=10");
}

#[test]
fn phases_of_users_are_searched_as_phases_of_rates() {
    let file = parsed(PHASED, &[]);
    let set = file.set_for_rate(100.0).unwrap();
    let settings: Vec<&str> = set.iter().map(String::as_str).collect();
    let open = parsed(PHASED, &settings);
    assert_eq!(open.highest_rate(), Some(100.0));
    let ramp = open.spec().phases[0].rate.unwrap();
    assert_eq!((ramp.from, ramp.to, ramp.steps), (10.0, 100.0, Some(4)));
    assert_eq!(open.spec().phases[1].thresholds, ["p95 < 300ms"]);
    assert_eq!(open.spec().phases[1].until.as_deref(), Some("p95 > 5s"));
}
