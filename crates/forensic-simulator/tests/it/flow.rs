//! Where information goes.

use forensic_simulator::{Fact, Flow, FlowPolicy, Label, Timestamp, Workflow, World};
use serde_json::json;

use crate::common::{act, simulator};

fn flows(workflow: Workflow, world: &World, policy: &FlowPolicy) -> Vec<String> {
    let simulator = simulator();
    let plan = simulator.check(workflow).unwrap();
    let report = simulator.simulate(&plan, world, Timestamp::default());
    let line = |flow: &Flow| {
        let Flow {
            label,
            from,
            read_by,
            step,
            to,
        } = flow;
        format!("{label:?} {from} by {read_by} to {to} by {step}")
    };
    policy
        .flows(&plan, &report, world)
        .iter()
        .map(line)
        .collect()
}

fn world() -> World {
    let mut world = World::from_iter([
        ("inbox/1", json!(30)),
        ("bank/a", json!(50)),
        ("bank/b", json!(0)),
    ]);
    world.insert("token", Fact::secret("api token"));
    world
}

#[test]
fn a_secret_that_a_call_may_carry_outside_is_found_along_the_dependency() {
    let policy = FlowPolicy::new().external_sink(Label::Secret);
    let read = || act("kv/read", &json!({"key": "token"}));
    let post = || act("http/post", &json!({"url": "https://example.org"}));
    let joined = Workflow::new("w")
        .step("read", read())
        .step_after("wait", act("kv/read", &json!({"key": "bank/a"})), ["read"])
        .step_after("post", post(), ["wait"]);
    assert_eq!(
        flows(joined, &world(), &policy),
        [r#"Secret token by "read" to https://example.org by "post""#]
    );
    let apart = Workflow::new("w").step("read", read()).step("post", post());
    assert!(flows(apart, &world(), &policy).is_empty());
}

#[test]
fn what_an_attacker_may_choose_is_followed_through_the_keys() {
    let policy = FlowPolicy::new()
        .source("inbox/", Label::Untrusted)
        .sink("bank/b", Label::Untrusted);
    let transfer =
        |from: &str, to: &str| act("kv/transfer", &json!({"from": from, "to": to, "amount": 1}));
    let workflow = Workflow::new("w")
        .step("in", transfer("inbox/1", "bank/a"))
        .step("out", transfer("bank/a", "bank/b"));
    assert_eq!(
        flows(workflow, &world(), &policy),
        [r#"Untrusted inbox/1 by "in" to bank/b by "out""#]
    );
}

#[test]
fn a_step_that_looks_at_a_key_carries_it_and_one_that_does_not_is_clean() {
    let policy = FlowPolicy::new()
        .source("inbox/", Label::Untrusted)
        .sink("bank/b", Label::Untrusted);
    let workflow = Workflow::new("w")
        .step(
            "in",
            act(
                "kv/transfer",
                &json!({"from": "inbox/1", "to": "bank/a", "amount": 1}),
            ),
        )
        .step(
            "set",
            act("kv/update", &json!({"key": "bank/a", "value": 9})),
        )
        .step(
            "out",
            act(
                "kv/transfer",
                &json!({"from": "bank/a", "to": "bank/b", "amount": 1}),
            ),
        );
    // `kv/update` looks whether the key exists, so what the key held may decide what it does.
    assert_eq!(flows(workflow, &world(), &policy).len(), 1);
    let fresh = Workflow::new("w")
        .step(
            "in",
            act(
                "kv/transfer",
                &json!({"from": "inbox/1", "to": "bank/a", "amount": 1}),
            ),
        )
        .step("set", act("kv/create", &json!({"key": "c", "value": 9})))
        .step(
            "out",
            act(
                "kv/transfer",
                &json!({"from": "c", "to": "bank/b", "amount": 1}),
            ),
        );
    assert!(flows(fresh, &world(), &policy).is_empty());
}
