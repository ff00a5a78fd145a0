use approval_workflow::{
    ApprovalWorkflow, Decision, Directory, Error, OneTimeCode, RequestId, State, Status, Timestamp,
};
use tempfile::{TempDir, tempdir};

use crate::support::{ask, person, policy};

/// The secret of RFC 6238, appendix B, and its code at second 1,234,567,890.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const CODE: &str = "005924";

fn now() -> Timestamp {
    Timestamp::from_micros(1_234_567_890_000_000)
}

fn open(dir: &TempDir) -> ApprovalWorkflow {
    let text = format!("[reviewers.alice]\ntotp_secret = \"{SECRET}\"\n[reviewers.bob]");
    let directory: Directory = toml::from_str(&text).unwrap();
    crate::support::options()
        .directory(directory)
        .clock(now)
        .open(dir.path(), policy())
        .unwrap()
}

fn ask_for_key(workflow: &ApprovalWorkflow) -> RequestId {
    let mut new = ask("keys/rotate");
    new.at = now();
    workflow.request(new).unwrap().submission.id.clone()
}

fn approve(code: &str) -> Decision {
    Decision::approve(person("alice"), now()).with_second_factor(OneTimeCode::new(code))
}

#[test]
fn a_verified_code_approves_and_its_step_is_recorded() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = ask_for_key(&workflow);
    let request = workflow.decide(&id, approve(CODE)).unwrap();
    assert_eq!(request.state, State::Approved { at: now() });
    assert_eq!(request.reviews[0].factor_step, Some(1_234_567_890 / 30));
    let log = format!("{:?}", workflow.audit_trail(&id).unwrap().unwrap());
    assert!(!log.contains(CODE), "the code itself is not kept: {log}");
}

#[test]
fn without_a_code_only_a_denial_is_taken() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = ask_for_key(&workflow);
    let bare = Decision::approve(person("alice"), now());
    let error = workflow.decide(&id, bare).unwrap_err();
    assert!(
        matches!(error, Error::SecondFactorMissing { .. }),
        "{error}"
    );
    let bob = Decision {
        reviewer: person("bob"),
        ..approve(CODE)
    };
    let error = workflow.decide(&id, bob).unwrap_err();
    assert!(
        matches!(error, Error::SecondFactorUnregistered { .. }),
        "{error}"
    );
    let stranger = Decision {
        reviewer: person("mallory"),
        ..approve(CODE)
    };
    let error = workflow.decide(&id, stranger).unwrap_err();
    assert!(matches!(error, Error::UnknownReviewer { .. }), "{error}");
    workflow
        .decide(&id, Decision::deny(person("bob"), now()))
        .unwrap();
    assert_eq!(workflow.status(&id, now()).unwrap(), Some(Status::Denied));
}

#[test]
fn a_code_is_good_once_also_for_another_request_and_after_a_restart() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let (first, second) = (ask_for_key(&workflow), ask_for_key(&workflow));
    workflow.decide(&first, approve(CODE)).unwrap();
    let error = workflow.decide(&second, approve(CODE)).unwrap_err();
    assert!(
        matches!(error, Error::SecondFactorReplayed { .. }),
        "{error}"
    );
    workflow.close().unwrap();
    let workflow = open(&dir);
    let error = workflow.decide(&second, approve(CODE)).unwrap_err();
    assert!(
        matches!(error, Error::SecondFactorReplayed { .. }),
        "{error}"
    );
    assert_eq!(
        workflow.status(&second, now()).unwrap(),
        Some(Status::Pending)
    );
}

#[test]
fn guessing_locks_the_second_factor_for_a_while_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = ask_for_key(&workflow);
    for guess in 0..5 {
        let error = workflow
            .decide(&id, approve(&format!("00000{guess}")))
            .unwrap_err();
        assert!(matches!(error, Error::SecondFactorWrong { .. }), "{error}");
    }
    workflow.close().unwrap();
    let workflow = open(&dir);
    let records = workflow.audit_log().unwrap().count();
    for code in ["999999", CODE] {
        let error = workflow.decide(&id, approve(code)).unwrap_err();
        assert!(matches!(error, Error::SecondFactorLocked { .. }), "{error}");
    }
    assert_eq!(
        workflow.audit_log().unwrap().count(),
        records,
        "a locked guess is not recorded"
    );
    assert_eq!(workflow.statistics(now()).wrong_codes, 5);
}
