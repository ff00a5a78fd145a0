//! Crashes: whatever the machine does, what the log has acknowledged is there afterwards.
//!
//! Everything is drawn from a seed, and a failure prints the command that runs its seed alone. The
//! number of seeds is bounded so that the suite stays within seconds; `CRASH_SEEDS=1000000` plays so
//! many random lives, and lets the dearer checks grow in proportion.

mod backend;
mod disk;
mod faulty;
mod life;
mod opening;
mod rng;
mod suite;
mod threads;

use std::fmt::Display;

use proptest::prelude::*;

use crate::backend::Machine;
use crate::faulty::Fault;
use crate::suite::{
    crashing_lives, every_crash, honest, reopening_after_a_failed_sync, same_as_the_file_system,
};

/// Random lives unless `CRASH_SEEDS` asks for another number.
const LIVES: u64 = 2_000;

/// Runs a check for each seed, or for the one that `CRASH_SEED` names. `usual` is how many seeds it
/// takes beside [`LIVES`] random lives.
fn for_seeds<T, E: Display>(test: &str, usual: u64, mut check: impl FnMut(u64) -> Result<T, E>) {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(
            text.parse::<u64>()
                .unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        )
    };
    let seeds = match number("CRASH_SEED") {
        Some(one) => one..=one,
        None => 1..=(number("CRASH_SEEDS").unwrap_or(LIVES) * usual).div_ceil(LIVES),
    };
    for seed in seeds {
        if let Err(error) = check(seed) {
            panic!(
                "seed {seed}: {error}\n\
                 replay: CRASH_SEED={seed} cargo test -p proofload-jsonl-storage --test crash -- {test}"
            );
        }
    }
}

#[test]
fn whatever_crashes_what_was_acknowledged_is_there() {
    for_seeds("whatever_crashes", LIVES, |seed| {
        crashing_lives(seed, &honest)
    });
}

#[test]
fn every_call_and_every_byte_may_be_the_last() {
    let (mut seeds, mut crashes) = (0, 0);
    for_seeds("every_call_and_every_byte", 3, |seed| {
        every_crash(seed, &honest).inspect(|tried| {
            seeds += 1;
            crashes += tried.crashes;
        })
    });
    // A single life may be short; all of them together are not.
    assert!(crashes > 20 * seeds, "{crashes} crashes in {seeds} lives");
}

#[test]
fn a_log_that_is_reopened_after_a_failed_sync_believes_no_page_cache() {
    for_seeds("a_log_that_is_reopened", 500, |seed| {
        reopening_after_a_failed_sync(seed, &honest)
    });
}

#[test]
fn the_real_file_system_is_left_as_the_simulated_one() {
    for_seeds("the_real_file_system", 8, |seed| {
        let dir = tempfile::tempdir().expect("a directory");
        same_as_the_file_system(seed, dir.path())
    });
}

#[test]
fn threads_on_a_failing_machine_are_all_answered_and_told_the_truth() {
    for_seeds("threads_on_a_failing_machine", 500, threads::run_to_its_end);
}

#[test]
fn the_suite_finds_each_of_our_own_faults() {
    for fault in Fault::ALL {
        let found = (1..=2_000).any(|seed| {
            let wrap = |machine: &Machine| fault.put_before(machine);
            crashing_lives(seed, &wrap).is_err()
        });
        assert!(found, "nobody notices {fault:?}");
    }
}

#[test]
fn every_crash_of_one_life_finds_a_lost_sync_too() {
    for fault in [
        Fault::SyncSkipped,
        Fault::AcknowledgedEarly,
        Fault::NoDirectorySync,
    ] {
        let found = (1..=8).find(|&seed| every_crash(seed, &|it| fault.put_before(it)).is_err());
        assert!(found.is_some(), "nobody notices {fault:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_opened_or_refused_and_no_good_record_is_lost(
        kind: u8,
        records: u8,
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            // Closer to a log than arbitrary bytes ever come.
            prop::collection::vec(r#"(\{|"seq":|1|2|,|"synced":|0|"data":|\[\]|"crc":"|0a|"\}|\n|\x00)"#, 0..30)
                .prop_map(|words| words.concat().into_bytes()),
        ],
    ) {
        let input = [&[kind, records], bytes.as_slice()].concat();
        opening::check(&input).map_err(TestCaseError::fail)?;
    }
}
