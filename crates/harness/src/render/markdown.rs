use std::fmt::Write as _;

use load_engine::{Discrepancy, Expectation, StepSummary};

use super::quantity::{cores, count, duration, memory, percent, rate};
use crate::{Check, Exceedance, Health, Report, ScenarioResult, ScenarioVerdict};

/// The report as Markdown, verdict first; fit for a pull request.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut page = Page::default();
    heading(&mut page, report);
    scenarios(&mut page, report);
    findings(&mut page, "Bottlenecks", &report.verdict.bottlenecks);
    findings(
        &mut page,
        "Recommendations",
        &report.verdict.recommendations,
    );
    for (result, verdict) in report.scenarios.iter().zip(&report.verdict.scenarios) {
        details(&mut page, result, verdict);
    }
    origin(&mut page, report);
    page.text
}

/// Text that is written line by line; a `String` takes every write.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for cell in cells {
            let _ = write!(self.text, "| {cell} ");
        }
        self.line("|");
    }

    /// The first column is text, the others are numbers.
    fn table_head(&mut self, names: &[&str]) {
        self.row(names.iter().map(|&name| name.to_owned()));
        let rules = (0..names.len()).map(|at| if at == 0 { "---" } else { "---:" }.to_owned());
        self.row(rules);
    }
}

fn heading(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    page.line(format!("# Load test: {}", mark(verdict.health)));
    page.gap();
    page.line(format!("**{}**", escape(&capitalized(&verdict.reason))));
    page.gap();
    page.line(format!(
        "{} operations in {:.2} s, {} effects verified after the targets were closed and opened again.",
        count(report.operations()),
        report.elapsed_seconds,
        count(report.verified_effects())
    ));
    page.gap();
}

fn scenarios(page: &mut Page, report: &Report) {
    let columns = [
        "scenario",
        "verdict",
        "load",
        "operations",
        "failed",
        "throughput",
        "verified",
        "lost",
        "altered",
        "duplicated",
        "unexpected",
        "memory before → peak → after",
        "CPU",
    ];
    page.table_head(&columns);
    for (result, verdict) in report.scenarios.iter().zip(&report.verdict.scenarios) {
        let (run, found) = (&result.run, &result.verification);
        page.row([
            escape(&result.name),
            mark(verdict.health).to_owned(),
            escape(&result.load),
            count(run.operations()),
            format!(
                "{} ({})",
                count(run.failed_operations()),
                percent(run.error_rate())
            ),
            rate(run.operations_per_second()),
            count(found.verified),
            count(found.lost),
            count(found.altered),
            count(found.duplicated),
            count(found.unexpected),
            memory(&run.monitor.summary),
            cores(&run.monitor.summary),
        ]);
    }
    page.gap();
}

fn findings(page: &mut Page, title: &str, findings: &[Exceedance]) {
    page.line(format!("## {title}"));
    page.gap();
    if findings.is_empty() {
        page.line("None.");
    }
    for finding in findings {
        page.line(format!("- {}", escape(&finding.to_string())));
    }
    page.gap();
}

fn details(page: &mut Page, result: &ScenarioResult, verdict: &ScenarioVerdict) {
    page.line(format!(
        "## {}: {}",
        escape(&result.name),
        escape(&result.title)
    ));
    page.gap();
    page.line(closed_model_note(result));
    page.gap();
    steps(page, &result.run.steps);
    failures(page, &result.run.steps);
    discrepancies(page, result);
    checks(page, &verdict.checks);
}

/// The report says which model its latencies come from, since a closed one hides queueing.
fn closed_model_note(result: &ScenarioResult) -> String {
    let overhead = result.run.generator.operation_overhead_ns;
    let gaps = match result.run.monitor.gap_count {
        0 => String::new(),
        gaps => format!(" The monitor has {gaps} gaps, of which nothing is known."),
    };
    format!(
        "{}, closed model: latencies are service times, a queue before the target would not show. \
         The engine adds {overhead:.0} ns to an operation.{gaps}",
        escape(&result.load)
    )
}

fn steps(page: &mut Page, steps: &[StepSummary]) {
    let columns = [
        "step",
        "attempted",
        "failed",
        "effects",
        "min",
        "mean",
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "max",
    ];
    page.table_head(&columns);
    for step in steps {
        let times = &step.service_time;
        let figures = [
            times.min_ns as f64,
            times.mean_ns,
            times.p50_ns as f64,
            times.p90_ns as f64,
            times.p95_ns as f64,
            times.p99_ns as f64,
            times.p999_ns as f64,
            times.max_ns as f64,
        ];
        let head = [
            escape(&step.name),
            count(step.attempted),
            count(step.failed),
            if step.effect {
                count(step.effects)
            } else {
                "–".to_owned()
            },
        ];
        // Of what never ran there is no fastest and no slowest.
        let shown = figures.map(|ns| {
            if times.count == 0 {
                "–".to_owned()
            } else {
                duration(ns)
            }
        });
        page.row(head.into_iter().chain(shown));
    }
    page.gap();
}

fn failures(page: &mut Page, steps: &[StepSummary]) {
    let failed: Vec<_> = steps
        .iter()
        .filter(|step| step.failures.total() > 0)
        .collect();
    if failed.is_empty() {
        return;
    }
    page.line("Failures:");
    page.gap();
    for step in failed {
        for failure in &step.failures.messages {
            let (name, message) = (escape(&step.name), escape(&failure.message));
            page.line(format!(
                "- {name}: {message} ({} times)",
                count(failure.count)
            ));
        }
        if step.failures.other > 0 {
            let other = count(step.failures.other);
            page.line(format!(
                "- {}: {other} with other messages",
                escape(&step.name)
            ));
        }
    }
    page.gap();
}

fn discrepancies(page: &mut Page, result: &ScenarioResult) {
    let found = &result.verification;
    for step in &result.vacuous_steps {
        page.line(format!(
            "**Vacuous:** step {} acknowledged no effect.",
            escape(step)
        ));
        page.gap();
    }
    if found.discrepancies.is_empty() {
        return;
    }
    let all = found.discrepancy_count();
    page.line(format!(
        "The first {} of {} discrepancies:",
        found.discrepancies.len(),
        count(all)
    ));
    page.gap();
    page.table_head(&["effect", "defect", "expected", "found", "user"]);
    for item in &found.discrepancies {
        page.row(discrepancy(item));
    }
    page.gap();
    if let Some(file) = &result.discrepancies_file {
        page.line(format!("All of them stand in `{file}` beside this report."));
        page.gap();
    }
    if let Some(data) = &result.data_kept_in {
        page.line(format!("What the target wrote is kept in `{data}`."));
        page.gap();
    }
}

fn discrepancy(item: &Discrepancy) -> [String; 5] {
    let expected = match item.expected {
        Expectation::Present(digest) => digest.to_string(),
        Expectation::Absent => "removed".to_owned(),
        Expectation::NeverAcknowledged => "nothing".to_owned(),
    };
    [
        escape(&format!("{} {}", item.kind, item.key)),
        format!("{:?}", item.defect).to_lowercase(),
        expected,
        item.found
            .map_or_else(|| "nothing".to_owned(), |digest| digest.to_string()),
        item.user
            .map_or_else(|| "–".to_owned(), |user| user.to_string()),
    ]
}

fn checks(page: &mut Page, checks: &[Check]) {
    page.line("<details><summary>Checks</summary>");
    page.gap();
    page.table_head(&["check", "value", "limit", "held"]);
    for check in checks {
        let name = check.measure.name();
        page.row([
            check
                .step
                .as_ref()
                .map_or_else(|| name.to_owned(), |s| format!("{name} of {}", escape(s))),
            check
                .value
                .map_or_else(|| "not measured".to_owned(), |v| check.measure.format(v)),
            check.measure.format(check.limit),
            if check.held { "yes" } else { "**no**" }.to_owned(),
        ]);
    }
    page.gap();
    page.line("</details>");
    page.gap();
}

fn origin(page: &mut Page, report: &Report) {
    let unknown = || "unknown".to_owned();
    let machine = &report.machine;
    page.line("## How to repeat this");
    page.gap();
    page.line(format!("```\n{}\n```", report.command));
    page.gap();
    page.line(format!("- Began: {}", report.started_at));
    page.line(format!(
        "- Program: proofload {} ({} build, BLAKE3 {})",
        report.build.version,
        report.build.profile,
        report
            .build
            .executable_blake3
            .as_deref()
            .map_or_else(unknown, |hash| hash[..16].to_owned())
    ));
    page.line(format!(
        "- Machine: {}, {} processors, {}, {} {} {}, data on {}",
        escape(machine.processor.as_deref().unwrap_or("unknown processor")),
        machine
            .processors
            .map_or_else(unknown, |number| number.to_string()),
        machine
            .memory_bytes
            .map_or_else(unknown, |b| format!("{:.1} GB", b as f64 / 1e9)),
        machine.os,
        machine.architecture,
        machine.kernel.as_deref().unwrap_or(""),
        machine
            .filesystem
            .as_deref()
            .unwrap_or("an unknown file system")
    ));
}

fn mark(health: Health) -> &'static str {
    match health {
        Health::Pass => "✅ pass",
        Health::Fail => "❌ fail",
        Health::NotJudged => "⚪ not judged",
    }
}

fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// Names and messages come from targets: they are shown as text, whatever they hold.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => out.push(' '),
            letter if letter.is_control() => out.push('\u{fffd}'),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_text() {
        assert_eq!(
            escape("<script>|`x`\n\u{7}"),
            "&lt;script&gt;\\|\\`x\\` \u{fffd}"
        );
    }
}
