//! Stored runs and snapshots on disk.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use report::Report;

use crate::runs;

/// The names of the stored runs.
pub(crate) const NAMES: [&str; 10] = [
    "pass",
    "fail",
    "vacuous",
    "lost_effects",
    "generator_limited",
    "interrupted",
    "empty",
    "one_operation",
    "ten_million_operations",
    "hostile_names",
];

pub(crate) fn updates(what: &str) -> bool {
    std::env::var("PROOFLOAD_UPDATE").is_ok_and(|value| value == what)
}

/// Reads a stored run.
pub(crate) fn load(name: &str) -> Report {
    static WRITTEN: Once = Once::new();
    if updates("fixtures") {
        WRITTEN.call_once(write_all);
    }
    report::load(&path("fixtures", &format!("{name}.json"))).unwrap()
}

/// Reads a stored run as the program of version 1 wrote it.
pub(crate) fn load_v1(name: &str) -> Report {
    report::load(&path("fixtures/v1", &format!("{name}.json"))).unwrap()
}

fn write_all() {
    for name in NAMES {
        let mut json = serde_json::to_string(&runs::run(name)).unwrap();
        json.push('\n');
        fs::write(path("fixtures", &format!("{name}.json")), json).unwrap();
    }
}

pub(crate) fn path(folder: &str, file: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join(folder).join(file)
}
