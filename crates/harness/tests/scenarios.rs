//! The scenario files that come with the project: each one runs, quickly, on its target, every effect
//! is found again, and each of its thresholds finds the figure that it is about. Whether a machine
//! reaches the times that they ask for is for a run of that machine to say.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use load_engine::{Ruling, Source};
use report::{Report, ScenarioResult, render};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// Runs a file as `proofload run FILE --quick` does.
fn quick(name: &str) -> ScenarioResult {
    let quick = Overrides {
        quick: true,
        ..Overrides::default()
    };
    let file = ScenarioFile::read(&folder().join(name), &quick).unwrap();
    let out = tempfile::tempdir().unwrap();
    let report = Suite::new([file]).run(out.path(), &mut NoProgress).unwrap();
    let page = render::markdown(&report);
    let result = &report.scenarios[0];
    assert!(result.effects_hold(), "{page}");
    assert!(result.verification.verified > 0, "{page}");
    let definition = result.definition.as_ref().unwrap();
    assert_eq!(
        definition.text,
        fs::read_to_string(folder().join(name)).unwrap()
    );
    let own = result.judgements.iter();
    let own: Vec<_> = own
        .filter(|judgement| judgement.source == Source::File)
        .collect();
    assert!(!own.is_empty(), "{name} has no threshold");
    for judgement in own {
        let told = format!("{}: {:?}\n{page}", judgement.threshold, judgement.reason);
        // A load that was made quick may have too few operations for a percentile, and on a busy machine
        // the generator may be the limit: both say so.
        let reason = judgement.reason.as_deref().unwrap_or_default();
        let figure_is_there = judgement.observed.is_some() || reason.ends_with("are needed");
        let excused = !judgement.counts && figure_is_there;
        assert!(judgement.ruling != Ruling::Unknown || excused, "{told}");
        assert!(
            unescaped(&page).contains(&judgement.threshold.to_string()),
            "{told}"
        );
    }
    let saved: Report = serde_json::from_value(serde_json::to_value(&report).unwrap()).unwrap();
    assert_eq!(saved, report, "the thresholds are saved with it");
    result.clone()
}

/// Markdown as it is read, near enough.
fn unescaped(page: &str) -> String {
    let text = page.replace(['\\', '\u{2060}'], "");
    text.replace("&lt;", "<").replace("&gt;", ">")
}

macro_rules! quick_tests {
    ($($test:ident: $file:literal,)*) => {
        $(#[test]
        fn $test() {
            quick($file);
        })*

        /// The files that a test above runs.
        const QUICK: &[&str] = &[$($file),*];
    };
}

quick_tests! {
    five_phase: "five-phase.toml",
    baseline: "persistence/baseline.toml",
    reads_and_writes: "persistence/reads-and-writes.toml",
    state_sizes: "persistence/state-sizes.toml",
    sustained: "persistence/sustained.toml",
    burst: "persistence/burst.toml",
    checkpoints: "persistence/checkpoints.toml",
    memory: "persistence/memory.toml",
    service_level: "persistence/service-level.toml",
    approval: "seed-targets/approval.toml",
    forensic: "seed-targets/forensic.toml",
    integrated: "seed-targets/integrated.toml",
    integrated_each: "seed-targets/integrated-each.toml",
    storage: "seed-targets/storage.toml",
    mixed: "seed-targets/mixed.toml",
}

/// Those of which more is asked, below.
const MORE: [&str; 2] = [
    "persistence/pool-exhaustion.toml",
    "persistence/failure-and-recovery.toml",
];

/// Files for services of others, which a test of this crate does not start. Each is read and shown.
const SERVICES: [&str; 10] = [
    "services/api-mix.toml",
    "services/chat.toml",
    "services/gate.toml",
    "services/health-checks.toml",
    "services/json-server.toml",
    "services/mcp-memory-server.toml",
    "services/mcp-tools.toml",
    "services/mixed-files-redis.toml",
    "services/redis-hundred.toml",
    "services/redis-set.toml",
];

#[test]
fn files_for_services_of_others_make_sense() {
    for name in SERVICES {
        let file = ScenarioFile::read(&folder().join(name), &Overrides::default());
        let file = file.unwrap_or_else(|error| panic!("{error}"));
        let shown = file.dry_run().unwrap().unwrap();
        let only_reads = ["services/api-mix.toml", "services/health-checks.toml"].contains(&name);
        assert_eq!(shown.contains("# effect "), !only_reads, "{shown}");
        assert!(shown.contains("# flow "), "{shown}");
    }
}

#[test]
fn a_pool_that_is_exhausted_refuses_and_nothing_else_fails() {
    let result = quick(MORE[0]);
    let step = |name: &str| result.run.step(name).unwrap();
    assert!(step("acquire connection").failed > 0);
    assert_eq!(step("save state").failed + step("load state").failed, 0);
}

#[test]
fn a_store_that_is_killed_under_load_recovers_once_and_holds_what_it_acknowledged() {
    let result = quick(MORE[1]);
    let recover = result.run.step("recover").unwrap();
    assert_eq!((recover.succeeded, recover.failed), (1, 0));
    let saves = result.run.step("save state").unwrap();
    assert!(saves.failed > 0, "it was down");
    let messages = &saves.failures.messages;
    assert!(
        messages
            .iter()
            .all(|failure| failure.message == "the store is down"),
        "{messages:?}"
    );
}

#[test]
fn every_file_is_run_by_a_test() {
    let mut there = Vec::new();
    for below in ["", "persistence/", "seed-targets/", "services/"] {
        for entry in fs::read_dir(folder().join(below)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".toml") {
                there.push(format!("{below}{name}"));
            }
        }
    }
    there.sort();
    let mut run: Vec<_> = QUICK
        .iter()
        .chain(&MORE)
        .chain(&SERVICES)
        .map(|&name| name.to_owned())
        .collect();
    run.sort();
    assert_eq!(there, run);
}

#[test]
fn every_file_fits_the_published_schema_and_a_misspelt_one_does_not() {
    let validator = jsonschema::validator_for(&harness::scenario_schema()).unwrap();
    let json = |text: &str| -> serde_json::Value {
        serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
    };
    for name in QUICK.iter().chain(&MORE).chain(&SERVICES) {
        let text = fs::read_to_string(folder().join(name)).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&json(&text))
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    let text = fs::read_to_string(folder().join("five-phase.toml")).unwrap();
    for (right, wrong) in [
        ("think_time", "thinktime"),
        ("\"memory\"", "\"memroy\""),
        ("\"60s\"", "\"60\""),
        ("users = 75", "users = -75"),
        ("steps = 10", "step = 10"),
    ] {
        assert!(text.contains(right), "{right}");
        let wrong = text.replacen(right, wrong, 1);
        assert!(!validator.is_valid(&json(&wrong)), "{wrong}");
    }
}

/// The verdict over a result whose generator used most of the processor time.
fn saturated(lost: u64, threshold: &str) -> Report {
    let text = format!(
        "name = \"s\"\nthresholds = ['{threshold}']\n[target]\nkind = \"storage\"\n\
         [model]\nusers = 2\niterations = 5\n"
    );
    let file = ScenarioFile::parse("s.toml", &text, &Overrides::default()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut report = Suite::new([file]).run(out.path(), &mut NoProgress).unwrap();
    report.scenarios[0].run.generator.cpu_share = Some(0.9);
    report.scenarios[0].verification.lost = lost;
    report.judged_by(&[], &[])
}

#[test]
fn a_saturated_generator_is_neither_passed_nor_failed_by_thresholds_but_a_lost_effect_fails() {
    use report::Conclusion;
    for threshold in ["rate > 1000000000/s", "error_rate == 0%"] {
        let report = saturated(0, threshold);
        assert_eq!(report.verdict.conclusion, Conclusion::Inconclusive);
        let reason = &report.verdict.reason;
        assert!(
            reason.contains("the generator's own work was 90 % of the processor time"),
            "{reason}"
        );
        assert!(report.verdict.violations.is_empty(), "{reason}");
        assert!(render::markdown(&report).contains("| not judged |"));
    }
    assert_eq!(
        saturated(1, "error_rate == 0%").verdict.conclusion,
        Conclusion::Fail
    );
}

#[test]
fn data_is_shared_out_and_its_path_is_relative_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    let records: String = (0..20).map(|n| format!("{n},task {n}\n")).collect();
    fs::write(
        dir.path().join("data/tasks.csv"),
        format!("id,task\n{records}"),
    )
    .unwrap();
    let text = "name = \"fed\"\nthresholds = ['operations(append) == 24']\ndata.file = \"data/tasks.csv\"\n\
                [target]\nkind = \"storage\"\n[model]\nusers = 4\niterations = 6\n";
    let path = dir.path().join("fed.toml");
    fs::write(&path, text).unwrap();
    let file = ScenarioFile::read(&path, &Overrides::default()).unwrap();
    let suite = Suite::new([file]).keep(true);
    let report = suite.run(&dir.path().join("out"), &mut NoProgress).unwrap();
    assert!(
        report.verdict.conclusion.is_pass(),
        "{}",
        render::markdown(&report)
    );
    let check = report.scenarios[0]
        .run
        .check("the data had another record")
        .unwrap();
    assert_eq!((check.passed, check.failed), (20, 4));
    let kept = report.scenarios[0].data_kept_in.clone().unwrap();
    let log: jsonl_storage::Log<harness::targets::Operation> =
        jsonl_storage::LogOptions::new().open(kept).unwrap();
    let mut notes: Vec<_> = log
        .scan()
        .unwrap()
        .map(|record| record.unwrap().data.note)
        .filter(|note| note.starts_with('{'))
        .collect();
    notes.sort();
    notes.dedup();
    assert_eq!(notes.len(), 20, "each record once");
    assert!(notes.contains(&r#"{"id":"7","task":"task 7"}"#.to_owned()));
}
