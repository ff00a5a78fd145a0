//! What was executed, played again.

use action::Action;
use forensic_simulator::{Executed, PredictedOutcome, Replay, StepId, Timestamp, Workflow, World};
use proptest::prelude::*;
use serde_json::json;

use crate::common::{REVERSIBLE, act, any_step, any_world, simulator};

fn executed(number: usize, action: Action) -> Executed {
    Executed {
        id: number.to_string().into(),
        at: Timestamp::from_micros(number as i64 * 10),
        action,
        failed: false,
    }
}

fn pay(from: &str, to: &str, amount: i64) -> Action {
    act(
        "kv/transfer",
        &json!({"from": from, "to": to, "amount": amount}),
    )
}

fn names(ids: &[StepId]) -> Vec<&str> {
    ids.iter().map(StepId::as_str).collect()
}

#[test]
fn a_denied_action_changes_what_comes_after_it() {
    let simulator = simulator();
    let log = [pay("a", "b", 5), pay("b", "c", 6), pay("a", "c", 1)];
    let log = log
        .into_iter()
        .enumerate()
        .map(|(n, action)| executed(n, action));
    let world = World::from_iter([("a", 9), ("b", 2), ("c", 0)]);
    let replay = Replay::new(&simulator, world, log).unwrap();
    let end = replay.world_after(3);
    assert_eq!(end.world, World::from_iter([("a", 3), ("b", 1), ("c", 7)]));
    assert!(end.doubtful.is_empty());
    let of_b: Vec<_> = replay.history("b").map(|(e, _)| e.id.as_str()).collect();
    assert_eq!(of_b, ["0", "1"]);

    let other = replay.had_been_denied(["0"]).unwrap();
    // Without the first payment there is not enough for the second one.
    assert_eq!(other.steps.len(), 1);
    let ends = (other.steps[0].first, other.steps[0].second);
    assert_eq!(
        ends,
        (
            Some(PredictedOutcome::Success),
            Some(PredictedOutcome::WouldFail)
        )
    );
    let keys: Vec<_> = other.keys.iter().map(|key| key.key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!(other.keys[2].denied, Some(1.into()));
    assert!(
        replay
            .had_been_denied([] as [&str; 0])
            .unwrap()
            .keys
            .is_empty()
    );
}

#[test]
fn what_is_not_modelled_or_failed_is_doubtful_from_then_on() {
    let simulator = simulator();
    let mut log = vec![
        executed(0, pay("a", "b", 1)),
        executed(1, act("nobody/knows", &json!({}))),
        executed(2, pay("a", "b", 1)),
        executed(3, pay("a", "b", 100)),
    ];
    log[2].failed = true;
    let world = World::from_iter([("a", 9), ("b", 0)]);
    let replay = Replay::new(&simulator, world, log).unwrap();
    assert!(
        replay
            .world_at(Timestamp::from_micros(9))
            .doubtful
            .is_empty()
    );
    let moment = replay.world_at(Timestamp::from_micros(30));
    assert_eq!(names(&moment.doubtful), ["1", "2", "3"]);
    assert_eq!(moment.world.get("b"), Some(&1.into()));
    let other = replay.had_been_denied(["0"]).unwrap();
    assert_eq!(names(&other.doubtful), ["1", "2", "3"]);
}

#[test]
fn a_log_that_cannot_be_one_is_refused_at_the_action() {
    let simulator = simulator();
    let refused = |log: Vec<Executed>| {
        let error = Replay::new(&simulator, World::new(), log).unwrap_err();
        error.to_string()
    };
    let entry = |number| executed(number, pay("a", "b", 1));
    assert_eq!(
        refused(vec![entry(1), entry(1)]),
        r#"executed action "1": it was executed before"#
    );
    assert_eq!(
        refused(vec![entry(2), entry(1)]),
        r#"executed action "1": it is earlier than the one before it"#
    );
    let replay = Replay::new(&simulator, World::new(), [entry(1)]).unwrap();
    assert_eq!(
        replay.had_been_denied(["2"]).unwrap_err().to_string(),
        r#"executed action "2": it is not in the log"#
    );
}

proptest! {
    /// A plan that runs step by step is its own audit log.
    #[test]
    fn every_moment_and_every_denial_is_what_simulating_the_rest_gives(
        actions in prop::collection::vec(any_step(REVERSIBLE), 1..8),
        world in any_world(),
        denied in any::<prop::sample::Index>(),
    ) {
        let simulator = simulator();
        let end_of = |actions: &[Action]| {
            let steps = actions.iter().enumerate();
            let workflow = steps.fold(Workflow::new("w"), |workflow, (n, action)| {
                workflow.step(n.to_string(), action.clone())
            });
            let mut end = world.clone();
            if !actions.is_empty() {
                let plan = simulator.check(workflow).unwrap();
                end.apply(simulator.simulate(&plan, &world, Timestamp::default()).changes());
            }
            end
        };
        let log = actions.iter().cloned().enumerate();
        let replay =
            Replay::new(&simulator, world.clone(), log.map(|(n, action)| executed(n, action)));
        let replay = replay.unwrap();
        for count in 0..=actions.len() {
            prop_assert_eq!(replay.world_after(count).world, end_of(&actions[..count]));
        }
        let denied = denied.index(actions.len());
        let mut others = actions.clone();
        others.remove(denied);
        let counterfactual = replay.had_been_denied([denied.to_string()]).unwrap();
        let (executed, expected) = (end_of(&actions), end_of(&others));
        for key in ["a", "b", "c", "d"] {
            let found = counterfactual.keys.iter().find(|found| found.key.as_str() == key);
            prop_assert_eq!(found.is_some(), executed.get(key) != expected.get(key));
            if let Some(found) = found {
                prop_assert_eq!(found.denied.as_ref(), expected.get(key));
            }
        }
    }
}
