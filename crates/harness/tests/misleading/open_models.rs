//! The table of an open model that shows service times, as if nobody had waited.

use report::{FindingKind, render};

use crate::{result, run};

/// One connection, held for 50 ms, of which 100 a second are asked for.
const OVERLOAD: &str = "name = \"x\"\nthresholds = ['p50 < 1ms']\n[target]\nkind = \"agents\"\n\
     mix = { load = 1, save = 0 }\nstate_bytes = \"1KB\"\n\
     pool = { size = 1, wait = \"30s\", hold = \"50ms\" }\n[model]\nkind = \"open\"\n\
     max_in_flight = 4\n[[phases]]\nname = \"a\"\nfor = \"2s\"\nrate = 100\n";

#[test]
fn open_table_shows_response_and_a_queue_is_no_degradation() {
    let report = run(OVERLOAD);
    let step = &result(&report).run.steps[0];
    let (felt, served) = (step.felt().p50_ns, step.service_time.p50_ns);
    assert!(felt > 500_000_000 && felt > 2 * served, "{felt} {served}");

    let text = anstream::adapter::strip_str(&render::terminal(&report)).to_string();
    assert!(
        text.contains("response times, from when operations were due; service times below"),
        "{text}"
    );
    let row = |start: &str| {
        text.lines()
            .find(|line| line.trim_start().starts_with(start))
    };
    let first = row(&step.name).unwrap();
    assert!(first.contains(&render::duration(felt as f64)), "{text}");
    let second = row("service time  ").unwrap();
    assert!(second.contains(&render::duration(served as f64)), "{text}");

    let kinds = report.findings.iter().map(|finding| finding.kind);
    assert!(
        !kinds
            .into_iter()
            .any(|kind| kind == FindingKind::Degradation)
    );
    assert!(report.findings.iter().all(|finding| {
        finding
            .span
            .is_none_or(|span| span.end_ns <= result(&report).run.wall_ns)
    }));
}
