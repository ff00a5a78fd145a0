//! This repository's parts beside others that do the same work: in one process tree, in turns, as
//! ratios within a round.
//!
//! Each comparison checks that all sides did the work (the same answers, the same count, the records
//! found again) before or while it measures them: a side that does less is refused, not quoted.

mod cache;
mod comparison;
mod engine;
mod log;
mod plot;
mod policy;
mod random;
mod report;
mod similarity;
mod spread;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::comparison::Effort;
use crate::log::LogArguments;
use crate::report::Folder;

/// Measures parts of this repository in turns with others that do the same work.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these comparisons.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Name>,
    /// Shorter windows: everything within ten minutes on two cores.
    #[arg(long, conflicts_with = "window_ms")]
    quick: bool,
    /// How often everything is measured; the tables show medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each side is measured in a round, in milliseconds, after a quarter to warm up.
    #[arg(long, default_value_t = 500)]
    window_ms: u64,
    /// Where `RESULTS.md` and the folder `results` go.
    #[arg(long, default_value = "target/peers")]
    out: PathBuf,
    /// The folder in memory, for files that should not wait for a disk.
    #[arg(long, default_value = "/dev/shm")]
    memory: PathBuf,
    /// What a process of its own does for the comparison of engines.
    #[arg(long, hide = true)]
    criterion_loop: Option<PathBuf>,
    #[command(flatten)]
    log: LogArguments,
}

/// The comparisons, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The rulebook, a linear search, regorus, a hand-written rule.
    Policy,
    /// quick_cache as memory-store uses it, moka, dashmap.
    Cache,
    /// An operation that does nothing: load-engine, rlt, criterion's loop.
    Engine,
    /// The nearest vectors: memory-store exactly and by its graph, hnsw_rs.
    Similarity,
    /// The best texts for some words: memory-store, Tantivy.
    Text,
    /// Durable appends: SQLite, redb, fjall, okaywal, serde_jsonlines.
    Log,
}

fn main() -> anyhow::Result<()> {
    /// Of a round, with `--quick`.
    const QUICK_WINDOW_MS: u64 = 100;
    let arguments = Arguments::parse();
    let wanted = |name| arguments.only.is_empty() || arguments.only.contains(&name);
    let window_ms = match arguments.quick {
        true => QUICK_WINDOW_MS,
        false => arguments.window_ms,
    };
    let effort = Effort {
        rounds: arguments.rounds,
        window: Duration::from_millis(window_ms),
    };
    if let Some(folder) = &arguments.criterion_loop {
        engine::criterion_loop(folder, effort.window);
        return Ok(());
    }
    let results = Folder::new(arguments.out, command());
    if wanted(Name::Policy) {
        results.write(&policy::compare(effort)?)?;
    }
    if wanted(Name::Cache) {
        results.write(&cache::compare(effort)?)?;
    }
    if wanted(Name::Engine) {
        results.write(&engine::compare(effort)?)?;
    }
    if wanted(Name::Similarity) {
        results.write(&similarity::compare(effort)?)?;
    }
    if wanted(Name::Text) {
        results.write(&text::compare(effort)?)?;
    }
    if wanted(Name::Log) {
        results.write_log(&log::compare(&arguments.log, effort, &arguments.memory)?)?;
    }
    Ok(())
}

/// What to type for the same run.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.is_empty() {
        true => "cargo xtask peers".to_owned(),
        false => format!("cargo xtask peers {}", arguments.join(" ")),
    }
}
