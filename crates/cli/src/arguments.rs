use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use harness::{Limits, Scenario, Settings};

/// Load tests that verify what they measured.
///
/// Every acknowledged effect is read back after the target was closed and opened again; one that is
/// lost or altered fails the run.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 all held, 1 a limit or a verification failed, \
    2 it could not run, 130 interrupted."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every scenario, verify it, and write a report
    Suite(SuiteArguments),
    /// Run one scenario, verify it, and write a report
    Run(RunArguments),
    /// Summarise and judge a saved report, without running anything
    Report(ReportArguments),
    /// Compare saved runs: a run each, or folders of runs that were made in turns
    Compare(CompareArguments),
    /// Show how a figure went from run to run
    Trend(TrendArguments),
    /// Check what a run left in a directory, without changing it
    Verify(VerifyArguments),
    /// Copy what is whole from a damaged log to a new one
    Salvage(SalvageArguments),
    /// Print the JSON schema of report.json
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct SuiteArguments {
    /// Only this scenario; may be given several times
    #[arg(long, value_name = "SCENARIO", value_parser = scenario)]
    pub(crate) only: Vec<Scenario>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// approval, forensic, integrated, storage or memory
    #[arg(value_parser = scenario)]
    pub(crate) scenario: Scenario,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// A small load, for a first look
    #[arg(long)]
    quick: bool,
    /// Where every random number comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Concurrent users, a thread each
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    threads: Option<NonZeroU32>,
    /// Iterations of each user
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    iterations: Option<NonZeroU64>,
    /// How long each load goes on, such as 30s or 500ms, in place of its iterations
    #[arg(long, value_name = "TIME", value_parser = milliseconds, conflicts_with_all = ["iterations", "records"])]
    duration: Option<NonZeroU64>,
    /// Records that the storage scenario writes
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    records: Option<NonZeroU64>,
    /// Where the report goes, and the data while the load runs
    #[arg(long, value_name = "DIR", default_value = "proofload-out")]
    pub(crate) out: PathBuf,
    /// Keep the data of every scenario, not only of those that failed
    #[arg(long)]
    pub(crate) keep: bool,
    /// Append each acknowledged effect to a file outside of the run
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Print the report as JSON instead of a summary
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

impl LoadArguments {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            quick: self.quick,
            threads: self.threads,
            iterations: self.iterations,
            duration_ms: self.duration,
            records: self.records,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Most failed operations in a scenario, in percent [default: 5]
    #[arg(long, value_name = "PERCENT", value_parser = amount, allow_negative_numbers = true)]
    max_error_rate: Option<f64>,
    /// Longest mean latency of a step, in milliseconds [default: 100]
    #[arg(long, value_name = "MS", value_parser = amount, allow_negative_numbers = true)]
    max_mean_latency: Option<f64>,
    /// Most resident memory in a scenario, in megabytes [default: 500]
    #[arg(long, value_name = "MB", value_parser = amount, allow_negative_numbers = true)]
    max_memory: Option<f64>,
    /// Failed operations over all scenarios from which advice is given, in percent [default: 1]
    #[arg(long, value_name = "PERCENT", value_parser = amount, allow_negative_numbers = true)]
    advise_error_rate: Option<f64>,
    /// Resident memory from which advice is given, in megabytes [default: 1000]
    #[arg(long, value_name = "MB", value_parser = amount, allow_negative_numbers = true)]
    advise_memory: Option<f64>,
}

impl LimitArguments {
    /// These limits where they are given, and others where they are not.
    pub(crate) fn over(&self, others: Limits) -> Limits {
        let share = |percent: Option<f64>| percent.map(|percent| percent / 100.0);
        Limits {
            error_rate: share(self.max_error_rate).unwrap_or(others.error_rate),
            mean_latency_ms: self.max_mean_latency.unwrap_or(others.mean_latency_ms),
            peak_memory_mb: self.max_memory.unwrap_or(others.peak_memory_mb),
            overall_error_rate: share(self.advise_error_rate).unwrap_or(others.overall_error_rate),
            overall_memory_mb: self.advise_memory.unwrap_or(others.overall_memory_mb),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// report.json, or the folder that holds it
    pub(crate) file: PathBuf,
    /// Print it as Markdown
    #[arg(long, conflicts_with_all = ["json", "svg"])]
    pub(crate) markdown: bool,
    /// Print the summary as a picture in SVG
    #[arg(long, conflicts_with = "json")]
    pub(crate) svg: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// A run, or a folder of runs: the side that is compared with
    pub(crate) a: PathBuf,
    /// A run, or a folder of runs: the side that may be better or worse
    pub(crate) b: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrendArguments {
    /// Where the runs were saved
    #[arg(long, value_name = "DIR", default_value = "proofload-out")]
    pub(crate) out: PathBuf,
    /// Only runs of this command [default: the one that ran last]
    #[arg(long, value_name = "TEXT")]
    pub(crate) command: Option<String>,
    /// Only this scenario
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
    /// Only this step
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,
    /// Only this figure: throughput, p50 or p99
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// A log, a memory store, or a directory that holds some
    pub(crate) directory: PathBuf,
    /// Also hold what is there against the acknowledgements in this file (see `suite --journal`)
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// List every break of a log, not only the first
    #[arg(long)]
    pub(crate) all: bool,
    /// Also hold each log against a checkpoint that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// The key that must have signed the checkpoint, as NAME+ID+BASE64
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    pub(crate) key: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SalvageArguments {
    /// The damaged log, which is only read
    pub(crate) from: PathBuf,
    /// Where the new log goes
    pub(crate) to: PathBuf,
}

/// The most threads: more than this is a slip of the finger, and would only fail later and worse.
const MOST_THREADS: u32 = 10_000;

fn scenario(name: &str) -> Result<Scenario, String> {
    name.parse()
        .map_err(|error: harness::Error| error.to_string())
}

fn threads(text: &str) -> Result<NonZeroU32, String> {
    let number: u32 = text
        .parse()
        .map_err(|_| "expected a whole number".to_owned())?;
    match NonZeroU32::new(number) {
        Some(number) if number.get() <= MOST_THREADS => Ok(number),
        _ => Err(format!("expected 1 to {MOST_THREADS} threads")),
    }
}

fn milliseconds(text: &str) -> Result<NonZeroU64, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) => ("", 0),
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .and_then(NonZeroU64::new)
        .ok_or_else(|| "expected a time such as 30s or 500ms".to_owned())
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("expected a number that is not negative".to_owned()),
    }
}
