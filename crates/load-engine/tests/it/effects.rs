//! Targets that lie, from the load to the verification.

use load_engine::{Defect, Verification, verify};

use crate::store::{Honesty, READ, Store, WRITE, load, plan};

const USERS: u32 = 10;
const EACH: u64 = 50;

fn verified(honesty: Honesty) -> Verification {
    let store = Store::new(honesty);
    let (_, ledger) = load(&store, &plan(USERS, EACH));
    verify(&ledger, store.contents())
}

fn defects(verification: &Verification) -> Vec<Defect> {
    let mut defects: Vec<_> = verification
        .discrepancies
        .iter()
        .map(|d| d.defect)
        .collect();
    defects.dedup();
    defects
}

#[test]
fn an_honest_target_holds() {
    let verification = verified(Honesty::Honest);
    assert!(verification.holds());
    assert_eq!(
        (
            verification.effects,
            verification.verified,
            verification.found
        ),
        (500, 500, 500)
    );
}

#[test]
fn dropped_writes_are_lost() {
    let verification = verified(Honesty::DropsEvery(25));
    assert_eq!((verification.verified, verification.lost), (480, 20));
    assert_eq!(defects(&verification), [Defect::Lost]);
    let first = &verification.discrepancies[0];
    assert_eq!((first.kind.as_str(), first.found), ("row", None));
    assert_eq!(
        first.user.map(|user| format!("{user}-")),
        Some(first.key[..2].to_owned())
    );
    assert!(!verification.holds());
}

#[test]
fn changed_writes_are_altered() {
    let verification = verified(Honesty::AltersEvery(25));
    assert_eq!((verification.verified, verification.altered), (480, 20));
    assert_eq!(defects(&verification), [Defect::Altered]);
    assert!(!verification.holds());
}

#[test]
fn writes_found_twice_are_duplicated() {
    let verification = verified(Honesty::DuplicatesEvery(25));
    assert_eq!((verification.verified, verification.duplicated), (500, 20));
    assert_eq!(defects(&verification), [Defect::Duplicated]);
    assert!(!verification.holds());
}

#[test]
fn rows_that_nobody_wrote_are_unexpected() {
    let verification = verified(Honesty::InventsEvery(10));
    assert_eq!((verification.verified, verification.unexpected), (500, 50));
    assert_eq!(defects(&verification), [Defect::Unexpected]);
    assert_eq!(
        verification.discrepancies.len(),
        20,
        "only the first are shown in full"
    );
    assert!(!verification.holds());
}

#[test]
fn a_failed_write_may_have_been_made_or_not() {
    let store = Store::new(Honesty::FailsEvery(25));
    let (record, ledger) = load(&store, &plan(USERS, EACH));
    let verification = verify(&ledger, store.contents());
    assert!(verification.holds(), "{verification:?}");
    assert_eq!(
        (verification.verified, verification.indeterminate),
        (480, 20)
    );
    let write = record.step(&WRITE.name).unwrap();
    assert_eq!(
        (write.attempted, write.succeeded, write.failed),
        (500, 480, 20)
    );
    assert_eq!(write.failures.messages[0].message, "disk full");
    assert_eq!(write.failures.total(), 20);
    assert_eq!(
        (record.iterations.completed, record.iterations.failed),
        (480, 20)
    );
    assert_eq!(
        record.failures.total(),
        0,
        "a step's failure is counted once"
    );
}

#[test]
fn a_step_that_does_nothing_and_returns_success_is_vacuous() {
    let store = Store::new(Honesty::DoesNothing);
    let (record, ledger) = load(&store, &plan(USERS, EACH));
    let vacuous: Vec<_> = record
        .vacuous_steps()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(vacuous, [WRITE.name]);
    let write = record.step(&WRITE.name).unwrap();
    assert_eq!(
        (write.succeeded, write.effects, write.unacknowledged),
        (500, 0, 500)
    );
    assert!(
        !record.step(&READ.name).unwrap().is_vacuous(),
        "a read leaves no effect"
    );
    assert_eq!(verify(&ledger, store.contents()).indeterminate, 500);
}

#[test]
fn a_panic_is_a_counted_failure_with_its_message_and_the_run_goes_on() {
    let store = Store::new(Honesty::PanicsEvery(50));
    let (record, ledger) = load(&store, &plan(USERS, EACH));
    let write = record.step(&WRITE.name).unwrap();
    assert_eq!((write.attempted, write.failed), (500, 10));
    let messages: Vec<_> = write
        .failures
        .messages
        .iter()
        .map(|f| f.message.as_str())
        .collect();
    assert!(
        messages.contains(&"panicked: index 3000 out of range"),
        "{messages:?}"
    );
    assert_eq!(record.iterations.failed, 10);
    let verification = verify(&ledger, store.contents());
    assert!(verification.holds());
    assert_eq!(
        (verification.verified, verification.indeterminate),
        (490, 10)
    );
}

#[test]
fn a_run_repeats_from_its_seed() {
    let contents = |seed| {
        let store = Store::new(Honesty::Honest);
        load(&store, &plan(4, 20).seed(seed));
        store.keys()
    };
    assert_eq!(contents(5), contents(5));
    assert_ne!(contents(5), contents(6));
}
