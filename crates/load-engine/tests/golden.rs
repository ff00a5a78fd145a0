//! The ledger as JSON lines, the digests in it, and what a seed stands for, as an earlier build wrote
//! them. (A spilled ledger is read by the program that wrote it and by no other.)

#[path = "../../../tests/support/golden.rs"]
mod golden;

use load_engine::{Digest, Effect, Ledger, LedgerEntry, Rng};
use serde_json::json;

fn ledger() -> Ledger {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let effects = [
        ("entry", "0-0", Effect::Created(digest("paid"))),
        ("entry", "0-0", Effect::Updated(digest(""))),
        (
            "edge",
            "\u{1f980} \"quoted\"\n\u{0}\u{2028}",
            Effect::Created(digest("\u{1f980}")),
        ),
        ("entry", "0-0", Effect::Removed),
        ("entry", "", Effect::Attempted),
    ];
    let mut ledger = Ledger::new();
    for (number, (kind, key, effect)) in (0..).zip(effects) {
        ledger.push(&LedgerEntry {
            kind: kind.into(),
            key: key.into(),
            effect,
            user: number,
            started_ns: u64::from(number) * 1_000_000_007,
            settled_ns: u64::MAX - u64::from(number),
        });
    }
    ledger
}

#[test]
fn golden_a_ledger_is_written_byte_for_byte_and_reads_back() {
    let mut written = Vec::new();
    ledger().write_jsonl(&mut written).unwrap();
    golden::assert_file("ledger.jsonl", &written);
    let read = Ledger::read_jsonl(golden::read("ledger.jsonl").as_slice()).unwrap();
    assert!(read.iter().eq(ledger().iter()));
}

#[test]
fn golden_digests_are_as_stored() {
    let value = json!({ "z": 1, "a": [null, 0.1, "\u{1f980}"] });
    let lines = [
        format!("empty {}", Digest::of(b"")),
        format!("paid {}", Digest::of(b"paid")),
        format!("long {}", Digest::of(&[7; 10_000])),
        format!("json {}", Digest::of_json(&value).unwrap()),
        format!("blake3 {}", Digest::from_blake3([0x5a; 32])),
    ];
    golden::assert_file("digests.txt", format!("{}\n", lines.join("\n")).as_bytes());
    let stored = String::from_utf8(golden::read("digests.txt")).unwrap();
    let paid = stored.lines().find_map(|line| line.strip_prefix("paid "));
    assert_eq!(paid.unwrap().parse(), Ok(Digest::of(b"paid")));
}

/// A report names its seed, so that whoever reads it can make the same load.
#[test]
fn golden_a_seed_stands_for_the_same_numbers() {
    let mut lines = String::new();
    for (seed, user, iteration) in [
        (0, 0, 0),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (u64::MAX, 9, 99),
    ] {
        let mut rng = Rng::for_iteration(seed, user, iteration);
        let mut bytes = [0; 11];
        rng.fill(&mut bytes);
        let numbers = [rng.next_u64(), rng.below(1000), rng.below(u64::MAX)];
        let (unit, chance) = (rng.unit(), rng.chance(0.5));
        let first = Rng::new(seed).next_u64();
        lines +=
            &format!("{seed} {user} {iteration}: {first} {bytes:?} {numbers:?} {unit} {chance}\n");
    }
    golden::assert_file("seeds.txt", lines.as_bytes());
}
