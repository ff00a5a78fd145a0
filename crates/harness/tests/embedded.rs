//! The scenarios that come with the program do what they did before they were files: each step's attempts
//! and effects were recorded from the program that had them in code, at quick size.

use std::num::{NonZeroU32, NonZeroU64};

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::ScenarioResult;

/// A step's name, attempts, failures and effects.
type Step = (&'static str, u64, u64, u64);

/// A scenario, its load, its steps, and how many effects were acknowledged and verified.
type Recorded = (&'static str, &'static str, &'static [Step], u64, u64);

const QUICK: [Recorded; 5] = [
    (
        "approval",
        "20 threads × 2",
        &[
            ("create request", 40, 0, 40),
            ("decide", 40, 0, 80),
            ("can execute", 40, 0, 0),
        ],
        120,
        80,
    ),
    (
        "forensic",
        "20 threads × 2",
        &[
            ("simulate", 40, 0, 40),
            ("fetch report", 40, 0, 0),
            ("statistics", 40, 0, 0),
        ],
        40,
        40,
    ),
    (
        "integrated",
        "10 threads × 1",
        &[
            ("simulate", 10, 0, 10),
            ("propose", 10, 0, 10),
            ("decide", 4, 0, 8),
            ("can execute", 10, 0, 0),
            ("simulate again and claim", 6, 0, 6),
            ("stale or denied, refused", 4, 0, 4),
            ("execute and reconcile", 6, 0, 12),
            ("audit trail agrees", 10, 0, 0),
        ],
        50,
        30,
    ),
    (
        "storage",
        "20 threads × 25",
        &[
            ("append", 500, 0, 500),
            ("query pending", 5, 0, 0),
            ("full statistics", 5, 0, 0),
        ],
        500,
        500,
    ),
    (
        "memory",
        "20 threads × 5",
        &[
            ("remember", 80, 0, 80),
            ("get from the cache", 40, 0, 0),
            ("link", 40, 0, 40),
            ("recall related", 40, 0, 0),
            ("recall similar", 60, 0, 0),
            ("recall by metadata", 40, 0, 0),
            ("update", 20, 0, 20),
            ("forget", 20, 0, 40),
        ],
        180,
        140,
    ),
];

fn run(name: &str, overrides: &Overrides) -> ScenarioResult {
    let file = ScenarioFile::embedded(name, overrides).unwrap();
    let out = tempfile::tempdir().unwrap();
    let report = Suite::new([file]).run(out.path(), &mut NoProgress).unwrap();
    report.scenarios[0].clone()
}

#[test]
fn each_scenario_at_quick_size_does_what_was_recorded() {
    let quick = Overrides {
        quick: true,
        ..Overrides::default()
    };
    let recorded = QUICK.map(|(name, ..)| name);
    assert!(ScenarioFile::embedded_names().eq(recorded));
    for (name, load, steps, effects, verified) in QUICK {
        let result = run(name, &quick);
        let done: Vec<_> = result
            .run
            .steps
            .iter()
            .map(|step| {
                (
                    step.name.as_str(),
                    step.attempted,
                    step.failed,
                    step.effects,
                )
            })
            .collect();
        assert_eq!(done, steps, "{name}");
        assert_eq!((result.load.as_str(), result.run.seed), (load, 1), "{name}");
        let found = &result.verification;
        assert_eq!(
            (found.effects, found.verified),
            (effects, verified),
            "{name}"
        );
    }
}

#[test]
fn sizes_of_the_command_line_are_those_that_were_recorded() {
    let sized = Overrides {
        quick: true,
        threads: NonZeroU32::new(7),
        records: NonZeroU64::new(300),
        ..Overrides::default()
    };
    let storage = run("storage", &sized);
    assert_eq!(storage.load, "7 threads × 43");
    assert_eq!(storage.run.step("append").unwrap().attempted, 301);
    let approval = run("approval", &sized);
    assert_eq!(approval.load, "7 threads × 2", "it has no total");
}

#[test]
fn full_sizes_are_those_that_the_files_say() {
    let planned = |name: &str| {
        let file = ScenarioFile::embedded(name, &Overrides::default()).unwrap();
        let model = &file.plan().model;
        (model.users().get(), model.planned_iterations())
    };
    assert_eq!(planned("approval"), (100, Some(1_000)));
    assert_eq!(planned("forensic"), (100, Some(1_000)));
    assert_eq!(planned("integrated"), (50, Some(50)));
    assert_eq!(planned("storage"), (100, Some(5_000)));
    assert_eq!(planned("memory"), (100, Some(2_700)));
}
