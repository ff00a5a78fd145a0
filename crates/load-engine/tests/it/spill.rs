//! Ledgers on disk.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use load_engine::{
    Digest, Discrepancy, Effect, Failure, Found, Ledger, LedgerEntry, Outcome, Plan, RunError,
    SHOWN_DISCREPANCIES, SpillPolicy, SpilledLedger, StopHandle, Verification, run, run_shared,
    verify,
};
use proptest::prelude::*;

use crate::store::{Honesty, Store, plan};

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn spilling(folder: &Path) -> Plan {
    plan(4, 500).spill(SpillPolicy::new(folder).entries_in_memory(40))
}

fn write(honesty: Honesty, folder: &Path) -> (Arc<Store>, Outcome) {
    let store = Arc::new(Store::new(honesty));
    let outcome = run_shared(
        Arc::clone(&store),
        &spilling(folder),
        &StopHandle::new(),
        |_| {},
    );
    (store, outcome.unwrap())
}

/// What a verification says, and every discrepancy in its order.
fn verify_spilled(
    spilled: &SpilledLedger,
    found: Vec<Found>,
    count: usize,
) -> (Verification, Vec<Discrepancy>) {
    let mut all = Vec::new();
    let found = found.into_iter().map(Ok::<_, Failure>);
    let each = |discrepancy: &Discrepancy| all.push(discrepancy.clone());
    let verification = spilled.verify(found, threads(count), |_| {}, each).unwrap();
    (verification, all)
}

fn contents(store: &Store) -> Vec<Found> {
    store.contents().into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_run_whose_ledger_is_on_disk_is_verified_as_one_in_memory() {
    for honesty in [
        Honesty::Honest,
        Honesty::DropsEvery(3),
        Honesty::AltersEvery(7),
        Honesty::DuplicatesEvery(11),
        Honesty::InventsEvery(13),
        Honesty::FailsEvery(5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, outcome) = write(honesty, folder.path());
        assert!(outcome.ledger.is_empty(), "it is on disk");
        let spilled = outcome.spilled.unwrap();
        let in_memory: Ledger = spilled.iter().collect::<Result<_, RunError>>().unwrap();
        assert_eq!(spilled.len(), in_memory.len() as u64);
        let expected = verify(
            &in_memory,
            contents(&store).into_iter().map(Ok::<_, Failure>),
        );

        let (one, in_order) = verify_spilled(&spilled, contents(&store), 1);
        assert_eq!(counts(&one), counts(&expected));
        assert_eq!(
            one.holds(),
            matches!(honesty, Honesty::Honest | Honesty::FailsEvery(_))
        );
        assert_eq!(
            in_order.len() as u64,
            one.discrepancy_count(),
            "each is told"
        );
        assert_eq!(
            one.discrepancies,
            in_order[..in_order.len().min(SHOWN_DISCREPANCIES)]
        );

        let (three, in_the_same_order) = verify_spilled(&spilled, contents(&store), 3);
        assert_eq!((three, in_the_same_order), (one, in_order));
        drop(spilled);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "its files are gone"
        );
    }
}

fn counts(verification: &Verification) -> Verification {
    let mut counts = verification.clone();
    counts.discrepancies.clear();
    counts
}

#[test]
fn progress_is_told_up_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (store, outcome) = write(Honesty::Honest, folder.path());
    let mut last = None;
    let found = contents(&store).into_iter().map(Ok::<_, Failure>);
    let spilled = outcome.spilled.unwrap();
    spilled
        .verify(found, threads(2), |progress| last = Some(progress), |_| {})
        .unwrap();
    let last = last.unwrap();
    assert_eq!((last.found, last.compared), (2_000, last.entries));
    assert_eq!(last.entries, spilled.len());
}

#[test]
fn a_source_of_errors_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let spilled = SpilledLedger::from_ledger(Ledger::new(), &SpillPolicy::new(folder.path()));
    let endless = std::iter::repeat_with(|| Err::<Found, _>("cannot read"));
    let verification = spilled
        .unwrap()
        .verify(endless, threads(1), |_| {}, |_| {})
        .unwrap();
    assert!(verification.abandoned && !verification.holds());
    assert_eq!(verification.unreadable, 1_000);
}

#[test]
fn the_ledger_of_another_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let policy = SpillPolicy::new(folder.path());
    let first = SpilledLedger::from_ledger(Ledger::new(), &policy).unwrap();
    let error = SpilledLedger::from_ledger(Ledger::new(), &policy).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot create the ledger: "),
        "{error}"
    );
    drop(first);
    assert!(SpilledLedger::from_ledger(Ledger::new(), &policy).is_ok());
}

#[test]
fn a_damaged_file_is_an_error_and_no_discrepancy() {
    let folder = tempfile::tempdir().unwrap();
    let (store, outcome) = write(Honesty::Honest, folder.path());
    let spilled = outcome.spilled.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(file.unwrap().path())
            .unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }
    let found = contents(&store).into_iter().map(Ok::<_, Failure>);
    let error = spilled
        .verify(found, threads(2), |_| {}, |_| {})
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot read the ledger: "),
        "{error}"
    );
}

#[test]
fn a_run_that_could_not_give_it_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(Honesty::Honest);
    let error = run(&store, &spilling(folder.path()), &StopHandle::new(), |_| {}).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("`run_shared` and `run_async` keep one there"),
        "{error}"
    );
}

fn effects() -> impl Strategy<Value = Vec<(u8, u8, u32)>> {
    prop::collection::vec((0..12u8, 0..4u8, 0..3u32), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_was_written_is_expected_alike_on_disk_and_in_memory(
        effects in effects(), found in prop::collection::vec((0..14u8, 0..3u8), 0..20)
    ) {
        let entries = (0u64..).zip(effects).map(|(at_ns, (key, effect, user))| LedgerEntry {
            kind: "row".into(),
            key: key.to_string().into(),
            effect: match effect {
                0 => Effect::Created(Digest::of(b"0")),
                1 => Effect::Updated(Digest::of(b"1")),
                2 => Effect::Removed,
                _ => Effect::Attempted,
            },
            user,
            started_ns: at_ns,
            settled_ns: at_ns + 2,
        });
        let ledger: Ledger = entries.collect();
        let found: Vec<Found> = found
            .into_iter()
            .map(|(key, content)| Found::new("row", key.to_string(), Digest::of(&[b'0' + content])))
            .collect();
        let expected = verify(&ledger, found.iter().cloned().map(Ok::<_, Failure>));
        let folder = tempfile::tempdir().unwrap();
        let spilled = SpilledLedger::from_ledger(ledger, &SpillPolicy::new(folder.path())).unwrap();
        let (verification, _) = verify_spilled(&spilled, found, 1);
        prop_assert_eq!(counts(&verification), counts(&expected));
    }
}
