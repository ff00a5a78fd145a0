//! A report in the files of other programs.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use report::{Report, ScenarioResult, render};

use crate::arguments::ReportFiles;

/// Writes what was asked for, and gives the paths in their order.
pub(super) fn write(report: &Report, files: &ReportFiles) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    let mut put = |path: &Path, content: &str| -> anyhow::Result<()> {
        fs::write(path, content).with_context(|| cannot_write(path))?;
        written.push(path.to_owned());
        Ok(())
    };
    if let Some(path) = &files.html {
        put(path, &render::html(report))?;
    }
    if let Some(path) = &files.junit {
        put(path, &render::junit(report))?;
    }
    if let Some(path) = &files.prometheus {
        put(path, &render::prometheus(report))?;
    }
    if let Some(folder) = &files.csv {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create directory {}", folder.display()))?;
        for table in render::csv(report) {
            put(&folder.join(table.name), &table.content)?;
        }
    }
    if let Some(path) = &files.hlog {
        written.extend(interval_logs(report, path)?);
    }
    Ok(written)
}

/// A log a scenario: the format knows one run.
fn interval_logs(report: &Report, path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let started = report
        .started()
        .with_context(|| format!("the report's beginning is no time: {:?}", report.started_at))?;
    match report.scenarios.as_slice() {
        [only] => {
            interval_log(only, path, started)?;
            Ok(vec![path.to_owned()])
        }
        several => several
            .iter()
            .enumerate()
            .map(|(at, scenario)| {
                let path = numbered(path, at + 1);
                interval_log(scenario, &path, started)?;
                Ok(path)
            })
            .collect(),
    }
}

fn interval_log(scenario: &ScenarioResult, path: &Path, started: SystemTime) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| cannot_write(path))?;
    let mut out = BufWriter::new(file);
    scenario
        .run
        .write_hlog(&mut out, started)
        .with_context(|| cannot_write(path))?;
    out.flush().with_context(|| cannot_write(path))
}

/// `run.hlog` becomes `run-2.hlog`. A scenario's name is whatever its author likes, and no part of a
/// path.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
