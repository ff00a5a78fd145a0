//! Counts of effects that do not add up, and "every effect was verified" where most were written over.

use report::render;

use crate::{result, run};

#[test]
fn superseded_is_said() {
    let report = run(
        "name = \"x\"\nthresholds = ['rate > 0.1/s']\n[target]\nkind = \"agents\"\n\
         mix = { load = 0, save = 1 }\nstate_bytes = \"100B\"\n\
         [model]\nusers = 2\niterations = 20\n",
    );
    let found = &result(&report).verification;
    let tally = found.tally().unwrap();
    assert_eq!((tally.acknowledged, tally.verified), (40, 2));
    assert_eq!(tally.superseded, 38);
    assert_eq!(found.inconsistency(), None);
    let said =
        "40 acknowledged effects on 2 keys: 2 final states verified, 38 superseded and not read";
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for drawn in [
        render::terminal(&report),
        render::markdown(&report),
        render::html(&report),
    ] {
        let drawn = words(drawn);
        assert!(drawn.contains(said), "{drawn}");
        assert!(
            !drawn.to_lowercase().contains("all effects verified"),
            "{drawn}"
        );
    }
    assert_eq!(
        report.verdict.reason,
        "all final states verified, all thresholds met"
    );
}
