//! The simulator: over the size of the world, and over the length of the plan.

use std::time::Instant;

use action::{Action, ActionPath};
use forensic_simulator::{Plan, PredictedOutcome, Simulator, Timestamp, Workflow, World};

use super::{Kind, MICROSECONDS, Measure, median, text};
use crate::fit::Expected;

const TURNS: usize = 400;

pub(super) const WORLD: Kind = Kind {
    name: "simulate",
    varied: "keys in the world",
    sizes: &[100, 1_000, 10_000, 100_000, 1_000_000],
    measures: &[Measure::new(
        "simulate 5 actions, median",
        MICROSECONDS,
        Expected::Flat,
    )],
    measure: |_, keys| Ok(vec![simulate(keys, 5)?]),
    planted: false,
};

pub(super) const PLAN: Kind = Kind {
    name: "plan",
    varied: "steps of the plan",
    sizes: &[1, 3, 10, 30, 100, 300, 1_000],
    measures: &[Measure::new(
        "simulate the plan, median",
        MICROSECONDS,
        Expected::Linear,
    )],
    measure: |_, steps| Ok(vec![simulate(1_000.max(2 * steps), steps)?]),
    planted: false,
};

fn simulate(keys: u64, steps: u64) -> Result<f64, String> {
    let simulator = Simulator::builder().builtins().build().map_err(text)?;
    let world: World = (0..keys)
        .map(|key| (format!("accounts/{key}"), 1_000))
        .collect();
    let plan = plan(&simulator, keys, steps)?;
    let mut times = Vec::new();
    for _ in 0..TURNS {
        let began = Instant::now();
        let report = simulator.simulate(&plan, &world, Timestamp::default());
        times.push(began.elapsed());
        if report.outcome != PredictedOutcome::Success || report.steps.len() as u64 != steps {
            return Err(format!("the plan came to {}", report.outcome));
        }
    }
    Ok(median(times))
}

fn plan(simulator: &Simulator, keys: u64, steps: u64) -> Result<Plan, String> {
    let mut workflow = Workflow::new("sweep");
    let mut before: Option<String> = None;
    for step in 0..steps {
        let account = |number: u64| format!("accounts/{}", number % keys);
        let action = Action::new(ActionPath::new("kv/transfer").map_err(text)?, "Move")
            .with_parameter("from", account(2 * step))
            .with_parameter("to", account(2 * step + 1))
            .with_parameter("amount", 1);
        let id = format!("step-{step}");
        workflow = workflow.step_after(id.clone(), action, before.replace(id));
    }
    simulator.check(workflow).map_err(text)
}
