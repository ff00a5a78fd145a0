//! Another policy, and other reviewers, while the workflow is open.

use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Directory, Error, Permission, Policy, RequestId, Use,
};
use tempfile::tempdir;

use crate::support::{action, ask, options, person, second, together};

fn policy(text: &str) -> Policy {
    Policy::from_toml(text).unwrap()
}

const HIGH: &str = "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"";
const CRITICAL: &str = "[[rules]]\npattern = \"**\"\nsensitivity = \"critical\"";

fn approved(workflow: &ApprovalWorkflow) -> RequestId {
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = request.submission.id.clone();
    let yes = Decision::approve(person("alice"), second(1));
    workflow.decide(&id, yes).unwrap();
    id
}

fn can(workflow: &ApprovalWorkflow, id: &RequestId) -> Permission {
    workflow.can_execute(id, &action("payments/refund"), second(2))
}

#[test]
fn another_policy_shuts_what_the_one_before_had_open_and_the_same_opens_it_again() {
    let dir = tempdir().unwrap();
    // Of what is settled nothing is held, so that it is read from the log.
    let options = options().held_requests(0);
    let workflow = options.open(dir.path(), policy(HIGH)).unwrap();
    let ids: Vec<_> = (0..600).map(|_| approved(&workflow)).collect();
    workflow.replace_policy(policy(CRITICAL), None).unwrap();
    for id in &ids {
        let denied = Permission::Denied(DenyReason::PolicyChanged);
        assert_eq!(can(&workflow, id), denied);
    }
    assert_eq!(workflow.rulebook().policy(), &policy(CRITICAL));
    let refused = workflow.claim(
        &ids[0],
        Use::new(action("payments/refund"), person("x"), second(2)),
    );
    assert!(matches!(refused, Err(Error::NotExecutable { .. })));
    workflow.replace_policy(policy(HIGH), None).unwrap();
    assert!(ids.iter().all(|id| can(&workflow, id).is_allowed()));
}

#[test]
fn a_reviewer_who_leaves_the_directory_leaves_the_approvals_too() {
    let dir = tempdir().unwrap();
    let both: Directory = toml::from_str("reviewers.alice = {}\nreviewers.bob = {}").unwrap();
    let bob: Directory = toml::from_str("reviewers.bob = {}").unwrap();
    let options = options().directory(both);
    let workflow = options.open(dir.path(), policy(HIGH)).unwrap();
    let id = approved(&workflow);
    workflow.replace_policy(policy(HIGH), Some(&bob)).unwrap();
    let denied = Permission::Denied(DenyReason::ReviewersChanged);
    assert_eq!(can(&workflow, &id), denied);
    let yes = Decision::approve(person("alice"), second(1));
    let other = workflow.request(ask("payments/refund")).unwrap();
    let refused = workflow.decide(&other.submission.id, yes);
    assert!(matches!(refused, Err(Error::UnknownReviewer { .. })));
    // What could not work replaces nothing.
    let nobody: Directory = toml::from_str("reviewers = {}").unwrap();
    let finance =
        "[default]\nsensitivity = \"high\"\nrequires.at_least = { people = 1, of = \"finance\" }";
    assert!(
        workflow
            .replace_policy(policy(finance), Some(&nobody))
            .is_err()
    );
    assert_eq!(workflow.rulebook().policy(), &policy(HIGH));
}

#[test]
fn while_policies_change_no_approval_is_used_twice_or_under_the_wrong_one() {
    let dir = tempdir().unwrap();
    let workflow = options().open(dir.path(), policy(HIGH)).unwrap();
    let claims = together(4, |thread| {
        if thread == 0 {
            for turn in 0..20 {
                let text = if turn % 2 == 0 { CRITICAL } else { HIGH };
                workflow.replace_policy(policy(text), None).unwrap();
            }
            return Vec::new();
        }
        let ids = (0..40).map(|_| approved(&workflow));
        ids.collect()
    });
    let ids: Vec<_> = claims.into_iter().flatten().collect();
    workflow.replace_policy(policy(HIGH), None).unwrap();
    for id in &ids {
        let request = workflow.get(id).unwrap().unwrap();
        let made_under_it = request.submission.policy == workflow.rulebook().digest();
        assert_eq!(can(&workflow, id).is_allowed(), made_under_it);
        let claim = || {
            let wanted = Use::new(action("payments/refund"), person("x"), second(2));
            workflow.claim(id, wanted).is_ok()
        };
        assert_eq!((claim(), claim()), (made_under_it, false));
    }
}
