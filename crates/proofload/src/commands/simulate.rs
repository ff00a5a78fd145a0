use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use forensic_simulator::{
    BUILTIN_SCHEMAS, Examination, FaultDepth, GateResult, Limits, McpTools, PlanFile, PlanFormat,
    Schema, Simulator, SimulatorBuilder, Timestamp, World,
};

use crate::arguments::SimulateArguments;
use crate::exit::Exit;
use crate::terminal::{print, print_styled};

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
        print_styled(&examination.to_terminal())
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
