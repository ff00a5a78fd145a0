//! How long it takes to bind to an action, and to find out whether a rule covers it.

use std::hint::black_box;

use action::{Action, ActionPath, PathPattern};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;

fn sample() -> Action {
    let lines: Vec<_> = (0..12)
        .map(|line| json!({ "sku": format!("SKU-{line:05}"), "quantity": line, "price": 9.99 }))
        .collect();
    Action::new(
        ActionPath::new("payments/orders/refund").unwrap(),
        "Refund an order",
    )
    .with_description("Pays the customer back and marks the order as refunded")
    .with_parameter("order", "A-17")
    .with_parameter("lines", json!(lines))
}

fn benches(c: &mut Criterion) {
    let action = sample();
    c.bench_function("digest of a 900-byte action", |b| {
        b.iter(|| black_box(&action).digest().unwrap());
    });
    let patterns = ["payments/orders/refund", "payments/*/ref*", "payments/**"];
    for pattern in patterns {
        let compiled = PathPattern::new(pattern).unwrap();
        c.bench_function(&format!("match {pattern}"), |b| {
            b.iter(|| black_box(&compiled).matches(black_box(&action.path)));
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
