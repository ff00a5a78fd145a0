//! The process dies at each step between the tiers; the next open must mend it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::model::fault;

/// Tells a copy of this test binary to be the process that dies.
const DIRECTORY_VARIABLE: &str = "MEMORY_STORE_DIE_IN";

/// Every point, and a passing of it that lies in the middle of the child's work.
const DEATHS: [&str; 13] = [
    "before-schema:1",
    "after-schema:1",
    "after-row:5",
    "between-rows:2",
    "between-version-and-row:1",
    "between-memories:1",
    "between-chunks:12",
    "before-commit:9",
    "after-commit:9",
    "between-changes:9",
    "before-acknowledgement:9",
    "between-groups:9",
    "before-close:1",
];

/// Not a test of its own: does nothing unless the test below starts it as its child.
#[test]
fn child_that_dies_at_a_point() {
    let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) else {
        return;
    };
    let acknowledge = |line: String| {
        std::io::stdout()
            .write_all(format!("\nack {line}\n").as_bytes())
            .unwrap();
    };
    let store = MemoryStore::open(directory).unwrap();
    for number in 1..=8 {
        let new = memory(&format!("memory {number}"))
            .id(id(number))
            .tag("t")
            .vector(vec![1.0]);
        store.remember(new).unwrap();
        acknowledge(format!("+{number}"));
        store.link(edge(number, 1)).unwrap();
        if number == 2 {
            store.update(id(1), memory("updated")).unwrap();
            let at = Timestamp::from_millis(number.cast_signed());
            store.end(&namespace(), id(1), at, at).unwrap();
        }
        if number == 4 {
            let new = memory("superseding").id(id(90));
            store.supersede(id(number), new).unwrap();
            acknowledge("+90".into());
        }
        let run = crate::AgentRun::new(namespace(), "a", "r").unwrap();
        let value: Vec<u8> = (0..200_000_u64)
            .map(|at| (at * at % (250 + number)) as u8)
            .collect();
        store
            .put_state(&run, "k", value, crate::Expected::Anything)
            .unwrap();
        store
            .checkpoint(&run, "mark", Timestamp::default())
            .unwrap();
        store
            .retain_checkpoints(&run, crate::Retention::last(1))
            .unwrap();
        if number % 3 == 0 {
            // Told before as well: whether an unacknowledged forget took place is not known.
            acknowledge(format!("?{number}"));
            store.forget(&namespace(), id(number)).unwrap();
            acknowledge(format!("-{number}"));
        }
    }
    store.close().unwrap();
}

/// Lets a child die there, and returns its acknowledgements.
pub(super) fn die(directory: &Path, death: &str) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::crash::child_that_dies_at_a_point",
            "--nocapture",
        ])
        .env(DIRECTORY_VARIABLE, directory)
        .env(fault::VARIABLE, death)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    // A child that ends by itself was not killed: then the point was never reached.
    assert_eq!(output.status.code(), None, "{death} was not reached");
    let output = String::from_utf8(output.stdout).unwrap();
    output
        .lines()
        .filter_map(|line| line.strip_prefix("ack "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_death_at_any_step_loses_nothing_acknowledged_and_leaves_the_tiers_agreeing() {
    for death in DEATHS {
        let directory = tempfile::tempdir().unwrap();
        let acknowledged = die(directory.path(), death);
        let numbers = |sign: char| -> BTreeSet<u64> {
            let number = |line: &String| line.strip_prefix(sign)?.parse().ok();
            acknowledged.iter().filter_map(number).collect()
        };
        let store = MemoryStore::open(directory.path()).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{death}: {:?}", report.disagreements);
        for number in numbers('+').difference(&numbers('?')) {
            let memory = store.get(&namespace(), id(*number)).unwrap();
            assert!(memory.is_some(), "{death}: memory {number} is lost");
        }
        for number in numbers('-') {
            let memory = store.get(&namespace(), id(number)).unwrap();
            assert!(memory.is_none(), "{death}: memory {number} came back");
        }
        // At most the one write that was under way is there beyond what was acknowledged.
        let known = numbers('+').len() - numbers('-').len();
        let attempted = numbers('?').difference(&numbers('-')).count();
        assert!(
            (known - attempted..=known + 1).contains(&(report.items as usize)),
            "{death}: {} memories, {known} known",
            report.items
        );
        store.remember(memory("the store goes on")).unwrap();
    }
}
