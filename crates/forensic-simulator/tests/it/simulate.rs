//! What the simulator says of plans, step by step.

use std::sync::Arc;

use crate::common::{ALL, act, any_workflow, any_world, simulator};
use action::PathPattern;
use forensic_simulator::{
    Comparison, Context, Fact, Handler, IssueKind, PredictedOutcome, SimulationReport, Simulator,
    StepId, Stop, Timestamp, Workflow, World,
};
use proptest::prelude::*;
use serde_json::json;

fn run(workflow: Workflow, world: &World) -> SimulationReport {
    let simulator = simulator();
    let plan = simulator.check(workflow).unwrap();
    simulator.simulate(&plan, world, Timestamp::from_micros(7))
}

/// One line a step: outcome, changes, reason.
fn render(report: &SimulationReport) -> String {
    let mut text = String::new();
    for step in &report.steps {
        text += &format!("{} {}", step.id, step.outcome);
        for change in &step.changes {
            let side = |fact: &Option<Fact>| fact.as_ref().map_or("-".into(), Fact::to_string);
            text += &format!(
                " {}:{}>{}",
                change.key,
                side(&change.before),
                side(&change.after)
            );
        }
        text += &format!(" ({})\n", step.reason);
    }
    text
}

#[test]
fn each_builtin_shows_what_it_would_change_and_why_it_would_not() {
    let world = World::from_iter([("a", 10), ("b", 0)]);
    let workflow = Workflow::new("all")
        .step("read", act("kv/read", &json!({"key": "a"})))
        .step(
            "create",
            act("kv/create", &json!({"key": "c", "value": [1]})),
        )
        .step("again", act("kv/create", &json!({"key": "c", "value": 2})))
        .step(
            "update",
            act("kv/update", &json!({"key": "c", "value": null})),
        )
        .step(
            "transfer",
            act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 4})),
        )
        .step(
            "too much",
            act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 7})),
        )
        .step(
            "adjust",
            act("kv/adjust", &json!({"key": "b", "by": 1.5, "ceiling": 6})),
        )
        .step(
            "over",
            act("kv/adjust", &json!({"key": "b", "by": 1, "ceiling": 6})),
        )
        .step("delete", act("kv/delete", &json!({"key": "a"})))
        .step("gone", act("kv/delete", &json!({"key": "a"})));
    let expected = r#"
"read" success (it would change nothing)
"create" success c:->[1] (every precondition holds)
"again" would_fail (it exists already: c is [1])
"update" success c:[1]>null (every precondition holds)
"transfer" success a:10>6 b:0>4 (every precondition holds)
"too much" would_fail (there is not enough: a is 6)
"adjust" success b:4>5.5 (every precondition holds)
"over" would_fail (b would be 6.5, above the limit of 6)
"delete" success a:6>- (every precondition holds)
"gone" would_fail (there is nothing to delete: a does not exist)
"#;
    assert_eq!(render(&run(workflow, &world)), expected.trim_start());
}

#[test]
fn a_step_that_nothing_models_is_unknown_and_so_is_what_waits_for_it() {
    let world = World::from_iter([("a", 1)]);
    let workflow = Workflow::new("opaque")
        .step("magic", act("magic/do", &json!({})))
        .step_after("after", act("kv/delete", &json!({"key": "a"})), ["magic"])
        .step("beside", act("kv/read", &json!({"key": "a"})));
    let report = run(workflow, &world);
    assert_eq!(
        render(&report),
        "\"magic\" unknown (no handler models magic/do)\n\
         \"after\" unknown (it waits for step \"magic\", which is not modelled)\n\
         \"beside\" success (it would change nothing)\n"
    );
    assert_eq!(report.outcome, PredictedOutcome::Unknown);
    let not_modelled: Vec<_> = report.not_modelled.iter().map(StepId::as_str).collect();
    assert_eq!(not_modelled, ["magic", "after"]);
    assert!(report.net_changes().is_empty());
    // One recommendation, for the cause.
    assert_eq!(report.recommendations.len(), 1);
    assert_eq!(report.recommendations[0].step.as_str(), "magic");
}

#[test]
fn a_failure_blocks_what_waits_for_it_and_names_the_steps() {
    let workflow = Workflow::new("chain")
        .step_after("third", act("kv/read", &json!({"key": "a"})), ["second"])
        .step_after("second", act("kv/read", &json!({"key": "a"})), ["first"])
        .step("first", act("kv/delete", &json!({"key": "x"})));
    let report = run(workflow, &World::from_iter([("a", 1)]));
    let outcomes: Vec<_> = report
        .steps
        .iter()
        .map(|step| (step.id.as_str(), step.outcome, step.blocked_by.len()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("first", PredictedOutcome::WouldFail, 0),
            ("second", PredictedOutcome::Blocked, 1),
            ("third", PredictedOutcome::Blocked, 1)
        ]
    );
    assert_eq!(report.outcome, PredictedOutcome::WouldFail);
}

#[test]
fn irreversible_and_unsafe_steps_are_safety_issues_with_advice() {
    let workflow = Workflow::new("danger")
        .step(
            "post",
            act("http/post", &json!({"url": "https://example.org/pay"})),
        )
        .step("shell", act("shell/bash", &json!({"command": "rm -rf /"})))
        .step("fail", act("kv/delete", &json!({"key": "x"})));
    let report = run(workflow, &World::new());
    let issues: Vec<_> = report
        .safety_issues
        .iter()
        .map(|issue| (issue.step.as_str(), issue.kind))
        .collect();
    assert_eq!(
        issues,
        [
            ("post", IssueKind::IrreversibleEffect),
            ("post", IssueKind::HalfDone),
            ("shell", IssueKind::UnsafeStep)
        ]
    );
    assert_eq!(report.outcome, PredictedOutcome::Unsafe);
    let advised: Vec<_> = report
        .recommendations
        .iter()
        .map(|r| r.step.as_str())
        .collect();
    assert_eq!(advised, ["post", "shell", "fail"]);
    assert!(
        report
            .recommendations
            .iter()
            .all(|r| !r.remedy.is_empty() && !r.evidence.is_empty())
    );
}

#[test]
fn values_that_are_not_known_leave_it_open_and_secrets_are_never_shown() {
    let mut world = World::new();
    world.insert("cloud", Fact::unknown("assigned later"));
    world.insert("token", Fact::secret("api token"));
    world.insert("purse", 5);
    let workflow = Workflow::new("open")
        .step("add", act("kv/adjust", &json!({"key": "cloud", "by": 1})))
        .step(
            "pay",
            act(
                "kv/transfer",
                &json!({"from": "token", "to": "purse", "amount": 1}),
            ),
        )
        .step("read", act("kv/read", &json!({"key": "token"})));
    let report = run(workflow, &world);
    assert_eq!(
        render(&report),
        "\"add\" unknown (cloud is (unknown: assigned later))\n\
         \"pay\" unknown (token is (secret: api token), so it is open whether it is at least 1)\n\
         \"read\" success (it would change nothing)\n"
    );
    assert!(report.net_changes().is_empty());
}

#[test]
fn parameters_are_checked_by_name_type_and_bound() {
    let transfer = |parameters| {
        let workflow = Workflow::new("w").step("s", act("kv/transfer", &parameters));
        run(workflow, &World::from_iter([("a", 1), ("b", 1)])).steps[0]
            .reason
            .to_string()
    };
    for (parameters, reason) in [
        (
            json!({"from": "a", "to": "b"}),
            "parameter \"amount\" is missing",
        ),
        (
            json!({"from": "a", "to": "b", "amount": "1"}),
            "parameter \"amount\" is a string, not a number",
        ),
        (
            json!({"from": "a", "to": "b", "amount": -1}),
            "parameter \"amount\" is -1, below the least, 0",
        ),
        (
            json!({"from": "a", "to": "b", "amount": 1, "fee": 1}),
            "parameter \"fee\" is not one of this action",
        ),
    ] {
        assert_eq!(transfer(parameters), reason);
    }
}

#[test]
fn a_report_is_stale_exactly_when_something_that_it_read_has_moved() {
    let mut world = World::from_iter([("a", 1), ("b", 1), ("c", 1)]);
    let workflow = Workflow::new("w")
        .step(
            "s",
            act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 1})),
        )
        .step("t", act("kv/create", &json!({"key": "new", "value": 1})));
    let report = run(workflow, &world);
    world.insert("c", 2);
    assert!(!report.is_stale(&world));
    world.insert("a", 9);
    world.insert("new", 1);
    let moved: Vec<_> = report
        .moved_keys(&world)
        .iter()
        .map(|key| key.as_str())
        .collect();
    assert_eq!(moved, ["a", "new"]);
    world.insert("a", 1);
    world.remove("new");
    assert!(
        !report.is_stale(&world),
        "a value that came back is the same value"
    );
}

#[test]
fn a_plan_ends_as_its_longest_chain_and_costs_the_sum() {
    let world = World::from_iter([("a", 1)]);
    let read = || act("kv/read", &json!({"key": "a"}));
    let parallel = Workflow::new("w").step("a", read()).step("b", read());
    let chain = Workflow::new("w")
        .step("a", read())
        .step_after("b", read(), ["a"]);
    let likely = |workflow| run(workflow, &world).estimate.duration_us.likely;
    assert_eq!((likely(parallel), likely(chain)), (200, 400));
}

#[test]
fn a_comparison_names_steps_and_keys_that_differ() {
    let workflow = Workflow::new("w").step(
        "s",
        act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 2})),
    );
    let rich = run(workflow.clone(), &World::from_iter([("a", 5), ("b", 0)]));
    let poor = run(workflow, &World::from_iter([("a", 1), ("b", 0)]));
    let same = Comparison::of(&rich, &rich);
    assert!(same.same_plan && same.same_world && same.same_effects);
    assert!(same.steps.is_empty() && same.keys.is_empty());
    let other = Comparison::of(&rich, &poor);
    assert!(other.same_plan && !other.same_world && !other.same_effects);
    assert_eq!(other.steps.len(), 1);
    assert_eq!(other.keys.len(), 2);
    assert!(
        other
            .keys
            .iter()
            .all(|key| key.first.is_some() && key.second.is_none())
    );
}

struct Greedy;

impl Handler for Greedy {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        for n in 0..3 {
            context.write("x", n);
            context.delete("a");
        }
        context.external("somewhere", "tells");
        Err(Stop::blocked("changed its mind"))
    }
}

#[test]
fn a_handler_that_stops_leaves_nothing_behind() {
    let simulator = Simulator::builder()
        .builtins()
        .handler(PathPattern::new("kv/*").unwrap(), Greedy)
        .build()
        .unwrap();
    let workflow = Workflow::new("w")
        .step(
            "set",
            act("kv/create", &json!({"key": "x", "value": "kept"})),
        )
        .step("greedy", act("kv/other", &json!({})))
        .step("check", act("kv/read", &json!({"key": "x"})))
        .step("delete", act("kv/delete", &json!({"key": "a"})));
    let plan = simulator.check(workflow).unwrap();
    let report = simulator.simulate(&plan, &World::from_iter([("a", 1)]), Timestamp::default());
    assert_eq!(
        report.step("greedy").unwrap().outcome,
        PredictedOutcome::Blocked
    );
    assert!(report.step("greedy").unwrap().changes.is_empty());
    assert!(report.step("greedy").unwrap().external.is_empty());
    let net: Vec<_> = report
        .net_changes()
        .iter()
        .map(|c| c.key.to_string())
        .collect();
    assert_eq!(net, ["a", "x"]);
    assert_eq!(
        report.step("check").unwrap().outcome,
        PredictedOutcome::Success
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_same_inputs_give_the_same_bytes_and_the_world_stays_as_it_is(
        workflow in any_workflow(ALL, 8), mut world in any_world(), noise in 0..100
    ) {
        let before = world.clone();
        let first = run(workflow.clone(), &world).to_json().unwrap();
        prop_assert_eq!(&world, &before);
        // What was not read does not matter.
        world.insert("unrelated", noise);
        prop_assert_eq!(run(workflow, &world).to_json().unwrap(), first);
    }

    #[test]
    fn a_report_survives_its_json_with_its_digest(workflow in any_workflow(ALL, 8), world in any_world()) {
        let report = run(workflow, &world);
        let back: SimulationReport = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        prop_assert_eq!(back.digest().unwrap(), report.digest().unwrap());
        prop_assert_eq!(back, report);
    }

    #[test]
    fn changes_chain_and_their_sum_is_the_net_change(workflow in any_workflow(ALL, 8), world in any_world()) {
        let report = run(workflow, &world);
        let mut state = world.clone();
        for change in report.changes() {
            prop_assert_eq!(state.get(change.key.as_str()), change.before.as_ref());
            state.apply([change]);
        }
        let mut at_once = world.clone();
        at_once.apply(&report.net_changes());
        prop_assert_eq!(at_once, state);
    }

    #[test]
    fn a_transfer_never_makes_or_loses_money(
        workflow in any_workflow(ALL, 8), world in any_world()
    ) {
        let report = run(workflow, &world);
        for step in report.steps.iter().filter(|step| step.path.as_str() == "kv/transfer") {
            let sum = |side: fn(&forensic_simulator::Change) -> &Option<Fact>| -> f64 {
                let facts = step.changes.iter().filter_map(|change| side(change).as_ref());
                facts.filter_map(|fact| fact.value()?.as_f64()).sum()
            };
            prop_assert!((sum(|c| &c.before) - sum(|c| &c.after)).abs() < 1e-9);
        }
    }
}

#[test]
fn many_threads_give_the_same_bytes() {
    let simulator = Arc::new(simulator());
    let world = Arc::new(World::from_iter([("a", 9), ("b", 1)]));
    let workflow = Workflow::new("w")
        .step(
            "s",
            act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 2})),
        )
        .step("t", act("kv/create", &json!({"key": "new", "value": 0.1})));
    let plan = Arc::new(simulator.check(workflow).unwrap());
    let one = || {
        let report = simulator.simulate(&plan, &world, Timestamp::default());
        report.digest().unwrap()
    };
    let expected = one();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}
