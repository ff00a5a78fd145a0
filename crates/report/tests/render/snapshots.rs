//! What every renderer makes of every stored run.

use std::fs;

use report::{Report, render};

use crate::stored::{NAMES, load, path, updates};

/// A renderer, and the ending of what it writes.
type Renderer = (&'static str, fn(&Report) -> String);

const RENDERERS: [Renderer; 8] = [
    ("txt", |report| {
        anstream::adapter::strip_str(&render::terminal(report)).to_string()
    }),
    // A narrow terminal and a wide one.
    ("40.txt", |report| {
        anstream::adapter::strip_str(&render::terminal_in(report, 40)).to_string()
    }),
    ("160.txt", |report| {
        anstream::adapter::strip_str(&render::terminal_in(report, 160)).to_string()
    }),
    // Not `.md`: what looks like a link in a hostile name is none.
    ("md.txt", render::markdown),
    ("html", |report| {
        without_style_and_script(&render::html(report))
    }),
    ("junit.xml", render::junit),
    ("prom", render::prometheus),
    ("csv.txt", |report| {
        let tables = render::csv(report).into_iter();
        tables
            .map(|table| format!("{}:\n{}\n", table.name, table.content))
            .collect()
    }),
];

/// The style sheet and the script are files of their own, and the policy has their digests.
fn without_style_and_script(page: &str) -> String {
    let cut = |page: &str, from: &str, to: &str| {
        let (before, rest) = page.split_once(from).unwrap();
        let (_, after) = rest.split_once(to).unwrap();
        format!("{before}{from}{to}{after}")
    };
    let page = cut(page, "style-src '", "'");
    let page = cut(&page, "script-src '", "'");
    let page = cut(&page, "<style>", "</style>");
    cut(&page, "<script>", "</script>")
}

/// Lines end where they end, and a file in a newline: other tools would change it otherwise.
fn tidied(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let mut text = lines.join("\n").trim_end().to_owned();
    text.push('\n');
    text
}

#[test]
fn every_renderer_draws_every_stored_run_as_before() {
    let mut changed = Vec::new();
    for name in NAMES {
        let report = load(name);
        for (ending, draw) in RENDERERS {
            let file = format!("{name}.{ending}");
            let drawn = tidied(&draw(&report));
            let at = path("snapshots", &file);
            if updates("snapshots") {
                fs::write(at, drawn).unwrap();
            } else if fs::read_to_string(&at).ok().as_deref() != Some(drawn.as_str()) {
                changed.push(file);
            }
        }
    }
    assert!(
        changed.is_empty(),
        "{changed:?} would be drawn otherwise; if that is right, run \
         `PROOFLOAD_UPDATE=snapshots cargo test -p proofload-report --test render` and look at the difference"
    );
}

#[test]
fn the_verdict_is_the_first_that_is_read() {
    let expected = [
        ("pass", "Pass", "All effects verified, all thresholds met."),
        (
            "fail",
            "Fail",
            "The scenario failed: approval: mean(*) &lt; 100ms (create): ",
        ),
        ("vacuous", "Fail", "vacuous == 0: 1"),
        ("lost_effects", "Fail", "lost == 0: 2"),
        (
            "generator_limited",
            "Inconclusive",
            "arrivals started up to 90.0 ms late",
        ),
        ("interrupted", "Inconclusive", "Interrupted before the end."),
        ("empty", "Inconclusive", "The target did no operation."),
        (
            "one_operation",
            "Pass",
            "All effects verified, all thresholds met.",
        ),
    ];
    for (name, word, reason) in expected {
        let report = load(name);
        let page = render::html(&report);
        let body = page.split_once("<main").unwrap().1;
        let verdict = body.split_once("<dl").unwrap().0;
        assert!(
            verdict.contains(&format!("{word}</h1>")),
            "{name}: {verdict}"
        );
        assert!(verdict.contains(reason), "{name}: {verdict}");
        let markdown = render::markdown(&report);
        let top: Vec<_> = markdown.lines().take(3).collect();
        assert!(top[0].ends_with(&word.to_lowercase()), "{name}: {top:?}");
    }
}

/// On a busy machine every time is not judged for the generator's sake; one of too few operations was told so
/// as well, which made a quick run look as if a quiet machine would do.
#[test]
fn a_figure_that_is_not_there_keeps_its_own_reason_where_the_generator_was_the_limit() {
    let flags = ["p99.999(request) < 1s", "mean(request) < 1s"].map(|text| text.parse().unwrap());
    let report = load("generator_limited").judged_by(&flags, &[]);
    let reason = |figure: &str| {
        let mut own = report.scenarios[0].judgements.iter();
        let found = own.find(|own| own.threshold.to_string().starts_with(figure));
        found.unwrap().reason.clone().unwrap()
    };
    assert!(
        reason("p99.999").ends_with("are needed"),
        "{}",
        reason("p99.999")
    );
    assert!(
        reason("mean").starts_with("arrivals started up to"),
        "{}",
        reason("mean")
    );
}

#[test]
fn limits_that_are_not_judged_are_skipped_and_fail_no_ci_by_themselves() {
    let junit = render::junit(&load("generator_limited"));
    assert!(junit.contains("failures=\"0\" errors=\"1\""), "{junit}");
    assert!(
        junit.contains("arrivals started up to 90.0 ms late"),
        "{junit}"
    );
    let junit = render::junit(&load("lost_effects"));
    assert!(
        junit.contains("<failure type=\"verification\" message=\"lost == 0: 2\"/>"),
        "{junit}"
    );
}
