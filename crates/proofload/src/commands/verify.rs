use std::fmt::Write as _;

use anyhow::Context as _;
use harness::{Inspection, LogInspection, Reread, inspect_against, reread};
use jsonl_storage::Checkpoint;

use crate::arguments::VerifyArguments;
use crate::commands::report::print;
use crate::exit::Exit;

/// Checks the stored data in a directory, and on request compares it with acknowledgements.
pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let checkpoint = checkpoint(arguments)?;
    let found = inspect_against(&arguments.directory, checkpoint.as_slice())?;
    let against = match &arguments.journal {
        Some(journal) => Some(reread(&arguments.directory, journal)?),
        None => None,
    };
    let outcome = Outcome::of(arguments, &found, against.as_ref());
    if arguments.json {
        let json = serde_json::json!({
            "holds": outcome.exit == Exit::Held,
            "undecided": outcome.doubts,
            "found": found,
            "journal": against,
        });
        let text = serde_json::to_string_pretty(&json).context("the result has no JSON form")?;
        print(&format!("{text}\n"))?;
    } else {
        print(&describe(&found, against.as_ref(), &outcome, arguments.all))?;
    }
    Ok(outcome.exit)
}

/// What a verification comes to.
struct Outcome {
    exit: Exit,
    /// Why it decides nothing, if nothing failed.
    doubts: Vec<String>,
}

impl Outcome {
    fn of(arguments: &VerifyArguments, found: &Inspection, against: Option<&Reread>) -> Self {
        let mut doubts: Vec<String> = Vec::new();
        // A journal has each acknowledgement: what it has, and what is there, leave nothing open.
        if against.is_none() {
            doubts.extend(found.doubts().map(str::to_owned));
        }
        if arguments.checkpoint.is_some() && arguments.key.is_none() && !arguments.insecure_no_key {
            let unchecked = "the signature of the checkpoint was not checked: give its --key, or accept \
                             that with --insecure-no-key";
            doubts.push(unchecked.to_owned());
        }
        let exit = if !found.holds() || against.is_some_and(|against| !against.holds()) {
            Exit::Failed
        } else if doubts.is_empty() {
            Exit::Held
        } else {
            Exit::Inconclusive
        };
        Self { exit, doubts }
    }
}

/// Reads the checkpoint, whose signature is checked when a key is given.
fn checkpoint(arguments: &VerifyArguments) -> anyhow::Result<Option<Checkpoint>> {
    let Some(file) = &arguments.checkpoint else {
        return Ok(None);
    };
    let read = || format!("cannot take {} for a checkpoint", file.display());
    let text = std::fs::read_to_string(file).with_context(read)?;
    let checkpoint = match &arguments.key {
        Some(key) => Checkpoint::from_note(&text, &key.parse()?),
        None => Checkpoint::from_text(&text),
    };
    Ok(Some(checkpoint.with_context(read)?))
}

// A `String` takes every write, so the results below are not looked at.

fn describe(found: &Inspection, against: Option<&Reread>, outcome: &Outcome, all: bool) -> String {
    let mut text = String::new();
    for log in &found.logs {
        let _ = writeln!(
            text,
            "log {}: {} records, the last is {}, known to be synced up to {}{}",
            log.directory.display(),
            log.records,
            log.last,
            log.synced,
            chain(log)
        );
        if let Some(removed) = &log.removed {
            let _ = writeln!(text, "  removed: {removed}");
        }
        let shown = if all { usize::MAX } else { 1 };
        list(&mut text, "corrupt", &log.corruptions, shown);
        list(&mut text, "cannot be read", &log.torn, shown);
        for index in &log.damaged_indexes {
            let index = index.display();
            let _ = writeln!(
                text,
                "  index damaged: {index}; it is made anew from the records when it is needed"
            );
        }
    }
    for origin in &found.checkpoints_without_log {
        let _ = writeln!(
            text,
            "  checkpoint {origin}: it is of none of these logs; name the directory of its own log"
        );
    }
    for store in &found.memory_stores {
        let _ = writeln!(
            text,
            "memory store {}: {} memories, {} edges, {} vectors",
            store.directory.display(),
            store.items,
            store.edges,
            store.vectors
        );
        list(
            &mut text,
            "disagrees",
            &store.disagreements,
            if all { usize::MAX } else { SHOWN },
        );
    }
    for snapshot in &found.approval_snapshots {
        let says = match (&snapshot.difference, &snapshot.unusable) {
            (Some(what), _) => format!("says something else than the log: {what}"),
            (None, Some(why)) => format!("is not used, the log is read instead: {why}"),
            (None, None) => "says what the log says".to_owned(),
        };
        let _ = writeln!(
            text,
            "approval snapshot {}: {says}",
            snapshot.directory.display()
        );
    }
    if let Some(against) = against {
        describe_reread(&mut text, against);
    }
    for doubt in &outcome.doubts {
        let _ = writeln!(text, "  undecided: {doubt}");
    }
    let verdict = match outcome.exit {
        Exit::Held => "holds",
        Exit::Failed => "VERIFICATION FAILED",
        _ => "INCONCLUSIVE",
    };
    let _ = writeln!(text, "{verdict}");
    text
}

/// What a log's lines carry, and which log it says to be.
fn chain(log: &LogInspection) -> String {
    match &log.identity {
        Some(identity) => format!(", chained, identity {identity}"),
        None if log.chained => ", chained, no identity record".to_owned(),
        None => String::new(),
    }
}

fn describe_reread(text: &mut String, against: &Reread) {
    let counts = &against.verification;
    let _ = writeln!(
        text,
        "acknowledged effects: {} verified, {} lost, {} altered, {} duplicated; {} more are there that \
         nobody had acknowledged yet",
        counts.verified, counts.lost, counts.altered, counts.duplicated, against.unacknowledged
    );
    let shown = against.discrepancies.iter().map(|item| {
        let defect = format!("{:?}", item.defect).to_lowercase();
        format!("{defect} {} {}", item.kind, item.key)
    });
    list(text, "discrepancy", &shown.collect::<Vec<_>>(), SHOWN);
}

/// Items of one kind that are shown unless all are asked for.
const SHOWN: usize = 20;

fn list(text: &mut String, name: &str, items: &[String], shown: usize) {
    for item in items.iter().take(shown) {
        let _ = writeln!(text, "  {name}: {item}");
    }
    if items.len() > shown {
        let more = items.len() - shown;
        let _ = writeln!(text, "  … and {more} more; --all or --json lists them");
    }
}
