//! A world that others published: the airline of τ-bench (MIT), whose gold plans carry the digest of
//! the state they end in, and whose recordings carry every answer and every error of its tools.
//!
//! Needs the folder that `PROOFLOAD_DATA` names; without it the test says that it did not run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use action::{Action, ActionPath};
use forensic_simulator::{
    PredictedOutcome, SimulationReport, Simulator, Timestamp, Workflow, World,
};
use serde_json::{Map, Value};

use crate::airline::{airline, python};

/// The starting world, one key for each user, reservation and flight.
fn load(folder: &Path) -> (World, Vec<String>) {
    let mut world = World::new();
    let mut flights = Vec::new();
    for table in ["flights", "reservations", "users"] {
        let text = fs::read_to_string(folder.join(format!("{table}.json"))).unwrap();
        let rows: Map<String, Value> = serde_json::from_str(&text).unwrap();
        for (name, row) in rows {
            if table == "flights" {
                flights.push(name.clone());
            }
            world.insert(format!("{table}/{name}"), row);
        }
    }
    (world, flights)
}

fn simulate(simulator: &Simulator, world: &World, calls: &[Value]) -> SimulationReport {
    let mut workflow = Workflow::new("airline");
    for (number, call) in calls.iter().enumerate() {
        let name = call["name"].as_str().unwrap();
        let path = ActionPath::new(format!("airline/{name}")).unwrap();
        let mut action = Action::new(path, name);
        action.parameters = call["arguments"].as_object().unwrap().clone();
        workflow = workflow.step(number.to_string(), action);
    }
    let plan = simulator.check(workflow).unwrap();
    simulator.simulate(&plan, world, Timestamp::default())
}

/// The digest as τ-bench takes it: SHA-256 over Python's `str()` of nested, sorted tuples.
fn published_digest(world: &World) -> String {
    use sha2::Digest as _;
    let mut tables = Map::new();
    for (key, fact) in world.iter() {
        let (table, name) = key.as_str().split_once('/').unwrap();
        let rows = tables
            .entry(table)
            .or_insert_with(|| Value::Object(Map::new()));
        let row = fact.value().unwrap().clone();
        rows.as_object_mut().unwrap().insert(name.to_owned(), row);
    }
    let mut text = String::new();
    python(&Value::Object(tables), &mut text);
    let digest = sha2::Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_published_end_state_answer_and_error_of_the_airline_is_predicted() {
    let Some(data) = env::var_os("PROOFLOAD_DATA") else {
        eprintln_not_run();
        return;
    };
    let seen = measure(&PathBuf::from(data).join("tau-bench-airline"));
    assert!(
        seen.wrong.is_empty(),
        "{} wrong: {:#?}",
        seen.wrong.len(),
        &seen.wrong[..seen.wrong.len().min(5)]
    );
    assert_eq!((seen.digests, seen.errors), (150, 66));
    assert!(seen.answers > 800, "{seen:?}");
}

/// Plays every gold plan and every recording.
pub(crate) fn measure(folder: &Path) -> Seen {
    let (world, flights) = load(folder);
    let simulator = airline(flights);
    let runs = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    let mut seen = Seen::default();
    for line in runs.lines() {
        let run: Value = serde_json::from_str(line).unwrap();
        check_gold(&simulator, &world, &run, &mut seen);
        check_recording(&simulator, &world, &run, &mut seen);
    }
    seen
}

#[allow(clippy::print_stderr, reason = "a test that did not run has to say so")]
fn eprintln_not_run() {
    eprintln!("not run: PROOFLOAD_DATA names no folder");
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) digests: usize,
    pub(crate) answers: usize,
    pub(crate) errors: usize,
    /// By call, what was predicted, and whether it was a success.
    pub(crate) verdicts: Vec<(PredictedOutcome, bool)>,
    pub(crate) wrong: Vec<String>,
    gold: HashMap<String, String>,
}

fn check_gold(simulator: &Simulator, world: &World, run: &Value, seen: &mut Seen) {
    let Some(published) = run["gold_end_state_sha256"].as_str() else {
        return;
    };
    seen.digests += 1;
    // Several runs are of one task, and a digest visits the whole world.
    let own = seen
        .gold
        .entry(run["gold_actions"].to_string())
        .or_insert_with(|| {
            let mut end = world.clone();
            if let calls @ [_, ..] = run["gold_actions"].as_array().unwrap().as_slice() {
                end.apply(simulate(simulator, world, calls).changes());
            }
            published_digest(&end)
        });
    if own != published {
        seen.wrong.push(format!("digest of task {}", run["task"]));
    }
}

fn check_recording(simulator: &Simulator, world: &World, run: &Value, seen: &mut Seen) {
    let calls = run["calls"].as_array().unwrap();
    if calls.is_empty() {
        return;
    }
    let report = simulate(simulator, world, calls);
    for (step, call) in report.steps.iter().zip(calls) {
        let recorded = call["observation"].as_str().unwrap();
        let predicted = match (&step.answer, step.outcome) {
            (_, PredictedOutcome::WouldFail) => Value::String(format!("Error: {}", step.reason)),
            (Some(answer), _) => answer.value().cloned().unwrap_or_default(),
            (None, _) => Value::Null,
        };
        let is_error = recorded.starts_with("Error");
        seen.errors += usize::from(is_error);
        seen.answers += usize::from(!is_error);
        seen.verdicts.push((step.outcome, !is_error));
        // The JSON of a result, or text.
        let structured = predicted.is_object() || predicted.is_array();
        let same = if structured {
            serde_json::from_str::<Value>(recorded).is_ok_and(|recorded| recorded == predicted)
        } else {
            predicted.as_str() == Some(recorded)
        };
        if !same {
            let (task, name) = (&run["task"], &call["name"]);
            let shown: String = predicted.to_string().chars().take(300).collect();
            seen.wrong.push(format!(
                "task {task}, {name}: {shown} instead of {recorded:.300}"
            ));
        }
    }
}
