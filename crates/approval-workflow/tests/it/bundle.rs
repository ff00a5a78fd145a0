use std::fs;

use approval_workflow::{
    ApprovalWorkflow, AuditEntry, Decision, Error, Receipt, ReceiptOutcome, RequestId, Review,
    Status, Use, verify_bundle,
};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{action, ask, id, open, person, second};

/// A request that was escalated, approved, claimed and reported.
fn finished(workflow: &ApprovalWorkflow) -> RequestId {
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = request.submission.id.clone();
    workflow
        .escalate(&id, person("agent-7"), "it burns", second(1))
        .unwrap();
    let yes = Decision::approve(person("alice"), second(2)).with_reason("checked");
    workflow.decide(&id, yes).unwrap();
    let action = action("payments/refund");
    let claim = workflow
        .claim(&id, Use::new(action.clone(), person("x"), second(3)))
        .unwrap();
    workflow
        .finish(Receipt {
            id: id.clone(),
            at: second(4),
            token: claim.token,
            outcome: ReceiptOutcome::Succeeded,
            observed: "200 OK".into(),
        })
        .unwrap();
    id
}

fn exported() -> String {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    workflow.request(ask("payments/other")).unwrap();
    let id = finished(&workflow);
    workflow.export_bundle(&id).unwrap().unwrap().0
}

#[test]
fn a_bundle_alone_says_what_happened_and_is_the_same_after_a_restart() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = finished(&workflow);
    let (text, digest) = workflow.export_bundle(&id).unwrap().unwrap();
    let verified = verify_bundle(&text, Some(&digest)).unwrap();
    assert_eq!(verified.request, *workflow.get(&id).unwrap().unwrap());
    assert_eq!(verified.trail, workflow.audit_trail(&id).unwrap().unwrap());
    assert_eq!(verified.request.status(second(5)), Status::Succeeded);
    assert_eq!(
        workflow.export_bundle(&crate::support::id("r-99")).unwrap(),
        None
    );
    workflow.close().unwrap();
    assert_eq!(open(&dir).export_bundle(&id).unwrap(), Some((text, digest)));
}

#[test]
fn another_history_that_is_right_in_itself_is_not_the_one_that_was_noted() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let early = id("one");
    workflow
        .request(ask("payments/refund").with_id(early.clone()))
        .unwrap();
    let (before, _) = workflow.export_bundle(&early).unwrap().unwrap();
    let no = Decision::deny(person("alice"), second(1)).with_reason("no");
    workflow.decide(&early, no).unwrap();
    let (_, noted) = workflow.export_bundle(&early).unwrap().unwrap();
    assert!(verify_bundle(&before, None).is_ok());
    let error = verify_bundle(&before, Some(&noted)).unwrap_err();
    assert!(matches!(error, Error::Bundle { line: 1, .. }), "{error}");
}

#[test]
fn lines_left_out_swapped_or_doubled_are_found() {
    let text = exported();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let mut cut = lines.clone();
        let line = cut.remove(at);
        assert!(verify_bundle(&cut.concat(), None).is_err(), "without {at}");
        cut.insert(at, line);
        cut.insert(at, line);
        assert!(verify_bundle(&cut.concat(), None).is_err(), "twice {at}");
        let mut swapped = lines.clone();
        let to = (at + 1) % lines.len();
        swapped.swap(at, to);
        assert!(verify_bundle(&swapped.concat(), None).is_err(), "swap {at}");
        let cut = &text[..text.len() - at - 1];
        assert!(verify_bundle(cut, None).is_err(), "{at} bytes cut");
    }
}

#[test]
fn the_three_files_hold_what_the_workflow_shows() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    finished(&workflow);
    workflow.request(ask("reports/daily")).unwrap();
    let out = tempdir().unwrap();
    workflow.export_jsonl(out.path()).unwrap();
    let read = |name: &str| fs::read_to_string(out.path().join(name)).unwrap();
    let requests: Vec<Value> = read("requests.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let shown = workflow.requests().map(Result::unwrap);
    let shown: Vec<Value> = shown.map(|r| serde_json::to_value(&*r).unwrap()).collect();
    assert_eq!(requests, shown);
    let parsed = |text: String| -> Vec<Review> {
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    assert_eq!(
        parsed(read("decisions.jsonl")),
        workflow.decisions().map(Result::unwrap).collect::<Vec<_>>()
    );
    let trail: Vec<AuditEntry> = read("audit_trail.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let log: Vec<AuditEntry> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    assert_eq!(trail, log);
    let error = workflow.export_jsonl(out.path().join("none")).unwrap_err();
    assert!(matches!(error, Error::Export { .. }), "{error}");
}

/// A small generator (xorshift64*), so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn span(&mut self, text: &[char]) -> std::ops::Range<usize> {
        let start = self.below(text.len());
        start..(start + 1 + self.below(40)).min(text.len())
    }
}

/// One change: of a character, a digit, a stretch, a word for another one, or a line.
fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = dice.below(chars.len());
    match dice.below(9) {
        0 => chars[at] = char::from(dice.below(128) as u8),
        1 => chars[at] = ['\u{430}', '\u{202e}', '\u{0}', '\u{feff}', ' ', '\n'][dice.below(6)],
        2 => chars[at] = char::from(b"0123456789abcdef"[dice.below(16)]),
        3 => drop(chars.remove(at)),
        4 => chars.insert(at, chars[dice.below(text.len())]),
        5 => {
            let span = dice.span(&chars);
            chars.drain(span);
        }
        6 => {
            let copy = chars[dice.span(&chars)].to_vec();
            chars.splice(at..at, copy);
        }
        7 => {
            let words = [
                ("approve", "deny"),
                ("alice", "bob"),
                ("agent-7", "agent-8"),
                ("\"token\":1", "\"token\":2"),
                ("succeeded", "failed"),
                ("12.5", "12.50"),
                ("\"at\":", "\"at\": "),
                ("checked", "Checked"),
            ];
            let (old, new) = words[dice.below(words.len())];
            return text.replacen(old, new, 1 + dice.below(2));
        }
        _ => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (a, b) = (dice.below(lines.len()), dice.below(lines.len()));
            lines.swap(a, b);
            return lines.concat();
        }
    }
    chars.into_iter().collect()
}

#[test]
fn ten_thousand_mutations_of_a_bundle_are_rejected() {
    let text = exported();
    assert!(verify_bundle(&text, None).is_ok());
    let mut dice = Dice(0x00c0_ffee);
    let mut rejected = 0;
    while rejected < 10_000 {
        let mutant = mutate(&text, &mut dice);
        if mutant == text {
            continue;
        }
        let found = verify_bundle(&mutant, None);
        assert!(matches!(found, Err(Error::Bundle { .. })), "{mutant}");
        rejected += 1;
    }
}
