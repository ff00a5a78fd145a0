//! Generators of plans and worlds, shared by the tests.

use action::{Action, ActionPath};
use forensic_simulator::{Simulator, Workflow, World};
use proptest::prelude::*;
use serde_json::{Value, json};

/// How many cases a property is tried on: more, or fewer, where `PROPTEST_CASES` says so.
pub(crate) fn cases(usually: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    let wanted = wanted.and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(wanted.unwrap_or(usually))
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

pub(crate) fn simulator() -> Simulator {
    Simulator::builder().builtins().build().unwrap()
}

pub(crate) fn act(path: &str, parameters: &Value) -> Action {
    let mut action = Action::new(ActionPath::new(path).unwrap(), path);
    action.parameters = parameters.as_object().unwrap().clone();
    action
}

/// A step over four keys, of the first so many kinds: reversible ones, then calls, then opaque.
pub(crate) fn any_step(kinds: u8) -> impl Strategy<Value = Action> {
    let key = || prop::sample::select(KEYS.as_slice());
    (0..kinds, key(), key(), -3..9_i64).prop_map(|(kind, one, two, n)| match kind {
        0 => act("kv/read", &json!({"key": one})),
        1 => act("kv/create", &json!({"key": one, "value": n.abs()})),
        2 => act("kv/update", &json!({"key": one, "value": n.abs()})),
        3 => act("kv/delete", &json!({"key": one})),
        4 => act("kv/transfer", &json!({"from": one, "to": two, "amount": n})),
        5 => act("kv/adjust", &json!({"key": one, "by": n, "floor": 0})),
        6 => act("http/post", &json!({"url": one})),
        _ => act("nobody/knows", &json!({})),
    })
}

pub(crate) const REVERSIBLE: u8 = 6;
pub(crate) const ALL: u8 = 8;

/// Up to so many steps, about half of which wait for one before them.
pub(crate) fn any_workflow(kinds: u8, most: usize) -> impl Strategy<Value = Workflow> {
    let step = (any_step(kinds), any::<prop::sample::Index>(), any::<bool>());
    prop::collection::vec(step, 1..=most).prop_map(|steps| {
        let mut workflow = Workflow::new("any");
        for (position, (action, index, waits)) in steps.into_iter().enumerate() {
            let before = (position > 0 && waits).then(|| index.index(position).to_string());
            workflow = workflow.step_after(position.to_string(), action, before);
        }
        workflow
    })
}

/// Without negative numbers: a transfer to a debtor cannot be paid back.
pub(crate) fn any_world() -> impl Strategy<Value = World> {
    let key = prop::sample::select(KEYS.as_slice());
    prop::collection::btree_map(key, 0..20_i64, 0..4).prop_map(World::from_iter)
}
