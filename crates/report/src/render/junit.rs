use std::fmt::Write as _;

use load_engine::{Judgement, Ruling, Source};

use super::text::markup;
use crate::verdict::{expression, is_violation};
use crate::{Conclusion, Report, ScenarioResult, describe_figure, describe_judgement};

/// The report as JUnit XML, which every CI system shows: a suite a scenario, a case a threshold. What was
/// not judged is skipped; a scenario that as a whole says too little to pass is an error, since
/// `proofload` does not pass it either; a load that an abort rule ended is a failure of its own.
///
/// The form is that of the Ant task, as the Jenkins plug-in reads it.
#[must_use]
pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let scenarios = &report.scenarios;
    let total = |of: fn(&ScenarioResult) -> usize| scenarios.iter().map(of).sum::<usize>();
    let empty = usize::from(scenarios.is_empty());
    let _ = writeln!(
        out,
        "<testsuites name=\"proofload\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">",
        total(cases) + empty,
        total(failures),
        total(errors) + empty,
        report.elapsed_seconds
    );
    for result in scenarios {
        suite(&mut out, report, result);
    }
    if scenarios.is_empty() {
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

fn cases(result: &ScenarioResult) -> usize {
    result.judgements.len() + errors(result) + aborts(result)
}

fn failures(result: &ScenarioResult) -> usize {
    let violated = result.judgements.iter().filter(|own| is_violation(own));
    violated.count() + aborts(result)
}

fn errors(result: &ScenarioResult) -> usize {
    usize::from(result.conclusion == Conclusion::Inconclusive)
}

fn aborts(result: &ScenarioResult) -> usize {
    usize::from(result.run.abort.is_some())
}

fn suite(out: &mut String, report: &Report, result: &ScenarioResult) {
    let skipped = result.judgements.iter().filter(|own| !own.counts).count();
    let seconds = result.run.wall_ns as f64 / 1e9;
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\" \
         time=\"{seconds:.3}\" timestamp=\"{}\">",
        markup(&result.name),
        cases(result),
        failures(result),
        errors(result),
        markup(report.started_at.get(..19).unwrap_or_default())
    );
    properties(out, report, result);
    if result.conclusion == Conclusion::Inconclusive {
        let reason = result.reason.as_deref();
        let reason = markup(reason.unwrap_or("it says too little to pass"));
        let error = format!("<error message=\"{reason}\"/>");
        case(out, &result.name, "judged", &error);
    }
    if let Some(reason) = result.abort_reason() {
        let reason = markup(&reason);
        let failure = format!("<failure type=\"abort\" message=\"{reason}\"/>");
        case(out, &result.name, "load ran to its end", &failure);
    }
    for judgement in &result.judgements {
        case(
            out,
            &result.name,
            &expression(judgement),
            &outcome(judgement),
        );
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

fn outcome(judgement: &Judgement) -> String {
    if !judgement.counts {
        let message = format!("{}, not judged", describe_figure(judgement));
        return format!("<skipped message=\"{}\"/>", markup(&message));
    }
    let kind = match judgement.source {
        Source::Effects => "verification",
        _ => "threshold",
    };
    match judgement.ruling {
        Ruling::Held => String::new(),
        _ => format!(
            "<failure type=\"{kind}\" message=\"{}\"/>",
            markup(&describe_judgement(judgement))
        ),
    }
}
