//! How often findings are wrong: counts them over simulated runs of which the truth is known.
//!
//! `cargo run --release -p proofload-report --example findings`; it fails if more than one in a hundred
//! healthy runs has a strong finding, or if a planted fault is missed in more than 5 of 100 runs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

#[path = "../tests/findings/runs.rs"]
mod runs;
#[path = "../tests/findings/simulation.rs"]
mod simulation;

use std::collections::BTreeMap;
use std::process::ExitCode;

use report::findings::find_in;
use report::{Finding, Grade};

use self::runs::{Planted, healthy};

const HEALTHY: u64 = 500;
/// Of so many healthy runs, at most this one may have a strong finding: 95 % certain of less than 1 %.
const MOST_STRONG: usize = 1;
const PLANTED: u64 = 100;
const LEAST_FOUND: u64 = 95;

fn main() -> ExitCode {
    let (strong, kinds) = of_healthy();
    println!("| {HEALTHY} healthy runs | runs |\n| --- | ---: |");
    println!("| with a strong finding | {strong} |");
    for (kind, count) in kinds {
        println!("| {kind} | {count} |");
    }
    println!("\n| planted, {PLANTED} runs each | found |\n| --- | ---: |");
    let mut missed = false;
    for planted in Planted::ALL {
        let is_found = |seed: &u64| {
            let found = find_in("planted", &planted.run(1_000 + seed).run());
            found.iter().any(|finding| finding.kind == planted.kind())
        };
        let found = (0..PLANTED).filter(is_found).count() as u64;
        missed |= found < LEAST_FOUND;
        println!("| {planted:?} | {found} |");
    }
    if strong > MOST_STRONG || missed {
        eprintln!(
            "at most {MOST_STRONG} strong finding of healthy runs, and at least {LEAST_FOUND} of each planted \
             fault are wanted"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// How many healthy runs have a strong finding, and how many have one of each kind and grade.
fn of_healthy() -> (usize, BTreeMap<String, usize>) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut strong = 0;
    for seed in 0..HEALTHY {
        let found = find_in("healthy", &healthy(10_000 + seed).run());
        let is_strong = |own: &&Finding| own.strength.grade == Grade::Strong;
        for finding in found.iter().filter(is_strong) {
            eprintln!(
                "seed {}: {}: {}",
                10_000 + seed,
                finding.kind,
                finding.evidence.text
            );
        }
        strong += usize::from(found.iter().any(|own| is_strong(&own)));
        for finding in found {
            let name = format!("{} {}", finding.strength.grade, finding.kind);
            *kinds.entry(name).or_default() += 1;
        }
    }
    (strong, kinds)
}
