//! Random bytes and stretched texts as everything that a caller can hand in: each is refused with a
//! message that can be shown, and leaves nothing, or is read back as it was.

use action::{Action, ActionPath};
use approval_workflow::{
    Attestation, Decision, Directory, EmergencyApproval, EmergencyReview, Error, FencingToken,
    GroupId, IdempotencyKey, NewRequest, PersonId, Policy, Receipt, ReceiptOutcome, RequestId,
    Rulebook, Use, verify_bundle,
};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::support::{POLICY, action, ask, everything, open, person, second};

const MEGABYTE: usize = 1 << 20;

/// A message for a person: it shows no control character and does not repeat a megabyte.
fn assert_clear(error: &Error) {
    let text = error.to_string();
    assert!(
        !text.is_empty() && text.len() < 1_000,
        "{} bytes",
        text.len()
    );
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(raw), "{text:?}");
}

/// What no id may be made of: controls, spaces, letters that look like others, and too much.
fn bad_ids() -> Vec<String> {
    let mut bad: Vec<String> = (0..=0x20_u8)
        .chain([0x7f])
        .map(|byte| format!("a{}b", char::from(byte)))
        .collect();
    for look_alike in [
        "\u{430}lice",   // Cyrillic a
        "al\u{456}ce",   // Ukrainian i
        "\u{ff41}lice",  // full width
        "\u{1d44e}lice", // mathematical
        "alice\u{301}",  // with an accent on top
        "a\u{200d}lice", // with a joiner in it
        "alice\u{200b}",
        "\u{202e}ecila",
        "\u{feff}alice",
        "alıce",
        "аlісе",
        "",
    ] {
        bad.push(look_alike.to_owned());
    }
    bad.push("x".repeat(129));
    bad.push("x".repeat(MEGABYTE));
    bad
}

#[test]
fn ids_that_look_like_others_or_hide_something_are_refused_everywhere() {
    for text in bad_ids() {
        for error in [
            RequestId::new(&text).unwrap_err(),
            PersonId::new(&text).unwrap_err(),
            GroupId::new(&text).unwrap_err(),
            IdempotencyKey::new(&text).unwrap_err(),
        ] {
            assert_clear(&error);
        }
        let quoted = serde_json::to_string(&text).unwrap();
        assert!(serde_json::from_str::<RequestId>(&quoted).is_err());
        let directory = serde_json::json!({"reviewers": {text: {}}});
        assert!(serde_json::from_value::<Directory>(directory).is_err());
    }
}

fn rule(line: &str) -> Result<(), Error> {
    let text = format!("[[rules]]\npattern = \"a\"\nsensitivity = \"low\"\n{line}");
    Policy::from_toml(&text).map(drop)
}

#[test]
fn a_megabyte_is_refused_wherever_it_is_handed_in_and_leaves_nothing() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let long = "x".repeat(MEGABYTE);
    let id = workflow
        .request(ask("payments/refund"))
        .unwrap()
        .submission
        .id
        .clone();
    let refund = action("payments/refund");
    let receipt = Receipt {
        id: id.clone(),
        at: second(2),
        token: FencingToken(1),
        outcome: ReceiptOutcome::Succeeded,
        observed: long.clone(),
    };
    let agent = || person("agent-7");
    let mut named = ask("payments/refund");
    named.action.name = long.clone();
    let keyed = ask("payments/refund").with_context(long.clone(), 1);
    let yes = Decision::approve(person("alice"), second(1)).with_reason(long.clone());
    let errors = [
        workflow.request(named).map(drop),
        workflow.request(keyed).map(drop),
        workflow.decide(&id, yes).map(drop),
        workflow.escalate(&id, agent(), &long, second(1)).map(drop),
        workflow
            .break_glass(&id, EmergencyApproval::new(agent(), &*long, second(1)))
            .map(drop),
        workflow
            .attest(
                &id,
                EmergencyReview::new(person("alice"), &*long, second(1)),
            )
            .map(drop),
        workflow.revoke(&id, agent(), &long, second(1)).map(drop),
        workflow.finish(receipt).map(drop),
        workflow
            .claim(
                &id,
                Use::new(refund.with_parameter("p", long.clone()), agent(), second(1)),
            )
            .map(drop),
        Policy::from_toml(&format!("x = \"{long}\"")).map(drop),
        Policy::from_toml(&long).map(drop),
        rule(&format!("name = \"{long}\"")),
        rule(&format!("affected_systems = [\"{long}\"]")),
        rule("name = \"a\\u001b[2K\""),
        rule("affected_systems = [\"a\\u202eb\"]"),
        verify_bundle(&long, None).map(drop),
    ];
    for (number, error) in errors.into_iter().enumerate() {
        let error = error.expect_err(&format!("error {number}"));
        assert_clear(&error);
    }
    assert!(ActionPath::new(long).is_err());
    assert_eq!(
        workflow.audit_log().unwrap().count(),
        1,
        "the request alone"
    );
}

/// Bytes as a text: whatever is not UTF-8 becomes the replacement character.
fn noise() -> impl Strategy<Value = String> {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    bytes.prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The policy of the tests with some stretches of it exchanged for noise or for others of it.
fn damaged_policy() -> impl Strategy<Value = String> {
    let patch = (
        any::<prop::sample::Index>(),
        0..30_usize,
        prop_oneof![noise(), "[ -~\n]{0,12}"],
    );
    prop::collection::vec(patch, 1..4).prop_map(|patches| {
        let mut chars: Vec<char> = POLICY.chars().collect();
        for (at, gone, new) in patches {
            let start = at.index(chars.len());
            let end = (start + gone).min(chars.len());
            chars.splice(start..end, new.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// A text is no policy, and the message says where; or it is one, which says the same when it is
    /// written out and read again.
    #[test]
    fn noise_is_no_policy(text in prop_oneof![noise(), damaged_policy()]) {
        match Policy::from_toml(&text) {
            Ok(policy) => {
                let again = Policy::from_toml(&toml::to_string(&policy).unwrap()).unwrap();
                prop_assert_eq!(&again, &policy);
                let digests = [policy, again].map(|policy| Rulebook::new(policy).unwrap().digest());
                prop_assert_eq!(digests[0], digests[1]);
            }
            Err(error @ Error::PolicyText { .. }) => assert_clear(&error),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![noise(), ".{0,40}", "[\\PC\n\t]{0,40}", "[a-z ]{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    /// Every text that goes with a step of a request's life, at random.
    #[test]
    fn texts_at_random_are_refused_or_read_back(
        rounds in prop::collection::vec((texts(), texts(), texts(), texts(), texts(), texts()), 1..10),
    ) {
        let dir = tempdir().unwrap();
        let workflow = open(&dir);
        for (name, louder, reason, revoked, observed, path) in rounds {
            if let Ok(path) = ActionPath::new(&path) {
                let made = workflow.request(NewRequest::new(Action::new(path, &name), person("agent-7"), second(0)));
                made.map(drop).unwrap_or_else(|error| assert_clear(&error));
            }
            let id = workflow.request(ask("payments/refund")).unwrap().submission.id.clone();
            let agent = || person("agent-7");
            let mut kept = Vec::new();
            let mut step = |text: &str, done: Result<(), Error>| match done {
                Ok(()) => kept.push(text.to_owned()),
                Err(error) => assert_clear(&error),
            };
            step(&louder, workflow.escalate(&id, agent(), &louder, second(1)).map(drop));
            let yes = Decision::approve(person("alice"), second(1)).with_reason(&reason);
            step(&reason, workflow.decide(&id, yes).map(drop));
            if let Ok(claim) = workflow.claim(&id, Use::new(action("payments/refund"), agent(), second(2))) {
                let receipt = Receipt {
                    id: id.clone(), at: second(3), token: claim.token,
                    outcome: ReceiptOutcome::Failed, observed: observed.clone(),
                };
                step(&observed, workflow.finish(receipt).map(drop));
            } else {
                step(&revoked, workflow.revoke(&id, agent(), &revoked, second(2)).map(drop));
            }
            // What was taken stands in the trail as it was given.
            let trail = serde_json::to_value(workflow.audit_trail(&id).unwrap().unwrap()).unwrap();
            let trail = all_texts(&trail);
            for text in kept.iter().filter(|text| !text.is_empty()) {
                prop_assert!(trail.contains(text), "{:?}", text);
            }
            let (bundle, digest) = workflow.export_bundle(&id).unwrap().unwrap();
            prop_assert!(verify_bundle(&bundle, Some(&digest)).is_ok());
        }
        let before = everything(&workflow);
        workflow.close().unwrap();
        prop_assert_eq!(everything(&open(&dir)), before);
    }
}

fn all_texts(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(items) => items.iter().flat_map(all_texts).collect(),
        serde_json::Value::Object(fields) => fields.values().flat_map(all_texts).collect(),
        _ => Vec::new(),
    }
}

/// The types that callers fill in by themselves are read from JSON as strictly as from the log.
#[test]
fn json_with_anything_too_much_is_refused() {
    let attestation = r#"{"id":"r","at":1,"by":"a","finding":"f","more":1}"#;
    assert!(serde_json::from_str::<Attestation>(attestation).is_err());
    let receipt = r#"{"id":"r","at":1,"token":1,"outcome":"succeeded","observed":"","x":0}"#;
    assert!(serde_json::from_str::<Receipt>(receipt).is_err());
}
