//! The report on the page of a GitHub workflow.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use report::{Report, render};

/// Names the file to which a step of a workflow appends Markdown for its page.
const VARIABLE: &str = "GITHUB_STEP_SUMMARY";

/// Appends the report where a workflow asks for it; elsewhere does nothing.
pub(crate) fn append(report: &Report) -> anyhow::Result<()> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = Path::new(&path);
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(render::markdown(report).as_bytes()))
        .with_context(|| format!("cannot append to {VARIABLE}, {}", path.display()))
}
