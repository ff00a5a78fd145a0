//! What is secret is neither shown nor left where others can read it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use approval_workflow::{
    ApprovalWorkflow, Decision, Directory, Error, NewRequest, OneTimeCode, Policy, Reviewer,
    Timestamp, TotpSecret, Use,
};

use crate::support::{action, person};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const POLICY: &str =
    "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nrequires_second_factor = true";

/// The moment of the code 005924 in the tests of RFC 6238 (appendix B).
fn then() -> Timestamp {
    Timestamp::from_micros(1_234_567_890_000_000)
}

fn later(minutes: i64) -> Timestamp {
    Timestamp::from_micros(then().as_micros() + minutes * 60_000_000)
}

fn open(dir: &tempfile::TempDir, now: Timestamp) -> ApprovalWorkflow {
    let directory = format!("reviewers.alice.totp_secret = \"{SECRET}\"");
    ApprovalWorkflow::options()
        .directory(toml::from_str(&directory).unwrap())
        .clock(move || now)
        .open(dir.path(), Policy::from_toml(POLICY).unwrap())
        .unwrap()
}

fn approve(code: &str, at: Timestamp) -> Decision {
    Decision::approve(person("alice"), at).with_second_factor(OneTimeCode::new(code))
}

/// A code was checked at the time that the caller stated, so that one which was seen an hour ago was
/// good for a decision that was dated back.
#[test]
fn a_code_of_an_hour_ago_is_not_good_for_a_decision_that_is_dated_back() {
    let dir = tempfile::tempdir().unwrap();
    let workflow = open(&dir, later(60));
    let new = NewRequest::new(action("keys/rotate"), person("agent"), then());
    let id = workflow.request(new).unwrap().submission.id.clone();
    let refused = workflow.decide(&id, approve("005924", then()));
    assert!(
        matches!(refused, Err(Error::SecondFactorWrong { .. })),
        "{refused:?}"
    );
    // At its own time it is good, whatever the caller says the time is.
    let workflow = {
        drop(workflow);
        open(&dir, then())
    };
    let approved = workflow.decide(&id, approve("005924", later(60))).unwrap();
    assert_eq!(approved.reviews[0].factor_step, Some(1_234_567_890 / 30));
}

/// Wrong codes that were dated back, or a right one that was dated ahead, got around the lock.
#[test]
fn the_lock_after_wrong_codes_goes_by_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let workflow = open(&dir, then());
    let new = NewRequest::new(action("keys/rotate"), person("agent"), later(-120));
    let id = workflow.request(new).unwrap().submission.id.clone();
    for _ in 0..5 {
        let refused = workflow.decide(&id, approve("000000", later(-60)));
        assert!(
            matches!(refused, Err(Error::SecondFactorWrong { .. })),
            "{refused:?}"
        );
    }
    for stated in [later(-60), then(), later(60)] {
        let refused = workflow.decide(&id, approve("005924", stated));
        assert!(
            matches!(refused, Err(Error::SecondFactorLocked { .. })),
            "{refused:?}"
        );
    }
}

/// Debug output ends in logs.
#[test]
fn debug_output_shows_no_secret() {
    let secret = action("cards/charge").with_parameter("number", "4111-1111");
    let new = NewRequest::new(secret.clone(), person("agent"), then())
        .with_context("token", "s3cr3t-token")
        .with_secret("number");
    let directory = Directory {
        reviewers: [(
            person("alice"),
            Reviewer {
                totp_secret: Some(TotpSecret::new(SECRET)),
                groups: Vec::new(),
            },
        )]
        .into(),
        delegations: Vec::new(),
    };
    let options = ApprovalWorkflow::options()
        .directory(directory.clone())
        .secret_key([77; 32]);
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::from_toml(POLICY).unwrap();
    let workflow = options.clone().open(dir.path(), policy).unwrap();
    let shown = format!(
        "{new:?} {:?} {directory:?} {options:?} {workflow:?} {:?}",
        Use::new(secret, person("agent"), then()),
        approve("005924", then()),
    );
    for hidden in ["4111", "s3cr3t", SECRET, "77, 77", "005924"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
}

/// With the usual umask, everybody on the machine could read requests and decisions.
#[test]
fn files_and_directories_are_only_for_their_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (log, exported) = (dir.path().join("log"), dir.path().join("exported"));
    fs::create_dir(&exported).unwrap();
    let policy = Policy::from_toml("[[rules]]\npattern = \"**\"\nsensitivity = \"high\"").unwrap();
    let options = ApprovalWorkflow::options().secret_key([7; 32]);
    let workflow = options.open(&log, policy).unwrap();
    let new = NewRequest::new(action("keys/rotate"), person("agent"), then());
    workflow.request(new).unwrap();
    workflow.export_jsonl(&exported).unwrap();
    workflow.close().unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log), 0o700);
    let mut files = 0;
    for dir in [&log, &exported] {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 6, "{files}");
}
