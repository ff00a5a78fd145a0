//! How long a plan of many resources takes from its file to the text for a terminal, and the memory
//! that it takes at most: `cargo run --release --example scale -- 10000 [rounds]`.
//!
//! One resource in ten is destroyed, three are changed, six are new; each has twelve attributes and
//! refers to the one before it.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use forensic_simulator::{Limits, PlanFile, Simulator, Timestamp};
use serde_json::{Value, json};

fn main() {
    let mut arguments = env::args().skip(1);
    let resources = number(arguments.next(), 10_000);
    let rounds = number(arguments.next(), 7);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("plan.json");
    write_plan(&file, resources).expect("a file that can be written");
    let size = fs::metadata(&file).expect("the file").len();
    let mut times: Vec<f64> = (0..rounds.max(1))
        .map(|_| {
            let start = Instant::now();
            let text = examined(&fs::read(&file).expect("the file"));
            assert!(
                text.contains("destroyed"),
                "the text says what is destroyed"
            );
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{resources} resources, {:.1} MB: {:.0} ms from file to text, median of {} ({:.0}–{:.0})",
        size as f64 / 1e6,
        times[times.len() / 2],
        times.len(),
        times[0],
        times[times.len() - 1],
    );
    match most_resident() {
        Some(kib) => println!("{:.0} MB resident at most", kib as f64 * 1024.0 / 1e6),
        None => println!("this system does not say how much memory was resident"),
    }
}

fn number(argument: Option<String>, default: usize) -> usize {
    argument.map_or(default, |text| text.parse().expect("a number"))
}

fn examined(bytes: &[u8]) -> String {
    let plan = PlanFile::read(bytes, None).expect("a plan");
    let simulator = plan.register(Simulator::builder()).limits(Limits {
        steps: usize::MAX,
        dependencies: usize::MAX,
        ..Limits::default()
    });
    let simulator = simulator.build().expect("a simulator");
    let examination = simulator.examine_file(&plan, &plan.world, Timestamp::default(), 0);
    examination.expect("an examination").to_terminal()
}

/// In KiB, since the process began.
fn most_resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Item by item, since the memory of a plan in one piece would be what is measured.
fn write_plan(file: &Path, resources: usize) -> io::Result<()> {
    let mut out = BufWriter::new(fs::File::create(file)?);
    out.write_all(
        br#"{"format_version":"1.2","terraform_version":"1.14.0","applyable":true,"complete":true,"errored":false,"resource_changes":["#,
    )?;
    write_items(&mut out, resources, change)?;
    out.write_all(br#"],"configuration":{"root_module":{"resources":["#)?;
    write_items(&mut out, resources, configuration)?;
    out.write_all(b"]}}}")?;
    out.flush()
}

fn write_items(out: &mut impl Write, count: usize, item: fn(usize) -> Value) -> io::Result<()> {
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}{}", item(n))?;
    }
    Ok(())
}

fn change(n: usize) -> Value {
    let (before, after) = (attributes(n, "old"), attributes(n, "new"));
    let (actions, before, after) = match n % 10 {
        0 => (json!(["delete"]), before, Value::Null),
        1..=3 => (json!(["update"]), before, after),
        _ => (json!(["create"]), Value::Null, after),
    };
    let unknown = if after.is_null() {
        json!({})
    } else {
        json!({"arn": true})
    };
    json!({
        "address": format!("aws_instance.host_{n}"),
        "mode": "managed",
        "type": "aws_instance",
        "name": format!("host_{n}"),
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            "after_unknown": unknown,
            "before_sensitive": {},
            "after_sensitive": {},
        },
    })
}

fn attributes(n: usize, state: &str) -> Value {
    json!({
        "ami": format!("ami-{state}"),
        "instance_type": "m7g.large",
        "availability_zone": "eu-central-1a",
        "subnet_id": format!("subnet-{}", n % 40),
        "private_ip": format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250),
        "monitoring": true,
        "ebs_optimized": false,
        "key_name": "operators",
        "vpc_security_group_ids": ["sg-1", "sg-2"],
        "root_block_device": [{"volume_size": 20, "volume_type": "gp3", "encrypted": true}],
        "tags": {"Name": format!("host-{n}"), "Release": state},
        "user_data": "#!/bin/sh\nexec /usr/bin/agent --all\n",
    })
}

fn configuration(n: usize) -> Value {
    let mut references = vec!["var.ami".to_owned()];
    if n > 0 {
        references.push(format!("aws_instance.host_{}", n - 1));
    }
    json!({
        "address": format!("aws_instance.host_{n}"),
        "mode": "managed",
        "type": "aws_instance",
        "name": format!("host_{n}"),
        "expressions": {"ami": {"references": references}},
    })
}
