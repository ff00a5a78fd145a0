use approval_workflow::{Decision, Directory, Disposition, Policy, Sensitivity};
use tempfile::tempdir;

use crate::support::{POLICY, ask, id, open, person, second};

#[test]
fn an_explanation_says_what_matched_and_who_is_missing() {
    let dir = tempdir().unwrap();
    let directory: Directory = toml::from_str(
        r#"
        reviewers.agent-7.groups = ["finance"]
        reviewers.alice.groups = ["finance"]
        reviewers.bob.groups = ["finance", "security"]
        reviewers.carol.groups = ["security"]
        "#,
    )
    .unwrap();
    let policy = Policy::from_toml(
        r#"
        [[rules]]
        name = "refunds"
        pattern = "payments/refund"
        sensitivity = "high"
        requires.all = [
            { at_least = { people = 2, of = "finance" } },
            { at_least = { people = 1, of = "security" } },
        ]
        "#,
    )
    .unwrap();
    let workflow = crate::support::options()
        .directory(directory)
        .open(dir.path(), policy)
        .unwrap();
    let explain = |text: &str| {
        workflow
            .explain(&id(text), second(2))
            .unwrap()
            .unwrap()
            .to_string()
    };
    workflow
        .request(ask("payments/refund").with_id(id("a")))
        .unwrap();
    assert_eq!(
        explain("a"),
        "request a is pending: high by rule \"refunds\"; missing 2 of finance (alice, bob); \
         missing 1 of security (bob, carol); may not run: pending"
    );
    for name in ["bob", "carol"] {
        workflow
            .decide(&id("a"), Decision::approve(person(name), second(1)))
            .unwrap();
    }
    assert_eq!(
        explain("a"),
        "request a is pending: high by rule \"refunds\"; approved by bob, carol; \
         missing 1 of finance (alice); may not run: pending"
    );
    workflow
        .decide(&id("a"), Decision::approve(person("alice"), second(1)))
        .unwrap();
    assert_eq!(
        explain("a"),
        "request a is approved: high by rule \"refunds\"; approved by bob, carol, alice; may run"
    );
    workflow
        .request(ask("unheard/of").with_id(id("b")))
        .unwrap();
    assert_eq!(
        explain("b"),
        "request b is pending: critical by the policy's default, since no rule covers it; \
         missing 1 of anyone (alice, bob, carol); may not run: pending"
    );
    assert_eq!(workflow.explain(&id("c"), second(2)).unwrap(), None);
}

#[test]
fn what_if_lists_the_requests_that_another_policy_would_treat_otherwise() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for (name, path) in [
        ("a", "payments/refund"),
        ("b", "reports/daily"),
        ("c", "deploy/web"),
    ] {
        workflow.request(ask(path).with_id(id(name))).unwrap();
    }
    let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
    workflow.decide(&id("a"), yes).unwrap();
    let records = workflow.audit_log().unwrap().count();

    assert_eq!(
        workflow
            .what_if(Policy::from_toml(POLICY).unwrap())
            .unwrap(),
        []
    );
    let stricter = POLICY
        .replace("sensitivity = \"none\"", "sensitivity = \"low\"")
        .replace("requires_reason = true", "requires.at_least.people = 2");
    let differences = workflow
        .what_if(Policy::from_toml(&stricter).unwrap())
        .unwrap();
    let ids: Vec<&str> = differences
        .iter()
        .map(|difference| difference.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(differences[0].votes_suffice, Some(false));
    assert_eq!(differences[1].then.need, Disposition::NotSensitive);
    assert_eq!(differences[1].instead.need, Disposition::Approval);
    assert_eq!(differences[1].instead.sensitivity, Sensitivity::Low);
    assert_eq!(
        workflow.audit_log().unwrap().count(),
        records,
        "nothing was changed"
    );
}
