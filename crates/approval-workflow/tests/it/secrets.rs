//! A secret is bound and never written.

use std::fs;

use action::Action;
use approval_workflow::{
    ApprovalWorkflow, Binding, Decision, DenyReason, Error, IdempotencyKey, NewRequest, Permission,
    Policy, Use, secret_digest, verify_bundle,
};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{action, ask, everything, id, person, second};

const KEY: [u8; 32] = [7; 32];
const SECRETS: [&str; 4] = [
    "hunter2-hunter2",
    "Zugangscode 991",
    "s3cr3t-token",
    "4111111111111111",
];

fn policy() -> Policy {
    Policy::from_toml("secrets = [\"password\", \"card\"]").unwrap()
}

fn open(dir: &TempDir) -> ApprovalWorkflow {
    let options = ApprovalWorkflow::options().secret_key(KEY);
    options.open(dir.path(), policy()).unwrap()
}

/// Hidden by the policy, at any depth and in any case, and by the request.
fn login() -> Action {
    action("accounts/login")
        .with_parameter("user", "alice")
        .with_parameter("password", SECRETS[0])
        .with_parameter("steps", json!([{"Password": {"code": SECRETS[1]}}, 1]))
        .with_parameter("card", 4_111_111_111_111_111_u64)
        .with_parameter("token", SECRETS[2])
}

fn new() -> NewRequest {
    let new = NewRequest::new(login(), person("agent-7"), second(0)).with_id(id("login"));
    new.with_secret("token")
        .with_context("token", "s3cr3t-token")
}

/// Everything that is in the directory.
fn bytes(dir: &TempDir) -> Vec<u8> {
    let files = fs::read_dir(dir.path()).unwrap();
    files
        .flat_map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect()
}

fn assert_hidden(text: &[u8]) {
    for secret in SECRETS {
        let mut windows = text.windows(secret.len());
        assert!(
            !windows.any(|window| window == secret.as_bytes()),
            "{secret}"
        );
    }
}

#[test]
fn a_secret_is_nowhere_and_binds_all_the_same() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let key = IdempotencyKey::new("k").unwrap();
    let asked = workflow.request(new().with_key(key.clone())).unwrap();
    assert_eq!(
        workflow.request(new().with_key(key.clone())).unwrap(),
        asked,
        "a repetition is one"
    );
    let digest = login().digest().unwrap();
    assert_eq!(asked.submission.digest, digest);
    let shown = &asked.submission.action.parameters;
    assert_eq!(shown["user"], "alice");
    let expected = secret_digest(&KEY, &digest, "password", &Value::from(SECRETS[0]));
    assert_eq!(shown["password"], json!({"$secret": expected.to_string()}));

    let yes = Decision::approve(person("bob"), second(1));
    workflow.decide(&id("login"), yes).unwrap();
    assert_hidden(format!("{workflow:?} {}", everything(&workflow)).as_bytes());
    assert_hidden(&bytes(&dir));
    workflow.close().unwrap();
    assert_hidden(&bytes(&dir));

    let workflow = open(&dir);
    let other = login().with_parameter("password", "hunter3-hunter3");
    let answer = workflow.can_execute(&id("login"), &other, second(2));
    assert_eq!(answer, Permission::Denied(DenyReason::ActionChanged));
    let shown = workflow
        .get(&id("login"))
        .unwrap()
        .unwrap()
        .submission
        .action
        .clone();
    let answer = workflow.can_execute(&id("login"), &shown, second(2));
    assert_eq!(answer, Permission::Denied(DenyReason::ActionChanged));
    workflow
        .claim(&id("login"), Use::new(login(), person("x"), second(2)))
        .unwrap();

    let (text, _) = workflow.export_bundle(&id("login")).unwrap().unwrap();
    assert_hidden(text.as_bytes());
    let verified = verify_bundle(&text, None).unwrap();
    assert_eq!(verified.request.submission.digest, digest);
    workflow.close().unwrap();
    assert_hidden(&bytes(&dir));
    let without = ApprovalWorkflow::options()
        .secret_key(KEY)
        .without_snapshots();
    let workflow = without.open(dir.path(), policy()).unwrap();
    assert_eq!(
        workflow.get(&id("login")).unwrap().unwrap().uses().count(),
        1
    );
}

#[test]
fn equal_secrets_of_different_actions_do_not_look_alike() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let shown = |name: &str| {
        let action = action("accounts/x").with_parameter("password", SECRETS[0]);
        let action = action.with_parameter("user", name);
        let new = NewRequest::new(action, person("agent-7"), second(0));
        let asked = workflow.request(new).unwrap();
        asked.submission.action.parameters["password"].clone()
    };
    assert_ne!(shown("alice"), shown("bob"));
}

#[test]
fn a_secret_that_also_stands_in_the_clear_is_refused() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let refused = |new: NewRequest| match workflow.request(new).unwrap_err() {
        Error::SecretRepeated { name } => assert_eq!(name, "password"),
        error => panic!("{error}"),
    };
    let action = || action("accounts/x").with_parameter("password", SECRETS[0]);
    let new = |action| NewRequest::new(action, person("agent-7"), second(0));
    let told = format!("log in with {}", SECRETS[0]);
    refused(new(action().with_description(told.clone())));
    refused(new(
        action().with_parameter("command", json!(["sh", { "c": told }]))
    ));
    refused(new(
        action().with_parameter("by name", json!({ SECRETS[0]: 1 }))
    ));
    refused(new(action()).with_context("note", told));
    let binding = Binding::default().with_read("accounts", SECRETS[0]);
    let bound = workflow.request(new(action()).bound_to(binding));
    assert!(matches!(bound, Err(Error::SecretRepeated { .. })));
    assert_hidden(&bytes(&dir));
}

#[test]
fn without_a_key_nothing_secret_is_taken() {
    let dir = tempdir().unwrap();
    let opened = ApprovalWorkflow::open(dir.path(), policy());
    assert!(matches!(opened, Err(Error::SecretKeyMissing { name }) if name == "password"));
    let workflow = ApprovalWorkflow::open(dir.path(), Policy::default()).unwrap();
    let refused = workflow.request(new()).unwrap_err();
    assert!(matches!(refused, Error::SecretKeyMissing { name } if name == "token"));
    // Nothing of that name is there, so nothing is to be hidden.
    workflow
        .request(ask("payments/refund").with_secret("token"))
        .unwrap();
}
