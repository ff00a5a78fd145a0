use super::*;

#[test]
fn an_entry_costs_56_bytes() {
    assert_eq!(size_of::<Entry>(), 56);
}

#[test]
fn the_effects_of_a_failed_step_become_attempts() {
    let mut ledger = Ledger::new();
    ledger.note("request", "a", Effect::Created(Digest::of(b"a")), 0, 10);
    assert_eq!(ledger.settle(1, 20, true), 1);
    ledger.note("request", "b", Effect::Created(Digest::of(b"b")), 0, 30);
    assert_eq!(ledger.settle(1, 40, false), 0);
    let effects: Vec<_> = ledger.iter().map(|entry| entry.effect).collect();
    assert_eq!(
        effects,
        [Effect::Created(Digest::of(b"a")), Effect::Attempted]
    );
}

#[test]
fn a_ledger_reads_back_what_it_wrote() {
    let mut ledger = Ledger::new();
    ledger.note(
        "request",
        "a \"quoted\" key\n",
        Effect::Created(Digest::of(b"a")),
        3,
        10,
    );
    ledger.note("decision", "", Effect::Removed, 4, 11);
    ledger.settle(2, 20, true);
    let mut text = Vec::new();
    ledger.write_jsonl(&mut text).unwrap();
    let read = Ledger::read_jsonl(text.as_slice()).unwrap();
    assert!(read.iter().eq(ledger.iter()));
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
}

#[test]
fn a_line_that_is_no_entry_is_named_by_its_number() {
    let mut text = Vec::new();
    let mut ledger = Ledger::new();
    ledger.note("request", "a", Effect::Removed, 0, 0);
    ledger.write_jsonl(&mut text).unwrap();
    text.extend_from_slice(b"{\"kind\":\"request\"}\n");
    let error = Ledger::read_jsonl(text.as_slice()).unwrap_err();
    assert!(error.to_string().starts_with("ledger line 2: "), "{error}");
}

#[test]
fn ledgers_with_different_kinds_merge() {
    let mut first = Ledger::new();
    first.note("a", "1", Effect::Removed, 0, 0);
    let mut second = Ledger::new();
    second.note("b", "2", Effect::Removed, 1, 0);
    second.note("a", "3", Effect::Removed, 1, 0);
    first.absorb(second);
    let names: Vec<_> = first
        .iter()
        .map(|e| format!("{}{}", e.kind, e.key))
        .collect();
    assert_eq!(names, ["a1", "b2", "a3"]);
}

#[test]
fn a_digest_that_is_no_16_digits_is_refused() {
    for text in ["", "12", "+123456789abcdef", "0123456789abcdefg"] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
