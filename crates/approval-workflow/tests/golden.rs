//! An approval log with a request of every fate, its snapshot, bundles and digests, as an earlier
//! build wrote them: read exactly, and written again byte for byte.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use std::path::Path;
use std::sync::Arc;

use action::{Action, ActionDigest, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Binding, Claim, Decision, Directory, EffectsDigest, EmergencyApproval,
    EmergencyReview, IdempotencyKey, NewRequest, OneTimeCode, PersonId, PlanDigest, Policy,
    Receipt, ReceiptOutcome, ReportDigest, Request, RequestId, ReviewStatement, Rulebook,
    Signature, SnapshotFault, SnapshotUse, StepProof, Timestamp, Use, request_digest,
    secret_digest, verify_bundle,
};
use ed25519_dalek::{Signer as _, SigningKey};
use jsonl_storage::FsBackend;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const SECRET_KEY: [u8; 32] = [9; 32];
/// The code of RFC 6238, appendix B, at second 1,234,567,890.
const CODE: &str = "005924";

/// Seconds after that moment.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_234_567_890 + seconds) * 1_000_000)
}

fn text(name: &str) -> String {
    String::from_utf8(golden::read(name)).unwrap()
}

fn policy() -> Policy {
    Policy::from_toml(&text("policy.toml")).unwrap()
}

/// Bob's, whose public key is in the policy.
fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn open(dir: &Path) -> ApprovalWorkflow {
    let directory: Directory = toml::from_str(&text("directory.toml")).unwrap();
    let options = ApprovalWorkflow::options().directory(directory);
    // Version 1 of the log's format, which states no identity.
    let backend = FsBackend::create(dir).unwrap().without_identity();
    let options = options.secret_key(SECRET_KEY).clock(|| at(0));
    options.open_on(Arc::new(backend), policy()).unwrap()
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

fn action(path: &str) -> Action {
    Action::new(ActionPath::new(path).unwrap(), "Do it").with_parameter("amount", 12.5)
}

fn new(id_text: &str, path: &str) -> NewRequest {
    NewRequest::new(action(path), person("agent-7"), at(0)).with_id(id(id_text))
}

fn yes(name: &str) -> Decision {
    Decision::approve(person(name), at(10)).with_reason("checked: \"A-17\" \u{1f980}")
}

fn steps() -> Vec<ActionDigest> {
    let paths = ["batches/one", "batches/two", "reports/daily"];
    paths.map(|path| action(path).digest().unwrap()).to_vec()
}

fn binding() -> Binding {
    Binding::default()
        .with_plan(PlanDigest::of(&steps()))
        .with_report(ReportDigest::from_bytes([1; 32]))
        .with_effects(EffectsDigest::from_bytes([2; 32]))
        .with_read("orders/17", "v4")
}

fn login() -> NewRequest {
    let action = action("accounts/login")
        .with_parameter("password", "hunter2-hunter2")
        .with_parameter(
            "steps",
            json!([{ "Card": 4_111_111_111_111_111_u64 }, "twice"]),
        );
    NewRequest::new(action, person("agent-7"), at(0))
        .with_id(id("secrets"))
        .with_secret("token")
        .with_context("token", "token-991")
}

// What the rest of the file calls, so that a change of the interface is made here.

fn request(workflow: &ApprovalWorkflow, new: NewRequest) {
    workflow.request(new).unwrap();
}

fn request_bound(workflow: &ApprovalWorkflow, new: NewRequest, key: Option<&IdempotencyKey>) {
    let mut new = new.bound_to(binding());
    new.key = key.cloned();
    workflow.request(new).unwrap();
}

fn decide(workflow: &ApprovalWorkflow, of: &str, decision: Decision) {
    workflow.decide(&id(of), decision).unwrap();
}

fn sign(workflow: &ApprovalWorkflow, of: &str, decision: Decision) -> Decision {
    let request = workflow.get(&id(of)).unwrap().unwrap();
    let statement = ReviewStatement::new(&request.submission, &decision);
    let signature = signing_key().sign(&statement.to_bytes());
    decision.with_signature(Signature::from_bytes(signature.to_bytes()))
}

fn claim(workflow: &ApprovalWorkflow, of: &str, path: &str) -> Claim {
    let wanted = Use::new(action(path), person("executor"), at(30));
    workflow.claim(&id(of), wanted).unwrap()
}

fn finish(workflow: &ApprovalWorkflow, claim: Claim, outcome: ReceiptOutcome) {
    let receipt = Receipt {
        id: claim.id,
        at: at(40),
        token: claim.token,
        outcome,
        observed: "seen\tit".to_owned(),
    };
    workflow.finish(receipt).unwrap();
}

/// One request of every fate, each under a name that says which.
fn fill(workflow: &ApprovalWorkflow) {
    settled_by_policy(workflow);
    decided(workflow);
    used(workflow);
    given_up(workflow);
    in_an_emergency(workflow);
}

fn settled_by_policy(workflow: &ApprovalWorkflow) {
    let refund = |id: &str, cents: u64| {
        let mut new = new(id, "payments/refund");
        new.action = new.action.with_parameter("cents", cents);
        new.action = new.action.with_parameter("currency", "EUR");
        new.with_context(
            "simulation",
            json!({ "outcome": "success", "n": [1, 2.5, null] }),
        )
    };
    request(workflow, refund("granted", 4999));
    request(workflow, refund("too-large", 5000));
    request(workflow, new("not-sensitive", "reports/daily"));
    request(workflow, new("denied-by-rule", "shell/run"));
    request(workflow, new("uncovered", "nobody/knows"));
    // Without a name of its own it gets one.
    let unnamed = NewRequest::new(action("batches/one"), person("agent-8"), at(1));
    request(workflow, unnamed);
    request(workflow, login());
}

fn decided(workflow: &ApprovalWorkflow) {
    request(workflow, new("two-people", "db/migrate"));
    decide(
        workflow,
        "two-people",
        sign(workflow, "two-people", yes("bob")),
    );
    decide(workflow, "two-people", yes("carol"));

    request(workflow, new("denied", "db/drop"));
    let no = Decision::deny(person("bob"), at(11)).with_reason("no");
    decide(workflow, "denied", sign(workflow, "denied", no));

    request(workflow, new("by-delegate", "batches/one"));
    let principal = person("alice");
    let voted = workflow.decide(
        &id("by-delegate"),
        yes("dave").on_behalf_of(principal.clone()),
    );
    voted.unwrap();

    request(workflow, new("second-factor", "keys/rotate"));
    let with_code = |code| {
        let mut decision = yes("alice").with_second_factor(OneTimeCode::new(code));
        decision.at = at(0);
        workflow.decide(&id("second-factor"), decision)
    };
    assert!(with_code("000000").is_err(), "it is recorded all the same");
    with_code(CODE).unwrap();

    request(workflow, new("escalated", "db/check"));
    let raised = workflow.escalate(&id("escalated"), person("carol"), "urgent", at(12));
    raised.unwrap();

    let once = workflow.request(new("once", "payments/pay").with_key(key("key-of-a-request")));
    once.unwrap();
    let once = workflow.decide(&id("once"), yes("carol").with_key(key("key-of-a-vote")));
    once.unwrap();
}

fn used(workflow: &ApprovalWorkflow) {
    for (name, outcome) in [
        ("succeeded", Some(ReceiptOutcome::Succeeded)),
        ("failed", Some(ReceiptOutcome::Failed)),
        ("indeterminate", Some(ReceiptOutcome::Indeterminate)),
        ("in-use", None),
    ] {
        request(workflow, new(name, "nobody/knows"));
        decide(workflow, name, yes("carol"));
        let claimed = claim(workflow, name, "nobody/knows");
        if let Some(outcome) = outcome {
            finish(workflow, claimed, outcome);
        }
    }
    request(workflow, new("used-twice", "batches/one"));
    decide(workflow, "used-twice", yes("carol"));
    let first = claim(workflow, "used-twice", "batches/one");
    finish(workflow, first, ReceiptOutcome::Succeeded);
    let second = workflow.claim(
        &id("used-twice"),
        Use::new(action("batches/one"), person("executor"), at(31)).with_key(key("key-of-a-claim")),
    );
    finish(workflow, second.unwrap(), ReceiptOutcome::Failed);

    request_bound(workflow, new("bound", "batches/one"), Some(&key("bound")));
    decide(workflow, "bound", yes("carol"));
    let step = Use::new(action("batches/two"), person("executor"), at(32));
    let step = step
        .seeing(binding())
        .as_step(StepProof::new(&steps(), 1).unwrap());
    let claimed = workflow.claim(&id("bound"), step).unwrap();
    finish(workflow, claimed, ReceiptOutcome::Succeeded);
}

fn given_up(workflow: &ApprovalWorkflow) {
    request(workflow, new("withdrawn", "nobody/knows"));
    let withdrawn = workflow.withdraw(&id("withdrawn"), person("agent-7"), at(20));
    withdrawn.unwrap();

    request(workflow, new("superseded", "nobody/knows"));
    let successor = new("successor", "batches/two");
    workflow
        .request(successor.superseding(id("superseded")))
        .unwrap();

    request(workflow, new("revoked", "nobody/knows"));
    decide(workflow, "revoked", yes("carol"));
    let revoked = workflow.revoke(&id("revoked"), person("carol"), "no longer", at(21));
    revoked.unwrap();

    request(workflow, new("expired", "payments/refund"));
    // Each in a commit of its own: of the one a late decision notices it.
    let late = Decision {
        at: at(60),
        ..yes("carol")
    };
    assert!(workflow.decide(&id("too-large"), late).is_err());
    assert_eq!(workflow.expire_due(at(60)).unwrap(), 1);
}

fn in_an_emergency(workflow: &ApprovalWorkflow) {
    for name in ["glass", "glass-attested"] {
        request(workflow, new(name, "db/restart"));
        let broken = workflow.break_glass(
            &id(name),
            EmergencyApproval::new(person("alice"), "site down", at(22)),
        );
        broken.unwrap();
    }
    let attested = workflow.attest(
        &id("glass-attested"),
        EmergencyReview::new(person("carol"), "was right", at(50)),
    );
    attested.unwrap();
}

/// What a workflow says of each request, a line each.
fn said(workflow: &ApprovalWorkflow) -> String {
    let mut requests: Vec<Request> = workflow
        .requests()
        .map(Result::unwrap)
        .map(|request| (*request).clone())
        .collect();
    requests.sort_by(|one, other| one.submission.id.as_str().cmp(other.submission.id.as_str()));
    let line = |request: &Request| {
        let asked = &request.submission;
        json!({
            "id": asked.id,
            "status": request.status(at(100)),
            "uses_left": request.uses_left(),
            "owes_review": request.owes_review(),
            "request_digest": request_digest(request).to_string(),
            "action_digest": asked.digest,
        })
    };
    let lines = requests
        .iter()
        .map(|request| format!("{}\n", line(request)));
    let statistics = json!({ "statistics": workflow.statistics(at(100)) });
    lines.chain([format!("{statistics}\n")]).collect()
}

/// Written anew; the snapshot is of the close.
fn written() -> TempDir {
    let dir = tempdir().unwrap();
    let workflow = open(dir.path());
    fill(&workflow);
    workflow.close().unwrap();
    dir
}

fn stored() -> TempDir {
    let dir = tempdir().unwrap();
    golden::copy_folder("log", dir.path());
    dir
}

/// Takes the snapshot out of a directory.
fn take_snapshot(dir: &Path) -> Vec<u8> {
    let path = dir.join("approvals.snapshot");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}

#[test]
fn golden_a_log_of_every_event_is_written_byte_for_byte() {
    let dir = written();
    take_snapshot(dir.path());
    golden::assert_folder("log", dir.path());
}

#[test]
fn golden_a_stored_log_says_what_it_said() {
    let dir = stored();
    let workflow = open(dir.path());
    golden::assert_file("said.jsonl", said(&workflow).as_bytes());
    let checkpoint = workflow.checkpoint("example.com/golden").unwrap();
    golden::assert_file("checkpoint.txt", checkpoint.text().as_bytes());
}

/// Opens the stored log with a stored snapshot.
fn with_snapshot(name: &str) -> (TempDir, ApprovalWorkflow) {
    let dir = stored();
    let path = dir.path().join("approvals.snapshot");
    std::fs::write(path, golden::read(name)).unwrap();
    let workflow = open(dir.path());
    (dir, workflow)
}

#[test]
fn golden_a_stored_snapshot_is_believed_and_says_the_same() {
    let (_dir, workflow) = with_snapshot("approvals_v2.snapshot");
    let opening = workflow.opening();
    assert!(
        matches!(opening.snapshot, SnapshotUse::Used { .. }),
        "{opening:?}"
    );
    assert_eq!(opening.replayed, 0);
    golden::assert_file("said.jsonl", said(&workflow).as_bytes());
}

/// A snapshot of the version before had no key: the log is read instead.
#[test]
fn golden_a_stored_snapshot_without_a_key_is_not_believed_and_the_log_says_the_same() {
    let (_dir, workflow) = with_snapshot("approvals.snapshot");
    let ignored = SnapshotUse::Ignored(SnapshotFault::OtherVersion);
    assert_eq!(workflow.opening().snapshot, ignored);
    golden::assert_file("said.jsonl", said(&workflow).as_bytes());
}

#[test]
fn golden_a_snapshot_is_written_byte_for_byte_but_for_the_order_of_its_tables() {
    let snapshot = take_snapshot(written().path());
    if !golden::path("approvals_v2.snapshot").exists() {
        golden::assert_file("approvals_v2.snapshot", &snapshot);
    }
    let stored = golden::read("approvals_v2.snapshot");
    assert_eq!(parts(&stored), parts(&snapshot));
}

/// The parts of a snapshot in hexadecimal, a line each; the slots and the keys, which have no order in
/// the file, are sorted, and the digest is checked instead of shown.
fn parts(snapshot: &[u8]) -> String {
    let (content, digest) = snapshot.split_at(snapshot.len() - 32);
    let key = blake3::derive_key("proofload 2026-11 approval snapshot key v1", &SECRET_KEY);
    assert_eq!(digest, blake3::keyed_hash(&key, content).as_bytes());
    let head_end = content.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (head, mut rest) = content.split_at(head_end);
    let numbers: Value = serde_json::from_slice(head).unwrap();
    let number = |name: &str| numbers[name].as_u64().unwrap() as usize;
    let (requests, events, keys) = (number("requests"), number("events"), number("keys"));
    let mut take = |bytes: usize| {
        let (taken, after) = rest.split_at(bytes);
        rest = after;
        taken
    };
    let mut text = String::from_utf8(head.to_vec()).unwrap();
    for _ in 0..requests {
        let length = take(1)[0];
        text += &format!("id {}\n", str::from_utf8(take(length.into())).unwrap());
    }
    let sorted = |what: &str, bytes: &[u8], each: usize| -> String {
        let mut lines: Vec<String> = bytes.chunks_exact(each).map(hex).collect();
        lines.sort();
        lines
            .iter()
            .map(|line| format!("{what} {line}\n"))
            .collect()
    };
    text += &sorted("slot", take(requests * 52), 52);
    text += &format!("newest {}\n", hex(take(requests * 8)));
    text += &format!("status {}\n", hex(take(requests)));
    text += &format!("back {}\n", hex(take(events * 4)));
    text += &sorted("key", take(keys * 40), 40);
    assert_eq!(rest, b"");
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of a signature, a binding, a secret, two uses, and an emergency.
const BUNDLES: [&str; 5] = [
    "two-people",
    "bound",
    "secrets",
    "used-twice",
    "glass-attested",
];

#[test]
fn golden_bundles_are_exported_byte_for_byte_and_verify() {
    let dir = stored();
    let workflow = open(dir.path());
    let mut digests = String::new();
    for name in BUNDLES {
        let (bundle, digest) = workflow.export_bundle(&id(name)).unwrap().unwrap();
        let file = format!("bundle_{}.jsonl", name.replace('-', "_"));
        golden::assert_file(&file, bundle.as_bytes());
        let verified = verify_bundle(&text(&file), Some(&digest)).unwrap();
        assert_eq!(
            verified.request,
            *workflow.get(&id(name)).unwrap().unwrap(),
            "{name}"
        );
        digests += &format!("{name} {digest}\n");
    }
    golden::assert_file("bundle_digests.txt", digests.as_bytes());
}

/// As digests: the lines repeat those of the log.
#[test]
fn golden_requests_decisions_and_trail_are_exported_byte_for_byte() {
    let dir = stored();
    let workflow = open(dir.path());
    let to = tempdir().unwrap();
    workflow.export_jsonl(to.path()).unwrap();
    let digest = |name| {
        let bytes = std::fs::read(to.path().join(name)).unwrap();
        format!("{name} {}\n", blake3::hash(&bytes))
    };
    let digests = ["requests.jsonl", "decisions.jsonl", "audit_trail.jsonl"].map(digest);
    golden::assert_file("export_digests.txt", digests.concat().as_bytes());
}

#[test]
fn golden_the_policy_and_all_digests_are_as_stored() {
    let json = format!("{}\n", serde_json::to_string_pretty(&policy()).unwrap());
    golden::assert_file("policy.json", json.as_bytes());
    let read: Policy = serde_json::from_str(&text("policy.json")).unwrap();
    assert_eq!(read, policy());

    let login = login().action;
    let digest = login.digest().unwrap();
    let secret = |name, value: Value| secret_digest(&SECRET_KEY, &digest, name, &value);
    let proof = StepProof::new(&steps(), 1).unwrap();
    assert!(proof.verify(&PlanDigest::of(&steps()), &steps()[1]));
    let lines = [
        format!("policy {}", Rulebook::new(policy()).unwrap().digest()),
        format!(
            "policy_without_rules {}",
            Rulebook::new(Policy::default()).unwrap().digest()
        ),
        format!("plan {}", PlanDigest::of(&steps())),
        format!("plan_of_one {}", PlanDigest::of(&steps()[..1])),
        format!("plan_of_none {}", PlanDigest::of(&[])),
        format!("proof {}", serde_json::to_string(&proof).unwrap()),
        format!("binding {}", serde_json::to_string(&binding()).unwrap()),
        format!("secret {}", secret("password", "hunter2-hunter2".into())),
        format!(
            "secret_number {}",
            secret("card", 4_111_111_111_111_111_u64.into())
        ),
    ];
    golden::assert_file("digests.txt", format!("{}\n", lines.join("\n")).as_bytes());
}

/// Policies are digested as they are written out, so a time in one has one spelling.
#[test]
fn golden_times_in_a_policy_are_read_and_written_out_as_stored() {
    let spellings = [
        "90s",
        "15m",
        "4h",
        "7d",
        "1h30m",
        "1500ms",
        "1d2h3m4s5ms",
        "36h",
        "60m",
        "0090s",
        "1ms",
        "365d",
        "30m1h",
    ];
    let written = spellings.map(|spelling| {
        let toml = format!("[default]\nsensitivity = \"high\"\nexpiry = \"{spelling}\"\n");
        let policy = Policy::from_toml(&toml).unwrap();
        let json = serde_json::to_value(&policy).unwrap();
        let digest = Rulebook::new(policy).unwrap().digest();
        format!("{spelling} {} {digest}\n", json["default"]["expiry"])
    });
    golden::assert_file("times.txt", written.concat().as_bytes());
}

#[test]
fn golden_the_statement_that_a_reviewer_signs_is_as_stored() {
    let dir = stored();
    let workflow = open(dir.path());
    let mut statements = Vec::new();
    for name in ["two-people", "bound"] {
        let request = workflow.get(&id(name)).unwrap().unwrap();
        for decision in [yes("dave"), yes("dave").on_behalf_of(person("alice"))] {
            let statement = ReviewStatement::new(&request.submission, &decision);
            statements.extend(statement.to_bytes());
            statements.push(b'\n');
        }
    }
    golden::assert_file("statements.jsonl", &statements);
}
