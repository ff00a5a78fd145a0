use std::fmt::Write as _;

use load_engine::{Judgement, Ruling};

use super::text::markup;
use crate::{
    Check, Health, Report, ScenarioResult, ScenarioVerdict, describe_figure, describe_judgement,
};

/// The report as JUnit XML, which every CI system shows: a suite a scenario, a case a limit and a
/// verification. What was not judged is skipped; a scenario that as a whole says too little to pass
/// is an error, since `proofload` fails for it too.
///
/// The form is that of the Ant task, as the Jenkins plug-in reads it.
#[must_use]
pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let verdicts = &report.verdict.scenarios;
    let total = |of: fn(&ScenarioVerdict) -> usize| verdicts.iter().map(of).sum::<usize>();
    let empty = usize::from(verdicts.is_empty());
    let _ = writeln!(
        out,
        "<testsuites name=\"proofload\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">",
        total(cases) + empty,
        total(failures),
        total(errors) + empty,
        report.elapsed_seconds
    );
    for (result, verdict) in report.scenarios.iter().zip(verdicts) {
        suite(&mut out, report, result, verdict);
    }
    if verdicts.is_empty() {
        let reason = markup(&report.verdict.reason);
        let _ = writeln!(
            out,
            "  <testsuite name=\"run\" tests=\"1\" errors=\"1\">\n    <testcase classname=\"run\" \
             name=\"judged\"><error message=\"{reason}\"/></testcase>\n  </testsuite>"
        );
    }
    out.push_str("</testsuites>\n");
    out
}

fn cases(verdict: &ScenarioVerdict) -> usize {
    verdict.checks.len() + verdict.thresholds.len() + errors(verdict)
}

fn failures(verdict: &ScenarioVerdict) -> usize {
    let checks = verdict.checks.iter().filter(|check| check.is_broken());
    let is_missed = |own: &&Judgement| verdict.thresholds_judged && own.ruling != Ruling::Held;
    checks.count() + verdict.thresholds.iter().filter(is_missed).count()
}

fn errors(verdict: &ScenarioVerdict) -> usize {
    usize::from(verdict.health == Health::NotJudged)
}

fn suite(out: &mut String, report: &Report, result: &ScenarioResult, verdict: &ScenarioVerdict) {
    let mut skipped = verdict.checks.iter().filter(|check| !check.judged).count();
    if !verdict.thresholds_judged {
        skipped += verdict.thresholds.len();
    }
    let seconds = result.run.wall_ns as f64 / 1e9;
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\" \
         time=\"{seconds:.3}\" timestamp=\"{}\">",
        markup(&verdict.name),
        cases(verdict),
        failures(verdict),
        errors(verdict),
        markup(report.started_at.get(..19).unwrap_or_default())
    );
    properties(out, report, result);
    if verdict.health == Health::NotJudged {
        let reason = verdict
            .reason
            .as_deref()
            .unwrap_or("it says too little to pass");
        case(
            out,
            &verdict.name,
            "judged",
            &format!("<error message=\"{}\"/>", markup(reason)),
        );
    }
    for check in &verdict.checks {
        case(out, &verdict.name, &name(check), &outcome(check));
    }
    for own in &verdict.thresholds {
        let name = format!("threshold {}", own.threshold);
        case(out, &verdict.name, &name, &outcome_of(own, verdict));
    }
    out.push_str("  </testsuite>\n");
}

fn properties(out: &mut String, report: &Report, result: &ScenarioResult) {
    let (run, found) = (&result.run, &result.verification);
    let properties = [
        ("load", result.load.clone()),
        ("seed", run.seed.to_string()),
        ("operations", run.operations().to_string()),
        ("failed", run.failed_operations().to_string()),
        ("effects", found.effects.to_string()),
        ("verified", found.verified.to_string()),
        ("repeat", report.command.clone()),
    ];
    out.push_str("    <properties>\n");
    for (name, value) in properties {
        let value = markup(&value);
        let _ = writeln!(out, "      <property name=\"{name}\" value=\"{value}\"/>");
    }
    for (name, value) in &result.tags {
        let (name, value) = (markup(name), markup(value));
        let _ = writeln!(
            out,
            "      <property name=\"tag.{name}\" value=\"{value}\"/>"
        );
    }
    out.push_str("    </properties>\n");
}

fn case(out: &mut String, scenario: &str, name: &str, content: &str) {
    let (scenario, name) = (markup(scenario), markup(name));
    let _ = if content.is_empty() {
        writeln!(
            out,
            "    <testcase classname=\"{scenario}\" name=\"{name}\"/>"
        )
    } else {
        writeln!(
            out,
            "    <testcase classname=\"{scenario}\" name=\"{name}\">{content}</testcase>"
        )
    };
}

fn outcome_of(own: &Judgement, verdict: &ScenarioVerdict) -> String {
    if !verdict.thresholds_judged {
        let message = format!("{}, not judged", describe_figure(own));
        return format!("<skipped message=\"{}\"/>", markup(&message));
    }
    match own.ruling {
        Ruling::Held => String::new(),
        _ => format!(
            "<failure type=\"threshold\" message=\"{}\"/>",
            markup(&describe_judgement(own))
        ),
    }
}

fn name(check: &Check) -> String {
    let measure = check.measure.name();
    match &check.step {
        Some(step) => format!("{measure} of {step}"),
        None => measure.to_owned(),
    }
}

fn outcome(check: &Check) -> String {
    let value = check.value.map_or_else(
        || "not measured".to_owned(),
        |value| check.measure.format(value),
    );
    let limit = check.measure.format(check.limit);
    if !check.judged {
        let message = format!("{value}, not judged: the generator was the bottleneck");
        format!("<skipped message=\"{}\"/>", markup(&message))
    } else if check.held {
        String::new()
    } else {
        let message = format!("{} {value} (limit {limit})", name(check));
        let kind = if check.measure.is_of_effects() {
            "verification"
        } else {
            "limit"
        };
        format!(
            "<failure type=\"{kind}\" message=\"{}\"/>",
            markup(&message)
        )
    }
}
