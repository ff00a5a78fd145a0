//! Rates that differ from place to place.

use crate::{observed, result, run_with_rows};

#[test]
fn one_rate_everywhere() {
    // One connection, held for 50 ms, does at most 20 a second of the 100 that arrive.
    let report = run_with_rows(
        "name = \"x\"\nthresholds = ['rate > 1/s', 'rate(@ a) > 1/s']\n[target]\nkind = \"agents\"\n\
         mix = { load = 1, save = 0 }\nstate_bytes = \"1KB\"\n\
         pool = { size = 1, wait = \"30s\", hold = \"50ms\" }\n[model]\nkind = \"open\"\n\
         max_in_flight = 4\n[[phases]]\nname = \"a\"\nfor = \"2s\"\nrate = 100\n",
        b"",
    );
    let scenario = result(&report);
    let run = &scenario.run;
    let rate = observed(scenario, "rate > 1/s");
    assert_eq!(observed(scenario, "rate(@ a) > 1/s"), rate);
    assert!((run.operations_per_second() - rate).abs() < 1e-6);
    assert_eq!(run.window_ns(), 2_000_000_000);
    // Two steps of each iteration: getting a connection, and using it.
    assert!(rate < 60.0, "{rate}");
    let drained: u64 = run.steps.iter().map(|step| step.drained).sum();
    assert!(drained > 0 && run.drain_ns() > 0);
    assert_eq!(run.inconsistency(), None);
}

#[test]
fn slow_rates_include_idle_time() {
    let report = run_with_rows(
        "name = \"x\"\nthresholds = ['rate > 0.1/s', 'rate(@ a) > 0.1/s']\n[target]\n\
         kind = \"agents\"\nmix = { load = 1, save = 0 }\n[model]\nkind = \"open\"\n\
         max_in_flight = 2\n[[phases]]\nname = \"a\"\nfor = \"2s\"\nrate = 4\n[[phases]]\n\
         name = \"quiet\"\nfor = \"2s\"\nrate = 0\n",
        b"",
    );
    let scenario = result(&report);
    let whole = observed(scenario, "rate > 0.1/s");
    let phase = observed(scenario, "rate(@ a) > 0.1/s");
    assert!((whole * 2.0 - phase).abs() < 1e-3, "{whole} {phase}");
    assert_eq!(scenario.run.wall_ns, 4_000_000_000);
}
