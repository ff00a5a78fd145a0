//! Phases that never take place.

use crate::{result, run_with_rows};

#[test]
fn trailing_phase_lasts() {
    let report = run_with_rows(
        "name = \"x\"\n[target]\nkind = \"agents\"\n[model]\nthink_time = \"10ms\"\n[[phases]]\n\
         name = \"a\"\nfor = \"500ms\"\nusers = 2\n[[phases]]\nname = \"down\"\nfor = \"500ms\"\n\
         users = { from = 2, to = 0 }\n[[phases]]\nname = \"cool\"\nfor = \"1s\"\nusers = 0\n",
        b"",
    );
    let run = &result(&report).run;
    assert_eq!(run.wall_ns, 2_000_000_000);
    let last = run.monitor.samples.last().unwrap();
    assert!(
        last.at_ns > 1_700_000_000,
        "monitors stay on: {}",
        last.at_ns
    );
    assert!(!run.interrupted);
}
