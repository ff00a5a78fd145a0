//! From the file of a Terraform plan to the text for a terminal: how long it takes and how much memory,
//! by the number of resources.
//!
//! ```text
//! cargo bench -p proofload-forensic-simulator --bench large_plan -- [--resources N] [--rounds N]
//! ```
#![expect(clippy::print_stdout, reason = "the figures are what this is run for")]

use std::time::{Duration, Instant};

use forensic_simulator::{Limits, PlanFile, Simulator, Timestamp};
use serde_json::{Value, json};

fn main() {
    let (mut resources, mut rounds) = (10_000, 10);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut number = || {
            let value = arguments.next().expect("an argument needs a value");
            let parsed = value.parse();
            parsed.unwrap_or_else(|_| panic!("{value}: no number"))
        };
        match name.as_str() {
            // What cargo adds by itself.
            "--bench" => {}
            "--test" => (resources, rounds) = (100, 1),
            "--resources" => resources = number(),
            "--rounds" => rounds = number(),
            _ => panic!("unknown argument {name}"),
        }
    }
    let file = plan(resources).to_string();
    println!("{resources} resources, {:.1} MB", file.len() as f64 / 1e6);
    let mut times: Vec<Duration> = (0..rounds).map(|_| examine(file.as_bytes())).collect();
    times.sort_unstable();
    let (least, median) = (times[0], times[times.len() / 2]);
    println!(
        "least {least:.0?}, median {median:.0?}, resident at most {} MB",
        peak_megabytes()
    );
}

fn examine(file: &[u8]) -> Duration {
    let began = Instant::now();
    let plan = PlanFile::read(file, None).expect("a plan");
    let limits = Limits {
        steps: usize::MAX,
        dependencies: usize::MAX,
        ..Limits::default()
    };
    let simulator = plan.register(Simulator::builder()).limits(limits);
    let simulator = simulator.build().expect("a simulator");
    let examination = simulator.examine_file(&plan, &plan.world, Timestamp::default(), 1);
    let text = examination.expect("examined").to_terminal();
    let took = began.elapsed();
    assert!(!text.is_empty());
    took
}

/// Servers of modules, of which each third is changed, created or destroyed, and a rule for each that
/// refers to it.
fn plan(resources: usize) -> Value {
    let changes: Vec<Value> = (0..resources).map(change).collect();
    json!({
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "applyable": true,
        "complete": true,
        "errored": false,
        "resource_changes": changes,
    })
}

fn change(number: usize) -> Value {
    let (module, server) = (number / 100, number % 100);
    let values = |size: &str| {
        json!({
            "ami": "ami-0a1b2c3d4e5f",
            "instance_type": size,
            "name": format!("server-{module}-{server}"),
            "monitoring": true,
            "subnet_id": format!("subnet-{module}"),
            "tags": {"team": format!("team-{module}"), "role": "worker", "cost": number},
            "vpc_security_group_ids": [format!("sg-{module}"), "sg-common"],
            "user_data": format!("#!/bin/sh\nexec worker --shard {number}\n"),
        })
    };
    let (before, after, actions) = match number % 3 {
        0 => (values("m5.large"), values("m5.xlarge"), json!(["update"])),
        1 => (Value::Null, values("m5.large"), json!(["create"])),
        _ => (values("m5.large"), Value::Null, json!(["delete"])),
    };
    let (after_unknown, is_new) = (json!({"id": true, "arn": true}), before.is_null());
    json!({
        "address": format!("module.region_{module}.aws_instance.worker[{server}]"),
        "module_address": format!("module.region_{module}"),
        "mode": "managed",
        "type": "aws_instance",
        "name": "worker",
        "index": server,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            "after_unknown": if is_new { after_unknown } else { json!({}) },
            "before_sensitive": false,
            "after_sensitive": false,
        },
    })
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1_000
}
