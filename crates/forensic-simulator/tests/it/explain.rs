//! Forecasts, reach, risk, and reports for people.

use crate::common::{act, simulator};
use forensic_simulator::{
    BlastRadius, Forecast, Plan, Risk, SimulationReport, Timestamp, Workflow, World,
};
use serde_json::json;

fn example() -> (Plan, SimulationReport) {
    let simulator = simulator();
    let workflow = Workflow::new("month end")
        .step(
            "move",
            act(
                "kv/transfer",
                &json!({"from": "bank/a", "to": "bank/b", "amount": 4}),
            ),
        )
        .step(
            "note",
            act("kv/create", &json!({"key": "log/1", "value": "done"})),
        )
        .step_after("clean", act("kv/delete", &json!({"key": "old"})), ["move"])
        .step(
            "tell",
            act("http/post", &json!({"url": "https://example.org"})),
        )
        .step("bad", act("kv/delete", &json!({"key": "x|y\u{1b}[31m<b>"})));
    let plan = simulator.check(workflow).unwrap();
    let world = World::from_iter([("bank/a", 10), ("bank/b", 0), ("old", 1)]);
    let report = simulator.simulate(&plan, &world, Timestamp::default());
    (plan, report)
}

#[test]
fn the_terminal_shows_a_diff_and_no_escape_sequence() {
    let text = example().1.to_text();
    let wanted = "\
month end: would_fail

move (kv/transfer): success
    every precondition holds
  ~ bank/a: 10 -> 6
  ~ bank/b: 0 -> 4

note (kv/create): success
    every precondition holds
  + log/1: \"done\"

tell (http/post): success
    it would act outside of the world that is modelled
  ! https://example.org: sends a request that may change something
";
    assert!(
        text.starts_with(wanted.split("\ntell").next().unwrap()),
        "{text}"
    );
    assert!(text.contains("  - old: 1\n"), "{text}");
    assert!(
        text.contains("1 to create, 2 to change, 1 to remove; 120 ms (5 ms to 30 s)"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn markdown_keeps_its_table_whatever_a_plan_is_called() {
    let markdown = example().1.to_markdown();
    let rows: Vec<_> = markdown
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    assert_eq!(rows.len(), 7);
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
    }
    assert!(
        markdown.contains("```diff\n- bank/a: 10\n+ bank/a: 6\n"),
        "{markdown}"
    );
    assert!(!markdown.contains("<b>"), "{markdown}");
}

#[test]
fn the_graph_has_a_box_for_each_step_and_key_and_is_well_formed() {
    let svg = example().1.to_svg();
    assert_eq!(svg.matches("<rect").count(), 5 + 5);
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    assert!(svg.contains("x|y\\u{1b}[31m&lt;b&gt;"), "{svg}");
    assert!(svg.contains("stroke-dasharray"));
}

#[test]
fn reach_and_risk_can_be_explained_point_by_point() {
    let (_, report) = example();
    let radius = BlastRadius::of(&report);
    assert_eq!((radius.keys, radius.removed), (4, 1));
    let areas: Vec<_> = radius.areas.iter().map(String::as_str).collect();
    assert_eq!(areas, ["bank", "log", "old"]);
    assert_eq!(radius.pivot.unwrap().as_str(), "tell");
    let risk = Risk::of(&report);
    let points: u32 = risk.factors.iter().map(|factor| factor.points).sum();
    assert_eq!((risk.score, points), (73, 73), "{risk:?}");
}

#[test]
fn a_forecast_repeats_from_its_seed_and_stays_within_the_estimates() {
    let (plan, report) = example();
    let forecast = Forecast::of(&plan, &report, 2_000, 1);
    assert_eq!(forecast, Forecast::of(&plan, &report, 2_000, 1));
    assert_ne!(forecast, Forecast::of(&plan, &report, 2_000, 2));
    let (quantiles, spread) = (forecast.duration_us, report.estimate.duration_us);
    assert!(spread.least <= quantiles.min && quantiles.max <= spread.most);
    assert!(quantiles.p50 <= quantiles.p90 && quantiles.p90 <= quantiles.p99);
}
