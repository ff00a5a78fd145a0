use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use action::visible;
use anyhow::{Context as _, ensure};
use harness::{Inspection, LogInspection, Reread, data_directories, inspect_against, reread};
use jsonl_storage::Checkpoint;

use crate::arguments::VerifyArguments;
use crate::exit::Exit;
use crate::terminal::{print, print_json, shown};

/// Checks the stored data in a directory, and on request compares it with acknowledgements.
pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let checkpoint = checkpoint(arguments)?;
    let found = inspect_against(&arguments.directory, checkpoint.as_slice())?;
    let against = match &arguments.journal {
        Some(journal) => reread_all(&arguments.directory, journal)?,
        None => Vec::new(),
    };
    let outcome = Outcome::of(arguments, &found, &against);
    if arguments.json {
        print_json(&serde_json::json!({
            "holds": outcome.exit == Exit::Held,
            "undecided": outcome.doubts,
            "found": found,
            "journal": against,
        }))?;
    } else {
        print(&describe(&found, &against, &outcome, arguments.all))?;
    }
    Ok(outcome.exit)
}

/// Compares what each run left below a directory with its acknowledgements.
fn reread_all(directory: &Path, journal: &Path) -> anyhow::Result<Vec<Reread>> {
    let directories = data_directories(directory)?;
    ensure!(
        !directories.is_empty(),
        "{} holds no data of a run: name the `data-…` directory that one left, or the folder that has it",
        directory.display()
    );
    let all = directories.iter().map(|data| reread(data, journal));
    Ok(all.collect::<Result<_, _>>()?)
}

/// What a verification comes to.
struct Outcome {
    exit: Exit,
    /// Why it decides nothing, if nothing failed.
    doubts: Vec<String>,
}

impl Outcome {
    fn of(arguments: &VerifyArguments, found: &Inspection, against: &[Reread]) -> Self {
        let mut doubts: Vec<String> = Vec::new();
        // A journal has each acknowledgement: what it has, and what is there, leave nothing open.
        if against.is_empty() {
            doubts.extend(found.doubts().map(str::to_owned));
        }
        let is_signed = arguments.key.is_some() || !arguments.witness.is_empty();
        if arguments.checkpoint.is_some() && !is_signed && !arguments.insecure_no_key {
            let unchecked = "the signature of the checkpoint was not checked: give its --key, or accept \
                             that with --insecure-no-key";
            doubts.push(unchecked.to_owned());
        }
        let exit = if !found.holds() || !against.iter().all(Reread::holds) {
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
    for witness in &arguments.witness {
        Checkpoint::from_note(&text, &witness.parse()?).with_context(read)?;
    }
    let checkpoint = match &arguments.key {
        Some(key) => Checkpoint::from_note(&text, &key.parse()?),
        None => Checkpoint::from_text(&text),
    };
    Ok(Some(checkpoint.with_context(read)?))
}

// A `String` takes every write, so the results below are not looked at.

fn describe(found: &Inspection, against: &[Reread], outcome: &Outcome, all: bool) -> String {
    let mut text = String::new();
    for log in &found.logs {
        let _ = writeln!(
            text,
            "log {}: {} records, the last is {}, known to be synced up to {}{}",
            shown(&log.directory),
            log.records,
            log.last,
            log.synced,
            chain(log)
        );
        if let Some(removed) = &log.removed {
            let _ = writeln!(text, "  removed: {}", visible(removed));
        }
        let shown = if all { usize::MAX } else { 1 };
        list(&mut text, "corrupt", &log.corruptions, shown);
        list(&mut text, "cannot be read", &log.torn, shown);
        damaged_indexes(&mut text, &log.damaged_indexes);
    }
    for origin in &found.checkpoints_without_log {
        let _ = writeln!(
            text,
            "  checkpoint {}: it is of none of these logs; name the directory of its own log",
            visible(origin)
        );
    }
    for store in &found.memory_stores {
        let _ = writeln!(
            text,
            "memory store {}: {} memories, {} edges, {} vectors",
            shown(&store.directory),
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
        damaged_indexes(&mut text, &store.damaged_indexes);
    }
    if found.reports > 0 {
        let _ = writeln!(text, "saved reports: {}", found.reports);
    }
    list(&mut text, "damaged", &found.damaged_files, usize::MAX);
    for snapshot in &found.approval_snapshots {
        let says = match (&snapshot.difference, &snapshot.unusable) {
            (Some(what), _) => format!("says something else than the log: {what}"),
            (None, Some(why)) => format!("is not used, the log is read instead: {why}"),
            (None, None) => "says what the log says".to_owned(),
        };
        let _ = writeln!(
            text,
            "approval snapshot {}: {}",
            shown(&snapshot.directory),
            visible(&says)
        );
    }
    for reread in against {
        if against.len() > 1 {
            let _ = writeln!(text, "run in {}:", shown(&reread.directory));
        }
        describe_reread(&mut text, reread);
    }
    for doubt in &outcome.doubts {
        let _ = writeln!(text, "  undecided: {}", visible(doubt));
    }
    let verdict = match outcome.exit {
        Exit::Held => "holds",
        Exit::Failed => "VERIFICATION FAILED",
        _ => "INCONCLUSIVE",
    };
    let _ = writeln!(text, "{verdict}");
    text
}

/// Names derived files that are damaged, which is no loss.
fn damaged_indexes(text: &mut String, indexes: &[PathBuf]) {
    for index in indexes {
        let index = shown(index);
        let _ = writeln!(
            text,
            "  index damaged: {index}; it is made anew from the records when it is needed"
        );
    }
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
        let _ = writeln!(text, "  {name}: {}", visible(item));
    }
    if items.len() > shown {
        let more = items.len() - shown;
        let _ = writeln!(text, "  … and {more} more; --all or --json lists them");
    }
}
