//! What an approval costs beside bare appends of the same events to the same kind of log.
//!
//! ```text
//! cargo run --release -p proofload-approval-workflow --example throughput -- 100 2000
//! ```
//!
//! So many threads each ask, approve and claim, again and again, so many times in all; then as many
//! threads append the same three events. Rounds of both alternate, since a disk has moods; the ratio
//! is of each pair, and the median is shown, also of the time on a processor alone, for a machine that
//! others use too. Without threads given, one thread, not synced; `buffered` behind the numbers has
//! nothing synced either.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, Durability, Event, NewRequest, PersonId, Policy, Timestamp, Use,
};
use jsonl_storage::{Log, LogOptions};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_buffered = arguments.last().is_some_and(|last| last == "buffered");
    arguments.truncate(arguments.len() - usize::from(is_buffered));
    let level = match is_buffered || arguments.is_empty() {
        true => Durability::Buffered,
        false => Durability::Synced,
    };
    let numbers: Vec<usize> = arguments
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    match *numbers {
        [] => compare(1, 100_000, level),
        [threads] => compare(threads, 20 * threads, level),
        [threads, approvals] => compare(threads, approvals, level),
        _ => Err("usage: throughput [THREADS [APPROVALS]] [buffered]".into()),
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
    let median = |value: &dyn Fn(&(Cost, Cost)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let picks: [(&str, Pick); 2] = [
        ("in all", |cost| cost.time),
        ("on a processor", |cost| cost.busy),
    ];
    for (what, pick) in picks {
        let gate = median(&|(gate, _)| per(pick(gate)));
        let bare = median(&|(_, bare)| per(pick(bare)));
        let ratio = median(&|(gate, bare)| pick(gate).as_secs_f64() / pick(bare).as_secs_f64());
        say(&format!(
            "{threads} threads, {level:?}, {what}: {gate:.1} µs an approval, {bare:.1} µs three bare appends, {ratio:.2} times"
        ));
    }
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
    workflow.claim(id, Use::new(action.clone(), agent, NOW))?;
    Ok(())
}

type Pick = fn(&Cost) -> Duration;

/// What some work took.
struct Cost {
    time: Duration,
    /// Of all threads together.
    busy: Duration,
}

fn timed(threads: usize, work: impl Fn(usize) + Sync) -> Cost {
    let (watch, busy) = (Instant::now(), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..threads {
            let (work, busy) = (&work, &busy);
            let named = thread::Builder::new().name(format!("throughput:{thread}"));
            let run = move || {
                work(thread);
                busy.fetch_add(processor_nanos(), Ordering::Relaxed);
            };
            named.spawn_scoped(scope, run).expect("a thread");
        }
    });
    Cost {
        time: watch.elapsed(),
        busy: Duration::from_nanos(busy.into_inner()),
    }
}

/// How long this thread ran on a processor.
fn processor_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "the result of the measurement")]
fn say(text: &str) {
    println!("{text}");
}
