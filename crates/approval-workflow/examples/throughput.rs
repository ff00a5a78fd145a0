//! What an approval costs beside bare appends of the same events to the same kind of log.
//!
//! ```text
//! cargo run --release -p approval-workflow --example throughput -- 100 2000
//! ```
//!
//! So many threads each ask, approve and claim, again and again, so many times in all; then as many
//! threads append the same three events. Rounds of both alternate, since a disk has moods; the ratio
//! is of each pair, and the median is shown. Without threads given, one thread, not synced.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, Durability, Event, NewRequest, PersonId, Policy, Timestamp,
};
use jsonl_storage::{Log, LogOptions};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    match *numbers {
        [] => compare(1, 100_000, Durability::Buffered),
        [threads] => compare(threads, 20 * threads, Durability::Synced),
        [threads, approvals] => compare(threads, approvals, Durability::Synced),
        _ => Err("usage: throughput [THREADS [APPROVALS]]".into()),
    }
}

fn compare(threads: usize, approvals: usize, level: Durability) -> Result<(), Box<dyn Error>> {
    let each = approvals.div_ceil(threads);
    let dir = tempfile::tempdir()?;
    let workflow = ApprovalWorkflow::options()
        .durability(level)
        .open(dir.path().join("workflow"), Policy::default())?;
    let options = LogOptions::new().durability(level).chained();
    let log: Log<Event> = options.open(dir.path().join("log"))?;
    approve(&workflow, 0)?;
    let events = events(&workflow)?;

    let mut pairs = Vec::new();
    for round in 0..ROUNDS {
        let first = (round * approvals + 1) as u64;
        let gate = timed(threads, |thread| {
            for number in 0..each {
                let number = first + (thread * each + number) as u64;
                approve(&workflow, number).expect("an approval");
            }
        });
        let bare = timed(threads, |_| {
            for event in (0..each).flat_map(|_| &events) {
                log.append(event).expect("an append");
            }
        });
        pairs.push((gate, bare));
    }
    let per = |span: Duration| span.as_secs_f64() * 1e6 / (each * threads) as f64;
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let gate = median(pairs.iter().map(|(gate, _)| per(*gate)).collect());
    let bare = median(pairs.iter().map(|(_, bare)| per(*bare)).collect());
    let ratio = pairs
        .iter()
        .map(|(gate, bare)| gate.as_secs_f64() / bare.as_secs_f64());
    let ratio = median(ratio.collect());
    say(&format!(
        "{threads} threads, {level:?}: {gate:.1} µs an approval, {bare:.1} µs three bare appends, {ratio:.2} times"
    ));
    workflow.close()?;
    Ok(log.close()?)
}

/// Everything that happened so far; a log that buffers has to write it first.
fn events(workflow: &ApprovalWorkflow) -> Result<Vec<Event>, Box<dyn Error>> {
    workflow.checkpoint("example.com/throughput")?;
    let entries = workflow.audit_log()?;
    Ok(entries
        .map(|entry| Ok(entry?.event))
        .collect::<Result<_, approval_workflow::Error>>()?)
}

fn approve(workflow: &ApprovalWorkflow, number: u64) -> Result<(), Box<dyn Error>> {
    let (agent, alice) = (PersonId::new("agent-7")?, PersonId::new("alice")?);
    let action = Action::new(ActionPath::new("payments/refund")?, "Refund an order")
        .with_description("the customer sent it back")
        .with_parameter("number", number);
    let request = workflow.request(NewRequest::new(action.clone(), agent.clone(), NOW))?;
    let id = &request.submission.id;
    workflow.decide(id, Decision::approve(alice, NOW))?;
    workflow.claim(id, &action, agent, NOW)?;
    Ok(())
}

fn timed(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let watch = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            let named = thread::Builder::new().name(format!("throughput:{thread}"));
            named
                .spawn_scoped(scope, move || work(thread))
                .expect("a thread");
        }
    });
    watch.elapsed()
}

#[expect(clippy::print_stdout, reason = "the result of the measurement")]
fn say(text: &str) {
    println!("{text}");
}
