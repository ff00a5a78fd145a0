//! Verification against a model that does it slowly and plainly.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;

use load_engine::{
    Defect, Digest, Effect, Expectation, Found, Ledger, LedgerEntry, Verification, verify,
    verify_each,
};
use proptest::prelude::*;

fn digest(content: u8) -> Digest {
    Digest::of(&[content])
}

/// Entries of one user, one after another.
fn ledger(effects: &[(&str, Effect)]) -> Ledger {
    (0u64..)
        .zip(effects)
        .map(|(order, (key, effect))| LedgerEntry {
            kind: "row".into(),
            key: (*key).to_owned().into(),
            effect: *effect,
            user: 4,
            started_ns: 10 * order,
            settled_ns: 10 * order + 5,
        })
        .collect()
}

fn found(rows: &[(&str, u8)]) -> Vec<Result<Found, Infallible>> {
    rows.iter()
        .map(|(key, content)| Ok(Found::new("row", *key, digest(*content))))
        .collect()
}

#[test]
fn a_removed_key_that_is_there_again_is_unexpected() {
    let ledger = ledger(&[("a", Effect::Created(digest(1))), ("a", Effect::Removed)]);
    assert!(verify(&ledger, found(&[])).holds());
    let verification = verify(&ledger, found(&[("a", 1)]));
    let discrepancy = &verification.discrepancies[0];
    assert_eq!(verification.unexpected, 1);
    assert_eq!(
        (discrepancy.defect, discrepancy.expected.clone()),
        (Defect::Unexpected, Expectation::Absent)
    );
    assert_eq!(
        (discrepancy.found, discrepancy.user),
        (Some(digest(1)), Some(4))
    );
}

#[test]
fn an_updated_key_is_expected_with_its_last_content() {
    let ledger = ledger(&[
        ("a", Effect::Created(digest(1))),
        ("a", Effect::Updated(digest(2))),
    ]);
    assert!(verify(&ledger, found(&[("a", 2)])).holds());
    assert_eq!(verify(&ledger, found(&[("a", 1)])).altered, 1);
}

#[test]
fn two_acknowledged_creations_of_one_key_are_one_lost_effect() {
    let twice = [
        ("a", Effect::Created(digest(1))),
        ("a", Effect::Created(digest(2))),
    ];
    let verification = verify(&ledger(&twice), found(&[("a", 2)]));
    assert_eq!((verification.verified, verification.lost), (1, 1));
    let again = [twice[0], ("a", Effect::Removed), twice[1]];
    assert!(verify(&ledger(&again), found(&[("a", 2)])).holds());
}

#[test]
fn an_unreadable_thing_is_a_discrepancy_and_the_rest_is_still_read() {
    let ledger = ledger(&[("a", Effect::Created(digest(1)))]);
    let source = [
        Err(io::Error::other("bad checksum")),
        Ok(Found::new("row", "a", digest(1))),
    ];
    let verification = verify(&ledger, source);
    assert_eq!((verification.verified, verification.unreadable), (1, 1));
    assert!(!verification.holds() && !verification.abandoned);
    assert_eq!(verification.discrepancies[0].key, "bad checksum");
}

#[test]
fn a_source_that_repeats_its_error_for_ever_is_given_up() {
    let ledger = ledger(&[("a", Effect::Created(digest(1)))]);
    let forever = std::iter::repeat_with(|| Err(io::Error::other("is a directory")));
    let verification = verify(&ledger, forever);
    assert!(verification.abandoned && !verification.holds());
    // Nobody looked for it, so nobody can say that it is lost.
    assert_eq!((verification.unread, verification.lost), (1, 0));
    assert_eq!(verification.inconsistency(), None);
}

#[test]
fn what_a_later_write_replaced_is_not_said_to_be_verified() {
    let writes = [
        ("a", Effect::Created(digest(1))),
        ("a", Effect::Updated(digest(2))),
        ("a", Effect::Updated(digest(3))),
        ("b", Effect::Created(digest(1))),
    ];
    let all = verify(&ledger(&writes), found(&[("a", 3), ("b", 1)]));
    let tally = all.tally().unwrap();
    assert_eq!(
        (tally.acknowledged, tally.verified, tally.superseded),
        (4, 2, 2)
    );
    assert!(all.holds() && !all.every_effect_verified());
    let once = verify(&ledger(&writes[3..]), found(&[("b", 1)]));
    assert!(once.every_effect_verified());
}

#[test]
fn a_sum_that_does_not_hold_is_named() {
    let mut verification = verify(
        &ledger(&[("a", Effect::Created(digest(1)))]),
        found(&[("a", 1)]),
    );
    assert_eq!(verification.inconsistency(), None);
    verification.effects = 2;
    let problem = verification.inconsistency().unwrap();
    assert_eq!(
        problem,
        "acknowledged effects: 2 are not the 1 of its parts"
    );
}

#[test]
fn every_discrepancy_can_be_had_although_twenty_are_kept() {
    let rows: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let effects: Vec<_> = rows
        .iter()
        .map(|key| (key.as_str(), Effect::Created(digest(1))))
        .collect();
    let mut all = BTreeSet::new();
    let verification = verify_each(&ledger(&effects), found(&[]), |discrepancy| {
        all.insert(discrepancy.key.clone());
    });
    assert_eq!(
        (
            verification.lost,
            verification.discrepancies.len(),
            all.len()
        ),
        (100, 20, 100)
    );
}

#[test]
fn a_key_of_another_kind_is_another_thing() {
    let ledger = ledger(&[("a", Effect::Created(digest(1)))]);
    let other: [Result<_, Infallible>; 1] = [Ok(Found::new("column", "a", digest(1)))];
    let verification = verify(&ledger, other);
    assert_eq!((verification.lost, verification.unexpected), (1, 1));
}

/// The same judgement by the plainest means: one user, so the last entry of a key counts.
fn plainly(effects: &[(String, Effect)], rows: &[(String, u8)]) -> Verification {
    let mut last = BTreeMap::new();
    for (key, effect) in effects {
        last.insert(key.as_str(), *effect);
    }
    let mut expected = Verification::default();
    for (key, effect) in &last {
        let found = rows
            .iter()
            .find(|(row, _)| row == key)
            .map(|(_, content)| digest(*content));
        match (effect, found) {
            (Effect::Attempted, _) => expected.indeterminate += 1,
            (Effect::Removed, None) => expected.verified += 1,
            (Effect::Removed, Some(_)) => expected.unexpected += 1,
            (Effect::Created(_) | Effect::Updated(_), None) => expected.lost += 1,
            (Effect::Created(want) | Effect::Updated(want), Some(have)) if *want == have => {
                expected.verified += 1;
            }
            (Effect::Created(_) | Effect::Updated(_), Some(_)) => expected.altered += 1,
        }
    }
    let mut seen = BTreeSet::new();
    for (key, _) in rows {
        if !last.contains_key(key.as_str()) {
            expected.unexpected += 1;
        } else if !seen.insert(key) {
            expected.duplicated += 1;
        }
    }
    expected
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        (0..3u8).prop_map(|content| Effect::Updated(digest(content))),
        Just(Effect::Removed),
        Just(Effect::Attempted),
    ]
}

proptest! {
    /// Several users, whose writes overlap, are refused, or are never acknowledged.
    #[test]
    fn every_acknowledged_effect_is_in_one_class(
        writes in prop::collection::vec(
            ("[a-d]", prop_oneof![
                effect(),
                (0..3u8).prop_map(|content| Effect::Created(digest(content))),
            ], 0..3u32, 0..20u64, 0..10u64),
            0..30,
        ),
        rows in prop::collection::vec(("[a-f]", 0..3u8), 0..12),
        is_given_up: bool,
    ) {
        let ledger: Ledger = writes
            .iter()
            .map(|(key, effect, user, started_ns, took_ns)| LedgerEntry {
                kind: if key < &"c".to_owned() { "row".into() } else { "column".into() },
                key: key.clone().into(),
                effect: *effect,
                user: *user,
                started_ns: *started_ns,
                settled_ns: started_ns + took_ns,
            })
            .collect();
        let read = rows.iter().map(|(key, content)| {
            let kind = if key < &"c".to_owned() { "row" } else { "column" };
            Ok(Found::new(kind, key.clone(), digest(*content)))
        });
        let errors = std::iter::repeat_with(|| Err("cannot read"));
        let found = read.chain(errors.take(if is_given_up { 1_000 } else { 0 }));
        let verification = verify(&ledger, found);
        prop_assert_eq!(verification.inconsistency(), None, "{:?}", verification);
        let tally = verification.tally().unwrap();
        let acknowledged = writes.iter().filter(|(_, effect, ..)| *effect != Effect::Attempted);
        prop_assert_eq!(tally.acknowledged, acknowledged.count() as u64);
        prop_assert_eq!(tally.unread > 0 || verification.abandoned, is_given_up);
    }

    #[test]
    fn verification_agrees_with_the_plain_one(
        effects in prop::collection::vec(("[a-f]", effect()), 0..20),
        rows in prop::collection::vec(("[a-h]", 0..3u8), 0..12),
    ) {
        let borrowed: Vec<_> = effects.iter().map(|(key, effect)| (key.as_str(), *effect)).collect();
        let row_refs: Vec<_> = rows.iter().map(|(key, content)| (key.as_str(), *content)).collect();
        let actual = verify(&ledger(&borrowed), found(&row_refs));
        let plain = plainly(&effects, &rows);
        let figures = |v: &Verification| {
            (v.verified, v.lost, v.altered, v.duplicated, v.unexpected, v.indeterminate)
        };
        prop_assert_eq!(figures(&actual), figures(&plain));
        prop_assert_eq!(actual.found, rows.len() as u64);
        prop_assert_eq!(actual.holds(), plain.holds());
    }
}
