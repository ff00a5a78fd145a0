use approval_workflow::{
    ApprovalWorkflow, DenyReason, Directory, EmergencyApproval, EmergencyReview, Error, Page,
    Permission, Policy, RequestId, Status, Use,
};
use tempfile::{TempDir, tempdir};

use crate::support::{action, ask, everything, person, second};

const POLICY: &str = r#"
    [[rules]]
    pattern = "db/**"
    sensitivity = "critical"
    requires.at_least.people = 2
    break_glass = ["oncall"]
"#;

const DIRECTORY: &str = r#"
    reviewers.alice.groups = ["oncall"]
    reviewers.bob.groups = []
    reviewers.carol.groups = ["oncall"]
"#;

fn open(dir: &TempDir, directory: &str) -> ApprovalWorkflow {
    let directory: Directory = toml::from_str(directory).unwrap();
    let policy = Policy::from_toml(POLICY).unwrap();
    crate::support::options()
        .directory(directory)
        .open(dir.path(), policy)
        .unwrap()
}

fn asked(workflow: &ApprovalWorkflow, path: &str) -> RequestId {
    workflow.request(ask(path)).unwrap().submission.id.clone()
}

#[test]
fn an_emergency_is_approved_at_once_and_owes_a_review_until_somebody_else_attests() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, DIRECTORY);
    let id = asked(&workflow, "db/restart");
    let broken = workflow
        .break_glass(
            &id,
            EmergencyApproval::new(person("alice"), "site is down", second(1)),
        )
        .unwrap();
    assert!(broken.owes_review() && broken.decision().is_none());
    workflow
        .claim(&id, Use::new(action("db/restart"), person("x"), second(2)))
        .unwrap();

    let before = everything(&workflow);
    workflow.close().unwrap();
    let workflow = open(&dir, DIRECTORY);
    assert_eq!(everything(&workflow), before);
    let owing = workflow.open_reviews(Page::first(10)).requests;
    assert_eq!(
        owing
            .iter()
            .map(|request| &request.submission.id)
            .collect::<Vec<_>>(),
        [&id]
    );
    assert_eq!(workflow.statistics(second(3)).open_reviews, 1);

    for (name, finding) in [("alice", "fine"), ("bob", " ")] {
        assert!(
            workflow
                .attest(&id, EmergencyReview::new(person(name), finding, second(3)))
                .is_err(),
            "{name}"
        );
    }
    let attested = workflow
        .attest(
            &id,
            EmergencyReview::new(person("bob"), "it was needed", second(3)),
        )
        .unwrap();
    assert_eq!(
        attested.status(second(3)),
        Status::Claimed,
        "what was done is done"
    );
    assert!(workflow.open_reviews(Page::first(10)).requests.is_empty());
    let again = workflow.attest(&id, EmergencyReview::new(person("carol"), "too", second(4)));
    assert!(
        matches!(again, Err(Error::NothingToAttest { .. })),
        "{again:?}"
    );
    let statistics = workflow.statistics(second(4));
    assert_eq!((statistics.broken_glass, statistics.open_reviews), (1, 0));
}

#[test]
fn the_glass_is_broken_only_where_the_terms_allow_it_and_with_a_reason() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, DIRECTORY);
    let id = asked(&workflow, "db/restart");
    let other = asked(&workflow, "unheard/of");
    let glass = |id, name, reason| {
        workflow.break_glass(id, EmergencyApproval::new(person(name), reason, second(1)))
    };
    assert!(matches!(
        glass(&id, "bob", "fire"),
        Err(Error::GlassNotAllowed { .. })
    ));
    assert!(matches!(
        glass(&other, "alice", "fire"),
        Err(Error::GlassNotAllowed { .. })
    ));
    assert!(matches!(
        glass(&id, "mallory", "fire"),
        Err(Error::UnknownReviewer { .. })
    ));
    assert!(matches!(
        glass(&id, "alice", " \n"),
        Err(Error::ReasonMissing { .. })
    ));
    glass(&id, "alice", "fire").unwrap();
    assert!(matches!(
        glass(&id, "carol", "fire"),
        Err(Error::AlreadySettled { .. })
    ));
}

#[test]
fn an_emergency_approval_ends_when_its_giver_may_no_longer_give_it() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, DIRECTORY);
    let id = asked(&workflow, "db/restart");
    workflow
        .break_glass(
            &id,
            EmergencyApproval::new(person("alice"), "fire", second(1)),
        )
        .unwrap();
    let can =
        |workflow: &ApprovalWorkflow| workflow.can_execute(&id, &action("db/restart"), second(2));
    assert!(can(&workflow).is_allowed());
    workflow.close().unwrap();
    let directory = DIRECTORY.replace("alice.groups = [\"oncall\"]", "alice.groups = []");
    let workflow = open(&dir, &directory);
    assert_eq!(
        can(&workflow),
        Permission::Denied(DenyReason::ReviewersChanged)
    );
}
