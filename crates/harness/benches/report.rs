//! What it costs to judge and draw a report.

use criterion::{Criterion, criterion_group, criterion_main};
use harness::{NoProgress, Scenario, Suite};
use report::{Settings, judge, render};

fn benches(c: &mut Criterion) {
    let out = tempfile::tempdir().unwrap();
    let suite = Suite::new(Settings::quick(), Scenario::ALL);
    let report = suite.run(out.path(), &mut NoProgress).unwrap();
    c.bench_function("judge five scenarios", |b| {
        b.iter(|| judge(&report.scenarios, false, &report.limits));
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
