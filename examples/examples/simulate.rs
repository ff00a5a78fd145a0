//! Predicts what a plan would change, and which of its steps would fail.

#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use action::{Action, ActionPath};
use forensic_simulator::{PredictedOutcome, Simulator, Timestamp, Workflow, World};

fn transfer(amount: u32) -> Result<Action, action::Error> {
    Ok(Action::new(ActionPath::new("kv/transfer")?, "Transfer")
        .with_parameter("from", "accounts/ann")
        .with_parameter("to", "accounts/bob")
        .with_parameter("amount", amount))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::builder().builtins().build()?;
    let world = World::from_iter([("accounts/ann", 20), ("accounts/bob", 0)]);
    let workflow = Workflow::new("pay twice")
        .step("first", transfer(15)?)
        .step_after("second", transfer(15)?, ["first"]);

    let plan = simulator.check(workflow)?;
    let report = simulator.simulate(&plan, &world, Timestamp::default());
    for step in &report.steps {
        println!("{}: {:?} {}", step.id, step.outcome, step.reason);
    }
    assert_eq!(report.outcome, PredictedOutcome::WouldFail);
    for advice in &report.recommendations {
        println!("{}", advice.remedy); // move less, or add to it before
    }
    Ok(())
}
