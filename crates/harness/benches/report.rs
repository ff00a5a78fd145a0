//! What it costs to judge and draw a report.

use criterion::{Criterion, criterion_group, criterion_main};
use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::{advice, judge, render};

fn benches(c: &mut Criterion) {
    let out = tempfile::tempdir().unwrap();
    let quick = Overrides {
        quick: true,
        ..Overrides::default()
    };
    let suite = Suite::new(
        ScenarioFile::embedded_names().map(|name| ScenarioFile::embedded(name, &quick).unwrap()),
    );
    let report = suite.run(out.path(), &mut NoProgress).unwrap();
    let advised = advice([]);
    c.bench_function("judge five scenarios", |b| {
        b.iter(|| judge(&report.scenarios, false, &advised));
    });
    c.bench_function("draw as Markdown", |b| b.iter(|| render::markdown(&report)));
    c.bench_function("draw for a terminal", |b| {
        b.iter(|| render::terminal(&report));
    });
    c.bench_function("draw as HTML", |b| b.iter(|| render::html(&report)));
    c.bench_function("write and read as JSON", |b| {
        b.iter(|| {
            let json = serde_json::to_vec(&report).unwrap();
            serde_json::from_slice::<report::Report>(&json).unwrap()
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
