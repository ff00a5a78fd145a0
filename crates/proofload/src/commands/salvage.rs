use std::fmt::Write as _;

use jsonl_storage::{Break, Salvaged};

use crate::arguments::SalvageArguments;
use crate::commands::report::print;
use crate::exit::Exit;

/// Copies what is whole, and says where everything went. Ends as failed when something was damaged:
/// the new log is good, and it is not the whole of the old one.
pub(crate) fn run(arguments: &SalvageArguments) -> anyhow::Result<Exit> {
    let salvaged = jsonl_storage::salvage(&arguments.from, &arguments.to)?;
    print(&describe(arguments, &salvaged))?;
    Ok(if salvaged.breaks.is_empty() {
        Exit::Held
    } else {
        Exit::Failed
    })
}

// A `String` takes every write, so the results below are not looked at.

fn describe(arguments: &SalvageArguments, salvaged: &Salvaged) -> String {
    let mut text = String::new();
    let to = arguments.to.display();
    let _ = writeln!(text, "{} records kept in {to}", salvaged.kept);
    for run in &salvaged.runs {
        let last = run.records.saturating_sub(1);
        let _ = writeln!(
            text,
            "  records {} to {} are now {} to {}",
            run.was,
            run.was.0 + last,
            run.is,
            run.is.0 + last
        );
    }
    for broken in &salvaged.breaks {
        let Break {
            file,
            line,
            byte,
            kind,
            ..
        } = broken;
        let file = file.display();
        let _ = writeln!(text, "  damaged: {file} line {line} (byte {byte}): {kind}");
    }
    if let Some(unreadable) = &salvaged.unreadable {
        let _ = writeln!(
            text,
            "  lines that are no records: {}",
            unreadable.display()
        );
    }
    text
}
