//! The approval gate over the number of requests that it knows.

use std::time::Instant;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, NewRequest, PersonId, Policy, RequestId, Timestamp,
};

use super::{
    Kind, MEGABYTES, MICROSECONDS, MILLISECONDS, Measure, median, resident_bytes, spread, text,
};
use crate::fit::Expected;

/// Threads that ask and decide: they share the disk's waits.
const THREADS: u64 = 100;

/// Answers of which one time is taken: a clock costs as much as an answer.
const BATCH: u64 = 64;
const BATCHES: u64 = 400;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(super) const KIND: Kind = Kind {
    name: "gate",
    varied: "requests",
    sizes: &[1_000, 3_000, 10_000, 30_000, 100_000],
    measures: &[
        Measure::new("can execute, median", ("ns", 1.0), Expected::Flat),
        Measure::new(
            "request and decide, durable, 100 threads",
            MICROSECONDS,
            Expected::Flat,
        ),
        Measure::new("open", MILLISECONDS, Expected::Linear),
        Measure::new("resident memory", MEGABYTES, Expected::Linear),
    ],
    measure: |dir, requests| {
        let workflow = open(dir)?;
        let began = Instant::now();
        fill(&workflow, requests)?;
        let filled = began.elapsed().as_nanos() as f64 / requests as f64;
        workflow.close().map_err(text)?;

        let began = Instant::now();
        let workflow = open(dir)?;
        let opened = began.elapsed().as_nanos() as f64;
        let resident = resident_bytes()?;
        Ok(vec![ask(&workflow, requests)?, filled, opened, resident])
    },
    planted: false,
};

fn open(dir: &std::path::Path) -> Result<ApprovalWorkflow, String> {
    let policy = "[[rules]]\npattern = \"payments/**\"\nsensitivity = \"high\"\n";
    let policy = Policy::from_toml(policy).map_err(text)?;
    // With the key that snapshots take.
    let options = ApprovalWorkflow::options().secret_key([7; 32]);
    options.open(dir, policy).map_err(text)
}

fn id(number: u64) -> Result<RequestId, String> {
    RequestId::new(&format!("request-{number:08}")).map_err(text)
}

fn action(number: u64) -> Result<Action, String> {
    let path = ActionPath::new("payments/refund").map_err(text)?;
    Ok(Action::new(path, "Refund").with_parameter("order", number))
}

fn fill(workflow: &ApprovalWorkflow, requests: u64) -> Result<(), String> {
    let one = |number: u64| -> Result<(), String> {
        let agent = PersonId::new("agent").map_err(text)?;
        let new = NewRequest::new(action(number)?, agent, NOW).with_id(id(number)?);
        workflow.request(new).map_err(text)?;
        let alice = PersonId::new("alice").map_err(text)?;
        let decision = Decision::approve(alice, NOW);
        workflow.decide(&id(number)?, decision).map_err(text)?;
        Ok(())
    };
    std::thread::scope(|scope| {
        let part = |thread: u64| {
            let one = &one;
            scope.spawn(move || {
                let mut numbers = (thread..requests).step_by(THREADS as usize);
                numbers.try_for_each(one)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(part).collect();
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => Err("a thread panicked".to_owned()),
            })
    })
}

/// The median time of an answer, of requests here and there.
fn ask(workflow: &ApprovalWorkflow, requests: u64) -> Result<f64, String> {
    let mut times = Vec::new();
    for batch in 0..BATCHES {
        let mut asked = Vec::new();
        for turn in 0..BATCH {
            let number = spread(batch * BATCH + turn, requests);
            asked.push((id(number)?, action(number)?.digest().map_err(text)?));
        }
        let began = Instant::now();
        let allowed = asked
            .iter()
            .filter(|(id, digest)| workflow.can_execute_digest(id, digest, NOW).is_allowed())
            .count();
        times.push(began.elapsed() / BATCH as u32);
        if allowed as u64 != BATCH {
            return Err(format!("{allowed} of {BATCH} approved requests may run"));
        }
    }
    Ok(median(times))
}
