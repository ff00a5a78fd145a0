use std::fmt::Write as _;

use load_engine::RunRecord;

use super::anchor;
use super::figures::figure;
use super::table::{badge, table};
use crate::PlotKind;
use crate::plot::{Plots, TimeRow, plots};
use crate::render::page::{Discrepancies, FailureNote, FindingNote, Page, Section, Table};
use crate::render::text::{capitalized, markup};
use crate::units::{count, duration, rate};

/// One scenario: what was wrong, its steps, its plots, its checks.
pub(super) fn scenario(
    out: &mut String,
    page: &Page,
    at: usize,
    section: &Section,
    run: &RunRecord,
) {
    let anchor = anchor(at);
    let findings: Vec<&FindingNote> = page
        .findings
        .iter()
        .filter(|found| found.section == Some(at))
        .collect();
    let spans: Vec<_> = findings
        .iter()
        .filter_map(|found| Some((found.number, found.plot, found.span?)))
        .collect();
    let plots = plots(run, &anchor, &spans);
    let _ = write!(
        out,
        "<section class=\"scenario\" id=\"{anchor}\" data-end=\"{}\" aria-labelledby=\"{anchor}-name\">\
         <header><h2 id=\"{anchor}-name\"><bdi>{}</bdi></h2>{}<p><bdi>{}</bdi></p></header>",
        plots.end_s,
        markup(&section.name),
        badge(section.conclusion),
        markup(&section.title)
    );
    if let Some(reason) = &section.reason {
        let _ = write!(
            out,
            "<p><b>{}:</b> {}.</p>",
            capitalized(section.conclusion),
            markup(reason)
        );
    }
    let _ = write!(
        out,
        "<p>{}</p><p class=\"quiet\">{}</p>",
        markup(&section.evidence),
        markup(&section.note)
    );
    if let Some(arrivals) = &section.arrivals {
        let _ = write!(out, "<p>{}</p>", markup(arrivals));
    }
    if !section.thresholds.rows.is_empty() {
        table(out, &section.thresholds, &[]);
    }
    wrongs(out, section);
    let with_sparks = section.steps.len().saturating_sub(1);
    let sparks = if plots.sparks.iter().all(String::is_empty) {
        &[]
    } else {
        &plots.sparks[..]
    };
    for (number, steps) in section.steps.iter().enumerate() {
        table(out, steps, if number == with_sparks { sparks } else { &[] });
    }
    if let Some(parts) = &section.parts {
        table(out, parts, &[]);
    }
    phase_names(out, run);
    draw(out, &plots, &findings);
    if let Some(phases) = &section.phases {
        folded(out, "Figures by phase", phases);
    }
    folded(out, "Checks of the effects", &section.effects);
    out.push_str("</section>\n");
}

/// The phases by their numbers, which stand in plots where there is no room for names.
fn phase_names(out: &mut String, run: &RunRecord) {
    if run.phases.is_empty() {
        return;
    }
    out.push_str("<p class=\"quiet\">Phases:");
    for (number, phase) in (1..).zip(&run.phases) {
        let _ = write!(out, " {number} <bdi>{}</bdi>", markup(&phase.name));
        out.push(if number == run.phases.len() { '.' } else { ',' });
    }
    out.push_str("</p>");
}

fn wrongs(out: &mut String, section: &Section) {
    for step in &section.vacuous {
        let _ = write!(
            out,
            "<p class=\"bad\"><b>Vacuous:</b> write step <bdi>{}</bdi> wrote nothing.</p>",
            markup(step)
        );
    }
    if !section.failures.is_empty() {
        out.push_str("<ul class=\"why\">");
        for failure in &section.failures {
            failed(out, failure);
        }
        out.push_str("</ul>");
    }
    if let Some(found) = &section.discrepancies {
        discrepancies(out, found);
    }
}

fn failed(out: &mut String, failure: &FailureNote) {
    let message = failure.message.as_deref().unwrap_or("other messages");
    let _ = write!(
        out,
        "<li>{} × <bdi>{}</bdi>: <bdi>{}</bdi></li>",
        failure.count,
        markup(&failure.step),
        markup(message)
    );
}

fn discrepancies(out: &mut String, found: &Discrepancies) {
    table(out, &found.table, &[]);
    if let Some(file) = &found.file {
        let _ = write!(
            out,
            "<p>All of them are in <code>{}</code> beside this report.</p>",
            markup(file)
        );
    }
    if let Some(data) = &found.data {
        let _ = write!(
            out,
            "<p>What the target wrote is kept in <code>{}</code>.</p>",
            markup(data)
        );
    }
}

fn draw(out: &mut String, plots: &Plots, findings: &[&FindingNote]) {
    let own = |kind: PlotKind| {
        let seen = findings
            .iter()
            .copied()
            .filter(move |found| found.plot == kind);
        seen.collect::<Vec<_>>()
    };
    if let Some(plot) = &plots.percentiles {
        figure(out, plot, &own(plot.kind));
    }
    if !plots.over_time.is_empty() {
        out.push_str(
            "<div class=\"tools\" role=\"toolbar\" aria-label=\"The part of the run that the plots show\" hidden>\
             <button type=\"button\" data-move=\"in\">Zoom in</button>\
             <button type=\"button\" data-move=\"out\">Zoom out</button>\
             <button type=\"button\" data-move=\"earlier\">Earlier</button>\
             <button type=\"button\" data-move=\"later\">Later</button>\
             <button type=\"button\" data-move=\"all\">Whole run</button>\
             <span>or drag across a plot</span><output></output></div>",
        );
    }
    for plot in &plots.over_time {
        figure(out, plot, &own(plot.kind));
    }
    if plots.damaged > 0 {
        let _ = write!(
            out,
            "<p class=\"bad\">{} saved histograms could not be read; their operations are missing in \
             the plots.</p>",
            count(plots.damaged)
        );
    }
    rows(out, &plots.rows);
    if !plots.steps.is_empty() {
        out.push_str("<details><summary>Latency of each step over time</summary>");
        for plot in &plots.steps {
            figure(out, plot, &[]);
        }
        out.push_str("</details>");
    }
}

/// What the plots show, in numbers.
fn rows(out: &mut String, rows: &[TimeRow]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(
        "<details><summary>The plots as a table</summary><div class=\"wide\" role=\"group\" \
         aria-label=\"The run over time\" tabindex=\"0\"><table><caption>The run over time; of \
         latencies the highest in each row</caption><thead><tr><th scope=\"col\">from</th>\
         <th scope=\"col\" class=\"n\">throughput</th><th scope=\"col\" class=\"n\">failed</th>\
         <th scope=\"col\" class=\"n\">p50</th><th scope=\"col\" class=\"n\">p99</th>\
         <th scope=\"col\" class=\"n\">max</th></tr></thead><tbody>",
    );
    for row in rows {
        let time = |ns: u64| {
            if row.max_ns == 0 {
                "–".to_owned()
            } else {
                duration(ns as f64)
            }
        };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th>",
            duration(row.start_s * 1e9)
        );
        let cells = [
            rate(row.rate),
            count(row.failed),
            time(row.p50_ns),
            time(row.p99_ns),
            time(row.max_ns),
        ];
        for cell in cells {
            let _ = write!(out, "<td class=\"n\">{cell}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></details>");
}

fn folded(out: &mut String, summary: &str, rows: &Table) {
    let _ = write!(out, "<details><summary>{summary}</summary>");
    table(out, rows, &[]);
    out.push_str("</details>");
}
