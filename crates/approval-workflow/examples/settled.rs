//! What a million settled requests cost: the time to open them again, by a snapshot and by the whole
//! log, and the memory that they take.
//!
//! ```text
//! cargo run --release -p proofload-approval-workflow --example settled -- 1000000
//! ```
//!
//! Each request was reviewed, claimed and reported. Each opening runs in a process of its own, so
//! that its resident memory is that of the workflow; what the process takes without any request is
//! subtracted.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Binding, Claim, Disposition, Event, FencingToken, Options, PersonId, Policy,
    Receipt, ReceiptOutcome, RequestId, Review, Rulebook, SnapshotUse, Submission, Terms,
    Timestamp, Vote,
};
use jsonl_storage::LogOptions;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["open", dir, wanted] => open(Path::new(dir), *wanted == "log"),
        [requests] => measure(requests.parse()?),
        [] => measure(100_000),
        _ => Err("usage: settled [REQUESTS]".into()),
    }
}

/// With the key that snapshots take.
fn options() -> Options {
    ApprovalWorkflow::options().secret_key([7; 32])
}

fn measure(requests: usize) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (full, empty) = (dir.path().join("full"), dir.path().join("empty"));
    fill(&full, requests)?;
    options().open(&empty, Policy::default())?.close()?;
    let run = |dir: &Path, from: &str| -> Result<(f64, f64, usize), Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        let output = command.arg("open").arg(dir).arg(from).output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut parts = text.split_whitespace();
        let mut part = || parts.next().ok_or("the child failed");
        Ok((part()?.parse()?, part()?.parse()?, part()?.parse()?))
    };
    let (_, _, base) = run(&empty, "log")?;
    // The first opening reads the log, and its close writes the snapshot.
    for from in ["log", "snapshot"] {
        let (seconds, busy, resident) = run(&full, from)?;
        let each = resident.saturating_sub(base) / requests;
        say(&format!(
            "{requests} settled requests from the {from}: open in {seconds:.2} s, of which {busy:.2} s on a processor; {each} bytes each"
        ));
    }
    Ok(())
}

/// Opens a workflow, says how long that took and how much memory is resident, and closes it.
fn open(dir: &Path, from_log: bool) -> Result<(), Box<dyn Error>> {
    let (watch, busy) = (Instant::now(), processor_seconds()?);
    let workflow = options().open(dir, Policy::default())?;
    let seconds = watch.elapsed().as_secs_f64();
    let busy = processor_seconds()? - busy;
    let used = matches!(workflow.opening().snapshot, SnapshotUse::Used { .. });
    if used == from_log {
        return Err(format!("opened by {:?}", workflow.opening()).into());
    }
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("no resident pages")?;
    const PAGE_BYTES: usize = 4096;
    let resident = pages.parse::<usize>()? * PAGE_BYTES;
    say(&format!("{seconds} {busy} {resident}"));
    workflow.close()?;
    Ok(())
}

/// How long this process ran on processors, for a machine that others use too.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    const NANOS: f64 = 1e-9;
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos = stat.split(' ').next().ok_or("no time on a processor")?;
    Ok(nanos.parse::<f64>()? * NANOS)
}

/// So many settled requests, written straight to a log: one sync for them all.
fn fill(dir: &Path, requests: usize) -> Result<(), Box<dyn Error>> {
    let log = LogOptions::new().chained().open(dir)?;
    let book = Rulebook::new(Policy::default())?;
    let path = ActionPath::new("payments/refund")?;
    let (agent, alice) = (PersonId::new("agent-7")?, PersonId::new("alice")?);
    for number in 1..=requests as u64 {
        let id = RequestId::new(&format!("request-{number:07}"))?;
        let action = Action::new(path.clone(), "Refund an order")
            .with_description("the customer sent it back")
            .with_parameter("number", number);
        let digest = action.digest()?;
        let token = FencingToken(number);
        let asked = Submission {
            id: id.clone(),
            at: NOW,
            requester: agent.clone(),
            action,
            digest,
            context: serde_json::Map::new(),
            policy: book.digest(),
            rule: None,
            need: Disposition::Approval,
            terms: Terms::default(),
            key: None,
            binding: Binding::default(),
            hidden: None,
        };
        let review = Review {
            signature: None,
            id: id.clone(),
            at: NOW,
            reviewer: alice.clone(),
            verdict: Vote::Approve,
            reason: None,
            groups: Vec::new(),
            key: None,
            factor_step: None,
            on_behalf_of: None,
        };
        let claim = Claim {
            id: id.clone(),
            at: NOW,
            claimant: agent.clone(),
            digest,
            token,
            key: None,
            seen: Binding::default(),
            step: None,
        };
        let receipt = Receipt {
            id,
            at: NOW,
            token,
            outcome: ReceiptOutcome::Succeeded,
            observed: String::new(),
        };
        for event in [
            Event::Requested(asked.into()),
            Event::Reviewed(review),
            Event::Claimed(claim),
            Event::Finished(receipt),
        ] {
            // Not waited for: closing the log writes what is left.
            drop(log.submit(&event)?);
        }
    }
    Ok(log.close()?)
}

#[expect(clippy::print_stdout, reason = "the result of the measurement")]
fn say(text: &str) {
    println!("{text}");
}
