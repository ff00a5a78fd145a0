//! Orders, faults and rollbacks, checked against trying everything. `PROPTEST_CASES=10000` tries ten
//! thousand plans instead of a few hundred, best with `--release`.

use std::collections::{BTreeSet, HashMap};

use crate::common::{ALL, REVERSIBLE, act, any_workflow, any_world, cases, simulator};
use forensic_simulator::{
    FailureMode, FaultDepth, Risk, SimulationReport, Simulator, Step, StepId, Timestamp, UndoKind,
    Workflow, World,
};
use proptest::prelude::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_micros(0);

/// Plays steps in exactly this order.
fn play(simulator: &Simulator, steps: &[&Step], world: &World) -> SimulationReport {
    let mut workflow = Workflow::new("order");
    workflow.steps = steps.iter().map(|&step| step.clone()).collect();
    simulator.simulate(&simulator.check(workflow).unwrap(), world, NOW)
}

/// What can be seen of a run: how each step ended, and what is left.
fn visible(report: &SimulationReport) -> (BTreeSet<String>, World) {
    let steps = report.steps.iter();
    let ends = steps.map(|s| format!("{} {} {} {:?}", s.id, s.outcome, s.would_run, s.external));
    let mut left = World::new();
    left.apply(&report.net_changes());
    let mut removed = report.net_changes();
    removed.retain(|change| change.after.is_none());
    let gone = removed.iter().map(|change| format!("no {}", change.key));
    (ends.chain(gone).collect(), left)
}

/// Every order that the dependencies allow, by trying them all.
fn orders<'a>(steps: &'a [Step], begun: Vec<&'a Step>, found: &mut Vec<Vec<&'a Step>>) {
    if begun.len() == steps.len() {
        found.push(begun);
        return;
    }
    for step in steps {
        let is_done = |id: &StepId| begun.iter().any(|done| done.id == *id);
        if !is_done(&step.id) && step.depends_on.iter().all(is_done) {
            let mut longer = begun.clone();
            longer.push(step);
            orders(steps, longer, found);
        }
    }
}

fn all_orders(workflow: &Workflow) -> Vec<Vec<&Step>> {
    let mut found = Vec::new();
    orders(&workflow.steps, Vec::new(), &mut found);
    found
}

/// The pairs of neighbours that, swapped in some order, change what is visible after them.
fn brute_force(
    simulator: &Simulator,
    workflow: &Workflow,
    world: &World,
) -> BTreeSet<(usize, usize)> {
    let mut pairs = BTreeSet::new();
    let mut seen = HashMap::new();
    let number = |step: &Step| step.id.as_str().parse::<usize>().unwrap();
    let mut end_of = |steps: &[&Step]| {
        let numbers: Vec<_> = steps.iter().map(|step| number(step)).collect();
        let end = seen.entry(numbers);
        end.or_insert_with(|| visible(&play(simulator, steps, world)))
            .clone()
    };
    for order in all_orders(workflow) {
        for i in 1..order.len() {
            let (a, b) = (order[i - 1], order[i]);
            if b.depends_on.contains(&a.id) {
                continue;
            }
            let mut swapped = order[..=i].to_vec();
            swapped.swap(i - 1, i);
            if end_of(&order[..=i]) != end_of(&swapped) {
                let (a, b) = (number(a), number(b));
                pairs.insert((a.min(b), a.max(b)));
            }
        }
    }
    pairs
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn conflicts_are_what_trying_every_order_finds(
        workflow in any_workflow(ALL, 5), world in any_world()
    ) {
        let simulator = simulator();
        let plan = simulator.check(workflow.clone()).unwrap();
        let found = simulator.conflicts(&plan, &world, NOW);
        prop_assert!(found.exhaustive && found.pairs.iter().all(|pair| pair.proven));
        prop_assert!(found.pairs.iter().all(|pair| !pair.keys.is_empty()));
        let number = |id: &StepId| id.as_str().parse::<usize>().unwrap();
        let pairs: BTreeSet<_> = found.pairs.iter().map(|p| (number(&p.first), number(&p.second))).collect();
        prop_assert_eq!(&pairs, &brute_force(&simulator, &workflow, &world));
        if pairs.is_empty() {
            let orders = all_orders(&workflow);
            let ends: Vec<_> = orders.iter().map(|order| visible(&play(&simulator, order, &world))).collect();
            prop_assert!(ends.windows(2).all(|two| two[0] == two[1]));
        }
    }

    #[test]
    fn a_rollback_of_reversible_steps_restores_the_world(
        workflow in any_workflow(REVERSIBLE, 8), world in any_world()
    ) {
        let simulator = simulator();
        let plan = simulator.check(workflow).unwrap();
        let report = simulator.simulate(&plan, &world, NOW);
        let rollback = simulator.rollback(&plan, &world, NOW);
        prop_assert!(rollback.is_complete(), "{rollback:?}");
        let mut end = world.clone();
        end.apply(report.changes());
        rollback.steps.iter().for_each(|undo| end.apply(&undo.changes));
        prop_assert_eq!(end.digest(), world.digest());
    }

    #[test]
    fn what_a_fault_leaves_is_what_the_steps_that_ran_did(
        workflow in any_workflow(REVERSIBLE, 5), world in any_world()
    ) {
        let simulator = simulator();
        let plan = simulator.check(workflow).unwrap();
        let matrix = simulator.fault_matrix(&plan, &world, NOW, FaultDepth::Two);
        prop_assert!(matrix.complete);
        for case in &matrix.cases {
            let clean = case.faults.iter().all(|fault| fault.mode == FailureMode::NothingDone);
            if clean {
                prop_assert!(case.rollback.is_complete(), "{case:?}");
            }
            let mut end = world.clone();
            end.apply(&case.left);
            case.rollback.steps.iter().for_each(|undo| end.apply(&undo.changes));
            let mut expected = world.clone();
            expected.apply(&case.rollback.residue);
            prop_assert_eq!(end, expected);
        }
    }
}

#[test]
fn a_conflict_names_the_keys_and_an_order_removes_it() {
    let simulator = simulator();
    let world = World::from_iter([("a", 1)]);
    let update = |value| act("kv/update", &json!({"key": "a", "value": value}));
    let free = Workflow::new("w")
        .step("one", update(2))
        .step("two", update(3));
    let found = simulator.conflicts(&simulator.check(free).unwrap(), &world, NOW);
    assert_eq!(found.pairs.len(), 1);
    assert_eq!(found.pairs[0].first.as_str(), "one");
    assert_eq!(found.pairs[0].keys[0].as_str(), "a");
    let ordered = Workflow::new("w")
        .step("one", update(2))
        .step_after("two", update(3), ["one"]);
    let found = simulator.conflicts(&simulator.check(ordered).unwrap(), &world, NOW);
    assert!(found.pairs.is_empty() && found.exhaustive);
}

#[test]
fn additions_to_one_number_commute() {
    let simulator = simulator();
    let add = |by| act("kv/adjust", &json!({"key": "a", "by": by}));
    let workflow = Workflow::new("w").step("one", add(2)).step("two", add(-1));
    let plan = simulator.check(workflow).unwrap();
    let found = simulator.conflicts(&plan, &World::from_iter([("a", 1)]), NOW);
    assert!(found.pairs.is_empty() && found.exhaustive);
}

#[test]
fn too_many_orders_leave_suspicions() {
    let simulator = simulator();
    let mut workflow = Workflow::new("w");
    for n in 0..40 {
        let update = act(
            "kv/update",
            &json!({"key": format!("k{}", n % 20), "value": n}),
        );
        workflow = workflow.step(n.to_string(), update);
    }
    let world: World = (0..20).map(|n| (format!("k{n}"), 0)).collect();
    let plan = simulator.check(workflow).unwrap();
    let found = simulator.conflicts(&plan, &world, NOW);
    assert!(!found.exhaustive);
    assert_eq!(found.pairs.len(), 20);
}

#[test]
fn a_rollback_says_how_each_step_is_taken_back_and_what_stays() {
    let simulator = simulator();
    let workflow = Workflow::new("w")
        .step("read", act("kv/read", &json!({"key": "a"})))
        .step(
            "move",
            act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 2})),
        )
        .step("set", act("kv/update", &json!({"key": "b", "value": 0})))
        .step(
            "post",
            act("http/post", &json!({"url": "https://example.org"})),
        )
        .step("magic", act("nobody/knows", &json!({})));
    let plan = simulator.check(workflow).unwrap();
    let rollback = simulator.rollback(&plan, &World::from_iter([("a", 5), ("b", 1)]), NOW);
    let how: Vec<_> = rollback
        .steps
        .iter()
        .map(|u| (u.step.as_str(), u.how))
        .collect();
    assert_eq!(
        how,
        [
            ("post", UndoKind::Impossible),
            ("set", UndoKind::Restore),
            ("move", UndoKind::Compensate),
            ("read", UndoKind::Nothing),
        ]
    );
    assert!(rollback.residue.is_empty());
    assert_eq!(rollback.external_residue.len(), 1);
    assert_eq!(rollback.not_modelled[0].as_str(), "magic");
    assert!(!rollback.is_complete());
}

#[test]
fn a_compensation_that_would_fail_is_residue() {
    let simulator = simulator();
    let transfer = act(
        "kv/transfer",
        &json!({"from": "rich", "to": "debtor", "amount": 2}),
    );
    let plan = simulator
        .check(Workflow::new("w").step("pay", transfer))
        .unwrap();
    let world = World::from_iter([("rich", 5), ("debtor", -1)]);
    let rollback = simulator.rollback(&plan, &world, NOW);
    let reason = rollback.steps[0].reason.as_deref();
    assert_eq!(reason, Some("there is not enough: debtor is 1"));
    assert_eq!(rollback.residue.len(), 2);
}

#[test]
fn a_step_that_was_done_and_not_acknowledged_is_residue() {
    let simulator = simulator();
    let workflow = Workflow::new("w")
        .step(
            "move",
            act("kv/transfer", &json!({"from": "a", "to": "b", "amount": 2})),
        )
        .step_after(
            "set",
            act("kv/update", &json!({"key": "c", "value": 0})),
            ["move"],
        );
    let world = World::from_iter([("a", 5), ("b", 1), ("c", 1)]);
    let plan = simulator.check(workflow).unwrap();
    let matrix = simulator.fault_matrix(&plan, &world, NOW, FaultDepth::One);
    let told: Vec<_> = matrix
        .cases
        .iter()
        .map(|case| {
            let residue: Vec<_> = case
                .rollback
                .residue
                .iter()
                .map(|c| c.key.as_str())
                .collect();
            (case.faults[0].mode, case.blocked.len(), residue.join(","))
        })
        .collect();
    use FailureMode::{DoneUnacknowledged, HalfDone, NothingDone};
    assert_eq!(
        told,
        [
            (NothingDone, 1, String::new()),
            (HalfDone, 1, "a".into()),
            (DoneUnacknowledged, 1, "a,b".into()),
            (NothingDone, 0, String::new()),
            (DoneUnacknowledged, 0, "c".into()),
        ]
    );
    assert_eq!(matrix.leaving_residue().count(), 3);
}

proptest! {
    #[test]
    fn one_pass_gives_what_each_analysis_gives_alone(
        workflow in any_workflow(ALL, 6),
        world in any_world(),
    ) {
        let simulator = simulator();
        let plan = simulator.check(workflow).unwrap();
        let now = Timestamp::default();
        let analysis = simulator.analyse(&plan, &world, now);
        let report = simulator.simulate(&plan, &world, now);
        let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
        prop_assert_eq!(text(&analysis.risk), text(&Risk::of(&report)));
        prop_assert_eq!(analysis.report, report);
        let conflicts = simulator.conflicts(&plan, &world, now);
        prop_assert_eq!(text(&analysis.conflicts), text(&conflicts));
        let rollback = simulator.rollback(&plan, &world, now);
        prop_assert_eq!(text(&analysis.rollback), text(&rollback));
    }
}
