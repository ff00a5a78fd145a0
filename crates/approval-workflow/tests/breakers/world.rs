//! An approval holds for the world in which it was given.

use approval_workflow::{
    Binding, Decision, DenyReason, Error, NewRequest, PlanDigest, RequestId, StepProof, Use,
};

use crate::support::{Gate, action, at, gate, person};

fn approved(gate: &Gate, path: &str, binding: Binding) -> RequestId {
    let new = NewRequest::new(action(path), person("agent"), at(0));
    let request = gate.workflow.request(new.bound_to(binding)).unwrap();
    let id = request.submission.id.clone();
    let yes = Decision::approve(person("alice"), at(1));
    gate.workflow.decide(&id, yes).unwrap();
    id
}

fn claim(gate: &Gate, id: &RequestId, wanted: Use) -> Result<(), DenyReason> {
    match gate.workflow.claim(id, wanted) {
        Ok(_) => Ok(()),
        Err(Error::NotExecutable { reason, .. }) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

fn seeing(path: &str, now: Binding) -> Use {
    Use::new(action(path), person("executor"), at(2)).seeing(now)
}

/// <https://github.com/HKUDS/nanobot/issues/4790>: a path was checked with its links followed and then
/// opened anew, so that a link exchanged in between led out of the workspace.
#[test]
fn a_link_that_was_exchanged_after_the_approval_is_noticed() {
    let gate = gate();
    let target = |to: &str| Binding::default().with_read("link:notes.txt", to);
    let id = approved(&gate, "files/write", target("/workspace/a.txt"));
    let exchanged = seeing("files/write", target("/etc/passwd"));
    assert_eq!(claim(&gate, &id, exchanged), Err(DenyReason::ReadsChanged));
    let unsaid = seeing("files/write", Binding::default());
    assert_eq!(claim(&gate, &id, unsaid), Err(DenyReason::ReadsChanged));
    let same = seeing("files/write", target("/workspace/a.txt"));
    assert_eq!(claim(&gate, &id, same), Ok(()));
}

/// <https://github.com/hashicorp/terraform/issues/4055>: a plan was applied to a state that had changed
/// since the plan was made.
#[test]
fn a_plan_for_another_state_is_not_applied() {
    let gate = gate();
    let steps = [action("dns/add").digest().unwrap()];
    let made_for = |serial: &str| {
        let binding = Binding::default().with_plan(PlanDigest::of(&steps));
        binding.with_read("state serial", serial)
    };
    let id = approved(&gate, "dns/add", made_for("7"));
    let later = seeing("dns/add", made_for("9"));
    assert_eq!(claim(&gate, &id, later), Err(DenyReason::ReadsChanged));
}

/// <https://github.com/hashicorp/terraform/issues/27721>: the same plan could be executed several times
/// and made everything anew.
#[test]
fn a_step_of_a_plan_runs_once() {
    let gate = gate_of_steps();
    let paths = ["vpc/create", "vpc/tag"];
    let steps = paths.map(|path| action(path).digest().unwrap());
    let plan = Binding::default().with_plan(PlanDigest::of(&steps));
    let id = approved(&gate, paths[0], plan);
    let step = |number: usize| {
        let proof = StepProof::new(&steps, number).unwrap();
        seeing(paths[number], Binding::default()).as_step(proof)
    };
    assert_eq!(claim(&gate, &id, step(0)), Ok(()));
    assert_eq!(claim(&gate, &id, step(0)), Err(DenyReason::PlanChanged));
    assert_eq!(claim(&gate, &id, step(1)), Ok(()));
    assert_eq!(claim(&gate, &id, step(1)), Err(DenyReason::Claimed));
}

fn gate_of_steps() -> Gate {
    crate::support::gate_with("[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nuses = 2")
}

/// <https://github.com/go-gitea/gitea/issues/8439>: commits were added to what had been approved, and it
/// stayed approved.
#[test]
fn what_was_added_after_the_approval_is_not_approved() {
    let gate = gate();
    let commits = ["commits/a1", "commits/b2", "commits/c3"];
    let digests = commits.map(|path| action(path).digest().unwrap());
    let shown = Binding::default().with_plan(PlanDigest::of(&digests[..2]));
    let id = approved(&gate, "pulls/merge", shown.clone());
    let longer = Binding::default().with_plan(PlanDigest::of(&digests));
    let merge = seeing("pulls/merge", longer.clone());
    assert_eq!(claim(&gate, &id, merge), Err(DenyReason::PlanChanged));
    let proof = StepProof::new(&digests, 2).unwrap();
    let added = seeing("commits/c3", longer).as_step(proof);
    assert_eq!(claim(&gate, &id, added), Err(DenyReason::PlanChanged));
    let merge = seeing("pulls/merge", shown);
    assert_eq!(claim(&gate, &id, merge), Ok(()));
}
