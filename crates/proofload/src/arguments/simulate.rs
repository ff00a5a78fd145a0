use std::path::PathBuf;

use clap::{Args, ValueEnum};
use forensic_simulator::{FailOn, PlanFormat};

/// Predict what a plan would change, without executing it.
///
/// Prints the advice in one line, what was found, and what would change, the most dangerous first.
///
/// Exit codes: 0 nothing was found that --fail-on names, 1 something was, 2 the plan cannot be read,
/// 3 the plan is incomplete: it failed, or a part of it was put off.
#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// The plan, or `-` for stdin: `terraform show -json` (or OpenTofu's), `terraform plan -json`,
    /// `pulumi preview --json`, `kubectl diff`, `kubectl apply --dry-run=server`, calls of tools (MCP,
    /// Anthropic, OpenAI), a workflow, or a plan in PDDL with --domain and --problem
    pub(crate) plan: PathBuf,
    /// The present state, as JSON: one object, in which each field is a key
    #[arg(long, value_name = "FILE")]
    pub(crate) world: Option<PathBuf>,
    /// A folder of files `*.toml` that describe what actions do, see `proofload schema actions`; they
    /// take precedence over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(crate) schemas: Option<PathBuf>,
    /// The tools of an MCP server: its answers to `tools/list`, one file or a list of pages
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    /// The planning domain of a plan in PDDL
    #[arg(long, value_name = "FILE", requires = "problem")]
    pub(crate) domain: Option<PathBuf>,
    /// The planning problem of a plan in PDDL
    #[arg(long, value_name = "FILE", requires = "domain")]
    pub(crate) problem: Option<PathBuf>,
    /// How the plan is written [default: recognised]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// What ends with exit code 1: kinds of findings or of changes, separated by commas, or `any` or
    /// `none`. Findings: destroy, replace, invoke, forget, irreversible, unsafe, fails, half-done,
    /// access, unknown, outside, conflict, not-taken-back, check, unread, output, import, move, drift.
    /// Changes: create, update, read [default: every finding but drift]
    #[arg(long, value_name = "KINDS")]
    pub(crate) fail_on: Option<FailOn>,
    /// Where the draws of the forecast come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print everything as JSON, see `proofload schema simulation`
    #[arg(long, conflicts_with_all = ["markdown", "sarif", "html"])]
    pub(crate) json: bool,
    /// Print Markdown for a comment on a pull request, of at most 60,000 bytes
    #[arg(long, conflicts_with_all = ["sarif", "html"])]
    pub(crate) markdown: bool,
    /// Write the findings as SARIF 2.1.0 [default: to stdout]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) sarif: Option<PathBuf>,
    /// Write a page of HTML with the plan as a graph [default: to stdout]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) html: Option<PathBuf>,
    /// Also draw the plan as a graph
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Also write every case of failing steps in full, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) fault_cases: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Workflow,
    Terraform,
    TerraformStream,
    Mcp,
    Pulumi,
    KubectlDiff,
    KubectlDryRun,
}

impl From<Format> for PlanFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Workflow => Self::Workflow,
            Format::Terraform => Self::Terraform,
            Format::TerraformStream => Self::TerraformStream,
            Format::Mcp => Self::Mcp,
            Format::Pulumi => Self::Pulumi,
            Format::KubectlDiff => Self::KubectlDiff,
            Format::KubectlDryRun => Self::KubectlDryRun,
        }
    }
}
