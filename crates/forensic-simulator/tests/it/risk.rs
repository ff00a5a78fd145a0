//! Whether the risk puts plans in the order in which a person would.

use forensic_simulator::{PlanFile, Simulator, Timestamp};
use serde_json::{Map, Value, json};

/// Plans with a label from 0, "run it", to 100, "never run it", and why.
const LABELLED: &str = include_str!("../../samples/risk/plans.json");

/// A plan of Terraform's, written out from its short form.
fn plan(short: &Value) -> Value {
    let mut resources = Vec::new();
    for resource in short["resources"].as_array().unwrap() {
        let kind = resource["type"].as_str().unwrap();
        for number in 0..resource["count"].as_u64().unwrap_or(1) {
            let mut change = json!({"actions": resource["actions"], "before": {"id": "1"}, "after": {"id": "1"}});
            if resource["actions"] == json!(["delete"]) {
                change["after"] = Value::Null;
            } else if resource["actions"] == json!(["create"]) {
                change["before"] = Value::Null;
            }
            for side in ["before", "after", "importing"] {
                if !resource[side].is_null() {
                    change[side] = resource[side].clone();
                }
            }
            let place = resources.len();
            resources.push(json!({
                "address": format!("{kind}.r{place}[{number}]"), "change": change,
                "mode": if kind.starts_with("data.") { "data" } else { "managed" },
                "type": kind, "action_reason": resource["action_reason"],
                "previous_address": resource["previous_address"],
            }));
        }
    }
    let mut plan = Map::from_iter([
        ("format_version".to_owned(), json!("1.2")),
        ("resource_changes".to_owned(), Value::Array(resources)),
    ]);
    plan.extend(short["more"].as_object().cloned().unwrap_or_default());
    Value::Object(plan)
}

fn score(short: &Value) -> u32 {
    let file = PlanFile::parse(&plan(short).to_string(), None).unwrap();
    let simulator = file.register(Simulator::builder()).build().unwrap();
    let examined = simulator.examine_file(&file, &file.world, Timestamp::default(), 1);
    examined.unwrap().analysis.risk.score
}

/// Kendall's τ-b, which counts a tie in one of the two as no agreement.
fn tau(pairs: &[(u32, u32)]) -> f64 {
    let (mut agree, mut first, mut second) = (0_i64, 0_i64, 0_i64);
    for (index, (a, b)) in pairs.iter().enumerate() {
        for (c, d) in &pairs[index + 1..] {
            let (one, other) = (a.cmp(c) as i64, b.cmp(d) as i64);
            agree += one * other;
            first += one.abs();
            second += other.abs();
        }
    }
    agree as f64 / ((first * second) as f64).sqrt()
}

#[test]
fn the_risk_orders_plans_as_their_labels_do() {
    let labelled: Vec<Value> = serde_json::from_str(LABELLED).unwrap();
    assert!(labelled.len() >= 40, "{}", labelled.len());
    let pairs: Vec<(u32, u32)> = labelled
        .iter()
        .map(|plan| (plan["label"].as_u64().unwrap() as u32, score(plan)))
        .collect();
    let told: Vec<_> = labelled
        .iter()
        .zip(&pairs)
        .map(|(plan, (label, score))| format!("{label} {score} {}", plan["name"]))
        .collect();
    let tau = tau(&pairs);
    assert!(tau >= 0.9, "{tau}\n{}", told.join("\n"));
    assert!(
        labelled
            .iter()
            .all(|plan| plan["why"].as_str().is_some_and(|why| why.len() > 10))
    );
}

#[test]
fn tau_is_one_for_the_same_order_and_minus_one_for_the_other() {
    let up = [(1, 10), (2, 20), (3, 30)];
    let down = [(1, 30), (2, 20), (3, 10)];
    assert!((tau(&up) - 1.0).abs() < 1e-9 && (tau(&down) + 1.0).abs() < 1e-9);
    assert!(tau(&[(1, 1), (2, 1), (3, 2)]) < 1.0);
}
