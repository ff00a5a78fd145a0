use std::fmt::Write as _;

use action::visible;
use anyhow::bail;
use report::comparison::Metric;
use report::history::{HISTORY_FILE, History, Trend};

use crate::arguments::TrendArguments;
use crate::exit::Exit;
use crate::terminal::{print, print_json, tell};

/// Shows how the figures of one command went from run to run.
pub(crate) fn run(arguments: &TrendArguments) -> anyhow::Result<Exit> {
    let path = arguments.out.join(HISTORY_FILE);
    let history = History::read(&path)?;
    let commands = history.commands();
    let command = match (&arguments.command, commands.last()) {
        (Some(command), _) if commands.contains(&command.as_str()) => command.as_str(),
        (Some(command), _) => bail!(
            "no run of {command:?} in {}; there are: {}",
            path.display(),
            commands.join(", ")
        ),
        (None, Some(last)) => last,
        (None, None) => bail!("{} holds no run", path.display()),
    };
    let wanted =
        |name: &str, only: &Option<String>| only.as_deref().is_none_or(|only| only == name);
    let trends: Vec<Trend> = history
        .subjects(command)
        .iter()
        .filter(|subject| wanted(&subject.scenario, &arguments.scenario))
        .filter(|subject| wanted(&subject.step, &arguments.step))
        .filter(|subject| wanted(subject.metric.name(), &arguments.metric))
        .map(|subject| history.trend(command, subject))
        .collect();
    if trends.is_empty() {
        bail!("no figure of {command:?} is called so; leave --scenario, --step or --metric out");
    }
    if arguments.json {
        print_json(&trends)?;
    } else {
        print(&in_words(command, &trends, history.left_out(command)))?;
        if !history.damaged.is_empty() {
            let lines: Vec<String> = history.damaged.iter().map(usize::to_string).collect();
            let lines = lines.join(", ");
            tell(&format!(
                "{}: lines {lines} are damaged and were left out",
                path.display()
            ));
        }
    }
    Ok(Exit::Held)
}

fn in_words(command: &str, trends: &[Trend], left_out: usize) -> String {
    let mut text = format!("{}\n\n", visible(command));
    if left_out > 0 {
        let _ = writeln!(
            text,
            "left out, since their scenarios, their machine or their definitions differ: {left_out} runs\n"
        );
    }
    for trend in trends {
        let values: Vec<f64> = trend.points.iter().map(|point| point.value).collect();
        let last = values.last().copied().unwrap_or(0.0);
        let _ = writeln!(
            text,
            "{}: {}  {}  {} runs, last {}",
            place(trend),
            trend.subject.metric.name(),
            sparkline(&values),
            values.len(),
            quantity(trend.subject.metric, last)
        );
        for change in &trend.changes {
            let kind = match trend.certain {
                true => "changed",
                // Runs that follow each other are alike here.
                false => "provisional: changed",
            };
            let _ = writeln!(
                text,
                "    {kind} with the run of {}: {} → {} ({:+.0} %, p {:.4})",
                visible(&trend.points[change.at].started_at),
                quantity(trend.subject.metric, change.before),
                quantity(trend.subject.metric, change.after),
                (change.after / change.before - 1.0) * 100.0,
                change.p
            );
        }
        if trend.last_outside {
            text.push_str(
                "    provisional: the last three runs are outside the range of all before them\n",
            );
        }
    }
    let shows = |trend: &Trend| !trend.changes.is_empty() || trend.last_outside;
    if !trends.iter().any(shows) {
        text.push_str("\nNo change shown.\n");
    }
    text
}

/// The scenario, and the step where the figure is of one.
fn place(trend: &Trend) -> String {
    let subject = &trend.subject;
    match subject.step.as_str() {
        "" => visible(&subject.scenario).into_owned(),
        step => format!("{}, {}", visible(&subject.scenario), visible(step)),
    }
}

fn quantity(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Throughput | Metric::EffectsRate => report::render::rate(value),
        Metric::ErrorRate => format!("{:.2} %", value * 100.0),
        Metric::MemoryPeak => format!("{:.1} MB", value / 1e6),
        _ => report::render::duration(value),
    }
}

/// A row of blocks from the least to the most, the last 60 runs.
fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values = &values[values.len().saturating_sub(60)..];
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let block = |value: &f64| {
        let part = (value - least) / (most - least).max(f64::MIN_POSITIVE);
        BLOCKS[((part * 8.0) as usize).min(7)]
    };
    values.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_blocks_goes_from_the_least_to_the_most() {
        assert_eq!(sparkline(&[1.0, 2.0, 8.0]), "▁▂█");
        assert_eq!(sparkline(&[5.0, 5.0]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }
}
