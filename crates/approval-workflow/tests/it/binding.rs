use action::ActionDigest;
use approval_workflow::{
    ApprovalWorkflow, Binding, Claim, Decision, DenyReason, EffectsDigest, Error, IdempotencyKey,
    NewRequest, PlanDigest, ReportDigest, RequestId, StepProof, Use,
};
use tempfile::tempdir;

use crate::support::{action, ask, everything, open, person, second};

fn world() -> Binding {
    Binding::default()
        .with_plan(PlanDigest::of(&steps()))
        .with_report(ReportDigest::from_bytes([1; 32]))
        .with_effects(EffectsDigest::from_bytes([2; 32]))
        .with_read("orders/17", "v4")
        .with_read("orders/18", "v1")
}

const STEPS: [&str; 4] = [
    "payments/refund",
    "payments/notify",
    "reports/daily",
    "keys/rotate",
];

fn steps() -> Vec<ActionDigest> {
    STEPS.map(|path| action(path).digest().unwrap()).to_vec()
}

fn approved(workflow: &ApprovalWorkflow, binding: Binding) -> RequestId {
    let new = ask("payments/refund");
    let request = workflow.request(new.bound_to(binding)).unwrap();
    let id = request.submission.id.clone();
    let yes = Decision::approve(person("alice"), second(1)).with_reason("simulated");
    workflow.decide(&id, yes).unwrap();
    id
}

fn wanted(path: &str) -> Use {
    Use::new(action(path), person("executor"), second(2))
}

fn reason(result: Result<Claim, Error>) -> Option<DenyReason> {
    match result {
        Ok(_) => None,
        Err(Error::NotExecutable { reason, .. }) => Some(reason),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_claim_in_another_world_is_refused_and_told_what_differs() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = approved(&workflow, world());
    let before = everything(&workflow);
    let other_plan = PlanDigest::of(&steps()[..2]);
    let mut one_read_only = world();
    one_read_only.reads.remove("orders/18");
    for (now, expected) in [
        (Binding::default(), DenyReason::PlanChanged),
        (world().with_plan(other_plan), DenyReason::PlanChanged),
        (
            world().with_report(ReportDigest::from_bytes([9; 32])),
            DenyReason::ReportChanged,
        ),
        (
            world().with_effects(EffectsDigest::from_bytes([9; 32])),
            DenyReason::EffectsChanged,
        ),
        (
            world().with_read("orders/17", "v5"),
            DenyReason::ReadsChanged,
        ),
        (one_read_only, DenyReason::ReadsChanged),
    ] {
        let claim = workflow.claim(&id, wanted("payments/refund").seeing(now.clone()));
        assert_eq!(reason(claim), Some(expected), "{now:?}");
    }
    // Who shows nothing gets nothing.
    let blind = workflow.claim(
        &id,
        Use::new(action("payments/refund"), person("x"), second(2)),
    );
    assert_eq!(reason(blind), Some(DenyReason::PlanChanged));
    assert_eq!(everything(&workflow), before, "no refusal leaves a trace");
    // More than was asked for may have been read.
    let now = world().with_read("orders/19", "v1");
    let claim = workflow.claim(&id, wanted("payments/refund").seeing(now.clone()));
    assert_eq!(claim.unwrap().seen, now);
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
}

#[test]
fn a_step_is_covered_by_the_approval_of_its_plan_only_with_its_proof_and_on_its_terms() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let plan = Binding::default().with_plan(PlanDigest::of(&steps()));
    let id = approved(&workflow, plan);
    let proof = |step| StepProof::new(&steps(), step).unwrap();
    let claim = |path, step| reason(workflow.claim(&id, wanted(path).as_step(proof(step))));
    assert_eq!(claim("payments/other", 1), Some(DenyReason::PlanChanged));
    assert_eq!(claim("payments/notify", 0), Some(DenyReason::PlanChanged));
    assert_eq!(
        claim("keys/rotate", 3),
        Some(DenyReason::StepNotCovered),
        "critical, in a plan that was approved as high"
    );
    let without = workflow.claim(&id, wanted("payments/notify"));
    assert_eq!(reason(without), Some(DenyReason::ActionChanged));
    assert_eq!(claim("payments/notify", 1), None);

    let unplanned = approved(&workflow, Binding::default());
    let claim = workflow.claim(&unplanned, wanted("payments/notify").as_step(proof(1)));
    assert_eq!(reason(claim), Some(DenyReason::PlanChanged));
}

#[test]
fn a_key_repeats_a_bound_request_and_a_bound_claim_but_not_another_one() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let [ask_key, claim_key] = ["a", "c"].map(|text| IdempotencyKey::new(text).unwrap());
    let new = || NewRequest::new(action("reports/daily"), person("agent"), second(0));
    let first = workflow.request(new().bound_to(world()).with_key(ask_key.clone()));
    let first = first.unwrap();
    let again = workflow.request(new().bound_to(world()).with_key(ask_key.clone()));
    assert_eq!(again.unwrap(), first);
    let other = world().with_read("orders/17", "v9");
    let conflict = workflow.request(new().bound_to(other.clone()).with_key(ask_key.clone()));
    assert!(matches!(conflict, Err(Error::KeyConflict { .. })));

    let id = &first.submission.id;
    let run = |now| {
        let wanted = wanted("reports/daily").seeing(now);
        workflow.claim(id, wanted.with_key(claim_key.clone()))
    };
    let claim = run(world()).unwrap();
    assert_eq!(run(other).unwrap(), claim, "the world has gone on since");
}

#[test]
fn a_read_set_that_could_not_be_shown_or_is_too_large_is_refused() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for (key, version) in [("a\u{0}", "1"), ("a", "\u{202e}1")] {
        let binding = Binding::default().with_read(key, version);
        let result = workflow.request(ask("reports/daily").bound_to(binding));
        assert!(matches!(result, Err(Error::Text { .. })), "{result:?}");
    }
    let binding = Binding::default().with_read("a", "1".repeat(1 << 20));
    let result = workflow.request(ask("reports/daily").bound_to(binding));
    assert!(matches!(result, Err(Error::TooLarge { .. })), "{result:?}");
    assert_eq!(workflow.requests().map(Result::unwrap).count(), 0);
}

#[test]
fn each_step_of_a_plan_is_good_for_one_use() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let steps = ["batches/a", "batches/b"].map(|path| action(path).digest().unwrap());
    let plan = Binding::default().with_plan(PlanDigest::of(&steps));
    let request = workflow.request(ask("batches/night").bound_to(plan));
    let id = request.unwrap().submission.id.clone();
    let yes = Decision::approve(person("alice"), second(1));
    workflow.decide(&id, yes).unwrap();
    let claim = |path, step| {
        let proof = StepProof::new(&steps, step).unwrap();
        reason(workflow.claim(&id, wanted(path).as_step(proof)))
    };
    assert_eq!(claim("batches/b", 1), None);
    assert_eq!(claim("batches/b", 1), Some(DenyReason::PlanChanged));
    assert_eq!(claim("batches/a", 0), None);
    assert_eq!(workflow.get(&id).unwrap().unwrap().uses_left(), 1);
}
