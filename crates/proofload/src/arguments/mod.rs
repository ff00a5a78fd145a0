mod approvals;
mod limits;
mod load;
mod search;
mod server;
mod simulate;
mod values;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use harness::Overrides;

pub(crate) use self::approvals::{
    ApprovalsArguments, ApprovalsCommand, DecideArguments, DoctorArguments, HookArguments, Host,
    McpArguments, PlaceArguments,
};
pub(crate) use self::limits::LimitArguments;
pub(crate) use self::load::LoadUrlArguments;
pub(crate) use self::search::{
    BreakingPointArguments, ScalabilityArguments, SearchArguments, What,
};
pub(crate) use self::server::{ServeArguments, TokenArguments, TokenCommand};
pub(crate) use self::simulate::SimulateArguments;
use self::values::{
    absolute, embedded, init_from, loopback, percentage, run_id, runnable, threads, time,
};

/// Load tests that verify the effects of what they measured
///
/// A target is put under load, closed and opened again; every write that it acknowledged is read back,
/// and one that is lost or altered fails the run.
#[derive(Debug, Parser)]
#[command(
    name = "proofload",
    version,
    after_help = "Exit codes: 0 passed, 1 failed, 2 could not run, 3 inconclusive, \
    130 interrupted (129 by SIGHUP, 143 by SIGTERM)"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the built-in scenarios and write a report
    Suite(SuiteArguments),
    /// Run scenarios by name or file
    Run(RunArguments),
    /// Put a load on a URL
    Load(LoadUrlArguments),
    /// Measure the engine's accuracy against targets with known latency
    Calibrate(CalibrateArguments),
    /// Write a scenario file to start from
    Init(InitArguments),
    /// Summarise, judge or export a saved report
    Report(ReportArguments),
    /// Compare two scenarios in alternating runs
    Ab(AbArguments),
    /// Compare saved runs
    Compare(CompareArguments),
    /// Find the highest load that meets the thresholds
    Search(SearchArguments),
    /// Show how a metric changed between runs
    Trend(TrendArguments),
    /// Check the data that a run left behind
    Verify(VerifyArguments),
    /// Copy the intact records of a damaged log
    Salvage(SalvageArguments),
    /// Make and verify signed checkpoints of a log, which show whether it was cut or written anew
    Checkpoint(CheckpointArguments),
    /// Predict what a plan would change, without executing it
    Simulate(SimulateArguments),
    /// Serve approvals to agents and reviewers over HTTP
    Serve(ServeArguments),
    /// List, show and decide requests for approval
    Approvals(ApprovalsArguments),
    /// Ask a server whether a call of an agent's tool may run, as a hook of the agent's host
    Hook(HookArguments),
    /// Check whether an agent's host asks the gate before each call
    Doctor(DoctorArguments),
    /// Serve MCP over standard streams: the tools of a server, for an agent's host
    Mcp(McpArguments),
    /// Make, list and revoke the tokens of a server
    Token(TokenArguments),
    /// Print a JSON schema
    Schema(SchemaArguments),
    /// Print the completions for a shell
    Completions(CompletionsArguments),
    /// Print the manual page, for `man -l -`
    Man(ManArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SuiteArguments {
    /// Only this scenario; may be given several times
    #[arg(long, value_name = "SCENARIO", value_parser = embedded)]
    pub(crate) only: Vec<Runnable>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// approval, forensic, integrated, storage or memory, or scenario files (see `init`)
    #[arg(value_name = "SCENARIO|FILE", required = true, value_parser = runnable)]
    pub(crate) scenarios: Vec<Runnable>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    /// Set a value over that of the scenario, such as model.users=20 or phases.peak.for=5s
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print each request once, filled in, and connect to nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `run` can run.
#[derive(Debug, Clone)]
pub(crate) enum Runnable {
    /// A scenario that comes with the program, by its name.
    Embedded(String),
    File(PathBuf),
}

impl Runnable {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded(name) => name.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateArguments {
    /// Two seconds a target, for a first look
    #[arg(long)]
    quick: bool,
    /// How long each target is under load, such as 30s or 500ms [default: 20s]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "quick")]
    duration: Option<Duration>,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl CalibrateArguments {
    pub(crate) fn length(&self) -> Duration {
        match self.duration {
            Some(time) => time,
            None if self.quick => Duration::from_secs(2),
            None => Duration::from_secs(20),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Where it goes; a file that is there is left alone
    #[arg(default_value = "scenario.toml")]
    pub(crate) file: PathBuf,
    /// A scenario that comes with the program instead of the template: approval, forensic, integrated,
    /// storage or memory; or services, for a service of your own
    #[arg(long, value_name = "SCENARIO", value_parser = init_from)]
    pub(crate) from: Option<String>,
    /// Make it of a document of OpenAPI 3 in JSON: a flow for each operation that only reads, the others as comments
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub(crate) from_openapi: Option<PathBuf>,
    /// Make it of what a browser recorded: the requests in their order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "from_openapi"])]
    pub(crate) from_har: Option<PathBuf>,
    /// Make it of a Hurl file: its entries in their order, with captures and the assertions that there are here
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "from_openapi", "from_har"])]
    pub(crate) from_hurl: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Of what
    #[arg(value_enum, default_value_t = SchemaKind::Report)]
    pub(crate) of: SchemaKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// report.json
    Report,
    /// A scenario file
    Scenario,
    /// The text that says what actions do (see `simulate --schemas`)
    Actions,
    /// What `simulate --json` prints
    Simulation,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// A small load, for a first look
    #[arg(long)]
    quick: bool,
    /// Where every random number comes from [default: 1, or the file's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Concurrent users, a thread each unless the file says otherwise
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    threads: Option<NonZeroU32>,
    /// Iterations of each user
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    iterations: Option<NonZeroU64>,
    /// How long each load goes on, such as 30s or 500ms, in place of its iterations
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["iterations", "records"])]
    duration: Option<Duration>,
    /// Iterations of all users together, in scenarios with `total_iterations`: the records that
    /// storage writes
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    records: Option<NonZeroU64>,
    /// Keep the data of every scenario, not only of those that failed
    #[arg(long)]
    pub(crate) keep: bool,
    /// Sign a checkpoint of each chained log that is kept, beside the report: copy it to where nobody who
    /// can write to the logs can. FILE has the secret key (see `checkpoint keygen`)
    #[arg(long, value_name = "FILE", requires = "keep")]
    pub(crate) checkpoint_key: Option<PathBuf>,
    /// Append each acknowledged effect to a file outside of the run
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Print the report as JSON instead of a summary
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
    #[command(flatten)]
    pub(crate) services: ServiceArguments,
}

/// Where the report goes, and how a running load is shown.
#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// Where the report goes, and the data while the load runs
    #[arg(long, value_name = "DIR", default_value = "proofload-out")]
    pub(crate) out: PathBuf,
    /// Tell how it goes in plain lines, also on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
    /// Serve the running figures to Prometheus, at /metrics of an address of this machine such as
    /// 127.0.0.1:9464
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    pub(crate) prometheus: Option<SocketAddr>,
}

/// What files with services may do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Services")]
pub(crate) struct ServiceArguments {
    /// Put a load on a service at this host, which is not this machine; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Write files in this folder, which is not the run's own; may be given several times
    #[arg(long, value_name = "PATH", value_parser = absolute)]
    allow_path: Vec<PathBuf>,
    /// Refuse files that start programs
    #[arg(long)]
    no_commands: bool,
    /// Run effects that nothing reads back, of which nothing is proved then
    #[arg(long)]
    unverified: bool,
    /// What ${run} is [default: eight random characters]
    #[arg(long, value_name = "TEXT", value_parser = run_id)]
    run_id: Option<String>,
}

impl ServiceArguments {
    /// What these arguments set over each scenario.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            allow_hosts: self.allow_host.clone(),
            allow_paths: self.allow_path.clone(),
            no_commands: self.no_commands,
            unverified: self.unverified,
            run_id: self.run_id.clone(),
            ..Overrides::default()
        }
    }
}

impl LoadArguments {
    /// What these arguments set over each scenario.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            quick: self.quick,
            seed: self.seed,
            threads: self.threads,
            iterations: self.iterations,
            records: self.records,
            duration: self.duration,
            thresholds: self.limits.thresholds(),
            set: Vec::new(),
            ..self.services.overrides()
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
    pub(crate) files: ReportFiles,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

/// What else is written, besides what is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct ReportFiles {
    /// Write a page to look at in a browser, with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write JUnit XML, a case a limit and a verification
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write steps.csv, intervals.csv, phases.csv, monitor.csv and checks.csv (the thresholds)
    #[arg(long, value_name = "DIR")]
    pub(crate) csv: Option<PathBuf>,
    /// Write HdrHistogram interval logs; of several scenarios, a file each with its number
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
    /// Write the figures in the text format of Prometheus
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AbArguments {
    /// A built-in scenario or a file: the side that is compared with
    #[arg(value_name = "SCENARIO|FILE", value_parser = runnable)]
    pub(crate) a: Runnable,
    /// A built-in scenario or a file: the side that may be better or worse
    #[arg(value_name = "SCENARIO|FILE", value_parser = runnable)]
    pub(crate) b: Runnable,
    /// How often each side runs [default: 2 more than the fewest that can show a difference: 12 for
    /// one step, 14 for three to six]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) rounds: Option<NonZeroU32>,
    /// Ask instead whether B is proved to be worse by less than this in every figure
    #[arg(long, value_name = "SHARE", value_parser = percentage)]
    pub(crate) no_worse_than: Option<f64>,
    /// Set a value over that of the first file
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_a: Vec<String>,
    /// Set a value over that of the second file
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_b: Vec<String>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// A run, or a folder of runs: the side that is compared with
    pub(crate) a: PathBuf,
    /// A run, or a folder of runs: the side that may be better or worse
    pub(crate) b: PathBuf,
    /// Ask instead whether B is proved to be worse by less than this in every figure
    #[arg(long, value_name = "SHARE", value_parser = percentage)]
    pub(crate) no_worse_than: Option<f64>,
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
    /// Only this figure: throughput, "error rate", p50, p95, p99, effects or "memory peak"
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
    /// Also compare the data with the acknowledgements in this file (see `suite --journal`)
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// List every break of a log, not only the first
    #[arg(long)]
    pub(crate) all: bool,
    /// Also compare a log with its checkpoint, which was kept elsewhere (see `checkpoint create`)
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// The key that must have signed the checkpoint, as NAME+ID+BASE64
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    pub(crate) key: Option<String>,
    /// The key of a witness that must have cosigned the checkpoint; may be given several times
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    pub(crate) witness: Vec<String>,
    /// Accept a checkpoint whose signature is not checked, which anybody could have written
    #[arg(long, requires = "checkpoint", conflicts_with = "key")]
    pub(crate) insecure_no_key: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SalvageArguments {
    /// The damaged log, or a data directory with some below it, which is only read
    pub(crate) from: PathBuf,
    /// Where the new log or data directory goes
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CheckpointArguments {
    #[command(subcommand)]
    pub(crate) command: CheckpointCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// Make a pair of keys: the secret one in a file, the public one printed
    Keygen(KeygenArguments),
    /// Verify a chained log and sign what it is now, to be kept where nobody who can write to it can
    Create(CheckpointCreateArguments),
    /// Add a witness's signature to a checkpoint, after the log was verified against it and against the
    /// checkpoint before
    Cosign(CosignArguments),
    /// Verify a log against its checkpoint, as `verify --checkpoint` does
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArguments {
    /// The key's name, unique in the world, such as example.com/audit
    pub(crate) name: String,
    /// The file that the secret key goes to; only its owner may read it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Print the public key as that of a witness, who cosigns what others signed (see `checkpoint cosign`)
    #[arg(long)]
    pub(crate) witness: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CosignArguments {
    /// The checkpoint, to which the signature is added
    pub(crate) checkpoint: PathBuf,
    /// The log, or a copy of it, or a data directory with it below
    #[arg(long, value_name = "DIR")]
    pub(crate) log: PathBuf,
    /// The key that must have signed the checkpoint, as NAME+ID+BASE64
    #[arg(long, value_name = "KEY")]
    pub(crate) signed_by: String,
    /// The file with the secret key of the witness (see `checkpoint keygen --witness`)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The newest checkpoint that this witness cosigned, of which the log must be a continuation
    #[arg(long, value_name = "FILE")]
    pub(crate) previous: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckpointCreateArguments {
    /// The log, or a data directory with one chained log below it
    pub(crate) directory: PathBuf,
    /// The file with the secret key (see `checkpoint keygen`)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// What the log is called in the checkpoint (default: the key's name)
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// The file that the checkpoint goes to (default: the standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell: its file is printed, for instance `proofload completions bash >
    /// ~/.local/share/bash-completion/completions/proofload`
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The page of this command, such as `run`, instead of the one of `proofload`
    pub(crate) command: Option<String>,
}
