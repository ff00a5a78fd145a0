//! Reports, their store and all digests, as an earlier build wrote them: read exactly, and written
//! again byte for byte.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use std::path::Path;
use std::sync::Arc;

use forensic_simulator::{
    PlanFile, ReportId, Schema, SimulationReport, SimulationStore, Simulator, StoreOptions,
    Summary, Timestamp, Workflow, World,
};
use jsonl_storage::FsBackend;
use serde_json::{Value, json};
use tempfile::tempdir;

const SHOP_PLAN: &str = include_str!("../samples/shop/plan.json");
const SHOP_WORLD: &str = include_str!("../samples/shop/world.json");
const SHOP_SCHEMAS: &str = include_str!("../samples/shop/schemas/shop.toml");

/// A plan, and the world that it would meet.
struct Case {
    name: &'static str,
    workflow: Workflow,
    world: World,
}

fn step(id: &str, path: &str, parameters: Value, depends_on: &[&str]) -> Value {
    let action =
        json!({ "path": path, "name": format!("{path} \u{1f980}"), "parameters": parameters });
    json!({ "id": id, "action": action, "depends_on": depends_on })
}

/// Every kind of outcome, effect and fact.
fn hostile() -> (Workflow, World) {
    let steps = [
        step(
            "create",
            "kv/create",
            json!({ "key": "n/\u{fb33}", "value": { "z": 1, "a": [null, 0.1, 1e21] } }),
            &[],
        ),
        step(
            "read",
            "kv/read",
            json!({ "key": "n/\u{fb33}" }),
            &["create"],
        ),
        step(
            "update",
            "kv/update",
            json!({ "key": "text", "value": "line\n\"quote\" \u{0}\u{2028}" }),
            &[],
        ),
        step("delete", "kv/delete", json!({ "key": "gone" }), &["update"]),
        step(
            "pay",
            "kv/transfer",
            json!({ "from": "ann", "to": "bob", "amount": 15 }),
            &[],
        ),
        step(
            "pay again",
            "kv/transfer",
            json!({ "from": "ann", "to": "bob", "amount": 15.5 }),
            &["pay"],
        ),
        step(
            "waits",
            "kv/adjust",
            json!({ "key": "bob", "by": 1 }),
            &["pay again"],
        ),
        step(
            "overwrite",
            "kv/update",
            json!({ "key": "secret", "value": null }),
            &[],
        ),
        step(
            "unknown amount",
            "kv/adjust",
            json!({ "key": "unknown", "by": 0.1, "floor": 0 }),
            &[],
        ),
        step(
            "get",
            "http/get",
            json!({ "url": "https://example.com/\u{e9}" }),
            &[],
        ),
        step(
            "post",
            "http/post",
            json!({ "url": "https://example.com/" }),
            &["get"],
        ),
        step("shell", "shell/run", json!({ "command": "rm -rf /" }), &[]),
        step(
            "nobody",
            "nobody/knows",
            json!({ "n": 9_007_199_254_740_992_u64 }),
            &[],
        ),
    ];
    let workflow = json!({ "name": "hostile \u{1f980}", "steps": steps });
    let world = json!({
        "ann": 20, "bob": 0.5, "text": "before", "gone": [1, { "b": 2, "a": 1 }],
        "null": { "$known": null },
        "secret": { "$secret": { "label": "password", "fingerprint": "3" } },
        "unknown": { "$unknown": { "origin": "assigned later", "type": "number" } },
    });
    (
        Workflow::parse(&workflow.to_string()).unwrap(),
        World::parse(&world.to_string()).unwrap(),
    )
}

/// The sample of a plan of Terraform's as it was read when the reports were stored. How such a plan is
/// read changes with what is understood of it; stored reports of it do not.
fn terraform() -> (Workflow, World) {
    let step = |verb: &str, address: &str| {
        let action = json!({ "path": format!("terraform/{verb}"), "name": format!("{verb} {address}"),
            "parameters": { "resource": address } });
        json!({ "id": address, "action": action })
    };
    let steps = [
        step("update", "aws_db_instance.orders"),
        step("create", "aws_instance.web"),
        step("delete", "aws_sqs_queue.old"),
    ];
    let workflow = json!({ "name": "terraform plan", "steps": steps });
    let world = json!({
        "aws_db_instance.orders/id": "db-1", "aws_db_instance.orders/size": "small",
        "aws_db_instance.orders/password": { "$secret": { "label": "sensitive in the plan" } },
        "aws_s3_bucket.logs/id": "logs", "aws_sqs_queue.old/id": "old",
    });
    (
        Workflow::parse(&workflow.to_string()).unwrap(),
        World::parse(&world.to_string()).unwrap(),
    )
}

fn cases() -> Vec<Case> {
    let (workflow, world) = hostile();
    let (terraform, found) = terraform();
    let mcp = include_str!("../samples/mcp-calls.json");
    vec![
        Case {
            name: "hostile",
            workflow,
            world,
        },
        Case {
            name: "shop",
            workflow: Workflow::parse(SHOP_PLAN).unwrap(),
            world: World::parse(SHOP_WORLD).unwrap(),
        },
        Case {
            name: "terraform",
            workflow: terraform,
            world: found,
        },
        Case {
            name: "mcp",
            workflow: PlanFile::parse(mcp, None).unwrap().workflow,
            world: World::new(),
        },
    ]
}

/// Of the built-in handlers and the shop's: what the plans bring along is not asked.
fn simulator() -> Simulator {
    let schemas = Schema::parse(SHOP_SCHEMAS).unwrap();
    let builder = Simulator::builder().builtins().schemas(schemas);
    builder.build().unwrap()
}

fn simulate(case: &Case, number: usize) -> SimulationReport {
    let simulator = simulator();
    let plan = simulator.check(case.workflow.clone()).unwrap();
    let at = Timestamp::from_micros(1_700_000_000_000_000 + number as i64);
    simulator.simulate(&plan, &case.world, at)
}

fn reports() -> Vec<SimulationReport> {
    let numbered = cases().into_iter().enumerate();
    numbered
        .map(|(number, case)| simulate(&case, number))
        .collect()
}

fn write_store(dir: &Path) {
    let backend = FsBackend::new(dir).with_identity([0x5a; 16]);
    let store = StoreOptions::new().open_on(Arc::new(backend)).unwrap();
    for report in reports() {
        store.save(report).unwrap();
    }
    store.close().unwrap();
}

#[test]
fn golden_a_store_of_reports_is_written_byte_for_byte() {
    let dir = tempdir().unwrap();
    write_store(dir.path());
    golden::assert_folder("store_v2", dir.path());
}

#[test]
fn golden_a_stored_store_holds_what_was_saved() {
    for folder in ["store", "store_v2"] {
        holds_what_was_saved(folder);
    }
}

/// The first one is of a version that began stores without a hash chain.
fn holds_what_was_saved(folder: &str) {
    let dir = tempdir().unwrap();
    golden::copy_folder(folder, dir.path());
    let store = SimulationStore::open(dir.path()).unwrap();
    let expected = reports();
    let stored: Vec<_> = store.stored().unwrap().map(Result::unwrap).collect();
    assert_eq!(stored.len(), expected.len());
    for (number, (stored, expected)) in stored.iter().zip(&expected).enumerate() {
        assert_eq!(stored.id, ReportId(number as u64 + 1));
        assert_eq!(*stored.report, *expected);
        assert_eq!(store.report(stored.id).unwrap(), *stored);
    }
    let statistics = serde_json::to_string_pretty(&store.statistics()).unwrap();
    golden::assert_file("statistics.json", format!("{statistics}\n").as_bytes());
    store.close().unwrap();
    golden::assert_folder(folder, dir.path());
}

#[test]
fn golden_a_saved_report_is_written_byte_for_byte_and_reads_back() {
    let (case, number) = (&cases()[1], 1);
    let report = simulate(case, number);
    let json = format!("{}\n", report.to_json().unwrap());
    golden::assert_file("report_shop.json", json.as_bytes());
    let read: SimulationReport = serde_json::from_slice(&golden::read("report_shop.json")).unwrap();
    assert_eq!(read, report);
    let summary = serde_json::to_string(&Summary::of(&report)).unwrap();
    golden::assert_file("summary_shop.json", format!("{summary}\n").as_bytes());
}

#[test]
fn golden_the_digests_of_plans_reports_effects_and_worlds_are_as_stored() {
    let mut lines = String::new();
    for (case, report) in cases().iter().zip(reports()) {
        let plan = simulator().check(case.workflow.clone()).unwrap();
        assert_eq!(plan.digest(), report.plan);
        let digests = [
            ("plan", plan.digest().to_string()),
            ("report", report.digest().unwrap().to_string()),
            ("effects", report.effects_digest().to_string()),
            ("world", case.world.digest().to_string()),
            ("world_read", report.world_digest().to_string()),
        ];
        for (what, digest) in digests {
            lines += &format!("{} {what} {digest}\n", case.name);
        }
    }
    let (_, world) = hostile();
    let mut facts: Vec<_> = world.iter().collect();
    facts.sort_by_key(|(key, _)| key.as_str());
    for (key, fact) in facts {
        lines += &format!("version {key} {}\n", fact.version());
    }
    golden::assert_file("digests.txt", lines.as_bytes());
}

#[test]
fn golden_a_workflow_and_a_world_are_written_as_stored_and_read_back() {
    let (workflow, world) = hostile();
    let json = format!("{}\n", serde_json::to_string(&workflow).unwrap());
    golden::assert_file("workflow.json", json.as_bytes());
    let json = format!("{}\n", serde_json::to_string(&world).unwrap());
    golden::assert_file("world.json", json.as_bytes());
    let text = |name| String::from_utf8(golden::read(name)).unwrap();
    assert_eq!(Workflow::parse(&text("workflow.json")).unwrap(), workflow);
    assert_eq!(World::parse(&text("world.json")).unwrap(), world);
}
