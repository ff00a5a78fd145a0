mod files;
pub(crate) mod step_summary;

use action::visible;
use harness::FlagThreshold;
use report::render;

use crate::arguments::ReportArguments;
use crate::exit::Exit;
use crate::terminal::{columns, print, print_json, print_styled, tell};

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
        print_styled(&render::terminal_in(&report, columns()))?;
        print(&format!(
            "measured: {}\nrepeat: {}\n",
            visible(&report.started_at),
            visible(&report.command)
        ))?;
    }
    for path in written {
        tell(&format!("wrote {}", path.display()));
    }
    step_summary::append(&report)?;
    Ok(Exit::of(report.verdict.conclusion, report.interrupted))
}
