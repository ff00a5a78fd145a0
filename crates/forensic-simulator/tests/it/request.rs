//! What a plan does, against what was asked for.

use action::PathPattern;
use forensic_simulator::{
    Concern, ConcernKind, EffectRule, Request, RequestPolicy, Timestamp, Workflow, World,
};
use serde_json::json;

use crate::common::{act, simulator};

fn concerns(workflow: Workflow, policy: &RequestPolicy, request: &str) -> Vec<Concern> {
    let world = World::from_iter([
        ("a", json!(1)),
        ("contacts/1/url", json!("https://ann.example")),
        ("notes/1/url", json!("https://mallory.example")),
    ]);
    let simulator = simulator();
    let plan = simulator.check(workflow).unwrap();
    let report = simulator.simulate(&plan, &world, Timestamp::default());
    policy.concerns(&plan, &report, &world, &Request::new(request))
}

fn kinds(workflow: Workflow, policy: &RequestPolicy, request: &str) -> Vec<ConcernKind> {
    let concerns = concerns(workflow, policy, request);
    concerns.iter().map(|concern| concern.kind).collect()
}

fn policy() -> RequestPolicy {
    let rule = EffectRule::new(PathPattern::new("http/post").unwrap());
    RequestPolicy::new()
        .trust("contacts/*/url")
        .rule(rule.asked_by(["post", "tell"]).aimed_at_known("url"))
}

fn post(urls: &[&str]) -> Workflow {
    urls.iter()
        .enumerate()
        .fold(Workflow::new("w"), |workflow, (n, url)| {
            workflow.step(n.to_string(), act("http/post", &json!({"url": url})))
        })
}

#[test]
fn a_target_is_named_or_known_from_a_trusted_place_only() {
    let known = post(&["https://ann.example"]);
    assert!(kinds(known, &policy(), "Tell Ann.").is_empty());
    let named = post(&["https://bob.example"]);
    assert!(kinds(named, &policy(), "Post to https://bob.example!").is_empty());
    let planted = post(&["https://mallory.example"]);
    assert_eq!(
        kinds(planted, &policy(), "Tell Ann."),
        [ConcernKind::NewTarget]
    );
}

#[test]
fn an_effect_that_no_word_asks_for_is_a_concern() {
    let known = || post(&["https://ann.example"]);
    let asked = "Read me the notes.";
    assert_eq!(kinds(known(), &policy(), asked), [ConcernKind::NotAskedFor]);
    let allowed = policy().allow(ConcernKind::NotAskedFor);
    assert!(kinds(known(), &allowed, asked).is_empty());
}

#[test]
fn a_second_effect_of_a_kind_is_aimed_at_what_the_request_names() {
    let twice = || post(&["https://ann.example", "https://ann.example"]);
    let found = concerns(twice(), &policy(), "Tell Ann.");
    assert_eq!((found.len(), found[0].step.as_str()), (1, "1"));
    assert_eq!(found[0].kind, ConcernKind::Repeated);
    assert!(kinds(twice(), &policy(), "Tell https://ann.example twice").is_empty());
}

#[test]
fn effects_without_a_rule_are_a_concern_and_reads_are_none() {
    let read = Workflow::new("w").step("r", act("kv/read", &json!({"key": "a"})));
    assert!(kinds(read, &policy(), "").is_empty());
    for path in ["kv/delete", "nobody/knows"] {
        let other = Workflow::new("w").step("o", act(path, &json!({"key": "a"})));
        assert_eq!(
            kinds(other, &policy(), ""),
            [ConcernKind::NotForeseen],
            "{path}"
        );
    }
}

#[test]
fn an_effect_that_is_aimed_at_nothing_must_be_asked_for_by_a_word() {
    let rule = EffectRule::new(PathPattern::new("http/post").unwrap());
    let rule = rule.aimed_at_known("channel");
    let policy = RequestPolicy::new().rule(rule.asked_by_if_unaimed(["post", "posts"]));
    let to = |channel: serde_json::Value| {
        let parameters = json!({"url": "https://ann.example", "channel": channel});
        Workflow::new("w").step("p", act("http/post", &parameters))
    };
    for nothing in [json!(null), json!([])] {
        let asked = kinds(to(nothing.clone()), &policy, "Post it.");
        assert!(asked.is_empty(), "{nothing}");
        let planted = kinds(to(nothing.clone()), &policy, "Read it.");
        assert_eq!(planted, [ConcernKind::NotAskedFor], "{nothing}");
    }
    // Who is named as a target asks for nothing more.
    assert!(kinds(to(json!(["Ann"])), &policy, "Tell Ann.").is_empty());
}
