use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use forensic_simulator::{
    BUILTIN_SCHEMAS, Examination, McpTools, PlanFile, PlanFormat, Schema, Simulator, Timestamp,
    World,
};

use crate::commands::report::{print, print_json};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// The plan: a workflow, the output of `terraform show -json`, or a list of MCP `tools/call`;
    /// `-` reads it from stdin
    plan: PathBuf,
    /// What the plan would meet, as JSON: one object, in which each field is a key
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Where the files `*.toml` lie that say what the actions do; they count before the built-in
    /// schemas
    #[arg(long, value_name = "DIR")]
    schemas: Option<PathBuf>,
    /// The tools of an MCP server: its answer to `tools/list`
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// How the plan is written [default: as it looks]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where the draws of the forecast come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print everything as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the report as Markdown
    #[arg(long)]
    markdown: bool,
    /// Also draw the steps and the keys that they touch
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Workflow,
    Terraform,
    Mcp,
}

impl From<Format> for PlanFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Workflow => Self::Workflow,
            Format::Terraform => Self::Terraform,
            Format::Mcp => Self::Mcp,
        }
    }
}

/// Simulates a plan and prints what it would do. Ends as failed when something speaks against it.
pub(crate) fn run(arguments: &SimulateArguments) -> anyhow::Result<Exit> {
    let Some(examination) = examine(arguments)? else {
        print("there is nothing to do\n")?;
        return Ok(Exit::Held);
    };
    if let Some(file) = &arguments.svg {
        fs::write(file, examination.to_svg())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if arguments.json {
        print_json(&examination)?;
    } else if arguments.markdown {
        print(&examination.to_markdown())?;
    } else {
        print(&examination.to_terminal())?;
    }
    Ok(if examination.findings.is_empty() {
        Exit::Held
    } else {
        Exit::Failed
    })
}

/// `None` for a plan of Terraform's that changes nothing.
fn examine(arguments: &SimulateArguments) -> anyhow::Result<Option<Examination>> {
    let format = arguments.format.map(PlanFormat::from);
    let plan = parsed(&arguments.plan, |text| PlanFile::parse(text, format))?;
    let mut world = plan.world.clone();
    if let Some(file) = &arguments.world {
        world.lay_over(parsed(file, World::parse)?);
    }
    let mut builder = plan.register(Simulator::builder());
    if let Some(file) = &arguments.tools {
        builder = parsed(file, McpTools::parse)?.register(builder);
    }
    let own = match &arguments.schemas {
        Some(folder) => schemas(folder)?,
        None => Vec::new(),
    };
    let mut builtin = Schema::parse(BUILTIN_SCHEMAS).context("the built-in schemas")?;
    builtin.retain(|schema| own.iter().all(|own| own.pattern() != schema.pattern()));
    let simulator = builder.schemas(builtin).schemas(own).build()?;
    if plan.format == PlanFormat::Terraform && plan.workflow.steps.is_empty() {
        return Ok(None);
    }
    let checked = simulator.check(plan.workflow);
    let checked = checked.with_context(|| shown(&arguments.plan))?;
    let now = Timestamp::default();
    Ok(Some(simulator.examine(
        &checked,
        &world,
        now,
        arguments.seed,
    )))
}

/// Reads a file and what is in it; an error names the file.
fn parsed<T>(
    file: &Path,
    parse: impl FnOnce(&str) -> Result<T, forensic_simulator::Error>,
) -> anyhow::Result<T> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = text.with_context(|| format!("cannot read {}", shown(file)))?;
    parse(&text).with_context(|| shown(file))
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
        all.extend(parsed(&file, Schema::parse)?);
    }
    Ok(all)
}
