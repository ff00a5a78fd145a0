//! How large a page gets, and how long it takes.

use std::io::Write as _;
use std::time::Instant;

use report::render;

use crate::build::{Step, proved, record, report};

const LIMIT_BYTES: usize = 3_000_000;

#[test]
fn an_hour_of_fifty_steps_by_the_second_is_a_page_of_less_than_three_megabytes() {
    let steps: Vec<Step> = (1..=50)
        .map(|n| {
            let mut step = Step::new(&format!("step {n}"), true, 20_000 * n, 4);
            step.slower = |second| if second % 600 < 5 { 40.0 } else { 1.0 };
            step.failing = |second| u64::from(second % 900 == 7);
            step
        })
        .collect();
    let mut run = record(3600, &steps[..1], 11);
    // The same seconds under other names: what is drawn does not depend on it, and 180,000 random
    // histograms would take longer to make than to draw.
    let first = run.steps[0].clone();
    run.steps = steps
        .iter()
        .map(|step| {
            let mut own = first.clone();
            own.name.clone_from(&step.name);
            own
        })
        .collect();
    let report = report(
        vec![proved("soak", "fifty steps", "20 threads for an hour", run)],
        vec![],
    );
    let began = Instant::now();
    let page = render::html(&report);
    let took = began.elapsed();
    // The time is told, not asserted: it is the machine's, and the build's.
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let line = format!(
        "an hour of 50 steps: {} bytes in {took:?} ({build})\n",
        page.len()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(page.len() < LIMIT_BYTES, "{} bytes", page.len());
    for step in &steps {
        assert!(
            page.contains(&format!(">{}</bdi>", step.name)),
            "{}",
            step.name
        );
    }
}
