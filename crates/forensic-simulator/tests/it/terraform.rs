//! Plans of Terraform: a sample of our own, and published ones where `PROOFLOAD_DATA` names them.

use std::path::PathBuf;
use std::{env, fs};

use forensic_simulator::{
    Fact, PredictedOutcome, SimulationReport, Simulator, TerraformPlan, Timestamp, World,
};
use serde_json::Value;

const SAMPLE: &str = include_str!("../../samples/terraform-plan.json");

fn simulate(import: &TerraformPlan, world: &World) -> SimulationReport {
    let simulator = import.register(Simulator::builder()).build().unwrap();
    let plan = simulator.check(import.workflow.clone()).unwrap();
    simulator.simulate(&plan, world, Timestamp::default())
}

fn render(report: &SimulationReport) -> String {
    let side = |fact: &Option<Fact>| fact.as_ref().map_or("-".into(), Fact::to_string);
    let line = |c: &forensic_simulator::Change| {
        format!("{}: {} > {}\n", c.key, side(&c.before), side(&c.after))
    };
    report.net_changes().iter().map(line).collect()
}

#[test]
fn a_plan_shows_its_changes_and_neither_secrets_nor_made_up_values() {
    let import = TerraformPlan::parse(SAMPLE).unwrap();
    let report = simulate(&import, &import.world);
    assert_eq!(report.outcome, PredictedOutcome::Success);
    assert_eq!(
        render(&report),
        "aws_db_instance.orders/password: (secret: sensitive in the plan) > \
         (secret: sensitive in the plan, new value)\n\
         aws_db_instance.orders/size: \"small\" > \"large\"\n\
         aws_instance.web/ami: - > \"ami-1\"\n\
         aws_instance.web/disks: - > [{\"gb\":8,\"name\":{\"$unknown\":{\"origin\":\"known after apply\"}}}]\n\
         aws_instance.web/id: - > (unknown: known after apply)\n\
         aws_sqs_queue.old/id: \"old\" > -\n"
    );
    assert!(!report.to_json().unwrap().contains("hunter"));
}

#[test]
fn a_plan_does_not_fit_a_world_that_has_moved() {
    let import = TerraformPlan::parse(SAMPLE).unwrap();
    let mut world = import.world.clone();
    world.insert("aws_sqs_queue.old/id", "new");
    let report = simulate(&import, &world);
    let step = report.step("aws_sqs_queue.old").unwrap();
    assert_eq!(step.outcome, PredictedOutcome::WouldFail);
    assert_eq!(
        &*step.reason,
        "aws_sqs_queue.old/id is no longer what the plan was made for"
    );
}

#[test]
fn bad_plans_are_refused_at_their_place() {
    for (text, message) in [
        ("{", "terraform plan, line 1, column 2: EOF"),
        (
            r#"{"format_version": "2.0"}"#,
            "terraform plan, format_version: \"2.0\" is none of",
        ),
        (
            r#"{"format_version": "1.0", "resource_changes": [{"address": "a", "change": {"actions": ["fly"]}}]}"#,
            "terraform plan, a: unknown actions [\"fly\"]",
        ),
    ] {
        let error = TerraformPlan::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

/// What changes, counted straight from the JSON: attributes whose value differs or is not known.
fn expected_keys(plan: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    for resource in plan["resource_changes"].as_array().into_iter().flatten() {
        let change = &resource["change"];
        let empty = serde_json::Map::new();
        let side = |name: &str| change[name].as_object().unwrap_or(&empty);
        let names = side("before").keys().chain(side("after").keys());
        let mut names: Vec<_> = names.chain(side("after_unknown").keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let unknown = change["after_unknown"][name].to_string().contains("true");
            let (before, after) = (side("before").get(name), side("after").get(name));
            if unknown || before != after {
                keys.push(format!("{}/{name}", resource["address"].as_str().unwrap()));
            }
        }
    }
    keys.retain(|key| !key.is_empty());
    keys.sort();
    keys
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that did not run has to say so")]
fn published_plans_change_what_their_json_says() {
    let Some(data) = env::var_os("PROOFLOAD_DATA") else {
        eprintln!("not run: PROOFLOAD_DATA names no folder");
        return;
    };
    let folder = PathBuf::from(data).join("terraform-plans");
    let (mut plans, mut refused) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let Ok(import) = TerraformPlan::parse(&text) else {
            refused.push(path.file_name().unwrap().to_owned());
            continue;
        };
        plans += 1;
        let json: Value = serde_json::from_str(&text).unwrap();
        let mut keys = Vec::new();
        if !import.workflow.steps.is_empty() {
            let report = simulate(&import, &import.world);
            assert_eq!(report.outcome, PredictedOutcome::Success, "{path:?}");
            keys.extend(
                report
                    .net_changes()
                    .iter()
                    .map(|change| change.key.to_string()),
            );
        }
        assert_eq!(keys, expected_keys(&json), "{path:?}");
    }
    assert_eq!((plans, refused), (15, vec!["invalid.json".into()]));
}
