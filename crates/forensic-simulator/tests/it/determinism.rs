//! The same inputs give the same bytes, on any number of threads.

use forensic_simulator::{Plan, Simulator, Timestamp, World};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::{ALL, any_workflow, any_world, simulator};

/// Plans and worlds, always the same ones.
fn inputs(simulator: &Simulator, count: usize) -> Vec<(Plan, World)> {
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let any = (any_workflow(ALL, 5), any_world());
    let mut inputs = Vec::new();
    for _ in 0..count {
        let (workflow, world) = any.new_tree(&mut runner).unwrap().current();
        inputs.push((simulator.check(workflow).unwrap(), world));
    }
    inputs
}

/// Everything there is to say of each plan, in the order of the plans.
fn bytes(simulator: &Simulator, inputs: &[(Plan, World)], threads: usize) -> Vec<String> {
    let share = inputs.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let examine = |(plan, world): &(Plan, World)| {
            let examination = simulator.examine(plan, world, Timestamp::from_micros(7), 42);
            serde_json::to_string(&examination).unwrap()
        };
        let threads: Vec<_> = inputs
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(examine).collect::<Vec<_>>()))
            .collect();
        let shares = threads.into_iter().map(|thread| thread.join().unwrap());
        shares.flatten().collect()
    })
}

#[test]
fn every_analysis_gives_the_same_bytes_on_one_two_and_eight_threads() {
    let simulator = simulator();
    let inputs = inputs(&simulator, 16);
    let alone = bytes(&simulator, &inputs, 1);
    assert_eq!(alone.len(), 16);
    for threads in [2, 8] {
        assert_eq!(
            bytes(&simulator, &inputs, threads),
            alone,
            "{threads} threads"
        );
    }
    // Another simulator and other worlds of the same content: hash maps of another order.
    let copies: Vec<_> = inputs
        .iter()
        .map(|(plan, world)| {
            let facts = world.iter().map(|(key, fact)| (key.clone(), fact.clone()));
            (plan.clone(), facts.collect())
        })
        .collect();
    assert_eq!(bytes(&crate::common::simulator(), &copies, 1), alone);
}
