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

/// What a target keeps of earlier versions is read back too: each update of a memory, and the state that
/// each checkpoint holds.
#[test]
fn versions_that_are_kept_are_verified_each() {
    let report = run(
        "name = \"x\"\nthresholds = ['rate > 0.1/s']\n[target]\nkind = \"memory\"\n\
         mix = { update = 1 }\n[model]\nusers = 2\niterations = 20\n",
    );
    let found = &result(&report).verification;
    let tally = found.tally().unwrap();
    // Two memories, and 20 updates of each.
    assert_eq!((tally.acknowledged, tally.verified), (42, 42));
    assert!(found.every_effect_verified());
    assert_eq!(found.inconsistency(), None);

    let report = run(
        "name = \"x\"\nthresholds = ['rate > 0.1/s']\n[target]\nkind = \"agents\"\n\
         mix = { save = 1, checkpoint = 1, restore = 1 }\nstate_bytes = \"100B\"\n\
         [model]\nusers = 2\niterations = 40\n",
    );
    let found = &result(&report).verification;
    let checkpoints = found.kinds["checkpoint"];
    assert!(checkpoints.acknowledged > 10, "{checkpoints:?}");
    assert!(checkpoints.all_verified(), "{checkpoints:?}");
    assert!(found.holds() && found.inconsistency().is_none());
}
