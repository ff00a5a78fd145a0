//! An approval is for one action, and not for what looks like it.

use approval_workflow::{Condition, DenyReason, Policy};
use serde_json::{Map, json};

use crate::support::{action, gate, gate_with};

/// <https://github.com/nicobailon/pi-mcp-adapter/issues/367>: the cache of approvals had the tool as
/// its key, so one consent to delete a harmless record let every later call delete any.
#[test]
fn another_argument_needs_another_approval() {
    let gate = gate();
    let harmless = action("records/delete").with_parameter("id", "draft-1");
    let id = gate.approved(&harmless);
    let other = action("records/delete").with_parameter("id", "customers");
    assert_eq!(gate.can(&id, &other), Err(DenyReason::ActionChanged));
    assert_eq!(gate.claim(&id, &other), Err(DenyReason::ActionChanged));
    assert_eq!(gate.claim(&id, &harmless), Ok(()));
}

/// <https://github.com/runatlantis/atlantis/issues/1508>: once a plan was approved, a plan of any
/// other directory could be applied without another approval.
#[test]
fn another_path_needs_another_approval() {
    let gate = gate();
    let id = gate.approved(&action("terraform/network/apply"));
    let other = action("terraform/production/apply");
    assert_eq!(gate.claim(&id, &other), Err(DenyReason::ActionChanged));
}

/// <https://github.com/microsoft/agent-framework/pull/6487>: an approval of a call without arguments
/// was stored like one of the whole tool, and matched calls with any arguments.
#[test]
fn no_arguments_are_not_any_arguments() {
    let gate = gate();
    let bare = action("cache/clear");
    let id = gate.approved(&bare);
    for argued in [
        bare.clone().with_parameter("scope", "everything"),
        bare.clone().with_parameter("scope", json!(null)),
        bare.clone().with_parameter("", json!({})),
    ] {
        assert_eq!(gate.can(&id, &argued), Err(DenyReason::ActionChanged));
    }
    assert_eq!(gate.can(&id, &bare), Ok(()));
}

/// <https://github.com/UKGovernmentBEIS/inspect_ai/pull/4944>: arguments were compared so that a
/// truth value and a number were the same.
#[test]
fn values_of_another_kind_are_other_values() {
    let gate = gate();
    let asked = action("users/update").with_parameter("admin", 0);
    let id = gate.approved(&asked);
    for value in [json!(false), json!("0"), json!(null), json!([0]), json!({})] {
        let other = action("users/update").with_parameter("admin", value);
        assert_eq!(gate.can(&id, &other), Err(DenyReason::ActionChanged));
    }
}

/// <https://github.com/langchain-ai/langgraph/pull/6542>: two gates that waited side by side got the
/// same id, and the answer to one was given to the other.
#[test]
fn an_answer_reaches_the_request_that_it_was_given_for() {
    let gate = gate();
    let (a, b) = (action("tools/a"), action("tools/b"));
    // The same action twice is two requests as well.
    let ids = [gate.ask(&a), gate.ask(&b), gate.ask(&a)];
    gate.approve(&ids[1]);
    assert_eq!(gate.can(&ids[1], &b), Ok(()));
    assert_eq!(gate.can(&ids[0], &a), Err(DenyReason::Pending));
    assert_eq!(gate.can(&ids[2], &a), Err(DenyReason::Pending));
    assert_eq!(gate.can(&ids[1], &a), Err(DenyReason::ActionChanged));
}

/// <https://github.com/langchain-ai/langgraph/issues/8579>: an answer that names no request was taken
/// though several were waiting. Here no decision can be made without naming one, and a name that is
/// almost right is unknown.
#[test]
fn a_decision_names_its_request_exactly() {
    let gate = gate();
    gate.ask(&action("tools/a"));
    for name in ["r-2", "R-1", "r-01", "r-1."] {
        let id = approval_workflow::RequestId::new(name).unwrap();
        let yes = approval_workflow::Decision::approve(
            crate::support::person("alice"),
            crate::support::at(1),
        );
        let error = gate.workflow.decide(&id, yes).unwrap_err();
        assert_eq!(error.to_string(), format!("no request {name}"));
    }
}

/// <https://github.com/runatlantis/atlantis/issues/1118>: what the configuration did not list could
/// be run all the same.
#[test]
fn what_no_rule_lists_waits_for_a_person() {
    let gate = gate_with("[[rules]]\npattern = \"listed/**\"\nsensitivity = \"none\"");
    let (listed, other) = (action("listed/a"), action("unlisted/a"));
    assert_eq!(gate.can(&gate.ask(&listed), &listed), Ok(()));
    assert_eq!(
        gate.can(&gate.ask(&other), &other),
        Err(DenyReason::Pending)
    );
}

/// <https://github.com/cosai-oasis/ws4-secure-design-agentic-systems/issues/158> describes how an
/// old "allowed" is used after the policy that it rested on has changed.
#[test]
fn an_approval_under_a_policy_of_yesterday_is_not_one_of_today() {
    let gate = gate();
    let deploy = action("deploy/web");
    let id = gate.approved(&deploy);
    let stricter =
        "[[rules]]\npattern = \"**\"\nsensitivity = \"critical\"\nrequires.at_least.people = 2";
    let gate = gate.restart_with(Policy::from_toml(stricter).unwrap());
    assert_eq!(gate.can(&id, &deploy), Err(DenyReason::PolicyChanged));
    assert_eq!(gate.claim(&id, &deploy), Err(DenyReason::PolicyChanged));
}

/// <https://github.com/pydantic/pydantic-ai/pull/5777> lets a small amount run without approval: a
/// field that is missing, or of another kind, must not count as small.
#[test]
fn an_amount_that_is_not_a_number_is_not_a_small_one() {
    let small: Condition =
        serde_json::from_value(json!({"less_than": {"field": "parameters.amount", "value": 1000}}))
            .unwrap();
    let transfer = |amount| action("bank/transfer").with_parameter("amount", amount);
    let holds = |action: &action::Action| small.holds(action, &Map::new());
    assert!(holds(&transfer(json!(999.99))));
    for amount in [
        json!("5"),
        json!(null),
        json!([5]),
        json!(1000),
        json!(1e300),
    ] {
        assert!(!holds(&transfer(amount)));
    }
    assert!(!holds(&action("bank/transfer")));
}
