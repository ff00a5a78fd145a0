//! Generated policies and requests, judged by the engine that ships and by Cedar: they say the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use action::{Action, ActionPath, Timestamp};
use approval_workflow::{
    ApprovalWorkflow, DenyReason, Disposition, NewRequest, Permission, PersonId, Policy, PolicyEngine,
    RequestId, Rulebook, State,
};
use proofload_cedar::{CedarEngine, Error};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

/// Few names and few values, so that fields are met, missed, and met with another type.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a", "a", "b", "c d", "ä\"\\"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        4 => any::<bool>().prop_map(Value::from),
        8 => (0_i64..2).prop_map(Value::from),
        4 => (-2_i64..3).prop_map(Value::from),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX]).prop_map(Value::from),
        2 => prop::sample::select(vec!["", "x", "1", "x*", "'\"\\\n\u{0}ü\u{301}"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            6 => inner.clone(),
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            1 => prop::collection::btree_map(name(), inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    let root = prop::sample::select(vec!["context", "parameters"]);
    let keys = prop_oneof![
        4 => prop::collection::vec(name(), 1),
        1 => prop::collection::vec(name(), 2..4),
    ];
    (root, keys).prop_map(|(root, keys)| format!("{root}.{}", keys.join(".")))
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (field(), value())
            .prop_map(|(field, value)| json!({"equals": {"field": field, "value": value}})),
        (field(), -2_i64..3)
            .prop_map(|(field, value)| json!({"less_than": {"field": field, "value": value}})),
        (field(), prop::collection::vec(value(), 1..4))
            .prop_map(|(field, values)| json!({"one_of": {"field": field, "values": values}})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts().prop_map(|parts| json!({"all": parts})),
            parts().prop_map(|parts| json!({"any": parts})),
            inner.clone().prop_map(|part| json!({"not": part})),
        ]
    })
}

/// At most one `**`, which is all that Cedar can be asked for.
fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("**".to_owned()), 2 => narrow_pattern()]
}

fn narrow_pattern() -> impl Strategy<Value = String> {
    let segments = || prop::collection::vec("\\*|[ab]{1,2}|\\*?[ab]\\*?|ü\\*\\\\", 0..3);
    (segments(), any::<bool>(), segments())
        .prop_filter("a pattern has a segment", |(before, stars, behind)| {
            *stars || !before.is_empty() || !behind.is_empty()
        })
        .prop_map(|(mut before, stars, behind)| {
            before.extend(stars.then(|| "**".to_owned()));
            before.extend(behind);
            before.join("/")
        })
}

fn policy() -> impl Strategy<Value = Policy> {
    let sensitivity = prop::sample::select(vec!["none", "low", "high"]);
    let rule = (
        sensitivity,
        prop::option::of(condition()),
        prop::option::of(prop_oneof![4 => condition(), 1 => Just(json!("always"))]),
    );
    prop::collection::btree_map(pattern(), rule, 0..6).prop_shuffle_rules()
}

/// A policy of rules by their patterns, in any order.
trait Rules {
    fn prop_shuffle_rules(self) -> BoxedStrategy<Policy>;
}

type RuleParts = (&'static str, Option<Value>, Option<Value>);

impl<S: Strategy<Value = BTreeMap<String, RuleParts>> + 'static> Rules for S {
    fn prop_shuffle_rules(self) -> BoxedStrategy<Policy> {
        let listed = self.prop_map(|rules| rules.into_iter().collect::<Vec<_>>());
        let shuffled = listed.prop_shuffle();
        let policy = shuffled.prop_map(|rules| {
            let rules: Vec<Value> = rules.into_iter().map(rule).collect();
            serde_json::from_value(json!({ "rules": rules })).expect("a policy")
        });
        policy.boxed()
    }
}

fn rule((pattern, (sensitivity, approve, deny)): (String, RuleParts)) -> Value {
    let mut rule = json!({"pattern": pattern, "sensitivity": sensitivity});
    let fields = rule.as_object_mut().expect("an object literal");
    // What contradicts itself is no policy.
    let conditions = sensitivity != "none";
    let always = deny == Some(json!("always"));
    if let Some(deny) = deny.filter(|_| conditions) {
        fields.insert("auto_deny".to_owned(), deny);
    }
    if let Some(approve) = approve.filter(|_| conditions && !always) {
        fields.insert("auto_approve".to_owned(), approve);
    }
    rule
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(name(), value(), 0..6)
        .prop_map(|fields| fields.into_iter().collect())
}

fn requests() -> impl Strategy<Value = Vec<(Action, Map<String, Value>)>> {
    let path = "[ab]{1,3}(/[ab]{1,3}|/üb\\\\){0,4}";
    let request = (path, fields(), fields()).prop_map(|(path, parameters, context)| {
        let mut action = Action::new(ActionPath::new(path).expect("a path"), "n");
        action.parameters = parameters;
        (action, context)
    });
    prop::collection::vec(request, 40)
}

/// `CEDAR_POLICIES` sets how many policies are generated (default: 400), each for 40 requests.
#[test]
fn both_engines_say_the_same_of_generated_requests() {
    let policies = std::env::var("CEDAR_POLICIES");
    let cases = policies.map_or(400, |text| text.parse().expect("a number of policies"));
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    // From a fixed seed, so that every run judges the same.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let mut needs = BTreeMap::new();
    let counted = std::cell::RefCell::new(&mut needs);
    let held = runner.run(&(policy(), requests()), |(policy, requests)| {
        let ours = Rulebook::new(policy.clone()).expect("a policy that holds together");
        let theirs = CedarEngine::new(policy).expect("a policy that Cedar can say");
        for (action, context) in &requests {
            let (one, other) = (ours.judge(action, context), theirs.judge(action, context));
            prop_assert_eq!(one, other, "{:?} in {:?}", action, context);
            let kind = match (one.rule, one.need) {
                (None, _) => "uncovered",
                (_, Disposition::Approval) => "needs a person",
                (_, Disposition::NotSensitive) => "not sensitive",
                (_, Disposition::AutoApproved) => "granted",
                (_, Disposition::AutoDenied) => "denied",
            };
            *counted.borrow_mut().entry(kind).or_insert(0_u32) += 1;
        }
        Ok(())
    });
    held.unwrap();
    // An oracle that only ever hears one answer proves nothing.
    for kind in [
        "uncovered",
        "needs a person",
        "not sensitive",
        "granted",
        "denied",
    ] {
        let count = needs.get(kind).copied().unwrap_or_default();
        assert!(count >= cases / 4, "{kind}: {count} of {needs:?}");
    }
}

#[test]
fn what_cedar_cannot_say_is_refused() {
    let refused = |text: &str| {
        let policy: Policy = toml::from_str(text).unwrap();
        CedarEngine::new(policy).unwrap_err()
    };
    let rule = "[[rules]]\npattern = \"a/*\"\nsensitivity = \"low\"\n";
    let fraction = "auto_deny.less_than = { field = \"context.a\", value = 1.5 }";
    assert!(matches!(
        refused(&format!("{rule}{fraction}")),
        Error::Number { .. }
    ));
    let stars = rule.replace("a/*", "**/a/**");
    assert!(matches!(refused(&stars), Error::Pattern { .. }));
    let twice = format!("{rule}{rule}");
    assert!(matches!(refused(&twice), Error::Policy(_)));
}

#[test]
fn a_gate_opens_on_cedar_and_does_as_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::from_toml(
        r#"
        [[rules]]
        name = "deployments"
        pattern = "deploy/*"
        sensitivity = "high"
        auto_approve.equals = { field = "context.environment", value = "test" }
        auto_deny.equals = { field = "context.frozen", value = true }
        "#,
    )
    .unwrap();
    let open = || {
        let engine = CedarEngine::new(policy.clone()).unwrap();
        ApprovalWorkflow::options()
            .open_judged_by(dir.path(), Arc::new(engine))
            .unwrap()
    };
    let workflow = open();
    let deploy = Action::new(ActionPath::new("deploy/web").unwrap(), "Deploy");
    let now = Timestamp::from_micros(1_000_000);
    let ask = |id: &str, frozen: bool| {
        let new = NewRequest::new(deploy.clone(), PersonId::new("agent").unwrap(), now)
            .with_id(RequestId::new(id).unwrap())
            .with_context("environment", "test")
            .with_context("frozen", frozen);
        workflow.request(new).unwrap()
    };
    assert!(matches!(ask("a", false).state, State::Approved { .. }));
    let denied = ask("b", true);
    assert_eq!(denied.submission.rule.as_deref(), Some("deployments"));
    workflow.close().unwrap();

    let workflow = open();
    let may = |id: &str| workflow.can_execute(&RequestId::new(id).unwrap(), &deploy, now);
    assert!(may("a").is_allowed());
    assert_eq!(may("b"), Permission::Denied(DenyReason::DeniedByPolicy));
}
