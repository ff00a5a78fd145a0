use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use forensic_simulator::{
    BUILTIN_SCHEMAS, Examination, FailOn, FaultDepth, GateResult, Limits, McpTools, PlanFile,
    PlanFormat, Schema, Simulator, SimulatorBuilder, Timestamp, World,
};

use crate::commands::report::print;
use crate::exit::Exit;

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
    plan: PathBuf,
    /// The present state, as JSON: one object, in which each field is a key
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// A folder of files `*.toml` that describe what actions do, see `proofload schema actions`; they
    /// take precedence over the built-in ones
    #[arg(long, value_name = "DIR")]
    schemas: Option<PathBuf>,
    /// The tools of an MCP server: its answers to `tools/list`, one file or a list of pages
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// The planning domain of a plan in PDDL
    #[arg(long, value_name = "FILE", requires = "problem")]
    domain: Option<PathBuf>,
    /// The planning problem of a plan in PDDL
    #[arg(long, value_name = "FILE", requires = "domain")]
    problem: Option<PathBuf>,
    /// How the plan is written [default: recognised]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What ends with exit code 1: kinds of findings or of changes, separated by commas, or `any` or
    /// `none`. Findings: destroy, replace, invoke, forget, irreversible, unsafe, fails, half-done,
    /// access, unknown, outside, conflict, not-taken-back, check, unread, output, import, move, drift.
    /// Changes: create, update, read [default: every finding but drift]
    #[arg(long, value_name = "KINDS")]
    fail_on: Option<FailOn>,
    /// Where the draws of the forecast come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print everything as JSON, see `proofload schema simulation`
    #[arg(long, conflicts_with_all = ["markdown", "sarif", "html"])]
    json: bool,
    /// Print Markdown for a comment on a pull request, of at most 60,000 bytes
    #[arg(long, conflicts_with_all = ["sarif", "html"])]
    markdown: bool,
    /// Write the findings as SARIF 2.1.0 [default: to stdout]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    sarif: Option<PathBuf>,
    /// Write a page of HTML with the plan as a graph [default: to stdout]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    html: Option<PathBuf>,
    /// Also draw the plan as a graph
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Also write every case of failing steps in full, as JSON
    #[arg(long, value_name = "FILE")]
    fault_cases: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
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

/// Simulates a plan and prints what it would do.
pub(crate) fn run(arguments: &SimulateArguments) -> anyhow::Result<Exit> {
    let (plan, world, simulator) = read(arguments)?;
    let at = Timestamp::default();
    let examination = simulator.examine_file(&plan, &world, at, arguments.seed);
    let examination = examination.with_context(|| shown(&arguments.plan))?;
    if let Some(file) = &arguments.svg {
        write(file, &examination.to_svg())?;
    }
    if let Some(file) = &arguments.fault_cases {
        let checked = simulator.check(plan.workflow.clone())?;
        let cases = simulator.fault_matrix(&checked, &world, at, FaultDepth::Two);
        write(
            file,
            &serde_json::to_string(&cases).context("the cases have no JSON form")?,
        )?;
    }
    write_out(arguments, &examination)?;
    let fail_on = arguments.fail_on.clone().unwrap_or_default();
    Ok(match fail_on.judge(&examination) {
        GateResult::Clean => Exit::Held,
        GateResult::Findings => Exit::Failed,
        GateResult::Incomplete => Exit::Inconclusive,
    })
}

fn write_out(arguments: &SimulateArguments, examination: &Examination) -> anyhow::Result<()> {
    let mut printed = false;
    if let Some(file) = &arguments.sarif {
        let of = shown(&arguments.plan);
        printed |= write(file, &format!("{}\n", examination.to_sarif(&of)))?;
    }
    if let Some(file) = &arguments.html {
        printed |= write(file, &examination.to_html())?;
    }
    if printed {
        return Ok(());
    }
    if arguments.json {
        print(&format!("{}\n", examination.to_json()?))
    } else if arguments.markdown {
        print(&examination.to_markdown())
    } else if examination.nothing_to_do {
        print("there is nothing to do\n")
    } else {
        print(&examination.to_terminal())
    }
}

/// Says whether it went to stdout.
fn write(file: &Path, text: &str) -> anyhow::Result<bool> {
    if file == Path::new("-") {
        print(text)?;
        return Ok(true);
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(false)
}

fn read(arguments: &SimulateArguments) -> anyhow::Result<(PlanFile, World, Simulator)> {
    let format = arguments.format.map(PlanFormat::from);
    let plan = match (&arguments.domain, &arguments.problem) {
        (Some(domain), Some(problem)) => {
            let (domain_text, problem_text) = (bytes(domain)?, bytes(problem)?);
            let text = bytes(&arguments.plan)?;
            PlanFile::pddl(&domain_text, &problem_text, &text).with_context(|| {
                let files = [domain, problem, &arguments.plan];
                files.map(|file| shown(file)).join(", ")
            })?
        }
        _ => parsed(&arguments.plan, |bytes| PlanFile::read(bytes, format))?,
    };
    let mut world = plan.world.clone();
    if let Some(file) = &arguments.world {
        world.lay_over(parsed(file, |bytes| World::parse(&text_of(bytes)))?);
    }
    let simulator = builder(arguments, &plan)?.build()?;
    Ok((plan, world, simulator))
}

fn builder(arguments: &SimulateArguments, plan: &PlanFile) -> anyhow::Result<SimulatorBuilder> {
    let mut builder = plan.register(Simulator::builder());
    if plan.changes.is_some() {
        // Whoever wrote such a plan has no way to split it.
        builder = builder.limits(Limits {
            steps: usize::MAX,
            dependencies: usize::MAX,
            ..Limits::default()
        });
    }
    if let Some(file) = &arguments.tools {
        builder = parsed(file, |bytes| McpTools::parse(&text_of(bytes)))?.register(builder);
    }
    let own = match &arguments.schemas {
        Some(folder) => schemas(folder)?,
        None => Vec::new(),
    };
    let mut builtin = Schema::parse(BUILTIN_SCHEMAS).context("the built-in schemas")?;
    builtin.retain(|schema| own.iter().all(|own| own.pattern() != schema.pattern()));
    Ok(builder.schemas(builtin).schemas(own))
}

/// Reads a file and what is in it; an error names the file.
fn parsed<T>(
    file: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, forensic_simulator::Error>,
) -> anyhow::Result<T> {
    parse(&bytes(file)?).with_context(|| shown(file))
}

fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    let read = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    read.with_context(|| format!("cannot read {}", shown(file)))
}

/// As UTF-8, without a byte order mark; what is none is refused by the parser that sees it.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned()
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") {
        "stdin".to_owned()
    } else {
        file.display().to_string()
    }
}

/// The schemas of a folder, file by file in the order of their names.
fn schemas(folder: &Path) -> anyhow::Result<Vec<Schema>> {
    let read = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(read)? {
        let file = entry.with_context(read)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(file);
        }
    }
    anyhow::ensure!(
        !files.is_empty(),
        "{} holds no file *.toml",
        folder.display()
    );
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(parsed(&file, |bytes| Schema::parse(&text_of(bytes)))?);
    }
    Ok(all)
}
