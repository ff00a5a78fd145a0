use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use action::visible;
use anyhow::{Context as _, ensure};
use jsonl_storage::{Break, Salvaged};

use crate::arguments::SalvageArguments;
use crate::exit::Exit;
use crate::terminal::{print, shown};

/// How deep logs are looked for below a directory, as `verify` does.
const DEPTH: usize = 4;
/// Says of a data directory which target wrote it.
const MANIFEST: &str = "scenario.json";

/// Copies what is whole, and says where everything went. Ends as failed when something was damaged or
/// is missing: the new log is good, and it is not the whole of the old one.
pub(crate) fn run(arguments: &SalvageArguments) -> anyhow::Result<Exit> {
    let mut logs = Vec::new();
    find_logs(&arguments.from, Path::new(""), DEPTH, &mut logs)?;
    ensure!(
        !logs.is_empty(),
        "{} holds no log",
        arguments.from.display()
    );
    let mut is_complete = true;
    for below in &logs {
        let (from, to) = (join(&arguments.from, below), join(&arguments.to, below));
        let salvaged = jsonl_storage::salvage(&from, &to)?;
        is_complete &= salvaged.is_complete();
        print(&describe(&to, &salvaged))?;
    }
    copy_manifest(&arguments.from, &arguments.to)?;
    Ok(if is_complete {
        Exit::Held
    } else {
        Exit::Failed
    })
}

/// The directories that hold logs, relative to the first one.
fn find_logs(
    root: &Path,
    below: &Path,
    depth: usize,
    logs: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    let directory = join(root, below);
    if jsonl_storage::is_log(&directory) {
        logs.push(below.to_owned());
    }
    let cannot = || format!("cannot read {}", directory.display());
    for entry in fs::read_dir(&directory).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        // A link could lead in circles.
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_logs(root, &below.join(entry.file_name()), depth - 1, logs)?;
        }
    }
    Ok(())
}

fn join(root: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() {
        root.to_owned()
    } else {
        root.join(below)
    }
}

/// So that `verify --journal` knows which target reads the new directory.
fn copy_manifest(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (from.join(MANIFEST), to.join(MANIFEST));
    match fs::symlink_metadata(&from) {
        Ok(manifest) if manifest.is_file() => {}
        _ => return Ok(()),
    }
    fs::copy(&from, &to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

// A `String` takes every write, so the results below are not looked at.

fn describe(to: &Path, salvaged: &Salvaged) -> String {
    let mut text = String::new();
    let to = shown(to);
    let _ = writeln!(text, "{} records kept in {to}", salvaged.kept);
    for run in &salvaged.runs {
        let last = run.records.saturating_sub(1);
        let _ = writeln!(
            text,
            "  records {} to {} are now {} to {}",
            run.was,
            run.was.0 + last,
            run.is,
            run.is.0 + last
        );
    }
    if let Some(removed) = &salvaged.removed {
        let (first, last, why) = (removed.first, removed.last, visible(&removed.why));
        let _ = writeln!(text, "  removed earlier: records {first} to {last} ({why})");
    }
    for missing in &salvaged.missing {
        let (first, last) = (missing.start(), missing.end());
        let _ = writeln!(text, "  missing: records {first} to {last}");
    }
    for broken in &salvaged.breaks {
        let Break {
            file,
            line,
            byte,
            kind,
            ..
        } = broken;
        let file = shown(file);
        let _ = writeln!(text, "  damaged: {file} line {line} (byte {byte}): {kind}");
    }
    if let Some(unreadable) = &salvaged.unreadable {
        let _ = writeln!(text, "  lines that are no records: {}", shown(unreadable));
    }
    text
}
