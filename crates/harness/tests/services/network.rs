//! Faults of the network: what they do to a load, and that the proof stays right.

use harness::{Overrides, ScenarioFile};
use report::ScenarioResult;

use crate::effects::{LISTED, over, run};
use crate::server::{Lie, Shop};

/// A load of arrivals with a phase without faults and one with this fault.
fn phases(fault: &str) -> String {
    let (before, _) = LISTED.split_once("[model]").unwrap();
    format!(
        "{before}[model]\nkind = \"open\"\nmax_in_flight = 64\n\
         [[phases]]\nname = \"before\"\nfor = \"1s\"\nrate = 40\n\
         [[phases]]\nname = \"faulty\"\nfor = \"2s\"\nrate = 40\nfaults = [{{ at = \"1ms\", for = \"1900ms\", {fault} }}]\n"
    )
}

fn faulty(fault: &str) -> (std::sync::Arc<Shop>, ScenarioResult, String) {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&over(&phases(fault), &shop), out.path());
    let page = crate::page(&report);
    (shop, result, page)
}

#[test]
fn an_answer_that_is_lost_is_unknown_and_what_was_done_is_held_against_nobody() {
    let (shop, result, page) = faulty("kind = \"drop_answer\", share = \"50%\"");
    let effect = &result.effects.as_ref().unwrap()[0];
    assert!(effect.unknown > 0 && effect.acknowledged > 0, "{page}");
    assert!(result.effects_hold(), "{page}");
    // Every order was placed, whether or not its answer came.
    let found = &result.verification;
    assert_eq!(found.indeterminate, effect.unknown, "{page}");
    assert_eq!(found.verified, effect.acknowledged, "{page}");
    assert_eq!(
        shop.orders() as u64,
        effect.acknowledged + effect.unknown,
        "{page}"
    );
    let step = result.run.step("place").unwrap();
    assert_eq!(step.failed, effect.unknown + effect.refused, "{page}");
    let threshold: load_engine::Threshold = "unknown_rate < 1%".parse().unwrap();
    let judged = threshold.judge(&result.run, Some(found));
    let attempted = effect.acknowledged + effect.refused + effect.unknown;
    let share = effect.unknown as f64 / attempted as f64;
    assert!(
        (judged.observed.unwrap() - share).abs() < 1e-6,
        "{judged:?}"
    );
    assert_eq!(judged.ruling, load_engine::Ruling::Violated);
    assert!(
        page.contains("unknown: the connection was reset before an answer"),
        "{page}"
    );
    assert!(
        page.contains("fault: drop_answer (share 50%) of shop from"),
        "{page}"
    );
}

#[test]
fn latency_is_seen_in_the_phase_in_which_it_is_there() {
    let (_, result, page) =
        faulty("kind = \"latency\", value = \"100ms\", direction = \"answers\"");
    assert!(result.effects_hold(), "{page}");
    let p50 = |phase: usize| result.run.phases[phase].steps[0].latency.p50().unwrap();
    let (before, during) = (p50(0), p50(1));
    assert!(during >= 100_000_000, "{during} ns, {page}");
    assert!(before < during, "{before} ns, {page}");
    assert_eq!(
        result.faults[0].detail.as_deref(),
        Some("100ms, of answers")
    );
    let lasted = result.faults[0].ended_ms - result.faults[0].began_ms;
    assert!(lasted >= 1900, "{lasted} ms");
}

#[test]
fn connections_that_are_cut_fail_by_name() {
    let (_, result, page) = faulty("kind = \"reset_peer\"");
    assert!(result.effects_hold(), "{page}");
    let step = result.run.step("place").unwrap();
    assert!(step.failed > 0 && step.succeeded > 0, "{page}");
    for failure in &step.failures.messages {
        assert!(failure.message.contains("reset"), "{}", failure.message);
    }
}

#[test]
fn a_request_that_comes_twice_is_found_twice() {
    let (_, result, page) = faulty("kind = \"duplicate\", share = \"50%\"");
    assert!(result.verification.duplicated > 0, "{page}");
    assert_eq!(result.verification.lost, 0, "{page}");
}

#[test]
fn a_mistake_in_a_fault_is_told_at_its_key() {
    let shop = Shop::new(Lie::None);
    let told = |fault: &str| {
        let text = over(&phases(fault), &shop);
        let file = ScenarioFile::parse("orders.toml", &text, &Overrides::default());
        let told = file.unwrap_err().to_string();
        told.split_once(": ").unwrap().1.to_owned()
    };
    for (fault, problem) in [
        (
            "kind = \"latency\"",
            "`latency` needs a value, such as value = \"50ms\"",
        ),
        (
            "kind = \"latency\", value = \"50\"",
            "`50` is not a time such as 200ms",
        ),
        (
            "kind = \"bandwidth\", value = \"0\"",
            "`value` of `bandwidth` is above 0",
        ),
        (
            "kind = \"drop_answer\", value = \"5ms\"",
            "a `drop_answer` has no `value`: leave it out",
        ),
        (
            "kind = \"reset_peer\", direction = \"answers\"",
            "a `reset_peer` has no `direction`: leave it out",
        ),
        (
            "kind = \"timeout\", share = \"120\"",
            "`120` is above 100 %",
        ),
        (
            "kind = \"kill\", share = \"5%\"",
            "`kill` needs `start` in the service",
        ),
    ] {
        assert_eq!(told(fault), problem, "{fault}");
    }
}
