mod files;
pub(crate) mod step_summary;

use std::io::{self, Write as _};

use anyhow::Context as _;
use harness::FlagThreshold;
use report::render;
use serde::Serialize;

use crate::arguments::ReportArguments;
use crate::exit::Exit;

/// Loads a saved report, judges it by the thresholds that were given, and prints it.
pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<Exit> {
    let report = report::load(&arguments.file)?;
    let of = |flags: Vec<FlagThreshold>| flags.into_iter().map(|flag| flag.threshold);
    let flags: Vec<_> = of(arguments.limits.thresholds()).collect();
    let report = report.judged_by(&flags, &report::advice(of(arguments.limits.advised())));
    let written = files::write(&report, &arguments.files)?;
    if arguments.json {
        print_json(&report)?;
    } else if arguments.markdown {
        print(&render::markdown(&report))?;
    } else if arguments.svg {
        print(&anstyle_svg::Term::new().render_svg(&render::terminal(&report)))?;
    } else {
        print(&render::terminal(&report))?;
        print(&format!(
            "measured: {}\nrepeat: {}\n",
            report.started_at, report.command
        ))?;
    }
    for path in written {
        anstream::eprintln!("wrote {}", path.display());
    }
    step_summary::append(&report)?;
    Ok(Exit::of(report.verdict.conclusion, report.interrupted))
}

pub(crate) fn print_json(report: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(report).context("the report has no JSON form")?;
    print(&format!("{json}\n"))
}

/// Prints to stdout, without styles where they do not belong. A reader that has seen enough, such
/// as `head`, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}
